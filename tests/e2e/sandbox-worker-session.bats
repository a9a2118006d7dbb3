# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154 # set by the helpers

# What an operator says about the sessions of sandbox-worker: directories,
# policies, limits, the audit file.

load helpers.bash

# session STEP...: a service with one item; see tests/fakes/one-session.mjs.
session()
{
	start_ready service node "$ROOT/tests/fakes/one-session.mjs" \
		"$T/requests" "$@"
	URL=http://127.0.0.1:${READY[service]}
	(umask 077 && echo key >"$T/key")
	mkdir "$T/work"
	OPTIONS=(--environment-id env_1 --environment-key-file "$T/key"
		--base-url "$URL" --max-idle 300ms)
}

# work STATUS [OPTION...]: all the work there is.
work()
{
	local want=$1

	shift
	[[ " $* " == *" --workspaces "* ]] || set -- --workdir "$T/work" "$@"
	run_tool "$want" "$BIN/sandbox-worker" poll --drain "${OPTIONS[@]}" "$@"
}

# results prints the texts that were posted, a line of JSON each.
results()
{
	sed -n 's/^POST [^ ]*\/events //p' "$T/requests" |
		jq -c '.events[0] | [.is_error, .content[0].text]'
}

stopped()
{
	grep -c '/stop {"force":true}$' "$T/requests"
}

@test "--workspaces keeps a directory for each session between its turns" {
	REPEAT=2 session '"pwd; cat kept; echo x >>kept"'
	mkdir "$T/all"
	work 0 --workspaces "$T/all"
	eq "$(results)" '[false,"/workspace\ncat: kept: No such file or directory"]
[false,"/workspace\nx"]'
	eq "$(cat "$T/all/sesn_1/kept")" $'x\nx'
	eq "$(stopped)" 2
}

@test "a second worker leaves a directory to the one that has it" {
	session '"touch begun; sleep 100"'
	mkdir "$T/all"
	start_bg first "$BIN/sandbox-worker" poll "${OPTIONS[@]}" \
		--workspaces "$T/all"
	wait_until test -e "$T/all/sesn_1/begun"
	mv "$T/requests" "$T/first-requests"
	start_ready again node "$ROOT/tests/fakes/one-session.mjs" \
		"$T/requests" '"rm begun"'
	OPTIONS+=(--base-url "http://127.0.0.1:${READY[again]}")
	work 0 --workspaces "$T/all"
	[[ $stderr == *"/all/sesn_1: another worker has had it for 10 s "* ]]
	eq "$(results)" ""
	eq "$(stopped)" 1
	[[ -e $T/all/sesn_1/begun ]]
	stop first
}

@test "--outputs shows a directory that the host keeps" {
	session '"echo done >/mnt/session/outputs/report"'
	mkdir "$T/out"
	work 0 --outputs "$T/out"
	eq "$(cat "$T/out/sesn_1/report")" "done"
}

@test "a session sees nothing in the file of the key" {
	mkdir "$T/shown"
	session "\"cd '$T/shown' && stat -c '%n %s' *\""
	echo text >"$T/shown/other"
	mv "$T/key" "$T/shown/key [1]"
	OPTIONS+=(--environment-key-file "$T/shown/key [1]")
	echo "ro: $T/shown" >"$T/policy.yaml"
	work 0 --policy "$T/policy.yaml"
	eq "$(results)" '[false,"key [1] 0\nother 5"]'
}

@test "--policy and --policy-jq say what a sandbox has" {
	# shellcheck disable=SC2016 # for the sandbox
	session '"echo $A $WHO"'
	echo 'env: ["A=from the file"]' >"$T/policy.yaml"
	echo '{env: ["WHO=\(.session.metadata.who) \(.environment_id)"]}' \
		>"$T/choose.jq"
	work 0 --policy "$T/policy.yaml" --policy-jq "$T/choose.jq"
	eq "$(results)" '[false,"from the file the session env_1"]'
}

# refuses TEXT [OPTION...]: nothing is begun.
refuses()
{
	local text=$1

	shift
	work 2 "$@"
	eq "$stderr" "sandbox-worker: $text
Try 'sandbox-worker poll --help'."
	[[ ! -e $T/requests ]]
}

@test "no policy lets a session write state, audit or policy" {
	local f=$T/at/policy.yaml

	session '"echo ran"'
	mkdir "$T/at" "$T/state"
	echo "rw: ['$T/state:/s']" >"$f"
	refuses "--policy $f: rw $T/state: sessions could write where \
--state $T/state lies" --policy "$f" --state "$T/state"
	refuses "--policy $f: rw $T/state: sessions could write where \
--audit $T/state/audit lies" --policy "$f" --audit "$T/state/audit"
	refuses "--policy $f: rw $T/state: sessions could write where \
--metrics $T/state/prom lies" --policy "$f" --metrics "$T/state/prom"
	cp -p "$T/key" "$T/state/"
	refuses "--policy $f: rw $T/state: sessions could write where \
--environment-key-file $T/state/key lies" --policy "$f" \
		--environment-key-file "$T/state/key"
	echo "rw: $T/at" >"$f"
	refuses "--policy $f: the policy file is in a directory that the \
command may change: $T/at" --policy "$f"
	echo "unknown: 1" >"$f"
	refuses "--policy $f: 1:1: 'unknown': unknown key" --policy "$f"
	# A copy may be written; a working directory may be the session's.
	echo "{overlay: $T/state, workdir: /workspace/none}" >"$f"
	work 0 --policy "$f" --audit "$T/state/audit"
	eq "$(results)" '[false,"ran"]'
}

@test "no policy shows a session what others have" {
	local f=$T/at/policy.yaml dir

	session '"echo ran"'
	mkdir -p "$T/at" "$T/home/all" "$T/home/state" "$T/out"
	for dir in state all; do
		for key in ro overlay; do
			echo "$key: ['$T/home:/h']" >"$f"
			refuses "--policy $f: $key $T/home: sessions could \
read what others have in --${dir/all/workspaces} $T/home/$dir" --policy "$f" \
				"--${dir/all/workspaces}" "$T/home/$dir"
		done
	done
	echo "home: real" >"$f"
	HOME=$T/home refuses "--policy $f: ro $T/home: sessions could read \
what others have in --state $T/home/state" --policy "$f" \
		--state "$T/home/state"
	echo "ro: $T/out" >"$f"
	refuses "--policy $f: ro $T/out: sessions could read what others have \
in --outputs $T/out" --policy "$f" --outputs "$T/out"
	echo "rw: $T/home" >"$f"
	refuses "--policy $f: rw $T/home: sessions could write where \
--workspaces $T/home/all lies" --policy "$f" --workspaces "$T/home/all"
	# The state of others is not in the /tmp of a sandbox.
	echo "ro: /" >"$f"
	work 0 --policy "$f" --state /tmp
	eq "$(results)" '[false,"ran"]'
}

@test "no program shows a session what others have" {
	REPEAT=2 session '"echo ran"'
	mkdir "$T/all"
	echo "if .work.id == \"work_1\" then {ro: \"$T/all/\"}
	else {home: \"real\"} end" >"$T/choose.jq"
	HOME=$T/all work 0 --policy-jq "$T/choose.jq" --workspaces "$T/all"
	eq "$(results)" ""
	[[ $stderr == *"
sandbox-worker: the policy: ro $T/all/: sessions could read what others have in \
--workspaces $T/all work=work_1 session=sesn_1
"*"
sandbox-worker: the policy: home $T/all: sessions could read what others have in \
--workspaces $T/all work=work_2 session=sesn_1
"* ]]
}

@test "no program lets a session write state or audit" {
	session '"echo ran"'
	mkdir "$T/state"
	echo "{rw: [\"$T/state\"]}" >"$T/choose.jq"
	work 0 --policy-jq "$T/choose.jq" --state "$T/state" \
		--audit "$T/audit"
	eq "$(results)" ""
	eq "$(stopped)" 1
	[[ $stderr == *"
sandbox-worker: the policy: rw $T/state: sessions could write where \
--state $T/state lies work=work_1 session=sesn_1
"* ]]
	eq "$(cat "$T/audit")" ""
	eq "$(ls -A "$T/state")" ""
}

@test "a policy that becomes one that lets a session write state is refused" {
	session '"echo ran"'
	mkdir "$T/state"
	echo "pids: 100" >"$T/policy.yaml"
	cat >"$T/exec" <<-END
	#!/bin/sh
	case " \$* " in
	*" --explain "*)
		"$BIN/sandbox-exec" "\$@" && echo "rw: $T/state" >"$T/policy.yaml" ;;
	*)
		exec "$BIN/sandbox-exec" "\$@" ;;
	esac
	END
	chmod +x "$T/exec"
	work 0 --policy "$T/policy.yaml" --state "$T/state" \
		--sandbox-exec "$T/exec"
	eq "$(results)" ""
	[[ $stderr == *": rw $T/state: sessions could write where --state \
$T/state lies work=work_1 session=sesn_1"* ]]
}

@test "what killed workers left below --state is removed" {
	local dir name

	session '"echo ran >ran; sleep 30"'
	mkdir "$T/state"
	for name in sandbox-worker.old sandbox-worker.held sandbox-audit.old \
		sandbox-worker.young others; do
		mkdir -p "$T/state/$name/memory/0"
		echo private >"$T/state/$name/memory/0/a.md"
		chmod 700 "$T/state/$name"
		[[ $name == *.young ]] || touch -d '2 minutes ago' "$T/state/$name"
	done
	ln -s "$T/state/others" "$T/state/sandbox-worker.link"
	start_bg held flock -s "$T/state/sandbox-worker.held" sleep 60
	wait_until eval "! flock -n '$T/state/sandbox-worker.held' true"
	start_bg worker "$BIN/sandbox-worker" poll "${OPTIONS[@]}" \
		--workdir "$T/work" --state "$T/state" --audit "$T/audit"
	wait_until test -e "$T/work/ran"
	for name in others sandbox-worker.held sandbox-worker.link \
		sandbox-worker.young; do
		[[ -e $T/state/$name ]]
	done
	[[ ! -e $T/state/sandbox-worker.old && ! -e $T/state/sandbox-audit.old ]]
	# What is in use has a lock.
	for dir in "$T"/state/sandbox-*.??????; do
		run_tool 1 flock -n "$dir" true
	done
	stop worker
	for dir in "$T"/state/*; do
		[[ $dir =~ /(others|sandbox-worker\.(held|link|young))$ ]]
	done
}

@test "no session runs when its policy cannot be chosen or enforced" {
	local program

	for program in 'error("no")' 'null' '{}, {}' '{unknown: 1}' \
		'{rw: "/nowhere/at/all"}' '{rw: 7}'; do
		session '"echo ran"'
		echo "$program" >"$T/choose.jq"
		work 0 --policy-jq "$T/choose.jq"
		eq "$(results)" ""
		eq "$(stopped)" 1
		[[ $stderr == *"item done: work=work_1 session=sesn_1 status=1"* ]]
		run -1 grep stream "$T/requests"
		stop service
		rm -r "$T/requests" "$T/work"
	done
}

@test "no item is taken when what the options name cannot be used" {
	local option

	session '"echo ran"'
	echo "no certificate" >"$T/file"
	for option in "workdir $T/none" "workspaces $T/none" "outputs $T/file" \
		"state $T/none" "policy-jq $T/none" "audit $T/none/audit" \
		"metrics $T/none/metrics" "ca $T/none" "ca $T/file"; do
		# shellcheck disable=SC2086 # an option and its value
		work 2 --$option
		[[ ${stderr_lines[0]} == "sandbox-worker: --${option/ /: }: "* ]]
		eq "${#stderr_lines[@]}" 2
	done
	echo 'nothing(1)' >"$T/file"
	refuses "--policy-jq: $T/file: jq: error: nothing/1 is not defined at \
<top-level>, line 1:" --policy-jq "$T/file"
	refuses "$T/none: No such file or directory" --sandbox-exec "$T/none"
	refuses "--require: 'no-such-promise': not namespaces, net, limits, \
landlock, seccomp or full" --require no-such-promise
	[[ ! -e $T/requests ]]
}

@test "nothing begins where the host cannot give what --require names" {
	"${CC:-cc}" -D_GNU_SOURCE -o "$T/refuse" \
		"$ROOT/tests/fakes/refuse-namespaces.c" -lseccomp
	session '"echo ran"'
	cat >"$T/exec" <<-END
	#!/bin/sh
	exec "$T/refuse" "$BIN/sandbox-exec" "\$@"
	END
	chmod +x "$T/exec"
	work 2 --sandbox-exec "$T/exec" --require namespaces
	[[ $stderr == *"namespaces are required: "* ]]
	[[ ! -e $T/requests ]]
	# A policy that is chosen later may ask for more.
	echo '{require: ["namespaces"]}' >"$T/choose.jq"
	work 0 --sandbox-exec "$T/exec" --policy-jq "$T/choose.jq"
	eq "$(results)" ""
	eq "$(stopped)" 1
	[[ $stderr == *"namespaces are required: "* ]]
	[[ $stderr == *"session=sesn_1 status=1"* ]]
	run -1 grep stream "$T/requests"
	stop service
	rm -r "$T/requests" "$T/work"
	# What is left of a sandbox there is Landlock and seccomp.
	session '"echo ran"'
	work 0 --sandbox-exec "$T/exec"
	eq "$(results)" '[false,"ran"]'
	[[ $stderr == *"warning: the sandbox: namespaces: "* ]]
}

@test "a program that does not end or takes all memory fails its item" {
	session '"echo ran"'
	echo 'def f: f; f' >"$T/choose.jq"
	work 0 --policy-jq "$T/choose.jq"
	eq "$(results)" ""
	eq "$(stopped)" 1
	[[ $stderr == *"choose.jq: no policy came in 5 s"* ]]
	# With a lease of two seconds a beat is due every second.
	(($(grep -c /heartbeat "$T/requests") >= 4))
	stop service
	rm -r "$T/requests" "$T/work"
	grep -qa __asan_init "$BIN/sandbox-worker" && return
	session '"echo ran"'
	# shellcheck disable=SC2016 # for jq
	echo 'reduce range(1e9) as $i ("x"; . + .)' >"$T/choose.jq"
	work 0 --policy-jq "$T/choose.jq"
	eq "$(results)" ""
	eq "$(stopped)" 1
	[[ $stderr == *"choose.jq: its process ended with status 13"* ]]
}

@test "--tool-timeout ends a call, --stall-timeout an item" {
	session '["bash", {"command": "echo begun; sleep 100", "timeout_ms": 90000}]' \
		'"echo next"'
	work 0 --tool-timeout 1s
	[[ $(results | head -n 1) == '[true,"bash: bash command timed out'* ]]
	eq "$(results | tail -n 1)" '[false,"next"]'
	stop service
	rm -r "$T/requests" "$T/work"
	session '["bash", {"command": "sleep 100", "timeout_ms": 90000}]'
	work 0 --tool-timeout 90s --stall-timeout 2s
	eq "$(results)" ""
	run -1 stopped
	[[ $stderr == *"nothing went forward for 2 s: the item is given up"* ]]
	[[ $stderr == *"status=4"* ]]
}

# The pace of the vendor's core client, twice in each call of it, and of its
# worker between calls: each wait is up to a quarter shorter.
@test "a result that is answered with 503 is posted at the vendor's pace" {
	local at gap want n=0 least=(375 750 750 375)

	TTL=30 REFUSE=4 session '"echo done"'
	work 0
	mapfile -t at <"$T/requests.refused"
	eq "${#at[@]}" 5
	for want in "${least[@]}"; do
		gap=$((at[n + 1] - at[n]))
		echo "wait $n: $gap ms"
		((gap >= want - 5))
		n=$((n + 1))
	done
	# 3 s, and what a busy machine adds.
	((at[4] - at[0] < 20000))
}

@test "results at the limits of the tools arrive whole" {
	# NULs become three bytes, control characters six.
	session \
		'"head -c 2097152 /dev/zero | tr \\\\0 a; printf \\\\303\\\\251"' \
		'"printf \"a\\\\0b\\\\377c\\\\303\\\\n\""' \
		'["read", {"file_path": "nul"}]' \
		'["read", {"file_path": "control"}]' \
		'["read", {"file_path": "invalid"}]' \
		'["read", {"file_path": "above"}]'
	head -c 262144 /dev/zero >"$T/work/nul"
	tr '\0' '\001' <"$T/work/nul" >"$T/work/control"
	tr '\0' '\377' <"$T/work/nul" >"$T/work/invalid"
	head -c 262145 /dev/zero >"$T/work/above"
	work 0
	sed -n 's/^POST [^ ]*\/events //p' "$T/requests" >"$T/posts"
	jq -r '.events[0] | [.is_error, (.content[0].text |
		length, (explode | unique | map(tostring) | join(" ")))] |
		@tsv' "$T/posts" >"$T/sums"
	diff - <(head -n 5 "$T/sums" | sed 1d) <<-END
	false	6	97 98 99 65533
	false	262144	65533
	false	262144	1
	false	262144	65533
	END
	eq "$(head -n 1 "$T/posts" | jq -r '.events[0].content[0].text |
		length, .[:20], .[-2:]')" "102419
[output truncated]
a
aé"
	[[ $(results | tail -n 1) == *'is 262145 bytes, exceeds 262144-byte'* ]]
	eq "$(stopped)" 1
}

@test "an interrupt ends the command that runs, and what waits" {
	session '"sleep 100"' '{"type": "user.interrupt"}' '"echo next"'
	work 0
	eq "$(results)" '[true,"Error: interrupted by the user"]
[false,"next"]'
}

@test "SIGTERM answers the call that runs and releases the item" {
	session '"touch begun; sleep 100"'
	start_bg worker "$BIN/sandbox-worker" poll "${OPTIONS[@]}" \
		--workdir "$T/work"
	wait_until test -e "$T/work/begun"
	stop worker
	eq "$STATUS" 0
	eq "$(results)" '[true,"Error: the worker is shutting down"]'
	eq "$(stopped)" 1
}

@test "the audit file has a line for each call, and no more than asked for" {
	session '"(exit 7)"' '["read", {"file_path": "secret-name"}]' \
		'["web_search", {"query": "not ours"}]'
	printf '{"torn' >"$T/audit"
	start_bg worker "$BIN/sandbox-worker" poll "${OPTIONS[@]}" \
		--workdir "$T/work" --audit "$T/audit"
	wait_until has_lines 3 "$T/audit"
	stop worker
	eq "$(sed -n '1p' "$T/audit")" '{"torn'
	sed -i 1d "$T/audit"
	eq "$(jq -c '[.event, .session_id, .work_id, .tool, .verdict, .is_error,
		.exit]' "$T/audit")" \
		'["tool","sesn_1","work_1","bash","allow",true,7]
["tool","sesn_1","work_1","read","allow",true,null]'
	eq "$(jq -r .input_sha256 "$T/audit" | head -n 1)" \
		"$(printf '{"command":"(exit 7)"}' | sha256sum | cut -d ' ' -f 1)"
	run -1 grep secret-name "$T/audit"
	stop service
	rm -r "$T/requests" "$T/work"
	session '["read", {"file_path": "secret-name"}]'
	work 0 --audit "$T/audit" --audit-input
	eq "$(tail -n 1 "$T/audit" | jq -r '.input | fromjson.file_path')" \
		secret-name
	stop service
	rm -r "$T/requests" "$T/work"
	session '"true"'
	work 2 --audit "$T/work/audit"
}

@test "the audit file has what the sandbox decided about a call" {
	# shellcheck disable=SC2016 # for the sandbox
	session '"curl -sS http://denied.example/; true"' \
		'"head -c 300000000 /dev/zero | tail | wc -c"'
	echo '{net: "allow", allow: ["allowed.example"], mem: "64m"}' \
		>"$T/choose.jq"
	work 0 --policy-jq "$T/choose.jq" --audit "$T/audit" --state "$T"
	jq -c 'select(.event == "tool") | .tool' "$T/audit" >"$T/calls"
	eq "$(cat "$T/calls")" $'"bash"\n"bash"'
	jq -c 'select(.event == "net") | [.session_id, .work_id, .verdict,
		.host, .port]' "$T/audit" >"$T/net"
	eq "$(cat "$T/net")" '["sesn_1","work_1","deny","denied.example",80]'
	eq "$(jq -c 'select(.event == "end") | [.session_id, .limits_hit]' \
		"$T/audit")" '["sesn_1",["mem"]]'
	run find "$T" -name 'sandbox-audit.*'
	eq "$output" ""
}

@test "a sandbox that has died is built anew for the next call" {
	session '"touch begun; sleep 100"' '"echo next"'
	start_bg worker "$BIN/sandbox-worker" poll "${OPTIONS[@]}" \
		--workdir "$T/work" --audit "$T/audit"
	wait_until test -e "$T/work/begun"
	kill -KILL "$(pgrep -P "$(pgrep -P "${PID[worker]}")" sandbox-exec)"
	wait_until has_lines 2 "$T/audit"
	stop worker
	[[ $(results | head -n 1) == '[true,"Error: '* ]]
	eq "$(results | tail -n 1)" '[false,"next"]'
}

has_lines()
{
	[[ -e $2 && $(wc -l <"$2") -ge $1 ]]
}

@test "--status-fd tells what a session does" {
	session '"true"'
	work 0 --status-fd 8 8>"$T/events" --metrics "$T/metrics"
	eq "$(jq -r 'select(.event != "beat").event' "$T/events" |
		paste -sd ' ')" \
		"claimed sandbox-ready stream-open tool left done"
	eq "$(jq -r 'select(.event == "left").reason' "$T/events")" idle
	grep -qx 'sandbox_worker_tool_calls_total{tool="bash",result="ok"} 1' \
		"$T/metrics"
	grep -qx 'sandbox_worker_items_done_total 1' "$T/metrics"
	node "$ROOT/tests/fakes/check-metrics.mjs" <"$T/metrics"
	# The check can fail.
	# shellcheck disable=SC2016 # for sed
	for change in 's/^# TYPE .*polls_total/# TYPE other_total/' \
		'/^# HELP sandbox_worker_sessions /d' 's/ 1$/ one/' \
		'$s/$/\n# HELP x y/' 's/bash/read/' \
		's/claims_total/claims/'; do
		sed "$change" "$T/metrics" >"$T/changed"
		run -1 node "$ROOT/tests/fakes/check-metrics.mjs" <"$T/changed"
	done
}
