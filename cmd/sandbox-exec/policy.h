/* SPDX-License-Identifier: ISC */
/* What a sandbox may do: the outcome of defaults, policy file and options,
 * with every value checked.  It says what, never how: confine.h and gate.h
 * enforce it.  Nothing in it comes from the workspace. */
#ifndef ADIT_SANDBOX_POLICY_H
#define ADIT_SANDBOX_POLICY_H

#include <sys/types.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/opt.h"
#include "common/sha256.h"

enum {
	POLICY_PATHS_MAX = 256,
	POLICY_ALLOW_MAX = 256,
	POLICY_ENV_MAX = 128,
	POLICY_FILE_MAX = 1 << 20,
	POLICY_TMPFS_SIZE = 1 << 30, /* of directories in memory, by default */
};

/* How a host path appears inside. */
enum policy_access {
	POLICY_RO,      /* read and execute */
	POLICY_RW,      /* also write */
	POLICY_TMPFS,   /* an empty private directory, size-limited */
	POLICY_OVERLAY, /* writes go to an upper directory */
	POLICY_MASK,    /* a glob: matching files look empty, directories too */
};

struct policy_path {
	enum policy_access access;
	char *host;   /* absolute; POLICY_MASK: a glob, with its front's
		       * links resolved */
	char *given;  /* host before its links were resolved; NULL: the same */
	char *inside; /* absolute; the same unless "host:inside" was given;
		       * POLICY_MASK: the glob as it was given */
	int64_t size; /* POLICY_TMPFS: bytes, 0 for the default */
	bool narrows; /* it takes from a fixed grant above it; so it does not
		       * lift default masks as a grant of its own would */
	char *upper;  /* POLICY_OVERLAY: host directory that takes the writes;
		       * NULL: memory does */
};

enum policy_net {
	POLICY_NET_NONE,  /* nothing but its own loopback */
	POLICY_NET_ALLOW, /* through the gate, by the allow list */
	POLICY_NET_HOST,  /* the host's network */
};

/* One entry of the allow list: a name, "*.name", an address or a range. */
struct policy_allow {
	enum { ALLOW_NAME, ALLOW_SUBDOMAINS, ALLOW_RANGE } kind;
	char *name;      /* canonical: lower case, no trailing dot; not for
			  * ALLOW_RANGE */
	uint8_t ip[16];  /* ALLOW_RANGE: IPv4 as ::ffff:a.b.c.d */
	uint8_t bits;    /* 0 to 128 */
	uint16_t port;   /* 0: 80 and 443 for names, any for ranges */
	bool opaque;     /* no TLS or HTTP is asked for ("tcp:" prefix) */
};

/* What of /proc is shown. */
enum policy_proc {
	POLICY_PROC_PIDS,   /* the command's own processes */
	POLICY_PROC_SYSTEM, /* and processors, memory, load, versions */
};

enum policy_home { POLICY_HOME_PRIVATE, POLICY_HOME_REAL };

struct policy_limits {
	int64_t mem, cpu_milli, pids, time_ms, fsize, out; /* 0: none */
	int64_t files;  /* open descriptors */
	int64_t tmpfs;  /* bytes of each private directory */
	bool has_tmpfs; /* they are no default; not in the digest */
};

/* What must be enforced for anything to run: bits. */
enum policy_require {
	REQUIRE_NAMESPACES = 1,
	REQUIRE_NET = 2,
	REQUIRE_LIMITS = 4,
	REQUIRE_LANDLOCK = 8,
	REQUIRE_SECCOMP = 16,
	REQUIRE_FULL = 31,
};

/* The caller's home directory by HOME and by /etc/passwd, root's, and the one
 * that others' are in. */
enum policy_homes {
	POLICY_OWN, POLICY_LISTED, POLICY_ROOT, POLICY_OTHERS, POLICY_HOMES
};

struct policy {
	bool default_files;  /* the host's /usr, /etc essentials, read-only */
	bool default_masks;  /* credentials; see sandbox-exec(1) */
	bool protect;        /* repositories' hooks, start-up files */
	enum policy_home home;
	enum policy_proc proc;
	char *workdir;       /* inside; NULL: the caller's if it is visible */
	enum policy_net net;
	int netns_fd;        /* POLICY_NET_NONE: the network that the caller
			      * is in (netns_join); -1: a new one.  Not in
			      * the digest */
	struct policy_limits limits;
	unsigned require;    /* enum policy_require bits */
	char *hostname;
	/* Where the default masks look on the host, without links; NULL:
	 * nowhere.  Not in the digest. */
	char *home_of[POLICY_HOMES];
	char digest[SHA256_HEX_CAP]; /* of the canonical JSON, in hexadecimal */

	/* What is long is last, and written as far as it is used. */
	size_t path_count, allow_count, env_count, fd_count;
	int fds[16];         /* inherited on purpose */
	char *env[POLICY_ENV_MAX + 1]; /* "NAME=value", NULL-terminated */
	struct policy_path paths[POLICY_PATHS_MAX]; /* in order; later wins */
	struct policy_allow allow[POLICY_ALLOW_MAX];
};

void policy_init(struct policy *p); /* the defaults */
void policy_done(struct policy *p);

/* Whether a host path, absolute and without links, is shown somewhere; or, of
 * writable, so that it can be changed. */
bool policy_shows(const struct policy *p, const char *host, bool writable);

/* Whether a network namespace is made for it. */
bool policy_has_own_network(const struct policy *p);

/* What of the host's root "/" does not stand for; ends with NULL. */
extern const char *const policy_not_in_root[];

/* Appends the policy as canonical JSON: what --explain shows and the digest
 * is made of.  Returns 0, or -1 with ENOBUFS. */
int policy_format(const struct policy *p, struct buf *out);

/* Puts a policy that is complete into its canonical order, and computes its
 * digest if that is asked for.  Returns 0, or -1 with a text if the command
 * could choose by a link what it is given. */
int policy_finish(struct policy *p, bool digest, struct error *e);

#endif
