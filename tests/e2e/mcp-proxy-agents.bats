# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # the helpers' names
# shellcheck disable=SC2016 # programs in jq have dollars

# Who may call through mcp-proxy: agents by token and client certificate.

load helpers.bash
load mcp-proxy.bash
load bridge.bash
load policy.bash

PEERS=${PEERS:-$ROOT/build/peers}
PING='{"jsonrpc":"2.0","id":7,"method":"ping"}'
PONG='{"jsonrpc":"2.0","id":7,"result":{"got":"ping"}}'

# add NAME [OPTION...]: an agent in $T/agents; TOKEN is its token.
add()
{
	TOKEN=$("$BIN/mcp-proxy" agent add --file "$T/agents" "$@")
}

# guard starts the echoing server, and a proxy that lets in whom $T/agents
# knows.
guard()
{
	start_echo
	write_config <<<"$allow_loopback
audit: $T/audit
agents: {file: $T/agents}"
	run_proxy
}

# ping [OPTION...] asks with them.
ping()
{
	ask "$PING" "$@"
}

bearer()
{
	ping -H "Authorization: Bearer $1"
}

is_let_in()
{
	bearer "$1"
	[[ $CODE == 200 ]]
}

is_kept_out()
{
	! is_let_in "$1"
}

agent_events()
{
	jq -c 'select(.event == "decide") |
		[.verdict, .rule, .agent, .code, .blame]' "$T/audit"
}

# ---- tokens

@test "who shows no credential is asked for one, and nothing of it goes on" {
	add ci
	guard
	ping
	eq "$CODE" 401
	eq "$(field WWW-Authenticate)" 'Bearer realm="mcp-proxy"'
	eq "$(field Adit-Error)" 'unauthorized; blame=client'
	eq "$(jq -r .error.message <<<"$BODY")" \
		'agents must show a bearer token or a client certificate'
	eq "$(count_got)" 0
	eq "$(agent_events)" \
		'["deny","agents",null,"unauthorized","client"]'
}

@test "an agent is let in by its token, which no server gets to see" {
	add ci
	guard
	bearer "$TOKEN"
	eq "$CODE$BODY" "200$PONG"
	run -1 grep -i authorization "$T/got/1.head"
	eq "$(agent_events)" '["allow","route","ci",null,null]'
	wait_line proxy 'request: .* route=docs agent=.ci. method=POST'
	eq "$(jq -r 'select(.event == "end").agent' "$T/audit")" ci
	run -1 grep -rF "$TOKEN" "$T/audit" "$T/proxy.err" "$T/agents"
}

@test "the scheme may be in any case; all tokens of an agent are good" {
	local first

	add ci
	first=$TOKEN
	add ci
	guard
	ping -H "authorization: bEARER   $first"
	eq "$CODE" 200
	bearer "$TOKEN"
	eq "$CODE" 200
}

@test "what is no token that is known here is refused" {
	local given

	add ci
	guard
	for given in 'Bearer adit_x' "Bearer ${TOKEN}x" "Bearer ${TOKEN%?}" \
		"Bearer $TOKEN $TOKEN" "Basic $TOKEN" "Bearer" "$TOKEN" \
		"Bearer, $TOKEN"; do
		ping -H "Authorization: $given"
		eq "$given $CODE" "$given 401"
		eq "$(field WWW-Authenticate)" \
			'Bearer realm="mcp-proxy", error="invalid_token"'
	done
	ping -H "Authorization: Bearer $TOKEN" -H 'Authorization: Bearer x'
	eq "$CODE" 401
	eq "$(count_got)" 0
	run -1 grep -F "${TOKEN#adit_}" "$T/audit" "$T/proxy.err"
}

@test "a request is refused before its body is read" {
	add ci
	guard
	run -0 client "send=POST /mcp HTTP/1.1\r\nHost: $NAME\r\nContent-Length: 999\r\n\r\n" \
		'expect=401 Unauthorized' 'expect=Connection: close' end
}

@test "a token that is over is refused, and cuts off what runs by it" {
	add ci
	start_upstream "$ASKED" \
		'send=HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n:\n\n' \
		hold
	write_config <<<"$allow_loopback
agents: {file: $T/agents}"
	run_proxy
	start_client one "send=GET / HTTP/1.1\r\nHost: $NAME\r\nAuthorization: Bearer $TOKEN\r\n\r\n" \
		'expect=:\n\n' "touch=$T/seen" hold
	wait_until test -e "$T/seen"
	sed -i "s/\$/ $(date -u -d '+2 sec' +%FT%TZ)/" "$T/agents"
	wait_upstream '1 reset'
	wait_exit one
	run -0 grep -c '^end: reset' "$T/one.err"
	wait_line proxy 'end=revoked/client'
	bearer "$TOKEN"
	eq "$CODE" 401
}

# ---- client certificates

@test "an agent is let in by its certificate; its Authorization goes on" {
	make_client_cert
	add robot --client-cert "$T/client.crt"
	[[ $TOKEN =~ ^[0-9a-f]{8}$ ]]
	guard
	ping --cert "$T/client.crt" --key "$T/client.key" \
		-H 'Authorization: Bearer of-the-server'
	eq "$CODE$BODY" "200$PONG"
	run -0 grep -c 'Authorization: Bearer of-the-server' "$T/got/1.head"
	eq "$(agent_events)" '["allow","route","robot",null,null]'
}

@test "another certificate lets nobody in, but does not stand in the way" {
	make_client_cert
	add ci
	guard
	ping --cert "$T/client.crt" --key "$T/client.key"
	eq "$CODE" 401
	ping --cert "$T/client.crt" --key "$T/client.key" \
		-H "Authorization: Bearer $TOKEN"
	eq "$CODE" 200
}

@test "without agents no certificate is asked for" {
	start_echo
	start_proxy <<<"$allow_loopback"
	run -0 openssl s_client -connect "127.0.0.1:$PROXY" -servername "$NAME" \
		-CAfile "$T/certs/ca.crt" -msg </dev/null
	[[ $output == *'No client certificate CA names sent'* ]]
	[[ $output != *CertificateRequest* ]]
}

# ---- routes

@test "a route can have agents of its own, or let anybody in" {
	local own

	add ci
	own=$TOKEN
	"$BIN/mcp-proxy" agent add -f "$T/others" other >"$T/token"
	start_echo
	make_certs_once
	cat >"$T/proxy.yaml" <<-END
	tunnel_domain: $DOMAIN
	tls: {cert_file: $T/certs/tls.crt, key_file: $T/certs/tls.key}
	agents: {file: $T/agents}
	$allow_loopback
	routes:
	  docs: http://127.0.0.1:$UPSTREAM
	  other: {upstream: "http://127.0.0.1:$UPSTREAM", agents: {file: $T/others}}
	  open: {upstream: "http://127.0.0.1:$UPSTREAM", agents: {anybody: true}}
	END
	run_proxy
	bearer "$own"
	eq "$CODE" 200
	HOST=other.$DOMAIN bearer "$own"
	eq "$CODE" 401
	HOST=other.$DOMAIN bearer "$(<"$T/token")"
	eq "$CODE" 200
	bearer "$(<"$T/token")"
	eq "$CODE" 401
	HOST=open.$DOMAIN ping -H 'Authorization: Bearer of-the-server'
	eq "$CODE" 200
	run -0 grep -c 'Authorization: Bearer of-the-server' "$T/got/3.head"
}

@test "who asked TLS for one route cannot call another one's agents" {
	add ci
	start_echo
	make_certs_once
	cat >"$T/proxy.yaml" <<-END
	tunnel_domain: $DOMAIN
	tls: {cert_file: $T/certs/tls.crt, key_file: $T/certs/tls.key}
	$allow_loopback
	routes:
	  docs: {upstream: "http://127.0.0.1:$UPSTREAM", agents: {file: $T/agents}}
	  open: http://127.0.0.1:$UPSTREAM
	END
	run_proxy
	SNI=open.$DOMAIN run -0 client "$GET" 'expect=421 Misdirected' end
	SNI=$NAME run -0 client "$GET" 'expect=401 Unauthorized' end
}

@test "sessions of a stdio upstream belong to their agent" {
	local ci

	add ci
	ci=$TOKEN
	add bob
	bridge_config <<<"docs: {command: [node, $FAKE], agents: {file: $T/agents}}"
	run_proxy
	ask "$(initialize)" -H "Authorization: Bearer $ci"
	eq "$CODE" 200
	SID=$(field mcp-session-id)
	ask "$(tool 1 echo '{"message":"m"}')" -H "Authorization: Bearer $ci"
	eq "$CODE" 200
	ask "$(tool 2 echo '{"message":"m"}')" -H "Authorization: Bearer $TOKEN"
	eq "$CODE" 404
	[[ $BODY == *'no such session'* ]]
	run -0 agent_curl -o /dev/null -w '%{http_code}' -X DELETE \
		-H "Mcp-Session-Id: $SID" -H "Authorization: Bearer $TOKEN" /mcp
	eq "$output" 404
	ask "$(tool 3 echo '{"message":"m"}')" -H "Authorization: Bearer $ci"
	eq "$CODE" 200
}

@test "a policy's program is told the agent, in requests and in answers" {
	local ci

	add ci
	ci=$TOKEN
	add bob
	start_echo
	printf '%s\n' '. as $q | if .agent == "ci" and .direction == "request"
		then true elif .direction == "answer" and .agent == "ci" then true
		else {deny: "Not for \($q.agent)."} end' >"$T/p.jq"
	write_config <<<"$allow_loopback
agents: {file: $T/agents}
policy: {program: $T/p.jq}"
	run_proxy
	bearer "$ci"
	eq "$CODE$BODY" "200$PONG"
	bearer "$TOKEN"
	eq "$BODY" "$(denied 'Not for bob.')"
}

# ---- tokens that an issuer has signed

# issue [CLAIMS [OPTION...]]: JWT is a token of the issuer, with these claims
# besides; openssl signs it with $T/issuer.key.
issue()
{
	local now claims head signed

	now=$(date +%s)
	claims=$(jq -cn --argjson now "$now" --argjson more "${1:-{\}}" '{
		iss: "https://login.example", aud: "https://docs.example/mcp",
		sub: "alice", exp: ($now + 600), iat: $now} + $more')
	head=$(printf '{"alg":"RS256","typ":"at+jwt","kid":"%s"}' "${2:-one}" |
		base64url)
	signed=$head.$(printf %s "$claims" | base64url)
	JWT=$signed.$(printf %s "$signed" |
		openssl dgst -sha256 -sign "${3:-$T/issuer.key}" | base64url)
}

base64url()
{
	base64 -w 0 | tr '/+' '_-' | tr -d =
}

# make_keys makes the issuer's key, and $T/keys with what is public of it.
make_keys()
{
	openssl genrsa -out "$T/issuer.key" 2048 2>"$T/openssl.err"
	write_keys one "$T/issuer.key"
}

# write_keys KID KEY
write_keys()
{
	local hex n

	hex=$(openssl rsa -in "$2" -noout -modulus | sed 's/^Modulus=//')
	n=$(for ((i = 0; i < ${#hex}; i += 2)); do
		printf '%b' "\\x${hex:i:2}"
	done | base64url)
	jq -n --arg kid "$1" --arg n "$n" '{keys: [{kty: "RSA", kid: $kid,
		alg: "RS256", use: "sig", n: $n, e: "AQAB"}]}' >"$T/keys"
}

# trust [KEY...] starts the echoing server, and a proxy that trusts the issuer.
trust()
{
	start_echo
	write_config <<<"$allow_loopback
audit: $T/audit
agents: {issuer: 'https://login.example', audience: 'https://docs.example/mcp', keys_file: $T/keys${1:+, $1}}"
	run_proxy
}

@test "an agent is let in by a token that the issuer has signed" {
	make_keys
	trust
	issue
	bearer "$JWT"
	eq "$CODE$BODY" "200$PONG"
	run -1 grep -i authorization "$T/got/1.head"
	eq "$(agent_events)" '["allow","route","alice",null,null]'
	run -1 grep -rF "${JWT##*.}" "$T/audit" "$T/proxy.err"
}

@test "a client is told where to get a token, and for what" {
	local well=/.well-known/oauth-protected-resource

	make_keys
	trust 'scope: "mcp:call"'
	ping
	eq "$CODE" 401
	eq "$(field WWW-Authenticate)" "Bearer realm=\"mcp-proxy\", resource_metadata=\"https://$NAME:$PROXY$well/mcp\", scope=\"mcp:call\""
	run -0 agent_curl -D "$T/head" "$well/mcp"
	eq "$output" "{\"resource\":\"https://$NAME:$PROXY/mcp\",\"authorization_servers\":[\"https://login.example\"],\"scopes_supported\":[\"mcp:call\"],\"bearer_methods_supported\":[\"header\"]}"
	HEAD=$T/head
	eq "$(field Content-Type)" application/json
	run -0 agent_curl "$well?x=y"
	eq "$(jq -r .resource <<<"$output")" "https://$NAME:$PROXY"
	run -0 agent_curl -I -o /dev/null -w '%{http_code}' "$well"
	eq "$output" 200
	run -0 agent_curl -o /dev/null -w '%{http_code}' "${well}x"
	eq "$output" 401
	run -0 agent_curl -X POST -o /dev/null -w '%{http_code}' "$well"
	eq "$output" 401
	eq "$(agent_events | sort -u)" "$(printf '%s\n' \
		'["allow","metadata",null,null,null]' \
		'["deny","agents",null,"unauthorized","client"]')"
	eq "$(count_got)" 0
}

@test "a token without the scope is refused as such" {
	make_keys
	trust 'scope: "mcp:call"'
	issue '{"scope": "mcp:list other"}'
	bearer "$JWT"
	eq "$CODE" 403
	[[ $(field WWW-Authenticate) == *', error="insufficient_scope", '*', scope="mcp:call"' ]]
	issue '{"scope": "other mcp:call"}'
	bearer "$JWT"
	eq "$CODE" 200
}

@test "a token that the issuer has not signed for this is refused" {
	local why

	make_keys
	openssl genrsa -out "$T/other.key" 2048 2>"$T/openssl.err"
	trust
	while IFS='|' read -r claims kid key why; do
		issue "$claims" "$kid" "${key:+$T/$key}"
		bearer "$JWT"
		eq "$claims $CODE" "$claims 401"
		eq "$(field WWW-Authenticate | grep -c 'error="invalid_token"')" 1
		eq "$(jq -r .error.message <<<"$BODY")" \
			"the bearer token is not good: $why"
	done <<-'END'
	{"iss": "https://evil.example"}|||another issuer
	{"aud": "https://other.example"}|||another audience
	{"exp": 1000000000}|||expired
	{}|two||signed with a key that is not known
	{}||other.key|signature does not verify
	END
	eq "$(count_got)" 0
}

@test "keys of the issuer are taken up when their file changes" {
	make_keys
	trust
	openssl genrsa -out "$T/next.key" 2048 2>"$T/openssl.err"
	issue '{}' two "$T/next.key"
	bearer "$JWT"
	eq "$CODE" 401
	write_keys two "$T/next.key"
	wait_line proxy "keys loaded: $T/keys"
	bearer "$JWT"
	eq "$CODE" 200
	echo '{"keys": []}' >"$T/keys"
	wait_line proxy 'keeping the keys in use'
	bearer "$JWT"
	eq "$CODE" 200
}

# sdk_client VERSION: the official client, which knows the URL and who it is.
sdk_client()
{
	NODE_EXTRA_CA_CERTS=$T/certs/ca.crt run_tool 0 \
		"$ROOT/tests/peers/run" "$PEERS" oauth-client.mjs --sdk "$1" \
		--url "https://$NAME:$PROXY/mcp" --key "$T/issuer.key" \
		--connect "127.0.0.1:$PROXY" --scope mcp:call
}

@test "the SDKs' clients find out where to get a token, and are let in" {
	"$ROOT/tests/peers/install.sh" "$PEERS"
	make_keys
	bridge_config <<<"docs: {command: [node, $FAKE], agents: {issuer: 'https://login.example', audience: 'https://docs.example/mcp', keys_file: $T/keys, scope: 'mcp:call'}}"
	run_proxy
	sdk_client v1
	[[ $output == *'let in'* ]]
	sdk_client v2
	[[ $output == *'let in'* ]]
	wait_line proxy "agent='sdk-client' method=POST path='/mcp' status=200"
}

@test "an issuer's agent has no session of a file's, of the same name" {
	make_keys
	add alice
	bridge_config <<<"docs: {command: [node, $FAKE], agents: {file: $T/agents, issuer: 'https://login.example', audience: 'https://docs.example/mcp', keys_file: $T/keys}}"
	run_proxy
	ask "$(initialize)" -H "Authorization: Bearer $TOKEN"
	eq "$CODE" 200
	SID=$(field mcp-session-id)
	issue
	ask "$(tool 1 echo '{"message":"m"}')" -H "Authorization: Bearer $JWT"
	eq "$CODE" 404
	ask "$(tool 1 echo '{"message":"m"}')" -H "Authorization: Bearer $TOKEN"
	eq "$CODE" 200
}

@test "keys that are none are told at the start" {
	write_config <<<"agents: {issuer: 'https://login.example', audience: a, keys_file: $T/keys}"
	refuses "$T/keys: No such file or directory"
	echo '{"keys": [{"kty": "oct", "k": "s3cret"}]}' >"$T/keys"
	refuses "$T/keys: "
	[[ $stderr != *s3cret* ]]
}

# ---- changes

@test "who is added can call soon, and who is removed is out at once" {
	local ci

	add ci
	ci=$TOKEN
	start_upstream "$ASKED" "$OK" "$ASKED" \
		'send=HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n:\n\n' \
		hold -- "$ASKED" "$OK" hold -- "$ASKED" "$OK" hold
	write_config <<<"$allow_loopback
audit: $T/audit
agents: {file: $T/agents}"
	run_proxy
	add bob
	wait_until is_let_in "$TOKEN"
	start_client one "send=GET / HTTP/1.1\r\nHost: $NAME\r\nAuthorization: Bearer $ci\r\n\r\n" \
		'expect=:\n\n' "touch=$T/seen" hold
	wait_until test -e "$T/seen"
	"$BIN/mcp-proxy" agent remove -f "$T/agents" ci
	wait_exit one
	run -0 grep -c '^end: reset' "$T/one.err"
	wait_line proxy 'end=revoked/client'
	bearer "$ci"
	eq "$CODE" 401
	eq "$(jq -r 'select(.event == "reload" and .agents).agents' \
		"$T/audit" | sort -u)" "$T/agents"
}

@test "a file that cannot be read leaves those in who are" {
	add ci
	guard
	echo 'nobody' >>"$T/agents"
	wait_line proxy "$T/agents:2: 'nobody' must be followed by token or cert; keeping the agents in use"
	bearer "$TOKEN"
	eq "$CODE" 200
	rm "$T/agents"
	wait_line proxy 'No such file or directory; keeping the agents in use'
	bearer "$TOKEN"
	eq "$CODE" 200
	add bob
	wait_until is_let_in "$TOKEN"
}

@test "a file that has become a pipe is not waited for" {
	make_keys
	trust
	issue
	rm "$T/keys"
	mkfifo "$T/keys"
	wait_line proxy "$T/keys: .*; keeping the keys in use"
	bearer "$JWT"
	eq "$CODE" 200
	sed -i "s|keys_file: [^,}]*|keys_file: $T/other|" "$T/proxy.yaml"
	mkfifo "$T/other"
	kill -HUP "${PID[proxy]}"
	wait_line proxy "$T/other: .*; going on with the configuration in use"
	bearer "$JWT"
	eq "$CODE" 200
}

@test "SIGHUP takes up that agents are asked for, and that they are not" {
	add ci
	start_echo
	start_proxy <<<"$allow_loopback"
	ping
	eq "$CODE" 200
	echo "agents: {file: $T/agents}" >>"$T/proxy.yaml"
	kill -HUP "${PID[proxy]}"
	wait_line proxy 'configuration loaded'
	ping
	eq "$CODE" 401
	sed -i '/^agents/d' "$T/proxy.yaml"
	kill -HUP "${PID[proxy]}"
	wait_until has_lines 2 'configuration loaded'
	ping
	eq "$CODE" 200
}

has_lines()
{
	(($(grep -cF -- "$2" "$T/proxy.err") == $1))
}

# ---- bad files

# refuses REGEX: neither a start nor --check goes on.
refuses()
{
	run_tool 2 "$BIN/mcp-proxy" --config "$T/proxy.yaml" --check
	one_error "$1"
	run_tool 2 "$BIN/mcp-proxy" --config "$T/proxy.yaml" \
		--listen-tls 127.0.0.1:0
	one_error "$1"
}

@test "agents that cannot be known are told at the start" {
	local digest

	digest=$(printf x | sha256sum | cut -c 1-64)
	write_config <<<"agents: {file: $T/agents}"
	refuses "$T/agents: No such file or directory"
	echo "ci token $digest" >"$T/agents"
	chmod 620 "$T/agents"
	refuses "$T/agents: others than its owner can write it"
	chmod 600 "$T/agents"
	while IFS='|' read -r line why; do
		printf '# who\n\n%s\n' "${line//DIGEST/$digest}" >"$T/agents"
		refuses "$T/agents:3: $why"
	done <<-'END'
	Ci token DIGEST|the name of an agent is at most 63 of
	ci DIGEST|'ci' must be followed by token or cert
	ci token DIGESt|no SHA-256 digest of 64
	ci token|no SHA-256 digest
	ci token DIGEST tomorrow|no time such as
	ci token DIGEST 2027-01-31T00:00:00Z x|more than four words
	END
	printf 'a token %s\nb token %s\n' "$digest" "$digest" >"$T/agents"
	refuses "$T/agents: '.' and '.' have the same token"
	mkdir "$T/dir"
	write_config <<<"agents: {file: $T/dir}"
	refuses "$T/dir: not a regular file"
}

@test "a file of agents is read up to its limits, and not beyond" {
	write_config <<<"agents: {file: $T/agents}"
	for ((i = 0; i < 4096; i++)); do
		printf 'a%d token %064x\n' "$i" "$i"
	done >"$T/agents"
	run_tool 0 "$BIN/mcp-proxy" --config "$T/proxy.yaml" --check
	printf 'b token %064x\n' 5000 >>"$T/agents"
	refuses "$T/agents:4097: more than 4096"
	head -c 256 /dev/zero | tr '\0' '#' >"$T/agents"
	run_tool 0 "$BIN/mcp-proxy" --config "$T/proxy.yaml" --check
	head -c 257 /dev/zero | tr '\0' '#' >"$T/agents"
	refuses "$T/agents:1: above 256 bytes"
}

# ---- mcp-proxy agent

agent()
{
	run_tool "$1" "$BIN/mcp-proxy" agent "${@:2}"
}

@test "agents are added, listed and removed" {
	agent 0 add --file "$T/agents" ci
	[[ $output =~ ^adit_[A-Za-z0-9_-]{43}$ ]]
	eq "$stderr" ""
	eq "$(stat -c %a "$T/agents")" 600
	eq "$(<"$T/agents")" "ci token $(printf %s "$output" | sha256sum | cut -c 1-64)"
	agent 0 add --file "$T/agents" --expires 24h ci
	agent 0 add --file "$T/agents" bob
	echo '# kept' >>"$T/agents"
	agent 0 list --file "$T/agents"
	eq "${lines[0]}" "NAME                 KIND  ID       EXPIRES"
	[[ ${lines[1]} =~ ^bob\ +token\ [0-9a-f]{8}\ never$ ]]
	[[ ${lines[2]} =~ ^ci\ +token\ [0-9a-f]{8}\ never$ ]]
	[[ ${lines[3]} =~ ^ci\ +token\ ([0-9a-f]{8})\ 20[0-9T:-]+Z$ ]]
	agent 0 remove --file "$T/agents" --id "${BASH_REMATCH[1]}" ci
	eq "$(cut -d ' ' -f 1,2 "$T/agents")" $'ci token\nbob token\n# kept'
	chmod 640 "$T/agents"
	agent 0 remove --file "$T/agents" bob
	eq "$(cut -d ' ' -f 1,2 "$T/agents")" $'ci token\n# kept'
	eq "$(stat -c %a "$T/agents")" 640
}

@test "what cannot be done to a file of agents is told, and it stays" {
	make_client_cert
	add ci
	add robot --client-cert "$T/client.crt"
	cp "$T/agents" "$T/before"
	agent 1 add -f "$T/agents" --client-cert "$T/client.crt" twin
	one_error "$T/agents: has this cert already"
	agent 1 add -f "$T/agents" --client-cert "$T/none" twin
	one_error "$T/none: No such file"
	agent 1 remove -f "$T/agents" nobody
	one_error "$T/agents: no agent 'nobody'"
	agent 1 remove -f "$T/agents" --id 00000000 ci
	one_error "$T/agents: 'ci' has no credential '00000000'"
	agent 1 add -f "$T/none/agents" ci
	one_error "$T/none/agents: No such file"
	agent 1 list -f "$T/none"
	one_error "$T/none: No such file"
	agent 2 add -f "$T/agents" CI
	agent 2 add -f "$T/agents"
	agent 2 add ci
	agent 2 list -f "$T/agents" ci
	agent 2 add -f "$T/agents" --expires 1 ci
	eq "$(<"$T/agents")" "$(<"$T/before")"
	echo broken >>"$T/agents"
	agent 1 add -f "$T/agents" bob
	one_error "$T/agents:3: 'broken' must be followed by token or cert"
}

@test "agents that are added at the same time are all there" {
	local pids=()

	for i in {1..8}; do
		"$BIN/mcp-proxy" agent add -f "$T/agents" "a$i" >"$T/t$i" &
		pids+=($!)
	done
	wait "${pids[@]}"
	eq "$(cut -d ' ' -f 1 "$T/agents" | sort)" "$(printf 'a%d\n' {1..8})"
}
