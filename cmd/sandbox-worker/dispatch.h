/* SPDX-License-Identifier: ISC */
/* The dispatcher: it polls the queue of an environment, accepts items, and
 * has a process of its own do each of them.  dispatch.c polls; worker.c
 * starts and ends the processes. */
#ifndef ADIT_DISPATCH_H
#define ADIT_DISPATCH_H

#include <ev.h>

#include "cmd/sandbox-worker/api.h"
#include "cmd/sandbox-worker/metrics.h"
#include "cmd/sandbox-worker/pace.h"
#include "cmd/sandbox-worker/report.h"
#include "cmd/sandbox-worker/settings.h"
#include "cmd/sandbox-worker/work.h"
#include "common/promfile.h"

enum {
	DISPATCH_PATH_MAX = 2048,
	DISPATCH_LINE_MAX = 8192,  /* of what a session's process reports */
};

struct dispatch;

/* One item under way. */
struct worker {
	struct dispatch *dispatch;
	bool used;
	pid_t pid;               /* 0: it has ended */
	bool script;
	struct work work;        /* without the secret */
	ev_child child;
	ev_timer grace;          /* after SIGTERM */
	ev_io reader;            /* of what it reports */
	int report_fd;           /* -1: none */
	struct buf line;
	struct api_job *stop;    /* after a script */
};

struct dispatch {
	const struct settings *settings;
	struct api *api;
	struct ev_loop *ev;
	char worker_id[256];
	struct pace pace;
	struct metrics metrics;
	struct report report;
	struct api_job *poll, *ack, *end;
	struct work work;        /* between its poll and its process */
	struct buf item;         /* its JSON, for a script */
	ev_timer timer;          /* until the next poll */
	struct promfile promfile; /* of the metrics */
	ev_io wake;              /* something may be in the queue */
	ev_signal term, interrupt;
	bool woken;              /* since the last poll began */
	bool stopping;           /* no more polls */
	int status;
	struct worker workers[SETTINGS_SESSIONS_MAX];
	size_t count;            /* of workers in use */
};

/* Looks whether to poll, or to end. */
void dispatch_advance(struct dispatch *d);
void dispatch_path(const struct work *w, const char *tail,
    char out[static DISPATCH_PATH_MAX]);

/* Starts the process for d->work.  Returns 0 or -1 with a text. */
int worker_start(struct dispatch *d, struct error *e);

/* Sends SIGTERM to all. */
void worker_stop_all(struct dispatch *d);

#endif
