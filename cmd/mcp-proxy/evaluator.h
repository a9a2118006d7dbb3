/* SPDX-License-Identifier: ISC */
/* An operator's jq program and the process that runs it, which is asked many
 * questions one after the other.  Whatever the program does with a question,
 * this one gets an answer or a fault, and the others go on: a process that
 * takes too long is killed, one that ends is started again, and a changed file
 * is taken up once it compiles. */
#ifndef ADIT_MCP_PROXY_EVALUATOR_H
#define ADIT_MCP_PROXY_EVALUATOR_H

#include <ev.h>
#include <sys/types.h>

#include "cmd/mcp-proxy/judge.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"

enum {
	EVALUATOR_QUESTION_MS = 1000, /* of the processor's time, */
	EVALUATOR_WALL_MS = 10000,    /* and of any, for one question */
	EVALUATOR_START_MS = 10000,   /* to compile */
	EVALUATOR_FLIGHT_MAX = 32,    /* questions that a process has */
	EVALUATOR_WAIT_MS = 10000,    /* until a question is asked, */
	EVALUATOR_WAITING_MAX = 64 << 20, /* bytes of all that wait */
	EVALUATOR_BACKOFF_MIN_MS = 10,
	EVALUATOR_BACKOFF_MAX_MS = 1000,
};

struct evaluator;

/* What went wrong, in e->code. */
enum evaluator_fault {
	EVALUATOR_PROGRAM = 1, /* the program said so, or no single value */
	EVALUATOR_LATE,        /* it took too long */
	EVALUATOR_ENDED,       /* its process did */
	EVALUATOR_BUSY,        /* too many questions, or no memory */
};

/* The answer in JSON, or e: what the program or its process did instead.  Called
 * once, from the loop; the question is gone. */
typedef void evaluator_done(void *user, struct bytes question,
    struct bytes answer, const struct error *e);

/* What is told, not to end the evaluator from. */
struct evaluator_events {
	/* Its state is not 0 any more. */
	void (*settled)(void *user);
	/* A changed program judges from now on. */
	void (*loaded)(void *user, const char *file);
};

/* Starts a process with the program in file, which must outlive it.  Returns
 * NULL with a text. */
struct evaluator *evaluator_new(struct ev_loop *ev, const char *file,
    const struct evaluator_events *events, void *user, struct error *e);

/* Returns 1 once it can be asked, 0 while its program compiles, or -1 with
 * a text if it does not, in EVALUATOR_START_MS. */
int evaluator_state(const struct evaluator *v, struct error *e);

/* Blocks until the state is not 0.  Returns 0 if it can be asked, or -1 with
 * a text. */
int evaluator_wait(struct evaluator *v, struct error *e);

/* Ends the process; questions that are open get a fault. */
void evaluator_free(struct evaluator *v);

/* Asks: a JSON object, whose memory is taken over.  Returns 0, or -1 with e. */
int evaluator_ask(struct evaluator *v, struct buf *text, evaluator_done *done,
    void *user, struct error *e);

/* Whether pid is one of its processes. */
bool evaluator_has(const struct evaluator *v, pid_t pid);

#endif
