/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/exit.h"
#include "common/io.h"
#include "common/str.h"

static void
reset_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A descriptor above those that will be placed. */
static int
lift(int fd, int flags)
{
	return fd == -1 ? open("/dev/null", flags | O_CLOEXEC)
	    : fcntl(fd, F_DUPFD_CLOEXEC, 4);
}

static bool
place(int fd, int at)
{
	int high = fd == -1 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 4);

	if (high == -1 || dup2(high, at) == -1)
		return false;
	io_set_nonblock(at, false);
	return true;
}

/* In the child: never returns.  A failure is told through report_fd, which
 * a successful exec closes. */
static void
child_exec(const struct spawn *s, pid_t parent, int report_fd)
{
	int report = fcntl(report_fd, F_DUPFD_CLOEXEC, 4);
	int third = s->third_fd == -1 ? -1 : lift(s->third_fd, 0);
	int in = lift(s->stdin_fd, O_RDONLY);
	int out = lift(s->stdout_fd, O_WRONLY);
	char *const *argv;

	/* execve(2) does not write to them, whatever its prototype says. */
	memcpy(&argv, &s->argv, sizeof argv);
	reset_signals();
	setsid();
	prctl(PR_SET_PDEATHSIG, (unsigned long)s->death_signal);
	if (getppid() != parent)
		_exit(EXIT_TEMPORARY);
	if (report != -1 && place(in, 0) && place(out, 1) &&
	    (s->third_fd == -1 || place(third, 3))) {
		close_range(s->third_fd == -1 ? 3 : 4, ~0U,
		    CLOSE_RANGE_CLOEXEC);
		execvpe(s->path != NULL ? s->path : argv[0], argv, s->envp);
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

pid_t
spawn_start(const struct spawn *s, struct error *e)
{
	pid_t parent = getpid(), pid;
	int report[2];

	e->code = EXIT_TEMPORARY;
	if (pipe2(report, O_CLOEXEC) != 0)
		return error_errno(e, "%s: pipe", s->argv[0]);
	pid = fork();
	if (pid == 0)
		child_exec(s, parent, report[1]);
	close(report[1]);
	if (pid == -1) {
		error_errno(e, "%s: fork", s->argv[0]);
		close(report[0]);
		return -1;
	}
	errno = read_report(report[0]);
	close(report[0]);
	if (errno == 0)
		return pid;
	e->code = errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
	error_errno(e, "%s", s->argv[0]);
	waitpid(pid, NULL, 0);
	return -1;
}

const char *
spawn_find_beside(const char *name, char *out, size_t cap)
{
	ssize_t n = readlink("/proc/self/exe", out, cap - 1);
	char *slash;

	out[n > 0 ? n : 0] = '\0';
	slash = strrchr(out, '/');
	if (slash != NULL && str_format(slash + 1, cap - (size_t)(slash + 1 -
	    out), "%s", name) == 0 && access(out, X_OK) == 0)
		return out;
	str_format(out, cap, "%s", name);
	return out;
}
