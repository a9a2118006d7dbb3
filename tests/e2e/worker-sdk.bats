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

setup()
{
	tool_setup
	SCENARIO=$BATS_TEST_DESCRIPTION
}

@test "happy" {
	play_scenario sdk
}

@test "ask then confirmation allow" {
	play_scenario sdk
}

@test "ask then deny" {
	play_scenario sdk
}

@test "server deny" {
	play_scenario sdk
}

@test "unknown permission" {
	play_scenario sdk
}

@test "confirmation before the call" {
	play_scenario sdk
}

@test "no permission field" {
	play_scenario sdk
}

@test "unregistered web_search" {
	play_scenario sdk
}

@test "custom tool" {
	play_scenario sdk
}

@test "batch of calls" {
	play_scenario sdk
}

@test "SSE dropped mid-tool" {
	play_scenario sdk
}

@test "SSE clean end" {
	play_scenario sdk
}

@test "event: error" {
	play_scenario sdk
}

@test "stream 404" {
	play_scenario sdk
}

@test "stream 500 then OK" {
	play_scenario sdk
}

@test "list 500" {
	play_scenario sdk
}

@test "send 400" {
	play_scenario sdk
}

@test "send 503" {
	play_scenario sdk
}

@test "heartbeat 412" {
	play_scenario sdk
}

@test "heartbeat repeated 500" {
	play_scenario sdk
}

@test "heartbeat stopping" {
	play_scenario sdk
}

@test "heartbeat 404" {
	play_scenario sdk
}

@test "heartbeat stopping at once" {
	play_scenario sdk
}

@test "poll 204" {
	play_scenario sdk
}

@test "poll 200 empty" {
	play_scenario sdk
}

@test "poll 200 null" {
	play_scenario sdk
}

@test "poll 401" {
	play_until_exit sdk 1
}

@test "poll 404" {
	play_until_exit sdk 1
}

@test "poll 500" {
	play_scenario sdk
}

@test "poll 429 with retry-after" {
	play_scenario sdk
}

@test "ack 404" {
	play_scenario sdk
}

@test "healthcheck item" {
	play_scenario sdk
}

@test "terminated session" {
	play_scenario sdk
}

@test "session 404" {
	play_scenario sdk
}

@test "no secret" {
	play_scenario sdk
}

@test "no secret + memory store" {
	play_scenario sdk
}

@test "abort mid-tool" {
	play_abort sdk
}

@test "interrupt mid-tool" {
	play_scenario sdk
}

@test "result already in history" {
	play_scenario sdk
}

@test "3-page history" {
	play_scenario sdk
}

@test "terminated thread's call" {
	play_scenario sdk
}

@test "terminated thread's held call" {
	play_scenario sdk
}

@test "permanent requires_action" {
	play_scenario sdk
}

@test "session.deleted" {
	play_scenario sdk
}

@test "duplicate and late events" {
	play_scenario sdk
}

@test "nothing to say" {
	play_scenario sdk
}

@test "large output" {
	play_scenario sdk
}

@test "wrong types in the input" {
	play_scenario sdk
}

@test "the next turn" {
	play_scenario sdk
}

@test "CRLF" {
	play_scenario sdk
}

@test "CR" {
	play_scenario sdk
}

@test "a byte at a time" {
	play_scenario sdk
}

@test "comments and a BOM" {
	play_scenario sdk
}

@test "several data lines" {
	play_scenario sdk
}

@test "event: message" {
	play_scenario sdk
}

@test "pings" {
	play_scenario sdk
}
