# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # the helpers' names

# SIGHUP: mcp-proxy's configuration is read anew, whole or not at all, while
# requests go on.

load helpers.bash
load mcp-proxy.bash
load bridge.bash

PEERS=${PEERS:-$ROOT/build/peers}

# reload_count prints how many reloads have ended, well or not.
reload_count()
{
	grep -Ec 'configuration loaded: |going on with the configuration in use' \
		"$T/proxy.err" || true
}

reloads_are_over()
{
	(($(reload_count) > $1))
}

# reload [REGEX]: SIGHUP, until it was done; the line must be written for it.
reload()
{
	local before

	before=$(reload_count)
	kill -HUP "${PID[proxy]}"
	wait_until reloads_are_over "$before"
	has_line "$T/proxy.err" "${1:-configuration loaded: $T/proxy.yaml}"
}

# refuses REGEX: the file is not taken; one line says why.
refuses()
{
	local before

	before=$(grep -c . "$T/proxy.err")
	reload 'in use$'
	run -0 tail -n +$((before + 1)) "$T/proxy.err"
	run -0 grep -v 'agent connected\|agent closed\|request: ' <<<"$output"
	eq "${#lines[@]}" 1
	[[ $output =~ ^mcp-proxy:\ warning:\ $1\;\ going\ on\ with\ the\ configuration\ in\ use$ ]] || {
		echo "$output"
		return 1
	}
}

ONCE='a pipe or device, which is read only once'

# start_streams [NAME]: an upstream that can stream.
start_streams()
{
	start_ready "${1:-upstream}" node "$ROOT/tests/fakes/stream-upstream.mjs" \
		--ready-fd 9
	UPSTREAM=${READY[${1:-upstream}]}
}

# configure: routes are standard input, each line below "routes:"; MORE is added.
configure()
{
	bridge_config
	printf '%s\n' "$allow_loopback" "audit: $T/audit" "${MORE-}" \
		>>"$T/proxy.yaml"
}

# status HOST [PATH] prints the status that an agent gets.
status()
{
	HOST=$1.$DOMAIN agent_curl -o /dev/null -w '%{http_code}' "${2:-/}"
}

# events FILTER prints what the filter makes of the reloads in the audit.
events()
{
	jq -r "select(.event == \"reload\") | $1" "$T/audit"
}

# ---- routes

@test "routes are added, changed and removed" {
	start_streams one
	local one=$UPSTREAM

	start_streams two
	configure <<<"docs: http://127.0.0.1:$one"
	run_proxy
	eq "$(status docs)" 200
	eq "$(status more)" 502
	configure <<-END
	docs: http://127.0.0.1:$one
	more: http://127.0.0.1:$UPSTREAM
	END
	reload
	has_line "$T/proxy.err" 'routes=2$'
	eq "$(status docs) $(status more)" '200 200'
	stop one
	eq "$(status docs)" 502
	configure <<<"docs: http://127.0.0.1:$UPSTREAM"
	reload
	eq "$(status docs) $(status more)" '200 502'
	"$BIN/mcp-proxy" audit verify "$T/audit" >/dev/null
	eq "$(events '.configuration // empty' | uniq -c | xargs)" \
		"2 $T/proxy.yaml"
	eq "$(events '.sha256 // empty' | tail -n 1)" \
		"$(sha256sum <"$T/proxy.yaml" | cut -d ' ' -f 1)"
	eq "$(jq -r 'select(.event == "open" or .event == "reload") |
		.sha256 // empty' "$T/audit" | sort -u | wc -l)" 3
	eq "$(jq -r 'select(.event == "decide") | "\(.verdict) \(.route)"' \
		"$T/audit" | uniq | xargs)" \
		'allow docs deny null allow docs allow more allow docs deny null'
}

@test "an agent's connection goes on over a reload, by the new routes" {
	start_streams
	configure <<<"docs: http://127.0.0.1:$UPSTREAM"
	run_proxy
	start_client agent "$GET" 'expect="path":"/"' "file=$T/go" "$GET" \
		'expect=No route' end
	wait_line proxy 'request: .* status=200'
	configure <<<"other: http://127.0.0.1:$UPSTREAM"
	reload
	echo >"$T/go"
	wait_exit agent
	eq "$STATUS" 0
}

@test "a response goes on under the route that it began under" {
	local sum

	start_streams
	configure <<<"docs: http://127.0.0.1:$UPSTREAM"
	run_proxy
	mkfifo "$T/body"
	start_bg load curl -sS --max-time 60 --cacert "$T/certs/ca.crt" \
		--resolve "*:$PROXY:127.0.0.1" -o "$T/body" \
		"https://$NAME:$PROXY/bytes?n=30000000"
	exec {body}<"$T/body"
	read -r -N 1 -u "$body" _ || true
	configure <<<"other: http://127.0.0.1:1"
	reload
	eq "$(status docs)" 502
	sum=$(wc -c <&"$body")
	exec {body}<&-
	wait_exit load
	eq "$STATUS" 0
	((sum >= 29990000))
	wait_line proxy 'request: .*route=docs .*bytes_out=30000000 .*end=clean'
}

@test "a stream that would last for ever ends with its route, and only then" {
	local name

	start_streams
	configure <<-END
	docs: http://127.0.0.1:$UPSTREAM
	kept: http://127.0.0.1:$UPSTREAM
	END
	run_proxy
	for name in docs kept; do
		start_sse "$name" -H 'Accept: text/event-stream'
	done
	HOST=docs.$DOMAIN start_sse any
	HOST=docs.$DOMAIN start_sse listens -d '{}' \
		-H 'Mcp-Method: subscriptions/listen'
	wait_until sse_are 4
	configure <<-END
	docs: {upstream: "http://127.0.0.1:$UPSTREAM", policy: {tools: [a]}}
	kept: http://127.0.0.1:$UPSTREAM
	END
	reload
	for name in docs any listens; do
		wait_exit "$name"
		((STATUS != 0))
	done
	wait_line proxy 'request failed: .*code=draining blame=proxy: its route was changed'
	is_alive kept
	curl -s -X POST "http://127.0.0.1:$UPSTREAM/tick" >/dev/null
	wait_until has_line "$T/kept.out" '^data: tick'
	wait_until sse_are 1
}

@test "a stream that begins after its route was changed ends at once" {
	start_streams
	configure <<<"docs: http://127.0.0.1:$UPSTREAM"
	run_proxy
	kill -STOP "${PID[upstream]}"
	start_sse docs -o /dev/null -w '%{http_code}\n'
	wait_until decisions_are 1
	configure <<<"other: http://127.0.0.1:$UPSTREAM"
	reload
	kill -CONT "${PID[upstream]}"
	wait_exit docs
	eq "$(<"$T/docs.out")" 503
	wait_until sse_are 0
}

# start_sse NAME [OPTION...]: asks HOST (NAME below the domain) for its stream.
start_sse()
{
	local name=$1

	shift
	start_bg "$name" curl -sN --max-time 60 --cacert "$T/certs/ca.crt" \
		--resolve "*:$PROXY:127.0.0.1" "$@" \
		"https://${HOST:-$name.$DOMAIN}:$PROXY/sse"
}

sse_are()
{
	eq "$(curl -s "http://127.0.0.1:$UPSTREAM/open")" "{\"count\":$1}"
}

@test "addresses that are no longer allowed are not reached by old connections" {
	start_streams
	configure <<<"docs: http://127.0.0.1:$UPSTREAM"
	run_proxy
	eq "$(status docs)" 200
	sed -i 's,127.0.0.0/8,10.0.0.0/8,' "$T/proxy.yaml"
	reload
	eq "$(status docs)" 502
	has_line "$T/audit" '"rule":"address"'
}

# start_secure: an https upstream, by the CA in $T/up.
start_secure()
{
	make_certs "$T/up" localhost
	mkdir -p "$T/got"
	start_ready upstream node "$ROOT/tests/fakes/raw-upstream.mjs" \
		--ready-fd 9 --tls "$T/up/server.pem" "$T/up/server.key" \
		--dir "$T/got" "$ASKED" "$OK" hold
	UPSTREAM=${READY[upstream]}
}

@test "an address that is no longer allowed is not dialed after another" {
	start_streams
	start_ready dns node "$ROOT/tests/fakes/fake-dns.mjs" --ready-fd 9 \
		two.test=127.0.0.2,127.0.0.1
	start_deaf "$UPSTREAM"
	configure <<<"docs: http://two.test:$UPSTREAM"
	sed -i "s,^upstream: {,&resolver: 127.0.0.1:${READY[dns]}\, connect_timeout: 6s\, ," \
		"$T/proxy.yaml"
	run_proxy
	start_bg asks curl -s --max-time 60 --cacert "$T/certs/ca.crt" \
		--resolve "*:$PROXY:127.0.0.1" "https://$NAME:$PROXY/"
	wait_until is_dialing "$UPSTREAM"
	sed -i 's,127.0.0.0/8,127.0.0.2,' "$T/proxy.yaml"
	reload
	wait_exit asks
	kill -CONT "${PID[deaf]}"
	[[ $(<"$T/asks.out") == *'127.0.0.1 is not an allowed address'* ]]
}

# start_deaf PORT: connections to 127.0.0.2 get no answer there, because so
# many wait for one.
start_deaf()
{
	local first second

	start_bg deaf socat -u "TCP-LISTEN:$1,bind=127.0.0.2,backlog=1" STDOUT
	wait_until is_listening "$1"
	kill -STOP "${PID[deaf]}"
	exec {first}<>"/dev/tcp/127.0.0.2/$1" {second}<>"/dev/tcp/127.0.0.2/$1"
}

is_listening()
{
	grep -q "$(printf ' 0200007F:%04X 00000000:0000 0A ' "$1")" /proc/net/tcp
}

is_dialing()
{
	grep -q "$(printf ' 0200007F:%04X 02 ' "$1")" /proc/net/tcp
}

@test "trust in upstreams is read anew, though the configuration is the same" {
	start_secure
	configure <<<"docs: https://localhost:$UPSTREAM"
	cp "$T/up/ca.pem" "$T/trust.pem"
	sed -i "s,^upstream: {,&tls: {ca_file: $T/trust.pem}\, ," "$T/proxy.yaml"
	run_proxy
	eq "$(status docs)" 200
	cp "$T/certs/ca.crt" "$T/trust.pem"
	reload
	HOST=docs.$DOMAIN run_tool 0 agent_curl -i /
	[[ $output == *'Adit-Error: protocol; blame=tls'* ]]
	echo garbage >"$T/trust.pem"
	refuses ".*trust.pem.*"
	cp "$T/up/ca.pem" "$T/trust.pem"
	reload
	eq "$(status docs)" 200
}

@test "a request that is judged yet reaches the https upstream of its old route" {
	local judge

	start_secure
	echo true >"$T/p.jq"
	MORE="policy: {program: $T/p.jq}" \
		configure <<<"docs: https://localhost:$UPSTREAM"
	sed -i "s,^upstream: {,&tls: {ca_file: $T/up/ca.pem}\, ," "$T/proxy.yaml"
	run_proxy
	judge=$(processes)
	kill -STOP "$judge"
	start_bg asks curl -s --max-time 60 --cacert "$T/certs/ca.crt" \
		--resolve "*:$PROXY:127.0.0.1" -H 'Content-Type: application/json' \
		-d '{"jsonrpc":"2.0","method":"notifications/x"}' \
		-w '%{http_code}' -o "$T/answer" "https://$NAME:$PROXY/"
	wait_until has_line "$T/audit" '"event":"decide"'
	configure <<<'other: http://127.0.0.1:1'
	reload
	kill -CONT "$judge"
	wait_exit asks
	wait_until has_line "$T/got/1" notifications/x
	is_alive proxy
	wait_until children_are 0
}

# ---- what is wrong

@test "a file with a mistake changes nothing, and is told in one line" {
	start_streams
	configure <<<"docs: http://127.0.0.1:$UPSTREAM"
	run_proxy
	cp "$T/proxy.yaml" "$T/good"
	echo 'limits: {streams: 0}' >>"$T/proxy.yaml"
	refuses "$T/proxy.yaml:[0-9:]+ limits.streams: .*"
	eq "$(events .refused)" "$(sed -n "s/^mcp-proxy: warning: \(.*\); going on.*/\1/p" "$T/proxy.err")"
	{ printf "zzzzzzzz: 1\nzzzzzzzzz: 2\n"; cat "$T/good"; } >"$T/proxy.yaml"
	refuses "$T/proxy.yaml:1:1: zzzzzzzz: unknown key, and 1 more"
	printf 'a: [' >"$T/proxy.yaml"
	refuses "$T/proxy.yaml:.*"
	: >"$T/proxy.yaml"
	refuses "$T/proxy.yaml:1:1: the file is empty"
	head -c 1100000 /dev/zero | tr '\0' '#' >"$T/proxy.yaml"
	refuses "$T/proxy.yaml: .*"
	rm "$T/proxy.yaml"
	refuses "$T/proxy.yaml: No such file or directory"
	mkdir "$T/proxy.yaml"
	refuses "$T/proxy.yaml: .*"
	rmdir "$T/proxy.yaml"
	eq "$(status docs)" 200
	cp "$T/good" "$T/proxy.yaml"
	reload
	eq "$(status docs)" 200
	"$BIN/mcp-proxy" audit verify "$T/audit" >/dev/null
}

@test "a file that names what cannot be used changes nothing" {
	start_streams
	configure <<<"docs: http://127.0.0.1:$UPSTREAM"
	run_proxy
	cp "$T/proxy.yaml" "$T/good"
	echo 'syntax error here' >"$T/bad.jq"
	sed 's,certs/tls.crt,certs/none.crt,' "$T/good" >"$T/proxy.yaml"
	refuses "$T/certs/none.crt: .*"
	sed 's,certs/tls.key,certs/ca.crt,' "$T/good" >"$T/proxy.yaml"
	refuses "$T/certs/.*"
	sed "s,^routes:,&\n  new: {command: [cat]}," "$T/good" >"$T/proxy.yaml"
	echo "policy: {program: $T/bad.jq}" >>"$T/proxy.yaml"
	refuses "$T/bad.jq.*"
	sed -i 's,bad.jq,none.jq,' "$T/proxy.yaml"
	refuses "$T/none.jq.*"
	sed 's,http:,https:,' "$T/good" >"$T/proxy.yaml"
	refuses "$T/proxy.yaml:.*upstream.tls.ca_file.*"
	sed "s,^upstream: {,&tls: {ca_file: $T/none.crt}\, ,;s,http:,https:," \
		"$T/good" >"$T/proxy.yaml"
	refuses ".*$T/none.crt.*"
	mkfifo "$T/fifo"
	sed "s,^upstream: {,&tls: {ca_file: $T/fifo}\, ,;s,http:,https:," \
		"$T/good" >"$T/proxy.yaml"
	refuses "$T/fifo: $ONCE"
	{ cat "$T/good" && echo "policy: {program: $T/fifo}"; } >"$T/proxy.yaml"
	refuses "$T/fifo: $ONCE"
	rm "$T/proxy.yaml"
	mkfifo "$T/proxy.yaml"
	refuses "$T/proxy.yaml: $ONCE"
	eq "$(status docs) $(status new)" '200 502'
	wait_until children_are 0
}

@test "what needs a restart is named, and stays" {
	start_streams
	MORE='listen_addr: "127.0.0.1:0"' configure <<<"docs: http://127.0.0.1:$UPSTREAM"
	start_ready proxy "$BIN/mcp-proxy" --config "$T/proxy.yaml" --ready-fd 9
	PROXY=$(ready_get proxy tls)
	sed -i 's,^audit:.*,audit: /nowhere/audit,;s,127.0.0.1:0,127.0.0.1:1,' \
		"$T/proxy.yaml"
	reload
	has_line "$T/proxy.err" '^mcp-proxy: warning: audit: a change needs a restart$'
	has_line "$T/proxy.err" '^mcp-proxy: warning: listen_addr: a change needs a restart$'
	eq "$(status docs)" 200
	reload
	sed -i '/^audit:/d' "$T/proxy.yaml"
	reload
	eq "$(grep -c 'audit: a change' "$T/proxy.err")" 3
	kill -HUP "${PID[proxy]}"
	eq "$(status docs)" 200
	stop proxy
	eq "$STATUS" 0
	"$BIN/mcp-proxy" audit verify "$T/audit" >/dev/null
	eq "$(tail -n 1 "$T/audit" | jq -r .event)" close
}

# ---- the rest of the file

@test "certificates, log_level and limits are those of the new file" {
	start_streams
	configure <<<"docs: http://127.0.0.1:$UPSTREAM"
	start_ready proxy "$BIN/mcp-proxy" --config "$T/proxy.yaml" \
		--listen-tls 127.0.0.1:0 --ready-fd 9
	PROXY=$(ready_get proxy tls)
	eq "$(status docs)" 200
	"$BIN/mcp-proxy" cert make --dir "$T/other" --domain "$DOMAIN"
	sed -i "s,$T/certs,$T/other," "$T/proxy.yaml"
	printf '%s\n' 'log_level: info' 'limits: {header_size: 1k}' \
		>>"$T/proxy.yaml"
	reload
	has_line "$T/proxy.err" "certificate loaded: $T/other/tls.crt"
	run ! status docs
	cp "$T/other/ca.crt" "$T/certs/ca.crt"
	eq "$(status docs)" 200
	wait_line proxy 'request: .* status=200'
	eq "$(status docs "/$(printf %02000d 0)")" 400
	sed -i '/^log_level/d;/^limits/d' "$T/proxy.yaml"
	reload
	eq "$(grep -c ' status=200' "$T/proxy.err")" 1
	eq "$(status docs "/$(printf %02000d 0)")" 200
	eq "$(grep -c ' status=200' "$T/proxy.err")" 1
}

@test "a supervisor is told when a reload begins and ends" {
	start_streams
	configure <<<"docs: http://127.0.0.1:$UPSTREAM"
	start_bg notified socat -u "UNIX-RECV:$T/notify" "CREATE:$T/told"
	wait_until test -S "$T/notify"
	NOTIFY_SOCKET=$T/notify run_proxy
	reload
	echo 'a: 1' >>"$T/proxy.yaml"
	refuses "$T/proxy.yaml.*unknown key.*"
	wait_until was_told \
		'READY=RELOADING=MONOTONIC_USEC=READY=RELOADING=MONOTONIC_USEC=READY='
}

was_told()
{
	[[ $(tr -d '0-9\n' <"$T/told") == "$1" ]]
}

@test "a supervisor sees that a reload began after it was asked for" {
	local asked before

	start_streams
	configure <<<"docs: http://127.0.0.1:$UPSTREAM"
	start_bg notified socat -u "UNIX-RECV:$T/notify" "CREATE:$T/told"
	wait_until test -S "$T/notify"
	NOTIFY_SOCKET=$T/notify run_proxy
	for before in {0..9}; do
		asked=$(node -e 'const t = process.hrtime.bigint();
			process.kill(process.argv[1], "SIGHUP");
			console.log(String(t / 1000n))' "${PID[proxy]}")
		wait_until reloads_are_over "$before"
		wait_until notices_are $((before + 1))
		(($(notices | tail -n 1) >= asked))
	done
}

notices()
{
	grep -ao 'MONOTONIC_USEC=[0-9]*' "$T/told" | cut -d = -f 2
}

notices_are()
{
	(($(notices | wc -l) == $1))
}

@test "SIGHUP while it starts is obeyed once it runs" {
	local fd

	configure <<<'docs: http://127.0.0.1:1'
	cp "$T/proxy.yaml" "$T/copy"
	rm "$T/proxy.yaml"
	mkfifo "$T/proxy.yaml"
	start_bg proxy "$BIN/mcp-proxy" -v --config "$T/proxy.yaml" \
		--listen-tls 127.0.0.1:0
	exec {fd}>"$T/proxy.yaml" # which waits for its reader
	kill -HUP "${PID[proxy]}"
	mv "$T/copy" "$T/proxy.yaml"
	cat "$T/proxy.yaml" >&"$fd"
	exec {fd}>&-
	wait_until reloads_are_over 0
	wait_line proxy "configuration loaded: $T/proxy.yaml: routes=1"
	stop proxy
	eq "$STATUS" 0
}

@test "SIGHUP while it ends changes nothing" {
	start_streams
	configure <<<"docs: http://127.0.0.1:$UPSTREAM"
	run_proxy
	start_bg sse curl -sN --max-time 60 --cacert "$T/certs/ca.crt" \
		--resolve "*:$PROXY:127.0.0.1" "https://$NAME:$PROXY/sse"
	wait_until sse_are 1
	kill -TERM "${PID[proxy]}"
	wait_line proxy 'shutting down'
	kill -HUP "${PID[proxy]}"
	kill -TERM "${PID[proxy]}"
	wait_exit proxy
	eq "$STATUS" 0
	eq "$(reload_count)" 0
}

# ---- commands

@test "sessions of an unchanged command notice nothing" {
	local pid

	configure <<<"docs: {command: [node, $FAKE]}"
	run_proxy
	begin
	call 1 pid
	pid=$(text)
	start_bg waits curl -sN --max-time 60 --cacert "$T/certs/ca.crt" \
		--resolve "*:$PROXY:127.0.0.1" -H "Mcp-Session-Id: $SID" \
		-H 'Content-Type: application/json' \
		-d "$(tool 2 hold '{"key":"k"}')" "https://$NAME:$PROXY/mcp"
	wait_until has_line "$T/audit" '"request":1.*"path":"/mcp"'
	configure <<-END
	docs: {command: [node, $FAKE], idle_timeout: 5m, request_timeout: 3m}
	more: {command: [cat]}
	END
	reload
	call 3 pid
	eq "$(text)" "$pid"
	call 4 release '{"key":"k"}'
	wait_exit waits
	eq "$STATUS" 0
	processes_are 1
}

@test "a changed command begins anew, and the old one ends after its answers" {
	local pid

	configure <<<"docs: {command: [node, $FAKE]}"
	run_proxy
	begin
	call 1 pid
	pid=$(text)
	mkfifo "$T/fifo"
	start_bg slow curl -sN --max-time 60 --cacert "$T/certs/ca.crt" \
		--resolve "*:$PROXY:127.0.0.1" -H "Mcp-Session-Id: $SID" \
		-H 'Content-Type: application/json' -o "$T/fifo" \
		-d "$(tool 1 large '{"count":14680064}')" "https://$NAME:$PROXY/mcp"
	wait_until has_written "$pid" 14680064
	configure <<<"docs: {command: [node, $FAKE], env: {NEW: '1'}}"
	reload
	ask "$(tool 2 pid)"
	eq "$CODE" 404
	eq "$(jq -r '.result.content[0].text | length' "$T/fifo")" 14680064
	wait_exit slow
	eq "$STATUS" 0
	wait_until is_over "$pid"
	begin
	call 3 pid
	[[ $(text) != "$pid" ]]
	processes_are 1
}

@test "the processes of a removed route end, whatever mode they are in" {
	local mode

	for mode in session shared; do
		configure <<<"docs: {command: [node, $FAKE], mode: $mode}"
		if [[ ${PID[proxy]-} ]]; then
			reload
		else
			run_proxy
		fi
		begin
		call 1 pid
		processes_are 1
		start_bg listens curl -sN --max-time 60 --cacert \
			"$T/certs/ca.crt" --resolve "*:$PROXY:127.0.0.1" \
			-H "Mcp-Session-Id: $SID" -D "$T/listens.head" \
			-H 'Accept: text/event-stream' "https://$NAME:$PROXY/mcp"
		wait_until has_line "$T/listens.head" '^HTTP/1.1 200'
		configure <<<'other: http://127.0.0.1:1'
		reload
		wait_exit listens
		eq "$STATUS" 0
		wait_until children_are 0
		ask "$(tool 2 pid)"
		eq "$CODE" 502
	done
	configure <<<"docs: {command: [node, $FAKE, modern], mode: shared}"
	reload
	modern tools/call '{"name":"pid","arguments":{}}' \
		-H 'Mcp-Method: tools/call' -H 'Mcp-Name: pid'
	eq "$CODE" 200
	processes_are 1
	configure <<<'other: http://127.0.0.1:1'
	reload
	wait_until children_are 0
}

@test "what the processes of a removed route left behind ends, too" {
	configure <<<"docs: {command: [node, $FAKE]}"
	run_proxy
	begin
	call 1 stray
	eq "$CODE" 200
	configure <<<'other: http://127.0.0.1:1'
	reload
	wait_until children_are 0
}

HALF="Host: $NAME\r\nAccept: application/json, text/event-stream\r\n"

@test "a GET stream that a removed route was half asked for does not begin" {
	configure <<<"docs: {command: [node, $FAKE]}"
	run_proxy
	begin
	start_bg holds curl -s --max-time 60 --cacert "$T/certs/ca.crt" \
		--resolve "*:$PROXY:127.0.0.1" -H "Mcp-Session-Id: $SID" \
		-H 'Content-Type: application/json' \
		-d "$(tool 2 hold '{"key":"k"}')" "https://$NAME:$PROXY/mcp"
	wait_until decisions_are 3
	start_client gets "send=GET /mcp HTTP/1.1\r\n${HALF}Mcp-Session-Id: $SID\r\nContent-Length: 2\r\n\r\n{" \
		"file=$T/go" 'send=}' 'expect=its route was changed' end
	wait_until decisions_are 4
	configure <<<'other: http://127.0.0.1:1'
	reload
	echo >"$T/go"
	wait_exit gets
	eq "$STATUS" 0
	stop holds
	wait_until children_are 0
}

@test "a subscription that a removed route was half asked for does not begin" {
	local meta

	configure <<<"docs: {command: [node, $FAKE, modern]}"
	run_proxy
	meta='"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}'
	meta="{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscriptions/listen\",\"params\":{\"notifications\":{},$meta}}"
	start_client listens "send=POST /mcp HTTP/1.1\r\n${HALF}Content-Type: application/json\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: subscriptions/listen\r\nContent-Length: ${#meta}\r\n\r\n{" \
		"file=$T/go" "send=${meta:1}" 'expect=its route was changed' end
	wait_until decisions_are 1
	configure <<<'other: http://127.0.0.1:1'
	reload
	echo >"$T/go"
	wait_exit listens
	eq "$STATUS" 0
	wait_until children_are 0
}

# ---- policies

@test "who left while an answer was judged is recorded by its old route" {
	local judge pid wrote

	echo true >"$T/p.jq"
	configure <<<"docs: {command: [node, $FAKE], policy: {tools: ['*']}}"
	run_proxy
	begin
	call 1 pid
	pid=$(text)
	kill -STOP "$pid"
	start_bg leaves curl -s --max-time 60 --cacert "$T/certs/ca.crt" \
		--resolve "*:$PROXY:127.0.0.1" -H "Mcp-Session-Id: $SID" \
		-H 'Content-Type: application/json' -d "$(tool 2 pid)" \
		"https://$NAME:$PROXY/mcp"
	wait_until has_line "$T/audit" '"id":2.*"direction":"request"|"direction":"request".*"id":2'
	configure <<<"docs: {command: [node, $FAKE], policy: {program: $T/p.jq}}"
	reload
	judge=$(processes | grep -vx "$pid")
	kill -STOP "$judge"
	wrote=$(awk '/^wchar/ {print $2}' "/proc/${PID[proxy]}/io")
	kill -CONT "$pid"
	wait_until has_written "${PID[proxy]}" $((wrote + 1))
	stop leaves
	wait_line proxy 'request: .*end=cancelled'
	kill -CONT "$judge"
	wait_until has_line "$T/audit" '"direction":"answer".*"id":2|"id":2.*"direction":"answer"'
	eq "$(jq -r 'select(.direction == "answer") | .route' "$T/audit" |
		sort -u)" docs
	"$BIN/mcp-proxy" audit verify "$T/audit" >/dev/null
}

@test "a tightened policy judges the next message of a session that stays" {
	local pid

	configure <<<"docs: {command: [node, $FAKE, 'lists=pid,echo'], policy: {tools: ['*']}}"
	run_proxy
	begin
	call 1 pid
	pid=$(text)
	configure <<<"docs: {command: [node, $FAKE, 'lists=pid,echo'], policy: {tools: ['pid']}}"
	reload
	call 2 echo '{"message":"m"}'
	[[ $(text) == *'does not allow the tool'* ]]
	call 3 pid
	eq "$(text)" "$pid"
	ask '{"jsonrpc":"2.0","id":4,"method":"tools/list"}'
	eq "$(printf '%s\n' "$BODY" | tail -n 1 | sed 's/^data: //' |
		jq -c '[.result.tools[].name]')" '["pid"]'
	configure <<<"docs: {command: [node, $FAKE, 'lists=pid,echo']}"
	reload
	call 5 pid
	eq "$CODE" 404
}

@test "what a process says of itself is judged by the new policy" {
	configure <<<"docs: {command: [node, $FAKE], policy: {tools: ['*']}}"
	run_proxy
	begin
	start_bg listens curl -sN --max-time 60 --cacert "$T/certs/ca.crt" \
		--resolve "*:$PROXY:127.0.0.1" -H "Mcp-Session-Id: $SID" \
		-D "$T/listens.head" -H 'Accept: text/event-stream' \
		"https://$NAME:$PROXY/mcp"
	wait_until has_line "$T/listens.head" '^HTTP/1.1 200'
	call 1 changed
	[[ $BODY == *list_changed* ]]
	echo '.method != "notifications/tools/list_changed"' >"$T/p.jq"
	configure <<<"docs: {command: [node, $FAKE], policy: {program: $T/p.jq}}"
	reload
	processes_are 2
	call 2 changed
	eq "$CODE" 200
	[[ $BODY != *list_changed* ]]
	is_alive listens
}

@test "programs begin and end with the policies that name them" {
	start_streams
	echo true >"$T/a.jq"
	echo '"no"' >"$T/b.jq"
	MORE="policy: {program: $T/a.jq}" configure <<<"docs: http://127.0.0.1:$UPSTREAM"
	run_proxy
	processes_are 1
	MORE="policy: {program: $T/b.jq}" configure <<-END
	docs: {upstream: "http://127.0.0.1:$UPSTREAM", policy: {program: $T/a.jq}}
	more: http://127.0.0.1:$UPSTREAM
	END
	reload
	processes_are 2
	HOST=more.$DOMAIN ask '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}'
	[[ $BODY == *'"isError":true'* ]]
	configure <<<"more: http://127.0.0.1:$UPSTREAM"
	reload
	wait_until children_are 0
	HOST=more.$DOMAIN ask '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}'
	eq "$CODE" 200
	[[ $BODY == *'"path"'* ]]
}

@test "a request that is being judged ends by the policy that it began with" {
	local i judge

	start_streams
	echo '.method != "bad"' >"$T/p.jq"
	MORE="policy: {program: $T/p.jq}" configure <<<"docs: http://127.0.0.1:$UPSTREAM"
	run_proxy
	judge=$(processes)
	kill -STOP "$judge"
	for i in 1 2 3; do
		start_bg "asks$i" curl -s --max-time 60 --cacert "$T/certs/ca.crt" \
			--resolve "*:$PROXY:127.0.0.1" \
			-H 'Content-Type: application/json' \
			-d '{"jsonrpc":"2.0","id":1,"method":"bad"}' \
			"https://$NAME:$PROXY/"
	done
	wait_until decisions_are 3
	configure <<<"other: http://127.0.0.1:$UPSTREAM"
	reload
	kill -CONT "$judge"
	for i in 1 2 3; do
		wait_exit "asks$i"
		eq "$STATUS" 0
		[[ $(<"$T/asks$i.out") == *'"code":"denied"'* ]]
	done
	wait_until children_are 0
	is_alive proxy
}

decisions_are()
{
	(($(grep -c '"event":"decide"' "$T/audit") == $1))
}

# ---- programs that take long to compile

# slow_program makes one that takes a second or more.
slow_program()
{
	printf '.%.0s+' {1..5000} >"$T/slow.jq"
	echo . >>"$T/slow.jq"
}

# begin_slow: the reload of a configuration with such a program begins, and
# JUDGE, which compiles it, is stopped.
begin_slow()
{
	start_streams
	configure <<<"docs: http://127.0.0.1:$UPSTREAM"
	run_proxy
	slow_program
	configure <<-END
	docs: http://127.0.0.1:$UPSTREAM
	slow: {upstream: "http://127.0.0.1:$UPSTREAM", policy: {program: $T/slow.jq}}
	END
	kill -HUP "${PID[proxy]}"
	wait_until children_are 1
	JUDGE=$(processes)
	kill -STOP "$JUDGE"
}

@test "all goes on as it was while a new program compiles" {
	begin_slow
	eq "$(status docs)" 200
	eq "$(status slow)" 502
	eq "$(reload_count)" 0
	kill -CONT "$JUDGE"
	wait_until reloads_are_over 0
	has_line "$T/proxy.err" 'configuration loaded: .*routes=2'
	eq "$(status docs)" 200
	eq "$(status slow)" 200
	eq "$(processes)" "$JUDGE"
}

@test "SIGHUP while a program compiles is obeyed after it" {
	begin_slow
	configure <<<"more: http://127.0.0.1:$UPSTREAM"
	kill -HUP "${PID[proxy]}"
	kill -HUP "${PID[proxy]}"
	eq "$(status docs)" 200
	eq "$(reload_count)" 0
	kill -CONT "$JUDGE"
	wait_until reloads_are_over 1
	eq "$(status more)" 200
	eq "$(status docs)" 502
	wait_until children_are 0
	eq "$(reload_count)" 2
}

@test "the end does not wait for a program that compiles" {
	begin_slow
	stop proxy TERM 5
	eq "$STATUS" 0
	eq "$(reload_count)" 0
	wait_until is_over "$JUDGE"
}

@test "a program whose process ends, or that takes too long, changes nothing" {
	begin_slow
	kill -KILL "$JUDGE"
	wait_until reloads_are_over 0
	wait_line proxy "warning: $T/slow.jq: its process ended; going on with the configuration in use"
	eq "$(status docs)" 200
	kill -HUP "${PID[proxy]}"
	wait_until children_are 1
	JUDGE=$(processes)
	kill -STOP "$JUDGE"
	wait_until reloads_are_over 1
	wait_line proxy "warning: $T/slow.jq: it did not compile in time; going on with the configuration in use"
	wait_until children_are 0
	eq "$(status docs)" 200
	eq "$(status slow)" 502
}

@test "a program that does not compile is not kept waiting by one that does" {
	begin_slow
	kill -KILL "$JUDGE"
	wait_until reloads_are_over 0
	echo 'true true' >"$T/bad.jq"
	configure <<-END
	slow: {upstream: "http://127.0.0.1:$UPSTREAM", policy: {program: $T/slow.jq}}
	bad: {upstream: "http://127.0.0.1:$UPSTREAM", policy: {program: $T/bad.jq}}
	END
	refuses "$T/bad.jq.*syntax error.*"
	wait_until children_are 0
	eq "$(status docs)" 200
}

# ---- many

@test "a thousand reloads under load leave nothing behind" {
	local i fds rss before times=${RELOADS:-1000} pid

	start_streams
	echo true >"$T/p.jq"
	MORE="policy: {program: $T/p.jq}" configure <<-END
	docs: http://127.0.0.1:$UPSTREAM
	tool: {command: [node, $FAKE]}
	END
	cp "$T/proxy.yaml" "$T/a"
	MORE="policy: {program: $T/p.jq, tools: ['*']}" configure <<-END
	docs: {upstream: "http://127.0.0.1:$UPSTREAM", prefix: /p}
	tool: {command: [node, $FAKE], policy: {tools: ["*"]}, idle_timeout: 9m}
	more: {command: [cat]}
	END
	cp "$T/proxy.yaml" "$T/b"
	start_ready proxy "$BIN/mcp-proxy" --config "$T/proxy.yaml" \
		--listen-tls 127.0.0.1:0 --ready-fd 9
	PROXY=$(ready_get proxy tls)
	# shellcheck disable=SC2016 # for the inner shell
	start_bg load bash -c 'while [[ ! -e $4 ]]; do
		curl -fsS --max-time 20 --cacert "$1" --resolve "$2:$3:127.0.0.1" \
			-o /dev/null "https://$2:$3/[1-50]" || exit 1; done' - \
		"$T/certs/ca.crt" "$NAME" "$PROXY" "$T/enough"
	HOST=tool.$DOMAIN begin
	HOST=tool.$DOMAIN call 1 pid
	pid=$(text)
	for ((i = 0; i < times; i++)); do
		if ((i == times / 10)); then
			fds=$(fd_count proxy)
			rss=$(rss_kib proxy)
		fi
		before=$i
		cp "$T/$( ((i % 2)) && echo b || echo a)" "$T/new"
		mv "$T/new" "$T/proxy.yaml"
		kill -HUP "${PID[proxy]}"
		wait_until reloads_are_over "$before"
	done
	eq "$(grep -c 'configuration loaded' "$T/proxy.err")" "$times"
	HOST=tool.$DOMAIN call 2 pid
	eq "$(text)" "$pid"
	is_alive load
	: >"$T/enough"
	wait_exit load
	eq "$STATUS" 0
	wait_until children_are 2
	wait_until few_descriptors "$((fds + 8))"
	has_sanitizer || (($(rss_kib proxy) < rss + 4096))
}

@test "the SDK's client notices nothing of reloads that change its policy" {
	local server="$ROOT/tests/peers/run, $PEERS, fixture-stdio.mjs, legacy"

	"$ROOT/tests/peers/install.sh" "$PEERS"
	configure <<<"docs: {command: [$server], policy: {tools: ['*']}}"
	cp "$T/proxy.yaml" "$T/a"
	configure <<<"docs: {command: [$server], policy: {tools: ['*', '!none']}}"
	cp "$T/proxy.yaml" "$T/b"
	run_proxy
	NODE_EXTRA_CA_CERTS=$T/certs/ca.crt start_bg client \
		"$ROOT/tests/peers/run" "$PEERS" client-v1.mjs \
		--url "https://$NAME:$PROXY/mcp" --connect "127.0.0.1:$PROXY" all
	while is_alive client; do
		cp "$T/a" "$T/proxy.yaml"
		reload
		cp "$T/b" "$T/proxy.yaml"
		reload
	done
	wait_exit client
	cat "$T/client.out"
	eq "$STATUS" 0
	[[ $(<"$T/client.out") != *'not ok'* ]]
	(($(grep -c 'configuration loaded' "$T/proxy.err") > 4))
}
