/* SPDX-License-Identifier: ISC */
/* search ROUNDS DIR: times grep and glob as the tools of a session run them,
 * in this process, against commands that do the same, one of each in turn.
 * Prints "metric peer milliseconds" for each round. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/sandbox-exec/toolset.h"
#include "common/clock.h"
#include "common/num.h"
#include "common/str.h"

extern char **environ;

struct search {
	const char *metric, *tool, *input;
	const char *commands[3][8]; /* peer first */
};

static const struct search searches[] = {
	{"word", "grep", "{\"pattern\":\"needle_17\"}", {
	    {"rg", "rg", "--no-config", "-n", "needle_17", "."},
	    {"rg-1", "rg", "--no-config", "-j1", "-n", "needle_17", "."},
	    {"grep", "grep", "-rn", "needle_17", "."}}},
	{"regex", "grep", "{\"pattern\":\"[a-z]+_17[0-9]?\\\\b\"}", {
	    {"rg", "rg", "--no-config", "-n", "[a-z]+_17[0-9]?\\b", "."},
	    {"rg-1", "rg", "--no-config", "-j1", "-n", "[a-z]+_17[0-9]?\\b",
	    "."},
	    {"grep", "grep", "-rnE", "[a-z]+_17[0-9]?\\b", "."}}},
	{"glob", "glob", "{\"pattern\":\"**/*17*.c\"}", {
	    {"rg", "rg", "--no-config", "--files", "-g", "**/*17*.c", "."},
	    {"find", "find", ".", "-name", "*17*.c", "-type", "f"}}},
};

static double
time_tool(const struct tool_roots *roots, const struct search *s)
{
	struct buf out;
	int64_t start = clock_us();
	bool failed;

	buf_init(&out, TOOL_TEXT_MAX);
	failed = tool_run(roots, s->tool, bytes_cstr(s->input), &out);
	if (failed || buf_len(&out) < 100) {
		fprintf(stderr, "search: %.*s\n", (int)buf_len(&out),
		    (const char *)buf_bytes(&out).ptr);
		exit(1);
	}
	buf_reset(&out);
	return (double)(clock_us() - start) / 1000;
}

static double
time_command(const char *const *argv)
{
	posix_spawn_file_actions_t actions;
	int64_t start = clock_us();
	char *copy[8];
	size_t n = 0;
	pid_t pid;
	int status;

	for (; argv[n] != NULL; n++)
		copy[n] = strdup(argv[n]);
	copy[n] = NULL;
	posix_spawn_file_actions_init(&actions);
	/* rg and grep look for less when nobody reads. */
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/shm/adit-search",
	    O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (posix_spawnp(&pid, copy[0], &actions, NULL, copy, environ) != 0)
		return -1;
	waitpid(pid, &status, 0);
	posix_spawn_file_actions_destroy(&actions);
	while (n > 0)
		free(copy[--n]);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ?
	    (double)(clock_us() - start) / 1000 : -1;
}

static void
run_round(const struct tool_roots *roots, bool print)
{
	for (size_t i = 0; i < sizeof searches / sizeof *searches; i++) {
		const struct search *s = &searches[i];
		double ms = time_tool(roots, s);

		if (print)
			printf("%s adit %.3f\n", s->metric, ms);
		for (size_t j = 0; j < 3 && s->commands[j][0] != NULL; j++) {
			ms = time_command(s->commands[j] + 1);
			if (print && ms >= 0)
				printf("%s %s %.3f\n", s->metric,
				    s->commands[j][0], ms);
		}
	}
}

int
main(int argc, char **argv)
{
	struct tool_roots roots;
	struct error e;
	int64_t rounds;

	tool_roots_init(&roots);
	if (argc != 3 || num_parse(argv[1], 1, 10000, &rounds) != 0 ||
	    chdir(argv[2]) != 0 ||
	    tool_roots_add(&roots, argv[2], false, &e) != 0) {
		fprintf(stderr, "usage: search ROUNDS DIR\n");
		return 2;
	}
	run_round(&roots, false);
	for (int64_t i = 0; i < rounds; i++)
		run_round(&roots, true);
	tool_roots_done(&roots);
	unlink("/dev/shm/adit-search");
	return 0;
}
