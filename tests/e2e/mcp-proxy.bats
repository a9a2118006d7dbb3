# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # the helpers' names

# mcp-proxy as a program: where connections come from, its limits, its
# certificate, and how it ends.

load helpers.bash
load mcp-proxy.bash

EVENTS='send=HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n'

@test "without a configuration it does not start" {
	run_tool 2 "$BIN/mcp-proxy"
	[[ $stderr == "mcp-proxy: no --config"* ]]
	run_tool 2 "$BIN/mcp-proxy" --config "$T/none"
	one_error "^mcp-proxy: $T/none: "
}

@test "without a source of connections it does not start" {
	write_config </dev/null
	run_tool 2 "$BIN/mcp-proxy" --config "$T/proxy.yaml"
	[[ $stderr == *'nothing to serve: give --stdio, --listen, --listen-tls'* ]]
}

@test "--stdio and --listen exclude each other" {
	write_config </dev/null
	run_tool 2 "$BIN/mcp-proxy" --config "$T/proxy.yaml" --stdio \
		--listen "$T/hop"
	[[ $stderr == *'--stdio and --listen exclude each other'* ]]
}

@test "an operand, a bad option and a bad descriptor are usage errors" {
	write_config </dev/null
	run_tool 2 "$BIN/mcp-proxy" --config "$T/proxy.yaml" extra
	run_tool 2 "$BIN/mcp-proxy" --config "$T/proxy.yaml" --lisen x
	run_tool 2 "$BIN/mcp-proxy" --config "$T/proxy.yaml" --ready-fd 77
}

@test "an address in use is told" {
	pair hold
	run_tool 1 "$BIN/mcp-proxy" --config "$T/proxy.yaml" \
		--listen-tls "127.0.0.1:$PROXY"
	one_error "^mcp-proxy: 127.0.0.1:$PROXY: listen: Address already in use"
}

@test "a missing key is told with its file, status 2" {
	write_config </dev/null
	rm "$T/certs/tls.key"
	run_tool 2 "$BIN/mcp-proxy" --config "$T/proxy.yaml" \
		--listen-tls 127.0.0.1:0
	one_error "$T/certs/tls.key"
}

@test "listen_addr of the configuration is a TLS listener" {
	start_upstream "$ASKED" "$OK" hold
	write_config <<-END
	listen_addr: 127.0.0.1:0
	$allow_loopback
	END
	start_ready proxy "$BIN/mcp-proxy" --config "$T/proxy.yaml" \
		--ready-fd 9
	PROXY=$(ready_get proxy tls)
	run_tool 0 client "$GET" 'expect=ok$' end
	grep -q "^mcp-proxy: serving TLS: port=$PROXY\$" "$T/proxy.err"
}

@test "log_level debug and -q say more and less" {
	write_config <<-END
	listen_addr: 127.0.0.1:0
	log_level: debug
	END
	start_ready proxy "$BIN/mcp-proxy" --config "$T/proxy.yaml" \
		--ready-fd 9
	wait_line proxy 'route configured: docs='
	stop proxy
	start_ready proxy "$BIN/mcp-proxy" -q --config "$T/proxy.yaml" \
		--ready-fd 9
	stop proxy
	[[ ! -s $T/proxy.err ]]
}

@test "hops on a Unix socket carry streams, several at once" {
	start_upstream "$ASKED" "$EVENTS" hold -- "$ASKED" "$OK" hold
	write_config <<<"$allow_loopback"
	start_ready proxy "$BIN/mcp-proxy" -v --config "$T/proxy.yaml" \
		--listen "$T/hop" --ready-fd 9
	eq "${READY[proxy]}" ready
	eq "$(stat -c %a "$T/hop")" 600
	TO=$T/hop
	start_client client "$GET" 'expect=hi' hold
	wait_upstream '1 open'
	run_tool 0 client "$GET" 'expect=ok$' end
	is_alive client
	wait_line proxy 'agent connected: trace=00112233445566778899aabbccddeeff peer=192.0.2.1:5'
	stop client
	stop proxy
	[[ ! -e $T/hop ]]
}

@test "an agent on a stream that is reset cancels its request" {
	start_upstream "$ASKED" "$EVENTS" hold
	start_proxy --listen "$T/hop" <<<"$allow_loopback"
	TO=$T/hop run_tool 0 client "$GET" 'expect=hi' reset
	wait_upstream '1 reset'
}

@test "10 MiB pass both ways through a stream of a hop at once" {
	start_upstream "$ASKED" \
		'send=HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n' \
		bytes=10485759 count=10485760 bytes=1 hold
	start_proxy --listen "$T/hop" <<<"$allow_loopback"
	TO=$T/hop run_tool 0 client "send=PUT / HTTP/1.1\r\nHost: $NAME\r\n" \
		'send=Content-Length: 10485760\r\n\r\n' bytes=10485760 \
		'expect=200 OK.*?\r\n\r\n' count=10485760 end >"$T/out"
	wait_line proxy 'status=200 bytes_in=10485760 bytes_out=10485760'
}

@test "frames on standard input and output; the end of input is exit 0" {
	write_config </dev/null
	run_tool 0 "$BIN/mcp-proxy" --stdio --config "$T/proxy.yaml"
	[[ $stderr == *'shutting down: connections=0'* ]]
	[[ $output == adit* ]]
}

@test "a socket as standard input and output is taken for a hop" {
	write_config <<<'listen_addr: 127.0.0.1:1'
	run_tool 0 "$BIN/frame-dump" -o json -- \
		"$BIN/mcp-proxy" --config "$T/proxy.yaml"
	[[ $output != *'serving TLS'* && $stderr != *'serving TLS'* ]]
}

@test "bytes that are no frames end a hop with status 3" {
	write_config </dev/null
	run --separate-stderr "$BIN/mcp-proxy" --stdio \
		--config "$T/proxy.yaml" < <(printf 'GET / HTTP/1.1\r\n\r\n')
	eq "$status" 3
	[[ $stderr == *'mcp-proxy: standard input: '* ]]
}

@test "a changed certificate is used without a restart" {
	local first second

	pair "$ASKED" "$OK" "$ASKED" "$OK" hold
	first=$(served_serial)
	"$BIN/mcp-proxy" cert make --dir "$T/certs" --domain "$DOMAIN" --force
	wait_line proxy 'certificate loaded: '
	second=$(served_serial)
	[[ $first != "$second" ]]
	run_tool 0 client "$GET" 'expect=ok$' end
}

served_serial()
{
	openssl s_client -connect "127.0.0.1:$PROXY" -servername "$NAME" \
		</dev/null 2>/dev/null | openssl x509 -noout -serial
}

@test "a changed certificate that cannot be used leaves the old one" {
	local first

	pair hold
	first=$(served_serial)
	echo garbage >"$T/certs/tls.crt"
	wait_line proxy 'warning: .*tls.crt: .*; keeping the certificate in use'
	eq "$(served_serial)" "$first"
	is_alive proxy
}

@test "a key that comes through a pipe is read once" {
	local only='tls.key: a pipe or device, which is read only once'

	make_certs_once
	mv "$T/certs/tls.key" "$T/copy"
	mkfifo "$T/certs/tls.key"
	start_bg writer cp "$T/copy" "$T/certs/tls.key"
	pair hold
	wait_line proxy "$only; keeping the certificate in use"
	kill -HUP "${PID[proxy]}"
	wait_line proxy "$only; going on with the configuration in use"
	[[ $(served_serial) == serial=* ]]
}

@test "SIGHUP loads the certificate at once" {
	pair hold
	kill -HUP "${PID[proxy]}"
	wait_line proxy 'certificate loaded: '
}

@test "TLS 1.2 is refused unless the configuration allows it" {
	pair hold
	run ! openssl s_client -tls1_2 -connect "127.0.0.1:$PROXY" </dev/null
	wait_line proxy 'agent refused: .*TLS handshake: '
	stop proxy
	sed -i "s,^  key_file:.*,&\n  min_version: \"1.2\"," "$T/proxy.yaml"
	run_proxy
	run -0 openssl s_client -tls1_2 -connect "127.0.0.1:$PROXY" </dev/null
}

@test "plain text at the TLS port ends the connection" {
	pair hold
	run curl --silent --max-time 5 "http://127.0.0.1:$PROXY/"
	wait_line proxy 'agent refused: .*TLS handshake: '
	is_alive proxy
}

@test "ALPN is http/1.1, and without a common protocol there is no TLS" {
	pair hold
	run -0 openssl s_client -alpn http/1.1 -connect "127.0.0.1:$PROXY" \
		</dev/null
	[[ $output == *'ALPN protocol: http/1.1'* ]]
	run -1 openssl s_client -alpn h2 -connect "127.0.0.1:$PROXY" </dev/null
	[[ $output == *'no application protocol'* ]]
}

@test "connections above limits.streams are refused" {
	start_upstream "$ASKED" "$EVENTS" hold
	start_proxy --listen "$T/hop" <<-END
	$allow_loopback
	limits: {streams: 2}
	END
	open_stream one
	open_stream two
	run_tool 1 client "$GET" 'expect=hi' end
	TO=$T/hop run_tool 1 client "$GET" 'expect=hi' end
	[[ $stderr == *'reset: limit/proxy'* ]]
	stop one
	wait_line proxy 'end=cancelled'
	TO=$T/hop run_tool 0 client "$GET" 'expect=hi' end
}

@test "who asks for nothing, or in part, does not keep others out" {
	start_upstream "$ASKED" "$EVENTS" hold -- hold -- "$ASKED" \
		'send=HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok' end
	start_proxy --listen "$T/hop" <<-END
	$allow_loopback
	limits: {streams: 4}
	END
	open_stream busy
	TO=$T/hop start_client silent hold
	start_client half "${GET/%"\r\n"/"Content-Length: 9\r\n\r\nx"}" hold
	wait_until lines_at_least "$T/upstream.out" ' open$' 2
	start_client head 'send=GET / HTTP/1.1\r\n' hold
	wait_until lines_at_least "$T/proxy.err" 'agent connected' 4
	run_tool 1 client "$GET" 'expect=ok$' end
	TO=$T/hop wait_until client "$GET" 'expect=ok$' end
	eq "$(grep -c 'agent closed: .*end=limit/proxy' "$T/proxy.err")" 1
	run_tool 0 client "$GET" 'expect=ok$' end
	run_tool 0 client "$GET" 'expect=ok$' end
	eq "$(grep -c 'agent closed: .*end=limit/proxy' "$T/proxy.err")" 2
	is_alive busy
}

# open_stream NAME: a client in the background that has a response running.
open_stream()
{
	start_client "$1" "$GET" 'expect=hi' hold
	wait_until lines_at_least "$T/upstream.out" ' open$' \
		$((++opened))
}

lines_at_least()
{
	(($(grep -c -- "$2" "$1") >= $3))
}

@test "SIGTERM lets a running response finish and ends with 0" {
	pair "$ASKED" "$EVENTS" "file=$T/refused" \
		'send=3\r\nend\r\n0\r\n\r\n' hold
	open_stream one
	kill -TERM "${PID[proxy]}"
	wait_line proxy 'shutting down: connections=1'
	run_tool 1 client "$GET"
	echo >"$T/refused"
	wait_exit proxy
	eq "$STATUS" 0
	wait_exit one
	[[ $(cat "$T/one.out") == *$'3\r\nend\r\n0\r\n'* ]]
	[[ $(cat "$T/one.err") == 'end: clean' ]]
}

@test "SIGTERM closes an idle connection cleanly" {
	pair "$ASKED" "$OK" hold
	start_client one "$GET" 'expect=ok$' hold
	wait_line proxy 'status=200'
	stop proxy TERM
	eq "$STATUS" 0
	wait_exit one
	[[ $(cat "$T/one.err") == 'end: clean' ]]
}

@test "shutdown_timeout cuts off what does not finish" {
	start_upstream "$ASKED" "$EVENTS" hold
	start_proxy <<-END
	$allow_loopback
	shutdown_timeout: 200ms
	END
	open_stream one
	stop proxy TERM
	eq "$STATUS" 0
	grep -q 'shutdown: 1 connections cut off after 200 ms' "$T/proxy.err"
	wait_exit one
	[[ $(cat "$T/one.err") == 'end: reset' ]]
}

@test "a second SIGTERM cuts off at once" {
	pair "$ASKED" "$EVENTS" hold
	open_stream one
	kill -TERM "${PID[proxy]}"
	wait_line proxy 'shutting down'
	stop proxy TERM
	eq "$STATUS" 0
}

@test "a hop is told of the shutdown and its streams finish" {
	start_upstream "$ASKED" "$EVENTS" "file=$T/told" 'send=0\r\n\r\n' hold
	start_proxy --listen "$T/hop" <<<"$allow_loopback"
	TO=$T/hop open_stream one
	kill -TERM "${PID[proxy]}"
	wait_line proxy 'shutting down'
	echo >"$T/told"
	wait_exit proxy
	eq "$STATUS" 0
	wait_exit one
	[[ $(cat "$T/one.out") == *$'hi\r\n0\r\n'* ]]
}

@test "an agent that never ends its handshake is dropped" {
	start_upstream hold
	start_proxy <<-END
	$allow_loopback
	limits: {header_timeout: 200ms}
	END
	exec {slow}<>"/dev/tcp/127.0.0.1/$PROXY"
	wait_line proxy 'agent closed: .*end=timeout/client'
	exec {slow}>&-
}

@test "an agent that is silent between requests is closed in good order" {
	start_upstream "$ASKED" "$OK" hold
	start_proxy <<-END
	$allow_loopback
	limits: {idle_timeout: 1s}
	END
	run_tool 0 client "$GET" 'expect=ok$' hold
	[[ $stderr == *'end: clean'* ]]
}

@test "the log has no query, no header and no body" {
	pair "$ASKED" "$OK" hold
	run_tool 0 client "send=POST /p?token=tok1 HTTP/1.1\r\nHost: $NAME\r\n" \
		'send=Authorization: tok2\r\nContent-Length: 4\r\n\r\ntok3' \
		'expect=ok$' end
	wait_line proxy "method=POST path='/p' status=200 bytes_in=4 bytes_out=2"
	run -1 grep tok "$T/proxy.err"
}

@test "10000 requests and 1000 connections leak neither memory nor files" {
	local before fds i

	requires no-sanitizer
	start_ready upstream node "$ROOT/tests/fakes/stream-upstream.mjs" \
		--ready-fd 9
	UPSTREAM=${READY[upstream]}
	start_proxy -q <<<"$allow_loopback"
	requests 2000
	before=$(rss_kib proxy)
	fds=$(fd_count proxy)
	for i in 1 2 3 4 5; do
		requests 2000
	done
	echo "RSS $before KiB, then $(rss_kib proxy) KiB"
	(($(rss_kib proxy) - before < 2048))
	wait_until few_descriptors $((fds + 1))
}

# requests N: as many requests, on N / 10 connections.
requests()
{
	node "$ROOT/tests/fakes/many-requests.mjs" "$PROXY" \
		"$T/certs/ca.crt" "$NAME" "$1" $(($1 / 10))
}

@test "500 idle connections cost below 24 KiB each, given back when they go" {
	local before full

	requires no-sanitizer
	pair hold
	before=$(rss_kib proxy)
	start_bg idle node "$ROOT/tests/fakes/idle-clients.mjs" "$PROXY" "$T/certs/ca.crt" \
		"$NAME" 500
	wait_until has_line "$T/idle.out" '^open 500$'
	full=$(rss_kib proxy)
	stop idle
	echo "RSS $before KiB, with 500 connections $full KiB"
	((full - before < 12000))
	wait_until rss_below $((before + 4096))
}

rss_below()
{
	(($(rss_kib proxy) < $1))
}

# few_files OPTION: the proxy starts with such a limit (ulimit) of 40.
few_files()
{
	# shellcheck disable=SC2016
	start_ready proxy bash -c 'ulimit "$0" 40 && exec "$@"' "$1" \
		"$BIN/mcp-proxy" -v --config "$T/proxy.yaml" \
		--listen-tls 127.0.0.1:0 --ready-fd 9
	PROXY=$(ready_get proxy tls)
}

@test "as many files are open as the hard limit allows, but for commands" {
	write_config "{command: [bash, -c, 'ulimit -Sn >$T/limit']}" </dev/null
	few_files -Sn
	start_bg idle node "$ROOT/tests/fakes/idle-clients.mjs" "$PROXY" "$T/certs/ca.crt" \
		"$NAME" 60
	wait_until lines_at_least "$T/proxy.err" 'agent connected' 60
	run -1 grep 'Too many open files' "$T/proxy.err"
	run -0 agent_curl -H 'Content-Type: application/json' \
		-d '{"jsonrpc":"2.0","id":1,"method":"initialize"}' /mcp
	wait_until has_line "$T/limit" '^40$'
}

@test "a proxy that runs out of descriptors goes on when some are free" {
	pair "$ASKED" "$OK" hold
	stop proxy
	few_files -n
	start_bg idle node "$ROOT/tests/fakes/idle-clients.mjs" "$PROXY" "$T/certs/ca.crt" \
		"$NAME" 60
	wait_line proxy 'warning: accept: Too many open files; again in 100 ms'
	sleep_a_while
	eq "$(grep -c 'accept: ' "$T/proxy.err")" 1
	stop idle
	run_tool 0 client "$GET" 'expect=ok$' end
}
