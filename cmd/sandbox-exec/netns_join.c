/* SPDX-License-Identifier: ISC */
/* Network namespaces that were made before: making one takes the kernel half
 * a millisecond, going into one two microseconds. */
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/sandbox-exec/ids.h"
#include "cmd/sandbox-exec/netns.h"
#include "common/io.h"

enum {
	STACK_SIZE = 64 << 10,
	FILE_MAX = 4096,
	/* What a sandbox before has left in it is freed a moment late. */
	SETTLE_TRIES = 200,
	SETTLE_WAIT_MS = 1,
};

/* It shares our memory and descriptors. */
struct maker {
	bool user; /* in a user namespace of its own */
	struct ids ids;
	int fd;
	int number; /* errno */
};

static int
make(void *arg)
{
	struct maker *m = arg;

	m->number = m->user ? ids_map(m->ids, m->ids) : 0;
	if (m->number != 0)
		return 0;
	if (unshare(CLONE_NEWNET) == 0 && (errno = netns_up()) == 0)
		m->fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	m->number = errno;
	return 0;
}

int
netns_make(void)
{
	static char stack[STACK_SIZE] __attribute__((aligned(16)));
	struct maker m = {.user = geteuid() != 0, .fd = -1,
		.ids = {geteuid(), getegid()}};
	pid_t pid = clone(make, stack + sizeof stack, CLONE_VM | CLONE_FILES |
	    CLONE_VFORK | SIGCHLD | (m.user ? CLONE_NEWUSER : 0), &m);

	if (pid == -1)
		return -1;
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		;
	errno = m.number;
	return m.fd;
}

/* Reads a file of /proc as a string.  Returns 0, or -1 with errno. */
static int
read_text(const char *path, char out[static FILE_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd == -1 ? -1 : read(fd, out, FILE_MAX - 1);

	io_close(&fd);
	if (n < 0)
		return -1;
	out[n] = '\0';
	if (n < FILE_MAX - 1)
		return 0;
	errno = EFBIG;
	return -1;
}

bool
netns_is_lonely(const char *dev)
{
	bool lo = false;

	/* Two lines of heading; then "  NAME: numbers". */
	for (int i = 0; i < 2; i++) {
		dev = strchr(dev, '\n');
		if (dev++ == NULL)
			return false;
	}
	for (; *dev != '\0'; dev++) {
		dev += strspn(dev, " ");
		if (lo || strncmp(dev, "lo:", 3) != 0)
			return false;
		lo = true;
		dev = strchr(dev, '\n');
		if (dev == NULL)
			return false;
	}
	return lo;
}

bool
netns_is_unused(const char *sockstat)
{
	return strncmp(sockstat, "sockets: used 0\n", 16) == 0;
}

/* In it: whether it is what --net none promises.  Sockets of every kind
 * count, those of Unix too. */
static int
check_inside(struct error *e)
{
	char text[FILE_MAX];

	if (read_text("/proc/thread-self/net/dev", text) != 0)
		return error_errno(e, "/proc/thread-self/net/dev");
	if (!netns_is_lonely(text))
		return error_set(e, "it has another interface than lo");
	for (int i = 0; ; i++) {
		if (read_text("/proc/thread-self/net/sockstat", text) != 0)
			return error_errno(e, "/proc/thread-self/net/"
			    "sockstat");
		if (netns_is_unused(text))
			return 0;
		if (i == SETTLE_TRIES)
			return error_set(e, "somebody has sockets in it");
		poll(NULL, 0, SETTLE_WAIT_MS);
	}
}

/* Whoever owns its user namespace can give it interfaces at any time.  Fills
 * *ret_user with that namespace. */
static int
check_owner(int fd, int *ret_user, struct error *e)
{
	uid_t owner;

	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return error_set(e, "no network namespace");
	*ret_user = ioctl(fd, NS_GET_USERNS);
	if (*ret_user == -1)
		return error_errno(e, "its user namespace");
	if (ioctl(*ret_user, NS_GET_OWNER_UID, &owner) != 0)
		return error_errno(e, "its owner");
	if (owner != 0 && owner != geteuid())
		return error_set(e, "it belongs to somebody else");
	return 0;
}

/* Goes into it; through its user namespace where that gives the right. */
static int
enter(int fd, int user_fd, struct error *e)
{
	const struct ids ids = {geteuid(), getegid()};

	if (setns(fd, CLONE_NEWNET) == 0)
		return 0;
	if (errno != EPERM)
		return error_errno(e, "setns");
	/* EINVAL: it is the caller's own, where it has no capability. */
	if (setns(user_fd, CLONE_NEWUSER) != 0)
		return error_set(e, "the caller has no right to enter it");
	if (geteuid() != ids.uid || getegid() != ids.gid)
		return error_set(e, "its user namespace has other ids for "
		    "the caller than the caller's");
	return setns(fd, CLONE_NEWNET) == 0 ? 0 : error_errno(e, "setns");
}

int
netns_join(int fd, struct error *e)
{
	int user_fd = -1;
	int r = -1;

	if (check_owner(fd, &user_fd, e) != 0)
		goto out;
	/* Kept as long as anything of the sandbox has the descriptor. */
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		error_set(e, errno == EWOULDBLOCK ? "another sandbox uses it" :
		    "it cannot be locked");
		goto out;
	}
	if (enter(fd, user_fd, e) != 0 || check_inside(e) != 0)
		goto out;
	errno = netns_up();
	if (errno != 0)
		error_errno(e, "loopback");
	else
		r = 0;
out:
	io_close(&user_fd);
	return r;
}
