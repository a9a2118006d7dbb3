#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2153,SC2154 # set by bats and helpers.bash

# sandbox-worker hook: deliveries of webhooks from a CGI gateway and over HTTP,
# and the drains that follow.

load helpers
load sandbox-attack

SIGNING_KEY=whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=
STARTED='{"type":"event","id":"whe_1","data":{"type":"session.status_run_started","id":"sesn_1"}}'

setup()
{
	tool_setup
	LOG=$T/requests
	: >"$LOG"
	cat >"$T/script" <<-END
		#!/bin/bash
		echo "\$ANTHROPIC_SESSION_ID" >>$T/done
	END
	chmod +x "$T/script"
	: >"$T/done"
	(umask 077 && echo sk-ant-oat01-secret >"$T/key")
}

# start_queue [STATUS]: sets PORT.
start_queue()
{
	start_ready queue node "$ROOT/tests/fakes/work-queue.mjs" "$LOG" "$@"
	PORT=${READY[queue]}
}

add() { curl -sf -X POST "http://127.0.0.1:$PORT/add/$1" >/dev/null; }

# sign BODY [AGE]: sets ID, AT and SIGNATURE as the service would.
sign()
{
	local key=3031323334353637383961626364656630313233343536373839616263646566

	ID=msg_1
	AT=$((EPOCHSECONDS - ${2:-0}))
	SIGNATURE=v1,$(printf '%s.%s.%s' "$ID" "$AT" "$1" |
		openssl dgst -sha256 -mac HMAC -macopt hexkey:$key -binary | base64)
}

poll_options()
{
	OPTIONS=(--environment-id env_1 --environment-key-file "$T/key"
		--base-url "http://127.0.0.1:$PORT" --on-work "$T/script")
}

# cgi STATUS BODY: as a gateway starts it; it ends with STATUS.
cgi()
{
	poll_options
	printf '%s' "$2" >"$T/body"
	# shellcheck disable=SC2016 # for the inner shell
	run_tool "$1" bash -c 'exec "$@" <"$0"' "$T/body" \
		env "ANTHROPIC_WEBHOOK_SIGNING_KEY=$SIGNING_KEY" \
		"HTTP_WEBHOOK_ID=$ID" "HTTP_WEBHOOK_TIMESTAMP=$AT" \
		"HTTP_WEBHOOK_SIGNATURE=$SIGNATURE" \
		"REQUEST_METHOD=${METHOD:-POST}" "CONTENT_LENGTH=${#2}" \
		"$BIN/sandbox-worker" hook -q -- -q "${OPTIONS[@]}"
}

# start_hook: listens; sets HOOK, its port.
start_hook()
{
	poll_options
	(umask 077 && echo "$SIGNING_KEY" >"$T/signing-key")
	start_ready hook "$BIN/sandbox-worker" hook --listen 127.0.0.1:0 \
		--signing-key-file "$T/signing-key" --ready-fd 9 -- \
		"${OPTIONS[@]}"
	HOOK=${READY[hook]#port=}
}

# deliver BODY: sets CODE.
deliver()
{
	CODE=$(curl -s -o /dev/null -w '%{http_code}' -H "webhook-id: $ID" \
		-H "webhook-timestamp: $AT" -H "webhook-signature: $SIGNATURE" \
		--data-binary "$1" "http://127.0.0.1:$HOOK/")
}

# memory_holds PID TEXT prints yes or no; for root.
memory_holds()
{
	local range rest found=no

	while read -r range rest; do
		[[ $rest == rw* ]] || continue
		if dd if="/proc/$1/mem" bs=4096 iflag=skip_bytes,count_bytes \
			skip=$((16#${range%-*})) \
			count=$((16#${range#*-} - 16#${range%-*})) 2>/dev/null |
			grep -aqF "$2"; then
			found=yes
		fi
	done <"/proc/$1/maps"
	echo "$found"
}

polls() { grep -c 'work/poll' "$LOG" || true; }

has_polls() { (($(polls) >= $1)); }

has_done() { (($(wc -l <"$T/done") >= $1)); }

@test "a delivery from a gateway drains the queue" {
	start_queue
	add a
	add b
	sign "$STARTED"
	cgi 0 "$STARTED"
	eq "$output" $'Status: 200\r\nContent-Type: text/plain\r\n\r'
	eq "$stderr" ""
	[[ $(<"$T/done") == $'sesn_a\nsesn_b' ]]
	[[ $(polls) == 3 ]]
	eq "$(grep -c block_ms "$LOG")" 0
	[[ $(grep -c 'poll?reclaim_older_than_ms=2000$' "$LOG") == 3 ]]
}

@test "a delivery with a signature of somebody else is refused" {
	start_queue
	add a
	sign "$STARTED"
	cgi 3 "${STARTED/sesn_1/sesn_2}"
	[[ $output == $'Status: 401\r\n'* ]]
	[[ $(polls) == 0 ]]
}

@test "a delivery that was signed long ago is refused" {
	start_queue
	sign "$STARTED" 301
	cgi 3 "$STARTED"
	[[ $output == $'Status: 401\r\n'* ]]
	[[ $(polls) == 0 ]]
}

@test "a delivery of other news is taken and drains nothing" {
	local body='{"data":{"type":"session.status_idled"}}'

	start_queue
	sign "$body"
	cgi 0 "$body"
	[[ $output == $'Status: 200\r\n'* ]]
	[[ $(polls) == 0 ]]
}

@test "what is no delivery is refused by the gateway's process" {
	start_queue
	sign "$STARTED"
	METHOD=GET cgi 3 "$STARTED"
	[[ $output == $'Status: 405\r\n'* ]]
	sign '{'
	cgi 3 '{'
	[[ $output == $'Status: 400\r\n'* ]]
	ID=""
	cgi 3 "$STARTED"
	[[ $output == $'Status: 400\r\n'* ]]
	[[ $(polls) == 0 ]]
}

@test "hook needs a signing key, and does not show it" {
	run_tool 2 "$BIN/sandbox-worker" hook
	[[ $stderr == "sandbox-worker: no signing key: give --signing-key-file or ANTHROPIC_WEBHOOK_SIGNING_KEY"$'\n'* ]]
	run_tool 2 env ANTHROPIC_WEBHOOK_SIGNING_KEY=hunter2 \
		"$BIN/sandbox-worker" hook
	[[ $stderr == "sandbox-worker: signing key: not whsec_ and base64"$'\n'* ]]
	[[ $stderr != *hunter2* ]]
}

@test "a listener answers deliveries and has the queue polled" {
	start_queue
	start_hook
	wait_until has_polls 1
	add a
	sign "$STARTED"
	deliver "$STARTED"
	[[ $CODE == 200 ]]
	wait_until has_done 1
	add b
	add c
	sign "$STARTED"
	deliver "$STARTED"
	[[ $CODE == 200 ]]
	wait_until has_done 3
	[[ $(<"$T/done") == $'sesn_a\nsesn_b\nsesn_c' ]]
	sign "$STARTED"
	deliver "$STARTED "
	[[ $CODE == 401 ]]
	stop hook
	[[ $STATUS == 0 ]]
}

@test "a listener serves the next session while one is under way" {
	start_queue
	cat >"$T/script" <<-END
		#!/bin/bash
		echo "\$ANTHROPIC_SESSION_ID" >>$T/done
		[[ \$ANTHROPIC_SESSION_ID != sesn_long ]] || exec sleep 1000
	END
	poll_options
	OPTIONS+=(--max-sessions 2)
	(umask 077 && echo "$SIGNING_KEY" >"$T/signing-key")
	start_ready hook "$BIN/sandbox-worker" hook --listen 127.0.0.1:0 \
		--signing-key-file "$T/signing-key" --ready-fd 9 -- \
		"${OPTIONS[@]}"
	HOOK=${READY[hook]#port=}
	add long
	sign "$STARTED"
	deliver "$STARTED"
	wait_until has_done 1
	add short
	sign "$STARTED"
	deliver "$STARTED"
	[[ $CODE == 200 ]]
	wait_until has_done 2
	stop hook
	[[ $STATUS == 0 ]]
}

@test "the process that listens holds no key of the environment" {
	requires no-sanitizer
	start_queue
	poll_options
	start_ready hook env "ANTHROPIC_WEBHOOK_SIGNING_KEY=$SIGNING_KEY" \
		ANTHROPIC_ENVIRONMENT_KEY=sk-ant-oat01-secret \
		"$BIN/sandbox-worker" hook --listen 127.0.0.1:0 --ready-fd 9 -- \
		--environment-id env_1 --base-url "http://127.0.0.1:$PORT" \
		--on-work "$T/script"
	wait_until has_polls 1
	poller=$(pgrep -P "${PID[hook]}")
	for pid in "${PID[hook]}" "$poller"; do
		eq "$(cat "/proc/$pid/environ" "/proc/$pid/cmdline" |
			tr '\0' '\n' | grep -cE 'sk-ant|whsec')" 0
	done
	eq "$(memory_holds "${PID[hook]}" sk-ant-oat01-secret)" no
	eq "$(memory_holds "$poller" "$SIGNING_KEY")" no
	eq "$(memory_holds "$poller" sk-ant-oat01-secret)" yes
	start_ready other env "ANTHROPIC_WEBHOOK_SIGNING_KEY=$SIGNING_KEY" \
		"$BIN/sandbox-worker" hook --listen 127.0.0.1:0 --ready-fd 9 -- \
		--environment-id env_1 --base-url "http://127.0.0.1:$PORT" \
		--on-work "$T/script" --environment-key sk-ant-oat01-other
	wait_until grep -q polling: "$T/other.err"
	for pid in "${PID[other]}" $(pgrep -P "${PID[other]}"); do
		eq "$(tr '\0' '\n' <"/proc/$pid/cmdline" |
			grep -c sk-ant)" 0
	done
	eq "$(memory_holds "${PID[other]}" sk-ant-oat01-other)" no
}

# exec_as AS COMMAND...: as that function does, in its own process, which can be
# stopped.
exec_as()
{
	local as=$1

	shift
	[[ $as != as_self ]] || exec "$@"
	exec "${AS_USER[@]}" "$@"
}

# sees AS files|descriptors: what a session sees of the secrets of a hook that
# runs by the function AS and was given them so.
sees()
{
	local dir=$T/$1-$2 sign=(--signing-key-file "$T/$1-$2/shown/sign")
	local key=(--environment-key-file "$T/$1-$2/shown/link")

	mkdir -p "$dir/shown" "$dir/work" "$dir/state"
	echo "$SIGNING_KEY" >"$dir/shown/sign"
	echo sk-ant-oat01-secret >"$dir/shown/key"
	echo other >"$dir/shown/other"
	ln -s key "$dir/shown/link"
	chmod 600 "$dir/shown"/*
	echo "ro: $dir/shown" >"$dir/policy.yaml"
	[[ $1 == as_self ]] || chown -R "$USER_ID" "$dir"
	start_ready "service-$1-$2" node "$ROOT/tests/fakes/one-session.mjs" \
		"$dir/requests" "\"cd $dir/shown && cat key sign link; stat -c '%n %s' key sign other\""
	exec 7<"$dir/shown/sign" 8<"$dir/shown/key"
	[[ $2 != descriptors ]] || {
		sign=(--signing-key-fd 7)
		key=(--environment-key-fd 8)
	}
	start_bg "hook-$1-$2" exec_as "$1" "$T/sandbox-worker" hook \
		--listen 127.0.0.1:0 "${sign[@]}" -- \
		--environment-id env_1 "${key[@]}" --workdir "$dir/work" \
		--base-url "http://127.0.0.1:${READY[service-$1-$2]}" \
		--state "$dir/state" --policy "$dir/policy.yaml" \
		--max-idle 300ms
	exec 7<&- 8<&-
	wait_until grep -q '/stop ' "$dir/requests"
	stop "hook-$1-$2"
	stop "service-$1-$2"
	eq "$(sed -n 's/^POST [^ ]*\/events //p' "$dir/requests" |
		jq -c '.events[0].content[0].text')" \
		'"key 0\nsign 0\nother 6"'
}

@test "a session sees nothing in any file with a secret" {
	make_user
	cp "$BIN/sandbox-worker" "$T/"
	sees as_self files
	sees as_self descriptors
	((EUID == 0)) || return 0
	sees as_user files
	sees as_user descriptors
}

@test "a signing key may not lie where sessions can write" {
	mkdir "$T/work"
	(umask 077 && echo "$SIGNING_KEY" >"$T/work/sign")
	run_tool 2 timeout "$DEADLINE" "$BIN/sandbox-worker" hook \
		--listen 127.0.0.1:0 --signing-key-file "$T/work/sign" -q -- \
		--environment-id env_1 --environment-key-file "$T/key" \
		--workdir "$T/work"
	eq "$stderr" "sandbox-worker: --signing-key-file $T/work/sign: \
sessions can write where it lies
Try 'sandbox-worker poll --help'."
}

@test "a listener ends when its poller is refused for good" {
	start_queue 401
	start_hook
	wait_exit hook
	[[ $STATUS == 3 ]]
	grep -q 'polling: 401' "$T/hook.err"
}

@test "a listener ends when its poller does not begin" {
	run_tool 2 timeout "$DEADLINE" \
		env "ANTHROPIC_WEBHOOK_SIGNING_KEY=$SIGNING_KEY" \
		"$BIN/sandbox-worker" hook --listen 127.0.0.1:0 -q -- \
		--no-such-option
	[[ $stderr == "sandbox-worker: option: '--no-such-option': unknown"$'\n'* ]]
}

@test "a listener that cannot listen says so and leaves nothing behind" {
	start_queue
	poll_options
	run_tool 4 env "ANTHROPIC_WEBHOOK_SIGNING_KEY=$SIGNING_KEY" \
		"$BIN/sandbox-worker" hook --listen "127.0.0.1:$PORT" -- -q \
		"${OPTIONS[@]}"
	[[ $stderr == *"Address already in use"* ]]
}
