/* SPDX-License-Identifier: ISC */

/* What the bench programs share; see bench.h. */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define SAMPLES_FIRST 4096
#define LISTEN_BACKLOG 4096
#define NUMBER_DIGITS_MAX 18
/* Linux hands out 32768 and above to outgoing connections. */
#define PORT_MIN 10240
#define PORT_MAX 32767

_Noreturn void
bench_fail(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what,
	    strerror(errno));
	exit(1);
}

int64_t
bench_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * BENCH_NS_PER_S + ts.tv_nsec;
}

uint64_t
bench_number(const char *text)
{
	uint64_t n = 0;
	size_t len = strlen(text);

	errno = EINVAL;
	if (len == 0 || len > NUMBER_DIGITS_MAX)
		bench_fail(text);
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			bench_fail(text);
		n = n * 10 + (uint64_t)(*text - '0');
	}
	return n;
}

void
samples_add(struct samples *s, int64_t ns)
{
	if (s->count == s->cap) {
		size_t cap = s->cap == 0 ? SAMPLES_FIRST : s->cap * 2;
		int64_t *grown = reallocarray(s->ns, cap, sizeof(*grown));
		if (grown == NULL)
			bench_fail("samples");
		s->ns = grown;
		s->cap = cap;
	}
	s->ns[s->count++] = ns;
}

static int
compare_ns(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a;
	int64_t y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

void
samples_print(struct samples *s, const char *prefix)
{
	if (s->count == 0) {
		errno = ENODATA;
		bench_fail(prefix);
	}
	qsort(s->ns, s->count, sizeof(*s->ns), compare_ns);
	printf("%s_p50 %.1f us\n", prefix,
	    (double)s->ns[s->count / 2] / BENCH_NS_PER_US);
	printf("%s_p99 %.1f us\n", prefix,
	    (double)s->ns[s->count * 99 / 100] / BENCH_NS_PER_US);
	free(s->ns);
	*s = (struct samples){0};
}

static struct sockaddr_in
loopback(uint16_t port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
	};

	inet_pton(AF_INET, "127.0.0.1", &addr.sin_addr);
	return addr;
}

static int
tcp_socket(int type)
{
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | type, 0);

	if (fd < 0)
		bench_fail("socket");
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
		bench_fail("TCP_NODELAY");
	return fd;
}

int
bench_dial(uint16_t port)
{
	struct timeval stall = { .tv_sec = BENCH_STALL_S };
	struct sockaddr_in addr = loopback(port);
	int fd = tcp_socket(0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &stall, sizeof(stall));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &stall, sizeof(stall));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
		int saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

int
bench_dial_start(uint16_t port)
{
	struct sockaddr_in addr = loopback(port);
	int fd = tcp_socket(SOCK_NONBLOCK);

	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 &&
	    errno != EINPROGRESS)
		bench_fail("connect");
	return fd;
}

int
bench_listen_tcp(uint16_t port, uint16_t *ret_port)
{
	int on = 1;
	struct sockaddr_in addr = loopback(port);
	socklen_t addr_len = sizeof(addr);
	int fd = tcp_socket(SOCK_NONBLOCK);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
	    listen(fd, LISTEN_BACKLOG) != 0) {
		int saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	if (getsockname(fd, (struct sockaddr *)&addr, &addr_len) != 0)
		bench_fail("getsockname");
	*ret_port = ntohs(addr.sin_port);
	return fd;
}

int
bench_listen_unix(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		bench_fail("socket");
	errno = ENAMETOOLONG;
	if (len >= sizeof(addr.sun_path))
		bench_fail(path);
	memcpy(addr.sun_path, path, len);
	unlink(path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
	    listen(fd, LISTEN_BACKLOG) != 0)
		bench_fail(path);
	return fd;
}

uint16_t
bench_port_free(void)
{
	for (int tries = 0; tries < 100; tries++) {
		uint16_t r, port;
		if (getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r))
			bench_fail("getrandom");
		port = (uint16_t)(PORT_MIN + r % (PORT_MAX - PORT_MIN + 1));
		int fd = bench_listen_tcp(port, &port);
		if (fd >= 0) {
			close(fd);
			return port;
		}
	}
	bench_fail("no free port");
}

void
bench_write_all(int fd, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	while (len > 0) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			bench_fail("write");
		p += n;
		len -= (size_t)n;
	}
}

int
bench_read_full(int fd, void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len > 0) {
		ssize_t n = read(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ECONNRESET;
		if (n <= 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}
