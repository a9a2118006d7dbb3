/* SPDX-License-Identifier: ISC */
/* How a policy is enforced: one command in its own namespaces, below its own
 * tree of files, behind Landlock and a seccomp filter, without capabilities.
 *
 * Three processes: the supervisor (the caller), init (PID 1 of the sandbox,
 * which makes its network and reaps) and the builder (which makes its tree and
 * rules, and becomes the payload).  The first two are joined by one socket
 * pair, the control channel; its end tells each side that the other is
 * gone. */
#ifndef ADIT_SANDBOX_CONFINE_H
#define ADIT_SANDBOX_CONFINE_H

#include <stdint.h>
#include <sys/resource.h>

#include "cmd/sandbox-exec/limits.h"
#include "cmd/sandbox-exec/policy.h"
#include "cmd/sandbox-exec/protect.h"

enum {
	CONFINE_PROXY_PORT = 3128, /* inside: 127.0.0.1, HTTP and SOCKS */
	CONFINE_LISTENERS_MAX = 20,
	CONFINE_DEGRADED_MAX = 16,
};
#define CONFINE_DNS_ADDRESS "127.0.0.53"

/* What was built. */
enum confine_tier {
	CONFINE_FULL, /* namespaces, Landlock, seccomp */
	CONFINE_LSM,  /* user namespaces are refused: Landlock, seccomp */
};

/* Sockets made inside the sandbox's network namespace for the gate, which
 * accepts on them from outside (POLICY_NET_ALLOW only). */
enum confine_listener_kind {
	LISTENER_PROXY,   /* TCP on 127.0.0.1:CONFINE_PROXY_PORT */
	LISTENER_DNS_UDP, /* CONFINE_DNS_ADDRESS:53 */
	LISTENER_DNS_TCP,
	LISTENER_CAPTURE, /* TCP on [::]:port for any address, IPv4 as
			   * ::ffff:a.b.c.d; getsockname(2) on what it accepts
			   * gives the address that was meant.  Ports 80, 443
			   * and those of the allow list. */
};

struct confine_listener {
	enum confine_listener_kind kind;
	uint16_t port;
	int fd; /* close-on-exec; owned by struct confine */
};

/* One thing that is less than the policy promises. */
struct confine_degraded {
	const char *feature;     /* a word: "network", "landlock-net" */
	const char *reason;      /* why it is not there */
	const char *consequence; /* what that means */
};

/* What the payload starts with.  Descriptors stay the caller's. */
struct confine_io {
	int in, out, err;
	struct protect_watch *watch; /* is told of more, unless NULL */
	char *const *argv;

	/* Instead of argv: runs confined in the payload's process, and its
	 * value is the exit status.  For --explain. */
	int (*probe)(void *arg);
	void *probe_arg;

	/* Neither argv nor probe: the sandbox stands without a command and
	 * takes them by INIT_SPAWN (init.h) until the control channel ends.
	 * exe_fd is what a command that is to be this program itself is
	 * executed from. */
	int exe_fd;

	/* Of such a command: argv comes from exe_fd, a descriptor more with
	 * its number inside (0: none), variables that go before the
	 * policy's (NULL: none). */
	bool from_exe;
	int extra_fd, extra_to;
	char *const *env;
};


struct confine {
	enum confine_tier tier;
	pid_t init_pid;
	int pidfd;      /* of init; readable when everything is gone */
	int control_fd; /* messages of init; see confine_receive */
	bool shares_memory; /* init, with us */
	bool adopts;    /* CONFINE_LSM: what init leaves is ours */
	struct confine_listener listeners[CONFINE_LISTENERS_MAX];
	size_t listener_count;
	struct limits limits;
	struct confine_degraded degraded[CONFINE_DEGRADED_MAX];
	size_t degraded_count;
	int landlock_abi;  /* enforced; 0: none */
	unsigned layers;   /* enum confine_layer bits that are enforced */
	char scratch[64];  /* CONFINE_LSM: the private directory, or "" */
	char refused[ERROR_TEXT_MAX]; /* CONFINE_LSM: why */
	uid_t owner_uid;              /* the payload's on the host */
	gid_t owner_gid;
	char workdir[4096];           /* inside */
	char no_idmap[320];           /* why a path's owner is not mapped */
};

enum confine_layer {
	LAYER_USER = 1,
	LAYER_MOUNT = 2,
	LAYER_PID = 4,
	LAYER_NET = 8,
	LAYER_IPC = 16,
	LAYER_UTS = 32,
	LAYER_CGROUP = 64,
	LAYER_LANDLOCK = 128,
	LAYER_SECCOMP = 256,
};

/* How the payload ended. */
struct confine_end {
	int wait_status;
	struct rusage rusage; /* of the payload and what it waited for */
};

/* Builds the sandbox and starts the payload.  Returns 0 once the payload runs
 * (exec succeeded); or -1 with a text and e->code EXIT_SANDBOX,
 * EXIT_NOT_EXECUTABLE or EXIT_NOT_FOUND, and nothing left behind.
 * A shortfall that policy->require names is such a failure. */
int confine_start(const struct policy *policy, const struct confine_io *io,
    struct confine *ret, struct error *e);

/* Takes one message from control_fd.  Returns 1 and fills *ret when the
 * payload has ended, 0 for nothing yet (or something else), -1 when init is
 * gone without a word. */
int confine_receive(struct confine *c, struct confine_end *ret);

/* Asks init to send the payload a signal: to its process group when group is
 * set. */
void confine_signal(struct confine *c, int sig, bool group);

/* Kills everything inside at once, waits until it is gone, and removes what
 * was made for it on the host (cgroups, private directory).  Idempotent; also
 * for a struct that confine_start did not fill. */
void confine_stop(struct confine *c);

#endif
