/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/overlay_end.h"

#include <errno.h>
#include <string.h>

#include "cmd/sandbox-exec/overlay_changes.h"
#include "common/diag.h"
#include "common/exit.h"

/* Returns whether nothing is left to be made. */
static bool
commit(const struct overlay *a, const struct changes *changes, bool succeeded)
{
	struct error e;

	if (changes->count == 0)
		return true;
	if (!succeeded) {
		diag_warning("%s: the command failed: its changes are not "
		    "made", a->host);
		return false;
	}
	if (changes->cut)
		diag_warning("%s: too many files to look for all repositories: "
		    "hooks and settings of those that were not seen can be "
		    "changed", a->host);
	if (changes_commit(a, changes, &e) == 0)
		return true;
	diag_error("%s", e.text);
	return false;
}

static bool
list(const struct overlay *a, const struct changes *changes, bool json)
{
	if (changes_print(a, changes, json) == 0)
		return true;
	diag_error("standard output: %s", strerror(errno));
	return false;
}

/* Of one overlay.  Returns whether its changes are no longer needed; *listed
 * becomes false when they cannot be listed. */
static bool
end_one(const struct overlay *a, const struct options *o, bool succeeded,
    bool *listed)
{
	struct changes changes;
	struct error e;
	bool done = true;

	if (!o->diff && !o->commit)
		return true;
	if (changes_find(a, &changes, &e) != 0) {
		diag_error("%s", e.text);
		return false;
	}
	if (o->diff && !list(a, &changes, o->json))
		*listed = false;
	if (o->commit)
		done = commit(a, &changes, succeeded);
	changes_done(&changes);
	return done;
}

int
overlay_end(struct overlays *l, const struct options *o, int status)
{
	bool done = true, listed = true;
	struct error e;

	for (size_t i = 0; i < l->count; i++)
		done = end_one(&l->at[i], o, status == EXIT_OK, &listed) &&
		    done;
	if (!done && !o->discard) {
		for (size_t i = 0; i < l->count; i++)
			diag_warning("%s: its changes are kept in %s",
			    l->at[i].host, l->at[i].dir);
	} else if ((o->commit || o->discard || o->changes == NULL) &&
	    overlay_drop(l, &e) != 0) {
		diag_error("%s", e.text);
		done = false;
	}
	return (done && listed) || status != EXIT_OK ? status : EXIT_FAILED;
}
