/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/service.h"

#include <stdlib.h>

#include "cmd/mcp-proxy/admit.h"
#include "cmd/mcp-proxy/bridge.h"
#include "cmd/mcp-proxy/headers.h"
#include "cmd/mcp-proxy/policy.h"
#include "cmd/mcp-proxy/roster.h"
#include "cmd/mcp-proxy/upstream.h"
#include "common/diag.h"
#include "common/proc.h"

static void
service_free(struct service *s)
{
	policy_drop_program(s->proxy, s->program);
	kept_drop(s->proxy, s->roster);
	kept_drop(s->proxy, s->keys);
	kept_drop(s->proxy, s->headers);
	config_drop_route(s->route);
	free(s);
}

void
service_reap(struct proxy *p)
{
	while (p->dead_services != NULL) {
		struct service *s = p->dead_services;

		p->dead_services = s->next_dead;
		service_free(s);
	}
}

/* Holds a file, if there is one. */
static int
hold(struct service *s, const struct kept_kind *kind, const char *path,
    struct kept **ret, struct error *e)
{
	if (path != NULL)
		*ret = kept_hold(s->proxy, kind, path, e);
	return path == NULL || *ret != NULL ? 0 : -1;
}

/* The command may come later; other routes are served now. */
static void
find_command(const struct config_route *r)
{
	const struct proc_command command = {
		.argv = (const char *const *)r->stdio->argv,
		.dir = r->stdio->dir,
	};
	struct error e;

	if (proc_find(&command, &e) != 0)
		diag_warning("%s: %s", r->origin, e.text);
}

/* Makes what it needs.  Returns 0, or -1 with a text. */
static int
equip(struct service *s, bool moves, struct error *e)
{
	const struct config_policy *policy = s->route->policy;
	const struct config_agents *agents = s->route->agents;

	if (policy != NULL && policy->program != NULL) {
		s->program = policy_hold_program(s->proxy, policy->program, e);
		if (s->program == NULL)
			return -1;
	}
	if (hold(s, &roster_kept, agents == NULL ? NULL : agents->file,
	    &s->roster, e) != 0 ||
	    hold(s, &admit_keys_kept, agents == NULL ? NULL :
	    agents->keys_file, &s->keys, e) != 0 ||
	    hold(s, &headers_kept, s->route->headers_file, &s->headers, e) != 0)
		return -1;
	if (s->route->kind != CONFIG_STDIO || moves)
		return 0;
	find_command(s->route);
	s->bridge = bridge_new(s->proxy, s->route);
	return s->bridge == NULL ? error_set(e, "out of memory") : 0;
}

int
service_start(struct proxy *p, struct config_route *r, bool moves,
    struct error *e)
{
	struct service *s = calloc(1, sizeof *s);

	if (s == NULL)
		return error_set(e, "out of memory");
	s->proxy = p;
	s->route = r;
	s->refs = 1;
	config_hold_route(r);
	r->service = s;
	if (equip(s, moves, e) == 0)
		return 0;
	service_retire(s);
	return -1;
}

void
service_retire(struct service *s)
{
	if (s == NULL)
		return;
	s->retired = true;
	upstream_close_pool(&s->pool);
	if (s->bridge != NULL)
		bridge_retire(s->bridge);
	s->bridge = NULL;
	service_drop(s->route);
}

bool
service_is_current(const struct config_route *r)
{
	return r->service != NULL && !r->service->retired;
}

void
service_hold(const struct config_route *r)
{
	if (r != NULL)
		r->service->refs++;
}

/* What calls may be called by what is freed, so that waits. */
void
service_drop(const struct config_route *r)
{
	struct service *s = r == NULL ? NULL : r->service;

	if (s == NULL || --s->refs != 0)
		return;
	s->route->service = NULL;
	s->next_dead = s->proxy->dead_services;
	s->proxy->dead_services = s;
}
