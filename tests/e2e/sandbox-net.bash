# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154 # for the shell inside; set here or by the helpers

# For tests of sandbox-exec's gate: a network of their own.  "host", where
# sandbox-exec runs, and "world", where servers are, are network namespaces
# joined by one cable; host asks a name server that the tests decide about.
# Nothing leaves the machine.

# lab_open builds it once for a file; lab_enter makes it known to a test.
lab_open()
{
	local map=() name i

	((EUID == 0)) || map=(-Ur)
	T=$BATS_FILE_TMPDIR
	declare -gA PID=() READY=()
	exec {TICK}<> <(:)
	make_certs "$T" good.example '*.good.example' evil.example
	cat "$T/ca.pem" >"$T/trusted.pem"
	chmod 755 "$T"
	: >"$T/hosts"

	start_bg host unshare "${map[@]}" -nm --propagation private \
		tail -f /dev/null
	wait_until has_other_net "${PID[host]}"
	LAB_ENTER=(nsenter -t "${PID[host]}" -n -m)
	((EUID == 0)) || LAB_ENTER+=(-U --preserve-credentials)
	lab ip link set lo up
	start_ready dns "${LAB_ENTER[@]}" node "$ROOT/tests/fakes/fake-dns.mjs" \
		--ready-fd 9 --port 53 \
		good.example=203.0.113.10 \
		sub.good.example=203.0.113.10 \
		deep.sub.good.example=203.0.113.10 \
		evil.example=203.0.113.66 \
		loop.example=127.0.0.1,::1 \
		private.example=10.1.2.3 \
		meta.example=169.254.169.254 \
		mapped.example=64:ff9b::7f00:1 \
		own.example=203.0.113.1 \
		second.example=203.0.113.2 \
		any.example=198.51.100.7 any6.example=2001:db8:1::7 second6.example=2001:db8::2 \
		mixed.example=127.0.0.1,::1,169.254.169.254,203.0.113.10 \
		dead.example=203.0.113.200 silent.example=drop \
		'turns.example=203.0.113.10;127.0.0.1' \
		v6.example=2001:db8::10 \
		none.good.example.corp.example=203.0.113.10 \
		short.corp.example=203.0.113.10
	printf '%s\n' 'nameserver 127.0.0.1' 'search corp.example' \
		'options ndots:5' >"$T/resolv.conf"
	lab mount --bind "$T/resolv.conf" /etc/resolv.conf
	lab mount --bind "$T/hosts" /etc/hosts
	start_ready world "${LAB_ENTER[@]}" unshare -n node \
		"$ROOT/tests/fakes/net-lab.mjs" --ready-fd 9 \
		"$T/server.key" "$T/server.pem"
	lab ip link add cable type veth peer name far netns "${PID[world]}"
	lab ip addr add 203.0.113.1/24 dev cable
	lab ip addr add 203.0.113.2/24 dev cable
	lab ip addr add 2001:db8::1/64 dev cable nodad
	lab ip addr add 2001:db8::2/64 dev cable nodad
	lab ip link set cable up
	lab ip route add local 198.51.100.0/24 dev lo
	lab ip route add local 2001:db8:1::/64 dev lo
	lab ip route add 10.1.2.0/24 dev cable
	lab ip route add 169.254.169.254 dev cable
	world ip link set lo up
	for i in 203.0.113.10/24 203.0.113.66/24 10.1.2.3/24 10.1.2.4/24 \
		169.254.169.254/16; do
		world ip addr add "$i" dev far
	done
	world ip addr add 2001:db8::10/64 dev far nodad
	world ip link set far up
	wait_until lab_port 203.0.113.10 80
	start_bg own "${LAB_ENTER[@]}" socat TCP6-LISTEN:80,fork,reuseaddr,ipv6only=0 \
		SYSTEM:'echo host=own'
	wait_until lab_port 203.0.113.1 80
	for name in "${!PID[@]}"; do
		echo "PID[$name]=${PID[$name]}"
	done >"$T/pids"
	disown -a
	exec {TICK}<&-
}

lab_close()
{
	local name

	declare -gA PID=()
	exec {TICK}<> <(:)
	T=$BATS_FILE_TMPDIR
	# shellcheck source=/dev/null
	source "$T/pids"
	for name in "${!PID[@]}"; do
		kill -KILL "${PID[$name]}" 2>/dev/null || true
	done
}

lab_enter()
{
	tool_setup
	LAB=$BATS_FILE_TMPDIR
	declare -gA LAB_PID=()
	# shellcheck source=/dev/null
	source <(sed 's/^PID/LAB_PID/' "$LAB/pids")
	LAB_ENTER=(nsenter -t "${LAB_PID[host]}" -n -m)
	((EUID == 0)) || LAB_ENTER+=(-U --preserve-credentials)
	cd /
}

has_other_net()
{
	[[ $(readlink "/proc/$1/ns/net") != $(readlink /proc/self/ns/net) ]]
}

lab() { "${LAB_ENTER[@]}" "$@"; }

world()
{
	local pid=${PID[world]-${LAB_PID[world]-}}
	local enter=(nsenter -t "$pid" -n)

	((EUID == 0)) || enter+=(-U --preserve-credentials)
	"${enter[@]}" "$@"
}

lab_port()
{
	lab bash -c "exec 3<>/dev/tcp/$1/$2" 2>/dev/null
}

# sx STATUS OPTION... -- COMMAND...: sandbox-exec on host, with an audit file.
sx()
{
	local want=$1

	shift
	run_tool "$want" "${LAB_ENTER[@]}" "$BIN/sandbox-exec" --ro "$LAB" \
		--audit "$T/audit" "$@"
}

# decisions prints the audit's lines about the network, without what differs
# between runs.
decisions()
{
	sed -n '/"event":"net"/s/^{"time":"[^"]*","run":"[^"]*","event":"net",//p' \
		"$T/audit" | sed 's/}$//'
}

# ends prints how much each connection has moved, in the order of their ends.
ends()
{
	jq -r 'select(.event == "net-end" and .duration_ms >= 0) |
		"\(.host):\(.port) \(.sent) \(.received)"' "$T/audit"
}

# world_lines REGEX, dns_lines REGEX: how many such lines there are so far.
world_lines() { grep -Ec -- "$1" "$LAB/world.out" || true; }
dns_lines() { grep -Ec -- "$1" "$LAB/dns.out" || true; }

# tried: reads a table from standard input and sends the proxy each row from a
# sandbox that may reach good.example and what is below it.  A row:
#
#	what is sent -> the first line of the answer, as far as it can be printed
#
# What is sent is for printf's %b; ~ stands for a request's first two lines.
# Nothing of it may reach anybody, and each row leaves one line, a refusal.
tried()
{
	local table before

	table=$(cat)
	before=$(world_lines connection)
	sx 0 --allow good.example --allow '*.good.example' -- bash -c '
		get="GET http://good.example/ HTTP/1.1\r\nHost: good.example\r\n"
		while IFS= read -r row; do
			exec 3<>/dev/tcp/127.0.0.1/3128
			sent=${row% -> *}
			printf %b "${sent/"~"/$get}" >&3
			got=$(timeout 3 head -n1 <&3 | tr -cd "[:print:]")
			[[ $got == "${row##* -> }" ]] ||
				echo "GOT THROUGH? $row -> ${got:-nothing}"
		done <<<"$1"' - "$table"
	eq "$output" ''
	eq "$(decisions | grep -c '^"verdict":"deny"')" "$(wc -l <<<"$table")"
	eq "$(decisions | grep -vc '^"verdict":"deny"')" 0
	eq "$(world_lines connection)" "$before"
}

has_output()
{
	if [[ $output != *"$1"* ]]; then
		echo "want in the output: $1"
		return 1
	fi
}

has_decision()
{
	if ! decisions | grep -Fq -- "$1"; then
		echo "want a decision: $1"
		decisions
		return 1
	fi
}
