/* SPDX-License-Identifier: ISC */
/* A connection whose peer goes away while bytes for it wait. */
#include <fcntl.h>
#include <sys/socket.h>

#include "cmd/mcp-proxy/wire.h"
#include "tests/unit/test.h"

enum { TURNS = 20, LEN = 1 << 20 };

static int inputs, drains, breaks;

static void
on_input(void *user)
{
	(void)user;
	inputs++;
}

static void
on_drained(void *user)
{
	(void)user;
	drains++;
}

static void
on_broken(void *user, int error)
{
	(void)user;
	(void)error;
	breaks++;
}

static const struct wire_events events = {
	.input = on_input, .drained = on_drained, .broken = on_broken,
};

/* The owner may be unable to read, and so to learn of the end and to close it,
 * for as long as the other side of its exchange does not read. */
static void
test_break(struct ev_loop *ev)
{
	static const uint8_t bytes[LEN];
	struct wire w;
	bool none;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	    fds) != 0)
		ok(false, "socketpair");
	wire_init_fd(&w, ev, fds[0], true, &events, &w);
	eq_int(wire_write(&w, bytes_of(bytes, LEN), &none), 0, "write");
	ok(wire_unwritten(&w) > 0, "a part is kept");
	wire_pause(&w);
	close(fds[1]);
	for (int i = 0; i < TURNS; i++)
		ev_run(ev, EVRUN_NOWAIT);
	eq_int(breaks, 1, "a break is told once, not at each turn");
	eq_int(drains, 0, "and nothing is said to be written");
	eq_int(wire_unwritten(&w), 0, "what nobody takes is not kept");
	wire_resume(&w);
	for (int i = 0; i < TURNS && inputs == 0; i++)
		ev_run(ev, EVRUN_NOWAIT);
	ok(inputs > 0, "the end can be read");
	wire_abort(&w, FRAME_ABORTED, BLAME_PROXY, "");
}

int
main(void)
{
	struct ev_loop *ev = EV_DEFAULT;
	int before = test_open_fds();

	test_break(ev);
	eq_int(test_open_fds(), before, "no descriptor is left");
	ev_loop_destroy(ev);
	return test_done();
}
