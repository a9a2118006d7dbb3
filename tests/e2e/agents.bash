# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # set here or by helpers.bash for the tests

# The stand-in for the Managed Agents API and what runs against it.  A test is
# named for the scenario that it plays (tests/fakes/agents).

PEERS=${PEERS:-$ROOT/build/peers}
SCENARIO_SECONDS=40

# start_api PEER [OPTION...]: plays $SCENARIO; sets PORT, KEY, ENVIRONMENT,
# OTHER, LOG, and WORK, the directory of the worker.
start_api()
{
	local peer=$1

	shift
	WORK=$T/$peer LOG=$T/$peer.log
	mkdir -p "$WORK"
	start_ready "api-$peer" node "$ROOT/tests/fakes/agents-api.mjs" \
		--scenario "$SCENARIO" --peer "$peer" --log "$LOG" \
		--workdir "$WORK" --ready-fd 9 "$@"
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

# end_api PEER: it found what the scenario wants.
end_api()
{
	stop "api-$1"
	[[ $STATUS == 0 ]] && return
	echo "$SCENARIO, $1:"
	cat "$T/api-$1.out"
	return 1
}

scenario_over()
{
	grep -q '"over":true' "$LOG"
}

scenario_marks()
{
	grep -qF "{\"mark\":\"$1\"}" "$LOG"
}

# play_scenario PEER: from the start of the worker to the verdict.
play_scenario()
{
	start_api "$1"
	"start_$1"
	wait_until -t "$SCENARIO_SECONDS" scenario_over
	stop "$1"
	eq "$STATUS" 0
	end_api "$1"
}

# play_until_exit PEER STATUS: the worker ends by itself.
play_until_exit()
{
	start_api "$1"
	"start_$1"
	wait_exit "$1"
	eq "$STATUS" "$2"
	end_api "$1"
}

# play_abort PEER: the worker is told to end in the middle of a call.
play_abort()
{
	start_api "$1"
	"start_$1"
	wait_until scenario_marks abort
	stop "$1"
	eq "$STATUS" 0
	end_api "$1"
}
