/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/box.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/sandbox-exec/init.h"
#include "cmd/sandbox-exec/packet.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/str.h"

struct box {
	struct ev_loop *loop;
	const struct box_events *events;
	void *user;
	int keeper_fd, control_fd; /* -1: none */
	int kills_fd;                /* of cgroup_kills, -1: none */
	int64_t kills;
	ev_io keeper, control;
	struct idmap commands;
	uint32_t last_id;
	uid_t uid;
	gid_t gid;
	unsigned hit;
	bool ready;         /* it stood */
	bool stopped;       /* it is to end */
	bool failed;        /* error says why */
	struct error error;
	int depth;          /* handlers that run */
	bool freed;         /* in one of them */
	uint8_t more[KEEPER_ISOLATION_MAX];
};

static void
close_watched(struct box *b, ev_io *w, int *fd)
{
	if (*fd == -1)
		return;
	ev_io_stop(b->loop, w);
	io_close(fd);
}

static void
destroy(struct box *b)
{
	close_watched(b, &b->control, &b->control_fd);
	close_watched(b, &b->keeper, &b->keeper_fd);
	io_close(&b->kills_fd);
	idmap_done(&b->commands);
	free(b);
}

/* Around what may call a handler; leave returns whether b is still there. */
static void
enter(struct box *b)
{
	b->depth++;
}

static bool
leave(struct box *b)
{
	bool gone = --b->depth == 0 && b->freed;

	if (gone)
		destroy(b);
	return !gone;
}

static void
end_command(struct box *b, struct box_command *c, const struct box_end *end)
{
	idmap_remove(&b->commands, c->id);
	c->box = NULL;
	c->events->ended(c, end);
}

const char *
box_end_text(unsigned hit)
{
	return (hit & 1U << LIMIT_MEM) != 0 ?
	    "the sandbox has ended: memory limit" : "the sandbox has ended";
}

static void
end_commands(struct box *b)
{
	struct box_end end = {.error = {.code = EXIT_SANDBOX}};
	struct box_command *c;

	error_set(&end.error, "%s", box_end_text(b->hit));
	while (!b->freed && (c = idmap_any(&b->commands)) != NULL)
		end_command(b, c, &end);
}

/* The keeper has gone, and with it all that it held. */
static void
end_box(struct box *b)
{
	close_watched(b, &b->control, &b->control_fd);
	close_watched(b, &b->keeper, &b->keeper_fd);
	end_commands(b);
	if (!b->ready && !b->failed) {
		b->failed = true;
		error_set(&b->error, "the process that was to build it has "
		    "ended");
	}
	if (!b->freed)
		b->events->gone(b->user, b->failed ? &b->error : NULL,
		    b->hit);
}

static void
take_event(struct box *b, const struct init_message *m)
{
	struct box_command *c = idmap_get(&b->commands, m->id);
	struct box_end end = {.error = {.code = EXIT_SANDBOX}};

	if (c == NULL)
		return;
	if (m->type == INIT_STARTED) {
		c->events->started(c);
	} else if (m->type == INIT_EXITED) {
		end.ran = true;
		end.wait_status = m->end.wait_status;
		end_command(b, c, &end);
	} else if (m->type == INIT_REFUSED) {
		end.error = m->failed.error;
		end.error.text[sizeof end.error.text - 1] = '\0';
		end_command(b, c, &end);
	}
}

static void
on_control(struct ev_loop *loop, ev_io *w, int revents)
{
	struct box *b = w->data;
	struct init_message m;
	struct packet p = {.head = &m, .head_len = sizeof m};
	int r;

	(void)loop;
	(void)revents;
	enter(b);
	while (!b->freed && b->control_fd != -1 &&
	    (r = packet_receive(b->control_fd, &p)) != -1) {
		for (size_t i = 0; i < p.fd_count; i++)
			io_close(&p.fds[i]);
		if (r == 1) {
			take_event(b, &m);
			continue;
		}
		/* init is gone; the keeper sees it too, knows why, and
		 * clears away. */
		close_watched(b, &b->control, &b->control_fd);
	}
	leave(b);
}

static void
take_ready(struct box *b, const struct keeper_answer *a, struct packet *p)
{
	struct box_facts facts = {.workdir = a->workdir,
		.isolation = bytes_of(p->more, p->more_len),
		.time_ms = a->time_ms, .files = a->files};

	if (b->control_fd != -1)
		return;
	if (p->fd_count == 0) {
		b->failed = true;
		error_set(&b->error, "its control channel did not come: too "
		    "many open files");
		box_stop(b);
		return;
	}
	b->ready = true;
	b->control_fd = p->fds[0];
	if (p->fd_count > 1)
		b->kills_fd = p->fds[1];
	p->fd_count = 0;
	b->uid = a->uid;
	b->gid = a->gid;
	io_set_nonblock(b->control_fd, true);
	ev_io_init(&b->control, on_control, b->control_fd, EV_READ);
	b->control.data = b;
	ev_io_start(b->loop, &b->control);
	b->events->ready(b->user, &facts);
}

static void
on_keeper(struct ev_loop *loop, ev_io *w, int revents)
{
	struct box *b = w->data;
	struct keeper_answer a = {.type = KEEPER_ENDED};
	struct packet p = {.head = &a, .head_len = sizeof a, .more = b->more,
		.more_len = sizeof b->more};
	int r = packet_receive(w->fd, &p);

	(void)loop;
	(void)revents;
	if (r == -1)
		return;
	enter(b);
	if (r == 0) {
		end_box(b);
	} else if (a.type == KEEPER_FAILED) {
		b->failed = true;
		b->error = a.error;
	} else if (a.type == KEEPER_READY) {
		take_ready(b, &a, &p);
	} else if (a.type == KEEPER_ENDED) {
		b->hit = a.hit;
		close_watched(b, &b->control, &b->control_fd);
		end_commands(b);
	}
	for (size_t i = 0; i < p.fd_count; i++)
		io_close(&p.fds[i]);
	leave(b);
}

static int
send_request(const struct box *b, struct bytes settings, const char *id)
{
	struct keeper_request r = {.id = ""};
	struct packet p = {.head = &r, .head_len = sizeof r,
		.more = (void *)(uintptr_t)settings.ptr,
		.more_len = settings.len};

	if (settings.len > KEEPER_POLICY_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	str_format(r.id, sizeof r.id, "%s", id);
	return packet_send(b->keeper_fd, &p);
}

struct box *
box_open(struct ev_loop *loop, struct zygote *z, struct bytes settings,
    const char *id, const struct box_events *events, void *user,
    struct error *e)
{
	struct box *b = calloc(1, sizeof *b);

	if (b == NULL) {
		error_errno(e, "sandbox");
		return NULL;
	}
	b->loop = loop;
	b->events = events;
	b->user = user;
	b->control_fd = b->kills_fd = -1;
	b->keeper_fd = zygote_fork(z);
	if (b->keeper_fd == -1 || send_request(b, settings, id) != 0) {
		error_errno(e, "sandbox");
		io_close(&b->keeper_fd);
		free(b);
		return NULL;
	}
	ev_io_init(&b->keeper, on_keeper, b->keeper_fd, EV_READ);
	b->keeper.data = b;
	ev_io_start(loop, &b->keeper);
	return b;
}

bool
box_stands(const struct box *b)
{
	return b->control_fd != -1 && !b->stopped;
}

bool
box_was_short(struct box *b)
{
	int64_t before = b->kills;

	if (b->kills_fd == -1)
		return false;
	b->kills = cgroup_kills(b->kills_fd);
	return b->kills > before;
}

static int
add_words(struct buf *out, char *const *words, uint32_t *count)
{
	*count = 0;
	for (; words != NULL && *words != NULL; words++) {
		if (buf_add(out, bytes_of(*words, strlen(*words) + 1)) != 0)
			return -1;
		++*count;
	}
	return 0;
}

static int
send_spawn(struct box *b, const struct box_command *c,
    const struct box_spawn *how)
{
	struct init_message m = {.type = INIT_SPAWN, .id = c->id};
	struct packet p = {.head = &m, .head_len = sizeof m,
		.fds = {how->fds[0], how->fds[1], how->fds[2],
		how->extra_fd}, .fd_count = how->extra_fd == -1 ? 3 : 4};
	struct buf words;
	int r = -1;

	buf_init(&words, INIT_STRINGS_MAX);
	m.spawn.extra_fd = how->extra_fd == -1 ? -1 : how->extra_to;
	m.spawn.tools = how->argv == NULL;
	if (add_words(&words, how->argv, &m.spawn.argc) == 0 &&
	    add_words(&words, how->env, &m.spawn.envc) == 0) {
		p.more = (void *)(uintptr_t)buf_bytes(&words).ptr;
		p.more_len = buf_len(&words);
		r = packet_send(b->control_fd, &p);
	}
	buf_reset(&words);
	return r;
}

int
box_spawn(struct box *b, struct box_command *c, const struct box_spawn *how,
    struct error *e)
{
	e->code = EXIT_SANDBOX;
	if (!box_stands(b))
		return error_set(e, "the sandbox has ended");
	do {
		c->id = ++b->last_id;
	} while (c->id == 0 || idmap_get(&b->commands, c->id) != NULL);
	if (idmap_add(&b->commands, c->id, c) != 0)
		return error_errno(e, "command");
	if (send_spawn(b, c, how) != 0) {
		idmap_remove(&b->commands, c->id);
		return error_errno(e, "command");
	}
	c->box = b;
	return 0;
}

void
box_stop(struct box *b)
{
	b->stopped = true;
	if (b->keeper_fd != -1)
		shutdown(b->keeper_fd, SHUT_WR);
}

void
box_kill(struct box_command *c)
{
	struct init_message m = {.type = INIT_KILL, .id = c->id};
	struct packet p = {.head = &m, .head_len = sizeof m};

	/* An init that does not listen is ended by its keeper. */
	if (c->box != NULL && c->box->control_fd != -1 &&
	    packet_send(c->box->control_fd, &p) != 0)
		box_stop(c->box);
}

void
box_forget(struct box_command *c)
{
	if (c->box == NULL)
		return;
	box_kill(c);
	idmap_remove(&c->box->commands, c->id);
	c->box = NULL;
}

int
box_pipe(const struct box *b, bool write, int ret[static 2])
{
	int ours = write ? 1 : 0;

	if (pipe2(ret, O_CLOEXEC) != 0)
		return -1;
	/* Only root can give it away, and only root's payload is another. */
	if ((b->uid == geteuid() || fchown(ret[0], b->uid, b->gid) == 0) &&
	    io_set_nonblock(ret[ours], true) == 0)
		return 0;
	io_close(&ret[0]);
	io_close(&ret[1]);
	return -1;
}

static void
drop_commands(struct box *b)
{
	struct box_command *c;

	while ((c = idmap_any(&b->commands)) != NULL) {
		idmap_remove(&b->commands, c->id);
		c->box = NULL;
	}
}

void
box_free(struct box *b)
{
	if (b == NULL || b->freed)
		return;
	drop_commands(b);
	b->freed = true;
	/* The loop must not come back to it. */
	close_watched(b, &b->control, &b->control_fd);
	close_watched(b, &b->keeper, &b->keeper_fd);
	if (b->depth == 0)
		destroy(b);
}
