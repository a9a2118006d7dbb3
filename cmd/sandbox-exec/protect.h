/* SPDX-License-Identifier: ISC */
/* Names that make other programs run commands: a repository's hooks and
 * configuration, start-up files of shells, editors and agents.  What exists
 * is mounted read-only by masks.h; what does not exist yet cannot be, without
 * leaving something on the host, and a link cannot be mounted on: the kernel
 * tells of each new name in their directories, and they are moved out of the
 * way at once, and again at the end. */
#ifndef ADIT_SANDBOX_PROTECT_H
#define ADIT_SANDBOX_PROTECT_H

#include <signal.h>
#include <stdint.h>

#include "cmd/sandbox-exec/policy.h"

enum {
	PROTECT_NAMES = 64,     /* at most, of each list */
	PROTECT_WATCHED_MAX = 256,
	PROTECT_FOUND_MAX = 16, /* before the payload is not let go on */
	PROTECT_PATH_LEN = 4096 + 64,
};

enum protect_list {
	PROTECT_DIRECTORY,  /* what people work in */
	PROTECT_GIT,        /* a git directory */
	PROTECT_REPOSITORY, /* a directory with .git in it */
	PROTECT_MERCURIAL,  /* .hg */
	PROTECT_HOME,       /* a home directory, and in it */
	PROTECT_CONFIG,     /* .config */
	PROTECT_SHARE,      /* .local/share */
	PROTECT_LISTS,
};

/* Each ends with NULL. */
extern const char *const *const protect_names[PROTECT_LISTS];

/* Whether the directory fd is a git directory itself: a bare repository, or
 * one whose working copy has it elsewhere. */
bool protect_is_git(int fd);

/* Whether path, relative to a directory of the policy, is a protected name or
 * below one, at any depth and in any case. */
bool protect_is_name(const char *path);

/* The names of a directory that cannot be mounted on. */
struct protect_state {
	enum protect_list list;
	uint64_t missing; /* bits of names: those that were not there */
	uint64_t links;   /* those that were links, */
	int64_t changed_ns[PROTECT_NAMES]; /* as of these times */
};

/* Such a directory. */
struct protect_watched {
	int fd;
	int told_fd;      /* the same, that dnotify(7) is for, or -1 */
	char *path;       /* on the host */
	struct protect_state state;
	uint64_t *targets; /* what the links lead to, 0 for nothing; NULL:
			    * not known */
	int64_t still_ns;  /* the directory's ctime, if names cannot be made
			    * in it without changing that; else 0 */
};

struct protect_watch {
	const struct policy *policy;
	size_t count;
	size_t found_count;
	struct protect_watched at[PROTECT_WATCHED_MAX];
};

/* Looks at a list's names in the directory fd. */
void protect_note(struct protect_state *ret, int fd, enum protect_list list);

/* In the supervisor, before the sandbox: looks at what the policy makes
 * writable, and its repositories there.  Never fails; to be ended with
 * protect_end. */
void protect_start(struct protect_watch *w, const struct policy *p);

/* Which of a directory's names, by its path on the host, were not there then:
 * bits. */
uint64_t protect_missing(const struct protect_watch *w, const char *path,
    enum protect_list list);

/* Before protect_arm: adds a directory that init has found, by its path
 * inside, with what init has seen before the payload could change it. */
void protect_add(struct protect_watch *w, const struct policy *p,
    const char *inside, const struct protect_state *state);

/* Has a signal (PROTECT_SIGNAL, which the caller blocks) sent to this process
 * whenever a name is made in one of the directories; where the file system
 * does not tell, only the end is left.  After the payload has started, since
 * it need not wait for it; with protect_look after it. */
void protect_arm(struct protect_watch *w);
#define PROTECT_SIGNAL SIGIO

/* Told of a protected name that the payload made or replaced, and what it is
 * called now: "" if it is no more, NULL if nothing could be done, with
 * errno. */
typedef void protect_found(void *user, const char *path, const char *renamed);

/* Renames what is there against the policy to NAME.sandbox-exec,
 * NAME.sandbox-exec-1 and so on.  Returns whether the payload may go on: false
 * when it has done that PROTECT_FOUND_MAX times. */
bool protect_look(struct protect_watch *w, protect_found *found, void *user);

/* When nothing of the sandbox is left: does it for the last time, and removes
 * what cannot be renamed. */
void protect_end(struct protect_watch *w, protect_found *found, void *user);

#endif
