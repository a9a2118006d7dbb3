# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # set here or by run for the tests

# What every .bats file loads: the programs through $BIN, a clean environment,
# background processes that end with their test and whose logs are shown when
# it fails, waiting with a deadline, certificates.
#
# A file with a setup or teardown of its own calls tool_setup and
# tool_teardown in it.

bats_require_minimum_version 1.5.0

ROOT=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
BIN=${BIN:-$ROOT/build/bin}
DEADLINE=${DEADLINE:-20} # seconds that any one thing may take

setup() { tool_setup; }
teardown() { tool_teardown; }

tool_setup()
{
	local v

	for v in $(compgen -e); do
		case ${v^^} in
		*_PROXY | NOTIFY_SOCKET | TUNNEL_* | MCP_PROXY_* | FRAME_DUMP_* | \
			SANDBOX_* | ANTHROPIC_*)
			unset "$v"
			;;
		esac
	done
	export LC_ALL=C TZ=UTC HOME=$BATS_TEST_TMPDIR
	T=$BATS_TEST_TMPDIR
	declare -gA PID=() READY=()
	CRASHED=()
	exec {TICK}<> <(:)
}

# tool_teardown has to be the last of a teardown: its status is the test's.
tool_teardown()
{
	local name f

	for name in "${!PID[@]}"; do
		stop "$name" TERM 5 || true
	done
	for f in "$T"/*.err; do
		if [[ -e $f ]] && grep -aq "$SANITIZER_SAID" "$f"; then
			CRASHED+=("${f##*/}: a sanitizer found something")
		fi
	done
	[[ ! ${BATS_TEST_COMPLETED-} ]] || ((${#CRASHED[@]} > 0)) || return 0
	for f in "$T"/*.err; do
		[[ -s $f ]] || continue
		echo "---- ${f##*/}"
		tail -n 60 "$f"
	done
	((${#CRASHED[@]} == 0)) || {
		printf '%s\n' "${CRASHED[@]}"
		return 1
	}
}

# now_ms sets NOW.
now_ms()
{
	NOW=${EPOCHREALTIME/./}
	NOW=${NOW%???}
}

# pause waits a moment between two looks at something.
pause()
{
	read -r -t 0.02 -u "$TICK" _ || true
}

# wait_until [-t SECONDS] COMMAND...: until it succeeds.
wait_until()
{
	local limit=$DEADLINE end

	if [[ $1 == -t ]]; then
		limit=$2
		shift 2
	fi
	now_ms
	end=$((NOW + limit * 1000))
	until "$@"; do
		now_ms
		if ((NOW > end)); then
			echo "not within $limit s: $*"
			return 1
		fi
		pause
	done
}

has_line()
{
	grep -Eq -- "$2" "$1" 2>/dev/null
}

# wait_line NAME REGEX [SECONDS]: until a background process has written such
# a line to its standard error.
wait_line()
{
	wait_until -t "${3:-$DEADLINE}" has_line "$T/$1.err" "$2"
}

is_file() { [[ -e $1 ]]; }

# wait_file PATH [SECONDS]
wait_file()
{
	wait_until -t "${2:-$DEADLINE}" is_file "$1"
}

port_open()
{
	(exec {c}<>"/dev/tcp/$1/$2") 2>/dev/null
}

# wait_port HOST PORT [SECONDS]: until something listens there.
wait_port()
{
	wait_until -t "${3:-$DEADLINE}" port_open "$1" "$2"
}

# start_bg NAME COMMAND...: its standard output and error go to $T/NAME.out
# and $T/NAME.err, its pid to PID[NAME].
start_bg()
{
	local name=$1

	shift
	"$@" </dev/null >"$T/$name.out" 2>"$T/$name.err" 3>&- &
	PID[$name]=$!
}

# start_ready NAME COMMAND...: like start_bg, for a command that has
# "--ready-fd 9" among its arguments; waits for the line that it writes there
# and sets READY[NAME] to it.
start_ready()
{
	local name=$1 fifo=$T/$1.ready fd line

	shift
	rm -f "$fifo"
	mkfifo "$fifo"
	"$@" </dev/null >"$T/$name.out" 2>"$T/$name.err" 3>&- 9>"$fifo" &
	PID[$name]=$!
	exec {fd}<"$fifo"
	if ! read -r -t "$DEADLINE" -u "$fd" line; then
		echo "$name is not ready: $*"
		exec {fd}<&-
		return 1
	fi
	exec {fd}<&-
	READY[$name]=$line
}

# start_again NAME COMMAND...: start_ready, on ports that it had before.  Another
# test may have got one of them meanwhile, and gives it back.
start_again()
{
	wait_until start_ready "$@"
}

# ready_get NAME KEY prints the value of KEY=VALUE in what start_ready read.
ready_get()
{
	local word

	for word in ${READY[$1]}; do
		if [[ $word == "$2="* ]]; then
			echo "${word#*=}"
			return 0
		fi
	done
	echo "no $2 in '${READY[$1]}'" >&2
	return 1
}

# is_over PID: it does not exist or waits to be collected.
is_over()
{
	local stat

	read -r stat 2>/dev/null <"/proc/$1/stat" || return 0
	stat=${stat##*) }
	[[ ${stat%% *} == [ZX] ]]
}

is_alive() { ! is_over "${PID[$1]}"; }

# wait_exit NAME [SECONDS]: until it ends; sets STATUS.
wait_exit()
{
	local pid=${PID[$1]}

	wait_until -t "${2:-$DEADLINE}" is_over "$pid" || return 1
	STATUS=0
	wait "$pid" || STATUS=$?
	unset "PID[$1]"
	# SIGILL to SIGFPE, SIGSEGV, SIGSYS: nobody sends these to it.
	case $STATUS in
	13[2-6] | 139 | 159) CRASHED+=("$1: ended with status $STATUS") ;;
	esac
}

# stop NAME [SIGNAL] [SECONDS]: ends it, by force when it does not obey in
# time, and then fails; sets STATUS.
stop()
{
	local pid=${PID[$1]}

	kill -"${2:-TERM}" "$pid" 2>/dev/null || true
	if wait_exit "$1" "${3:-$DEADLINE}"; then
		return 0
	fi
	kill -KILL "$pid" 2>/dev/null || true
	wait_exit "$1"
	echo "$1 did not end on SIG${2:-TERM}"
	return 1
}

# run_tool STATUS COMMAND...: bats' run, with both streams apart and shown
# when the test fails; the command must end with STATUS.
run_tool()
{
	local want=$1

	shift
	run --separate-stderr "$@" </dev/null
	echo "\$ $*"
	echo "status $status"
	printf '%s' "${output:+stdout: $output
}${stderr:+stderr: $stderr
}"
	if ((status != want)); then
		echo "want status $want"
		return 1
	fi
	# A sanitizer's status is 1, as that of many an error is.
	if grep -q "$SANITIZER_SAID" <<<"$stderr"; then
		echo "a sanitizer found something"
		return 1
	fi
}

# one_error REGEX: run_tool's command wrote one line on standard error, and
# it matches.
one_error()
{
	if ((${#stderr_lines[@]} != 1)) || [[ ! ${stderr_lines[0]} =~ $1 ]]; then
		echo "want one line on standard error that matches: $1"
		return 1
	fi
}

# eq GOT WANT
eq()
{
	if [[ $1 != "$2" ]]; then
		printf 'got:  %s\nwant: %s\n' "$1" "$2"
		return 1
	fi
}

# are_gone FILE...: none of them is there any more.
are_gone()
{
	local f

	for f; do
		[[ ! -e $f ]] || return 1
	done
}

# no_sandbox_group: there is no control group of a sandbox that ended.  They are
# named for their supervisors; those of other tests come and go.
no_sandbox_group()
{
	local dir

	while read -r dir; do
		[[ -d /proc/${dir##*-} || ! -d $dir ]] || return 1
	done < <(find /sys/fs/cgroup -maxdepth 6 -type d \
		-name 'sandbox-exec-*' 2>/dev/null)
}

# make_ca DIR [NAME]: DIR/ca.pem and ca.key.
make_ca()
{
	mkdir -p "$1"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$1/ca.key" -out "$1/ca.pem" -days 2 -subj "/CN=${2:-test CA}" \
		-addext basicConstraints=critical,CA:TRUE \
		-addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
}

# make_cert DIR NAME USAGE SAN...: DIR/NAME.pem and NAME.key, signed by DIR's
# CA.  USAGE is serverAuth or clientAuth; a SAN is DNS:name or IP:address.
make_cert()
{
	local dir=$1 name=$2 usage=$3 san

	shift 3
	san=$(IFS=,; echo "${*:-DNS:$name}")
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$dir/$name.key" -out "$dir/$name.csr" -subj "/CN=$name" \
		2>/dev/null
	openssl x509 -req -in "$dir/$name.csr" -CA "$dir/ca.pem" \
		-CAkey "$dir/ca.key" -CAcreateserial -days 2 -out "$dir/$name.pem" \
		-extfile <(printf '%s\n' "subjectAltName=$san" \
			"extendedKeyUsage=$usage" "keyUsage=critical,digitalSignature" \
			"basicConstraints=critical,CA:FALSE") 2>/dev/null
	chmod 600 "$dir/$name.key"
}

# make_certs DIR HOST...: a CA and DIR/server.pem, server.key for the names
# and 127.0.0.1.
make_certs()
{
	local dir=$1

	shift
	make_ca "$dir"
	make_cert "$dir" server serverAuth "${@/#/DNS:}" IP:127.0.0.1
}

SANITIZER_SAID='runtime error:\|ERROR: [A-Za-z]*Sanitizer'

# Which has memory of its own, and wants each process to have its own.
has_sanitizer() { grep -qa __asan_init "$BIN"/* 2>/dev/null; }

# requires WORD...: skips the test where the machine lacks something.
requires()
{
	local word

	for word; do
		case $word in
		root) ((EUID == 0)) || skip "needs root" ;;
		not-root) ((EUID != 0)) || skip "root may do everything" ;;
		ipv6)
			[[ -s /proc/net/if_inet6 ]] || skip "needs IPv6"
			;;
		git | node | npm | openssl | socat | jq | curl | xxd)
			command -v "$word" >/dev/null || skip "needs $word"
			;;
		userns)
			unshare --user --map-root-user --net --mount true 2>/dev/null ||
				skip "needs user namespaces"
			;;
		full) # /dev/full, which takes no byte
			[[ -c /dev/full ]] || skip "needs /dev/full"
			;;
		no-sanitizer)
			! has_sanitizer ||
				skip "looks at what is otherwise with a sanitizer"
			;;
		*)
			echo "requires: unknown word '$word'"
			return 1
			;;
		esac
	done
}

# fd_count NAME and rss_kib NAME print about a background process.
fd_count()
{
	local fds=("/proc/${PID[$1]}/fd"/*)

	echo "${#fds[@]}"
}

rss_kib()
{
	awk '/^VmRSS:/ {print $2}' "/proc/${PID[$1]}/status"
}
