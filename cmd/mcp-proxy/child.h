/* SPDX-License-Identifier: ISC */
/* A process of a stdio upstream: lines to its standard input and from its
 * standard output, its standard error in the log, and its end, of which
 * nothing is left. */
#ifndef ADIT_MCP_PROXY_CHILD_H
#define ADIT_MCP_PROXY_CHILD_H

#include "cmd/mcp-proxy/message.h"
#include "cmd/mcp-proxy/proxy.h"
#include "cmd/mcp-proxy/skim.h"

enum {
	CHILD_GRACE_MS = 2000,    /* from the end of its input to SIGTERM, and
	                           * from there to SIGKILL */
	CHILD_SILENT_MS = 500,    /* to exit after it closed its input or
	                           * output */
	CHILD_LOG_LINE_MAX = 512, /* bytes shown of a line */
	CHILD_LOG_LINES = 50,     /* shown in a second */
	CHILD_END_READS = 64,     /* of what it left in its pipes */
	CHILD_SKIP_TIMES = 8,     /* message_size: what is longer has no end */
	CHILD_HOW_LEN = 80,
};

enum child_state {
	CHILD_NONE,
	CHILD_RUNNING,
	CHILD_ENDING, /* its input is closed */
	CHILD_TERMED, /* it was sent SIGTERM */
	CHILD_KILLED,
};

struct child;

/* Calls from the loop. */
struct child_events {
	/* A line without its end; not empty. */
	void (*message)(struct child *c, struct bytes line);
	/* A message above message_size, which was not kept. */
	void (*skipped)(struct child *c, const struct skim *s);
	/* All of it is gone, why says how: "exit 1", "signal 9".  c may be
	 * freed with proxy_bury. */
	void (*ended)(struct child *c);
};

struct child {
	struct corpse corpse;
	struct proxy *proxy;
	const struct config_route *route;
	const struct child_events *events;
	enum child_state state;
	pid_t pid;
	uint64_t serial;         /* of all processes of the proxy */
	int pid_fd, in_fd, out_fd, err_fd;
	ev_io exit_io, in_io, out_io, err_io;
	ev_timer timer;
	bool paused;
	bool ended;              /* as a process; its pipes may hold more */
	struct buf tx, rx, err;
	size_t scanned;          /* bytes of rx without a line's end */
	struct skim skim;        /* of a line that is not kept, */
	size_t skimmed_len;      /* and how much it was so far; 0: none */
	bool err_cut;            /* the rest of the line is not shown */
	int64_t log_second;
	int log_count;           /* lines in that second */
	char how[CHILD_HOW_LEN]; /* why it ends, as far as is known */
	bool blamed;             /* it was not told to end */
	char tag[SOCK_HOST_MAX + 32]; /* "stdio:docs[123]" for the log */
};

/* Starts the route's command.  c is zeroed.  Returns 0, or -1 with a text. */
int child_start(struct child *c, struct proxy *p,
    const struct config_route *route, const struct child_events *events,
    struct error *e);

/* Sends a message, with edits, as one line.  Returns 0, or -1 when it takes
 * no more. */
int child_send(struct child *c, struct bytes text, struct message_edit *edits,
    size_t count);

/* Stops and resumes calls of message. */
void child_pause(struct child *c);
void child_resume(struct child *c);

/* Ends it: closes its input, then SIGTERM, then SIGKILL.  how: why, unless it
 * is known; NULL: it was not its fault. */
void child_stop(struct child *c, const char *how);

/* The same with SIGKILL at once. */
void child_kill(struct child *c, const char *how);

/* Says something about it in the log, but not for each of a flood. */
void child_log(struct child *c, const char *what, struct bytes line);

#endif
