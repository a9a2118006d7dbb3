/* SPDX-License-Identifier: ISC */
/* The routes of the configuration: a text that says where an upstream is, or
 * a map for what needs more words. */
#include <stdlib.h>
#include <sys/un.h>

#include "cmd/mcp-proxy/loader.h"
#include "cmd/mcp-proxy/origin.h"
#include "common/field.h"

enum {
	DEFAULT_IDLE_MS = 30 * LOADER_MINUTE,
	DEFAULT_REQUEST_MS = 10 * LOADER_MINUTE,
	DEFAULT_MESSAGE_LEN = 16 << 20,
	DEFAULT_RESTARTS = 5,
	DEFAULT_SESSIONS = 64,           /* processes, when each has one */
	DEFAULT_SHARED_SESSIONS = 1024,
	SESSIONS_MAX = 1 << 16,
	SOCKET_PATH_MAX = sizeof ((struct sockaddr_un *)0)->sun_path - 1,
};

/* A route whose keys are being read. */
struct draft {
	char *upstream, *as_host, *prefix, *headers_file;
	struct config_stdio stdio;
	char **sandbox;         /* options, NULL: none */
	struct config_policy *policy;
	struct config_agents *agents;
	bool has_mode;
};

static loader_take take_words, take_env;
static value_parse value_mode, value_path, value_prefix, value_host;

#define VALUE(name, parse, field, min, max) \
	{name, loader_take_value, parse, offsetof(struct draft, field), \
	    {min, max}, NULL}
#define TAKEN(name, take, field) \
	{name, take, NULL, offsetof(struct draft, field), {0, 0}, NULL}

static const struct loader_key keys[] = {
	VALUE("upstream", value_text, upstream, 0, 0),
	VALUE("host", value_host, as_host, 0, 0),
	VALUE("prefix", value_prefix, prefix, 0, 0),
	VALUE("headers_file", value_text, headers_file, 0, 0),
	TAKEN("command", take_words, stdio.argv),
	TAKEN("env", take_env, stdio.envp),
	TAKEN("sandbox", take_words, sandbox),
	VALUE("directory", value_text, stdio.dir, 0, 0),
	VALUE("path", value_path, stdio.path, 0, 0),
	VALUE("mode", value_mode, stdio.mode, 0, 0),
	VALUE("pool", value_number, stdio.pool, 1, CONFIG_POOL_MAX),
	VALUE("sessions", value_number, stdio.sessions_max, 1, SESSIONS_MAX),
	VALUE("idle_timeout", value_duration, stdio.idle_ms, 1,
	    7 * LOADER_DAY),
	VALUE("request_timeout", value_duration, stdio.request_ms, 0,
	    LOADER_DAY),
	VALUE("message_size", value_size, stdio.message_max,
	    CONFIG_MESSAGE_MIN, CONFIG_MESSAGE_MAX),
	VALUE("restarts", value_number, stdio.restarts_max, 1, 1000),
	{"policy", loader_take_policy, NULL, offsetof(struct draft, policy),
	    {0, 0}, loader_policy_keys},
	{"agents", loader_take_agents, NULL, offsetof(struct draft, agents),
	    {0, 0}, loader_agents_keys},
	{NULL, NULL, NULL, 0, {0, 0}, NULL},
};

static void
lower(char *text)
{
	for (; *text != '\0'; text++)
		*text = ascii_lower(*text);
}

/* ---- values ---- */

static int
value_mode(const char *text, struct value_limits limits, void *ret,
    struct error *e)
{
	(void)limits;
	if (!str_eq(text, "session") && !str_eq(text, "shared"))
		return error_set(e, "must be session or shared");
	*(enum config_mode *)ret = str_eq(text, "session") ? CONFIG_SESSION
	    : CONFIG_POOL;
	return 0;
}

static int
value_path(const char *text, struct value_limits limits, void *ret,
    struct error *e)
{
	if (text[0] != '/' || !field_is_target(bytes_cstr(text)) ||
	    strchr(text, '?') != NULL)
		return error_set(e, "must be a path such as /mcp");
	return value_text(text, limits, ret, e);
}

static int
value_prefix(const char *text, struct value_limits limits, void *ret,
    struct error *e)
{
	if (str_ends(text, "/"))
		return error_set(e, "must not end in '/', since paths begin "
		    "with one");
	return value_path(text, limits, ret, e);
}

static int
value_host(const char *text, struct value_limits limits, void *ret,
    struct error *e)
{
	for (const char *c = text; *c != '\0'; c++) {
		if (strchr("-._:[]", *c) == NULL &&
		    (ascii_lower(*c) < 'a' || ascii_lower(*c) > 'z') &&
		    (*c < '0' || *c > '9'))
			return error_set(e, "must be a host, or host:port");
	}
	return value_text(text, limits, ret, e);
}

/* ---- lists of words ---- */

static void
free_words(char **words)
{
	for (size_t i = 0; words != NULL && words[i] != NULL; i++)
		free(words[i]);
	free(words);
}

/* Puts room for the children of value, a list or a map, where key wants the
 * words.  Returns it, or NULL when there is nothing to take, or it was told
 * why not. */
static char **
words_new(struct loader *l, const char *path, const struct loader_key *key,
    const struct yamldoc_node *value, enum yamldoc_kind kind)
{
	size_t count = yamldoc_count(value);
	char **words = NULL;

	if (value->kind == YAMLDOC_NULL)
		return NULL;
	if (value->kind != kind)
		loader_complain(l, value->at, "%s: must be a %s", path,
		    kind == YAMLDOC_LIST ? "list of words such as "
		    "[node, server.js]" : "map such as {NAME: value}");
	else if (count > CONFIG_WORDS_MAX)
		loader_complain(l, value->at, "%s: more than %d", path,
		    CONFIG_WORDS_MAX);
	else
		words = calloc(count + 1, sizeof *words);
	*(char ***)(void *)((char *)l->base + key->offset) = words;
	return words;
}

static bool
is_scalar(struct loader *l, const char *path, const struct yamldoc_node *n)
{
	if (n->kind == YAMLDOC_SCALAR || n->kind == YAMLDOC_NULL)
		return true;
	loader_complain(l, n->at, "%s: an item that is not one value", path);
	return false;
}

static void
take_words(struct loader *l, const char *path, const struct loader_key *key,
    const struct yamldoc_node *value)
{
	char **words = words_new(l, path, key, value, YAMLDOC_LIST);

	if (words == NULL)
		return;
	for (const struct yamldoc_node *n = value->first; n != NULL;
	    n = n->next) {
		if (is_scalar(l, path, n))
			*words++ = strdup(n->text);
	}
}

static bool
is_variable(const char *name)
{
	for (const char *c = name; *c != '\0'; c++) {
		char low = ascii_lower(*c);

		if (*c != '_' && (low < 'a' || low > 'z') &&
		    (c == name || *c < '0' || *c > '9'))
			return false;
	}
	return name[0] != '\0';
}

static void
take_env(struct loader *l, const char *path, const struct loader_key *key,
    const struct yamldoc_node *value)
{
	char **words = words_new(l, path, key, value, YAMLDOC_MAP), *word;

	if (words == NULL)
		return;
	for (const struct yamldoc_node *n = value->first; n != NULL;
	    n = n->next) {
		size_t len = strlen(n->key) + 2;

		if (!is_variable(n->key))
			loader_complain(l, n->key_at, "%s: no name of a "
			    "variable", path);
		if (!is_scalar(l, path, n))
			continue;
		len += strlen(n->text);
		word = malloc(len);
		if (word != NULL)
			str_format(word, len, "%s=%s", n->key, n->text);
		*words++ = word;
	}
}

/* ---- a route ---- */

/* A label of digits alone is no host name, but can begin one. */
static bool
is_route_name(const char *name)
{
	char full[SOCK_HOST_MAX + 8];

	str_format(full, sizeof full, "%.255s.example", name);
	return origin_is_host(name) || origin_is_host(full);
}

static int
set_unix(struct config_route *r, const char *text, struct error *e)
{
	const char *path = text + strlen("unix:");

	if (path[0] == '\0')
		return error_set(e, "no path: must be unix:/path/of/socket");
	if (strlen(path) > SOCKET_PATH_MAX)
		return error_set(e, "the path is longer than %zu bytes",
		    (size_t)SOCKET_PATH_MAX);
	r->kind = CONFIG_UNIX;
	r->socket = strdup(path);
	return r->socket == NULL ? error_set(e, "out of memory") : 0;
}

static int
set_tcp(struct config_route *r, const char *text, struct error *e)
{
	struct origin o;

	if (origin_parse(text, &o, e) != 0)
		return -1;
	r->kind = CONFIG_TCP;
	r->host = strdup(o.host);
	r->port = o.port;
	r->https = o.https;
	return r->host == NULL ? error_set(e, "out of memory") : 0;
}

static void
set_upstream(struct loader *l, const char *path, struct config_route *r,
    const char *text)
{
	char quoted[LOADER_QUOTED_LEN];
	struct error e;
	int bad = str_starts(text, "unix:") ? set_unix(r, text, &e)
	    : set_tcp(r, text, &e);

	if (bad == 0)
		r->origin = strdup(text);
	else
		loader_complain(l, (struct yamldoc_at){r->line, r->column},
		    "%s: invalid upstream %s: %s", path,
		    loader_quote(text, quoted), e.text);
}

/* Puts "sandbox-exec OPTION... --" before the command, and takes the options
 * over. */
static int
add_sandbox(char ***argv, char ***options)
{
	static const char *const first = "sandbox-exec", *const last = "--";
	size_t count = 0, extra = 0, at = 0;
	char **all;

	while ((*argv)[count] != NULL)
		count++;
	while ((*options)[extra] != NULL)
		extra++;
	all = calloc(count + extra + 3, sizeof *all);
	if (all == NULL)
		return -1;
	all[at++] = strdup(first);
	for (size_t i = 0; i < extra; i++)
		all[at++] = (*options)[i];
	all[at++] = strdup(last);
	for (size_t i = 0; i < count; i++)
		all[at++] = (*argv)[i];
	free(*options);
	*options = NULL;
	free(*argv);
	*argv = all;
	return all[0] == NULL || all[1 + extra] == NULL ? -1 : 0;
}

static void
set_defaults(struct config_stdio *s)
{
	if (s->sessions_max == 0)
		s->sessions_max = s->mode == CONFIG_SESSION ? DEFAULT_SESSIONS
		    : DEFAULT_SHARED_SESSIONS;
	if (s->pool == 0)
		s->pool = 1;
	if (s->path == NULL)
		s->path = strdup("/mcp");
}

/* Moves the draft of a command into r. */
static int
set_stdio(struct config_route *r, struct draft *d)
{
	char origin[SOCK_HOST_MAX + 8];

	r->stdio = calloc(1, sizeof *r->stdio);
	if (r->stdio == NULL)
		return -1;
	if (d->stdio.pool != 0)
		d->stdio.mode = CONFIG_POOL;
	if (d->sandbox != NULL &&
	    add_sandbox(&d->stdio.argv, &d->sandbox) != 0)
		return -1;
	set_defaults(&d->stdio);
	*r->stdio = d->stdio;
	d->stdio = (struct config_stdio){.argv = NULL};
	r->kind = CONFIG_STDIO;
	str_format(origin, sizeof origin, "stdio:%s", r->name);
	r->origin = strdup(origin);
	return r->origin == NULL || r->stdio->path == NULL ? -1 : 0;
}

/* Tells what does not go together.  Returns whether all does. */
static bool
check_draft(struct loader *l, const char *path, const struct draft *d,
    const struct yamldoc_node *n)
{
	const struct config_stdio *s = &d->stdio;
	const char *wrong = NULL;

	if (d->upstream == NULL && s->argv == NULL)
		wrong = "needs upstream or command";
	else if (d->upstream != NULL && s->argv != NULL)
		wrong = "upstream and command exclude each other";
	else if (s->argv == NULL && (s->envp != NULL || s->dir != NULL ||
	    d->sandbox != NULL || s->path != NULL || s->pool != 0))
		wrong = "has keys that only a command can have";
	else if (s->argv != NULL && (d->as_host != NULL ||
	    d->prefix != NULL || d->headers_file != NULL))
		wrong = "host, prefix and headers_file are not for a command";
	else if (s->argv != NULL &&
	    (s->argv[0] == NULL || s->argv[0][0] == '\0'))
		wrong = "command: empty";
	else if (s->pool != 0 && d->has_mode && s->mode == CONFIG_SESSION)
		wrong = "mode: session and pool exclude each other";
	if (wrong != NULL)
		loader_complain(l, n->at, "%s: %s", path, wrong);
	return wrong == NULL;
}

static void
draft_done(struct draft *d)
{
	free(d->upstream);
	free(d->as_host);
	free(d->prefix);
	free(d->headers_file);
	free_words(d->stdio.argv);
	free_words(d->stdio.envp);
	free_words(d->sandbox);
	free(d->stdio.dir);
	free(d->stdio.path);
	loader_drop_policy(d->policy);
	loader_drop_agents(d->agents);
}

static bool
has_key(const struct yamldoc_node *map, const char *name)
{
	for (const struct yamldoc_node *n = map->first; n != NULL;
	    n = n->next) {
		if (str_eq(n->key, name))
			return true;
	}
	return false;
}

/* A route that is a map of keys. */
static void
take_long(struct loader *l, const char *path, struct config_route *r,
    const struct yamldoc_node *n)
{
	static const struct loader_key map = {"", NULL, NULL, 0, {0, 0}, keys};
	struct draft d = {.stdio = {.idle_ms = DEFAULT_IDLE_MS,
	    .request_ms = DEFAULT_REQUEST_MS,
	    .message_max = DEFAULT_MESSAGE_LEN,
	    .restarts_max = DEFAULT_RESTARTS}};
	size_t problems = l->problems->count;

	d.has_mode = has_key(n, "mode");
	l->base = &d;
	loader_take_map(l, path, &map, n);
	l->base = l->config;
	if (check_draft(l, path, &d, n) && l->problems->count == problems) {
		r->as_host = d.as_host;
		r->prefix = d.prefix;
		r->headers_file = d.headers_file;
		r->policy = d.policy;
		r->agents = d.agents;
		d.as_host = d.prefix = d.headers_file = NULL;
		d.policy = NULL;
		d.agents = NULL;
		if (d.upstream != NULL)
			set_upstream(l, path, r, d.upstream);
		else if (set_stdio(r, &d) != 0)
			loader_complain(l, n->at, "out of memory");
	}
	draft_done(&d);
}

static void
take_route(struct loader *l, const struct yamldoc_node *n)
{
	struct config_route r = {.refs = 1}, *kept;
	char path[LOADER_PATH_LEN];

	loader_join(path, "routes", n->key);
	if (n->kind != YAMLDOC_SCALAR && n->kind != YAMLDOC_MAP) {
		loader_complain(l, n->at, "%s: must be an upstream, scheme://"
		    "host:port, or a map of keys", path);
		return;
	}
	if (!is_route_name(n->key))
		loader_complain(l, n->key_at, "%s: no host name", path);
	r.line = n->at.line;
	r.column = n->at.column;
	r.name = strdup(n->key);
	if (r.name == NULL) {
		loader_complain(l, n->at, "out of memory");
		return;
	}
	lower(r.name);
	if (n->kind == YAMLDOC_MAP)
		take_long(l, path, &r, n);
	else
		set_upstream(l, path, &r, n->text);
	kept = r.origin == NULL ? NULL : malloc(sizeof *kept);
	if (kept == NULL) {
		if (r.origin != NULL)
			loader_complain(l, n->at, "out of memory");
		loader_free_route(&r); /* it was told why */
		return;
	}
	*kept = r;
	l->config->routes[l->config->route_count++] = kept;
}

void
loader_free_route(struct config_route *r)
{
	free(r->name);
	free(r->origin);
	free(r->host);
	free(r->socket);
	free(r->as_host);
	free(r->prefix);
	free(r->headers_file);
	loader_drop_policy(r->policy);
	loader_drop_agents(r->agents);
	if (r->stdio != NULL) {
		free_words(r->stdio->argv);
		free_words(r->stdio->envp);
		free(r->stdio->dir);
		free(r->stdio->path);
		free(r->stdio);
	}
	memset(r, 0, sizeof *r);
}

/* ---- all of them ---- */

void
loader_take_routes(struct loader *l, const char *path,
    const struct loader_key *key, const struct yamldoc_node *value)
{
	size_t count;

	(void)key;
	if (value->kind == YAMLDOC_NULL)
		return;
	if (value->kind != YAMLDOC_MAP) {
		loader_complain(l, value->at, "%s: %s, must be a map with one "
		    "line 'name: http://host:port' for each route", path,
		    value->kind == YAMLDOC_LIST ? "a list" : "one value");
		return;
	}
	count = yamldoc_count(value);
	if (count > CONFIG_ROUTES_MAX) {
		loader_complain(l, value->at, "%s: more than %d", path,
		    CONFIG_ROUTES_MAX);
		return;
	}
	l->config->routes = calloc(count + 1, sizeof *l->config->routes);
	if (l->config->routes == NULL) {
		loader_complain(l, value->at, "out of memory");
		return;
	}
	for (const struct yamldoc_node *n = value->first; n != NULL;
	    n = n->next)
		take_route(l, n);
}

static int
compare_routes(const void *a, const void *b)
{
	const struct config_route *const *left = a, *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

static struct yamldoc_at
route_at(const struct config_route *r)
{
	return (struct yamldoc_at){r->line, r->column};
}

/* Gives r what is the same for all routes that have none of their own. */
static void
inherit(struct config *c, struct config_route *r)
{
	if (r->policy == NULL) {
		r->policy = c->policy;
		loader_hold_policy(r->policy);
	}
	if (r->agents == NULL) {
		r->agents = c->agents;
		loader_hold_agents(r->agents);
	}
	if (r->agents != NULL && r->agents->anybody) {
		loader_drop_agents(r->agents);
		r->agents = NULL;
	}
	c->asks_certs = c->asks_certs ||
	    (r->agents != NULL && r->agents->file != NULL);
}

void
loader_check_routes(struct loader *l)
{
	struct config *c = l->config;
	bool trust = c->ca_file != NULL || c->system_cas;

	if (c->route_count != 0)
		qsort(c->routes, c->route_count, sizeof *c->routes,
		    compare_routes);
	for (size_t i = 0; i < c->route_count; i++) {
		struct config_route *r = c->routes[i];

		inherit(c, r);
		if (r->https && !trust)
			loader_complain(l, route_at(r), "routes.%s: an https "
			    "upstream needs upstream.tls.ca_file or "
			    "upstream.tls.include_system_cas: true", r->name);
		if (c->tunnel_domain == NULL && strchr(r->name, '.') == NULL &&
		    strchr(r->name, ':') == NULL &&
		    !str_eq(r->name, "localhost"))
			loader_complain(l, route_at(r), "routes.%s: without "
			    "tunnel_domain a route needs a full host name",
			    r->name);
	}
	for (size_t i = 1; i < c->route_count; i++) {
		const struct config_route *r = c->routes[i];
		const struct config_route *before = c->routes[i - 1];

		if (str_eq(before->name, r->name))
			loader_complain(l, route_at(r), "routes.%s: given "
			    "twice, also in line %u", r->name, before->line);
	}
}
