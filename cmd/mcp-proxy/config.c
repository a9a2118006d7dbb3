/* SPDX-License-Identifier: ISC */
/* One table of keys per map of the file.  Each row names the function that
 * checks the value and where its result goes. */
#include "cmd/mcp-proxy/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/mcp-proxy/origin.h"
#include "cmd/mcp-proxy/value.h"
#include "common/diag.h"
#include "common/io.h"
#include "common/yamldoc.h"

enum {
	PATH_LEN = 128, /* "upstream.tls.ca_file" and its like */
	QUOTED_LEN = 80,
	TEXT_LEN = 384,
	LINE_LEN = 700,
	SECOND = 1000,
	MINUTE = 60 * SECOND,
	HOUR = 60 * MINUTE,
	DAY = 24 * HOUR,
	DISTANCE_MAX = 3, /* letters of a slip of the pen */
};

struct loader {
	const char *name; /* of the file */
	struct config *config;
	struct config_problems *problems;
	bool unguarded;   /* disable_ip_validation: true, there: */
	struct yamldoc_at unguarded_at;
};

struct key;

/* Takes the value of the key at path. */
typedef void take_key(struct loader *l, const char *path,
    const struct key *key, const struct yamldoc_node *value);

struct key {
	const char *name; /* NULL ends a table */
	take_key *take;
	value_parse *parse;      /* for take_value and its like */
	size_t offset;           /* of the field in struct config */
	struct value_limits limits;
	const struct key *below; /* the keys of a map */
};

static take_key take_map, take_value, take_domain, take_routes, take_ranges,
    take_unguarded;

#define VALUE(name, parse, field, min, max) \
	{name, take_value, parse, offsetof(struct config, field), {min, max}, \
	    NULL}
#define TAKEN(name, take, parse, field) \
	{name, take, parse, offsetof(struct config, field), {0, 0}, NULL}
#define MAP(name, keys) {name, take_map, NULL, 0, {0, 0}, keys}
#define END {NULL, NULL, NULL, 0, {0, 0}, NULL}

static const struct key tls_keys[] = {
	VALUE("cert_file", value_text, cert_file, 0, 0),
	VALUE("key_file", value_text, key_file, 0, 0),
	VALUE("min_version", value_version, allow_tls12, 0, 0),
	END,
};

static const struct key upstream_tls_keys[] = {
	VALUE("ca_file", value_text, ca_file, 0, 0),
	VALUE("include_system_cas", value_bool, system_cas, 0, 0),
	END,
};

static const struct key upstream_keys[] = {
	TAKEN("allowed_ips", take_ranges, NULL, guard),
	TAKEN("disable_ip_validation", take_unguarded, value_bool, guard),
	MAP("tls", upstream_tls_keys),
	VALUE("connect_timeout", value_duration, connect_ms, 1, HOUR),
	VALUE("response_timeout", value_duration, response_ms, 0, DAY),
	VALUE("resolver", value_server, resolver, 0, 0),
	END,
};

static const struct key limits_keys[] = {
	VALUE("idle_timeout", value_duration, idle_ms, SECOND, 7 * DAY),
	VALUE("header_timeout", value_duration, header_ms, 1, HOUR),
	VALUE("header_size", value_size, header_max, 1 << 10, 1 << 20),
	VALUE("streams", value_number, streams_max, 1, 1 << 20),
	END,
};

static const struct key top_keys[] = {
	VALUE("listen_addr", value_listen, listen_addr, 0, 0),
	VALUE("log_level", value_level, log_level, 0, 0),
	VALUE("shutdown_timeout", value_duration, shutdown_ms, 0, DAY),
	TAKEN("tunnel_domain", take_domain, value_domain, tunnel_domain),
	MAP("tls", tls_keys),
	TAKEN("routes", take_routes, NULL, routes),
	MAP("upstream", upstream_keys),
	MAP("limits", limits_keys),
	END,
};

/* Adds a problem at a place in the file; line 0: nowhere. */
static void complain(struct loader *l, struct yamldoc_at at,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

static void
add_line(struct config_problems *p, const char *line)
{
	char *copy = p->count == CONFIG_PROBLEMS_MAX ? NULL : strdup(line);

	if (copy == NULL)
		p->cut = true;
	else
		p->text[p->count++] = copy;
}

static void
complain(struct loader *l, struct yamldoc_at at, const char *format, ...)
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

static const char *
quote(const char *text, char out[static QUOTED_LEN])
{
	return diag_quote(out, QUOTED_LEN, bytes_cstr(text));
}

/* "upstream.tls" and "ca_file" to "upstream.tls.ca_file". */
static void
join_path(char out[static PATH_LEN], const char *above, const char *name)
{
	char safe[QUOTED_LEN];
	size_t len;

	quote(name, safe);
	len = strlen(safe);
	/* diag_quote's quotes go; what they kept out stays escaped. */
	safe[len - 1] = '\0';
	str_format(out, PATH_LEN, "%s%s%s", above, above[0] == '\0' ? "" : ".",
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
		complain(l, value->at, "%s: empty", path);
		break;
	case YAMLDOC_LIST:
		complain(l, value->at, "%s: a list, must be one value", path);
		break;
	case YAMLDOC_MAP:
		complain(l, value->at, "%s: a map, must be one value", path);
		break;
	case YAMLDOC_NULL:
		break; /* as if it were absent */
	}
	return false;
}

struct nearest {
	size_t distance;
	char path[PATH_LEN];
};

/* Looks for the known key that is most like name, in keys and below. */
static void
find_nearest(const struct key *keys, const char *above, const char *name,
    struct nearest *best)
{
	for (; keys->name != NULL; keys++) {
		size_t d = str_distance(name, keys->name);
		char path[PATH_LEN];

		join_path(path, above, keys->name);
		if (d < best->distance) {
			best->distance = d;
			memcpy(best->path, path, sizeof path);
		}
		if (keys->below != NULL)
			find_nearest(keys->below, path, name, best);
	}
}

static void
complain_unknown(struct loader *l, const char *above, const char *path,
    const struct key *keys, const struct yamldoc_node *value)
{
	struct nearest best = {.distance = DISTANCE_MAX + 1};

	find_nearest(keys, above, value->key, &best);
	find_nearest(top_keys, "", value->key, &best);
	if (best.path[0] != '\0')
		complain(l, value->key_at, "%s: unknown key, did you mean "
		    "%s?", path, best.path);
	else
		complain(l, value->key_at, "%s: unknown key", path);
}

static void
take_map(struct loader *l, const char *path, const struct key *key,
    const struct yamldoc_node *value)
{
	if (value->kind == YAMLDOC_NULL)
		return;
	if (value->kind != YAMLDOC_MAP) {
		complain(l, value->at, "%s%s%s, must be a map of keys", path,
		    path[0] == '\0' ? "the file is " : ": ",
		    value->kind == YAMLDOC_LIST ? "a list" : "one value");
		return;
	}
	for (const struct yamldoc_node *n = value->first; n != NULL;
	    n = n->next) {
		const struct key *k = key->below;
		char below[PATH_LEN];

		join_path(below, path, n->key);
		while (k->name != NULL && !str_eq(k->name, n->key))
			k++;
		if (k->name == NULL)
			complain_unknown(l, path, below, key->below, n);
		else
			k->take(l, below, k, n);
	}
}

static void
parse_value(struct loader *l, const char *path, const struct key *key,
    const struct yamldoc_node *value, void *ret)
{
	char quoted[QUOTED_LEN];
	struct error e;

	if (is_text(l, path, value) &&
	    key->parse(value->text, key->limits, ret, &e) != 0)
		complain(l, value->at, "%s: %s: %s", path,
		    quote(value->text, quoted), e.text);
}

static void
take_value(struct loader *l, const char *path, const struct key *key,
    const struct yamldoc_node *value)
{
	parse_value(l, path, key, value, (char *)l->config + key->offset);
}

/* An empty domain is as good as none, as with the original. */
static void
take_domain(struct loader *l, const char *path, const struct key *key,
    const struct yamldoc_node *value)
{
	if (value->kind != YAMLDOC_SCALAR || value->text[0] != '\0')
		take_value(l, path, key, value);
}

static void
take_unguarded(struct loader *l, const char *path, const struct key *key,
    const struct yamldoc_node *value)
{
	l->unguarded_at = value->key_at;
	parse_value(l, path, key, value, &l->unguarded);
}

static void
take_ranges(struct loader *l, const char *path, const struct key *key,
    const struct yamldoc_node *value)
{
	char quoted[QUOTED_LEN];
	struct error e;

	(void)key;
	if (value->kind == YAMLDOC_NULL)
		return;
	if (value->kind != YAMLDOC_LIST) {
		complain(l, value->at, "%s: must be a list such as "
		    "[10.0.0.0/8, 192.168.1.7]", path);
		return;
	}
	for (const struct yamldoc_node *n = value->first; n != NULL;
	    n = n->next) {
		if (n->kind != YAMLDOC_SCALAR)
			complain(l, n->at, "%s: an item that is no address "
			    "or range", path);
		else if (guard_add(&l->config->guard, n->text, &e) != 0)
			complain(l, n->at, "%s: %s: %s", path,
			    quote(n->text, quoted), e.text);
	}
}

static void
lower(char *text)
{
	for (; *text != '\0'; text++)
		*text = ascii_lower(*text);
}

/* A label of digits alone is no host name, but can begin one. */
static bool
is_route_name(const char *name)
{
	char full[SOCK_HOST_MAX + 8];

	str_format(full, sizeof full, "%.255s.example", name);
	return origin_is_host(name) || origin_is_host(full);
}

static void
take_route(struct loader *l, const struct yamldoc_node *n)
{
	struct config_route r = {.port = 0};
	char path[PATH_LEN], quoted[QUOTED_LEN];
	struct origin o;
	struct error e;

	join_path(path, "routes", n->key);
	if (n->kind != YAMLDOC_SCALAR) {
		complain(l, n->at, "%s: must be an upstream, scheme://"
		    "host:port", path);
		return;
	}
	if (!is_route_name(n->key))
		complain(l, n->key_at, "%s: no host name", path);
	if (origin_parse(n->text, &o, &e) != 0) {
		complain(l, n->at, "%s: invalid upstream %s: %s", path,
		    quote(n->text, quoted), e.text);
		return;
	}
	r.name = strdup(n->key);
	r.origin = strdup(n->text);
	r.host = strdup(o.host);
	r.port = o.port;
	r.https = o.https;
	r.line = n->at.line;
	r.column = n->at.column;
	if (r.name == NULL || r.origin == NULL || r.host == NULL) {
		complain(l, n->at, "out of memory");
		free(r.name);
		free(r.origin);
		free(r.host);
		return;
	}
	lower(r.name);
	l->config->routes[l->config->route_count++] = r;
}

static size_t
count_children(const struct yamldoc_node *n)
{
	size_t count = 0;

	for (n = n->first; n != NULL; n = n->next)
		count++;
	return count;
}

static void
take_routes(struct loader *l, const char *path, const struct key *key,
    const struct yamldoc_node *value)
{
	size_t count;

	(void)key;
	if (value->kind == YAMLDOC_NULL)
		return;
	if (value->kind != YAMLDOC_MAP) {
		complain(l, value->at, "%s: %s, must be a map with one line "
		    "'name: http://host:port' for each route", path,
		    value->kind == YAMLDOC_LIST ? "a list" : "one value");
		return;
	}
	count = count_children(value);
	if (count > CONFIG_ROUTES_MAX) {
		complain(l, value->at, "%s: more than %d", path,
		    CONFIG_ROUTES_MAX);
		return;
	}
	l->config->routes = calloc(count + 1, sizeof *l->config->routes);
	if (l->config->routes == NULL) {
		complain(l, value->at, "out of memory");
		return;
	}
	for (const struct yamldoc_node *n = value->first; n != NULL;
	    n = n->next)
		take_route(l, n);
}

static int
compare_routes(const void *a, const void *b)
{
	const struct config_route *left = a, *right = b;

	return strcmp(left->name, right->name);
}

static struct yamldoc_at
route_at(const struct config_route *r)
{
	return (struct yamldoc_at){r->line, r->column};
}

/* Checks what depends on other keys. */
static void
check_routes(struct loader *l)
{
	const struct config *c = l->config;
	bool trust = c->ca_file != NULL || c->system_cas;

	for (size_t i = 0; i < c->route_count; i++) {
		const struct config_route *r = &c->routes[i];

		if (r->https && !trust)
			complain(l, route_at(r), "routes.%s: an https "
			    "upstream needs upstream.tls.ca_file or "
			    "upstream.tls.include_system_cas: true", r->name);
		if (c->tunnel_domain == NULL && strchr(r->name, '.') == NULL &&
		    strchr(r->name, ':') == NULL &&
		    !str_eq(r->name, "localhost"))
			complain(l, route_at(r), "routes.%s: without "
			    "tunnel_domain a route needs a full host name",
			    r->name);
	}
	for (size_t i = 1; i < c->route_count; i++) {
		const struct config_route *r = &c->routes[i];

		if (str_eq(r[-1].name, r->name))
			complain(l, route_at(r), "routes.%s: given twice, "
			    "also in line %u", r->name, r[-1].line);
	}
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
			complain(l, tls == NULL ? nowhere : tls->key_at,
			    "tls.%s: missing", files[i]);
	}
	if (routes == NULL)
		complain(l, nowhere, "routes: missing");
	else if (routes->kind == YAMLDOC_MAP && routes->first == NULL)
		complain(l, routes->at, "routes: empty");
}

static void
check_guard(struct loader *l)
{
	struct guard *g = &l->config->guard;

	if (!l->unguarded)
		return;
	if (g->mode == GUARD_LISTED)
		complain(l, l->unguarded_at, "upstream.disable_ip_validation: "
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
	complain(user, at, "%s", text);
}

static void
take_document(struct loader *l, struct bytes text)
{
	static const struct key top = MAP("", top_keys);
	struct yamldoc_node *root = yamldoc_read(text, take_problem, l);
	struct config *c = l->config;

	if (root == NULL)
		return;
	take_map(l, "", &top, root);
	if (root->kind == YAMLDOC_MAP || root->kind == YAMLDOC_NULL)
		check_required(l, root);
	if (c->route_count != 0)
		qsort(c->routes, c->route_count, sizeof *c->routes,
		    compare_routes);
	check_routes(l);
	check_guard(l);
	yamldoc_free(root);
}

int
config_parse(const char *name, struct bytes text, struct config *ret,
    struct config_problems *problems)
{
	struct loader l = {
		.name = name, .config = ret, .problems = problems,
	};

	memset(problems, 0, sizeof *problems);
	set_defaults(ret);
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
	for (size_t i = 0; i < c->route_count; i++) {
		free(c->routes[i].name);
		free(c->routes[i].origin);
		free(c->routes[i].host);
	}
	free(c->routes);
	free(c->listen_addr);
	free(c->tunnel_domain);
	free(c->cert_file);
	free(c->key_file);
	free(c->ca_file);
	free(c->resolver);
	memset(c, 0, sizeof *c);
}

void
config_problems_done(struct config_problems *p)
{
	for (size_t i = 0; i < p->count; i++)
		free(p->text[i]);
	p->count = 0;
}

static const struct config_route *
find_route(const struct config *c, const char *name)
{
	size_t low = 0, high = c->route_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(name, c->routes[mid].name);

		if (order == 0)
			return &c->routes[mid];
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

const struct config_route *
config_route(const struct config *c, struct bytes host)
{
	char name[SOCK_HOST_MAX];
	const struct config_route *r;
	size_t len, tail;

	if (host.len != 0 && host.ptr[host.len - 1] == '.')
		host.len--;
	if (str_from_bytes(name, sizeof name, host) != 0)
		return NULL;
	lower(name);
	r = find_route(c, name);
	if (r != NULL || c->tunnel_domain == NULL)
		return r;
	len = strlen(name);
	tail = strlen(c->tunnel_domain);
	if (len < tail + 2 || name[len - tail - 1] != '.' ||
	    !str_ends(name, c->tunnel_domain))
		return NULL;
	name[len - tail - 1] = '\0';
	return find_route(c, name);
}
