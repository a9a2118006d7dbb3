# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # set here or by helpers.bash for the tests

# tunnel-up between fakes that misbehave as they are told.

FAKES=$ROOT/tests/fakes

# setup_file_certs makes the certificates once per file: a CA with a good,
# a misnamed and an expired server, a client, and another CA.
setup_file_certs()
{
	local d=$BATS_FILE_TMPDIR/certs

	make_certs "$d" localhost
	make_cert "$d" other serverAuth DNS:other.example
	make_cert "$d" client clientAuth DNS:client.example
	openssl x509 -req -in "$d/server.csr" -CA "$d/ca.pem" \
		-CAkey "$d/ca.key" -CAcreateserial -days -1 \
		-out "$d/expired.pem" -extfile <(echo \
		"subjectAltName=IP:127.0.0.1") 2>/dev/null
	cp "$d/server.key" "$d/expired.key"
	make_ca "$BATS_FILE_TMPDIR/foreign"
}

# common_setup: a token, and where the certificates are.
common_setup()
{
	tool_setup
	C=$BATS_FILE_TMPDIR/certs
	(umask 077 && printf 'adit_%043d\n' 0 >"$T/token")
}

# start_edge [KEY=VALUE...] sets LINK, AGENT and CONTROL to its ports; a
# second call gets the same LINK.
start_edge()
{
	local start=start_ready

	[[ ! ${LINK-} ]] || start=start_again
	"$start" edge node "$FAKES/fake-edge.mjs" ready-fd=9 \
		cert="$C/server.pem" key="$C/server.key" port="${LINK:-0}" "$@"
	LINK=$(ready_get edge link)
	AGENT=$(ready_get edge agent)
	CONTROL=$(ready_get edge control)
}

# order WORD...: the fake edge does it.
order()
{
	local fd

	exec {fd}<>"/dev/tcp/127.0.0.1/$CONTROL"
	echo "$*" >&"$fd"
	read -r -t "$DEADLINE" -u "$fd" _
	exec {fd}>&-
}

# link_args sets ARGS to what reaches the fake edge.
link_args()
{
	ARGS=(--edge "127.0.0.1:$LINK" --ca "$C/ca.pem"
		--token-file "$T/token" --backoff-min 10ms --backoff-max 50ms)
}

# start_up [OPTION...] -- COMMAND or --connect: until it is ready.
start_up()
{
	link_args
	start_ready up "$BIN/tunnel-up" -v --ready-fd 9 "${ARGS[@]}" "$@"
}

# start_up_bg: the same, and it may never be ready.
start_up_bg()
{
	link_args
	start_bg up "$BIN/tunnel-up" -v "${ARGS[@]}" "$@"
}

PROXY_CHILD=(-- node "$FAKES/fake-proxy.mjs")

# edge_event NAME COUNT: the fake edge has logged so many.
edge_event()
{
	(($(grep -c "\"event\":\"$1\"" "$T/edge.out") >= $2))
}

# agent_open sets AGENT_FD to a connection of an agent.
agent_open()
{
	exec {AGENT_FD}<>"/dev/tcp/127.0.0.1/$AGENT"
}

# agent_says TEXT: sends a line and gets it back.
agent_says()
{
	local line=

	echo "$1" >&"$AGENT_FD"
	read -r -t "$DEADLINE" -u "$AGENT_FD" line || true
	eq "$line" "$1"
}

agent_close()
{
	exec {AGENT_FD}>&-
}

# echo_works [SECONDS]: a fresh stream echoes in so many (1, to be tried again).
echo_works()
{
	local line fd

	exec {fd}<>"/dev/tcp/127.0.0.1/$AGENT" || return 1
	echo hello >&"$fd"
	read -r -t "${1:-1}" -u "$fd" line
	exec {fd}>&-
	[[ $line == hello ]]
}

# start_forward [KEY=VALUE...] sets FORWARD to the port of a forward proxy.
start_forward()
{
	start_ready forward node "$FAKES/fake-forward-proxy.mjs" ready-fd=9 \
		host=127.0.0.1 "$@"
	FORWARD=$(ready_get forward port)
}

# check_edge STATUS [OPTION...]: tunnel-up --check; sets RESULT to its line.
check_edge()
{
	local want=$1

	shift
	link_args
	run_tool "$want" "$BIN/tunnel-up" --check "${ARGS[@]}" "$@"
	RESULT=$output
}

# result FILTER VALUE: of the JSON that --check printed.
result()
{
	eq "$(jq -r "$1" <<<"$RESULT")" "$2"
}
