# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154 # set by the helpers

# The EXAMPLES of adit(7), run in their order as they stand, as root of
# a namespace in which the hosts that they name are this machine.

load helpers.bash

# The literal blocks of the EXAMPLES section, as a reader would type them.
examples()
{
	awk '/^\.Sh / {on = $2 == "EXAMPLES"}
		on && /^\.Bd/ {in_block = 1; next}
		/^\.Ed/ {in_block = 0}
		in_block {gsub(/\\e/, "\\"); print}' "$ROOT/man/adit.7"
}

# The machine that the examples expect, around the script in $1.
cat_script()
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
	END
	examples
}

@test "the examples of adit(7) work as they stand" {
	requires node userns
	mkfifo "$T/up"
	cat_script >"$T/script"
	cd "$T"
	run_tool 0 env PATH="$BIN:$PATH" NODE="$(command -v node)" \
		UPSTREAM="$ROOT/tests/fakes/answer-upstream.mjs" \
		timeout 60 unshare --user --map-root-user --net --mount \
		bash "$T/script"
	[[ $output == *'"serverInfo"'* ]]
	[[ $output == *"HELLO"* ]]
	eq "${lines[-1]}" docs.acme.tunnel.example
}
