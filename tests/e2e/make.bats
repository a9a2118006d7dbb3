# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2154 # set by run

# The build's own promises: what install puts where, and how missing packages
# come.

load helpers.bash
load tools.bash

# The directory of the build that is under test.
build_dir()
{
	echo "${BIN%/bin}"
}

@test "make install and uninstall leave the same files behind" {
	run_tool 0 make -C "$ROOT" BUILD="$(build_dir)" DESTDIR="$T/root" \
		PREFIX=/usr install
	while read -r tool; do
		[[ -x $T/root/usr/bin/$tool ]]
		[[ -f $T/root/usr/share/bash-completion/completions/$tool ]]
	done < <(tools)
	[[ -f $T/root/usr/share/man/man5/adit-frame.5 ]]
	[[ -f $T/root/usr/share/man/man7/adit.7 ]]
	[[ -f $T/root/usr/share/man/man8/tunnel-edge.8 ]]
	eq "$(find "$T/root" -type f | wc -l)" \
		"$(($(tools | wc -l) + $(find "$ROOT/man" "$ROOT/completions" \
			-type f | wc -l)))"
	run_tool 0 make -C "$ROOT" BUILD="$(build_dir)" DESTDIR="$T/root" \
		PREFIX=/usr uninstall
	eq "$(find "$T/root" -type f)" ""
}

# A machine for tests/deps: $1 is the user's number, the rest the packages
# that it has.
fake_machine()
{
	local uid=$1 name

	shift
	mkdir -p "$T/fake"
	printf '%s\n' "$@" >"$T/have"
	printf '#!/bin/sh\necho %s\n' "$uid" >"$T/fake/id"
	cat >"$T/fake/dpkg-query" <<-END
	#!/bin/sh
	sed 's/^/installed /' '$T/have'
	END
	cat >"$T/fake/apt-get" <<-END
	#!/bin/sh
	echo "apt-get \$*" >>'$T/log'
	END
	cat >"$T/fake/sudo" <<-END
	#!/bin/sh
	echo sudo >>'$T/log'
	exec "\$@"
	END
	for name in node npm; do
		printf '#!/bin/sh\n' >"$T/fake/$name"
	done
	chmod +x "$T/fake"/*
	: >"$T/log"
}

packages()
{
	sed -n '/^build=/,/^$/p' "$ROOT/tests/deps" |
		tr -s ' \t"=' '\n' | grep -E '^[a-z][a-z0-9.+-]+$' |
		grep -vxE 'build|demo|check' | sort -u
}

@test "tests/deps does nothing where nothing is missing" {
	mapfile -t all < <(packages)
	((${#all[@]} > 15))
	fake_machine 0 "${all[@]}"
	now_ms
	begin=$NOW
	run_tool 0 env PATH="$T/fake:$PATH" "$ROOT/tests/deps" check
	now_ms
	eq "$output$stderr" ""
	eq "$(cat "$T/log")" ""
	((NOW - begin < 10000))
}

@test "tests/deps names what is missing, then installs it" {
	mapfile -t all < <(packages | grep -vx -e jq -e bats)
	fake_machine 0 "${all[@]}"
	run_tool 0 env PATH="$T/fake:$PATH" "$ROOT/tests/deps" check
	[[ $output == "missing Debian packages:"*" jq"* ]]
	[[ $output == *" bats"* ]]
	grep -q 'apt-get .*update' "$T/log"
	grep -q 'apt-get .*install .*jq' "$T/log"
	run -1 grep -q sudo "$T/log"
	fake_machine 0 "${all[@]}"
	run_tool 0 env PATH="$T/fake:$PATH" "$ROOT/tests/deps" demo
	eq "$output" "missing Debian packages: jq"
}

@test "tests/deps goes through sudo when it is not root" {
	mapfile -t all < <(packages | grep -vx gcc)
	fake_machine 1000 "${all[@]}"
	run_tool 0 env PATH="$T/fake:$PATH" "$ROOT/tests/deps" demo
	eq "$(grep -c sudo "$T/log")" 2
	rm "$T/fake/sudo"
	mkdir "$T/few"
	for tool in sh sed env; do
		ln -s "$(command -v $tool)" "$T/few/$tool"
	done
	run_tool 1 env PATH="$T/fake:$T/few" "$ROOT/tests/deps" demo
	[[ $stderr == *"install them as root, or install sudo"* ]]
}

@test "the demo goes through, also where the host refuses namespaces" {
	requires curl jq no-sanitizer
	"${CC:-cc}" -D_GNU_SOURCE -o "$T/refuse" \
		"$ROOT/tests/fakes/refuse-namespaces.c" -lseccomp
	run_tool 0 "$ROOT/tests/demo"
	[[ $output == *"nothing is left behind." ]]
	run_tool 0 "$T/refuse" "$ROOT/tests/demo"
	[[ $output == *"nothing is left behind." ]]
}

@test "a test program that dies counts as a failure" {
	printf '#!/bin/sh\necho "ok 1 - a"\nkill -9 $$\n' >"$T/dies"
	printf '#!/bin/sh\necho "ok 1 - a"\necho 1..2\n' >"$T/skips"
	printf '#!/bin/sh\necho "ok 1 - a"\necho 1..1\n' >"$T/good"
	chmod +x "$T"/{dies,skips,good}
	run_tool 0 "$ROOT/tests/tap" "$T/tap/good" "$T/good"
	eq "${lines[-1]}" "good: 1 passed, 0 failed"
	run_tool 1 "$ROOT/tests/tap" "$T/tap/none" echo 1..0
	eq "${lines[-1]}" 'none: 0 passed, 1 failed'
	rm "$T/tap/none.tap"
	run_tool 1 "$ROOT/tests/tap" "$T/tap/dies" "$T/dies"
	eq "${lines[-1]}" "dies: 1 passed, 1 failed"
	run_tool 1 "$ROOT/tests/tap" "$T/tap/skips" "$T/skips"
	eq "${lines[-1]}" "skips: 1 passed, 1 failed"
	run_tool 1 "$ROOT/tests/tap" --sum "$T/tap"
	eq "$output" "3 passed, 2 failed"
}
