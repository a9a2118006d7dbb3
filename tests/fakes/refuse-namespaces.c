/* SPDX-License-Identifier: ISC */
/* Runs a command as a container engine's default seccomp profile would: no
 * user namespace, no mount, and a clone3 that is not there. */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	static const int refused[] = {
		SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(mount),
		SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(open_tree),
		SCMP_SYS(move_mount), SCMP_SYS(fsopen), SCMP_SYS(fsmount),
		SCMP_SYS(mount_setattr),
	};
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r = argc < 2 || ctx == NULL ? -1 : 0;

	for (size_t i = 0; r == 0 && i < sizeof refused / sizeof *refused;
	    i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), refused[i],
		    0);
	if (r != 0 || seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS),
	    SCMP_SYS(clone3), 0) != 0 ||
	    seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
	    SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, CLONE_NEWUSER,
	    CLONE_NEWUSER)) != 0 || seccomp_load(ctx) != 0) {
		fprintf(stderr, "refuse-namespaces: no filter\n");
		return 99;
	}
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 99;
}
