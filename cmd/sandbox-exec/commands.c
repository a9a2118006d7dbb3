/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/sandbox-exec/channel.h"
#include "cmd/sandbox-exec/lsm.h"
#include "cmd/sandbox-exec/path.h"
#include "cmd/sandbox-exec/payload.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/str.h"

/* What init keeps, above standard descriptors that are /dev/null. */
enum { KEPT_CONTROL = 3, KEPT_LANDLOCK, KEPT_EXE, KEPT_COUNT };

enum { ROOT_TEXT = PATH_LEN + 4, SWEEPS_MAX = 100000 };

struct command {
	uint32_t id;
	pid_t leader; /* 0: this place is free */
};

struct commands {
	struct init_args *a;
	struct landlock *landlock;
	struct command at[INIT_COMMANDS_MAX];
	uint8_t strings[INIT_STRINGS_MAX + 1];
	char *words[INIT_WORDS_MAX + 2];
};

static void
send_event(const struct commands *c, const struct init_message *m)
{
	channel_send(c->a->control_fd, m, -1);
}

static void
refuse(const struct commands *c, uint32_t id, const struct error *e)
{
	struct init_message m = {.type = INIT_REFUSED, .id = id};

	m.failed.error = *e;
	send_event(c, &m);
}

int
commands_split(struct bytes strings, uint32_t argc, uint32_t envc,
    char *words[static INIT_WORDS_MAX + 2])
{
	const uint8_t *at = strings.ptr;
	size_t left = strings.len, n = 0;

	if (argc > INIT_WORDS_MAX || envc > INIT_WORDS_MAX - argc)
		return -1;
	for (uint32_t i = 0; i < argc + envc; i++) {
		const uint8_t *end = left == 0 ? NULL : memchr(at, 0, left);

		if (end == NULL)
			return -1;
		if (i == argc)
			words[n++] = NULL;
		words[n++] = (char *)(uintptr_t)at;
		left -= (size_t)(end - at) + 1;
		at = end + 1;
	}
	if (envc == 0)
		words[n++] = NULL;
	words[n] = NULL;
	return left == 0 ? 0 : -1;
}

/* How the working directory may be used: as the innermost path around it; a
 * policy has parents first. */
static bool
is_read_only(const struct policy *p, const char *dir)
{
	bool read_only = false;

	for (size_t i = 0; i < p->path_count; i++) {
		const struct policy_path *path = &p->paths[i];

		if (path->access != POLICY_MASK &&
		    path_is_below(dir, path->inside))
			read_only = path->access == POLICY_RO;
	}
	return read_only;
}

static void
format_root(char out[static ROOT_TEXT], bool read_only, const char *path)
{
	str_format(out, ROOT_TEXT, "%s:%s", read_only ? "ro" : "rw", path);
}

/* The tools' command line: what they may touch and how, the working directory
 * first; NULL with errno. */
static char **
tools_argv(const struct policy *p)
{
	static char (*texts)[ROOT_TEXT];
	static char *argv[POLICY_PATHS_MAX + 3];
	static char name[] = "sandbox-tools";
	char dir[PATH_LEN];
	size_t n = 0;

	/* There is one policy to the end. */
	if (texts == NULL)
		texts = calloc(p->path_count + 1, sizeof *texts);
	if (texts == NULL)
		return NULL;
	if (getcwd(dir, sizeof dir) == NULL)
		str_format(dir, sizeof dir, "/");
	argv[n++] = name;
	format_root(texts[0], is_read_only(p, dir), dir);
	argv[n++] = texts[0];
	for (size_t i = 0; i < p->path_count; i++) {
		const struct policy_path *path = &p->paths[i];

		if (path->access == POLICY_MASK)
			continue;
		format_root(texts[i + 1], path->access == POLICY_RO,
		    path->inside);
		argv[n++] = texts[i + 1];
	}
	argv[n] = NULL;
	return argv;
}

/* What the leader knows of its command. */
struct lead {
	pid_t payload;
	struct init_message exited;
};

/* Takes one child that has ended.  Returns its pid, 0 or -1 as waitpid(2). */
static pid_t
take_child(struct lead *l, int flags)
{
	int status;
	pid_t pid = waitpid(-1, &status, flags);

	if (pid > 0 && pid == l->payload) {
		l->exited.end.wait_status = status;
		l->payload = -1;
	}
	return pid;
}

/* A dead parent's children become ours, so that a generation dies with each
 * round.  Without /proc all of the sandbox has to go. */
static void
end_all(struct lead *l, enum confine_tier tier)
{
	for (int i = 0; i < SWEEPS_MAX; i++) {
		if (!lsm_kill_children()) {
			if (tier == CONFINE_FULL)
				kill(-1, SIGKILL);
			else
				lsm_search_children();
		}
		if (take_child(l, 0) == -1 && errno == ECHILD)
			return;
		while (take_child(l, WNOHANG) > 0)
			;
	}
}

/* Until the command ends by itself, or init wants it to. */
static void
wait_end(struct lead *l)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	while (l->payload != -1) {
		int sig = sigwaitinfo(&set, NULL);

		if (sig == SIGTERM)
			return;
		while (take_child(l, WNOHANG) > 0)
			;
	}
}

static _Noreturn void
lead(struct commands *c, uint32_t id, const struct confine_io *io)
{
	struct lead l = {.exited = {.type = INIT_EXITED, .id = id}};
	struct init_message started = {.type = INIT_STARTED, .id = id};
	struct init_args a = *c->a;
	struct error e;

	prctl(PR_SET_NAME, "sandbox-leader", 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
		error_errno(&e, "subreaper");
		refuse(c, id, &e);
		_exit(EXIT_OK);
	}
	lsm_scope();
	a.io = io;
	l.payload = payload_start(&a, c->landlock, &e);
	if (l.payload == -1) {
		refuse(c, id, &e);
		_exit(EXIT_OK);
	}
	send_event(c, &started);
	close_range(KEPT_CONTROL + 1, ~0U, 0);
	wait_end(&l);
	end_all(&l, a.tier);
	send_event(c, &l.exited);
	_exit(EXIT_OK);
}

static struct command *
find(struct commands *c, uint32_t id)
{
	for (size_t i = 0; i < INIT_COMMANDS_MAX; i++) {
		if (c->at[i].leader != 0 && c->at[i].id == id)
			return &c->at[i];
	}
	return NULL;
}

static struct command *
find_free(struct commands *c)
{
	for (size_t i = 0; i < INIT_COMMANDS_MAX; i++) {
		if (c->at[i].leader == 0)
			return &c->at[i];
	}
	return NULL;
}

static int
start_leader(struct commands *c, uint32_t id, const struct confine_io *io,
    struct error *e)
{
	struct command *command = find_free(c);
	sigset_t set;
	pid_t pid;

	e->code = EXIT_SANDBOX;
	if (command == NULL)
		return error_set(e, "more than %d commands at once",
		    INIT_COMMANDS_MAX);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_SETMASK, &set, NULL);
	pid = fork();
	if (pid == 0)
		lead(c, id, io);
	if (pid == -1)
		return error_errno(e, "fork");
	*command = (struct command){id, pid};
	return 0;
}

static void
spawn(struct commands *c, const struct init_message *m,
    const struct packet *p)
{
	struct confine_io io = {.in = p->fds[0], .out = p->fds[1],
		.err = p->fds[2], .exe_fd = KEPT_EXE,
		.from_exe = m->spawn.tools};
	struct error e = {.code = EXIT_SANDBOX};
	size_t want = m->spawn.extra_fd == -1 ? 3 : 4;

	if (p->fd_count != want || (want == 4 &&
	    m->spawn.extra_fd < INIT_EXTRA_FD_MIN) ||
	    commands_split(bytes_of(p->more, p->more_len), m->spawn.argc,
	    m->spawn.envc, c->words) != 0 ||
	    (m->spawn.argc == 0 && !m->spawn.tools)) {
		error_set(&e, "not a command");
		refuse(c, m->id, &e);
		return;
	}
	if (want == 4) {
		io.extra_fd = p->fds[3];
		io.extra_to = m->spawn.extra_fd;
	}
	io.argv = m->spawn.tools ? tools_argv(c->a->policy) : c->words;
	io.env = c->words + m->spawn.argc + 1;
	if (io.argv == NULL)
		error_errno(&e, "tools");
	if (io.argv == NULL || start_leader(c, m->id, &io, &e) != 0)
		refuse(c, m->id, &e);
}

static void
receive(struct commands *c)
{
	struct init_message m;
	struct packet p = {.head = &m, .head_len = sizeof m,
		.more = c->strings, .more_len = INIT_STRINGS_MAX};
	const struct command *command;

	if (packet_receive(c->a->control_fd, &p) == 0)
		init_end(c->a); /* the supervisor is gone, or wants us to */
	if (m.type == INIT_SPAWN) {
		spawn(c, &m, &p);
	} else if (m.type == INIT_KILL) {
		command = find(c, m.id);
		if (command != NULL)
			kill(command->leader, SIGTERM);
	}
	for (size_t i = 0; i < p.fd_count; i++)
		io_close(&p.fds[i]);
}

/* A leader that was killed has lost track of what its command started, and
 * only what is inside can have done that: everything goes. */
static void
take_leader(struct commands *c, struct command *command, int status)
{
	struct init_message m = {.type = INIT_EXITED, .id = command->id};

	command->leader = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_OK)
		return;
	if (c->a->tier == CONFINE_FULL)
		kill(-1, SIGKILL);
	else if (!lsm_kill_children())
		lsm_search_children();
	m.end.wait_status = status;
	send_event(c, &m);
}

static void
reap(struct commands *c)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < INIT_COMMANDS_MAX; i++) {
			if (c->at[i].leader == pid)
				take_leader(c, &c->at[i], status);
		}
	}
}

/* Keeps what later commands need and nothing else.  Everything is moved out
 * of the way first. */
static void
keep_only(struct init_args *a, struct landlock *l)
{
	int null = fcntl(a->io->in, F_DUPFD_CLOEXEC, KEPT_COUNT);
	int control = fcntl(a->control_fd, F_DUPFD_CLOEXEC, KEPT_COUNT);
	int rules = l->fd == -1 ? -1 :
	    fcntl(l->fd, F_DUPFD_CLOEXEC, KEPT_COUNT);
	int exe = fcntl(a->io->exe_fd, F_DUPFD_CLOEXEC, KEPT_COUNT);

	for (int i = 0; i < KEPT_CONTROL; i++)
		dup2(null, i);
	dup2(control, KEPT_CONTROL);
	dup2(rules == -1 ? null : rules, KEPT_LANDLOCK);
	dup2(exe == -1 ? null : exe, KEPT_EXE);
	close_range(KEPT_COUNT, ~0U, 0);
	a->control_fd = KEPT_CONTROL;
	if (l->fd != -1)
		l->fd = KEPT_LANDLOCK;
	payload_drop_capabilities();
}

void
commands_serve(struct init_args *a, struct landlock *l)
{
	static struct commands c;
	struct pollfd control = {.events = POLLIN};
	sigset_t none;

	keep_only(a, l);
	c.a = a;
	c.landlock = l;
	control.fd = a->control_fd;
	sigemptyset(&none);
	for (;;) {
		reap(&c);
		if (ppoll(&control, 1, NULL, &none) > 0)
			receive(&c);
	}
}
