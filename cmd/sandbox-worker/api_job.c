/* SPDX-License-Identifier: ISC */
/* Calls of the API in an event loop: libcurl's multi interface on libev. */
#include <stdlib.h>

#include "cmd/sandbox-worker/calls.h"
#include "cmd/sandbox-worker/exchange.h"
#include "common/str.h"

enum {
	/* While it connects a call may have two, and one of the resolver. */
	SOCKETS_MAX = 3 * CALLS_MAX,
	/* A stream on which nothing comes, not even a ping, is opened anew. */
	STREAM_SILENCE_MS = 300000,
	STREAM_PENDING_MAX = 64 << 20, /* of one turn of the loop */
};

struct api_socket {
	struct api_loop *loop;
	ev_io io;
	curl_socket_t fd;
	bool used;
};

struct api_loop {
	struct ev_loop *ev;
	CURLM *multi;
	ev_timer timer;
	struct api_socket sockets[SOCKETS_MAX];
	struct api_job *jobs;
};

enum job_state {
	JOB_WAITING, /* for its next attempt */
	JOB_RUNNING, /* easy is in the multi handle */
	JOB_OVER,    /* it has ended with code, but not for the user */
};

/* Of a stream. */
enum job_head {
	HEAD_EXPECTED,
	HEAD_CAME,   /* that of a success ... */
	HEAD_TOLD,   /* ... and the user knows */
};

enum job_callback {
	CALLBACK_NONE,
	CALLBACK_RUNS,
	CALLBACK_LAST, /* it has cancelled the call */
};

struct api_job {
	struct exchange x;
	struct api_loop *loop;
	struct api_job *next;
	const struct api_events *events;
	void *user;
	CURL *easy;
	ev_timer timer;    /* the end of an attempt, or of a pause */
	int attempt;
	enum job_state state;
	enum job_head head;
	enum job_callback callback;
	bool paused;
	CURLcode code;
	struct buf in;     /* of a stream, for the user */
};

/* libcurl must not be called from its own callbacks, but the user may want to
 * start and cancel calls: so callbacks only gather, and deliver tells. */

static void
set_state(struct api_job *j, enum job_state state)
{
	if (j->state == JOB_RUNNING && state != JOB_RUNNING)
		curl_multi_remove_handle(j->loop->multi, j->easy);
	j->state = state;
}

static void
free_job(struct api_job *j)
{
	struct api_job **at = &j->loop->jobs;

	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
	set_state(j, JOB_WAITING);
	ev_timer_stop(j->loop->ev, &j->timer);
	curl_easy_cleanup(j->easy);
	exchange_done(&j->x);
	buf_reset(&j->in);
	free(j);
}

static void
set_timer(struct api_job *j, int64_t ms)
{
	ev_timer_stop(j->loop->ev, &j->timer);
	ev_now_update(j->loop->ev);
	ev_timer_set(&j->timer, (double)ms / 1000.0, 0);
	ev_timer_start(j->loop->ev, &j->timer);
}

static void
finish(struct api_job *j, const struct error *e)
{
	ev_timer_stop(j->loop->ev, &j->timer);
	j->callback = CALLBACK_RUNS;
	j->events->done(j->user, &j->x.response, e);
	free_job(j);
}

static int
begin_attempt(struct api_job *j, struct error *e)
{
	if (exchange_prepare(&j->x, j->easy, e) != 0 || curl_easy_setopt(
	    j->easy, CURLOPT_PRIVATE, j) != CURLE_OK)
		return -1;
	if (curl_multi_add_handle(j->loop->multi, j->easy) != CURLM_OK)
		return error_set(e, "out of memory");
	set_state(j, JOB_RUNNING);
	set_timer(j, j->x.request.timeout_ms);
	return 0;
}

/* why: what a failure is told with, or NULL. */
static void
end_attempt(struct api_job *j, CURLcode code, const char *why)
{
	int64_t delay_ms = 0;
	struct error e;
	int r;

	set_state(j, JOB_WAITING);
	r = exchange_finish(&j->x, code, j->attempt, &delay_ms, &e);
	if (why != NULL && r != 0)
		error_set(&e, "%s", why);
	if (r == 1 && j->head == HEAD_EXPECTED) {
		j->attempt++;
		if (j->events->retry != NULL)
			j->events->retry(j->user, &j->x.response, delay_ms);
		set_timer(j, delay_ms);
		return;
	}
	finish(j, r == 0 ? NULL : &e);
}

static void
end_late(struct api_job *j)
{
	bool expected = j->head == HEAD_EXPECTED;
	char why[64];

	str_format(why, sizeof why, expected ? "no answer came in %d s"
	    : "nothing came for %d s", expected
	    ? (int)(j->x.request.timeout_ms / 1000)
	    : STREAM_SILENCE_MS / 1000);
	end_attempt(j, CURLE_OPERATION_TIMEDOUT, why);
}

/* The time of an attempt is up, or that of a pause between two. */
static void
job_timer(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct api_job *j = w->data;
	struct error e;

	(void)ev;
	(void)revents;
	if (j->state == JOB_RUNNING)
		end_late(j);
	else if (begin_attempt(j, &e) != 0)
		finish(j, &e);
}

static bool
has_news(const struct api_job *j)
{
	return j->head == HEAD_CAME || (!j->paused && (j->state == JOB_OVER ||
	    buf_len(&j->in) != 0));
}

/* Returns false if the user had enough. */
static bool
give_data(struct api_job *j)
{
	struct buf in = j->in;
	bool more;

	buf_init(&j->in, STREAM_PENDING_MAX);
	more = j->events->data(j->user, buf_bytes(&in));
	buf_reset(&in);
	return more;
}

/* Tells one job's user what is new. */
static void
deliver_one(struct api_job *j)
{
	bool more = true;

	j->callback = CALLBACK_RUNS;
	if (j->head == HEAD_CAME) {
		j->head = HEAD_TOLD;
		if (j->events->opened != NULL)
			j->events->opened(j->user, &j->x.response);
	} else if (buf_len(&j->in) != 0) {
		more = give_data(j);
	}
	if (j->callback == CALLBACK_LAST) {
		free_job(j);
		return;
	}
	j->callback = CALLBACK_NONE;
	if (!more)
		end_attempt(j, CURLE_WRITE_ERROR, "ended here");
	else if (j->state == JOB_OVER && buf_len(&j->in) == 0)
		end_attempt(j, j->code, NULL);
}

static void
deliver(struct api_loop *l)
{
	struct api_job *j = l->jobs;

	while (j != NULL) {
		if (!has_news(j)) {
			j = j->next;
			continue;
		}
		deliver_one(j);
		j = l->jobs; /* any of them may be gone */
	}
}

/* Takes what libcurl has finished, and tells all that is new. */
static void
take_finished(struct api_loop *l)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(l->multi, &left)) != NULL) {
		struct api_job *j;
		char *private = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &private);
		j = (struct api_job *)(void *)private;
		j->code = m->data.result;
		ev_timer_stop(l->ev, &j->timer);
		set_state(j, JOB_OVER);
	}
	deliver(l);
}

static void
socket_ready(struct ev_loop *ev, ev_io *w, int revents)
{
	struct api_socket *s = w->data;
	int running;

	(void)ev;
	curl_multi_socket_action(s->loop->multi, s->fd,
	    ((revents & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
	    ((revents & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0), &running);
	take_finished(s->loop);
}

static void
timer_ready(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct api_loop *l = w->data;
	int running;

	(void)ev;
	(void)revents;
	curl_multi_socket_action(l->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	take_finished(l);
}

static int
want_timer(CURLM *multi, long ms, void *user)
{
	struct api_loop *l = user;

	(void)multi;
	ev_timer_stop(l->ev, &l->timer);
	if (ms < 0)
		return 0;
	ev_timer_set(&l->timer, (double)ms / 1000.0, 0);
	ev_timer_start(l->ev, &l->timer);
	return 0;
}

static struct api_socket *
find_socket(struct api_loop *l)
{
	for (size_t i = 0; i < SOCKETS_MAX; i++) {
		if (!l->sockets[i].used)
			return &l->sockets[i];
	}
	return NULL;
}

static int
want_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *own)
{
	struct api_loop *l = user;
	struct api_socket *s = own;

	(void)easy;
	if (s == NULL && what != CURL_POLL_REMOVE) {
		if ((s = find_socket(l)) == NULL)
			return -1;
		*s = (struct api_socket){.loop = l, .fd = fd, .used = true};
		curl_multi_assign(l->multi, fd, s);
	}
	if (s == NULL)
		return 0;
	ev_io_stop(l->ev, &s->io);
	if (what == CURL_POLL_REMOVE) {
		s->used = false;
		return 0;
	}
	ev_io_init(&s->io, socket_ready, fd,
	    ((what & CURL_POLL_IN) != 0 ? EV_READ : 0) |
	    ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0));
	s->io.data = s;
	ev_io_start(l->ev, &s->io);
	return 0;
}

int
api_attach(struct api *a, struct ev_loop *ev, struct error *e)
{
	struct api_loop *l = calloc(1, sizeof(*l));

	if (l == NULL || (l->multi = curl_multi_init()) == NULL) {
		free(l);
		return error_set(e, "out of memory");
	}
	l->ev = ev;
	ev_init(&l->timer, timer_ready);
	l->timer.data = l;
	curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l);
	curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l);
	a->loop = l;
	return 0;
}

void
api_detach(struct api *a)
{
	struct api_loop *l = a->loop;

	if (l == NULL)
		return;
	while (l->jobs != NULL)
		free_job(l->jobs);
	curl_multi_cleanup(l->multi);
	ev_timer_stop(l->ev, &l->timer);
	for (size_t i = 0; i < SOCKETS_MAX; i++) {
		if (l->sockets[i].used)
			ev_io_stop(l->ev, &l->sockets[i].io);
	}
	free(l);
	a->loop = NULL;
}

/* The head of an answer is there: a stream may now last. */
static void
job_head(void *user)
{
	struct api_job *j = user;

	if (j->events->data == NULL ||
	    !api_is_success(j->x.response.status))
		return;
	if (j->head == HEAD_EXPECTED)
		j->head = HEAD_CAME;
	set_timer(j, STREAM_SILENCE_MS);
}

static bool
job_data(void *user, struct bytes in)
{
	struct api_job *j = user;

	set_timer(j, STREAM_SILENCE_MS);
	return buf_add(&j->in, in) == 0;
}

struct api_job *
api_start(struct api *a, const struct api_request *r,
    const struct api_events *events, void *user, struct error *e)
{
	struct api_job *j = calloc(1, sizeof(*j));

	if (j == NULL || (j->easy = curl_easy_init()) == NULL) {
		free(j);
		error_set(e, "out of memory");
		return NULL;
	}
	if (exchange_init(&j->x, a, r, e) != 0) {
		curl_easy_cleanup(j->easy);
		free(j);
		return NULL;
	}
	if (r->timeout_ms == 0)
		j->x.request.timeout_ms = API_TIMEOUT_MS;
	j->loop = a->loop;
	j->events = events;
	j->user = user;
	buf_init(&j->in, STREAM_PENDING_MAX);
	j->x.user = j;
	j->x.head = job_head;
	j->x.data = events->data == NULL ? NULL : job_data;
	ev_init(&j->timer, job_timer);
	j->timer.data = j;
	j->next = a->loop->jobs;
	a->loop->jobs = j;
	if (begin_attempt(j, e) != 0) {
		free_job(j);
		return NULL;
	}
	return j;
}

void
api_cancel(struct api_job *j)
{
	if (j == NULL)
		return;
	if (j->callback == CALLBACK_NONE)
		free_job(j);
	else
		j->callback = CALLBACK_LAST;
}

void
api_pause(struct api_job *j, bool paused)
{
	if (j->paused == paused)
		return;
	j->paused = paused;
	if (j->state == JOB_RUNNING)
		curl_easy_pause(j->easy, paused ? CURLPAUSE_RECV
		    : CURLPAUSE_CONT);
	if (!paused)
		want_timer(j->loop->multi, 0, j->loop);
}
