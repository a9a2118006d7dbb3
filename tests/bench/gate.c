/* SPDX-License-Identifier: ISC */
/* What a way to a server costs: run once without and once behind the gate.
 *
 *	gate server            prints "port N" and serves one connection after
 *	                       the other, for ever
 *	gate client HOST PORT  prints "new US", the median time to connect, send
 *	                       a byte and get it back; "keep US", the same on an
 *	                       open connection; "bulk MIB", MiB/s from there */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	NEW = 300, KEEP = 3000,
	CHUNK = 256 << 10,
	BULK_MIB = 1024,
	STALL_S = 20,
};

static _Noreturn void
fail(const char *what)
{
	perror(what);
	exit(1);
}

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void
send_bulk(int fd)
{
	static char chunk[CHUNK];
	int64_t left = (int64_t)BULK_MIB << 20;

	while (left > 0) {
		ssize_t n = write(fd, chunk, sizeof chunk);

		if (n <= 0)
			return;
		left -= n;
	}
}

static _Noreturn void
serve(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 ||
	    listen(fd, 128) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) != 0)
		fail("listen");
	printf("port %d\n", ntohs(a.sin_port));
	fflush(stdout);
	for (;;) {
		int c = accept(fd, NULL, NULL);
		char byte;

		if (c == -1)
			fail("accept");
		setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		while (read(c, &byte, 1) == 1 && byte != 'b' &&
		    write(c, &byte, 1) == 1)
			;
		if (byte == 'b')
			send_bulk(c);
		close(c);
	}
}

static int
dial(const char *host, const char *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtol(port, NULL, 10))};
	struct timeval stall = {.tv_sec = STALL_S};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	inet_pton(AF_INET, host, &a.sin_addr);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &stall, sizeof stall);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
		fail("connect");
	return fd;
}

static void
echo(int fd)
{
	char byte = 'e';

	if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
		fail("echo");
}

static int
compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double
median_us(int64_t *ns, size_t count)
{
	qsort(ns, count, sizeof *ns, compare);
	return (double)ns[count / 2] / 1000;
}

int
main(int argc, char **argv)
{
	static int64_t ns[KEEP];
	static char chunk[CHUNK];
	int64_t start, total = 0;
	ssize_t n;
	int fd;

	if (argc == 2)
		serve();
	if (argc != 4)
		return 2;
	for (int i = 0; i < NEW; i++) {
		start = now_ns();
		fd = dial(argv[2], argv[3]);
		echo(fd);
		ns[i] = now_ns() - start;
		close(fd);
	}
	printf("new %.2f\n", median_us(ns, NEW));
	fd = dial(argv[2], argv[3]);
	for (int i = 0; i < KEEP; i++) {
		start = now_ns();
		echo(fd);
		ns[i] = now_ns() - start;
	}
	printf("keep %.2f\n", median_us(ns, KEEP));
	start = now_ns();
	if (write(fd, "b", 1) != 1)
		fail("bulk");
	while ((n = read(fd, chunk, sizeof chunk)) > 0)
		total += n;
	if (total != (int64_t)BULK_MIB << 20)
		fail("bulk");
	printf("bulk %.0f\n", BULK_MIB * 1e9 / (double)(now_ns() - start));
	return 0;
}
