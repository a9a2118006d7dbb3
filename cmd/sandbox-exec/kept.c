/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/kept.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/sandbox-exec/finder.h"
#include "cmd/sandbox-exec/masks_keep.h"
#include "common/io.h"
#include "common/str.h"

static int
compare(const void *a, const void *b)
{
	char *const *left = a, *const *right = b;

	return path_compare(*left, *right);
}

/* Takes the paths of what was found. */
static int
take(struct masks *m, struct kept *ret, struct error *e)
{
	ret->paths = calloc(m->count + 1, sizeof *ret->paths);
	if (ret->paths == NULL)
		return error_errno(e, "protected names");
	ret->cut = m->cut;
	for (size_t i = 0; i < m->count; i++) {
		struct masks_entry *entry = &m->entries[i];

		if (entry->kind != MASKS_KEEP)
			continue;
		ret->paths[ret->count++] = entry->path;
		entry->path = NULL;
	}
	qsort(ret->paths, ret->count, sizeof *ret->paths, compare);
	return 0;
}

/* As if the directory were given with --rw. */
static void
search(struct policy *p, char *dir, struct masks *ret, struct finder *f)
{
	struct masks_watches none = {0};

	p->paths[0] = (struct policy_path){
		.access = POLICY_RW, .host = dir, .inside = dir,
	};
	p->path_count = 1;
	f->policy = p;
	f->masks = ret;
	f->watches = &none;
	f->visits = MASKS_PROTECT_VISITS;
	f->entries_max = MASKS_MAX;
	f->soft = true;
	f->is_default = f->failed = false;
	finder_init(f);
	f->on_paper = true;
	masks_keep_path(f, &p->paths[0]);
	masks_keep_homes(f);
	finder_done(f);
	f->watches = NULL;
}

int
kept_find(const char *dir, char *home, struct kept *ret, struct error *e)
{
	struct policy *p = calloc(1, sizeof *p);
	struct finder *f = calloc(1, sizeof *f);
	int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *inside = strdup(dir);
	struct masks m = {0};
	int r = -1;

	*ret = (struct kept){.dir = dir};
	if (p == NULL || f == NULL || inside == NULL || root_fd == -1) {
		error_errno(e, "protected names");
	} else {
		p->home_of[POLICY_OWN] = home;
		f->root_fd = root_fd;
		f->error = e;
		search(p, inside, &m, f);
		r = f->failed ? -1 : take(&m, ret, e);
	}
	masks_done(&m);
	io_close(&root_fd);
	free(inside);
	free(f);
	free(p);
	return r;
}

void
kept_done(struct kept *k)
{
	for (size_t i = 0; i < k->count; i++)
		free(k->paths[i]);
	free(k->paths);
	*k = (struct kept){0};
}

bool
kept_has(const struct kept *k, const char *path)
{
	char full[PATH_LEN];
	char *key = full, *end;

	if (k->count == 0 || str_format(full, sizeof full, "%s/%s",
	    k->dir[1] == '\0' ? "" : k->dir, path) != 0)
		return false;
	for (end = full + strlen(full); end != full;
	    end = strrchr(full, '/')) {
		*end = '\0';
		if (full[0] != '\0' && bsearch(&key, k->paths, k->count,
		    sizeof *k->paths, compare) != NULL)
			return true;
	}
	return false;
}
