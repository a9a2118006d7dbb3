/* SPDX-License-Identifier: ISC */
/* The file of a tunnel, as JSON: tunnel-edge(8), FILES.  Reads what people
 * may have edited, so every member is checked and an unknown one refused. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cmd/tunnel-edge/state.h"
#include "common/clock.h"
#include "common/io.h"
#include "common/json.h"
#include "common/jsonw.h"
#include "common/str.h"

enum {
	FILE_MAX = 128 << 10, /* all lists full take less than 40 KiB */
	DOMAIN_TEXT_MAX = 256,
	HEX_TEXT_MAX = 2 * CREDENTIAL_DIGEST_LEN + 1,
};

/* ---- reading ---- */

static int
check_members(jv object, const char *const known[], struct error *e)
{
	int r = 0;

	for (int i = jv_object_iter(object);
	    r == 0 && jv_object_iter_valid(object, i);
	    i = jv_object_iter_next(object, i)) {
		jv key = jv_object_iter_key(object, i);
		const char *const *k = known;

		while (*k != NULL && !str_eq(*k, jv_string_value(key)))
			k++;
		if (*k == NULL)
			r = error_set(e, "unknown member %.64s",
			    jv_string_value(key));
		jv_free(key);
	}
	return r;
}

/* Calls take with each item of the array key, which may be absent. */
static int
take_array(jv object, const char *key, struct state_tunnel *t,
    int (*take)(struct state_tunnel *t, jv item, struct error *e),
    struct error *e)
{
	jv array = json_get(object, key);
	int r = 0;

	if (!jv_is_valid(array)) {
		jv_free(array);
		return 0;
	}
	if (jv_get_kind(array) != JV_KIND_ARRAY) {
		jv_free(array);
		return error_set(e, "%s: not an array", key);
	}
	for (int i = 0; r == 0 && i < jv_array_length(jv_copy(array)); i++) {
		jv item = jv_array_get(jv_copy(array), i);

		if (take(t, item, e) != 0)
			r = error_prefix(e, "%s: %d", key, i);
		jv_free(item);
	}
	jv_free(array);
	return r;
}

static int
take_domain(struct state_tunnel *t, jv item, struct error *e)
{
	char domain[DOMAIN_TEXT_MAX];

	if (jv_get_kind(item) != JV_KIND_STRING)
		return error_set(e, "not a string");
	if (str_from_bytes(domain, sizeof domain,
	    bytes_of(jv_string_value(item),
	    (size_t)jv_string_length_bytes(jv_copy(item)))) != 0)
		return error_errno(e, "domain");
	return state_add_domain(t, domain, e);
}

static int
get_digest(jv object, struct credential *ret, struct error *e)
{
	char hex[HEX_TEXT_MAX];

	if (json_get_str(object, "sha256", hex, sizeof hex, e) < 0)
		return -1;
	if (credential_parse(hex, ret) != 0)
		return error_set(e, "sha256: not 64 hexadecimal digits");
	return 0;
}

static int
get_time(jv object, const char *key, int64_t *ret, struct error *e)
{
	char text[CLOCK_TIME_CAP];
	int r = json_get_str(object, key, text, sizeof text, e);

	if (r > 0 && clock_parse_time(text, ret) != 0)
		return error_set(e, "%s: not a time such as "
		    "2026-11-23T15:00:00Z", key);
	return r < 0 ? -1 : 0;
}

static int
take_token(struct state_tunnel *t, jv item, struct error *e)
{
	static const char *const known[] = {"id", "sha256", "created",
	    "expires", NULL};
	struct state_token token = {.created = 0};

	if (jv_get_kind(item) != JV_KIND_OBJECT)
		return error_set(e, "not an object");
	if (check_members(item, known, e) != 0 ||
	    get_digest(item, &token.credential, e) != 0 ||
	    get_time(item, "created", &token.created, e) != 0 ||
	    get_time(item, "expires", &token.expires, e) != 0)
		return -1;
	return state_add_token(t, &token, e);
}

static int
take_cert(struct state_tunnel *t, jv item, struct error *e)
{
	static const char *const known[] = {"id", "sha256", NULL};
	struct credential c;

	if (jv_get_kind(item) != JV_KIND_OBJECT)
		return error_set(e, "not an object");
	if (check_members(item, known, e) != 0 ||
	    get_digest(item, &c, e) != 0)
		return -1;
	return state_add_cert(t, &c, e);
}

static int
take_revoked(struct state_tunnel *t, jv item, struct error *e)
{
	if (t->revoked_count == STATE_REVOKED_MAX)
		return error_set(e, "above %d", STATE_REVOKED_MAX);
	if (jv_get_kind(item) != JV_KIND_STRING ||
	    credential_parse(jv_string_value(item),
	    &t->revoked[t->revoked_count]) != 0)
		return error_set(e, "not 64 hexadecimal digits");
	t->revoked_count++;
	return 0;
}

static int
take_limits(jv object, struct state_tunnel *t, struct error *e)
{
	static const char *const known[] = {"links", "streams", "rate",
	    "burst", NULL};
	jv limits = json_get(object, "limits");
	int64_t rate = 0, burst = 0;
	int r = 0;

	if (!jv_is_valid(limits))
		;
	else if (jv_get_kind(limits) != JV_KIND_OBJECT)
		r = error_set(e, "limits: not an object");
	else if (check_members(limits, known, e) != 0 ||
	    json_get_int(limits, "links", 1, STATE_LINKS_MAX, &t->links_max,
	    e) < 0 ||
	    json_get_int(limits, "streams", 1, STATE_STREAMS_MAX,
	    &t->streams_max, e) < 0 ||
	    json_get_int(limits, "rate", 0, STATE_RATE_MAX, &rate, e) < 0 ||
	    json_get_int(limits, "burst", 0, STATE_RATE_MAX, &burst, e) < 0 ||
	    state_set_rate(t, rate, burst, e) != 0)
		r = error_prefix(e, "limits");
	jv_free(limits);
	return r;
}

static int
take_tunnel(jv object, struct state_tunnel *t, struct error *e)
{
	static const char *const known[] = {"name", "domains", "tokens",
	    "client_certs", "revoked", "limits", NULL};
	char name[STATE_NAME_MAX];

	if (check_members(object, known, e) != 0 ||
	    json_get_str(object, "name", name, sizeof name, e) < 0)
		return -1;
	if (!str_eq(name, t->name))
		return error_set(e, "name: not that of the file");
	if (take_array(object, "domains", t, take_domain, e) != 0 ||
	    take_array(object, "tokens", t, take_token, e) != 0 ||
	    take_array(object, "client_certs", t, take_cert, e) != 0 ||
	    take_array(object, "revoked", t, take_revoked, e) != 0)
		return -1;
	return take_limits(object, t, e);
}

static int
read_bytes(struct state *s, const char *path, const char *file, struct buf *b,
    struct error *e)
{
	int r, fd = openat(s->tunnels_fd, file,
	    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	e->code = 0;
	if (fd == -1) {
		e->code = errno;
		return error_errno(e, "%s", path);
	}
	r = io_read_fd(fd, path, b, e);
	close(fd);
	return r;
}

struct state_tunnel *
state_read(struct state *s, const char *name, struct error *e)
{
	char file[STATE_NAME_MAX + 8], path[ERROR_TEXT_MAX];
	struct state_tunnel *t = NULL;
	struct buf b;
	jv object;

	str_format(file, sizeof file, "%s.json", name);
	str_format(path, sizeof path, "%s/tunnels/%s", s->path, file);
	buf_init(&b, FILE_MAX);
	if (read_bytes(s, path, file, &b, e) != 0) {
		if (e->code == ENOENT)
			error_set(e, "tunnel %s: there is none", name);
		goto out;
	}
	if (json_parse_object(buf_bytes(&b), &object, e) != 0) {
		error_prefix(e, "%s", path);
		goto out;
	}
	t = state_new(name);
	if (t == NULL || take_tunnel(object, t, e) != 0) {
		if (t == NULL)
			error_errno(e, "tunnel");
		error_prefix(e, "%s", path);
		state_free(t);
		t = NULL;
	}
	jv_free(object);
out:
	buf_reset(&b);
	return t;
}

/* ---- writing ---- */

static void
put_credential(struct jsonw *w, const struct credential *c)
{
	char id[CREDENTIAL_ID_LEN + 1], hex[HEX_TEXT_MAX];

	credential_format(c, hex);
	jsonw_key_str(w, "id", credential_id(c, id));
	jsonw_key_str(w, "sha256", hex);
}

static void
put_token(struct jsonw *w, const struct state_token *token)
{
	char text[CLOCK_TIME_CAP];

	jsonw_open(w, '{');
	put_credential(w, &token->credential);
	jsonw_key_str(w, "created", clock_format_time(token->created, text));
	if (token->expires != 0)
		jsonw_key_str(w, "expires",
		    clock_format_time(token->expires, text));
	jsonw_close(w, '}');
}

static void
put_credentials(struct jsonw *w, const struct state_tunnel *t)
{
	char hex[HEX_TEXT_MAX];

	jsonw_key(w, "tokens");
	jsonw_open(w, '[');
	for (size_t i = 0; i < t->token_count; i++)
		put_token(w, &t->tokens[i]);
	jsonw_close(w, ']');
	jsonw_key(w, "client_certs");
	jsonw_open(w, '[');
	for (size_t i = 0; i < t->cert_count; i++) {
		jsonw_open(w, '{');
		put_credential(w, &t->certs[i]);
		jsonw_close(w, '}');
	}
	jsonw_close(w, ']');
	jsonw_key(w, "revoked");
	jsonw_open(w, '[');
	for (size_t i = 0; i < t->revoked_count; i++) {
		credential_format(&t->revoked[i], hex);
		jsonw_str(w, hex);
	}
	jsonw_close(w, ']');
}

static void
put_tunnel(struct jsonw *w, const struct state_tunnel *t)
{
	jsonw_open(w, '{');
	jsonw_key_str(w, "name", t->name);
	jsonw_key(w, "domains");
	jsonw_open(w, '[');
	for (size_t i = 0; i < t->domain_count; i++)
		jsonw_str(w, t->domains[i]);
	jsonw_close(w, ']');
	put_credentials(w, t);
	jsonw_key(w, "limits");
	jsonw_open(w, '{');
	jsonw_key_int(w, "links", t->links_max);
	jsonw_key_int(w, "streams", t->streams_max);
	if (t->rate != 0) {
		jsonw_key_int(w, "rate", t->rate);
		jsonw_key_int(w, "burst", t->burst);
	}
	jsonw_close(w, '}');
	jsonw_close(w, '}');
}

int
state_write(struct state *s, const struct state_tunnel *t, struct error *e)
{
	char file[STATE_NAME_MAX + 8];
	struct buf b;
	struct jsonw w;
	int r;

	str_format(file, sizeof file, "%s.json", t->name);
	buf_init(&b, FILE_MAX);
	jsonw_init(&w, &b);
	put_tunnel(&w, t);
	if (!jsonw_ok(&w) || buf_add_str(&b, "\n") != 0) {
		errno = ENOMEM;
		r = error_errno(e, "%s", file);
	} else {
		r = io_replace_file(s->tunnels_fd, file, buf_bytes(&b), 0600,
		    e);
	}
	buf_reset(&b);
	if (r != 0)
		error_prefix(e, "%s/tunnels", s->path);
	return r;
}

int
state_remove(struct state *s, const char *name, struct error *e)
{
	char file[STATE_NAME_MAX + 8];

	str_format(file, sizeof file, "%s.json", name);
	if (unlinkat(s->tunnels_fd, file, 0) == 0 &&
	    fsync(s->tunnels_fd) == 0)
		return 0;
	if (errno == ENOENT)
		return error_set(e, "tunnel %s: there is none", name);
	return error_errno(e, "%s/tunnels/%s", s->path, file);
}
