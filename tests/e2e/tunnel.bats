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

@test "a request that its agent leaves has one end" {
	requires jq
	start_upstream
	make_tunnel
	start_edge
	make_proxy "$UPSTREAM"
	echo "audit: $T/audit" >>"$T/proxy.yaml"
	start_connector connector -- "$BIN/mcp-proxy" -v --config "$T/proxy.yaml"
	open_stream sse
	stop sse
	wait_line connector 'mcp-proxy: agent closed: '
	eq "$(grep -c '^mcp-proxy: request: .*end=cancelled' \
		"$T/connector.err")" 1
	eq "$(jq -r 'select(.event == "end") | .code' "$T/audit")" cancelled
}

@test "SIGHUP to the connector has the proxy read its routes anew" {
	local tap

	start_upstream
	make_tunnel
	start_edge
	for tap in '' "$BIN/frame-dump -w /dev/null --"; do
		make_proxy "$UPSTREAM"
		# shellcheck disable=SC2086 # words
		start_connector connector -- $tap "$BIN/mcp-proxy" -v \
			--config "$T/proxy.yaml"
		NAME=wiki.$DOMAIN run_tool 22 agent_curl --fail /
		make_proxy "$UPSTREAM" wiki
		kill -HUP "${PID[connector]}"
		wait_line connector 'configuration loaded: .*routes=2'
		NAME=wiki.$DOMAIN run_tool 0 agent_curl --fail /
		stop connector
	done
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
	grep -aq "$NAME" "$T/hop.cap"
	run -1 grep -a the-secret-path "$T/hop.cap"
}

@test "no program that holds a key or a token dumps core" {
	local proxy pid

	start_path
	proxy=$(pgrep -P "${PID[connector]}" mcp-proxy)
	for pid in "${PID[edge]}" "${PID[connector]}" "$proxy"; do
		grep -E '^Max core file size +0 +0 ' "/proc/$pid/limits"
	done
}

# A client that does not read our close_notify may reset; we do not.
@test "a connection that both ends close is not reset by the proxy" {
	start_upstream
	make_tunnel
	start_edge
	make_proxy "$UPSTREAM"
	start_connector connector -- "$BIN/frame-dump" -w "$T/hop.cap" -- \
		"$BIN/mcp-proxy" --config "$T/proxy.yaml"
	for _ in {1..20}; do
		agent_curl --fail --output /dev/null /ping
	done
	stop connector
	run_tool 0 "$BIN/frame-dump" \
		-f '.type == "RESET" and .from == "acceptor"' "$T/hop.cap"
	eq "$output" ''
	run_tool 0 "$BIN/frame-dump" -f '.type == "OPEN"' "$T/hop.cap"
	eq "${#lines[@]}" 20
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
	wait_exit agent
	eq "$STATUS" 56
	wait_exit connector
	eq "$STATUS" 3
	wait_line connector revoked
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
	stop agent KILL
	wait_until sse_open 0
}
