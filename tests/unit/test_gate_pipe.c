/* SPDX-License-Identifier: ISC */
/* The pipes of the gate: how many there are, and what goes through them. */
#include "cmd/sandbox-exec/gate_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/test.h"

static void
make_pair(int pair[static 2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	    pair) != 0)
		abort();
}

static void
test_number(void)
{
	static struct gate_pipes pipes;
	struct gate_pipe *all[GATE_PIPES_MAX];
	int before = test_open_fds();

	for (size_t i = 0; i < GATE_PIPES_MAX; i++) {
		all[i] = gate_pipe_take(&pipes);
		if (all[i] == NULL)
			abort();
	}
	eq_int(test_open_fds(), before + 2 * GATE_PIPES_MAX, "all are open");
	ok(gate_pipe_take(&pipes) == NULL, "there is no other");
	gate_pipe_give(&pipes, all[3]);
	ok(gate_pipe_take(&pipes) == all[3], "one that was given back");
	for (size_t i = 0; i < GATE_PIPES_MAX; i++)
		gate_pipe_give(&pipes, all[i]);
	eq_int(test_open_fds(), before + 2 * GATE_PIPES_SPARE,
	    "few stay open with nobody");
}

static void
test_passage(void)
{
	static struct gate_pipes pipes;
	struct gate_pipe *p = gate_pipe_take(&pipes);
	char text[8] = "";
	int from[2], to[2];

	make_pair(from);
	make_pair(to);
	errno = 0;
	eq_int(gate_pipe_fill(p, from[1]), -1, "nothing has come");
	eq_int(errno, EAGAIN, "nothing has come: errno");
	ok(write(from[0], "bytes", 5) == 5, "five bytes");
	eq_int(gate_pipe_fill(p, from[1]), 5, "they go in");
	eq_int((long)p->len, 5, "and are counted");
	eq_int(gate_pipe_drain(p, to[0]), 5, "they go out");
	eq_int((long)p->len, 0, "and are counted off");
	ok(read(to[1], text, sizeof text) == 5, "and are there");
	eq_str(text, "bytes", "as they were");
	close(from[0]);
	eq_int(gate_pipe_fill(p, from[1]), 0, "the end");
	gate_pipe_give(&pipes, p);
	close(from[1]);
	close(to[0]);
	close(to[1]);
}

/* What somebody has left in a pipe must never reach anybody else. */
static void
test_leftover(void)
{
	static struct gate_pipes pipes;
	struct gate_pipe *p = gate_pipe_take(&pipes);
	int from[2], to[2];

	make_pair(from);
	make_pair(to);
	ok(write(from[0], "secret", 6) == 6, "six bytes");
	eq_int(gate_pipe_fill(p, from[1]), 6, "go in");
	gate_pipe_give(&pipes, p);
	ok(gate_pipe_take(&pipes) == p, "the next has the same");
	eq_int((long)p->len, 0, "empty");
	ok(write(from[0], "b", 1) == 1, "a byte of its own");
	eq_int(gate_pipe_fill(p, from[1]), 1, "goes in");
	p->len = 7;
	eq_int(gate_pipe_drain(p, to[0]), 1, "and nothing else is in it");
	for (int i = 0; i < 2; i++) {
		close(from[i]);
		close(to[i]);
	}
}

static void
test_broken(void)
{
	static struct gate_pipes pipes;
	struct gate_pipe *p = gate_pipe_take(&pipes);
	int from[2], to[2];

	signal(SIGPIPE, SIG_IGN);
	make_pair(from);
	make_pair(to);
	close(to[1]);
	ok(write(from[0], "b", 1) == 1, "a byte");
	eq_int(gate_pipe_fill(p, from[1]), 1, "goes in");
	errno = 0;
	eq_int(gate_pipe_drain(p, to[0]), -1, "to nobody");
	eq_int(errno, EPIPE, "to nobody: errno");
	eq_int((long)p->len, 1, "it stays");
	gate_pipe_give(&pipes, p);
	close(from[0]);
	close(from[1]);
	close(to[0]);
}

int
main(void)
{
	test_number();
	test_passage();
	test_leftover();
	test_broken();
	return test_done();
}
