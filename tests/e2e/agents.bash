# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # set here or by helpers.bash for the tests

# The stand-in for the Managed Agents API and what runs against it.  A test is
# named for the scenario that it plays (tests/fakes/agents).

PEERS=${PEERS:-$ROOT/build/peers}
SCENARIO_SECONDS=${SCENARIO_SECONDS:-90}

agents_setup()
{
	tool_setup
	SCENARIO=${BATS_TEST_DESCRIPTION%% (*}
	OFFICIAL=$BATS_RUN_TMPDIR/official
	mkdir -p "$OFFICIAL"
}

# start_api PEER: plays $SCENARIO, or the steps in the file $STEPS; sets PORT,
# KEY, ENVIRONMENT, OTHER, LOG, and WORK, the directory of the worker.
start_api()
{
	local peer=$1 what=(--scenario "$SCENARIO")

	[[ ! ${STEPS-} ]] || what=(--steps "$STEPS")
	WORK=$T/$peer LOG=$T/$peer.log
	mkdir -p "$WORK"
	start_ready "api-$peer" node "$ROOT/tests/fakes/agents-api.mjs" \
		"${what[@]}" --peer "$peer" --log "$LOG" \
		--workdir "$WORK" --ready-fd 9
	read -r PORT KEY ENVIRONMENT OTHER <<<"${READY[api-$peer]}"
}

# start_sdk: the official worker.
start_sdk()
{
	start_bg sdk "$ROOT/tests/peers/run" "$PEERS" sdk-worker.mjs \
		--base-url "http://127.0.0.1:$PORT" \
		--environment-id "$ENVIRONMENT" --environment-key "$KEY" \
		--workdir "$WORK"
}

# start_worker [OPTION...]: ours, with $WORK for its workspace, or for those
# of its sessions with --workspaces.
start_worker()
{
	local where=(--workdir "$WORK")

	if [[ ${1-} == --workspaces ]]; then
		where=(--workspaces "$WORK")
		shift
	fi
	(umask 077 && echo "$KEY" >"$T/key")
	start_bg worker "$BIN/sandbox-worker" poll -v \
		--environment-id "$ENVIRONMENT" --environment-key-file "$T/key" \
		--base-url "http://127.0.0.1:$PORT" "${where[@]}" \
		--max-idle 400ms "$@"
}

# end_api PEER: it found what the scenario wants.
end_api()
{
	stop "api-$1" || return 1
	[[ $STATUS == 0 ]] && return
	echo "$SCENARIO, $1:"
	cat "$T/api-$1.out"
	return 1
}

scenario_over()
{
	grep -q '"over":true' "$LOG"
}

# wait_over NAME: until the scenario is over, if the worker lives so long.
wait_over()
{
	wait_until -t "$SCENARIO_SECONDS" over_or_dead "$1" &&
		scenario_over
}

over_or_dead()
{
	scenario_over || ! is_alive "$1"
}

scenario_marks()
{
	grep -qF "{\"mark\":\"$1\"}" "$LOG"
}

# play PEER [OPTION...]: from the start of the worker to the verdict.
play()
{
	start_api "$1" || return 1
	"start_$1" "${@:2}"
	wait_over "$1" || return 1
	end_worker "$1"
}

# end_worker PEER: it obeys SIGTERM, and did what the scenario wants.
end_worker()
{
	stop "$1" || return 1
	eq "$STATUS" 0 || return 1
	end_api "$1"
}

# descendants PID adds all to FAMILY.
descendants()
{
	local child

	# shellcheck disable=SC2013 # a list of words
	for child in $(cat "/proc/$1"/task/*/children 2>/dev/null); do
		FAMILY+=("$child")
		descendants "$child"
	done
}

# family NAME sets FAMILY to a background process and all below it.
family()
{
	FAMILY=("${PID[$1]}")
	descendants "${PID[$1]}"
}

# over_small LIMIT: the scenario is over; meanwhile PEAK_KIB is the most that
# any process of the worker ever held.
over_small()
{
	local pid kib

	family worker
	for pid in "${FAMILY[@]}"; do
		kib=$(awk '/^VmHWM:/ {print $2}' "/proc/$pid/status" 2>/dev/null)
		((${kib:-0} > PEAK_KIB)) && PEAK_KIB=$kib
	done
	scenario_over || ! is_alive worker
}

# play_small: ours needs no memory in proportion to what it is sent.
play_small()
{
	PEAK_KIB=0
	start_api worker
	start_worker "$@"
	wait_until -t "$SCENARIO_SECONDS" over_small
	scenario_over
	end_worker worker
	# A sanitizer uses memory of its own.
	if ((PEAK_KIB > 65536)) && ! grep -qa __asan_init "$BIN/sandbox-worker"
	then
		echo "it held $PEAK_KIB KiB"
		return 1
	fi
}

all_over()
{
	local pid

	for pid; do
		is_over "$pid" || return 1
	done
}

# play_killed [alone]: at the mark the worker is killed, with all that it
# started or alone; nothing is left of it, and another one takes over.
play_killed()
{
	start_api worker
	start_worker
	wait_until scenario_marks kill
	family worker
	if [[ ${1-} == alone ]]; then
		kill -KILL "${PID[worker]}"
	else
		kill -KILL "${FAMILY[@]}"
	fi
	wait_exit worker
	wait_until all_over "${FAMILY[@]}"
	start_worker
	wait_over worker
	end_worker worker
}

# play_until_exit PEER STATUS: the worker ends by itself.
play_until_exit()
{
	start_api "$1" || return 1
	"start_$1"
	wait_exit "$1" || return 1
	eq "$STATUS" "$2" || return 1
	end_api "$1"
}

# play_abort PEER: the worker is told to end in the middle of a call.
play_abort()
{
	start_api "$1" || return 1
	"start_$1"
	wait_until scenario_marks abort || return 1
	end_worker "$1"
}

# official [COMMAND...]: the official worker plays the scenario, by COMMAND
# (play sdk), once in a run of bats.
official()
{
	local log=$OFFICIAL/${SCENARIO//\//-} lock

	[[ $# != 0 ]] || set -- play sdk
	exec {lock}>"$log.lock"
	flock "$lock"
	if [[ ! -e $log ]]; then
		# No process of the scenario may hold the lock.
		"$@" {lock}>&- || return 1
		mv "$T/sdk.log" "$log"
	fi
	exec {lock}>&-
}

# same [OPTION...]: ours does what is wanted, with the official one's requests.
same()
{
	official
	play worker "$@"
	compare
}

compare()
{
	node "$ROOT/tests/fakes/agents-golden.mjs" \
		"$OFFICIAL/${SCENARIO//\//-}" "$T/worker.log"
}
