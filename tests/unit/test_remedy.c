/* SPDX-License-Identifier: ISC */
/* Advice about what a host lacks, from settings of hosts of all kinds. */
#include "cmd/sandbox-exec/remedy.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/files.h"

static char dir[] = "/tmp/adit-remedy.XXXXXX";
static int proc_fd;

static const char *
find(const char *feature)
{
	const struct confine_degraded d = {feature, "", ""};
	const char *text = remedy_find(&d, proc_fd);

	return text == NULL ? "none" : text;
}

static bool
advises(const char *path, const char *value, const char *want)
{
	int fd = openat(proc_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	bool found;

	must(fd != -1 && write(fd, value, strlen(value)) > 0, path);
	close(fd);
	found = strstr(find("namespaces"), want) != NULL;
	must(unlinkat(proc_fd, path, 0) == 0, path);
	return found;
}

int
main(void)
{
	must(mkdtemp(dir) != NULL, dir);
	proc_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	must(mkdirat(proc_fd, "sys", 0700) == 0, "sys");
	must(mkdirat(proc_fd, "sys/user", 0700) == 0, "sys/user");
	must(mkdirat(proc_fd, "sys/kernel", 0700) == 0, "sys/kernel");
	eq_str(find("namespaces"), "there is no /proc: mount one",
	    "no processes in it");
	must(mkdirat(proc_fd, "self", 0700) == 0, "self");
	ok(strstr(find("namespaces"), "container") != NULL,
	    "no setting: a container");
	ok(advises("sys/user/max_net_namespaces", "0\n",
	    "max_net_namespaces"), "of one kind none are allowed");
	ok(advises("sys/user/max_user_namespaces", "0\n",
	    "max_user_namespaces"), "none are allowed");
	ok(advises("sys/user/max_user_namespaces", "100\n", "container"),
	    "some are");
	ok(advises("sys/kernel/unprivileged_userns_clone", "0\n",
	    "unprivileged_userns_clone"), "Debian's own");
	ok(advises("sys/kernel/apparmor_restrict_unprivileged_userns", "1\n",
	    "AppArmor"), "Ubuntu's");
	ok(advises("sys/kernel/apparmor_restrict_unprivileged_userns", "0\n",
	    "container"), "off");
	ok(strstr(find("proc"), "procMount") != NULL, "proc");
	ok(strstr(find("limit-cpu"), "control group") != NULL, "a limit");
	eq_str(find("kill"), "none", "what goes with namespaces");
	close(proc_fd);
	must(chdir(dir) == 0 && rmdir("self") == 0 && rmdir("sys/user") == 0 &&
	    rmdir("sys/kernel") == 0 && rmdir("sys") == 0 &&
	    chdir("/") == 0 && rmdir(dir) == 0, dir);
	return test_done();
}
