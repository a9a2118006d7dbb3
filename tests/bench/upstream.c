/* SPDX-License-Identifier: ISC */

/* A trivial MCP server to put behind a reverse proxy: answers every POST with
 * a 300-byte JSON-RPC result, and a GET with an endless SSE stream of one
 * event per millisecond that carries the CLOCK_MONOTONIC time of its writing.
 * HTTP/1.1 with keep-alive and only as much parsing as wrk and the proxies
 * need.  Prints "port N" when it is serving and runs until killed. */

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bench.h"

#define REQUEST_MAX 8192
#define EVENTS_MAX 256
#define BODY_LEN 300
#define TICK_NS 1000000

struct conn {
	int fd;
	size_t in_len;
	uint64_t body_left;         /* of the request being skipped */
	bool events;                /* an SSE stream */
	TAILQ_ENTRY(conn) link;     /* in `subscribers` while events is set */
	char in[REQUEST_MAX + 1];
};

static TAILQ_HEAD(, conn) subscribers = TAILQ_HEAD_INITIALIZER(subscribers);
static struct conn listener, ticker;
static char answer[1024];
static size_t answer_len;

static const char event_head[] =
	"HTTP/1.1 200 OK\r\n"
	"Content-Type: text/event-stream\r\n"
	"Cache-Control: no-cache\r\n"
	"Transfer-Encoding: chunked\r\n\r\n";

static void
answer_init(void)
{
	static const char open_text[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":"
	    "{\"content\":[{\"type\":\"text\",\"text\":\"";
	static const char close_text[] = "\"}]}}";
	char body[BODY_LEN];

	memset(body, 'x', sizeof(body));
	memcpy(body, open_text, sizeof(open_text) - 1);
	memcpy(body + sizeof(body) - (sizeof(close_text) - 1), close_text,
	    sizeof(close_text) - 1);
	int n = snprintf(answer, sizeof(answer),
	    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	    "Content-Length: %d\r\n\r\n%.*s", BODY_LEN, BODY_LEN, body);
	answer_len = (size_t)n;
}

/* Runs the clock only while somebody listens. */
static void
ticker_set(bool running)
{
	struct itimerspec spec = {0};

	if (running) {
		spec.it_interval.tv_nsec = TICK_NS;
		spec.it_value.tv_nsec = TICK_NS;
	}
	timerfd_settime(ticker.fd, 0, &spec, NULL);
}

static void
conn_free(struct conn *c)
{
	if (c->events) {
		TAILQ_REMOVE(&subscribers, c, link);
		if (TAILQ_EMPTY(&subscribers))
			ticker_set(false);
	}
	close(c->fd);
	free(c);
}

static void
conn_watch(int epoll_fd, struct conn *c)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) != 0)
		bench_fail("epoll");
}

static void
conns_accept(int epoll_fd)
{
	int fd;

	while ((fd = accept4(listener.fd, NULL, NULL,
	    SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = malloc(sizeof(*c));
		if (c == NULL)
			bench_fail("connection");
		c->fd = fd;
		c->in_len = 0;
		c->body_left = 0;
		c->events = false;
		conn_watch(epoll_fd, c);
	}
}

/* Answers fit an empty socket buffer, so a short write ends the connection. */
static int
conn_send(const struct conn *c, const char *p, size_t len)
{
	return send(c->fd, p, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -1;
}

static void
event_send(struct conn *c)
{
	char event[160], chunk[192];
	int n = snprintf(event, sizeof(event), "event: message\ndata: "
	    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tick\","
	    "\"params\":{\"t\":%" PRId64 "}}\n\n", bench_now_ns());

	n = snprintf(chunk, sizeof(chunk), "%x\r\n%s\r\n", (unsigned)n, event);
	if (conn_send(c, chunk, (size_t)n) != 0)
		shutdown(c->fd, SHUT_RDWR);
}

static void
tick(void)
{
	uint64_t ticks;
	struct conn *c;

	if (read(ticker.fd, &ticks, sizeof(ticks)) < 0)
		return;
	TAILQ_FOREACH(c, &subscribers, link)
		event_send(c);
}

static uint64_t
content_length(const char *head)
{
	static const char name[] = "\r\ncontent-length:";
	const char *p = strcasestr(head, name);
	uint64_t n = 0;

	if (p == NULL)
		return 0;
	for (p += sizeof(name) - 1; *p == ' '; p++)
		;
	for (; *p >= '0' && *p <= '9'; p++)
		n = n * 10 + (uint64_t)(*p - '0');
	return n;
}

static int
request_answer(struct conn *c, bool get)
{
	if (!get)
		return conn_send(c, answer, answer_len);
	if (TAILQ_EMPTY(&subscribers))
		ticker_set(true);
	TAILQ_INSERT_TAIL(&subscribers, c, link);
	c->events = true;
	return conn_send(c, event_head, sizeof(event_head) - 1);
}

/* Answers every complete request head in c->in; bodies are skipped. */
static int
requests_take(struct conn *c)
{
	for (;;) {
		size_t skip = c->in_len;
		if (skip > c->body_left)
			skip = (size_t)c->body_left;
		c->body_left -= skip;
		c->in_len -= skip;
		memmove(c->in, c->in + skip, c->in_len);
		c->in[c->in_len] = '\0';
		char *end = strstr(c->in, "\r\n\r\n");
		if (end == NULL)
			return c->in_len == REQUEST_MAX ? -1 : 0;
		end[2] = '\0';
		bool get = strncmp(c->in, "GET ", 4) == 0;
		c->body_left = content_length(c->in) +
		    (size_t)(end + 4 - c->in);
		if (request_answer(c, get) != 0)
			return -1;
	}
}

static int
conn_read(struct conn *c)
{
	ssize_t n = read(c->fd, c->in + c->in_len, REQUEST_MAX - c->in_len);

	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		return -1;
	c->in_len += (size_t)n;
	return requests_take(c);
}

static _Noreturn void
serve(int epoll_fd)
{
	struct epoll_event events[EVENTS_MAX];

	for (;;) {
		int n = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;
			if (c == &listener)
				conns_accept(epoll_fd);
			else if (c == &ticker)
				tick();
			else if (conn_read(c) != 0)
				conn_free(c);
		}
	}
}

int
main(void)
{
	uint16_t port;
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

	answer_init();
	listener.fd = bench_listen_tcp(0, &port);
	ticker.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (epoll_fd < 0 || listener.fd < 0 || ticker.fd < 0)
		bench_fail("start");
	conn_watch(epoll_fd, &listener);
	conn_watch(epoll_fd, &ticker);
	printf("port %u\n", port);
	if (fflush(stdout) != 0)
		bench_fail("stdout");
	serve(epoll_fd);
}
