/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/remedy.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/io.h"
#include "common/str.h"

/* Whether a setting of the kernel's begins with this character. */
static bool
is_set(int proc_fd, const char *path, char value)
{
	int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	char c = '\0';
	ssize_t n = fd == -1 ? -1 : read(fd, &c, 1);

	io_close(&fd);
	return n == 1 && c == value;
}

/* The settings of distributions, and else what engines put around their
 * containers. */
static const char *
find_namespaces(int proc_fd)
{
	if (is_set(proc_fd, "sys/user/max_user_namespaces", '0'))
		return "sysctl user.max_user_namespaces is 0: raise it";
	if (is_set(proc_fd, "sys/kernel/unprivileged_userns_clone", '0'))
		return "sysctl kernel.unprivileged_userns_clone is 0: set it "
		    "to 1";
	if (is_set(proc_fd,
	    "sys/kernel/apparmor_restrict_unprivileged_userns", '1'))
		return "AppArmor keeps user namespaces from programs without "
		    "a profile: give sandbox-exec the one of its manual";
	return "a container's filter refuses them: Docker and Podman take "
	    "another with --security-opt seccomp=FILE, Kubernetes has "
	    "hostUsers: false and seccompProfile";
}

const char *
remedy_find(const struct confine_degraded *d, int proc_fd)
{
	static const struct {
		const char *feature, *text;
	} rows[] = {
		{"proc", "Docker and Podman: --security-opt "
		    "systempaths=unconfined; Kubernetes: procMount: "
		    "Unmasked"},
		{"landlock", "boot a kernel that has CONFIG_LANDLOCK with "
		    "landlock in its parameter lsm="},
		{"landlock-abi", "boot a younger kernel"},
		{"limit-mem", "have a control group delegated: systemd-run "
		    "--user --scope -p Delegate=yes sandbox-exec ..."},
		{"limit-cpu", "have a control group delegated, as for "
		    "limit-mem"},
		{"limit-pids", "have a control group delegated, as for "
		    "limit-mem"},
		{"protection", "grant smaller directories, or use --overlay"},
	};

	if (str_eq(d->feature, "namespaces"))
		return find_namespaces(proc_fd);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (str_eq(rows[i].feature, d->feature))
			return rows[i].text;
	}
	return NULL;
}
