# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # the helpers' names

# What mcp-proxy shows to upstreams in the operator's name: headers from a file,
# and a client certificate.

load helpers.bash
load mcp-proxy.bash
load bridge.bash
load policy.bash

PING='{"jsonrpc":"2.0","id":7,"method":"ping"}'

# serve LINE...: the echoing server behind a route with these headers.
serve()
{
	(umask 077 && printf '%s\n' "$@" >"$T/headers")
	start_echo
	make_certs_once
	cat >"$T/proxy.yaml" <<-END
	tunnel_domain: $DOMAIN
	tls: {cert_file: $T/certs/tls.crt, key_file: $T/certs/tls.key}
	audit: $T/audit
	$allow_loopback
	routes:
	  docs: {upstream: "http://127.0.0.1:$UPSTREAM", headers_file: $T/headers}
	  plain: http://127.0.0.1:$UPSTREAM
	END
	run_proxy
}

# has_header N LINE: request N had that line, and none of its name besides.
has_header()
{
	eq "$(grep -i "^${2%%:*}:" "$T/got/$1.head")" "$2"
}

@test "the headers of a file go to the upstream in the agent's place" {
	serve '# the server'"'"'s' 'Authorization: Bearer s3cret' 'X-Team: 4 2'
	ask "$PING" -H 'AUTHORIZATION: Bearer agent' -H 'x-team: mine' \
		-H 'x-team: yours' -H 'X-Other: stays'
	eq "$CODE" 200
	has_header 1 'Authorization: Bearer s3cret'
	has_header 1 'X-Team: 4 2'
	has_header 1 'X-Other: stays'
	HOST=plain.$DOMAIN ask "$PING" -H 'Authorization: Bearer agent'
	has_header 2 'Authorization: Bearer agent'
	run -1 grep -r s3cret "$T/audit" "$T/proxy.err"
}

@test "a changed file of headers is taken up; a broken one is not" {
	serve 'X-Key: 1'
	ask "$PING"
	has_header 1 'X-Key: 1'
	echo 'X-Key: 2' >"$T/headers"
	wait_line proxy "headers loaded: $T/headers"
	ask "$PING"
	has_header 2 'X-Key: 2'
	echo 'Host: elsewhere' >"$T/headers"
	wait_line proxy "$T/headers:1: Host: cannot be set here; keeping the headers in use"
	ask "$PING"
	has_header 3 'X-Key: 2'
}

@test "headers that others can read, or that are none, are told at the start" {
	write_config </dev/null
	sed -i "s|^  docs:.*|  docs: {upstream: 'http://127.0.0.1:9', headers_file: $T/headers}|" \
		"$T/proxy.yaml"
	while IFS='|' read -r mode text why; do
		printf '%b' "$text" >"$T/headers"
		chmod "$mode" "$T/headers"
		run_tool 2 "$BIN/mcp-proxy" --config "$T/proxy.yaml" --check
		one_error "$T/headers$why"
		[[ $stderr != *s3cret* ]]
	done <<-'END'
	640|X: s3cret\n|: mode 0640: others can read it, chmod it to 0600
	600|X s3cret\n|:1: not 'Name: value'
	600|X: 1\nConnection: s3cret\n|:2: Connection: cannot be set here
	600|MCP-Protocol-Version: s3cret\n|:1: MCP-Protocol-Version: cannot be set here
	600|X: s3cret\nx: s3cret\n|:2: x: given twice
	END
	rm "$T/headers"
	run_tool 2 "$BIN/mcp-proxy" --config "$T/proxy.yaml" --check
	one_error "$T/headers: No such file or directory"
}

# ---- a client certificate

# start_tls_upstream: openssl answers with a page, but only to who shows
# $T/client.crt.
start_tls_upstream()
{
	local port

	make_certs_once
	"$BIN/mcp-proxy" cert make --dir "$T/up" --domain up.example \
		--name localhost >"$T/up.out"
	make_client_cert
	start_bg upstream openssl s_server -accept 127.0.0.1:0 -www -Verify 1 \
		-verify_return_error -CAfile "$T/client.crt" \
		-cert "$T/up/tls.crt" -key "$T/up/tls.key"
	wait_until has_line "$T/upstream.out" '^ACCEPT '
	port=$(sed -n 's/^ACCEPT .*:\([0-9]*\)$/\1/p' "$T/upstream.out")
	write_config "https://localhost:$port" </dev/null
}

@test "an https upstream is shown the operator's certificate" {
	start_tls_upstream
	cat >>"$T/proxy.yaml" <<-END
	upstream:
	  allowed_ips: [127.0.0.0/8, "::1"]
	  tls: {ca_file: $T/up/ca.crt, cert_file: $T/client.crt, key_file: $T/client.key}
	END
	run_proxy
	run -0 agent_curl -o "$T/page" -w '%{http_code}' /
	eq "$output" 200
	run -0 grep -c 'Subject: CN *= *agent' "$T/page"
}

@test "without one such an upstream lets nobody in" {
	start_tls_upstream
	cat >>"$T/proxy.yaml" <<-END
	upstream:
	  allowed_ips: [127.0.0.0/8, "::1"]
	  tls: {ca_file: $T/up/ca.crt}
	END
	run_proxy
	run -0 agent_curl -o /dev/null -w '%{http_code}' /
	eq "$output" 502
}

@test "a certificate for upstreams that cannot be read is told at the start" {
	write_config "https://up.example:443" <<-END
	upstream:
	  tls: {include_system_cas: true, cert_file: $T/none.crt, key_file: $T/none.key}
	END
	run_tool 2 "$BIN/mcp-proxy" --config "$T/proxy.yaml" --check
	one_error "$T/none.crt: "
}
