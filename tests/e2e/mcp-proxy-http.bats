# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # the helpers' names

# HTTP as mcp-proxy reads and writes it: what it refuses on either side, and
# that both sides always agree where a message ends.

load helpers.bash
load mcp-proxy.bash

# refused STATUS REQUEST...: each request, as steps separated by "|", is
# answered with STATUS and the connection ends; nothing reaches the upstream.
refused()
{
	local want=$1 request steps

	shift
	for request; do
		IFS='|' read -ra steps <<<"$request"
		run_tool 0 client "${steps[@]/#/send=}" \
			"expect=^HTTP/1.1 $want .*\}\n" hold
		[[ $stderr == *'end: clean'* ]]
		[[ $output == *'Connection: close'* ]]
		[[ $output == *'Adit-Error: protocol; blame=client'* ]]
	done
	eq "$(upstream_count)" 0
}

upstream_count()
{
	grep -c ' open$' "$T/upstream.out" || true
}

R="POST / HTTP/1.1\r\nHost: $NAME\r\n"

@test "Content-Length and Transfer-Encoding together are a 400" {
	pair hold
	refused 400 \
		"${R}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" \
		"${R}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" \
		"${R}Content-Length: 0\r\nTransfer-Encoding: identity\r\n\r\n"
}

@test "several or invalid lengths are a 400" {
	pair hold
	refused 400 "${R}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx" \
		"${R}Content-Length: 1, 1\r\n\r\nx" \
		"${R}Content-Length: +1\r\n\r\nx" \
		"${R}Content-Length: 99999999999999999999\r\n\r\nx" \
		"${R}Content-Length: \r\n\r\n"
}

@test "codings other than chunked are a 400 or a 501" {
	pair hold
	refused 400 "${R}Transfer-Encoding: xchunked\r\n\r\n" \
		"${R}Transfer-Encoding: chunked, identity\r\n\r\n" \
		"${R}Transfer-Encoding : chunked\r\n\r\n" \
		"${R}Transfer-Encoding:\x0bchunked\r\n\r\n"
	refused 501 "${R}Transfer-Encoding: gzip, chunked\r\n\r\n"
}

@test "folds, bare CR and LF, NUL and bad names in a head are a 400" {
	pair hold
	refused 400 "${R}X: a\r\n b\r\n\r\n" "${R}X: a\nY: b\r\n\r\n" \
		"${R}X: a\rb\r\n\r\n" "${R}X: a\0b\r\n\r\n" "${R}X : a\r\n\r\n" \
		"${R}X(: a\r\n\r\n" "GET / HTTP/1.1\nHost: $NAME\n\n"
}

@test "a head above 64 KiB or 100 fields is a 400" {
	local i fields='' value

	pair "$ASKED" "$OK" hold
	printf -v value '%*s' 65400 ''
	run_tool 0 client "send=${R}X: ${value// /x}\r\n\r\n" \
		'expect=^HTTP/1.1 200 ' end
	printf -v value '%*s' 65536 ''
	run_tool 0 client "send=${R}X: ${value// /x}\r\n\r\n" \
		'expect=^HTTP/1.1 400 .*}' hold
	for ((i = 0; i < 100; i++)); do
		fields+='a: b\r\n'
	done
	run_tool 0 client "send=$R$fields\r\n" 'expect=^HTTP/1.1 400 .*}' hold
	[[ $stderr == *'end: clean'* ]]
}

@test "a bad chunk of a request is a 400 and the upstream is reset" {
	pair "$ASKED" hold
	run_tool 0 client "send=${R}Transfer-Encoding: chunked\r\n\r\n" \
		'send=3\r\nabc\r\n' "file=$T/got/1" \
		'send=x\r\n' 'expect=^HTTP/1.1 400 .*}' hold
	[[ $stderr == *'end: clean'* ]]
	wait_upstream '1 reset'
	run -1 grep -c $'^0\r' "$T/got/1"
}

@test "a chunk line above 256 bytes is a 400" {
	local ext

	pair "$ASKED" hold
	printf -v ext '%*s' 300 ''
	run_tool 0 client "send=${R}Transfer-Encoding: chunked\r\n\r\n" \
		"send=3;${ext// /x}\r\nabc\r\n" 'expect=^HTTP/1.1 400 .*}' hold
}

@test "chunks are re-framed: extensions and trailers end here" {
	pair 'expect=\r\n0\r\n\r\n' "$OK" hold
	run_tool 0 client "send=${R}Transfer-Encoding: chunked\r\n" \
		'send=Trailer: X\r\n\r\n' 'send=3;evil="x"\r\nabc\r\n' \
		'send=0;y\r\nX: evil\r\nContent-Length: 9\r\n\r\n' \
		'expect=ok$' end
	[[ $(got 1) != *evil* && $(got 1) != *Trailer* ]]
	[[ $(got 1) == *$'\r\n\r\n3\r\nabc\r\n0\r\n'* ]]
}

@test "what follows a body is the next request, not part of it" {
	pair 'expect=hi' "$OK" "$ASKED" "$OK" hold
	run_tool 0 client "${POST}GET /second HTTP/1.1\r\nHost: $NAME\r\n\r\n" \
		'expect=ok' 'expect=ok$' end
	[[ $(got 1) == *$'hiGET /second HTTP/1.1\r\n'* ]]
}

@test "pipelined requests are answered in order, one at a time" {
	pair 'expect=/1 ' \
		'send=HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1' \
		'expect=/2 ' 'send=HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2' \
		'expect=/3 ' 'send=HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n3' \
		hold
	run_tool 0 client "send=GET /1 HTTP/1.1\r\nHost: $NAME\r\n\r\nGET /2 HTTP/1.1\r\nHost: $NAME\r\n\r\nGET /3 HTTP/1.1\r\nHost: $NAME\r\n\r\n" \
		'expect=\r\n\r\n1' 'expect=\r\n\r\n2' 'expect=\r\n\r\n3' end
	eq "$(upstream_count)" 1
}

@test "the second of two pipelined requests waits for the first response" {
	# What is let through too early is there before the answer to the 103.
	pair 'expect=/1 ' 'send=HTTP/1.1 103 Early Hints\r\n\r\n' \
		"file=$T/hinted" end
	run_tool 0 client "send=GET /1 HTTP/1.1\r\nHost: $NAME\r\n\r\nGET /2 HTTP/1.1\r\nHost: $NAME\r\n\r\n" \
		'expect=103 ' "touch=$T/hinted" 'expect=502 Bad Gateway' reset
	[[ $(cat "$T/got/1") != */2* ]]
}

@test "a request byte by byte is read like one in a piece" {
	local i request="POST / HTTP/1.1\r\nHost: $NAME\r\nContent-Length: 2\r\n\r\nhi"
	local steps=()

	request=$(printf '%b' "$request" | xxd -p | tr -d '\n')
	for ((i = 0; i < ${#request}; i += 2)); do
		steps+=("send=\\x${request:i:2}" 'wait=1')
	done
	pair 'expect=hi' "$OK" hold
	run_tool 0 client "${steps[@]}" 'expect=ok$' end
}

@test "other versions are a 505, other methods and CONNECT a 501" {
	pair hold
	refused 505 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' \
		"GET / HTTP/1.2\r\nHost: $NAME\r\n\r\n"
	refused 501 "BREW / HTTP/1.1\r\nHost: $NAME\r\n\r\n" \
		"CONNECT $NAME:443 HTTP/1.1\r\nHost: $NAME\r\n\r\n"
}

@test "one Host, and the same one in an absolute target, or a 400" {
	pair "$ASKED" "$OK" hold
	run_tool 0 client "send=GET http://$NAME/a HTTP/1.1\r\nHost: $NAME\r\n\r\n" \
		'expect=ok$' end
	[[ $(got 1) == 'GET /a HTTP/1.1'* ]]
	run_tool 0 client 'send=GET / HTTP/1.1\r\n\r\n' 'expect= 400 ' hold
	run_tool 0 client "send=${R}Host: $NAME\r\n\r\n" 'expect= 400 ' hold
	run_tool 0 client "send=GET http://other.$DOMAIN/ HTTP/1.1\r\nHost: $NAME\r\n\r\n" \
		'expect= 400 ' hold
}

@test "HTTP/1.0 gets a body to the end, and a clean one" {
	pair "$ASKED" 'send=HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' \
		'send=5\r\nhello\r\n0\r\n\r\n' hold
	run_tool 0 client "send=GET / HTTP/1.0\r\nHost: $NAME\r\n\r\n" hold
	eq "$output" "$(printf 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello')"
	[[ $stderr == *'end: clean'* ]]
}

@test "a response that ends with its connection becomes chunks" {
	pair "$ASKED" 'send=HTTP/1.0 200 OK\r\n\r\nhello' end
	run_tool 0 client "$GET" 'expect=\r\n0\r\n\r\n' end
	[[ $output == *$'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n'* ]]
}

@test "HEAD and 304 have no body" {
	pair "$ASKED" 'send=HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n' \
		hold -- "$ASKED" 'send=HTTP/1.1 304 N\r\n\r\n' \
		"$ASKED" "$OK" hold
	run_tool 0 client "send=HEAD / HTTP/1.1\r\nHost: $NAME\r\n\r\n" \
		'expect=Length: 9\r\n\r\n' "$GET" 'expect=304 N\r\n\r\n' \
		"$GET" 'expect=ok$' end
	eq "$(upstream_count)" 2
}

@test "a body that may not be there is nobody's response" {
	local late='HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'

	pair "$ASKED" 'send=HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\n' \
		"$ASKED" "send=$late" hold -- \
		"$ASKED" 'send=HTTP/1.1 304 N\r\nContent-Length: 42\r\n\r\n' \
		"$ASKED" "send=$late" hold -- "$ASKED" "$OK" hold
	run_tool 0 client "send=HEAD / HTTP/1.1\r\nHost: $NAME\r\n\r\n" \
		'expect=Length: 42\r\n\r\n' "$GET" \
		'expect=Length: 42\r\n\r\n' "$GET" 'expect=ok$' end
	[[ $output != *evil* ]]
	eq "$(upstream_count)" 3
}

@test "a response with an ambiguous end is a 502 that blames upstream" {
	pair "$ASKED" 'send=HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx' hold -- \
		"$ASKED" 'send=HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n' hold -- \
		"$ASKED" 'send=HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n' hold -- \
		"$ASKED" 'send=HTTP/1.1 200 OK\nX: a\n\n' hold -- \
		"$ASKED" 'send=SSH-2.0-OpenSSH_9.2\r\n\r\n' hold -- \
		"$ASKED" 'send=HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n' hold
	for _ in 1 2 3 4 5 6; do
		run_tool 0 client "$GET" 'expect=^HTTP/1.1 502 .*}' end
		[[ $output == *'Adit-Error: protocol; blame=upstream'* ]]
	done
	eq "$(upstream_count)" 6
}

@test "a bad chunk in the middle of a response cuts it off" {
	pair "$ASKED" 'send=HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' \
		'send=2\r\nhi\r\n' "file=$T/seen" 'send=x\r\n' hold
	run_tool 0 client "$GET" 'expect=hi' "touch=$T/seen" hold
	[[ $stderr == *'end: reset'* ]]
	wait_upstream '1 reset'
}

@test "an upstream cannot send Adit-Error" {
	pair "$ASKED" 'send=HTTP/1.1 502 B\r\nAdit-Error: x; blame=client\r\nContent-Length: 0\r\n\r\n' hold
	run_tool 0 client "$GET" 'expect=\r\n\r\n' end
	[[ $output == *'502 B'* && $output != *Adit-Error* ]]
}

@test "errors of our own name code, blame and trace in JSON" {
	pair hold
	HOST=none.$DOMAIN run_tool 0 agent_curl -D "$T/head" /
	eq "$(jq -r '.error | [.code, .blame, (.trace | length)] | join(" ")' \
		<<<"$output")" 'no-route proxy 32'
	grep -q '^HTTP/1.1 502 ' "$T/head"
	grep -qi '^Content-Type: application/json' "$T/head"
	grep -q '^Adit-Error: no-route; blame=proxy' "$T/head"
	wait_line proxy "request: trace=$(jq -r .error.trace <<<"$output") .*status=502 .*end=no-route/proxy"
}

@test "TLS for one upstream and a Host of another are a 421" {
	pair "$ASKED" "$OK" "$ASKED" "$OK" hold
	SNI=other.$DOMAIN run_tool 0 client "$GET" 'expect= 421 .*}' end
	[[ $output == *'Adit-Error: no-route; blame=client'* ]]
	SNI=- run_tool 0 client "$GET" 'expect=ok$' end
	SNI=alias.$DOMAIN run_tool 0 client "$GET" 'expect=ok$' end
}

@test "hosts match in any case, with a port and with a dot at the end" {
	pair "$ASKED" "$OK" "$ASKED" "$OK" hold
	run_tool 0 client "send=GET / HTTP/1.1\r\nHost: DOCS.$DOMAIN.:443\r\n\r\n" \
		'expect=ok$' "$GET" 'expect=ok$' end
}

@test "an empty line before a request is skipped, two are not" {
	pair "$ASKED" "$OK" hold
	run_tool 0 client 'send=\r\n' "$GET" 'expect=ok$' end
	run_tool 0 client 'send=\r\n\r\n' "$GET" 'expect= 400 ' hold
}

@test "a refused connection, a bad certificate and a policy have their blame" {
	make_certs_once
	make_certs "$T/up" localhost
	start_ready upstream node "$ROOT/tests/fakes/raw-upstream.mjs" \
		--ready-fd 9 --tls "$T/up/server.pem" "$T/up/server.key" \
		--dir "$T" "$ASKED" "$OK" hold
	UPSTREAM=${READY[upstream]}
	cat >"$T/proxy.yaml" <<-END
	tunnel_domain: $DOMAIN
	tls: {cert_file: $T/certs/tls.crt, key_file: $T/certs/tls.key}
	routes:
	  docs: https://localhost:$UPSTREAM
	  other: https://127.0.0.2:$UPSTREAM
	  away: http://127.0.0.1:9
	  far: http://192.0.2.1:80
	upstream:
	  allowed_ips: [127.0.0.0/8]
	  tls: {ca_file: $T/up/ca.pem}
	END
	run_proxy
	HOST=docs.$DOMAIN run_tool 0 agent_curl --fail /
	eq "$output" ok
	HOST=away.$DOMAIN run_tool 0 agent_curl -i /
	[[ $output == *'502 Bad'*'Adit-Error: refused; blame=connect'* ]]
	HOST=far.$DOMAIN run_tool 0 agent_curl -i /
	[[ $output == *'502 Bad'*'Adit-Error: denied; blame=policy'* ]]
	sed -i "s,$T/up/ca.pem,$T/certs/ca.crt," "$T/proxy.yaml"
	stop proxy
	run_proxy
	HOST=docs.$DOMAIN run_tool 0 agent_curl -i /
	[[ $output == *'502 Bad'*'Adit-Error: protocol; blame=tls'* ]]
}

@test "requests that fail and fail do not fill the log" {
	make_certs_once
	cat >"$T/proxy.yaml" <<-END
	tunnel_domain: $DOMAIN
	tls: {cert_file: $T/certs/tls.crt, key_file: $T/certs/tls.key}
	routes:
	  away: http://127.0.0.1:9
	upstream:
	  allowed_ips: [127.0.0.0/8]
	END
	run_proxy
	HOST=away.$DOMAIN run_tool 0 agent_curl -o "$T/out" '/[1-90]'
	# Fifty at once, then one in ten seconds.
	(($(told) >= 50 && $(told) < 60))
	stop proxy
	eq "$(sed -n 's/.*warning: request failed: code=refused left_out=//p' \
		"$T/proxy.err" | awk -v n="$(told)" '{n += $1} END {print n}')" 90
}

# told: how many failures have a line.
told()
{
	grep -c 'request failed: trace=.* code=refused blame=connect' \
		"$T/proxy.err"
}

@test "an upstream that never ends its TLS handshake is a 504" {
	make_certs_once
	start_upstream hold
	write_config "https://127.0.0.1:$UPSTREAM" <<-END
	upstream:
	  allowed_ips: [127.0.0.0/8]
	  connect_timeout: 300ms
	  tls: {ca_file: $T/certs/ca.crt}
	END
	run_proxy
	run_tool 0 client "$GET" 'expect=504 Gateway Timeout.*}' end
	[[ $output == *'Adit-Error: timeout; blame=tls'* ]]
	wait_line proxy 'warning: request failed: .*code=timeout blame=tls: '
}

@test "a client that leaves while its upstream is dialed is forgotten" {
	make_certs_once
	start_upstream hold
	write_config "https://127.0.0.1:$UPSTREAM" <<-END
	upstream:
	  allowed_ips: [127.0.0.0/8]
	  tls: {ca_file: $T/certs/ca.crt}
	END
	run_proxy
	start_client one "$GET" hold
	wait_upstream '1 open'
	stop one
	wait_upstream '1 reset'
	wait_line proxy 'end=cancelled'
}
