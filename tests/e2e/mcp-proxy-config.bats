# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2154 # set by the helpers

# The configuration file of mcp-proxy(1): what it refuses, and which upstreams
# it reaches.

load helpers.bash

setup()
{
	tool_setup
	"$BIN/mcp-proxy" cert make --dir "$T/certs" --domain t.example >/dev/null
	TLS="tls: {cert_file: $T/certs/tls.crt, key_file: $T/certs/tls.key}"
}

# write_config LINE...: a file with certificates and these lines.
write_config()
{
	printf '%s\n' "$TLS" "tunnel_domain: t.example" "$@" >"$T/proxy.yaml"
}

# start_proxy sets PORT to its port for TLS.
start_proxy()
{
	start_ready proxy "$BIN/mcp-proxy" -v --config "$T/proxy.yaml" \
		--listen-tls 127.0.0.1:0 --ready-fd 9
	PORT=$(ready_get proxy tls)
}

start_upstream()
{
	start_ready upstream node "$ROOT/tests/fakes/stream-upstream.mjs" \
		--ready-fd 9
	UPSTREAM=${READY[upstream]}
}

# start_dns NAME=ANSWERS... sets DNS to its port.
start_dns()
{
	start_ready dns node "$ROOT/tests/fakes/fake-dns.mjs" --ready-fd 9 "$@"
	DNS=${READY[dns]}
}

# call HOST [CURL OPTION...]: prints the body and, in its own line, the status.
call()
{
	local host=$1

	shift
	curl --silent --show-error --max-time "$DEADLINE" \
		--cacert "$T/certs/ca.crt" --write-out '\n%{http_code}\n' \
		--resolve "$host:$PORT:127.0.0.1" "$@" \
		"https://$host:$PORT/x?y=1"
}

# answered STATUS PATTERN: what call printed.
answered()
{
	eq "${lines[-1]}" "$1"
	if [[ $output != *$2* ]]; then
		printf 'no %s in %s\n' "$2" "$output"
		return 1
	fi
}

@test "every problem of a configuration is told, one line each" {
	write_config "listen_adr: ':8080'" "log_level: loud" \
		"routes: {docs: 'http://10.0.0.5/mcp'}"
	run_tool 2 "$BIN/mcp-proxy" --config "$T/proxy.yaml" --check
	eq "$output" ""
	eq "${#stderr_lines[@]}" 3
	f="mcp-proxy: $T/proxy.yaml"
	eq "${stderr_lines[0]}" \
		"$f:3:1: listen_adr: unknown key, did you mean listen_addr?"
	eq "${stderr_lines[1]}" \
		"$f:4:12: log_level: 'loud': must be debug, info, warn or error"
	[[ ${stderr_lines[2]} == "$f:5:16: routes.docs: invalid upstream"* ]]
}

@test "control characters of a configuration do not reach the terminal" {
	write_config $'"\\e[31mkey\\n": 1' "routes: {docs: 'http://10.0.0.5:1'}"
	run_tool 2 "$BIN/mcp-proxy" --config "$T/proxy.yaml" --check
	one_error '3:1: \\x1b\[31mkey\\x0a: unknown key'
}

@test "a configuration that is missing or too large is refused" {
	run_tool 2 "$BIN/mcp-proxy" --config "$T/none.yaml" --check
	one_error 'none.yaml: No such file or directory'
	head -c 1048577 /dev/zero | tr '\0' '#' >"$T/large.yaml"
	run_tool 2 "$BIN/mcp-proxy" --config "$T/large.yaml" --check
	one_error 'large.yaml: above 1048576 bytes'
}

@test "a configuration without mistakes passes --check" {
	write_config "routes: {docs: 'http://10.0.0.5:8080'}"
	run_tool 0 "$BIN/mcp-proxy" --config "$T/proxy.yaml" --check
	eq "$output$stderr" ""
}

# warned LINE...: --check says these, and so does the start, which goes on.
warned()
{
	run_tool 1 "$BIN/mcp-proxy" --config "$T/proxy.yaml" --check
	eq "$output$stderr" "$(printf 'mcp-proxy: warning: %s\n' "$@")"
	start_proxy
	eq "$(grep warning: "$T/proxy.err")" "$stderr"
	stop proxy
}

@test "a certificate that does not cover the routes is warned of" {
	write_config "routes: {docs: 'http://10.0.0.5:1', a.example: 'http://10.0.0.5:1'}"
	warned "$T/certs/tls.crt: not for the host of the route a.example"
	write_config "routes: {docs: 'http://10.0.0.5:1', wiki: 'http://10.0.0.5:1'}"
	sed -i 's/t\.example/other.example/' "$T/proxy.yaml"
	warned "$T/certs/tls.crt: not for the hosts of the route docs and 1 more"
}

@test "a certificate that has ended is warned of" {
	openssl req -new -key "$T/certs/tls.key" -subj /CN=t.example |
		openssl x509 -req -signkey "$T/certs/tls.key" -days 0 \
			-extfile <(echo 'subjectAltName=DNS:*.t.example') \
			-out "$T/certs/tls.crt" 2>/dev/null
	write_config "routes: {docs: 'http://10.0.0.5:1'}"
	warned "$T/certs/tls.crt: not valid at this time"
}

@test "a key that others can read is warned of" {
	write_config "routes: {docs: 'http://10.0.0.5:1'}"
	chmod 640 "$T/certs/tls.key"
	run_tool 0 "$BIN/mcp-proxy" --config "$T/proxy.yaml" --check
	chmod 604 "$T/certs/tls.key"
	warned "$T/certs/tls.key: others than its owner and group can read or write it"
	chmod 602 "$T/certs/tls.key"
	run_tool 1 "$BIN/mcp-proxy" --config "$T/proxy.yaml" --check
}

@test "a command that cannot be executed is warned of" {
	mkdir -p "$T/dir/bin"
	echo '#!/bin/sh' >"$T/dir/bin/server"
	write_config "routes: {docs: {command: [bin/server], directory: $T/dir}}"
	warned 'stdio:docs: bin/server: Permission denied'
	write_config "routes: {docs: {command: [server], directory: $T/dir}}"
	PATH=$PATH:bin warned 'stdio:docs: server: Permission denied'
	chmod +x "$T/dir/bin/server"
	PATH=:$T/dir/bin:/bin run_tool 0 "$BIN/mcp-proxy" \
		--config "$T/proxy.yaml" --check
	write_config "routes: {docs: {command: [bin/server], directory: $T/dir}}"
	run_tool 0 "$BIN/mcp-proxy" --config "$T/proxy.yaml" --check
	write_config 'routes: {docs: {command: [no-such-command]}}'
	warned 'stdio:docs: no-such-command: No such file or directory'
	write_config 'routes: {docs: {command: [/]}}'
	warned 'stdio:docs: /: Permission denied'
	write_config "routes: {docs: {command: [cat], directory: $T/none}}"
	warned "stdio:docs: $T/none: No such file or directory"
}

@test "a loopback upstream is refused unless it is listed" {
	start_upstream
	write_config "routes: {docs: 'http://127.0.0.1:$UPSTREAM'}"
	start_proxy
	run call docs.t.example
	answered 502 "127.0.0.1 is not a private address"
	stop proxy
	write_config "routes: {docs: 'http://127.0.0.1:$UPSTREAM'}" \
		"upstream: {allowed_ips: [127.0.0.1]}"
	start_proxy
	run call docs.t.example
	answered 200 '"path":"/x?y=1"'
}

@test "a list of allowed addresses replaces the private ones" {
	write_config "routes: {docs: 'http://10.0.0.5:8080'}" \
		"upstream: {allowed_ips: [192.168.0.0/16]}"
	start_proxy
	run call docs.t.example
	answered 502 "10.0.0.5 is not an allowed address (upstream.allowed_ips)"
}

@test "metadata addresses are refused whatever the configuration says" {
	write_config "upstream: {disable_ip_validation: true}" "routes:" \
		"  a: http://169.254.169.254:80" \
		"  b: http://[::ffff:169.254.169.254]:80" \
		"  c: http://[fd00:ec2::254]:80" \
		"  d: http://[2002:a9fe:a9fe::1]:80"
	start_proxy
	for host in a b c d; do
		run call "$host.t.example"
		answered 502 "which is never allowed"
	done
}

@test "a host without a route is told so" {
	write_config "routes: {docs: 'http://10.0.0.5:8080'}"
	start_proxy
	run call wiki.t.example
	answered 502 "No route configured for host 'wiki.t.example'"
}

# The first stream keeps its connection, so that the others have to dial.
@test "an upstream that changes to a forbidden address is refused" {
	start_upstream
	# shellcheck disable=SC2016 # for the inner shell
	start_bg secret bash -c 'exec node "$0" "$@" 3>/dev/null' \
		"$ROOT/tests/fakes/answer-upstream.mjs" 127.0.0.2 "$UPSTREAM"
	wait_port 127.0.0.2 "$UPSTREAM"
	start_dns "rebind.test=127.0.0.1;127.0.0.2;169.254.169.254;$(
		)127.0.0.2,127.0.0.1"
	write_config "routes: {docs: 'http://rebind.test:$UPSTREAM'}" \
		"upstream:" \
		"  resolver: 127.0.0.1:$DNS" \
		"  allowed_ips: [127.0.0.1, 169.254.0.0/16]"
	start_proxy
	start_bg sse curl --silent --no-buffer --cacert "$T/certs/ca.crt" \
		--resolve "docs.t.example:$PORT:127.0.0.1" \
		"https://docs.t.example:$PORT/sse"
	wait_until sse_open
	run call docs.t.example
	answered 502 "127.0.0.2 is not an allowed address"
	run call docs.t.example
	answered 502 "169.254.169.254 is a cloud metadata address"
	run call docs.t.example
	answered 200 '"path":"/x?y=1"'
	eq "$(grep -c '^query rebind.test A$' "$T/dns.out")" 4
}

sse_open()
{
	[[ $(curl --silent "http://127.0.0.1:$UPSTREAM/open") == '{"count":1}' ]]
}

@test "names that do not resolve are the fault of DNS" {
	start_dns "bad.test=servfail" "none.test=nxdomain"
	write_config "upstream: {resolver: '127.0.0.1:$DNS'}" "routes:" \
		"  bad: http://bad.test:80" "  none: http://none.test:80"
	start_proxy
	run call none.t.example
	answered 502 '"blame":"dns"'
	answered 502 "Domain name not found"
	run call bad.t.example
	answered 502 '"blame":"dns"'
}

@test "an answer that is too long for UDP is fetched over TCP" {
	start_upstream
	start_dns "large.test=tcp:127.0.0.1"
	write_config "routes: {docs: 'http://large.test:$UPSTREAM'}" \
		"upstream:" \
		"  resolver: 127.0.0.1:$DNS" "  allowed_ips: [127.0.0.1]"
	start_proxy
	run call docs.t.example
	answered 200 '"path":"/x?y=1"'
}

@test "a DNS server that does not answer costs at most five seconds" {
	start_dns "slow.test=drop"
	write_config "routes: {docs: 'http://slow.test:80'}" \
		"upstream: {resolver: '127.0.0.1:$DNS'}"
	start_proxy
	now_ms
	begin=$NOW
	run call docs.t.example
	now_ms
	((NOW - begin < 8000))
	[[ ${lines[-1]} == 50[24] ]]
	[[ $output == *'"blame":"dns"'* ]]
}
