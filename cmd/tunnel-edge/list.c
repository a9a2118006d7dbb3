/* SPDX-License-Identifier: ISC */
/* tunnel-edge list: what the state directory holds and, if an edge runs on
 * it, which links and streams each tunnel has.  No secret and no digest is
 * ever printed. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "cmd/tunnel-edge/command.h"
#include "cmd/tunnel-edge/status.h"
#include "common/clock.h"
#include "common/exit.h"
#include "common/json.h"
#include "common/jsonw.h"

enum { OUTPUT_MAX = 64 << 20 };

struct list_settings {
	const char *state, *format;
};

#define FIELD(field) offsetof(struct list_settings, field)
static const struct opt list_rows[] = {
	COMMAND_STATE_ROW("the state directory"),
	{'o', "format", "FORMAT", OPT_STRING, FIELD(format), 0, 0, NULL,
	    "text or json [text]"},
	OPT_END,
};
#undef FIELD

const struct opt_command list_options = {
	"tunnel-edge", "list", "[NAME ...]",
	"Lists tunnels, their credentials and their live links.", list_rows, true,
};

struct listing {
	struct state state;
	bool running;
	jv live;        /* NAME to links, if running */
	struct buf out;
	struct jsonw json;
	int (*put)(struct listing *l, const struct state_tunnel *t);
	struct error error;
};

/* ---- live links ---- */

static int
ask_edge(struct listing *l)
{
	struct buf answer;
	jv object;
	int r;

	buf_init(&answer, STATUS_MAX);
	r = status_ask(&l->state, &answer, &l->error);
	if (r > 0 && json_parse_object(buf_bytes(&answer), &object,
	    &l->error) != 0)
		r = error_prefix(&l->error, "the running edge");
	if (r > 0) {
		l->running = true;
		l->live = json_get(object, "tunnels");
		jv_free(object);
	}
	buf_reset(&answer);
	return r < 0 ? -1 : 0;
}

/* The links of a tunnel as an array, to be freed. */
static jv
live_links(const struct listing *l, const char *name)
{
	jv links = json_get(l->live, name);

	if (jv_get_kind(links) == JV_KIND_ARRAY)
		return links;
	jv_free(links);
	return jv_array();
}

static int64_t
count_streams(jv links)
{
	struct error ignored;
	int64_t sum = 0;

	for (int i = 0; i < jv_array_length(jv_copy(links)); i++) {
		jv link = jv_array_get(jv_copy(links), i);
		int64_t n = 0;

		if (json_get_int(link, "streams", 0, INT32_MAX, &n,
		    &ignored) > 0)
			sum += n;
		jv_free(link);
	}
	return sum;
}

/* ---- as JSON ---- */

static void
put_tokens(struct jsonw *w, const struct state_tunnel *t)
{
	char id[CREDENTIAL_ID_LEN + 1], text[CLOCK_TIME_CAP];

	jsonw_key(w, "tokens");
	jsonw_open(w, '[');
	for (size_t i = 0; i < t->token_count; i++) {
		const struct state_token *token = &t->tokens[i];

		jsonw_open(w, '{');
		jsonw_key_str(w, "id", credential_id(&token->credential, id));
		jsonw_key_str(w, "created",
		    clock_format_time(token->created, text));
		jsonw_key(w, "expires");
		if (token->expires == 0)
			jsonw_null(w);
		else
			jsonw_str(w, clock_format_time(token->expires, text));
		jsonw_close(w, '}');
	}
	jsonw_close(w, ']');
}

static void
put_certs(struct jsonw *w, const struct state_tunnel *t)
{
	char id[CREDENTIAL_ID_LEN + 1];

	jsonw_key(w, "client_certs");
	jsonw_open(w, '[');
	for (size_t i = 0; i < t->cert_count; i++) {
		jsonw_open(w, '{');
		jsonw_key_str(w, "id", credential_id(&t->certs[i], id));
		jsonw_close(w, '}');
	}
	jsonw_close(w, ']');
}

static void
put_live(struct listing *l, const struct state_tunnel *t)
{
	struct jsonw *w = &l->json;
	jv text;

	jsonw_key(w, "links");
	if (!l->running) {
		jsonw_null(w);
		return;
	}
	text = jv_dump_string(live_links(l, t->name), 0);
	if (buf_add_str(w->out, jv_string_value(text)) != 0)
		w->failed = true;
	jv_free(text);
}

static void
put_limits(struct jsonw *w, const struct state_tunnel *t)
{
	jsonw_key(w, "limits");
	jsonw_open(w, '{');
	jsonw_key_int(w, "links", t->links_max);
	jsonw_key_int(w, "streams", t->streams_max);
	jsonw_key(w, "rate");
	if (t->rate == 0)
		jsonw_null(w);
	else
		jsonw_int(w, t->rate);
	jsonw_key(w, "burst");
	if (t->rate == 0)
		jsonw_null(w);
	else
		jsonw_int(w, t->burst);
	jsonw_close(w, '}');
}

static int
put_json(struct listing *l, const struct state_tunnel *t)
{
	struct jsonw *w = &l->json;

	jsonw_open(w, '{');
	jsonw_key_str(w, "name", t->name);
	jsonw_key(w, "domains");
	jsonw_open(w, '[');
	for (size_t i = 0; i < t->domain_count; i++)
		jsonw_str(w, t->domains[i]);
	jsonw_close(w, ']');
	put_tokens(w, t);
	put_certs(w, t);
	put_limits(w, t);
	put_live(l, t);
	jsonw_close(w, '}');
	return jsonw_ok(w) ? 0 : -1;
}

/* ---- as text ---- */

/* When the last of the credentials ends: "never", "expired" or a time. */
static const char *
format_expiry(const struct state_tunnel *t, char out[static CLOCK_TIME_CAP])
{
	int64_t last = 0, now = clock_wall_s();

	if (t->cert_count != 0)
		return "never";
	for (size_t i = 0; i < t->token_count; i++) {
		if (t->tokens[i].expires == 0)
			return "never";
		if (t->tokens[i].expires > last)
			last = t->tokens[i].expires;
	}
	return last <= now ? "expired" : clock_format_time(last, out);
}

static int
put_text(struct listing *l, const struct state_tunnel *t)
{
	char expiry[CLOCK_TIME_CAP], links[24] = "-", streams[24] = "-";
	jv live = live_links(l, t->name);
	int r;

	if (l->running) {
		str_format(links, sizeof links, "%d",
		    jv_array_length(jv_copy(live)));
		str_format(streams, sizeof streams, "%lld",
		    (long long)count_streams(live));
	}
	jv_free(live);
	r = buf_format(&l->out, "%-20s %5s %7s %6zu %5zu  %-20s ", t->name,
	    links, streams, t->token_count, t->cert_count,
	    format_expiry(t, expiry));
	for (size_t i = 0; r == 0 && i < t->domain_count; i++)
		r = buf_format(&l->out, "%s%s", i == 0 ? "" : ",",
		    t->domains[i]);
	return r == 0 ? buf_add_str(&l->out, "\n") : r;
}

/* ---- the whole ---- */

static int
list_tunnel(void *user, const char *name)
{
	struct listing *l = user;
	struct state_tunnel *t = state_read(&l->state, name, &l->error);
	int r;

	/* It may have been removed since the directory was read. */
	if (t == NULL && l->error.code == ENOENT)
		return 0;
	if (t == NULL)
		return -1;
	r = l->put(l, t);
	if (r != 0)
		error_set(&l->error, "the list: above %d bytes", OUTPUT_MAX);
	state_free(t);
	return r;
}

static int
list_named(struct listing *l, const struct command_operands *names)
{
	for (int i = 0; i < names->count; i++) {
		const char *name = names->at[i];

		if (!credential_is_name(name))
			return error_set(&l->error, "tunnel %.64s: not a "
			    "tunnel's name", name);
		l->error.code = 0;
		if (list_tunnel(l, name) != 0 || l->error.code == ENOENT)
			return -1;
	}
	return 0;
}

static int
list(struct listing *l, bool json, const struct command_operands *names)
{
	int r = 0;

	if (json) {
		l->put = put_json;
		jsonw_init(&l->json, &l->out);
		jsonw_open(&l->json, '[');
	} else {
		l->put = put_text;
		r = buf_format(&l->out, "%-20s %5s %7s %6s %5s  %-20s %s\n",
		    "NAME", "LINKS", "STREAMS", "TOKENS", "CERTS", "EXPIRES",
		    "DOMAINS");
	}
	if (r == 0)
		r = names->count != 0 ? list_named(l, names)
		    : state_each(&l->state, list_tunnel, l, &l->error);
	if (r == 0 && json) {
		jsonw_close(&l->json, ']');
		r = buf_add_str(&l->out, "\n");
	}
	return r;
}

int
command_list(int argc, char **argv)
{
	struct list_settings s = {.format = "text"};
	struct listing l = {.live = jv_null()};
	struct command_operands names;
	int r = -1, status = EXIT_OK;
	bool json;

	if (command_parse(&list_options, argc, argv, &s, &s.state, &names,
	    &status) != OPT_RUN)
		return status;
	json = str_eq(s.format, "json");
	if (!json && !str_eq(s.format, "text")) {
		error_set(&l.error, "--format: '%.64s': not text or json",
		    s.format);
		return opt_usage_error(&list_options, &l.error);
	}
	buf_init(&l.out, OUTPUT_MAX);
	if (state_open(s.state, &l.state, &l.error) == 0) {
		if (ask_edge(&l) == 0)
			r = list(&l, json, &names);
		state_close(&l.state);
	}
	if (r == 0 && fwrite(buf_bytes(&l.out).ptr, 1, buf_len(&l.out),
	    stdout) < buf_len(&l.out))
		clearerr(stdout);
	buf_reset(&l.out);
	jv_free(l.live);
	return r == 0 ? opt_close_stdout() : command_failed(&l.error);
}
