/* SPDX-License-Identifier: ISC */
#include "common/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/exit.h"
#include "common/io.h"
#include "common/str.h"

enum {
	PAIR_BUFFER_LEN = 512 << 10, /* frames in bulk, each way */
};

static const char *const nothing_dropped[] = {NULL};

static struct rlimit files; /* before proc_raise_files; zeros: not called */

static void
reset_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* What is done in the child before the command is executed. */
struct launch {
	struct proc_command command; /* envp NULL: as it is */
	bool own_session;
	pid_t parent;
};

/* A descriptor above those that are placed. */
static int
lift(int fd, int standard)
{
	if (fd == -1)
		fd = open("/dev/null", (standard == STDIN_FILENO ? O_RDONLY :
		    O_WRONLY) | O_CLOEXEC);
	return fd == -1 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, PROC_FDS);
}

/* Puts the descriptors where they belong, out of each other's way first.
 * Returns how many are placed, or -1. */
static int
place_fds(const int fds[static PROC_FDS])
{
	int count = fds[PROC_FDS - 1] == -1 ? PROC_FDS - 1 : PROC_FDS;
	int moved[PROC_FDS];

	for (int i = 0; i < count; i++) {
		moved[i] = lift(fds[i], i);
		if (moved[i] == -1)
			return -1;
	}
	for (int i = 0; i < count; i++) {
		if (dup2(moved[i], i) == -1)
			return -1;
		/* A shared standard error stays as others want it. */
		if (i != STDERR_FILENO || fds[i] != i)
			io_set_nonblock(i, false);
	}
	return count;
}

/* In the child: never returns.  A failure is told through report_fd, which
 * a successful exec closes. */
static void
child_exec(const struct launch *l, int report_fd)
{
	const struct proc_command *c = &l->command;
	const char *path = c->path != NULL ? c->path : c->argv[0];
	int report = fcntl(report_fd, F_DUPFD_CLOEXEC, PROC_FDS);
	int placed = -1;
	char *const *argv;

	/* execve(2) does not write to them, whatever its prototype says. */
	memcpy(&argv, &c->argv, sizeof argv);
	reset_signals();
	prctl(PR_SET_PDEATHSIG, (unsigned long)c->death_signal);
	if (getppid() != l->parent)
		_exit(EXIT_TEMPORARY);
	if (report != -1 && (!l->own_session || setsid() != -1))
		placed = place_fds(c->fds);
	if (placed != -1 && (c->dir == NULL || chdir(c->dir) == 0)) {
		close_range((unsigned)placed, ~0U, CLOSE_RANGE_CLOEXEC);
		/* Last: below the old limit no descriptor may be free. */
		if (files.rlim_max != 0)
			setrlimit(RLIMIT_NOFILE, &files);
		if (c->envp == NULL)
			execvp(path, argv);
		else
			execvpe(path, argv, c->envp);
	}
	io_write_all(report, bytes_of(&errno, sizeof errno));
	_exit(EXIT_NOT_FOUND);
}

/* Waits for the exec.  Returns 0, or the errno that the child reported. */
static int
read_report(int fd)
{
	int code = 0;
	ssize_t n;

	do {
		n = read(fd, &code, sizeof code);
	} while (n == -1 && errno == EINTR);
	return n == (ssize_t)sizeof code ? code : 0;
}

static pid_t
launch(const struct launch *l, const char *const drop_env[], struct error *e)
{
	const char *name = l->command.argv[0];
	int report[2];
	pid_t pid;

	e->code = EXIT_TEMPORARY;
	if (pipe2(report, O_CLOEXEC) != 0)
		return error_errno(e, "%s: pipe", name);
	pid = fork();
	if (pid == 0) {
		for (; *drop_env != NULL; drop_env++)
			unsetenv(*drop_env);
		child_exec(l, report[1]);
	}
	close(report[1]);
	if (pid == -1) {
		error_errno(e, "%s: fork", name);
		close(report[0]);
		return -1;
	}
	errno = read_report(report[0]);
	close(report[0]);
	if (errno == 0)
		return pid;
	e->code = errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
	error_errno(e, "%s", name);
	waitpid(pid, NULL, 0);
	return -1;
}

static pid_t
launch_pair(struct launch *l, const char *const drop_env[], int *ret_fd,
    struct error *e)
{
	int len = PAIR_BUFFER_LEN, pair[2];
	pid_t pid;

	e->code = EXIT_TEMPORARY;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return error_errno(e, "%s: socket pair", l->command.argv[0]);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &len, sizeof len);
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &len, sizeof len);
	l->command.fds[0] = l->command.fds[1] = pair[1];
	pid = launch(l, drop_env, e);
	close(pair[1]);
	if (pid == -1)
		close(pair[0]);
	else
		*ret_fd = pair[0];
	return pid;
}

/* By a plain command line, in the caller's session. */
static struct launch
plain_launch(char *const argv[], int stdin_fd, int stdout_fd)
{
	return (struct launch){
		.command = {.argv = (const char *const *)argv,
		    .fds = {stdin_fd, stdout_fd, STDERR_FILENO, -1},
		    .death_signal = SIGTERM},
		.parent = getpid(),
	};
}

pid_t
proc_start(char *const argv[], int stdin_fd, int stdout_fd,
    const char *const drop_env[], struct error *e)
{
	struct launch l = plain_launch(argv, stdin_fd, stdout_fd);

	return launch(&l, drop_env, e);
}

pid_t
proc_start_pair(char *const argv[], const char *const drop_env[], int *ret_fd,
    struct error *e)
{
	struct launch l = plain_launch(argv, -1, -1);

	return launch_pair(&l, drop_env, ret_fd, e);
}

pid_t
proc_spawn(const struct proc_command *c, struct error *e)
{
	struct launch l = {
		.command = *c, .own_session = true, .parent = getpid(),
	};

	return launch(&l, nothing_dropped, e);
}

pid_t
proc_spawn_pair(const struct proc_command *c, int *ret_fd, struct error *e)
{
	struct launch l = {
		.command = *c, .own_session = true, .parent = getpid(),
	};

	return launch_pair(&l, nothing_dropped, ret_fd, e);
}

static bool
is_executable(int dir_fd, const char *path)
{
	struct stat st;

	if (fstatat(dir_fd, path, &st, 0) != 0)
		return false;
	errno = EACCES;
	return S_ISREG(st.st_mode) &&
	    faccessat(dir_fd, path, X_OK, AT_EACCESS) == 0;
}

/* As execvp(3) does; relative directories of PATH begin in dir_fd.  Returns
 * false with errno, that of one which is there but not executable before
 * others. */
static bool
is_in_path(int dir_fd, const char *name)
{
	const char *at = getenv("PATH");
	int why = ENOENT;
	char path[PATH_MAX];

	for (at = at == NULL ? "/bin:/usr/bin" : at;; at++) {
		size_t len = strcspn(at, ":");

		if (str_format(path, sizeof path, "%.*s%s%s", (int)len, at,
		    len == 0 ? "" : "/", name) == 0 &&
		    is_executable(dir_fd, path))
			return true;
		if (errno == EACCES)
			why = EACCES;
		at += len;
		if (*at == '\0')
			break;
	}
	errno = why;
	return false;
}

int
proc_find(const struct proc_command *c, struct error *e)
{
	const char *name = c->path != NULL ? c->path : c->argv[0];
	int dir_fd = c->dir == NULL ? AT_FDCWD : open(c->dir, O_PATH |
	    O_DIRECTORY | O_CLOEXEC), r = 0;

	if (dir_fd == -1)
		return error_errno(e, "%s", c->dir);
	if (!(strchr(name, '/') != NULL ? is_executable(dir_fd, name)
	    : is_in_path(dir_fd, name)))
		r = error_errno(e, "%s", name);
	if (dir_fd != AT_FDCWD)
		close(dir_fd);
	return r;
}

int
proc_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static void
mask_hangup(int how)
{
	sigset_t hangup;

	sigemptyset(&hangup);
	sigaddset(&hangup, SIGHUP);
	sigprocmask(how, &hangup, NULL);
}

void
proc_hold_hangup(void)
{
	mask_hangup(SIG_BLOCK);
}

void
proc_take_hangup(void)
{
	mask_hangup(SIG_UNBLOCK);
}

void
proc_forbid_core(void)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
}

uint64_t
proc_raise_files(void)
{
	struct rlimit raised;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return 0;
	raised = files;
	raised.rlim_cur = raised.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur
	    : files.rlim_cur;
}

int
proc_exit_status(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return EXIT_SIGNAL + WTERMSIG(wait_status);
	return WEXITSTATUS(wait_status);
}
