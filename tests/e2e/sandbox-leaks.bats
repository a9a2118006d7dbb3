#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2154,SC2016

# Many runs in a row leave nothing: 500, or 10 000 with FULL=1 (make
# check-leaks).  Processes are
# known by their command line, which the sandbox's own have from their
# supervisor.

load helpers
load sandbox-attack

setup()
{
	tool_setup
	requires userns
	BOX=$BIN/sandbox-exec
	RUNS=500
	[[ ! ${FULL-} ]] || RUNS=10000
	MARK=leak-$BASHPID-$RANDOM
}

no_process()
{
	! grep -aqs -- "$MARK" /proc/[0-9]*/cmdline
}

is_running() { ! no_process; }

# files_of USER: what was made where sandbox-exec may make files.
files_of()
{
	find /tmp /var/tmp /dev/shm /run "$T" -maxdepth 1 -user "$1" \
		\( -name 'sandbox-exec.*' -o -name '.sandbox-exec*' \) \
		-newer "$T/started" 2>/dev/null
}

# gone_files USER: what there is now goes; what comes is other tests'.
gone_files()
{
	local now

	mapfile -t now < <(files_of "$1")
	wait_until are_gone "${now[@]}"
}

# The loop, in a mount namespace of its own as root: other tests mount in the
# present one.
run_loop='
	user=--map-current-user
	((EUID != 0)) || user=
	unshare $user --net tail -f /dev/null &
	net=/proc/$!/ns/net
	until [[ $(readlink "$net") != "$(readlink /proc/self/ns/net)" &&
		$(readlink /proc/$!/exe) == */tail ]]; do
		kill -0 $! || exit 1
	done
	before=$(wc -l </proc/self/mountinfo)
	fds=$(ls /proc/self/fd | wc -l)
	for ((i = 0; i < RUNS; i++)); do
		set --
		case $((i % 8)) in
		1) set -- --mem 64m --pids 32 --cpu 1 ;;
		2) set -- --overlay "$T/ws" ;;
		3) set -- --overlay "$T/ws" --diff ;;
		4) set -- --rw "$T/ws" --time 20s --out 64k ;;
		5) set -- --tmpfs /scratch:1m --net host ;;
		6) set -- --overlay "$T/ws" --commit ;;
		7) set -- --netns "$net" ;;
		esac
		"$BOX" "$@" -- /bin/sh -c "exit 7; : $MARK"
		[[ $? == 7 ]] || { echo "run $i: $*"; exit 1; }
	done
	[[ $(wc -l </proc/self/mountinfo) == "$before" ]] || {
		echo "mounts: $before before"
		cat /proc/self/mountinfo
		exit 1
	}
	[[ $(ls /proc/self/fd | wc -l) == "$fds" ]] || exit 1
	kill $!
'

# many USER COMMAND...: the loop through COMMAND, then looks.
many()
{
	local user=$1

	shift
	mkdir -p "$T/ws"
	echo x >"$T/ws/file"
	touch "$T/started"
	export RUNS BOX MARK T
	run_tool 0 "$@" bash -c "$run_loop"
	wait_until no_process
	wait_until no_sandbox_group
	gone_files "$user"
	eq "$(ls -A "$T/ws")" file
}

@test "leaks: none after many runs" {
	if ((EUID == 0)); then
		many root unshare --mount --propagation private
	else
		many "$(id -un)" env
	fi
}

@test "leaks: none after many runs of an ordinary user" {
	requires root
	make_user
	RUNS=$((RUNS / 4))
	mkdir -p "$T/ws"
	chown "$USER_ID" "$T/ws" "$T"
	many "$USER_ID" unshare --mount --propagation private "${AS_USER[@]}"
}

@test "leaks: none after runs that fail, time out and are killed" {
	local turn # run uses i itself

	mkdir -p "$T/ws"
	touch "$T/started"
	for ((turn = 0; turn < 20; turn++)); do
		run -124 "$BOX" --time 50ms -- tail -f /dev/null "$MARK"
		"$BOX" -- tail -f /dev/null "$MARK" 3>&- &
		kill -KILL $!
		wait $! || true
		run -127 "$BOX" -- "no-such-command-$MARK"
		run -125 "$BOX" --ro /usr --rw "$T/ws:/usr/not/there" -- true \
			"$MARK"
	done
	wait_until no_process
	gone_files "$(id -un)"
}

killed_loop='
	for ((i = 0; i < RUNS; i++)); do
		timeout -s KILL "$(printf "0.%04d" $((RANDOM % 40 + 1)))" \
			"$BOX" -- tail -f /dev/null "$MARK" 3>&- 2>/dev/null
		(($? == 137)) || exit 1
	done
'

@test "leaks: none after supervisors that are killed as they start" {
	RUNS=$((RUNS / 2))
	export RUNS BOX MARK
	run_tool 0 bash -c "$killed_loop"
	wait_until no_process
	if ((EUID == 0)); then
		make_user
		run_tool 0 as_user bash -c "$killed_loop"
		wait_until no_process
	fi
}

# Each of these is stopped by a limit, or by the death of its supervisor.
@test "leaks: none after floods, bombs, hogs and full disks" {
	local turn bomb="f() { f | f & }; f; f; wait; tail -f /dev/null"

	mkdir -p "$T/ws"
	touch "$T/started"
	for ((turn = 0; turn < ${FULL:+10} + 3; turn++)); do
		run -124 "$BOX" --out 64k --time 200ms -- yes "$MARK"
		run "$BOX" --pids 40 --time 1s -- bash -c "$bomb; : $MARK"
		[[ $output == *'fork: '*'Resource temporarily unavailable'* ]]
		run "$BOX" --mem 32m --time 10s -- sh -c \
			"head -c 1G /dev/zero | tail -n 1; : $MARK"
		[[ $output == *'memory limit'* ||
			$output == *'memory exhausted'* ]]
		run "$BOX" --tmp-size 1m -- sh -c "cat /dev/zero >/tmp/x; : $MARK"
		[[ $output == *'No space left on device'* ]]
		run "$BOX" --rw "$T/ws" --fsize 1m -- sh -c \
			"exec cat /dev/zero >$T/ws/big; : $MARK"
		eq "$status" 153
		eq "$(stat -c %s "$T/ws/big")" 1048576
		rm "$T/ws/big"
		"$BOX" --pids 200 -- bash -c "$bomb; : $MARK" \
			>/dev/null 2>"$T/bomb.err" 3>&- &
		wait_until is_running
		kill -KILL $!
		wait $! || true
	done
	wait_until no_process
	wait_until no_sandbox_group
	gone_files "$(id -un)"
}
