/* SPDX-License-Identifier: ISC */
#include "common/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
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

/* What is done in the child before the command is executed. */
struct launch {
	struct proc_command command; /* envp NULL: as it is */
	bool own_session;
	int death_signal;
};

/* Puts the descriptors where they belong, out of each other's way first. */
static bool
place_fds(const int fds[3])
{
	int moved[3];

	for (int i = 0; i < 3; i++) {
		moved[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (moved[i] == -1)
			return false;
	}
	for (int i = 0; i < 3; i++) {
		if (dup2(moved[i], i) == -1)
			return false;
		/* A shared standard error stays as others want it. */
		if (i != STDERR_FILENO || fds[i] != i)
			io_set_nonblock(i, false);
	}
	return true;
}

/* In the child: never returns.  A failure is told through report_fd, which
 * a successful exec closes. */
static void
child_exec(const struct launch *l, int report_fd)
{
	const struct proc_command *c = &l->command;
	int report = fcntl(report_fd, F_DUPFD_CLOEXEC, 3);

	reset_signals();
	prctl(PR_SET_PDEATHSIG, l->death_signal);
	if (report != -1 && (!l->own_session || setsid() != -1) &&
	    place_fds(c->fds) && (c->dir == NULL || chdir(c->dir) == 0)) {
		close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
		if (c->envp == NULL)
			execvp(c->argv[0], c->argv);
		else
			execvpe(c->argv[0], c->argv, c->envp);
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

pid_t
proc_start(char *const argv[], int stdin_fd, int stdout_fd,
    const char *const drop_env[], struct error *e)
{
	struct launch l = {
		.command = {.argv = argv, .fds = {stdin_fd, stdout_fd,
		    STDERR_FILENO}},
		.death_signal = SIGTERM,
	};

	return launch(&l, drop_env, e);
}

pid_t
proc_spawn(const struct proc_command *c, struct error *e)
{
	static const char *const nothing[] = {NULL};
	struct launch l = {
		.command = *c, .own_session = true, .death_signal = SIGKILL,
	};

	return launch(&l, nothing, e);
}

int
proc_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
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
