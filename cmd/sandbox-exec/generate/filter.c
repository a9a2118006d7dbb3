/* SPDX-License-Identifier: ISC */
/* A program of the build: writes the seccomp filters of sandbox-exec as C
 * arrays, made by libseccomp for each architecture, so that a start compiles
 * nothing.  See seccomp.h for what they promise. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/btrfs.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/fscrypt.h>
#include <linux/fsverity.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shorten.h"

/* libseccomp's comparisons leave the second value out; clang minds. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

enum {
	INSTRUCTIONS_MAX = 2048,
	KNOWN_MAX = 451, /* cachestat of Linux 6.5, the last that is known */
	X32_BIT = 0x40000000,
	SUID_SGID = S_ISUID | S_ISGID,
	TCP_OPT_FASTOPEN = 23,
	TCP_OPT_FASTOPEN_CONNECT = 30,
	TCP_OPT_ULP = 31,
	NETLINK_ROUTE_PROTOCOL = 0,
	IOPRIO_WHO_PROCESS = 1,
	FCNTL_SET_DELEGATION = 1040, /* F_SETDELEG of Linux 6.19 */
};

/* ext4's own number for FS_IOC_SETVERSION. */
#define EXT4_SETVERSION _IOW('f', 4, long)

#define LOW32 0xffffffffULL

/* The kernel takes an int from the low half of the register, so what the high
 * half holds must not matter. */
#define EQ32(arg, value) \
	SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, LOW32, value)

/* Refused with EPERM, whatever the arguments. */
static const char *const refused[] = {
	/* namespaces and mounts */
	"setns", "mount", "umount", "umount2", "pivot_root", "chroot",
	"open_tree", "move_mount", "fsopen", "fsconfig",
	"fsmount", "fspick", "mount_setattr", "swapon", "swapoff", "quotactl",
	"quotactl_fd", "open_by_handle_at", "name_to_handle_at",
	/* keys and kernel programs */
	"keyctl", "add_key", "request_key", "bpf", "perf_event_open",
	"userfaultfd", "io_uring_setup", "io_uring_enter",
	"io_uring_register", "kexec_load", "kexec_file_load", "init_module",
	"finit_module", "delete_module", "create_module", "query_module",
	"get_kernel_syms",
	/* other processes */
	"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise",
	"process_mrelease", "pidfd_getfd", "kcmp", "move_pages",
	"migrate_pages",
	/* the machine */
	"reboot", "syslog", "acct", "iopl", "ioperm", "modify_ldt", "vhangup",
	"sethostname", "setdomainname", "settimeofday", "clock_settime",
	"clock_settime64", "clock_adjtime", "clock_adjtime64", "adjtimex",
	"stime", "lookup_dcookie", "nfsservctl", "sysfs", "_sysctl", "uselib",
	"ustat", "vm86", "vm86old", "fanotify_init", "memfd_secret",
};

/* As if the kernel were older: callers then use the older call, whose
 * arguments a filter can see. */
static const char *const unknown[] = {
	"clone3", "openat2",
	/* Whoever calls this does without; the machine has a number of
	 * requests for all together (fs.aio-max-nr). */
	"io_setup",
};

static bool
add(scmp_filter_ctx ctx, uint32_t action, const char *name,
    const struct scmp_arg_cmp *args, unsigned count)
{
	int nr = seccomp_syscall_resolve_name(name);
	int r;

	if (nr == __NR_SCMP_ERROR)
		return true;
	r = seccomp_rule_add_array(ctx, action, nr, count, args);
	/* EDOM: this architecture has no such call. */
	if (r == 0 || r == -EDOM || r == -EOPNOTSUPP)
		return true;
	fprintf(stderr, "filter: %s: %s\n", name, strerror(-r));
	return false;
}

static bool
refuse_masked(scmp_filter_ctx ctx, const char *name, unsigned arg,
    uint64_t mask, uint64_t value)
{
	struct scmp_arg_cmp cmp = SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, mask,
	    value);

	return add(ctx, SCMP_ACT_ERRNO(EPERM), name, &cmp, 1);
}

/* Refuses name if any of bits is set in its argument. */
static bool
refuse_bits(scmp_filter_ctx ctx, const char *name, unsigned arg,
    uint64_t bits)
{
	for (uint64_t bit = 1; bit != 0 && bit <= bits; bit <<= 1) {
		if ((bits & bit) != 0 &&
		    !refuse_masked(ctx, name, arg, bit, bit))
			return false;
	}
	return true;
}

/* The flags from CLONE_NEWCGROUP up are namespaces, but for CLONE_IO, which
 * nobody misses; CLONE_NEWNS is below, and for unshare CLONE_NEWTIME. */
static bool
add_namespaces(scmp_filter_ctx ctx)
{
	const uint64_t time = 0x80, ns = 0x20000, last_harmless = 0x01ffffff;
	const struct scmp_arg_cmp above = SCMP_CMP64(0, SCMP_CMP_GT,
	    last_harmless);

	return add(ctx, SCMP_ACT_ERRNO(EPERM), "clone", &above, 1) &&
	    add(ctx, SCMP_ACT_ERRNO(EPERM), "unshare", &above, 1) &&
	    refuse_bits(ctx, "clone", 0, ns) &&
	    refuse_bits(ctx, "unshare", 0, ns | time);
}

/* Refuses what makes a file that runs as somebody else, on the host too. */
static bool
add_set_id(scmp_filter_ctx ctx)
{
	return refuse_bits(ctx, "chmod", 1, SUID_SGID) &&
	    refuse_bits(ctx, "fchmod", 1, SUID_SGID) &&
	    refuse_bits(ctx, "fchmodat", 2, SUID_SGID) &&
	    refuse_bits(ctx, "creat", 1, SUID_SGID) &&
	    refuse_bits(ctx, "mknod", 1, SUID_SGID) &&
	    refuse_bits(ctx, "mknodat", 2, SUID_SGID);
}

/* What is left in the place of the old name is a device, which Landlock does
 * not see being made. */
static bool
add_whiteout(scmp_filter_ctx ctx)
{
	return refuse_bits(ctx, "renameat2", 4, RENAME_WHITEOUT);
}

/* open's mode counts only when it creates. */
static bool
add_set_id_open(scmp_filter_ctx ctx, const char *name, unsigned flags_arg)
{
	static const uint64_t creating[] = {O_CREAT, __O_TMPFILE};

	for (size_t i = 0; i < 2; i++) {
		for (uint64_t bit = S_ISGID; bit <= S_ISUID; bit <<= 1) {
			struct scmp_arg_cmp cmp[] = {
				SCMP_CMP64(flags_arg, SCMP_CMP_MASKED_EQ,
				    creating[i], creating[i]),
				SCMP_CMP64(flags_arg + 1, SCMP_CMP_MASKED_EQ,
				    bit, bit),
			};

			if (!add(ctx, SCMP_ACT_ERRNO(EPERM), name, cmp, 2))
				return false;
		}
	}
	return true;
}

static bool
add_ioctls(scmp_filter_ctx ctx)
{
	/* Compared in 32 bits: CVE-2019-10063. */
	static const uint64_t requests[] = {
		TIOCSTI, TIOCLINUX, TIOCSETD, TIOCCONS,
		/* A snapshot has the files without the masks on them; what is
		 * destroyed takes the place of a protected name along. */
		BTRFS_IOC_SNAP_CREATE, BTRFS_IOC_SNAP_CREATE_V2,
		BTRFS_IOC_SNAP_DESTROY, BTRFS_IOC_SNAP_DESTROY_V2,
		/* The user's, whichever process takes it away. */
		FS_IOC_REMOVE_ENCRYPTION_KEY,
	};

	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		if (!refuse_masked(ctx, "ioctl", 1, LOW32, requests[i]))
			return false;
	}
	return true;
}

/* The machine has so many huge pages as somebody has set aside, and no limit
 * of memory counts them.  shmget(2) gives them to members of a group only. */
static bool
add_huge_pages(scmp_filter_ctx ctx)
{
	static const struct {
		const char *name;
		unsigned arg;
		uint64_t flag;
		uint16_t error;
	} calls[] = {
		{"mmap", 3, MAP_HUGETLB, ENOMEM},
		{"memfd_create", 1, MFD_HUGETLB, EINVAL},
	};

	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		struct scmp_arg_cmp cmp = SCMP_CMP64(calls[i].arg,
		    SCMP_CMP_MASKED_EQ, calls[i].flag, calls[i].flag);

		if (!add(ctx, SCMP_ACT_ERRNO(calls[i].error), calls[i].name,
		    &cmp, 1))
			return false;
	}
	return true;
}

/* A rule for socket(2): every comparison must hold. */
static bool
refuse_socket(scmp_filter_ctx ctx, uint16_t error,
    const struct scmp_arg_cmp *cmp, unsigned count)
{
	return add(ctx, SCMP_ACT_ERRNO(error), "socket", cmp, count);
}

/* Only AF_UNIX (1), AF_INET (2), AF_INET6 (10) and AF_NETLINK (16) exist. */
static bool
add_families(scmp_filter_ctx ctx)
{
	static const struct {
		uint64_t mask, value;
	} ranges[] = {
		{LOW32, 0}, {LOW32, 3}, {LOW32 - 3, 4}, {LOW32 - 1, 8},
		{LOW32, 11}, {LOW32 - 3, 12},
	};

	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
		struct scmp_arg_cmp cmp = SCMP_CMP64(0, SCMP_CMP_MASKED_EQ,
		    ranges[i].mask, ranges[i].value);

		if (!refuse_socket(ctx, EAFNOSUPPORT, &cmp, 1))
			return false;
	}
	return refuse_socket(ctx, EAFNOSUPPORT, (struct scmp_arg_cmp[]){
	    SCMP_CMP64(0, SCMP_CMP_GT, AF_NETLINK)}, 1) &&
	    refuse_socket(ctx, EPROTONOSUPPORT, (struct scmp_arg_cmp[]){
	    EQ32(0, AF_NETLINK),
	    SCMP_CMP64(2, SCMP_CMP_NE, NETLINK_ROUTE_PROTOCOL)}, 2) &&
	    add(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), "socketpair",
	    (struct scmp_arg_cmp[]){SCMP_CMP64(0, SCMP_CMP_NE, AF_UNIX)}, 1);
}

/* Internet sockets are SOCK_STREAM (1) or SOCK_DGRAM (2), TCP or UDP: not
 * raw, not MPTCP (262), which Landlock does not see, not SCTP. */
static bool
add_internet(scmp_filter_ctx ctx)
{
	static const uint64_t internet[] = {AF_INET, AF_INET6};
	static const struct {
		uint64_t mask, value;
	} types[] = {{0xf, SOCK_RAW}, {0x4, 0x4}, {0x8, 0x8}};

	for (size_t i = 0; i < 2; i++) {
		for (size_t t = 0; t < 3; t++) {
			struct scmp_arg_cmp cmp[] = {
				EQ32(0, internet[i]),
				SCMP_CMP64(1, SCMP_CMP_MASKED_EQ,
				    types[t].mask, types[t].value),
			};

			if (!refuse_socket(ctx, EPERM, cmp, 2))
				return false;
		}
		if (!refuse_socket(ctx, EPROTONOSUPPORT,
		    (struct scmp_arg_cmp[]){EQ32(0, internet[i]),
		    EQ32(2, IPPROTO_ICMP)}, 2))
			return false;
	}
	return refuse_socket(ctx, EPROTONOSUPPORT, (struct scmp_arg_cmp[]){
	    SCMP_CMP64(2, SCMP_CMP_GT, IPPROTO_UDP)}, 1);
}

/* Data in the SYN passes Landlock's connect rule. */
static bool
add_fast_open(scmp_filter_ctx ctx)
{
	static const uint64_t options[] = {
		TCP_OPT_FASTOPEN, TCP_OPT_FASTOPEN_CONNECT, TCP_OPT_ULP,
	};

	for (size_t i = 0; i < 3; i++) {
		struct scmp_arg_cmp cmp[] = {
			EQ32(1, IPPROTO_TCP),
			EQ32(2, options[i]),
		};

		if (!add(ctx, SCMP_ACT_ERRNO(EPERM), "setsockopt", cmp, 2))
			return false;
	}
	return refuse_bits(ctx, "sendto", 3, MSG_FASTOPEN) &&
	    refuse_bits(ctx, "sendmsg", 2, MSG_FASTOPEN) &&
	    refuse_bits(ctx, "sendmmsg", 3, MSG_FASTOPEN);
}

static bool
refuse_fcntl(scmp_filter_ctx ctx, uint64_t command)
{
	return refuse_masked(ctx, "fcntl", 1, LOW32, command) &&
	    refuse_masked(ctx, "fcntl64", 1, LOW32, command);
}

/* A lease makes whoever opens the file on the host wait for the payload, a
 * delegation whoever changes the directory. */
static bool
add_leases(scmp_filter_ctx ctx)
{
	return refuse_fcntl(ctx, F_SETLEASE) &&
	    refuse_fcntl(ctx, FCNTL_SET_DELEGATION);
}

/* A limit of processor time kills, and who may be signalled does not count
 * here: the processes of other commands, and init, have the same user. */
static bool
add_limits(scmp_filter_ctx ctx)
{
	return add(ctx, SCMP_ACT_ERRNO(EPERM), "prlimit64",
	    (struct scmp_arg_cmp[]){SCMP_CMP64(0, SCMP_CMP_NE, 0)}, 1);
}

/* Of 1, which the payload has, the kernel makes neither a file nor a program's
 * input (core(5)); of 0 it makes the latter.  Who sets a limit wants no dump,
 * and may give up if that fails: it is told that it worked, unless it asks
 * for what was before. */
static bool
add_core_limit(scmp_filter_ctx ctx)
{
	struct scmp_arg_cmp set[] = {
		SCMP_CMP64(0, SCMP_CMP_EQ, 0), EQ32(1, RLIMIT_CORE),
		SCMP_CMP64(2, SCMP_CMP_NE, 0), SCMP_CMP64(3, SCMP_CMP_EQ, 0),
	};
	struct scmp_arg_cmp core = EQ32(0, RLIMIT_CORE);

	if (!add(ctx, SCMP_ACT_ERRNO(0), "setrlimit", &core, 1) ||
	    !add(ctx, SCMP_ACT_ERRNO(0), "prlimit64", set, 4))
		return false;
	set[3].op = SCMP_CMP_NE;
	return add(ctx, SCMP_ACT_ERRNO(EPERM), "prlimit64", set, 4);
}

static bool
add_base(scmp_filter_ctx ctx)
{
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		if (!add(ctx, SCMP_ACT_ERRNO(EPERM), refused[i], NULL, 0))
			return false;
	}
	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
		if (!add(ctx, SCMP_ACT_ERRNO(ENOSYS), unknown[i], NULL, 0))
			return false;
	}
	return add_namespaces(ctx) && add_set_id(ctx) &&
	    add_set_id_open(ctx, "open", 1) &&
	    add_set_id_open(ctx, "openat", 2) && add_ioctls(ctx) &&
	    add_families(ctx) && add_internet(ctx) &&
	    add_fast_open(ctx) && add_leases(ctx) && add_limits(ctx) &&
	    add_core_limit(ctx) && add_whiteout(ctx) && add_huge_pages(ctx);
}

/* No sockets but Unix ones: where there is no network namespace. */
static bool
add_no_network(scmp_filter_ctx ctx)
{
	return add(ctx, SCMP_ACT_ERRNO(EPERM), "socket",
	    (struct scmp_arg_cmp[]){SCMP_CMP64(0, SCMP_CMP_NE, AF_UNIX)}, 1);
}

/* Refused where the host's files and objects are in reach: Landlock does not
 * see who changes a mode by name, or an owner or an attribute (an access list
 * is one), wherever that is, nor System V and message queues. */
static const char *const refused_shared[] = {
	"chmod", "fchmodat", "chown", "lchown", "fchownat", "chown32",
	"lchown32", "fchown", "fchown32", "setxattr", "lsetxattr",
	"removexattr", "lremovexattr", "fremovexattr",
	"shmget", "shmat", "shmctl", "msgget", "msgsnd", "msgrcv", "msgctl",
	"semget", "semop", "semtimedop", "semctl", "ipc", "mq_open",
	"mq_unlink",
};

/* With other errors than EPERM.  Landlock does not see who reads attributes of
 * a file by its name, nor who watches one, which tells names in directories
 * that are closed: as on a file system that has no attributes, and as for a
 * user who has all the watches there may be. */
static const struct {
	const char *name;
	uint16_t error;
} failing_shared[] = {
	{"getxattr", EOPNOTSUPP}, {"lgetxattr", EOPNOTSUPP},
	{"listxattr", EOPNOTSUPP}, {"llistxattr", EOPNOTSUPP},
	/* Whoever copies a file's access list (sed -i, cp -p) does without. */
	{"fsetxattr", EOPNOTSUPP},
	{"inotify_init", EMFILE}, {"inotify_init1", EMFILE},
};

/* A file that can be read and is the caller's can be given flags, made
 * unchangeable for ever, and an empty directory unreadable: only a read-only
 * mount is in the way of that elsewhere. */
static bool
add_file_ioctls(scmp_filter_ctx ctx)
{
	static const uint64_t requests[] = {
		FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR, FS_IOC_SETVERSION,
		EXT4_SETVERSION, FS_IOC_ENABLE_VERITY,
		FS_IOC_SET_ENCRYPTION_POLICY, BTRFS_IOC_SUBVOL_SETFLAGS,
	};

	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		if (!refuse_masked(ctx, "ioctl", 1, LOW32, requests[i]))
			return false;
	}
	return true;
}

/* Half of a pair of datagram sockets sends to any address; SOCK_RAW is
 * another word for them (unix(7)). */
static bool
add_unix(scmp_filter_ctx ctx)
{
	static const uint64_t types[] = {SOCK_DGRAM, SOCK_RAW};

	for (size_t i = 0; i < 2; i++) {
		if (!refuse_masked(ctx, "socketpair", 1, 0xf, types[i]))
			return false;
	}
	return add(ctx, SCMP_ACT_ERRNO(EPERM), "socket",
	    (struct scmp_arg_cmp[]){EQ32(0, AF_UNIX)}, 1);
}

/* Where the host's processes and sockets are in reach: no process but the
 * caller is changed, and no Unix socket connected, which Landlock does not
 * see. */
static bool
add_shared(scmp_filter_ctx ctx)
{
	static const struct {
		const char *name;
		unsigned arg;
	} calls[] = {
		{"setpriority", 1}, {"ioprio_set", 1},
		{"sched_setaffinity", 0}, {"sched_setscheduler", 0},
		{"sched_setparam", 0}, {"sched_setattr", 0},
	};

	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		struct scmp_arg_cmp other = SCMP_CMP64(calls[i].arg,
		    SCMP_CMP_NE, 0);

		if (!add(ctx, SCMP_ACT_ERRNO(EPERM), calls[i].name, &other,
		    1))
			return false;
	}
	for (size_t i = 0; i < sizeof refused_shared / sizeof *refused_shared;
	    i++) {
		if (!add(ctx, SCMP_ACT_ERRNO(EPERM), refused_shared[i], NULL,
		    0))
			return false;
	}
	for (size_t i = 0; i < sizeof failing_shared / sizeof *failing_shared;
	    i++) {
		if (!add(ctx, SCMP_ACT_ERRNO(failing_shared[i].error),
		    failing_shared[i].name, NULL, 0))
			return false;
	}
	/* setpriority and ioprio_set: a process, not a group or a user. */
	return refuse_fcntl(ctx, F_NOTIFY) &&
	    add(ctx, SCMP_ACT_ERRNO(EPERM), "setpriority",
	    (struct scmp_arg_cmp[]){SCMP_CMP64(0, SCMP_CMP_NE,
	    PRIO_PROCESS)}, 1) && add(ctx, SCMP_ACT_ERRNO(EPERM),
	    "ioprio_set", (struct scmp_arg_cmp[]){SCMP_CMP64(0, SCMP_CMP_NE,
	    IOPRIO_WHO_PROCESS)}, 1) && add_file_ioctls(ctx) && add_unix(ctx);
}

/* A call that is younger than this list is unknown (ENOSYS): what it does
 * nobody has judged.  Other architectures go on to the program, which kills
 * them.  Returns the number of instructions. */
static size_t
put_prologue(struct sock_filter *out, uint32_t arch)
{
	const struct sock_filter at[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arch, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, KNOWN_MAX, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};

	memcpy(out, at, sizeof at);
	return sizeof at / sizeof *at;
}

static bool
print_program(int fd, const char *name, uint32_t arch)
{
	static struct sock_filter at[INSTRUCTIONS_MAX], all[INSTRUCTIONS_MAX];
	size_t count = put_prologue(at, arch), length;
	ssize_t n;

	lseek(fd, 0, SEEK_SET);
	n = read(fd, at + count, sizeof at - count * sizeof *at);
	if (n <= 0 || (size_t)n == sizeof at - count * sizeof *at)
		return false;
	count += (size_t)n / sizeof *at;
	memcpy(all, at, sizeof at);
	length = shorten(at, count);
	if (length != 0 && !shorten_is_same(all, count, at, length, arch,
	    KNOWN_MAX)) {
		fprintf(stderr, "filter: %s: shortening changes it\n", name);
		return false;
	}
	if (length == 0)
		length = count;
	printf("static const struct sock_filter %s[] = {\n", name);
	for (size_t i = 0; i < length; i++)
		printf("\t{0x%04x, %u, %u, 0x%08x},\n", at[i].code,
		    at[i].jt, at[i].jf, at[i].k);
	printf("};\n");
	return true;
}

static bool
generate(uint32_t arch, const char *name, bool (*fill)(scmp_filter_ctx))
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int fd = memfd_create("filter", MFD_CLOEXEC);
	bool ok;

	if (ctx == NULL || fd == -1)
		return false;
	ok = seccomp_arch_add(ctx, arch) <= 0 &&
	    (arch == seccomp_arch_native() ||
	    seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE) == 0) &&
	    seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
	    SCMP_ACT_KILL_PROCESS) == 0 &&
	    seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0 &&
	    fill(ctx) && seccomp_export_bpf(ctx, fd) == 0 &&
	    print_program(fd, name, arch);
	seccomp_release(ctx);
	close(fd);
	return ok;
}

int
main(void)
{
	static const struct {
		const char *test;
		uint32_t arch;
	} archs[] = {
		{"__x86_64__", SCMP_ARCH_X86_64},
		{"__aarch64__", SCMP_ARCH_AARCH64},
	};

	for (size_t i = 0; i < 2; i++) {
		printf("#ifdef %s\n", archs[i].test);
		if (!generate(archs[i].arch, "filter_base", add_base) ||
		    !generate(archs[i].arch, "filter_no_network",
		    add_no_network) ||
		    !generate(archs[i].arch, "filter_shared", add_shared)) {
			fprintf(stderr, "filter: %s failed\n", archs[i].test);
			return 1;
		}
		printf("#endif\n");
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
