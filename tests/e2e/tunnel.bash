# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # set here or by helpers.bash for the tests
# shellcheck disable=SC2119,SC2120 # some callers give arguments

# The whole path on loopback: edge, connector, proxy, upstream.

DOMAIN=acme.tunnel.example
NAME=docs.$DOMAIN

# start_upstream sets UPSTREAM to the port of the streaming test server.
start_upstream()
{
	start_ready upstream node "$ROOT/tests/fakes/stream-upstream.mjs" \
		--ready-fd 9
	UPSTREAM=${READY[upstream]}
}

# make_tunnel makes the edge's state, a tunnel and its token, once.
make_tunnel()
{
	"$BIN/tunnel-edge" init --state "$T/edge" --name 127.0.0.1
	(umask 077 && "$BIN/tunnel-edge" add acme --state "$T/edge" \
		--domain "$DOMAIN" "$@" >"$T/token")
}

# start_edge [OPTION...] sets AGENTS and CONNECTORS to its ports; a second
# call gets the same ones.
start_edge()
{
	local start=start_ready

	[[ ! ${AGENTS-} ]] || start=start_again
	"$start" edge "$BIN/tunnel-edge" run --state "$T/edge" -v \
		--agents "127.0.0.1:${AGENTS:-0}" \
		--connectors "127.0.0.1:${CONNECTORS:-0}" --ready-fd 9 "$@"
	AGENTS=$(ready_get edge agents)
	CONNECTORS=$(ready_get edge connectors)
}

# make_proxy PORT [HOST...]: certificates and a configuration with the route
# "docs", and the same upstream for the hosts.
make_proxy()
{
	local host
	[[ -d $T/certs ]] ||
		"$BIN/mcp-proxy" cert make --dir "$T/certs" --domain "$DOMAIN"
	cat >"$T/proxy.yaml" <<-END
	tunnel_domain: $DOMAIN
	tls:
	  cert_file: $T/certs/tls.crt
	  key_file: $T/certs/tls.key
	upstream:
	  allowed_ips: [127.0.0.1]
	routes:
	  docs: http://127.0.0.1:$1
	END
	for host in "${@:2}"; do
		echo "  $host: http://127.0.0.1:$1" >>"$T/proxy.yaml"
	done
}

# start_connector NAME [OPTION...] -- LOCAL...: with the token in $T/token.
start_connector()
{
	local name=$1

	shift
	start_ready "$name" "$BIN/tunnel-up" -v --ready-fd 9 \
		--edge "127.0.0.1:$CONNECTORS" --ca "$T/edge/ca.crt" \
		--token-file "${TOKEN_FILE:-$T/token}" "$@"
}

# start_path: all of it.
start_path()
{
	start_upstream
	make_tunnel
	start_edge
	make_proxy "$UPSTREAM"
	start_connector connector -- "$BIN/mcp-proxy" -v --config "$T/proxy.yaml"
}

# agent_curl ARG... PATH: curl as an agent would call.
agent_curl()
{
	local path=${!#}

	curl --silent --show-error --max-time "$DEADLINE" \
		--cacert "$T/certs/ca.crt" \
		--resolve "$NAME:$AGENTS:127.0.0.1" "${@:1:$#-1}" \
		"https://$NAME:$AGENTS$path"
}

path_works()
{
	[[ $(agent_curl --fail "/ping" 2>/dev/null) == *'"/ping"'* ]]
}

# open_stream NAME starts an SSE response that runs until stopped; its events
# go to $T/NAME.out.
open_stream()
{
	start_bg "$1" curl --silent --show-error --no-buffer --fail \
		--cacert "$T/certs/ca.crt" \
		--resolve "$NAME:$AGENTS:127.0.0.1" "https://$NAME:$AGENTS/sse"
	wait_until sse_open "${2:-1}"
}

sse_open()
{
	[[ $(curl --silent "http://127.0.0.1:$UPSTREAM/open") == "{\"count\":$1}" ]]
}

# tick makes the upstream send one event to every open stream.
tick()
{
	curl --silent --output /dev/null --data '' \
		"http://127.0.0.1:$UPSTREAM/tick"
}

# events NAME COUNT: so many events have arrived.
events()
{
	(($(grep -c '^data: tick' "$T/$1.out") == $2))
}

# zero_stream N: the bytes of the upstream's /bytes.
zero_stream()
{
	head -c "$1" /dev/zero | openssl enc -aes-128-ctr -nosalt \
		-K 00000000000000000000000000000000 \
		-iv 00000000000000000000000000000000
}
