# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154 # set by the helpers

# The stand-in for the Managed Agents API is faithful: the official SDK's
# worker gets on with it, with the outcomes that are known of the real one.

load helpers.bash
load agents.bash

setup_file()
{
	"$ROOT/tests/peers/install.sh" "$PEERS"
}

setup() { agents_setup; }

@test "happy" {
	official
}

@test "ask then confirmation allow" {
	official
}

@test "ask then deny" {
	official
}

@test "server deny" {
	official
}

@test "unknown permission" {
	official
}

@test "confirmation before the call" {
	official
}

@test "no permission field" {
	official
}

@test "unregistered web_search" {
	official
}

@test "custom tool" {
	official
}

@test "batch of calls" {
	official
}

@test "SSE dropped mid-tool" {
	official
}

@test "SSE clean end" {
	official
}

@test "event: error" {
	official
}

@test "stream 404" {
	official
}

@test "stream 500 then OK" {
	official
}

@test "list 500" {
	official
}

@test "send 400" {
	official
}

@test "send 503" {
	official
}

@test "heartbeat 412" {
	official
}

@test "heartbeat repeated 500" {
	official
}

@test "heartbeat stopping" {
	official
}

@test "heartbeat 404" {
	official
}

@test "heartbeat stopping at once" {
	official
}

@test "poll 204" {
	official
}

@test "poll 200 empty" {
	official
}

@test "poll 200 null" {
	official
}

@test "poll 401" {
	official play_until_exit sdk 1
}

@test "poll 404" {
	official play_until_exit sdk 1
}

@test "poll 500" {
	official
}

@test "poll 429 with retry-after" {
	official
}

@test "ack 404" {
	official
}

@test "healthcheck item" {
	official
}

@test "terminated session" {
	official
}

@test "session 404" {
	official
}

@test "no secret" {
	official
}

@test "no secret + memory store" {
	official
}

@test "abort mid-tool" {
	official play_abort sdk
}

@test "interrupt mid-tool" {
	official
}

@test "result already in history" {
	official
}

@test "3-page history" {
	official
}

@test "terminated thread's call" {
	official
}

@test "terminated thread's held call" {
	official
}

@test "permanent requires_action" {
	official
}

@test "session.deleted" {
	official
}

@test "duplicate and late events" {
	official
}

@test "nothing to say" {
	official
}

@test "large output" {
	official
}

@test "wrong types in the input" {
	official
}

@test "the next turn" {
	official
}

@test "CRLF" {
	official
}

@test "CR" {
	official
}

@test "a byte at a time" {
	official
}

@test "comments and a BOM" {
	official
}

@test "several data lines" {
	official
}

@test "event: message" {
	official
}

@test "pings" {
	official
}

@test "the texts of bash" {
	official
}

@test "the texts of read, write and edit" {
	official
}

@test "the texts of glob and grep" {
	official
}

@test "memory changed on both sides" {
	official
}

@test "memory update refused" {
	official
}

@test "memory changed after the last look" {
	official
}

@test "memory that cannot be stored" {
	official
}

@test "read-only memory store" {
	official
}

@test "many memories" {
	official
}

@test "many changed memories" {
	official
}
