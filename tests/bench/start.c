/* SPDX-License-Identifier: ISC */
/* Times how long commands take from start to end, one of each in turn, so
 * that what disturbs the machine disturbs all of them.
 *
 *	start ROUNDS METRIC NAME COMMAND... -- NAME COMMAND... -- ...
 *
 * Prints a line for each run as report.awk takes it: round, metric, name,
 * microseconds and "us", separated by tabs. */
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COMMANDS_MAX = 16, ROUNDS_MAX = 10000 };

extern char **environ;

struct command {
	const char *name;
	char **argv;
	int64_t us[ROUNDS_MAX];
};

static struct command commands[COMMANDS_MAX];

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Returns how long it took, or -1 if it failed. */
static int64_t
run(char **argv)
{
	int64_t start = now_us();
	pid_t pid;
	int status;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) != 0 ||
	    waitpid(pid, &status, 0) == -1 || status != 0)
		return -1;
	return now_us() - start;
}

static int
parse(char **argv)
{
	int n = 0;

	while (*argv != NULL && n < COMMANDS_MAX) {
		commands[n].name = *argv++;
		commands[n++].argv = argv;
		/* A command's own "--" is written "---". */
		for (; *argv != NULL && strcmp(*argv, "--") != 0; argv++) {
			if (strcmp(*argv, "---") == 0)
				(*argv)[2] = '\0';
		}
		if (*argv != NULL)
			*argv++ = NULL;
	}
	return n;
}

int
main(int argc, char **argv)
{
	int rounds = argc < 5 ? 0 : (int)strtol(argv[1], NULL, 10);
	int n;

	if (rounds < 1 || rounds > ROUNDS_MAX)
		return 2;
	n = parse(argv + 3);
	/* The first round fills caches. */
	for (int r = -1; r < rounds; r++) {
		for (int c = 0; c < n; c++) {
			int64_t us = run(commands[c].argv);

			if (us < 0) {
				fprintf(stderr, "start: %s: failed\n",
				    commands[c].name);
				return 1;
			}
			commands[c].us[r < 0 ? 0 : r] = us;
		}
	}
	for (int r = 0; r < rounds; r++) {
		for (int c = 0; c < n; c++)
			printf("%d\t%s\t%s\t%lld\tus\n", r + 1, argv[2],
			    commands[c].name, (long long)commands[c].us[r]);
	}
	return 0;
}
