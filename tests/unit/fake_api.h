/* SPDX-License-Identifier: ISC */
/* Stands in for cmd/sandbox-worker/api.c and api_job.c: a test links this
 * instead, says what is answered, and reads what was asked. */
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
	int64_t retry_ms;  /* not 0: only an attempt ends, and the next one
	                    * begins so much later */
	bool never;        /* of a call that was started: it runs on */
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

/* ---- calls in a loop: they are answered one per turn, in order ---- */

struct api_job {
	struct api_job *next;
	struct api_request request;
	char path[4096];
	struct buf body;
	const struct api_events *events;
	void *user;
};

static struct ev_loop *fake_loop;
static ev_timer fake_timer;
static struct api_job *fake_jobs;
static size_t fake_running, fake_running_max;

static void
fake_forget(struct api_job *j)
{
	struct api_job **at = &fake_jobs;

	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
	fake_running--;
}

static void
fake_append(struct api_job *j)
{
	struct api_job **at = &fake_jobs;

	while (*at != NULL)
		at = &(*at)->next;
	*at = j;
	j->next = NULL;
	fake_running++;
	if (fake_running > fake_running_max)
		fake_running_max = fake_running;
	ev_timer_start(fake_loop, &fake_timer);
}

static void
fake_free(struct api_job *j)
{
	buf_reset(&j->body);
	free(j);
}

/* Its answer, or the end of an attempt. */
static void
fake_finish(struct api_job *j)
{
	struct fake_answer answer = fake_serve(&j->request);
	struct api_response r = {.status = answer.status,
	    .ambiguous = answer.ambiguous};
	struct error e = {.text = "connection lost"};

	fake_forget(j);
	if (answer.never || answer.retry_ms != 0) {
		fake_append(j);
		if (answer.retry_ms != 0)
			j->events->retry(j->user, &r, answer.retry_ms);
		return;
	}
	buf_init(&r.body, j->request.max);
	if (answer.status != 0 && buf_add(&r.body, answer.body) != 0) {
		answer.status = 0;
		error_set(&e, "too long");
	}
	j->events->done(j->user, &r, answer.status == 0 ? &e : NULL);
	buf_reset(&r.body);
	fake_free(j);
}

static void
fake_turn(struct ev_loop *ev, ev_timer *w, int revents)
{
	(void)revents;
	ev_timer_stop(ev, w);
	if (fake_jobs != NULL)
		fake_finish(fake_jobs);
	if (fake_jobs != NULL)
		ev_timer_start(ev, w);
}

int
api_attach(struct api *a, struct ev_loop *ev, struct error *e)
{
	(void)a;
	(void)e;
	if (fake_log.max == 0)
		buf_init(&fake_log, FAKE_LOG_MAX);
	fake_loop = ev;
	ev_timer_init(&fake_timer, fake_turn, 0, 0);
	return 0;
}

void
api_detach(struct api *a)
{
	(void)a;
	while (fake_jobs != NULL) {
		struct api_job *j = fake_jobs;

		fake_forget(j);
		fake_free(j);
	}
	ev_timer_stop(fake_loop, &fake_timer);
}

struct api_job *
api_start(struct api *a, const struct api_request *r,
    const struct api_events *events, void *user, struct error *e)
{
	struct api_job *j = calloc(1, sizeof *j);

	(void)a;
	if (j == NULL) {
		error_set(e, "out of memory");
		return NULL;
	}
	fake_note(r);
	j->request = *r;
	j->events = events;
	j->user = user;
	str_format(j->path, sizeof j->path, "%s", r->path);
	j->request.path = j->path;
	buf_init(&j->body, r->body.len);
	if (r->body.ptr != NULL) {
		buf_add(&j->body, r->body);
		j->request.body = buf_bytes(&j->body);
	}
	fake_append(j);
	return j;
}

void
api_cancel(struct api_job *j)
{
	fake_forget(j);
	fake_free(j);
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
