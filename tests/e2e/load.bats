# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154 # set by the helpers

# The whole path under load: bytes by hash, many streams, no leaks.

load helpers.bash
load tunnel.bash

@test "1 GiB up through one stream arrives byte for byte" {
	local want size=$((1 << 30))

	start_path
	want=$(zero_stream "$size" | sha256sum)
	run_tool 0 up_1gib "$size"
	eq "$output" "{\"sha256\":\"${want%% *}\",\"bytes\":$size}"
}

up_1gib()
{
	zero_stream "$1" | DEADLINE=120 agent_curl --fail --upload-file - \
		--request POST -H 'Expect:' /hash
}

@test "1 GiB down through one stream arrives byte for byte" {
	local want size=$((1 << 30)) got

	start_path
	want=$(zero_stream "$size" | sha256sum)
	got=$(DEADLINE=120 agent_curl --fail "/bytes?n=$size" | sha256sum)
	eq "$got" "$want"
}

@test "1000 streams at once all get their own answers" {
	start_path
	run_tool 0 node "$ROOT/tests/fakes/many-clients.mjs" \
		--connect "127.0.0.1:$AGENTS" --name "$NAME" \
		--ca "$T/certs/ca.crt" --count 1000
	eq "$output" '{"opened":1000,"first":1000,"second":1000}'
}

@test "10 000 streams leave no descriptor and no memory behind" {
	local i name before=() after=()

	requires no-sanitizer
	start_path
	many 100
	for name in edge connector; do
		before+=("$(fd_count "$name")" "$(rss_kib "$name")")
	done
	for ((i = 0; i < 10; i++)); do
		many 1000
	done
	wait_until fds_at_most edge "${before[0]}"
	wait_until fds_at_most connector "${before[2]}"
	for name in edge connector; do
		after+=("$(fd_count "$name")" "$(rss_kib "$name")")
	done
	echo "before ${before[*]} after ${after[*]} (descriptors, KiB)"
	((after[1] < before[1] + 4096))
	((after[3] < before[3] + 4096))
}

many()
{
	node "$ROOT/tests/fakes/many-clients.mjs" --count "$1" \
		--connect "127.0.0.1:$AGENTS" --name "$NAME" \
		--ca "$T/certs/ca.crt" >/dev/null
}

fds_at_most()
{
	(($(fd_count "$1") <= $2))
}

@test "a slow reader does not hold up another stream" {
	requires no-sanitizer
	start_path
	mkfifo "$T/stuck"
	exec 8<>"$T/stuck" # open, never read: curl blocks when it is full
	start_bg slow curl --silent --cacert "$T/certs/ca.crt" \
		--resolve "$NAME:$AGENTS:127.0.0.1" --output "$T/stuck" \
		"https://$NAME:$AGENTS/bytes?n=1073741824"
	wait_line connector 'trace='
	for _ in {1..50}; do
		run_tool 0 agent_curl --fail /ping
	done
	exec 8<&-
	(($(rss_kib edge) < 64 * 1024))
	(($(rss_kib connector) < 64 * 1024))
}
