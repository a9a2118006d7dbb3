/* SPDX-License-Identifier: ISC */
/* The configuration file of mcp-proxy, mcp-proxy.yaml(5): parsed once into
 * values that cannot be wrong, with every problem found and told at its line
 * and column.  Routes are counted and never change: a configuration that is
 * read anew shares those that stay. */
#ifndef ADIT_MCP_PROXY_CONFIG_H
#define ADIT_MCP_PROXY_CONFIG_H

#include "common/guard.h"
#include "common/sha256.h"

enum {
	CONFIG_FILE_MAX = 1 << 20,
	CONFIG_ROUTES_MAX = 4096,
	CONFIG_PROBLEMS_MAX = 50,
	CONFIG_WORDS_MAX = 256,   /* of a command, or in an environment */
	CONFIG_POOL_MAX = 64,     /* processes */
	CONFIG_MESSAGE_MIN = 4 << 10,
	CONFIG_MESSAGE_MAX = 256 << 20,
	CONFIG_PATTERNS_MAX = 4096, /* of a list of a policy */
	CONFIG_JUDGED_MAX = 16 << 20,
};

enum config_kind {
	CONFIG_TCP,
	CONFIG_UNIX,
	CONFIG_STDIO,
};

/* Who shares a process of a stdio upstream. */
enum config_mode {
	CONFIG_SESSION, /* nobody: each MCP session has its own */
	CONFIG_POOL,    /* sessions, each of them on one of pool processes */
};

/* A command that speaks MCP on its standard input and output. */
struct config_stdio {
	char **argv;           /* with sandbox-exec before it, if asked for */
	char **envp;           /* NAME=VALUE, more than what is inherited */
	char *dir;             /* NULL: where mcp-proxy runs */
	char *path;            /* of the endpoint, "/mcp" */
	enum config_mode mode;
	int64_t pool;          /* 1 for "shared" */
	int64_t sessions_max;
	int64_t idle_ms;       /* a session, or a process, without requests */
	int64_t request_ms;    /* 0: no limit */
	int64_t message_max;   /* bytes of one message, either way */
	int64_t restarts_max;  /* failures in a row before a long pause */
};

/* Which messages a route lets through, mcp-proxy.yaml(5).  Lists of patterns
 * end with NULL, and are NULL where everything is allowed. */
struct config_policy {
	size_t refs;         /* who holds it */
	char **tools, **prompts, **resources, **methods;
	char *program;       /* a file in jq, or NULL */
	int64_t message_max; /* bytes of a message that is judged */
};

/* Who may call, mcp-proxy.yaml(5), Agents.  What is not given is NULL. */
struct config_agents {
	size_t refs;     /* who holds it */
	bool anybody;    /* and nothing else is given */
	char *file;      /* of agents, roster.h */
	char *issuer, *audience, *keys_file; /* of JSON Web Tokens */
	char *scope;     /* that such a token must have, or NULL */
};

struct service;

/* Where the requests of one host go. */
struct config_route {
	size_t refs;   /* who holds it */
	struct service *service; /* what runs for it, service.h; NULL: nothing
	                * yet */
	char *name;    /* a full host, or a label before tunnel_domain;
	                * lower case */
	char *origin;  /* "https://docs.internal:8443", "unix:/run/docs.sock",
	                * "stdio:docs"; for logs */
	enum config_kind kind;
	char *host;    /* "docs.internal"; "::1" without brackets; NULL if
	                * not TCP */
	uint16_t port;
	bool https;
	char *socket;  /* of CONFIG_UNIX */
	char *as_host; /* what Host becomes, or NULL: it stays */
	char *prefix;  /* put before the path, or NULL */
	char *headers_file; /* what is added to requests, or NULL */
	struct config_stdio *stdio; /* of CONFIG_STDIO, else NULL */
	struct config_policy *policy; /* its own, or the general one; NULL:
	                       * nothing is judged */
	struct config_agents *agents; /* the same; NULL: anybody */
	unsigned line, column; /* of the upstream in the file */
};

struct config {
	char digest[SHA256_HEX_CAP]; /* of the text, in hexadecimal */
	char *listen_addr;    /* "127.0.0.1:8080" or ":8080"; NULL: none */
	int log_level;        /* an enum diag_level, or -1: not given */
	int64_t shutdown_ms;
	char *tunnel_domain;  /* lower case, no dot at either end; or NULL */
	char *cert_file, *key_file;
	bool allow_tls12;
	struct config_route **routes; /* sorted by name */
	size_t route_count;
	struct guard guard;
	char *audit_file;     /* or NULL */
	char *ca_file;        /* trust for https upstreams, or NULL */
	bool system_cas;
	char *client_cert_file, *client_key_file; /* shown to https
	                       * upstreams; or NULL */
	char *resolver;       /* "10.0.0.53:53", or NULL: the system's */
	int64_t connect_ms;   /* name and connection, TLS included */
	int64_t response_ms;  /* request sent to the head of the response;
	                       * 0: no limit */
	int64_t idle_ms;      /* a connection or response without a byte */
	int64_t header_ms;    /* first byte of a request to its last header */
	int64_t header_max;   /* bytes of a request's or response's head */
	int64_t streams_max;  /* connections of agents at once */
	struct config_policy *policy; /* of routes without, or NULL */
	struct config_agents *agents; /* the same */
	bool asks_certs;      /* of agents, since a route may know some */
};

/* What is wrong with a file: one line each, "proxy.yaml:7:3: text", or
 * "proxy.yaml: text" where something is missing. */
struct config_problems {
	size_t count;      /* of text; more were found if cut */
	bool cut;
	char *text[CONFIG_PROBLEMS_MAX];
};

/* Reads the file.  Returns 0 and fills *ret, to be freed with config_done; or
 * -1 with at least one problem.  problems is filled anew and is to be freed
 * with config_problems_done in both cases.  Files that it names are not
 * opened. */
int config_load(const char *path, struct config *ret,
    struct config_problems *problems);

/* The same for text that was read from name. */
int config_parse(const char *name, struct bytes text, struct config *ret,
    struct config_problems *problems);

void config_done(struct config *c);
void config_free(struct config *c); /* with its own memory */
void config_problems_done(struct config_problems *p);

/* Lets fresh have the routes of old that are the same, policies included. */
void config_share(struct config *fresh, const struct config *old);

/* Whether what runs for a stdio route a, with its sessions, may go on for
 * b: the command and how it is run are the same, and both have a policy or
 * neither has. */
bool config_keeps_processes(const struct config_route *a,
    const struct config_route *b);

/* The route of that name, or NULL. */
struct config_route *config_find_route(const struct config *c,
    const char *name);

void config_hold_route(struct config_route *r);
void config_drop_route(struct config_route *r); /* NULL is nothing */

/* Whether a request that was let through for one route may go to the other:
 * they are the same, or lead to the same upstream in the same way. */
bool config_is_same(const struct config_route *a,
    const struct config_route *b);

/* The route of host, from a Host header without its port, in any case: by its
 * whole name, else by what is left without ".tunnel_domain".  NULL: none. */
struct config_route *config_route(const struct config *c, struct bytes host);

#endif
