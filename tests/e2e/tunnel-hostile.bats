# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # the helpers' names

# An edge before tunnel-up, a connector behind tunnel-edge, and a relay before
# mcp-proxy, that play with frames at random.  Another edge, tunnel or agent must
# not notice.  SEEDS names
# other games than the few of each run, ACTS how long each is.

load helpers.bash

FAKES=$ROOT/tests/fakes

game()
{
	start_ready "$1" node "$FAKES/hostile-frames.mjs" "acts=${ACTS:-2000}" \
		ready-fd=9 "${@:2}"
}

game_is_over()
{
	grep -q '^done' "$T/$1.out"
}

# plays NAME COMMAND...: the command succeeds again and again, until that
# game is over.
plays()
{
	local name=$1 end

	shift
	now_ms
	end=$((NOW + 200000))
	until game_is_over "$name"; do
		is_alive "$name" || game_is_over "$name"
		"$@"
		now_ms
		((NOW < end))
	done
	cat "$T/$name.out"
}

descriptors_are_few()
{
	(($(fd_count "$1") <= $2))
}

@test "an edge that plays with frames harms no link to another edge" {
	load tunnel-up.bash
	local seed fds rss

	C=$T/certs
	make_certs "$C" localhost
	(umask 077 && printf 'adit_%043d\n' 0 >"$T/token")
	for seed in ${SEEDS:-1 2}; do
		start_edge
		link_args
		start_ready up "$BIN/tunnel-up" --ready-fd 9 "${ARGS[@]}" \
			--ping 1s "${PROXY_CHILD[@]}" streams=65536
		fds=$(fd_count up)
		rss=$(rss_kib up)
		stop up
		game bad role=edge "seed=$seed" "cert=$C/server.pem" \
			"key=$C/server.key"
		start_ready up "$BIN/tunnel-up" -q --ready-fd 9 "${ARGS[@]}" \
			--ping 1s --edge "127.0.0.1:$(ready_get bad link)" \
			"${PROXY_CHILD[@]}" streams=65536
		wait_until echo_works
		plays bad echo_works "$DEADLINE"
		is_alive up
		wait_exit bad
		wait_until descriptors_are_few up $((fds + 1))
		has_sanitizer || (($(rss_kib up) < rss + 32768))
		echo_works "$DEADLINE"
		stop up
		eq "$STATUS" 0
		stop edge
		LINK=
	done
}

@test "a connector that plays with frames harms no other tunnel" {
	load tunnel-edge.bash
	local seed fds rss agents=0

	S=$T/state
	export TUNNEL_EDGE_STATE=$S
	edge init --state "$S" --name 127.0.0.1 >/dev/null
	add_tunnel acme --domain "$DOMAIN"
	add_tunnel bad --domain bad.example
	for seed in ${SEEDS:-1 2}; do
		start_edge -q --ping 1s --hello-timeout 2s
		start_link good
		echoes
		fds=$(fd_count edge)
		rss=$(rss_kib edge)
		game bad role=connector "seed=$seed" "edge=127.0.0.1:$CONNECTORS" \
			"ca=$S/ca.crt" "token=$T/bad.token"
		plays bad both
		is_alive edge
		wait_exit bad
		stop strangers || true
		wait_until descriptors_are_few edge $((fds + 1))
		has_sanitizer || (($(rss_kib edge) < rss + 32768))
		echoes
		wait_until has_no_link bad
		stop good
		stop edge
		eq "$STATUS" 0
	done
}

has_no_link()
{
	[[ $(edge list "$1" -o json | jq '.[0].links | length') == 0 ]]
}

# both: there are agents of the bad tunnel, and the good one works.
both()
{
	if [[ ! ${PID[strangers]-} ]] || ! is_alive strangers; then
		start_bg strangers timeout 5 node "$FAKES/fake-agent.mjs" \
			connect="127.0.0.1:$AGENTS" name=docs.bad.example \
			count=100 bytes=200000 end=none
	fi
	echoes
}

@test "a relay that plays with frames harms no other agent of the proxy" {
	load mcp-proxy.bash
	local seed fds rss

	start_ready upstream node "$FAKES/stream-upstream.mjs" --ready-fd 9
	UPSTREAM=${READY[upstream]}
	write_config <<<"$allow_loopback"
	for seed in ${SEEDS:-1 2}; do
		start_ready proxy "$BIN/mcp-proxy" -q --config "$T/proxy.yaml" \
			--listen-tls 127.0.0.1:0 --listen "$T/hops" --ready-fd 9
		PROXY=$(ready_get proxy tls)
		agent_curl --fail -o /dev/null /
		fds=$(fd_count proxy)
		rss=$(rss_kib proxy)
		game bad role=relay "seed=$seed" "path=$T/hops"
		plays bad agent_curl --fail -o /dev/null /
		is_alive proxy
		wait_exit bad
		wait_until descriptors_are_few proxy $((fds + 1))
		has_sanitizer || (($(rss_kib proxy) < rss + 32768))
		agent_curl --fail -o /dev/null /
		stop proxy
		eq "$STATUS" 0
	done
}
