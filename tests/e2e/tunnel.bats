# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154 # set by the helpers

# The programs together, as an agent and an operator see them.

load helpers.bash
load tunnel.bash

@test "a request passes and an answer comes back" {
	start_path
	run_tool 0 agent_curl --fail /some/path?q=1
	eq "$(jq -r .path <<<"$output")" '/some/path?q=1'
	eq "$(jq -r .host <<<"$output")" "$NAME:$AGENTS"
}

@test "the same trace is in the logs of edge, connector and proxy" {
	local trace

	start_path
	agent_curl --fail --output /dev/null /
	wait_line edge 'stream open: .*trace=[0-9a-f]{32}'
	trace=$(grep -Eo 'trace=[0-9a-f]{32}' "$T/edge.err" | head -n 1)
	wait_line connector "^tunnel-up: .*$trace"
	wait_line connector "^mcp-proxy: .*$trace"
}

@test "the payload is not readable on the link or in the frames" {
	start_upstream
	make_tunnel
	start_edge
	make_proxy "$UPSTREAM"
	start_connector connector -- "$BIN/frame-dump" -w "$T/hop.cap" -- \
		"$BIN/mcp-proxy" --config "$T/proxy.yaml"
	agent_curl --fail --output /dev/null /the-secret-path
	stop connector
	run_tool 0 "$BIN/frame-dump" -o json --payload "$T/hop.cap"
	[[ $output == *"$NAME"* ]]
	[[ $output != *the-secret-path* ]]
	run ! grep -a the-secret-path "$T/hop.cap"
}

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
	local i before after name

	requires no-sanitizer
	start_path
	many 100
	for name in edge connector; do
		before+=("$(fd_count "$name")" "$(rss_kib "$name")")
	done
	for ((i = 0; i < 10; i++)); do
		many 1000
	done
	after=()
	for name in edge connector; do
		wait_until fds_at_most "$name" "$(fd_count "$name")"
		after+=("$(fd_count "$name")" "$(rss_kib "$name")")
	done
	echo "before ${before[*]} after ${after[*]} (descriptors, KiB)"
	wait_until fds_at_most edge "${before[1]}"
	wait_until fds_at_most connector "${before[3]}"
	((after[1] < before[2] + 8192))
	((after[3] < before[4] + 8192))
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

@test "the path comes back after the edge was restarted" {
	start_path
	path_works
	stop edge
	start_edge
	wait_until path_works
}

@test "the path comes back after the edge was killed" {
	start_path
	path_works
	stop edge KILL
	start_edge
	wait_until path_works
}

@test "the path comes back after the connector was killed" {
	start_path
	path_works
	stop connector KILL
	run_tool 35 agent_curl /ping
	start_connector connector -- "$BIN/mcp-proxy" --config "$T/proxy.yaml"
	wait_until path_works
}

@test "a connector that hangs is noticed and its streams are reset" {
	start_upstream
	make_tunnel
	start_edge --ping 200ms
	make_proxy "$UPSTREAM"
	start_connector connector -- "$BIN/mcp-proxy" --config "$T/proxy.yaml"
	open_stream agent
	kill -STOP "${PID[connector]}"
	wait_exit agent 10
	eq "$STATUS" 56
	wait_line edge 'link down: .*timeout'
	kill -CONT "${PID[connector]}"
	wait_until path_works
}

@test "an edge that hangs is noticed and the connector dials again" {
	start_upstream
	make_tunnel
	start_edge
	make_proxy "$UPSTREAM"
	start_connector connector --ping 200ms -- \
		"$BIN/mcp-proxy" --config "$T/proxy.yaml"
	kill -STOP "${PID[edge]}"
	wait_line connector 'silent'
	kill -CONT "${PID[edge]}"
	wait_until path_works
}

@test "streams run on while the token is rotated, and the old one dies" {
	start_path
	open_stream agent
	(umask 077 && "$BIN/tunnel-edge" rotate acme --state "$T/edge" \
		--overlap 1h >"$T/token.new")
	TOKEN_FILE=$T/token.new start_connector second -- \
		"$BIN/mcp-proxy" --config "$T/proxy.yaml"
	tick
	wait_until events agent 1
	path_works
	stop agent
}

@test "revoking the token ends its link and streams at once" {
	local id

	start_path
	open_stream agent
	id=$("$BIN/tunnel-edge" list --state "$T/edge" -o json |
		jq -r '.[0].tokens[0].id')
	"$BIN/tunnel-edge" revoke acme --state "$T/edge" --token "$id"
	wait_exit agent 10
	eq "$STATUS" 56
	wait_exit connector 10
	eq "$STATUS" 3
	wait_line connector revoked || grep -q revoked "$T/connector.err"
	run_tool 35 agent_curl /ping
}

@test "a draining connector lets a stream finish and takes no new one" {
	start_path
	open_stream agent
	kill -TERM "${PID[connector]}"
	wait_line edge 'drain'
	run_tool 35 agent_curl /ping
	tick
	wait_until events agent 1
	stop agent
	wait_exit connector
	eq "$STATUS" 0
}

@test "two connectors share the load and one can leave unseen" {
	start_path
	start_connector second -- "$BIN/mcp-proxy" --config "$T/proxy.yaml"
	path_works
	stop connector
	path_works
	stop second
	run_tool 35 agent_curl /ping
}

@test "an upstream that is away is a 502 with code and blame" {
	start_path
	stop upstream
	run_tool 0 agent_curl --write-out '\n%{http_code}' /ping
	eq "${lines[-1]}" 502
	eq "$(jq -r .error.code <<<"${lines[0]}")" refused
	eq "$(jq -r .error.blame <<<"${lines[0]}")" connect
	[[ $(jq -r .error.trace <<<"${lines[0]}") =~ ^[0-9a-f]{32}$ ]]
}

@test "a client that leaves cancels its request upstream" {
	start_path
	open_stream agent
	stop agent KILL || true
	wait_until sse_open 0
}
