/* SPDX-License-Identifier: ISC */
/* io, proc, clock and diag: files, secrets, readiness, children. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "common/acl.h"
#include "common/clock.h"
#include "common/diag.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/offer.h"
#include "common/proc.h"
#include "tests/unit/test.h"

enum { SECRET_CAP = 4096 };

static char dir[] = "/tmp/adit-test-XXXXXX";
static char path[64];

static void
put_file(const char *name, struct bytes in, mode_t mode)
{
	struct error e;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	unlink(path);
	if (io_create_file(path, in, mode, &e) != 0)
		ok(false, "%s", e.text);
}

static void
limit_file(rlim_t len)
{
	struct rlimit r = {.rlim_cur = len, .rlim_max = RLIM_INFINITY};

	if (setrlimit(RLIMIT_FSIZE, &r) != 0)
		ok(false, "setrlimit");
}

static void
test_append(void)
{
	struct bytes line = bytes_cstr("12345\n");
	bool torn = false;
	struct error e;
	struct buf b;
	int fd, got[4];

	signal(SIGXFSZ, SIG_IGN);
	put_file("f", line, 0600);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	/* Meanwhile what the test prints, which may go to a file, would be
	 * lost. */
	limit_file(8);
	got[0] = io_append_line(fd, &torn, line);
	got[1] = io_append_line(fd, &torn, line);
	limit_file(15);
	got[2] = io_append_line(fd, &torn, line);
	got[3] = io_append_line(fd, &torn, line);
	limit_file(RLIM_INFINITY);
	eq_int(got[0], -1, "a line does not fit");
	eq_int(got[1], -1, "nor its end");
	eq_int(got[2], 0, "there is room again");
	eq_int(got[3], -1, "there is none at all");
	eq_int(io_append_line(fd, &torn, line), 0, "and again");
	close(fd);
	buf_init(&b, 100);
	io_read_file(path, &b, &e);
	eq_bytes(buf_bytes(&b), bytes_cstr("12345\n12\n12345\n12345\n"),
	    "all lines but one are whole");
	buf_reset(&b);
}

static bool
is_torn(const char *text, int flags)
{
	int fd;
	bool torn;

	put_file("torn", bytes_cstr(text), 0600);
	fd = open(path, flags | O_CLOEXEC);
	torn = io_is_torn(fd);
	close(fd);
	unlink(path);
	return torn;
}

static void
test_torn(void)
{
	int pair[2];

	ok(!is_torn("", O_WRONLY), "an empty file");
	ok(!is_torn("a\n", O_WRONLY | O_APPEND), "a whole line");
	ok(is_torn("a\nb", O_WRONLY | O_APPEND), "one without its end");
	ok(is_torn("b", O_RDWR), "open for reading, too");
	if (pipe(pair) == 0) {
		io_write_all(pair[1], bytes_cstr("x"));
		ok(!io_is_torn(pair[1]), "a pipe");
		close(pair[0]);
		close(pair[1]);
	}
	ok(!io_is_torn(-1), "nothing");
}

static void
test_files(void)
{
	uint8_t bytes[101] = {1};
	struct error e;
	struct buf b;
	struct stat st;
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	buf_init(&b, 100);
	put_file("f", bytes_of(bytes, 100), 0600);
	eq_int(io_read_file(path, &b, &e), 0, "a file of max bytes");
	eq_int(buf_len(&b), 100, "all of it");
	buf_clear(&b);
	put_file("f", bytes_of(bytes, 101), 0600);
	eq_int(io_read_file(path, &b, &e), -1, "a byte more");
	ok(strstr(e.text, ": above 100 bytes") != NULL, "%s", e.text);
	eq_int(io_create_file(path, bytes_of(bytes, 1), 0600, &e), -1,
	    "create refuses a file that exists");
	ok(strstr(e.text, "File exists") != NULL, "%s", e.text);

	eq_int(io_replace_file(dir_fd, "f", bytes_of("new", 3), 0640, &e), 0,
	    "replace");
	buf_clear(&b);
	io_read_file(path, &b, &e);
	eq_bytes(buf_bytes(&b), bytes_cstr("new"), "has the bytes");
	stat(path, &st);
	eq_int(st.st_mode & 0777, 0640, "and the mode");
	eq_int(io_replace_file(dir_fd, "no/such", bytes_of("x", 1), 0600, &e),
	    -1, "replace in no directory fails");
	buf_reset(&b);
	close(dir_fd);
	eq_int(io_read_file("/no/such", &b, &e), -1, "a file that is not");
	eq_str(e.text, "/no/such: No such file or directory", "is named");
}

enum { USER_OBJ = 1, USER, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };
enum { ACL_LEN = 4 + 5 * 8 };

/* An access list: the owner's, another's of this kind, and the rest. */
static struct bytes
make_acl(uint8_t tag, uint32_t id, uint8_t permissions, uint8_t group,
    uint8_t mask)
{
	static uint8_t acl[ACL_LEN];
	const uint8_t made[sizeof acl] = {2, 0, 0, 0,
		USER_OBJ, 0, 6, 0, 0xff, 0xff, 0xff, 0xff,
		tag, 0, permissions, 0, (uint8_t)id, (uint8_t)(id >> 8),
		(uint8_t)(id >> 16), (uint8_t)(id >> 24),
		GROUP_OBJ, 0, group, 0, 0xff, 0xff, 0xff, 0xff,
		MASK, 0, mask, 0, 0xff, 0xff, 0xff, 0xff,
		OTHER, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};

	memcpy(acl, made, sizeof acl);
	return bytes_of(acl, sizeof acl);
}

/* Whether the secret can be read when its file has this list. */
static int
read_with(struct bytes acl)
{
	char out[SECRET_CAP];
	struct error e;

	put_file("s", bytes_cstr("hunter2"), 0600);
	eq_int(setxattr(path, ACL_ATTRIBUTE, acl.ptr, acl.len, 0), 0,
	    "the list is set");
	return io_read_secret_file(path, out, &e);
}

static void
test_access_lists(void)
{
	enum { STRANGER = 4242 };
	uint8_t other[ACL_LEN];
	struct bytes good;

	eq_int(read_with(make_acl(USER, geteuid(), 4, 0, 4)), 0,
	    "a list with the caller");
	eq_int(read_with(make_acl(USER, STRANGER, 4, 0, 4)), -1,
	    "one with somebody else");
	eq_int(read_with(make_acl(USER, STRANGER, 4, 0, 0)), 0,
	    "whom the mask keeps out");
	ok(acl_is_private(make_acl(USER, STRANGER, 4, 4, 2), 1),
	    "the mask holds for the group, too");
	eq_int(read_with(make_acl(USER, STRANGER, 0, 0, 4)), 0,
	    "or who may do nothing");
	eq_int(read_with(make_acl(USER, geteuid(), 4, 4, 4)), -1,
	    "the group");
	ok(!acl_is_private(make_acl(GROUP, STRANGER, 2, 0, 6), STRANGER),
	    "another group");
	good = make_acl(USER, STRANGER, 4, 0, 4);
	ok(acl_is_private(good, STRANGER) && !acl_is_private(good, 1),
	    "who is meant is whoever asks");
	for (size_t n = 0; n < good.len; n++)
		ok(!acl_is_private(bytes_of(good.ptr, n), STRANGER) ||
		    (n >= 4 && n % 8 == 4), "a list cut at %zu", n);
	memcpy(other, good.ptr, sizeof other);
	other[0] = 3;
	ok(!acl_is_private(bytes_of(other, sizeof other), STRANGER),
	    "another version");
}

static void
test_secrets(void)
{
	static char secret[SECRET_CAP + 2];
	char out[SECRET_CAP];
	struct error e;
	int fds[2];

	put_file("s", bytes_cstr("hunter2\r\n"), 0600);
	eq_int(io_read_secret_file(path, out, &e), 0, "a secret");
	eq_str(out, "hunter2", "without its line end");
	chmod(path, 0640);
	eq_int(io_read_secret_file(path, out, &e), -1, "others can read it");
	ok(strstr(e.text, "mode 0640") != NULL, "%s", e.text);
	ok(strstr(e.text, "hunter2") == NULL, "the text has no secret");
	put_file("s", bytes_cstr("a b"), 0600);
	eq_int(io_read_secret_file(path, out, &e), -1, "a space inside");
	put_file("s", bytes_cstr("a\nb\n"), 0600);
	eq_int(io_read_secret_file(path, out, &e), -1, "two lines");
	put_file("s", bytes_cstr("\n"), 0600);
	eq_int(io_read_secret_file(path, out, &e), -1, "none");
	memset(secret, 'x', sizeof secret);
	put_file("s", bytes_of(secret, SECRET_CAP - 1), 0600);
	eq_int(io_read_secret_file(path, out, &e), 0, "4095 bytes");
	eq_int(strlen(out), SECRET_CAP - 1, "whole");
	put_file("s", bytes_of(secret, SECRET_CAP), 0600);
	eq_int(io_read_secret_file(path, out, &e), -1, "4096 bytes");
	put_file("s", bytes_of(secret, SECRET_CAP + 1), 0600);
	eq_int(io_read_secret_file(path, out, &e), -1, "4097 bytes");

	eq_int(pipe2(fds, O_CLOEXEC), 0, "a pipe");
	io_write_all(fds[1], bytes_cstr("by fd\n"));
	close(fds[1]);
	eq_int(io_read_secret_fd(fds[0], out, &e), -1, "a bad one by fd");
	ok(strstr(e.text, "descriptor ") == e.text, "%s", e.text);
	close(fds[0]);
	eq_int(io_read_secret_file("/dev/null/x", out, &e), -1, "no file");
}

static void
test_ready(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char text[64] = "";
	ssize_t n;
	int fds[2], fd, before;

	snprintf(a.sun_path, sizeof a.sun_path, "%s/n", dir);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	eq_int(bind(fd, (struct sockaddr *)&a, sizeof a), 0, "a supervisor");
	setenv("NOTIFY_SOCKET", a.sun_path, 1);
	eq_int(pipe2(fds, O_CLOEXEC), 0, "a pipe");
	before = test_open_fds();
	io_announce_ready(fds[1], "port=1");
	eq_int(test_open_fds(), before - 1, "the descriptor is closed");
	n = read(fds[0], text, sizeof text - 1);
	text[n > 0 ? n : 0] = '\0';
	n = read(fds[0], text + strlen(text), sizeof text - 1 - strlen(text));
	eq_str(text, "port=1\n", "it said that it is ready");
	eq_int(n, 0, "and nothing more");
	memset(text, 0, sizeof text);
	n = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
	eq_str(text, "READY=1", "also to the supervisor");
	io_notify("STOPPING=1");
	memset(text, 0, sizeof text);
	n = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
	eq_str(text, "STOPPING=1", "and that it stops");
	setenv("NOTIFY_SOCKET", "/no/such/socket", 1);
	io_announce_ready(-1, "");
	unsetenv("NOTIFY_SOCKET");
	close(fds[0]);
	close(fd);
}

static void
test_flags(void)
{
	int fds[2], fd = -1, before = test_open_fds();

	eq_int(pipe2(fds, O_CLOEXEC), 0, "a pipe");
	io_set_nonblock(fds[0], true);
	ok(fcntl(fds[0], F_GETFL) & O_NONBLOCK, "non-blocking");
	io_set_nonblock(fds[0], false);
	ok(!(fcntl(fds[0], F_GETFL) & O_NONBLOCK), "and back");
	errno = ENOTTY;
	io_close(&fd);
	io_close(&fds[0]);
	io_close(&fds[1]);
	ok(fds[0] == -1 && errno == ENOTTY, "close keeps errno");
	eq_int(test_open_fds(), before, "no descriptor is left");
	eq_int(io_set_nonblock(-1, true), -1, "no descriptor");
	eq_int(io_write_all(-1, bytes_cstr("x")), -1, "no descriptor");
}

/* Runs a command; returns its output. */
static const char *
run(char *const argv[], int *ret_status)
{
	static const char *const drop[] = {"TEST_DROPPED", NULL};
	static char text[512];
	struct error e;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), fds[2], status;
	size_t used = 0;
	ssize_t n;
	pid_t pid;

	*ret_status = -1;
	if (pipe2(fds, O_CLOEXEC) != 0)
		return "pipe";
	pid = proc_start(argv, null, fds[1], drop, &e);
	close(fds[1]);
	if (pid > 0) {
		while ((n = read(fds[0], text + used,
		    sizeof text - 1 - used)) > 0)
			used += (size_t)n;
		waitpid(pid, &status, 0);
		*ret_status = proc_exit_status(status);
	} else {
		*ret_status = e.code;
		used = (size_t)snprintf(text, sizeof text, "%s", e.text);
	}
	text[used] = '\0';
	close(fds[0]);
	close(null);
	return text;
}

static void
test_proc(void)
{
	char sh[] = "sh", c[] = "-c", none[] = "/no/such/program";
	char list[] = "ls /proc/self/fd | tr '\\n' ' '";
	char names[] = "echo ${TEST_DROPPED-gone} ${TEST_KEPT-gone}";
	/* 32 and 33 belong to glibc, which lets nobody set them. */
	char signals[] = "sed -n -e s/0000000180000000/0000000000000000/ "
	    "-e '/^SigIgn/p;/^SigBlk/p' /proc/self/status | sort -r";
	char killed[] = "kill -9 $$", seven[] = "exit 7";
	char *argv[] = {sh, c, list, NULL}, *nothing[] = {none, NULL};
	sigset_t all;
	int status, before = test_open_fds();
	int leak = dup(1); /* not close-on-exec */

	setenv("TEST_DROPPED", "x", 1);
	setenv("TEST_KEPT", "y", 1);
	signal(SIGPIPE, SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	eq_str(run(argv, &status), "0 1 2 3 ",
	    "a child has three descriptors (and that of ls)");
	eq_int(status, 0, "exit status 0");
	argv[2] = names;
	eq_str(run(argv, &status), "gone y\n", "and not the dropped names");
	argv[2] = signals;
	eq_str(run(argv, &status), "SigIgn:\t0000000000000000\n"
	    "SigBlk:\t0000000000000000\n", "no signal ignored or blocked");
	argv[2] = killed;
	run(argv, &status);
	eq_int(status, EXIT_SIGNAL + 9, "killed");
	argv[2] = seven;
	run(argv, &status);
	eq_int(status, 7, "its own status");
	eq_str(run(nothing, &status),
	    "/no/such/program: No such file or directory", "not found");
	eq_int(status, EXIT_NOT_FOUND, "127");
	put_file("x", bytes_cstr("#!/bin/sh\n"), 0600);
	nothing[0] = path;
	run(nothing, &status);
	eq_int(status, EXIT_NOT_EXECUTABLE, "126");
	sigemptyset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	close(leak);
	eq_int(test_open_fds(), before, "no descriptor is left");
}

/* What a child answers to a line, and its end. */
static void
talk(pid_t pid, int fd)
{
	char text[16] = "";
	int status = -1;

	ok(pid > 0, "a child");
	ok(fcntl(fd, F_GETFD) & FD_CLOEXEC, "its socket is close-on-exec");
	io_write_all(fd, bytes_cstr("ping\n"));
	ok(read(fd, text, sizeof text - 1) > 0, "it answers");
	eq_str(text, "ping\n", "on the same socket");
	eq_int(read(fd, text, sizeof text), 0, "which ends with it");
	waitpid(pid, &status, 0);
	eq_int(proc_exit_status(status), 0, "it has no other end of it");
	close(fd);
}

static void
test_proc_pair(void)
{
	static const char *const drop[] = {NULL};
	char sh[] = "sh", c[] = "-c", none[] = "/no/such/program";
	char echo[] = "read -r x; echo \"$x\"; ! test -e /proc/$$/fd/3";
	char *argv[] = {sh, c, echo, NULL}, *nothing[] = {none, NULL};
	const char *const *words = (const char *const *)argv;
	struct proc_command command = {.argv = words, .envp = environ,
	    .fds = {-1, -1, STDERR_FILENO, -1}, .death_signal = SIGTERM};
	int before = test_open_fds(), fd = -1;
	struct error e;
	pid_t pid;

	pid = proc_start_pair(argv, drop, &fd, &e);
	eq_int(getsid(pid), getsid(0), "in the caller's session");
	talk(pid, fd);
	pid = proc_spawn_pair(&command, &fd, &e);
	eq_int(getsid(pid), pid, "in a session of its own");
	talk(pid, fd);
	fd = -1;
	eq_int(proc_start_pair(nothing, drop, &fd, &e), -1, "none");
	eq_int(e.code, EXIT_NOT_FOUND, "not found");
	eq_int(fd, -1, "and no socket");
	eq_int(test_open_fds(), before, "no descriptor is left");
}

static void
test_take_stdio(void)
{
	int kept_in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	int kept_out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int fds[2], in = -1, out = -1, taken, refused, before;
	char byte = 0;
	struct error e;
	ssize_t n;

	if (pipe2(fds, O_CLOEXEC) != 0 || kept_out == -1)
		return (void)ok(false, "a pipe");
	dup2(fds[0], STDIN_FILENO);
	dup2(fds[1], STDOUT_FILENO);
	taken = io_take_stdio(&in, &out, &e);
	n = write(STDOUT_FILENO, "n", 1);
	io_write_all(out, bytes_cstr("y"));
	n += read(STDIN_FILENO, &byte, 1);
	n += read(in, &byte, 1);
	before = test_open_fds();
	close(STDIN_FILENO);
	refused = io_take_stdio(&fds[0], &fds[1], &e);
	dup2(kept_in == -1 ? null : kept_in, STDIN_FILENO);
	dup2(kept_out, STDOUT_FILENO);
	eq_int(taken, 0, "standard input and output are taken");
	ok(in > STDERR_FILENO && out > STDERR_FILENO, "to other numbers");
	ok(fcntl(in, F_GETFD) & fcntl(out, F_GETFD) & FD_CLOEXEC,
	    "close-on-exec");
	eq_int(n, 2, "0 reads nothing any more");
	eq_int(byte, 'y', "and what 1 writes goes nowhere");
	eq_int(refused, -1, "without standard input");
	ok(strstr(e.text, "standard input and output: ") != NULL, "%s",
	    e.text);
	eq_int(test_open_fds(), before, "no descriptor is left");
	io_close_pair(in, out);
	io_close_pair(fds[0], fds[1]);
	io_close(&kept_in);
	io_close(&kept_out);
	io_close(&null);
}

static void
test_clock(void)
{
	struct backoff b = {.min_ms = 100, .max_ms = 1000};
	int64_t before = clock_ms(), highest[6] = {0};
	bool good = true;
	uint8_t r[2][32];
	char hex[RANDOM_HEX_MAX + 2];

	ok(before > 0 && clock_us() / 1000 >= before, "time goes on");
	ok(clock_wall_ns() > 1700000000LL * 1000000000, "since 1970");
	for (int round = 0; round < 200; round++) {
		int64_t ceiling = 200;

		for (int i = 0; i < 6; i++) {
			int64_t delay = backoff_next(&b);

			good = good && delay >= 100 && delay <= ceiling;
			if (delay > highest[i])
				highest[i] = delay;
			ceiling = ceiling > 500 ? 1000 : ceiling * 2;
		}
		backoff_reset(&b);
	}
	ok(good, "a delay is between min and its ceiling");
	ok(highest[0] > 120 && highest[5] > 900, "spread up to it: %d %d",
	    (int)highest[0], (int)highest[5]);
	random_bytes(r[0], 32);
	random_bytes(r[1], 32);
	ok(memcmp(r[0], r[1], 32) != 0, "random bytes differ");
	for (unsigned long n = 0; n <= RANDOM_HEX_MAX; n += 2) {
		memset(hex, '?', sizeof hex);
		random_hex(hex, n);
		good = good && strspn(hex, "0123456789abcdef") == n &&
		    hex[n] == '\0' && hex[n + 1] == '?';
	}
	ok(good, "as many random digits as were asked for");
}

/* Runs f with standard error in a file; returns what it wrote. */
static const char *
stderr_of(void (*f)(void))
{
	static char text[4096];
	int saved = dup(2), fd;
	ssize_t n;

	snprintf(path, sizeof path, "%s/stderr", dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	dup2(fd, 2);
	f();
	dup2(saved, 2);
	close(saved);
	n = pread(fd, text, sizeof text - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	close(fd);
	return text;
}

static void
say_levels(void)
{
	diag_error("e");
	diag_warning("w");
	diag_notice("n");
	diag_info("i");
	diag_debug("d");
}

static void
say_foreign(void)
{
	diag_error("%s", "a\nb\x1b[31m\x7f\xc2\x9b\xc3\xbc\x9b");
}

static void
say_much(void)
{
	static char much[5000];

	memset(much, '\n', sizeof much - 1);
	diag_error("%s", much);
}

static void
test_diag(void)
{
	const char *text;

	diag_init("test");
	eq_str(stderr_of(say_levels), "test: e\ntest: warning: w\ntest: n\n",
	    "by default: errors, warnings, events");
	diag_set_level(DIAG_DEBUG);
	eq_str(stderr_of(say_levels), "test: e\ntest: warning: w\ntest: n\n"
	    "test: i\ntest: debug: d\n", "all");
	diag_set_level(DIAG_NOTICE);
	eq_str(stderr_of(say_foreign),
	    "test: a\\x0ab\\x1b[31m\\x7f\\xc2\\x9b\xc3\xbc\\x9b\n",
	    "one line, and nothing for the terminal");
	text = stderr_of(say_much);
	ok(strlen(text) < 2100 && strchr(text, '\n') == text + strlen(text) - 1,
	    "a line is bounded");
}

/* Fills a pipe, and is told that it is full. */
static size_t
fill(int fd)
{
	static const uint8_t page[4096];
	size_t all = 0;
	ssize_t n;

	while ((n = offer_write(fd, bytes_of(page, sizeof page))) > 0)
		all += (size_t)n;
	ok(n == -1 && errno == EAGAIN, "what takes nothing says so");
	return all;
}

static void
test_offer(void)
{
	char text[64];
	int fds[2];

	eq_int(pipe(fds), 0, "pipe");
	eq_int((int)fill(fds[1]), 65536, "a pipe takes what it has room for");
	eq_int(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0,
	    "its flags are as they were");
	close(fds[0]);
	eq_int((int)offer_write(fds[1], bytes_cstr("x")), -1, "no reader");
	eq_int(errno, EPIPE, "no reader: EPIPE");
	close(fds[1]);
	errno = 0;
	eq_int((int)offer_write(fds[1], bytes_cstr("x")), -1, "closed");
	eq_int(errno, EBADF, "closed: EBADF");

	eq_int(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0, "socketpair");
	ok(fill(fds[1]) >= 4096, "a socket");
	close(fds[0]);
	close(fds[1]);

	snprintf(path, sizeof path, "%s/f", dir);
	fds[0] = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	eq_int((int)offer_write(fds[0], bytes_cstr("ab")), 2, "a file");
	eq_int((int)offer_write(fds[0], bytes_cstr("cd")), 2,
	    "a file, at its position");
	eq_int((int)pread(fds[0], text, sizeof text, 0), 4, "both are there");
	close(fds[0]);
}

static void
test_held(void)
{
	static char text[70000];
	int saved = dup(2), fds[2];
	size_t all;

	eq_int(pipe(fds), 0, "pipe");
	all = fill(fds[1]);
	dup2(fds[1], 2);
	close(fds[1]);
	diag_hold();
	diag_error("first");
	diag_error("second");
	eq_int((int)read(fds[0], text, 8192), 8192, "room again");
	diag_error("third");
	diag_release();
	dup2(saved, 2);
	close(saved);
	all -= 8192;
	while (all > 0)
		all -= (size_t)read(fds[0], text, all < 4096 ? all : 4096);
	text[read(fds[0], text, sizeof text - 1)] = '\0';
	eq_str(text, "test: first\ntest: second\ntest: third\n",
	    "lines that waited come in their order");
	close(fds[0]);
}

int
main(void)
{
	if (mkdtemp(dir) == NULL)
		return 1;
	test_torn();
	test_files();
	test_append();
	test_secrets();
	test_access_lists();
	test_ready();
	test_flags();
	test_proc();
	test_proc_pair();
	test_take_stdio();
	test_clock();
	test_diag();
	test_offer();
	test_held();
	for (const char *const *name = (const char *const[]){"f", "s", "n",
	    "x", "stderr", NULL}; *name != NULL; name++) {
		snprintf(path, sizeof path, "%s/%s", dir, *name);
		unlink(path);
	}
	eq_int(rmdir(dir), 0, "no temporary file is left");
	return test_done();
}
