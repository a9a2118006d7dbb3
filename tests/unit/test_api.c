/* SPDX-License-Identifier: ISC */
/* Where calls may go, what goes with them, and how failures are told. */
#include "cmd/sandbox-worker/api.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "common/sock.h"
#include "common/str.h"
#include "tests/unit/test.h"

static int
makes(struct api_settings s)
{
	struct error e = {.text = ""};
	struct api *a;

	if (s.environment_key == NULL)
		s.environment_key = "key";
	a = api_new(&s, &e);
	ok((a == NULL) == (e.text[0] != '\0'), "a refusal has a text");
	ok(strstr(e.text, "hunter2") == NULL, "with no secret in it");
	api_free(a);
	return a != NULL;
}

static void
test_base(void)
{
	static const struct {
		const char *url;
		bool plain, good;
	} rows[] = {
		{NULL, false, true},
		{"https://api.example", false, true},
		{"https://api.example:8443/prefix/", false, true},
		{"http://127.0.0.1:80", false, true},
		{"http://127.9.8.7", false, true},
		{"http://localhost:3000", false, true},
		{"http://[::1]:80", false, true},
		{"http://api.example", false, false},
		{"http://api.example", true, true},
		{"http://10.0.0.1", false, false},
		{"http://127.0.0.1.example", false, false},
		{"http://localhost.example", false, false},
		{"http://[::ffff:127.0.0.1]", false, false},
		{"ftp://127.0.0.1", true, false},
		{"file:///etc/passwd", true, false},
		{"https://hunter2@api.example", false, false},
		{"https://a:hunter2@api.example", false, false},
		{"https://api.example?x=hunter2", false, false},
		{"https://api.example#hunter2", false, false},
		{"", false, false}, {"api.example", false, false},
		{"https://", false, false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		eq_int(makes((struct api_settings){.base = rows[i].url,
		    .allow_http = rows[i].plain}), rows[i].good, "%s%s",
		    rows[i].url == NULL ? "the default" : rows[i].url,
		    rows[i].plain ? ", http allowed" : "");
	}
}

static void
test_secrets(void)
{
	char longest[API_SECRET_MAX + 1];

	memset(longest, 'a', sizeof longest);
	longest[API_SECRET_MAX] = '\0';
	eq_int(makes((struct api_settings){.token = longest}), 0,
	    "a token that is too long");
	longest[API_SECRET_MAX - 1] = '\0';
	eq_int(makes((struct api_settings){.token = longest}), 1,
	    "the longest one");
	eq_int(makes((struct api_settings){.token = "hunter2\r\nX: y"}), 0,
	    "one that is two headers");
	eq_int(makes((struct api_settings){.environment_key = "hunter2 "}),
	    0, "a key with a space");
}

static void
test_headers(void)
{
	static const struct {
		const char *lines;
		bool good;
	} rows[] = {
		{"A: b", true}, {"A: b\nC:d\n", true}, {"A: b\r\nC: d", true},
		{"", true}, {"\n\n", true}, {"A:", true},
		{"no colon", false}, {": b", false}, {"A b: c", false},
		{"A: b\x01", false}, {"Authorization: hunter2", false},
		{"x-API-key: hunter2", false}, {"Host: a", false},
		{"Content-Length: 1", false}, {"Transfer-Encoding: x", false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		eq_int(makes((struct api_settings){.headers =
		    rows[i].lines}), rows[i].good, "'%s'", rows[i].lines);
}

static void
test_encode(void)
{
	char out[16] = "x";

	eq_int(api_encode(out, sizeof out, "a/b c:%"), 0, "an id");
	eq_str(out, "a%2Fb%20c%3A%25", "as encodeURIComponent has it");
	eq_int(api_encode(out, sizeof out, "\xc3\xa9"), 0, "UTF-8");
	eq_str(out, "%C3%A9", "byte by byte");
	eq_int(api_append(out, sizeof out, "-"), 0, "behind it");
	eq_str(out, "%C3%A9-", "is what is there");
	eq_int(api_encode(out, sizeof out, "//////"), -1, "what is too long");
	eq_int(errno, ENAMETOOLONG, "ENAMETOOLONG");
}

static const char *
describe(long status, const char *body)
{
	static struct error e;
	struct api_response r = {.status = status, .request_id = "req_1"};

	buf_init(&r.body, 4096);
	buf_add_str(&r.body, body);
	api_describe(&r, &e);
	api_response_done(&r);
	return e.text;
}

static void
test_texts(void)
{
	eq_str(describe(404, "{\"type\":\"error\",\"error\":{\"type\":"
	    "\"not_found_error\",\"message\":\"no\"}}"),
	    "404 not_found_error: no (request-id req_1)", "an envelope");
	eq_str(describe(500, "<html>"), "500 (request-id req_1)", "none");
	eq_str(describe(429, "{\"error\":7}"), "429 (request-id req_1)",
	    "another shape");
	eq_str(describe(302, ""),
	    "302 a redirect, not followed (request-id req_1)", "a redirect");
	ok(api_is_fatal(400) && api_is_fatal(404) && !api_is_fatal(408) &&
	    !api_is_fatal(409) && !api_is_fatal(429) && !api_is_fatal(500) &&
	    !api_is_fatal(302) && !api_is_fatal(200), "what is final");
}

/* Answers everything: it is too much, for a minute. */
static void
serve_busy(int listener)
{
	char in[4096];

	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd == -1 || read(fd, in, sizeof in) <= 0)
			_exit(1);
		io_write_all(fd, bytes_cstr("HTTP/1.1 429 Busy\r\n"
		    "Retry-After: 60\r\nContent-Length: 0\r\n"
		    "Connection: close\r\n\r\n"));
		close(fd);
	}
}

static void
test_wait(void)
{
	struct api_request r = {.method = "GET", .path = "/", .to_fd = -1,
		.max = 1, .retries = API_RETRIES, .timeout_ms = 2000};
	struct api_settings s = {.environment_key = "key"};
	int64_t begun_ms = clock_ms();
	struct api_response answer;
	char base[64];
	struct error e;
	uint16_t port;
	struct api *a;
	int fd = sock_listen_tcp("127.0.0.1:0", &port, &e);
	pid_t pid;

	io_set_nonblock(fd, false);
	pid = fork();
	if (pid == 0)
		serve_busy(fd);
	close(fd);
	str_format(base, sizeof base, "http://127.0.0.1:%u", port);
	s.base = base;
	a = api_new(&s, &e);
	eq_int(api_call(a, &r, &answer, &e), 0, "an answer");
	eq_int(answer.status, 429, "that it is too much");
	eq_int(answer.retry_after_ms, 60000, "for a minute");
	ok(clock_ms() - begun_ms < 30000, "which is longer than the call has");
	api_response_done(&answer);
	api_free(a);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int
main(void)
{
	test_wait();
	test_base();
	test_secrets();
	test_headers();
	test_encode();
	test_texts();
	return test_done();
}
