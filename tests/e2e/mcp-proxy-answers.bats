# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # the helpers' names

# What a server answers before the policy of its route: lists without what may
# not be called, and what a program makes of the rest.

load helpers.bash
load mcp-proxy.bash
load bridge.bash

# judged: starts the proxy before an upstream that sends what is in $T/answer;
# standard input is the policy.
judged()
{
	{
		echo "$allow_loopback"
		echo "audit: $T/audit"
		echo 'policy:'
		sed 's/^/  /'
	} >"$T/policy.yaml"
	start_ready upstream node "$ROOT/tests/fakes/file-upstream.mjs" \
		--ready-fd 9 "$T/answer"
	UPSTREAM=${READY[upstream]}
	start_proxy <"$T/policy.yaml"
}

# json BODY [HEAD-LINE...]: what the upstream answers, status 200.
json()
{
	local body=$1

	shift
	{
		printf 'HTTP/1.1 %s\r\n' "${STATUS_LINE:-200 OK}"
		printf 'Content-Type: %s\r\n' "${TYPE-application/json}"
		printf 'Content-Length: %d\r\n' "${#body}"
		(($# == 0)) || printf '%s\r\n' "$@"
		printf '\r\n%s' "$body"
	} >"$T/answer"
}

# events TEXT: a stream; TEXT has printf's escapes.
events()
{
	# shellcheck disable=SC2059
	printf "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n$1" \
		>"$T/answer"
}

# post METHOD [PARAMS]: a request with the id 1; the response's body is
# $T/body.
post()
{
	rpc "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$1\",\"params\":${2:-{\}}}"
}

# rpc DATA [OPTION...]
rpc()
{
	local data=$1

	shift
	fetch -H 'Content-Type: application/json' "$@" --data-binary "$data"
}

# fetch [OPTION...] sets CODE and RC, the status of curl.
fetch()
{
	RC=0
	HEAD=$T/head
	: >"$T/body"
	agent_curl -D "$HEAD" -o "$T/body" \
		-H "Accept: ${ACCEPT-application/json, text/event-stream}" "$@" \
		/mcp 2>"$T/curl.err" || RC=$?
	CODE=$(sed -n '1s/^HTTP[^ ]* \([0-9]*\).*/\1/p' "$HEAD" | tail -n 1)
}

# body_is TEXT, with printf's escapes: to the last byte.
body_is()
{
	# shellcheck disable=SC2059
	printf "$1" >"$T/want"
	if ! cmp "$T/body" "$T/want"; then
		od -c "$T/body"
		return 1
	fi
}

# fails CODE ADIT-ERROR TEXT: the last answer is ours.
fails()
{
	eq "$CODE" "$1"
	eq "$(field adit-error)" "$2"
	eq "$(jq -r .error.message "$T/body")" "$3"
}

# audited FILTER prints it of the last decision about an answer.
audited()
{
	jq -c "select(.direction == \"answer\") | $1" "$T/audit" | tail -n 1
}

LIST='{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"get_a","x": 1e0},{"name":"put_b"},{"name":"get_c"}],"nextCursor":"n"}}'
SHORT='{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"get_a","x": 1e0},{"name":"get_c"}],"nextCursor":"n"}}'

@test "a list comes without what may not be called" {
	judged <<<'tools: ["get_*"]'
	json "$LIST"
	post tools/list
	eq "$CODE" 200
	body_is "$SHORT"
	eq "$(field content-length)" "${#SHORT}"
	eq "$(audited '[.method,.verdict,.removed,.id]')" \
		'["tools/list","filter",["put_b"],1]'
	# Nothing is compressed, for it could not be judged.
	rpc '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' --compressed
	body_is "$SHORT"
	[[ $(<"$T/answer.got") != *[Aa]ccept-[Ee]ncoding* ]]
}

@test "what is not changed is passed on byte for byte" {
	judged <<<'{}'
	json $' \n{ "jsonrpc" : "2.0",\r\n"id":1,"result":{"tools":[{"name":"a"} ],\t"k":"\\u0041/é"}}\n'
	post tools/list
	eq "$CODE" 200
	sed '1,/^\r$/d' "$T/answer" >"$T/want"
	cmp "$T/want" "$T/body"
	eq "$(audited .verdict)" '"allow"'
	printf 'HTTP/1.1 200 OK\r\nContent-Type: Application/JSON; charset=utf-8\r\nTransfer-Encoding: chunked\r\nETag: "a"\r\n\r\n3\r\n{"j\r\n%x\r\n%s\r\n0\r\n\r\n' \
		$((${#LIST} - 3)) "${LIST:3}" >"$T/answer"
	post tools/list
	body_is "$LIST"
	eq "$(field content-length)" "${#LIST}"
	eq "$(field transfer-encoding)" ''
	eq "$(field etag)" '"a"'
}

@test "all lists are filtered, by name, URI or template" {
	judged <<-'END'
	tools: [a]
	prompts: ["!x"]
	resources: ["file:///srv/*"]
	END
	json '{"jsonrpc":"2.0","id":1,"result":{"prompts":[{"name":"x"},{"name":"y"}],"tools":[{"name":"x"}]}}'
	post prompts/list
	body_is '{"jsonrpc":"2.0","id":1,"result":{"prompts":[{"name":"y"}],"tools":[]}}'
	json '{"jsonrpc":"2.0","id":1,"result":{"resources":[{"uri":"http://u:p@x/a?token=t#f"},{"uri":"file:///srv/../etc/passwd"},{"uri":"file:///srv/a"}]}}'
	post resources/list
	body_is '{"jsonrpc":"2.0","id":1,"result":{"resources":[{"uri":"file:///srv/a"}]}}'
	eq "$(audited .removed)" \
		'["http://x/a","file:///srv/../etc/passwd"]'
	json '{"jsonrpc":"2.0","id":1,"result":{"resourceTemplates":[{"uriTemplate":"http://x/{a}"},{"uriTemplate":"file:///srv/{a}"}]}}'
	post resources/templates/list
	body_is '{"jsonrpc":"2.0","id":1,"result":{"resourceTemplates":[{"uriTemplate":"file:///srv/{a}"}]}}'
}

@test "all that is left out of a list is counted, and the first is named" {
	judged <<<'tools: []'
	json "$(jq -cn '{jsonrpc: "2.0", id: 1, result: {tools:
		[range(300) | {name: "tool-\(.)"}, 1]}}')"
	post tools/list
	body_is '{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}'
	eq "$(audited '[.removed_count, (.removed | length), .removed[0:3]]')" \
		'[600,256,["tool-0","","tool-1"]]'
	json "$(jq -cn '{jsonrpc: "2.0", id: 1, result: {tools:
		[range(10000) | {name: "x"}]}}')"
	post tools/list
	body_is '{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}'
	json "$(jq -cn '{jsonrpc: "2.0", id: 1, result: {tools:
		[range(10001) | {name: "x"}]}}')"
	post tools/list
	fails 502 'protocol; blame=upstream' \
		"http://127.0.0.1:$UPSTREAM: a message that can not be judged: a list that is too long"
}

@test "a filtered list is for nobody's cache" {
	judged <<<'tools: [a]'
	json '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}],"ttlMs":60000,"cacheScope":"public"}}' \
		'Content-Digest: sha-256=:x:' 'ETag: "1"'
	post tools/list
	body_is '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}],"ttlMs":0,"cacheScope":"private"}}'
	eq "$(field etag)$(field content-digest)" ''
}

@test "entries without one clear name are left out" {
	judged <<<'tools: ["*"]'
	json '{"jsonrpc":"2.0","id":1,"result":{"tools":[1,{"title":"a"},{"name":"a","Name":"b"},{"name":null},{"n\u0061me":"c"}]}}'
	post tools/list
	body_is '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"n\\u0061me":"c"}]}}'
}

@test "a stream is filtered event by event, whatever ends its lines" {
	judged <<<'tools: ["get_*"]'
	events ": hi\n\nid: 7\nretry: 10\nevent: message\ndata: $LIST\n\n"
	post tools/list
	eq "$CODE" 200
	body_is ": hi\n\nid: 7\nretry: 10\nevent: message\ndata: $SHORT\n\n"
	events "\xef\xbb\xbfid: 8\r\ndata: ${LIST%%,*},\r\ndata:${LIST#*,}\r\n: x\r\n\r\n"
	post tools/list
	body_is "id: 8\ndata: ${SHORT%%,*}, ${SHORT#*,}\n: x\n\n\n"
	events "id: 9\r\rdata: $LIST\r\rdata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}\r\r"
	post tools/list
	body_is "id: 9\r\rdata: $SHORT\n\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}\r\r"
}

@test "an answer whose request is not known is filtered by what it has" {
	judged <<-'END'
	tools: ["get_*"]
	prompts: [p]
	END
	events "data: ${LIST/\"id\":1/\"id\":\"1\"}\n\n"
	post tools/list
	body_is "data: ${SHORT/\"id\":1/\"id\":\"1\"}\n\n"
	# The stream that GET opens, and one that is resumed.
	events 'id: 3\ndata: {"jsonrpc":"2.0","id":5,"result":{"prompts":[{"name":"p"},{"name":"q"}],"tools":[{"name":"x"}]}}\n\n'
	ACCEPT=text/event-stream fetch -H 'Last-Event-ID: 2'
	body_is 'id: 3\ndata: {"jsonrpc":"2.0","id":5,"result":{"prompts":[{"name":"p"}],"tools":[]}}\n\n'
	eq "$(audited '[.method,.verdict]')" '[null,"filter"]'
	[[ $(<"$T/answer.got") == *'Last-Event-ID: 2'* ]]
}

@test "a list is filtered in whatever answer it comes" {
	judged <<<'tools: ["get_*"]'
	json "$LIST"
	post tasks/result '{"taskId":"t"}'
	body_is "$SHORT"
	# Some servers mind the path alone.
	rpc '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' -X PUT
	body_is "$SHORT"
	rpc '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' -X GET
	body_is "$SHORT"
	STATUS_LINE='202 Accepted' json "$LIST"
	post tools/list
	eq "$CODE" 202
	body_is "$SHORT"
	STATUS_LINE='404 Not Found' json "$LIST"
	ACCEPT=text/event-stream fetch
	eq "$CODE" 404
	body_is "$SHORT"
}

@test "a result on the stream of a request answers it, or what went with it" {
	local result='{"jsonrpc":"2.0","id":%s,"result":{}}' id

	echo '[.direction, .method] != ["answer", "x"]' >"$T/p.jq"
	judged <<<"program: $T/p.jq"
	# Clients take all of these for the answer.
	for id in 1 '"1"' 1.0 '"\u0031"'; do
		# shellcheck disable=SC2059
		json "$(printf "$result" "$id")"
		post x
		eq "$id $(jq .error.code "$T/body")" "$id 403"
	done
	for id in 2 '"0x1"' '" 1"' null; do
		# shellcheck disable=SC2059
		json "$(printf "$result" "$id")"
		post x
		fails 502 'protocol; blame=upstream' "http://127.0.0.1:$UPSTREAM: a message that can not be judged: a result of nothing that was asked"
	done
	json '{"jsonrpc":"2.0","id":"server-error","error":{"code":1,"message":""}}'
	post x
	eq "$CODE" 200
	json '{"jsonrpc":"2.0","id":9007199254740992,"result":{}}'
	rpc '{"jsonrpc":"2.0","id":9007199254740993,"method":"x"}'
	eq "$(jq .error.code "$T/body")" 403
}

PROGRAM='if .direction == "list" then .entry.title != "hidden"
elif .direction == "request" then true
elif .method == "notifications/message" then false
elif .method == "sampling/createMessage" then "no sampling"
elif .message | tostring | test("secret") then "not for you"
elif .name == "mail" then {rule: "redact", message: (.message |
	.result.content[0].text |= gsub("[a-z]+@[a-z.]+"; "<mail>"))}
else true end'

@test "a program denies, rewrites and filters answers" {
	echo "$PROGRAM" >"$T/p.jq"
	judged <<<"program: $T/p.jq"
	json '{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"to bob@example.com"}]}}'
	post tools/call '{"name":"mail"}'
	eq "$(jq -c . "$T/body")" \
		'{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"to <mail>"}]}}'
	eq "$(audited '[.method,.name,.verdict,.rule]')" \
		'["tools/call","mail","rewrite","redact"]'
	eq "$(field content-length)" "$(stat -c %s "$T/body")"
	post tools/call '{"name":"other"}'
	eq "$(jq -r .result.content[0].text "$T/body")" 'to bob@example.com'
	json '{"jsonrpc":"2.0","id":1,"result":{"content":[],"a":"secret"}}'
	post tools/call '{"name":"other"}'
	eq "$CODE" 200
	eq "$(jq -c '[.id,.result.isError,.result.content[0].text]' "$T/body")" \
		'[1,true,"not for you"]'
	eq "$(audited '[.verdict,.rule,.reason]')" '["deny",null,null]'
	post resources/list
	eq "$(jq -c . "$T/body")" \
		'{"jsonrpc":"2.0","id":1,"error":{"code":403,"message":"not for you","data":{"code":"denied","blame":"policy"}}}'
	json '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a","title":"hidden"},{"name":"b"}]}}'
	post tools/list
	body_is '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"b"}]}}'
	run -1 grep -E 'secret|bob@|hidden' "$T/audit"
}

@test "a denied event leaves its id, and the others go on" {
	echo "$PROGRAM" >"$T/p.jq"
	judged <<<"program: $T/p.jq"
	events 'id: 1\nevent: message\ndata: {"jsonrpc":"2.0","method":"notifications/message","params":{"data":"a"}}\n\ndata: {"jsonrpc":"2.0","method":"notifications/message"}\n\ndata: {"jsonrpc":"2.0","id":1,"method":"sampling/createMessage"}\n\nid: 3\ndata: {"jsonrpc":"2.0","method":"notifications/progress"}\n\ndata: {"jsonrpc":"2.0","id":1,"result":{"a":"secret"}}\n\n'
	post tools/call '{"name":"other"}'
	eq "$RC" 0
	body_is 'id: 1\n\nid: 3\ndata: {"jsonrpc":"2.0","method":"notifications/progress"}\n\ndata: {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"not for you"}],"isError":true}}\n\n'
	eq "$(jq -c 'select(.direction == "answer") | .verdict' "$T/audit" |
		tr '\n' ' ')" '"deny" "deny" "deny" "allow" "deny" '
}

@test "the members of a batch are judged one by one" {
	echo "$PROGRAM" >"$T/p.jq"
	judged <<<"program: $T/p.jq"
	json '[{"jsonrpc":"2.0","id":1,"result":{"a":"secret"}}, {"jsonrpc":"2.0","method":"notifications/message"},{"jsonrpc":"2.0","id":2,"result":{}}]'
	rpc '[{"jsonrpc":"2.0","id":1,"method":"x"},{"jsonrpc":"2.0","id":2,"method":"y"}]'
	body_is '[{"jsonrpc":"2.0","id":1,"error":{"code":403,"message":"not for you","data":{"code":"denied","blame":"policy"}}},{"jsonrpc":"2.0","id":2,"result":{}}]'
	json '[{"jsonrpc":"2.0","id":1,"result":{}} ,{"jsonrpc":"2.0","id":2,"result":{}}]'
	rpc '[{"jsonrpc":"2.0","id":1,"method":"x"},{"jsonrpc":"2.0","id":2,"method":"y"}]'
	body_is '[{"jsonrpc":"2.0","id":1,"result":{}} ,{"jsonrpc":"2.0","id":2,"result":{}}]'
	json '{"jsonrpc":"2.0","method":"notifications/message"}'
	post x
	eq "$CODE$(<"$T/body")" 202
}

# refused TEXT BODY: as JSON; and as an event, which cuts the stream off.
refused()
{
	local text=$1

	json "$2"
	post tools/list
	fails 502 'protocol; blame=upstream' \
		"http://127.0.0.1:$UPSTREAM: a message that can not be judged: $text"
	printf 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nid: 1\n\ndata: %s\n\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\n\n' \
		"$2" >"$T/answer"
	post tools/list
	eq "$CODE" 200
	((RC != 0))
	body_is 'id: 1\n\n'
}

@test "what can not be judged is a 502, or cuts the stream off" {
	local deep

	judged <<<'tools: ["*"]'
	refused 'no object' '"a"'
	refused 'JSON ends early' '{"jsonrpc":"2.0","id":1,"result":{"tools":['
	refused 'a member is given twice' \
		'{"jsonrpc":"2.0","id":1,"result":{"content":[{"a":1,"\u0061":2}]}}'
	refused 'jsonrpc: not "2.0"' '{"id":1,"result":{}}'
	refused 'neither a request, a notification nor a response' \
		'{"jsonrpc":"2.0","id":1,"result":{},"error":{}}'
	refused "a member's name is like one that matters" \
		'{"jsonrpc":"2.0","id":1,"Result":{"tools":[]},"result":{}}'
	refused 'a member that is like tools' \
		'{"jsonrpc":"2.0","id":1,"result":{"tools":[],"Tools":[{"name":"x"}]}}'
	refused 'tools: not an array' \
		'{"jsonrpc":"2.0","id":1,"result":{"tools":{"0":{"name":"x"}}}}'
	printf -v deep '%065d' 0
	refused 'no JSON, or too deep, at byte 64' "${deep//0/[}"
}

@test "a message above message_size is a 502" {
	local fill

	judged <<<'message_size: 4k'
	printf -v fill '%*s' $((4096 - 42)) ''
	json "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":\"${fill// /x}\"}}"
	post x
	eq "$CODE" 200
	eq "$(stat -c %s "$T/body")" 4096
	events "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":\"${fill// /x}\"}}\n\n"
	post x
	eq "$RC" 0
	eq "$(stat -c %s "$T/body")" $((4096 + 8))
	json "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":\"${fill// /x}y\"}}"
	post x
	fails 502 'limit; blame=upstream' \
		"http://127.0.0.1:$UPSTREAM: the answer is above message_size"
	events "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":\"${fill// /x}y\"}}\n\n"
	post x
	fails 502 'protocol; blame=upstream' \
		"http://127.0.0.1:$UPSTREAM: an event above message_size"
}

@test "bodies that are no messages pass where they can be none" {
	judged <<<'tools: []'
	STATUS_LINE='404 Not Found' TYPE=text/html json '<p>no</p>'
	post tools/list
	eq "$CODE$(<"$T/body")" '404<p>no</p>'
	STATUS_LINE='401 Unauthorized' json '{"error":"invalid_token"}' \
		'WWW-Authenticate: Bearer'
	post tools/list
	eq "$CODE$(<"$T/body")" '401{"error":"invalid_token"}'
	eq "$(field www-authenticate)" Bearer
	STATUS_LINE='202 Accepted' TYPE=text/plain json Accepted
	rpc '{"jsonrpc":"2.0","method":"notifications/initialized"}'
	eq "$CODE$(<"$T/body")" 202Accepted
	STATUS_LINE='202 Accepted' json null
	rpc '{"jsonrpc":"2.0","method":"notifications/initialized"}'
	eq "$CODE$(<"$T/body")" 202null
	STATUS_LINE='202 Accepted' json '{"ok":true}'
	rpc '{"jsonrpc":"2.0","method":"notifications/initialized"}'
	eq "$CODE$(<"$T/body")" '202{"ok":true}'
	STATUS_LINE='202 Accepted' json "${LIST%?},\"x\":NaN}"
	rpc '{"jsonrpc":"2.0","method":"notifications/initialized"}'
	eq "$CODE$(<"$T/body")" 202
	STATUS_LINE='204 No Content' TYPE=text/plain json ''
	post tools/list
	eq "$CODE" 204
	printf 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' \
		>"$T/answer"
	fetch -X DELETE
	eq "$CODE" 200
	json '{"resource":"https://x/mcp"}'
	ACCEPT='*/*' fetch
	eq "$CODE$(<"$T/body")" '200{"resource":"https://x/mcp"}'
	STATUS_LINE='400 Bad Request' \
		json '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"x"}]}}'
	post tools/list
	eq "$CODE$(<"$T/body")" \
		'400{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}'
	STATUS_LINE='400 Bad Request' \
		json '{"jsonrpc":"2.0","id":null,"error":{"code":-32022,"message":"v"}}'
	post server/discover
	eq "$CODE$(<"$T/body")" \
		'400{"jsonrpc":"2.0","id":null,"error":{"code":-32022,"message":"v"}}'
}

NEITHER='a body that can not be judged: neither application/json nor text/event-stream'

@test "bodies that could be messages under another type are a 502" {
	local type

	judged <<<'tools: []'
	for type in text/plain application/x-ndjson \
		'text/plain; x=text/event-stream' 'application/json, text/plain' ''; do
		TYPE=$type json "$LIST"
		post tools/list
		fails 502 'protocol; blame=upstream' \
			"http://127.0.0.1:$UPSTREAM: $NEITHER"
	done
	TYPE=text/plain json "data: $LIST"
	ACCEPT='Text/Event-Stream' fetch
	fails 502 'protocol; blame=upstream' \
		"http://127.0.0.1:$UPSTREAM: $NEITHER"
	json "$LIST" 'Content-Type: text/plain'
	post tools/list
	fails 502 'protocol; blame=upstream' \
		"http://127.0.0.1:$UPSTREAM: two Content-Types"
	json "$LIST" 'Content-Encoding: gzip'
	post tools/list
	fails 502 'protocol; blame=upstream' \
		"http://127.0.0.1:$UPSTREAM: a body that can not be judged: it has a Content-Encoding"
	for type in 'application/json; charset=utf-16' \
		'text/event-stream;charset=UTF-7' \
		'application/json; a=b; charset = latin1' \
		'text/event-stream; charset=utf-8; charset="utf-16"'; do
		TYPE=$type json "$LIST"
		post tools/list
		fails 502 'protocol; blame=upstream' \
			"http://127.0.0.1:$UPSTREAM: a body that can not be judged: its charset is not UTF-8"
	done
	TYPE='application/json; charset=utf8' json "$LIST"
	post tools/list
	eq "$CODE" 200
	TYPE='application/json; x=y ;charset="utf-8"' json "$LIST"
	post tools/list
	eq "$CODE" 200
	json "$LIST" 'Content-Encoding: identity'
	post tools/list
	body_is '{"jsonrpc":"2.0","id":1,"result":{"tools":[],"nextCursor":"n"}}'
}

@test "what is no message for all readers is no event" {
	local sep=$'\xe2\x80\xa8' # U+2028; \u depends on the locale

	judged <<<'tools: [a]'
	# Some readers end lines at U+2028 and its like.
	events ": x${sep}data: $LIST${sep}${sep}\n\nid: 1${sep}data: $LIST\n\n\x0bdata: $LIST\x0c\x0c\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":\"${sep}data: \xc2\x85\"}}\n\n"
	post tools/list
	eq "$RC" 0
	body_is '\ndata: {"jsonrpc":"2.0","id":1,"result":{"a":"\\u2028data: \\u0085"}}\n\n'
	events "event: other\nid: 4\ndata: $LIST\n\nevent: endpoint\ndata: $LIST\n\nevent: endpoint\ndata: /messages?s=1\n\nid: 5\ndata:\n\n"
	ACCEPT=text/event-stream fetch
	body_is 'id: 4\n\nevent: endpoint\ndata: /messages?s=1\n\nid: 5\ndata:\n\n'
	events "event: endpoint\ndata: \xef\xbb\xbf$LIST\n\nevent: endpoint\ndata: /a\ndata: $LIST\n\n"
	ACCEPT=text/event-stream fetch
	body_is ''
	# Some readers trim lines, fold the case of fields, or know more marks.
	events "\xef\xbb\xbf\xef\xbb\xbfdata: $LIST\n\nid: 2\nData: $LIST\n\nid: 3\n data: $LIST\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"m\"}\n\xef\xbb\xbfdata: $LIST\n\n"
	post tools/list
	body_is 'id: 2\n\nid: 3\ndata: {"jsonrpc":"2.0","method":"m"}\n\n'
	# Some take each line of data for a message.
	events "data: {\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"a\":\ndata: $LIST\ndata: }}\n\n"
	post tools/list
	body_is "data: {\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"a\": $LIST }}\n\n"
	# The end of the stream ends no event.
	events "data: $LIST\n"
	post tools/list
	eq "$RC" 0
	body_is ''
}

@test "a response that is cut off stays cut off" {
	judged <<<'tools: ["get_*"]'
	touch "$T/answer.reset"
	printf 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nid: 1\n\r\n1\r\n\n\r\n' \
		>"$T/answer"
	post tools/list
	eq "$CODE" 200
	((RC != 0))
	body_is 'id: 1\n\n'
	printf 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n%s' \
		"$LIST" >"$T/answer"
	post tools/list
	fails 502 'aborted; blame=upstream' \
		"http://127.0.0.1:$UPSTREAM: closed the connection in the middle of a response"
}

@test "an event goes on before the next one comes" {
	local note='{"jsonrpc":"2.0","method":"notifications/x"}'

	echo "$PROGRAM" >"$T/p.jq"
	start_upstream "$ASKED" \
		"send=HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n:\n" \
		"file=$T/one" "send=\ndata: $note\r\n\r" "file=$T/two" \
		"send=\ndata: $note\n\n" end hold
	start_proxy <<-END
	$allow_loopback
	policy: {program: $T/p.jq}
	END
	run_tool 0 client "send=GET / HTTP/1.1\r\nHost: $NAME\r\nAccept: text/event-stream\r\n\r\n" \
		'expect=:\n' "touch=$T/one" 'expect=notifications/x"}\r\n\r' \
		"touch=$T/two" 'expect=notifications/x"}\n\n.*0\r\n\r\n' end
}

@test "answers of megabytes go through a program" {
	echo "$PROGRAM" >"$T/p.jq"
	judged <<-END
	program: $T/p.jq
	message_size: 16m
	END
	node -e 'process.stdout.write(JSON.stringify({ jsonrpc: "2.0", id: 1,
	    result: { content: [{ type: "text",
	    text: "a@b.c".padEnd(12 << 20, "x y ") }] } }))' >"$T/large"
	{
		printf 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n'
		cat "$T/large"
	} >"$T/answer"
	post tools/call '{"name":"other"}'
	eq "$RC$CODE" 0200
	cmp "$T/large" "$T/body"
	{
		printf 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n'
		printf 'data: '
		cat "$T/large"
		printf '\n\ndata: '
		cat "$T/large"
		printf '\n\n'
	} >"$T/answer"
	post tools/call '{"name":"other"}'
	eq "$RC$CODE" 0200
	sed '1,/^\r$/d' "$T/answer" | cmp - "$T/body"
}

@test "an agent that leaves while its answer is judged harms nobody" {
	echo 'if .direction == "answer" and .name == "slow" then
		last(range(1e9)) | true else true end' >"$T/p.jq"
	judged <<<"program: $T/p.jq"
	json "$LIST"
	run_tool 28 agent_curl --max-time 0.3 -H 'Content-Type: application/json' \
		--data '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow"}}' \
		/mcp
	post tools/list
	eq "$CODE" 200
	body_is "$LIST"
	post tools/call '{"name":"slow"}'
	eq "$(jq -c '[.id,.result.isError]' "$T/body")" '[1,true]'
	eq "$(audited '[.verdict,.rule]')" '["deny","program-failed"]'
}

@test "an answer goes on only after its line in the audit" {
	judged <<<'tools: ["get_*"]'
	json "$LIST"
	post tools/list
	eq "$CODE" 200
	(($(jq -s 'map(select(.event == "decide" and .direction == "answer")) |
		length' "$T/audit") == 1))
}

# ---- stdio

# bridge WORD...: the fake server with these words; KEYS as in bridge.bash.
bridge()
{
	bridge_config <<<"docs: {command: [node, $FAKE$(printf ', %s' "$@")]${KEYS:+, $KEYS}}"
	echo "audit: $T/audit" >>"$T/proxy.yaml"
	run_proxy
}

# say TEXT...: the server says these lines.
say()
{
	call "${ID:-1}" "${TOOL:-say}" \
		"{\"lines\":$(jq -cn '$ARGS.positional' --args "$@")}"
}

# answer TEXT: a result with it for the call.
answer()
{
	echo "{\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"$1\"}]}}"
}

LOG='{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"a"}}'
PROGRESS='{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":ID,"progress":1}}'

@test "stdio: lists and answers are judged, in sessions and without" {
	local tools='get_a,put_b,say'

	echo "$PROGRAM" >"$T/p.jq"
	KEYS="policy: {program: $T/p.jq, tools: ['get_*', say, mail]}" \
		bridge "'lists=$tools'"
	begin
	ask '{"jsonrpc":"2.0","id":"l","method":"tools/list"}'
	eq "$BODY" '{"jsonrpc":"2.0","id":"l","result":{"tools":[{"name":"get_a"},{"name":"say"}]}}'
	eq "$(audited '[.method,.verdict,.removed,.id,.session]')" \
		"[\"tools/list\",\"filter\",[\"put_b\"],\"l\",\"$(printf %s "$SID" | sha256sum | cut -c 1-16)\"]"
	ID='"s"' say "$(answer 'the secret')"
	eq "$(jq -c '[.id,.result.isError,.result.content[0].text]' <<<"$BODY")" \
		'["s",true,"not for you"]'
	eq "$(audited '[.name,.verdict,.id]')" '["say","deny","s"]'
	say "$(answer hello)"
	eq "$(text)" hello
}

@test "stdio: a shared process and one of 2026-07-28 are judged, too" {
	KEYS='mode: shared, policy: {tools: [get_a]}' \
		bridge "'lists=get_a,put_b'"
	begin
	ask '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
	eq "$BODY" '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"get_a"}]}}'
	stop proxy
	SID=
	rm "$T/audit"
	KEYS='policy: {tools: [get_a]}' bridge "'lists=get_a,put_b'" modern
	modern tools/list '{}' -H 'Mcp-Method: tools/list'
	eq "$BODY" '{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"get_a"}]}}'
	eq "$(audited '[.verdict,.host]')" "[\"filter\",\"$NAME\"]"
}

@test "stdio: what a shared process says of itself is judged" {
	echo 'if .direction == "answer" and .method == "initialize" then
		if .host == "'"$NAME"'" then {message: (.message |
			.result.instructions = "be nice")} else "not here" end
		else true end' >"$T/p.jq"
	KEYS="mode: shared, policy: {program: $T/p.jq}" bridge
	begin
	ask "$(initialize)"
	eq "$(jq -r .result.instructions <<<"$BODY")" 'be nice'
	eq "$(audited '[.method,.verdict]')" '["initialize","rewrite"]'
	stop proxy
	SID=
	rm "$T/audit"
	echo '.direction != "answer" or .method != "initialize"' >"$T/p.jq"
	KEYS="mode: shared, policy: {program: $T/p.jq}" bridge
	ask "$(initialize)"
	eq "$CODE$(jq .error.code <<<"$BODY")" 200403
	eq "$(field mcp-session-id)" ''
	stop proxy
	rm "$T/audit"
	KEYS="policy: {program: $T/p.jq}" bridge
	ask "$(initialize)"
	eq "$CODE$(jq .error.code <<<"$BODY")" 200403
	eq "$(field mcp-session-id)" ''
}

@test "stdio: events, what waits for a stream and what is resumed are judged" {
	local id

	echo "$PROGRAM" >"$T/p.jq"
	KEYS="policy: {program: $T/p.jq}" bridge
	begin
	call 1 say "{\"lines\":$(jq -cn '$ARGS.positional' --args "$LOG" \
		"$PROGRESS" "$LOG" "$(answer ready)")}" '{"progressToken":"t"}'
	eq "$(sed -n 's/^data: //p' <<<"$BODY" | sed '/^$/d' |
		jq -c '[.method,.id]' | xargs)" \
		'[notifications/progress,null] [null,1]'
	# For no stream: it is kept, but not what is denied.
	ACCEPT=application/json say "$LOG" \
		'{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}' \
		"$(answer kept)"
	eq "$(text)" kept
	start_bg get curl -sN --max-time 60 --cacert "$T/certs/ca.crt" \
		--resolve "*:$PROXY:127.0.0.1" -H "Mcp-Session-Id: $SID" \
		-H 'Accept: text/event-stream' "https://$NAME:$PROXY/mcp"
	wait_until has_line "$T/get.out" list_changed
	eq "$(grep -c notifications/message "$T/get.out")" 0
	# An answer that comes when nobody waits is kept as it was judged.
	start_bg old curl -sN --max-time 60 --cacert "$T/certs/ca.crt" \
		--resolve "*:$PROXY:127.0.0.1" -H "Mcp-Session-Id: $SID" \
		-H 'Content-Type: application/json' \
		-H 'Accept: application/json, text/event-stream' \
		--data "$(tool '"x"' steps '{"key":"k"}' '{"progressToken":"t"}')" \
		"https://$NAME:$PROXY/mcp"
	wait_until has_line "$T/old.out" '"progress":1'
	id=$(sed -n '/"progress":1/{x;p;};h' "$T/old.out" | sed 's/^id: //')
	stop old KILL
	call 2 release '{"key":"k"}'
	call 3 release '{"key":"k"}'
	BODY=$(agent_curl -H "Mcp-Session-Id: $SID" -H "Last-Event-ID: $id" \
		-H 'Accept: text/event-stream' /mcp)
	eq "$(sed -n 's/^data: //p' <<<"$BODY" |
		jq -c '[.id, .params.progress]' | xargs)" '[null,2] [x,null]'
	eq "$(audited 'select(.id == "x") | [.method,.name,.verdict]')" \
		'["tools/call","steps","allow"]'
}

@test "stdio: a server whose request is denied is told" {
	echo "$PROGRAM" >"$T/p.jq"
	KEYS="policy: {program: $T/p.jq}" bridge
	begin
	call 1 ask
	eq "$(text | jq -c '[.code,.message]')" \
		'[403,"the policy of the proxy does not allow it"]'
	eq "$(jq -c 'select(.method == "sampling/createMessage") |
		[.direction,.verdict,.id]' "$T/audit")" \
		'["answer","deny","ask-1"]'
}

@test "stdio: an answer that can not be judged fails its call" {
	KEYS='policy: {tools: ["*"], message_size: 4k}' bridge
	begin
	say '{"jsonrpc":"2.0","id":ID,"result":{"a":1,"a":2}}'
	eq "$CODE" 502
	eq "$(jq -r .error.message <<<"$BODY")" \
		'stdio:docs: a message that can not be judged: a member is given twice'
	call 1 large '{"count":5000}'
	eq "$CODE" 502
	eq "$(jq -r .error.message <<<"$BODY")" \
		'stdio:docs: the answer is above message_size of the policy'
	say "$(answer 'and on')"
	eq "$(text)" 'and on'
}

@test "stdio: what a process says last is judged before its end is told" {
	echo "$PROGRAM" >"$T/p.jq"
	KEYS="policy: {program: $T/p.jq}" bridge
	begin
	TOOL=last say "$LOG" "$(answer 'the secret')"
	eq "$(text)" 'not for you'
	begin
	TOOL=last say "$(answer 'good bye')"
	eq "$(text)" 'good bye'
}
