/* SPDX-License-Identifier: ISC */
/* One event of a session, as far as it concerns a worker.  Pure. */
#ifndef ADIT_EVENT_H
#define ADIT_EVENT_H

#include "cmd/sandbox-worker/work.h"
#include "common/jsonr.h"

enum {
	EVENT_MAX = 16 << 20, /* bytes of one */
	EVENT_NAME_MAX = 129, /* of a tool */
	EVENT_BEGINNING_MAX = 4096,
};

enum event_kind {
	EVENT_OTHER,          /* of no meaning, but a sign of life */
	EVENT_TOOL_USE,       /* agent.tool_use */
	EVENT_CUSTOM_USE,     /* agent.custom_tool_use */
	EVENT_RESULT,         /* either result: ref is the call */
	EVENT_CONFIRMATION,   /* of the call ref */
	EVENT_INTERRUPT,
	EVENT_IDLE,           /* the turn is over */
	EVENT_WAITING,        /* idle, but something is required */
	EVENT_ACTIVE,         /* a message or a status: the session lives */
	EVENT_THREAD_ENDED,   /* thread accepts nothing any more */
	EVENT_SESSION_ENDED,
	EVENT_PING,
	EVENT_ERROR,          /* of the stream itself */
};

enum event_permission {
	PERMISSION_ALLOW,
	PERMISSION_ASK,  /* and what is not known */
	PERMISSION_DENY,
};

enum event_verdict {
	VERDICT_NONE,
	VERDICT_ALLOW,
	VERDICT_DENY,    /* and what is not known */
};

struct event {
	enum event_kind kind;
	char id[WORK_ID_MAX];
	char ref[WORK_ID_MAX];
	char thread[WORK_ID_MAX];  /* "" for none */
	char name[EVENT_NAME_MAX]; /* of the tool */
	enum event_permission permission;
	enum event_verdict verdict;
	struct jsonr input;        /* points into what was parsed */
};

/* Reads an event.  Returns 0, or -1 with a text. */
int event_parse(struct bytes json, struct event *ret, struct error *e);
int event_from(struct jsonr v, struct event *ret, struct error *e);

/* Finds the call of a tool in the beginning of an event that is too large to
 * be read whole.  Returns whether it is one; input is then absent. */
bool event_guess(struct bytes beginning, struct event *ret);

#endif
