# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154 # set by the helpers

# sandbox-worker and answers that no API should give: what follows works, or the
# item is released; nobody else is called, no memory is filled.

load helpers.bash
load agents.bash

setup() { agents_setup; }

@test "poll: malformed JSON" {
	play_small
}

@test "poll: wrong types" {
	play_small
}

@test "poll: wrong content type" {
	play_small
}

@test "poll: truncated response" {
	play_small
}

@test "poll: 100 MiB" {
	play_small
}

@test "poll: redirect" {
	play_small
}

@test "ack: redirect" {
	play_small
}

@test "session: malformed JSON" {
	play_small
}

@test "session: wrong types" {
	play_small
}

@test "session: wrong content type" {
	play_small
}

@test "session: truncated response" {
	play_small
}

@test "session: 100 MiB" {
	play_small
}

@test "session: redirect" {
	play_small
}

@test "heartbeat: malformed JSON" {
	play_small
}

@test "heartbeat: wrong types" {
	play_small
}

@test "heartbeat: redirect" {
	play_small
}

@test "heartbeat: no answer" {
	play_small
}

@test "list: malformed JSON" {
	play_small
}

@test "list: wrong types" {
	play_small
}

@test "list: truncated response" {
	play_small
}

@test "list: redirect" {
	play_small
}

@test "stream: wrong content type" {
	play_small
}

@test "stream: redirect" {
	play_small
}

@test "stream: malformed JSON" {
	play_small
}

@test "stream: wrong types" {
	play_small
}

@test "stream: bytes that are not text" {
	play_small
}

@test "stream: truncated response" {
	play_small
}

@test "stream: 100 MiB event" {
	play_small
}

@test "stream: endless line" {
	play_small
}

@test "stream: endless event" {
	play_small
}

@test "send: wrong content type" {
	play_small
}

@test "send: response lost" {
	play_small
}

@test "send: redirect" {
	play_small
}

@test "secret that is not base64" {
	play_small
}

@test "secret that is not JSON" {
	play_small
}

@test "secret that is a list" {
	play_small
}

@test "secret with an empty token" {
	play_small
}

@test "secret with a hostile base URL" {
	play_small
}

@test "hostile skill archives" {
	play_small
}
