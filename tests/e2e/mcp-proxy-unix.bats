# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # the helpers' names

# mcp-proxy before upstreams on Unix sockets.

load helpers.bash
load mcp-proxy.bash
load bridge.bash

SERVER='
const http = require("http"), fs = require("fs");
const [path] = process.argv.slice(1);
http.createServer((request, response) => {
	let body = "";
	request.on("data", part => body += part);
	request.on("end", () => response.end(JSON.stringify({
		url: request.url, host: request.headers.host,
		method: request.method, body,
		port: request.socket.remotePort ?? null })));
}).listen(path, () => { fs.writeSync(9, "up\n"); fs.closeSync(9); });'

start_server()
{
	start_ready server node -e "$SERVER" "$1" --ready-fd 9
}

@test "a request reaches a server on a Unix socket as it came" {
	start_server "$T/x.sock"
	bridge_config <<<"docs: unix:$T/x.sock"
	run_proxy
	run -0 agent_curl -X POST -d hello '/a/b?c=d'
	eq "$(jq -r '.method + .url + .host + .body' <<<"$output")" \
		"POST/a/b?c=d$NAME:${PROXY}hello"
}

@test "host and prefix change what the upstream sees" {
	start_server "$T/x.sock"
	bridge_config <<-END
	docs: {upstream: 'unix:$T/x.sock', host: 'localhost:8', prefix: /v1}
	END
	run_proxy
	run -0 agent_curl '/a?b'
	eq "$(jq -r '.url + " " + .host' <<<"$output")" '/v1/a?b localhost:8'
	run -0 agent_curl '/'
	eq "$(jq -r .url <<<"$output")" /v1/
}

@test "a path does not leave its prefix" {
	local path

	start_server "$T/x.sock"
	bridge_config <<-END
	docs: {upstream: 'unix:$T/x.sock', prefix: /v1}
	other: unix:$T/x.sock
	END
	run_proxy
	for path in /../a /.. /a/%2e%2E/b '/a\..\b' /a/..%2fb '/..;x/a'; do
		run -0 agent_curl --path-as-is -w '%{http_code}' "$path"
		[[ $output == *'in a path that has a prefix'*400 ]]
	done
	HOST=other.$DOMAIN run -0 agent_curl --path-as-is '/../a'
	eq "$(jq -r .url <<<"$output")" /../a
	run -0 agent_curl --path-as-is '/...//a..b/..c?/../'
	eq "$(jq -r .url <<<"$output")" '/v1/...//a..b/..c?/../'
}

@test "host and prefix are for TCP as well" {
	start_upstream "$ASKED" "$OK" hold
	bridge_config <<-END
	docs: {upstream: 'http://127.0.0.1:$UPSTREAM', host: inner.example, prefix: /p}
	END
	echo "$allow_loopback" >>"$T/proxy.yaml"
	run_proxy
	run_tool 0 client "$GET" 'expect=ok$' end
	[[ $(got 1) == $'GET /p/ HTTP/1.1\r\nHost: inner.example\r\n'* ]]
}

has_at_most()
{
	(($(fd_count proxy) <= $1))
}

@test "its connections are used again" {
	start_server "$T/x.sock"
	bridge_config <<<"docs: unix:$T/x.sock"
	run_proxy
	local before
	agent_curl / >"$T/out"
	before=$(fd_count proxy)
	agent_curl / >"$T/out"
	agent_curl / >"$T/out"
	wait_until has_at_most "$before"
}

@test "a socket that is not there, is none, or has no listener is a 502" {
	bridge_config <<-END
	docs: unix:$T/none.sock
	file: unix:$T/proxy.yaml
	dead: unix:$T/dead.sock
	END
	run -137 node -e 'require("net").createServer().listen(process.argv[1],
		() => process.kill(process.pid, "SIGKILL"))' "$T/dead.sock"
	run_proxy
	run -0 agent_curl -D "$T/head" /
	[[ $output == *"unix:$T/none.sock: connect: No such file or directory"* ]]
	grep -q '^Adit-Error: unreachable; blame=connect' "$T/head"
	for HOST in file dead; do
		HOST=$HOST.$DOMAIN run -0 agent_curl -D "$T/head" /
		[[ $output == *'connect: Connection refused'* ]]
		grep -q '^Adit-Error: refused; blame=connect' "$T/head"
	done
}

@test "a socket without permission is a 502 that says so" {
	requires root
	mkdir -m 700 "$T/closed"
	start_server "$T/closed/x.sock"
	bridge_config <<<"docs: unix:$T/closed/x.sock"
	cp "$BIN/mcp-proxy" "$T/mcp-proxy"
	chown -R 65534 "$T/certs" "$T/mcp-proxy" "$T/proxy.yaml"
	chmod go+x "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$T"
	start_ready proxy setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$T/mcp-proxy" -v --config "$T/proxy.yaml" \
		--listen-tls 127.0.0.1:0 --ready-fd 9
	PROXY=$(ready_get proxy tls)
	run -0 agent_curl /
	[[ $output == *'connect: Permission denied'* ]]
}

# Answers one request on a connection that takes no more, and is gone.
# shellcheck disable=SC2016 # these are not of the shell
DEAF='
my ($path) = @ARGV;
my $l = IO::Socket::UNIX->new(Local => $path, Listen => 1) or die;
open my $ready, ">&=", 9 or die;
syswrite $ready, "up\n";
close $ready;
my $c = $l->accept;
my $head = "";
sysread $c, $head, 4096, length $head while $head !~ /\r\n\r\n/;
unlink $path;
close $l;
shutdown $c, 0;
syswrite $c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
sleep 1000;'

@test "the body of a request that could not be sent is no request" {
	local body="GET /smuggled HTTP/1.1\r\nHost: $NAME\r\n\r\n"

	start_ready server perl -MIO::Socket::UNIX -e "$DEAF" "$T/x.sock" \
		--ready-fd 9
	bridge_config <<<"docs: unix:$T/x.sock"
	run_proxy
	run_tool 0 client "$GET" 'expect=ok$' \
		"send=POST / HTTP/1.1\r\nHost: $NAME\r\nContent-Length: $(
		printf %b "$body" | wc -c)\r\n\r\n$body" hold
	eq "$(grep -o 'HTTP/1.1 502' <<<"$output" | wc -l)" 1
	[[ $(<"$T/proxy.err") != *smuggled* ]]
}
