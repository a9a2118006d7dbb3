/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/memory.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/str.h"
#include "common/utf8.h"

enum { ROOM_FIRST = 64 };

/* ---- the list ---- */

void
memory_list_init(struct memory_list *l)
{
	*l = (struct memory_list){NULL, 0, 0};
}

static void
memory_free(struct memory *m)
{
	free(m->path);
	free(m);
}

void
memory_list_done(struct memory_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		memory_free(l->at[i]);
	free(l->at);
	memory_list_init(l);
}

/* Where path is, or belongs. */
static size_t
find_place(const struct memory_list *l, const char *path, bool *ret_found)
{
	size_t low = 0, high = l->count;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(l->at[middle]->path, path);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct memory *
memory_find(const struct memory_list *l, const char *path)
{
	bool found;
	size_t i = find_place(l, path, &found);

	return found ? l->at[i] : NULL;
}

static bool
make_room(struct memory_list *l)
{
	size_t room = l->room == 0 ? ROOM_FIRST : l->room * 2;
	struct memory **at;

	if (l->count < l->room)
		return true;
	at = reallocarray(l->at, room, sizeof *at);
	if (at == NULL)
		return false;
	l->at = at;
	l->room = room;
	return true;
}

struct memory *
memory_add(struct memory_list *l, const char *path)
{
	bool found;
	size_t i = find_place(l, path, &found);
	struct memory *m;

	if (found)
		return l->at[i];
	if (l->count == MEMORY_COUNT_MAX) {
		errno = ENOBUFS;
		return NULL;
	}
	m = calloc(1, sizeof *m);
	if (m == NULL || (m->path = strdup(path)) == NULL || !make_room(l)) {
		if (m != NULL)
			memory_free(m);
		return NULL;
	}
	memmove(l->at + i + 1, l->at + i, (l->count - i) * sizeof *l->at);
	l->at[i] = m;
	l->count++;
	return m;
}

static bool
has_base(const struct memory *m)
{
	return m->base_local[0] != '\0' || m->base_remote[0] != '\0';
}

void
memory_list_compact(struct memory_list *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->count; i++) {
		struct memory *m = l->at[i];

		if (has_base(m) || m->local[0] != '\0' ||
		    m->remote[0] != '\0' || m->sent[0] != '\0' || m->blocked)
			l->at[kept++] = m;
		else
			memory_free(m);
	}
	l->count = kept;
}

/* ---- paths ---- */

static bool
is_temporary(const char *name, size_t len)
{
	return len > 8 && memcmp(name, ".fs-", 4) == 0 &&
	    memcmp(name + len - 4, ".tmp", 4) == 0;
}

bool
memory_path_is_good(const char *path)
{
	size_t len = strlen(path);
	int segments = 0;

	if (path[0] != '/' || len > MEMORY_PATH_MAX ||
	    !utf8_is_valid(bytes_of(path, len)) ||
	    str_eq(path, "/.anthropic-memory-store"))
		return false;
	while (*path == '/') {
		size_t n = strcspn(++path, "/");

		if (n == 0 || n > NAME_MAX || ++segments > MEMORY_SEGMENTS_MAX)
			return false;
		if (path[0] == '.' && (n == 1 || (n == 2 && path[1] == '.')))
			return false;
		if (is_temporary(path, n))
			return false;
		path += n;
	}
	return true;
}

/* ---- the decision ---- */

void
memory_agree(struct memory *m, const char *local, const char *remote)
{
	str_format(m->base_local, sizeof m->base_local, "%s", local);
	str_format(m->base_remote, sizeof m->base_remote, "%s", remote);
	m->sent[0] = '\0';
	m->refused[0] = '\0';
	m->absent_ms = 0;
}

/* What is known of one path, in words. */
struct sides {
	bool base, local, remote;           /* there is one */
	bool local_changed, remote_changed; /* since base */
	bool same;
};

static struct sides
look(const struct memory *m, const char *remote)
{
	return (struct sides){
		.base = has_base(m),
		.local = m->local[0] != '\0',
		.remote = remote[0] != '\0',
		.local_changed = !str_eq(m->local, m->base_local),
		.remote_changed = !str_eq(remote, m->base_remote),
		.same = m->local[0] != '\0' && str_eq(m->local, remote),
	};
}

/* What goes up: a read-only store gets nothing, and what the store refused is
 * offered again only when it is another. */
static enum memory_action
upload(const struct memory *m, const struct memory_sync *s,
    enum memory_action action)
{
	if (s->read_only || str_eq(m->refused, m->local))
		return MEMORY_KEEP;
	return action;
}

static enum memory_action
decide_both(const struct memory *m, const struct sides *d,
    const struct memory_sync *s)
{
	if (d->same)
		return MEMORY_ADOPT;
	if (!d->local_changed && !d->remote_changed)
		return MEMORY_NOTHING;
	if (!d->remote_changed)
		return upload(m, s, MEMORY_UPDATE);
	return MEMORY_PULL;
}

/* Whether a deletion is old enough to be believed.  A look at the folder may
 * have come between an editor's unlink and its rename. */
static bool
is_ripe(const struct memory *m, const struct memory_sync *s)
{
	return s->final || s->now_ms - m->absent_ms >= MEMORY_ABSENT_MS;
}

static enum memory_action
decide_deleted(const struct memory *m, const struct memory_sync *s)
{
	if (s->upload_only || s->cut)
		return MEMORY_NOTHING;
	if (s->read_only || s->folder == MEMORY_FOLDER_LOST)
		return MEMORY_PULL;
	if (s->deletes == MEMORY_DELETES_DISABLED)
		return MEMORY_NOTHING;
	if (!is_ripe(m, s))
		return MEMORY_WAIT;
	return s->deletes == MEMORY_DELETES_LOG_ONLY ? MEMORY_REPORT
	    : MEMORY_DELETE_REMOTE;
}

static enum memory_action
decide(const struct memory *m, const struct sides *d,
    const struct memory_sync *s)
{
	if (m->blocked)
		return d->remote && d->remote_changed ? MEMORY_PULL
		    : MEMORY_KEEP;
	if (d->local && d->remote)
		return decide_both(m, d, s);
	if (d->local)
		return d->base && !d->local_changed ? MEMORY_DELETE_LOCAL
		    : upload(m, s, MEMORY_CREATE);
	if (!d->remote)
		return MEMORY_FORGET;
	return d->base && !d->remote_changed ? decide_deleted(m, s)
	    : MEMORY_PULL;
}

/* An upload whose answer got lost has arrived when the store shows it. */
static void
settle_sent(struct memory *m)
{
	char sent[MEMORY_HASH_CAP];

	if (m->sent[0] == '\0')
		return;
	str_format(sent, sizeof sent, "%s", m->sent);
	m->sent[0] = '\0';
	if (str_eq(m->remote, sent))
		memory_agree(m, sent, sent);
}

/* Whether the folder had several files and has none: nobody deletes one by
 * one like that. */
static bool
was_emptied(const struct memory_list *l)
{
	size_t had = 0;

	for (size_t i = 0; i < l->count; i++) {
		if (l->at[i]->local[0] != '\0' || l->at[i]->blocked)
			return false;
		had += l->at[i]->base_local[0] != '\0' ? 1 : 0;
	}
	return had > 1;
}

static size_t
deletes_max(const struct memory_list *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->count; i++)
		n += has_base(l->at[i]) ? 1 : 0;
	n /= 4;
	if (n > MEMORY_DELETES_MAX)
		n = MEMORY_DELETES_MAX;
	return n < MEMORY_DELETES_MIN ? MEMORY_DELETES_MIN : n;
}

static void
plan_one(struct memory *m, const struct memory_sync *s)
{
	struct sides d;

	if (!s->upload_only)
		settle_sent(m);
	d = look(m, s->upload_only ? m->base_remote : m->remote);
	if (d.local || m->blocked || !d.base)
		m->absent_ms = 0;
	else if (m->absent_ms == 0)
		m->absent_ms = s->now_ms;
	m->action = decide(m, &d, s);
	m->conflict = m->action == MEMORY_PULL &&
	    ((d.local && d.local_changed) || m->blocked);
}

void
memory_plan(struct memory_list *l, const struct memory_sync *given)
{
	struct memory_sync s = *given;
	size_t deletes = 0, max = deletes_max(l);

	if (s.folder == MEMORY_FOLDER_GOOD && was_emptied(l))
		s.folder = MEMORY_FOLDER_LOST;
	for (size_t i = 0; i < l->count; i++) {
		struct memory *m = l->at[i];

		if (s.folder == MEMORY_FOLDER_FOREIGN) {
			m->action = MEMORY_NOTHING;
			m->conflict = false;
			continue;
		}
		plan_one(m, &s);
		if (m->action == MEMORY_DELETE_REMOTE && ++deletes > max)
			m->action = MEMORY_WAIT;
	}
}
