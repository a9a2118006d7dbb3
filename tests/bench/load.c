/* SPDX-License-Identifier: ISC */

/* The load generator: drives one measured path through its loopback TCP port
 * against service.h at the far end and prints "name value unit" lines.
 *
 *	load port                   print a free port
 *	load wait PORT              until one byte comes back, at most --ms
 *	load up|down PORT           --bytes through one stream
 *	load ping PORT              1 KiB each way, one stream, for --ms
 *	load many PORT              the same on --streams streams at once
 *	load open PORT              new streams, --streams at a time: connect,
 *	                            one byte each way, close
 *	load idle PORT              hold --streams streams until stdin ends
 *
 * With --hello FILE the file's bytes precede every stream's payload. */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "service.h"

#define CHUNK_LEN ((size_t)256 * 1024)
#define PING_LEN 1024
#define HELLO_MAX 16384
#define EVENTS_MAX 256
#define IDLE_BATCH 16
#define RETRY_MS 10
#define MIB ((double)(1024 * 1024))

struct settings {
	const char *mode;
	uint16_t port;
	uint64_t bytes;
	int64_t run_ns;
	size_t stream_count;
	size_t hello_len;
	uint8_t hello[HELLO_MAX];
};

/* One of the streams of `many`, `open` and `idle`. */
struct flow {
	int fd;
	bool greeted;               /* the first payload has been written */
	size_t got_len;             /* of the answer awaited */
	int64_t start_ns;
};

static uint8_t chunk[CHUNK_LEN];

static void
hello_read(struct settings *s, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, s->hello, sizeof(s->hello));

	if (n <= 0)
		bench_fail(path);
	s->hello_len = (size_t)n;
	close(fd);
}

/* The hello and the first payload leave in one segment, as a client's would. */
static void
greet(const struct settings *s, int fd, const uint8_t *payload, size_t len)
{
	uint8_t first[HELLO_MAX + PING_LEN];

	memcpy(first, s->hello, s->hello_len);
	memcpy(first + s->hello_len, payload, len);
	bench_write_all(fd, first, s->hello_len + len);
}

static int
dial(const struct settings *s)
{
	int fd = bench_dial(s->port);

	if (fd < 0)
		bench_fail("connect");
	return fd;
}

static void
print_rate(const char *name, double amount, int64_t ns, const char *unit)
{
	printf("%s %.2f %s\n", name, amount * (double)BENCH_NS_PER_S /
	    (double)ns, unit);
}

static void
run_up(const struct settings *s)
{
	uint8_t head[SERVICE_HEAD_LEN], ack;
	int fd = dial(s);
	int64_t start_ns = bench_now_ns();

	service_encode(SERVICE_UP, s->bytes, head);
	greet(s, fd, head, sizeof(head));
	for (uint64_t left = s->bytes; left > 0;) {
		size_t n = left < CHUNK_LEN ? (size_t)left : CHUNK_LEN;
		bench_write_all(fd, chunk, n);
		left -= n;
	}
	if (bench_read_full(fd, &ack, 1) != 0)
		bench_fail("read");
	print_rate("up", (double)s->bytes / MIB, bench_now_ns() - start_ns,
	    "MiB/s");
	close(fd);
}

static void
run_down(const struct settings *s)
{
	uint8_t head[SERVICE_HEAD_LEN];
	int fd = dial(s);
	int64_t start_ns = bench_now_ns();

	service_encode(SERVICE_DOWN, s->bytes, head);
	greet(s, fd, head, sizeof(head));
	for (uint64_t left = s->bytes; left > 0;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));
		if (n <= 0)
			bench_fail("read");
		left -= (uint64_t)n < left ? (uint64_t)n : left;
	}
	print_rate("down", (double)s->bytes / MIB, bench_now_ns() - start_ns,
	    "MiB/s");
	close(fd);
}

static void
run_ping(const struct settings *s)
{
	struct samples samples = {0};
	int fd = dial(s);

	chunk[0] = SERVICE_ECHO;
	greet(s, fd, chunk, PING_LEN);
	if (bench_read_full(fd, chunk, PING_LEN) != 0)
		bench_fail("read");
	int64_t begin_ns = bench_now_ns(), now_ns = begin_ns;
	while (now_ns - begin_ns < s->run_ns) {
		int64_t start_ns = now_ns;
		bench_write_all(fd, chunk, PING_LEN);
		if (bench_read_full(fd, chunk, PING_LEN) != 0)
			bench_fail("read");
		now_ns = bench_now_ns();
		samples_add(&samples, now_ns - start_ns);
	}
	printf("ping_ops %zu count\n", samples.count);
	samples_print(&samples, "ping");
	close(fd);
}

/* Returns 0 when one byte made the round trip. */
static int
echo_once(const struct settings *s)
{
	uint8_t byte = SERVICE_ECHO;
	int fd = bench_dial(s->port);

	if (fd < 0)
		return -1;
	greet(s, fd, &byte, 1);
	int status = bench_read_full(fd, &byte, 1);
	close(fd);
	return status == 0 && byte == SERVICE_ECHO ? 0 : -1;
}

static void
run_wait(const struct settings *s)
{
	int64_t start_ns = bench_now_ns();

	while (echo_once(s) != 0) {
		if (bench_now_ns() - start_ns > s->run_ns) {
			errno = ETIMEDOUT;
			bench_fail("no answer");
		}
		poll(NULL, 0, RETRY_MS);
	}
}

static void
flow_watch(int epoll_fd, int op, struct flow *f, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = f };

	if (epoll_ctl(epoll_fd, op, f->fd, &ev) != 0)
		bench_fail("epoll");
}

static int
flows_wait(int epoll_fd, struct epoll_event events[EVENTS_MAX])
{
	int n = epoll_wait(epoll_fd, events, EVENTS_MAX, BENCH_STALL_S * 1000);

	if (n == 0)
		errno = ETIMEDOUT;
	if (n <= 0)
		bench_fail("no answer");
	return n;
}

static struct flow *
flows_new(const struct settings *s, int *ret_epoll_fd)
{
	struct flow *flows = calloc(s->stream_count, sizeof(*flows));

	*ret_epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (flows == NULL || *ret_epoll_fd < 0)
		bench_fail("streams");
	return flows;
}

/* Reads some of a 1 KiB answer; returns whether it is complete. */
static bool
ping_read(struct flow *f)
{
	ssize_t n = recv(f->fd, chunk, PING_LEN - f->got_len, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n == 0)
		errno = ECONNRESET;
	if (n <= 0)
		bench_fail("read");
	f->got_len += (size_t)n;
	return f->got_len == PING_LEN;
}

static void
many_start(const struct settings *s, int epoll_fd, struct flow *flows)
{
	for (size_t i = 0; i < s->stream_count; i++) {
		flows[i].fd = dial(s);
		chunk[0] = SERVICE_ECHO;
		flows[i].start_ns = bench_now_ns();
		greet(s, flows[i].fd, chunk, PING_LEN);
		flow_watch(epoll_fd, EPOLL_CTL_ADD, &flows[i], EPOLLIN);
	}
}

static void
run_many(const struct settings *s)
{
	struct epoll_event events[EVENTS_MAX];
	struct samples samples = {0};
	int epoll_fd;
	struct flow *flows = flows_new(s, &epoll_fd);

	many_start(s, epoll_fd, flows);
	int64_t begin_ns = bench_now_ns(), now_ns = begin_ns;
	while (now_ns - begin_ns < s->run_ns) {
		int n = flows_wait(epoll_fd, events);
		for (int i = 0; i < n; i++) {
			struct flow *f = events[i].data.ptr;
			if (!ping_read(f))
				continue;
			now_ns = bench_now_ns();
			samples_add(&samples, now_ns - f->start_ns);
			f->got_len = 0;
			f->start_ns = now_ns;
			bench_write_all(f->fd, chunk, PING_LEN);
		}
	}
	printf("many_ops %zu count\n", samples.count);
	print_rate("many", (double)samples.count, now_ns - begin_ns, "ops/s");
	samples_print(&samples, "many");
	free(flows);
}

static void
flow_open(const struct settings *s, int epoll_fd, struct flow *f)
{
	f->start_ns = bench_now_ns();
	f->greeted = false;
	f->fd = bench_dial_start(s->port);
	flow_watch(epoll_fd, EPOLL_CTL_ADD, f, EPOLLOUT);
}

/* Moves a new stream on by one step; returns whether its byte came back. */
static bool
flow_step(const struct settings *s, int epoll_fd, struct flow *f)
{
	uint8_t byte = SERVICE_ECHO;

	if (!f->greeted) {
		greet(s, f->fd, &byte, 1);
		f->greeted = true;
		flow_watch(epoll_fd, EPOLL_CTL_MOD, f, EPOLLIN);
		return false;
	}
	if (bench_read_full(f->fd, &byte, 1) != 0)
		bench_fail("read");
	errno = EPROTO;
	if (byte != SERVICE_ECHO)
		bench_fail("answer");
	return true;
}

static void
run_open(const struct settings *s)
{
	struct epoll_event events[EVENTS_MAX];
	struct samples samples = {0};
	int epoll_fd;
	struct flow *flows = flows_new(s, &epoll_fd);

	for (size_t i = 0; i < s->stream_count; i++)
		flow_open(s, epoll_fd, &flows[i]);
	int64_t begin_ns = bench_now_ns(), now_ns = begin_ns;
	while (now_ns - begin_ns < s->run_ns) {
		int n = flows_wait(epoll_fd, events);
		for (int i = 0; i < n; i++) {
			struct flow *f = events[i].data.ptr;
			if (!flow_step(s, epoll_fd, f))
				continue;
			close(f->fd);
			now_ns = bench_now_ns();
			samples_add(&samples, now_ns - f->start_ns);
			flow_open(s, epoll_fd, f);
		}
	}
	printf("open_ops %zu count\n", samples.count);
	print_rate("open", (double)samples.count, now_ns - begin_ns,
	    "streams/s");
	samples_print(&samples, "open");
	free(flows);
}

/* Opens every stream, IDLE_BATCH at a time, and waits for stdin to end. */
static void
run_idle(const struct settings *s)
{
	struct epoll_event events[EVENTS_MAX];
	size_t opened = 0, ready = 0;
	int epoll_fd;
	uint8_t byte;
	struct flow *flows = flows_new(s, &epoll_fd);

	while (opened < s->stream_count && opened < IDLE_BATCH)
		flow_open(s, epoll_fd, &flows[opened++]);
	while (ready < s->stream_count) {
		int n = flows_wait(epoll_fd, events);
		for (int i = 0; i < n; i++) {
			if (!flow_step(s, epoll_fd, events[i].data.ptr))
				continue;
			ready++;
			if (opened < s->stream_count)
				flow_open(s, epoll_fd, &flows[opened++]);
		}
	}
	printf("idle %zu streams\n", ready);
	if (fflush(stdout) != 0)
		bench_fail("stdout");
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	for (size_t i = 0; i < s->stream_count; i++)
		close(flows[i].fd);
	free(flows);
}

static void
run_port(const struct settings *s)
{
	(void)s;
	printf("%u\n", bench_port_free());
}

static void
settings_parse(int argc, char **argv, struct settings *s)
{
	static const struct option options[] = {
		{ "bytes", required_argument, NULL, 'b' },
		{ "hello", required_argument, NULL, 'h' },
		{ "ms", required_argument, NULL, 'm' },
		{ "streams", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'b')
			s->bytes = bench_number(optarg);
		else if (opt == 'h')
			hello_read(s, optarg);
		else if (opt == 'm')
			s->run_ns = (int64_t)bench_number(optarg) * 1000000;
		else if (opt == 's')
			s->stream_count = (size_t)bench_number(optarg);
		else
			exit(2);
	}
	s->mode = optind < argc ? argv[optind++] : "";
	if (optind < argc)
		s->port = (uint16_t)bench_number(argv[optind]);
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *mode;
		void (*run)(const struct settings *s);
	} modes[] = {
		{ "port", run_port }, { "wait", run_wait },
		{ "up", run_up }, { "down", run_down },
		{ "ping", run_ping }, { "many", run_many },
		{ "open", run_open }, { "idle", run_idle },
	};
	static struct settings s = {
		.bytes = 64 * 1024 * 1024,
		.run_ns = BENCH_NS_PER_S,
		.stream_count = 16,
	};

	settings_parse(argc, argv, &s);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(s.mode, modes[i].mode) == 0) {
			modes[i].run(&s);
			return fflush(stdout) != 0;
		}
	}
	fprintf(stderr, "load: unknown mode '%s'\n", s.mode);
	return 2;
}
