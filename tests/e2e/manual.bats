# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154 # set by the helpers

# The EXAMPLES of adit(7), and the tunnel of the README, run in their order as
# they stand, as root of a namespace in which the hosts that they name are this
# machine.

load helpers.bash

# The literal blocks of the EXAMPLES section, as a reader would type them.
examples()
{
	awk '/^\.Sh / {on = $2 == "EXAMPLES"}
		on && /^\.Bd/ {in_block = 1; next}
		/^\.Ed/ {in_block = 0}
		in_block {gsub(/\\e/, "\\"); print}' "$ROOT/man/adit.7"
}

# The tunnel of the README; what serves goes to the background, and an agent
# calls.
readme_tunnel()
{
	sed -n '/^## A tunnel/,/^## A sandbox/s/^    //p' "$ROOT/README.md" |
		sed -E '/^tunnel-edge run/s/$/ \&/; /-- mcp-proxy/s/$/ \&/'
	cat <<-'END'
	sed 's/^/Authorization: Bearer /' claude.token >claude.header
	curl --silent --fail --retry 20 --retry-delay 1 --retry-all-errors \
	    --cacert certs/ca.crt https://docs.acme.tunnel.example/mcp \
	    -H @claude.header -H 'Content-Type: application/json' \
	    -d '{"jsonrpc":"2.0","id":1,"method":"initialize"}'
	END
}

# print_machine: makes the machine that the examples expect.
print_machine()
{
	cat <<-'END'
	set -eu
	ip link set lo up
	ip addr add 10.0.0.5/32 dev lo
	cat >hosts <<-HOSTS
	127.0.0.1 localhost edge.example docs.acme.tunnel.example
	10.0.0.5 docs.internal.example
	HOSTS
	mount --bind hosts /etc/hosts
	trap 'kill -TERM $(jobs -p) 2>/dev/null; wait' EXIT
	"$NODE" "$UPSTREAM" 10.0.0.5 3000 3>up &
	read -r _ <up
	umask 022
	END
}

# run_there SCRIPT: on that machine.
run_there()
{
	mkfifo "$T/up"
	cd "$T" || return
	run_tool 0 env PATH="$BIN:$PATH" NODE="$(command -v node)" \
		UPSTREAM="$ROOT/tests/fakes/answer-upstream.mjs" \
		timeout 60 unshare --user --map-root-user --net --mount \
		bash "$1"
}

@test "the examples of adit(7) work as they stand" {
	requires node userns
	{ print_machine; examples; } >"$T/script"
	run_there "$T/script"
	[[ $output == *'"serverInfo"'* ]]
	[[ $output == *"HELLO"* ]]
	eq "${lines[-1]}" docs.acme.tunnel.example
}

@test "the tunnel of the README works as it stands" {
	requires node userns
	{ print_machine; readme_tunnel; } >"$T/script"
	run_there "$T/script"
	[[ $output == *'"serverInfo"'* ]]
}
