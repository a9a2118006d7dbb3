/* SPDX-License-Identifier: ISC */
/* What two configurations have in common. */
#include <stdlib.h>

#include "cmd/mcp-proxy/loader.h"
#include "common/str.h"

static bool
is_same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && str_eq(a, b));
}

/* Lists of words, which end with NULL, or are NULL. */
static bool
is_same_list(char *const *a, char *const *b)
{
	size_t i = 0;

	if (a == NULL || b == NULL)
		return a == b;
	while (a[i] != NULL && is_same_text(a[i], b[i]))
		i++;
	return a[i] == b[i];
}

static bool
is_same_policy(const struct config_policy *a, const struct config_policy *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return is_same_list(a->tools, b->tools) &&
	    is_same_list(a->prompts, b->prompts) &&
	    is_same_list(a->resources, b->resources) &&
	    is_same_list(a->methods, b->methods) &&
	    is_same_text(a->program, b->program) &&
	    a->message_max == b->message_max;
}

static bool
is_same_agents(const struct config_agents *a, const struct config_agents *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return is_same_text(a->file, b->file) &&
	    is_same_text(a->issuer, b->issuer) &&
	    is_same_text(a->audience, b->audience) &&
	    is_same_text(a->keys_file, b->keys_file) &&
	    is_same_text(a->scope, b->scope);
}

/* Whether processes of one can serve the other. */
static bool
is_same_command(const struct config_stdio *a, const struct config_stdio *b)
{
	return is_same_list(a->argv, b->argv) &&
	    is_same_list(a->envp, b->envp) && is_same_text(a->dir, b->dir) &&
	    a->mode == b->mode && a->pool == b->pool &&
	    a->message_max == b->message_max;
}

static bool
is_same_stdio(const struct config_stdio *a, const struct config_stdio *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return is_same_command(a, b) && str_eq(a->path, b->path) &&
	    a->sessions_max == b->sessions_max && a->idle_ms == b->idle_ms &&
	    a->request_ms == b->request_ms &&
	    a->restarts_max == b->restarts_max;
}

bool
config_is_same(const struct config_route *a, const struct config_route *b)
{
	return a == b || (str_eq(a->origin, b->origin) &&
	    is_same_text(a->as_host, b->as_host) &&
	    is_same_text(a->prefix, b->prefix) &&
	    is_same_text(a->headers_file, b->headers_file) &&
	    is_same_policy(a->policy, b->policy) &&
	    is_same_agents(a->agents, b->agents));
}

bool
config_keeps_processes(const struct config_route *a,
    const struct config_route *b)
{
	if (a->kind != CONFIG_STDIO || b->kind != CONFIG_STDIO ||
	    !str_eq(a->name, b->name) || !is_same_command(a->stdio, b->stdio))
		return false;
	if (a->policy == NULL || b->policy == NULL)
		return a->policy == b->policy;
	return a->policy->message_max == b->policy->message_max;
}

void
config_share(struct config *fresh, const struct config *old)
{
	for (size_t i = 0; i < fresh->route_count; i++) {
		struct config_route *r = fresh->routes[i];
		struct config_route *same = config_find_route(old, r->name);

		if (same == NULL || !config_is_same(same, r) ||
		    !is_same_stdio(same->stdio, r->stdio))
			continue;
		config_hold_route(same);
		fresh->routes[i] = same;
		config_drop_route(r);
	}
}

void
config_hold_route(struct config_route *r)
{
	r->refs++;
}

void
config_drop_route(struct config_route *r)
{
	if (r == NULL || --r->refs != 0)
		return;
	loader_free_route(r);
	free(r);
}
