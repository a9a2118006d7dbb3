/* SPDX-License-Identifier: ISC */
/* One value at a time into a policy: a key of the policy file and the option
 * of the same name come through here and mean the same. */
#ifndef ADIT_SANDBOX_SETTING_H
#define ADIT_SANDBOX_SETTING_H

#include "cmd/sandbox-exec/policy.h"

/* What a policy file marks as fixed: from then on it can only be tightened. */
enum setting_fixed {
	FIXED_FILES = 1,
	FIXED_NET = 2,
	FIXED_ENV = 4,
	FIXED_LIMITS = 8,
	FIXED_FDS = 16,
	FIXED_ALL = 31,
};

struct setting_target {
	struct policy *policy;
	const char *cwd;          /* of relative paths, without links; NULL:
				   * there are none; "": it is gone */
	const char *home;         /* of "~/"; NULL: there is none */
	char *const *environment; /* where "env NAME" takes values from */
	unsigned fixed;           /* enum setting_fixed bits */
	bool no_digest;           /* nobody will look at the policy's */

	/* What the present source has given; see setting_end. */
	bool has_net, has_allow;
	bool has_path[POLICY_PATHS_MAX];
};

/* The keys, i from 0, in the order of the manual; NULL after the last. */
const char *setting_name(size_t i);

/* Whether a key may be given more than once. */
bool setting_is_list(const char *name);

/* Takes a value, not empty, for a known key.  Returns 0, or -1 with a text
 * such as "'7q': not a size such as 64k"; the policy is then as before. */
int setting_set(struct setting_target *t, const char *name, const char *value,
    struct error *e);

/* The value of a variable in a list as policy.env and environ, or NULL. */
const char *setting_env(char *const *list, const char *name);

/* The home directory that is used where HOME names none. */
extern const char setting_home_default[];

/* The home directory inside: HOME of the policy's variables if that is
 * absolute and not "/", or the default. */
const char *setting_home(const struct policy *p);

/* Takes a word of "fixed".  Returns 0, or -1 with a text. */
int setting_fix(const char *word, unsigned *fixed, struct error *e);

/* To be called when a source (the file, the options) has given all it has.
 * Returns 0, or -1 with a text if it contradicts itself. */
int setting_end(struct setting_target *t, struct error *e);

/* Adds what "home real" grants, and finishes the policy (policy_finish). */
int setting_finish(struct setting_target *t, struct error *e);

#endif
