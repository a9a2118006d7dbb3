/* SPDX-License-Identifier: ISC */
/* Other processes: those outside, init, and how to outlive the sandbox. */
#include "attack.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/uio.h>
#include <sys/wait.h>

static pid_t
pid_of(char **a)
{
	return (pid_t)atoi(a[0]);
}

static long
trace(char **a)
{
	return ptrace(PTRACE_SEIZE, pid_of(a), NULL, NULL);
}

static long
trace_child(char **a)
{
	pid_t pid = fork();
	long r;

	(void)a;
	if (pid == 0) {
		pause();
		_exit(0);
	}
	r = ptrace(PTRACE_SEIZE, pid, NULL, NULL);
	kill(pid, SIGKILL);
	return r;
}

static long
memory_read(char **a)
{
	char byte;
	struct iovec to = {&byte, 1}, from = {(void *)&errno, 1};

	return process_vm_readv(pid_of(a), &to, 1, &from, 1, 0);
}

static long
memory_write(char **a)
{
	char byte = 0;
	struct iovec from = {&byte, 1}, to = {&byte, 1};

	return process_vm_writev(pid_of(a), &from, 1, &to, 1, 0);
}

static long
steal_fd(char **a)
{
	int fd = (int)syscall(SYS_pidfd_open, pid_of(a), 0);

	return fd == -1 ? -1 : syscall(SYS_pidfd_getfd, fd, 0, 0);
}

static long
compare(char **a)
{
	return syscall(SYS_kcmp, getpid(), pid_of(a), 0, 0, 0);
}

static long
send_signal(char **a)
{
	return kill(pid_of(a), 0);
}

static long
raise_priority(char **a)
{
	return setpriority(PRIO_PROCESS, (id_t)pid_of(a), 19);
}

static long
limit_of_other(char **a)
{
	struct rlimit l;

	return prlimit(pid_of(a), RLIMIT_CORE, NULL, &l);
}

static long
shared_memory(char **a)
{
	return shmget((key_t)atoi(a[0]), 0, 0);
}

static long
send_by_pidfd(char **a)
{
	int fd = (int)syscall(SYS_pidfd_open, pid_of(a), 0);

	return fd == -1 ? -1 : syscall(SYS_pidfd_send_signal, fd, SIGKILL,
	    NULL, 0);
}

/* With a sender of one's own making. */
static long
send_queued(char **a)
{
	siginfo_t info = {.si_code = -1, .si_signo = SIGCHLD};

	return syscall(SYS_rt_sigqueueinfo, pid_of(a), SIGCHLD, &info);
}

/* What the kernel sends when there is something to read: to whomever one
 * says. */
static long
send_by_file(char **a)
{
	int pair[2];

	if (pipe(pair) != 0 || fcntl(pair[0], F_SETOWN, atoi(a[0])) != 0 ||
	    fcntl(pair[0], F_SETSIG, SIGKILL) != 0 ||
	    fcntl(pair[0], F_SETFL, O_ASYNC | O_NONBLOCK) != 0)
		return -1;
	return write(pair[1], "x", 1);
}

static long
become_root(char **a)
{
	(void)a;
	return setuid(0);
}

static long
become_real_root(char **a)
{
	(void)a;
	return syscall(SYS_setresuid, 0, 0, 0);
}

static long
groups(char **a)
{
	gid_t none = 0;

	(void)a;
	return setgroups(1, &none);
}

/* Whether a copy of this program that is in memory is less confined. */
static long
memfd_exec(char **a)
{
	char *argv[] = {(char *)"attack", a[0], NULL}, *env[] = {NULL};
	int from = open("/proc/self/exe", O_RDONLY);
	int fd = memfd_create("attack", 0);
	static char block[1 << 16];
	ssize_t n;

	while ((n = read(from, block, sizeof block)) > 0)
		if (write(fd, block, (size_t)n) != n)
			return -1;
	return fexecve(fd, argv, env);
}

/* Starts N processes that leave the session and ignore what can be ignored;
 * each holds MARK as its name. */
static long
daemons(char **a)
{
	int count = atoi(a[0]);

	for (int i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid == -1)
			return -1;
		if (pid != 0)
			continue;
		setsid();
		if (fork() != 0)
			_exit(0);
		for (int s = 1; s < 32; s++)
			signal(s, SIG_IGN);
		execl("/proc/self/exe", a[1], "hang", (char *)NULL);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	return 0;
}

/* N processes that each put two in their place, for ever: whoever looks for
 * them finds those of before. */
static long
chains(char **a)
{
	for (int i = 0; i < atoi(a[0]); i++) {
		if (fork() != 0)
			continue;
		prctl(PR_SET_NAME, a[1]);
		signal(SIGTERM, SIG_IGN);
		setsid();
		for (;;) {
			if (fork() > 0)
				_exit(0);
			fork();
		}
	}
	for (;;)
		pause();
}

static long
hang(char **a)
{
	(void)a;
	close(0);
	close(1);
	close(2);
	while (pause() == -1)
		;
	return 0;
}

/* Forks until it is refused. */
static long
fork_bomb(char **a)
{
	int limit = atoi(a[0]);

	for (int i = 0; i < limit; i++) {
		pid_t pid = fork();

		if (pid == -1)
			return -1;
		if (pid == 0) {
			for (;;)
				pause();
		}
	}
	return 0;
}

static long
memory_hog(char **a)
{
	size_t left = (size_t)atoi(a[0]) << 20;

	for (; left > 0; left -= 1 << 20) {
		char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			return -1;
		memset(p, 1, 1 << 20);
	}
	return 0;
}

static long
memory_held(char **a)
{
	return memory_hog(a) == 0 ? hang(a) : -1;
}

static long
descriptors(char **a)
{
	int count = atoi(a[0]);

	for (int i = 0; i < count; i++) {
		if (open("/dev/null", O_RDONLY) == -1)
			return -1;
	}
	return 0;
}

static long
core_dump(char **a)
{
	struct rlimit l = {0, 0};

	(void)a;
	/* 0 would still start a piped handler; 1 does not. */
	setrlimit(RLIMIT_CORE, &l);
	getrlimit(RLIMIT_CORE, &l);
	errno = EPERM;
	return l.rlim_max == 1 && l.rlim_cur == 1 ? -1 : 0;
}

const struct attack process_attacks[] = {
	{"ptrace", trace}, {"ptrace-child", trace_child},
	{"vm-read", memory_read}, {"vm-write", memory_write},
	{"pidfd-getfd", steal_fd}, {"kcmp", compare},
	{"signal", send_signal}, {"priority", raise_priority},
	{"prlimit", limit_of_other}, {"shm", shared_memory},
	{"signal-pidfd", send_by_pidfd}, {"signal-queued", send_queued},
	{"signal-file", send_by_file}, {"setuid", become_root}, {"setresuid", become_real_root},
	{"setgroups", groups}, {"memfd", memfd_exec}, {"daemons", daemons},
	{"hang", hang}, {"chains", chains}, {"fork-bomb", fork_bomb}, {"memory", memory_hog}, {"memory-held", memory_held},
	{"descriptors", descriptors}, {"core", core_dump}, {NULL, NULL},
};
