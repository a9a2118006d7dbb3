# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2086 # set by run; words of a command

# What is the same for every program and every command of one.

load helpers.bash
load tools.bash

# per_command FUNCTION: calls it with each command's words.
per_command()
{
	local tool words count=0

	while read -r tool words; do
		"$1" "$tool" $words || {
			echo "in $tool $words"
			return 1
		}
		count=$((count + 1))
	done < <(each_command)
	((count >= 4))
}

prints_help()
{
	local option

	for option in -h --help; do
		run_tool 0 "$BIN/$1" "${@:2}" "$option" || return 1
		[[ ${lines[0]} == "usage: $* "* || ${lines[0]} == "usage: $*" ]] ||
			return 1
		eq "$stderr" "" || return 1
		if awk 'length > 80 {bad = 1; print} END {exit !bad}' \
			<<<"$output"; then
			echo "these lines are longer than 80 columns"
			return 1
		fi
	done
}

@test "-h and --help print the help of every command, status 0" {
	per_command prints_help
}

prints_version()
{
	local option

	for option in -V --version; do
		run_tool 0 "$BIN/$1" "${@:2}" "$option" || return 1
		[[ $output =~ ^$1\ [0-9]+\.[0-9]+\.[0-9]+$ ]] || return 1
		eq "$stderr" "" || return 1
	done
}

@test "-V and --version print the program and its version, status 0" {
	per_command prints_version
	while read -r tool; do
		prints_version "$tool"
	done < <(tools)
}

# usage_error REGEX: the last run_tool said in one line what is wrong and in
# another where help is.
usage_error()
{
	eq "$output" "" || return 1
	eq "${#stderr_lines[@]}" 2 || return 1
	[[ ${stderr_lines[0]} =~ $1 ]] || return 1
	[[ ${stderr_lines[1]} == "Try '"*" --help'." ]]
}

# usage_status TOOL prints the status of a usage error: of a program that passes
# on a command's own status it is one that commands leave alone.
usage_status()
{
	case $1 in
	sandbox-exec) echo 125 ;;
	*) echo 2 ;;
	esac
}

refuses_unknown()
{
	local want

	want=$(usage_status "$1")
	run_tool "$want" "$BIN/$1" "${@:2}" --no-such-option || return 1
	usage_error "^$1: option: '--no-such-option': unknown$" || return 1
	run_tool "$want" "$BIN/$1" "${@:2}" -Z || return 1
	usage_error "^$1: option: '-Z': unknown$" || return 1
	run_tool "$want" "$BIN/$1" "${@:2}" --help=yes || return 1
	usage_error "^$1: --help: 'yes': takes no value$" || return 1
	run_tool "$want" "$BIN/$1" "${@:2}" $'--\e[31m' || return 1
	usage_error "^$1: option: '--.x1b\\[31m': unknown$"
}

@test "an unknown option is refused in one line and a hint" {
	per_command refuses_unknown
}

# valued TOOL WORD... prints the options that --help shows with a value.
valued()
{
	"$BIN/$1" "${@:2}" --help |
		sed -n 's/^  [ -][^-]* *--\([a-z-]*\) [A-Z].*/\1/p'
}

needs_value()
{
	local name want

	want=$(usage_status "$1")
	while read -r name; do
		VALUED=$((VALUED + 1))
		run_tool "$want" "$BIN/$1" "${@:2}" "--$name" || return 1
		usage_error "^$1: --$name: needs a value " || return 1
		run_tool "$want" "$BIN/$1" "${@:2}" "--$name=" || return 1
		usage_error "^$1: --$name: '': empty$" || return 1
	done < <(valued "$@")
}

@test "an option without its value is refused" {
	VALUED=0
	per_command needs_value
	((VALUED > 100))
}

@test "an unknown command is refused, status 2" {
	run_tool 2 "$BIN/tunnel-edge" no-such-command
	usage_error "^tunnel-edge: .*no-such-command"
	run_tool 2 "$BIN/tunnel-edge"
	run_tool 2 "$BIN/mcp-proxy" cert no-such-command
	run_tool 2 "$BIN/tunnel-up"
	run_tool 2 "$BIN/mcp-proxy"
}

fails_on_full()
{
	run --separate-stderr bash -c '"$@" >/dev/full' _ "$BIN/$1" "${@:2}" -h
	eq "$status" 1 || return 1
	eq "$stderr" "$1: standard output: No space left on device" || return 1
	run --separate-stderr bash -c '"$@" >/dev/full' _ "$BIN/$1" "${@:2}" -V
	eq "$status" 1
}

@test "where to listen is a numeric address and a port, else status 2" {
	local at

	echo key >"$T/key"
	chmod 600 "$T/key"
	for at in none 'host.example:1' 127.0.0.1:65536 :x; do
		run_tool 2 "$BIN/tunnel-edge" run --state "$T" --agents "$at" \
			--connectors :0
		usage_error "--agents: $at: "
		run_tool 2 "$BIN/tunnel-edge" run --state "$T" --agents :0 \
			--connectors "$at"
		usage_error "--connectors: $at: "
		run_tool 2 "$BIN/mcp-proxy" --config "$T/none" \
			--listen-tls "$at"
		usage_error "--listen-tls: $at: "
		run_tool 2 "$BIN/sandbox-worker" hook --listen "$at" \
			--signing-key-file "$T/key"
		usage_error "--listen: $at: "
	done
}

@test "output that cannot be written is an error, status 1" {
	requires full
	per_command fails_on_full
	while read -r tool; do
		fails_on_full "$tool"
	done < <(tools)
}

closed_output()
{
	run --separate-stderr bash -c '"$@" >&-' _ "$BIN/$1" "${@:2}" -h
	eq "$status" 1 || return 1
	eq "$stderr" "$1: standard output: Bad file descriptor"
}

@test "closed standard output is an error, status 1" {
	per_command closed_output
}

@test "a reader that goes away does no harm" {
	while read -r tool; do
		run --separate-stderr bash -c \
			'"$@" -h > >(exec 0<&-); exit $?' _ "$BIN/$tool"
		((status < 2))
	done < <(tools)
}

links()
{
	readelf -d "$BIN/$1" | sed -n 's/.*(NEEDED).*\[\(lib[^.]*\)\..*/\1/p'
}

@test "each program links only what it uses" {
	local tool

	while read -r tool; do
		if [[ $tool == frame-dump ]]; then
			run -1 grep -Eqx 'libssl|libcrypto|libcurl|libyaml' \
				<(links "$tool")
		fi
		if [[ $tool != @(tunnel-up|sandbox-worker) ]]; then
			run -1 grep -qx libcurl <(links "$tool")
		fi
		if [[ $tool != @(mcp-proxy|sandbox-exec) ]]; then
			run -1 grep -q libcares <(links "$tool")
		fi
		if [[ $tool != @(mcp-proxy|sandbox-exec) ]]; then
			run -1 grep -q libyaml <(links "$tool")
		fi
		if [[ $tool != @(mcp-proxy|sandbox-worker) ]]; then
			run -1 grep -Eq 'libhttp_parser' <(links "$tool")
		fi
		if [[ $tool != sandbox-worker ]]; then
			run -1 grep -qx libarchive <(links "$tool")
		fi
	done < <(tools)
	grep -qx libcurl <(links tunnel-up)
	grep -qx libssl <(links tunnel-edge)
	grep -qx libjq <(links frame-dump)
}

@test "each program is position-independent, with relocations read-only" {
	while read -r tool; do
		grep -q 'Type: *DYN' <(readelf -h "$BIN/$tool")
		grep -q GNU_RELRO <(readelf -lW "$BIN/$tool")
		grep -q 'BIND_NOW\|NOW' <(readelf -d "$BIN/$tool")
		grep -q 'GNU_STACK.* RW ' <(readelf -lW "$BIN/$tool")
	done < <(tools)
}

# relocated TOOL PID: the first page of its relocated constants can be read and
# not written, in the memory of the process PID.
relocated()
{
	local address base

	address=$(readelf -lW "$BIN/$1" | awk '$1 == "GNU_RELRO" {print $3}')
	read -r base _ < <(grep -F "/$1" "/proc/$2/maps")
	address=$(printf '%x' $((16#${base%-*} + (address & -4096))))
	grep -Eq "^$address-[0-9a-f]+ r--p " "/proc/$2/maps"
}

@test "sandbox-exec's relocated constants are read-only while it runs" {
	start_bg box "$BIN/sandbox-exec" -- sleep 60
	wait_until relocated sandbox-exec "${PID[box]}"
}
