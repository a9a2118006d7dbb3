/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/memory_call.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/jsonw.h"
#include "common/str.h"

enum {
	BODY_MAX = 8 * MEMORY_CONTENT_MAX, /* 6 bytes for 1, and the rest */
	FULL_LIMIT = 20,
	BASIC_LIMIT = 100,
};

/* ---- questions ---- */

/* Makes a call of "/v1/memory_stores/STORE/memories" and what follows. */
__attribute__((format(printf, 5, 6))) static int
init_call(struct memory_call *c, const char *method, const char *store,
    struct error *e, const char *format, ...)
{
	char id[3 * MEMORY_STORE_ID_CAP] = "", rest[sizeof c->path / 2];
	va_list ap;
	int n;

	c->request = (struct api_request){
		.method = method, .path = c->path, .beta = API_BETA_MEMORY,
		.helper = API_HELPER_WORKER, .max = MEMORY_ANSWER_MAX,
		.to_fd = -1, .retries = API_RETRIES, .final_conflict = true,
	};
	buf_init(&c->body, BODY_MAX);
	va_start(ap, format);
	n = vsnprintf(rest, sizeof rest, format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof rest ||
	    api_encode(id, sizeof id, store) != 0 || str_format(c->path,
	    sizeof c->path, "/v1/memory_stores/%s/memories%s", id, rest) != 0)
		return error_set(e, "memory: the path of a call is too long");
	return 0;
}

/* The same, of one memory. */
static int
init_call_of(struct memory_call *c, const char *method, const char *store,
    const struct memory *m, const char *tail, struct error *e)
{
	char id[3 * MEMORY_ID_CAP] = "";
	bool good = api_encode(id, sizeof id, m->id) == 0;
	int r = init_call(c, method, store, e, "/%s%s", id, tail);

	return good ? r : error_set(e, "memory: its id is too long");
}

int
memory_call_list(struct memory_call *c, const char *store, bool full,
    const char *page, struct error *e)
{
	char encoded[sizeof c->path / 4] = "";
	bool good = api_encode(encoded, sizeof encoded, page) == 0;
	int r = init_call(c, "GET", store, e, "?view=%s&limit=%d%s%s",
	    full ? "full" : "basic", full ? FULL_LIMIT : BASIC_LIMIT,
	    page[0] != '\0' ? "&page=" : "", encoded);

	c->request.max = full ? MEMORY_PAGE_LEN_MAX : MEMORY_BASIC_LEN_MAX;
	return good ? r : error_set(e, "next_page: too long");
}

int
memory_call_get(struct memory_call *c, const char *store,
    const struct memory *m, struct error *e)
{
	return init_call_of(c, "GET", store, m, "?view=full", e);
}

static int
take_body(struct memory_call *c, struct jsonw *w, struct error *e)
{
	jsonw_close(w, '}');
	c->request.body = buf_bytes(&c->body);
	return jsonw_ok(w) ? 0 : error_set(e, "memory: too large to send");
}

int
memory_call_create(struct memory_call *c, const char *store,
    const struct memory *m, struct bytes content, struct error *e)
{
	struct jsonw w;

	if (init_call(c, "POST", store, e, "%s", "") != 0)
		return -1;
	jsonw_init(&w, &c->body);
	jsonw_open(&w, '{');
	jsonw_key_str(&w, "path", m->path);
	jsonw_key(&w, "content");
	jsonw_bytes(&w, content);
	return take_body(c, &w, e);
}

int
memory_call_update(struct memory_call *c, const char *store,
    const struct memory *m, struct bytes content, struct error *e)
{
	struct jsonw w;

	if (init_call_of(c, "POST", store, m, "", e) != 0)
		return -1;
	jsonw_init(&w, &c->body);
	jsonw_open(&w, '{');
	jsonw_key(&w, "content");
	jsonw_bytes(&w, content);
	jsonw_key(&w, "precondition");
	jsonw_open(&w, '{');
	jsonw_key_str(&w, "type", "content_sha256");
	jsonw_key_str(&w, "content_sha256", m->base_remote);
	jsonw_close(&w, '}');
	return take_body(c, &w, e);
}

int
memory_call_delete(struct memory_call *c, const char *store,
    const struct memory *m, struct error *e)
{
	char hash[3 * MEMORY_HASH_CAP] = "", tail[sizeof hash + 32];
	bool good = api_encode(hash, sizeof hash, m->base_remote) == 0;
	int r;

	str_format(tail, sizeof tail, "?expected_content_sha256=%s", hash);
	r = init_call_of(c, "DELETE", store, m, tail, e);
	return good ? r : error_set(e, "memory: its hash is too long");
}

void
memory_call_done(struct memory_call *c)
{
	buf_reset(&c->body);
}

/* ---- answers ---- */

int
memory_answer_parse(const struct api_response *r, struct jsonr *ret,
    struct error *e)
{
	if (!api_is_success(r->status)) {
		api_describe(r, e);
		return -1;
	}
	return jsonr_parse_object(buf_bytes(&r->body), ret, e);
}

int
memory_item_parse(struct jsonr v, struct memory_item *ret, struct error *e)
{
	char type[32];

	*ret = (struct memory_item){.id = ""};
	if (jsonr_get_str(v, "type", type, sizeof type, e) < 0)
		return -1;
	if (str_eq(type, "memory_prefix"))
		return 0;
	if (jsonr_get_str(v, "path", ret->path, sizeof ret->path, e) != 1 ||
	    !memory_path_is_good(ret->path)) {
		ret->misplaced = !str_eq(ret->path,
		    "/.anthropic-memory-store");
		return 0;
	}
	if (jsonr_get_str(v, "id", ret->id, sizeof ret->id, e) != 1 ||
	    ret->id[0] == '\0')
		return error_set(e, "a memory without id");
	if (jsonr_get_str(v, "content_sha256", ret->hash, sizeof ret->hash,
	    e) < 0 || jsonr_get(v, "content", &ret->content, e) < 0)
		return -1;
	if (ret->content.kind != JSONR_STRING)
		ret->content.kind = JSONR_ABSENT;
	return 1;
}
