# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154 # set by the helpers
# shellcheck disable=SC2016 # for the shell inside

# sandbox-exec --mcp: real clients, and what no client would send.

load helpers.bash
load sandbox-exec.bash

PEERS=${PEERS:-$ROOT/build/peers}

setup_file()
{
	setup_file_sandbox
	"$ROOT/tests/peers/install.sh" "$PEERS"
}
teardown_file() { teardown_file_sandbox; }
setup()
{
	sandbox_setup
	new_workspace
	BELOW=() # a command in front of the program
	SECONDS_OF_TEST=5$BASHPID
}
teardown()
{
	mcp_close
	sandbox_teardown
}

INITIALIZE='{"jsonrpc":"2.0","id":0,"method":"initialize","params":{
"protocolVersion":"2025-11-25","capabilities":{},
"clientInfo":{"name":"raw","version":"1"}}}'
META='"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",
"io.modelcontextprotocol/clientCapabilities":{}}'

# mcp_open [OPTION...]: starts the server; say and hear talk to it.
mcp_open()
{
	rm -f "$T/to" "$T/from"
	mkfifo "$T/to" "$T/from"
	"${AS[@]}" "${BELOW[@]}" "$SX" --rw . "$@" --mcp <"$T/to" >"$T/from" 2>"$T/mcp.err" \
		3>&- &
	PID[mcp]=$!
	exec {TO}>"$T/to" {FROM}<"$T/from"
}

mcp_close()
{
	[[ -z ${TO-} ]] || exec {TO}>&-
	[[ -z ${FROM-} ]] || exec {FROM}<&-
	TO='' FROM=''
}

# say JSON: as one line.
say()
{
	printf '%s\n' "${1//$'\n'/}" >&"$TO"
}

# hear: the next line is LINE.
hear()
{
	LINE=
	IFS= read -r -t "$DEADLINE" -u "$FROM" LINE
}

# hear_is FILTER WANTED: what jq makes of the next line.
hear_is()
{
	local got

	hear || { echo "no answer, wanted $1: $2"; cat "$T/mcp.err"; return 1; }
	got=$(jq -c "$1" <<<"$LINE")
	[[ $got == "$2" ]] || { echo "$LINE"; echo "$1: $got, not $2"; return 1; }
}

# ask JSON FILTER WANTED
ask()
{
	say "$1"
	hear_is "$2" "$3"
}

handshake()
{
	ask "$INITIALIZE" '[.id, .result.protocolVersion]' '[0,"2025-11-25"]'
	say '{"jsonrpc":"2.0","method":"notifications/initialized"}'
}

# call ID TOOL ARGUMENTS
call()
{
	say '{"jsonrpc":"2.0","id":'"$1"',"method":"tools/call","params":{
"name":"'"$2"'","arguments":'"$3"'}}'
}

# ends STATUS: the server's end, after its input's.
ends()
{
	local status=0

	[[ -z ${TO-} ]] || exec {TO}>&-
	TO=
	wait_until is_over "${PID[mcp]}"
	wait "${PID[mcp]}" || status=$?
	unset "PID[mcp]"
	((status == $1)) || { echo "status $status"; cat "$T/mcp.err"; return 1; }
}

client()
{
	run_tool 0 "$ROOT/tests/peers/run" "$PEERS" sandbox-tools.mjs \
		--era "$1" "$SX" --rw . --mcp -- all
	[[ $output != *'not ok'* ]]
	[[ $output == *'ok 9'* ]]
}

@test "the SDK's 1.x client uses every tool" {
	client 1
}

@test "the SDK's 2.x client finds out that it can speak 2026-07-28" {
	client auto
}

@test "the SDK's 2.x client pinned to 2026-07-28 uses every tool" {
	client pin
}

@test "the SDK's 2.x client that shakes hands uses every tool" {
	client legacy
}

# every_tool: one call of each, and one that must not work.
every_tool()
{
	chmod 777 . # without namespaces root's tools are somebody else's
	mcp_open
	handshake
	call 1 bash '{"command":"echo $((6 * 7))"}'
	hear_is '.result.content[0].text' '"42"'
	call 2 write '{"file_path":"d/f","content":"one\ntwo\n"}'
	hear_is '.result.content[0].text' '"wrote 8 bytes to d/f"'
	call 3 edit '{"file_path":"d/f","old_string":"two","new_string":"2"}'
	hear_is '.result.content[0].text' '"edited d/f (1 replacement(s))"'
	call 4 read '{"file_path":"d/f"}'
	hear_is '.result.content[0].text' '"one\n2\n"'
	call 5 glob '{"pattern":"**/f"}'
	hear_is '.result.content[0].text' "\"$W/d/f\""
	call 6 grep '{"pattern":"^2"}'
	hear_is '.result.content[0].text | rtrimstr("\n")' "\"$W/d/f:2:2\""
	call 7 read '{"file_path":"/etc/hostname"}'
	hear_is .result.isError true
	call 8 bash "{\"command\":\"ln -s $SX_DIR out\"}"
	hear_is .result.isError false
	call 9 write '{"file_path":"out/no","content":""}'
	hear_is '.result.content[0].text | test("outside")' true
	ends 0
	mcp_close
	[[ $(cat "$W/d/f") == $'one\n2' && ! -e $SX_DIR/no ]]
}

@test "every tool works for root and for an ordinary user" {
	each every_tool
}

@test "every tool works where namespaces are refused" {
	BELOW=("$SX_DIR/refuse")
	each every_tool
}

is_warned()
{
	mcp_open
	handshake
	call 1 bash '{"command":"true"}'
	hear_is .result.isError false
	ends 0
	grep -q '^sandbox-exec: warning: namespaces: .*: ' "$T/mcp.err"
	mcp_close
	mcp_open --quiet
	handshake
	call 1 bash '{"command":"true"}'
	hear_is .result.isError false
	ends 0
	[[ ! -s $T/mcp.err ]]
	mcp_close
}

@test "what is less than the policy asks for is told" {
	BELOW=("$SX_DIR/refuse")
	each is_warned
}

@test "every tool works where nothing in memory may be executed" {
	BELOW=("$SX_DIR/refuse" --some=memfd)
	each every_tool
}

@test "the tools run as an ordinary user, behind every wall" {
	mcp_open
	handshake
	call 1 bash '{"command":"id -u; cat /proc/self/status | grep -E ^Seccomp:\\|^NoNewPrivs:"}'
	hear_is '.result.content[0].text' '"1000\nNoNewPrivs:\t1\nSeccomp:\t2"' ||
		[[ $WHO != root && $LINE == *'NoNewPrivs:\t1\nSeccomp:\t2'* ]]
	call 2 read '{"file_path":"/etc/shadow"}'
	hear_is '[.result.isError, (.result.content[0].text | test("outside"))]' \
		'[true,true]'
	ends 0
	[[ ! -s $T/mcp.err ]]
}

@test "revisions are negotiated, 2025-11-25 for any other" {
	local v

	mcp_open
	for v in 2025-06-18 2025-11-25; do
		ask "${INITIALIZE/2025-11-25/$v}" .result.protocolVersion "\"$v\""
	done
	for v in 2024-11-05 2025-03-26 2026-07-28 "$(printf 'x%.0s' {1..99})"; do
		ask "${INITIALIZE/2025-11-25/$v}" .result.protocolVersion \
			'"2025-11-25"'
	done
	ends 0
}

@test "2026-07-28 needs no handshake, and what it says on each request" {
	local meta=io.modelcontextprotocol

	mcp_open
	ask '{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{'"$META"'}}' \
		'.result | [.supportedVersions, .resultType, .cacheScope, (.ttlMs > 0),
			.capabilities, ._meta["io.modelcontextprotocol/serverInfo"].name]' \
		'[["2026-07-28","2025-11-25","2025-06-18"],"complete","public",true,{"tools":{}},"sandbox-exec"]'
	ask '{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{'"$META"'}}' \
		'.result | [(.tools | length), .resultType, .cacheScope, (.ttlMs > 0)]' \
		'[6,"complete","public",true]'
	ask '{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{'"$META"',
"name":"write","arguments":{"file_path":"a","content":"b"}}}' \
		'.result | [.resultType, .content, .isError]' \
		'["complete",[{"type":"text","text":"wrote 1 bytes to a"}],false]'
	ask '{"jsonrpc":"2.0","id":4,"method":"tools/list","params":{}}' \
		'[.id, .error.code]' '[4,-32602]'
	ask '{"jsonrpc":"2.0","id":5,"method":"tools/list"}' \
		'[.id, .error.code]' '[5,-32602]'
	ask '{"jsonrpc":"2.0","id":6,"method":"tools/list","params":{"_meta":{
"'$meta'/protocolVersion":"2026-07-28"}}}' '[.id, .error.code]' '[6,-32602]'
	ask '{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"_meta":{
"'$meta'/protocolVersion":"1900-01-01","'$meta'/clientCapabilities":{}}}}' \
		'[.id, .error.code, .error.data]' \
		'[7,-32022,{"supported":["2026-07-28","2025-11-25","2025-06-18"],"requested":"1900-01-01"}]'
	ask '{"jsonrpc":"2.0","id":8,"method":"ping","params":{'"$META"'}}' \
		'[.id, .error.code]' '[8,-32601]'
	ask '{"jsonrpc":"2.0","id":9,"method":"initialize","params":{'"$META"'}}' \
		'[.id, .error.code]' '[9,-32601]'
	ends 0
}

@test "both eras may be mixed" {
	mcp_open
	handshake
	ask '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' \
		'.result | [(.tools | length), .resultType]' '[6,null]'
	ask '{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{'"$META"'}}' \
		'.result.resultType' '"complete"'
	ask '{"jsonrpc":"2.0","id":3,"method":"ping"}' '.result' '{}'
	ends 0
}

@test "an id of any kind is given back as it was written" {
	local id

	mcp_open
	handshake
	for id in 7 -1 1.50 1e3 12345678901234567890123 '"a"' '""' \
		'"\u0041\"\\\/ é"'; do
		say '{"jsonrpc":"2.0","id":'"$id"',"method":"ping"}'
		hear
		[[ $LINE == '{"jsonrpc":"2.0","id":'"$id"',"result":{}}' ]]
		call "$id" write '{"file_path":"a","content":""}'
		hear
		[[ $LINE == '{"jsonrpc":"2.0","id":'"$id"',"result":{"content":'* ]]
	done
	for id in null true '[1]' '{}' "\"$(printf 'x%.0s' {1..1100})\""; do
		ask '{"jsonrpc":"2.0","id":'"$id"',"method":"ping"}' \
			'[.id, .error.code]' '[null,-32600]'
	done
	ends 0
}

@test "bad messages are answered, and the next one is served" {
	local bad

	mcp_open
	handshake
	for bad in '{' 'x' '{"jsonrpc":"2.0","id":1,"method":"ping"} x' '"' \
		$'{"jsonrpc":"2.0","id":1,"method":"p\xff"}' \
		"$(printf '[%.0s' {1..100})"; do
		ask "$bad" '[.id, .error.code]' '[null,-32700]'
	done
	for bad in '[]' '[{"jsonrpc":"2.0","id":1,"method":"ping"}]' 'null' '5' \
		'{}' '{"jsonrpc":"2.0"}'; do
		ask "$bad" '[.id, .error.code]' '[null,-32600]'
	done
	for bad in '"jsonrpc":"1.0","method":"ping"' '"method":"ping"' \
		'"jsonrpc":"2.0"' '"jsonrpc":"2.0","method":5' \
		'"jsonrpc":"2.0","method":"ping","method":"ping"' \
		'"jsonrpc":"2.0","method":"ping","params":[]' \
		'"jsonrpc":"2.0","method":"ping","params":5'; do
		ask '{"id":1,'"$bad"'}' '[.id, .error.code]' '[1,-32600]'
	done
	say ''
	say '{"jsonrpc":"2.0","method":"nobody/knows"}'
	say '{"jsonrpc":"2.0","id":5,"result":{}}'
	say '{"jsonrpc":"2.0","method":"notifications/cancelled"}'
	say '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":[]}}'
	ask '{"jsonrpc":"2.0","id":2,"method":"ping"}'$'\r' '[.id, .result]' '[2,{}]'
	ends 0
	[[ ! -s $T/mcp.err ]]
}

@test "bad parameters are errors of the protocol, bad arguments are results" {
	local bad

	mcp_open
	handshake
	for bad in '' '"name":5' '"name":"none"' '"name":"bash","arguments":[]' \
		'"name":"bash","arguments":"x"' '"name":"bash","name":"read"' \
		'"name":"bash","_meta":[]' \
		'"name":"bash","_meta":{"progressToken":[]}'; do
		ask '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{'"$bad"'}}' \
			'[.id, .error.code]' '[1,-32602]'
	done
	ask '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"x"}}' \
		'[.id, .error.code]' '[1,-32602]'
	for bad in resources/list prompts/list logging/setLevel completion/complete \
		server/discover tasks/list "$(printf 'x%.0s' {1..999})"; do
		say '{"jsonrpc":"2.0","id":1,"method":"'"$bad"'","params":{"level":"info"}}'
		hear
		[[ $LINE == *'"code":-3260'[12]* ]]
	done
	call 2 read '{"file_path":7}'
	hear_is .result '{"content":[{"type":"text","text":"read: file_path must be a string"}],"isError":true}'
	call 3 bash '{}'
	hear_is .result '{"content":[{"type":"text","text":"bash: command is required"}],"isError":true}'
	ends 0
}

@test "a line of 16 MiB is read, a longer one is refused and passed over" {
	mcp_open
	handshake
	{
		printf '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"'
		head -c $((16777216 - 59)) /dev/zero | tr '\0' x
		printf '"}}\n'
	} >&"$TO"
	hear_is '[.id, .result]' '[1,{}]'
	{
		head -c 40000000 /dev/zero | tr '\0' x
		printf '\n{"jsonrpc":"2.0","id":2,"method":"ping"}\n'
	} >&"$TO" &
	hear_is '[.id, .error.code]' '[null,-32700]'
	hear_is '[.id, .result]' '[2,{}]'
	wait "$!"
	ends 0
}

@test "arguments above 8 MiB are refused" {
	mcp_open
	handshake
	{
		printf '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{'
		printf '"name":"write","arguments":{"file_path":"f","content":"'
		head -c 8388608 /dev/zero | tr '\0' x
		printf '"}}}\n'
	} >&"$TO"
	hear_is '[.id, .error.code, .error.message]' \
		'[1,-32602,"arguments: above 8 MiB"]'
	[[ ! -e f ]]
	ends 0
}

@test "a call that is cancelled is killed, and nothing is said of it" {
	mcp_open
	handshake
	say '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"bash",
"_meta":{"progressToken":"t"},"arguments":{"command":"echo go; sleep 300; touch finished"}}}'
	call 2 bash '{"command":"echo waits"}'
	call 3 bash '{"command":"pgrep -x sleep; echo next"}'
	hear_is '[.method, .params.progressToken, .params.message]' \
		'["notifications/progress","t","go"]'
	say '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}'
	say '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1.0}}'
	hear_is '[.id, .result.content[0].text]' '[3,"next"]'
	[[ ! -e finished ]]
	ends 0
}

@test "an id that is in use is refused, and calls are not without end" {
	local i

	mcp_open
	handshake
	call 1 bash '{"command":"until [ -e go ]; do sleep 0.05; done"}'
	call '"1"' bash '{"command":"true"}'
	call 1 bash '{"command":"true"}'
	hear_is '[.id, .error.message]' '[1,"the id is in use"]'
	for ((i = 2; i < 64; i++)); do
		call "$i" bash '{"command":"true"}'
	done
	call 99 bash '{"command":"true"}'
	hear_is '[.id, .error]' '[99,{"code":-32603,"message":"too many calls wait"}]'
	touch go
	hear_is '[.id, .result.isError]' '[1,false]'
	hear_is .id '"1"'
	for ((i = 2; i < 64; i++)); do
		hear_is .id "$i"
	done
	ends 0
}

@test "a killed shell costs its call, and the next one has a new one" {
	mcp_open
	handshake
	call 1 bash '{"command":"x=1; kill -9 $$"}'
	hear_is '[.id, .result]' '[1,{"content":[{"type":"text","text":"bash: bash session terminated"}],"isError":true}]'
	call 2 bash '{"command":"echo ${x-new}"}'
	hear_is '[.id, .result.content[0].text]' '[2,"new"]'
	ends 0
}

# sleep_twice: a call that goes on, and what it leaves in another session, both
# with an argument that no other test's processes have.
sleep_twice()
{
	say '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"bash",
"_meta":{"progressToken":1},"arguments":{"command":"setsid sleep '"$SECONDS_OF_TEST"' & echo go; sleep '"$SECONDS_OF_TEST"'"}}}'
	hear_is .params.message '"go"'
}

nobody_sleeps()
{
	local found=0

	pgrep -xf "sleep $SECONDS_OF_TEST" || found=$?
	((found == 1))
}

@test "everything ends with the input, whatever runs" {
	mcp_open
	handshake
	sleep_twice
	ends 0
	nobody_sleeps
	run ! hear
}

@test "what was answered before the end of the input can be read after it" {
	head -c 250000 /dev/zero | tr '\0' x >long
	chmod a+r long
	mcp_open --audit "$T/audit"
	handshake
	call 1 read '{"file_path":"long"}'
	call 2 bash "{\"command\":\"sleep $SECONDS_OF_TEST\"}"
	was_called() { grep -q '"event":"call"' "$T/audit"; }
	wait_until was_called
	exec {TO}>&-
	TO=
	pause
	hear_is '[.id, (.result.content[0].text | length)]' '[1,250000]'
	run ! hear
	ends 0
	nobody_sleeps
}

# The handshake does not wait until the process has its name.
zygote_has_name()
{
	ZYGOTE=$(pgrep -P "${PID[mcp]}" -x sandbox-zygote)
}

@test "without the process that builds sandboxes it ends" {
	mcp_open
	handshake
	wait_until zygote_has_name
	kill -KILL "$ZYGOTE"
	wait_until is_over "${PID[mcp]}"
	ends 125
	[[ $(<"$T/mcp.err") == 'sandbox-exec: the process that builds sandboxes was killed' ]]
}

@test "a signal ends it in good order" {
	mcp_open
	handshake
	kill -TERM "${PID[mcp]}"
	ends 0
}

@test "SIGKILL leaves nothing behind" {
	mcp_open
	handshake
	sleep_twice
	kill -KILL "${PID[mcp]}"
	wait_exit mcp
	wait_until nobody_sleeps
}

@test "a client that reads nothing holds it up and not its memory" {
	local i rss

	mcp_open
	handshake
	call 0 bash '{"command":"head -c 100000 /dev/zero | tr \"\\0\" \"\\1\" >big"}'
	hear_is .id 0
	for ((i = 1; i <= 60; i++)); do
		call "$i" read '{"file_path":"big"}'
	done
	say '{"jsonrpc":"2.0","id":"p","method":"ping"}'
	pause
	wait_until sleeping "${PID[mcp]}"
	rss=$(awk '/^VmHWM/{print $2}' "/proc/${PID[mcp]}/status")
	((rss < 30000)) || { echo "$rss kB"; return 1; }
	timeout "$DEADLINE" head -n 61 <&"$FROM" >"$T/lines"
	(($(wc -c <"$T/lines") > 60 * 600000))
	[[ $(jq -c .id "$T/lines" | sort -n | tail -n +2) == "$(seq 60)" ]]
	ends 0
}

sleeping()
{
	[[ $(</proc/"$1"/stat) == *') S '* ]]
}

@test "output that is closed is an error" {
	mcp_open
	handshake
	exec {FROM}<&-
	FROM=
	say '{"jsonrpc":"2.0","id":1,"method":"ping"}'
	ends 1
	[[ $(<"$T/mcp.err") == 'sandbox-exec: standard output: Broken pipe' ]]
}

@test "a sandbox that cannot be built is the result of each call" {
	printf '#!/bin/sh\n' >x
	mcp_open --workdir /nowhere
	handshake
	call 1 bash '{"command":"true"}'
	hear
	[[ $LINE == *'"id":1,"result":'*'"isError":true'* && $LINE == *nowhere* ]]
	ask '{"jsonrpc":"2.0","id":2,"method":"ping"}' .result '{}'
	ends 0
}

@test "--mcp takes no command and goes with none of the other modes" {
	run_tool 125 "$SX" --mcp true
	[[ ${stderr_lines[0]} == 'sandbox-exec: --mcp takes no command, --explain, --changes, --diff, --commit, --discard or --status-fd' ]]
	run_tool 125 "$SX" --mcp --serve
	[[ ${stderr_lines[0]} == 'sandbox-exec: --serve and --mcp exclude each other' ]]
}

@test "rg searches if the sandbox has one, and what it finds looks the same" {
	local with without

	mkdir -p s/d
	printf 'a needle\n' >s/d/f
	printf 'no\nneedle\n' >s/g
	mcp_open
	handshake
	call 1 bash '{"command":"command -v rg"}'
	hear_is .result.isError false
	call 2 grep '{"pattern":"needle","path":"s"}'
	hear
	with=$(jq -r '.result.content[0].text' <<<"$LINE" | grep . | sort)
	ends 0
	mcp_close
	mcp_open --env PATH=/nowhere
	handshake
	call 2 grep '{"pattern":"needle","path":"s"}'
	hear
	without=$(jq -r '.result.content[0].text' <<<"$LINE" | grep . | sort)
	ends 0
	[[ $with == "$without" ]]
	[[ $with == "$PWD/s/d/f:1:a needle"$'\n'"$PWD/s/g:2:needle" ]]
}

@test "what rg cannot match is its error, in our words" {
	mcp_open
	handshake
	printf 'x\n' >f
	call 1 grep '{"pattern":"a("}'
	hear_is '[.result.isError, (.result.content[0].text | startswith("grep: rg failed: regex parse error:"))]' \
		'[true,true]'
	call 2 grep '{"pattern":"nothing"}'
	hear_is '.result' '{"content":[{"type":"text","text":"no matches"}],"isError":false}'
	call 3 grep '{"pattern":"x","path":"f"}'
	hear_is '.result.content[0].text' '"1:x\n"'
	call 4 bash '{"command":"mkdir closed; chmod 0 closed"}'
	hear_is .result.isError false
	call 5 grep '{"pattern":"x","path":"closed"}'
	hear_is '.result.content[0].text' '"grep: rg failed: Permission denied"'
	ends 0
}
