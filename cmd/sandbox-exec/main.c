/* SPDX-License-Identifier: ISC */
/* Runs a command that is not trusted in a sandbox.  See sandbox-exec(1). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "cmd/sandbox-exec/early.h"
#include "cmd/sandbox-exec/explain.h"
#include "cmd/sandbox-exec/gate.h"
#include "cmd/sandbox-exec/mcp.h"
#include "cmd/sandbox-exec/netns.h"
#include "cmd/sandbox-exec/options.h"
#include "cmd/sandbox-exec/overlay_changes.h"
#include "cmd/sandbox-exec/serve.h"
#include "cmd/sandbox-exec/status.h"
#include "cmd/sandbox-exec/supervise.h"
#include "cmd/sandbox-exec/toolserver.h"
#include "common/diag.h"
#include "common/exit.h"

/* One line for each promise that is not kept, and for what the payload did
 * not mean to do: it was ended or cut. */
static void
print_outcome(const struct result *r)
{
	static const char *const streams[] = {"standard output",
		"standard error"};

	status_warn(&r->confine);
	if (r->error.text[0] != '\0')
		diag_error("%s", r->error.text);
	if (r->timed_out)
		diag_error("time limit: the command was ended");
	if (r->persisted)
		diag_error("protected names: the command made them again and "
		    "again and was ended");
	if ((r->hit & 1U << LIMIT_MEM) != 0)
		diag_error("memory limit: a process was killed");
	for (int i = 0; i < STREAM_COUNT; i++) {
		if (r->lost[i] != 0)
			diag_error("%s: %s: the rest is lost", streams[i],
			    strerror(r->lost[i]));
	}
}

/* A name that makes other programs run commands was made in spite of the
 * policy. */
static void
report_found(void *user, const char *path, const char *renamed)
{
	struct audit *a = user;

	if (renamed != NULL && renamed[0] == '\0')
		diag_warning("%s: a protected name: removed", path);
	else if (renamed != NULL)
		diag_warning("%s: a protected name: renamed to %s", path,
		    renamed);
	else
		diag_error("%s: a protected name: it could not be renamed: "
		    "%s", path, strerror(errno));
	if (a->fd == -1)
		return;
	audit_begin(a, "protected");
	jsonw_key_name(&a->w, "path", bytes_cstr(path));
	jsonw_key_name(&a->w, "renamed", bytes_cstr(renamed == NULL ? "" :
	    renamed));
	audit_end(a);
}

static int
commit(const struct overlay *a, const struct changes *changes,
    struct error *e)
{
	if (changes->cut)
		diag_warning("%s: too many files to look for all repositories: "
		    "hooks and settings of those that were not seen can be "
		    "changed", a->host);
	return changes_commit(a, changes, e);
}

/* Lists and makes the changes of one overlay.  Returns whether they are no
 * longer needed. */
static bool
end_overlay(const struct options *o, const struct overlay *a, bool succeeded,
    bool *ret_listed)
{
	struct changes changes;
	struct error e;
	bool done = !o->commit;

	if (!o->diff && !o->commit)
		return true;
	if (changes_find(a, &changes, &e) != 0) {
		diag_error("%s", e.text);
		return false;
	}
	if (o->diff && changes_print(a, &changes, o->json) != 0) {
		diag_error("standard output: %s", strerror(errno));
		*ret_listed = false;
	}
	if (o->commit && changes.count == 0)
		done = true;
	else if (o->commit && !succeeded)
		diag_warning("%s: the command failed: its changes are not "
		    "made", a->host);
	else if (o->commit && commit(a, &changes, &e) != 0)
		diag_error("%s", e.text);
	else
		done = true;
	changes_done(&changes);
	return done;
}

/* Returns the exit status: status unless what was asked for failed. */
static int
end_overlays(const struct options *o, struct overlays *l, int status)
{
	bool done = true, listed = true;
	struct error e;

	for (size_t i = 0; i < l->count; i++)
		done = end_overlay(o, &l->at[i], status == EXIT_OK,
		    &listed) && done;
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

static int
run(const struct options *o)
{
	static struct result result;
	struct audit audit;
	struct supervise s = {
		.policy = &o->policy,
		.argv = o->argv,
		.audit = &audit,
		.grace_ms = SUPERVISE_GRACE_MS,
		.gate = gate_start,
		.found = report_found,
	};
	struct error e;

	if (audit_open(&audit, o->audit, &o->policy, &e) != 0) {
		diag_error("%s", e.text);
		return EXIT_SANDBOX;
	}
	supervise_run(&s, &result);
	print_outcome(&result);
	status_audit_end(&audit, &o->policy, &result);
	audit_close(&audit);
	if (o->status_fd != -1 && status_write(o->status_fd, &o->policy,
	    &result) != 0)
		diag_error("descriptor %d: %s", o->status_fd,
		    "the status could not be written");
	return result.status;
}

/* The command, if there is one, and what becomes of the overlays. */
static int
run_with_overlays(struct options *o)
{
	static struct overlays overlays;
	int status = EXIT_OK;
	struct error e;

	if (overlay_open(&overlays, &o->policy, o->changes, o->diff ||
	    o->commit, &e) != 0) {
		struct error ignored;

		diag_error("%s", e.text);
		if (o->changes == NULL)
			overlay_drop(&overlays, &ignored);
		overlay_close(&overlays);
		return EXIT_SANDBOX;
	}
	if (o->argv[0] != NULL)
		status = run(o);
	status = end_overlays(o, &overlays, status);
	overlay_close(&overlays);
	return status;
}

/* Goes into the network that was made before.  Returns whether there is none
 * or this worked. */
static bool
enter_network(struct options *o)
{
	struct error e;
	int fd;

	if (o->netns == NULL)
		return true;
	fd = open(o->netns, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1) {
		diag_error("%s: %s", o->netns, strerror(errno));
		return false;
	}
	/* Lives as long as we do. */
	o->policy.netns_fd = fd;
	if (netns_join(fd, &e) == 0)
		return true;
	diag_error("%s: %s", o->netns, e.text);
	return false;
}

/* The zygote goes first: it must know nothing of what we are told later. */
static int
serve(struct options *o)
{
	struct zygote zygote;
	struct audit audit;
	struct error e;
	int status = EXIT_SANDBOX;

	if (audit_open(&audit, o->audit, &o->policy, &e) != 0) {
		diag_error("%s", e.text);
		return EXIT_SANDBOX;
	}
	if (zygote_start(&zygote, o, &audit, report_found, &e) == 0) {
		status = o->mode == OPTIONS_MCP ?
		    mcp_run(o, &audit, &zygote) :
		    serve_run(o, &audit, &zygote);
		zygote_stop(&zygote);
	} else {
		diag_error("%s", e.text);
	}
	audit_close(&audit);
	return status;
}

static int
run_mode(struct options *o)
{
	switch (o->mode) {
	case OPTIONS_EXPLAIN:
		early_cancel();
		return explain_run(&o->policy, o->json);
	case OPTIONS_SERVE:
	case OPTIONS_MCP:
		early_cancel();
		return serve(o);
	case OPTIONS_COMMAND:
		break;
	}
	return run_with_overlays(o);
}

int
main(int argc, char **argv)
{
	static struct options o;
	int status = EXIT_SANDBOX;

	if (toolserver_is_meant(argv))
		return toolserver_run(argv);
	diag_init("sandbox-exec");
	early_start(argv);
	switch (options_parse(argc, argv, &o)) {
	case OPT_DONE:
		status = opt_close_stdout();
		break;
	case OPT_INVALID:
		break;
	case OPT_RUN:
		if (!enter_network(&o))
			break;
		status = run_mode(&o);
		break;
	}
	early_cancel();
	/* What the options hold ends with us. */
	return status;
}
