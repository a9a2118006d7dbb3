/* SPDX-License-Identifier: ISC */

/* The plain far end of every measured path: one epoll loop that serves
 * service.h on a loopback TCP port and, with --unix PATH, on a Unix socket.
 * Prints "port N" when it is serving and runs until killed. */

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "service.h"

/* One read and one write; large, so that the backend's system calls do not
 * show in bulk results. */
#define CHUNK_LEN ((size_t)256 * 1024)
#define EVENTS_MAX 256

struct conn {
	int fd;
	bool listener;
	struct service service;
	uint64_t owed;              /* bytes of any content still to send */
	uint8_t *held;              /* an echo the socket did not take */
	size_t held_len;
	size_t held_sent;
};

static uint8_t chunk[CHUNK_LEN];
static const uint8_t filler[CHUNK_LEN];

static void
conn_add(int epoll_fd, int fd, bool listener, uint64_t skip)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		bench_fail("connection");
	c->fd = fd;
	c->listener = listener;
	service_init(&c->service, skip);
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0)
		bench_fail("epoll");
}

static void
conn_free(struct conn *c)
{
	close(c->fd);
	free(c->held);
	free(c);
}

/* While an answer is held back nothing more is read. */
static void
conn_watch(int epoll_fd, struct conn *c)
{
	bool sending = c->owed > 0 || c->held != NULL;
	struct epoll_event ev = {
		.events = sending ? EPOLLOUT : EPOLLIN,
		.data.ptr = c,
	};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &ev) != 0)
		bench_fail("epoll");
}

static void
conns_accept(int epoll_fd, const struct conn *listener, uint64_t skip)
{
	int fd;

	while ((fd = accept4(listener->fd, NULL, NULL,
	    SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		conn_add(epoll_fd, fd, false, skip);
}

/* 0, or -1 when the connection is over. */
static int
send_some(struct conn *c, const uint8_t *p, size_t len, size_t *ret_sent)
{
	ssize_t n = send(c->fd, p, len, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		return -1;
	*ret_sent = n < 0 ? 0 : (size_t)n;
	return 0;
}

static int
conn_flush(struct conn *c)
{
	size_t sent = 0;

	if (c->held != NULL) {
		if (send_some(c, c->held + c->held_sent,
		    c->held_len - c->held_sent, &sent) != 0)
			return -1;
		c->held_sent += sent;
		if (c->held_sent == c->held_len) {
			free(c->held);
			c->held = NULL;
		}
	} else if (c->owed > 0) {
		size_t len = c->owed < CHUNK_LEN ? (size_t)c->owed : CHUNK_LEN;
		if (send_some(c, filler, len, &sent) != 0)
			return -1;
		c->owed -= sent;
	}
	return 0;
}

static int
conn_answer(struct conn *c, const struct reply *r)
{
	size_t sent;

	if (r->ptr == NULL) {
		c->owed = r->len;
		return conn_flush(c);
	}
	if (send_some(c, r->ptr, (size_t)r->len, &sent) != 0)
		return -1;
	if (sent == r->len)
		return 0;
	c->held_len = (size_t)r->len - sent;
	c->held_sent = 0;
	c->held = malloc(c->held_len);
	if (c->held == NULL)
		return -1;
	memcpy(c->held, r->ptr + sent, c->held_len);
	return 0;
}

/* 1 when the connection's interest may have changed, 0, -1 when over. */
static int
conn_read(struct conn *c)
{
	struct reply r;
	ssize_t n = read(c->fd, chunk, sizeof(chunk));

	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0 || service_take(&c->service, chunk, (size_t)n, &r) != 0)
		return -1;
	if (r.len == 0)
		return 0;
	if (conn_answer(c, &r) != 0)
		return -1;
	return c->owed > 0 || c->held != NULL;
}

static void
conn_serve(int epoll_fd, struct conn *c, uint32_t events)
{
	int changed;

	if (events & EPOLLOUT)
		changed = conn_flush(c) != 0 ? -1 :
		    c->owed == 0 && c->held == NULL;
	else
		changed = conn_read(c);
	if (changed < 0)
		conn_free(c);
	else if (changed > 0)
		conn_watch(epoll_fd, c);
}

static _Noreturn void
serve(int epoll_fd, uint64_t skip)
{
	struct epoll_event events[EVENTS_MAX];

	for (;;) {
		int n = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;
			if (c->listener)
				conns_accept(epoll_fd, c, skip);
			else
				conn_serve(epoll_fd, c, events[i].events);
		}
	}
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "skip", required_argument, NULL, 's' },
		{ "unix", required_argument, NULL, 'u' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t skip = 0;
	const char *path = NULL;
	uint16_t port;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 's')
			skip = bench_number(optarg);
		else if (opt == 'u')
			path = optarg;
		else
			return 2;
	}
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		bench_fail("epoll");
	int fd = bench_listen_tcp(0, &port);
	if (fd < 0)
		bench_fail("listen");
	conn_add(epoll_fd, fd, true, 0);
	if (path != NULL)
		conn_add(epoll_fd, bench_listen_unix(path), true, 0);
	printf("port %u\n", port);
	if (fflush(stdout) != 0)
		bench_fail("stdout");
	serve(epoll_fd, skip);
}
