/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/unpacker.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/sandbox-worker/unpack.h"
#include "common/clock.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/landlock.h"
#include "common/proc.h"

/* xz and zstd may ask for windows of this size and more; the sanitizers map
 * the whole address space. */
#if defined(__SANITIZE_ADDRESS__)
#define MEMORY_MAX RLIM_INFINITY
#else
#define MEMORY_MAX (512UL << 20)
#endif

/* main has taken the credentials out of the environment. */
static const char *const nothing_dropped[] = {NULL};

enum { CPU_MAX_S = 60, DESCRIPTORS_MAX = 64 };

static int
limit(int resource, rlim_t n)
{
	struct rlimit l = {n, n};

	return setrlimit((unsigned)resource, &l);
}

/* Gives up everything but this directory.  Without Landlock what is left is
 * the limits, and that the process holds nothing worth taking. */
static int
confine(int dir_fd, struct error *e)
{
	struct landlock l;
	int r = -1;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    limit(RLIMIT_CORE, 0) != 0 || limit(RLIMIT_CPU, CPU_MAX_S) != 0 ||
	    limit(RLIMIT_NOFILE, DESCRIPTORS_MAX) != 0 ||
	    limit(RLIMIT_AS, MEMORY_MAX) != 0 ||
	    limit(RLIMIT_FSIZE, unpack_limits.member_bytes) != 0)
		return error_errno(e, "limits");
	if (landlock_open(&l, true) != 0)
		return error_errno(e, "landlock");
	if (landlock_allow_write(&l, dir_fd) == 0)
		r = landlock_restrict(&l);
	landlock_close(&l);
	return r == 0 ? 0 : error_errno(e, "landlock");
}

int
unpacker_main(void)
{
	struct error e;
	int dir_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	signal(SIGXFSZ, SIG_IGN);
	/* libarchive converts names to the locale's characters. */
	setlocale(LC_CTYPE, "C.UTF-8");
	if (dir_fd == -1)
		r = error_errno(&e, "open");
	else if (confine(dir_fd, &e) != 0)
		r = error_prefix(&e, "confine");
	else
		r = unpack_archive(STDIN_FILENO, dir_fd, &unpack_limits, &e);
	io_close(&dir_fd);
	if (r != 0)
		io_write_all(STDOUT_FILENO, bytes_cstr(e.text));
	/* What runs at exit(3) would find itself confined. */
	_exit(r == 0 ? EXIT_OK : EXIT_FAILED);
}

/* Reads the text of a failure until the process ends.  Returns 0 or -1 with
 * ETIMEDOUT or another errno. */
static int
read_text(int fd, struct buf *text)
{
	int64_t deadline_ms = clock_ms() + UNPACKER_TIMEOUT_MS;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left_ms = deadline_ms - clock_ms();
		uint8_t chunk[UNPACKER_TEXT_MAX];
		ssize_t n;

		if (left_ms <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		if (poll(&p, 1, (int)left_ms) <= 0)
			continue;
		n = read(fd, chunk, sizeof chunk);
		if (n == -1 && errno != EINTR)
			return -1;
		if (n == 0)
			return 0;
		/* What is too long is cut: it is for people. */
		if (n > 0)
			buf_add(text, bytes_of(chunk, (size_t)n));
	}
}

static int
wait_result(pid_t pid, int fd, struct error *e)
{
	struct buf text;
	int status, r = 0;

	buf_init(&text, UNPACKER_TEXT_MAX);
	if (read_text(fd, &text) != 0) {
		r = error_errno(e, "unpacker");
		kill(pid, SIGKILL);
	}
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	if (r == 0 && status != 0) {
		struct bytes t = buf_bytes(&text);

		r = t.len == 0
		    ? error_set(e, "unpacker: ended with status %d",
		    proc_exit_status(status))
		    : error_set(e, "%.*s", (int)t.len, (const char *)t.ptr);
	}
	buf_reset(&text);
	return r;
}

int
unpacker_run(int archive_fd, int dir_fd, struct error *e)
{
	char program[] = "/proc/self/exe", command[] = "unpack";
	char *argv[] = {program, command, NULL};
	int out[2] = {-1, -1}, r = -1;
	pid_t pid;

	if (fchdir(dir_fd) != 0 || lseek(archive_fd, 0, SEEK_SET) != 0 ||
	    pipe2(out, O_CLOEXEC) != 0) {
		error_errno(e, "unpacker");
		goto out;
	}
	pid = proc_start(argv, archive_fd, out[1], nothing_dropped, e);
	io_close(&out[1]);
	if (pid != -1)
		r = wait_result(pid, out[0], e);
out:
	io_close(&out[0]);
	io_close(&out[1]);
	return r;
}
