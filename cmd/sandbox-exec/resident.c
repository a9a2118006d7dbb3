/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/resident.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "common/num.h"
#include "common/str.h"

enum { TEXT_MAX = 64 << 10, PATH_MAX_LEN = 64 };

/* Processes that were found and not yet looked at; each once, since each has
 * one parent. */
struct family {
	int proc_fd;
	pid_t pids[RESIDENT_PROCESSES_MAX];
	size_t count;
};

/* Reads a file of /proc.  Returns its text, or "". */
static const char *
read_text(int proc_fd, const char *path)
{
	static char text[TEXT_MAX];
	int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd == -1 ? 0 : read(fd, text, sizeof text - 1);

	io_close(&fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* Takes a number off the text.  Returns it, or -1. */
static int64_t
take_number(const char **at)
{
	char digits[24];
	const char *start = *at + strspn(*at, " ");
	size_t len = strspn(start, "0123456789");
	int64_t n = -1;

	*at = start + len;
	if (str_from_bytes(digits, sizeof digits, bytes_of(start,
	    len)) != 0 || num_parse(digits, 0, INT64_MAX, &n) != 0)
		return -1;
	return n;
}

/* "size resident shared ...", in pages. */
static int64_t
pages_of(const struct family *f, pid_t pid)
{
	char path[PATH_MAX_LEN];
	const char *at;
	int64_t resident, shared;

	str_format(path, sizeof path, "%d/statm", (int)pid);
	at = read_text(f->proc_fd, path);
	take_number(&at);
	resident = take_number(&at);
	shared = take_number(&at);
	return shared >= 0 && resident > shared ? resident - shared : 0;
}

static void
add_children(struct family *f, pid_t pid, const char *thread)
{
	char path[PATH_MAX_LEN + NAME_MAX];
	const char *at;
	int64_t child;

	str_format(path, sizeof path, "%d/task/%s/children", (int)pid,
	    thread);
	at = read_text(f->proc_fd, path);
	while (f->count < RESIDENT_PROCESSES_MAX &&
	    (child = take_number(&at)) > 0 && child <= INT_MAX)
		f->pids[f->count++] = (pid_t)child;
}

/* A child is its thread's. */
static void
add_family(struct family *f, pid_t pid)
{
	char path[PATH_MAX_LEN];
	struct dirent *entry;
	DIR *d;
	int fd;

	str_format(path, sizeof path, "%d/task", (int)pid);
	fd = openat(f->proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd == -1 ? NULL : fdopendir(fd);
	if (d == NULL) {
		io_close(&fd);
		return;
	}
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] != '.')
			add_children(f, pid, entry->d_name);
	}
	closedir(d);
}

int64_t
resident_bytes(int proc_fd, pid_t pid)
{
	static struct family f;
	int64_t pages = 0;

	f.proc_fd = proc_fd;
	f.count = 0;
	add_family(&f, pid);
	for (size_t i = 0; i < f.count; i++) {
		pages += pages_of(&f, f.pids[i]);
		add_family(&f, f.pids[i]);
	}
	return pages * sysconf(_SC_PAGESIZE);
}

void
resident_start(struct resident_watch *w, pid_t pid, int64_t max)
{
	w->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	w->pid = pid;
	w->max = max;
	w->due_ms = clock_ms() + RESIDENT_PERIOD_MS;
}

int
resident_wait_ms(const struct resident_watch *w)
{
	int64_t left = w->due_ms - clock_ms();

	if (w->proc_fd == -1)
		return -1;
	return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

bool
resident_look(struct resident_watch *w)
{
	int64_t now = clock_ms(), took;
	bool above;

	if (w->proc_fd == -1 || now < w->due_ms)
		return false;
	above = resident_bytes(w->proc_fd, w->pid) > w->max;
	took = clock_ms() - now;
	w->due_ms = now + took + (took * RESIDENT_SHARE > RESIDENT_PERIOD_MS ?
	    took * RESIDENT_SHARE : RESIDENT_PERIOD_MS);
	return above;
}

void
resident_stop(struct resident_watch *w)
{
	io_close(&w->proc_fd);
}
