/* SPDX-License-Identifier: ISC */
/* See attack.h. */
#include "attack.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static attempt *
find(const char *name)
{
	const struct attack *const all[] = {kernel_attacks, process_attacks,
		network_attacks, file_attacks, shared_attacks};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		for (const struct attack *a = all[i]; a->name != NULL; a++) {
			if (strcmp(a->name, name) == 0)
				return a->run;
		}
	}
	return NULL;
}

/* In a child: some attempts end in a signal. */
static int
run(attempt *f, char **args)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		const char *name;
		long r;

		/* One that goes on for ever goes on no longer than we do. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		r = f(args);
		name = strerrorname_np(errno);

		printf("%s\n", r >= 0 ? "ok" : name == NULL ? "?" : name);
		fflush(stdout);
		_exit(0);
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1)
		return 1;
	if (WIFSIGNALED(status))
		printf("SIG%s\n", sigabbrev_np(WTERMSIG(status)));
	return 0;
}

int
main(int argc, char **argv)
{
	attempt *f = argc < 2 ? NULL : find(argv[1]);

	if (f == NULL) {
		fprintf(stderr, "attack: %s: unknown\n",
		    argc < 2 ? "" : argv[1]);
		return 2;
	}
	return run(f, argv + 2);
}
