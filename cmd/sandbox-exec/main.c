/* SPDX-License-Identifier: ISC */
/* Runs a command that is not trusted in a sandbox.  See sandbox-exec(1). */
#include <errno.h>
#include <string.h>

#include "cmd/sandbox-exec/explain.h"
#include "cmd/sandbox-exec/gate.h"
#include "cmd/sandbox-exec/options.h"
#include "cmd/sandbox-exec/status.h"
#include "cmd/sandbox-exec/supervise.h"
#include "common/diag.h"
#include "common/exit.h"

/* One line for each promise that is not kept, and for what the payload did
 * not mean to do: it was ended or cut. */
static void
print_outcome(const struct result *r)
{
	const struct confine *c = &r->confine;

	for (size_t i = 0; i < c->degraded_count; i++)
		diag_warning("%s: %s: %s", c->degraded[i].feature,
		    c->degraded[i].reason, c->degraded[i].consequence);
	if (r->error.text[0] != '\0')
		diag_error("%s", r->error.text);
	if (r->timed_out)
		diag_error("time limit: the command was ended");
	if ((r->hit & 1U << LIMIT_MEM) != 0)
		diag_error("memory limit: a process was killed");
}

/* A name that makes other programs run commands was made in spite of the
 * policy. */
static void
report_found(void *user, const char *path, const char *renamed)
{
	struct audit *a = user;

	if (renamed != NULL)
		diag_warning("%s: a protected name: renamed to %s", path,
		    renamed);
	else
		diag_error("%s: a protected name: it could not be renamed: "
		    "%s", path, strerror(errno));
	if (a->fd == -1)
		return;
	audit_begin(a, "protected");
	jsonw_key(&a->w, "path");
	jsonw_bytes(&a->w, bytes_cstr(path));
	jsonw_key(&a->w, "renamed");
	jsonw_bytes(&a->w, bytes_cstr(renamed == NULL ? "" : renamed));
	audit_end(a);
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

int
main(int argc, char **argv)
{
	static struct options o;
	int status = EXIT_SANDBOX;

	diag_init("sandbox-exec");
	switch (options_parse(argc, argv, &o)) {
	case OPT_DONE:
		status = opt_close_stdout();
		break;
	case OPT_INVALID:
		break;
	case OPT_RUN:
		status = o.explain ? explain_run(&o.policy, o.json) :
		    run(&o);
		break;
	}
	options_done(&o);
	return status;
}
