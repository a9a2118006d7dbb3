/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/sandbox-exec/netns.h"
#include "cmd/sandbox-exec/packet.h"
#include "common/exit.h"
#include "common/io.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

/* What the zygote keeps above standard descriptors, of which only stderr is
 * still the caller's. */
enum { KEPT_FD = 3, KEPT_EXE, KEPT_AUDIT, KEPT_COUNT };

/* Kernels before 6.3 do not know that a copy may be executed. */
static int
make_memfd(void)
{
	int fd = memfd_create("sandbox-exec", MFD_CLOEXEC |
	    MFD_ALLOW_SEALING | MFD_EXEC);

	if (fd == -1 && errno == EINVAL)
		fd = memfd_create("sandbox-exec", MFD_CLOEXEC |
		    MFD_ALLOW_SEALING);
	return fd;
}

/* A copy of this program that nobody can change, of which nothing leads back
 * to the file.  Where nothing in memory may be executed (vm.memfd_noexec=2)
 * it is the file itself, to read: a sandbox can then look it up through
 * /proc, and may write to it no more than anybody while we run (ETXTBSY).
 * Returns it, or -1 with errno. */
static int
copy_self(void)
{
	int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int fd = make_memfd();
	struct stat st;
	off_t at = 0;

	if (fd == -1 && errno == EACCES)
		return self;
	if (self == -1 || fd == -1 || fstat(self, &st) != 0)
		goto fail;
	while (at < st.st_size) {
		if (sendfile(fd, self, &at, (size_t)(st.st_size - at)) <= 0)
			goto fail;
	}
	if (fchmod(fd, 0555) != 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL |
	    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
		goto fail;
	io_close(&self);
	return fd;
fail:
	io_close(&self);
	io_close(&fd);
	return -1;
}

/* Whatever the caller holds must end when it does. */
static int
keep_only(int fd, int exe_fd, int audit_fd)
{
	const int keep[] = {fd, exe_fd, audit_fd};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int high[3];

	null = fcntl(null, F_DUPFD_CLOEXEC, KEPT_COUNT);
	if (null == -1 || dup2(null, 0) == -1 || dup2(null, 1) == -1)
		return -1;
	for (int i = 0; i < 3; i++) {
		high[i] = fcntl(keep[i] == -1 ? null : keep[i],
		    F_DUPFD_CLOEXEC, KEPT_COUNT);
		if (high[i] == -1)
			return -1;
	}
	for (int i = 0; i < 3; i++) {
		if (dup3(high[i], KEPT_FD + i, O_CLOEXEC) == -1)
			return -1;
	}
	return close_range(KEPT_COUNT, ~0U, 0);
}

/* The network of the next sandbox, made while the last one is built: it takes
 * the kernel as long as everything else together.  -1: a sandbox makes its
 * own, or has none. */
static int
make_network(const struct keeper *k)
{
	const struct policy *p = &k->options->policy;

	return p->net == POLICY_NET_NONE ? netns_make() : -1;
}

static _Noreturn void
run(struct keeper *k, struct audit *audit, int fd)
{
	char nothing;
	struct packet p = {.head = &nothing, .head_len = 1};

	prctl(PR_SET_NAME, "sandbox-zygote", 0, 0, 0);
	setsid(); /* what a terminal sends is not for us */
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	if (keep_only(fd, k->exe_fd, audit->fd) != 0)
		_exit(EXIT_SANDBOX);
	k->exe_fd = KEPT_EXE;
	if (audit->fd != -1)
		audit->fd = KEPT_AUDIT;
	k->netns_fd = make_network(k);
	while (packet_receive(KEPT_FD, &p) == 1) {
		if (p.fd_count == 1 && fork() == 0) {
			close(KEPT_FD);
			keeper_run(k, p.fds[0]);
		}
		for (size_t i = 0; i < p.fd_count; i++)
			io_close(&p.fds[i]);
		io_close(&k->netns_fd);
		k->netns_fd = make_network(k);
	}
	io_close(&k->netns_fd);
	while (wait(NULL) != -1 || errno == EINTR)
		;
	_exit(EXIT_OK);
}

int
zygote_start(struct zygote *z, struct options *o, const struct audit *audit,
    protect_found *found, struct error *e)
{
	struct keeper k = {.options = o, .found = found};
	struct audit copy = *audit;
	int pair[2];

	e->code = EXIT_SANDBOX;
	z->fd = z->pid = -1;
	k.audit = &copy;
	k.exe_fd = copy_self();
	if (k.exe_fd == -1)
		return error_errno(e, "a copy of this program in memory");
	if (packet_open(pair) == 0) {
		z->pid = fork();
		if (z->pid == 0)
			run(&k, &copy, pair[1]);
		z->fd = pair[0];
		close(pair[1]);
	}
	io_close(&k.exe_fd);
	if (z->pid != -1)
		return 0;
	error_errno(e, "zygote");
	io_close(&z->fd);
	return -1;
}

int
zygote_fork(struct zygote *z)
{
	char nothing = 0;
	struct packet p = {.head = &nothing, .head_len = 1, .fd_count = 1};
	int pair[2];
	int r;

	if (packet_open(pair) != 0)
		return -1;
	p.fds[0] = pair[1];
	r = packet_send(z->fd, &p);
	io_close(&pair[1]);
	if (r == 0 && io_set_nonblock(pair[0], true) == 0)
		return pair[0];
	io_close(&pair[0]);
	return -1;
}

void
zygote_stop(struct zygote *z)
{
	if (z->pid == -1)
		return;
	io_close(&z->fd);
	while (waitpid(z->pid, NULL, 0) == -1 && errno == EINTR)
		;
	z->pid = -1;
}
