# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2016 # what is in single quotes is for the inner shell
# shellcheck disable=SC2030,SC2031 # each test is a subshell of its own
# shellcheck disable=SC2153,SC2154 # set by the helpers

# sandbox-exec(1): how a command runs, ends and dies.

load helpers.bash
load sandbox-exec.bash

setup_file() { setup_file_sandbox; }
teardown_file() { teardown_file_sandbox; }
setup() { sandbox_setup; }
teardown() { sandbox_teardown; }

# ---- statuses ----

passes_statuses()
{
	sx 0 -- true
	sx 7 -- sh -c 'exit 7'
	sx 143 -- sh -c 'kill -TERM $$'
	sx 137 -- sh -c 'kill -KILL $$'
	sx 139 -- sh -c 'kill -SEGV $$'
}

@test "the exit status is the command's own, 128+n after signal n" {
	each passes_statuses
}

tells_failures_apart()
{
	sx 127 -- no-such-command
	one_error 'no-such-command: command not found'
	sx 127 -- /no/such/file
	one_error '/no/such/file: command not found'
	sx 126 -- /etc/passwd
	one_error '/etc/passwd: Permission denied'
	printf '#!/no/such/interpreter\n' >"$W/script"
	chmod 755 "$W/script"
	sx 126 --ro "$W" -- "$W/script"
	one_error 'interpreter'
	sx 125 --ro "$W/nothing" -- true
	sx 125 --no-such-option -- true
	sx 125
}

@test "not found is 127, not executable 126, no sandbox 125" {
	each tells_failures_apart
}

ends_in_time()
{
	now_ms
	local start=$NOW

	sx 124 --time 1s -- sleep 30
	now_ms
	((NOW - start < 10000))
	sx 124 --time 1s -- sh -c 'trap "echo bye; exit 3" TERM
		while :; do sleep 0.05; done'
	eq "$output" bye
	sx 124 --time 1s -- sh -c 'trap "" TERM; while :; do sleep 1; done'
}

@test "a time limit ends a command with 124, politely first" {
	each ends_in_time
}

# ---- what goes in and out ----

passes_streams()
{
	local out

	out=$(echo input | "${AS[@]}" "$SX" -- cat)
	eq "$out" input
	out=$("${AS[@]}" "$SX" -- sh -c 'echo a; echo b >&2' 2>&1 >/dev/null)
	eq "$out" b
	out=$("${AS[@]}" "$SX" -- head -c 3000000 /dev/zero | wc -c)
	eq "$out" 3000000
	# By name, too: pipes belong to whoever made them.
	out=$("${AS[@]}" bash -c 'echo c | "$1" -- sh -c "echo a >/dev/stdout
		echo b >/dev/stderr; cat /dev/stdin" 2>&1 | cat' - "$SX")
	eq "$out" $'a\nb\nc'
	# A reader that goes away ends the writer.
	"${AS[@]}" "$SX" -- yes | head -n 1 >/dev/null
}

@test "standard streams are the caller's" {
	each passes_streams
}

@test "closed standard streams are empty, not somebody else's file" {
	run -0 bash -c '"$1" -- sh -c "cat; echo x; ls -l /proc/self/fd" \
		<&- 2>&1' - "$SX"
	eq "${lines[0]}" x
	[[ $output == *' 0 -> /dev/null'* ]]
	run -0 bash -c '"$1" -- true <&- >&- 2>&-' - "$SX"
}

reduces_environment()
{
	export SECRET_TOKEN=abc AWS_SECRET_ACCESS_KEY=def
	sx 0 -- env
	[[ $output != *abc* && $output != *def* ]]
	[[ $output == *PATH=* && $output == *HOME=* ]]
	sx 0 --env SECRET_TOKEN --env A=b -- env
	[[ $output == *SECRET_TOKEN=abc* && $output == *A=b* ]]
	[[ $output != *def* ]]
}

@test "the environment is a short list plus --env" {
	each reduces_environment
}

closes_descriptors()
{
	echo secret >"$W/secret"
	exec 7<"$W/secret"
	sx 0 -- sh -c 'ls /proc/self/fd'
	eq "${lines[*]}" '0 1 2 3'
	sx 1 -- sh -c 'cat <&7 2>/dev/null || exit 1'
	sx 0 --fd 7 -- sh -c 'cat <&7'
	eq "$output" secret
	exec 7<&-
}

# What is open at a number that the caller has not opened is ours: the control
# channel, the host's tree.
refuses_closed_descriptors()
{
	local fd

	for fd in {4..30}; do
		[[ -e /proc/$BASHPID/fd/$fd ]] && continue
		sx 125 --fd "$fd" -- true
		[[ ${stderr_lines[0]} == "sandbox-exec: descriptor $fd: it is not open" ]]
	done
	sx 125 --status-fd 40 -- true
	[[ ${stderr_lines[0]} == 'sandbox-exec: descriptor 40: it is not open' ]]
	sx 125 --serve --ready-fd 40
	[[ ${stderr_lines[0]} == 'sandbox-exec: descriptor 40: it is not open' ]]
}

@test "a descriptor that the caller has not opened is not passed" {
	each refuses_closed_descriptors
}

@test "no descriptor is inherited but those of --fd" {
	each closes_descriptors
}

# From one, "..", lead to names, modes and sockets of all of the host's files:
# neither the tree nor Landlock is in the way.
refuses_directories()
{
	run_tool 125 "${AS[@]}" "$SX" --fd 4 -- true 4<"$W"
	[[ ${stderr_lines[0]} == 'sandbox-exec: descriptor 4: it is a directory' ]]
	run_tool 125 "${AS[@]}" sh -c 'exec "$1" -- true <"$2"' - "$SX" "$W"
	one_error 'standard descriptors: Is a directory$'
}

@test "no directory of the host is passed as a descriptor" {
	each refuses_directories
}

# with_socket NUMBER COMMAND...: with a socket of the host's network.
with_socket()
{
	"${AS[@]}" perl -MIO::Socket::INET -MPOSIX -e 'my $n = shift;
		my $s = IO::Socket::INET->new(Proto => "udp",
			PeerAddr => "127.0.0.1:9") or die;
		POSIX::dup2(fileno $s, $n) or die; exec @ARGV' "$@"
}

warns_of_sockets()
{
	local warning='sandbox-exec: warning: net: a descriptor that the command gets is a network socket: it can be connected to other hosts'
	local n

	for n in 0 1 2; do
		run_tool 125 with_socket "$n" "$SX" --require net -- true
	done
	run_tool 0 with_socket 0 "$SX" --explain
	[[ $output == *'degraded: net: '*'remedy: net: '* ]]
	run_tool 0 with_socket 0 "$SX" -- true
	eq "$stderr" "$warning"
	run_tool 0 with_socket 4 "$SX" --fd 4 -- true
	eq "$stderr" "$warning"
	run_tool 125 with_socket 4 "$SX" --fd 4 --require full -- true
	[[ ${stderr_lines[1]} == *': the network is required to be closed: a descriptor that the command gets is a network socket' ]]
	run_tool 0 with_socket 4 "$SX" --require full -- true
	eq "$stderr" ''
	run_tool 0 with_socket 0 "$SX" --net host --require net -- true
	eq "$stderr" ''
}

@test "a descriptor of the host's network is told of" {
	each warns_of_sockets
}

# with_unix KIND COMMAND...: with such a socket as descriptor 4.
with_unix()
{
	"${AS[@]}" perl -MSocket -MPOSIX -e 'my $kind = shift;
		my $type = $kind =~ /datagram/ ? SOCK_DGRAM : SOCK_STREAM;
		$kind =~ /^pair/ ? socketpair(S, T, AF_UNIX, $type, 0) :
			socket(S, AF_UNIX, $type, 0) or die;
		if ($kind =~ /listener/) {
			bind(S, pack "S", AF_UNIX) and listen(S, 1) or die;
		}
		POSIX::dup2(fileno S, 4) or die; exec @ARGV' "$@"
}

tells_of_unix()
{
	local warning='sandbox-exec: warning: net: a descriptor that the command gets is a Unix socket of datagrams, or not connected: it reaches other sockets of the host'
	local kind

	for kind in 'pair of datagrams' 'datagrams' 'stream'; do
		run_tool 0 with_unix "$kind" "${SANDBOX[@]}" --fd 4 -- true
		has_line <(echo "$stderr") "^$warning\$"
		run_tool 125 with_unix "$kind" "${SANDBOX[@]}" --fd 4 \
			--require net -- true
		eq "${stderr_lines[-1]}" 'sandbox-exec: the network is required to be closed: a descriptor that the command gets is a Unix socket of datagrams, or not connected'
		run_tool 0 with_unix "$kind" "${SANDBOX[@]}" --fd 4 \
			--net host -- true
		[[ $stderr != *'warning: net: '* ]]
	done
	for kind in 'pair of streams' 'listener'; do
		run_tool 0 with_unix "$kind" "${SANDBOX[@]}" --fd 4 \
			--require net -- true
		[[ $stderr != *'warning: net: '* ]]
	done
}

# Abstract sockets where Landlock does not know them, and any where there is no
# tree of files.
warns_of_unix_sockets()
{
	SANDBOX=("$SX_DIR/refuse" --some=landlock "$SX")
	tells_of_unix
	SANDBOX=("$SX_DIR/refuse" "$SX")
	tells_of_unix
	SANDBOX=("$SX")
	[[ $("${AS[@]}" "$SX" --explain) =~ 'landlock ABI: '([0-9]+) ]]
	if ((BASH_REMATCH[1] < 6)); then
		tells_of_unix
		return
	fi
	run_tool 0 with_unix 'pair of datagrams' "$SX" --fd 4 --require full -- \
		true
	eq "$stderr" ''
}

@test "a Unix socket that can be turned to another is told of" {
	each warns_of_unix_sockets
}


# Such as a shell's caller may give it; a rule for it cannot be made.
writes_to_memory()
{
	local number=319

	[[ $(uname -m) == x86_64 ]] || number=279
	run_tool 0 "${AS[@]}" perl -e 'my $name = "x";
		open STDOUT, ">&=", syscall(shift, $name, 0) or die;
		system(@ARGV) == 0 or die;
		seek STDOUT, 0, 0; open STDIN, "<&STDOUT"; print STDERR <STDIN>' \
		"$number" "$SX" -- sh -c 'echo one; echo two >>/dev/stdout'
	eq "$stderr" $'one\ntwo'
}

@test "standard output can be a file in memory" {
	each writes_to_memory
}

caps_output()
{
	sx 0 --out 1k -- sh -c 'seq 1 10000; seq 1 10000 >&2'
	[[ $output == "1"$'\n'"2"$'\n'* && $output == *$'\n'10000 ]]
	[[ $output == *'[47870 bytes dropped]'* ]]
	[[ $stderr == *'[47870 bytes dropped]'* ]]
	((${#output} < 1100))
	sx 0 --out 1k -- seq 1 100
	[[ $output != *dropped* ]]
	eq "${#lines[@]}" 100
}

@test "capped output keeps head and tail and counts the rest" {
	each caps_output
}

# Room for one page is left in the pipe of both streams when there is one of
# each to be passed on.
caps_unread_output()
{
	local fifo=$W.fifo hold mark=unread-$BASHPID

	mkfifo "$fifo"
	exec {hold}<>"$fifo"
	"${AS[@]}" "$SX" --rw "$W" --out 1m --time 2s -- perl -e '
		$0 = shift;
		for (1 .. 15) {
			syswrite STDOUT, "." x 4096;
			select undef, undef, undef, 0.01;
		}
		mkdir "full";
		select undef, undef, undef, 0.01 until -e "go";
		syswrite STDOUT, "." x 4096; syswrite STDERR, "." x 4096;
		mkdir "done";
		sleep 60' "$mark" </dev/null >"$fifo" 2>&1 3>&- &
	PID[box]=$!
	wait_until is_file full
	kill -STOP "${PID[box]}"
	mkdir go
	wait_until is_file "done"
	kill -CONT "${PID[box]}"
	wait_until -t 10 is_none_named "$mark"
	cat <"$fifo" >"$W.read" 3>&- {hold}>&- &
	PID[reader]=$!
	exec {hold}>&-
	wait_exit box
	eq "$STATUS" 124
	wait_exit reader
	eq "$(tr -d . <"$W.read")" 'sandbox-exec: time limit: the command was ended'
	eq "$(stat -c %s "$W.read")" $((17 * 4096 + 48))
}

@test "the time limit holds when nobody reads capped output" {
	each caps_unread_output
}

# A limit of the caller's on files is not one on what we do.  What the command
# writes fits into its pipe, so that it ends by itself.
loses_output()
{
	run_tool 1 "${AS[@]}" bash -c 'ulimit -f 8; exec "$@" >out' - "$SX" \
		--out 100k -- dd if=/dev/zero bs=50000 count=1 status=none
	one_error 'standard output: File too large: the rest is lost'
	eq "$(wc -c <out)" 8192
	run_tool 3 "${AS[@]}" bash -c 'ulimit -f 8; exec "$@" >out' - "$SX" \
		--out 100k -- sh -c 'dd if=/dev/zero bs=50000 count=1 status=none; exit 3'
	run_tool 153 "${AS[@]}" bash -c 'ulimit -f 8; exec "$@" >out' - "$SX" \
		-- head -c 50000 /dev/zero
	eq "$stderr" ''
}

@test "output that cannot be written is missed" {
	each loses_output
}

# ---- where it runs ----

is_nobody()
{
	sx 0 -- id -u
	((output != 0))
	sx 0 -- sh -c 'grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status'
	for line in "${lines[@]}"; do
		case $line in
		Cap*) [[ $line == *0000000000000000 ]] ;;
		NoNewPrivs*) [[ $line == *1 ]] ;;
		Seccomp*) [[ $line == *2 ]] ;;
		esac
	done
	sx 0 -- sh -c 'echo $$'
	((output != 1))
	sx 0 -- hostname
	eq "$output" sandbox
}

@test "the command is not root, not PID 1, and has no capabilities" {
	each is_nobody
}

sees_itself_only()
{
	sx 0 -- sh -c 'ls -d /proc/[0-9]* | wc -l'
	((output <= 3))
	sx 1 -- sh -c 'cat /proc/1/environ >/dev/null 2>&1 || exit 1'
	sx 2 -- sh -c 'echo x >/proc/sys/kernel/core_pattern'
	sx 2 -- ls /sys/kernel
	sx 0 -- sh -c 'ls /run | wc -l'
	eq "$output" 0
}

@test "processes, kernel settings and services of the host are not there" {
	each sees_itself_only
}

@test "root cannot write core_pattern, whatever it grants" {
	((EUID == 0)) || skip 'not root'
	local before after

	before=$(</proc/sys/kernel/core_pattern)
	for p in / /proc /proc/sys; do
		run --separate-stderr "$SX" --rw $p -- sh -c \
			'echo "|/bin/false" >/proc/sys/kernel/core_pattern'
		((status != 0))
	done
	after=$(</proc/sys/kernel/core_pattern)
	eq "$after" "$before"
}

keeps_files_apart()
{
	echo data >"$W/file"
	sx 1 -- cat "$W/file"
	sx 0 --ro "$W" -- cat "$W/file"
	eq "$output" data
	sx 1 --ro "$W" -- sh -c "echo x 2>/dev/null >$W/new || exit 1"
	sx 0 --rw "$W" -- sh -c "echo x >$W/new"
	eq "$(<"$W/new")" x
	eq "$(stat -c %U "$W/new")" "$WHO"
	sx 0 --ro "$W:/data" -- cat /data/file
	eq "$output" data
	sx 1 -- touch /usr/x /etc/x /x
	eq "$(grep -c 'Read-only file system$' <<<"$stderr")" 3
	sx 0 -- sh -c "echo x >/tmp/x-$BASHPID && echo x >~/x && cat /tmp/x-$BASHPID"
	[[ ! -e /tmp/x-$BASHPID ]]
}

@test "files are the system's, read-only, and what is granted" {
	each keeps_files_apart
}

# The sandbox's own tree stands on "/" while it is built.
shows_everything()
{
	local option

	echo data >"$W/file"
	chmod -R a+rX "$W"
	for option in --ro --rw; do
		sx 0 "$option" /:/host -- cat "/host$W/file"
		eq "$output" data
		sx 0 "$option" /:/host -- ls -A /host
		eq "$output" "$(ls -A /)"
	done
}

@test "the host's root can be shown by another name" {
	each shows_everything
}

works_in_workdir()
{
	mkdir "$W/sub"
	chmod 755 "$W/sub"
	sx 0 --rw "$W" -- pwd
	eq "$output" "$W"
	sx 0 --rw "$W" --workdir "$W/sub" -- pwd
	eq "$output" "$W/sub"
	sx 125 --rw "$W" --workdir "$W/none" -- true
	one_error "workdir: $W/none: in the sandbox: No such file or directory"
	sx 0 -- pwd
	[[ $output != "$W" ]]
}

@test "the working directory is the caller's if it is shown" {
	each works_in_workdir
}

hides_network()
{
	sx 2 -- ls /sys/class/net
	sx 0 -- cat /proc/self/net/dev
	eq "$(grep -c : <<<"$output")" 1
	[[ $output == *' lo:'* ]]
	sx 0 -- bash -c 'exec 3<>/dev/udp/127.0.0.1/9 && echo up'
	eq "$output" up
	sx 1 -- bash -c 'exec 3<>/dev/udp/192.0.2.1/9'
}

@test "without --net there is a loopback and nothing else" {
	each hides_network
}

# ---- limits ----

counts_processes()
{
	sx 0 --pids 20 -- sh -c 'for i in $(seq 10); do sleep 0.1 & done; wait'
	sx 2 --pids 8 -- sh -c 'for i in $(seq 20); do sleep 0.1 & done; wait'
	[[ $stderr == *fork* ]]
}

@test "--pids counts the sandbox's processes only" {
	each counts_processes
}

limits_files()
{
	sx 153 --fsize 64k -- sh -c 'head -c 100000 /dev/zero >/tmp/x
		exit $?'
	sx 0 -- sh -c 'ulimit -n'
	eq "$output" 4096
}

@test "--fsize and --files are the command's limits" {
	each limits_files
}

@test "--pids with a control group tells that it was hit" {
	((EUID == 0)) || skip 'control groups need root here'
	sx 0 --pids 10 --mem 1g --status-fd 2 -- perl -e '
		my $n = 0;
		while (defined(my $pid = fork)) {
			$pid or sleep 60;
			$n++;
		}
		print "$n\n"'
	eq "$output" 9
	[[ $stderr == *'"limits_hit":["pids"]'* ]]
}

@test "a caller with a real-time policy has an advisory --cpu" {
	((EUID == 0)) || skip 'a real-time policy needs root'
	AS=(chrt -r 1)
	sx 0 --cpu 1 --mem 1g --status-fd 2 -- true
	[[ $stderr == *'"mem":"enforced","cpu":"advisory"'* ]]
	sx 125 --cpu 1 --require limits -- true
	AS=()
}

@test "--mem kills what takes more, and says so" {
	((EUID == 0)) || skip 'control groups need root here'
	sx 137 --mem 32m --status-fd 2 -- sh -c \
		'x=$(head -c 300000000 /dev/zero | tr "\0" x)'
	[[ $stderr == *'"limits_hit":["mem"]'* ]]
	[[ $stderr == *'"mem":"enforced"'* ]]
	wait_until no_sandbox_group
}

# ---- the end of everything ----

# Double-forked, in sessions of their own, with a name of their own.
spawn='cp /bin/sleep "$1"
i=0
while [ $i -lt '
spawn_rest=' ]; do
	(setsid "$1" 1000 </dev/null >/dev/null 2>&1 & ) &
	i=$((i + 1))
done
wait
until [ "$(cat /proc/[0-9]*/comm | grep -cx "${1##*/}")" = $i ]; do :; done
echo started'

leaves_no_process()
{
	local name=sx-$1-$BASHPID

	sx 0 --rw "$W" -- sh -c "$spawn 200 $spawn_rest" - "$W/$name"
	eq "$output" started
	is_none_named "$name"
}

@test "when the command ends, nothing that it started is left" {
	each leaves_no_process end
}

dies_with_supervisor()
{
	local name=sxk-$BASHPID

	"${AS[@]}" "$SX" --rw "$W" -- sh -c "$spawn 1000 $spawn_rest; sleep 99" \
		- "$W/$name" </dev/null >"$T/kill.out" 2>"$T/kill.err" 3>&- &
	PID[kill]=$!
	wait_until has_line "$T/kill.out" started
	wait_until is_all_named "$name" 1000
	kill -KILL "${PID[kill]}"
	wait_until -t 10 is_none_named "$name"
	wait "${PID[kill]}" || true
	unset 'PID[kill]'
}

@test "a supervisor that is killed takes 1000 double-forked children along" {
	each dies_with_supervisor
}

passes_signals()
{
	start_bg term "${AS[@]}" "$SX" -- sh -c \
		'trap "echo got; exit 5" TERM; echo ready
		while :; do sleep 0.05; done'
	wait_until has_line "$T/term.out" ready
	kill -TERM "${PID[term]}"
	wait_exit term
	eq "$STATUS" 5
	has_line "$T/term.out" got
}

@test "signals to the supervisor reach the command" {
	each passes_signals
}

# ---- reports ----

writes_status()
{
	local json

	json=$("${AS[@]}" "$SX" --status-fd 5 --time 10s -- sh -c 'exit 3' \
		5>&1 >/dev/null) || true
	eq "$(jq -r '[.status, .exit, .signal, .isolation.tier] | @csv' \
		<<<"$json")" '3,3,,"full"'
	eq "$(jq -c '.isolation.degraded' <<<"$json")" '[]'
	eq "$(jq -r '.isolation.limits.time' <<<"$json")" enforced
	json=$("${AS[@]}" "$SX" --status-fd 5 --time 1s -- sleep 9 \
		5>&1 >/dev/null 2>&1) || true
	eq "$(jq -c '[.status, .signal, .timed_out, .limits_hit]' \
		<<<"$json")" '[124,15,true,["time"]]'
	json=$("${AS[@]}" "$SX" --status-fd 5 -- no-such 5>&1 >/dev/null \
		2>&1) || true
	eq "$(jq -r '.status' <<<"$json")" 127
}

@test "--status-fd gives one JSON object" {
	each writes_status
}

records_audit()
{
	sx 0 --audit "$W/audit" -- true
	eq "$(jq -r .event "$W/audit" | paste -sd ' ')" 'start end'
	eq "$(jq -r .policy "$W/audit" | sort -u | wc -l)" 1
	eq "$(stat -c %a "$W/audit")" 600
	sx 125 --audit "$W/audit" --rw "$W" -- true
	one_error 'the command can write'
	printf '{"torn' >"$W/audit.torn"
	chmod 666 "$W/audit.torn"
	sx 0 --audit "$W/audit.torn" -- true
	eq "$(sed -n '1p;2s/","run.*//p' "$W/audit.torn" | sed 's/":.*//')" \
		"$(printf '%s\n' '{"torn' '{"time')"
	sx 0 --audit /dev/full -- true
	one_error 'warning: audit: No space left on device: lines are missing'
}

@test "--audit appends lines to a file that the command cannot reach" {
	each records_audit
}

explains_itself()
{
	sx 0 --explain
	[[ $output == *'isolation: full'* && $output != *'NOT REFUSED'* ]]
	sx 0 --explain --json
	eq "$(jq -r '[.probes[] | select(.promised)] | length > 10,
		all(.[]; .refused)' <<<"$output")" $'true\ntrue'
	sx 0 --require full --explain
}

@test "--explain tries what it claims" {
	each explains_itself
}

# explains_watches WORD
explains_watches()
{
	sx 0 --explain
	has_line <(echo "$output") \
		"^kernel: taking most of the caller's inotify instances: $1\$"
}

# Where a container engine has /proc/sys read-only.
explains_no_limit()
{
	local own=("${AS[@]}")

	explains_watches refused
	AS=(unshare -m sh -c 'mount --bind /proc/sys /proc/sys &&
		mount -o remount,bind,ro /proc/sys && exec "$@"' - "${own[@]}")
	explains_watches allowed
	sx 0 --require limits --explain
}

@test "--explain tells whether inotify instances are limited" {
	requires root
	each explains_no_limit
}

explains_nothing()
{
	local box=("${AS[@]}" "$SX_DIR/refuse" "$SX_DIR/refuse"
		--some=landlock "$SX")
	local sorry='neither user namespaces nor Landlock are to be had here'
	local causes=(
		'namespaces: namespaces: Operation not permitted: nothing is run'
		'landlock: the kernel does not have it or it is off: nothing is run')

	run_tool 125 "${box[@]}" --explain --rw "$W" --pids 9 --mem 1g
	one_error "$sorry"
	eq "${lines[0]}" 'isolation: none: nothing would be run'
	eq "$(grep -c '^layers:\( no-[a-z]*\)*$' <<<"$output")" 1
	eq "$(grep -E '^(limit|degraded)' <<<"$output")" \
		"$(printf 'degraded: %s\n' "${causes[@]}")"
	eq "$(grep -c '^remedy: ' <<<"$output")" 2
	run_tool 125 "${box[@]}" --explain --json --mem 1g
	eq "$(jq -c '[.tier, .limits, (.degraded | length), .probes]' \
		<<<"$output")" '["none",{},2,[]]'
	run_tool 125 "${box[@]}" --rw "$W" -- true
	eq "$stderr" "$(printf 'sandbox-exec: warning: %s\n' "${causes[@]}")
sandbox-exec: $sorry"
}

@test "--explain claims nothing where nothing would be run" {
	requires jq
	each explains_nothing
}

shows_the_machine()
{
	requires node
	sx 0 -- node -p 'os.cpus().length'
	eq "$output" 0
	sx 0 --proc system -- node -p 'os.cpus().length'
	eq "$output" "$(nproc --all)"
	sx 0 --proc system -- sh -c 'free >/dev/null && uptime >/dev/null &&
		cat /proc/version && ls /proc/sys /proc/self/stat'
	eq "$output" "$(cat /proc/version)
/proc/self/stat

/proc/sys:"
	sx 125 --proc all -- true
	printf 'fixed: files\n' >"$W/p.yaml"
	sx 125 --policy "$W/p.yaml" --proc system -- true
	[[ $stderr == *'the policy file fixes this'* ]]
	printf 'proc: system\nfixed: files\n' >"$W/p.yaml"
	sx 0 --policy "$W/p.yaml" --proc pids -- sh -c '! cat /proc/meminfo'
	sx 0 --policy "$W/p.yaml" -- cat /proc/meminfo
}

@test "--proc system shows processors and memory" {
	each shows_the_machine
}

# ---- what dies while it starts ----

only_child()
{
	CHILD=$(pgrep -P "$1")
	[[ $CHILD =~ ^[0-9]+$ ]]
}

# start_held: starts a command whose policy is a FIFO, $W/policy.
start_held()
{
	rm -f "$W/policy"
	mkfifo -m 666 "$W/policy"
	start_bg held "${AS[@]}" "$SX" --policy "$W/policy" -- echo ran
}

# An ordinary user's init and builder wait for the policy.
@test "what is killed before there is a policy is started anew" {
	requires userns no-sanitizer
	local i pids

	((EUID != 0)) || be_user
	for i in 0 1; do
		start_held
		wait_until only_child "${PID[held]}"
		pids=("$CHILD")
		wait_until only_child "$CHILD"
		pids+=("$CHILD")
		kill -KILL "${pids[i]}"
		wait_until is_over "${pids[i]}"
		echo '{}' >"$W/policy"
		wait_exit held
		eq "$STATUS" 0
		eq "$(<"$T/held.out")" ran
		eq "$(<"$T/held.err")" ''
	done
}

# Kills init, or whatever is its first child, at some time of the start.
killed_inside='
	child_of() { read -r child _ <"/proc/$1/task/$1/children"; [[ $child ]]; }
	for ((i = 0; i < 40; i++)); do
		"$@" -- echo ran >"$T/out" 2>"$T/err" </dev/null 3>&- &
		pid=$! child=
		until child_of "$pid"; do
			read -r _ _ state _ <"/proc/$pid/stat" || continue 2
			[[ $state != Z ]] || continue 2
		done
		init=$child
		((i % 2)) || child_of "$init" || child=$init
		for ((spin = RANDOM % 1500; spin > 0; spin--)); do :; done
		kill -KILL "$child"
		wait "$pid"
		echo "$?:$(<"$T/out"):$(<"$T/err")"
	done 2>/dev/null
'

# A second start would run the command again, or with half a tree.  Root can
# lose what maps owners as well.
begins_once()
{
	local i line paths=() said='sandbox-exec: init ended without a word'

	for ((i = 0; i < 60; i++)); do
		mkdir "$W/$i"
		paths+=(--ro "$W/$i")
	done
	run_tool 0 timeout -s KILL 60 "${AS[@]}" env "T=$W" bash -c \
		"$killed_inside" - "$SX" "${paths[@]}"
	((${#lines[@]} > 20))
	for line in "${lines[@]}"; do
		case $line in
		0:ran: | 137:: | 137:ran: | "125::$said" | "125:ran:$said") ;;
		125::*': the process that builds the sandbox was killed') ;;
		0:ran:*': warning: idmap: '*) ;;
		*)
			echo "$line"
			return 1
			;;
		esac
	done
}

@test "what is killed while it builds ends with one line, and never hangs" {
	requires userns
	each begins_once
}

ignores_childs_end()
{
	local ignored

	run_tool 0 "${AS[@]}" bash -c 'trap "" CHLD; exec "$@"' - \
		"$SX" -- sed -n 's/^SigIgn:\t//p' /proc/self/status
	ignored=$((0x$output & 1 << $(kill -l CHLD) - 1))
	eq "$ignored" 0
}

@test "a command does not ignore its children because the caller does" {
	each ignores_childs_end
}

# ---- where user namespaces are refused ----

runs_in_lower_tier()
{
	local short='sandbox-exec: limits are required, and one of them cannot be enforced here'
	local size

	AS+=("$SX_DIR/refuse")
	sx 0 -- sh -c 'echo x >"$TMPDIR/f" && cat "$TMPDIR/f" && echo "$TMPDIR"'
	[[ $output == x$'\n'/tmp/sandbox-exec.* && ! -e ${output#*$'\n'} ]]
	[[ $stderr == *'warning: namespaces:'* ]]
	sx 1 -- sh -c 'echo x 2>/dev/null >/tmp/sandbox-test-file || exit 1'
	sx 2 -- ls /root
	sx 2 -- ls /home
	sx 2 -- ls /proc
	sx 1 -- bash -c 'exec 3<>/dev/udp/127.0.0.1/9'
	sx 0 -- id -u
	((output != 0))
	sx 0 --explain
	[[ $output == *'isolation: lsm'* && $output != *'NOT REFUSED'* ]]
	[[ $output == *'processes: seeing other processes: allowed'* ]]
	[[ $output == *'degraded: tmp-size: '* ]]
	# What is given counts, be it the default or not.
	for size in 8m 1g; do
		sx 125 --require limits --tmp-size "$size" -- true
		eq "${stderr_lines[-1]}" "$short"
	done
	echo 'tmp-size: 1g' >"$SX_DIR/size"
	sx 125 --policy "$SX_DIR/size" --require limits -- true
	eq "${stderr_lines[-1]}" "$short"
	mkdir "$W/part"
	sx 0 --without masks --without protection --rw "$W" --ro "$W/part" -- true
	[[ $stderr == *'warning: masks: '*' read-only parts of what is writable'* ]]
	sx 0 --without masks --without protection --rw "$W" -- true
	[[ $stderr != *'warning: masks: '* ]]
	sx 125 --require full -- true
	sx 125 --require namespaces -- true
	# What there is all the same, for who asks.
	sx 125 --require full --explain --json
	eq "$(jq -r .tier <<<"$output")" lsm
	eq "$(jq -r '.degraded[0].feature' <<<"$output")" namespaces
}

@test "without namespaces Landlock and seccomp remain, and it says so" {
	requires jq
	each runs_in_lower_tier
}

# What AppArmor and others refuse once there are namespaces: the word of
# refuse-namespaces, and what the warning names.
refused_later()
{
	local own=("${AS[@]}") word why

	while read -r word why; do
		AS=("${own[@]}" "$SX_DIR/refuse" "--some=$word")
		sx 3 -- sh -c 'echo ran; exit 3'
		eq "$output" ran
		[[ $stderr == *"warning: namespaces: $why: "* ]]
		sx 125 --require namespaces -- true
		one_error "namespaces are required: $why: "
		sx 0 --explain
		[[ $output == *'isolation: lsm'* &&
			$output != *'NOT REFUSED'* &&
			$output == *'remedy: namespaces: '* ]]
		sx 0 --explain --json
		[[ $(jq -r .remedies.namespaces <<<"$output") == *' '* ]]
	done <<-'END'
	maps user namespace
	mount root: tmpfs
	attributes /usr
	pivot pivot_root
	net network, ipc, uts and cgroup namespaces
	END
	AS=("${own[@]}")
}

@test "where namespaces can be made but not used the lower tier remains" {
	requires jq
	each refused_later
}

refused_proc()
{
	AS+=("$SX_DIR/refuse" --some=proc)
	sx 0 -- sh -c 'ls -A /proc | wc -l; ls / | grep -c home; id -u'
	[[ $output == 0$'\n'* ]]
	[[ $stderr == *'warning: proc: '*'/proc is empty'* ]]
	sx 0 --allow example.org -- true
	sx 0 --explain
	[[ $output == *'isolation: full'* && $output == *'remedy: proc: '* &&
		$output != *'NOT REFUSED'* ]]
	sx 125 --require full -- true
	one_error 'full isolation is required: the kernel refuses a new /proc'
}

@test "where only /proc is refused it is empty and the rest is there" {
	each refused_proc
}

# Ids of a namespace are written to /proc.
runs_without_proc()
{
	local own=("${AS[@]}") flags how

	for how in 'mount -t tmpfs none' 'mount -o remount,bind,ro'; do
		how+=' /proc && exec "$@"'
		for flags in -m -Urm; do
			if [[ $flags == -Urm ]]; then
				AS=("${own[@]}" unshare -Urm sh -c "$how" -)
			elif ((EUID == 0)); then
				AS=(unshare -m sh -c "$how" - "${own[@]}")
			else
				continue
			fi
			sx 3 -- sh -c 'echo ran; exit 3'
			eq "$output" ran
			[[ $stderr == *'warning: namespaces: user namespace: '* ]]
		done
	done
}

@test "without a /proc to write to the lower tier remains" {
	requires no-sanitizer # which reads /proc
	each runs_without_proc
}

kills_in_lower_tier()
{
	local name=sxl-$BASHPID scratch

	cp /bin/sleep "$SX_DIR/$name"
	AS+=("$SX_DIR/refuse")
	sx 0 --ro "$SX_DIR" -- sh -c 'for i in $(seq 50); do
		(setsid "$1" 1000 </dev/null >/dev/null 2>&1 & ) & done; wait' \
		- "$SX_DIR/$name"
	is_none_named "$name"
	"${AS[@]}" "$SX" --ro "$SX_DIR" -- sh -c 'for i in $(seq 50); do
		(setsid "$1" 1000 </dev/null >/dev/null 2>&1 & ) & done; wait
		echo "started $TMPDIR"; sleep 99' - "$SX_DIR/$name" </dev/null \
		>"$T/low.out" 2>"$T/low.err" 3>&- &
	PID[low]=$!
	wait_until has_line "$T/low.out" started
	wait_until is_all_named "$name" 50
	scratch=$(sed 's/^started //' "$T/low.out")
	[[ -d $scratch ]]
	kill -KILL "${PID[low]}"
	wait_until -t 10 is_none_named "$name"
	wait_until -t 10 are_gone "$scratch"
	wait_until -t 10 has_no_group
	wait "${PID[low]}" || true
	unset 'PID[low]'
}

# An init that is no PID 1 does not take along what it has started.
outlives_no_init()
{
	local name=sxi-$BASHPID child

	cp /bin/sleep "$SX_DIR/$name"
	AS+=("$SX_DIR/refuse")
	"${AS[@]}" "$SX" --ro "$SX_DIR" -- sh -c 'for i in 1 2 3; do
		(setsid "$1" 1000 </dev/null >/dev/null 2>&1 & ) & done; wait
		"$1" 1000' - "$SX_DIR/$name" </dev/null >/dev/null 2>&1 3>&- &
	PID[low]=$!
	wait_until is_all_named "$name" 4
	for child in $(pgrep -P "${PID[low]}"); do
		! pgrep -P "$child" >"$T/found" || kill -KILL "$child"
	done
	wait_exit low
	eq "$STATUS" 137
	is_none_named "$name"
}

@test "without namespaces nothing outlives an init that is killed" {
	each outlives_no_init
}

has_no_group()
{
	[[ -z $(find /sys/fs/cgroup -name "sandbox-exec-${PID[low]}") ]]
}

@test "without namespaces what the command started is found and killed" {
	each kills_in_lower_tier
}

# In the lower tier /proc is closed, so another one in there sees no children.
kills_without_proc()
{
	local name=sxm-$BASHPID scratch

	cp /bin/sleep "$SX_DIR/$name"
	AS+=(timeout 30 "$SX_DIR/refuse" "$SX" -q --ro "$SX_DIR" --rw /tmp --
		sh -c 'echo "$TMPDIR"; exec "$@"' -)
	sx 3 -q --ro "$SX_DIR" -- sh -c 'echo "$TMPDIR"; for i in 1 2 3; do
		(setsid "$1" 1000 </dev/null >/dev/null 2>&1 &) ; done; exit 3' \
		- "$SX_DIR/$name"
	is_none_named "$name"
	scratch=("${lines[@]}")
	sx 124 -q --time 500ms --ro "$SX_DIR" -- sh -c \
		'echo "$TMPDIR"; setsid "$1" 1000 & exec "$1" 1000' \
		- "$SX_DIR/$name"
	is_none_named "$name"
	[[ $stderr == *'time limit'* ]]
	scratch+=("${lines[@]}")
	eq "$(printf '%s\n' "${scratch[@]}" | grep -c '^/tmp/sandbox-exec\.')" 4
	wait_until -t 10 are_gone "${scratch[@]}"
}

@test "without namespaces and /proc it is found and killed too" {
	requires no-sanitizer # which reads /proc
	each kills_without_proc
}

copies_in_lower_tier()
{
	AS+=("$SX_DIR/refuse")
	sx 0 -q -- sh -c 'cd && echo a >a && cp -p a b && cp -a b c &&
		sed -i s/a/b/ c && tar cf t a b c && mkdir o && tar xpf t -C o &&
		cat o/*'
	eq "$output" $'a\na\nb'
	eq "$stderr" ''
}

@test "without namespaces files can be copied and changed as they are" {
	each copies_in_lower_tier
}

whatever_umask()
{
	local mask
	local own=("${AS[@]}")

	for mask in 0777 0177 0000; do
		AS=("${own[@]}" sh -c "umask $mask; exec \"\$@\"" -)
		sx 0 --tmpfs /x -- sh -c 'umask && cd / &&
			ls -d / /tmp /x /usr "$HOME" >/dev/null &&
			echo >/tmp/a && echo >/x/a && echo >~/a'
		eq "$output" "$mask"
		AS+=("$SX_DIR/refuse")
		sx 0 -q -- sh -c 'umask && echo >~/a && ls ~'
		eq "$output" "$mask"$'\n'a
	done
	AS=("${own[@]}")
}

# With paths, masks and overlays; nothing that cannot be removed stays.
umask_of_paths()
{
	local mask
	local own=("${AS[@]}")

	as mkdir -p w/sub
	as sh -c 'echo secret >w/.env'
	for mask in 0777 0177; do
		AS=("${own[@]}" sh -c "umask $mask; exec \"\$@\"" -)
		sx 0 --rw "$W/w" --ro "$W/w/sub:/a/b/c" --mask .env -- sh -c '
			umask 022; cat .env w/.env; echo >w/a; ls /a/b/c'
		eq "$stderr" 'cat: .env: No such file or directory'
		sx 0 --overlay w -- sh -c 'umask 022; echo >w/b'
		sx 0 --overlay w --diff -- sh -c 'umask 022; echo >w/c'
		eq "$output" "A"$'\t'"$W/w/c"
		sx 0 --overlay w --changes kept -- sh -c 'umask 022; echo >w/d'
		sx 0 --overlay w --changes kept --diff -- ls w
		eq "$output" a$'\n'd$'\n'sub$'\n'"A"$'\t'"$W/w/d"
		sx 0 --overlay w --changes kept --discard
		sx 0 --overlay w --commit -- sh -c 'umask 022; mkdir w/e
			echo >w/e/f'
		eq "$(as stat -c %a w/e w/e/f)" 755$'\n'644
		as rm -r w/a w/e
		AS=("${own[@]}")
	done
	eq "$(find . -maxdepth 2 | sort)" $'.\n./kept\n./w\n./w/.env\n./w/sub'
}

@test "the caller's umask is the command's, and not the sandbox's" {
	each whatever_umask
	each umask_of_paths
}

@test "little memory for data is enough, or too little is told" {
	requires no-sanitizer
	local box=(prlimit "--data=$((4 << 20)):" "$SX" --rw "$W" -- true)

	run_tool 0 "${box[@]}"
	box[1]=--data=$((5 << 19)):
	run_tool 125 "${box[@]}"
	# As musl and glibc put it.
	one_error '.*: (Out of memory|Cannot allocate memory)'
}

# What the sandbox has as links, and the host perhaps as well.
paths_of_links()
{
	sx 0 --ro /bin --ro /lib64 --ro /var/run --tmpfs /var/tmp --rw "$W:/sbin" \
		-- sh -c 'for i in /bin /lib64 /var/run /var/tmp /sbin; do
			test -d $i -a ! -h $i || echo $i
		done; echo >/var/tmp/x && echo >/sbin/x && ls /var/tmp /sbin
		test -e /bin/sh -a ! -e /tmp/x'
	eq "$output" $'/sbin:\nx\n\n/var/tmp:\nx'
	run_tool 0 "${AS[@]}" env HOME=/var/run "$SX" --home real -- sh -c '
		cd && pwd && test ! -h "$PWD" -a "$(ls)" && ! touch x 2>/dev/null'
	eq "$output" /var/run
	sx 125 --ro "$W:/bin/x/y" -- true
	one_error '/bin/x/y: in the sandbox: .*'
}

@test "what is granted takes the place of a link that each sandbox has" {
	requires userns
	each paths_of_links
}

gone_directory()
{
	as mkdir gone
	cd gone || return 1
	as rmdir ../gone
	for option in --rw --ro --overlay --workdir; do
		sx 125 "$option" . -- true
		eq "${stderr_lines[0]}" \
			"sandbox-exec: $option: '.': the current directory is gone"
	done
	sx 125 --audit audit -- true
	one_error 'audit: No such file or directory'
	sx 0 --audit "$W/audit" -- true
	sx 125 --rw "$W" --audit "$W/audit" -- true
	cd "$W" || return 1
}

@test "a current directory that is gone is called so" {
	each gone_directory
}

@test "the path whose file system cannot map owners is named" {
	requires userns
	((EUID == 0)) || skip "only root maps owners"
	local said="the file system of $SX_DIR/ram cannot map owners"

	mkdir "$SX_DIR/ram"
	run_tool 0 unshare --mount sh -c 'mount -t ramfs none "$0" && exec "$@"' \
		"$SX_DIR/ram" "$SX" --ro "$W" --rw "$SX_DIR/ram" -- true
	one_error "warning: idmap: $said: the command may be unable to use what is there"
	run_tool 125 unshare --mount sh -c 'mount -t ramfs none "$0" &&
		exec "$@"' "$SX_DIR/ram" "$SX" --require full --rw \
		"$SX_DIR/ram" -- true
	one_error "full isolation is required: $said"
	rmdir "$SX_DIR/ram"
}

audits_again()
{
	local old

	old=$(umask)
	umask 0777
	sx 0 --audit "$W/a" -- true
	sx 0 --audit "$W/a" -- true
	umask "$old"
	eq "$(stat -c %a "$W/a")" 600
}

@test "an audit file is made for its owner, whatever the umask" {
	each audits_again
}
