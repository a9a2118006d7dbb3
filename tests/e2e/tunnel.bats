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

# metric FILE LINE...: these lines are in the metrics, or will be.
metric()
{
	local line

	for line in "${@:2}"; do
		wait_until has_line "$T/$1" "^$line\$"
	done
}

@test "each program keeps metrics" {
	requires jq
	start_upstream
	make_tunnel
	start_edge --metrics "$T/edge.prom"
	make_proxy "$UPSTREAM"
	cat >>"$T/proxy.yaml" <<-END
	  wiki: {upstream: "http://127.0.0.1:1", policy: {tools: [none]}}
	END
	start_connector connector --metrics "$T/up.prom" -- \
		"$BIN/mcp-proxy" --config "$T/proxy.yaml" --metrics "$T/proxy.prom"
	metric up.prom 'tunnel_up_edges 1' 'tunnel_up_links 1' \
		'tunnel_up_links_total 1' 'tunnel_up_link_failures_total 0'
	metric edge.prom 'tunnel_edge_links 1' 'tunnel_edge_streams_total 0'
	open_stream sse
	metric up.prom 'tunnel_up_streams 1'
	metric edge.prom 'tunnel_edge_streams 1' \
		'tunnel_edge_agent_bytes_total [0-9]{3,}'
	metric proxy.prom 'mcp_proxy_connections 1' 'mcp_proxy_requests_total 0'
	stop sse
	agent_curl --fail --output /dev/null /
	NAME=wiki.$DOMAIN run_tool 22 agent_curl --fail /
	NAME=wiki.$DOMAIN agent_curl --output /dev/null --json '{"jsonrpc":"2.0",
		"id":1,"method":"tools/call","params":{"name":"x"}}' /
	NAME=x.example run_tool 35 agent_curl /
	metric proxy.prom 'mcp_proxy_connections 0' \
		'mcp_proxy_connections_total 4' 'mcp_proxy_requests_total 4' \
		'mcp_proxy_request_failures_total 1' 'mcp_proxy_denials_total 1' \
		'mcp_proxy_request_seconds_total [0-9]+\.[0-9]{3}' \
		'mcp_proxy_response_bytes_total [0-9]{3,}'
	metric edge.prom 'tunnel_edge_streams 0' 'tunnel_edge_streams_total 4' \
		'tunnel_edge_agents_refused_total 1'
	stop connector
	metric edge.prom 'tunnel_edge_links 0' 'tunnel_edge_links_total 1' \
		'tunnel_edge_connector_bytes_total [0-9]{4,}'
	stop edge
	for file in "$T"/*.prom; do
		node "$ROOT/tests/fakes/check-metrics.mjs" <"$file"
	done
	grep -qx 'tunnel_up_links 0' "$T/up.prom"
}

@test "metrics that cannot be written are an error at the start" {
	make_tunnel
	make_proxy 1
	run_tool 2 "$BIN/tunnel-edge" run --state "$T/edge" --metrics "$T/no/m" \
		--agents 127.0.0.1:0 --connectors 127.0.0.1:0
	one_error "--metrics: $T/no/: No such file or directory"
	run_tool 2 "$BIN/tunnel-up" --edge 127.0.0.1:1 --token-file "$T/token" \
		--metrics "$T/no/m" -- cat
	one_error "--metrics: $T/no/: No such file or directory"
	run_tool 2 "$BIN/mcp-proxy" --config "$T/proxy.yaml" \
		--listen-tls 127.0.0.1:0 --metrics "$T/no/m"
	[[ $stderr == *"mcp-proxy: --metrics: $T/no/: No such file or directory" ]]
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
