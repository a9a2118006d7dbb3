/* SPDX-License-Identifier: ISC */

/* Measures how late the events of upstream.c arrive: sends one GET, reads
 * --events of them and prints "sse_p50 X us" and "sse_p99 X us".
 *
 *	sse [--ca FILE] [--events N] [--wait MS] HOST PORT
 *
 * With --ca over TLS, else in plain text.  HOST is the name asked for by SNI
 * and Host; the connection goes to 127.0.0.1.  With --wait, tries again for so
 * long until one event came and prints nothing: a readiness check. */

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "bench.h"

#define READ_LEN 16384
#define HEAD_MAX 512
#define RETRY_MS 20
#define WARM_UP_EVENTS 50
#define TIME_MARK "\"t\":"
#define TIME_MARK_LEN (sizeof(TIME_MARK) - 1)

struct settings {
	const char *host;
	uint16_t port;
	const char *ca;
	size_t event_count;
	int64_t wait_ns;
};

struct peer {
	int fd;
	SSL *ssl;                   /* NULL in plain text */
};

/* Finds the times in a byte stream, wherever reads cut it. */
struct times {
	size_t matched;             /* of TIME_MARK */
	int64_t ns;                 /* digits so far, once matched */
};

static SSL_CTX *
tls_new(const char *ca)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL || SSL_CTX_load_verify_file(ctx, ca) != 1) {
		errno = EINVAL;
		bench_fail(ca);
	}
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	return ctx;
}

static void
peer_close(struct peer *p)
{
	SSL_free(p->ssl);
	if (p->fd >= 0)
		close(p->fd);
}

/* 0, or -1 if there is no server or its certificate is not the host's. */
static int
peer_open(struct peer *p, const struct settings *s, SSL_CTX *ctx)
{
	*p = (struct peer){ .fd = bench_dial(s->port) };
	if (p->fd < 0)
		return -1;
	if (ctx == NULL)
		return 0;
	p->ssl = SSL_new(ctx);
	if (p->ssl == NULL || SSL_set_fd(p->ssl, p->fd) != 1 ||
	    SSL_set_tlsext_host_name(p->ssl, s->host) != 1 ||
	    SSL_set1_host(p->ssl, s->host) != 1)
		bench_fail("TLS");
	return SSL_connect(p->ssl) == 1 ? 0 : -1;
}

static int
peer_read(struct peer *p, char *buf, int len)
{
	if (p->ssl == NULL)
		return (int)read(p->fd, buf, (size_t)len);
	return SSL_read(p->ssl, buf, len);
}

static int
request_send(struct peer *p, const struct settings *s)
{
	char head[HEAD_MAX];
	int n = snprintf(head, sizeof(head),
	    "GET /mcp HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n\r\n",
	    s->host);

	if (n < 0 || (size_t)n >= sizeof(head))
		return -1;
	if (p->ssl == NULL)
		bench_write_all(p->fd, head, (size_t)n);
	else if (SSL_write(p->ssl, head, n) != n)
		return -1;
	return 0;
}

/* Takes one byte; returns true and the time when it ends one. */
static bool
times_take(struct times *t, char c, int64_t *ret_ns)
{
	if (t->matched < TIME_MARK_LEN) {
		t->matched = c == TIME_MARK[t->matched] ? t->matched + 1 :
		    c == TIME_MARK[0];
		t->ns = 0;
		return false;
	}
	if (c >= '0' && c <= '9') {
		t->ns = t->ns * 10 + (c - '0');
		return false;
	}
	t->matched = 0;
	*ret_ns = t->ns;
	return true;
}

/* Reads until `count` events have come, after skipping the first ones;
 * returns -1 if the stream ends before. */
static int
events_read(struct peer *p, size_t skip, size_t count, struct samples *samples)
{
	static char buf[READ_LEN];
	struct times times = {0};
	size_t seen = 0;
	int64_t sent_ns;

	while (seen < skip + count) {
		int n = peer_read(p, buf, sizeof(buf));
		int64_t now_ns = bench_now_ns();
		if (n <= 0)
			return -1;
		for (int i = 0; i < n; i++) {
			if (times_take(&times, buf[i], &sent_ns) &&
			    ++seen > skip)
				samples_add(samples, now_ns - sent_ns);
		}
	}
	return 0;
}

static int
measure(const struct settings *s, SSL_CTX *ctx, size_t skip, size_t count,
    struct samples *samples)
{
	struct peer p;
	int status = -1;

	if (peer_open(&p, s, ctx) == 0 && request_send(&p, s) == 0)
		status = events_read(&p, skip, count, samples);
	peer_close(&p);
	return status;
}

static int
wait_ready(const struct settings *s, SSL_CTX *ctx)
{
	int64_t start_ns = bench_now_ns();
	struct samples samples = {0};

	while (measure(s, ctx, 0, 1, &samples) != 0) {
		if (bench_now_ns() - start_ns > s->wait_ns) {
			errno = ETIMEDOUT;
			bench_fail("no event");
		}
		poll(NULL, 0, RETRY_MS);
	}
	return 0;
}

static int
settings_parse(int argc, char **argv, struct settings *s)
{
	static const struct option options[] = {
		{ "ca", required_argument, NULL, 'c' },
		{ "events", required_argument, NULL, 'e' },
		{ "wait", required_argument, NULL, 'w' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'c')
			s->ca = optarg;
		else if (opt == 'e')
			s->event_count = (size_t)bench_number(optarg);
		else if (opt == 'w')
			s->wait_ns = (int64_t)bench_number(optarg) * 1000000;
		else
			return -1;
	}
	if (argc - optind != 2)
		return -1;
	s->host = argv[optind];
	s->port = (uint16_t)bench_number(argv[optind + 1]);
	return 0;
}

int
main(int argc, char **argv)
{
	struct settings s = { .event_count = 1000 };
	struct samples samples = {0};

	if (settings_parse(argc, argv, &s) != 0) {
		fprintf(stderr, "sse: expected HOST PORT\n");
		return 2;
	}
	SSL_CTX *ctx = s.ca == NULL ? NULL : tls_new(s.ca);
	if (s.wait_ns > 0)
		return wait_ready(&s, ctx);
	if (measure(&s, ctx, WARM_UP_EVENTS, s.event_count, &samples) != 0) {
		errno = ECONNRESET;
		bench_fail(s.host);
	}
	printf("sse_events %zu count\n", s.event_count + WARM_UP_EVENTS);
	samples_print(&samples, "sse");
	SSL_CTX_free(ctx);
	return fflush(stdout) != 0;
}
