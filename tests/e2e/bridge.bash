# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # set here or by helpers.bash for the tests

# mcp-proxy before stdio servers, asked with curl.

FAKE=$ROOT/tests/fakes/stdio-server.mjs
LEGACY=2025-11-25
MODERN=2026-07-28

# bridge_config writes a configuration whose routes are standard input, each
# line below "routes:".
bridge_config()
{
	make_certs_once
	{
		cat <<-END
		tunnel_domain: $DOMAIN
		tls:
		  cert_file: $T/certs/tls.crt
		  key_file: $T/certs/tls.key
		routes:
		END
		sed 's/^/  /'
	} >"$T/proxy.yaml"
}

# start_bridge [WORD...]: the fake server as route docs, with WORDs for it;
# KEYS holds more keys of the route, "mode: shared, pool: 2".
start_bridge()
{
	bridge_config <<<"docs: {command: [node, $FAKE$(printf ', %s' "$@")]${KEYS:+, $KEYS}}"
	run_proxy
}

# ask DATA [OPTION...]: a POST to HOST ($NAME); sets CODE, BODY, and HEAD, the
# file with its head.  SID is the session, VERSION the header.
ask()
{
	local data=$1

	shift
	HEAD=$T/head
	BODY=$(agent_curl -D "$HEAD" -o - -H 'Content-Type: application/json' \
		-H "Accept: ${ACCEPT-application/json, text/event-stream}" \
		${SID:+-H "Mcp-Session-Id: $SID"} \
		${VERSION:+-H "MCP-Protocol-Version: $VERSION"} \
		"$@" --data-binary "$data" "${URL_PATH:-/mcp}")
	CODE=$(sed -n '1s/^HTTP[^ ]* \([0-9]*\).*/\1/p' "$HEAD" | tail -n 1)
}

field()
{
	tr -d '\r' <"$HEAD" | sed -n "s/^$1: //ip"
}

initialize()
{
	echo "{\"jsonrpc\":\"2.0\",\"id\":${2:-0},\"method\":\"initialize\"," \
		"\"params\":{\"protocolVersion\":\"${1:-$LEGACY}\"," \
		'"capabilities":{"sampling":{}},' \
		'"clientInfo":{"name":"t","version":"1"}}}'
}

# begin [VERSION]: a session, in SID.
begin()
{
	SID=
	ask "$(initialize "$@")"
	eq "$CODE" 200
	SID=$(field mcp-session-id)
	[[ $SID ]]
	ask '{"jsonrpc":"2.0","method":"notifications/initialized"}'
	eq "$CODE$BODY" 202
}

# tool ID NAME [ARGUMENTS [META]] prints a call.
tool()
{
	echo "{\"jsonrpc\":\"2.0\",\"id\":$1,\"method\":\"tools/call\"," \
		"\"params\":{\"name\":\"$2\",\"arguments\":${3:-{\}}${4:+, \"_meta\":$4}}}"
}

# call ID NAME [ARGUMENTS [META]]
call()
{
	ask "$(tool "$@")"
}

# text prints the text of the tool's result in BODY, JSON or one event.
text()
{
	printf '%s\n' "$BODY" | tail -n 1 | sed 's/^data: //' |
		jq -r '.result.content[0].text'
}

# modern METHOD PARAMS [OPTION...]: a request of 2026-07-28.
modern()
{
	local method=$1 params=$2 meta

	shift 2
	meta="{\"io.modelcontextprotocol/protocolVersion\":\"${META_VERSION:-$MODERN}\",\"io.modelcontextprotocol/clientCapabilities\":{}}"
	SID='' VERSION=${VERSION-$MODERN} ask "{\"jsonrpc\":\"2.0\",\"id\":${ID:-7},\"method\":\"$method\",\"params\":$(
		jq -c ". + {_meta: $meta}" <<<"$params")}" "$@"
}

# processes prints the pids of the proxy's children.
processes()
{
	cat "/proc/${PID[proxy]}/task"/*/children | xargs -n 1
}

process_count()
{
	processes | grep -c .
}

children_are()
{
	(($(process_count || true) == $1))
}

processes_are()
{
	(($(process_count) == $1))
}

# has_written PID COUNT: it has, at least so many bytes.
has_written()
{
	(($(awk '/^wchar/ {print $2}' "/proc/$1/io") >= $2))
}
