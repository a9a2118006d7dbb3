/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/gate_confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cmd/sandbox-exec/payload.h"
#include "common/landlock.h"

enum { NOBODY = 65534, FILES_MAX = 4096 };

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "the gate's filter does not know this architecture"
#endif

/* What libev, c-ares, the C library and we call once everything is set up.
 * Nothing here makes a process or a file, or changes one. */
static const unsigned allowed[] = {
	SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_close, SYS_fcntl,
	SYS_fstat, SYS_newfstatat, SYS_statx, SYS_lseek, SYS_openat,
	SYS_connect, SYS_accept4, SYS_getsockname,
	SYS_getpeername, SYS_getsockopt, SYS_setsockopt, SYS_shutdown,
	SYS_sendto, SYS_sendmsg, SYS_recvfrom, SYS_recvmsg, SYS_bind,
	SYS_epoll_ctl, SYS_epoll_pwait, SYS_epoll_create1, SYS_ppoll,
	SYS_pipe2, SYS_splice, SYS_eventfd2, SYS_timerfd_create, SYS_timerfd_settime,
	SYS_clock_gettime, SYS_clock_getres, SYS_gettimeofday,
	SYS_getrandom, SYS_mmap, SYS_munmap, SYS_mremap, SYS_brk,
	SYS_madvise, SYS_futex, SYS_rt_sigprocmask, SYS_rt_sigreturn,
	SYS_rt_sigaction, SYS_getpid, SYS_gettid, SYS_getuid, SYS_geteuid,
	SYS_getgid, SYS_getegid, SYS_uname, SYS_exit, SYS_exit_group,
	SYS_restart_syscall, SYS_getdents64, SYS_prlimit64,
#if defined(__x86_64__)
	SYS_epoll_wait, SYS_poll, SYS_select, SYS_stat, SYS_open,
	SYS_epoll_create, SYS_time,
#endif
};

enum {
	ALLOWED_COUNT = sizeof allowed / sizeof *allowed,
	CHECKS = 11, /* before the numbers */
};

static int
compare_fds(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int
gate_confine_fds(const int *keep, size_t count)
{
	int sorted[GATE_FDS_MAX];
	unsigned next = STDERR_FILENO + 1;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; i <= STDERR_FILENO; i++) {
		if (null == -1 || dup2(null, i) == -1)
			return -1;
	}
	memcpy(sorted, keep, count * sizeof *keep);
	qsort(sorted, count, sizeof *sorted, compare_fds);
	for (size_t i = 0; i < count; i++) {
		if (sorted[i] < (int)next)
			continue;
		if (sorted[i] > (int)next &&
		    close_range(next, (unsigned)sorted[i] - 1, 0) != 0)
			return -1;
		next = (unsigned)sorted[i] + 1;
	}
	return close_range(next, ~0U, 0);
}

/* Becomes nobody, where there is one. */
static int
leave_root(void)
{
	if (geteuid() != 0)
		return 0;
	if (setgroups(0, NULL) != 0 && errno != EPERM)
		return -1;
	if ((setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) != 0) && errno != EINVAL)
		return -1;
	return 0;
}

/* What links in /etc lead to is named on its own. */
static int
restrict_files(void)
{
	static const char *const readable[] = {
		"/etc", "/etc/resolv.conf", "/etc/hosts",
		"/run/systemd/resolve", "/run/resolvconf",
		"/run/NetworkManager", "/dev/urandom",
	};
	struct landlock l;
	int r;

	if (landlock_open(&l, false) != 0)
		return -1;
	if (l.abi == 0)
		return 0;
	for (size_t i = 0; i < sizeof readable / sizeof *readable; i++) {
		int fd = open(readable[i], O_PATH | O_CLOEXEC);

		if (fd == -1)
			continue;
		landlock_allow_read(&l, fd);
		close(fd);
	}
	r = landlock_restrict(&l);
	landlock_close(&l);
	return r;
}

static int
install_filter(void)
{
	struct sock_filter code[CHECKS + ALLOWED_COUNT + 2] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		/* A Unix socket leads to what serves the host. */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 6),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, args)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof code / sizeof *code, code};
	size_t at = CHECKS;

	for (size_t i = 0; i < ALLOWED_COUNT; i++, at++)
		code[at] = (struct sock_filter)BPF_JUMP(
		    BPF_JMP | BPF_JEQ | BPF_K, allowed[i],
		    (uint8_t)(ALLOWED_COUNT - i), 0);
	code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
	    SECCOMP_RET_ERRNO | EPERM);
	code[at] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
	    SECCOMP_RET_ALLOW);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

int
gate_confine(pid_t parent)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max < FILES_MAX ?
		    files.rlim_max : FILES_MAX;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	/* A change of ids forgets the signal, so that comes after it. */
	if (leave_root() != 0 || payload_drop_capabilities() != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		return -1;
	if (getppid() != parent) {
		errno = ESRCH;
		return -1;
	}
	if (restrict_files() != 0)
		return -1;
	return install_filter();
}
