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

has_written()
{
	(($(awk '/^wchar/ {print $2}' "/proc/$1/io") >= $2))
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
