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
#include "cmd/sandbox-exec/overlay_end.h"
#include "cmd/sandbox-exec/report.h"
#include "cmd/sandbox-exec/serve.h"
#include "cmd/sandbox-exec/status.h"
#include "cmd/sandbox-exec/supervise.h"
#include "cmd/sandbox-exec/toolserver.h"
#include "common/diag.h"
#include "common/exit.h"

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
	report_result(&result);
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
	status = overlay_end(&overlays, o, status);
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
