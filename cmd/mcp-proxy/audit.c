/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/audit.h"

#include <errno.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/diag.h"
#include "common/exit.h"
#include "common/jsonr.h"
#include "common/jsonw.h"
#include "common/opt.h"
#include "common/str.h"

static const char *const verdicts[] = {"allow", "deny", "rewrite", "filter"};
static const char *const directions[] = {"request", "answer"};

void
audit_digest(struct bytes id, char out[static AUDIT_DIGEST_CAP])
{
	uint8_t digest[SHA256_LEN];

	sha256(id, digest);
	str_hex(out, bytes_of(digest, (AUDIT_DIGEST_CAP - 1) / 2));
}

/* ---- values ---- */

/* A value of somebody else's; nothing if it is empty. */
static void
put(struct jsonw *w, const char *key, struct bytes value, size_t max)
{
	char cut[AUDIT_TEXT_MAX + 4];

	if (value.len == 0)
		return;
	jsonw_key(w, key);
	if (value.len <= max) {
		jsonw_bytes(w, value);
		return;
	}
	memcpy(cut, value.ptr, max - 3);
	memcpy(cut + max - 3, "...", 3);
	jsonw_bytes(w, bytes_of(cut, max));
}

static void
put_str(struct jsonw *w, const char *key, const char *value)
{
	if (value != NULL)
		put(w, key, bytes_cstr(value), AUDIT_WORD_MAX);
}

/* Up to the first of the bytes in stops. */
static struct bytes
before(struct bytes in, const char *stops)
{
	size_t n = 0;

	while (n < in.len && (in.ptr[n] == '\0' ||
	    strchr(stops, in.ptr[n]) == NULL))
		n++;
	return bytes_of(in.ptr, n);
}

static void
put_path(struct jsonw *w, const char *key, struct bytes in)
{
	put(w, key, before(in, "?#"), AUDIT_TEXT_MAX);
}

/* Without what may be a secret: user and password, query, and the contents
 * that a data: URI is made of.  May be written to out. */
static struct bytes
clean_uri(struct bytes in, char out[static AUDIT_TEXT_MAX + 1])
{
	struct bytes uri = before(in, "?#"), scheme = before(uri, ":"), rest;
	size_t user = 0, end;

	if (scheme.len == 4 && memcmp(scheme.ptr, "data", 4) == 0)
		uri = before(uri, ",;");
	rest = bytes_after(uri, scheme.len);
	if (rest.len < 3 || memcmp(rest.ptr, "://", 3) != 0)
		return uri;
	rest = bytes_after(rest, 3);
	end = before(rest, "/").len;
	for (size_t i = 0; i < end; i++) {
		if (rest.ptr[i] == '@')
			user = i + 1;
	}
	if (user == 0)
		return uri;
	rest = bytes_after(rest, user);
	str_format(out, AUDIT_TEXT_MAX + 1, "%.*s://%.*s", (int)scheme.len,
	    (const char *)scheme.ptr, (int)rest.len, (const char *)rest.ptr);
	return bytes_cstr(out);
}

static void
put_uri(struct jsonw *w, struct bytes in)
{
	char out[AUDIT_TEXT_MAX + 1];

	put(w, "uri", clean_uri(in, out), AUDIT_TEXT_MAX);
}

/* An id, if it is short: a number as the message has it. */
static void
put_id(struct jsonw *w, struct bytes id)
{
	struct jsonr v;
	struct error e;
	struct buf text;

	if (id.len == 0 || id.len > AUDIT_WORD_MAX ||
	    jsonr_parse(id, &v, &e) != 0 ||
	    (v.kind != JSONR_NUMBER && v.kind != JSONR_STRING))
		return;
	jsonw_key(w, "id");
	if (v.kind == JSONR_NUMBER) {
		w->failed = w->failed || buf_add(w->out, v.text) != 0;
		return;
	}
	buf_init(&text, AUDIT_WORD_MAX);
	if (jsonr_add_str(v, &text) != 0)
		w->failed = true;
	jsonw_bytes(w, buf_bytes(&text));
	buf_reset(&text);
}

static void
put_who(struct jsonw *w, const struct audit_who *who)
{
	put_str(w, "trace", who->trace);
	if (who->request != 0)
		jsonw_key_int(w, "request", (int64_t)who->request);
	put_str(w, "peer", who->peer);
	put_str(w, "route", who->route);
	put_str(w, "agent", who->agent);
}

static void
put_code(struct jsonw *w, const struct failure *why)
{
	if (why == NULL)
		return;
	jsonw_key_str(w, "code", frame_code_name(why->code));
	jsonw_key_str(w, "blame", frame_blame_name(why->blame));
}

static void
put_removed(struct jsonw *w, const struct audit_decision *d)
{
	char out[AUDIT_TEXT_MAX + 1];
	size_t total = d->removed_total > d->removed_count ? d->removed_total
	    : d->removed_count;

	if (total == 0)
		return;
	jsonw_key_int(w, "removed_count", (int64_t)total);
	jsonw_key(w, "removed");
	jsonw_open(w, '[');
	for (size_t i = 0; i < d->removed_count &&
	    buf_len(w->out) < AUDIT_NAMES_MAX; i++) {
		struct bytes name = d->removed_are_uris
		    ? clean_uri(d->removed[i], out) : d->removed[i];

		if (name.len > AUDIT_WORD_MAX)
			name.len = AUDIT_WORD_MAX;
		jsonw_bytes(w, name);
	}
	jsonw_close(w, ']');
}

/* ---- lines ---- */

static void
line_begin(struct audit *a, struct jsonw *w, const char *event)
{
	char now[CLOCK_STAMP_CAP], prev[SHA256_HEX_CAP];

	auditfile_prev(&a->file, prev);
	buf_clear(&a->line);
	jsonw_init(w, &a->line);
	jsonw_open(w, '{');
	jsonw_key_int(w, "seq", (int64_t)a->file.seq + 1);
	jsonw_key_str(w, "prev", prev);
	jsonw_key_str(w, "time", clock_stamp(now));
	jsonw_key_str(w, "event", event);
}

static int
line_end(struct audit *a, struct jsonw *w)
{
	jsonw_close(w, '}');
	if (!jsonw_ok(w) || buf_add_str(&a->line, "\n") != 0) {
		errno = ENOBUFS;
		return -1;
	}
	return auditfile_append(&a->file, buf_bytes(&a->line));
}

/* Says what is missing before the next line. */
static int
fill_gap(struct audit *a)
{
	struct jsonw w;

	if (!a->file.torn && a->lost == 0)
		return 0;
	line_begin(a, &w, "gap");
	jsonw_key(&w, "torn");
	jsonw_bool(&w, a->file.torn);
	jsonw_key_int(&w, "lost", (int64_t)a->lost);
	if (line_end(a, &w) != 0)
		return -1;
	a->lost = 0;
	return 0;
}

/* Starts a line.  Returns 0, or -1 with errno if none can be written. */
static int
begin(struct audit *a, struct jsonw *w, const char *event)
{
	if (fill_gap(a) != 0)
		return -1;
	line_begin(a, w, event);
	return 0;
}

/* Tells that writing began to fail, or works again.  r is what it
 * returned. */
static int
tell(struct audit *a, int r)
{
	if (r != 0 && !a->failed)
		diag_error("audit: %s: %s: requests are refused",
		    a->file.path, strerror(errno));
	if (r == 0 && a->failed)
		diag_notice("audit: %s: is written again", a->file.path);
	a->failed = r != 0;
	return r;
}

bool
audit_is_on(const struct audit *a)
{
	return a->file.path != NULL;
}

/* ---- opening and closing ---- */

static int
write_open(struct audit *a)
{
	struct jsonw w;

	if (begin(a, &w, "open") != 0)
		return -1;
	jsonw_key_str(&w, "version", ADIT_VERSION_STRING);
	jsonw_key_int(&w, "pid", getpid());
	put_str(&w, "sha256", a->configuration);
	return line_end(a, &w);
}

static int
write_close(struct audit *a)
{
	struct jsonw w;

	if (begin(a, &w, "close") != 0)
		return -1;
	return line_end(a, &w);
}

int
audit_open(struct audit *a, const char *path, const char *configuration,
    struct error *e)
{
	*a = (struct audit){.failed = false};
	str_format(a->configuration, sizeof a->configuration, "%s",
	    configuration);
	buf_init(&a->line, AUDITLINE_MAX);
	if (path == NULL)
		return 0;
	if (auditfile_open(&a->file, path, e) != 0)
		return -1;
	if (write_open(a) == 0)
		return 0;
	e->code = EXIT_FAILED;
	error_errno(e, "%s", path);
	auditfile_close(&a->file);
	buf_reset(&a->line);
	return -1;
}

void
audit_close(struct audit *a)
{
	if (!audit_is_on(a))
		return;
	tell(a, write_close(a));
	auditfile_close(&a->file);
	buf_reset(&a->line);
}

void
audit_reopen(struct audit *a)
{
	struct error e;
	int fd;

	if (!audit_is_on(a) || !auditfile_is_moved(&a->file))
		return;
	fd = auditfile_open_next(&a->file, &e);
	if (fd == -1) {
		diag_warning("audit: %s; going on in the old file", e.text);
		return;
	}
	write_close(a); /* the chain shows whether it could be */
	auditfile_move(&a->file, fd);
	if (tell(a, write_open(a)) == 0)
		diag_notice("audit: %s: a new file", a->file.path);
}

/* ---- events ---- */

static int
write_decision(struct audit *a, const struct audit_decision *d)
{
	struct jsonw w;

	if (begin(a, &w, "decide") != 0)
		return -1;
	put_who(&w, &d->who);
	put(&w, "host", d->host, AUDIT_WORD_MAX);
	put_str(&w, "session", d->session);
	jsonw_key_str(&w, "direction", directions[d->direction]);
	put(&w, "http_method", d->http_method, AUDIT_WORD_MAX);
	put_path(&w, "path", d->path);
	put(&w, "method", d->method, AUDIT_WORD_MAX);
	put(&w, "name", d->name, AUDIT_WORD_MAX);
	put_uri(&w, d->uri);
	put_id(&w, d->id);
	jsonw_key_str(&w, "verdict", verdicts[d->verdict]);
	put_str(&w, "rule", d->rule);
	put(&w, "reason", d->why == NULL ? d->reason
	    : bytes_cstr(d->why->text), AUDIT_TEXT_MAX);
	put_code(&w, d->why);
	put_removed(&w, d);
	return line_end(a, &w);
}

int
audit_decide(struct audit *a, const struct audit_decision *d)
{
	return audit_is_on(a) ? tell(a, write_decision(a, d)) : 0;
}

void
audit_refusal(struct failure *ret)
{
	failure_set(ret, 503, FRAME_INTERNAL, BLAME_PROXY,
	    "the audit file cannot be written");
}

static int
write_end(struct audit *a, const struct audit_end *end)
{
	struct jsonw w;

	if (begin(a, &w, "end") != 0)
		return -1;
	put_who(&w, &end->who);
	if (end->status != 0)
		jsonw_key_int(&w, "status", end->status);
	jsonw_key_int(&w, "bytes_in", (int64_t)end->bytes_in);
	jsonw_key_int(&w, "bytes_out", (int64_t)end->bytes_out);
	jsonw_key_int(&w, "ms", end->ms);
	put_code(&w, end->why);
	return line_end(a, &w);
}

void
audit_end(struct audit *a, const struct audit_end *end)
{
	if (audit_is_on(a) && tell(a, write_end(a, end)) != 0)
		a->lost++;
}

static int
write_note(struct audit *a, const char *event, const char *key,
    const char *value)
{
	struct jsonw w;

	if (begin(a, &w, event) != 0)
		return -1;
	put_str(&w, key, value);
	return line_end(a, &w);
}

void
audit_note(struct audit *a, const char *event, const char *key,
    const char *value)
{
	if (audit_is_on(a) && tell(a, write_note(a, event, key, value)) != 0)
		a->lost++;
}

static int
write_reload(struct audit *a, const char *path)
{
	struct jsonw w;

	if (begin(a, &w, "reload") != 0)
		return -1;
	put_str(&w, "configuration", path);
	put_str(&w, "sha256", a->configuration);
	return line_end(a, &w);
}

void
audit_reload(struct audit *a, const char *path, const char *configuration)
{
	str_format(a->configuration, sizeof a->configuration, "%s",
	    configuration);
	if (audit_is_on(a) && tell(a, write_reload(a, path)) != 0)
		a->lost++;
}
