/* SPDX-License-Identifier: ISC */
/* The agents of the configuration: who may call, and by what they are known. */
#include <stdlib.h>

#include "cmd/mcp-proxy/loader.h"
#include "common/str.h"

static value_parse value_issuer, value_scope;

#define VALUE(name, parse, field) \
	{name, loader_take_value, parse, \
	    offsetof(struct config_agents, field), {0, 0}, NULL}

const struct loader_key loader_agents_keys[] = {
	VALUE("file", value_text, file),
	VALUE("issuer", value_issuer, issuer),
	VALUE("audience", value_text, audience),
	VALUE("keys_file", value_text, keys_file),
	VALUE("scope", value_scope, scope),
	VALUE("anybody", value_bool, anybody),
	{NULL, NULL, NULL, 0, {0, 0}, NULL},
};

/* RFC 8414 section 2: an https URL without query or fragment.  It is shown
 * between quotes. */
static int
value_issuer(const char *text, struct value_limits limits, void *ret,
    struct error *e)
{
	if (!str_starts(text, "https://") || text[8] == '\0' ||
	    strpbrk(text, "?#\"\\ ") != NULL)
		return error_set(e, "must be a URL such as "
		    "https://login.example");
	return value_text(text, limits, ret, e);
}

/* RFC 6749 section 3.3: one scope-token. */
static int
value_scope(const char *text, struct value_limits limits, void *ret,
    struct error *e)
{
	for (const char *c = text; *c != '\0'; c++) {
		if (*c <= ' ' || *c > '~' || *c == '"' || *c == '\\')
			return error_set(e, "must be one word");
	}
	return value_text(text, limits, ret, e);
}

/* What does not go together, or NULL. */
static const char *
find_fault(const struct config_agents *a)
{
	bool tokens = a->issuer != NULL;

	if (a->anybody)
		return a->file != NULL || tokens || a->audience != NULL ||
		    a->keys_file != NULL || a->scope != NULL
		    ? "anybody excludes the other keys" : NULL;
	if ((a->audience != NULL) != tokens ||
	    (a->keys_file != NULL) != tokens)
		return "issuer, audience and keys_file belong together";
	if (a->scope != NULL && !tokens)
		return "scope needs issuer";
	return a->file == NULL && !tokens
	    ? "needs file, issuer, or anybody: true" : NULL;
}

void
loader_take_agents(struct loader *l, const char *path,
    const struct loader_key *key, const struct yamldoc_node *value)
{
	size_t problems = l->problems->count;
	struct config_agents *a = loader_take_counted(l, path, key, value,
	    sizeof *a);
	const char *fault = a != NULL && l->problems->count == problems
	    ? find_fault(a) : NULL;

	if (fault != NULL)
		loader_complain(l, value->at, "%s: %s", path, fault);
}

void
loader_hold_agents(struct config_agents *a)
{
	if (a != NULL)
		a->refs++;
}

void
loader_drop_agents(struct config_agents *a)
{
	if (a == NULL || --a->refs != 0)
		return;
	free(a->file);
	free(a->issuer);
	free(a->audience);
	free(a->keys_file);
	free(a->scope);
	free(a);
}
