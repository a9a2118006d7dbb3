/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/kept.h"

#include <stdlib.h>

#include "cmd/mcp-proxy/downstream.h"
#include "cmd/mcp-proxy/stamp.h"
#include "common/diag.h"
#include "common/io.h"
#include "common/str.h"

struct kept {
	struct kept *next;
	size_t refs;
	const struct kept_kind *kind;
	char *path;
	void *value;
	struct stamp_watch watch;
};

/* See stamp.h. */
static const double look_s = 0.5;

static struct kept *
find(const struct proxy *p, const struct kept_kind *kind, const char *path)
{
	struct kept *k = p->kept;

	while (k != NULL && (k->kind != kind || !str_eq(k->path, path)))
		k = k->next;
	return k;
}

/* While it serves, nothing may wait for a pipe. */
static void *
read_file(const struct proxy *p, const struct kept *k, struct error *e)
{
	if (p->config != NULL && io_check_again(k->path, e) != 0)
		return NULL;
	return k->kind->read(k->path, e);
}

static struct kept *
kept_new(const struct proxy *p, const struct kept_kind *kind,
    const char *path, struct error *e)
{
	struct kept *k = calloc(1, sizeof *k);

	if (k == NULL || (k->path = strdup(path)) == NULL) {
		free(k);
		error_set(e, "out of memory");
		return NULL;
	}
	k->kind = kind;
	k->refs = 1;
	stamp_watch_init(&k->watch, path);
	k->value = read_file(p, k, e);
	if (k->value != NULL)
		return k;
	free(k->path);
	free(k);
	return NULL;
}

struct kept *
kept_hold(struct proxy *p, const struct kept_kind *kind, const char *path,
    struct error *e)
{
	struct kept *k = find(p, kind, path);

	if (k != NULL) {
		k->refs++;
		return k;
	}
	k = kept_new(p, kind, path, e);
	if (k == NULL)
		return NULL;
	k->next = p->kept;
	p->kept = k;
	return k;
}

void
kept_drop(struct proxy *p, struct kept *k)
{
	struct kept **at = &p->kept;

	if (k == NULL || --k->refs != 0)
		return;
	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	k->kind->done(k->value);
	free(k->path);
	free(k);
}

const void *
kept_value(const struct kept *k)
{
	return k->value;
}

static void
load_again(struct proxy *p, struct kept *k)
{
	struct error e;
	void *fresh = read_file(p, k, &e);

	if (fresh == NULL) {
		diag_warning("%s; keeping the %s in use", e.text,
		    k->kind->what);
		return;
	}
	k->kind->done(k->value);
	k->value = fresh;
	diag_notice("%s loaded: %s", k->kind->what, k->path);
	audit_note(&p->audit, "reload", k->kind->what, k->path);
}

/* Also when nothing has changed: what agents have shown may be over. */
static void
on_look(struct ev_loop *ev, ev_timer *t, int revents)
{
	struct proxy *p = t->data;

	(void)ev;
	(void)revents;
	for (struct kept *k = p->kept; k != NULL; k = k->next) {
		if (stamp_watch_look(&k->watch, k->path))
			load_again(p, k);
	}
	if (p->kept != NULL)
		downstream_leave_agents(p);
}

void
kept_start(struct proxy *p)
{
	ev_timer_init(&p->kept_look, on_look, look_s, look_s);
	p->kept_look.data = p;
	ev_timer_start(p->ev, &p->kept_look);
}

void
kept_stop(struct proxy *p)
{
	ev_timer_stop(p->ev, &p->kept_look);
}
