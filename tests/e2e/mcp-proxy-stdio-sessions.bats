# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # the helpers' names

# What sessions of mcp-proxy's bridge can not do to each other or to it, and
# its limits, each at its edge.

load helpers.bash
load mcp-proxy.bash
load bridge.bash

# start_ask NAME DATA [OPTION...]: a POST in the background.
start_ask()
{
	local name=$1 data=$2

	shift 2
	start_bg "$name" curl -sN --max-time 60 --cacert "$T/certs/ca.crt" \
		--resolve "*:$PROXY:127.0.0.1" -D "$T/$name.head" \
		-H "Mcp-Session-Id: $SID" -H 'Content-Type: application/json' \
		"$@" -d "$data" "https://$NAME:$PROXY/mcp"
}

# ---- sessions that end early

# unread_answer: an answer of 14 MiB that is in the proxy and not read.
unread_answer()
{
	mkfifo "$T/fifo"
	start_ask slow "$(tool 1 large '{"count":14680064}')" -o "$T/fifo"
	wait_until has_written "$(processes)" 14680064
}

@test "a session that is ended lets its answer be read" {
	start_bridge
	begin
	unread_answer
	run -0 agent_curl -X DELETE -H "Mcp-Session-Id: $SID" /mcp
	wait_until processes_are 0
	eq "$(jq -r '.result.content[0].text | length' "$T/fifo")" 14680064
	wait_exit slow
	is_alive proxy
}

@test "a process that is killed lets its answer be read" {
	start_bridge
	begin
	unread_answer
	kill -KILL "$(processes)"
	wait_until processes_are 0
	eq "$(jq -r '.result.content[0].text | length' "$T/fifo")" 14680064
	wait_exit slow
	is_alive proxy
}

@test "a session that is ended while its request waits for the process" {
	KEYS='mode: shared' start_bridge slow=1000
	begin
	kill -KILL "$(processes)"
	wait_until processes_are 0
	start_ask waits "$(tool 1 echo '{"message":"m"}')"
	wait_until processes_are 1
	run -0 agent_curl -X DELETE -H "Mcp-Session-Id: $SID" /mcp
	wait_exit waits
	[[ $(<"$T/waits.out") == *'no such session'* ]]
	is_alive proxy
}

@test "initialize that gets no answer leaves no session" {
	KEYS='sessions: 1, request_timeout: 1s' start_bridge silent
	for _ in 1 2; do
		ask "$(initialize)"
		eq "$CODE" 504
		wait_until processes_are 0
	done
}

@test "initialize that takes longer than a client waits still begins one" {
	start_bridge slow=11000
	ask "$(initialize)"
	eq "$CODE $(field content-type)" '200 text/event-stream'
	SID=$(field mcp-session-id)
	call 1 echo '{"message":"m"}'
	eq "$(text)" m
}

# ---- streams

@test "a stream is resumed while the proxy still has the old one" {
	local id

	start_bridge
	begin
	start_ask old "$(tool '"x"' steps '{"key":"k"}' '{"progressToken":"t"}')"
	wait_until has_line "$T/old.out" '"progress":1'
	id=$(sed -n '/"progress":1/{x;p;};h' "$T/old.out" | sed 's/^id: //')
	start_bg new curl -sN --max-time 60 --cacert "$T/certs/ca.crt" \
		--resolve "*:$PROXY:127.0.0.1" -H "Mcp-Session-Id: $SID" \
		-H 'Accept: text/event-stream' -H "Last-Event-ID: $id" \
		-D "$T/new.head" "https://$NAME:$PROXY/mcp"
	wait_exit old
	eq "$STATUS" 0
	wait_until has_line "$T/new.head" '^HTTP/1.1 200'
	call 1 release '{"key":"k"}'
	call 2 release '{"key":"k"}'
	wait_exit new
	eq "$STATUS" 0
	eq "$(sed -n 's/^data: //p' "$T/new.out" |
		jq -c '[.id, .params.progress]' | xargs)" '[null,2] [x,null]'
}

# ---- batches

@test "shared: a batch can not do what its members can not" {
	local method

	KEYS='mode: shared' start_bridge
	begin 2025-03-26
	for method in logging/setLevel resources/subscribe tasks/list; do
		ask "[$(tool 1 pid),{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"$method\",\"params\":{}}]"
		eq "$CODE $(jq .error.code <<<"$BODY")" '400 -32600'
		[[ $BODY == *'not with a process that sessions share'* ]]
	done
}

@test "a batch whose last request is taken back answers the others" {
	start_bridge
	begin 2025-03-26
	start_ask batch "[$(tool 1 echo '{"message":"one"}'),$(tool 2 hold '{"key":"k"}')]" \
		-H 'Accept: application/json'
	wait_line proxy 'holding k'
	ask '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}'
	wait_exit batch
	eq "$(jq -c '[.[] | [.id, .result.content[0].text]]' "$T/batch.out")" \
		'[[1,"one"]]'
}

# ---- processes that misbehave

@test "shared: a process that reads no more is ended and replaced" {
	KEYS='mode: shared' start_bridge
	begin
	call 1 shut
	eq "$(text)" shut
	call 2 echo
	eq "$CODE" 502
	[[ $BODY == *'closed its standard input'* ]]
	call 3 echo '{"message":"again"}'
	eq "$(text)" again
}

@test "2026-07-28: a failed start is not a change of revision" {
	start_bridge modern "once=$T/once"
	modern server/discover '{}' -H 'Mcp-Method: server/discover'
	eq "$CODE" 200
	kill -KILL "$(processes)"
	wait_until processes_are 0
	modern server/discover '{}' -H 'Mcp-Method: server/discover'
	eq "$CODE" 502
	rm "$T/once"
	wait_until speaks_modern
}

speaks_modern()
{
	modern server/discover '{}' -H 'Mcp-Method: server/discover'
	((CODE == 200))
}

@test "what a process started survives it in no session of its own either" {
	local left

	start_bridge
	begin
	call 1 stray
	left=$(text)
	[[ -d /proc/$left ]]
	run -0 agent_curl -X DELETE -H "Mcp-Session-Id: $SID" /mcp
	wait_until is_over "$left"
}

@test "a daemon of a process that runs is left alone until that ends" {
	local left

	start_bridge
	begin
	call 1 stray '{"orphan":true}'
	left=$(text)
	wait_until is_child_of_proxy "$left"
	begin
	run -0 agent_curl -X DELETE -H "Mcp-Session-Id: $SID" /mcp
	wait_until processes_are 2 # the first, and its daemon
	is_child_of_proxy "$left"
	stop proxy
	eq "$STATUS" 0
	wait_until is_over "$left"
}

is_child_of_proxy()
{
	[[ $(awk '{print $4}' "/proc/$1/stat") == "${PID[proxy]}" ]]
}

@test "2026-07-28: a revision that the process does not offer is refused" {
	local version

	# This one would answer whatever it is asked.
	start_bridge modern lax
	for version in 2027-01-01 2025-11-25 1999-01-01; do
		META_VERSION=$version VERSION=$version modern server/discover \
			'{}' -H 'Mcp-Method: server/discover'
		eq "$CODE" 400
		eq "$(jq -c '[.error.code, .error.data]' <<<"$BODY")" \
			"[-32022,{\"supported\":[\"2026-07-28\"],\"requested\":\"$version\"}]"
	done
}

# ---- messages that are too long

@test "shared: an answer above message_size fails its request alone" {
	local pid arguments

	KEYS='mode: shared, message_size: 64k' start_bridge
	begin
	call 1 pid
	pid=$(text)
	start_ask held "$(tool 9 hold '{"key":"k"}')"
	wait_line proxy 'holding k'
	begin
	for arguments in '{"count":65500}' '{"count":200000}' \
		'{"count":200000,"first":true}'; do
		call 2 long "$arguments"
		eq "$CODE $(field adit-error)" '502 limit; blame=upstream'
		[[ $BODY == *'the answer is above message_size'* ]]
	done
	call 3 long '{"count":200000,"method":"ping"}'
	eq "$(text)" asked
	call 4 pid
	eq "$(text)" "$pid"
	call 5 release '{"key":"k"}'
	wait_exit held
	[[ $(<"$T/held.out") == *'held k'* ]]
	wait_line proxy "a message above message_size: 'skipped'"
}

@test "a message of message_size passes, one byte more does not" {
	local line='{"result":{"id":0,"a":["\"",{"id":1}]},"jsonrpc":"2.0","id":3}'

	KEYS='message_size: 64k' start_bridge
	begin
	call 1 long "{\"count\":$((65536 - ${#line}))}"
	eq "$CODE" 200
	call 1 long "{\"count\":$((65536 - ${#line} + 1))}"
	eq "$CODE" 502
}

# ---- limits

@test "a process may have 1024 unanswered requests" {
	local i j

	start_bridge "held=$T/held"
	begin 2025-03-26
	for i in {1..16}; do
		# 64 in a batch that is left to itself.
		start_ask "batch$i" "[$(for j in {1..64}; do
			((j == 1)) || echo ,
			tool "\"$i-$j\"" hold "{\"key\":\"$i-$j\"}"
		done)]"
	done
	wait_until holds 1024
	ask '{"jsonrpc":"2.0","id":1,"method":"ping"}'
	eq "$CODE $(field adit-error)" '503 limit; blame=upstream'
	[[ $BODY == *'too many requests wait for it'* ]]
	# One less is one more.
	ask '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"1-1"}}'
	ask '{"jsonrpc":"2.0","id":1,"method":"ping"}'
	eq "$CODE" 200
	ask '{"jsonrpc":"2.0","id":1,"method":"ping"}'
	eq "$CODE" 200
	start_ask last "$(tool 2 hold '{"key":"last"}')"
	wait_until holds 1025
	ask '{"jsonrpc":"2.0","id":1,"method":"ping"}'
	eq "$CODE" 503
}

holds()
{
	[[ -s $T/held ]] && (($(<"$T/held") == $1))
}

@test "a process may ask its client 64 things at a time" {
	local count refused

	start_bridge
	for count in 63 64 65; do
		begin 2025-03-26
		refused=$((count > 64 ? count - 64 : 0))
		start_ask asks "$(tool 1 asks "{\"count\":$count}")"
		wait_until has_asked $((count - refused))
		ask "$(sed -n 's/^data: //p' "$T/asks.out" | jq -cs \
			'map({jsonrpc: "2.0", id, result: {roots: []}})')"
		eq "$CODE" 202
		wait_exit asks
		[[ $(<"$T/asks.out") == *"\"$refused refused\""* ]]
	done
}

has_asked()
{
	(($(grep -c roots/list "$T/asks.out") == $1))
}

# ---- HTTP

# expecting HEAD... sends the head of a POST that waits for a 100 before its
# body, prints the first line of what came, then sends the body and prints the
# first line of the rest.
expecting()
{
	# shellcheck disable=SC2016 # it is JavaScript
	run_tool 0 node -e '
		const [port, host, body, ...fields] = process.argv.slice(1);
		const s = require("tls").connect({ port, host: "127.0.0.1",
			rejectUnauthorized: false, servername: host });
		s.write(["POST /mcp HTTP/1.1", `Host: ${host}`,
			"Expect: 100-continue", `Content-Length: ${body.length}`,
			...fields, "", ""].join("\r\n"));
		const first = data => console.log(String(data).split("\r\n")[0]);
		s.once("data", data => {
			first(data);
			if (!String(data).startsWith("HTTP/1.1 100 "))
				return s.end();
			s.once("data", data => { first(data); s.end(); });
			s.write(body);
		});
		s.setTimeout(20000, () => process.exit(1));
	' "$PROXY" "$NAME" "$@"
}

@test "Expect: 100-continue is answered before the body comes" {
	KEYS='message_size: 64k' start_bridge
	begin
	expecting "$(tool 1 pid)" 'Content-Type: application/json' \
		"Mcp-Session-Id: $SID"
	eq "$output" $'HTTP/1.1 100 Continue\nHTTP/1.1 200 OK'
	expecting "$(tool 1 pid)" 'Content-Type: text/plain' \
		"Mcp-Session-Id: $SID"
	eq "$output" 'HTTP/1.1 415 Unsupported Media Type'
	expecting "$(printf '%065537d' 0)" 'Content-Type: application/json' \
		"Mcp-Session-Id: $SID"
	[[ $output == 'HTTP/1.1 413 '* ]]
	is_alive proxy
}
