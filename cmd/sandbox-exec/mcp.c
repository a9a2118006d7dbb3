/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/mcp.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/sandbox-exec/lines.h"
#include "cmd/sandbox-exec/mcp_text.h"
#include "cmd/sandbox-exec/toolset.h"
#include "common/clock.h"
#include "common/diag.h"
#include "common/exit.h"
#include "common/io.h"

enum {
	CHUNK = 65536,
	OUT_MAX = 16 << 20, /* MCP_OUT_HIGH and the longest result */
	LINE_MAX_LEN = 512, /* of output that progress shows the end of */
	LAST_MS = 10000,    /* to take what is left when the input has ended */
	VERSION_MAX = 32,
	TOOL_NAME_MAX = 64,
};

/* A tool call that was asked for and not answered. */
struct waiting {
	struct waiting *next;
	enum mcp_era era;
	char *id, *token;      /* as JSON; token NULL: no progress wanted */
	const char *tool;
	char *input;
	size_t input_len;
};

/* The line of output that is being put together, and the last whole one. */
struct last_line {
	uint8_t part[LINE_MAX_LEN], whole[LINE_MAX_LEN];
	size_t part_len, whole_len;
	enum { IN_TEXT, IN_ESCAPE, IN_CSI } state;
	bool news;
};

struct server {
	struct ev_loop *loop;
	struct session *session;
	int in_fd, out_fd;
	ev_io reader, writer;
	ev_timer progress, patience;
	ev_signal term, interrupt;
	ev_io zygote;            /* readable when it is gone */
	struct lines lines;
	struct buf out;
	bool initialized;        /* by a legacy client */
	bool ended;              /* the input; what is in out still goes */
	struct waiting *first, **last; /* the first runs if call is set */
	size_t waiting_count, waiting_bytes;
	struct call *call;
	struct last_line output; /* of call */
	int64_t started_ms, told_ms;
	int status;
};

static void start_next(struct server *s);

static void
stop_server(struct server *s)
{
	ev_break(s->loop, EVBREAK_ALL);
}

/* ---- output ---- */

static bool
is_full(const struct server *s)
{
	return buf_len(&s->out) > MCP_OUT_HIGH;
}

/* Writes what the client takes, and reads from it only when it does. */
static void
flush(struct server *s)
{
	while (buf_len(&s->out) != 0) {
		struct bytes b = buf_bytes(&s->out);
		ssize_t n = write(s->out_fd, b.ptr, b.len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN)
			break;
		if (n == -1) {
			diag_error("standard output: %s", strerror(errno));
			s->status = EXIT_FAILED;
			stop_server(s);
			return;
		}
		buf_drop(&s->out, (size_t)n);
	}
	if (buf_len(&s->out) == 0)
		ev_io_stop(s->loop, &s->writer);
	else
		ev_io_start(s->loop, &s->writer);
	if (s->ended && buf_len(&s->out) == 0)
		stop_server(s);
	if (is_full(s) || s->ended)
		ev_io_stop(s->loop, &s->reader);
	else
		ev_io_start(s->loop, &s->reader);
}

/* After something was added: failed says that it did not fit, which only a
 * want of memory brings about. */
static void
send(struct server *s, int failed)
{
	if (failed != 0) {
		diag_error("out of memory");
		s->status = EXIT_TEMPORARY;
		stop_server(s);
		return;
	}
	flush(s);
}

static void
send_error(struct server *s, struct bytes id, enum rpc_code code,
    const char *text)
{
	struct jsonr none = {JSONR_ABSENT, {NULL, 0}};

	send(s, mcp_add_error(&s->out, id, code, text, none));
}

/* ---- what a command prints ---- */

static void
end_line(struct last_line *l)
{
	if (l->part_len != 0) {
		memcpy(l->whole, l->part, l->part_len);
		l->whole_len = l->part_len;
		l->news = true;
	}
	l->part_len = 0;
}

/* Of a long line the start is kept; colours are left out. */
static void
add_output(struct last_line *l, uint8_t b)
{
	switch (l->state) {
	case IN_ESCAPE:
		l->state = b == '[' ? IN_CSI : IN_TEXT;
		return;
	case IN_CSI:
		if (b >= 0x40 && b <= 0x7e)
			l->state = IN_TEXT;
		return;
	case IN_TEXT:
		break;
	}
	if (b == 0x1b)
		l->state = IN_ESCAPE;
	else if (b == '\n' || b == '\r')
		end_line(l);
	else if (l->part_len < LINE_MAX_LEN)
		l->part[l->part_len++] = b;
}

static size_t
on_output(void *user, struct bytes in)
{
	struct server *s = user;

	for (size_t i = 0; i < in.len; i++)
		add_output(&s->output, in.ptr[i]);
	return in.len;
}

/* A line that is not ended yet counts when nothing else is new: prompts, and
 * bars that grow. */
static void
on_progress(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct server *s = w->data;
	int64_t now = clock_ms();
	struct bytes line = bytes_of(s->output.whole, s->output.whole_len);

	(void)loop;
	(void)revents;
	if (is_full(s) || (!s->output.news &&
	    now - s->told_ms < MCP_SILENT_MS))
		return;
	if (!s->output.news && s->output.part_len != 0)
		line = bytes_of(s->output.part, s->output.part_len);
	s->output.news = false;
	s->told_ms = now;
	send(s, mcp_add_progress(&s->out, bytes_cstr(s->first->token),
	    now - s->started_ms, line));
}

/* ---- calls ---- */

static void
waiting_free(struct waiting *w)
{
	free(w->id);
	free(w->token);
	free(w->input);
	free(w);
}

/* Takes w, which link points to, out of the row. */
static void
unlink_waiting(struct server *s, struct waiting **link)
{
	struct waiting *w = *link;

	*link = w->next;
	if (s->last == &w->next)
		s->last = link;
	s->waiting_count--;
	s->waiting_bytes -= w->input_len;
	waiting_free(w);
}

/* The call that runs is over, one way or the other. */
static void
end_call(struct server *s)
{
	s->call = NULL;
	ev_timer_stop(s->loop, &s->progress);
	unlink_waiting(s, &s->first);
}

static void
on_done(void *user, const struct call_result *r)
{
	struct server *s = user;
	int failed = mcp_add_result(&s->out, bytes_cstr(s->first->id),
	    s->first->era, r);

	end_call(s);
	send(s, failed);
	start_next(s);
}

static const struct call_events loud = {.output = on_output, .done = on_done};
static const struct call_events quiet = {.done = on_done};

static void
fail_first(struct server *s, int code)
{
	send_error(s, bytes_cstr(s->first->id), code == EMSGSIZE ?
	    RPC_INVALID_PARAMS : RPC_INTERNAL_ERROR, code == EMSGSIZE ?
	    "arguments: above 8 MiB" : strerror(code));
	unlink_waiting(s, &s->first);
}

/* One call is in the session at a time, and none as long as the client does
 * not take what the last ones have given. */
static void
start_next(struct server *s)
{
	while (s->call == NULL && s->first != NULL && !is_full(s)) {
		struct waiting *w = s->first;

		s->output = (struct last_line){.part_len = 0};
		s->started_ms = s->told_ms = clock_ms();
		s->call = session_call(s->session, w->tool,
		    bytes_of(w->input, w->input_len),
		    w->token == NULL ? &quiet : &loud, s);
		if (s->call == NULL) {
			fail_first(s, errno);
			continue;
		}
		if (w->token != NULL)
			ev_timer_again(s->loop, &s->progress);
	}
}

static char *
copy_text(struct bytes in)
{
	return strndup((const char *)in.ptr, in.len);
}

/* Puts a call in the row.  Returns NULL, or what is wrong, with its code. */
static const char *
add_waiting(struct server *s, const struct rpc *m, struct waiting from,
    struct bytes input, enum rpc_code *ret_code)
{
	struct waiting *w;

	*ret_code = RPC_INTERNAL_ERROR;
	if (s->waiting_count == MCP_CALLS_MAX ||
	    input.len > MCP_CALLS_BYTES_MAX - s->waiting_bytes)
		return "too many calls wait";
	w = malloc(sizeof *w);
	if (w == NULL)
		return "out of memory";
	*w = from;
	w->id = copy_text(m->id.text);
	w->input = copy_text(input);
	w->input_len = input.len;
	if (w->id == NULL || w->input == NULL) {
		waiting_free(w);
		return "out of memory";
	}
	*s->last = w;
	s->last = &w->next;
	s->waiting_count++;
	s->waiting_bytes += w->input_len;
	return NULL;
}

/* Reads the parameters of tools/call.  Returns NULL or what is wrong. */
static const char *
take_call(struct server *s, const struct rpc *m, struct waiting *w,
    enum rpc_code *ret_code)
{
	struct jsonr arguments;
	struct error e;
	const struct tool *tool;
	char name[TOOL_NAME_MAX];
	struct bytes input = bytes_cstr("{}");
	const char *problem;

	*ret_code = RPC_INVALID_PARAMS;
	if (jsonr_get(m->params, "arguments", &arguments, &e) == -1)
		return "a parameter is given twice";
	if (m->name.kind != JSONR_STRING)
		return "name: no string";
	tool = jsonr_get_str(m->params, "name", name, sizeof name, &e) == 1 ?
	    tool_find(name) : NULL;
	if (tool == NULL)
		return "unknown tool";
	if (arguments.kind == JSONR_OBJECT)
		input = arguments.text;
	else if (arguments.kind != JSONR_ABSENT)
		return "arguments: no object";
	for (struct waiting *o = s->first; o != NULL; o = o->next) {
		struct jsonr id = {o->id[0] == '"' ? JSONR_STRING :
		    JSONR_NUMBER, bytes_cstr(o->id)};

		if (rpc_id_eq(id, m->id))
			return "the id is in use";
	}
	w->tool = tool->name;
	if (m->token.kind != JSONR_ABSENT &&
	    (w->token = copy_text(m->token.text)) == NULL)
		return "out of memory";
	problem = add_waiting(s, m, *w, input, ret_code);
	if (problem != NULL)
		free(w->token);
	return problem;
}

static void
on_call(struct server *s, const struct rpc *m, enum mcp_era era)
{
	struct waiting w = {.era = era};
	enum rpc_code code;
	const char *problem = take_call(s, m, &w, &code);

	if (problem != NULL)
		send_error(s, m->id.text, code, problem);
	else
		start_next(s);
}

/* notifications/cancelled: of a call that runs, or waits, nothing more is
 * heard. */
static void
on_cancelled(struct server *s, const struct rpc *m)
{
	for (struct waiting **link = &s->first; *link != NULL;
	    link = &(*link)->next) {
		struct bytes text = bytes_cstr((*link)->id);
		struct jsonr id = {text.ptr[0] == '"' ? JSONR_STRING :
		    JSONR_NUMBER, text};

		if (!rpc_id_eq(id, m->request_id))
			continue;
		if (link == &s->first && s->call != NULL) {
			call_cancel(s->call);
			end_call(s);
		} else {
			unlink_waiting(s, link);
		}
		start_next(s);
		return;
	}
}

/* ---- messages ---- */

static void
on_initialize(struct server *s, const struct rpc *m)
{
	char version[VERSION_MAX];
	struct error e;

	if (m->asked.kind != JSONR_STRING) {
		send_error(s, m->id.text, RPC_INVALID_PARAMS,
		    "protocolVersion: no string");
		return;
	}
	if (jsonr_get_str(m->params, "protocolVersion", version,
	    sizeof version, &e) != 1)
		version[0] = '\0';
	s->initialized = true;
	send(s, mcp_add_initialize(&s->out, m->id.text,
	    mcp_negotiate(version)));
}

/* Which era a request is of.  Returns NULL, or what is wrong, with its
 * code. */
static const char *
find_era(struct server *s, const struct rpc *m, enum mcp_era *ret_era,
    enum rpc_code *ret_code)
{
	*ret_code = RPC_INVALID_PARAMS;
	*ret_era = MCP_LEGACY;
	if (m->meta.kind != JSONR_ABSENT && m->meta.kind != JSONR_OBJECT)
		return "_meta: no object";
	if (m->version.kind == JSONR_ABSENT && (s->initialized ||
	    rpc_is(m, "initialize") || rpc_is(m, "ping")) &&
	    !rpc_is(m, "server/discover"))
		return NULL;
	*ret_era = MCP_MODERN;
	if (m->version.kind != JSONR_STRING)
		return "_meta: no " RPC_META "protocolVersion, and no "
		    "initialize before";
	if (!jsonr_eq_str(m->version, MCP_MODERN_VERSION)) {
		*ret_code = RPC_UNSUPPORTED_VERSION;
		return "unsupported protocol version";
	}
	return m->capabilities.kind == JSONR_OBJECT ? NULL :
	    "_meta: no " RPC_META "clientCapabilities";
}

static void
on_list(struct server *s, const struct rpc *m, enum mcp_era era)
{
	struct jsonr cursor;
	struct error e;

	/* There is one page, so nobody has a cursor from us. */
	if (jsonr_get(m->params, "cursor", &cursor, &e) != 0)
		send_error(s, m->id.text, RPC_INVALID_PARAMS,
		    "cursor: not one of ours");
	else
		send(s, mcp_add_tools(&s->out, m->id.text, era));
}

static void
on_request(struct server *s, struct rpc *m)
{
	struct error e;
	enum mcp_era era = MCP_LEGACY;
	enum rpc_code code = RPC_INVALID_PARAMS;
	const char *problem = rpc_look(m, &e) != 0 ? e.text :
	    find_era(s, m, &era, &code);

	if (problem != NULL)
		send(s, mcp_add_error(&s->out, m->id.text, code, problem,
		    m->version));
	else if (rpc_is(m, "tools/call"))
		on_call(s, m, era);
	else if (rpc_is(m, "tools/list"))
		on_list(s, m, era);
	else if (era == MCP_MODERN && rpc_is(m, "server/discover"))
		send(s, mcp_add_discover(&s->out, m->id.text));
	else if (era == MCP_LEGACY && rpc_is(m, "initialize"))
		on_initialize(s, m);
	else if (era == MCP_LEGACY && rpc_is(m, "ping"))
		send(s, mcp_add_empty(&s->out, m->id.text, era));
	else
		send_error(s, m->id.text, RPC_METHOD_NOT_FOUND,
		    "method not found");
}

static void
on_line(struct server *s, struct bytes line)
{
	struct rpc m;
	struct error e;

	if (line.len == 0)
		return;
	if (rpc_parse(line, &m, &e) != 0)
		send_error(s, m.id.text, (enum rpc_code)e.code, e.text);
	else if (m.kind == RPC_BATCH)
		send_error(s, m.id.text, RPC_INVALID_REQUEST,
		    "batches are not supported");
	else if (m.kind == RPC_REQUEST)
		on_request(s, &m);
	else if (m.kind == RPC_NOTIFICATION &&
	    rpc_is(&m, "notifications/cancelled") && rpc_look(&m, &e) == 0)
		on_cancelled(s, &m);
}

/* Everything whole that was read. */
static void
take_lines(struct server *s)
{
	struct bytes line;
	int r;

	while (!s->ended && !is_full(s) &&
	    (r = lines_next(&s->lines, &line)) != 0) {
		if (r == 1)
			on_line(s, line);
		else
			send_error(s, bytes_of(NULL, 0), RPC_PARSE_ERROR,
			    "a line is above 16 MiB");
	}
}

/* Nobody asks any more: calls that are not answered end. */
static void
end_input(struct server *s)
{
	s->ended = true;
	if (s->call != NULL) {
		call_cancel(s->call);
		end_call(s);
	}
	while (s->first != NULL)
		unlink_waiting(s, &s->first);
	ev_timer_start(s->loop, &s->patience);
	flush(s);
}

static void
on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	static uint8_t chunk[CHUNK];
	struct server *s = w->data;
	ssize_t n = read(s->in_fd, chunk, sizeof chunk);

	(void)loop;
	(void)revents;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == -1) {
		diag_error("standard input: %s", strerror(errno));
		s->status = EXIT_FAILED;
	}
	if (n <= 0) {
		end_input(s);
		return;
	}
	send(s, lines_add(&s->lines, bytes_of(chunk, (size_t)n)));
	take_lines(s);
}

static void
on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct server *s = w->data;

	(void)loop;
	(void)revents;
	flush(s);
	take_lines(s);
	start_next(s);
}

static void
on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)loop;
	(void)revents;
	stop_server(w->data);
}

static void
on_impatience(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	stop_server(w->data);
}

static void
on_zygote_gone(struct ev_loop *loop, ev_io *w, int revents)
{
	struct server *s = w->data;

	(void)revents;
	ev_io_stop(loop, w);
	diag_error(ZYGOTE_GONE);
	s->status = EXIT_SANDBOX;
	end_input(s);
}

/* ---- the beginning and the end ---- */

static int
take_stdio(struct server *s, struct error *e)
{
	if (io_take_stdio(&s->in_fd, &s->out_fd, e) != 0)
		return -1;
	if (io_set_nonblock(s->in_fd, true) != 0 ||
	    io_set_nonblock(s->out_fd, true) != 0)
		return error_errno(e, "standard input and output");
	return 0;
}

static void
watch(struct server *s, const struct zygote *zygote)
{
	signal(SIGPIPE, SIG_IGN);
	ev_io_init(&s->reader, on_readable, s->in_fd, EV_READ);
	ev_io_init(&s->writer, on_writable, s->out_fd, EV_WRITE);
	ev_timer_init(&s->progress, on_progress, 0.0,
	    MCP_PROGRESS_MS / 1000.0);
	ev_timer_init(&s->patience, on_impatience, LAST_MS / 1000.0, 0.0);
	ev_io_init(&s->zygote, on_zygote_gone, zygote->fd, EV_READ);
	ev_signal_init(&s->term, on_signal, SIGTERM);
	ev_signal_init(&s->interrupt, on_signal, SIGINT);
	s->reader.data = s->writer.data = s->progress.data = s;
	s->term.data = s->interrupt.data = s->patience.data = s;
	s->zygote.data = s;
	ev_io_start(s->loop, &s->reader);
	ev_io_start(s->loop, &s->zygote);
	ev_signal_start(s->loop, &s->term);
	ev_signal_start(s->loop, &s->interrupt);
}

/* What is written when the end has come still goes out if the client takes it
 * at once. */
static void
finish(struct server *s)
{
	if (s->session != NULL)
		session_free(s->session);
	if (s->status == EXIT_OK)
		flush(s);
	while (s->first != NULL)
		unlink_waiting(s, &s->first);
	io_set_nonblock(s->in_fd, false);
	io_set_nonblock(s->out_fd, false);
	io_close(&s->in_fd);
	io_close(&s->out_fd);
	lines_done(&s->lines);
	buf_reset(&s->out);
}

int
mcp_run(const struct options *o, struct audit *audit, struct zygote *zygote)
{
	static struct server s = {.in_fd = -1, .out_fd = -1};
	struct session_settings settings = {
		.zygote = zygote, .audit = audit,
		.audit_input = o->audit_input, .call_ms_max = o->call_ms_max,
		.user = &s,
	};
	struct error e;

	settings.loop = s.loop = ev_default_loop(EVFLAG_NOENV);
	s.last = &s.first;
	lines_init(&s.lines);
	buf_init(&s.out, OUT_MAX);
	if (take_stdio(&s, &e) != 0) {
		diag_error("%s", e.text);
		return EXIT_SANDBOX;
	}
	s.session = session_new(&settings);
	if (s.session == NULL) {
		diag_error("out of memory");
		return EXIT_SANDBOX;
	}
	watch(&s, zygote);
	ev_run(s.loop, 0);
	finish(&s);
	return s.status;
}
