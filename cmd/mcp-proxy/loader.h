/* SPDX-License-Identifier: ISC */
/* What the parts that read the configuration share: one table of keys per map
 * of the file, whose rows name the function that checks a value and where its
 * result goes. */
#ifndef ADIT_MCP_PROXY_LOADER_H
#define ADIT_MCP_PROXY_LOADER_H

#include "cmd/mcp-proxy/config.h"
#include "cmd/mcp-proxy/value.h"
#include "common/yamldoc.h"

enum {
	LOADER_PATH_LEN = 128, /* "upstream.tls.ca_file" and its like */
	LOADER_QUOTED_LEN = 80,
	LOADER_SECOND = 1000,
	LOADER_MINUTE = 60 * LOADER_SECOND,
	LOADER_HOUR = 60 * LOADER_MINUTE,
	LOADER_DAY = 24 * LOADER_HOUR,
};

struct loader {
	const char *name; /* of the file */
	struct config *config;
	void *base;       /* what the offsets of keys count from */
	struct config_problems *problems;
	bool unguarded;   /* disable_ip_validation: true, there: */
	struct yamldoc_at unguarded_at;
};

struct loader_key;

/* Takes the value of the key at path. */
typedef void loader_take(struct loader *l, const char *path,
    const struct loader_key *key, const struct yamldoc_node *value);

struct loader_key {
	const char *name; /* NULL ends a table */
	loader_take *take;
	value_parse *parse;      /* for loader_take_value and its like */
	size_t offset;           /* of the result in base */
	struct value_limits limits;
	const struct loader_key *below; /* the keys of a map */
};

loader_take loader_take_map, loader_take_value, loader_take_routes;

/* Takes a map into fresh memory of so many bytes, which begins with the count
 * of who holds it, and puts that where key wants it.  Returns it, or NULL if
 * there is nothing to take. */
void *loader_take_counted(struct loader *l, const char *path,
    const struct loader_key *key, const struct yamldoc_node *value,
    size_t size);

/* Takes a policy into the struct config_policy * at offset. */
loader_take loader_take_policy;
extern const struct loader_key loader_policy_keys[];
void loader_hold_policy(struct config_policy *p);
void loader_drop_policy(struct config_policy *p); /* NULL is nothing */

/* The same of agents. */
loader_take loader_take_agents;
extern const struct loader_key loader_agents_keys[];
void loader_hold_agents(struct config_agents *a);
void loader_drop_agents(struct config_agents *a); /* NULL is nothing */

/* Adds a problem at a place in the file; line 0: nowhere. */
void loader_complain(struct loader *l, struct yamldoc_at at,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

const char *loader_quote(const char *text,
    char out[static LOADER_QUOTED_LEN]);

/* "upstream.tls" and "ca_file" to "upstream.tls.ca_file". */
void loader_join(char out[static LOADER_PATH_LEN], const char *above,
    const char *name);

/* Sorts the routes and checks what depends on other keys. */
void loader_check_routes(struct loader *l);
/* Frees what it owns. */
void loader_free_route(struct config_route *r);

#endif
