# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154 # set by the helpers

# Public stdio servers, unmodified, through the whole path: the SDKs' clients
# of both eras, the tunnel, and mcp-proxy's bridge.

load helpers.bash
load tunnel.bash

PEERS=${PEERS:-$ROOT/build/peers}

setup_file()
{
	"$ROOT/tests/peers/install.sh" "$PEERS"
}

# start_path_to KEYS...: the route docs is this command.
start_path_to()
{
	make_tunnel
	start_edge
	make_proxy 1
	sed -i "s|^  docs: .*|  docs: {$*}|" "$T/proxy.yaml"
	start_connector connector -- "$BIN/mcp-proxy" -v --config "$T/proxy.yaml"
}

# fixture_route [KEYS]: what start_path_to wants for the fixture server.
fixture_route()
{
	echo "command: [$ROOT/tests/peers/run, $PEERS, fixture-stdio.mjs$1]$2"
}

# public NAME [WORD...] is the command of a public server.
public()
{
	local name=$1

	shift
	echo "command: [$PEERS/node, $PEERS/node_modules/@modelcontextprotocol/$name/dist/index.js$(printf ', %s' "$@")]"
}

# use CLIENT WORD...: prints the revision that it agreed on.
use()
{
	NODE_EXTRA_CA_CERTS=$T/certs/ca.crt run_tool 0 \
		"$ROOT/tests/peers/run" "$PEERS" stdio-servers.mjs \
		--url "https://$NAME:$AGENTS/mcp" --connect "127.0.0.1:$AGENTS" \
		--client "$@"
}

# client SCRIPT [CASE...]: its cases through the tunnel; none may fail.
client()
{
	NODE_EXTRA_CA_CERTS=$T/certs/ca.crt run_tool 0 \
		"$ROOT/tests/peers/run" "$PEERS" "$1" \
		--url "https://$NAME:$AGENTS/mcp" \
		--connect "127.0.0.1:$AGENTS" "${@:2}"
	[[ $output != *'not ok'* && $output == *'ok '* ]]
}

@test "server-filesystem works with clients of both eras" {
	local client

	mkdir "$T/files"
	start_path_to "$(public server-filesystem "$T/files")"
	for client in v1 legacy auto; do
		use "$client" filesystem "$T/files"
		eq "$output" 2025-11-25
		rm "$T/files/a"
	done
}

@test "server-memory, shared, keeps what one client said for the next" {
	start_path_to "$(public server-memory), mode: shared, env: {MEMORY_FILE_PATH: $T/memory.json}"
	use v1 memory
	use auto memory
	[[ $(grep -c adit "$T/memory.json") == 1 ]]
}

@test "a client that is pinned to 2026-07-28 gets a server that speaks it" {
	start_path_to "$(fixture_route)"
	use pin fixture
	eq "$output" 2026-07-28
	use auto fixture
	eq "$output" 2026-07-28
	use v1 fixture
	eq "$output" 2025-11-25
}

@test "the SDK's 1.x client works with a stdio server" {
	start_path_to "$(fixture_route ', legacy')"
	client client-v1.mjs all
}

@test "the SDK's 1.x client works with a shared stdio server" {
	start_path_to "$(fixture_route ', legacy' ', mode: shared')"
	client client-v1.mjs all
}

@test "the SDK's 2.x client works with a stdio server of 2026-07-28" {
	start_path_to "$(fixture_route)"
	client client-v2.mjs all
}
