/* SPDX-License-Identifier: ISC */
/* The policies of the configuration: lists of patterns and a program. */
#include <stdlib.h>

#include "cmd/mcp-proxy/loader.h"
#include "common/str.h"

enum { DEFAULT_JUDGED_LEN = 4 << 20 };

static loader_take take_patterns;

#define PATTERNS(name, field) \
	{name, take_patterns, NULL, offsetof(struct config_policy, field), \
	    {0, 0}, NULL}

const struct loader_key loader_policy_keys[] = {
	PATTERNS("tools", tools),
	PATTERNS("prompts", prompts),
	PATTERNS("resources", resources),
	PATTERNS("methods", methods),
	{"program", loader_take_value, value_text,
	    offsetof(struct config_policy, program), {0, 0}, NULL},
	{"message_size", loader_take_value, value_size,
	    offsetof(struct config_policy, message_max),
	    {CONFIG_MESSAGE_MIN, CONFIG_JUDGED_MAX}, NULL},
	{NULL, NULL, NULL, 0, {0, 0}, NULL},
};

static void
take_pattern(struct loader *l, const char *path,
    const struct yamldoc_node *n, char **at)
{
	const char *text = n->kind == YAMLDOC_SCALAR ? n->text : "";

	if (text[0] == '\0' || str_eq(text, "!")) {
		loader_complain(l, n->at, "%s: an item that is no pattern", path);
		return;
	}
	*at = strdup(text);
	if (*at == NULL)
		loader_complain(l, n->at, "out of memory");
}

/* An empty list is one: it allows nothing. */
static void
take_patterns(struct loader *l, const char *path,
    const struct loader_key *key, const struct yamldoc_node *value)
{
	size_t count;
	char **list;

	if (value->kind == YAMLDOC_NULL)
		return;
	if (value->kind != YAMLDOC_LIST) {
		loader_complain(l, value->at, "%s: must be a list of patterns "
		    "such as [\"get_*\", \"!get_secret\"]", path);
		return;
	}
	count = yamldoc_count(value);
	if (count > CONFIG_PATTERNS_MAX) {
		loader_complain(l, value->at, "%s: more than %d", path,
		    CONFIG_PATTERNS_MAX);
		return;
	}
	list = calloc(count + 1, sizeof *list);
	if (list == NULL) {
		loader_complain(l, value->at, "out of memory");
		return;
	}
	*(char ***)(void *)((char *)l->base + key->offset) = list;
	for (const struct yamldoc_node *n = value->first; n != NULL;
	    n = n->next) {
		take_pattern(l, path, n, list);
		if (*list != NULL)
			list++;
	}
}

void
loader_take_policy(struct loader *l, const char *path,
    const struct loader_key *key, const struct yamldoc_node *value)
{
	struct config_policy *p = loader_take_counted(l, path, key, value,
	    sizeof *p);

	if (p != NULL && p->message_max == 0)
		p->message_max = DEFAULT_JUDGED_LEN;
}

static void
free_list(char **list)
{
	for (size_t i = 0; list != NULL && list[i] != NULL; i++)
		free(list[i]);
	free(list);
}

void
loader_hold_policy(struct config_policy *p)
{
	if (p != NULL)
		p->refs++;
}

void
loader_drop_policy(struct config_policy *p)
{
	if (p == NULL || --p->refs != 0)
		return;
	free_list(p->tools);
	free_list(p->prompts);
	free_list(p->resources);
	free_list(p->methods);
	free(p->program);
	free(p);
}
