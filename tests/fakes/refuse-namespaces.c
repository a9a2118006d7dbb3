/* SPDX-License-Identifier: ISC */
/* Runs a command where the host refuses a part of what namespaces need.
 *
 *	refuse-namespaces COMMAND...
 *	refuse-namespaces --some=WORD COMMAND...
 *
 * Without a word as a container engine's default seccomp profile would: no
 * user namespace, no mount, and a clone3 that is not there.  With one as
 * AppArmor's restriction of user namespaces does: they are made, and what has
 * to be done in them fails, early (maps), later (mount, pivot) or last (net,
 * proc); or as vm.memfd_noexec=2 does (memfd), or a kernel without Landlock.
 * Files and file systems are refused by name, which a filter cannot see: a
 * process of its own reads it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

enum { FAILED = 99 };

static int
add_all(scmp_filter_ctx ctx, int error, const int *calls)
{
	int r = 0;

	for (; r == 0 && *calls != -1; calls++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO((unsigned)error),
		    *calls, 0);
	return r;
}

static int
refuse_flag(scmp_filter_ctx ctx, int call, unsigned long flag)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), call, 1,
	    SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, flag, flag));
}

static int
hide_clone3(scmp_filter_ctx ctx)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS),
	    SCMP_SYS(clone3), 0);
}

static int
fill(scmp_filter_ctx ctx, const char *some)
{
	static const int engine[] = {
		SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(mount),
		SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(open_tree),
		SCMP_SYS(move_mount), SCMP_SYS(fsopen), SCMP_SYS(fsmount),
		SCMP_SYS(mount_setattr), -1,
	};
	static const int mounts[] = {
		SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root),
		SCMP_SYS(open_tree), SCMP_SYS(move_mount), SCMP_SYS(fsopen),
		SCMP_SYS(fsmount), SCMP_SYS(mount_setattr), -1,
	};
	static const int attributes[] = {SCMP_SYS(mount_setattr), -1};
	static const int pivot[] = {SCMP_SYS(pivot_root), -1};
	static const int landlock[] = {SCMP_SYS(landlock_create_ruleset), -1};

	if (some == NULL)
		return add_all(ctx, EPERM, engine) || hide_clone3(ctx) ||
		    refuse_flag(ctx, SCMP_SYS(clone), CLONE_NEWUSER);
	if (strcmp(some, "mount") == 0)
		return add_all(ctx, EACCES, mounts);
	if (strcmp(some, "attributes") == 0)
		return add_all(ctx, EPERM, attributes);
	if (strcmp(some, "pivot") == 0)
		return add_all(ctx, EPERM, pivot);
	if (strcmp(some, "landlock") == 0)
		return add_all(ctx, ENOSYS, landlock);
	if (strcmp(some, "net") == 0)
		return hide_clone3(ctx) ||
		    refuse_flag(ctx, SCMP_SYS(clone), CLONE_NEWNET) ||
		    refuse_flag(ctx, SCMP_SYS(unshare), CLONE_NEWNET);
	if (strcmp(some, "memfd") == 0)
		return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EACCES),
		    SCMP_SYS(memfd_create), 1, SCMP_CMP32(1,
		    SCMP_CMP_MASKED_EQ, MFD_NOEXEC_SEAL, 0));
	if (strcmp(some, "maps") == 0)
		return seccomp_rule_add(ctx, SCMP_ACT_NOTIFY,
		    SCMP_SYS(openat), 0) ||
		    seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, SCMP_SYS(open), 0);
	if (strcmp(some, "proc") == 0)
		return seccomp_rule_add(ctx, SCMP_ACT_NOTIFY,
		    SCMP_SYS(fsopen), 0);
	return -1;
}

/* Whether the string at address in a process ends so. */
static int
ends_with(pid_t pid, unsigned long address, const char *end)
{
	char text[64] = "";
	struct iovec to = {text, sizeof text - 1};
	struct iovec from = {(void *)address, sizeof text - 1};
	size_t len, n = strlen(end);

	/* It may lie just before what is not mapped. */
	while (process_vm_readv(pid, &to, 1, &from, 1, 0) == -1) {
		if (from.iov_len == 0)
			return 0;
		from.iov_len--;
	}
	len = strlen(text);
	return len >= n && strcmp(text + len - n, end) == 0;
}

/* Answers until the command has ended. */
static void
answer(int fd, const char *some)
{
	const char *name = strcmp(some, "maps") == 0 ? "uid_map" : "proc";
	struct seccomp_notif request;
	struct seccomp_notif_resp reply;

	for (;;) {
		int arg;

		memset(&request, 0, sizeof request);
		if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0) {
			if (errno == EINTR || errno == ENOENT)
				continue;
			return;
		}
		arg = request.data.nr == SCMP_SYS(openat) ? 1 : 0;
		reply = (struct seccomp_notif_resp){.id = request.id,
			.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
		if (ends_with((pid_t)request.pid, request.data.args[arg],
		    name))
			reply = (struct seccomp_notif_resp){
				.id = request.id, .error = -EACCES};
		ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &reply);
	}
}

/* Runs the command below a process that decides about what it opens. */
static int
run_watched(scmp_filter_ctx ctx, const char *some, char **argv)
{
	int ready[2], fd = -1, status;
	pid_t pid, helper;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ready) != 0 ||
	    (pid = fork()) == -1)
		return FAILED;
	if (pid == 0) {
		if (seccomp_load(ctx) != 0)
			_exit(FAILED);
		fd = seccomp_notify_fd(ctx);
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		if (write(ready[1], &fd, sizeof fd) != sizeof fd ||
		    read(ready[1], &fd, sizeof fd) != sizeof fd)
			_exit(FAILED);
		execvp(argv[0], argv);
		_exit(FAILED);
	}
	if (read(ready[0], &fd, sizeof fd) != sizeof fd)
		return FAILED;
	fd = (int)syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, pid, 0),
	    fd, 0);
	if (fd == -1 || write(ready[0], &fd, sizeof fd) != sizeof fd)
		return FAILED;
	helper = fork();
	if (helper == 0) {
		answer(fd, some);
		_exit(0);
	}
	close(fd);
	waitpid(pid, &status, 0);
	kill(helper, SIGKILL);
	waitpid(helper, NULL, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) :
	    128 + WTERMSIG(status);
}

int
main(int argc, char **argv)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	const char *some = NULL;

	if (argc > 1 && strncmp(argv[1], "--some=", 7) == 0) {
		some = argv[1] + 7;
		argv++;
		argc--;
	}
	if (argc < 2 || ctx == NULL || fill(ctx, some) != 0) {
		fprintf(stderr, "refuse-namespaces: no filter\n");
		return FAILED;
	}
	if (some != NULL && (strcmp(some, "maps") == 0 ||
	    strcmp(some, "proc") == 0))
		return run_watched(ctx, some, argv + 1);
	if (seccomp_load(ctx) != 0) {
		fprintf(stderr, "refuse-namespaces: no filter\n");
		return FAILED;
	}
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return FAILED;
}
