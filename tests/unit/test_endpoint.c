/* SPDX-License-Identifier: ISC */
/* The server for webhooks: what it answers, when it says that there is work,
 * and how many it serves. */
#include "cmd/sandbox-worker/endpoint.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <poll.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/diag.h"
#include "common/sock.h"
#include "common/str.h"
#include "tests/unit/test.h"

enum { ROUNDS_MAX = 2000 };

static struct webhook_key key;
static struct endpoint *endpoint;
static struct ev_loop *loop;
static uint16_t port;
static int works;

static void
on_work(void *user)
{
	(void)user;
	works++;
}

/* ---- a client ---- */

static int
dial(void)
{
	struct sock_addr a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);

	sock_parse_ip("127.0.0.1", port, &a);
	connect(fd, &a.any, a.len);
	return fd;
}

/* Reads until the end while the server runs.  Returns the answer's first
 * line. */
static const char *
read_answer(int fd)
{
	static char in[1024];
	size_t len = 0;
	char *end;

	for (int i = 0; i < ROUNDS_MAX; i++) {
		ssize_t n = recv(fd, in + len, sizeof in - 1 - len, 0);

		if (n == 0 || (n == -1 && errno != EAGAIN))
			break;
		len += n > 0 ? (size_t)n : 0;
		ev_run(loop, EVRUN_NOWAIT);
		if (n == -1)
			poll(NULL, 0, 1);
	}
	in[len] = '\0';
	end = strstr(in, "\r\n");
	if (end != NULL)
		*end = '\0';
	return in;
}

static const char *
ask(const char *request, size_t step)
{
	int fd = dial();
	const char *answer;
	size_t len = strlen(request);

	for (size_t i = 0; i < len; i += step) {
		ev_run(loop, EVRUN_NOWAIT);
		if (send(fd, request + i, len - i < step ? len - i : step,
		    MSG_NOSIGNAL) == -1)
			break;
		ev_run(loop, EVRUN_NOWAIT);
	}
	answer = read_answer(fd);
	close(fd);
	ev_run(loop, EVRUN_NOWAIT);
	return answer;
}

/* A request that is signed for now. */
static const char *
sign(const char *body, int64_t age_s)
{
	static char request[4096];
	char text[1024], mac[64];
	uint8_t digest[32];
	unsigned len;
	long long at = clock_wall_ns() / 1000000000 - age_s;

	str_format(text, sizeof text, "msg_1.%lld.%s", at, body);
	HMAC(EVP_sha256(), key.at, (int)key.len, (uint8_t *)text,
	    strlen(text), digest, &len);
	EVP_EncodeBlock((uint8_t *)mac, digest, 32);
	str_format(request, sizeof request, "POST /hook HTTP/1.1\r\nHost: h"
	    "\r\nwebhook-id: msg_1\r\nwebhook-timestamp: %lld\r\n"
	    "webhook-signature: v1,%s\r\nContent-Length: %zu\r\n\r\n%s", at,
	    mac, strlen(body), body);
	return request;
}

#define STARTED "{\"data\":{\"type\":\"session.status_run_started\"}}"

static void
test_answers(void)
{
	works = 0;
	eq_str(ask(sign(STARTED, 0), SIZE_MAX / 2), "HTTP/1.1 200 OK",
	    "a good one");
	eq_int(works, 1, "says that there is work");
	eq_str(ask(sign(STARTED, 0), 1), "HTTP/1.1 200 OK",
	    "byte by byte");
	eq_int(works, 2, "too");
	eq_str(ask(sign("{\"data\":{\"type\":\"session.status_idled\"}}", 0),
	    100), "HTTP/1.1 200 OK", "other news are taken");
	eq_str(ask(sign(STARTED, 400), 100), "HTTP/1.1 401 Unauthorized",
	    "an old one is not");
	eq_str(ask(sign("no JSON", 0), 100), "HTTP/1.1 400 Bad Request",
	    "nor one that is no JSON");
	eq_str(ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 100),
	    "HTTP/1.1 405 Method Not Allowed", "GET is not");
	eq_str(ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n"
	    "\r\n", 100), "HTTP/1.1 413 Content Too Large", "2 MB");
	eq_str(ask("\r\n\r\n", 100), "HTTP/1.1 400 Bad Request", "nothing");
	eq_int(works, 2, "none of these says that there is work");
}

/* As many as it serves, none of which says anything: the next one waits. */
static void
test_many(void)
{
	int fds[ENDPOINT_CONNECTIONS_MAX], waiting;
	char in[64];

	for (size_t i = 0; i < ENDPOINT_CONNECTIONS_MAX; i++) {
		fds[i] = dial();
		ev_run(loop, EVRUN_NOWAIT);
	}
	waiting = dial();
	send(waiting, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 27, MSG_NOSIGNAL);
	for (int i = 0; i < 20; i++)
		ev_run(loop, EVRUN_NOWAIT);
	eq_int(recv(waiting, in, sizeof in, 0), -1, "one too many waits");
	close(fds[7]);
	eq_str(read_answer(waiting), "HTTP/1.1 405 Method Not Allowed",
	    "until another has gone");
	close(waiting);
	for (size_t i = 0; i < ENDPOINT_CONNECTIONS_MAX; i++)
		if (i != 7)
			close(fds[i]);
	for (int i = 0; i < 200; i++)
		ev_run(loop, EVRUN_NOWAIT);
}

int
main(void)
{
	struct endpoint_settings s = {.listen = "127.0.0.1:0", .key = &key,
	    .work = on_work};
	struct error e;
	int fds;

	diag_set_level(DIAG_ERROR);
	webhook_key_parse("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
	    &key, &e);
	loop = ev_loop_new(0);
	ev_run(loop, EVRUN_NOWAIT);
	fds = test_open_fds();
	endpoint = endpoint_start(loop, &s, &port, &e);
	ok(endpoint != NULL && port != 0, "it listens");
	test_answers();
	test_many();
	endpoint_refuse(endpoint);
	eq_str(ask(sign(STARTED, 0), 100), "HTTP/1.1 503 Service Unavailable",
	    "at the end it refuses");
	eq_int(works, 2, "and says nothing");
	endpoint_free(endpoint);
	eq_int(test_open_fds(), fds, "every descriptor is closed");
	s.listen = "example.com:80";
	ok(endpoint_start(loop, &s, &port, &e) == NULL, "a name is refused");
	ev_loop_destroy(loop);
	return test_done();
}
