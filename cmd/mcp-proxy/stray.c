/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/stray.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/field.h"
#include "common/io.h"
#include "common/str.h"

enum { PATH_LEN = 64, SERIAL_LEN = 20 };

void
stray_init(struct stray_rules *r)
{
	random_hex(r->mark, STRAY_MARK_LEN);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

void
stray_format(const struct stray_rules *r, uint64_t serial,
    char out[static STRAY_WORD_LEN])
{
	str_format(out, STRAY_WORD_LEN, STRAY_VARIABLE "=%s-%llu", r->mark,
	    (unsigned long long)serial);
}

/* Reads a file of /proc, up to cap bytes of it. */
static struct bytes
read_proc(const char *path, uint8_t *at, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;

	while (fd != -1 && len < cap && n > 0) {
		n = read(fd, at + len, cap - len);
		if (n > 0)
			len += (size_t)n;
	}
	io_close(&fd);
	return bytes_of(at, len);
}

/* Reads digits, and no more of them than a number has. */
static uint64_t
leading_number(struct bytes in)
{
	uint64_t n = 0;
	size_t len = 0;

	while (len < in.len && len < SERIAL_LEN && in.ptr[len] >= '0' &&
	    in.ptr[len] <= '9')
		len++;
	return field_parse_number(bytes_of(in.ptr, len), UINT64_MAX, &n) == 0
	    ? n : 0;
}

/* The serial of the process that pid descends from, 0: of none. */
static uint64_t
serial_of(const struct stray_rules *r, pid_t pid)
{
	uint8_t mem[STRAY_ENVIRONMENT_MAX];
	char path[PATH_LEN], start[STRAY_WORD_LEN];
	struct bytes in;
	size_t len;

	str_format(path, sizeof path, "/proc/%ld/environ", (long)pid);
	str_format(start, sizeof start, STRAY_VARIABLE "=%s-", r->mark);
	len = strlen(start);
	in = read_proc(path, mem, sizeof mem);
	while (in.len > len) {
		const uint8_t *end = memchr(in.ptr, '\0', in.len);

		if (memcmp(in.ptr, start, len) == 0)
			return leading_number(bytes_after(in, len));
		if (end == NULL)
			break;
		in = bytes_after(in, (size_t)(end - in.ptr) + 1);
	}
	return 0;
}

/* Returns whether it was killed. */
static bool
take(const struct stray_rules *r, pid_t pid)
{
	uint64_t serial;

	if (pid <= 0 || r->is_process(r->user, pid) ||
	    waitpid(pid, NULL, WNOHANG) == pid)
		return false;
	serial = serial_of(r, pid);
	if (serial == 0 || r->is_running(r->user, serial))
		return false;
	kill(pid, SIGKILL);
	return true;
}

size_t
stray_sweep(const struct stray_rules *r)
{
	uint8_t mem[STRAY_LIST_MAX];
	char path[PATH_LEN];
	struct bytes in;
	size_t count = 0;

	if (r->mark[0] == '\0')
		return 0;
	str_format(path, sizeof path, "/proc/self/task/%ld/children",
	    (long)getpid());
	in = read_proc(path, mem, sizeof mem);
	/* A pid that was cut is another's, so only those with an end count. */
	while (in.len != 0) {
		const uint8_t *end = memchr(in.ptr, ' ', in.len);

		if (end == NULL)
			break;
		count += take(r, (pid_t)leading_number(in));
		in = bytes_after(in, (size_t)(end - in.ptr) + 1);
	}
	return count;
}

void
stray_end_all(const struct stray_rules *r)
{
	if (r->mark[0] == '\0')
		return;
	/* One that is dying has no environment, and its children come when it
	 * is dead. */
	for (int i = 0, quiet = 0; i < STRAY_WAITS && quiet < 2; i++) {
		quiet = stray_sweep(r) == 0 ? quiet + 1 : 0;
		poll(NULL, 0, STRAY_WAIT_MS);
	}
}
