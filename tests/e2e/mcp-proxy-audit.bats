# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # the helpers' names

# mcp-proxy's audit file: what is in it, and what is not; that nothing happens
# which it does not say; that changing it shows.

load helpers.bash
load mcp-proxy.bash
load bridge.bash

A='' # the audit file

setup()
{
	tool_setup
	A=$T/audit
}

teardown()
{
	local status=0

	tool_teardown || status=$?
	if mountpoint -q "$T/small"; then
		umount "$T/small" || status=$?
	fi
	return "$status"
}

# audited STEP...: an upstream with these steps, and a proxy with an audit.
audited()
{
	start_upstream "$@"
	start_proxy <<<"$allow_loopback
audit: $A"
}

verify()
{
	run_tool "$1" "$BIN/mcp-proxy" audit verify "${@:2}"
}

# events prints what is in each line, but for what differs each time.
events()
{
	jq -c 'del(.seq, .prev, .time, .trace, .ms, .peer,
		.pid, .version, .sha256) | [.event, (del(.event) | to_entries[] |
		"\(.key)=\(.value)")]' "$A" | tr -d '[]"' | tr ',' ' '
}

# wrote FILTER: some line is what the filter says.
wrote()
{
	jq -se "any(.[]; $1)" "$A" >/dev/null
}

count_of()
{
	jq -r .event "${@:2}" | grep -c "^$1\$"
}

# ---- what is written

@test "a decision is written before its request goes on, an end after it" {
	audited "$ASKED" hold
	start_client one "$GET" 'expect=ok$' end
	wait_upstream '1 open'
	wait_until test -s "$T/got/1"
	eq "$(count_of decide "$A")" 1
	run -1 count_of end "$A"
	stop one
	wait_until count_is end 1
	stop proxy
	eq "$(events)" "open
decide request=1 route=docs host=$NAME direction=request http_method=GET \
path=/ verdict=allow rule=route
end request=1 route=docs bytes_in=0 bytes_out=0 code=cancelled \
blame=client
close"
	verify 0 "$A"
}

count_is()
{
	[[ $(count_of "$1" "$A") == "$2" ]]
}

@test "requests of one connection are counted, and have its trace" {
	audited "$ASKED" "$OK" "$ASKED" "$OK" hold
	run_tool 0 client "$POST" 'expect=ok$' "$POST" 'expect=ok$' end
	stop proxy
	eq "$(events | grep -c '^end request=[12] route=docs status=200 '`
		`'bytes_in=2 bytes_out=2$')" 2
	eq "$(jq -r 'select(.trace) | .trace' "$A" | sort | uniq -c |
		awk '{print $1}')" 4
	eq "$(jq -r 'select(.event == "decide") | .peer' "$A" |
		grep -c '^127.0.0.1:')" 2
	jq -se 'all(.[]; .time | test("^2[0-9-]{9}T[0-9:]{8}[.][0-9]{3}Z$"))' \
		"$A"
	eq "$(stat -c %a "$A")" 600
}

@test "what is refused is written as such" {
	audited hold
	run_tool 0 client "send=GET /a?b HTTP/1.1\r\nHost: no.$DOMAIN\r\n\r\n" \
		'expect=502' end
	run_tool 0 client 'send=GET / HTTP/1.1\r\n\r\n' 'expect=400' end
	run_tool 0 client "send=GET / HTTP/1.1\r\nHost: other.$DOMAIN\r\n\r\n" \
		'expect=421' end
	stop proxy
	eq "$(events | sed 's/ reason=[^=]* code/ code/')" "open
decide request=1 host=no.$DOMAIN direction=request http_method=GET path=/a \
verdict=deny rule=route code=no-route blame=proxy
end request=1 status=502 bytes_in=0 bytes_out=0 code=no-route blame=proxy
decide direction=request verdict=deny rule=request code=protocol blame=client
decide request=1 host=other.$DOMAIN direction=request http_method=GET path=/ \
verdict=deny rule=route code=no-route blame=client
end request=1 status=421 bytes_in=0 bytes_out=0 code=no-route blame=client
close"
}

@test "an upstream whose address is not allowed is a decision" {
	UPSTREAM=9
	start_proxy <<<"audit: $A"
	run_tool 0 client "$GET" 'expect=502' end
	stop proxy
	eq "$(events | sed -n 3,4p | sed 's/ reason=[^=]* code/ code/')" \
		"decide request=1 route=docs direction=request verdict=deny \
rule=address code=denied blame=policy
end request=1 route=docs status=502 bytes_in=0 bytes_out=0 code=denied \
blame=policy"
	wrote '.rule == "address" and (.reason | test("127.0.0.1"))'
}

@test "requests to a command are written, too" {
	bridge_config <<<"docs: {command: [node, $FAKE]}"
	echo "audit: $A" >>"$T/proxy.yaml"
	run_proxy
	begin
	call 1 echo
	eq "$CODE" 200
	modern tools/call '{"name": "echo"}' -H 'Mcp-Method: tools/call' \
		-H 'Mcp-Name: =?base64?ZWNobw==?='
	stop proxy
	eq "$(count_of decide "$A")" 4
	eq "$(count_of end "$A")" 4
	eq "$(jq -r 'select(.session) | .session' "$A" | sort -u)" \
		"$(printf %s "$SID" | sha256sum | cut -c 1-16)"
	wrote '.method == "tools/call" and .name == "echo"'
	verify 0 "$A"
}

@test "no secret of a request is in the audit" {
	local secret=5ecre7

	audited "$ASKED" "send=HTTP/1.1 200 OK\r\nContent-Length: 6\r\n`
		`Mcp-Session-Id: $secret\r\nSet-Cookie: a=$secret\r\n\r\n$secret" \
		hold
	run -0 agent_curl -H "Authorization: Bearer $secret" \
		-H "Mcp-Session-Id: $secret" -H "Cookie: a=$secret" \
		-H "Last-Event-ID: $secret" -H "X-Api-Key: $secret" \
		-H 'Mcp-Method: resources/read' \
		-H "Mcp-Name: https://u:$secret@h.example/x?key=$secret#$secret" \
		--data-binary "{\"arguments\":\"$secret\"}" "/mcp?token=$secret"
	eq "$output" "$secret"
	stop proxy
	run -1 grep "$secret" "$A"
	wrote '.uri == "https://h.example/x" and .path == "/mcp"'
}

@test "a client cannot forge lines or write to a terminal" {
	audited "$ASKED" "$OK" hold
	run_tool 0 client "send=GET /%0a HTTP/1.1\r\nHost: $NAME\r\n`
		`Mcp-Method: \"},\"seq\":9,\"event\":\"gap\r\n`
		`Mcp-Name: =?base64?CnsiMSI6MX0KG8KbMko=?=\r\n\r\n" 'expect=ok$' end
	stop proxy
	verify 0 "$A"
	eq "$(wc -l <"$A")" 4
	run -1 grep -P '[^\x20-\x7e]' "$A"
	eq "$(jq -r 'select(.event == "decide") | .method' "$A")" \
		'"},"seq":9,"event":"gap'
}

@test "a certificate that is loaded again is written" {
	audited hold
	kill -HUP "${PID[proxy]}"
	wait_until count_is reload 2
	wrote ".event == \"reload\" and .certificate == \"$T/certs/tls.crt\""
}

@test "a policy's program that is taken up is written" {
	echo true >"$T/p.jq"
	start_upstream "$ASKED" "$OK" hold
	start_proxy <<<"$allow_loopback
audit: $A
policy: {program: $T/p.jq}"
	echo '"no"' >"$T/new"
	mv "$T/new" "$T/p.jq"
	wait_until count_is reload 1
	wrote ".event == \"reload\" and .program == \"$T/p.jq\""
}

# ---- one writer

@test "a second mcp-proxy on the same file does not start" {
	audited hold
	run_tool 1 "$BIN/mcp-proxy" --config "$T/proxy.yaml" \
		--listen-tls 127.0.0.1:0
	one_error "^mcp-proxy: $A: another process writes it$"
	eq "$(wc -l <"$A")" 1
	# To look is allowed, and makes nothing.
	run_tool 0 "$BIN/mcp-proxy" --check --config "$T/proxy.yaml"
	eq "$(wc -l <"$A")" 1
	verify 0 "$A"
}

@test "--check says what is wrong with the audit file, and makes none" {
	write_config <<<"audit: $T/no/audit"
	run_tool 2 "$BIN/mcp-proxy" --check --config "$T/proxy.yaml"
	one_error "^mcp-proxy: $T/no/audit: No such file or directory$"
	write_config <<<"audit: $A"
	run_tool 0 "$BIN/mcp-proxy" --check --config "$T/proxy.yaml"
	[[ ! -e $A ]]
	echo 'not an audit' >"$A"
	chmod 666 "$A"
	run_tool 2 "$BIN/mcp-proxy" --check --config "$T/proxy.yaml"
	one_error 'others than its owner can write it'
}

@test "a file that is no audit is left alone" {
	echo hello >"$A"
	chmod 600 "$A"
	write_config <<<"audit: $A"
	run_tool 2 "$BIN/mcp-proxy" --config "$T/proxy.yaml" \
		--listen-tls 127.0.0.1:0
	one_error "^mcp-proxy: $A: does not end as a file of mcp-proxy's audit"
	eq "$(cat "$A")" hello
}

# ---- rotation

@test "SIGHUP goes on in a new file, and no line is lost under load" {
	start_ready upstream node "$ROOT/tests/fakes/stream-upstream.mjs" \
		--ready-fd 9
	UPSTREAM=${READY[upstream]}
	start_proxy <<<"$allow_loopback
audit: $A"
	# shellcheck disable=SC2016 # for the inner shell
	start_bg load bash -c 'set -e; for ((i = 0; i < 15; i++)); do
		curl -sS --max-time 20 --cacert "$1" --resolve "$2:$3:127.0.0.1" \
			-o /dev/null "https://$2:$3/[1-20]"; done' - \
		"$T/certs/ca.crt" "$NAME" "$PROXY"
	for i in 3 2 1; do
		wait_until test -s "$A"
		mv "$A" "$A.$i"
		kill -HUP "${PID[proxy]}"
		wait_until test -s "$A"
	done
	wait_exit load 60
	eq "$STATUS" 0
	stop proxy
	verify 0 "$A.3" "$A.2" "$A.1" "$A"
	eq "$(count_of decide "$A".? "$A")" 300
	eq "$(count_of end "$A".? "$A")" 300
	eq "$(head -qn 1 "$A".[12] "$A" | jq -r .event | uniq -c |
		awk '{print $1, $2}')" '3 open'
	verify 1 "$A.3" "$A.1" "$A.2" "$A"
	[[ $stderr == "mcp-proxy: $A.1:1: record "*" follows "* ]]
	# shellcheck disable=SC2016 # for the inner shell
	run_tool 0 bash -c 'gzip -c "$2" | gzip -dc |
		"$1/mcp-proxy" audit verify - "$3" "$4" "$5"' - "$BIN" \
		"$A.3" "$A.2" "$A.1" "$A"
}

@test "SIGHUP keeps the file when it cannot have a new one" {
	mkdir "$T/logs"
	A=$T/logs/audit
	audited "$ASKED" "$OK" hold
	mv "$T/logs" "$T/moved"
	kill -HUP "${PID[proxy]}"
	wait_line proxy "^mcp-proxy: warning: audit: $A: No such file or "`
		`"directory; going on in the old file\$"
	run_tool 0 client "$GET" 'expect=ok$' end
	stop proxy
	verify 0 "$T/moved/audit"
	eq "$(count_of end "$T/moved/audit")" 1
}

# ---- what cannot be written

# on_small_disk: A is on a disk of its own that is full but for some lines.
on_small_disk()
{
	local steps=()

	requires root
	mkdir "$T/small"
	mount -t tmpfs -o size=64k none "$T/small"
	A=$T/small/audit
	for ((i = 0; i < 60; i++)); do
		steps+=("$ASKED" "$OK")
	done
	audited "${steps[@]}" hold
	run_tool 0 client "$GET" 'expect=ok$' end
	dd if=/dev/zero of="$T/small/rest" 2>/dev/null || true
}

@test "what cannot be written does not happen" {
	local before

	on_small_disk
	# What is left of the page of the file takes a line or ten.
	for ((i = 0; i < 40; i++)); do
		run client "$GET" 'expect=HTTP/1.1 [0-9]*'
		[[ $output != *503* ]] || break
	done
	before=$(wc -c <"$T/got/1")
	run_tool 0 client "$GET" 'expect=HTTP/1.1 503 ' \
		'expect=the audit file cannot be written'
	run_tool 0 client "send=GET / HTTP/1.1\r\nHost: x.$DOMAIN\r\n\r\n" \
		'expect=HTTP/1.1 503 '
	run_tool 0 client 'send=GET / HTTP/1.1\r\n\r\n' 'expect=HTTP/1.1 503 '
	eq "$(wc -c <"$T/got/1")" "$before"
	eq "$(upstream_count)" 1
	eq "$(grep -c 'audit: .*: No space left on device: requests are refused' \
		"$T/proxy.err")" 1
	rm "$T/small/rest"
	run_tool 0 client "$GET" 'expect=HTTP/1.1 200'
	wait_line proxy "^mcp-proxy: audit: $A: is written again\$"
	stop proxy
	verify 0 "$A"
	jq -R 'fromjson? | select(.event == "gap") | .lost' "$A" |
		grep '^[1-9]'
}

@test "requests to a command need the audit, too" {
	requires root
	mkdir "$T/small"
	mount -t tmpfs -o size=8k none "$T/small"
	bridge_config <<<"docs: {command: [node, $FAKE]}"
	echo "audit: $T/small/audit" >>"$T/proxy.yaml"
	run_proxy
	begin
	dd if=/dev/zero of="$T/small/rest" 2>/dev/null || true
	for ((i = 0; i < 40; i++)); do
		call 1 pid
		[[ $CODE == 200 ]] || break
	done
	eq "$CODE" 503
	eq "$(jq -r .error.message <<<"$BODY")" \
		'the audit file cannot be written'
}

# ---- the end of the process

@test "kill -9 loses no line, and the next start goes on with the chain" {
	start_ready upstream node "$ROOT/tests/fakes/stream-upstream.mjs" \
		--ready-fd 9
	UPSTREAM=${READY[upstream]}
	for i in 1 2; do
		start_proxy <<<"$allow_loopback
audit: $A"
		start_bg load curl -sS --fail-early --cacert "$T/certs/ca.crt" \
			--resolve "$NAME:$PROXY:127.0.0.1" -o /dev/null \
			"https://$NAME:$PROXY/[1-10000]"
		wait_until -t 30 at_least $((i * 50))
		stop proxy KILL
		wait_exit load
		verify 0 "$A"
	done
	eq "$(count_of open "$A")" 2
	run -1 count_of gap "$A"
}

at_least()
{
	(($(wc -l <"$A") >= $1))
}

@test "a line that a crash cut short is shown, and followed" {
	audited "$ASKED" "$OK" hold
	run_tool 0 client "$GET" 'expect=ok$' end
	wait_until at_least 3
	stop proxy KILL
	truncate -s -20 "$A"
	verify 1 "$A"
	one_error "^mcp-proxy: $A:3: the last line is not complete\$"
	run_proxy
	stop proxy
	verify 0 "$A"
	eq "$(sed -n 4p "$A" | jq -c '[.seq, .event, .torn, .lost]')" \
		'[3,"gap",true,0]'
}

# ---- verify and head

@test "a line that was edited, removed, put in or moved is found" {
	local n

	audited "$ASKED" "$OK" "$ASKED" "$OK" hold
	run_tool 0 client "$GET" 'expect=ok$' "$GET" 'expect=ok$' end
	stop proxy
	verify 0 "$A"
	n=$(wc -l <"$A")
	eq "$n" 6
	eq "$output" "records 1 to 6 are whole, head $(
		"$BIN/mcp-proxy" audit head "$A")"
	sed '3s/"status":200/"status":201/' "$A" >"$T/edited"
	verify 1 "$T/edited"
	one_error "^mcp-proxy: $T/edited:4: record 4 was chained to another than "`
		`"the one before it\$"
	sed 3d "$A" >"$T/removed"
	verify 1 "$T/removed"
	one_error "^mcp-proxy: $T/removed:3: record 4 follows 2\$"
	sed 3p "$A" >"$T/inserted"
	verify 1 "$T/inserted"
	one_error "^mcp-proxy: $T/inserted:4: record 3 follows 3\$"
	sed -n '1,2p;4p' "$A" >"$T/moved"
	sed -n '3p;5,6p' "$A" >>"$T/moved"
	verify 1 "$T/moved"
	one_error "^mcp-proxy: $T/moved:3: record 4 follows 2\$"
	sed '3s/.*/{}/' "$A" >"$T/blanked"
	verify 1 "$T/blanked"
	one_error "^mcp-proxy: $T/blanked:3: no record, and the next does not"
}

@test "a head that was kept shows that the end was removed" {
	local head

	audited "$ASKED" "$OK" hold
	run_tool 0 client "$GET" 'expect=ok$' end
	wait_until at_least 3
	head=$("$BIN/mcp-proxy" audit head "$A")
	[[ $head =~ ^3:[0-9a-f]{64}$ ]]
	stop proxy
	verify 0 --head "$head" "$A"
	sed 3,4d "$A" >"$T/short"
	verify 0 "$T/short"
	verify 1 --head "$head" "$T/short"
	one_error "^mcp-proxy: $T/short:3: record 2 is the last, but --head has 3\$"
	verify 1 --head "3:$(printf %064d 0)" "$A"
	one_error 'record 3 is not the one of --head'
}

@test "audit tells wrong use from failure" {
	for args in "" "verif" "verify" "verify --head x $A" "head" "head a b" \
		"head --head 1:2 a"; do
		# shellcheck disable=SC2086 # words
		run_tool 2 "$BIN/mcp-proxy" audit $args
		[[ ${stderr_lines[1]} == "Try 'mcp-proxy audit"* ]]
	done
	run_tool 1 "$BIN/mcp-proxy" audit verify "$T/none"
	one_error "^mcp-proxy: $T/none: No such file or directory\$"
	run_tool 1 "$BIN/mcp-proxy" audit head "$T/none"
	run_tool 1 "$BIN/mcp-proxy" audit verify /dev/null
	one_error '^mcp-proxy: /dev/null:1: no record$'
	run_tool 1 "$BIN/mcp-proxy" audit head /dev/null
	one_error '^mcp-proxy: /dev/null: not a regular file$'
	# shellcheck disable=SC2016 # for the inner shell
	run_tool 1 bash -c '"$1" audit --help >/dev/full' - "$BIN/mcp-proxy"
	one_error 'standard output: No space left on device'
}
