/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/lsm.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/sandbox-exec/path.h"
#include "cmd/sandbox-exec/removal.h"
#include "common/io.h"
#include "common/num.h"
#include "common/str.h"

enum {
	SWEEPS_MAX = 100000,
	CHILDREN_MAX = 65536,
	NUMBERS_MAX = 1 << 22, /* of processes, proc_sys_kernel(5) */
	NUMBERS_NEAR = 1 << 15, /* after one that was found */
};

int
lsm_open_scratch(char path[static LSM_SCRATCH_MAX], uid_t uid, gid_t gid,
    struct error *e)
{
	mode_t old = umask(0); /* mkdtemp(3) heeds it */
	char *made;

	str_format(path, LSM_SCRATCH_MAX, "/tmp/sandbox-exec.XXXXXX");
	made = mkdtemp(path);
	umask(old);
	if (made == NULL) {
		path[0] = '\0';
		return error_errno(e, "/tmp/sandbox-exec.XXXXXX");
	}
	if (geteuid() == 0 && chown(path, uid, gid) != 0)
		return error_errno(e, "%s", path);
	return 0;
}

void
lsm_remove_scratch(const char *path)
{
	if (path[0] != '\0')
		removal_remove(AT_FDCWD, path);
}

static int
allow_path(struct landlock *l, const char *path, int kind, struct error *e)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	int r = -1;

	if (fd == -1)
		return error_errno(e, "%s", path);
	if (kind == POLICY_RO)
		r = landlock_allow_read(l, fd);
	else if (kind == POLICY_RW)
		r = landlock_allow_write(l, fd);
	else
		r = landlock_allow_file(l, fd, true, true);
	if (r != 0)
		error_errno(e, "%s: landlock", path);
	io_close(&fd);
	return r;
}

static int
allow_defaults(struct landlock *l, const struct policy *p, struct error *e)
{
	static const char *const readable[] = {
		"/usr", "/etc", "/bin", "/sbin", "/lib", "/lib32", "/lib64",
		"/libx32",
	};
	static const char *const devices[] = {
		"/dev/null", "/dev/zero", "/dev/full", "/dev/urandom",
		"/dev/random",
	};

	for (size_t i = 0; p->default_files &&
	    i < sizeof readable / sizeof *readable; i++) {
		if (allow_path(l, readable[i], POLICY_RO, e) != 0 &&
		    errno != ENOENT)
			return -1;
	}
	for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
		if (allow_path(l, devices[i], -1, e) != 0 && errno != ENOENT)
			return -1;
	}
	return 0;
}

int
lsm_allow(const struct policy *p, const char *scratch, struct landlock *l,
    struct error *e)
{
	if (allow_defaults(l, p, e) != 0 ||
	    allow_path(l, scratch, POLICY_RW, e) != 0)
		return -1;
	for (size_t i = 0; i < p->path_count; i++) {
		const struct policy_path *path = &p->paths[i];

		if (path->access != POLICY_RO && path->access != POLICY_RW)
			continue;
		if (!str_eq(path->host, path->inside))
			return error_set(e, "%s: cannot be shown as %s "
			    "without namespaces", path->host, path->inside);
		if (allow_path(l, path->host, (int)path->access, e) != 0)
			return -1;
	}
	return 0;
}

char *const *
lsm_environment(const struct policy *p, const char *scratch)
{
	static char home[LSM_SCRATCH_MAX + 8], tmpdir[LSM_SCRATCH_MAX + 8];
	static char *env[POLICY_ENV_MAX + 3];
	size_t n = 0;

	for (size_t i = 0; i < p->env_count; i++) {
		if (!str_starts(p->env[i], "HOME=") &&
		    !str_starts(p->env[i], "TMPDIR="))
			env[n++] = p->env[i];
	}
	str_format(home, sizeof home, "HOME=%s", scratch);
	str_format(tmpdir, sizeof tmpdir, "TMPDIR=%s", scratch);
	env[n++] = home;
	env[n++] = tmpdir;
	env[n] = NULL;
	return env;
}

/* Whether it is in what the policy makes writable. */
static bool
is_part(const struct policy *p, const struct policy_path *path)
{
	for (size_t i = 0; i < p->path_count; i++) {
		if (p->paths[i].access == POLICY_RW &&
		    path_is_below(path->inside, p->paths[i].inside))
			return true;
	}
	return false;
}

bool
lsm_lacks(const struct policy *p)
{
	for (size_t i = 0; i < p->path_count; i++) {
		enum policy_access access = p->paths[i].access;

		if ((access != POLICY_RO && access != POLICY_RW) ||
		    (access == POLICY_RO && is_part(p, &p->paths[i])))
			return true;
		if (p->default_masks || (p->protect && access == POLICY_RW))
			return true;
	}
	return false;
}

/* Of this process, not of those that it forks. */
static pid_t scoped_pid;

void
lsm_scope(void)
{
	scoped_pid = landlock_scope_signals() ? getpid() : 0;
}

static bool
kill_listed(void)
{
	static char text[CHILDREN_MAX];
	int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd == -1 ? -1 : read(fd, text, sizeof text - 1);

	io_close(&fd);
	text[n > 0 ? n : 0] = '\0';
	for (char *at = text, *end; *at != '\0'; at = end) {
		int64_t pid;

		end = at + strcspn(at, " ");
		if (*end != '\0')
			*end++ = '\0';
		if (num_parse(at, 2, INT_MAX, &pid) == 0)
			kill((pid_t)pid, SIGKILL);
	}
	return n != -1;
}

bool
lsm_kill_children(void)
{
	if (scoped_pid != getpid())
		return kill_listed();
	/* EPERM: there are others only. */
	return kill(-1, SIGKILL) == 0 || errno == ESRCH || errno == EPERM;
}

static bool
is_child(idtype_t kind, pid_t pid)
{
	siginfo_t info;

	return waitid(kind, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT |
	    __WALL) == 0;
}

/* Younger processes have the next numbers, until those begin again. */
void
lsm_search_children(void)
{
	pid_t pid = getpid(), end = NUMBERS_MAX;

	if (!is_child(P_ALL, 0))
		return;
	for (pid_t i = 0; i < end && i < NUMBERS_MAX; i++) {
		pid = pid + 1 < NUMBERS_MAX ? pid + 1 : 2;
		if (!is_child(P_PID, pid))
			continue;
		kill(pid, SIGKILL);
		end = i + NUMBERS_NEAR;
	}
}

/* A dead parent's children become ours, so that a generation dies with each
 * round. */
void
lsm_kill_all(void)
{
	for (int i = 0; i < SWEEPS_MAX; i++) {
		if (!lsm_kill_children())
			lsm_search_children();
		if (waitpid(-1, NULL, 0) == -1 && errno == ECHILD)
			return;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}
