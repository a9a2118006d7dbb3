#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2154,SC2034,SC2016,SC2030,SC2031

# Attempts to get out of the sandbox, to learn what it hides, to stay when it
# ends, to take more than it grants, to reach the network.  Each is one line,
# `what is tried: command -> expected result`, made as the caller, which is
# root where the tests run as root, and then also as an ordinary user.  The
# same attempts run under bubblewrap for contrast where that is installed.

load helpers
load sandbox-attack

setup_file()
{
	A=$BATS_FILE_TMPDIR/attacks
	mkdir -p "$A"
	make_attack "$A"
	chmod 755 "$A"
	export A
}

setup()
{
	tool_setup
	requires userns
	BOX=$BIN/sandbox-exec
	USERS=(self)
	OPTIONS=()
	BWRAP_OPTIONS=()
	CONTRAST=0
	chmod 755 "$T" "$BATS_FILE_TMPDIR"
	if ((EUID == 0)); then
		make_user
		USERS+=(user)
		if command -v bwrap >/dev/null; then
			CONTRAST=1
		fi
	fi
}

teardown_file()
{
	local log=$BATS_FILE_TMPDIR/contrast

	[[ -s $log ]] || return 0
	printf '# bubblewrap, as an ordinary user: %d of %d attempts %s; %d %s\n' \
		"$(grep -cvx same "$log")" "$(wc -l <"$log")" \
		'end otherwise than here' "$(grep -c ': ok$' "$log")" \
		'get through' >&3
}

# workspace: $W, writable for whoever runs the attempt.
workspace()
{
	W=$T/ws
	mkdir -p "$W" "$T/bwrap"
	chmod 777 "$W" "$T/bwrap"
	OPTIONS+=(--rw "$W" --workdir "$W")
	BWRAP_OPTIONS+=(--bind "$T/bwrap" "$W" --chdir "$W")
}

@test "escape: new namespaces" {
	attempts <<-'END'
	user namespace by clone: attack clone-user -> EPERM
	the same with high bits set: attack clone-user-high -> EPERM
	user namespace by clone3: attack clone3-user -> ENOSYS
	user namespace by unshare: attack unshare-user -> EPERM
	mount namespace by unshare: attack unshare-mount -> EPERM
	network namespace by unshare: attack unshare-net -> EPERM
	time namespace by unshare: attack unshare-time -> EPERM
	joining init's namespaces: attack setns-init -> ENOENT|EACCES|EPERM
	joining one's own: attack setns-self -> EPERM
	unshare(1): unshare -Ur true 2>&1 -> .*Operation not permitted
	END
}

@test "escape: mounts and roots" {
	attempts <<-'END'
	mounting a tmpfs: attack mount-tmpfs -> EPERM
	mounting over /usr: attack mount-bind -> EPERM
	making the root writable: attack remount-root -> EPERM
	taking /proc away: attack unmount /proc -> EPERM
	taking the root away: attack unmount / -> EPERM
	the new mount interface, a file system: attack fsopen -> EPERM
	the new mount interface, a clone: attack open-tree -> EPERM
	the new mount interface, a move: attack move-mount -> EPERM
	the new mount interface, flags: attack mount-setattr -> EPERM
	another root by pivot_root: attack pivot-root -> EPERM
	another root by chroot: attack chroot -> EPERM
	a file of the host by its handle: attack open-by-handle -> EPERM
	learning a handle: attack name-to-handle -> EPERM
	climbing above the root: attack climb /work -> ENOENT
	the root of init: ls /proc/1/root/ 2>&1 >/dev/null | wc -l -> 1
	END
}

@test "escape: interfaces of the kernel" {
	attempts <<-'END'
	a session keyring: attack keyring -> EPERM
	adding a key: attack key-add -> EPERM
	asking for a key: attack key-request -> EPERM
	kernel programs: attack bpf -> EPERM
	performance counters: attack perf -> EPERM
	page faults in user space: attack userfaultfd -> EPERM
	io_uring: attack io-uring -> EPERM
	watching all files: attack fanotify -> EPERM
	memory that the kernel cannot see: attack memfd-secret -> EPERM|ENOSYS
	swapping: attack swapon -> EPERM
	quotas: attack quotactl -> EPERM
	another kernel: attack kexec -> EPERM
	another kernel from a file: attack kexec-file -> EPERM
	a kernel module: attack module-load -> EPERM
	a kernel module from a file: attack module-file -> EPERM
	removing a kernel module: attack module-remove -> EPERM
	rebooting: attack reboot -> EPERM
	process accounting: attack acct -> EPERM
	the kernel's log: attack syslog -> EPERM
	a call younger than the filter: attack unknown-call -> ENOSYS
	END
}

# Their numbers are the same everywhere.  The filter knows none of them, so
# that they are as unknown as the next ones will be.
@test "escape: calls of younger kernels" {
	attempts <<-'END'
	a shadow stack anywhere: attack call 453 -> ENOSYS
	waking by a futex: attack call 454 -> ENOSYS
	what is mounted: attack call 457 -> ENOSYS
	which mounts there are: attack call 458 -> ENOSYS
	security attributes: attack call 459 -> ENOSYS
	setting them: attack call 460 -> ENOSYS
	security modules: attack call 461 -> ENOSYS
	sealing memory: attack call 462 -> ENOSYS
	attributes of files: attack call 463 -> ENOSYS
	reading them: attack call 464 -> ENOSYS
	a tree with other flags: attack call 467 -> ENOSYS
	flags of files: attack call 468 -> ENOSYS
	setting them: attack call 469 -> ENOSYS
	what does not exist yet: attack call 500 -> ENOSYS
	below all numbers: attack call -1 -> ENOSYS
	END
}

@test "escape: calls that have a descriptor or a process for a name" {
	attempts <<-'END'
	advice for the memory of others: attack call 440 -> EPERM
	quotas by descriptor: attack call 443 -> EPERM
	freeing the memory of others: attack call 448 -> EPERM
	pages of others: attack call 279 -> EPERM
	the network namespace of init: attack pidfd-namespace 1 5 -> EACCES
	the user namespace of init: attack pidfd-namespace 1 10 -> EACCES
	the mount namespace of init: attack pidfd-namespace 1 3 -> EACCES
	the user namespace outside: attack namespace user 0xb702 -> EPERM
	the process namespace outside: attack namespace pid 0xb702 -> EPERM
	the owner of the time's: attack namespace time 0xb701 -> EPERM
	the next mount namespace: attack namespace mnt 0x8010b70b -> EPERM
	the one before: attack namespace mnt 0x8010b70c -> EPERM
	END
}

@test "escape: the machine's files and devices by ioctl" {
	attempts <<-'END'
	holding a file system: attack ioctl /usr 0xc0045877 -> EPERM|EOPNOTSUPP
	letting it go: attack ioctl /usr 0xc0045878 -> EPERM|EOPNOTSUPP
	trimming it: attack ioctl /usr 0xc0185879 -> EPERM|ENOTTY
	shutting it down: attack ioctl /usr 0x8004587d -> EPERM|ENOTTY
	randomness that is none: attack ioctl /dev/urandom 0x40045201 -> EPERM
	seeding it again: attack ioctl /dev/urandom 0x5207 -> EPERM
	a snapshot, which has no masks: attack ioctl /usr 0x50009401 -> EPERM
	the same with flags: attack ioctl /usr 0x50009417 -> EPERM
	destroying a volume: attack ioctl /usr 0x5000940f -> EPERM
	the same by number: attack ioctl /usr 0x5000943f -> EPERM
	taking the key of encrypted files away: attack ioctl /usr 0xc0406618 -> EPERM
	the same, high bits set: attack ioctl /usr 0x1c0406618 -> EPERM
	END
}

@test "escape: what a process can write about itself" {
	attempts <<-'END'
	its memory: attack write /proc/self/mem -> EACCES
	its users: attack write /proc/self/uid_map -> EACCES
	its groups: attack write /proc/self/gid_map -> EACCES
	whether it may have groups: attack write /proc/self/setgroups -> EACCES
	its time: attack write /proc/self/timens_offsets -> EACCES|ENOENT
	its label: attack write /proc/self/attr/current -> EACCES|ENOENT
	who has logged in: attack write /proc/self/loginuid -> EACCES|ENOENT
	the priority of its session: attack write /proc/self/autogroup -> EACCES|ENOENT
	what it has touched: attack write /proc/self/clear_refs -> EACCES|ENOENT
	its name for another's: attack write /proc/1/comm -> ENOENT|EACCES
	END
}

@test "escape: the machine's settings" {
	attempts <<-'END'
	the core pattern: attack write /proc/sys/kernel/core_pattern -> ENOENT
	the module loader: attack write /proc/sys/kernel/modprobe -> ENOENT
	the hot-plug helper: attack write /sys/kernel/uevent_helper -> ENOENT
	the binary formats: attack create /proc/sys/fs/binfmt_misc/register -> ENOENT
	the magic key: attack write /proc/sysrq-trigger -> ENOENT
	the host's name: attack hostname -> EPERM
	the domain's name: attack domainname -> EPERM
	the time of day: attack settimeofday -> EPERM
	the clock: attack clock-settime -> EPERM
	the clock's pace: attack adjtimex -> EPERM
	a control group's agent: attack write /sys/fs/cgroup/release_agent -> ENOENT
	a new control group: attack mkdir /sys/fs/cgroup/attack -> ENOENT|EACCES|EROFS
	END
}

@test "escape: other tables of system calls" {
	[[ $(uname -m) == x86_64 ]] || skip "x86-64 has other tables"
	attempts <<-'END'
	32-bit calls: attack int80 -> SIGSYS
	x32 calls: attack x32 -> SIGSYS|ENOSYS
	input and output ports: attack iopl -> EPERM
	segments: attack modify-ldt -> EPERM
	END
}

@test "escape: privileges" {
	attempts <<-'END'
	switching the filter off: attack seccomp-off -> EINVAL
	new privileges again: attack new-privileges -> EINVAL
	the secure bits: attack securebits -> EPERM
	a capability: attack capset -> EPERM
	an ambient capability: attack ambient -> EPERM
	the bounding set: attack bounding -> EPERM
	becoming root: attack setuid -> EPERM|EINVAL
	becoming root at once: attack setresuid -> EPERM|EINVAL
	root's groups: attack setgroups -> EPERM
	a set-user-ID program: su -c 'echo through' </dev/null 2>/dev/null || echo refused -> refused
	what capabilities there are: grep -c '^Cap.*:	0000000000000000$' /proc/self/status -> 5
	what filter there is: grep '^Seccomp:' /proc/self/status -> Seccomp:	2
	a program from memory, then the keyring: attack memfd keyring -> EPERM
	more core: attack rlimit 4 -> EPERM
	more descriptors: attack rlimit 7 -> EPERM
	a better priority: attack nice -> EACCES|EPERM
	a real-time priority: attack realtime -> EPERM
	END
}

@test "escape: set-id files and devices for later" {
	workspace
	attempts <<-'END'
	created set-id: attack create-set-id a -> EPERM
	unnamed set-id: attack temp-set-id . -> EPERM
	made set-id by fchmod: attack fchmod-set-id b -> EPERM
	made set-id by chmod: attack chmod-set-id c -> EPERM
	made set-id by fchmodat2: attack fchmodat2-set-id d -> ENOSYS
	made set-id by mknod: attack mknod-set-id e -> EPERM
	made set-id by openat2: attack openat2-set-id f -> ENOSYS
	a device: attack device g -> EPERM|EACCES
	a device for a deletion: attack whiteout w -> EPERM|EACCES
	the same in the place of a name: attack move-whiteout x y.$(id -u) -> EPERM
	a file with capabilities: attack file-capability h -> EPERM
	a trusted attribute: attack trusted-attribute i -> EPERM
	END
	eq "$(find "$W" -perm /6000 -o -type c -o -type b)" ''
	run_tool 0 getfattr -R -d -m - "$W"
	eq "$output" ''
}

@test "escape: set-id files and devices that are there" {
	requires root
	workspace
	CONTRAST=0
	cp /usr/bin/id "$W/id"
	chmod 4755 "$W/id"
	mknod -m 666 "$W/zero" c 1 5
	for option in --rw --ro --overlay; do
		OPTIONS=("$option" "$W" --workdir "$W")
		attempts <<-'END'
		running as root: [ "$(./id -u)" = "$(id -u)" ] && echo same -> same
		reading from a device: attack read zero -> EACCES
		writing to one: attack write zero -> EACCES
		END
	done
}

@test "escape: other processes" {
	local host

	start_bg outside tail -f /dev/null
	host=${PID[outside]}
	attempts <<-END
	tracing init: attack ptrace 1 -> EPERM
	tracing one's own child: attack ptrace-child -> EPERM
	reading init's memory: attack vm-read 1 -> EPERM
	writing init's memory: attack vm-write 1 -> EPERM
	taking init's descriptors: attack pidfd-getfd 1 -> EPERM
	comparing with init: attack kcmp 1 -> EPERM
	signalling a process outside: attack signal $host -> ESRCH
	slowing a process outside: attack priority $host -> ESRCH
	limiting a process outside: attack prlimit $host -> ESRCH|EPERM
	limiting init: attack prlimit 1 -> EPERM
	tracing a process outside: attack ptrace $host -> EPERM
	killing init: kill -9 1; echo alive -> alive
	killing init by its descriptor: attack signal-pidfd 1 -> EPERM
	telling init of a child: attack signal-queued 1 -> EPERM
	init killed by the kernel: attack signal-file 1; echo alive -> alive
	killing everything: trap '' TERM; kill -TERM -1; echo alive -> alive
	END
	is_alive outside
}

@test "escape: the terminal" {
	attempts <<-'END'
	typing into it: attack terminal sti -> EPERM
	typing into it, high bits set: attack terminal sti high -> EPERM
	the console's selection: attack terminal linux -> EPERM
	the same, high bits set: attack terminal linux high -> EPERM
	taking the console: attack terminal cons -> EPERM
	another line discipline: attack terminal disc -> EPERM
	the caller's terminal: attack write /dev/tty -> ENXIO|ENOENT|EACCES
	END
}

@test "leak: other processes' secrets" {
	start_bg outside env BATTERY_SECRET=outside tail -f /dev/null
	attempts <<-END
	init's environment: attack read /proc/1/environ -> ENOENT|EACCES|EPERM
	init's memory: attack read /proc/1/mem -> ENOENT|EACCES|EPERM
	init's map: attack read /proc/1/maps -> ENOENT|EACCES|EPERM
	init's stack: attack read /proc/1/stack -> EACCES|EPERM|ENOENT
	init's descriptors: attack list /proc/1/fd -> ENOENT|EACCES|EPERM
	a process outside: attack list /proc/${PID[outside]} -> ENOENT
	how many processes there are: set -- /proc/[0-9]*; [ \$# -le 3 ] && echo few -> few
	END
}

@test "leak: the machine" {
	attempts <<-'END'
	its name: uname -n -> sandbox
	its domain: attack read /proc/sys/kernel/domainname -> ENOENT
	its maker: attack read /sys/class/dmi/id/product_uuid -> ENOENT
	its interfaces: attack read /sys/class/net/lo/address -> ENOENT
	this boot: attack read /proc/sys/kernel/random/boot_id -> ENOENT
	its load: attack read /proc/loadavg -> ENOENT
	its control groups: cut -d: -f3 /proc/self/cgroup | sort -u -> /
	its mounts: grep -cE ' /(sys|run|boot|mnt|media|srv|var)(/| )' /proc/self/mountinfo -> 0
	its connections: cat /proc/self/net/tcp /proc/self/net/tcp6 /proc/self/net/udp | grep -c : -> 0
	its Unix sockets: grep -vc RefCount /proc/self/net/unix -> 0
	its interfaces again: grep -c : /proc/self/net/dev -> 1
	its routes: tail -n +2 /proc/self/net/route | wc -l -> 0
	its neighbours: tail -n +2 /proc/self/net/arp | wc -l -> 0
	END
}

@test "leak: the environment and open files" {
	export BATTERY_SECRET=token AWS_SECRET_ACCESS_KEY=token SSH_AUTH_SOCK=/x
	exec {leak}</etc/hostname
	attempts <<-'END'
	variables: env | grep -c token -> 0
	the agent's socket: echo "[$SSH_AUTH_SOCK]" -> \[\]
	variables of init: attack read /proc/1/environ -> ENOENT|EACCES|EPERM
	descriptors: ls /proc/self/fd | tr '\n' ' ' -> 0 1 2 3 
	END
	exec {leak}<&-
}

@test "leak: the kernel" {
	attempts <<-'END'
	its memory: attack read /proc/kcore -> ENOENT
	its symbols: attack read /proc/kallsyms -> ENOENT
	its keys: attack read /proc/keys -> ENOENT
	its log: attack read /dev/kmsg -> ENOENT
	its configuration: attack read /proc/config.gz -> ENOENT
	its command line: attack read /proc/cmdline -> ENOENT
	its file systems: attack list /sys/kernel -> ENOENT
	debugging: attack list /sys/kernel/debug -> ENOENT
	physical memory: attack read /dev/mem -> ENOENT
	END
}

@test "leak: the kernel, where its numbers are shown" {
	OPTIONS=(--proc system)
	CONTRAST=0
	attempts <<-'END'
	its memory: attack read /proc/kcore -> ENODATA|EACCES|ENOENT
	its symbols: attack read /proc/kallsyms -> ENODATA|EACCES
	its keys: attack read /proc/keys -> ENODATA|EACCES
	its log: attack read /proc/kmsg -> ENODATA|EACCES
	its configuration: attack read /proc/config.gz -> ENODATA|ENOENT
	its command line: attack read /proc/cmdline -> ENODATA
	interrupts, and so keystrokes: attack read /proc/interrupts -> ENODATA
	the same in numbers: grep -cv ^cpu /proc/stat -> 0
	timers and their processes: attack read /proc/timer_list -> ENODATA|EACCES|ENOENT
	locks of others: attack read /proc/locks -> ENODATA
	disks: attack read /proc/diskstats -> ENODATA
	settings: ls -A /proc/sys | wc -l -> 0
	the core pattern: attack write /proc/sys/kernel/core_pattern -> ENOENT
	the boot's id: attack read /proc/sys/kernel/random/boot_id -> ENOENT
	the magic key: attack write /proc/sysrq-trigger -> EACCES|EROFS|ENOENT
	file systems of the kernel's: ls -A /proc/fs | wc -l -> 0
	all that is not empty: cd /proc; for f in [!0-9]*; do if [ -f $f ] && ! [ -L $f ] && grep -q . $f; then echo $f; fi; done 2>/dev/null | tr '\n' ' ' -> cpuinfo filesystems loadavg meminfo stat uptime version 
	all directories: cd /proc; for d in [!0-9]*/; do [ -L ${d%/} ] || ls -A $d; done 2>/dev/null | wc -l -> 0
	init's environment: attack read /proc/1/environ -> ENOENT|EACCES|EPERM
	taking a cover away: attack unmount /proc/kallsyms -> EPERM
	END
}

@test "leak: devices" {
	attempts <<-'END'
	disks: ls /dev | grep -c '^[sv]d' -> 0
	virtual machines: attack write /dev/kvm -> ENOENT
	user-space file systems: attack write /dev/fuse -> ENOENT
	tunnels: attack write /dev/net/tun -> ENOENT
	the host's terminals: ls /dev/pts -> ptmx
	all there is: ls /dev | tr '\n' ' ' -> fd full null ptmx pts random shm stderr stdin stdout urandom zero 
	END
}

@test "leak: credentials and the home directory" {
	local home=$T/home

	mkdir -p "$home/.ssh" "$home/.aws"
	echo secret >"$home/.ssh/id_ed25519"
	echo secret >"$home/.aws/credentials"
	echo secret >"$home/.netrc"
	chmod -R a+rX "$home"
	export HOME=$home
	attempts <<-END
	password hashes: attack read /etc/shadow -> EACCES|ENODATA|ENOENT
	group hashes: attack read /etc/gshadow -> EACCES|ENODATA|ENOENT
	the host's keys: cat /etc/ssh/ssh_host_*_key 2>/dev/null | wc -c -> 0
	a private home: ls -A $home/.ssh 2>/dev/null | wc -l -> 0
	root's home: ls -A /root 2>/dev/null | wc -l -> 0
	other homes: ls -A /home 2>/dev/null | wc -l -> 0|1
	END
	# The same where the home is granted.
	OPTIONS=(--ro "$home")
	BWRAP_OPTIONS=()
	attempts <<-END
	keys in a granted home: attack read $home/.ssh/id_ed25519 -> ENOENT|EACCES|ENODATA
	cloud credentials there: attack read $home/.aws/credentials -> ENOENT|EACCES|ENODATA
	passwords there: attack read $home/.netrc -> ENOENT|EACCES|ENODATA
	END
}

@test "leak: shared memory of the host" {
	local id key=$((RANDOM * 32768 + RANDOM + 1))

	requires node
	id=$(ipcmk -M 4096 | grep -o '[0-9]*$')
	key=$(awk -v id="$id" '$2 == id {print $1}' /proc/sysvipc/shm)
	echo secret >"/dev/shm/battery.$BASHPID"
	eq "$("$A/attack" queue-make "/battery.$key")" ok
	eq "$("$A/attack" shm "$key")" ok
	eq "$("$A/attack" queue "/battery.$key")" ok
	attempts <<-END
	System V segments: attack shm $key -> ENOENT
	listing them: ipcs -m 2>/dev/null | grep -c '^0x' -> 0
	files in memory: ls -A /dev/shm | wc -l -> 0
	message queues: attack list /dev/mqueue -> ENOENT
	a message queue by its name: attack queue /battery.$key -> ENOENT
	a queue of its own, whose bytes count for the caller: attack queue-make /battery.$key -> EACCES
	END
	"$A/attack" queue-remove "/battery.$key"
	ipcrm -m "$id"
	rm -f "/dev/shm/battery.$BASHPID"
}

@test "files: the host cannot be changed" {
	attempts <<-'END'
	a system program: attack write /usr/bin/env -> EROFS|EACCES
	the accounts: attack write /etc/passwd -> EROFS|EACCES
	a new system program: attack create /usr/bin/attack -> EROFS|EACCES
	a new start-up job: attack create /etc/cron.d/attack -> EROFS|EACCES|ENOENT
	a loader's list: attack create /etc/ld.so.preload -> EROFS|EACCES
	a file in the root: attack create /attack -> EROFS|EACCES
	removing a system file: attack remove /etc/passwd -> EROFS|EACCES
	a hard link to a system file: attack link /etc/passwd /tmp/passwd -> EXDEV|EACCES|EPERM
	the running program: attack write /proc/self/exe -> ETXTBSY|EROFS|EACCES
	init's program: attack write /proc/1/exe -> EACCES|EPERM|ENOENT
	END
	[[ ! -e /attack && ! -e /etc/ld.so.preload ]]
}

@test "files: what can be read cannot be changed by another way" {
	mkdir "$T/shown"
	echo secret >"$T/shown/file"
	chmod -R a+rX "$T/shown"
	((EUID != 0)) || chown -R "$USER_ID" "$T/shown"
	OPTIONS=(--ro "$T/shown" --workdir "$T/shown")
	CONTRAST=0
	attempts <<-'END'
	opening its descriptor again: attack reopen file -> EROFS|EACCES
	mapping it: attack map file -> EACCES
	cutting it: attack truncate file -> EROFS|EACCES
	cutting it by opening: attack open-truncate file -> EROFS|EACCES
	its mode: attack chmod file -> EROFS
	its times: attack utime file -> EROFS
	its attributes: attack setxattr file user.x -> EROFS
	its flags: attack ioctl file 0x40086602 -> EROFS|ENOTTY
	other blocks in its place: attack clone-range file -> EBADF|EROFS
	a lease, which makes its owner wait: attack lease file -> EPERM
	a delegation, which does for a directory: attack delegation . -> EPERM
	a hard link to it: attack link file /tmp/file -> EXDEV
	by the root of /proc: attack write /proc/self/root$PWD/file -> EROFS|EACCES
	by the directory of /proc: attack write /proc/self/cwd/file -> EROFS|EACCES
	the directory as a whole: attack rename $PWD /tmp/x -> EXDEV|EBUSY|EROFS|EACCES
	removing it: attack remove file -> EROFS|EACCES
	END
	eq "$(cat "$T/shown/file")" secret
	# What standard input is open for is all that there is.
	for user in "${USERS[@]}"; do
		run -0 "as_$user" "$BOX" --ro "$A:/a" -- /a/attack reopen-stdin \
			<"$T/shown/file"
		[[ $output == EACCES || $output == EROFS ]]
	done
}

@test "files: protected files by another way" {
	workspace
	mkdir -p "$W/.git/objects" "$W/.git/hooks"
	touch "$W/.git/HEAD" "$W/.git/config" "$W/.git/hooks/pre-push" "$W/.envrc"
	chmod -R a+rwX "$W"
	((EUID != 0)) || chown -R "$USER_ID" "$W"
	CONTRAST=0
	attempts <<-'END'
	opening the settings again: attack reopen .git/config -> EROFS|EACCES
	cutting them: attack truncate .git/config -> EROFS|EACCES
	a hard link to them: attack link .git/config .git/copy -> EXDEV|EROFS|EACCES
	a hook's mode: attack chmod .git/hooks/pre-push -> EROFS
	a start-up file by the root of /proc: attack write /proc/self/root$PWD/.envrc -> EROFS|EACCES
	exchanging repositories: mkdir -p o/.git; attack exchange o/.git .git -> EBUSY|EXDEV
	a start-up file for a directory: mkdir d; attack exchange d .envrc -> EBUSY|EXDEV
	taking the directory away: attack rename $PWD $PWD.2 -> EBUSY|EXDEV|EROFS|EACCES
	what an overlay takes for a deletion: attack whiteout w -> EPERM|EACCES
	END
}

@test "files: a link that comes and goes while the sandbox begins" {
	local i

	mkdir -p "$T/ws/sub" "$T/other"
	echo secret >"$T/other/file"
	ln -s "$T/other" "$T/ws/link"
	chmod -R a+rX "$T/other" "$T/ws"
	start_bg swap "$A/attack" swap "$T/ws/sub" "$T/ws/link"
	for user in "${USERS[@]}"; do
		for i in {1..20}; do
			run --separate-stderr "as_$user" "$BOX" --rw "$T/ws" \
				--ro "$T/ws/sub" -- cat "$T/ws/sub/file" \
				"$T/ws/link/file"
			[[ $output != *secret* ]]
			((status == 125 || status == 1))
		done
	done
	is_alive swap
}

# Else one sandbox could move it while another looks for it.
@test "files: what is masked stays where it is" {
	workspace
	mkdir -p "$W/a/b/c" "$W/d"
	echo secret >"$W/a/b/.env"
	chmod -R a+rwX "$W"
	((EUID != 0)) || chown -R "$USER_ID" "$W"
	OPTIONS+=(--mask .env)
	CONTRAST=0
	attempts <<-'END'
	moving its directory: attack rename a/b moved -> EBUSY|EXDEV
	moving what that is in: attack rename a moved -> EBUSY|EXDEV
	exchanging it: attack exchange a d -> EBUSY|EXDEV
	reading it: attack read a/b/.env -> ENODATA|EACCES
	a hard link to it: attack link a/b/.env d/x -> EXDEV|EACCES
	what lies beside it: touch a/b/c/x && mv a/b/c a/c && mv a/c a/b/c && echo moved -> moved
	END
}

@test "files: names that are no text" {
	workspace
	CONTRAST=0
	((EUID != 0)) || chown -R "$USER_ID" "$W"
	requires jq
	# shellcheck disable=SC2016
	run_tool 0 "$BOX" --overlay "$W" --workdir "$W" --diff --json -- perl -e '
		for my $n ("a\nD\tb", "\xff\xfe", "\e[2J", " ", "-rf", "a" x 255) {
			open my $f, ">", $n or die; mkdir "d$n" }'
	eq "$(jq -rs length <<<"$output")" 11
	run_tool 0 "$BOX" --overlay "$W" --workdir "$W" --diff -- perl -e '
		open my $f, ">", "a\nD\t\e[2J" or die'
	eq "$output" "A	$W/a\\x0aD\\x09\\x1b[2J"
}

@test "files: private directories stay inside" {
	attempts <<-END
	a file in /tmp: echo x >/tmp/battery.$BASHPID; echo made -> made
	a file in /var/tmp: echo x >/var/tmp/battery.$BASHPID; echo made -> made
	a file in the home: echo x >~/battery.$BASHPID; echo made -> made
	END
	[[ ! -e /tmp/battery.$BASHPID && ! -e /var/tmp/battery.$BASHPID ]]
	[[ ! -e $HOME/battery.$BASHPID ]]
}

@test "files: links out of the workspace lead nowhere" {
	mkdir "$T/other"
	echo secret >"$T/other/file"
	chmod -R a+rwX "$T/other"
	workspace
	ln -s "$T/other" "$W/made-before"
	BWRAP_OPTIONS+=(--tmpfs /root)
	CONTRAST=0
	attempts <<-END
	a link that was there: attack read made-before/file -> ENOENT
	a link that is made: ln -sfn $T/other l; attack read l/file -> ENOENT
	writing through it: ln -sfn $T/other l; attack create l/new -> ENOENT
	a hard link from outside: attack link $T/other/file l -> ENOENT
	the parent: attack read ../other/file -> ENOENT
	through the working directory of init: attack read /proc/1/cwd/other/file -> EACCES|EPERM|ENOENT
	END
	[[ ! -e $T/other/new ]]
}

@test "files: a link in the workspace cannot widen the policy" {
	local option

	mkdir -p "$T/ws/real" "$T/other/sub"
	ln -s "$T/other" "$T/ws/link"
	ln -s real "$T/ws/near"
	for option in link/sub link link/sub:/mnt link/../other "link/./sub"; do
		for user in "${USERS[@]}"; do
			run_tool 125 "as_$user" "$BOX" --rw "$T/ws" \
				--rw "$T/ws/$option" -- true
			[[ $stderr == *link* ]]
		done
	done
	run_tool 0 "$BOX" --rw "$T/ws" --ro "$T/ws/near:/mnt" -- true
}

@test "files: a repository's hooks and settings" {
	workspace
	mkdir -p "$W/.git/hooks" "$W/.git/objects"
	touch "$W/.git/HEAD" "$W/.git/config" "$W/.bashrc" "$W/.git/hooks/old"
	chmod -R a+rwX "$W"
	CONTRAST=0
	attempts <<-'END'
	writing the settings: attack write .git/config -> EROFS|EACCES
	removing them: attack remove .git/config -> EBUSY|EROFS|EACCES
	putting others in their place: echo x >.git/x; attack rename .git/x .git/config -> EBUSY|EROFS|EACCES|EXDEV
	exchanging them: echo x >.git/x; attack exchange .git/x .git/config -> EBUSY|EROFS|EACCES|EXDEV
	a new hook: attack create .git/hooks/pre-commit -> EROFS|EACCES
	an old hook: attack write .git/hooks/old -> EROFS|EACCES
	the hooks as a whole: attack rename .git/hooks .git/was -> EBUSY|EROFS|EACCES|EXDEV
	the repository as a whole: attack rename .git was -> EBUSY|EROFS|EACCES|EXDEV
	a start-up file: attack write .bashrc -> EROFS|EACCES
	another in its place: echo x >x; attack rename x .bashrc -> EBUSY|EROFS|EACCES|EXDEV
	what git needs: attack create .git/index.$(id -u) -> ok
	END
	eq "$(cat "$W/.git/config" "$W/.bashrc")" ''
}

@test "files: protected names that were not there" {
	workspace
	mkdir -p "$W/.git/objects"
	touch "$W/.git/HEAD"
	chmod -R a+rwX "$W"
	for name in .git/hooks .git/config .bashrc .envrc .vscode .mcp.json; do
		dir=$(dirname "$name")
		for make in "mkdir $name" "echo x >$name" "ln -s /x $name" \
			"mkfifo $name" "touch $dir/x; ln $dir/x $name; rm $dir/x" \
			"mkdir $dir/x; mv -T $dir/x $name" \
			"for i in '' -1 -2 -3 -4 -5 -6 -7 -8 -9 -10; do
				mkdir $name.sandbox-exec\$i; done; mkdir $name"; do
			run_tool 0 "$BOX" --rw "$W" --workdir "$W" -- \
				sh -c "$make; :"
			one_error "$name: a protected name: renamed to "
			if [[ -e $W/$name || -L $W/$name ]]; then
				echo "$name was made by $make: $stderr"
				return 1
			fi
			rm -rf "$W/$name".sandbox-exec*
		done
	done
}

# marked MARK COUNT: so many processes have it as their name.
marked()
{
	(($(grep -alx "$1.hang." /proc/[0-9]*/cmdline 2>/dev/null | wc -l) >= $2))
}

unmarked() { ! marked "$1" 1; }

# deep COMMAND: makes directories below each other, more than can be open.
DEEP='perl -e "for (1 .. 1100) { mkdir q(d); chdir q(d) } mkdir q(no); chmod 0, q(no)"'

@test "persistence: what is too deep to remove is removed" {
	"${CC:-cc}" -D_GNU_SOURCE -o "$T/refuse" \
		"$ROOT/tests/fakes/refuse-namespaces.c" -lseccomp
	for user in "${USERS[@]}"; do
		run_tool 0 "as_$user" "$T/refuse" "$BOX" -- \
			sh -c "cd \$HOME && pwd -P && $DEEP"
		[[ $output == /tmp/sandbox-exec.* && ! -e $output ]]
	done
	mkdir "$T/tree" "$T/mine"
	run_tool 0 "$BOX" --overlay "$T/tree" --changes "$T/mine" \
		--workdir "$T/tree" -- sh -c "$DEEP"
	run_tool 0 "$BOX" --overlay "$T/tree" --changes "$T/mine" --discard
	eq "$(ls -A "$T/mine" "$T/tree")" "$T/mine:

$T/tree:"
}

@test "persistence: nothing outlives the sandbox" {
	local mark=battery-$BASHPID-mark

	OPTIONS=(--pids 8192)
	attempts <<-END
	1000 processes in sessions of their own: attack daemons 1000 $mark; echo started -> started
	a process that ignores signals: (trap '' HUP TERM INT; setsid tail -f /dev/null & ) >/dev/null 2>&1; echo started -> started
	END
	unmarked "$mark"
}

@test "persistence: a killed supervisor takes everything along" {
	local mark=killed-$BASHPID-mark user

	for user in "${USERS[@]}"; do
		start_bg box "as_$user" "$BOX" --pids 8192 --ro "$A:/attacks" -- \
			/bin/sh -c "/attacks/attack daemons 1000 $mark; tail -f /dev/null"
		wait_until marked "$mark" 1000
		# as_user is a shell function: the supervisor is below it.
		for pid in $(pgrep -f "^$BOX --pids"); do
			kill -KILL "$pid"
		done
		wait_until unmarked "$mark"
		wait_exit box
	done
}

@test "exhaustion: processes, memory, files" {
	attempts <<-'END'
	10 000 descriptors: attack descriptors 10000 -> EMFILE
	core dumps: attack core -> EPERM
	END
	CONTRAST=0
	OPTIONS=(--pids 64)
	attempts <<-'END'
	a fork bomb: attack fork-bomb 5000 -> EAGAIN
	END
	OPTIONS=(--mem 64m)
	attempts <<-'END'
	a memory hog: attack memory 512 -> SIGKILL|ENOMEM|killed by 9
	END
	OPTIONS=(--tmp-size 8m)
	attempts <<-'END'
	filling /tmp: attack fill /tmp/big 64 -> ENOSPC
	filling /dev/shm: attack fill /dev/shm/big 64 -> ENOSPC
	filling the home: attack fill ~/big 64 -> ENOSPC
	filling the table of files: attack fill-inodes /tmp 300000 -> ENOSPC
	END
	workspace
	OPTIONS=(--tmp-size 8m --overlay "$W" --workdir "$W")
	attempts <<-'END'
	filling an overlay: attack fill big 64 -> ENOSPC
	END
	OPTIONS=(--rw "$W" --workdir "$W" --fsize 1m)
	attempts <<-'END'
	a large file: attack fill big.$(id -u) 64 -> SIGXFSZ|EFBIG
	END
}

@test "exhaustion: what the kernel counts for the caller" {
	attempts <<-'END'
	half of the caller's watches: attack watches 100 -> EMFILE
	queued signals: attack timers 10000 -> EAGAIN
	memory that is not swapped: attack lock-memory 4096 -> ENOMEM|EPERM|EAGAIN
	being the last to be killed: attack never-kill -> EACCES|EPERM
	writing before all others: attack io-flusher -> EPERM
	reading before all others: attack best-io -> EPERM
	requests of which the machine has a number: attack aio -> ENOSYS
	the program's own map: attack move-map -> EPERM
	huge pages, which the machine sets aside: attack huge-map -> ENOMEM
	a file of them: attack huge-file -> EINVAL
	a segment of them: attack huge-segment -> EPERM
	END
}

# What sets them and what takes /proc/sys away run beside each other; each
# sandbox of root's has an id of its own, so that none counts for another.
@test "exhaustion: what the kernel counts, on a busy machine" {
	requires root
	run_tool 0 bash -c 'for ((i = 0; i < 200; i++)); do
			"$1" --ro "$2" -- "$2/attack" watches 100 &
			((i % 8 != 7)) || wait
		done' - "$BOX" "$A"
	eq "$(uniq -c <<<"$output" | xargs)" '200 EMFILE'
}

# An ordinary user has no control group here: all that it has is added up.
@test "exhaustion: memory of many processes" {
	((EUID != 0)) || USERS=(user)
	CONTRAST=0
	OPTIONS=(--mem 64m)
	attempts <<-'END'
	each below the limit: for i in 1 2 3 4 5 6; do attack memory-held 30 & done; sleep 60; echo through -> killed by 9
	orphans: for i in 1 2 3 4 5 6; do (setsid attack memory-held 30 &) ; done; sleep 60; echo through -> killed by 9
	few: for i in 1 2; do attack memory-held 10 & done; sleep 1; echo through -> through
	END
}

# Of others they are not counted, see sandbox-exec(1).
@test "exhaustion: memory of connections" {
	requires root
	USERS=(self)
	CONTRAST=0
	OPTIONS=(--mem 64m)
	attempts <<-'END'
	more than the limit: attack hold-in-sockets 300 -> ENOBUFS|EAGAIN|ENOMEM|SIGKILL|killed by 9
	less: attack hold-in-sockets 8 -> ok
	END
}

@test "exhaustion: output" {
	CONTRAST=0
	for user in "${USERS[@]}"; do
		run -0 --separate-stderr "as_$user" "$BOX" --out 64k -- sh -c \
			'echo begin; yes | head -c 50000000; echo end'
		((${#output} < 140000))
		[[ $output == begin* && $output == *end ]]
	done
}

@test "exhaustion: time" {
	for user in "${USERS[@]}"; do
		run_tool 124 "as_$user" "$BOX" --time 1s -- sh -c \
			"trap '' TERM INT HUP; while :; do :; done"
		run_tool 124 "as_$user" "$BOX" --time 1s -- sh -c \
			'kill -STOP $$; echo on'
	done
}

# Each makes the supervisor look for protected names.  strace stands for a
# machine or a file system that is slow.
@test "exhaustion: time, while names change faster than they are looked at" {
	local slow=()

	! command -v strace >/dev/null || slow=(strace -o /dev/null)
	mkdir -p "$T"/ws/d{1..60}/.git/objects
	touch "$T"/ws/d{1..60}/.git/HEAD
	chmod -R a+rwX "$T/ws"
	for user in "${USERS[@]}"; do
		run_tool 124 "as_$user" timeout -s KILL "$DEADLINE" \
			"${slow[@]}" "$BOX" \
			--ro "$A" --rw "$T/ws" --workdir "$T/ws" --time 1s -- \
			"$A/attack" churn 60
		rm -f "$T"/ws/d*/[xy]
	done
}

has_lines() { (($(wc -l <"$2") >= $1)); }

# A socket is reached by its path where that is shown, and nowhere else.
@test "network: sockets that are granted" {
	requires node
	mkdir "$T/granted" "$T/kept"
	cat >"$T/listen.mjs" <<-'END'
	import fs from 'node:fs';
	import net from 'node:net';
	for (const path of process.argv.slice(2))
		net.createServer((c) => c.on('error', () => {})).listen(path, () => {
			fs.chmodSync(path, 0o777);
			console.log('ready');
		});
	END
	start_bg listener node "$T/listen.mjs" "$T/granted/s" "$T/kept/s" \
		"$T/kept/t"
	wait_until has_lines 3 "$T/listener.out"
	chmod 755 "$T/granted" "$T/kept"
	CONTRAST=0
	OPTIONS=(--ro "$T/granted" --rw "$T/kept/t")
	attempts <<-END
	one in a directory that is shown: attack unix $T/granted/s -> ok
	one that is shown itself: attack unix $T/kept/t -> ok
	its neighbour: attack unix $T/kept/s -> ENOENT|EACCES
	END
	OPTIONS=(--ro "$T/granted" --mask s --ro "$T/kept" --mask "$T/kept/t")
	attempts <<-END
	one that is masked: attack unix $T/kept/t -> ECONNREFUSED|EACCES
	one that is masked at any depth: attack unix $T/granted/s -> ECONNREFUSED|EACCES
	END
}

@test "network: kinds of sockets" {
	attempts <<-'END'
	families but Unix, Internet and netlink: attack families -> EAFNOSUPPORT
	virtual machines: attack socket 40 1 0 -> EAFNOSUPPORT
	packets: attack socket 17 3 768 -> EAFNOSUPPORT|EPROTONOSUPPORT
	cryptography: attack socket 38 5 0 -> EAFNOSUPPORT
	Bluetooth: attack socket 31 3 1 -> EAFNOSUPPORT
	raw TCP: attack socket 2 3 6 -> EPERM
	raw IPv6: attack socket 10 3 58 -> EPERM|EPROTONOSUPPORT
	raw IP with close-on-exec: attack socket 2 524291 255 -> EPERM|EPROTONOSUPPORT
	ping: attack socket 2 2 1 -> EPROTONOSUPPORT
	multipath TCP: attack socket 2 1 262 -> EPROTONOSUPPORT
	multipath TCP over IPv6: attack socket 10 1 262 -> EPROTONOSUPPORT
	SCTP: attack socket 2 1 132 -> EPROTONOSUPPORT
	other netlink protocols: attack netlinks -> EPROTONOSUPPORT
	a pair of another family: attack socketpair 30 -> EAFNOSUPPORT
	kernel TLS: attack ulp tls -> EPERM
	marks for the host's rules: attack option 2 1 1 36 4 -> EPERM
	buffers beyond the limit: attack option 2 1 1 33 4 -> EPERM
	connections from nothing: attack option 2 1 6 19 4 -> EPERM
	rules of packet filters: attack option 2 2 0 64 64 -> EPERM|ENOPROTOOPT
	all namespaces by netlink: attack option 16 3 270 8 4 -> EPERM
	END
}

@test "network: none" {
	attempts <<-'END'
	TCP: attack tcp 1.1.1.1 443 -> ENETUNREACH
	TCP over IPv6: attack tcp6 2606:4700:4700::1111 443 -> ENETUNREACH|EADDRNOTAVAIL
	UDP: attack udp 8.8.8.8 53 -> ENETUNREACH
	the cloud's metadata: attack tcp 169.254.169.254 80 -> ENETUNREACH
	fast open: attack fast-open 1.1.1.1 443 -> EPERM
	fast open by sendmsg: attack fast-open-message 1.1.1.1 443 -> EPERM
	fast open by sendmmsg: attack fast-open-message 1.1.1.1 443 many -> EPERM
	fast open by option: attack fast-open-option 30 -> EPERM
	a fast-open listener: attack fast-open-option 23 -> EPERM
	resolving a name: getent hosts example.com >/dev/null; echo $? -> 2
	interfaces: ls /proc/net /sys/class/net 2>/dev/null | wc -l -> 0
	taking the interface down: attack lo-down -> EPERM
	adding an interface: attack interface-add -> EPERM|EACCES
	foreign addresses: attack transparent -> EPERM
	END
}

# reached KIND ADDRESS...: without a sandbox.
reached() { [[ $("$A/attack" "$@") == ok ]]; }

@test "network: sockets of the host" {
	local port

	requires node socat
	cat >"$T/listen.mjs" <<-'END'
	import net from 'node:net';
	const s = net.createServer((c) => c.end('secret'));
	s.listen(0, '127.0.0.1', () => console.log(s.address().port));
	net.createServer((c) => c.end()).listen(process.argv[2]);
	END
	start_bg listener node "$T/listen.mjs" "$T/sock"
	# Not node, which fills a name up with NULs.
	start_bg abstract socat "ABSTRACT-LISTEN:battery-$BASHPID,fork" \
		SYSTEM:true
	wait_until has_line "$T/listener.out" '^[0-9]'
	port=$(head -n 1 "$T/listener.out")
	wait_until reached unix "$T/sock"
	wait_until reached unix "@battery-$BASHPID"
	reached tcp 127.0.0.1 "$port"
	attempts <<-END
	a port of the host's loopback: attack tcp 127.0.0.1 $port -> ECONNREFUSED
	the same over IPv6: attack tcp6 ::ffff:127.0.0.1 $port -> ECONNREFUSED
	an abstract socket: attack unix @battery-$BASHPID -> ECONNREFUSED|EPERM
	a socket by its path: attack unix $T/sock -> ENOENT|EACCES
	a container engine: attack unix /var/run/docker.sock -> ENOENT|EACCES|ECONNREFUSED
	the system bus: attack unix /run/dbus/system_bus_socket -> ENOENT
	the log, by half a pair: attack pair-elsewhere 2 /dev/log -> ENOENT
	the same by another name: attack pair-elsewhere 2 /run/systemd/journal/dev-log -> ENOENT
	the service manager: attack unix /run/systemd/private -> ENOENT
	END
}

# Where it gets through there is a warning: sandbox-exec.bats.
@test "network: half a pair that is passed" {
	local to=@passed-$BASHPID want=EPERM refuse=()
	local pair=(perl -MSocket -MPOSIX -e 'socketpair(S, T, AF_UNIX,
		SOCK_DGRAM, 0) && POSIX::dup2(fileno S, 4) or die; exec @ARGV')

	requires socat
	"${CC:-cc}" -D_GNU_SOURCE -o "$T/refuse" \
		"$ROOT/tests/fakes/refuse-namespaces.c" -lseccomp
	start_bg datagrams socat -u "ABSTRACT-RECV:${to#@}" \
		"OPEN:$T/heard,creat,append"
	start_bg by_path socat -u "UNIX-RECV:$T/datagrams,mode=777" \
		"OPEN:$T/received,creat,append"
	wait_file "$T/datagrams"
	wait_until reached pair-elsewhere 2 "$to"
	CONTRAST=0
	OPTIONS=(--fd 4)
	as_passed() { "${pair[@]}" "${refuse[@]}" "$@"; }
	as_passed_user() { as_user "${pair[@]}" "${refuse[@]}" "$@"; }
	USERS=("${USERS[@]/#user/passed_user}")
	USERS=("${USERS[@]/#self/passed}")
	[[ $("$BOX" --explain) == *'landlock ABI: '[6-9]* ]] || want=ok
	attempts <<-END
	an abstract socket: attack elsewhere 4 $to -> $want
	one by its path: attack elsewhere 4 $T/datagrams -> ENOENT|EACCES
	END
	refuse=("$T/refuse" --some=landlock)
	attempts <<-END
	an abstract socket, without Landlock: attack elsewhere 4 $to -> ok
	one by its path, without Landlock: attack elsewhere 4 $T/datagrams -> ENOENT|EACCES
	END
	refuse=("$T/refuse")
	attempts <<-END
	one by its path, in the lower tier: attack elsewhere 4 $T/datagrams -> ok
	END
}

@test "lower tier: where user namespaces are refused" {
	local own become=()

	"${CC:-cc}" -D_GNU_SOURCE -o "$T/refuse" \
		"$ROOT/tests/fakes/refuse-namespaces.c" -lseccomp
	requires node socat
	if ((EUID == 0)); then
		become=(setpriv --reuid "$USER_ID" --regid "$USER_ID" --clear-groups)
	fi
	start_bg own "${become[@]}" tail -f /dev/null
	own=${PID[own]}
	wait_until has_line "/proc/$own/comm" '^tail$'
	start_bg listener node -e "require('net').createServer().listen('$T/sock',
		() => require('fs').chmodSync('$T/sock', 0o777))"
	wait_file "$T/sock"
	start_bg datagrams socat -u "UNIX-RECV:$T/datagrams,mode=777" \
		"OPEN:$T/received,creat,append"
	wait_file "$T/datagrams"
	eq "$("$A/attack" pair-elsewhere 2 "$T/datagrams")" ok
	wait_file "$T/received"
	echo mine >"$T/mine"
	chmod 600 "$T/mine"
	setfattr -n user.secret -v mine "$T/mine"
	mkdir "$T/shown"
	echo shown >"$T/shown/file"
	chmod -R a+rX "$T/shown"
	((EUID != 0)) || chown -R "$USER_ID" "$T/mine" "$T/shown"
	USERS=(lower_self lower)
	as_lower_self() { "$T/refuse" "$@"; }
	CONTRAST=0
	as_lower() { "${become[@]}" "$T/refuse" "$@"; }
	OPTIONS=(--ro "$T/shown")
	attempts <<-END
	the mode of a file outside: attack chmod $T/mine -> EPERM
	its attributes, an access list for one: attack setxattr $T/mine user.x -> EPERM
	an attribute of what can be read: touch \$HOME/a; attack fsetxattr \$HOME/a user.x -> EOPNOTSUPP|ENOTSUP
	reading one of a file outside: attack getxattr $T/mine user.secret -> EOPNOTSUPP|ENOTSUP
	watching it, or what is in a directory: attack watches 1 -> EMFILE
	flags of what can be read: attack ioctl $T/shown/file 0x40086602 -> EPERM
	more of them: attack ioctl $T/shown/file 0x401c5820 -> EPERM
	its version: attack ioctl $T/shown/file 0x40087602 -> EPERM
	the same, an older number: attack ioctl $T/shown/file 0x40086604 -> EPERM
	making it unchangeable: attack ioctl $T/shown/file 0x40806685 -> EPERM
	making a directory unreadable: attack ioctl $T/shown 0x800c6613 -> EPERM
	watching what can be read: attack notify $T/shown -> EPERM
	its group: touch \$HOME/a; attack fchown \$HOME/a -> EPERM
	its owner: chown $(id -u) $T/mine 2>/dev/null; echo \$? -> 1
	cutting it: attack truncate $T/mine -> EACCES
	cutting it by opening: attack open-truncate $T/mine -> EACCES
	reading it: attack read $T/mine -> EACCES
	removing it: attack remove $T/mine -> EACCES
	shared memory: attack shm 0 -> EPERM
	a message queue: attack queue-make /battery -> EPERM|EACCES
	a lease on what can be read: attack lease /usr/bin/env -> EPERM
	limiting a process of the same user: attack prlimit $own -> EPERM
	slowing it: attack priority $own -> EPERM
	signalling it: attack signal $own -> EPERM
	tracing it: attack ptrace $own -> EPERM
	its environment: attack read /proc/$own/environ -> EACCES
	a socket by its path: attack unix $T/sock -> EPERM|EACCES|EBADF
	one that is sent to by half a pair: attack pair-elsewhere 2 $T/datagrams -> EPERM
	the same by another type: attack pair-elsewhere 3 $T/datagrams -> EPERM
	a half that is a stream: attack pair-elsewhere 1 $T/datagrams -> EISCONN
	TCP: attack socket 2 1 0 -> EPERM
	UDP: attack socket 2 2 0 -> EPERM
	raw IP: attack socket 2 3 6 -> EPERM
	routing: attack socket 16 3 0 -> EPERM
	the core pattern: attack write /proc/sys/kernel/core_pattern -> EACCES
	password hashes: attack read /etc/shadow -> EACCES
	listing homes: attack list /home -> EACCES
	listing the root: attack list / -> EACCES
	listing processes: attack list /proc -> EACCES
	the host's /tmp: attack create /tmp/battery.$BASHPID -> EACCES
	namespaces: attack clone-user -> EPERM
	set-id files: attack create-set-id \$HOME/x -> EPERM
	its own environment, by name: attack read /proc/self/environ -> EACCES
	END
}

# What the whole table comes to.
@test "there are more than 80 attempts" {
	(($(grep -c '^	.*: .* -> ' "$BATS_TEST_FILENAME") > 80))
}
