/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/mcp-proxy/loader.h"
#include "common/diag.h"
#include "common/io.h"
#include "common/sock.h"
#include "common/str.h"

enum {
	TEXT_LEN = 384,
	LINE_LEN = 700,
	SECOND = LOADER_SECOND,
	MINUTE = LOADER_MINUTE,
	HOUR = LOADER_HOUR,
	DAY = LOADER_DAY,
	DISTANCE_MAX = 3, /* letters of a slip of the pen */
};

static loader_take take_domain, take_ranges, take_unguarded;

#define VALUE(name, parse, field, min, max) \
	{name, loader_take_value, parse, offsetof(struct config, field), \
	    {min, max}, NULL}
#define TAKEN(name, take, parse, field) \
	{name, take, parse, offsetof(struct config, field), {0, 0}, NULL}
#define MAP(name, keys) {name, loader_take_map, NULL, 0, {0, 0}, keys}
#define END {NULL, NULL, NULL, 0, {0, 0}, NULL}

static const struct loader_key tls_keys[] = {
	VALUE("cert_file", value_text, cert_file, 0, 0),
	VALUE("key_file", value_text, key_file, 0, 0),
	VALUE("min_version", value_version, allow_tls12, 0, 0),
	END,
};

static const struct loader_key upstream_tls_keys[] = {
	VALUE("ca_file", value_text, ca_file, 0, 0),
	VALUE("include_system_cas", value_bool, system_cas, 0, 0),
	VALUE("cert_file", value_text, client_cert_file, 0, 0),
	VALUE("key_file", value_text, client_key_file, 0, 0),
	END,
};

static const struct loader_key upstream_keys[] = {
	TAKEN("allowed_ips", take_ranges, NULL, guard),
	TAKEN("disable_ip_validation", take_unguarded, value_bool, guard),
	MAP("tls", upstream_tls_keys),
	VALUE("connect_timeout", value_duration, connect_ms, 1, HOUR),
	VALUE("response_timeout", value_duration, response_ms, 0, DAY),
	VALUE("resolver", value_server, resolver, 0, 0),
	END,
};

static const struct loader_key limits_keys[] = {
	VALUE("idle_timeout", value_duration, idle_ms, SECOND, 7 * DAY),
	VALUE("header_timeout", value_duration, header_ms, 1, HOUR),
	VALUE("header_size", value_size, header_max, 1 << 10, 1 << 20),
	VALUE("streams", value_number, streams_max, 1, 1 << 20),
	END,
};

static const struct loader_key top_keys[] = {
	VALUE("listen_addr", value_listen, listen_addr, 0, 0),
	VALUE("log_level", value_level, log_level, 0, 0),
	VALUE("shutdown_timeout", value_duration, shutdown_ms, 0, DAY),
	TAKEN("tunnel_domain", take_domain, value_domain, tunnel_domain),
	MAP("tls", tls_keys),
	TAKEN("routes", loader_take_routes, NULL, routes),
	MAP("upstream", upstream_keys),
	MAP("limits", limits_keys),
	{"policy", loader_take_policy, NULL, offsetof(struct config, policy),
	    {0, 0}, loader_policy_keys},
	{"agents", loader_take_agents, NULL, offsetof(struct config, agents),
	    {0, 0}, loader_agents_keys},
	VALUE("audit", value_text, audit_file, 0, 0),
	END,
};

static void
add_line(struct config_problems *p, const char *line)
{
	char *copy = p->count == CONFIG_PROBLEMS_MAX ? NULL : strdup(line);

	if (copy == NULL)
		p->cut = true;
	else
		p->text[p->count++] = copy;
}

void
loader_complain(struct loader *l, struct yamldoc_at at, const char *format, ...)
{
	char text[TEXT_LEN], line[LINE_LEN];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	if (at.line == 0)
		str_format(line, sizeof line, "%.256s: %s", l->name, text);
	else
		str_format(line, sizeof line, "%.256s:%u:%u: %s", l->name,
		    at.line, at.column, text);
	add_line(l->problems, line);
}

const char *
loader_quote(const char *text, char out[static LOADER_QUOTED_LEN])
{
	return diag_quote(out, LOADER_QUOTED_LEN, bytes_cstr(text));
}

void
loader_join(char out[static LOADER_PATH_LEN], const char *above, const char *name)
{
	char safe[LOADER_QUOTED_LEN];
	size_t len;

	loader_quote(name, safe);
	len = strlen(safe);
	/* diag_quote's quotes go; what they kept out stays escaped. */
	safe[len - 1] = '\0';
	str_format(out, LOADER_PATH_LEN, "%s%s%s", above, above[0] == '\0' ? "" : ".",
	    safe + 1);
}

/* Whether value is a text that is not empty; if not, it was told. */
static bool
is_text(struct loader *l, const char *path, const struct yamldoc_node *value)
{
	switch (value->kind) {
	case YAMLDOC_SCALAR:
		if (value->text[0] != '\0')
			return true;
		loader_complain(l, value->at, "%s: empty", path);
		break;
	case YAMLDOC_LIST:
		loader_complain(l, value->at, "%s: a list, must be one value", path);
		break;
	case YAMLDOC_MAP:
		loader_complain(l, value->at, "%s: a map, must be one value", path);
		break;
	case YAMLDOC_NULL:
		break; /* as if it were absent */
	}
	return false;
}

struct nearest {
	size_t distance;
	char path[LOADER_PATH_LEN];
};

/* Looks for the known key that is most like name, in keys and below. */
static void
find_nearest(const struct loader_key *keys, const char *above, const char *name,
    struct nearest *best)
{
	for (; keys->name != NULL; keys++) {
		size_t d = str_distance(name, keys->name);
		char path[LOADER_PATH_LEN];

		loader_join(path, above, keys->name);
		if (d < best->distance && 2 * d < strlen(name)) {
			best->distance = d;
			memcpy(best->path, path, sizeof path);
		}
		if (keys->below != NULL)
			find_nearest(keys->below, path, name, best);
	}
}

static void
complain_unknown(struct loader *l, const char *above, const char *path,
    const struct loader_key *keys, const struct yamldoc_node *value)
{
	struct nearest best = {.distance = DISTANCE_MAX + 1};

	find_nearest(keys, above, value->key, &best);
	find_nearest(top_keys, "", value->key, &best);
	if (best.path[0] != '\0')
		loader_complain(l, value->key_at, "%s: unknown key, did you mean "
		    "%s?", path, best.path);
	else
		loader_complain(l, value->key_at, "%s: unknown key", path);
}

void
loader_take_map(struct loader *l, const char *path, const struct loader_key *key,
    const struct yamldoc_node *value)
{
	if (value->kind == YAMLDOC_NULL)
		return;
	if (value->kind != YAMLDOC_MAP) {
		loader_complain(l, value->at, "%s%s%s, must be a map of keys", path,
		    path[0] == '\0' ? "the file is " : ": ",
		    value->kind == YAMLDOC_LIST ? "a list" : "one value");
		return;
	}
	for (const struct yamldoc_node *n = value->first; n != NULL;
	    n = n->next) {
		const struct loader_key *k = key->below;
		char below[LOADER_PATH_LEN];

		loader_join(below, path, n->key);
		while (k->name != NULL && !str_eq(k->name, n->key))
			k++;
		if (k->name == NULL)
			complain_unknown(l, path, below, key->below, n);
		else
			k->take(l, below, k, n);
	}
}

void *
loader_take_counted(struct loader *l, const char *path,
    const struct loader_key *key, const struct yamldoc_node *value,
    size_t size)
{
	void *base = l->base, *new;

	if (value->kind == YAMLDOC_NULL)
		return NULL;
	new = calloc(1, size);
	if (new == NULL) {
		loader_complain(l, value->at, "out of memory");
		return NULL;
	}
	*(size_t *)new = 1;
	memcpy((char *)base + key->offset, &new, sizeof new);
	l->base = new;
	loader_take_map(l, path, key, value);
	l->base = base;
	return new;
}

static void
parse_value(struct loader *l, const char *path, const struct loader_key *key,
    const struct yamldoc_node *value, void *ret)
{
	char quoted[LOADER_QUOTED_LEN];
	struct error e;

	if (is_text(l, path, value) &&
	    key->parse(value->text, key->limits, ret, &e) != 0)
		loader_complain(l, value->at, "%s: %s: %s", path,
		    loader_quote(value->text, quoted), e.text);
}

void
loader_take_value(struct loader *l, const char *path, const struct loader_key *key,
    const struct yamldoc_node *value)
{
	parse_value(l, path, key, value, (char *)l->base + key->offset);
}

/* An empty domain is as good as none, as with the original. */
static void
take_domain(struct loader *l, const char *path, const struct loader_key *key,
    const struct yamldoc_node *value)
{
	if (value->kind != YAMLDOC_SCALAR || value->text[0] != '\0')
		loader_take_value(l, path, key, value);
}

static void
take_unguarded(struct loader *l, const char *path, const struct loader_key *key,
    const struct yamldoc_node *value)
{
	l->unguarded_at = value->key_at;
	parse_value(l, path, key, value, &l->unguarded);
}

static void
take_ranges(struct loader *l, const char *path, const struct loader_key *key,
    const struct yamldoc_node *value)
{
	char quoted[LOADER_QUOTED_LEN];
	struct error e;

	(void)key;
	if (value->kind == YAMLDOC_NULL)
		return;
	if (value->kind != YAMLDOC_LIST) {
		loader_complain(l, value->at, "%s: must be a list such as "
		    "[10.0.0.0/8, 192.168.1.7]", path);
		return;
	}
	for (const struct yamldoc_node *n = value->first; n != NULL;
	    n = n->next) {
		if (n->kind != YAMLDOC_SCALAR)
			loader_complain(l, n->at, "%s: an item that is no address "
			    "or range", path);
		else if (guard_add(&l->config->guard, n->text, &e) != 0)
			loader_complain(l, n->at, "%s: %s: %s", path,
			    loader_quote(n->text, quoted), e.text);
	}
}

static void
lower(char *text)
{
	for (; *text != '\0'; text++)
		*text = ascii_lower(*text);
}

static const struct yamldoc_node *
find_child(const struct yamldoc_node *n, const char *key)
{
	if (n == NULL || n->kind != YAMLDOC_MAP)
		return NULL;
	for (n = n->first; n != NULL; n = n->next) {
		if (str_eq(n->key, key))
			return n->kind == YAMLDOC_NULL ? NULL : n;
	}
	return NULL;
}

static void
check_required(struct loader *l, const struct yamldoc_node *root)
{
	static const char *const files[] = {"cert_file", "key_file"};
	const struct yamldoc_node *tls = find_child(root, "tls");
	const struct yamldoc_node *routes = find_child(root, "routes");
	const struct yamldoc_at nowhere = {0, 0};

	for (size_t i = 0; i < 2; i++) {
		if ((tls == NULL || tls->kind == YAMLDOC_MAP) &&
		    find_child(tls, files[i]) == NULL)
			loader_complain(l, tls == NULL ? nowhere : tls->key_at,
			    "tls.%s: missing", files[i]);
	}
	if (routes == NULL)
		loader_complain(l, nowhere, "routes: missing");
	else if (routes->kind == YAMLDOC_MAP && routes->first == NULL)
		loader_complain(l, routes->at, "routes: empty");
}

/* A certificate to show to upstreams needs its key. */
static void
check_client_cert(struct loader *l, const struct yamldoc_node *root)
{
	const struct yamldoc_node *tls = find_child(find_child(root,
	    "upstream"), "tls");
	bool cert = find_child(tls, "cert_file") != NULL;

	if (cert != (find_child(tls, "key_file") != NULL))
		loader_complain(l, tls->key_at, "upstream.tls: cert_file and "
		    "key_file belong together");
}

static void
check_guard(struct loader *l)
{
	struct guard *g = &l->config->guard;

	if (!l->unguarded)
		return;
	if (g->mode == GUARD_LISTED)
		loader_complain(l, l->unguarded_at, "upstream.disable_ip_validation: "
		    "true and upstream.allowed_ips exclude each other");
	g->mode = GUARD_OFF;
}

static void
set_defaults(struct config *c)
{
	memset(c, 0, sizeof *c);
	guard_init(&c->guard);
	c->log_level = -1;
	c->shutdown_ms = 30 * SECOND;
	c->connect_ms = 10 * SECOND;
	c->response_ms = 10 * MINUTE;
	c->idle_ms = HOUR;
	c->header_ms = 30 * SECOND;
	c->header_max = 64 << 10;
	c->streams_max = 1024;
}

static void
take_problem(void *user, struct yamldoc_at at, const char *text)
{
	loader_complain(user, at, "%s", text);
}

static void
take_document(struct loader *l, struct bytes text)
{
	static const struct loader_key top = MAP("", top_keys);
	struct yamldoc_node *root = yamldoc_read(text, take_problem, l);

	if (root == NULL)
		return;
	loader_take_map(l, "", &top, root);
	if (root->kind == YAMLDOC_MAP || root->kind == YAMLDOC_NULL)
		check_required(l, root);
	check_client_cert(l, root);
	loader_check_routes(l);
	check_guard(l);
	yamldoc_free(root);
}

int
config_parse(const char *name, struct bytes text, struct config *ret,
    struct config_problems *problems)
{
	struct loader l = {
		.name = name, .config = ret, .base = ret,
		.problems = problems,
	};

	memset(problems, 0, sizeof *problems);
	set_defaults(ret);
	sha256_hex(text, ret->digest);
	take_document(&l, text);
	if (problems->count == 0 && !problems->cut)
		return 0;
	config_done(ret);
	return -1;
}

int
config_load(const char *path, struct config *ret,
    struct config_problems *problems)
{
	struct error e;
	struct buf b;
	int r = -1;

	buf_init(&b, CONFIG_FILE_MAX);
	if (io_read_file(path, &b, &e) == 0) {
		r = config_parse(path, buf_bytes(&b), ret, problems);
	} else {
		memset(problems, 0, sizeof *problems);
		add_line(problems, e.text);
	}
	buf_reset(&b);
	return r;
}

void
config_done(struct config *c)
{
	for (size_t i = 0; i < c->route_count; i++)
		config_drop_route(c->routes[i]);
	free(c->routes);
	free(c->listen_addr);
	free(c->tunnel_domain);
	free(c->cert_file);
	free(c->key_file);
	free(c->audit_file);
	free(c->ca_file);
	free(c->client_cert_file);
	free(c->client_key_file);
	free(c->resolver);
	loader_drop_policy(c->policy);
	loader_drop_agents(c->agents);
	memset(c, 0, sizeof *c);
}

void
config_free(struct config *c)
{
	config_done(c);
	free(c);
}

void
config_problems_done(struct config_problems *p)
{
	for (size_t i = 0; i < p->count; i++)
		free(p->text[i]);
	p->count = 0;
}

struct config_route *
config_find_route(const struct config *c, const char *name)
{
	size_t low = 0, high = c->route_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(name, c->routes[mid]->name);

		if (order == 0)
			return c->routes[mid];
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

struct config_route *
config_route(const struct config *c, struct bytes host)
{
	char name[SOCK_HOST_MAX];
	struct config_route *r;
	size_t len, tail;

	if (host.len != 0 && host.ptr[host.len - 1] == '.')
		host.len--;
	if (str_from_bytes(name, sizeof name, host) != 0)
		return NULL;
	lower(name);
	r = config_find_route(c, name);
	if (r != NULL || c->tunnel_domain == NULL)
		return r;
	len = strlen(name);
	tail = strlen(c->tunnel_domain);
	if (len < tail + 2 || name[len - tail - 1] != '.' ||
	    !str_ends(name, c->tunnel_domain))
		return NULL;
	name[len - tail - 1] = '\0';
	return config_find_route(c, name);
}
