#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2016,SC2154 # for the shell inside; set by run

# sandbox-exec(1): --netns, a network that was made before.

load helpers.bash
load sandbox-exec.bash

setup_file() { setup_file_sandbox; }
teardown_file() { teardown_file_sandbox; }

setup()
{
	requires userns
	sandbox_setup
}

teardown() { sandbox_teardown; }

has_other_net()
{
	[[ $(readlink "/proc/$1/ns/net") != $(readlink /proc/self/ns/net) ]]
}

is_running() { [[ $(readlink "/proc/$1/exe") == */tail ]]; }

# hold NAME [FLAG...]: a network of the present user's; sets NET, its file.
hold()
{
	local name=$1 user=()

	shift
	((EUID == 0 && ${#AS[@]} == 0)) || user=(--map-current-user)
	start_bg "$name" "${AS[@]}" unshare "${user[@]}" --net "$@" \
		tail -f /dev/null
	wait_until has_other_net "${PID[$name]}"
	wait_until is_running "${PID[$name]}"
	NET=/proc/${PID[$name]}/ns/net
}

runs_in_it()
{
	hold "first-$WHO"
	sx 0 --netns "$NET" -- readlink /proc/self/ns/net
	eq "$output" "$(readlink "$NET")"
	sx 1 --netns "$NET" --require full -- bash -c '
		cat /proc/self/net/dev
		: >/dev/tcp/192.0.2.1/80'
	[[ $stderr == *'Network is unreachable'* ]]
	eq "$(grep -c : <<<"$output")" 1
	[[ $output == *' lo:'* ]]
	# lo is up, whoever made it.
	sx 0 --netns "$NET" -- sh -c 'cat /proc/self/net/fib_trie'
	[[ $output == *127.0.0.1* ]]
	eq "$stderr" ''
	stop "first-$WHO" TERM
}

@test "--netns runs the command in a network that was made before" {
	each runs_in_it
}

serves_one_by_one()
{
	local turn

	hold "second-$WHO"
	for ((turn = 0; turn < 20; turn++)); do
		# A listener, and a datagram socket that is used at the end.
		sx 0 --netns "$NET" --ro "$(command -v socat)" -- \
			sh -c 'exec 3<>/dev/null; socat -u \
				UDP4-RECV:5000,bind=127.0.0.1 - & exit 0'
	done
	stop "second-$WHO" TERM
}

@test "one network serves one command after the other" {
	requires socat
	each serves_one_by_one
}

is_for_one()
{
	hold "third-$WHO"
	start_bg "user-$WHO" "${AS[@]}" "$SX" --netns "$NET" -- \
		sh -c 'echo runs; tail -f /dev/null'
	wait_until grep -qx runs "$T/user-$WHO.out"
	sx 125 --netns "$NET" -- true
	one_error "$NET: another sandbox uses it"
	# init holds the lock, not the supervisor alone.
	kill -KILL "${PID[user-$WHO]}"
	wait_exit "user-$WHO"
	wait_until "${AS[@]}" "$SX" --netns "$NET" -- true
	stop "third-$WHO" TERM
}

@test "two sandboxes cannot use one network at the same time" {
	each is_for_one
}

refuses_others()
{
	sx 125 --netns /proc/self/ns/net -- true
	one_error '/proc/self/ns/net: '
	sx 125 --netns /proc/self/ns/user -- true
	one_error 'no network namespace$'
	sx 125 --netns /dev/null -- true
	one_error '/dev/null: no network namespace$'
	sx 125 --netns /no/such/file -- true
	one_error '/no/such/file: No such file or directory$'
	hold "fourth-$WHO"
	sx 125 --netns "$NET" --net host -- true
	[[ ${stderr_lines[0]} == *'--netns: only with --net none' ]]
	sx 125 --netns "$NET" --allow a.example -- true
	[[ ${stderr_lines[0]} == *'--netns: only with --net none' ]]
	stop "fourth-$WHO" TERM
}

@test "--netns refuses what is no network for a sandbox" {
	each refuses_others
}

@test "--netns refuses a network with another interface or with a socket" {
	requires root socat
	hold fifth
	nsenter -t "${PID[fifth]}" -n ip link add extra type veth peer other
	sx 125 --netns "$NET" -- true
	one_error "$NET: it has another interface than lo"
	nsenter -t "${PID[fifth]}" -n ip link del extra
	sx 0 --netns "$NET" -- true
	start_bg abstract nsenter -t "${PID[fifth]}" -n \
		socat -u ABSTRACT-RECV:somebody -
	until nsenter -t "${PID[fifth]}" -n grep -q @somebody /proc/net/unix; do
		kill -0 "${PID[abstract]}"
	done
	sx 125 --netns "$NET" -- true
	one_error "$NET: somebody has sockets in it"
	stop abstract TERM
	sx 0 --netns "$NET" -- true
}

@test "--netns refuses a network of another user's" {
	requires root
	be_user
	hold sixth
	AS=()
	sx 125 --netns "$NET" -- true
	one_error "$NET: it belongs to somebody else"
	be_self
	hold seventh
	be_user
	# The file of another user's process is not even readable.
	exec 7<"$NET"
	sx 125 --netns /proc/self/fd/7 -- true
	one_error '/proc/self/fd/7: '
	exec 7<&-
}
