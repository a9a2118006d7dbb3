/* SPDX-License-Identifier: ISC */
#include "cmd/tunnel-edge/status.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "cmd/tunnel-edge/link.h"
#include "common/clock.h"
#include "common/io.h"
#include "common/jsonw.h"

static const char socket_name[] = "edge.sock";

enum { ASK_TIMEOUT_S = 5, PATH_TEXT_MAX = 64 };

/* Somebody who asked, and what is left of the answer. */
struct status_reader {
	struct edge *edge;
	int fd;
	ev_io io;
	struct buf answer;
	struct status_reader *next;
};

/* A short path to the socket, however long that of the directory is. */
static void
format_path(const struct state *s, char out[static PATH_TEXT_MAX])
{
	str_format(out, PATH_TEXT_MAX, "/proc/self/fd/%d/%s", s->dir_fd,
	    socket_name);
}

/* ---- the answer ---- */

static void
put_link(struct jsonw *w, const struct link *l)
{
	const struct chan *c = &l->hop.chan;
	char text[CLOCK_TIME_CAP], id[CREDENTIAL_ID_LEN + 1];

	jsonw_open(w, '{');
	jsonw_key_int(w, "id", (int64_t)l->id);
	jsonw_key_str(w, "peer", l->address);
	jsonw_key_str(w, "instance", l->peer.instance);
	jsonw_key_int(w, "generation", l->peer.generation);
	jsonw_key_str(w, "version", l->peer.version);
	jsonw_key_str(w, "credential", credential_id(&l->credential, id));
	jsonw_key_str(w, "since", clock_format_time(l->since, text));
	jsonw_key(w, "draining");
	jsonw_bool(w, l->state == LINK_DRAINING);
	jsonw_key_int(w, "streams", (int64_t)chan_count(c));
	jsonw_key_int(w, "bytes_in", (int64_t)c->bytes_in);
	jsonw_key_int(w, "bytes_out", (int64_t)c->bytes_out);
	jsonw_key_int(w, "rtt_us", c->rtt_us);
	jsonw_close(w, '}');
}

static bool
put_answer(struct buf *b, const struct edge *e)
{
	struct jsonw w;

	jsonw_init(&w, b);
	jsonw_open(&w, '{');
	jsonw_key_int(&w, "pid", getpid());
	jsonw_key(&w, "tunnels");
	jsonw_open(&w, '{');
	for (const struct tunnel *t = e->table.first; t != NULL; t = t->next) {
		jsonw_key(&w, t->conf->name);
		jsonw_open(&w, '[');
		for (const struct link *l = t->links; l != NULL;
		    l = l->next_up)
			put_link(&w, l);
		jsonw_close(&w, ']');
	}
	jsonw_close(&w, '}');
	jsonw_close(&w, '}');
	return jsonw_ok(&w);
}

static void
reader_free(struct status_reader *r)
{
	struct status_reader **at = &r->edge->status_readers;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	ev_io_stop(r->edge->ev, &r->io);
	close(r->fd);
	buf_reset(&r->answer);
	free(r);
}

static void
on_writable(struct ev_loop *ev, ev_io *w, int revents)
{
	struct status_reader *r = w->data;
	struct bytes left = buf_bytes(&r->answer);
	ssize_t n = write(r->fd, left.ptr, left.len);

	(void)ev;
	(void)revents;
	if (n > 0)
		buf_drop(&r->answer, (size_t)n);
	if ((n == -1 && errno != EAGAIN && errno != EINTR) ||
	    buf_len(&r->answer) == 0)
		reader_free(r);
}

void
status_accept(void *edge, int fd, const struct sock_addr *peer)
{
	struct edge *e = edge;
	struct status_reader *r = calloc(1, sizeof *r);

	(void)peer;
	if (r == NULL) {
		close(fd);
		return;
	}
	r->edge = e;
	r->fd = fd;
	r->next = e->status_readers;
	e->status_readers = r;
	buf_init(&r->answer, STATUS_MAX);
	ev_io_init(&r->io, on_writable, fd, EV_WRITE);
	r->io.data = r;
	if (put_answer(&r->answer, e))
		ev_io_start(e->ev, &r->io);
	else
		reader_free(r);
}

int
status_start(struct edge *e, struct error *error)
{
	char path[PATH_TEXT_MAX];
	int fd;

	format_path(&e->state, path);
	fd = sock_listen_unix(path, error);
	if (fd == -1 && errno == EADDRINUSE)
		return error_set(error, "%s: another tunnel-edge runs on it",
		    e->state.path);
	if (fd == -1)
		return error_errno(error, "%s/%s", e->state.path,
		    socket_name);
	listener_adopt(&e->status, e->ev, fd);
	listener_start(&e->status);
	return 0;
}

void
status_stop(struct edge *e)
{
	if (e->status.fd == -1)
		return;
	while (e->status_readers != NULL)
		reader_free(e->status_readers);
	unlinkat(e->state.dir_fd, socket_name, 0);
	listener_close(&e->status);
}

/* ---- the question ---- */

int
status_ask(const struct state *s, struct buf *ret, struct error *e)
{
	struct timeval timeout = {.tv_sec = ASK_TIMEOUT_S};
	char path[PATH_TEXT_MAX];
	int r, fd;

	format_path(s, path);
	fd = sock_connect_unix(path, e);
	if (fd == -1 && (errno == ENOENT || errno == ECONNREFUSED))
		return 0;
	if (fd == -1)
		return error_errno(e, "%s/%s", s->path, socket_name);
	io_set_nonblock(fd, false);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	r = io_read_fd(fd, "the running edge", ret, e);
	close(fd);
	return r == 0 ? 1 : -1;
}
