/* SPDX-License-Identifier: ISC */
/* Streams of the kind exec. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "cmd/sandbox-exec/serve.h"
#include "cmd/sandbox-exec/status.h"
#include "common/clock.h"
#include "common/proc.h"
#include "common/sha256.h"
#include "common/str.h"

enum {
	EVENT_MAX = 4096,
	ID_LEN = 16,
	AUDIT_ARGV_MAX = 2048, /* bytes, strings end with NUL */
};

struct served_exec {
	struct served base;
	struct session_waiter waiter; /* with a session */
	struct box *box;              /* of its own, without one */
	struct exec exec;
	struct request request;       /* argv; policy was used */
	bool started;
	int64_t policy_ms, started_ms;
	char id[ID_LEN + 1];
	/* When it has ended: */
	bool drained; /* all output was given */
	bool over, timed_out;
	struct box_end end;
	unsigned hit;
};

static struct chan *
chan_of(const struct served_exec *x)
{
	return &x->base.client->hop.chan;
}

static void
exec_free(struct served_exec *x)
{
	struct client *c = x->base.client;

	serve_session_leave(&x->waiter);
	exec_done(&x->exec);
	if (x->request.session == 0)
		c->server->sandboxes--;
	box_free(x->box);
	request_done(&x->request);
	free(x);
	serve_work_ends(c);
}

static void
refuse(struct served_exec *x, enum frame_code code, const char *text)
{
	if (x->base.stream != NULL)
		serve_refuse(x->base.client, x->base.stream, code, text);
	exec_free(x);
}

static int
status_of(const struct served_exec *x)
{
	if (x->timed_out)
		return EXEC_STATUS_TIMEOUT;
	return x->end.ran ? proc_exit_status(x->end.wait_status) :
	    x->end.error.code;
}

static void
audit_argv(struct jsonw *w, const struct request *r, bool whole)
{
	struct bytes words = buf_bytes(&r->words);
	char hex[SHA256_HEX_CAP];

	sha256_hex(words, hex);
	jsonw_key_str(w, "argv_sha256", hex);
	if (!whole)
		return;
	if (words.len > AUDIT_ARGV_MAX)
		words.len = AUDIT_ARGV_MAX;
	jsonw_key(w, "argv");
	jsonw_bytes(w, words);
}

static void
audit_exec(struct served_exec *x)
{
	const struct server *s = x->base.client->server;
	struct audit *a = s->audit;

	if (a->fd == -1)
		return;
	str_format(a->id, sizeof a->id, "%s", x->id);
	audit_begin(a, "exec");
	audit_argv(&a->w, &x->request, s->options->audit_input);
	jsonw_key_int(&a->w, "status", status_of(x));
	jsonw_key(&a->w, "timed_out");
	jsonw_bool(&a->w, x->timed_out);
	status_add_hit(&a->w, x->hit);
	jsonw_key_int(&a->w, "wall_ms", x->started_ms == 0 ? 0 :
	    clock_ms() - x->started_ms);
	audit_end(a);
}

static void
send_exit(struct served_exec *x)
{
	bool killed = x->end.ran && WIFSIGNALED(x->end.wait_status);
	struct buf b;
	struct jsonw w;

	buf_init(&b, EVENT_MAX);
	jsonw_init(&w, &b);
	jsonw_open(&w, '{');
	jsonw_key_str(&w, "type", "exit");
	jsonw_key_int(&w, "status", status_of(x));
	jsonw_key(&w, "signal");
	if (killed)
		jsonw_int(&w, WTERMSIG(x->end.wait_status));
	else
		jsonw_null(&w);
	jsonw_key(&w, "timed_out");
	jsonw_bool(&w, x->timed_out);
	status_add_hit(&w, x->hit);
	if (!x->end.ran) {
		jsonw_key(&w, "error");
		jsonw_bytes(&w, bytes_cstr(x->end.error.text));
	}
	jsonw_key_int(&w, "wall_ms", x->started_ms == 0 ? 0 :
	    clock_ms() - x->started_ms);
	jsonw_close(&w, '}');
	serve_send_event(&x->base, &b);
	buf_reset(&b);
}

/* Nothing of it is left but what to say. */
static void
finish(struct served_exec *x)
{
	x->over = true;
	audit_exec(x);
	send_exit(x);
	/* What input still comes has nowhere to go. */
	chan_resume(chan_of(x), x->base.stream);
	chan_end(chan_of(x), x->base.stream);
}

/* ---- its output and end ---- */

static uint8_t *
on_reserve(void *user, size_t *cap)
{
	struct served_exec *x = user;

	return chan_reserve(chan_of(x), x->base.stream, cap);
}

static void
on_commit(void *user, int stream, size_t n)
{
	struct served_exec *x = user;

	chan_commit(chan_of(x), x->base.stream, (uint16_t)stream, n);
}

static void
on_input_writable(void *user)
{
	struct served_exec *x = user;

	chan_resume(chan_of(x), x->base.stream);
}

static void
on_ended(void *user, const struct box_end *end, bool timed_out)
{
	struct served_exec *x = user;

	x->drained = true;
	x->end = *end;
	x->timed_out = timed_out;
	if (timed_out)
		x->hit |= 1U << LIMIT_TIME;
	if (end->ran && WIFSIGNALED(end->wait_status) &&
	    WTERMSIG(end->wait_status) == SIGXFSZ)
		x->hit |= 1U << LIMIT_FSIZE;
	serve_session_leave(&x->waiter);
	/* What its limits saw is known when its sandbox is gone. */
	if (x->box != NULL)
		box_stop(x->box);
	else
		finish(x);
}

static const struct exec_events exec_events = {
	.reserve = on_reserve, .commit = on_commit,
	.writable = on_input_writable, .ended = on_ended,
};

static void
start(struct served_exec *x, struct box *box)
{
	int64_t ms = x->request.time_ms;
	struct error e;

	if (x->policy_ms != 0 && (ms == 0 || x->policy_ms < ms))
		ms = x->policy_ms;
	x->started_ms = clock_ms();
	if (exec_start(&x->exec, box, x->request.argv, x->request.has_stdin,
	    ms, &e) != 0) {
		refuse(x, FRAME_INTERNAL, e.text);
		return;
	}
	x->started = true;
	chan_resume(chan_of(x), x->base.stream);
}

/* ---- its sandbox ---- */

static void
on_box_ready(void *user, const struct box_facts *facts)
{
	struct served_exec *x = user;

	x->policy_ms = facts->time_ms;
	start(x, x->box);
}

static void
on_box_gone(void *user, const struct error *why, unsigned hit)
{
	struct served_exec *x = user;

	if (why != NULL) {
		refuse(x, FRAME_REFUSED, why->text);
		return;
	}
	if (!x->exec.ran) {
		refuse(x, FRAME_ABORTED, box_end_text(hit));
		return;
	}
	box_free(x->box);
	x->box = NULL;
	x->hit |= hit;
	if (x->drained)
		finish(x);
}

static const struct box_events box_events = {
	.ready = on_box_ready, .gone = on_box_gone,
};

static struct served_exec *
exec_of(struct session_waiter *w)
{
	return (struct served_exec *)(void *)((char *)w -
	    offsetof(struct served_exec, waiter));
}

static void
on_session_ready(struct session_waiter *w, struct box *box,
    const struct error *why)
{
	struct served_exec *x = exec_of(w);

	if (why != NULL)
		refuse(x, FRAME_REFUSED, why->text);
	else
		start(x, box);
}

static void
on_session_gone(struct session_waiter *w)
{
	refuse(exec_of(w), FRAME_ABORTED, "the session has ended");
}

/* ---- its stream ---- */

static size_t
exec_data(struct served *base, uint16_t channel, struct bytes in)
{
	struct served_exec *x = (struct served_exec *)base;

	if (x->over || channel != 0)
		return in.len;
	return x->started ? exec_write(&x->exec, in) : 0;
}

static void
exec_end(struct served *base)
{
	struct served_exec *x = (struct served_exec *)base;

	x->request.has_stdin = false;
	exec_end_input(&x->exec);
}

static void
exec_writable(struct served *base)
{
	struct served_exec *x = (struct served_exec *)base;

	exec_resume_output(&x->exec);
}

static void
exec_closed(struct served *base)
{
	exec_free((struct served_exec *)base);
}

static const struct served_events stream_events = {
	.data = exec_data, .end = exec_end, .writable = exec_writable,
	.closed = exec_closed,
};

static void
open_box(struct served_exec *x)
{
	struct server *s = x->base.client->server;
	struct error e;

	x->box = box_open(s->loop, &s->zygote, x->request.policy, x->id,
	    &box_events, x, &e);
	x->request.policy = bytes_of(NULL, 0);
	if (x->box == NULL)
		refuse(x, FRAME_INTERNAL, e.text);
}

static void
enter_session(struct served_exec *x)
{
	x->waiter.ready = on_session_ready;
	x->waiter.gone = on_session_gone;
	if (serve_session_wait(x->base.client, x->request.session,
	    &x->waiter) != 0)
		refuse(x, FRAME_REFUSED, "no such session");
}

void
serve_exec_open(struct client *c, struct chan_stream *stream,
    struct request *r)
{
	struct served_exec *x;

	if (r->session == 0 && !serve_take_sandbox(c, stream))
		return;
	x = calloc(1, sizeof *x);
	if (x == NULL) {
		c->server->sandboxes -= r->session == 0;
		serve_refuse(c, stream, FRAME_INTERNAL, "no memory");
		return;
	}
	random_hex(x->id, ID_LEN);
	x->base = (struct served){&stream_events, c, stream};
	x->request = *r;
	buf_init(&r->words, 0); /* they are x's */
	exec_init(&x->exec, c->server->loop, &exec_events, x);
	stream->user = x;
	serve_work_begins(c);
	if (r->session == 0)
		open_box(x);
	else
		enter_session(x);
}
