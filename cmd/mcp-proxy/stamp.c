/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/stamp.h"

#include <string.h>

void
stamp_take(const char *path, struct stamp *ret)
{
	struct stat st;

	memset(ret, 0, sizeof *ret);
	if (stat(path, &st) != 0)
		return;
	ret->dev = st.st_dev;
	ret->ino = st.st_ino;
	ret->size = st.st_size;
	ret->modified = st.st_mtim;
	ret->changed = st.st_ctim;
}

static bool
is_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool
stamp_eq(const struct stamp *a, const struct stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	    is_same_time(a->modified, b->modified) &&
	    is_same_time(a->changed, b->changed);
}

void
stamp_watch_init(struct stamp_watch *w, const char *path)
{
	stamp_take(path, &w->loaded);
	w->seen = w->loaded;
}

bool
stamp_watch_look(struct stamp_watch *w, const char *path)
{
	struct stamp now;
	bool settled;

	stamp_take(path, &now);
	settled = stamp_eq(&now, &w->seen);
	w->seen = now;
	if (!settled || stamp_eq(&now, &w->loaded))
		return false;
	w->loaded = now;
	return true;
}
