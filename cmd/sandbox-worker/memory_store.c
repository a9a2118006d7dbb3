/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/memory_store.h"

#include <errno.h>
#include <stdio.h>

#include "cmd/sandbox-worker/log.h"
#include "cmd/sandbox-worker/stop.h"
#include "common/clock.h"
#include "common/jsonr.h"
#include "common/jsonw.h"
#include "common/str.h"

enum {
	CALL_PATH_CAP = 4096,
	PAGE_CAP = 1024,
	BODY_MAX = 8 * MEMORY_CONTENT_MAX, /* 6 bytes for 1, and the rest */
	ANSWER_MAX = 1 << 20,              /* one memory */
	FULL_LIMIT = 20,
	BASIC_LIMIT = 100,
};

static const int64_t NO_DEADLINE = INT64_MAX;

/* Warns about a memory, or with m NULL about the store. */
__attribute__((format(printf, 3, 4))) static void
complain(const struct memory_store *s, const struct memory *m,
    const char *format, ...)
{
	char text[ERROR_TEXT_MAX + 128];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	log_line(DIAG_WARNING, "memory store %s: %s%s%s", s->name,
	    m == NULL ? "" : m->path, m == NULL ? "" : ": ", text);
}

/* ---- calls ---- */

/* Formats "/v1/memory_stores/STORE/memories" and what follows. */
__attribute__((format(printf, 4, 5))) static int
format_path(const struct memory_store *s, char *out, struct error *e,
    const char *format, ...)
{
	char store[3 * MEMORY_STORE_ID_CAP] = "", rest[CALL_PATH_CAP / 2];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(rest, sizeof rest, format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof rest ||
	    api_encode(store, sizeof store, s->id) != 0 ||
	    str_format(out, CALL_PATH_CAP, "/v1/memory_stores/%s/memories%s",
	    store, rest) != 0)
		return error_set(e, "memory: the path of a call is too long");
	return 0;
}

/* Calls, in what is left of the time.  Returns as api_call does. */
static int
call(const struct memory_store *s, struct api_request *r, int64_t deadline_ms,
    struct api_response *ret, struct error *e)
{
	int64_t left_ms = deadline_ms - clock_ms();

	memset(ret, 0, sizeof *ret);
	if (deadline_ms != NO_DEADLINE && left_ms <= 0)
		return error_set(e, "out of time");
	if (deadline_ms == NO_DEADLINE && stop_is_asked(s->stop_fd))
		return error_set(e, "told to stop");
	r->beta = API_BETA_MEMORY;
	r->helper = API_HELPER_WORKER;
	r->to_fd = -1;
	r->timeout_ms = left_ms < MEMORY_CALL_MS ? left_ms : MEMORY_CALL_MS;
	/* Repeating takes time too. */
	r->retries = left_ms < MEMORY_CALL_MS / 2 ? 0 : API_RETRIES;
	r->final_conflict = true;
	return api_call(s->api, r, ret, e);
}

/* Reads the answer to a call that must succeed.  The value points into
 * r->body. */
static int
read_answer(const struct api_response *r, struct jsonr *ret, struct error *e)
{
	if (!api_is_success(r->status)) {
		api_describe(r, e);
		return -1;
	}
	return jsonr_parse_object(buf_bytes(&r->body), ret, e);
}

/* ---- what a memory looks like ---- */

struct item {
	char id[MEMORY_ID_CAP], hash[MEMORY_HASH_CAP];
	char path[MEMORY_PATH_MAX + 1];
	struct jsonr content; /* a string, or absent */
};

/* Returns 1; 0 for what is no memory or has no place in a folder; -1 with a
 * text. */
static int
read_item(const struct memory_store *s, struct jsonr v, struct item *ret,
    struct error *e)
{
	char type[32];

	if (jsonr_get_str(v, "type", type, sizeof type, e) < 0)
		return -1;
	if (str_eq(type, "memory_prefix"))
		return 0;
	if (jsonr_get_str(v, "path", ret->path, sizeof ret->path, e) != 1 ||
	    !memory_path_is_good(ret->path)) {
		if (!str_eq(ret->path, "/.anthropic-memory-store"))
			complain(s, NULL, "a memory's path is not usable: "
			    "'%s'", ret->path);
		return 0;
	}
	if (jsonr_get_str(v, "id", ret->id, sizeof ret->id, e) != 1)
		return error_set(e, "a memory without id");
	if (jsonr_get_str(v, "content_sha256", ret->hash, sizeof ret->hash,
	    e) < 0 || jsonr_get(v, "content", &ret->content, e) < 0)
		return -1;
	if (ret->content.kind != JSONR_STRING)
		ret->content.kind = JSONR_ABSENT;
	return 1;
}

/* Writes content, which the store has under hash, to the folder. */
static void
take_content(struct memory_store *s, struct memory *m, struct bytes content,
    const char *hash)
{
	char local[MEMORY_HASH_CAP];

	if (memory_files_write(&s->files, m, content, local) != 0) {
		if (errno != EBUSY)
			complain(s, m, "not written: %s", strerror(errno));
		return;
	}
	if (m->conflict)
		complain(s, m, "both sides changed; the store's is kept");
	str_format(m->local, sizeof m->local, "%s", local);
	m->blocked = false;
	memory_agree(m, local, hash[0] != '\0' ? hash : local);
}

static void
take_item(struct memory_store *s, struct memory *m, const struct item *item)
{
	struct buf content;

	buf_init(&content, MEMORY_CONTENT_MAX);
	if (jsonr_add_str(item->content, &content) == 0)
		take_content(s, m, buf_bytes(&content), item->hash);
	else
		complain(s, m, "longer than %d bytes: not written",
		    MEMORY_CONTENT_MAX);
	buf_reset(&content);
}

/* ---- listing ---- */

/* What is done with each memory of a listing.  Returns 0, or -1 with a
 * text. */
typedef int take_fn(struct memory_store *s, const struct item *item,
    struct error *e);

static int
take_page(struct memory_store *s, struct jsonr answer, take_fn *take,
    struct error *e)
{
	struct jsonr data, v;
	struct jsonr_iter i;
	struct item item;
	int r;

	if (jsonr_get(answer, "data", &data, e) < 0)
		return -1;
	if (data.kind != JSONR_ARRAY)
		return error_set(e, "data: not an array");
	jsonr_iter_init(&i, data);
	while (jsonr_next(&i, NULL, &v)) {
		memset(&item, 0, sizeof item);
		r = read_item(s, v, &item, e);
		if (r < 0 || (r == 1 && take(s, &item, e) != 0))
			return -1;
	}
	return 0;
}

/* Gets one page and the name of the next, "" for none. */
static int
list_page(struct memory_store *s, bool full, char page[static PAGE_CAP],
    take_fn *take, int64_t deadline_ms, struct error *e)
{
	char path[CALL_PATH_CAP], encoded[CALL_PATH_CAP / 4] = "";
	struct api_request r = {.method = "GET", .path = path,
	    .max = MEMORY_PAGE_LEN_MAX};
	struct api_response answer = {.status = 0};
	struct jsonr v;
	int result = -1;

	if (api_encode(encoded, sizeof encoded, page) != 0)
		return error_set(e, "next_page: too long");
	if (format_path(s, path, e, "?view=%s&limit=%d%s%s",
	    full ? "full" : "basic", full ? FULL_LIMIT : BASIC_LIMIT,
	    page[0] != '\0' ? "&page=" : "", encoded) != 0)
		return -1;
	if (call(s, &r, deadline_ms, &answer, e) == 0 &&
	    read_answer(&answer, &v, e) == 0 &&
	    jsonr_get_str(v, "next_page", page, PAGE_CAP, e) >= 0)
		result = take_page(s, v, take, e);
	api_response_done(&answer);
	return result;
}

static int
list(struct memory_store *s, bool full, take_fn *take, int64_t deadline_ms,
    struct error *e)
{
	char page[PAGE_CAP] = "";

	for (int n = 0; n < MEMORY_PAGES_MAX; n++) {
		if (list_page(s, full, page, take, deadline_ms, e) != 0)
			return -1;
		if (page[0] == '\0')
			return 0;
	}
	return error_set(e, "more than %d pages", MEMORY_PAGES_MAX);
}

static struct memory *
note_item(struct memory_store *s, const struct item *item, struct error *e)
{
	struct memory *m = memory_add(&s->list, item->path);

	if (m == NULL) {
		error_errno(e, "more than %d memories", MEMORY_COUNT_MAX);
		return NULL;
	}
	str_format(m->id, sizeof m->id, "%s", item->id);
	str_format(m->remote, sizeof m->remote, "%s", item->hash);
	return m;
}

static int
note_remote(struct memory_store *s, const struct item *item, struct error *e)
{
	if (item->hash[0] == '\0')
		return error_set(e, "a memory without content_sha256");
	return note_item(s, item, e) == NULL ? -1 : 0;
}

/* ---- pulling ---- */

static void
pull(struct memory_store *s, struct memory *m, int64_t deadline_ms)
{
	char path[CALL_PATH_CAP], id[3 * MEMORY_ID_CAP] = "";
	struct api_request r = {.method = "GET", .path = path,
	    .max = ANSWER_MAX};
	struct api_response answer = {.status = 0};
	struct item item = {.id = ""};
	struct jsonr v;
	struct error e;

	if (api_encode(id, sizeof id, m->id) != 0 ||
	    format_path(s, path, &e, "/%s?view=full", id) != 0)
		return;
	if (call(s, &r, deadline_ms, &answer, &e) != 0) {
		complain(s, m, "%s", e.text);
	} else if (answer.status == 404) {
		; /* it was deleted after the listing: the next one says so */
	} else if (read_answer(&answer, &v, &e) != 0 ||
	    read_item(s, v, &item, &e) < 0) {
		complain(s, m, "%s", e.text);
	} else if (item.content.kind == JSONR_STRING) {
		take_item(s, m, &item);
	}
	api_response_done(&answer);
}

static int
download(struct memory_store *s, const struct item *item, struct error *e)
{
	struct memory *m = note_item(s, item, e);

	if (m == NULL)
		return -1;
	if (item->content.kind == JSONR_STRING)
		take_item(s, m, item);
	else
		pull(s, m, NO_DEADLINE);
	return 0;
}

/* ---- pushing ---- */

static int
format_body(struct buf *body, const struct memory *m, bool update,
    struct bytes content)
{
	struct jsonw w;

	jsonw_init(&w, body);
	jsonw_open(&w, '{');
	if (!update)
		jsonw_key_str(&w, "path", m->path);
	jsonw_key(&w, "content");
	jsonw_bytes(&w, content);
	if (update) {
		jsonw_key(&w, "precondition");
		jsonw_open(&w, '{');
		jsonw_key_str(&w, "type", "content_sha256");
		jsonw_key_str(&w, "content_sha256", m->base_remote);
		jsonw_close(&w, '}');
	}
	jsonw_close(&w, '}');
	return jsonw_ok(&w) ? 0 : -1;
}

/* The store has what was sent. */
static void
note_pushed(struct memory *m, const char *hash,
    const struct api_response *answer)
{
	char remote[MEMORY_HASH_CAP] = "", id[MEMORY_ID_CAP];
	struct jsonr v;
	struct error e;

	if (jsonr_parse_object(buf_bytes(&answer->body), &v, &e) == 0) {
		if (jsonr_get_str(v, "id", id, sizeof id, &e) == 1)
			str_format(m->id, sizeof m->id, "%s", id);
		if (jsonr_get_str(v, "content_sha256", remote, sizeof remote,
		    &e) != 1)
			remote[0] = '\0';
	}
	memory_agree(m, hash, remote[0] != '\0' ? remote : hash);
}

/* Sends content.  Returns the status of the answer, 0 if there was none. */
static long
send_content(struct memory_store *s, struct memory *m, bool update,
    struct bytes content, const char *hash, int64_t deadline_ms)
{
	char path[CALL_PATH_CAP], id[3 * MEMORY_ID_CAP] = "";
	struct api_request r = {.method = "POST", .path = path,
	    .max = ANSWER_MAX};
	struct api_response answer = {.status = 0};
	struct error e = {.text = ""};
	struct buf body;
	long status = 0;

	buf_init(&body, BODY_MAX);
	if (api_encode(id, sizeof id, update ? m->id : "") != 0 ||
	    format_path(s, path, &e, "%s%s", update ? "/" : "", id) != 0 ||
	    format_body(&body, m, update, content) != 0)
		goto out;
	r.body = buf_bytes(&body);
	if (call(s, &r, deadline_ms, &answer, &e) == 0) {
		status = answer.status;
		if (!api_is_success(status))
			api_describe(&answer, &e);
	}
	if (api_is_success(status))
		note_pushed(m, hash, &answer);
	else if (status == 400 || status == 413)
		str_format(m->refused, sizeof m->refused, "%s", hash);
	else if (answer.ambiguous || !api_is_fatal(status))
		str_format(m->sent, sizeof m->sent, "%s", hash);
	if (!api_is_success(status) && !(update && status == 404))
		complain(s, m, "not uploaded: %s", e.text);
out:
	api_response_done(&answer);
	buf_reset(&body);
	return status;
}

static void
push(struct memory_store *s, struct memory *m, int64_t deadline_ms)
{
	bool update = m->action == MEMORY_UPDATE && m->id[0] != '\0';
	char hash[MEMORY_HASH_CAP];
	struct buf content;

	buf_init(&content, MEMORY_CONTENT_MAX + 1);
	/* What is sent is what is there now, not what the scan saw. */
	if (memory_files_read(&s->files, m->path, &content, hash) == 0 &&
	    send_content(s, m, update, buf_bytes(&content), hash,
	    deadline_ms) == 404 && update)
		send_content(s, m, false, buf_bytes(&content), hash,
		    deadline_ms);
	buf_reset(&content);
}

/* ---- deleting ---- */

static bool
is_absent(const struct memory_store *s, const struct memory *m)
{
	char hash[MEMORY_HASH_CAP];
	struct buf content;
	bool absent;

	buf_init(&content, MEMORY_CONTENT_MAX + 1);
	absent = memory_files_read(&s->files, m->path, &content, hash) != 0 &&
	    errno == ENOENT;
	buf_reset(&content);
	return absent;
}

static void
delete_remote(struct memory_store *s, struct memory *m, int64_t deadline_ms)
{
	char path[CALL_PATH_CAP], id[3 * MEMORY_ID_CAP] = "";
	char hash[3 * MEMORY_HASH_CAP] = "";
	struct api_request r = {.method = "DELETE", .path = path,
	    .max = ANSWER_MAX};
	struct api_response answer = {.status = 0};
	struct error e = {.text = ""};

	if (!is_absent(s, m) || api_encode(id, sizeof id, m->id) != 0 ||
	    api_encode(hash, sizeof hash, m->base_remote) != 0 ||
	    format_path(s, path, &e, "/%s?expected_content_sha256=%s", id,
	    hash) != 0)
		return;
	if (call(s, &r, deadline_ms, &answer, &e) == 0 &&
	    (api_is_success(answer.status) || answer.status == 404)) {
		memory_agree(m, "", "");
	} else {
		/* 409 and 412: it has changed, and stays. */
		if (answer.status != 0)
			api_describe(&answer, &e);
		complain(s, m, "not deleted: %s", e.text);
	}
	api_response_done(&answer);
}

static void
delete_local(struct memory_store *s, struct memory *m)
{
	if (memory_files_delete(&s->files, m) == 0)
		memory_agree(m, "", "");
	else if (errno != EBUSY)
		complain(s, m, "not deleted: %s", strerror(errno));
}

/* ---- a sync ---- */

/* What needs no call, and what comes down. */
static void
act_locally(struct memory_store *s, struct memory *m, int64_t deadline_ms)
{
	switch (m->action) {
	case MEMORY_ADOPT:
		memory_agree(m, m->local, m->remote[0] != '\0' ? m->remote
		    : m->base_remote);
		break;
	case MEMORY_FORGET:
		memory_agree(m, "", "");
		break;
	case MEMORY_PULL:
		pull(s, m, deadline_ms);
		break;
	case MEMORY_DELETE_LOCAL:
		delete_local(s, m);
		break;
	case MEMORY_REPORT:
		complain(s, m, "deleted locally; the store's stays");
		break;
	case MEMORY_NOTHING:
	case MEMORY_KEEP:
	case MEMORY_CREATE:
	case MEMORY_UPDATE:
	case MEMORY_DELETE_REMOTE:
	case MEMORY_WAIT:
		break;
	}
}

static bool
is_upload(const struct memory *m)
{
	return m->action == MEMORY_CREATE || m->action == MEMORY_UPDATE;
}

static void
act(struct memory_store *s, int64_t deadline_ms)
{
	for (size_t i = 0; i < s->list.count; i++)
		act_locally(s, s->list.at[i], deadline_ms);
	for (size_t i = 0; i < s->list.count; i++)
		if (is_upload(s->list.at[i]))
			push(s, s->list.at[i], deadline_ms);
	for (size_t i = 0; i < s->list.count; i++)
		if (s->list.at[i]->action == MEMORY_DELETE_REMOTE)
			delete_remote(s, s->list.at[i], deadline_ms);
	memory_list_compact(&s->list);
}

static void
plan(struct memory_store *s, bool final, bool upload_only)
{
	struct memory_sync sync = {
		.now_ms = clock_ms(), .read_only = s->read_only,
		.final = final, .upload_only = upload_only,
		.deletes = s->deletes,
	};
	struct error e;

	sync.folder = memory_files_scan(&s->files, &s->list, &sync.cut);
	if (sync.folder == MEMORY_FOLDER_FOREIGN)
		complain(s, NULL, "its folder has lost its marker: left alone");
	if (sync.cut)
		complain(s, NULL, "its folder holds too much; deletions are "
		    "not looked for");
	if (sync.folder == MEMORY_FOLDER_LOST && !upload_only &&
	    memory_files_restore(&s->files, &e) != 0)
		complain(s, NULL, "%s", e.text);
	memory_plan(&s->list, &sync);
}

void
memory_store_sync(struct memory_store *s, bool final, int64_t deadline_ms)
{
	struct error e;

	for (size_t i = 0; i < s->list.count; i++)
		s->list.at[i]->remote[0] = '\0';
	if (list(s, false, note_remote, deadline_ms, &e) != 0) {
		complain(s, NULL, "not synced: %s", e.text);
		return;
	}
	plan(s, final, false);
	act(s, deadline_ms);
}

void
memory_store_flush(struct memory_store *s, int64_t deadline_ms)
{
	if (s->read_only)
		return;
	plan(s, true, true);
	for (size_t i = 0; i < s->list.count; i++)
		if (is_upload(s->list.at[i]))
			push(s, s->list.at[i], deadline_ms);
}

int
memory_store_open(struct memory_store *s, int parent_fd, struct error *e)
{
	memory_list_init(&s->list);
	if (memory_files_open(&s->files, parent_fd, s->folder, s->id, e) != 0)
		return -1;
	if (list(s, true, download, NO_DEADLINE, e) == 0)
		return 0;
	error_prefix(e, "memory store %s", s->name);
	memory_store_close(s);
	return -1;
}

void
memory_store_close(struct memory_store *s)
{
	struct error e;

	if (s->files.root_fd != -1 &&
	    memory_files_remove_all(&s->files, &e) != 0)
		complain(s, NULL, "%s", e.text);
	memory_list_done(&s->list);
}
