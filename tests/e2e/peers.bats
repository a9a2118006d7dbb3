# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154 # set by the helpers

# The official SDKs' clients, real MCP servers and the conformance suite,
# through the whole path.

load helpers.bash
load tunnel.bash

PEERS=${PEERS:-$ROOT/build/peers}

setup_file()
{
	"$ROOT/tests/peers/install.sh" "$PEERS"
}

peer()
{
	"$ROOT/tests/peers/run" "$PEERS" "$@"
}

# start_server SCRIPT [OPTION...]: a real MCP server sets UPSTREAM.
start_server()
{
	start_ready server "$ROOT/tests/peers/run" "$PEERS" "$@" --ready-fd 9
	UPSTREAM=${READY[server]}
}

# start_path_to_server [HOST...]: the proxy routes these hosts to it as well.
# PROGRAM is asked about every message.
start_path_to_server()
{
	make_tunnel
	start_edge
	make_proxy "$UPSTREAM" "$@"
	if [[ ${PROGRAM:-} ]]; then
		echo "$PROGRAM" >"$T/p.jq"
		printf '%s\n' "policy: {program: $T/p.jq}" "audit: $T/audit" \
			>>"$T/proxy.yaml"
	fi
	start_connector connector -- "$BIN/mcp-proxy" --config "$T/proxy.yaml"
}

# client SCRIPT: all its cases through the tunnel; none may fail.
client()
{
	NODE_EXTRA_CA_CERTS=$T/certs/ca.crt run_tool 0 peer "$1" \
		--url "https://$NAME:$AGENTS/mcp" \
		--connect "127.0.0.1:$AGENTS" all
	[[ $output != *'not ok'* ]]
	[[ $output == *'ok '* ]]
}

@test "the SDK's 1.x client works with the reference server" {
	start_server everything.mjs
	start_path_to_server
	client client-v1.mjs
}

@test "the SDK's 1.x client works with a server of the 2.x SDK" {
	start_server fixture-server.mjs --allow-host "$NAME"
	start_path_to_server
	client client-v1.mjs
}

@test "the SDK's 2.x client works in the stateless revision 2026-07-28" {
	start_server fixture-server.mjs --allow-host "$NAME"
	start_path_to_server
	client client-v2.mjs
}

# start_originator sets PORT to one that takes plain connections to the edge's
# agent listener over TLS, each in a process of its own: none waits for another.
start_originator()
{
	start_bg originator socat -d -d TCP-LISTEN:0,bind=127.0.0.1,fork,nodelay \
		"OPENSSL:127.0.0.1:$AGENTS,nodelay,snihost=$NAME,commonname=$NAME,cafile=$T/certs/ca.crt"
	wait_line originator 'listening on'
	PORT=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$T/originator.err")
}

# conform REVISION: the suite's results direct and through the tunnel are the
# same, check by check.  The suite speaks plain HTTP to a loopback address and
# forges one Host, so a TLS originator stands before the edge and both names
# have routes.
conform()
{
	start_server fixture-server.mjs --allow-host "$NAME"
	start_path_to_server 127.0.0.1 evil.example.com
	start_originator
	run_tool 0 peer conformance.mjs --revision "$1" --timeout 60000 \
		--url "http://127.0.0.1:$UPSTREAM/mcp" --list "$T/direct"
	run_tool 0 peer conformance.mjs --revision "$1" --timeout 60000 \
		--url "http://127.0.0.1:$PORT/mcp" --list "$T/tunnel"
	[[ -s $T/direct ]]
	# What waits for something a while warns when the machine is slow.
	sed -i 's/ WARNING$/ SUCCESS/' "$T/direct" "$T/tunnel"
	diff "$T/direct" "$T/tunnel"
}

@test "the SDK's clients work through a policy that allows everything" {
	start_server everything.mjs
	PROGRAM=true start_path_to_server
	client client-v1.mjs
	stop connector
	stop server
	start_server fixture-server.mjs --allow-host "$NAME"
	PROGRAM=true start_path_to_server
	client client-v2.mjs
	run_tool 0 "$BIN/mcp-proxy" audit verify "$T/audit"
}

@test "conformance 2025-11-25 is the same through a policy" {
	PROGRAM=true conform 2025-11-25
}

@test "conformance 2026-07-28 is the same through a policy" {
	PROGRAM=true conform 2026-07-28
}

@test "conformance 2025-11-25 is the same through the tunnel" {
	conform 2025-11-25
}

@test "conformance 2026-07-28 is the same through the tunnel" {
	conform 2026-07-28
}
