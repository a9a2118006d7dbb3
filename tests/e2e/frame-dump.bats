# SPDX-License-Identifier: ISC
# shellcheck disable=SC2154,SC2016,SC2153,SC2030,SC2031

load helpers
load frame-dump

# Golden output.

@test "frame-dump prints what TESTLIST says" {
	local title vector options want failed=0 words

	while IFS=: read -r title vector options want; do
		[[ $title && $title != '#'* ]] || continue
		read -r vector <<<"$vector"
		read -r want <<<"$want"
		read -r -a words <<<"$options"
		unhex "$VECTORS/$vector.hex" >"$T/in"
		"$DUMP" "${words[@]}" "$T/in" >"$T/out" 2>&1 ||
			echo "status $?" >>"$T/out"
		diff -u "$VECTORS/$want.txt" "$T/out" || {
			echo "failed: $title: frame-dump $options"
			failed=1
		}
	done <"$VECTORS/TESTLIST"
	((failed == 0))
}

@test "every line of -o json is an object for jq" {
	make_session
	run_tool 0 "$DUMP" -o json --payload -s "$SESSION"
	((${#lines[@]} > 20))
	jq -se 'all(.[]; type == "object")' <<<"$output"
	run_tool 0 jq -rs '.[-1].statistics | .frames, .dropped' <<<"$output"
}

@test "-o json has nothing in it that a terminal obeys" {
	{
		preamble
		frame 01 0 "$(xxd -p <<<$'{"name":"\xc2\x9b2J\xc3\xbc"}' | tr -d '\n')"
		frame 13 1 "$(printf '\0\001\001\0\xc2\x9b2J' | xxd -p)"
	} >"$T/hop"
	run_tool 0 "$DUMP" -o json "$T/hop"
	run -1 grep -P '[^\x20-\x7e]' <<<"$output"
	run_tool 0 "$DUMP" -o json "$T/hop"
	eq "$(jq -r '.hello.name // .text' <<<"$output")" \
		$'\xc2\x9b2J\xc3\xbc\n\xc2\x9b2J'
}

@test "--payload gives the bytes of DATA" {
	make_session
	"$DUMP" -o json --payload -f '.channel == 1' "$SESSION" |
		jq -r .data | base64 -d >"$T/data"
	printf 'warning: \033[31mred\n' | cmp - "$T/data"
}

@test "standard input is read when there is no file, or for -" {
	make_session
	"$DUMP" "$SESSION" >"$T/want"
	[[ -s $T/want ]]
	"$DUMP" <"$SESSION" | cmp - "$T/want"
	"$DUMP" - <"$SESSION" | cmp - "$T/want"
}

@test "--output takes the lines, for its owner only" {
	make_session
	run_tool 0 "$DUMP" --output "$T/lines" "$SESSION"
	eq "$output" ""
	"$DUMP" "$SESSION" | cmp - "$T/lines"
	eq "$(stat -c %a "$T/lines")" 600
}

# Recording.

@test "-w copies a capture byte for byte" {
	make_session
	run_tool 0 "$DUMP" -w "$T/copy" "$SESSION"
	eq "$output" ""
	cmp "$SESSION" "$T/copy"
	eq "$(stat -c %a "$T/copy")" 600
	"$DUMP" -w - "$SESSION" | cmp - "$SESSION"
}

@test "a file that was there becomes its owner's only" {
	make_session
	install -m 666 /dev/null "$T/copy"
	install -m 666 /dev/null "$T/lines"
	run_tool 0 "$DUMP" -o json -w "$T/copy" --output "$T/lines" "$SESSION"
	eq "$(stat -c %a "$T/copy" "$T/lines")" $'600\n600'
	cmp "$SESSION" "$T/copy"
}

@test "a capture is not written over itself" {
	make_session
	cp "$SESSION" "$T/copy"
	run_tool 1 "$DUMP" -w "$SESSION" "$SESSION"
	eq "$stderr" "frame-dump: $SESSION: is the input"
	# shellcheck disable=SC2094 # that it is the same file is refused
	run -1 --separate-stderr "$DUMP" --output "$SESSION" <"$SESSION"
	eq "$stderr" "frame-dump: $SESSION: is the input"
	cmp "$SESSION" "$T/copy"
}

@test "-w with -f records only what the filter wants" {
	make_session
	"$DUMP" -f '.type == "OPEN"' -w "$T/open" <"$SESSION"
	run_tool 0 "$DUMP" -o json "$T/open"
	eq "$(jq -r '.open.sni // .type' <<<"$output" | head -n 1)" \
		docs.acme.example
	# Frames that were dropped stay told, at the end if need be.
	eq "${#lines[@]}" 3
	eq "$(jq -r '.dropped // empty' <<<"${lines[2]}")" 8
}

@test "-w with -o prints and records" {
	make_session
	run_tool 0 "$DUMP" -w "$T/copy" -o text -c 2 "$SESSION"
	eq "${#lines[@]}" 2
	run_tool 0 "$DUMP" "$T/copy"
	eq "${#lines[@]}" 2
}

@test "-w refuses an input that has no times" {
	unhex "$VECTORS/walk-initiator.hex" >"$T/in"
	run_tool 1 "$DUMP" -w "$T/out" "$T/in"
	one_error "/out: the input has no times and directions to record$"
}

@test "a token in a foreign capture is never printed or copied" {
	make_session
	sed "s/\*\{48\}/$(printf 'Q%.0s' {1..48})/" "$SESSION" >"$T/foreign"
	grep -aq QQQQ "$T/foreign"
	"$DUMP" -x "$T/foreign" >"$T/lines"
	"$DUMP" -o json --payload "$T/foreign" >>"$T/lines"
	run -1 grep -E 'QQQQ|UVFR|51 51' "$T/lines"
	"$DUMP" -w - "$T/foreign" | cmp - "$SESSION"
}

@test "a token is never printed or recorded" {
	unhex "$VECTORS/walk-initiator.hex" >"$T/in"
	grep -q secret "$T/in"
	"$DUMP" -x "$T/in" >"$T/lines"
	"$DUMP" -o json --payload "$T/in" >>"$T/lines"
	tap -w "$T/tapped" -o text --output "$T/tapped.txt" -x -- cat \
		<"$T/in" >"$T/out"
	cmp "$T/in" "$T/out"
	run -1 grep -aqE 'secret|c2VjcmV0|73 65 63' "$T/lines" "$T/tapped" \
		"$T/tapped.txt"
	run_tool 0 "$DUMP" -o json -f '.type == "AUTH"' "$T/tapped"
	eq "$(jq .length <<<"${lines[0]}")" 6
	grep -aqF '******' "$T/tapped"
}

# Bad input.

@test "a capture that was cut off shows its whole frames and ends with 1" {
	local size n shown=0 before=0

	make_session
	size=$(stat -c %s "$SESSION")
	for ((n = 0; n < size; n += n < 230 ? 1 : 37)); do
		head -c "$n" "$SESSION" >"$T/cut"
		"$DUMP" "$T/cut" >"$T/out" 2>"$T/why" && {
			# Only between two records is it a whole capture.
			[[ ! -s $T/why ]]
			continue
		}
		eq "$(wc -l <"$T/why")" 1
		grep -Eq "^frame-dump: $T/cut: offset [0-9]+: (cut off|empty)" \
			"$T/why"
		shown=$(wc -l <"$T/out")
		((shown >= before))
		before=$shown
	done
	((shown > 15))
}

@test "bytes that are no frames end it with 1 and the offset" {
	make_session
	printf 'GET / HTTP/1.1\r\n' >"$T/http"
	run_tool 1 "$DUMP" "$T/http"
	one_error "/http: offset 0: not adit frames$"
	{
		cat "$SESSION"
		printf 'abcdefghijklmnop'
	} >"$T/tail"
	run_tool 1 "$DUMP" "$T/tail"
	eq "${#lines[@]}" 20
	one_error "/tail: offset $(stat -c %s "$SESSION"): type 0x61: unknown$"
	{
		preamble
		frame 20 0 00000000000000000000000000000000
	} >"$T/mark"
	run_tool 1 "$DUMP" "$T/mark"
	one_error "offset 8: MARK outside a capture$"
	printf 'adit\r\n\002\001' >"$T/unmarked"
	frame 12 2 "" >>"$T/unmarked"
	run_tool 1 "$DUMP" "$T/unmarked"
	one_error "offset 8: END without a MARK before it$"
}

@test "a file that can not be read or written ends it with 1" {
	requires full
	make_session
	run_tool 1 "$DUMP" "$T/absent"
	one_error "^frame-dump: $T/absent: No such file or directory$"
	run_tool 1 "$DUMP" "$T"
	one_error ": Is a directory$"
	run_tool 1 "$DUMP" -w "$T/absent/file" "$SESSION"
	one_error ": No such file or directory$"
	run_tool 1 "$DUMP" --output /dev/full "$SESSION"
	one_error "^frame-dump: /dev/full: No space left on device$"
	run_tool 1 bash -c "'$DUMP' '$SESSION' >/dev/full"
	one_error "standard output: No space left on device$"
}

@test "a reader that goes away ends it with 1" {
	make_hop 4096 16
	run_tool 1 bash -c \
		"'$DUMP' '$T/hop' | head -n 1; exit \${PIPESTATUS[0]}"
	eq "$output" "- ? DATA stream=2 len=16"
	one_error "^frame-dump: standard output: Broken pipe$"
}

# Options.

@test "what the options can not mean ends it with 2" {
	make_session
	run_tool 2 "$DUMP" -o xml "$SESSION"
	eq "${stderr_lines[0]}" "frame-dump: --format: 'xml': not text, json or none"
	run_tool 2 "$DUMP" --time local "$SESSION"
	eq "${stderr_lines[0]}" "frame-dump: --time: 'local': not utc, iso, delta or none"
	run_tool 2 "$DUMP" --stream x "$SESSION"
	eq "${stderr_lines[0]}" "frame-dump: --stream: 'x': not a number"
	run_tool 2 "$DUMP" -c 0 "$SESSION"
	run_tool 2 "$DUMP" --stream 4294967296 "$SESSION"
	run_tool 2 "$DUMP" "$SESSION" "$SESSION"
	run_tool 2 "$DUMP" -w - -o text "$SESSION"
	run_tool 2 "$DUMP" -w - -s "$SESSION"
	run_tool 2 "$DUMP" -w -- "$SESSION"
	run_tool 2 "$DUMP" --
	eq "${stderr_lines[0]}" "frame-dump: --: no command"
	run_tool 2 "$DUMP" -w - -- true
	eq "${stderr_lines[0]}" \
		"frame-dump: --write: '-': standard output is the hop"
	run_tool 2 "$DUMP" --output - -- true
}

@test "an expression that jq refuses ends it with 2 and jq's message" {
	make_session
	run_tool 2 "$DUMP" -f '.type ==' "$SESSION"
	eq "$output" ""
	[[ ${stderr_lines[0]} == "frame-dump: --filter: syntax error"* ]]
	eq "${stderr_lines[1]}" "Try 'frame-dump --help'."
	run_tool 2 "$DUMP" -f 'nosuch(1)' -- touch "$T/started"
	[[ ${stderr_lines[0]} == *"nosuch/1 is not defined"* ]]
	[[ ! -e $T/started ]]
}

@test "an expression that fails on frames is reported once" {
	make_session
	run_tool 0 "$DUMP" -f '.open.sni | startswith("docs")' "$SESSION"
	eq "${#lines[@]}" 1
	one_error "^frame-dump: warning: --filter: startswith\(\) requires"
}

@test "-f takes any jq, and its first result decides" {
	make_session
	for expression in empty null 'false, true'; do
		run_tool 0 "$DUMP" -f "$expression" "$SESSION"
		eq "$output$stderr" ""
	done
	eq "$("$DUMP" -f '0' "$SESSION" | wc -l)" 21
	eq "$("$DUMP" -f '.length > 100 and .from == "acceptor"' "$SESSION" |
		cut -d ' ' -f 3)" OPEN
}

@test "frame-dump links neither OpenSSL nor libcurl" {
	run_tool 0 ldd "$DUMP"
	[[ $output == *libjq* ]]
	[[ $output != *libssl* && $output != *libcrypto* ]]
	[[ $output != *libcurl* ]]
}

# The tap.

@test "a tap shows both directions" {
	unhex "$VECTORS/walk-initiator.hex" >"$T/in"
	unhex "$VECTORS/walk-acceptor.hex" >"$T/answer"
	tap --time none -- sh -c 'cat "$1"; cat >/dev/null' sh "$T/answer" \
		<"$T/in" >"$T/out" 2>"$T/lines"
	cmp "$T/answer" "$T/out"
	grep '^>' "$T/lines" >"$T/forth"
	grep '^<' "$T/lines" >"$T/back"
	"$DUMP" --time none "$T/in" | sed 's/^?/>/' | diff - "$T/forth"
	"$DUMP" --time none "$T/answer" | sed 's/^?/</' | diff - "$T/back"
}

@test "a frame is shown as soon as it has passed" {
	mkfifo "$T/hop.in"
	exec {hop}<>"$T/hop.in"
	"$DUMP" -- cat <"$T/hop.in" >"$T/out" 2>"$T/tap.err" 3>&- {hop}>&- &
	PID[tap]=$!
	preamble >&"$hop"
	frame 12 2 "" >&"$hop"
	wait_line tap '> END stream=2'
	wait_line tap '< END stream=2'
	frame 12 4 "" >&"$hop"
	wait_line tap '< END stream=4'
	exec {hop}>&-
	wait_exit tap
	eq "$STATUS" 0
}

@test "100 MiB of any bytes pass both ways unchanged" {
	head -c 100M /dev/urandom >"$T/in"
	tap -- cat <"$T/in" >"$T/out" 2>"$T/err"
	cmp "$T/in" "$T/out"
	eq "$(cut -d : -f 2-4 "$T/err" | sort)" \
		" warning: command: offset 0
 warning: standard input: offset 0"
}

@test "100 MiB of frames pass both ways unchanged" {
	make_hop 2048 51200
	tap -o none -s --output "$T/lines" -- cat <"$T/hop" >"$T/out"
	cmp "$T/hop" "$T/out"
	IFS='= ' read -r _ frames _ dropped _ <"$T/lines"
	eq $((frames + dropped)) 4096
}

@test "a hop on one socket ends one direction at a time" {
	requires socat
	make_hop 64 1024
	# The command answers only after it has seen the end.  socat does not
	# wait for its child: 9 is open until the capture is written.
	eq "$(socat -t 60 - "EXEC:$DUMP -w $T/cap -- tac -s nowhere" \
		<"$T/hop" 9>&1 >"$T/out")" ""
	cmp "$T/hop" "$T/out"
	eq "$("$DUMP" "$T/cap" | cut -d ' ' -f 2,3 | sort | uniq -c |
		xargs echo)" "64 < DATA 64 > DATA"
}

@test "bytes that stop to be frames are passed on and reported once" {
	{
		preamble
		frame 12 2 ""
		printf 'x%.0s' {1..100}
		frame 12 4 ""
	} >"$T/in"
	run_tool 0 bash -c "timeout 60 '$DUMP' --time none -- cat >'$T/out' <'$T/in'"
	cmp "$T/in" "$T/out"
	local why="offset 20: type 0x78: unknown: passed on unseen from there"
	eq "$(sort <<<"$stderr")" "< END stream=2 len=0
> END stream=2 len=0
frame-dump: warning: command: $why
frame-dump: warning: standard input: $why"
}

@test "a hop that ends inside a frame is passed on and reported" {
	make_hop 1 1000
	head -c 500 "$T/hop" >"$T/in"
	run_tool 0 bash -c "timeout 60 '$DUMP' -- true <'$T/in'"
	run_tool 0 bash -c "timeout 60 '$DUMP' -- cat >'$T/out' <'$T/in'"
	cmp "$T/in" "$T/out"
	eq "${#stderr_lines[@]}" 2
	[[ $stderr == *"standard input: ended inside a frame"* ]]
}

@test "a consumer that does not read does not stall the tunnel" {
	local total=$((2 * 32768)) size

	mkfifo "$T/slow" "$T/in"
	exec {slow}<>"$T/slow" {in}<>"$T/in"
	make_hop 32768 1024
	size=$(stat -c %s "$T/hop")
	"$DUMP" --time none -- cat <"$T/in" >"$T/out" 2>"$T/slow" \
		3>&- {slow}>&- {in}>&- &
	PID[tap]=$!
	cat "$T/hop" >&"$in"
	size_is() { (($(stat -c %s "$T/out") == $1)); }
	wait_until size_is "$size"
	cmp "$T/hop" "$T/out"
	# Whoever reads again finds out how much is missing.
	cat <"$T/slow" >"$T/lines" 3>&- {slow}>&- {in}>&- &
	PID[reader]=$!
	exec {slow}>&-
	is_shown_again()
	{
		frame 12 2 "" >&"$in"
		total=$((total + 2))
		grep -q END "$T/lines"
	}
	wait_until is_shown_again
	exec {in}>&-
	wait_exit tap
	eq "$STATUS" 0
	wait_exit reader
	(($(count_dropped "$T/lines") > 1000))
	eq $(($(grep -vc MARK "$T/lines") + $(count_dropped "$T/lines"))) \
		"$total"
}

@test "a consumer that never reads does not outlive the tunnel" {
	mkfifo "$T/slow"
	exec {slow}<>"$T/slow"
	make_hop 32768 1024
	now_ms
	local start=$NOW
	tap -- cat <"$T/hop" >"$T/out" 2>"$T/slow" {slow}>&-
	now_ms
	cmp "$T/hop" "$T/out"
	((NOW - start < 10000))
}

command_is_over() { ! pgrep -P "${PID[tap]}" -x cat; }

@test "a signal leaves the consumer its second to finish" {
	local line

	mkfifo "$T/slow"
	make_hop 2048 1
	"$DUMP" --time none -- cat <"$T/hop" >"$T/out" 2>"$T/slow" 3>&- &
	PID[tap]=$!
	exec {slow}<"$T/slow"
	wait_until cmp -s "$T/hop" "$T/out"
	# Which would take the signals first.
	wait_until command_is_over
	for _ in {1..10}; do
		read -r line <&"$slow"
		echo "$line"
		kill -TERM "${PID[tap]}"
	done >"$T/lines"
	cat <&"$slow" >>"$T/lines"
	wait_exit tap
	eq "$STATUS" 0
	eq "$(sort "$T/lines" | uniq -c | xargs echo)" \
		"2048 < DATA stream=2 len=1 2048 > DATA stream=2 len=1"
}

@test "a full disk does not end the tunnel" {
	requires full
	make_hop 1024 1024
	run_tool 3 bash -c "timeout 60 '$DUMP' -w /dev/full -- sh -c 'cat; exit 3' \
		<'$T/hop' >'$T/out'"
	cmp "$T/hop" "$T/out"
	one_error "^frame-dump: /dev/full: No space left on device$"
}

@test "-c ends the lines and not the tunnel" {
	make_hop 1024 1024
	run_tool 0 bash -c "timeout 60 '$DUMP' -c 3 -- cat <'$T/hop' >'$T/out'"
	cmp "$T/hop" "$T/out"
	eq "${#stderr_lines[@]}" 3
}

@test "a tap ends with the command's status" {
	run_tool 7 "$DUMP" -- sh -c 'exit 7'
	run_tool 137 "$DUMP" -- sh -c 'kill -KILL $$'
	run -127 --separate-stderr "$DUMP" -- nosuchcommand
	one_error "^frame-dump: nosuchcommand: No such file or directory$"
	run_tool 126 "$DUMP" -- "$T"
	one_error ": Permission denied$"
}

# start_waiting COMMAND...: a tap whose hop stays open.
start_waiting()
{
	mkfifo "$T/open"
	exec {open}<>"$T/open"
	"$DUMP" -- "$@" <"$T/open" >"$T/out" 2>"$T/tap.err" 3>&- {open}>&- &
	PID[tap]=$!
}

@test "SIGTERM is passed on to the command" {
	start_waiting sh -c 'tail -f /dev/null & p=$!
		trap "kill $p; exit 5" TERM
		echo ready >&2
		wait'
	wait_line tap ready
	kill -TERM "${PID[tap]}"
	wait_exit tap
	eq "$STATUS" 5
}

@test "SIGINT is left to the command" {
	start_waiting sh -c 'echo ready >&2; cat'
	wait_line tap ready
	kill -INT "${PID[tap]}"
	is_alive tap
	exec {open}>&-
	wait_exit tap
	eq "$STATUS" 0
}

@test "a command that is killed ends the tap" {
	start_waiting sh -c 'echo "pid=$$" >&2; exec cat'
	wait_line tap 'pid='
	kill -KILL "$(sed -n 's/^pid=//p' "$T/tap.err")"
	wait_exit tap
	eq "$STATUS" 137
}

@test "a tap that is killed takes its command along" {
	local pid

	start_waiting sh -c 'echo "pid=$$" >&2; exec tail -f /dev/null'
	wait_line tap 'pid='
	pid=$(sed -n 's/^pid=//p' "$T/tap.err")
	kill -KILL "${PID[tap]}"
	wait_exit tap
	wait_until is_over "$pid"
}

@test "a command that stops reading is told to the other side" {
	mkfifo "$T/zeros"
	exec {zeros}<>"$T/zeros"
	"$DUMP" -q -- perl -e 'shutdown(STDIN, 0); print STDERR "ready\n";
		exec "tail", "-f", "/dev/null"' <"$T/zeros" >"$T/out" \
		2>"$T/tap.err" 3>&- {zeros}>&- &
	PID[tap]=$!
	wait_line tap ready
	cat /dev/zero >"$T/zeros" 3>&- {zeros}>&- &
	PID[writer]=$!
	exec {zeros}>&-
	wait_exit writer
	eq "$STATUS" 141 # SIGPIPE
	is_alive tap
}

@test "standard input and output are left as they were" {
	mkfifo "$T/p"
	exec {p}<>"$T/p"
	tap -- true <&"$p" >&"$p" 2>/dev/null
	# O_NONBLOCK is 04000.
	awk '/^flags/ {seen = $2 !~ /[4-7]...$/} END {exit !seen}' \
		"/proc/self/fdinfo/$p"
}
