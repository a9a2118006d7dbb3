/* SPDX-License-Identifier: ISC */
/* Stands in for cmd/sandbox-worker/api.c: a test links this instead, says what
 * is answered, and reads what was asked. */
#ifndef ADIT_TEST_FAKE_API_H
#define ADIT_TEST_FAKE_API_H

#include "cmd/sandbox-worker/api.h"
#include "common/io.h"
#include "common/str.h"
#include "tests/unit/test.h"

enum { FAKE_LOG_MAX = 1 << 20 };

/* What a call gets.  status 0: no answer comes. */
struct fake_answer {
	long status;
	struct bytes body;
	bool ambiguous;
};

static struct buf fake_log; /* "GET /v1/... body; " per call */
static bool fake_has_token = true, fake_has_key;
static struct fake_answer (*fake_serve)(const struct api_request *r);

TEST_UNUSED static void
fake_note(const struct api_request *r)
{
	buf_format(&fake_log, "%s %s", r->method, r->path);
	if (r->environment_key)
		buf_add_str(&fake_log, " with the key");
	if (r->body.ptr != NULL) {
		buf_add_str(&fake_log, " ");
		buf_add(&fake_log, r->body);
	}
	buf_add_str(&fake_log, "; ");
}

/* What was asked since the last call.  Valid until the next one. */
TEST_UNUSED static const char *
fake_story(void)
{
	static char text[FAKE_LOG_MAX];

	str_from_bytes(text, sizeof text, buf_bytes(&fake_log));
	buf_clear(&fake_log);
	return text;
}

int
api_call(struct api *a, const struct api_request *r, struct api_response *ret,
    struct error *e)
{
	struct fake_answer answer;

	(void)a;
	if (fake_log.max == 0)
		buf_init(&fake_log, FAKE_LOG_MAX);
	fake_note(r);
	answer = fake_serve(r);
	memset(ret, 0, sizeof *ret);
	buf_init(&ret->body, r->max);
	ret->status = answer.status;
	ret->ambiguous = answer.ambiguous;
	if (answer.status == 0)
		return error_set(e, "connection lost");
	if (r->to_fd != -1 && answer.status == 200)
		return answer.body.len > r->max ? error_set(e, "too long")
		    : io_write_all(r->to_fd, answer.body);
	return buf_add(&ret->body, answer.body);
}

void
api_response_done(struct api_response *r)
{
	buf_reset(&r->body);
}

int
api_encode(char *out, size_t cap, const char *text)
{
	size_t len = strlen(out);

	for (; *text != '\0'; text++) {
		bool plain = (*text >= '0' && *text <= '9') ||
		    (ascii_lower(*text) >= 'a' && ascii_lower(*text) <= 'z') ||
		    strchr("-_.!~*'()", *text) != NULL;

		if (len + 4 > cap)
			return -1;
		if (plain)
			out[len++] = *text;
		else
			len += (size_t)snprintf(out + len, 4, "%%%02X",
			    (unsigned)(uint8_t)*text);
	}
	out[len] = '\0';
	return 0;
}

void
api_describe(const struct api_response *r, struct error *e)
{
	error_set(e, "%ld", r->status);
}

bool
api_has_token(const struct api *a)
{
	(void)a;
	return fake_has_token;
}

bool
api_has_environment_key(const struct api *a)
{
	(void)a;
	return fake_has_key;
}

#endif
