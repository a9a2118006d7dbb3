/* SPDX-License-Identifier: ISC */
/* Adding up what processes have: children, theirs, and those of threads. */
#include "cmd/sandbox-exec/resident.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/unit/files.h"

#define MIB (INT64_C(1) << 20)

enum {
	HELD = 16,
	LONG_MS = 3600000, /* that no test takes */
};

/* Holds memory, and says so, until it is killed; a child of it does, too. */
static pid_t
start_holder(int ready_fd, int generations)
{
	pid_t pid = fork();
	void *at;

	must(pid != -1, "fork");
	if (pid != 0)
		return pid;
	at = mmap(NULL, HELD * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE |
	    MAP_ANONYMOUS, -1, 0);
	must(at != MAP_FAILED, "mmap");
	memset(at, 1, HELD * MIB);
	if (generations > 1)
		start_holder(ready_fd, generations - 1);
	must(write(ready_fd, "", 1) == 1, "write");
	for (;;)
		pause();
}

int
main(void)
{
	int proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fds = test_open_fds(), pair[2];
	int64_t before = resident_bytes(proc_fd, getpid()), used, start;
	struct resident_watch watch;
	char byte;
	pid_t group;

	eq_int(before, 0, "no children, no memory");
	must(pipe(pair) == 0, "pipe");
	group = fork();
	must(group != -1, "fork");
	if (group == 0) {
		setpgid(0, 0);
		start_holder(pair[1], 3);
		for (;;)
			pause();
	}
	setpgid(group, group);
	for (int i = 0; i < 3; i++)
		must(read(pair[0], &byte, 1) == 1, "read");
	start = clock_ms();
	resident_start(&watch, getpid(), 2 * HELD * MIB);
	ok(watch.due_ms >= start + RESIDENT_PERIOD_MS &&
	    watch.due_ms <= clock_ms() + RESIDENT_PERIOD_MS, "a look is due");
	ok(resident_wait_ms(&watch) <= RESIDENT_PERIOD_MS, "in that time");
	watch.due_ms += LONG_MS;
	ok(!resident_look(&watch), "it is not time to look");
	watch.due_ms = 0;
	eq_int(resident_wait_ms(&watch), 0, "it is time");
	ok(resident_look(&watch), "more than the limit");
	ok(watch.due_ms >= start + RESIDENT_PERIOD_MS, "the next look");
	watch.due_ms += LONG_MS;
	ok(!resident_look(&watch), "which is later");
	watch.due_ms = 0;
	watch.max = 1024 * MIB;
	ok(!resident_look(&watch), "less than the limit");
	resident_stop(&watch);
	eq_int(resident_wait_ms(&watch), -1, "nothing is looked at");
	watch.due_ms = watch.max = 0;
	ok(!resident_look(&watch), "whatever there is");
	used = resident_bytes(proc_fd, getpid());
	/* A copy of a parent's memory counts for each, as it is resident. */
	ok(used >= 3 * HELD * MIB && used < 12 * HELD * MIB,
	    "three generations: %lld MiB", (long long)(used / MIB));
	kill(-group, SIGKILL);
	waitpid(group, NULL, 0);
	close(pair[0]);
	close(pair[1]);
	eq_int(test_open_fds(), fds, "no descriptor is left");
	eq_int(resident_bytes(proc_fd, 0x7ffffff0), 0, "nobody");
	close(proc_fd);
	return test_done();
}
