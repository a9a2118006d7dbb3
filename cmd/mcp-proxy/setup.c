/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/setup.h"

#include <stdlib.h>

#include "cmd/mcp-proxy/bridge.h"
#include "cmd/mcp-proxy/downstream.h"
#include "cmd/mcp-proxy/service.h"
#include "cmd/mcp-proxy/upstream.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/tls.h"

/* ---- before it is used ---- */

static int
client_tls_load(struct setup *u, struct error *e)
{
	const struct config *c = u->config;
	struct tls_client_settings s = {
		.ca_file = c->ca_file, .system_cas = c->system_cas,
		.cert_file = c->client_cert_file,
		.key_file = c->client_key_file,
		.alpn = "http/1.1", .allow_tls12 = true,
	};
	bool needed = false;

	for (size_t i = 0; i < c->route_count; i++)
		needed = needed || c->routes[i]->https;
	if (!needed)
		return 0;
	u->client_tls = tls_context_client(&s, e);
	return u->client_tls == NULL ? -1 : 0;
}

/* The route in use whose processes go on for r, or NULL. */
static struct config_route *
find_kept(const struct config *old, const struct config_route *r)
{
	struct config_route *was = old == NULL ? NULL
	    : config_find_route(old, r->name);

	return was != NULL && config_keeps_processes(was, r) ? was : NULL;
}

static int
services_start(struct setup *u, struct proxy *p, struct error *e)
{
	for (size_t i = 0; i < u->config->route_count; i++) {
		struct config_route *r = u->config->routes[i];

		if (r->service == NULL && service_start(p, r,
		    find_kept(p->config, r) != NULL, e) != 0)
			return -1;
	}
	return 0;
}

/* Ends what runs for routes of c that other, perhaps NULL, has not. */
static void
services_retire(const struct config *c, const struct config *other)
{
	for (size_t i = 0; i < c->route_count; i++) {
		struct config_route *r = c->routes[i];

		if (other == NULL || config_find_route(other, r->name) != r)
			service_retire(r->service);
	}
}

/* Whether the files of c, which is not the first, can be read. */
static int
check_again(const struct config *c, struct error *e)
{
	if (io_check_again(c->ca_file, e) != 0 ||
	    io_check_again(c->cert_file, e) != 0)
		return -1;
	return io_check_again(c->key_file, e);
}

int
setup_prepare(struct setup *u, struct proxy *p, struct config *c,
    struct error *e)
{
	*u = (struct setup){.config = c};
	if (p->config != NULL)
		config_share(c, p->config);
	if ((p->config == NULL || check_again(c, e) == 0) &&
	    client_tls_load(u, e) == 0 &&
	    keys_load(&u->keys, c, e) == 0 && services_start(u, p, e) == 0)
		return 0;
	e->code = EXIT_USAGE;
	setup_cancel(u, p);
	return -1;
}

void
setup_cancel(struct setup *u, struct proxy *p)
{
	services_retire(u->config, p->config);
	keys_pair_done(&u->keys);
	tls_context_free(u->client_tls);
	config_free(u->config);
}

/* ---- from one to the next ---- */

static void
move_bridges(const struct config *old, const struct config *fresh)
{
	for (size_t i = 0; i < fresh->route_count; i++) {
		struct config_route *r = fresh->routes[i];
		struct config_route *was = r->kind == CONFIG_STDIO &&
		    r->service->bridge == NULL ? find_kept(old, r) : NULL;

		if (was == NULL)
			continue;
		r->service->bridge = was->service->bridge;
		was->service->bridge = NULL;
		bridge_move(r->service->bridge, r);
	}
}

void
setup_use(struct setup *u, struct proxy *p)
{
	struct config *old = p->config;

	if (old != NULL) {
		move_bridges(old, u->config);
		upstream_close_idle(p); /* old rules let them be dialed */
	}
	p->config = u->config;
	p->era++;
	http_set_head_max((size_t)u->config->header_max);
	/* What is dialed for a route that goes may need the old one yet. */
	if (u->client_tls != NULL) {
		tls_context_free(p->client_tls);
		p->client_tls = u->client_tls;
	}
	if (old == NULL)
		return;
	services_retire(old, u->config);
	downstream_leave_routes(p);
	config_free(old);
}

void
setup_end(struct proxy *p)
{
	struct config *c = p->config;

	if (c == NULL)
		return;
	services_retire(c, NULL);
	p->config = NULL;
	config_free(c);
	tls_context_free(p->client_tls);
	p->client_tls = NULL;
}
