/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/remedy.h"

#include <fcntl.h>
#include <sys/statvfs.h>
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

/* What makes namespaces impossible whatever is set, or NULL. */
static const char *
find_surroundings(int proc_fd)
{
	struct statvfs proc;

	if (faccessat(proc_fd, "self", F_OK, AT_SYMLINK_NOFOLLOW) != 0)
		return "there is no /proc: mount one";
	if (fstatvfs(proc_fd, &proc) == 0 && (proc.f_flag & ST_RDONLY) != 0)
		return "/proc is read-only: mount it writable";
	return NULL;
}

/* What surrounds us, the settings of distributions, and else what engines put
 * around their containers. */
static const char *
find_namespaces(int proc_fd)
{
	static const struct {
		const char *path;
		char value;
		const char *text;
	} settings[] = {
#define MAX_OF(what) {"sys/user/max_" what "_namespaces", '0', \
	"sysctl user.max_" what "_namespaces is 0: raise it"}
		MAX_OF("user"), MAX_OF("mnt"), MAX_OF("pid"), MAX_OF("net"),
		MAX_OF("ipc"), MAX_OF("uts"), MAX_OF("cgroup"),
#undef MAX_OF
		{"sys/kernel/unprivileged_userns_clone", '0', "sysctl "
		    "kernel.unprivileged_userns_clone is 0: set it to 1"},
		{"sys/kernel/apparmor_restrict_unprivileged_userns", '1',
		    "AppArmor keeps user namespaces from programs without "
		    "a profile: give sandbox-exec the one of its manual"},
	};
	const char *text = find_surroundings(proc_fd);

	for (size_t i = 0; text == NULL && i < sizeof settings /
	    sizeof *settings; i++) {
		if (is_set(proc_fd, settings[i].path, settings[i].value))
			text = settings[i].text;
	}
	return text != NULL ? text : "a container's filter refuses them, or "
	    "this is a chroot(2): Docker and Podman take another filter with "
	    "--security-opt seccomp=FILE, Kubernetes has hostUsers: false "
	    "and seccompProfile";
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
		{"net", "put a pipe between: cat | sandbox-exec ... | cat"},
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
