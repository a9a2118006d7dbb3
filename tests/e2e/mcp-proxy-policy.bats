# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # the helpers' names
# shellcheck disable=SC2016 # programs in jq have dollars

# What agents ask, before the operator's policy.

load helpers.bash
load mcp-proxy.bash
load bridge.bash
load policy.bash

# has_lines COUNT TEXT: the proxy has said it so often.
has_lines()
{
	(($(grep -cF -- "$2" "$T/proxy.err") == $1))
}

# ---- lists

@test "a list of tools allows what matches, and denies the rest to be read" {
	judge <<<'tools: ["get_*", "!get_secret"]'
	call_tool get_x
	eq "$CODE $BODY" "200 $GOT_CALL"
	call_tool get_secret
	eq "$CODE $BODY" "200 $(denied_call "$DENIED the tool 'get_secret'.")"
	call_tool other
	eq "$BODY" "$(denied_call "$DENIED the tool 'other'.")"
	request tools/call
	eq "$BODY" "$(denied_call "$DENIED the tool ''.")"
	eq "$(count_got)" 1
	eq "$(audited '[.verdict, .rule, .method, .name, .id] | join(" ")')" \
		"$(printf '%s\n' 'allow policy tools/call get_x 7' \
			'deny tools tools/call get_secret 7' \
			'deny tools tools/call other 7' \
			'deny tools tools/call  7')"
}

@test "lists of prompts, resources and methods do the same" {
	judge <<-'END'
	prompts: [p*]
	resources: ["file:///srv/*", "!file:///srv/key*"]
	methods: ["prompts/*", "resources/*", "completion/complete", "subscriptions/listen"]
	END
	request prompts/get '{"name":"p1"}'
	eq "$BODY" '{"jsonrpc":"2.0","id":7,"result":{"got":"prompts/get"}}'
	request prompts/get '{"name":"x"}'
	eq "$BODY" "$(denied "$DENIED the prompt 'x'.")"
	request resources/read '{"uri":"file:///srv/a"}'
	eq "$BODY" '{"jsonrpc":"2.0","id":7,"result":{"got":"resources/read"}}'
	local uri
	for uri in file:///srv/key1 file:///srv/../etc/x file:///srv//key1 \
		file:///srv/%6bey1 FILE:///srv/a file:///etc/x; do
		request resources/subscribe "{\"uri\":\"$uri\"}"
		eq "$BODY" "$(denied "$DENIED the resource '$uri'.")"
	done
	request completion/complete '{"ref":{"type":"ref/prompt","name":"x"}}'
	eq "$BODY" "$(denied "$DENIED the prompt 'x'.")"
	request tools/list
	eq "$BODY" "$(denied "$DENIED the method 'tools/list'.")"
	request ping
	eq "$BODY" '{"jsonrpc":"2.0","id":7,"result":{"got":"ping"}}'
	request initialize
	eq "$BODY" '{"jsonrpc":"2.0","id":7,"result":{"got":"initialize"}}'
	request subscriptions/listen \
		'{"notifications":{"resourceSubscriptions":["file:///srv/a","file:///etc/x"]}}'
	eq "$BODY" "$(denied "$DENIED the resource 'file:///etc/x'.")"
}

@test "a policy without keys allows and audits every message" {
	judge </dev/null
	call_tool any
	eq "$BODY" "$GOT_CALL"
	eq "$(audited '[.verdict, .name] | join(" ")')" 'allow any'
}

@test "a route's own policy replaces the general one as a whole" {
	start_echo
	write_config <<-END
	$allow_loopback
	policy: {tools: [a]}
	END
	sed -i "s|^  docs: .*|  docs: {upstream: 'http://127.0.0.1:$UPSTREAM', policy: {prompts: []}}|" "$T/proxy.yaml"
	run_proxy
	call_tool b
	eq "$BODY" "$GOT_CALL"
	HOST=alias.$DOMAIN
	call_tool b
	eq "$BODY" "$(denied_call "$DENIED the tool 'b'.")"
}

# ---- what goes on

@test "the very bytes that were judged go on, whatever is in them" {
	judge true </dev/null
	local m=' { "id" : 12345678901234567890 , "method":"tools\/call", "jsonrpc":"2.0",
	"params":{"x":1.0e2,"name":"t\u00e4","b":"\u0000","arguments":{"Name":1,"name":[1,{"a":1},{"a":2}]}}} '
	ask "$m"
	eq "$CODE" 200
	eq "$(cat "$T/got/1.body"; echo .)" "$m."
	eq "$(audited .name)" tä
}

@test "a chunked body goes on with a length, without Accept-Encoding" {
	judge true </dev/null
	ask "$(initialize)" -H 'Transfer-Encoding: chunked' \
		-H 'Accept-Encoding: gzip' -H 'Authorization: Bearer x' -H 'X-a: b'
	eq "$CODE" 200
	run -1 grep -i 'encoding' "$T/got/1.head"
	grep -x "Content-Length: $(wc -c <"$T/got/1.body")" "$T/got/1.head"
	grep -x 'Authorization: Bearer x' "$T/got/1.head"
	grep -x 'X-a: b' "$T/got/1.head"
}

@test "a message of 4 MiB passes whole, one byte more is a 413" {
	SIZE=4m judge true </dev/null
	local head='{"jsonrpc":"2.0","id":7,"method":"ping","params":{"a":"' tail='"}}'
	{
		printf %s "$head"
		head -c $(((4 << 20) - ${#head} - ${#tail})) /dev/zero | tr '\0' x
		printf %s "$tail"
	} >"$T/big"
	ask "@$T/big" -H Expect:
	eq "$CODE" 200
	cmp "$T/big" "$T/got/1.body"
	{ cat "$T/big"; echo; } >"$T/bigger"
	ask "@$T/bigger" -H Expect:
	eq "$CODE" 413
	[[ $(field adit-error) == 'limit; blame=policy' ]]
	ask "@$T/bigger" -H Expect: -H 'Transfer-Encoding: chunked'
	eq "$CODE" 413
	eq "$(count_got)" 1
}

@test "a GET and a DELETE pass without being judged" {
	judge false <<<'tools: []'
	run -0 agent_curl -o /dev/null -w '%{http_code}' -X DELETE \
		-H 'Accept-Encoding: gzip' -H 'Mcp-Session-Id: s' /mcp
	eq "$output" 202
	eq "$(cat "$T/got/1.head")" "$(printf '%s\n' 'DELETE /mcp' \
		"Host: $NAME:$PROXY" "$(sed -n 's/^User-Agent/&/p' "$T/got/1.head")" \
		'Accept: */*' 'Mcp-Session-Id: s')"
}

@test "an agent that waits for 100 before it sends gets it" {
	judge true </dev/null
	run_tool 0 client "send=POST /mcp HTTP/1.1\r\nHost: $NAME\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 40\r\n\r\n" \
		'expect=100 Continue\r\n\r\n' \
		'send={"jsonrpc":"2.0","id":1,"method":"ping"}' \
		'expect=200 OK[^]*"got":"ping"'
	run -1 grep -i expect "$T/got/1.head"
}

@test "requests in one connection are judged one after the other" {
	judge 'if .name == "bad" then "no" else true end' </dev/null
	local one two
	one='{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"bad"}}'
	two='{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"fine"}}'
	local head="POST /mcp HTTP/1.1\r\nHost: $NAME\r\nContent-Type: application/json\r\n"
	run_tool 0 client \
		"send=${head}Content-Length: ${#one}\r\n\r\n$one${head}Content-Length: ${#two}\r\n\r\n$two" \
		'expect="isError":true[^]*"id":2,"result":\{"got":"tools/call"' end
	eq "$(cat "$T/got/1.body")" "$two"
	eq "$(count_got)" 1
}

# ---- the program

@test "the program is told everything about a message" {
	judge '{deny: (. | del(.session, .message) | tojson), rule: "r-1"}' </dev/null
	SID=secret-session call_tool t
	eq "$(jq -r '.result.content[0].text | fromjson | [.direction, .route, .host, .method, .name] | join(" ")' <<<"$BODY")" \
		"request docs $NAME tools/call t"
	eq "$(audited '[.verdict, .rule, .session] | join(" ")')" \
		"deny r-1 $(printf secret-session | sha256sum | cut -c 1-16)"
	run -1 grep -r secret-session "$T/audit" "$T/proxy.err"
}

@test "the program sees the message, and a digest in place of the session" {
	judge '{deny: ([.session, .message.params.arguments.a] | tojson)}' </dev/null
	SID=secret-session call_tool t '{"a":[1,"x"]}'
	eq "$(jq -c '.result.content[0].text | fromjson' <<<"$BODY")" \
		"[\"$(printf secret-session | sha256sum | cut -c 1-16)\",[1,\"x\"]]"
}

@test "the program can put another message in the place of one" {
	judge 'if .direction == "request" then {message: (.message | .params.arguments = {safe: true}), rule: "safe"} else true end' </dev/null
	ask '{"jsonrpc":"2.0","id":12345678901234567890,"method":"tools/call","params":{"name":"t","arguments":{"password":"x"}}}'
	eq "$CODE" 200
	eq "$(cat "$T/got/1.body")" '{"jsonrpc":"2.0","id":12345678901234567890,"method":"tools/call","params":{"name":"t","arguments":{"safe":true}}}'
	grep -x "Content-Length: $(wc -c <"$T/got/1.body")" "$T/got/1.head"
	eq "$(audited '[.verdict, .rule] | join(" ")')" 'rewrite safe'
}

@test "lists come first: the program is not asked what they deny" {
	judge true <<<'tools: [a]'
	call_tool b
	eq "$BODY" "$(denied_call "$DENIED the tool 'b'.")"
}

@test "whatever the program does that says nothing clear is a denial" {
	judge '.message.params.arguments.do as $do | if $do == "none" then empty
		elif $do == "two" then (true, true) elif $do == "error" then error("its error")
		elif $do == "null" then null elif $do == "number" then 1
		elif $do == "id" then {message: (.message | .id = 8)}
		elif $do == "method" then {message: (.message | .method = "ping")}
		elif $do == "tool" then {message: (.message | .params.name = "other")}
		elif $do == "member" then {deny: "x", other: 1}
		elif $do == "input" then input elif $do == "halt" then halt
		elif $do == "after" then (true, halt)
		else true end' </dev/null
	local what
	for what in none two error null number id method tool member input halt after; do
		call_tool t "{\"do\":\"$what\"}"
		eq "$what $CODE $BODY" "$what 200 $(denied_call "$FAILED")"
	done
	call_tool t
	eq "$BODY" "$GOT_CALL"
	eq "$(count_got)" 1
	eq "$(audited 'select(.verdict == "deny") | .rule' | sort | uniq -c | xargs)" '12 program-failed'
	grep -F "warning: policy: route=docs: $T/p.jq: its error; denied" "$T/proxy.err"
	grep -F ': it gives more than one value; denied' "$T/proxy.err"
}

@test "a program that takes too long is ended and the next question answered" {
	judge 'if .name == "spin" then last(range(1e12)) else true end' </dev/null
	call_tool spin
	eq "$BODY" "$(denied_call "$FAILED")"
	call_tool t
	eq "$BODY" "$GOT_CALL"
	grep -F "$T/p.jq: it took too long; denied" "$T/proxy.err"
}

@test "a question that ends the process takes no other with it" {
	judge 'if .name == "eat" then [limit(1e9; repeat("x" * 1000000))] else true end' </dev/null
	local i pids=()
	for i in 1 2 3; do
		start_bg "eat$i" curl --silent --cacert "$T/certs/ca.crt" \
			--resolve "*:$PROXY:127.0.0.1" -H 'Content-Type: application/json' \
			--data "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":\"$([[ $i == 2 ]] && echo t || echo eat)\"}}" \
			"https://$NAME:$PROXY/mcp"
		pids+=("${PID[eat$i]}")
	done
	wait "${pids[@]}"
	eq "$(cat "$T/eat1.out")" "$(denied_call "$FAILED")"
	eq "$(cat "$T/eat2.out")" "$GOT_CALL"
	eq "$(cat "$T/eat3.out")" "$(denied_call "$FAILED")"
}

@test "the process of a program that is killed is started again" {
	judge true </dev/null
	local i
	for i in 1 2; do
		kill -KILL "$(pgrep -P "${PID[proxy]}")"
		wait_until has_lines "$i" "warning: $T/p.jq: its process ended"
		call_tool t
		eq "$BODY" "$GOT_CALL"
	done
}

@test "the process has no environment, no file, no network and no privileges" {
	SECRET=x judge '{deny: ([$ENV, (try (input) catch "none")] | tojson)}' </dev/null
	call_tool t
	eq "$(jq -r '.result.content[0].text' <<<"$BODY")" '[{},"none"]'
	local pid
	pid=$(pgrep -P "${PID[proxy]}")
	eq "$(tr '\0' '\n' <"/proc/$pid/environ")" ''
	eq "$(grep -E '^(NoNewPrivs|Seccomp):' "/proc/$pid/status" | tr -d '\t' | xargs)" \
		"NoNewPrivs:1 Seccomp:$([[ $(uname -m) =~ ^(x86_64|aarch64)$ && ! $BIN == *asan* ]] && echo 2 || echo 0)"
	eq "$(awk '/Max open files/ {print $4, $5}' "/proc/$pid/limits")" '0 0'
	eq "$(find "/proc/$pid/fd" -type l | wc -l)" 3
}

@test "import of a file does not compile" {
	start_echo
	echo 'def f: true;' >"$T/m.jq"
	write_policy 'import "m" as m; m::f' </dev/null | write_config
	run_tool 2 "$BIN/mcp-proxy" --check --config "$T/proxy.yaml"
	[[ $stderr == "mcp-proxy: $T/p.jq: "* ]]
}

@test "a program that does not compile or is not there is a problem of the configuration" {
	start_echo
	write_policy '.x |' </dev/null | write_config
	run_tool 2 "$BIN/mcp-proxy" --check --config "$T/proxy.yaml"
	eq "${#stderr_lines[@]}" 1
	[[ $stderr == "mcp-proxy: $T/p.jq: "*syntax*error* ]]
	rm "$T/p.jq"
	run_tool 2 "$BIN/mcp-proxy" --check --config "$T/proxy.yaml"
	eq "$stderr" "mcp-proxy: $T/p.jq: No such file or directory"
	head -c 65537 /dev/zero | tr '\0' ' ' >"$T/p.jq"
	run_tool 2 "$BIN/mcp-proxy" --check --config "$T/proxy.yaml"
	[[ $stderr == "mcp-proxy: $T/p.jq: "* ]]
	{ echo -n true; head -c 65532 /dev/zero | tr '\0' ' '; } >"$T/p.jq"
	run_tool 0 "$BIN/mcp-proxy" --check --config "$T/proxy.yaml"
}

# change_program TEXT: at once, so that nobody finds an empty one.
change_program()
{
	printf '%s\n' "$1" >"$T/new.jq"
	mv "$T/new.jq" "$T/p.jq"
}

@test "a changed program is taken up, a wrong one leaves the old in use" {
	judge '"one"' </dev/null
	call_tool t
	eq "$BODY" "$(denied_call one)"
	change_program '"two"'
	wait_line proxy 'program loaded'
	call_tool t
	eq "$BODY" "$(denied_call two)"
	change_program '"three'
	wait_line proxy 'keeping the program in use'
	call_tool t
	eq "$BODY" "$(denied_call two)"
	rm "$T/p.jq"
	wait_line proxy 'No such file or directory; keeping the program in use'
	mkfifo "$T/p.jq"
	wait_line proxy 'which is read only once; keeping the program in use'
	rm "$T/p.jq"
	kill -KILL "$(pgrep -P "${PID[proxy]}")"
	wait_line proxy 'its process ended'
	call_tool t
	eq "$BODY" "$(denied_call two)"
	change_program true
	wait_until has_lines 2 'program loaded'
	call_tool t
	eq "$BODY" "$GOT_CALL"
}

# The Nth literal block of the manual page's EXAMPLES.
example()
{
	awk -v n="$1" '/^\.Sh / {on = $2 == "EXAMPLES"}
		on && /^\.Bd/ {block++; next}
		/^\.Ed/ {on = on && block < n}
		on && block == n' "$ROOT/man/mcp-proxy.yaml.5"
}

@test "the policy in the manual does what it says there" {
	judge "$(example 5)" < <(example 4 | sed -n 's/^  \(tools\|resources\)/\1/p')
	call_tool get_page '{"page":"home"}'
	eq "$BODY" "$GOT_CALL"
	call_tool get_page '{"page":"board/minutes"}'
	eq "$BODY" "$(denied_call 'Pages of the board are not for agents.')"
	call_tool edit_page
	eq "$BODY" "$(denied_call "$DENIED the tool 'edit_page'.")"
	request resources/read '{"uri":"wiki://pages/board/minutes"}'
	eq "$BODY" "$(denied "$DENIED the resource 'wiki://pages/board/minutes'.")"
	request resources/read '{"uri":"wiki://pages/home"}'
	eq "$CODE" 200
	eq "$(audited 'select(.verdict == "deny") | .rule' | xargs)" 'board tools resources'
}

# ---- what is no message

@test "what is no message, or one with two meanings, is refused and goes nowhere" {
	judge true </dev/null
	local m
	for m in hello '{' '{"jsonrpc":"2.0","id":1}' '[]' '[[]]' '"x"' \
		'{"jsonrpc":"2.0","id":1,"method":"ping"}{}' \
		'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}' \
		'{"jsonrpc":"2.0","id":1,"method":"ping","m\u0065thod":"tools/call"}' \
		'{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}' \
		'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}' \
		'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":1,"x":2}}}' \
		'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":1}}' \
		'{"jsonrpc":"2.0","id":1,"method":"tools/call\u0000"}' \
		'{"jsonrpc":"2.0","id":1,"method":"Tools/Call"}' \
		'{"jsonrpc":"2.0","id":1,"method":"ping","method\u0000":"tools/call"}' \
		'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a\u0000"}}' \
		'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a\ud800"}}' \
		'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","task_id":1}}' \
		'{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"a","Name":"b"}}}' \
		'{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resource_subscriptions":["a:b"]}}}' \
		'{"jsonrpc":"2.0","id":{},"method":"ping"}' $'{"jsonrpc":"2.0","id":1,"method":"\xff"}' \
		"$(printf '[%.0s' {1..65})$(printf ']%.0s' {1..65})"; do
		ask "$m"
		eq "$m $CODE $(jq -c 'has("error")' <<<"$BODY")" "$m 400 true"
	done
	eq "$(count_got)" 0
	eq "$(audited 'select(.verdict != "deny")')" ''
}

@test "a body of another type or coding is a 415" {
	judge true </dev/null
	local m='{"jsonrpc":"2.0","id":1,"method":"ping"}' type
	for type in text/plain 'application/json; charset=utf-7' \
		application/x-www-form-urlencoded; do
		run -0 agent_curl -o /dev/null -w '%{http_code}' -d "$m" \
			-H "Content-Type: $type" /mcp
		eq "$type $output" "$type 415"
	done
	ask "$m" -H 'Content-Encoding: gzip'
	eq "$CODE" 415
	run -0 agent_curl -o /dev/null -w '%{http_code}' -d "$m" \
		-H 'Content-Type: application/json; charset=UTF-8' /mcp
	eq "$output" 200
	for type in Content_Encoding mcp_method Mcp_Session-Id Transfer_Encoding; do
		ask "$m" -H "$type: gzip"
		eq "$type $CODE" "$type 400"
	done
	run -0 agent_curl -o /dev/null -w '%{http_code}' -X PUT -d x \
		-H 'Content-Type: application/json' /other
	eq "$output" 400
	eq "$(count_got)" 1
}

@test "headers that say something else than the body are a 400 with -32020" {
	judge true </dev/null
	local meta='"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}'
	local m="{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":\"t\",$meta}}"
	local v='MCP-Protocol-Version: 2026-07-28'
	ask "$m" -H "$v" -H 'Mcp-Method: tools/call' -H 'Mcp-Name: t'
	eq "$CODE $BODY" "200 $GOT_CALL"
	ask "$m" -H "$v" -H 'Mcp-Method: tools/call' -H 'Mcp-Name: =?base64?dA==?='
	eq "$CODE" 200
	local h
	for h in 'Mcp-Method: tools/list|Mcp-Name: t' 'Mcp-Method: tools/call|Mcp-Name: u' \
		'Mcp-Method: tools/call|X: y' 'X: y|Mcp-Name: t'; do
		ask "$m" -H "$v" -H "${h%|*}" -H "${h#*|}"
		eq "$h $CODE $(jq .error.code <<<"$BODY")" "$h 400 -32020"
	done
	ask "$m" -H 'Mcp-Method: tools/call' -H 'Mcp-Name: t'
	eq "$CODE $(jq .error.code <<<"$BODY")" '400 -32020'
	# Of older revisions, what is there has to be true.
	ask "$(tool 7 t)" -H 'Mcp-Method: tools/list'
	eq "$CODE $(jq .error.code <<<"$BODY")" '400 -32020'
	ask "$(tool 7 t)" -H 'MCP-Protocol-Version: 2027-01-01'
	eq "$CODE $(jq -c '[.error.code, .error.data.requested, (.error.data.supported | length)]' <<<"$BODY")" \
		'400 [-32022,"2027-01-01",5]'
	eq "$(count_got)" 2
}

# ---- notifications, answers, batches

@test "a denied notification is a 202 and goes nowhere" {
	judge 'if .method == "notifications/x" then false else true end' </dev/null
	ask '{"jsonrpc":"2.0","method":"notifications/x"}'
	eq "$CODE$BODY" 202
	ask '{"jsonrpc":"2.0","method":"notifications/initialized"}'
	eq "$CODE$BODY" 202
	eq "$(cat "$T/got/1.body")" '{"jsonrpc":"2.0","method":"notifications/initialized"}'
	eq "$(audited '[.verdict, .method] | join(" ")')" \
		"$(printf '%s\n' 'deny notifications/x' 'allow notifications/initialized')"
}

@test "a denied answer of the agent becomes an error for the server" {
	judge 'if .message.result.secret then "no secrets" else true end' </dev/null
	ask '{"jsonrpc":"2.0","id":"s1","result":{"secret":"x"}}'
	eq "$CODE$BODY" 202
	eq "$(cat "$T/got/1.body")" '{"jsonrpc":"2.0","id":"s1","error":{"code":403,"message":"no secrets","data":{"code":"denied","blame":"policy"}}}'
	ask '{"jsonrpc":"2.0","id":"s2","result":{}}'
	eq "$(cat "$T/got/2.body")" '{"jsonrpc":"2.0","id":"s2","result":{}}'
}

@test "each message of a batch is judged; with one denied request none goes on" {
	judge 'if .name == "bad" then "no" elif .method == "notifications/x" then false
		elif .name == "change" then {message: (.message | .params.arguments = {})}
		else true end' </dev/null
	local ok1='{"jsonrpc":"2.0","id":1,"method":"ping"}'
	local bad='{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"bad"}}'
	local change='{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"change","arguments":{"a":1}}}'
	local note='{"jsonrpc":"2.0","method":"notifications/x"}'
	ask "[ $ok1 ]"
	eq "$(cat "$T/got/1.body")" "[ $ok1 ]"
	ask "[$ok1,$bad,$note]"
	eq "$CODE" 200
	eq "$(jq -c '[.[] | [.id, .error.code, .result.isError]]' <<<"$BODY")" '[[1,403,null],[2,null,true]]'
	ask "[$ok1,$note,$change]"
	eq "$(cat "$T/got/2.body")" "[$ok1,{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":\"change\",\"arguments\":{}}}]"
	ask "[$note]"
	eq "$CODE$BODY" 202
	VERSION=2025-06-18 ask "[$ok1]"
	eq "$CODE" 400
	local many='[range(65) | {jsonrpc: "2.0", id: ., method: "ping"}]' id
	ask "$(jq -cn "$many")"
	eq "$CODE" 400
	# What answers the one could be taken for an answer to the other.
	for id in 1 '"1"' 1.0e0 1.5; do
		ask "[$ok1,{\"jsonrpc\":\"2.0\",\"id\":$id,\"method\":\"tools/list\"}]"
		eq "$id $CODE" "$id 400"
	done
	eq "$(count_got)" 2
}

# ---- other upstreams

@test "an upstream on a Unix socket is judged the same way" {
	start_echo --socket "$T/up.sock"
	write_policy 'if .name == "bad" then "no" else true end' </dev/null |
		write_config "unix:$T/up.sock"
	run_proxy
	call_tool bad
	eq "$BODY" "$(denied_call no)"
	call_tool t
	eq "$BODY" "$GOT_CALL"
}

@test "what a command is asked is judged before its process learns of it" {
	make_certs_once
	echo 'if .name == "env" then "no" elif .method == "notifications/x" then false
		elif .message.params.arguments.message then {message: (.message | .params.arguments.message = "other")} else true end' >"$T/p.jq"
	KEYS="policy: {tools: [\"*\", \"!crash\"], program: $T/p.jq}" start_bridge
	begin
	call 1 echo '{"a":1}'
	eq "$CODE" 200
	call 2 env
	eq "$CODE $BODY" '200 {"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"no"}],"isError":true}}'
	call 3 crash
	eq "$BODY" "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"$DENIED the tool 'crash'.\"}],\"isError\":true}}"
	call 4 echo '{"message":"secret"}'
	[[ $BODY == *other* && $BODY != *secret* ]]
	ask '{"jsonrpc":"2.0","method":"notifications/x"}'
	eq "$CODE$BODY" 202
	eq "$(process_count)" 2 # the server and the program
}

@test "without a policy a body passes while it is still being written" {
	pair 'expect=first' "$OK" 'expect=second' hold
	run_tool 0 client "send=POST / HTTP/1.1\r\nHost: $NAME\r\n" \
		'send=Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n' \
		'expect=200 OK.*ok' 'send=6\r\nsecond\r\n0\r\n\r\n' hold
}

# ---- the audit

@test "what can not be written to the audit does not happen" {
	start_echo
	write_policy true </dev/null | sed "s|^audit: .*|audit: $T/small/audit|" | write_config
	mkdir "$T/small"
	run_proxy
	call_tool t
	eq "$BODY" "$GOT_CALL"
	prlimit --pid "${PID[proxy]}" --fsize=1
	call_tool t
	eq "$CODE" 503
	[[ $(field adit-error) == 'internal; blame=proxy' ]]
	eq "$(count_got)" 1
}

@test "SIGTERM ends the process of the program, too" {
	judge true </dev/null
	local pid
	pid=$(pgrep -P "${PID[proxy]}")
	kill "${PID[proxy]}"
	wait "${PID[proxy]}"
	is_over "$pid"
	run_proxy
	pid=$(pgrep -P "${PID[proxy]}")
	kill -KILL "${PID[proxy]}"
	wait_until is_over "$pid"
}
