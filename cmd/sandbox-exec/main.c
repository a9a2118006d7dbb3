/* SPDX-License-Identifier: ISC */
/* Runs one command in a sandbox.  See sandbox-exec(1). */
#include <stdlib.h>
#include <string.h>

#include "cmd/sandbox-exec/status.h"
#include "cmd/sandbox-exec/supervise.h"
#include "common/diag.h"
#include "common/exit.h"
#include "common/num.h"

int
main(int argc, char **argv)
{
	static struct policy p;
	static char env1[] = "PATH=/usr/local/bin:/usr/bin:/bin",
	    env2[] = "HOME=/home/user";
	static struct result r;
	struct audit audit;
	struct supervise s = {.policy = &p, .audit = &audit, .grace_ms = 300};
	struct error e;
	int64_t status_fd = -1;
	const char *audit_path = NULL;
	int i = 1;

	diag_init("sandbox-exec");
	p.default_files = p.default_masks = true;
	p.env[0] = env1;
	p.env[1] = env2;
	p.env_count = 2;
	for (; i + 1 < argc && strcmp(argv[i], "--") != 0; i += 2) {
		char *v = argv[i + 1];
		if (strcmp(argv[i], "--time") == 0)
			num_parse_duration(v, 1, 1000000, &p.limits.time_ms);
		else if (strcmp(argv[i], "--out") == 0)
			num_parse_size(v, 1, 1 << 30, &p.limits.out);
		else if (strcmp(argv[i], "--mem") == 0)
			num_parse_size(v, 1, 1LL << 40, &p.limits.mem);
		else if (strcmp(argv[i], "--cpu") == 0)
			num_parse(v, 1, 1 << 30, &p.limits.cpu_milli);
		else if (strcmp(argv[i], "--pids") == 0)
			num_parse(v, 1, 1 << 30, &p.limits.pids);
		else if (strcmp(argv[i], "--status-fd") == 0)
			num_parse(v, 1, 1 << 30, &status_fd);
		else if (strcmp(argv[i], "--audit") == 0)
			audit_path = v;
		else if (strcmp(argv[i], "--require") == 0)
			p.require = REQUIRE_FULL;
		else if (strcmp(argv[i], "--net") == 0)
			p.net = strcmp(v, "host") == 0 ? POLICY_NET_HOST : POLICY_NET_ALLOW;
		else {
			p.paths[p.path_count].access = strcmp(argv[i], "--rw") ? POLICY_RO : POLICY_RW;
			p.paths[p.path_count].host = v;
			p.paths[p.path_count++].inside = v;
		}
	}
	s.argv = argv + i + 1;
	if (audit_open(&audit, audit_path, &p, &e) != 0) {
		diag_error("%s", e.text);
		return EXIT_SANDBOX;
	}
	supervise_run(&s, &r);
	if (r.error.text[0] != '\0')
		diag_error("%s", r.error.text);
	for (size_t d = 0; d < r.confine.degraded_count; d++)
		diag_warning("%s: %s: %s", r.confine.degraded[d].feature, r.confine.degraded[d].reason, r.confine.degraded[d].consequence);
	status_audit_end(&audit, &p, &r);
	if (status_fd != -1)
		status_write((int)status_fd, &p, &r);
	return r.status;
}
