/* SPDX-License-Identifier: ISC */
/* listener of tunnel-edge when descriptors run out: it rests each time, not
 * only the first. */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "cmd/tunnel-edge/listener.h"
#include "common/diag.h"
#include "tests/unit/test.h"

enum { RUN_MS = 900, PAUSE_MS = 250 };

static int accepted;

static void
on_accepted(void *user, int fd, const struct sock_addr *peer)
{
	(void)user;
	(void)peer;
	accepted++;
	close(fd);
}

static void
on_end(struct ev_loop *ev, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(ev, EVBREAK_ALL);
}

static void
run(struct ev_loop *ev, int ms)
{
	ev_timer t;

	ev_now_update(ev);
	ev_timer_init(&t, on_end, ms / 1000.0, 0);
	ev_timer_start(ev, &t);
	ev_run(ev, 0);
}

/* Lets no further descriptor be opened, or as many as before. */
static void
set_files(rlim_t max)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* The lines written to log, or those of its first 8 KiB. */
static int
count_lines(int log)
{
	char text[8192];
	ssize_t n = pread(log, text, sizeof text, 0);
	int lines = 0;

	for (ssize_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	return lines;
}

static int
dial(uint16_t port)
{
	struct sock_addr a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sock_parse_ip("127.0.0.1", port, &a);
	if (fd == -1 || connect(fd, &a.any, a.len) != 0)
		ok(false, "connect: %s", strerror(errno));
	return fd;
}

static void
on_left_out(unsigned line, uint64_t n)
{
	(void)line;
	(void)n;
}

int
main(void)
{
	static struct quiet quiet;
	struct listener l = {.fd = -1, .who = "agents", .quiet = &quiet,
	    .accepted = on_accepted};
	int log = memfd_create("log", MFD_CLOEXEC), old = dup(STDERR_FILENO);
	struct ev_loop *ev = EV_DEFAULT;
	struct rlimit before;
	struct error e;
	int client, lines;

	diag_init("test");
	getrlimit(RLIMIT_NOFILE, &before);
	quiet_init(&quiet, ev, on_left_out);
	eq_int(listener_open(&l, ev, "127.0.0.1:0", &e), 0, "it listens");
	listener_start(&l);
	client = dial(l.port);
	dup2(log, STDERR_FILENO);
	set_files(0);
	run(ev, RUN_MS);
	set_files(before.rlim_cur);
	dup2(old, STDERR_FILENO);
	lines = count_lines(log);
	ok(accepted == 0, "nothing is accepted without a descriptor");
	ok(lines >= 1 && lines <= RUN_MS / PAUSE_MS + 1,
	    "a warning each pause: %d", lines);
	run(ev, PAUSE_MS + 100);
	eq_int(accepted, 1, "and goes on when there are some again");
	close(client);
	close(log);
	close(old);
	listener_close(&l);
	quiet_done(&quiet);
	ev_loop_destroy(ev);
	return test_done();
}
