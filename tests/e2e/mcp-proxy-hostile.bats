# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # the helpers' names

# mcp-proxy before servers that do the worst they can, at random.  SEEDS names
# other seeds than the few of each run, REQUESTS how many for each.

load helpers.bash
load mcp-proxy.bash
load bridge.bash

# hostile_run SEED ROUTE...: rough agents ask the routes that are configured.
hostile_run()
{
	local seed=$1

	shift
	timeout 300 node "$ROOT/tests/fakes/rough-agents.mjs" "$PROXY" \
		"$T/certs/ca.crt" "$DOMAIN" "$seed" "${REQUESTS:-100}" "$@"
}

# hostile_proxy: the configuration on standard input, and the route "good".
hostile_proxy()
{
	start_ready good node "$ROOT/tests/fakes/stream-upstream.mjs" --ready-fd 9
	{
		cat
		echo "good: http://127.0.0.1:${READY[good]}"
	} | bridge_config
	cat >>"$T/proxy.yaml" <<-END
	upstream:
	  allowed_ips: [127.0.0.1]
	  connect_timeout: 2s
	  response_timeout: 2s
	limits: {idle_timeout: 5s}
	audit: $T/audit
	END
	start_ready proxy "$BIN/mcp-proxy" -q --config "$T/proxy.yaml" \
		--listen-tls 127.0.0.1:0 --ready-fd 9
	PROXY=$(ready_get proxy tls)
}

# nothing_is_left COUNT: it lives, ends in good order, and has kept no
# descriptor above COUNT; the audit is whole.
nothing_is_left()
{
	is_alive proxy
	wait_until few_descriptors "$1"
	stop proxy
	eq "$STATUS" 0
	"$BIN/mcp-proxy" audit verify "$T/audit" >/dev/null
}

@test "a hostile command harms neither others nor the proxy" {
	local fds seed fake=$ROOT/tests/fakes/hostile-stdio.mjs
	local keys='message_size: 64k, request_timeout: 2s, idle_timeout: 1s, restarts: 100'

	for seed in ${SEEDS:-1 2}; do
		rm -f "$T"/turns.*
		hostile_proxy <<-END
		own: {command: [node, $fake, "${seed}1", $T/turns.1], $keys}
		shared: {command: [node, $fake, "${seed}2", $T/turns.2], $keys, mode: shared}
		modern: {command: [node, $fake, "${seed}3", $T/turns.3, modern], $keys}
		judged: {command: [node, $fake, "${seed}4", $T/turns.4], $keys, policy: {tools: ["*"], message_size: 60k}}
		END
		fds=$(fd_count proxy)
		hostile_run "$seed" own shared modern judged
		wait_until children_are 0
		nothing_is_left $((fds + 2))
		stop good
	done
}

@test "a hostile server on a Unix socket harms neither others nor the proxy" {
	local fds seed

	echo true >"$T/p.jq"
	for seed in ${SEEDS:-1 2 3}; do
		start_ready bad node "$ROOT/tests/fakes/hostile-upstream.mjs" \
			"$T/bad.sock" "$seed" --ready-fd 9
		hostile_proxy <<-END
		unix: unix:$T/bad.sock
		unix-judged: {upstream: "unix:$T/bad.sock", policy: {tools: ["*", "!b"], message_size: 64k}}
		unix-asked: {upstream: "unix:$T/bad.sock", policy: {program: $T/p.jq}}
		END
		fds=$(fd_count proxy)
		hostile_run "$seed" unix unix-judged unix-asked
		is_alive bad
		nothing_is_left $((fds + 10))
		stop good
		stop bad
		rm -f "$T/bad.sock"
	done
}
