# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # set here or by helpers.bash for the tests
# shellcheck disable=SC2119,SC2120 # some callers give arguments

# mcp-proxy between a raw client and a raw upstream: see tests/fakes/raw.mjs
# for the steps.

DOMAIN=acme.tunnel.example
NAME=docs.$DOMAIN

# make_certs_once fills $T/certs for the tunnel's domain.
make_certs_once()
{
	[[ -d $T/certs ]] ||
		"$BIN/mcp-proxy" cert make --dir "$T/certs" --domain "$DOMAIN"
}

# write_config [ORIGIN] writes the configuration; standard input is added.
write_config()
{
	make_certs_once
	cat - >"$T/proxy.yaml" <<-END
	tunnel_domain: $DOMAIN
	tls:
	  cert_file: $T/certs/tls.crt
	  key_file: $T/certs/tls.key
	routes:
	  docs: ${1:-http://127.0.0.1:${UPSTREAM:-9}}
	  other: http://127.0.0.1:1
	  alias: ${1:-http://127.0.0.1:${UPSTREAM:-9}}
	END
	cat >>"$T/proxy.yaml"
}

allow_loopback='upstream: {allowed_ips: [127.0.0.0/8]}'

# start_proxy [OPTION...] starts it with a TLS listener and sets PROXY to the
# port; standard input is added to the configuration.
start_proxy()
{
	if [[ -t 0 ]]; then
		write_config <<<"$allow_loopback"
	else
		write_config
	fi
	run_proxy "$@"
}

run_proxy()
{
	start_ready proxy "$BIN/mcp-proxy" -v --config "$T/proxy.yaml" \
		--listen-tls 127.0.0.1:0 --ready-fd 9 "$@"
	PROXY=$(ready_get proxy tls)
}

# start_upstream STEP... [-- STEP...] sets UPSTREAM to its port; what
# connection N sent goes to $T/got/N.
start_upstream()
{
	mkdir -p "$T/got"
	start_ready upstream node "$ROOT/tests/fakes/raw-upstream.mjs" \
		--ready-fd 9 --dir "$T/got" "$@"
	UPSTREAM=${READY[upstream]}
}

# pair STEP... [-- STEP...] starts that upstream and a proxy before it.
pair()
{
	start_upstream "$@"
	start_proxy <<<"$allow_loopback"
}

# client STEP... does the steps as an agent that asks for $NAME; TO is a port or
# a socket other than the proxy's.
client()
{
	timeout "$DEADLINE" node "$ROOT/tests/fakes/raw-client.mjs" "${TO:-$PROXY}" \
		"$T/certs/ca.crt" "${SNI-$NAME}" "$@"
}

# start_client NAME STEP... is a client in the background.
start_client()
{
	local name=$1

	shift
	start_bg "$name" node "$ROOT/tests/fakes/raw-client.mjs" \
		"${TO:-$PROXY}" "$T/certs/ca.crt" "${SNI-$NAME}" "$@"
}

# agent_curl [OPTION...] PATH
agent_curl()
{
	curl --silent --show-error --max-time "$DEADLINE" \
		--cacert "$T/certs/ca.crt" --resolve "*:$PROXY:127.0.0.1" \
		"${@:1:$#-1}" "https://${HOST:-$NAME}:$PROXY${*: -1}"
}

# wait_upstream LINE: until the upstream has written that line.
wait_upstream()
{
	wait_until has_line "$T/upstream.out" "^$1\$"
}

# upstream_count prints how many connections the upstream has seen.
upstream_count()
{
	grep -c ' open$' "$T/upstream.out"
}

# got N: what connection N of the upstream received.
got()
{
	cat "$T/got/$1"
}

# make_client_cert makes $T/client.crt and .key.
make_client_cert()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$T/client.key" -out "$T/client.crt" -days 2 \
		-subj /CN=agent 2>"$T/openssl.err"
}

# few_descriptors COUNT: the proxy has no more than these.
few_descriptors()
{
	(($(fd_count proxy) <= $1))
}

# is_blocked PID: what it writes to takes no more of the
# megabytes that it has.
is_blocked()
{
	local before after

	before=$(awk '/^wchar/ {print $2}' "/proc/$1/io")
	sleep_a_while
	after=$(awk '/^wchar/ {print $2}' "/proc/$1/io")
	((before > 1000000 && before == after))
}

sleep_a_while()
{
	read -r -t 0.5 -u "$TICK" _ || true
}

# A request and a response, as steps.
GET="send=GET / HTTP/1.1\r\nHost: $NAME\r\n\r\n"
POST="send=POST / HTTP/1.1\r\nHost: $NAME\r\nContent-Length: 2\r\n\r\nhi"
ASKED='expect=\r\n\r\n'
OK='send=HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
