/* SPDX-License-Identifier: ISC */
/* Signals to what a process has started, and to nothing else. */
#include "common/landlock.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/test.h"

enum { GENERATIONS = 40 };

/* A descendant that nobody can find by its parent, session or group. */
static void
start_distant(int fd)
{
	for (int i = 0; i < GENERATIONS; i++) {
		if (fork() != 0)
			_exit(0);
		setsid();
	}
	if (write(fd, "x", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

/* Returns 0 if all that it started, and only that, is dead; 2 if the kernel's
 * Landlock knows no signals. */
static int
kill_own(pid_t other)
{
	int fds[2], status, count = 0;
	char byte;

	if (!landlock_scope_signals())
		return 2;
	/* Before anything is sent to everybody. */
	if (kill(other, 0) != -1 || errno != EPERM || pipe(fds) != 0 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
		return 1;
	if (fork() == 0)
		start_distant(fds[1]);
	close(fds[1]);
	if (read(fds[0], &byte, 1) != 1)
		return 1;
	kill(-1, SIGKILL);
	while (wait(&status) > 0)
		count += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	return read(fds[0], &byte, 1) == 0 && count == 1 ? 0 : 1;
}

int
main(void)
{
	pid_t other = fork(), pid;
	int status;

	if (other == 0) {
		for (;;)
			pause();
	}
	pid = fork();
	if (pid == 0)
		_exit(kill_own(other));
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) != 1,
	    "a signal to everybody is for what it started, at any distance");
	eq_int(kill(other, 0), 0, "nobody else is signalled");
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	return test_done();
}
