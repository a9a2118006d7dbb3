/* SPDX-License-Identifier: ISC */

/* What the bench programs share: failing, time, loopback sockets and a set of
 * samples with percentiles.  Everything here belongs to measuring programs
 * only, so a failure ends the process with one line on stderr. */

#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

/* No single wait on a socket may last longer: a stalled peer is a failed
 * run, not a slow one. */
#define BENCH_STALL_S 20

#define BENCH_NS_PER_S 1000000000LL
#define BENCH_NS_PER_US 1000.0

/* A growing list of durations in nanoseconds. */
struct samples {
	int64_t *ns;
	size_t count;
	size_t cap;
};

void samples_add(struct samples *s, int64_t ns);

/* Prints "PREFIX_p50 X us" and "PREFIX_p99 X us" and frees the samples. */
void samples_print(struct samples *s, const char *prefix);

/* Prints "PROGRAM: what: reason" from errno and exits with status 1. */
_Noreturn void bench_fail(const char *what);

/* CLOCK_MONOTONIC. */
int64_t bench_now_ns(void);

/* A decimal number of at most 18 digits; anything else ends the program. */
uint64_t bench_number(const char *text);

/* A blocking, TCP_NODELAY connection to 127.0.0.1:port whose reads and
 * writes give up after BENCH_STALL_S; -1 with errno if refused. */
int bench_dial(uint16_t port);

/* A non-blocking connection attempt to 127.0.0.1:port. */
int bench_dial_start(uint16_t port);

/* A non-blocking TCP_NODELAY listener on 127.0.0.1.  Port 0 lets the kernel
 * choose; the port in use is stored in *ret_port. */
int bench_listen_tcp(uint16_t port, uint16_t *ret_port);

/* A non-blocking listener on a Unix socket, replacing one left behind. */
int bench_listen_unix(const char *path);

/* A port below the ephemeral range on which nothing listens.  It is not
 * reserved: use it at once. */
uint16_t bench_port_free(void);

/* Writes all of buf; ends the program on failure. */
void bench_write_all(int fd, const void *buf, size_t len);

/* Reads exactly len bytes; returns 0, or -1 at end of file or on error. */
int bench_read_full(int fd, void *buf, size_t len);

#endif
