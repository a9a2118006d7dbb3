# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154 # set by the helpers

# sandbox-worker against the stand-in for the Managed Agents API: what the
# official SDK's worker does, with the same requests, unless the two are meant
# to differ.

load helpers.bash
load agents.bash

setup_file()
{
	"$ROOT/tests/peers/install.sh" "$PEERS"
}

setup() { agents_setup; }

@test "happy" {
	same
}

@test "ask then confirmation allow" {
	same
}

@test "ask then deny" {
	same
}

@test "server deny" {
	same
}

@test "unknown permission" {
	same
}

@test "confirmation before the call" {
	same
}

@test "no permission field" {
	same
}

@test "unregistered web_search" {
	same
}

@test "custom tool" {
	same
}

@test "batch of calls" {
	same
}

@test "SSE dropped mid-tool" {
	same
}

@test "SSE clean end" {
	same
}

@test "event: error" {
	same
}

@test "stream 404" {
	same
}

@test "stream 500 then OK" {
	same
}

@test "list 500" {
	play worker
}

@test "send 400" {
	same
}

@test "send 503" {
	same
}

@test "heartbeat 412" {
	same
}

@test "heartbeat repeated 500" {
	same
}

@test "heartbeat stopping" {
	play worker
}

@test "heartbeat 404" {
	play worker
}

@test "heartbeat stopping at once" {
	play worker
}

@test "poll 204" {
	same
}

@test "poll 200 empty" {
	same
}

@test "poll 200 null" {
	same
}

@test "poll 401" {
	play_until_exit worker 3
}

@test "poll 404" {
	play_until_exit worker 3
}

@test "poll 500" {
	same
}

@test "poll 429 with retry-after" {
	same
}

@test "ack 404" {
	play worker
}

@test "healthcheck item" {
	same
}

@test "terminated session" {
	same
}

@test "session 404" {
	same
}

@test "no secret" {
	same
}

@test "no secret + memory store" {
	same
}

@test "abort mid-tool" {
	play_abort worker
}

@test "interrupt mid-tool" {
	play worker
}

@test "result already in history" {
	same
}

@test "3-page history" {
	same
}

@test "terminated thread's call" {
	same
}

@test "terminated thread's held call" {
	same
}

@test "permanent requires_action" {
	same
}

@test "session.deleted" {
	same
}

@test "duplicate and late events" {
	same
}

@test "nothing to say" {
	play worker
}

@test "large output" {
	play worker
}

@test "wrong types in the input" {
	same
}

@test "the next turn" {
	same
}

@test "CRLF" {
	same
}

@test "CR" {
	same
}

@test "a byte at a time" {
	same
}

@test "comments and a BOM" {
	same
}

@test "several data lines" {
	same
}

@test "event: message" {
	same
}

@test "pings" {
	same
}

@test "the texts of bash" {
	same
}

@test "the texts of read, write and edit" {
	same
}

@test "the texts of glob and grep" {
	same
}

@test "memory changed on both sides" {
	same
}

@test "memory update refused" {
	same
}

@test "memory changed after the last look" {
	official
	play worker
}

@test "memory that cannot be stored" {
	# The official one sends what is too large and is refused.
	play worker
}

@test "read-only memory store" {
	same
}

@test "many memories" {
	same
}

@test "many changed memories" {
	same
}
