/* SPDX-License-Identifier: ISC */
/* Runs one command in a sandbox.  See sandbox-exec(1). */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "cmd/sandbox-exec/confine.h"
#include "common/diag.h"
#include "common/exit.h"
#include "common/proc.h"

int
main(int argc, char **argv)
{
	static struct policy p;
	static char env1[] = "PATH=/usr/local/bin:/usr/bin:/bin",
	    env2[] = "HOME=/home/user";
	struct confine_io io = {.in = 0, .out = 1, .err = 2};
	struct confine c;
	struct confine_end end;
	struct error e;
	int i = 1;

	diag_init("sandbox-exec");
	p.default_files = p.default_masks = true;
	p.env[0] = env1;
	p.env[1] = env2;
	p.env_count = 2;
	for (; i + 1 < argc && strcmp(argv[i], "--") != 0; i += 2) {
		p.paths[p.path_count].access = strcmp(argv[i], "--rw") ? POLICY_RO : POLICY_RW;
		p.paths[p.path_count].host = argv[i + 1];
		p.paths[p.path_count++].inside = argv[i + 1];
	}
	io.argv = argv + i + 1;
	if (confine_start(&p, &io, &c, &e) != 0) {
		diag_error("%s", e.text);
		return e.code;
	}
	if (confine_receive(&c, &end) != 1)
		return EXIT_SANDBOX;
	confine_stop(&c);
	return proc_exit_status(end.wait_status);
}
