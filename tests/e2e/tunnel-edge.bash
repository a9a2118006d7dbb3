# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # set here or by helpers.bash for the tests

# tunnel-edge between agents and connectors that misbehave as they are told.

FAKES=$ROOT/tests/fakes
DOMAIN=acme.tunnel.example
NAME=docs.$DOMAIN

edge()
{
	"$BIN/tunnel-edge" "$@"
}

# setup_file_state makes a state directory once per file.
setup_file_state()
{
	edge init --state "$BATS_FILE_TMPDIR/state" --name 127.0.0.1 >/dev/null
}

# edge_setup: a copy of it as $S, with a tunnel and its token.
edge_setup()
{
	tool_setup
	S=$T/state
	cp -a "$BATS_FILE_TMPDIR/state" "$S"
	export TUNNEL_EDGE_STATE=$S
	add_tunnel acme --domain "$DOMAIN"
}

# edge_teardown ends the edge last, which waits for its streams.
edge_teardown()
{
	local name

	for name in "${!PID[@]}"; do
		[[ $name == edge ]] || stop "$name" KILL || true
	done
	tool_teardown
}

# add_tunnel NAME [OPTION...]: its token goes to $T/NAME.token.
add_tunnel()
{
	(umask 077 && edge add "$@" >"$T/$1.token")
}

# start_edge [OPTION...] sets AGENTS and CONNECTORS to its ports; a second
# call gets the same ones.
start_edge()
{
	local start=start_ready

	[[ ! ${AGENTS-} ]] || start=start_again
	"$start" edge "$BIN/tunnel-edge" run -v --ready-fd 9 \
		--agents "127.0.0.1:${AGENTS:-0}" \
		--connectors "127.0.0.1:${CONNECTORS:-0}" "$@"
	AGENTS=$(ready_get edge agents)
	CONNECTORS=$(ready_get edge connectors)
}

# start_link NAME [KEY=VALUE...]: a fake connector; sets CONTROL.  Its events
# go to $T/NAME.out.
start_link()
{
	local name=$1

	shift
	start_ready "$name" node "$FAKES/fake-connector.mjs" ready-fd=9 \
		edge="127.0.0.1:$CONNECTORS" ca="$S/ca.crt" \
		token="$T/acme.token" "$@"
	CONTROL=$(ready_get "$name" control)
}

# order CONTROL WORD...: the fake connector does it.
order()
{
	local fd port=$1

	shift
	exec {fd}<>"/dev/tcp/127.0.0.1/$port"
	echo "$*" >&"$fd"
	read -r -t "$DEADLINE" -u "$fd" _
	exec {fd}>&-
}

# event NAME JQ: the fake has printed an event that jq finds true.
event()
{
	[[ $(jq -c "select($2)" "$T/$1.out" 2>/dev/null) ]]
}

wait_event()
{
	wait_until event "$1" "$2"
}

# agent [KEY=VALUE...]: a fake agent that runs to its end; prints its line.
agent()
{
	timeout "$DEADLINE" node "$FAKES/fake-agent.mjs" \
		connect="127.0.0.1:$AGENTS" "$@"
}

# start_agents NAME COUNT [KEY=VALUE...]: so many that stay; returns once all
# have got bytes back.
start_agents()
{
	local name=$1 count=$2

	shift 2
	start_ready "$name" node "$FAKES/fake-agent.mjs" ready-fd=9 \
		connect="127.0.0.1:$AGENTS" name="$NAME" end=none \
		count="$count" "$@"
}

# alert_of OPTION...: the number of the alert that openssl's client gets.
alert_of()
{
	timeout "$DEADLINE" openssl s_client -connect "127.0.0.1:$AGENTS" \
		"$@" </dev/null 2>&1 | sed -n 's/.*SSL alert number //p'
}

# echoes [NAME]: an agent's bytes come back.
echoes()
{
	[[ $(agent name="${1:-$NAME}" bytes=100) == *'"same":true'* ]]
}

# links N: tunnel acme has so many.
links()
{
	[[ $(edge list acme -o json | jq '.[0].links | length') == "$1" ]]
}
