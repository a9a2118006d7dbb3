/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/report.h"

#include <errno.h>
#include <string.h>

#include "common/diag.h"

void
report_degraded(const struct confine *c)
{
	for (size_t i = 0; i < c->degraded_count; i++)
		diag_warning("%s: %s: %s", c->degraded[i].feature,
		    c->degraded[i].reason, c->degraded[i].consequence);
}

void
report_result(const struct result *r)
{
	static const char *const streams[] = {"standard output",
		"standard error"};

	report_degraded(&r->confine);
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

void
report_found(void *audit, const char *path, const char *renamed)
{
	struct audit *a = audit;

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
