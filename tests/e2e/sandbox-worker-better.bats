# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154 # set by the helpers

# sandbox-worker where it is meant to do better than the official worker: what
# a tool call can learn, several sessions, a killed worker, scripts, webhooks.

load helpers.bash
load agents.bash

setup() { agents_setup; }

@test "events without a name" {
	play worker
}

@test "CR and nothing behind it" {
	play worker
}

@test "ack 404 again and again" {
	play worker
}

@test "an item offered again and again" {
	play worker
}

@test "several sessions at once" {
	play worker --workspaces --max-sessions 2
}

@test "skills with the environment key" {
	play worker
}

@test "send refused after a lost response" {
	play worker
}

@test "the poller killed" {
	play_killed alone
}

@test "killed mid-tool" {
	play_killed
}

@test "killed between a result and its answer" {
	play_killed
}

@test "a call that never ends" {
	play worker --stall-timeout 2s --tool-timeout 1h
}

@test "nothing more to do (--drain)" {
	start_api worker
	start_worker --drain
	wait_exit worker
	eq "$STATUS" 0
	end_api worker
}

@test "a worker that slept" {
	start_api worker
	start_worker
	wait_until scenario_marks sleep
	family worker
	kill -STOP "${FAMILY[@]}"
	PID[first]=${PID[worker]}
	mv "$T/worker.err" "$T/first.err"
	# The other one is elsewhere: the first has its directory still.
	WORK=$T/elsewhere
	mkdir "$WORK"
	start_worker
	wait_until scenario_marks wake
	kill -CONT "${FAMILY[@]}"
	wait_over worker
	stop first
	end_worker worker
}

@test "what a command said" {
	play worker
}

@test "a memory store at its path" {
	play worker
}

@test "a read-only memory store at its path" {
	play worker
}

@test "a memory store with too much to do" {
	play worker
	eq "$(grep -c 'not uploaded' "$T/worker.err" || true)" 0
}

@test "a read-only memory store that changes" {
	play worker --memory-sync 5s
}

@test "a conflict while the session runs" {
	play worker --memory-sync 5s
	[[ $(cat "$T/worker.err") == *"memory store notes: /a.md: both sides \
changed; the store's is kept"* ]]
}

@test "memory saved when the worker is told to end" {
	play_abort worker
}

@test "many memories saved when the worker is told to end" {
	play_abort worker
}

@test "clock jumps" {
	requires no-sanitizer # which would have to be preloaded first
	"${CC:-cc}" -shared -fPIC -D_GNU_SOURCE -o "$T/jump.so" \
		"$ROOT/tests/fakes/jump-clock.c" -ldl
	start_api worker
	JUMP_CLOCK=$T/jump LD_PRELOAD=$T/jump.so start_worker
	wait_until scenario_marks jump
	touch "$T/jump"
	wait_until scenario_over
	end_worker worker
}

# make_script LINE...: $T/script, for --on-work.
make_script()
{
	printf '%s\n' '#!/bin/sh' "$@" >"$T/script"
	chmod 755 "$T/script"
}

@test "an item for a script (--on-work)" {
	make_script "env | sort >'$T/env'" "cat >'$T/stdin'" 'echo said'
	play worker --on-work "$T/script"
	grep -qx "ANTHROPIC_ENVIRONMENT_ID=$ENVIRONMENT" "$T/env"
	grep -qx "ANTHROPIC_ENVIRONMENT_KEY=$KEY" "$T/env"
	grep -qx 'ANTHROPIC_SESSION_ID=sesn_1' "$T/env"
	grep -qx 'ANTHROPIC_WORK_ID=work_1' "$T/env"
	[[ $(<"$T/env") != *ANTHROPIC_WORK_SECRET* ]]
	eq "$(jq -r '.id, .data.id, (.secret | @base64d | fromjson | keys[])' \
		"$T/stdin" | xargs)" 'work_1 sesn_1 sessions_token'
	grep -q '^said$' "$T/worker.err"
	[[ ! -s $T/worker.out ]]
}

@test "an item that a script runs (--on-work, run)" {
	# shellcheck disable=SC2016 # for the script
	make_script 'ANTHROPIC_WORK_SECRET=$(jq -r .secret)' \
		'unset ANTHROPIC_ENVIRONMENT_KEY' 'export ANTHROPIC_WORK_SECRET' \
		"exec '$BIN/sandbox-worker' run --workdir '$T/worker' \\" \
		"	--base-url \"\$(cat '$T/url')\" --max-idle 400ms"
	start_api worker
	echo "http://127.0.0.1:$PORT" >"$T/url"
	start_worker --on-work "$T/script"
	wait_until scenario_over
	end_worker worker
}

@test "a check for a script (--on-work)" {
	make_script "touch '$T/ran'"
	play worker --on-work "$T/script"
	[[ ! -e $T/ran ]]
}

@test "an item for a script that stays (--on-work, SIGTERM)" {
	make_script "trap 'echo term >>$T/told; exit 0' TERM" "echo >'$T/up'" \
		'while :; do sleep 0.1; done'
	start_api worker
	start_worker --on-work "$T/script"
	wait_file "$T/up"
	end_worker worker
	eq "$(<"$T/told")" term
}

@test "an item for a script that stays (--on-work, no such script)" {
	start_api worker
	start_worker --on-work "$T/nothing"
	wait_exit worker
	[[ $STATUS != 0 ]]
	grep -q "$T/nothing" "$T/worker.err"
}

@test "drained by a webhook" {
	local body at signature
	local key=3031323334353637383961626364656630313233343536373839616263646566

	start_api worker
	(umask 077 && echo "$KEY" >"$T/key")
	body='{"type":"event","data":{"type":"session.status_run_started"}}'
	echo -n "$body" >"$T/body"
	at=$EPOCHSECONDS
	signature=v1,$(printf 'msg_1.%s.%s' "$at" "$body" | openssl dgst -sha256 \
		-mac HMAC -macopt "hexkey:$key" -binary | base64)
	# shellcheck disable=SC2016 # for the inner shell
	run_tool 0 bash -c 'exec "$@" <"$0"' "$T/body" env \
		"ANTHROPIC_WEBHOOK_SIGNING_KEY=whsec_$(xxd -r -p <<<"$key" | base64)" \
		HTTP_WEBHOOK_ID=msg_1 "HTTP_WEBHOOK_TIMESTAMP=$at" \
		"HTTP_WEBHOOK_SIGNATURE=$signature" REQUEST_METHOD=POST \
		"CONTENT_LENGTH=${#body}" "$BIN/sandbox-worker" hook -- \
		--environment-id "$ENVIRONMENT" --environment-key-file "$T/key" \
		--base-url "http://127.0.0.1:$PORT" --workdir "$WORK" \
		--max-idle 400ms
	[[ $output == 'Status: 200'* ]]
	wait_until scenario_over
	end_api worker
}

# make_steps: the battery's attempts as tool calls, in $STEPS.
make_steps()
{
	"${CC:-cc}" -std=c11 -D_GNU_SOURCE -O1 -static -o "$T/attack" \
		"$ROOT"/tests/attacks/*.c -lutil
	STEPS=$T/steps.json
	node "$ROOT/tests/fakes/agents-battery.mjs" \
		"$ROOT/tests/e2e/sandbox-battery.bats" "$T/attack" >"$STEPS"
	(($(jq '.steps | length' "$STEPS") > 80))
}

@test "the sandbox's battery from inside tool calls" {
	make_steps
	SCENARIO_SECONDS=120
	play worker
}

@test "secrets of the worker" {
	play worker
}

@test "secrets of another session" {
	play worker --workspaces --max-sessions 2
}
