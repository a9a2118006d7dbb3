# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154 # set by the helpers
# shellcheck disable=SC2016,SC2030,SC2031 # inner shells; each test is one

# tunnel-edge(8): its state directory, the alerts of agents it refuses, links
# that come, go and misbehave, and changes while it runs.

load helpers.bash
load tunnel-edge.bash

setup_file()
{
	setup_file_state
}

setup()
{
	edge_setup
}

teardown()
{
	edge_teardown
}

# ---- the state directory ----

@test "init makes a private directory and prints the authority's path" {
	run_tool 0 "$BIN/tunnel-edge" init --state "$T/new" --name edge.example \
		--name 192.0.2.7
	eq "$output" "$T/new/ca.crt"
	eq "$stderr" ''
	eq "$(stat -c %a "$T/new" "$T/new/tunnels" "$T/new/"{ca,edge}.key |
		tr '\n' ' ')" '700 700 600 600 '
	run_tool 0 openssl verify -CAfile "$T/new/ca.crt" "$T/new/edge.crt"
	run_tool 0 openssl x509 -in "$T/new/edge.crt" -noout \
		-checkhost edge.example -checkip 192.0.2.7
	[[ $output != *'NOT match'* ]]
}

@test "init leaves what is there alone, and --renew keeps names and CA" {
	local ca before

	ca=$(<"$S/ca.crt")
	before=$(<"$S/edge.crt")
	run_tool 1 "$BIN/tunnel-edge" init --name other.example
	one_error '^tunnel-edge: .*/state: made already; --renew makes'
	eq "$(<"$S/edge.crt")" "$before"
	run_tool 0 "$BIN/tunnel-edge" init --renew
	eq "$(<"$S/ca.crt")" "$ca"
	[[ $(<"$S/edge.crt") != "$before" ]]
	run_tool 0 openssl verify -CAfile "$S/ca.crt" "$S/edge.crt"
	run_tool 0 openssl x509 -in "$S/edge.crt" -noout -checkip 127.0.0.1
	[[ $output != *'NOT match'* ]]
}

@test "add prints a token, of which only a digest is stored" {
	local token digest

	run_tool 0 "$BIN/tunnel-edge" add docs --domain docs.example
	[[ $output =~ ^adit_[A-Za-z0-9_-]{43}$ ]]
	eq "$stderr" ''
	token=$output
	run -1 grep -rFe "${token#adit_}" "$S"
	digest=$(printf %s "$token" | sha256sum)
	eq "$(jq -r '.tokens[0].sha256' "$S/tunnels/docs.json")" "${digest%% *}"
	eq "$(stat -c %a "$S/tunnels/docs.json")" 600
}

@test "two tunnels have neither a name nor a domain in common" {
	run_tool 1 "$BIN/tunnel-edge" add acme --domain other.example
	one_error '^tunnel-edge: tunnel acme: there already$'
	run_tool 1 "$BIN/tunnel-edge" add two --domain "ACME.tunnel.example"
	one_error "^tunnel-edge: domain $DOMAIN: belongs to tunnel acme$"
	run_tool 0 "$BIN/tunnel-edge" add two --domain "below.$DOMAIN"
}

@test "a domain is a host name, which covers the names below it" {
	run_tool 1 "$BIN/tunnel-edge" add two --domain '*.two.example'
	one_error 'give two.example, which covers the names below it$'
	run_tool 1 "$BIN/tunnel-edge" add two --domain 10.0.0.1
	one_error 'domain 10.0.0.1: not a host name$'
}

@test "rotate prints another token and lets the old one run out" {
	run_tool 0 "$BIN/tunnel-edge" rotate acme --overlap 1h
	[[ $output =~ ^adit_[A-Za-z0-9_-]{43}$ ]]
	run_tool 0 "$BIN/tunnel-edge" list acme -o json
	eq "$(jq -c '.[0].tokens | map(.expires == null)' <<<"$output")" \
		'[false,true]'
	eq "$(jq '.[0].tokens[0] | (.expires | fromdate) - (.created | fromdate)
		| . >= 3600 and . < 3660' <<<"$output")" true
}

@test "rotate --overlap 0s ends the old token at once" {
	run_tool 0 "$BIN/tunnel-edge" rotate acme --overlap 0s
	run_tool 0 "$BIN/tunnel-edge" list acme -o json
	eq "$(jq '.[0].tokens | length' <<<"$output")" 1
	eq "$(jq '.revoked | length' "$S/tunnels/acme.json")" 1
}

@test "changes made at the same time are all kept" {
	local pids=()

	for _ in {1..12}; do
		edge rotate acme --token-expires 1h >/dev/null &
		pids+=($!)
	done
	wait "${pids[@]}"
	eq "$(edge list -o json | jq '.[0].tokens | length')" 13
}

@test "revoke takes back what it is told to, and nothing else" {
	local id

	id=$(edge list acme -o json | jq -r '.[0].tokens[0].id')
	run_tool 1 "$BIN/tunnel-edge" revoke acme --token 00000000
	one_error '^tunnel-edge: tunnel acme: no token 00000000$'
	run_tool 0 "$BIN/tunnel-edge" revoke acme --token "$id"
	eq "$output$stderr" ''
	eq "$(edge list -o json | jq -c '.[0].tokens')" '[]'
	run_tool 0 "$BIN/tunnel-edge" revoke acme --tunnel
	eq "$(edge list -o json)" '[]'
	run_tool 1 "$BIN/tunnel-edge" revoke acme --tunnel
	one_error '^tunnel-edge: tunnel acme: there is none$'
}

@test "list shows neither tokens nor digests" {
	run_tool 0 "$BIN/tunnel-edge" list -o json
	eq "$(jq -c '.[0] | keys' <<<"$output")" \
		'["client_certs","domains","limits","links","name","tokens"]'
	eq "$(jq -c '.[0].tokens[0] | keys' <<<"$output")" \
		'["created","expires","id"]'
	eq "$(jq -c '.[0].links' <<<"$output")" null
	run_tool 0 "$BIN/tunnel-edge" list
	[[ ${lines[1]} =~ ^acme\ .*\ never\ +acme.tunnel.example$ ]]
	run_tool 1 "$BIN/tunnel-edge" list nobody
	one_error '^tunnel-edge: tunnel nobody: there is none$'
}

@test "list as text shows live links and when access ends" {
	start_edge
	start_link a
	start_link b
	start_agents agents 3
	run_tool 0 "$BIN/tunnel-edge" list acme
	[[ ${lines[1]} =~ ^acme\ +2\ +3\ +1\ +0\ +never\ +"$DOMAIN"$ ]]
	edge add long --domain long.example --token-expires 1h >"$T/long"
	run_tool 0 "$BIN/tunnel-edge" list long
	[[ ${lines[1]} =~ ^long\ +0\ +0\ +1\ +0\ +20[0-9]{2}-[0-9-]+T[0-9:]+Z ]]
	edge add short --domain short.example --token-expires 1s >"$T/short"
	wait_until expired short
	run_tool 1 "$BIN/tunnel-edge" list 'no name'
	one_error "tunnel no name: not a tunnel's name$"
}

expired()
{
	[[ $(edge list "$1") == *' expired '* ]]
}

@test "--help and --version answer on standard output" {
	local command

	run_tool 0 "$BIN/tunnel-edge" --help
	for command in init add limit rotate revoke list run; do
		[[ $output == *"  $command "* ]]
	done
	for command in '' init add limit rotate revoke list run; do
		# shellcheck disable=SC2086 # none or one
		run_tool 0 "$BIN/tunnel-edge" $command --version
		[[ $output =~ ^tunnel-edge\ [0-9.]+$ ]]
	done
}

@test "a file that is not a tunnel's is named, with what is wrong" {
	echo '{"name":"acme","domains":[],"colour":1}' >"$S/tunnels/acme.json"
	run_tool 1 "$BIN/tunnel-edge" list
	one_error "^tunnel-edge: $S/tunnels/acme.json: unknown member colour$"
	run_tool 1 "$BIN/tunnel-edge" rotate acme
	one_error 'acme.json: unknown member colour$'
}

@test "mistakes in the command line end with status 2 and say which" {
	local args

	for args in 'add' 'add A --domain a.b' 'add a b --domain a.b' 'add x' \
		'add x --domain a.b --links 0' 'add x --domain a.b --no-token' \
		'rotate acme --overlap 5' 'revoke acme' 'limit acme' \
		'limit --rate 1m' 'limit acme --rate 1' \
		'limit acme --rate 65g' 'limit acme --burst 63k' \
		'revoke acme --tunnel --token x' 'list -o yaml' 'init' 'run' \
		'run --agents :0 --connectors :0 --cert x' 'run x' 'frob' \
		'run --ping 1ms --agents :0 --connectors :0' ''; do
		# shellcheck disable=SC2086 # words
		run_tool 2 "$BIN/tunnel-edge" $args
		eq "$output" ''
		eq "${#stderr_lines[@]}" 2
		[[ ${stderr_lines[1]} == 'Try '* ]]
	done
	run_tool 2 env -u TUNNEL_EDGE_STATE "$BIN/tunnel-edge" list
	[[ ${stderr_lines[0]} == *': --state or $TUNNEL_EDGE_STATE is required' ]]
}

@test "a token that cannot be written is an error" {
	requires full
	run_tool 1 bash -c '"$1" rotate acme >/dev/full' - "$BIN/tunnel-edge"
	one_error 'standard output: No space left on device$'
}

@test "the pipelines of the manual do what it says" {
	edge rotate acme --overlap 1h >/dev/null
	edge rotate acme --overlap 2h >/dev/null
	run_tool 0 bash -o pipefail -c 'PATH=$1:$PATH
		tunnel-edge list -o json | jq -r ".[] | .name as \$n | .tokens[] |
			select(.expires != null and (.expires | fromdate) <
			now + 604800) | \"\(\$n) \(.id)\""' - "$BIN"
	eq "${#lines[@]}" 2
	[[ ${lines[0]} =~ ^acme\ [0-9a-f]{8}$ ]]
	run_tool 0 bash -o pipefail -c 'PATH=$1:$PATH
		tunnel-edge list acme -o json | jq -r ".[0].tokens[:-1][].id" |
			xargs -r -n 1 tunnel-edge revoke acme --token' - "$BIN"
	eq "$(edge list acme -o json | jq '.[0].tokens | length')" 1
	run_tool 1 bash -o pipefail -c 'PATH=$1:$PATH
		tunnel-edge list -o json |
			jq -e "all(.[]; .links | length > 0)"' - "$BIN"
	start_edge
	start_link a token=<(edge rotate acme)
	run_tool 0 bash -o pipefail -c 'PATH=$1:$PATH
		tunnel-edge list -o json |
			jq -e "all(.[]; .links | length > 0)"' - "$BIN"
}

# ---- starting ----

@test "run fails with status 2 without a state directory or certificate" {
	run_tool 2 "$BIN/tunnel-edge" run --state "$T/none" \
		--agents 127.0.0.1:0 --connectors 127.0.0.1:0
	one_error "^tunnel-edge: $T/none: No such file or directory$"
	echo nonsense >"$S/edge.crt"
	run_tool 2 "$BIN/tunnel-edge" run \
		--agents 127.0.0.1:0 --connectors 127.0.0.1:0
	one_error "$S/edge.crt"
}

@test "run fails with status 1 when a port is taken" {
	start_edge
	cp -a "$BATS_FILE_TMPDIR/state" "$T/other"
	run_tool 1 "$BIN/tunnel-edge" run --state "$T/other" \
		--agents "127.0.0.1:$AGENTS" --connectors 127.0.0.1:0
	one_error "127.0.0.1:$AGENTS: listen: Address already in use$"
}

@test "one edge at a time runs on a directory" {
	start_edge
	run_tool 1 "$BIN/tunnel-edge" run --agents 127.0.0.1:0 \
		--connectors 127.0.0.1:0
	one_error "^tunnel-edge: $S: another tunnel-edge runs on it$"
	stop edge KILL
	start_edge
}

@test "SIGTERM ends an idle edge with status 0" {
	start_edge
	start_link a
	stop edge
	eq "$STATUS" 0
	[[ ! -e $S/edge.sock ]]
	wait_event a '.event == "goaway" and .code == "draining" and
		.blame == "edge"'
}

# ---- agents that are refused ----

@test "each refusal has its TLS alert, at once, and a line in the log" {
	start_edge
	eq "$(alert_of -servername no.such.example)" 112
	wait_line edge 'sni=no.such.example code=no-route blame=client alert=unrecognized_name'
	eq "$(alert_of -noservername)" 109
	wait_line edge 'code=protocol blame=client alert=missing_extension'
	eq "$(alert_of -servername "$NAME" -tls1_1 \
		-cipher DEFAULT:@SECLEVEL=0)" 70
	eq "$(alert_of -servername "$NAME")" 80
	wait_line edge 'code=no-link blame=link alert=internal_error'
	[[ $(agent name=) == *'"alert":50,"end":"fin"'* ]]
	wait_line edge 'alert=decode_error text=an empty host name'
	[[ $(agent hex=1603010009010000050303ffffff) == *'"alert":50,"end":"fin"'* ]]
	[[ $(agent hex=474554202f20485454502f312e310d0a) == *'"alert":10,'* ]]
}

@test "a ClientHello may come in small records and single bytes" {
	start_edge
	start_link a
	[[ $(agent name="$NAME" record=7 chunk=3 bytes=50) == *'"same":true'* ]]
	[[ $(agent name=DOCS.Acme.tunnel.example bytes=5) == *'"same":true'* ]]
	wait_event a ".event == \"open\" and .sni == \"$NAME\""
}

@test "an agent that does not finish its ClientHello is cut off" {
	start_edge --hello-timeout 300ms
	run_tool 0 agent name="$NAME" part=20
	eq "$output" '{"sent":20,"received":0,"same":false,"alert":null,"end":"fin"}'
	wait_line edge 'agent refused: .*code=timeout blame=client alert=none'
}

@test "the oldest silent agents give way to new ones" {
	start_edge
	start_link a
	start_bg silent node "$FAKES/fake-agent.mjs" \
		connect="127.0.0.1:$AGENTS" name="$NAME" part=9 count=1030
	wait_line edge 'code=limit blame=edge .*text=too many agents without'
	echoes
}

@test "a flood of refusals does not fill the log" {
	start_edge
	start_bg flood node "$FAKES/fake-agent.mjs" \
		connect="127.0.0.1:$AGENTS" name=no.such.example count=200
	wait_exit flood
	eq "$(grep -c '"alert":112' "$T/flood.out")" 200
	# Ten at once, then one in ten seconds.
	in_range "$(told)" 10 12
	# Other kinds and other addresses are told of as before.
	eq "$(alert_of -noservername)" 109
	wait_line edge 'code=protocol blame=client alert=missing_extension'
	start_bg others node "$FAKES/fake-agent.mjs" \
		connect="127.0.0.1:$AGENTS" name=no.such.example count=200 spread=20
	wait_exit others
	wait_line edge 'agent refused: peer=127.1.0.1:.* code=no-route'
	in_range "$(told)" 50 54
	stop edge
	eq "$STATUS" 0
	eq "$(sed -n 's/.*agent refused: code=no-route left_out=//p' \
		"$T/edge.err" | awk -v n="$(told)" '{n += $1} END {print n}')" 400
}

# told: how many refusals of unknown names have a line.
told()
{
	grep -c 'agent refused: peer=.*code=no-route' "$T/edge.err"
}

in_range()
{
	(($1 >= $2 && $1 <= $3))
}

@test "the longest domain of a name has its agent" {
	add_tunnel below --domain "below.$DOMAIN"
	start_edge
	start_link a
	start_link b token="$T/below.token"
	echoes "x.$DOMAIN"
	echoes "$DOMAIN"
	echoes "below.$DOMAIN"
	echoes "y.below.$DOMAIN"
	eq "$(jq -r 'select(.event == "open").sni' "$T/a.out" | tr '\n' ' ')" \
		"x.$DOMAIN $DOMAIN "
	eq "$(jq -r 'select(.event == "open").sni' "$T/b.out" | tr '\n' ' ')" \
		"below.$DOMAIN y.below.$DOMAIN "
}

# ---- streams ----

@test "bytes pass both ways, and each direction ends by itself" {
	start_edge
	start_link a
	run_tool 0 agent name="$NAME" bytes=3000000 end=at-once
	[[ $output == *'"received":3000'*'"same":true,"alert":null,"end":"fin"'* ]]
	wait_line edge 'stream closed: tunnel=acme link=1 stream=2 trace=[0-9a-f]{32} .*bytes_in=3000[0-9]+ bytes_out=3000[0-9]+ end=clean$'
	eq "$(jq -r 'select(.event == "open") | [.kind, .sni] | @tsv' \
		"$T/a.out")" "tls	$NAME"
	[[ $(jq -r 'select(.event == "open").trace' "$T/a.out") =~ ^[0-9a-f]{32}$ ]]
	[[ $(jq -r 'select(.event == "open").peer' "$T/a.out") =~ ^127.0.0.1:[0-9]+$ ]]
}

@test "a stream that is refused behind the link ends with an alert" {
	start_edge
	start_link a mode=reset:refused:connect
	run_tool 0 agent name="$NAME"
	[[ $output == *'"alert":80,"end":"fin"'* ]]
	wait_line edge 'agent refused: .*code=refused blame=connect alert=internal_error text=says the fake connector'
}

@test "a stream that breaks later resets the agent's connection" {
	start_edge
	start_link a mode=break:aborted:upstream
	run_tool 0 agent name="$NAME" end=again
	[[ $output == *'"received":1,"same":false,"alert":null,"end":"reset"'* ]]
	wait_line edge 'stream closed: .*end=aborted/upstream'
}

@test "an agent that breaks off resets its stream" {
	start_edge
	start_link a
	agent name="$NAME" end=reset
	wait_event a '.event == "reset" and .code == "aborted" and
		.blame == "client"'
	echoes
}

@test "a connector that reads nothing stops only its own streams" {
	requires no-sanitizer
	local before

	start_edge
	start_link a mode=hold
	add_tunnel two --domain two.example
	start_link b token="$T/two.token"
	before=$(rss_kib edge)
	start_bg stuck node "$FAKES/fake-agent.mjs" \
		connect="127.0.0.1:$AGENTS" name="$NAME" bytes=50000000 end=none
	wait_event a '.event == "held" and .bytes >= 65536'
	echoes two.example
	eq "$(jq -s 'map(select(.event == "held").bytes) | max' "$T/a.out")" 65536
	(($(rss_kib edge) < before + 4096))
}

@test "an agent that reads nothing stops only its own stream" {
	requires no-sanitizer
	local before

	start_edge
	start_link a mode=source:100000000
	before=$(rss_kib edge)
	start_bg stuck node "$FAKES/fake-agent.mjs" \
		connect="127.0.0.1:$AGENTS" name="$NAME" read=no end=none
	wait_line edge 'stream open'
	add_tunnel two --domain two.example
	start_link b token="$T/two.token"
	echoes two.example
	(($(rss_kib edge) < before + 12 * 1024))
}

@test "an agent that reads late gets every byte" {
	start_edge
	start_link a mode=source:50000000
	start_bg late node "$FAKES/fake-agent.mjs" \
		connect="127.0.0.1:$AGENTS" name="$NAME" read=no end=at-once
	wait_until stalled
	kill -USR2 "${PID[late]}"
	wait_exit late
	[[ $(<"$T/late.out") == *'"received":50000000,'*'"end":"fin"'* ]]
	wait_line edge 'stream closed: .*bytes_out=50000000 end=clean$'
}

# What came over the link has not grown since the last look.
stalled()
{
	local last=${CAME-}

	CAME=$(edge list acme -o json | jq '.[0].links[0].bytes_in')
	((CAME > 100000)) && [[ $CAME == "$last" ]]
}

@test "1000 idle streams add less than 1 MiB" {
	requires no-sanitizer
	local before after

	start_edge -q
	start_link a
	start_agents warm 20
	before=$(rss_kib edge)
	start_agents idle 1000
	after=$(rss_kib edge)
	echo "RSS $before KiB, with 1000 streams $after KiB"
	((after - before < 1024))
	eq "$(edge list acme -o json | jq '.[0].links[0].streams')" 1020
	stop idle
	wait_until streams 20
}

streams()
{
	[[ $(edge list acme -o json | jq '.[0].links[0].streams') == "$1" ]]
}

@test "running out of descriptors is survived" {
	local ticks

	start_ready edge bash -c 'ulimit -n 60 && exec "$@"' - \
		"$BIN/tunnel-edge" run -v --ready-fd 9 --agents 127.0.0.1:0 \
		--connectors 127.0.0.1:0
	AGENTS=$(ready_get edge agents)
	CONNECTORS=$(ready_get edge connectors)
	start_link a
	start_bg many node "$FAKES/fake-agent.mjs" \
		connect="127.0.0.1:$AGENTS" name="$NAME" end=none count=100
	wait_line edge 'agents: accept: Too many open files, going on'
	start_bg asker "$BIN/tunnel-edge" list acme
	wait_line edge 'status: accept: Too many open files, going on'
	stop many
	wait_until -t 10 echoes
	read -r -a ticks <"/proc/${PID[edge]}/stat"
	((ticks[13] + ticks[14] < 300))
}

# ---- connectors ----

@test "a connector without a known token is told so" {
	start_edge
	echo adit_0000000000000000000000000000000000000000000 >"$T/bad"
	start_link bad token="$T/bad"
	wait_event bad '.event == "goaway" and .code == "unauthorized" and
		.blame == "edge"'
	wait_line edge 'link refused: peer=127.* code=unauthorized blame=edge text=the credential [0-9a-f]{8} is not known'
	start_link none token=
	wait_event none '.event == "goaway" and .code == "unauthorized"'
	eq "$(edge list acme -o json | jq -c '.[0].links')" '[]'
}

@test "a connector with a revoked or expired token is told so" {
	start_edge
	edge rotate acme --overlap 0s >/dev/null
	start_link revoked
	wait_event revoked '.event == "goaway" and .code == "revoked"'
	edge rotate acme --token-expires 5s >"$T/short"
	start_link short token="$T/short"
	wait_event short '.event == "up"'
	wait_event short '.event == "goaway" and .code == "limit" and
		.text == "the token has expired"'
	start_link expired token="$T/short"
	wait_event expired '.event == "goaway" and .code == "unauthorized" and
		(.text | endswith(" has expired"))'
}

@test "a connector that says nothing is cut off" {
	start_edge --hello-timeout 2s # of which TLS takes some
	start_link silent hello=no
	wait_line edge 'link refused: .*code=timeout blame=connector text=no HELLO in time'
	run_tool 0 timeout "$DEADLINE" bash -c \
		'exec 5<>"/dev/tcp/127.0.0.1/$1"; cat <&5' - "$CONNECTORS"
	wait_line edge 'code=timeout blame=connector text=no TLS handshake in time'
}

@test "a connector that sends nonsense is cut off" {
	start_edge
	start_link raw
	order "$CONTROL" raw 7f000000000000000000ffff
	wait_event raw '.event == "goaway" and .code == "protocol"'
	wait_line edge 'link down: tunnel=acme .*code=protocol'
}

@test "a HELLO that is none, and a GOAWAY, end a link" {
	start_edge
	start_link bad hello='{"limits":{"frame":1}}'
	wait_event bad '.event == "goaway" and .code == "protocol" and
		(.text | startswith("HELLO: limits: frame: not a whole"))'
	start_link a
	order "$CONTROL" goaway internal
	wait_line edge 'link down: tunnel=acme .*code=internal blame=connector'
	wait_event a '.event == "closed"'
}

@test "the oldest connectors that are not let in give way" {
	start_edge
	start_link a
	start_bg idle node "$FAKES/fake-agent.mjs" \
		connect="127.0.0.1:$CONNECTORS" hex=16 count=260 spread=20
	wait_line edge 'link refused: .*code=limit blame=edge text=too many connectors'
	start_link b
	echoes
}

@test "failed logins from one address are paced, others are let in" {
	start_edge
	start_link a
	echo adit_0000000000000000000000000000000000000000000 >"$T/bad"
	# 32 at once, of which these hold 30 and one is given back each time.
	start_bg held node "$FAKES/fake-agent.mjs" \
		connect="127.0.0.1:$CONNECTORS" hex=16 count=30 end=none
	wait_until tries 30
	start_link good
	wait_event good '.event == "up"'
	for _ in 1 2 3 4; do
		(: <"/dev/tcp/127.0.0.1/$CONNECTORS")
	done
	start_link b instance=b
	wait_event b '.event == "up"'
	start_bg more node "$FAKES/fake-agent.mjs" \
		connect="127.0.0.1:$CONNECTORS" hex=16 count=40 end=none
	wait_line edge "link refused: peer=127.0.0.1:[0-9]+ instance='' code=limit blame=connector text=too many failed logins from this address"
	wait_until closed more 25
	start_link elsewhere from=127.0.0.2
	wait_event elsewhere '.event == "up"'
	start_link bad from=127.0.0.3 token="$T/bad"
	wait_event bad '.event == "goaway" and .code == "unauthorized"'
	echoes
}

@test "failed logins from everywhere are paced, known sources are let in" {
	start_edge
	start_link a
	# Of each source too few to be refused for themselves.
	start_bg flood node "$FAKES/fake-agent.mjs" \
		connect="127.0.0.1:$CONNECTORS" spread=250 count=2500 \
		hex=474554202f20485454502f312e310d0a end=none
	wait_line edge "link refused: peer=127\\.1\\.[0-9.:]+ instance='' code=limit blame=edge text=too many failed logins"
	start_link b instance=b
	wait_event b '.event == "up"'
	# Who is not known is let in again once nobody else tries.
	wait_exit flood
	start_link c from=127.0.0.2
	wait_event c '.event == "up"'
	echoes
}

@test "connectors that are not known give way before those that are" {
	start_edge --hello-timeout 20s
	start_link a
	start_bg known node "$FAKES/fake-agent.mjs" \
		connect="127.0.0.1:$CONNECTORS" hex=16 count=20 end=none
	wait_until tries 20
	start_bg idle node "$FAKES/fake-agent.mjs" \
		connect="127.0.0.1:$CONNECTORS" hex=16 count=300 spread=20 \
		end=none
	wait_until closed idle 64
	[[ ! -s $T/known.out ]]
}

# closed NAME N: at least so many of a fake agent's connections.
closed()
{
	(($(wc -l <"$T/$1.out") >= $2))
}

# tries N: so many connectors are not let in yet.
tries()
{
	(($(ss -Htn state established "sport = :$CONNECTORS" | wc -l) >= $1))
}

@test "links are TLS 1.3 with adit/1 and nothing else" {
	start_edge
	run_tool 1 openssl s_client -connect "127.0.0.1:$CONNECTORS" -tls1_2
	[[ $stderr == *'alert protocol version'* ]]
	start_link other alpn=h2
	wait_event other '.event == "error"'
	run_tool 0 timeout 5 bash -c 'openssl s_client -connect "$1" -alpn adit/1 \
		-CAfile "$2" -verify_return_error </dev/null' - \
		"127.0.0.1:$CONNECTORS" "$S/ca.crt"
	[[ $output == *'ALPN protocol: adit/1'* && $output == *TLSv1.3* ]]
}

@test "a client certificate lets a connector in until it is revoked" {
	local id

	make_ca "$T/certs"
	make_cert "$T/certs" client clientAuth
	make_cert "$T/certs" stranger clientAuth
	run_tool 0 "$BIN/tunnel-edge" add two --domain two.example --no-token \
		--client-cert "$T/certs/client.pem"
	eq "$output" ''
	start_edge
	start_link a token= cert="$T/certs/client.pem" key="$T/certs/client.key"
	echoes two.example
	start_link b token= cert="$T/certs/stranger.pem" \
		key="$T/certs/stranger.key"
	wait_event b '.event == "goaway" and .code == "unauthorized"'
	id=$(edge list two -o json | jq -r '.[0].client_certs[0].id')
	edge revoke two --client-cert "$id"
	wait_event a '.event == "goaway" and .code == "revoked"'
	run_tool 0 "$BIN/tunnel-edge" rotate two \
		--client-cert "$T/certs/stranger.pem"
	eq "$output" "$(openssl x509 -in "$T/certs/stranger.pem" -outform DER |
		sha256sum | head -c 8)"
	start_link c token= cert="$T/certs/stranger.pem" \
		key="$T/certs/stranger.key"
	echoes two.example
}

@test "a newer generation replaces its link at once, an older one does not" {
	start_edge
	start_link old instance=one generation=5
	start_link new instance=one generation=6
	wait_event old '.event == "goaway" and .code == "replaced"'
	wait_event new '.event == "up"'
	start_link late instance=one generation=5
	wait_event late '.event == "goaway" and .code == "replaced"'
	start_link other instance=two generation=1
	wait_until links 2
	echoes
}

@test "a dead link is noticed within three pings" {
	start_edge --ping 300ms
	start_link a
	start_agents agents 1
	order "$CONTROL" mute
	now_ms
	local begin=$NOW
	wait_line edge 'link down: tunnel=acme link=1 .*code=timeout blame=link text=peer silent'
	now_ms
	((NOW - begin < 10000))
	wait_exit agents
	[[ $(<"$T/agents.out") == *'"end":"reset"'* ]]
}

@test "new streams avoid a link that is silent" {
	start_edge --ping 2s
	start_link a
	start_agents agents 3
	start_link b
	echoes
	wait_event b '.event == "open"'
	order "$CONTROL" mute
	wait_until echoes_within_1s
	run -1 has_line "$T/edge.err" 'link down'
}

echoes_within_1s()
{
	[[ $(timeout 1 node "$FAKES/fake-agent.mjs" \
		connect="127.0.0.1:$AGENTS" name="$NAME") == *true* ]]
}

@test "streams are spread over the links of a tunnel" {
	start_edge
	start_link a
	start_link b
	start_link c
	start_agents agents 30
	eq "$(edge list acme -o json | jq -c '.[0].links | map(.streams)')" \
		'[10,10,10]'
}

@test "a connector that drains gets no new streams and keeps its own" {
	start_edge
	start_link a
	start_agents agents 1
	order "$CONTROL" goaway draining
	wait_line edge 'link draining: tunnel=acme link=1 .*streams=1'
	run_tool 0 agent name="$NAME"
	[[ $output == *'"alert":80'* ]]
	start_link b
	echoes
	eq "$(edge list acme -o json |
		jq -c '.[0].links | map([.draining, .streams])')" \
		'[[false,0],[true,1]]'
}

@test "a connector cannot open a stream" {
	start_edge
	start_link a
	order "$CONTROL" open
	wait_event a '.event == "reset" and .code == "refused" and
		.blame == "edge"'
	echoes
}

@test "limits of links and streams are kept" {
	add_tunnel two --domain two.example --links 1 --streams 2
	start_edge --max-agents 3
	start_link a token="$T/two.token"
	start_link b token="$T/two.token"
	wait_event b '.event == "goaway" and .code == "limit"'
	start_agents two 2 name=two.example
	run_tool 0 agent name=two.example
	[[ $output == *'"alert":80'* ]]
	wait_line edge 'code=limit blame=edge .*the tunnel has all the streams'
	start_link c streams=1
	start_agents acme 1
	run_tool 0 agent name="$NAME"
	[[ $output == *'"alert":80'* ]]
	wait_line edge 'code=limit blame=edge .*the edge has all the agents'
}

@test "a connector's own limit of streams is kept" {
	start_edge
	start_link a streams=1
	start_agents acme 1
	run_tool 0 agent name="$NAME"
	[[ $output == *'"alert":80'* ]]
	wait_line edge 'code=limit blame=connector .*every link has all'
}

# ---- rates ----

# The fake connector's source sends faster than any of these rates.

@test "a tunnel's rate is kept in both directions, and no byte is lost" {
	local begin

	add_tunnel two --domain two.example --rate 512k --burst 64k
	start_edge
	start_link a token="$T/two.token" mode=source:600000
	now_ms
	begin=$NOW
	run_tool 0 agent name=two.example end=at-once
	[[ $output == *'"received":600000,'*'"end":"fin"'* ]]
	now_ms
	((NOW - begin >= (600000 - 65536) * 1000 / 524288))
	stop a
	start_link b token="$T/two.token"
	now_ms
	begin=$NOW
	run_tool 0 agent name=two.example bytes=600000 end=at-once
	[[ $output == *'"received":600'*'"same":true,'*'"end":"fin"'* ]]
	now_ms
	((NOW - begin >= (600000 - 2 * 65536) * 1000 / 524288))
}

@test "streams of a tunnel share its rate, and other tunnels have their own" {
	local busy

	add_tunnel two --domain two.example --rate 64k --burst 64k
	start_edge
	start_link a token="$T/two.token"
	start_link b
	start_bg busy node "$FAKES/fake-agent.mjs" \
		connect="127.0.0.1:$AGENTS" name=two.example bytes=3000000 \
		end=none count=3
	wait_until came 200000
	# Three are in the queue with megabytes; the fourth has its turn.
	echoes two.example
	[[ $(agent name="$NAME" bytes=3000000) == *'"same":true'* ]]
	is_alive busy
	read -r -a busy <"/proc/${PID[edge]}/stat"
	((busy[13] + busy[14] < 300))
}

# came N: so many bytes have gone over the link of tunnel two.
came()
{
	(($(edge list two -o json | jq '.[0].links[0].bytes_out') >= $1))
}

@test "another rate holds at once, for streams that are open too" {
	add_tunnel two --domain two.example --rate 1k --burst 64k
	start_edge
	start_link a token="$T/two.token"
	start_bg slow node "$FAKES/fake-agent.mjs" \
		connect="127.0.0.1:$AGENTS" name=two.example bytes=2000000
	wait_until came 65536
	run_tool 0 "$BIN/tunnel-edge" limit two --rate 0b --streams 7
	eq "$output$stderr" ''
	wait_exit slow
	[[ $(<"$T/slow.out") == *'"same":true'* ]]
	eq "$(edge list two -o json | jq -c '.[0].limits')" \
		'{"links":16,"streams":7,"rate":null,"burst":null}'
	run_tool 0 "$BIN/tunnel-edge" limit two --rate 10m --burst 1m
	run_tool 0 "$BIN/tunnel-edge" limit two --links 2
	eq "$(edge list two -o json | jq -c '.[0].limits')" \
		'{"links":2,"streams":7,"rate":10485760,"burst":1048576}'
	run_tool 0 "$BIN/tunnel-edge" limit two --rate 2m
	eq "$(edge list two -o json | jq -c '.[0].limits | [.rate, .burst]')" \
		'[2097152,2097152]'
	echoes two.example
}

@test "a stream that waits for its rate ends with its agent, link or tunnel" {
	add_tunnel two --domain two.example --rate 1k --burst 64k
	start_edge
	start_link a token="$T/two.token" mode=source:1000000
	start_bg one node "$FAKES/fake-agent.mjs" \
		connect="127.0.0.1:$AGENTS" name=two.example bytes=200000 \
		end=none count=3
	wait_until came 65536
	stop one KILL
	stop a KILL
	wait_until has_streams two 0
	start_link b token="$T/two.token"
	start_bg two node "$FAKES/fake-agent.mjs" \
		connect="127.0.0.1:$AGENTS" name=two.example bytes=200000 \
		end=none count=3
	wait_until has_streams two 3
	edge revoke two --tunnel
	wait_exit two
	wait_line edge 'tunnel removed: tunnel=two'
}

has_streams()
{
	(($(edge list "$1" -o json | jq '[.[0].links[].streams] | add // 0') == $2))
}

@test "a rate or burst that cannot be is an error that says why" {
	run_tool 1 "$BIN/tunnel-edge" add two --domain two.example --rate 1023b
	one_error '^tunnel-edge: rate: not 0 or from 1024 to 68719476736$'
	run_tool 1 "$BIN/tunnel-edge" add two --domain two.example --burst 64k
	one_error '^tunnel-edge: burst: goes with a rate$'
	run_tool 1 "$BIN/tunnel-edge" limit acme --rate 1g --burst 1m
	one_error '^tunnel-edge: burst: below what the rate gives in 10 ms$'
	run_tool 1 "$BIN/tunnel-edge" limit nobody --rate 1g
	one_error '^tunnel-edge: tunnel nobody: there is none$'
	eq "$(jq -c .limits "$S/tunnels/acme.json")" '{"links":16,"streams":4096}'
}

# ---- changes while it runs ----

@test "a rotated token lets streams run on until the overlap ends" {
	start_edge
	start_link a instance=one generation=1
	start_agents agents 1
	edge rotate acme --overlap 5s >"$T/new"
	wait_event a '.event == "goaway" and .code == "draining" and
		.text == "the token expires soon"'
	start_link b token="$T/new" instance=one generation=2
	echoes
	wait_event b '.event == "open"'
	is_alive agents
	run ! event a '.code == "replaced"'
	wait_event a '.event == "goaway" and .code == "limit"'
	wait_exit agents
	echoes
	run ! event b '.event == "goaway"'
}

@test "a link of a token that lasts is not told to drain" {
	start_edge
	start_link a
	edge rotate acme --overlap 1h >"$T/new"
	wait_line edge 'tunnel changed: tunnel=acme tokens=2'
	echoes
	eq "$(edge list acme -o json | jq '.[0].links[0].draining')" false
}

@test "a revoked token ends its links and their streams at once" {
	start_edge
	start_link a
	edge rotate acme >"$T/new"
	start_link b token="$T/new" instance=b
	start_agents agents 4
	edge revoke acme --token "$(edge list acme -o json |
		jq -r '.[0].tokens[0].id')"
	wait_event a '.event == "goaway" and .code == "revoked" and
		.blame == "edge"'
	wait_until links 1
	wait_until reset_count 2
	echoes
}

reset_count()
{
	(($(grep -c '"end":"reset"' "$T/agents.out") == $1))
}

@test "tunnels come and go while the edge runs" {
	start_edge
	eq "$(alert_of -servername two.example)" 112
	add_tunnel two --domain two.example
	start_link a token="$T/two.token"
	echoes two.example
	edge revoke two --tunnel
	wait_event a '.event == "goaway" and .code == "revoked"'
	wait_line edge 'tunnel removed: tunnel=two'
	eq "$(alert_of -servername two.example)" 112
}

@test "a file that is broken leaves its tunnel as it was" {
	start_edge
	start_link a
	echo '{"name":"acme","domains":["other.exa' >"$S/tunnels/acme.json"
	wait_line edge "warning: $S/tunnels/acme.json: JSON: .*, the tunnel stays as it was"
	echoes
	mkfifo "$T/fifo"
	mv "$T/fifo" "$S/tunnels/pipe.json"
	wait_line edge "warning: $S/tunnels/pipe.json: JSON: .*, the tunnel is not served"
	echo '{"name":"two","domains":["acme.tunnel.example"]}' \
		>"$S/tunnels/two.json"
	wait_line edge "warning: tunnel two: domain $DOMAIN: belongs to tunnel acme, the tunnel is not served"
	echoes
}

@test "SIGHUP loads another certificate, or keeps the old one" {
	local before

	start_edge
	start_link a
	before=$(served_cert)
	edge init --renew >/dev/null
	kill -HUP "${PID[edge]}"
	wait_line edge 'certificate loaded'
	[[ $(served_cert) != "$before" ]]
	before=$(served_cert)
	echo nonsense >"$S/edge.crt"
	kill -HUP "${PID[edge]}"
	wait_line edge "warning: $S/edge.crt.*, the old certificate stays"
	eq "$(served_cert)" "$before"
	rm "$S/edge.crt"
	mkfifo "$S/edge.crt"
	kill -HUP "${PID[edge]}"
	wait_line edge "edge.crt: a pipe or device, which is read only once, the old certificate stays"
	eq "$(served_cert)" "$before"
	echoes
}

@test "a certificate that comes through a pipe is read once" {
	mv "$S/edge.crt" "$T/copy"
	mkfifo "$S/edge.crt"
	start_bg writer cp "$T/copy" "$S/edge.crt"
	start_edge
	start_link a
	echoes
}

@test "the supervisor is told when a reload begins and ends" {
	start_bg notify socat -u "UNIX-RECV:$T/notify" "CREATE:$T/states"
	wait_file "$T/notify"
	NOTIFY_SOCKET=$T/notify start_edge
	kill -HUP "${PID[edge]}"
	wait_until states_are 'READY=RELOADING=MONOTONIC_USEC=READY='
}

states_are()
{
	[[ $(tr -d '0-9\n' <"$T/states") == "$1" ]]
}

@test "SIGHUP while it starts is obeyed once it runs" {
	local fd

	cp "$S/edge.crt" "$T/edge.crt"
	rm "$S/edge.crt"
	mkfifo "$S/edge.crt"
	start_bg edge "$BIN/tunnel-edge" run --agents 127.0.0.1:0 \
		--connectors 127.0.0.1:0
	exec {fd}>"$S/edge.crt" # which waits for its reader
	kill -HUP "${PID[edge]}"
	# It is looked at a second time, for its dates.
	mv "$T/edge.crt" "$S/edge.crt"
	cat "$S/edge.crt" >&"$fd"
	exec {fd}>&-
	wait_line edge 'certificate loaded'
	stop edge
	eq "$STATUS" 0
}

served_cert()
{
	openssl s_client -connect "127.0.0.1:$CONNECTORS" </dev/null 2>/dev/null |
		openssl x509 -fingerprint -noout
}

@test "SIGTERM lets streams end and takes no new ones" {
	start_edge
	start_link a
	start_agents agents 1
	kill -TERM "${PID[edge]}"
	wait_event a '.event == "goaway" and .code == "draining"'
	wait_until not port_open 127.0.0.1 "$AGENTS"
	is_alive edge
	is_alive agents
	kill -TERM "${PID[agents]}"
	wait_exit edge
	eq "$STATUS" 0
}

not()
{
	! "$@"
}

@test "SIGTERM refuses those who were on their way in" {
	local before

	start_edge
	before=$(fd_count edge)
	start_bg agent node "$FAKES/fake-agent.mjs" \
		connect="127.0.0.1:$AGENTS" name="$NAME" part=20
	start_bg silent node "$FAKES/fake-connector.mjs" hello=no \
		edge="127.0.0.1:$CONNECTORS" ca="$S/ca.crt"
	start_bg raw node "$FAKES/fake-agent.mjs" \
		connect="127.0.0.1:$CONNECTORS" hex=16
	wait_event silent '.event == "tls"'
	wait_until fds_are $((before + 3))
	stop edge
	eq "$STATUS" 0
	wait_exit agent
	[[ $(<"$T/agent.out") == *'"alert":80,"end":"fin"'* ]]
	wait_event silent '.event == "goaway" and .code == "draining"'
	wait_exit raw
}

fds_are()
{
	(($(fd_count edge) == $1))
}

@test "--drain bounds the wait, and a second SIGTERM ends it" {
	start_edge --drain 300ms
	start_link a
	start_agents agents 1
	kill -TERM "${PID[edge]}"
	wait_exit edge
	eq "$STATUS" 0
	wait_line edge 'warning: draining: 1 streams did not end in time'
	wait_exit agents
	start_edge --drain 1h
	start_link b
	start_agents more 1
	kill -TERM "${PID[edge]}"
	wait_line edge 'draining: streams=1'
	kill -TERM "${PID[edge]}"
	wait_exit edge
	eq "$STATUS" 0
}
