/* SPDX-License-Identifier: ISC */
/* The process that holds one long-lived sandbox: a child of the zygote, it
 * reads the sandbox's own settings, builds it, starts its gate, hands the
 * control channel of init to who asked, and takes everything down when that
 * one closes its end, or dies. */
#ifndef ADIT_SANDBOX_KEEPER_H
#define ADIT_SANDBOX_KEEPER_H

#include "cmd/sandbox-exec/audit.h"
#include "cmd/sandbox-exec/confine.h"
#include "cmd/sandbox-exec/options.h"
#include "cmd/sandbox-exec/protect.h"

enum {
	KEEPER_POLICY_MAX = 16 << 10,    /* bytes of settings */
	KEEPER_ISOLATION_MAX = 16 << 10, /* bytes of JSON */
};

/* To the keeper, once; the settings are behind it, JSON or nothing. */
struct keeper_request {
	char id[17]; /* of the sandbox in the audit */
};

/* From it. */
struct keeper_answer {
	enum {
		KEEPER_FAILED, /* error says why; it ends */
		KEEPER_READY,  /* with the control channel, and a file of
				* cgroup_kills if there is one; behind it the
				* members of "isolation" as JSON */
		KEEPER_ENDED,  /* all in it are dead */
	} type;
	struct error error;
	char workdir[4096];
	uid_t uid;       /* the payload's on the host */
	gid_t gid;
	int64_t time_ms; /* of the policy, 0: none */
	int64_t files;   /* open descriptors of a process, 0: no limit */
	unsigned hit;    /* limits, bits 1 << enum limit_kind */
};

/* What every keeper has from the start. */
struct keeper {
	struct options *options;
	const struct audit *audit;
	protect_found *found; /* user is the sandbox's audit */
	int exe_fd;
	int netns_fd; /* a network for this sandbox alone, -1: none */
};

/* Serves who holds the other end of fd, a packet's, and never returns. */
_Noreturn void keeper_run(const struct keeper *k, int fd);

#endif
