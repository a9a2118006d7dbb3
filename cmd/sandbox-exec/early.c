/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/early.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/sandbox-exec/channel.h"
#include "common/io.h"
#include "common/str.h"

struct early {
	bool tried;
	pid_t pid; /* 0: none */
	int pidfd;
	int pair[2];
	struct init_start start;
};

enum { STACK_SIZE = 128 << 10 };

static struct early early = {.pidfd = -1, .pair = {-1, -1}};

/* AddressSanitizer knows one stack of a process that does not return. */
#ifdef __SANITIZE_ADDRESS__
enum { POSSIBLE = false };
#else
enum { POSSIBLE = true };
#endif

/* What we open must not take the place of a standard descriptor. */
static bool
has_stdio(void)
{
	return fcntl(0, F_GETFD) != -1 && fcntl(1, F_GETFD) != -1 &&
	    fcntl(2, F_GETFD) != -1;
}

/* Whether no option asks for another network, a control group, or something
 * else than a command; a wrong guess costs time and nothing else. */
static bool
is_ordinary(char *const *argv)
{
	static const char *const others[] = {
		"--net", "--cpu", "--mem", "--explain", "--serve", "--mcp",
		"--help", "--version", "-h", "-V",
	};

	for (argv++; *argv != NULL && !str_eq(*argv, "--"); argv++) {
		for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
			if (str_starts(*argv, others[i]))
				return false;
		}
	}
	return true;
}

static pid_t
clone_init(void)
{
	static char stack[STACK_SIZE] __attribute__((aligned(16)));

	return clone(init_run_early, stack + sizeof stack, CLONE_NEWUSER |
	    CLONE_NEWNS | CLONE_NEWPID | CLONE_VM | CLONE_FILES |
	    CLONE_PIDFD | SIGCHLD, &early.start, &early.pidfd);
}

/* Root's child has the payload's host ids.  Returns 0, or -1 with errno when
 * we are left with them. */
static int
clone_as_owner(const struct owner *o)
{
	pid_t pid = -1;
	int r = 0;

	if (!o->map || ids_take(o->host) == 0)
		pid = clone_init();
	if (o->map)
		r = ids_give_back();
	if (pid > 0)
		early.pid = pid;
	return r;
}

/* Returns as clone_as_owner does. */
static int
begin(const struct owner *o, bool own_network)
{
	struct init_start *s = &early.start;
	int r = 0;

	early.tried = true;
	s->owner = *o;
	init_prepare(s, true, own_network);
	s->early = true;
	if ((s->supervisor_fd = (int)syscall(SYS_pidfd_open, getpid(),
	    0)) != -1 && channel_open(early.pair) == 0)
		r = clone_as_owner(&s->owner);
	if (r == 0 && early.pid == 0)
		early_taken();
	return r;
}

void
early_start(char *const *argv)
{
	struct owner owner;

	/* Root has files to open whose owners are mapped by a process more:
	 * there are not so many processors. */
	if (POSSIBLE && has_stdio() && is_ordinary(argv) &&
	    owner_choose(&owner) == 0 && !owner.map)
		begin(&owner, true);
}

/* A control group can end init for the memory of all that share it. */
static bool
suits(const struct init_args *a)
{
	return POSSIBLE && a->tier == CONFINE_FULL && a->io->argv != NULL &&
	    a->io->probe == NULL && a->policy->limits.mem == 0 &&
	    a->policy->limits.cpu_milli == 0;
}

enum early_taking
early_take(struct init_args *a, struct confine *c)
{
	bool own_network = policy_has_own_network(a->policy);

	if (!suits(a))
		return EARLY_NONE;
	if (!early.tried && begin(&a->owner, own_network) != 0)
		return EARLY_LOST;
	if (early.pid == 0 || early.start.own_network != own_network)
		return EARLY_NONE;
	c->init_pid = early.pid;
	c->pidfd = early.pidfd;
	c->control_fd = early.pair[0];
	c->shares_memory = true;
	early.pid = 0;
	early.pidfd = early.pair[0] = -1;
	a->control_fd = early.pair[1];
	early.start.args = a;
	latch_open(&early.start.policy);
	return EARLY_TAKEN;
}

bool
early_taken(void)
{
	init_close(&early.start);
	io_close(&early.pidfd);
	io_close(&early.pair[0]);
	io_close(&early.pair[1]);
	return early.start.began;
}

void
early_cancel(void)
{
	if (early.pid == 0)
		return;
	kill(early.pid, SIGKILL);
	while (waitpid(early.pid, NULL, 0) == -1 && errno == EINTR)
		;
	early.pid = 0;
	early_taken();
}
