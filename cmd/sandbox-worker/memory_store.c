/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/memory_store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "cmd/sandbox-worker/log.h"
#include "common/clock.h"
#include "common/str.h"

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

/* ---- a pass over the memories ---- */

struct pass {
	struct memory_stores *stores;
	int64_t deadline_ms;
	int stop_fd, retries;
	const struct pass_kind *kind;
	size_t store, memory; /* where it is */
};

/* What a pass is for. */
struct pass_kind {
	const char *what;     /* is not done to what is left in the end */
	size_t at_once;       /* calls for each store */
	bool (*is_wanted)(const struct memory *m);
	void (*start)(struct calls *c, struct pass *p,
	    struct memory_store *s, struct memory *m);
	void (*done)(struct calls *c, void *pass,
	    const struct calls_subject *about, struct api_response *r,
	    const struct error *e);
};

/* Finds the next memory that is wanted and moves behind it. */
static struct memory *
find_next(struct pass *p, struct memory_store **ret)
{
	for (; p->store < p->stores->count; p->store++, p->memory = 0) {
		struct memory_store *s = &p->stores->at[p->store];

		while (s->active && p->memory < s->list.count) {
			struct memory *m = s->list.at[p->memory++];

			if (!p->kind->is_wanted(m))
				continue;
			*ret = s;
			return m;
		}
	}
	return NULL;
}

static bool
start_next(struct calls *c, void *user)
{
	struct pass *p = user;
	struct memory_store *s;
	struct memory *m = find_next(p, &s);

	if (m != NULL)
		p->kind->start(c, p, s, m);
	return m != NULL;
}

/* Sends call for m.  Returns 0, or -1 with a text. */
static int
send_call(struct calls *c, const struct pass *p, struct memory_call *call,
    struct memory_store *s, struct memory *m, struct error *e)
{
	struct calls_subject about = {s, m};

	call->request.retries = p->retries;
	return calls_start(c, &call->request, &about, e);
}

static void
count_rest(struct pass *p)
{
	struct memory_store *s;
	size_t n = 0;

	while (find_next(p, &s) != NULL)
		n++;
	if (n != 0)
		log_line(DIAG_WARNING, "memory stores: out of time: not %s: "
		    "%zu", p->kind->what, n);
}

/* Goes over the active stores. */
static void
run_pass(struct pass *p, const struct pass_kind *kind)
{
	size_t at_once = kind->at_once * p->stores->count;
	struct calls_work w = {
		.user = p, .deadline_ms = p->deadline_ms,
		.stop_fd = p->stop_fd, .next = start_next, .done = kind->done,
		.at_once = at_once < CALLS_MAX ? at_once : CALLS_MAX,
	};

	p->kind = kind;
	p->store = p->memory = 0;
	if (at_once == 0)
		return;
	if (calls_run(p->stores->calls, &w) != 0)
		count_rest(p);
}

/* ---- pulling ---- */

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
take_item(struct memory_store *s, struct memory *m,
    const struct memory_item *item)
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

static bool
is_pull(const struct memory *m)
{
	return m->action == MEMORY_PULL;
}

static void
pull(struct calls *c, struct pass *p, struct memory_store *s,
    struct memory *m)
{
	struct memory_call call;
	struct error e;

	if (memory_call_get(&call, s->id, m, &e) != 0 ||
	    send_call(c, p, &call, s, m, &e) != 0)
		complain(s, m, "%s", e.text);
	memory_call_done(&call);
}

static void
pull_done(struct calls *c, void *pass, const struct calls_subject *about,
    struct api_response *r, const struct error *failure)
{
	struct memory *m = about->item;
	struct memory_item item;
	struct jsonr v;
	struct error e;

	(void)c;
	(void)pass;
	if (failure != NULL) {
		complain(about->group, m, "%s", failure->text);
	} else if (r->status == 404) {
		; /* it was deleted after the listing: the next one says so */
	} else if (memory_answer_parse(r, &v, &e) != 0 ||
	    memory_item_parse(v, &item, &e) < 0) {
		complain(about->group, m, "%s", e.text);
	} else if (item.content.kind == JSONR_STRING) {
		take_item(about->group, m, &item);
	}
}

static const struct pass_kind pulls = {
	.what = "fetched", .at_once = MEMORY_PULLS_AT_ONCE,
	.is_wanted = is_pull, .start = pull, .done = pull_done,
};

/* ---- pushing ---- */

static bool
is_push(const struct memory *m)
{
	return m->action == MEMORY_CREATE || m->action == MEMORY_UPDATE;
}

static int
make_push(struct memory_call *call, const struct memory_store *s,
    const struct memory *m, struct bytes content, struct error *e)
{
	return m->action == MEMORY_UPDATE && m->id[0] != '\0'
	    ? memory_call_update(call, s->id, m, content, e)
	    : memory_call_create(call, s->id, m, content, e);
}

static void
push(struct calls *c, struct pass *p, struct memory_store *s,
    struct memory *m)
{
	char hash[MEMORY_HASH_CAP];
	struct memory_call call;
	struct buf content;
	struct error e;

	buf_init(&content, MEMORY_CONTENT_MAX + 1);
	/* What is sent is what is there now, not what the scan saw. */
	if (memory_files_read(&s->files, m->path, &content, hash) == 0) {
		if (make_push(&call, s, m, buf_bytes(&content), &e) != 0 ||
		    send_call(c, p, &call, s, m, &e) != 0)
			complain(s, m, "not uploaded: %s", e.text);
		else
			str_format(m->sent, sizeof m->sent, "%s", hash);
		memory_call_done(&call);
	}
	buf_reset(&content);
}

/* The store has what was sent. */
static void
note_pushed(struct memory *m, const struct api_response *r)
{
	char remote[MEMORY_HASH_CAP] = "", id[MEMORY_ID_CAP];
	char sent[MEMORY_HASH_CAP];
	struct jsonr v;
	struct error e;

	if (jsonr_parse_object(buf_bytes(&r->body), &v, &e) == 0) {
		if (jsonr_get_str(v, "id", id, sizeof id, &e) == 1)
			str_format(m->id, sizeof m->id, "%s", id);
		if (jsonr_get_str(v, "content_sha256", remote, sizeof remote,
		    &e) != 1)
			remote[0] = '\0';
	}
	str_format(sent, sizeof sent, "%s", m->sent);
	memory_agree(m, sent, remote[0] != '\0' ? remote : sent);
}

/* It did not arrive, or that is not known: then it stays in m->sent. */
static void
note_not_pushed(struct memory *m, const struct api_response *r, long status)
{
	if (status == 400 || status == 413)
		str_format(m->refused, sizeof m->refused, "%s", m->sent);
	else if (r->ambiguous || !api_is_fatal(status))
		return;
	m->sent[0] = '\0';
}

static void
push_done(struct calls *c, void *pass, const struct calls_subject *about,
    struct api_response *r, const struct error *failure)
{
	struct memory *m = about->item;
	long status = failure != NULL ? 0 : r->status;
	struct error e;

	if (api_is_success(status)) {
		note_pushed(m, r);
		return;
	}
	note_not_pushed(m, r, status);
	if (status == 404 && m->action == MEMORY_UPDATE) {
		m->action = MEMORY_CREATE;
		push(c, pass, about->group, m);
		return;
	}
	if (failure == NULL)
		api_describe(r, &e);
	complain(about->group, m, "%s: %s", r->ambiguous
	    ? "perhaps not uploaded" : "not uploaded",
	    failure != NULL ? failure->text : e.text);
}

static const struct pass_kind pushes = {
	.what = "uploaded", .at_once = MEMORY_PUSHES_AT_ONCE,
	.is_wanted = is_push, .start = push, .done = push_done,
};

/* ---- deleting ---- */

static bool
is_delete(const struct memory *m)
{
	return m->action == MEMORY_DELETE_REMOTE;
}

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
delete_remote(struct calls *c, struct pass *p, struct memory_store *s,
    struct memory *m)
{
	struct memory_call call;
	struct error e;

	if (!is_absent(s, m))
		return;
	if (memory_call_delete(&call, s->id, m, &e) != 0 ||
	    send_call(c, p, &call, s, m, &e) != 0)
		complain(s, m, "not deleted: %s", e.text);
	memory_call_done(&call);
}

static void
delete_done(struct calls *c, void *pass, const struct calls_subject *about,
    struct api_response *r, const struct error *failure)
{
	struct memory *m = about->item;
	struct error e;

	(void)c;
	(void)pass;
	if (failure == NULL && (api_is_success(r->status) ||
	    r->status == 404)) {
		memory_agree(m, "", "");
		return;
	}
	/* 409 and 412: it has changed, and stays. */
	if (failure == NULL)
		api_describe(r, &e);
	complain(about->group, m, "not deleted: %s",
	    failure != NULL ? failure->text : e.text);
}

static const struct pass_kind deletions = {
	.what = "deleted", .at_once = MEMORY_PUSHES_AT_ONCE,
	.is_wanted = is_delete, .start = delete_remote, .done = delete_done,
};

static void
delete_local(struct memory_store *s, struct memory *m)
{
	if (memory_files_delete(&s->files, m) == 0)
		memory_agree(m, "", "");
	else if (errno != EBUSY)
		complain(s, m, "not deleted: %s", strerror(errno));
}

/* ---- listing ---- */

struct listing {
	struct memory_stores *stores;
	bool full;
	size_t store;         /* the next to begin with */
	/* What is done with each memory.  Returns 0, or -1 with a text. */
	int (*take)(struct memory_store *s, const struct memory_item *item,
	    struct error *e);
};

static struct memory *
note_item(struct memory_store *s, const struct memory_item *item,
    struct error *e)
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
take_remote(struct memory_store *s, const struct memory_item *item,
    struct error *e)
{
	if (item->hash[0] == '\0')
		return error_set(e, "a memory without content_sha256");
	return note_item(s, item, e) == NULL ? -1 : 0;
}

/* What came without its content is pulled later. */
static int
take_whole(struct memory_store *s, const struct memory_item *item,
    struct error *e)
{
	struct memory *m = note_item(s, item, e);

	if (m == NULL)
		return -1;
	if (item->content.kind == JSONR_STRING)
		take_item(s, m, item);
	else
		m->action = MEMORY_PULL;
	return 0;
}

static int
take_page(const struct listing *l, struct memory_store *s,
    struct jsonr answer, struct error *e)
{
	struct memory_item item;
	struct jsonr data, v;
	struct jsonr_iter i;

	if (jsonr_get(answer, "data", &data, e) < 0)
		return -1;
	if (data.kind != JSONR_ARRAY)
		return error_set(e, "data: not an array");
	jsonr_iter_init(&i, data);
	while (jsonr_next(&i, NULL, &v)) {
		int r = memory_item_parse(v, &item, e);

		if (item.misplaced)
			complain(s, NULL, "a memory's path is not usable: "
			    "'%s'", item.path);
		if (r < 0 || (r == 1 && l->take(s, &item, e) != 0))
			return -1;
	}
	return 0;
}

static void
list_page(struct calls *c, const struct listing *l, struct memory_store *s)
{
	struct calls_subject about = {s, NULL};
	struct memory_call call;

	if (memory_call_list(&call, s->id, l->full, s->page, &s->why) == 0)
		calls_start(c, &call.request, &about, &s->why);
	memory_call_done(&call);
}

static bool
list_next(struct calls *c, void *user)
{
	struct listing *l = user;

	if (l->store == l->stores->count)
		return false;
	list_page(c, l, &l->stores->at[l->store++]);
	return true;
}

static void
list_done(struct calls *c, void *user, const struct calls_subject *about,
    struct api_response *r, const struct error *failure)
{
	const struct listing *l = user;
	struct memory_store *s = about->group;
	struct jsonr v;

	if (failure != NULL) {
		s->why = *failure;
		return;
	}
	if (memory_answer_parse(r, &v, &s->why) != 0 || jsonr_get_str(v,
	    "next_page", s->page, sizeof s->page, &s->why) < 0 ||
	    take_page(l, s, v, &s->why) != 0)
		return;
	if (s->page[0] == '\0')
		s->active = true;
	else if (++s->pages == MEMORY_PAGES_MAX)
		error_set(&s->why, "more than %d pages", MEMORY_PAGES_MAX);
	else
		list_page(c, l, s);
}

/* Lists all stores; those of which that fails have a reason, and are not
 * active. */
static void
list(struct memory_stores *stores, bool full, const struct pass *p)
{
	struct listing l = {.stores = stores, .full = full,
	    .take = full ? take_whole : take_remote};
	struct calls_work w = {
		.user = &l, .deadline_ms = p->deadline_ms,
		.stop_fd = p->stop_fd, .next = list_next, .done = list_done,
		.at_once = full && stores->count > MEMORY_PAGES_AT_ONCE
		    ? MEMORY_PAGES_AT_ONCE : stores->count,
	};

	for (size_t i = 0; i < stores->count; i++) {
		struct memory_store *s = &stores->at[i];

		s->active = false;
		s->page[0] = '\0';
		s->pages = 0;
		error_set(&s->why, "not listed in time");
	}
	if (stores->count != 0)
		calls_run(stores->calls, &w);
}

/* ---- a sync ---- */

/* What needs no call. */
static void
act_locally(struct memory_store *s, struct memory *m)
{
	switch (m->action) {
	case MEMORY_ADOPT:
		memory_agree(m, m->local, m->remote[0] != '\0' ? m->remote
		    : m->base_remote);
		break;
	case MEMORY_FORGET:
		memory_agree(m, "", "");
		break;
	case MEMORY_DELETE_LOCAL:
		delete_local(s, m);
		break;
	case MEMORY_REPORT:
		complain(s, m, "deleted locally; the store's stays");
		break;
	case MEMORY_NOTHING:
	case MEMORY_KEEP:
	case MEMORY_PULL:
	case MEMORY_CREATE:
	case MEMORY_UPDATE:
	case MEMORY_DELETE_REMOTE:
	case MEMORY_WAIT:
		break;
	}
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

static void
forget_remote(struct memory_store *s)
{
	for (size_t i = 0; i < s->list.count; i++)
		s->list.at[i]->remote[0] = '\0';
}

static void
begin_sync(struct memory_store *s, bool final)
{
	if (!s->active) {
		complain(s, NULL, "not synced: %s", s->why.text);
		return;
	}
	plan(s, final, false);
	for (size_t i = 0; i < s->list.count; i++)
		act_locally(s, s->list.at[i]);
}

void
memory_stores_sync(struct memory_stores *stores, bool final,
    int64_t deadline_ms)
{
	struct pass p = {
		.stores = stores, .deadline_ms = deadline_ms, .stop_fd = -1,
		.retries = final ? MEMORY_LAST_RETRIES : API_RETRIES,
	};

	for (size_t i = 0; i < stores->count; i++)
		forget_remote(&stores->at[i]);
	list(stores, false, &p);
	for (size_t i = 0; i < stores->count; i++)
		begin_sync(&stores->at[i], final);
	run_pass(&p, &pulls);
	run_pass(&p, &pushes);
	run_pass(&p, &deletions);
	for (size_t i = 0; i < stores->count; i++)
		if (stores->at[i].active)
			memory_list_compact(&stores->at[i].list);
}

void
memory_stores_flush(struct memory_stores *stores, int64_t deadline_ms)
{
	struct pass p = {
		.stores = stores, .deadline_ms = deadline_ms, .stop_fd = -1,
		.retries = MEMORY_LAST_RETRIES,
	};

	for (size_t i = 0; i < stores->count; i++) {
		struct memory_store *s = &stores->at[i];

		s->active = !s->read_only;
		if (s->active)
			plan(s, true, true);
	}
	run_pass(&p, &pushes);
}

/* ---- the beginning and the end ---- */

static int
fill(struct memory_stores *stores, struct error *e)
{
	struct pass p = {
		.stores = stores, .deadline_ms = CALLS_NO_DEADLINE,
		.stop_fd = stores->stop_fd, .retries = API_RETRIES,
	};

	list(stores, true, &p);
	for (size_t i = 0; i < stores->count; i++) {
		if (stores->at[i].active)
			continue;
		*e = stores->at[i].why;
		return error_prefix(e, "memory store %s",
		    stores->at[i].name);
	}
	run_pass(&p, &pulls);
	return 0;
}

int
memory_stores_open(struct memory_stores *stores, int parent_fd,
    struct error *e)
{
	int r = 0;

	for (size_t i = 0; i < stores->count; i++) {
		memory_list_init(&stores->at[i].list);
		stores->at[i].files.root_fd = -1;
	}
	for (size_t i = 0; i < stores->count && r == 0; i++) {
		struct memory_store *s = &stores->at[i];

		r = memory_files_open(&s->files, parent_fd, s->folder, s->id,
		    e);
	}
	if (r == 0)
		r = fill(stores, e);
	if (r != 0)
		memory_stores_close(stores);
	return r;
}

void
memory_stores_close(struct memory_stores *stores)
{
	struct error e;

	for (size_t i = 0; i < stores->count; i++) {
		struct memory_store *s = &stores->at[i];

		if (s->files.root_fd != -1 &&
		    memory_files_remove_all(&s->files, &e) != 0)
			complain(s, NULL, "%s", e.text);
		memory_list_done(&s->list);
	}
	stores->count = 0;
}
