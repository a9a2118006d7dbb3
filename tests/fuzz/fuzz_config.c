/* SPDX-License-Identifier: ISC */
/* Any text: it is accepted with values that hold together, or it has a
 * problem that names the file. */
#include <assert.h>

#include "cmd/mcp-proxy/config.h"
#include "cmd/mcp-proxy/origin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check_stdio(const struct config_stdio *s)
{
	assert(s->argv[0] != NULL && s->argv[0][0] != '\0');
	assert(s->path[0] == '/');
	assert(s->pool >= 1 && s->pool <= CONFIG_POOL_MAX);
	assert(s->mode == CONFIG_POOL || s->pool == 1);
	assert(s->sessions_max > 0 && s->idle_ms > 0 && s->restarts_max > 0);
	for (char **e = s->envp; e != NULL && *e != NULL; e++)
		assert(strchr(*e, '=') != NULL && **e != '=');
}

static void
check_config(const struct config *c)
{
	assert(c->route_count != 0 && c->route_count <= CONFIG_ROUTES_MAX);
	assert(c->cert_file != NULL && c->key_file != NULL);
	for (size_t i = 0; i < c->route_count; i++) {
		const struct config_route *r = c->routes[i];
		struct origin o;
		struct error e;

		assert(config_route(c, bytes_cstr(r->name)) == r);
		assert((r->stdio != NULL) == (r->kind == CONFIG_STDIO));
		assert((r->socket != NULL) == (r->kind == CONFIG_UNIX));
		if (r->stdio != NULL)
			check_stdio(r->stdio);
		if (r->kind != CONFIG_TCP)
			continue;
		assert(origin_parse(r->origin, &o, &e) == 0);
		assert(str_eq(o.host, r->host) && o.port == r->port);
		assert(!r->https || c->ca_file != NULL || c->system_cas);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct config_problems problems;
	struct config c;

	if (config_parse("f", bytes_of(data, len), &c, &problems) == 0) {
		assert(problems.count == 0 && !problems.cut);
		check_config(&c);
		config_done(&c);
	} else {
		assert(problems.count != 0);
		for (size_t i = 0; i < problems.count; i++)
			assert(str_starts(problems.text[i], "f:"));
	}
	config_problems_done(&problems);
	return 0;
}
