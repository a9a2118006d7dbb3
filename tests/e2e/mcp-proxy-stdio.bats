# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # the helpers' names

# mcp-proxy as a bridge: Streamable HTTP of each revision on one side, a
# process that speaks MCP on its standard input and output on the other.

load helpers.bash
load mcp-proxy.bash
load bridge.bash

# ---- sessions

@test "initialize begins a session with a process of its own" {
	start_bridge
	begin
	[[ $SID =~ ^[0-9a-f]{48}$ ]]
	call 1 pid
	local first
	first=$(text)
	eq "$first" "$(processes)"
	begin
	call 1 pid
	[[ $(text) != "$first" ]]
	eq "$(process_count)" 2
}

@test "a missing session is a 400, an unknown one a 404" {
	start_bridge
	call 1 echo
	eq "$CODE" 400
	for SID in 0123 "$(printf '%048d' 0)" 'x y' ../etc; do
		call 1 echo
		eq "$CODE" 404
	done
	for SID in '' "$(printf '%048d' 1)"; do
		run -0 agent_curl -o /dev/null -w '%{http_code}' \
			${SID:+-H "Mcp-Session-Id: $SID"} /mcp
		eq "$output" "$([[ $SID ]] && echo 404 || echo 400)"
	done
}

@test "a session header given twice is refused" {
	start_bridge
	begin
	ask "$(tool 1 echo)" -H "Mcp-Session-Id: $SID"
	eq "$CODE" 400
}

@test "DELETE ends the session and its process" {
	start_bridge
	begin
	run -0 agent_curl -X DELETE -H "Mcp-Session-Id: $SID" -o /dev/null \
		-w '%{http_code}' /mcp
	eq "$output" 200
	call 1 echo
	eq "$CODE" 404
	wait_until processes_are 0
}

@test "a process that ignores the end of its input and SIGTERM is killed" {
	start_bridge stubborn
	begin
	run -0 agent_curl -X DELETE -H "Mcp-Session-Id: $SID" /mcp
	wait_line proxy 'ended: signal 9'
	wait_until processes_are 0
}

@test "nothing that a process started survives it" {
	local left

	start_bridge
	begin
	call 1 child
	left=$(text)
	[[ -d /proc/$left ]]
	run -0 agent_curl -X DELETE -H "Mcp-Session-Id: $SID" /mcp
	wait_until is_over "$left"
}

@test "a session that nobody uses ends after idle_timeout" {
	KEYS='idle_timeout: 1s' start_bridge
	begin
	wait_line proxy 'a session ended: nobody used it'
	wait_until processes_are 0
	call 1 echo
	eq "$CODE" 404
}

@test "sessions above the limit are refused" {
	KEYS='sessions: 2' start_bridge
	begin
	begin
	SID=
	ask "$(initialize)"
	eq "$CODE" 503
	[[ $(field adit-error) == 'limit; blame=proxy' ]]
	eq "$(process_count)" 2
}

# ---- messages

@test "ids come back byte for byte" {
	local id

	start_bridge
	begin
	for id in 1 0 -5 1.50 1e3 '"a"' '"\u0061\n"' '""' '"1"' \
		123456789012345678901234567890; do
		call "$id" echo '{"message":"m"}'
		eq "$CODE" 200
		echo "$BODY"
		[[ $BODY == *"\"id\":$id,"* || $BODY == *"\"id\":$id}" ]]
	done
}

@test "what is no request is refused with the code of JSON-RPC" {
	start_bridge
	begin
	while IFS='|' read -r data code; do
		ask "$data"
		eq "$CODE" 400
		eq "$(jq .error.code <<<"$BODY")" "$code"
	done <<-'END'
	{|-32700
	|-32700
	"x"|-32600
	{}|-32600
	{"jsonrpc":"1.0","id":1,"method":"ping"}|-32600
	{"jsonrpc":"2.0","id":null,"method":"ping"}|-32600
	{"jsonrpc":"2.0","id":[],"method":"ping"}|-32600
	{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}|-32600
	{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}|-32600
	{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}|-32600
	{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}|-32600
	{"jsonrpc":"2.0","id":1,"method":"ping"} x|-32700
	END
}

@test "a message in many lines reaches the process as one" {
	start_bridge
	begin
	ask $'{\r\n"jsonrpc":"2.0",\n"id":\n"x",\r"method":"tools/call","params":{"name":"echo","arguments":{"message":"a b"}}}\n'
	eq "$(text)" 'a b'
}

@test "a message above message_size is a 413, one below passes" {
	KEYS='message_size: 64k' start_bridge
	begin
	call 1 echo "{\"message\":\"$(printf '%060000d' 0)\"}"
	eq "$CODE" 200
	call 1 echo "{\"message\":\"$(printf '%070000d' 0)\"}"
	eq "$CODE" 413
	call 1 echo '{"message":"still here"}'
	eq "$(text)" 'still here'
}

@test "10 MiB come back whole" {
	start_bridge
	begin
	agent_curl -o "$T/large" -H "Mcp-Session-Id: $SID" \
		-H 'Content-Type: application/json' \
		-d "$(tool 1 large '{"count":10485760}')" /mcp
	eq "$(jq -r '.result.content[0].text' "$T/large" | tr -d '\n' | wc -c)" \
		10485760
}

@test "what the head asks wrongly is refused" {
	start_bridge
	begin
	ask "$(tool 1 echo)" -H 'Content-Type: text/plain'
	eq "$CODE" 415
	ACCEPT=text/html call 1 echo
	eq "$CODE" 406
	ask "$(tool 1 echo)" -X PUT
	eq "$CODE" 405
	ask "$(tool 1 echo)" -H 'Origin: https://evil.example'
	eq "$CODE" 403
	ask "$(tool 1 echo '{"message":"m"}')" -H "Origin: https://$NAME"
	eq "$CODE" 200
	URL_PATH=/other call 1 echo
	eq "$CODE" 404
	URL_PATH=/.well-known/oauth-protected-resource/mcp call 1 echo
	eq "$CODE" 404
	VERSION=1999-01-01 call 1 echo
	eq "$CODE" 400
}

@test "an answer alone is JSON, with notifications before it a stream" {
	start_bridge
	begin
	call 1 echo '{"message":"m"}'
	eq "$(field content-type)" application/json
	call 1 progress '{"count":3}' '{"progressToken":"tok"}'
	eq "$(field content-type)" text/event-stream
	eq "$(grep -c '^data: {' <<<"$BODY")" 4
	eq "$(sed -n 's/^data: //p' <<<"$BODY" |
		jq -c 'select(.method) | [.params.progressToken, .params.progress]' |
		xargs)" '[tok,1] [tok,2] [tok,3]'
	eq "$(text)" 'token number'
}

@test "who takes only JSON or only a stream gets that" {
	start_bridge
	begin
	ACCEPT=application/json call 1 progress '{"count":2}' \
		'{"progressToken":1}'
	eq "$(field content-type)" application/json
	eq "$(text)" 'token number'
	ACCEPT=text/event-stream call 1 echo '{"message":"m"}'
	eq "$(field content-type)" text/event-stream
	eq "$(text)" m
}

@test "batches are for 2025-03-26 only" {
	local batch

	batch="[$(tool 1 echo '{"message":"one"}'),$(tool '"2"' echo '{"message":"two"}'),{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}]"
	start_bridge
	begin 2025-03-26
	ask "$batch"
	eq "$CODE" 200
	eq "$(sed -n 's/^data: //p' <<<"$BODY" |
		jq -r '"\(.id)\(.result.content[0].text)"' | sort | xargs)" \
		'1one 2two'
	ACCEPT=application/json ask "$batch"
	eq "$(jq -r '.[].result.content[0].text' <<<"$BODY" | sort | xargs)" \
		'one two'
	ask '[]'
	eq "$CODE" 400
	ask '[{"jsonrpc":"2.0","method":"notifications/x"}]'
	eq "$CODE" 202
	ask "[$(tool 1 echo)$(for _ in {1..64}; do echo ",$(tool 1 echo)"; done)]"
	eq "$CODE" 400
	begin
	ask "$batch"
	eq "$CODE" 400
	[[ $BODY == *'batches: only in 2025-03-26'* ]]
}

# ---- streams and what the process asks

# start_stream NAME: a GET stream of the session, into $T/NAME.out.
start_stream()
{
	start_bg "$1" curl -sN --max-time 60 --cacert "$T/certs/ca.crt" \
		--resolve "*:$PROXY:127.0.0.1" -H "Mcp-Session-Id: $SID" \
		-H 'Accept: text/event-stream' -D "$T/$1.head" \
		"https://$NAME:$PROXY/mcp"
	wait_until has_line "$T/$1.head" '^HTTP/1.1 200'
}

@test "what belongs to no request goes to the GET stream" {
	start_bridge
	begin
	start_stream stream
	# With two requests open nobody can tell which one it is about.
	start_hold a
	start_hold b
	call 3 log '{"data":"hello"}'
	wait_until has_line "$T/stream.out" '"data":"hello"'
	release a
	release b
}

# start_hold KEY: a call in the background that waits for release KEY.
start_hold()
{
	start_bg "hold$1" curl -s --max-time 60 --cacert "$T/certs/ca.crt" \
		--resolve "*:$PROXY:127.0.0.1" -H "Mcp-Session-Id: $SID" \
		-H 'Content-Type: application/json' \
		-d "$(tool "\"$1\"" hold "{\"key\":\"$1\"}")" \
		"https://$NAME:$PROXY/mcp"
	wait_line proxy "holding $1"
}

release()
{
	call '"release"' release "{\"key\":\"$1\"}"
	eq "$(text)" released
	wait_exit "hold$1"
	[[ $(<"$T/hold$1.out") == *"held $1"* ]]
}

@test "what comes before there is a stream is kept for it" {
	start_bridge
	begin
	ACCEPT=application/json call 1 log '{"data":"kept"}'
	eq "$(text)" logged
	start_stream stream
	wait_until has_line "$T/stream.out" '"data":"kept"'
}

@test "a newer GET stream takes the place of the older" {
	start_bridge
	begin
	start_stream one
	start_stream two
	wait_exit one
	eq "$STATUS" 0
	is_alive two
}

@test "a request of the process reaches its client and the answer comes back" {
	local id

	start_bridge
	begin
	start_bg asked curl -sN --max-time 60 --cacert "$T/certs/ca.crt" \
		--resolve "*:$PROXY:127.0.0.1" -H "Mcp-Session-Id: $SID" \
		-H 'Content-Type: application/json' -d "$(tool 1 ask '{"id":"own"}')" \
		"https://$NAME:$PROXY/mcp"
	wait_until has_line "$T/asked.out" 'sampling/createMessage'
	id=$(sed -n 's/^data: //p' "$T/asked.out" | jq -c .id)
	# An answer to nothing, and then to this.
	ask '{"jsonrpc":"2.0","id":999,"result":{}}'
	eq "$CODE" 202
	ask "{\"jsonrpc\":\"2.0\",\"id\":$id,\"result\":{\"model\":\"me\"}}"
	eq "$CODE" 202
	wait_exit asked
	[[ $(<"$T/asked.out") == *'model\":\"me'* ]]
}

@test "the process of another session gets no answer of this one" {
	local id other

	start_bridge
	begin
	other=$SID
	begin
	start_bg asked curl -sN --max-time 60 --cacert "$T/certs/ca.crt" \
		--resolve "*:$PROXY:127.0.0.1" -H "Mcp-Session-Id: $SID" \
		-H 'Content-Type: application/json' -d "$(tool 1 ask)" \
		"https://$NAME:$PROXY/mcp"
	wait_until has_line "$T/asked.out" 'sampling/createMessage'
	id=$(sed -n 's/^data: //p' "$T/asked.out" | jq -c .id)
	SID=$other ask "{\"jsonrpc\":\"2.0\",\"id\":$id,\"result\":{\"model\":\"evil\"}}"
	ask "{\"jsonrpc\":\"2.0\",\"id\":$id,\"result\":{\"model\":\"good\"}}"
	wait_exit asked
	[[ $(<"$T/asked.out") == *good* && $(<"$T/asked.out") != *evil* ]]
}

@test "a stream that broke is resumed after the last event that came" {
	local id

	start_bridge
	begin
	start_bg broken curl -sN --max-time 60 --cacert "$T/certs/ca.crt" \
		--resolve "*:$PROXY:127.0.0.1" -H "Mcp-Session-Id: $SID" \
		-H 'Content-Type: application/json' -H 'Accept: text/event-stream' \
		-d "$(tool '"x"' steps '{"key":"k"}' '{"progressToken":"t"}')" \
		"https://$NAME:$PROXY/mcp"
	wait_until has_line "$T/broken.out" '"progress":1'
	id=$(sed -n '/"progress":1/{x;p;};h' "$T/broken.out" | sed 's/^id: //')
	[[ $id =~ ^p[0-9]+-[0-9]+$ ]]
	stop broken
	# Two more steps and the answer, of which one is still to come.
	call 2 release '{"key":"k"}'
	eq "$(text)" released
	start_bg resumed curl -sN --max-time 60 --cacert "$T/certs/ca.crt" \
		--resolve "*:$PROXY:127.0.0.1" -H "Mcp-Session-Id: $SID" \
		-H 'Accept: text/event-stream' -H "Last-Event-ID: $id" \
		"https://$NAME:$PROXY/mcp"
	wait_until has_line "$T/resumed.out" '"progress":2'
	run -1 grep '"progress":1' "$T/resumed.out"
	call 3 release '{"key":"k"}'
	wait_exit resumed
	eq "$STATUS" 0
	eq "$(sed -n 's/^data: //p' "$T/resumed.out" |
		jq -c '[.id, .params.progressToken, .params.progress]' | xargs)" \
		'[null,t,2] [x,null,null]'
	# And again, when all of it is over.
	run -0 agent_curl -H "Mcp-Session-Id: $SID" \
		-H 'Accept: text/event-stream' -H "Last-Event-ID: $id" /mcp
	eq "$(grep -c '^id: ' <<<"$output")" 2
}

@test "events of one session can not be asked for in another" {
	start_bridge
	begin
	call 1 progress '{"count":3}' '{"progressToken":1}'
	begin
	run agent_curl --max-time 1 -H "Mcp-Session-Id: $SID" \
		-H 'Accept: text/event-stream' -H 'Last-Event-ID: p1-0' /mcp
	[[ $output != *progressToken* ]]
}

# ---- cancelling and time

@test "notifications/cancelled ends the request and reaches the process" {
	start_bridge
	begin
	start_hold a
	ask '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}'
	eq "$CODE" 202
	wait_exit holda
	[[ $(<"$T/holda.out") != *held* ]]
	ask '{"jsonrpc":"2.0","id":1,"method":"fake/cancelled"}'
	[[ $(text) =~ ^\[[0-9]+\]$ ]]
	# Its late answer is dropped.
	call 2 release '{"key":"a"}'
	eq "$(text)" released
	wait_line proxy 'came late: dropped'
}

@test "until 2025-11-25 to leave is not to cancel" {
	start_bridge
	begin
	start_hold a
	stop holda
	ask '{"jsonrpc":"2.0","id":1,"method":"fake/cancelled"}'
	eq "$(text)" '[]'
}

@test "a request that takes too long is a 504 and is cancelled" {
	KEYS='request_timeout: 1s' start_bridge
	begin
	call 1 hang
	eq "$CODE" 504
	[[ $(field adit-error) == 'timeout; blame=upstream' ]]
	ask '{"jsonrpc":"2.0","id":1,"method":"fake/cancelled"}'
	[[ $(text) =~ ^\[[0-9]+\]$ ]]
	call 1 progress '{"count":1}' '{"progressToken":1}'
	eq "$(text)" 'token number'
}

# ---- processes that misbehave

@test "kill -9 of the process in a call is a 502, and the session is over" {
	start_bridge
	begin
	start_hold a
	kill -KILL "$(processes)"
	wait_exit holda
	[[ $(<"$T/holda.out") == *'"code":"aborted","blame":"upstream"'*'the process ended: signal 9'* ]]
	call 1 echo
	eq "$CODE" 404
	begin
	call 1 echo '{"message":"again"}'
	eq "$(text)" again
}

@test "a process that crashes in a call is told with its status" {
	start_bridge
	begin
	call 1 crash
	eq "$CODE" 502
	[[ $BODY == *'the process ended: exit 3'* ]]
	wait_line proxy 'warning: stdio:docs\[[0-9]*\]: ended: exit 3'
}

@test "a process that ends at once is started again ever later" {
	local i

	KEYS='restarts: 4' start_bridge exit=7
	ask "$(initialize)"
	eq "$CODE" 502
	[[ $BODY == *'the process ended: exit 7'* ]]
	for ((i = 0; i < 100; i++)); do
		ask "$(initialize)"
		((CODE == 503)) && [[ $BODY == *'failed 4 times in a row'* ]] && break
		pause
	done
	[[ $BODY == *'"code":"unreachable","blame":"upstream"'* ]]
	(($(grep -c ': started$' "$T/proxy.err") == 4))
	wait_until processes_are 0
}

@test "a command that does not exist is a 502 that names it" {
	bridge_config <<<'docs: {command: [no-such-command, x]}'
	run_proxy
	ask "$(initialize)"
	eq "$CODE" 502
	[[ $BODY == *'stdio:docs: no-such-command: No such file or directory'* ]]
}

@test "garbage on its output is logged and hurts nothing" {
	start_bridge
	begin
	call 1 garbage
	eq "$(text)" after
	wait_line proxy "stdio:docs\[.*: no JSON.*: 'this is no JSON'"
}

@test "an answer with another number reaches nobody" {
	start_bridge
	begin
	call 1 foreign
	eq "$(text)" yours
	wait_line proxy 'an answer to no request'
	call 1 twice
	eq "$(text)" first
	call 1 echo '{"message":"m"}'
	eq "$(text)" m
}

@test "a line without an end ends the process, and memory stays small" {
	KEYS='message_size: 1m' start_bridge
	begin
	call 1 endless
	eq "$CODE" 502
	[[ $BODY == *'a message above message_size'* ]]
	wait_until processes_are 0
	requires no-sanitizer
	(($(rss_kib proxy) < 40000))
}

@test "a flood for an agent that does not read waits in the process" {
	requires no-sanitizer
	start_bridge
	begin
	# shellcheck disable=SC2016 # it is JavaScript
	start_bg slow node -e '
		const tls = require("tls"), s = tls.connect({ port: process.argv[1],
			host: "127.0.0.1", rejectUnauthorized: false,
			servername: process.argv[2] });
		const body = process.argv[4];
		s.write(`POST /mcp HTTP/1.1\r\nHost: ${process.argv[2]}\r\n` +
			`Mcp-Session-Id: ${process.argv[3]}\r\nContent-Type: application/json\r\n` +
			`Content-Length: ${body.length}\r\n\r\n${body}`);
		setInterval(() => {}, 1000);
	' "$PROXY" "$NAME" "$SID" "$(tool 1 flood '{"count":30000}')"
	wait_until is_blocked "$(processes)"
	(($(rss_kib proxy) < 40000))
	stop slow
	# What is left has nowhere to go.
	wait_until has_written "$(processes)" 32600000
	call 2 echo '{"message":"m"}'
	eq "$(text)" m
}

@test "a process that reads nothing is refused more, and memory is bounded" {
	local i

	KEYS='message_size: 256k, request_timeout: 30s' start_bridge deaf
	for ((i = 0; i < 3; i++)); do
		start_bg "ask$i" curl -sk --max-time 5 \
			--resolve "*:$PROXY:127.0.0.1" -H 'Content-Type: application/json' \
			-d "$(initialize)" "https://$NAME:$PROXY/mcp"
	done
	wait_until processes_are 3
	for ((i = 0; i < 3; i++)); do
		stop "ask$i"
	done
	is_alive proxy
}

@test "standard error is logged line by line, quoted and cut" {
	start_bridge
	begin
	call 1 err '{"line":"plain\u001b[31m"}'
	wait_line proxy "^mcp-proxy: stdio:docs\[[0-9]*\]: 'plain.x1b\[31m'"
	call 1 err "{\"line\":\"$(printf '%02000d' 0)\"}"
	wait_line proxy "'0{400}.*\.\.\."
	run awk 'length > 700' "$T/proxy.err"
	eq "$output" ''
}

@test "a process whose output is closed is ended" {
	start_bridge
	begin
	call 1 close
	eq "$CODE" 502
	wait_until processes_are 0
}

@test "the process gets none of the proxy's environment but what is named" {
	export SECRET_TOKEN=abc MCP_PROXY_X=1
	bridge_config <<-END
	docs:
	  command: [node, $FAKE]
	  env: {GREETING: 'hello world', EMPTY: '', HOME: /nowhere}
	  directory: $T
	END
	run_proxy
	begin
	call 1 env
	eq "$(text | jq -r '[.GREETING, .EMPTY, .HOME, .SECRET_TOKEN, .MCP_PROXY_X, .PATH != null] | map(tostring) | join("|")')" \
		'hello world||/nowhere|null|null|true'
	call 1 cwd
	eq "$(text)" "$T"
	# Its descriptors are its three pipes, and what it opened itself.
	run -0 find "/proc/$(processes)/fd" -lname 'socket:*'
	eq "$output" ''
}

@test "sandbox puts the command into sandbox-exec" {
	# The sources may lie where root alone comes to, or in a /tmp, which is
	# the sandbox's own.
	mkdir "$T/fakes"
	cp "${FAKE%/*}"/*.mjs "$T/fakes/"
	FAKE=$T/fakes/${FAKE##*/}
	cd "$T/fakes"
	KEYS="sandbox: [--ro, /, --ro, $T/fakes]" PATH=$BIN:$PATH start_bridge
	wait_line proxy 'serving TLS'
	begin
	call 1 pid
	[[ $(text) =~ ^[0-9]+$ ]]
	[[ $(tr '\0' ' ' <"/proc/$(processes)/cmdline") == "sandbox-exec --ro / --ro $T/fakes -- node "* ]]
	run -0 agent_curl -X DELETE -H "Mcp-Session-Id: $SID" /mcp
	wait_until processes_are 0
}

# ---- shared processes

@test "shared: one process for all sessions, initialized once" {
	KEYS='mode: shared' start_bridge
	begin
	eq "$(jq -c .result.capabilities <<<"$(SID='' ask "$(initialize)"; echo "$BODY")")" \
		'{"tools":{"listChanged":true},"resources":{"listChanged":true}}'
	call 1 pid
	eq "$(text)" "$(processes)"
	begin 2025-06-18
	call 1 echo '{"message":"m"}'
	eq "$(text)" m
	eq "$(process_count)" 1
}

@test "shared: what would act on other sessions is refused" {
	local method

	KEYS='mode: shared' start_bridge
	begin
	for method in logging/setLevel resources/subscribe \
		resources/unsubscribe tasks/list tasks/get 'tasks\/get' \
		'\u0074asks/get' 'logging\/setLevel'; do
		ask "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$method\",\"params\":{}}"
		eq "$(jq .error.code <<<"$BODY")" -32601
	done
	# Nor can the process ask a client, since it knows none.
	call 1 ask
	[[ $(text) == *'no client can be asked here'* ]]
}

@test "shared: hundreds of calls with the same ids at once, none crosses" {
	KEYS='mode: shared' start_bridge
	run_tool 0 node "$ROOT/tests/fakes/many-calls.mjs" "$PROXY" \
		"$T/certs/ca.crt" "$NAME" 8 100
	eq "$output" '800 calls, 0 wrong'
	eq "$(process_count)" 1
}

@test "shared: progress and cancelling stay within their session" {
	local other

	KEYS='mode: shared' start_bridge
	begin
	other=$SID
	start_hold a
	begin
	ask '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}'
	is_alive holda
	call '"a"' progress '{"count":1}' '{"progressToken":"a"}'
	eq "$(text)" 'token number'
	SID=$other release a
}

@test "shared: a changed list is told to all, anything else to nobody" {
	KEYS='mode: shared' start_bridge
	begin
	start_stream one
	begin
	start_stream two
	call 1 log '{"data":"private"}'
	call 1 changed
	wait_until has_line "$T/one.out" list_changed
	wait_until has_line "$T/two.out" list_changed
	run -1 grep private "$T/one.out" "$T/two.out"
}

@test "shared: a process that was killed is started again for its sessions" {
	KEYS='mode: shared' start_bridge
	begin
	call 1 pid
	kill -KILL "$(text)"
	wait_line proxy 'ended: signal 9'
	call 1 echo '{"message":"again"}'
	eq "$(text)" again
}

@test "shared: initialize that gets no answer is a 502" {
	KEYS='mode: shared, request_timeout: 1s' start_bridge silent
	ask "$(initialize)"
	eq "$CODE" 502
	[[ $BODY == *'did not answer in time'* ]]
}

@test "pool: sessions are spread over its processes" {
	local i pids=

	KEYS='pool: 3' start_bridge
	for i in 1 2 3 4; do
		begin
		call 1 pid
		pids+=" $(text)"
	done
	eq "$(xargs -n 1 <<<"$pids" | sort -u | grep -c .)" 3
	eq "$(process_count)" 3
}

# ---- 2026-07-28

@test "2026-07-28: a command that speaks it is asked without sessions" {
	start_bridge modern
	modern server/discover '{}' -H 'Mcp-Method: server/discover'
	eq "$CODE" 200
	eq "$(jq -r '.result.supportedVersions[0]' <<<"$BODY")" "$MODERN"
	eq "$(field mcp-session-id)" ''
	modern_call echo '{"message":"m"}'
	eq "$(text)" m
	eq "$(process_count)" 1
}

modern_call()
{
	local arguments=${2:-'{}'}

	modern tools/call "{\"name\":\"$1\",\"arguments\":$arguments}" \
		-H 'Mcp-Method: tools/call' -H "Mcp-Name: ${MIRROR-$1}"
}

@test "2026-07-28: headers must say what the body does" {
	start_bridge modern
	modern server/discover '{}' -H 'Mcp-Method: server/discover'
	eq "$CODE" 200
	modern_call echo '{"message":"m"}'
	eq "$(text)" m
	MIRROR='=?base64?ZWNobw==?=' modern_call echo '{"message":"m"}'
	eq "$(text)" m
	while IFS='|' read -r mirror method version; do
		MIRROR=$mirror VERSION=$version modern tools/call \
			'{"name":"echo","arguments":{}}' -H "Mcp-Method: $method" \
			-H "Mcp-Name: $mirror"
		eq "$CODE" 400
		eq "$(jq .error.code <<<"$BODY")" -32020
	done <<-END
	Echo|tools/call|$MODERN
	=?base64?ZWNobw?=|tools/call|$MODERN
	echo|tools/Call|$MODERN
	echo|tools/call|2026-07-29
	echo|tools/call|
	END
	VERSION=2027-01-01 META_VERSION=2027-01-01 modern server/discover '{}' \
		-H 'Mcp-Method: server/discover'
	eq "$CODE" 400
	eq "$(jq -c .error.code,.error.data.supported[0] <<<"$BODY" | xargs)" \
		"-32022 $MODERN"
}

@test "2026-07-28: what lacks _meta, is no request, or is no POST" {
	start_bridge modern
	VERSION=$MODERN ask "$(tool 1 echo)" -H 'Mcp-Method: tools/call' \
		-H 'Mcp-Name: echo'
	eq "$CODE $(jq .error.code <<<"$BODY")" '400 -32602'
	VERSION=$MODERN ask '{"jsonrpc":"2.0","id":1,"result":{}}'
	eq "$CODE $(jq .error.code <<<"$BODY")" '400 -32600'
	VERSION=$MODERN ask '{"jsonrpc":"2.0","method":"notifications/x"}'
	eq "$CODE" 202
	for method in GET DELETE; do
		run -0 agent_curl -X "$method" -o /dev/null -w '%{http_code}' \
			-H "MCP-Protocol-Version: $MODERN" /mcp
		eq "$output" 405
	done
}

@test "2026-07-28: an unknown method is a 404 with its error" {
	start_bridge modern
	modern no/such '{}' -H 'Mcp-Method: no/such'
	eq "$CODE $(jq .error.code <<<"$BODY")" '404 -32601'
}

@test "2026-07-28: to leave is to cancel" {
	local data

	start_bridge modern
	modern server/discover '{}' -H 'Mcp-Method: server/discover'
	data=$(jq -c --argjson meta "{\"io.modelcontextprotocol/protocolVersion\":\"$MODERN\",\"io.modelcontextprotocol/clientCapabilities\":{}}" \
		'.params._meta = $meta' <<<"$(tool 1 hang)")
	start_bg left curl -s --max-time 60 --cacert "$T/certs/ca.crt" \
		--resolve "*:$PROXY:127.0.0.1" -H 'Content-Type: application/json' \
		-H "MCP-Protocol-Version: $MODERN" -H 'Mcp-Method: tools/call' \
		-H 'Mcp-Name: hang' -d "$data" "https://$NAME:$PROXY/mcp"
	wait_line proxy hanging
	stop left
	wait_line proxy 'end=cancelled'
	modern fake/cancelled '{}' -H 'Mcp-Method: fake/cancelled'
	[[ $(text) =~ ^\[[0-9]+\]$ ]]
}

@test "2026-07-28: a command that does not speak it is told honestly" {
	start_bridge
	modern server/discover '{}' -H 'Mcp-Method: server/discover'
	eq "$CODE $(jq .error.code <<<"$BODY")" '400 -32022'
	eq "$(jq -c .error.data <<<"$BODY")" \
		'{"supported":["2025-11-25","2025-06-18","2025-03-26"],"requested":"2026-07-28"}'
	wait_until processes_are 0
	# Once known it costs no process.
	modern server/discover '{}' -H 'Mcp-Method: server/discover'
	eq "$CODE" 400
	eq "$(grep -c ': started$' "$T/proxy.err")" 1
}

@test "2026-07-28: a command that ends when asked is of the older kind" {
	start_bridge exit=1
	modern server/discover '{}' -H 'Mcp-Method: server/discover'
	eq "$CODE $(jq .error.code <<<"$BODY")" '400 -32022'
}

# ---- the end

@test "SIGTERM ends sessions, streams and processes, status 0" {
	start_bridge
	begin
	start_stream stream
	call 1 child
	local left
	left=$(text)
	stop proxy
	eq "$STATUS" 0
	wait_exit stream
	wait_until is_over "$left"
}

@test "SIGTERM lets a call finish" {
	start_bridge
	begin
	start_hold a
	kill -TERM "${PID[proxy]}"
	wait_line proxy 'shutting down'
	kill -TERM "${PID[proxy]}"
	wait_exit proxy
	eq "$STATUS" 0
}

@test "kill -9 of mcp-proxy leaves no process" {
	local child

	start_bridge stubborn
	begin
	child=$(processes)
	kill -KILL "${PID[proxy]}"
	wait_exit proxy
	wait_until is_over "$child"
}

@test "sessions that ended leave no process and no descriptor" {
	local before

	start_bridge
	begin
	run -0 agent_curl -X DELETE -H "Mcp-Session-Id: $SID" /mcp
	wait_until processes_are 0
	before=$(fd_count proxy)
	for _ in {1..10}; do
		begin
		run -0 agent_curl -X DELETE -H "Mcp-Session-Id: $SID" /mcp
	done
	wait_until processes_are 0
	wait_until fds_at_most "$before"
}

fds_at_most()
{
	(($(fd_count proxy) <= $1))
}
