# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031 # each test is a subshell of its own
# shellcheck disable=SC2153,SC2154 # set by the helpers

# tunnel-up(1) against an edge, a local program and forward proxies that do
# as they are told.

load helpers.bash
load tunnel-up.bash

setup_file() { setup_file_certs; }
setup() { common_setup; }

# ---- usage ----

usage_error()
{
	local want=$1

	shift
	run_tool 2 "$BIN/tunnel-up" "$@"
	[[ ${stderr_lines[0]} == "tunnel-up: $want"* ]]
	eq "${stderr_lines[1]}" "Try 'tunnel-up --help'."
	eq "$output" ''
}

@test "options that contradict each other or are missing are usage errors" {
	local edge=(--edge 127.0.0.1:1) token=(--token-file "$T/token")

	usage_error 'no --edge' --check
	usage_error 'no token' "${edge[@]}" -- true
	TUNNEL_UP_TOKEN='' usage_error 'TUNNEL_UP_TOKEN: empty' "${edge[@]}" \
		-- true
	usage_error 'no local side' "${edge[@]}" "${token[@]}"
	usage_error '--connect and a command' "${edge[@]}" "${token[@]}" \
		--connect x -- true
	usage_error '--check needs no' "${edge[@]}" "${token[@]}" --check \
		-- true
	usage_error 'only one of' "${edge[@]}" "${token[@]}" --token-fd 0 \
		-- true
	usage_error '--cert and --key' "${edge[@]}" --cert x -- true
	usage_error '--backoff-max is below' "${edge[@]}" "${token[@]}" \
		--backoff-max 1ms --check
	usage_error '--token-fd: descriptor 77: Bad file' "${edge[@]}" \
		--token-fd 77 --check
	usage_error '--ready-fd: descriptor 77: Bad file' "${edge[@]}" \
		"${token[@]}" --ready-fd 77 --check
	usage_error "--ping: '4': not a duration" --ping 4
	usage_error '--name: not up to 56' "${edge[@]}" "${token[@]}" \
		--name 'a b' --check
}

@test "an edge is a host name or address and a port" {
	local edge

	for edge in example:x example 'ex ample:1' 'user@example:1' '[::1:1' \
		example:0 example:65536 ::1:1; do
		run_tool 2 "$BIN/tunnel-up" --check --edge "$edge" \
			--token-file "$T/token"
		one_error "^tunnel-up: .*${edge//[\[\]]/.}"
	done
}

@test "a seventeenth edge is one too many" {
	local i edges=()

	for ((i = 0; i < 17; i++)); do
		edges+=(--edge 127.0.0.1:1)
	done
	usage_error '--edge: more than 16' "${edges[@]}" --check \
		--token-file "$T/token"
}

@test "a proxy of a kind that is not supported is a usage error" {
	local base=(--edge 127.0.0.1:1 --token-file "$T/token" --check)

	usage_error '--proxy: TLS to the proxy' "${base[@]}" \
		--proxy https://u:secret@p:1
	[[ $stderr != *secret* ]]
	usage_error "--proxy: proxies are http, socks4a or socks5h, not 'ftp'" \
		"${base[@]}" --proxy ftp://p:1
	export HTTPS_PROXY=https://u:secret@p:1
	usage_error 'HTTPS_PROXY: TLS to the proxy' "${base[@]}"
	[[ $stderr != *secret* ]]
}

# ---- the token ----

@test "a token file that others can read is refused" {
	LINK=1
	chmod 640 "$T/token"
	check_edge 2
	one_error "token: mode 0640: others can read it"
}

@test "a server name that is none is refused, as is a CA that is not there" {
	LINK=1
	check_edge 2 --server-name 'a b'
	eq "${stderr_lines[0]}" \
		"tunnel-up: --server-name: a b: not a host name or address"
	check_edge 2 --ca "$T/none"
	one_error 'none: No such file or directory$'
}

@test "a token file that is missing, empty or has two lines is refused" {
	LINK=1
	rm "$T/token"
	check_edge 2
	one_error 'token: No such file'
	(umask 077 && : >"$T/token")
	check_edge 2
	one_error 'token: empty'
	printf 'a\nb\n' >"$T/token"
	check_edge 2
	one_error 'token: not one line'
}

@test "the token comes from a file, a descriptor or the environment" {
	local base token

	start_edge token="$T/token"
	token=$(<"$T/token")
	base=(--check --edge "127.0.0.1:$LINK" --ca "$C/ca.pem")
	run_tool 0 "$BIN/tunnel-up" "${base[@]}" --token-file "$T/token"
	run_tool 0 "$BIN/tunnel-up" "${base[@]}" --token-fd 8 8<"$T/token"
	TUNNEL_UP_TOKEN=$token run_tool 0 "$BIN/tunnel-up" "${base[@]}"
	TUNNEL_UP_TOKEN=other run_tool 3 "$BIN/tunnel-up" "${base[@]}"
	TUNNEL_UP_TOKEN=other run_tool 0 "$BIN/tunnel-up" "${base[@]}" \
		--token-file "$T/token"
}

@test "a client certificate does instead of a token" {
	start_edge token="$T/token" client-ca="$C/ca.pem"
	run_tool 0 "$BIN/tunnel-up" --check --edge "127.0.0.1:$LINK" \
		--ca "$C/ca.pem" --cert "$C/client.pem" --key "$C/client.key"
}

@test "the token is in no argument, no log and no child's environment" {
	local token

	start_edge
	token=$(<"$T/token")
	link_args
	TUNNEL_UP_TOKEN=$token HTTPS_PROXY='' http_proxy=http://u:pw@h:1 \
		start_ready up "$BIN/tunnel-up" -vv --ready-fd 9 \
		--edge "127.0.0.1:$LINK" --ca "$C/ca.pem" \
		-- sh -c "env >'$T/env'; exec node '$FAKES/fake-proxy.mjs'"
	run -1 grep -aq "$token" "/proc/${PID[up]}/cmdline"
	run -1 grep -aq "$token" "/proc/${PID[up]}/environ"
	run -1 grep -q -e "$token" -e TUNNEL_UP_TOKEN -e http_proxy "$T/env"
	grep -q ^PATH= "$T/env"
	stop up
	run -1 grep -q "$token" "$T/up.err"
}

@test "another user cannot trace the process" {
	local owner

	start_edge
	start_up "${PROXY_CHILD[@]}"
	requires not-root
	owner=$(stat -c %u "/proc/${PID[up]}/environ")
	eq "$owner" 0
}

@test "a rotated token file is used at the next dial" {
	start_edge
	start_up "${PROXY_CHILD[@]}"
	stop edge
	(umask 077 && printf 'adit_%043d\n' 1 >"$T/token.new")
	mv "$T/token.new" "$T/token"
	start_edge token="$T/token"
	wait_until edge_event up 1
	run -1 grep -q 'not dialed again' "$T/up.err"
}

@test "a token file that went away leaves the token in use" {
	cp -p "$T/token" "$T/copy"
	start_edge
	start_up "${PROXY_CHILD[@]}"
	stop edge
	rm "$T/token"
	start_edge token="$T/copy"
	wait_until edge_event up 1
	wait_line up 'warning: .*token: No such file.*, going on with'
}

@test "a token that comes through a pipe is read once" {
	start_edge
	mv "$T/token" "$T/copy"
	mkfifo -m 600 "$T/token"
	start_bg writer cp "$T/copy" "$T/token"
	start_up "${PROXY_CHILD[@]}"
	order drop
	wait_until edge_event up 2
	run -1 grep -q 'warning' "$T/up.err"
}

@test "a client key that comes through a pipe is read once" {
	start_edge token="$T/token" client-ca="$C/ca.pem"
	mkfifo -m 600 "$T/key"
	start_bg writer cp "$C/client.key" "$T/key"
	start_bg up "$BIN/tunnel-up" --edge "127.0.0.1:$LINK" \
		--ca "$C/ca.pem" --cert "$C/client.pem" --key "$T/key" \
		--backoff-min 10ms --backoff-max 50ms "${PROXY_CHILD[@]}"
	wait_until edge_event up 1
	order drop
	wait_until edge_event up 2
	run -1 grep -q 'warning' "$T/up.err"
}

@test "a CA file that was renewed is used at the next dial" {
	start_edge
	cp "$BATS_FILE_TMPDIR/foreign/ca.pem" "$T/ca.pem"
	start_bg up "$BIN/tunnel-up" --edge "127.0.0.1:$LINK" \
		--ca "$T/ca.pem" --token-file "$T/token" \
		--backoff-min 10ms --backoff-max 50ms "${PROXY_CHILD[@]}"
	wait_line up 'TLS handshake: .*certificate.*, retrying'
	cp "$C/ca.pem" "$T/ca.new"
	mv "$T/ca.new" "$T/ca.pem"
	wait_line up 'link up:'
}

@test "a CA file is looked at although the token cannot be read" {
	cp -p "$T/token" "$T/copy"
	cp "$BATS_FILE_TMPDIR/foreign/ca.pem" "$T/ca.pem"
	start_edge token="$T/copy"
	start_bg up "$BIN/tunnel-up" --edge "127.0.0.1:$LINK" \
		--ca "$T/ca.pem" --token-file "$T/token" \
		--backoff-min 10ms --backoff-max 50ms "${PROXY_CHILD[@]}"
	wait_line up 'TLS handshake: .*certificate.*, retrying'
	rm "$T/token"
	wait_line up 'warning: .*token: No such file.*, going on with'
	cp "$C/ca.pem" "$T/ca.new"
	mv "$T/ca.new" "$T/ca.pem"
	wait_line up 'link up:'
}

# ---- check ----

@test "--check prints one line of JSON and needs no local side" {
	start_edge
	check_edge 0
	eq "${#lines[@]}" 1
	result .ok true
	result .edge "127.0.0.1:$LINK"
	result .domain fake.tunnel.example
	result '.rtt_ms > 0 and .rtt_ms < 5000' true
}

@test "--check tries all edges and reports them in order" {
	start_edge
	check_edge 4 --edge 127.0.0.1:1
	eq "$(jq -r .ok <<<"${lines[0]}")" true
	eq "$(jq -r '.edge + " " + .code + "/" + .blame' <<<"${lines[1]}")" \
		'127.0.0.1:1 refused/connect'
}

@test "--check tells a refusal for good by status 3" {
	start_edge mode=goaway:unauthorized
	check_edge 3 --edge 127.0.0.1:1
	RESULT=${lines[0]}
	result .code unauthorized
	result .blame edge
	result .permanent true
	[[ $stderr == *'refused by the edge: unauthorized: says the fake edge'* ]]
}

# Where no name server can be asked, and none can be slow.
@test "--check tells a name that cannot be resolved" {
	requires userns
	run_tool 4 unshare --user --map-root-user --net "$BIN/tunnel-up" \
		--check --edge no-such-host.invalid:1 --token-file "$T/token"
	RESULT=$output
	result '.code + "/" + .blame' unreachable/dns
	result .text 'name lookup: cannot resolve it'
}

@test "--check tells what failed: the connection, TLS, the edge" {
	LINK=1
	check_edge 4
	result '.code + "/" + .blame' refused/connect
	result .text 'connect: 127.0.0.1:1: Connection refused'
	result .permanent false
	run_tool 4 "$BIN/tunnel-up" --check --edge '[::1]:1' \
		--token-file "$T/token"
	[[ $stderr == *'[::1]:1: connect: [::1]:1: '* ]]
	LINK=0
	start_edge mode=garbage
	check_edge 4
	result '.code + "/" + .blame' protocol/link
}

@test "an edge that says nothing times out" {
	start_edge mode=tcp
	check_edge 4 --timeout 300ms
	result '.code + "/" + .blame' timeout/tls
	result .text 'TLS handshake: no answer in 0.3 s'
	stop edge
	start_edge mode=silent
	check_edge 4 --timeout 2s # of which TLS takes some
	result '.code + "/" + .blame' timeout/edge
	result .text 'greeting: no HELLO'
}

# ---- certificates of the edge ----

@test "a certificate for another name is refused" {
	start_edge cert="$C/other.pem" key="$C/other.key"
	check_edge 4
	result '.code + "/" + .blame' refused/tls
	[[ $RESULT =~ 'TLS handshake: '.*mismatch ]]
	check_edge 0 --server-name other.example
	check_edge 4 --server-name third.example
}

@test "a host name is verified as a name" {
	start_edge
	run_tool 0 "$BIN/tunnel-up" --check --edge "localhost:$LINK" \
		--ca "$C/ca.pem" --token-file "$T/token"
}

@test "an expired certificate is refused" {
	start_edge cert="$C/expired.pem" key="$C/expired.key"
	check_edge 4
	result .text 'TLS handshake: certificate has expired'
}

@test "a certificate of an unknown CA is refused" {
	start_edge
	run_tool 4 "$BIN/tunnel-up" --check --edge "127.0.0.1:$LINK" \
		--ca "$BATS_FILE_TMPDIR/foreign/ca.pem" \
		--token-file "$T/token"
	RESULT=$output
	result '.code + "/" + .blame' refused/tls
	run_tool 4 "$BIN/tunnel-up" --check --edge "127.0.0.1:$LINK" \
		--token-file "$T/token"
}

@test "a CA file that is none is an error before anything starts" {
	LINK=1
	: >"$T/ca.pem"
	run_tool 2 "$BIN/tunnel-up" --check --edge "127.0.0.1:$LINK" \
		--ca "$T/ca.pem" --token-file "$T/token"
	one_error 'ca.pem: '
}

# ---- streams ----

@test "a stream goes to a child and back" {
	start_edge
	start_up "${PROXY_CHILD[@]}"
	eq "${READY[up]}" domain=fake.tunnel.example
	agent_open
	agent_says hello
	agent_says again
	agent_close
	wait_line up 'stream closed: .*bytes_in=12 bytes_out=12 end=clean'
}

@test "a stream goes to a Unix socket and back" {
	start_bg proxy node "$FAKES/fake-proxy.mjs" listen="$T/sock"
	wait_file "$T/sock"
	start_edge
	start_up --connect "$T/sock"
	agent_open
	agent_says hello
	agent_close
}

@test "OPEN reaches the local program unchanged" {
	start_edge
	start_up "${PROXY_CHILD[@]}"
	agent_open
	agent_says x
	wait_line up '^open 1 \{"kind":"tls","sni":"docs.fake.tunnel.example"'
	wait_line up '"trace":"0{31}2"\}$'
	wait_line up 'stream open: .* trace=0{31}2 sni=docs.fake.tunnel.example'
	agent_close
}

@test "a reset of the local program reaches the edge as it was" {
	start_edge
	start_up "${PROXY_CHILD[@]}"
	agent_open
	echo reset >&"$AGENT_FD"
	wait_until grep -q '"reset","stream":2,"code":"denied","blame":"upstream","text":"as you wish"' \
		"$T/edge.out"
	wait_line up 'stream closed: .*end=denied/upstream'
	agent_close
}

@test "16 MiB in one stream come back byte for byte" {
	local sum

	start_edge
	start_up "${PROXY_CHILD[@]}"
	head -c 16777216 /dev/urandom >"$T/in"
	agent_open
	cat "$T/in" >&"$AGENT_FD" &
	sum=$(head -c 16777216 <&"$AGENT_FD" | sha256sum)
	agent_close
	eq "$sum" "$(sha256sum <"$T/in")"
}

# ---- links ----

@test "a lost link is dialed again, with a higher generation" {
	local instances generations

	start_edge
	start_up "${PROXY_CHILD[@]}"
	order drop
	wait_until edge_event up 2
	wait_until echo_works
	instances=$(jq -r 'select(.event == "up").instance' "$T/edge.out")
	eq "$(sort -u <<<"$instances" | wc -l)" 1
	generations=$(jq -r 'select(.event == "up").generation' "$T/edge.out")
	eq "$(sort -nu <<<"$generations")" "$generations"
}

@test "an edge that restarts is dialed again; a stream says why it ended" {
	start_edge
	start_up "${PROXY_CHILD[@]}"
	agent_open
	agent_says hello
	stop edge KILL
	wait_line up 'stream closed: .*end=aborted/link'
	wait_line up '^reset 1 aborted/link the link was lost'
	wait_line up ': (link lost|connect): .*, retrying in '
	start_edge
	wait_until echo_works
}

@test "the same failure is logged once, with -v each time" {
	LINK=1
	link_args
	start_bg up "$BIN/tunnel-up" "${ARGS[@]}" --backoff-max 10ms \
		"${PROXY_CHILD[@]}"
	start_bg loud "$BIN/tunnel-up" -v "${ARGS[@]}" --backoff-max 10ms \
		"${PROXY_CHILD[@]}"
	wait_until failures loud 20
	wait_line up 'Connection refused'
	eq "$(grep -c Connection.refused "$T/up.err")" 1
}

failures()
{
	(($(grep -c 'Connection refused, retrying' "$T/$1.err") >= $2))
}

@test "an edge that stops answering is noticed" {
	start_edge
	start_up --ping 100ms "${PROXY_CHILD[@]}"
	kill -STOP "${PID[edge]}"
	wait_line up 'link lost: peer silent for [0-9]+ ms, retrying'
	kill -CONT "${PID[edge]}"
	wait_until echo_works
}

@test "being stopped itself is no silence of the edge" {
	start_edge
	start_up --ping 100ms "${PROXY_CHILD[@]}"
	agent_open
	agent_says hello
	kill -STOP "${PID[up]}"
	read -r -t 1 -u "$TICK" _ || true
	kill -CONT "${PID[up]}"
	agent_says 'still here'
	run -1 grep 'lost' "$T/up.err"
}

@test "an edge that drains is dialed again while a stream goes on" {
	start_edge
	start_up "${PROXY_CHILD[@]}"
	agent_open
	agent_says hello
	order goaway draining
	wait_line up 'link draining: .*streams=1'
	wait_until edge_event up 2
	agent_says 'still here'
	agent_close
}

# drains COUNT: the edge drains so many links, each after the next is up.
drains()
{
	local i n

	n=$(grep -c '"event":"up"' "$T/edge.out")
	for ((i = 1; i <= $1; i++)); do
		${2:+"$2"}
		order goaway draining
		wait_until edge_event up $((n + i))
	done
}

hold_stream()
{
	agent_open
	agent_says hello
}

has_fds_at_most()
{
	(($(fd_count up) <= $1))
}

@test "an edge that drains for ever holds no more than eight old links" {
	local before

	start_edge
	start_up "${PROXY_CHILD[@]}"
	before=$(fd_count up)
	drains 12
	wait_until has_fds_at_most $((before + 1))
	drains 12 hold_stream
	wait_until has_fds_at_most $((before + 8))
	agent_says 'still here'
	wait_until echo_works
}

@test "each edge given has its link; one that is away stops none" {
	start_edge
	start_up --edge 127.0.0.1:1 --edge "localhost:$LINK" "${PROXY_CHILD[@]}"
	wait_until edge_event up 2
	wait_line up '127.0.0.1:1: connect: .*, retrying'
	eq "$(jq -r 'select(.event == "up").instance' "$T/edge.out" |
		sort -u | wc -l)" 2
}

@test "--name names the links of a connector apart" {
	start_edge
	start_up --name west --edge "localhost:$LINK" "${PROXY_CHILD[@]}"
	wait_until edge_event up 2
	eq "$(jq -r 'select(.event == "up").instance' "$T/edge.out" | sort)" \
		$'west\nwest-2'
}

@test "an edge that refuses for good ends tunnel-up with status 3" {
	local code

	for code in unauthorized revoked protocol; do
		start_edge mode=goaway:$code
		link_args
		run_tool 3 "$BIN/tunnel-up" "${ARGS[@]}" "${PROXY_CHILD[@]}"
		[[ $stderr == *"refused by the edge: $code: says the fake edge, not dialed again"* ]]
		[[ $stderr == *'no edge is left to dial'* ]]
		stop edge
	done
}

@test "a revocation while the link is up is permanent, too" {
	start_edge
	start_up "${PROXY_CHILD[@]}"
	order goaway revoked
	wait_exit up
	eq "$STATUS" 3
}

@test "an edge that refuses for now is dialed again" {
	start_edge mode=goaway:limit
	start_up_bg "${PROXY_CHILD[@]}"
	wait_line up 'refused by the edge: limit: .*, retrying'
	stop edge
	start_edge
	wait_line up 'link up:'
}

@test "a connector that was replaced waits for the longest delay" {
	start_edge
	start_up --backoff-max 40s "${PROXY_CHILD[@]}"
	order goaway replaced
	wait_line up 'refused by the edge: replaced: .*, retrying in 40.0 s'
}

@test "one edge that refuses for good does not end the link to another" {
	start_edge
	start_up --edge 127.0.0.1:1 "${PROXY_CHILD[@]}"
	order goaway revoked
	wait_line up 'not dialed again'
	is_alive up
	stop up
	eq "$STATUS" 0
}

# ---- the local side ----

@test "streams are refused while nothing listens at --connect" {
	start_edge
	start_up_bg --connect "$T/sock"
	wait_line up 'sock: connect: No such file or directory, retrying'
	wait_line up 'link up:'
	agent_open
	wait_until grep -q '"code":"unreachable","blame":"proxy"' "$T/edge.out"
	agent_close
	start_bg proxy node "$FAKES/fake-proxy.mjs" listen="$T/sock"
	wait_line up 'local up:'
	wait_until echo_works
}

@test "a local program that dies is started again, streams say why" {
	start_edge
	start_up "${PROXY_CHILD[@]}" die-on=die
	agent_open
	echo die >&"$AGENT_FD"
	wait_until grep -q '"code":"aborted","blame":"proxy"' "$T/edge.out"
	agent_close
	wait_line up 'node: ended with status 9, retrying'
	wait_until echo_works
	eq "$(grep -c '"event":"connected"' "$T/edge.out")" 1
}

@test "a local program that is killed is started again" {
	start_edge
	start_up "${PROXY_CHILD[@]}"
	kill -KILL "$(sed -n 's/^pid //p' "$T/up.err")"
	wait_line up 'node: killed by signal 9, retrying'
	wait_until echo_works
}

@test "a stream above the local program's limit is refused at once" {
	start_edge
	start_up "${PROXY_CHILD[@]}" streams=1
	agent_open
	agent_says hello
	run ! echo_works
	wait_until grep -q '"code":"limit","blame":"proxy"' "$T/edge.out"
	agent_says again
	agent_close
}

@test "an edge that opens all streams leaves their share to the others" {
	local fds=() fd i other

	start_edge
	start_ready other node "$FAKES/fake-edge.mjs" ready-fd=9 \
		cert="$C/server.pem" key="$C/server.key"
	other=$(ready_get other agent)
	start_up --edge "127.0.0.1:$(ready_get other link)" \
		"${PROXY_CHILD[@]}" streams=40
	wait_until has_line "$T/other.out" '"event":"up"'
	for ((i = 0; i < 60; i++)); do
		exec {fd}<>"/dev/tcp/127.0.0.1/$other"
		fds+=("$fd")
	done
	wait_until resets_are 30
	has_line "$T/other.out" '"code":"limit","blame":"connector","text":"the rest is for other edges"'
	wait_until opens_are 30
	for ((i = 0; i < 9; i++)); do
		agent_open
		agent_says hello
	done
	eq "$(grep -c '"event":"reset"' "$T/edge.out")" 0
	stop other
	wait_until streams_end 30
	for ((i = 0; i < 30; i++)); do
		agent_open
		agent_says hello
	done
	for fd in "${fds[@]}"; do
		exec {fd}>&-
	done
}

resets_are()
{
	(($(grep -c '"event":"reset"' "$T/other.out") == $1))
}

# As the local program has seen them.
opens_are()
{
	(($(grep -c '^open' "$T/up.err") == $1))
}

streams_end()
{
	(($(grep -c '^reset' "$T/up.err") >= $1))
}

@test "a command that cannot be executed is told by its status" {
	LINK=1
	start_up_bg -- "$T/none"
	wait_exit up
	eq "$STATUS" 127
	wait_line up '^tunnel-up: .*none: No such file or directory$'
	: >"$T/none"
	start_up_bg -- "$T/none"
	wait_exit up
	eq "$STATUS" 126
	wait_line up '^tunnel-up: .*none: Permission denied$'
}

@test "a command with a wrong configuration ends tunnel-up" {
	start_edge
	link_args
	run_tool 2 "$BIN/tunnel-up" "${ARGS[@]}" "${PROXY_CHILD[@]}" status=2
	[[ $stderr == *'node: ended with status 2 before its first frame, not started again'* ]]
}

@test "a command inherits no descriptor" {
	start_edge
	exec 7<"$T/token"
	start_up -- sh -c "ls -l /proc/self/fd >'$T/fds'
		exec node '$FAKES/fake-proxy.mjs'"
	grep -q ' 2 -> ' "$T/fds"
	run -1 grep -E ' (4|5|6|7|8|9|[1-9][0-9]+) -> ' "$T/fds"
	exec 7<&-
}

@test "a local program that stops answering is replaced" {
	start_edge
	start_up --ping 200ms "${PROXY_CHILD[@]}"
	kill -STOP "$(sed -n 's/^pid //p' "$T/up.err")"
	wait_line up 'node: killed by signal 9, retrying'
	wait_until echo_works
}

@test "a local program may take its time before HELLO" {
	mkfifo "$T/gate"
	start_edge
	start_up_bg --ping 50ms -- sh -c "read -r _ <'$T/gate'
		exec node '$FAKES/fake-proxy.mjs'"
	wait_line up 'link up:'
	agent_open
	wait_until grep -q '"code":"unreachable","blame":"proxy"' "$T/edge.out"
	agent_close
	echo >"$T/gate"
	wait_until echo_works
	run -1 grep -q retrying "$T/up.err"
}

# ---- SIGHUP ----

hangups_are()
{
	(($(grep -c '^hangup' "$T/up.err") == $1))
}

@test "SIGHUP is passed on to the command, and its streams go on" {
	start_edge
	start_up "${PROXY_CHILD[@]}" heed=hangup
	agent_open
	agent_says hello
	kill -HUP "${PID[up]}"
	wait_until hangups_are 1
	wait_line up 'credentials loaded'
	agent_says 'still here'
	kill -HUP "${PID[up]}"
	wait_until hangups_are 2
	agent_close
	eq "$(grep -c 'link up' "$T/up.err")" 1
	eq "$(grep -c '^pid ' "$T/up.err")" 1
}

@test "SIGHUP is kept for a command that has not said HELLO" {
	mkfifo "$T/gate"
	start_edge
	start_up_bg -- sh -c "read -r _ <'$T/gate'
		exec node '$FAKES/fake-proxy.mjs' heed=hangup"
	wait_line up 'link up:'
	kill -HUP "${PID[up]}"
	wait_line up 'credentials loaded'
	echo >"$T/gate"
	wait_line up 'local up:'
	wait_until hangups_are 1
	wait_until echo_works
	run -1 grep -q retrying "$T/up.err"
}

@test "SIGHUP while it starts is obeyed once it runs" {
	local fd

	start_edge
	mv "$T/token" "$T/copy"
	mkfifo -m 600 "$T/token"
	start_up_bg "${PROXY_CHILD[@]}" heed=hangup
	exec {fd}>"$T/token" # which waits for its reader
	kill -HUP "${PID[up]}"
	cat "$T/copy" >&"$fd"
	exec {fd}>&-
	wait_line up 'local up:'
	wait_until hangups_are 1
}

@test "a command that SIGHUP ends is started again" {
	start_edge
	start_up "${PROXY_CHILD[@]}"
	kill -HUP "${PID[up]}"
	wait_line up 'node: killed by signal 1, retrying'
	wait_until echo_works
}

@test "SIGHUP reads the credentials anew and says what is wrong with them" {
	cp -p "$T/token" "$T/copy"
	start_edge token="$T/copy"
	start_up "${PROXY_CHILD[@]}" heed=hangup
	rm "$T/token"
	kill -HUP "${PID[up]}"
	wait_line up 'warning: .*token: No such file.*, going on with'
	kill -HUP "${PID[up]}"
	wait_until hangups_are 2
	eq "$(grep -c 'going on with' "$T/up.err")" 2
	cp -p "$T/copy" "$T/token"
	kill -HUP "${PID[up]}"
	wait_line up 'credentials loaded'
	echo_works "$DEADLINE"
}

@test "SIGHUP dials what waits, and what was refused for good" {
	start_edge
	start_up --edge "localhost:$LINK" --backoff-min 1m --backoff-max 1m \
		"${PROXY_CHILD[@]}" heed=hangup
	wait_until edge_event up 2
	order goaway-newest revoked
	wait_line up 'not dialed again'
	kill -HUP "${PID[up]}"
	wait_until edge_event up 3
	order drop
	wait_line up 'retrying in'
	kill -HUP "${PID[up]}"
	wait_until edge_event up 5
}

@test "SIGHUP goes to the command while streams end, and dials nothing" {
	start_edge
	start_up "${PROXY_CHILD[@]}" heed=hangup
	agent_open
	agent_says hello
	kill -TERM "${PID[up]}"
	wait_line up 'draining: streams=1'
	kill -HUP "${PID[up]}"
	wait_until hangups_are 1
	agent_says 'still here'
	agent_close
	wait_exit up
	eq "$STATUS" 0
	eq "$(grep -c 'link up' "$T/up.err")" 1
	run -1 grep -q 'credentials loaded' "$T/up.err"
}

@test "the supervisor is told when a reload begins and ends" {
	requires socat
	start_bg notify socat -u "UNIX-RECV:$T/notify" "CREATE:$T/states"
	wait_file "$T/notify"
	start_edge
	NOTIFY_SOCKET=$T/notify start_up "${PROXY_CHILD[@]}" heed=hangup
	kill -HUP "${PID[up]}"
	wait_until states_are 'READY=RELOADING=MONOTONIC_USEC=READY='
}

states_are()
{
	[[ $(tr -d '0-9\n' <"$T/states") == "$1" ]]
}

# ---- the end ----

@test "SIGTERM lets a stream end, refuses new ones, and is status 0" {
	start_edge
	start_up "${PROXY_CHILD[@]}"
	agent_open
	agent_says hello
	kill -TERM "${PID[up]}"
	wait_line up 'draining: streams=1'
	wait_until grep -q '"goaway".*"draining"' "$T/edge.out"
	agent_says 'still here'
	is_alive up
	agent_close
	wait_exit up
	eq "$STATUS" 0
	wait_line up 'stream closed: .*end=clean'
	wait_line up '^end of file'
}

@test "a stream that does not end is cut off after --drain" {
	start_edge
	start_up --drain 200ms "${PROXY_CHILD[@]}"
	agent_open
	agent_says hello
	stop up
	eq "$STATUS" 0
	wait_line up '1 streams did not end in time'
	agent_close
}

@test "a second signal ends at once" {
	start_edge
	start_up "${PROXY_CHILD[@]}"
	agent_open
	agent_says hello
	kill -INT "${PID[up]}"
	wait_line up 'draining: streams=1'
	stop up INT
	eq "$STATUS" 0
	agent_close
}

@test "a child that ignores its end of file is made to end" {
	start_edge
	cat >"$T/stubborn" <<-END
	trap '' TERM
	exec 3<&0
	node "$FAKES/fake-proxy.mjs" <&3 3<&- &
	wait
	exec tail -f /dev/null
	END
	start_up -- sh "$T/stubborn"
	kill -TERM "${PID[up]}"
	wait_line up 'draining:'
	stop up TERM 9
	eq "$STATUS" 0
}

@test "SIGTERM ends the waiting for an edge that is away" {
	LINK=1
	start_up_bg --backoff-min 1m --backoff-max 1m "${PROXY_CHILD[@]}"
	wait_line up 'retrying'
	stop up
	eq "$STATUS" 0
}

@test "SIGTERM ends a dial that hangs" {
	start_edge mode=tcp
	start_up_bg "${PROXY_CHILD[@]}"
	wait_until edge_event connected 1
	stop up TERM 9
	eq "$STATUS" 0
}

@test "a local program that ends while draining is not started again" {
	start_edge
	start_up "${PROXY_CHILD[@]}" die-on=die
	agent_open
	agent_says hello
	kill -TERM "${PID[up]}"
	wait_line up 'draining: streams=1'
	echo die >&"$AGENT_FD"
	wait_exit up
	eq "$STATUS" 0
	eq "$(grep -c '^pid ' "$T/up.err")" 1
	agent_close
}

@test "the supervisor is told about readiness and the end" {
	requires socat
	start_bg notify socat -u "UNIX-RECV:$T/notify" "OPEN:$T/states,creat,append"
	wait_file "$T/notify"
	start_edge
	NOTIFY_SOCKET=$T/notify start_up "${PROXY_CHILD[@]}"
	wait_until grep -q READY=1 "$T/states"
	stop up
	wait_until grep -q STOPPING=1 "$T/states"
}

# ---- proxies ----

@test "an HTTP proxy of the environment is asked with CONNECT" {
	start_edge
	start_forward
	https_proxy=http://127.0.0.1:$FORWARD check_edge 0
	eq "$(<"$T/forward.out")" "http 127.0.0.1:$LINK"
	HTTPS_PROXY=127.0.0.1:$FORWARD check_edge 0
	all_proxy=http://127.0.0.1:$FORWARD check_edge 0
	eq "$(wc -l <"$T/forward.out")" 3
	http_proxy=http://127.0.0.1:$FORWARD check_edge 0
	eq "$(wc -l <"$T/forward.out")" 3
}

@test "a name goes to the proxy unresolved, also through SOCKS" {
	local scheme

	start_edge
	start_forward
	for scheme in http socks4a socks5h; do
		run_tool 0 "$BIN/tunnel-up" --check --ca "$C/ca.pem" \
			--edge "edge.invalid:$LINK" --server-name localhost \
			--token-file "$T/token" \
			--proxy "$scheme://127.0.0.1:$FORWARD"
		eq "$(tail -n 1 "$T/forward.out")" \
			"$scheme edge.invalid:$LINK"
	done
}

@test "streams flow through a proxy, and a lost link is dialed again" {
	local scheme

	start_edge
	start_forward
	start_up --proxy "socks5h://127.0.0.1:$FORWARD" "${PROXY_CHILD[@]}"
	wait_until echo_works
	order drop
	wait_until edge_event up 2
	wait_until echo_works
}

@test "a proxy gets user name and password, and no log does" {
	local scheme

	start_edge
	start_forward user=joe:sesame
	for scheme in http socks5h; do
		check_edge 0 -vv --proxy "$scheme://joe:sesame@127.0.0.1:$FORWARD"
		[[ $stderr != *sesame* ]]
		check_edge 4 --proxy "$scheme://joe:wrong@127.0.0.1:$FORWARD"
		result '.code + "/" + .blame' refused/connect
		[[ $RESULT == *"proxy $scheme://127.0.0.1:$FORWARD: "* ]]
		[[ $RESULT == *'user name or password'* ]]
		[[ $RESULT$stderr != *wrong@* ]]
	done
}

@test "a proxy that refuses is told from an edge that does" {
	start_edge
	start_forward refuse=yes
	check_edge 4 --proxy "http://127.0.0.1:$FORWARD"
	result .text "proxy http://127.0.0.1:$FORWARD: CONNECT: status 403"
	check_edge 4 --proxy "socks5h://127.0.0.1:$FORWARD"
	result .text \
		"proxy socks5h://127.0.0.1:$FORWARD: connection not allowed"
	check_edge 4 --proxy "socks4a://127.0.0.1:$FORWARD"
	result .text \
		"proxy socks4a://127.0.0.1:$FORWARD: request rejected or failed"
	check_edge 4 --proxy http://127.0.0.1:1
	result .text 'connect: 127.0.0.1:1: Connection refused'
}

@test "no_proxy and --proxy none go round the proxy" {
	local list

	start_edge
	export https_proxy=http://127.0.0.1:1
	check_edge 4
	for list in 127.0.0.1 127.0.0.0/8 '*' 'example.com,127.0.0.1'; do
		no_proxy=$list check_edge 0
		NO_PROXY=$list check_edge 0
	done
	no_proxy=example.com check_edge 4
	check_edge 0 --proxy none
}

# ---- descriptors ----

@test "failed and lost links leave no descriptor" {
	local before i

	start_edge
	start_up --backoff-max 10ms "${PROXY_CHILD[@]}"
	before=$(fd_count up)
	stop edge
	wait_until failures up 100
	start_edge
	for i in {1..20}; do
		wait_until edge_event up "$i"
		order drop
	done
	wait_until edge_event up 21
	wait_until same_fds "$before"
}

same_fds()
{
	(($(fd_count up) <= $1))
}
