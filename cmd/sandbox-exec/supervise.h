/* SPDX-License-Identifier: ISC */
/* The supervisor's life with a sandbox: starts it, passes signals and capped
 * output on, keeps the time, and knows in the end how it went. */
#ifndef ADIT_SANDBOX_SUPERVISE_H
#define ADIT_SANDBOX_SUPERVISE_H

#include "cmd/sandbox-exec/audit.h"
#include "cmd/sandbox-exec/confine.h"
#include "cmd/sandbox-exec/protect.h"

enum { SUPERVISE_GRACE_MS = 2000 };

enum supervise_stream { STREAM_OUT, STREAM_ERR, STREAM_COUNT };

struct supervise {
	const struct policy *policy;
	char *const *argv;
	struct audit *audit;
	int64_t grace_ms; /* between SIGTERM and SIGKILL at a timeout */

	/* Called with the listeners when the payload runs (with
	 * POLICY_NET_ALLOW).  Returns the process that serves them, which
	 * ends with this one and is killed at the end; or -1 with a text. */
	pid_t (*gate)(const struct policy *policy, const struct confine *c,
	    struct audit *audit, struct error *e);

	/* Told of protected names that the payload made; user is
	 * audit. */
	protect_found *found;
};

struct result {
	int status;        /* our exit status */
	struct error error; /* why it did not run; status is then 125 to 127 */
	bool ran;          /* there is a wait_status */
	int wait_status;
	bool timed_out;
	bool persisted;    /* it was ended for the protected names it made */
	unsigned hit;      /* limits, bits 1 << enum limit_kind */
	int64_t wall_ms;
	struct rusage rusage;
	uint64_t dropped[STREAM_COUNT];
	int lost[STREAM_COUNT]; /* errno: the rest could not be passed on */
	struct confine confine; /* stopped: for tier, layers, degraded */
};

/* Runs the command to its end, once per process.  Everything it needs to say
 * is in ret, which is zeroed before. */
void supervise_run(const struct supervise *s, struct result *ret);

#endif
