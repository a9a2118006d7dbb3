/* SPDX-License-Identifier: ISC */
#include "cmd/tunnel-edge/watch.h"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "cmd/tunnel-edge/agent.h"
#include "cmd/tunnel-edge/link.h"
#include "common/diag.h"
#include "common/str.h"

enum { EVENTS_LEN = 16384 };

static void
remove_tunnel(struct edge *e, struct tunnel *t)
{
	diag_notice("tunnel removed: tunnel=%s", t->conf->name);
	while (t->links != NULL)
		link_close(t->links, FRAME_REVOKED, BLAME_EDGE,
		    "the tunnel was removed");
	table_remove(&e->table, t);
}

/* Reads one tunnel.  What cannot be read leaves the table as it is. */
static int
load_tunnel(void *user, const char *name)
{
	struct edge *e = user;
	struct tunnel *known = table_find(&e->table, name), *t;
	struct error error;
	struct state_tunnel *conf = state_read(&e->state, name, &error);

	if (conf == NULL && error.code == ENOENT) {
		if (known != NULL)
			remove_tunnel(e, known);
		return 0;
	}
	t = conf == NULL ? NULL : table_set(&e->table, conf, &error);
	if (t == NULL) {
		state_free(conf);
		diag_warning("%s, %s", error.text, known == NULL
		    ? "the tunnel is not served"
		    : "the tunnel stays as it was");
		return 0;
	}
	diag_info("tunnel %s: tunnel=%s tokens=%zu certs=%zu domains=%zu",
	    known == NULL ? "added" : "changed", name, conf->token_count,
	    conf->cert_count, conf->domain_count);
	agent_limit(e, t);
	link_review(e, t);
	return 0;
}

static int
load_all(struct edge *e, struct error *error)
{
	struct tunnel *next;

	/* First, so that a domain may move from one tunnel to another. */
	for (struct tunnel *t = e->table.first; t != NULL; t = next) {
		char file[STATE_NAME_MAX + 8];

		next = t->next;
		str_format(file, sizeof file, "%s.json", t->conf->name);
		if (faccessat(e->state.tunnels_fd, file, F_OK, 0) != 0 &&
		    errno == ENOENT)
			remove_tunnel(e, t);
	}
	return state_each(&e->state, load_tunnel, e, error);
}

void
watch_reload(struct edge *e)
{
	struct error error;

	if (load_all(e, &error) != 0)
		diag_warning("%s, tunnels stay as they were", error.text);
}

/* Takes the events in a buffer that the kernel filled. */
static void
take_events(struct edge *e, const uint8_t *at, size_t len)
{
	while (len >= sizeof(struct inotify_event)) {
		struct inotify_event event;
		const char *file = (const char *)at + sizeof event;
		char name[STATE_NAME_MAX];

		memcpy(&event, at, sizeof event);
		if ((event.mask & (IN_Q_OVERFLOW | IN_IGNORED)) != 0)
			watch_reload(e);
		else if (event.len != 0 &&
		    state_parse_file_name(file, name) == 0)
			load_tunnel(e, name);
		at += sizeof event + event.len;
		len -= sizeof event + event.len;
	}
}

static void
on_change(struct ev_loop *ev, ev_io *w, int revents)
{
	uint8_t events[EVENTS_LEN];
	ssize_t n = read(w->fd, events, sizeof events);

	(void)ev;
	(void)revents;
	if (n > 0)
		take_events(w->data, events, (size_t)n);
}

int
watch_start(struct edge *e, struct error *error)
{
	char path[64];
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd == -1)
		return error_errno(error, "inotify");
	str_format(path, sizeof path, "/proc/self/fd/%d",
	    e->state.tunnels_fd);
	if (inotify_add_watch(fd, path, IN_MOVED_TO | IN_MOVED_FROM |
	    IN_DELETE | IN_CLOSE_WRITE) == -1) {
		error_errno(error, "%s/tunnels: inotify", e->state.path);
		close(fd);
		return -1;
	}
	ev_io_init(&e->watch, on_change, fd, EV_READ);
	e->watch.data = e;
	ev_io_start(e->ev, &e->watch);
	return load_all(e, error);
}

void
watch_stop(struct edge *e)
{
	if (!ev_is_active(&e->watch))
		return;
	ev_io_stop(e->ev, &e->watch);
	close(e->watch.fd);
}
