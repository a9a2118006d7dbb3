# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # the helpers' names

# What a transparent proxy between MCP clients and servers must do.

load helpers.bash
load mcp-proxy.bash

SSE='send=HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n'
CHUNKED='Transfer-Encoding: chunked\r\n\r\n'

@test "an SSE event passes while the next one is not yet written" {
	pair "$ASKED" "${SSE}${CHUNKED}" 'send=9\r\ndata: 1\n\n\r\n' hold
	run_tool 0 client "$GET" 'expect=data: 1\n\n' reset
	[[ $output == *'Content-Type: text/event-stream'* ]]
}

@test "a response head passes before any byte of its body" {
	pair "$ASKED" "${SSE}${CHUNKED}" hold
	run_tool 0 client "$GET" 'expect=chunked\r\n\r\n' reset
}

@test "a request body passes while it is still being written" {
	pair 'expect=first' "$OK" 'expect=second' hold
	run_tool 0 client "send=POST / HTTP/1.1\r\nHost: $NAME\r\n" \
		'send=Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n' \
		'expect=200 OK.*ok' 'send=6\r\nsecond\r\n0\r\n\r\n' hold
}

@test "nothing is compressed and no header is invented" {
	pair "$ASKED" "$OK" hold
	run_tool 0 client "send=GET /a%2Fb/../c?d=e%20f HTTP/1.1\r\n" \
		"send=HOST: $NAME:1\r\naccept-encoding: gzip\r\nX:y\r\n\r\n" \
		'expect=ok$' end
	eq "$(got 1)" "GET /a%2Fb/../c?d=e%20f HTTP/1.1"$'\r\n'"HOST: $NAME:1"$'\r\naccept-encoding: gzip\r\nX: y\r\n\r'
	eq "$output" $'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
}

@test "every header of MCP and OAuth passes both ways as it came" {
	local h=

	h+='MCP-Protocol-Version: 2026-07-28\r\nMcp-Session-Id: abc\r\n'
	h+='Mcp-Method: tools/call\r\nMcp-Name: =?base64?ZWNobw==?=\r\n'
	h+='Mcp-Param-X: 1\r\nLast-Event-ID: 7\r\nOrigin: null\r\n'
	h+='Accept: application/json, text/event-stream\r\n'
	h+='Authorization: Bearer secret\r\n'
	pair "$ASKED" "send=HTTP/1.1 401 No\r\nMcp-Session-Id: abc\r\n" \
		'send=WWW-Authenticate: Bearer resource_metadata="x"\r\n' \
		'send=X-Accel-Buffering: no\r\nContent-Length: 0\r\n\r\n' hold
	run_tool 0 client "send=GET /mcp HTTP/1.1\r\nHost: $NAME\r\n" \
		"send=$h\r\n" 'expect=\r\n\r\n' end
	eq "$(got 1)" "$(printf '%b' "GET /mcp HTTP/1.1\r\nHost: $NAME\r\n$h\r\n")"
	eq "$output" "$(printf 'HTTP/1.1 401 No\r\nMcp-Session-Id: abc\r\nWWW-Authenticate: Bearer resource_metadata="x"\r\nX-Accel-Buffering: no\r\nContent-Length: 0\r\n\r\n')"
	run -1 grep secret "$T/proxy.err"
}

@test "only hop-by-hop headers and those named by Connection are removed" {
	pair "$ASKED" 'send=HTTP/1.1 200 OK\r\nConnection: X-B\r\nX-B: 1\r\n' \
		'send=Keep-Alive: timeout=9\r\nX-C: 1\r\nContent-Length: 0\r\n\r\n' \
		hold
	run_tool 0 client "send=GET / HTTP/1.1\r\nHost: $NAME\r\nX-A: 1\r\n" \
		'send=Connection: x-a\r\nTE: trailers\r\nUpgrade: h2c\r\n' \
		'send=X-D: 1\r\n\r\n' 'expect=\r\n\r\n' end
	eq "$(got 1)" "$(printf '%b' "GET / HTTP/1.1\r\nHost: $NAME\r\nX-D: 1\r\n\r\n")"
	eq "$output" "$(printf 'HTTP/1.1 200 OK\r\nX-C: 1\r\nContent-Length: 0\r\n\r\n')"
}

@test "202, 204, 400, 401, 403, 404 and 405 pass with the bytes of their body" {
	local code steps=() want=

	for code in 202 400 401 403 404 405; do
		steps+=("$ASKED" "send=HTTP/1.1 $code It\r\nContent-Length: 9\r\n\r\n{\"no\":\r\n}")
	done
	pair "${steps[@]}" "$ASKED" 'send=HTTP/1.1 204 No\r\n\r\n' hold
	for code in 202 400 401 403 404 405; do
		want+="$GET|expect=$code It.*\}|"
	done
	IFS='|' read -ra steps <<<"$want"
	run_tool 0 client "${steps[@]}" "$GET" 'expect=204 No\r\n\r\n' end
	[[ $output != *Adit-Error* ]]
	eq "$(upstream_count)" 1
}

@test "a client that closes resets its request upstream at once" {
	pair "$ASKED" "${SSE}${CHUNKED}" hold
	run_tool 0 client "$GET" 'expect=chunked\r\n\r\n' end
	wait_upstream '1 reset'
	wait_line proxy 'request: .* status=200 .* end=cancelled'
}

@test "a client that resets its connection resets its request upstream" {
	pair "$ASKED" "touch=$T/seen" hold
	run_tool 0 client "$POST" "file=$T/seen" reset
	wait_upstream '1 reset'
}

@test "a client that leaves in the middle of its body cancels the request" {
	pair 'expect=hi' "touch=$T/seen" hold
	run_tool 0 client "send=POST / HTTP/1.1\r\nHost: $NAME\r\n" \
		'send=Content-Length: 9\r\n\r\nhi' "file=$T/seen" reset
	wait_upstream '1 reset'
}

@test "an HTTP/1.0 client that ends its side takes no part for the whole" {
	pair "$ASKED" 'send=HTTP/1.1 200 OK\r\n\r\npart' hold
	run_tool 0 client "send=GET / HTTP/1.0\r\nHost: $NAME\r\n\r\n" \
		'expect=part' end hold
	[[ $stderr == *'end: reset'* ]]
	wait_upstream '1 reset'
}

@test "an upstream that resets in mid-body is not taken for a clean end" {
	pair "$ASKED" "${SSE}${CHUNKED}" 'send=2\r\nhi\r\n' \
		"file=$T/seen" reset
	run_tool 0 client "$GET" 'expect=hi' "touch=$T/seen" hold
	[[ $stderr == *'end: reset'* && $output != *$'0\r\n'* ]]
	wait_line proxy 'end=aborted/upstream'
}

@test "an upstream that closes in mid-chunk is not taken for a clean end" {
	pair "$ASKED" "${SSE}${CHUNKED}" 'send=9\r\nhi' \
		"file=$T/seen" end
	run_tool 0 client "$GET" 'expect=hi' "touch=$T/seen" hold
	[[ $stderr == *'end: reset'* && $output != *$'0\r\n'* ]]
}

@test "an upstream that closes without the last chunk is not a clean end" {
	pair "$ASKED" "${SSE}${CHUNKED}" 'send=2\r\nhi\r\n' \
		"file=$T/seen" end
	run_tool 0 client "$GET" 'expect=hi' "touch=$T/seen" hold
	[[ $stderr == *'end: reset'* && $output != *$'0\r\n'* ]]
}

@test "an upstream that closes before Content-Length is not a clean end" {
	pair "$ASKED" 'send=HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi' \
		"file=$T/seen" end
	run_tool 0 client "$GET" 'expect=hi' "touch=$T/seen" hold
	[[ $stderr == *'end: reset'* ]]
}

@test "on a stream of a hop a cut response is a RESET that blames upstream" {
	start_upstream "$ASKED" "${SSE}${CHUNKED}" 'send=2\r\nhi\r\n' \
		"file=$T/seen" reset
	start_proxy --listen "$T/hop" <<<"$allow_loopback"
	TO=$T/hop run_tool 0 client "$GET" 'expect=hi' "touch=$T/seen" hold
	[[ $stderr == *'reset: aborted/upstream'* ]]
	[[ $output != *$'0\r\n'* ]]
	wait_line proxy 'trace=00112233445566778899aabbccddeeff .*aborted'
}

@test "a POST is never sent twice, not even when its connection had died" {
	pair "$ASKED" "$OK" "$ASKED" end -- hold
	run_tool 0 client "$GET" 'expect=ok$' "$POST" \
		'expect=502 Bad Gateway.*}' end
	[[ $output == *'Adit-Error: aborted; blame=upstream'* ]]
	eq "$(upstream_count)" 1
}

@test "a POST that a new connection loses is not sent again" {
	pair "$ASKED" reset -- "$ASKED" "$OK" hold
	run_tool 0 client "$POST" 'expect=502 Bad Gateway.*}' end
	eq "$(upstream_count)" 1
}

@test "a GET on a connection that had died is sent again" {
	pair "$ASKED" "$OK" "$ASKED" end -- "$ASKED" "$OK" hold
	run_tool 0 client "$GET" 'expect=ok$' "$GET" 'expect=ok$' end
	eq "$(upstream_count)" 2
}

@test "a GET is sent again only once" {
	pair "$ASKED" "$OK" "$ASKED" end -- "$ASKED" end
	run_tool 0 client "$GET" 'expect=ok$' "$GET" 'expect=502 Bad.*}' end
	eq "$(upstream_count)" 2
}

@test "an idle connection that the upstream closed is not used again" {
	pair "$ASKED" "$OK" end hold "touch=$T/closed" -- 'expect=hi' "$OK" hold
	run_tool 0 client "$GET" 'expect=ok$' "file=$T/closed" "$POST" \
		'expect=ok$' end
	eq "$(upstream_count)" 2
}

@test "an idle connection with bytes nobody asked for is not used again" {
	pair "$ASKED" "${OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil" \
		hold -- "$ASKED" "$OK" hold
	run_tool 0 client "$GET" 'expect=ok$' "$GET" 'expect=ok$' end
	[[ $output != *evil* ]]
	eq "$(upstream_count)" 2
}

@test "the next address of a name is tried when one refuses" {
	requires ipv6
	start_upstream "$ASKED" "$OK" hold
	write_config "http://localhost:$UPSTREAM" \
		<<<'upstream: {allowed_ips: [127.0.0.0/8, "::1"]}'
	run_proxy
	run_tool 0 client "$POST" 'expect=ok$' end
	eq "$(upstream_count)" 1
}

@test "an SSE comment counts as life, silence does not" {
	# The second stream begins later and is cut off for its silence.
	start_upstream "$ASKED" "${SSE}${CHUNKED}" \
		"beat=$T/cut "'3\r\n:\n\n\r\n' 'send=2\r\nhi\r\n' hold -- \
		"$ASKED" "${SSE}${CHUNKED}" hold "touch=$T/cut"
	start_proxy <<-END
	$allow_loopback
	limits: {idle_timeout: 1s}
	END
	start_client lively "$GET" 'expect=:\n' "touch=$T/begun" 'expect=hi' hold
	wait_file "$T/begun"
	run_tool 0 client "$GET" hold
	[[ $stderr == *'end: reset'* ]]
	wait_line proxy 'end=timeout/upstream'
	wait_exit lively
	eq "$STATUS" 0
}

@test "a response that does not begin in time is a 504" {
	start_upstream "$ASKED" hold
	start_proxy <<-END
	upstream: {allowed_ips: [127.0.0.0/8], response_timeout: 200ms}
	END
	run_tool 0 client "$GET" 'expect=504 Gateway Timeout.*}' end
	[[ $output == *'Adit-Error: timeout; blame=upstream'* ]]
	wait_upstream '1 reset'
}

@test "a head that does not come in time is a 408" {
	start_upstream hold
	start_proxy <<-END
	$allow_loopback
	limits: {header_timeout: 2s} # of which TLS takes some
	END
	run_tool 0 client 'send=GET / HTTP/1.1\r\n' 'expect=408 .*}' hold
	[[ $stderr == *'end: clean'* ]]
	[[ $output == *'Adit-Error: timeout; blame=client'* ]]
}

@test "the Host of the agent reaches the upstream unchanged" {
	pair "$ASKED" "$OK" hold
	run_tool 0 agent_curl --fail /x
	[[ $(got 1) == *$'\r\n'"Host: $NAME:$PROXY"$'\r\n'* ]]
	[[ $(got 1) != *[Oo]rigin* ]]
}

@test "well-known paths of OAuth reach the upstream like any other" {
	pair "$ASKED" "$OK" "$ASKED" "$OK" hold
	run_tool 0 agent_curl --fail /.well-known/oauth-protected-resource/mcp
	[[ $(got 1) == 'GET /.well-known/oauth-protected-resource/mcp '* ]]
}

@test "100-continue and 103 pass, and the body waits for them" {
	pair "$ASKED" 'send=HTTP/1.1 100 Continue\r\n\r\n' 'expect=hi' \
		'send=HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n' "$OK" hold
	run_tool 0 client "send=POST / HTTP/1.1\r\nHost: $NAME\r\n" \
		'send=Expect: 100-continue\r\nContent-Length: 2\r\n\r\n' \
		'expect=100 Continue\r\n\r\n' 'send=hi' \
		'expect=103 Early Hints\r\nLink: x\r\n\r\n' 'expect=ok$' end
	[[ $(got 1) == *'Expect: 100-continue'* ]]
}

@test "a final answer instead of 100-continue passes" {
	pair "$ASKED" 'send=HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n' hold
	run_tool 0 client "send=POST / HTTP/1.1\r\nHost: $NAME\r\n" \
		'send=Expect: 100-continue\r\nContent-Length: 2\r\n\r\n' \
		'expect=417 No.*\r\n\r\n' hold
	[[ $stderr == *'end: clean'* && $output == *'Connection: close'* ]]
}

@test "more than 16 interim responses, or a 101, are a 502" {
	local i many='send=' one='HTTP/1.1 103 E\r\n\r\n'

	for ((i = 0; i < 17; i++)); do
		many+=$one
	done
	pair "$ASKED" "$many" hold -- "$ASKED" \
		'send=HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n' \
		hold
	run_tool 0 client "$GET" 'expect=502 Bad Gateway.*}' end
	run_tool 0 client "$GET" 'expect=502 Bad Gateway.*}' end
	[[ $output == *'Adit-Error: protocol; blame=upstream'* ]]
}

@test "a slow client holds back its upstream and grows nothing" {
	local before after

	requires no-sanitizer
	pair "$ASKED" 'send=HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n' \
		'bytes=200000000' 'expect=never'
	start_client client "$GET" 'expect=200 OK' pause \
		"file=$T/stalled" reset
	before=$(rss_kib proxy)
	wait_until is_blocked "${PID[upstream]}"
	after=$(rss_kib proxy)
	echo >"$T/stalled"
	wait_exit client
	echo "RSS $before KiB before, $after KiB after"
	((after - before < 4096))
	wait_line proxy 'status=200 .*bytes_out=[0-9]{1,8} '
}

@test "a slow upstream holds back the client and grows nothing" {
	requires no-sanitizer
	pair "$ASKED" pause "file=$T/stalled" reset
	start_client client "send=POST / HTTP/1.1\r\nHost: $NAME\r\n" \
		'send=Content-Length: 200000000\r\n\r\n' 'bytes=200000000'
	wait_until is_blocked "${PID[client]}"
	(($(rss_kib proxy) < 32768))
	echo >"$T/stalled"
	wait_line proxy 'request: .*end=aborted/upstream'
	wait_line proxy 'bytes_in=[0-9]{1,8} '
}

@test "a time-out blames the side that does not read" {
	start_upstream pause "file=$T/never" -- "$ASKED" \
		'send=HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n' \
		'bytes=200000000' 'expect=never'
	start_proxy <<-END
	limits: {idle_timeout: 1s}
	$allow_loopback
	END
	start_client upload "send=POST / HTTP/1.1\r\nHost: $NAME\r\n" \
		'send=Content-Length: 200000000\r\n\r\n' 'bytes=200000000'
	wait_line proxy 'status=504 .*end=timeout/upstream'
	start_client download "$GET" 'expect=200 OK' pause "file=$T/never"
	wait_line proxy 'status=200 .*end=timeout/client'
}

@test "100 MiB pass both ways byte for byte" {
	local want

	start_ready upstream node "$ROOT/tests/fakes/stream-upstream.mjs" \
		--ready-fd 9
	UPSTREAM=${READY[upstream]}
	start_proxy <<<"$allow_loopback"
	want=$(head -c 104857600 /dev/zero | sha256sum)
	head -c 104857600 /dev/zero >"$T/big"
	run_tool 0 agent_curl --fail -H Expect: --data-binary "@$T/big" /hash
	eq "$output" "{\"sha256\":\"${want%% *}\",\"bytes\":104857600}"
	run_tool 0 agent_curl --fail -H Expect: -H 'Transfer-Encoding: chunked' \
		--data-binary "@$T/big" /hash
	eq "$output" "{\"sha256\":\"${want%% *}\",\"bytes\":104857600}"
	want=$(openssl enc -aes-128-ctr -K 0 -iv 0 -in "$T/big" 2>/dev/null |
		sha256sum)
	agent_curl --fail -o "$T/down" '/bytes?n=104857600'
	eq "$(sha256sum <"$T/down")" "$want"
}
