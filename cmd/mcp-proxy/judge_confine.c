/* SPDX-License-Identifier: ISC */
/* What a judge gives up before it sees the first byte of anybody. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "cmd/mcp-proxy/judge.h"
#include "common/landlock.h"
#include "common/proc.h"

/* The sanitizers map the whole address space, and have calls of their own. */
#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#define ARCH 0 /* calls are not filtered */
#endif

static int
limit(int resource, rlim_t n)
{
	struct rlimit l = {n, n};

	return setrlimit((unsigned)resource, &l);
}

#define ALLOW(call)                                                           \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, 1),                    \
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define LOAD(field)                                                           \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))

/* Leaves what it takes to read, to compute, to write and to end. */
static int
filter_calls(void)
{
	struct sock_filter code[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
		ALLOW(__NR_read), ALLOW(__NR_write), ALLOW(__NR_brk),
		ALLOW(__NR_mmap), ALLOW(__NR_munmap), ALLOW(__NR_mremap),
		ALLOW(__NR_mprotect), ALLOW(__NR_madvise),
		ALLOW(__NR_clock_gettime), ALLOW(__NR_gettimeofday),
		ALLOW(__NR_getrandom), ALLOW(__NR_futex),
		ALLOW(__NR_rt_sigprocmask), ALLOW(__NR_rt_sigaction),
		ALLOW(__NR_rt_sigreturn), ALLOW(__NR_restart_syscall),
		ALLOW(__NR_getpid), ALLOW(__NR_gettid), ALLOW(__NR_tgkill),
		ALLOW(__NR_exit), ALLOW(__NR_exit_group),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
	struct sock_fprog program = {sizeof code / sizeof *code, code};

	if (ARCH == 0 || IS_SANITIZED)
		return 0;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

static int
leave_files(void)
{
	struct landlock l;
	int r;

	if (landlock_open(&l, true) != 0)
		return -1;
	r = landlock_restrict(&l);
	landlock_close(&l);
	return r;
}

int
judge_confine(struct error *e)
{
	proc_forbid_core();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return error_errno(e, "no new privileges");
	if (leave_files() != 0)
		return error_errno(e, "landlock");
	/* No descriptor can be made any more. */
	if (limit(RLIMIT_FSIZE, 0) != 0 || limit(RLIMIT_NOFILE, 0) != 0 ||
	    (!IS_SANITIZED && limit(RLIMIT_AS, JUDGE_MEMORY_MAX) != 0))
		return error_errno(e, "limits");
	return filter_calls() == 0 ? 0 : error_errno(e, "seccomp");
}
