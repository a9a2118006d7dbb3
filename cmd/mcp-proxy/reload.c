/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/reload.h"

#include <stdlib.h>

#include "cmd/mcp-proxy/setup.h"
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

	if (c == NULL) {
		refuse(s, "out of memory", 0);
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

void
reload_run(struct server *s)
{
	struct config *c;
	struct setup u;
	struct error e;

	io_notify_reload();
	c = load(s);
	if (c != NULL && setup_prepare(&u, &s->proxy, c, &e) == 0)
		use(s, &u);
	else if (c != NULL)
		refuse(s, e.text, 0);
	io_notify("READY=1");
}
