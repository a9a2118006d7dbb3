#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2016,SC2154 # for the shell inside; set by run
# The gate of sandbox-exec, tried from inside, on a network of our own.

load helpers
load sandbox-net

setup_file()
{
	requires userns node curl openssl socat jq
	lab_open
}

teardown_file() { lab_close; }
setup() { lab_enter; }

REFUSED='is refused by the sandbox:'
NO_RETRY='; do not try other ways to reach it.'

@test "an allowed name is reached over HTTPS through the proxy" {
	sx 0 --allow good.example -- curl -sS --cacert "$LAB/trusted.pem" \
		https://good.example/path
	has_output 'sni=good.example host=good.example url=/path'
	eq "$(decisions)" '"verdict":"allow","via":"connect","host":"good.example","port":443,"rule":"good.example","address":"203.0.113.10:443"'
}

@test "an allowed name is reached over HTTP, alone on its connection" {
	sx 0 --allow good.example:8080 -- curl -sSi -U user:secret \
		http://good.example:8080/a?b http://GOOD.example.:8080/c
	has_output 'host=good.example:8080 url=/a?b connection=close proxy=undefined to=203.0.113.10'
	has_output 'host=good.example:8080 url=/c connection=close'
	has_output 'Connection: close'
	eq "$(decisions | sort -u)" '"verdict":"allow","via":"http","host":"good.example","port":8080,"rule":"good.example:8080","address":"203.0.113.10:8080"'
}

@test "a body goes through in either framing, and a response to HEAD" {
	sx 0 --allow good.example -- sh -c '
		head -c 300000 /dev/zero |
			curl -sS -H "Expect:" --data-binary @- http://good.example/
		head -c 300000 /dev/zero |
			curl -sS -T - http://good.example/put
		curl -sSI http://good.example/bytes/12345'
	has_output 'url=/ connection=close proxy=undefined to=203.0.113.10 bytes=300000'
	has_output 'url=/put connection=close proxy=undefined to=203.0.113.10 bytes=300000'
	has_output '200 OK'
}

@test "a name that is not in the list is refused and never resolved" {
	sx 0 --allow good.example -- sh -c '
		curl -sS http://other-a.example/
		curl -sS https://other-b.example/
		curl -sS -x socks5h://127.0.0.1:3128 https://other-c.example/
		getent hosts other-d.example; true'
	has_output "other-a.example:80 $REFUSED not in the allow list (good.example)$NO_RETRY"
	[[ $stderr == *'response 403'* ]]
	eq "$(dns_lines other-)" 0
	has_decision '"verdict":"deny","via":"http","host":"other-a.example","port":80,"text":"other-a.example:80 is refused by the sandbox: not in the allow list (good.example); do not try other ways to reach it."'
	has_decision '"verdict":"deny","via":"connect","host":"other-b.example","port":443,"text":"other-b.example:443 is refused'
	has_decision '"verdict":"deny","via":"socks","host":"other-c.example","port":443,"text":"other-c.example:443 is refused'
	has_decision '"verdict":"deny","via":"dns","host":"other-d.example","text":"other-d.example is not resolved by the sandbox: not in the allow list; do not try other ways to resolve it."'
}

@test "SOCKS says why in its reply, and refuses UDP" {
	sx 0 --allow good.example -- bash -c '
		exec 3<>/dev/tcp/127.0.0.1/3128
		printf "\5\1\0\5\1\0\3\14evil.example\1\273" >&3
		timeout 5 cat <&3
		exec 3<>/dev/tcp/127.0.0.1/3128
		printf "\5\1\0\5\3\0\1\0\0\0\0\0\0" >&3
		timeout 5 cat <&3 | tr "\0-\37" "?"'
	has_output "evil.example:443 $REFUSED not in the allow list"
	has_output 'The sandbox has no UDP'
}

@test "an allowed name is reached through SOCKS, by name and by made-up address" {
	sx 0 --allow good.example -- sh -c '
		curl -sSk -x socks5h://127.0.0.1:3128 https://good.example/1
		curl -sSk -x socks5://127.0.0.1:3128 https://good.example/2'
	has_output 'sni=good.example host=good.example url=/1'
	has_output 'sni=good.example host=good.example url=/2'
	has_decision '"verdict":"allow","via":"socks","host":"good.example","port":443,"rule":"good.example","address":"203.0.113.10:443"'
}

@test "another port of an allowed name is refused" {
	sx 0 --allow good.example:8443 -- sh -c '
		curl -sSk https://good.example:8443/
		curl -sSk http://good.example/'
	has_output 'sni=good.example host=good.example:8443'
	has_output "good.example:80 $REFUSED the port is not in the allow list (good.example:8443)"
}

@test "a wildcard is every name below, and not the name" {
	sx 0 --allow '*.good.example' -- sh -c '
		for h in sub.good.example deep.sub.good.example good.example \
			xgood.example; do curl -sS "http://$h/"; done'
	has_output 'host=sub.good.example'
	has_output 'host=deep.sub.good.example'
	has_output "good.example:80 $REFUSED not in the allow list (*.good.example)"
	has_output "xgood.example:80 $REFUSED"
}

@test "a range is its addresses with its port" {
	sx 0 --allow 10.1.2.0/30:5432 -- bash -c '
		try() { timeout 3 bash -c "exec 3<>/dev/tcp/$1/$2 && head -n1 <&3" 2>&1; }
		try 10.1.2.3 5432
		try 10.1.2.4 5432
		curl -sS http://10.1.2.3/
		echo | timeout 3 socat -t1 - PROXY:127.0.0.1:10.1.2.3:5432,proxyport=3128'
	has_output 'hello from 10.1.2.3'
	[[ $output != *'hello from 10.1.2.4'* ]]
	has_output "10.1.2.3:80 $REFUSED the port is not in the allow list (10.1.2.0/30:5432)"
	has_decision '"verdict":"allow","via":"capture","host":"10.1.2.3","port":5432,"rule":"10.1.2.0/30:5432","address":"10.1.2.3:5432"'
	has_decision '"verdict":"deny","via":"capture","host":"10.1.2.4","port":5432'
	has_decision '"verdict":"allow","via":"connect","host":"10.1.2.3","port":5432'
}

@test "a name with a private address needs a range that has it" {
	sx 0 --allow private.example -- curl -sS http://private.example/
	has_output "private.example:80 $REFUSED its address 10.1.2.3 is a private address$NO_RETRY"
	sx 0 --allow private.example --allow 10.1.2.3:443 -- \
		curl -sS http://private.example/
	has_output 'is a private address'
	sx 0 --allow private.example --allow 10.0.0.0/8:80 -- \
		curl -sS http://private.example/
	has_output 'host=private.example url=/ connection=close proxy=undefined to=10.1.2.3'
}

@test "loopback, metadata and what carries them are refused in every case" {
	local before
	before=$(world_lines 'connection 169')
	sx 0 --allow loop.example --allow meta.example --allow mapped.example \
		--allow 0.0.0.0/0 --allow ::/0 -- sh -c '
		for h in loop meta mapped; do curl -sS "http://$h.example/"; done
		curl -sS -m 5 http://169.254.169.254/latest/
		curl -sS -m 5 --noproxy "*" http://169.254.169.254/latest/
		curl -sS -m 5 "http://[fe80::1]/" "http://[::ffff:169.254.169.254]/"
		curl -sS -m 5 --noproxy "" http://127.0.0.1/ http://0.0.0.0/ "http://[::1]/"'
	has_output "loop.example:80 $REFUSED its address 127.0.0.1 is a loopback address"
	has_output "meta.example:80 $REFUSED its address 169.254.169.254 is a cloud metadata address"
	has_output "mapped.example:80 $REFUSED its address 64:ff9b::7f00:1 (it carries 127.0.0.1) is a loopback address"
	has_output "169.254.169.254:80 $REFUSED 169.254.169.254 is a cloud metadata address"
	has_output "[fe80::1]:80 $REFUSED fe80::1 is a link-local address"
	has_output "127.0.0.1:80 $REFUSED 127.0.0.1 is a loopback address"
	has_output "0.0.0.0:80 $REFUSED 0.0.0.0 is an unspecified address"
	has_output "[::1]:80 $REFUSED ::1 is a loopback address"
	eq "$(world_lines 'connection 169')" "$before"
	eq "$(decisions | grep -c '"verdict":"allow"')" 0
}

@test "the machine's own address is refused unless a range has it" {
	sx 0 --allow own.example -- sh -c 'curl -sS http://own.example/'
	has_output "own.example:80 $REFUSED it is the machine that the sandbox runs on$NO_RETRY"
	sx 0 --allow second.example --allow second6.example \
		--allow any.example --allow any6.example -- sh -c '
		for n in second second6 any any6; do
			curl -sS http://$n.example/
		done'
	eq "$(grep -c "80 $REFUSED it is the machine" <<<"$output")" 4
	sx 0 --allow own.example --allow 203.0.113.1:80 -- \
		curl -sS http://own.example/
	has_decision '"verdict":"allow","via":"http","host":"own.example","port":80,"rule":"own.example","address":"203.0.113.1:80"'
}

@test "of many addresses those that do not pass are left out" {
	sx 0 --allow mixed.example -- curl -sS http://mixed.example/
	has_output 'host=mixed.example'
	eq "$(decisions)" '"verdict":"allow","via":"http","host":"mixed.example","port":80,"rule":"mixed.example","address":"203.0.113.10:80"'
}

@test "an answer that changes is judged each time it is used" {
	sx 0 --allow turns.example -- sh -c '
		curl -sS http://turns.example/
		curl -sS http://turns.example/
		getent hosts turns.example'
	has_output 'host=turns.example url=/'
	has_output "turns.example:80 $REFUSED its address 127.0.0.1 is a loopback address"
	[[ $output != *'127.0.0.1  '* ]]
}

@test "a TLS name that is not the one decided about is refused" {
	local before
	before=$(world_lines 'request')
	sx 0 --allow good.example -- sh -c '
		curl -sSk --connect-to evil.example:443:good.example:443 https://evil.example/
		curl -sSk --noproxy "*" --connect-to evil.example:443:good.example:443 https://evil.example/
		openssl s_client -proxy 127.0.0.1:3128 -connect good.example:443 \
			-noservername </dev/null 2>&1 | grep -i alert; true'
	eq "$(world_lines request)" "$before"
	has_decision '"verdict":"deny","via":"connect","host":"good.example","port":443,"rule":"good.example","text":"good.example:443 is refused by the sandbox: the TLS server name is evil.example, not good.example'
	has_decision '"verdict":"deny","via":"capture","host":"good.example","port":443,"rule":"good.example","text":"good.example:443 is refused by the sandbox: the TLS server name is evil.example'
	has_decision 'its TLS hello is not accepted: no server name'
	[[ $stderr == *'unrecognized name'* || $stderr == *alert* ]]
}

@test "what is neither TLS nor HTTP needs an opaque entry" {
	sx 0 --allow good.example:5432 -- bash -c '
		exec 3<>/dev/tcp/good.example/5432
		printf "\1\2\3\n" >&3
		timeout 5 cat <&3; true'
	[[ $output != *hello* ]]
	has_decision 'what is sent is neither TLS nor HTTP; anything else needs an entry tcp:good.example:5432'
	sx 0 --allow tcp:good.example:5432 -- bash -c '
		exec 3<>/dev/tcp/good.example/5432
		head -n1 <&3'
	has_output 'hello from 203.0.113.10'
}

@test "port 443 speaks TLS and nothing else" {
	sx 0 --allow good.example -- bash -c '
		curl -sS -m 5 -p -x http://127.0.0.1:3128 http://good.example:443/; true'
	has_output 'what is sent is not TLS'
}

@test "a request for another Host is refused on a captured connection" {
	local before
	before=$(world_lines 'request GET evil')
	sx 0 --allow good.example -- sh -c '
		curl -sS --noproxy "*" -H "Host: evil.example" http://good.example/
		curl -sS -p -x http://127.0.0.1:3128 -H "Host: evil.example" http://good.example/'
	has_output "good.example:80 $REFUSED the request's Host is not good.example"
	eq "$(world_lines 'request GET evil')" "$before"
}

@test "an absolute URL with another Host than its own is refused" {
	sx 0 --allow good.example -- bash -c '
		exec 3<>/dev/tcp/127.0.0.1/3128
		printf "GET http://good.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n" >&3
		timeout 5 head -n1 <&3'
	has_output 'HTTP/1.1 400 target: names another host than Host'
}

@test "a second request on a connection is never forwarded" {
	local before
	before=$(world_lines 'request GET .*smuggled')
	sx 0 --allow good.example -- bash -c '
		exec 3<>/dev/tcp/127.0.0.1/3128
		printf "GET http://good.example/ HTTP/1.1\r\nHost: good.example\r\n\r\nGET http://evil.example/smuggled HTTP/1.1\r\nHost: evil.example\r\n\r\n" >&3
		timeout 5 cat <&3
		exec 3<>/dev/tcp/127.0.0.1/3128
		printf "POST http://good.example/ HTTP/1.1\r\nHost: good.example\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: good.example\r\n\r\n" >&3
		timeout 5 head -n1 <&3'
	has_output 'host=good.example url=/'
	has_output '400 Content-Length and Transfer-Encoding together'
	eq "$(world_lines 'request GET .*smuggled')" "$before"
}

@test "nothing is told to a name server outside" {
	local datagrams

	datagrams=$(world_lines datagram)
	sx 0 --allow '*.good.example' -- bash -c '
		curl -sS http://sub.good.example/
		getent hosts secret.evil.example
		getent hosts secret.good.example
		exec 3<>/dev/udp/127.0.0.53/53
		printf "\1\2\1\0\0\1\0\0\0\0\0\0\6secret\4evil\7example\0\0\20\0\1" >&3
		timeout 2 head -c 12 <&3 | od -An -tx1
		for ip in 203.0.113.10 203.0.113.1 8.8.8.8; do
			echo x 2>/dev/null >/dev/udp/$ip/53
		done; true'
	has_output '01 02 85 83 00 01 00 00 00 00 00 00'
	has_output 'secret.good.example'
	(($(dns_lines 'sub[.]good') > 0))
	eq "$(dns_lines secret)" 0
	eq "$(world_lines datagram)" "$datagrams"
}

@test "DNS is answered over TCP too" {
	sx 0 --allow good.example -- bash -c '
		exec 3<>/dev/tcp/127.0.0.53/53
		printf "\0\36\1\2\1\0\0\1\0\0\0\0\0\0\4good\7example\0\0\1\0\1" >&3
		timeout 2 head -c 48 <&3 | od -An -v -tx1 | tr -d "\n"'
	has_output '01 02 85 80 00 01 00 01'
	has_output 'c6 12 00 01'
}

@test "a program that knows no proxy is taken over, with IPv4 and IPv6" {
	sx 0 --allow good.example -- sh -c '
		unset $(env | sed -n "s/^\([^=]*_proxy\)=.*/\1/ip")
		curl -4 -sS http://good.example/4
		curl -6 -sS http://good.example/6
		curl -4 -sS --cacert '"$LAB"'/trusted.pem https://good.example/s4
		curl -6 -sS --cacert '"$LAB"'/trusted.pem https://good.example/s6'
	has_output 'host=good.example url=/4'
	has_output 'host=good.example url=/6'
	has_output 'sni=good.example host=good.example url=/s4'
	has_output 'sni=good.example host=good.example url=/s6'
	eq "$(decisions | grep -v '"via":"dns"' | grep -c '"verdict":"allow","via":"capture"')" 4
}

@test "a captured connection to an address that nobody allowed is told so" {
	sx 0 --allow good.example -- sh -c '
		curl -sS --noproxy "*" http://203.0.113.66/
		curl -sS --noproxy "*" "http://[2001:db8::10]/"
		curl -sSk --noproxy "*" https://203.0.113.66/; true'
	has_output "203.0.113.66:80 $REFUSED not in the allow list"
	has_output "[2001:db8::10]:80 $REFUSED not in the allow list"
	[[ $stderr == *'unrecognized name'* ]]
	eq "$(world_lines 'connection 203.0.113.66')" 0
}

@test "UDP goes nowhere, QUIC neither" {
	local datagrams

	datagrams=$(world_lines datagram)
	sx 0 --allow good.example --allow good.example:4433 -- bash -c '
		for ip in 203.0.113.10 2001:db8::10 good.example; do
			exec 3<>/dev/udp/$ip/4433
			echo x >&3
			echo y >&3 && echo "sent to $ip"
		done 2>&1 | grep -c refused'
	eq "$(world_lines datagram)" "$datagrams"
	# From outside it would have come there.
	lab bash -c 'echo x >/dev/udp/203.0.113.10/4433'
	wait_until said datagram $((datagrams + 1))
}

@test "IPv6 is the same as IPv4" {
	sx 0 --allow v6.example --allow '[2001:db8::/64]:8080' -- sh -c '
		curl -sS http://v6.example/
		curl -sS "http://[2001:db8::10]:8080/"
		curl -sS --noproxy "*" "http://[2001:db8::10]:8080/"
		curl -sS "http://[2001:db8::10]/"'
	has_output 'host=v6.example url=/ connection=close proxy=undefined to=2001:db8::10'
	has_output 'host=[2001:db8::10]:8080'
	has_output "[2001:db8::10]:80 $REFUSED the port is not in the allow list"
}

@test "an empty list allows nothing" {
	sx 0 --net allow -- sh -c '
		curl -sS http://good.example/
		curl -sS --noproxy "*" http://203.0.113.10/
		getent hosts good.example || echo none'
	has_output "good.example:80 $REFUSED the allow list is empty"
	has_output "203.0.113.10:80 $REFUSED the allow list is empty"
	has_output none
}

@test "a server that is not there is told from one that is not allowed" {
	sx 0 --allow tcp:good.example:9 --allow gone.example -- sh -c '
		curl -sS http://gone.example/
		curl -sS http://good.example:9/'
	has_output 'gone.example port 80 is allowed but could not be reached: gone.example: Domain name not found.'
	has_output 'good.example port 9 is allowed but could not be reached: Connection refused.'
	has_decision '"verdict":"fail","via":"http","host":"gone.example","port":80,"rule":"gone.example"'
}

@test "names that mean something else to another reader are refused" {
	sx 0 --allow good.example -- bash -c '
		ask() {
			exec 3<>/dev/tcp/127.0.0.1/3128
			printf "CONNECT %b HTTP/1.1\r\n\r\n" "$1" >&3
			timeout 3 head -n1 <&3
		}
		ask "evil.example\\0.good.example:443"
		ask "good.example@evil.example:443"
		ask "2130706433:80"; ask "0x7f.1:80"; ask "0177.0.0.1:80"
		ask "good.example:443:443"; ask "[::1%25lo]:80"; ask "good.example"
		ask "good.example:0"; ask ":443"; ask "good.example..:443"' 
	eq "$(grep -c '^HTTP/1.1 40[03]' <<<"$output")" 11
	eq "$(decisions | grep -c '"verdict":"allow"')" 0
}

@test "large transfers go both ways at the pace of the slower" {
	sx 0 --allow tcp:good.example:5432 --allow good.example -- bash -c '
		curl -sSk https://good.example/bytes/50000000 | wc -c
		curl -sS http://good.example/bytes/50000000 | wc -c
		cd /tmp && head -c 20000000 /dev/urandom >in
		socat -t 20 - TCP:good.example:5432 <in | tail -c +25 | cmp - in && echo same' 
	eq "$(grep -c '^50000000$' <<<"$output")" 2
	[[ $output == *same* ]]
}

@test "many connections at once are all served" {
	sx 0 --allow good.example -- bash -c '
		urls=(); for i in {1..600}; do urls+=("http://good.example/$i"); done
		curl -sS -Z --parallel-max 200 "${urls[@]}" | grep -c host=good.example'
	eq "$output" 600
}

# ask VERB CHUNKS TAG opens descriptor 3, numbers N are what then comes.
ASK='ask() { exec 3<>/dev/tcp/good.example/5433; echo "$*" >&3; }
	numbers() {
		for ((i = 0; i < $1; i++)); do seq -f %015.0f 1 1048576; done
	}
	'

said() { (($(world_lines "$1") >= ${2-1})); }

@test "either side can end first, and the other goes on" {
	start_sandbox bash -c "$ASK"'
		ask send 512 ends-first
		cmp <(numbers 2) - <&3 && echo same
		head -c 30000000 /dev/zero >&3
		exec 3>&-
		(printf "send 512 ends-last\n"; head -c 30000000 /dev/zero) |
			socat -t 20 - TCP:good.example:5433 | cmp <(numbers 2) - &&
			echo same
		read -r _ <'"'$T/wait'"
	wait_until said '^over ends-first 30000000 end$'
	wait_until said '^over ends-last 30000000 end$'
	echo >"$T/wait"
	wait_exit run
	eq "$(uniq -c "$T/run.out" | xargs)" '2 same'
	eq "$(ends)" 'good.example:5433 30000020 33554432
good.example:5433 30000019 33554432'
}

@test "what a command sent before it ended arrives" {
	local n

	for n in 1 2 3; do
		sx 0 --allow tcp:good.example:5433 -- bash -c "$ASK"'
			ask send 0 last-'"$n"'
			head -c 30000000 /dev/zero >&3'
		wait_until said "^over last-$n 30000000 end\$"
		sx 0 --allow tcp:good.example:5433 -- bash -c \
			"echo send 0 short-$n >/dev/tcp/good.example/5433"
		wait_until said "^over short-$n 0 end\$"
	done
	eq "$(ends | sort | uniq -c | xargs)" \
		'3 good.example:5433 15 0 3 good.example:5433 30000014 0'
}

@test "a connection that is refused has no end" {
	sx 22 --allow good.example -- curl -sSf http://other.example/
	[[ $(decisions) == *'"verdict":"deny"'* ]]
	eq "$(ends)" ''
}

@test "what is open at the end of the command is counted too" {
	sx 0 --allow tcp:good.example:5433 -- bash -c "$ASK"'
		ask send 16 counted
		head -c 1048576 <&3 | cmp <(numbers 1 | head -c 1048576) -'
	[[ $(ends) == "good.example:5433 16 "[1-9]* ]]
}

@test "a server that breaks off is no end of file" {
	sx 0 --allow tcp:good.example:5433 -- bash -c "$ASK"'
		ask reset 512 breaks
		cat <&3 >/dev/null && echo complete
		ask reset 1 breaks
		timeout 60 cat /dev/zero >&3
		echo "$?"'
	eq "$output" 1
	eq "$(grep -c 'Connection reset by peer' <<<"$stderr")" 2
}

@test "a client that breaks off is no end of file" {
	sx 0 --allow tcp:good.example:5433 -- bash -c "$ASK"'
		ask send 512 broken
		head -c 1000000 <&3 >/dev/null'
	wait_until said '^over broken 0 (ECONNRESET|EPIPE)$'
}

@test "a slow reader holds its server up, and loses nothing" {
	start_sandbox bash -c "$ASK"'
		ask send 2048 slow
		read -r _ <'"'$T/wait'"'
		cmp <(numbers 8) - <&3 && echo same'
	wait_until said '^settled slow '
	(($(sed -n 's/^settled slow //p' "$LAB/world.out") < 1024))
	has_sanitizer ||
		(($(awk '/^VmRSS:/{print $2}' "/proc/$GATE/status") < 8192))
	echo >"$T/wait"
	wait_exit run
	eq "$(<"$T/run.out")" same
}

@test "more slow readers than there are pipes are all served" {
	start_sandbox bash -c '
		for i in {1..40}; do
			exec {fd}<>/dev/tcp/good.example/5433
			echo "send 128 many" >&$fd
			fds+=($fd)
		done
		read -r _ <'"'$T/wait'"'
		curl -sSk https://good.example/bytes/50000000 | wc -c
		for fd in "${fds[@]}"; do wc -c <&$fd; done'
	wait_until said '^settled many ' 40
	(($(awk '/^VmRSS:/{print $2}' "/proc/$GATE/status") < 16384))
	echo >"$T/wait"
	wait_exit run
	eq "$(sort "$T/run.out" | uniq -c | xargs)" '1 50000000 40 8388608'
}

# The gate's process of the sandbox-exec that runs as "run".
find_gate()
{
	local p

	for p in $(pgrep -P "${PID[run]}"); do
		[[ $(awk '/^Seccomp:/{print $2}' "/proc/$p/status") == 2 &&
			$(cat "/proc/$p/comm") == sandbox-exec ]] && GATE=$p
	done
	[[ ${GATE-} ]]
}

start_sandbox()
{
	mkfifo "$T/wait"
	start_bg run "${LAB_ENTER[@]}" "$BIN/sandbox-exec" --audit "$T/audit" \
		--ro "$T" --allow good.example --allow tcp:good.example:5433 \
		-- "$@"
	wait_until find_gate
}

@test "the gate has no rights, and ends with its supervisor" {
	start_sandbox bash -c "read -r _ <'$T/wait'"
	run -0 cat "/proc/$GATE/status"
	[[ $output == *$'NoNewPrivs:\t1'* && $output == *$'CapEff:\t0000000000000000'* ]]
	((EUID != 0)) || [[ $output == *$'Uid:\t65534'* ]]
	kill -KILL "${PID[run]}"
	wait_until is_over "$GATE"
	wait_exit run
}

# As Ctrl-C of a terminal: to every process of the group.
@test "a signal to the process group leaves the gate to who lives on" {
	local signal

	LAB_ENTER=(setsid env --default-signal "${LAB_ENTER[@]}")
	for signal in INT HUP QUIT USR1 USR2; do
		rm -f "$T/wait"
		start_sandbox bash -c "trap 'echo $signal' $signal
			echo ready
			until read -r _ <'$T/wait'; do :; done
			curl -sS -m 5 http://good.example/ >/dev/null; echo \$?"
		wait_until has_line "$T/run.out" '^ready$'
		kill "-$signal" -- "-${PID[run]}"
		wait_until has_line "$T/run.out" "^$signal\$"
		echo >"$T/wait"
		wait_exit run
		eq "$(tail -n 1 "$T/run.out")" 0
	done
}

# Who may write to the disk that the audit file is on can fill it.
@test "what cannot be audited is not allowed" {
	requires jq
	mkdir "$T/small"
	lab mount -t tmpfs -o size=64k tmpfs "$T/small"
	lab mkdir -m 777 "$T/small/w"
	run_tool 0 "${LAB_ENTER[@]}" "$BIN/sandbox-exec" --audit \
		"$T/small/audit" --rw "$T/small/w" --workdir "$T/small/w" \
		--allow good.example -- sh -c '
		ask() { curl -sS -m 5 http://good.example/$1 >/dev/null 2>&1; }
		ask first && echo first
		head -c 1000000 /dev/zero >fill 2>/dev/null
		for i in $(seq 100); do ask full; done || echo refused
		ask full || echo refused
		rm fill
		ask last && echo last'
	eq "$output" $'first\nrefused\nrefused\nlast'
	# At most one line is not whole, and none has another one in it.
	run -0 lab jq -rR '(fromjson? // {event: "torn"}) | .event + " " +
		(.verdict // "")' "$T/small/audit"
	lab umount "$T/small"
	eq "$(sort -u <<<"$output" | sed '/^torn/d' | tr '\n' ,)" \
		'end ,net allow,net-end ,net-skipped ,start ,'
	(($(grep -c '^torn' <<<"$output") <= 1))
	eq "$(world_lines 'url=/last')" "$(world_lines 'url=/first')"
}

@test "without the gate nothing is reached" {
	start_sandbox bash -c "read -r _ <'$T/wait'; curl -sS -m 5 http://good.example/; echo \$?"
	kill -KILL "$GATE"
	wait_until is_over "$GATE"
	echo >"$T/wait"
	wait_exit run
	eq "$(<"$T/run.out")" 7
}
