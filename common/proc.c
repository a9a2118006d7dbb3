/* SPDX-License-Identifier: ISC */
#include "common/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/exit.h"
#include "common/io.h"

static void
reset_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child: never returns.  A failure is told through report_fd, which
 * a successful exec closes. */
static void
child_exec(char *const argv[], int stdin_fd, int stdout_fd,
    const char *const drop_env[], int report_fd)
{
	/* Move both out of the way of 0 and 1 before placing them. */
	int in = fcntl(stdin_fd, F_DUPFD_CLOEXEC, 3);
	int out = fcntl(stdout_fd, F_DUPFD_CLOEXEC, 3);
	int report = fcntl(report_fd, F_DUPFD_CLOEXEC, 3);

	reset_signals();
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	for (; *drop_env != NULL; drop_env++)
		unsetenv(*drop_env);
	if (in != -1 && out != -1 && report != -1 && dup2(in, 0) != -1 &&
	    dup2(out, 1) != -1) {
		io_set_nonblock(0, false);
		io_set_nonblock(1, false);
		close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
		execvp(argv[0], argv);
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
proc_start(char *const argv[], int stdin_fd, int stdout_fd,
    const char *const drop_env[], struct error *e)
{
	int report[2];
	pid_t pid;

	e->code = EXIT_TEMPORARY;
	if (pipe2(report, O_CLOEXEC) != 0)
		return error_errno(e, "%s: pipe", argv[0]);
	pid = fork();
	if (pid == 0)
		child_exec(argv, stdin_fd, stdout_fd, drop_env, report[1]);
	close(report[1]);
	if (pid == -1) {
		error_errno(e, "%s: fork", argv[0]);
		close(report[0]);
		return -1;
	}
	errno = read_report(report[0]);
	close(report[0]);
	if (errno == 0)
		return pid;
	e->code = errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
	error_errno(e, "%s", argv[0]);
	waitpid(pid, NULL, 0);
	return -1;
}

void
proc_forbid_core(void)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
}

int
proc_exit_status(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return EXIT_SIGNAL + WTERMSIG(wait_status);
	return WEXITSTATUS(wait_status);
}
