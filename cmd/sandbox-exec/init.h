/* SPDX-License-Identifier: ISC */
/* PID 1 of the sandbox: has it built from the inside, reaps what becomes an
 * orphan, passes signals on, and ends with the payload or
 * with the supervisor.  When it ends, the kernel kills everything inside. */
#ifndef ADIT_SANDBOX_INIT_H
#define ADIT_SANDBOX_INIT_H

#include <sched.h>

#include "cmd/sandbox-exec/confine.h"
#include "cmd/sandbox-exec/latch.h"
#include "cmd/sandbox-exec/payload.h"
#include "cmd/sandbox-exec/tree.h"
#include "common/landlock.h"

/* What travels on the control channel: one message, one datagram.  Both ends
 * are this program. */
enum init_message_type {
	INIT_LISTENER, /* with a descriptor */
	INIT_WATCH,    /* a directory for protect_add */
	INIT_READY,    /* the payload runs */
	INIT_FAILED,   /* it does not; error says why; init ends */
	INIT_END,      /* the payload has ended */
	INIT_SIGNAL,   /* from the supervisor */
	/* Of a sandbox that was started without a command: */
	INIT_SPAWN,    /* from the supervisor: with descriptors and strings */
	INIT_KILL,     /* from it: ends a command with all it has started */
	INIT_STARTED,  /* a command runs */
	INIT_REFUSED,  /* it does not; error says why */
	INIT_EXITED,   /* it has ended, and all it had started */
};

enum {
	INIT_COMMANDS_MAX = 64,       /* at the same time in one sandbox */
	INIT_STRINGS_MAX = 64 << 10,  /* bytes of a command's argv and env */
	INIT_WORDS_MAX = 8192,        /* and how many there are */
	INIT_EXTRA_FD_MIN = 9,        /* the lowest place for a fourth */
};

/* Beside those that init is cloned into, which the builder needs at once. */
enum { INIT_NAMESPACES = CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP };

/* How far init came: a refusal up to here means that the host does not let us
 * have namespaces, not that the policy asks for something odd. */
enum init_stage { STAGE_NAMESPACES, STAGE_POLICY };

/* How far the builder is. */
enum builder_stage {
	BUILDER_BEGINS,
	BUILDER_ENTERED, /* the tree: the host's can go */
	BUILDER_BUILT,   /* all; or it has failed */
};

struct init_message {
	enum init_message_type type;
	union {
		struct {
			enum confine_listener_kind kind;
			uint16_t port;
		} listener;
		struct {
			struct protect_state state;
			char path[4096];
		} watch;
		struct {
			bool no_proc, cut;
			int landlock_abi;
			char no_idmap[256]; /* as much of it as fits */
			char workdir[4096];
		} ready;
		struct {
			enum init_stage stage;
			int number; /* errno */
			struct error error;
		} failed;
		struct confine_end end;
		struct {
			int number;
			bool group;
		} signal;
		/* Behind it: argv, then env, which goes before the policy's,
		 * each string with its NUL.  Descriptors: stdin, stdout,
		 * stderr, and one for the number extra_fd unless that
		 * is -1. */
		struct {
			uint32_t argc, envc;
			int extra_fd;
			bool tools; /* this program as the file tools' process,
				     * instead of argv */
		} spawn;
	};
	uint32_t id; /* of a command, chosen by the supervisor */
};

/* What init needs to know; all of it is the supervisor's memory, copied. */
struct init_args {
	const struct policy *policy;
	const struct confine_io *io;
	const struct limits *limits;
	struct tree *tree;
	enum confine_tier tier;
	struct owner owner;
	bool open_in_init;       /* host paths, with the payload's rights */
	int control_fd;
	char cwd[4096];          /* the caller's, "" if unknown */
	const char *scratch;     /* CONFINE_LSM: the private directory */
	bool join_v2;            /* the group was not cloned into */
};

/* What init and the process that builds the sandbox (builder.h) share. */
struct init_start {
	struct init_args *args;
	struct owner owner;
	struct landlock landlock;
	struct payload payload;
	bool is_command;       /* the builder becomes the payload */
	bool own_network;
	unsigned capabilities; /* the kernel has so many */

	bool early;            /* args come with the policy */
	struct latch policy;
	int supervisor_fd;     /* a pidfd, or -1 */
	int sysctl_fd;         /* see userns.h; or -1 */
	struct latch network;  /* init is in the other namespaces, or cannot */
	int network_number;    /* 0, or why not */
	int loopback_number;   /* the same of its loopback */
	struct latch ready;    /* init is: the payload may run */

	/* Of the builder. */
	pid_t pid;
	int running;           /* changes with reached; 0: it executes the
				* command, or has ended */
	enum builder_stage reached;
	bool began;            /* it has the policy, and uses the tree */
	bool failed;
	enum init_stage stage; /* of the failure */
	int number;            /* errno */
	struct error error;
};

/* Fills all but args and owner. */
void init_prepare(struct init_start *s, bool is_command, bool own_network);

/* Closes what *s has.  Idempotent. */
void init_close(struct init_start *s);

/* Runs as init and never returns. */
_Noreturn void init_run(struct init_args *a);

/* The same for clone(2), in the supervisor's memory and with its descriptors:
 * takes a struct init_start, and goes on when s->policy opens.  Where
 * it cannot begin it ends without a word. */
int init_run_early(void *start);

/* The end of the sandbox: as PID 1 it takes everything along. */
_Noreturn void init_end(const struct init_args *a);

#endif
