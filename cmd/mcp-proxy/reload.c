/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/reload.h"

#include <stdlib.h>

#include "cmd/mcp-proxy/policy.h"
#include "cmd/mcp-proxy/service.h"
#include "common/diag.h"
#include "common/io.h"
#include "common/str.h"

/* Goes on with what is in use, because of why. */
static void
refuse(struct server *s, const char *why, size_t more)
{
	if (more == 0)
		diag_warning("%s; going on with the configuration in use",
		    why);
	else
		diag_warning("%s, and %zu more; going on with the "
		    "configuration in use", why, more);
	audit_note(&s->proxy.audit, "reload", "refused", why);
}

static struct config *
load(struct server *s)
{
	struct config *c = malloc(sizeof *c);
	struct config_problems problems;
	struct error e;

	if (c == NULL) {
		refuse(s, "out of memory", 0);
		return NULL;
	}
	if (io_check_again(s->config_path, &e) != 0) {
		refuse(s, e.text, 0);
		free(c);
		return NULL;
	}
	if (config_load(s->config_path, c, &problems) != 0) {
		refuse(s, problems.count == 0 ? "out of memory"
		    : problems.text[0], problems.count < 2 ? 0
		    : problems.count - 1);
		free(c);
		c = NULL;
	}
	config_problems_done(&problems);
	return c;
}

static bool
is_same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && str_eq(a, b));
}

/* Keeps what can not change while mcp-proxy runs: *fresh becomes what is in
 * use, *used. */
static void
keep(const char *key, char **fresh, char **used)
{
	char *text = *fresh;

	if (!is_same(*fresh, *used))
		diag_warning("%s: a change needs a restart", key);
	*fresh = *used;
	*used = text;
}

void
reload_level(const struct server *s)
{
	int level = s->proxy.config->log_level;

	if (s->level_from_file)
		diag_set_level(level < 0 ? DIAG_NOTICE
		    : (enum diag_level)level);
}

static void
use(struct server *s, struct setup *u)
{
	struct config *used = s->proxy.config;

	keep("audit", &u->config->audit_file, &used->audit_file);
	if (s->listens_by_file)
		keep("listen_addr", &u->config->listen_addr,
		    &used->listen_addr);
	keys_take(&s->keys, &u->keys, u->config);
	setup_use(u, &s->proxy);
	reload_level(s);
	diag_notice("configuration loaded: %s: routes=%zu", s->config_path,
	    s->proxy.config->route_count);
	audit_reload(&s->proxy.audit, s->config_path,
	    s->proxy.config->digest);
}

static void
end(struct server *s)
{
	bool again = s->reload.state == RELOAD_AGAIN;

	s->reload.state = RELOAD_NONE;
	io_notify("READY=1");
	if (again)
		reload_start(s);
}

/* Uses what is prepared once all of its programs compile, or gives it up. */
static void
go_on(struct server *s)
{
	struct error e;
	int r = policy_state(&s->proxy, &e);

	if (r == 0)
		return;
	if (r == 1) {
		use(s, &s->reload.setup);
	} else {
		setup_cancel(&s->reload.setup, &s->proxy);
		refuse(s, e.text, 0);
	}
	end(s);
}

static void
on_look(struct ev_loop *ev, ev_timer *t, int revents)
{
	struct server *s = t->data;

	(void)ev;
	(void)revents;
	if (s->reload.state != RELOAD_NONE)
		go_on(s);
}

/* What tells of programs does not bear their end, so that waits a turn. */
static void
on_prepared(struct proxy *p)
{
	struct server *s = (struct server *)p;

	ev_timer_stop(p->ev, &s->reload.look);
	ev_timer_set(&s->reload.look, 0, 0);
	ev_timer_start(p->ev, &s->reload.look);
}

void
reload_init(struct server *s)
{
	ev_timer_init(&s->reload.look, on_look, 0, 0);
	s->reload.look.data = s;
	s->proxy.prepared = on_prepared;
}

void
reload_start(struct server *s)
{
	struct config *c;
	struct error e;

	if (s->reload.state != RELOAD_NONE) {
		s->reload.state = RELOAD_AGAIN;
		return;
	}
	io_notify_reload();
	service_reap(&s->proxy); /* of what was given up, programs too */
	c = load(s);
	if (c == NULL) {
		end(s);
	} else if (setup_prepare(&s->reload.setup, &s->proxy, c, &e) != 0) {
		refuse(s, e.text, 0);
		end(s);
	} else {
		s->reload.state = RELOAD_PREPARING;
		go_on(s);
	}
}

void
reload_stop(struct server *s)
{
	ev_timer_stop(s->proxy.ev, &s->reload.look);
	if (s->reload.state != RELOAD_NONE)
		setup_cancel(&s->reload.setup, &s->proxy);
	s->reload.state = RELOAD_NONE;
}
