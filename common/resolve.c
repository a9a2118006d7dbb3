/* SPDX-License-Identifier: ISC */
/* Each query has a c-ares channel of its own: a channel can only be cancelled
 * whole, and a new one reads resolv.conf and hosts as they are today. */
#include "common/resolve.h"

#include <ares.h>
#include <stdlib.h>

enum {
	SOCKETS_MAX = ARES_GETSOCK_MAXNUM,
	TRY_TIMEOUT_MS = 1500, /* doubled at each try */
	TRIES = 2,
	TICK_MS = 250, /* how often c-ares looks at its time-outs */
};

struct watch {
	ev_io io;
	ares_socket_t fd; /* ARES_SOCKET_BAD: free */
	struct resolve *owner;
};

struct resolve {
	struct ev_loop *loop;
	ares_channel channel; /* NULL: host was an address */
	struct watch sockets[SOCKETS_MAX];
	ev_timer tick, deadline;
	ev_timer finish; /* due at once when the answer is there */
	bool ending;     /* c-ares calls back while it is destroyed */
	resolve_done *done;
	void *user;
	uint16_t port;
	size_t count;
	struct sock_addr addrs[RESOLVE_MAX];
	struct error why;
	char host[SOCK_HOST_MAX];
};

int
resolve_init(struct error *e)
{
	int r = ares_library_init(ARES_LIB_INIT_ALL);

	return r == ARES_SUCCESS ? 0
	    : error_set(e, "c-ares: %s", ares_strerror(r));
}

void
resolve_exit(void)
{
	ares_library_cleanup();
}

static void
close_query(struct resolve *r)
{
	r->ending = true;
	if (r->channel != NULL)
		ares_destroy(r->channel);
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		ev_io_stop(r->loop, &r->sockets[i].io);
	ev_timer_stop(r->loop, &r->tick);
	ev_timer_stop(r->loop, &r->deadline);
	ev_timer_stop(r->loop, &r->finish);
}

void
resolve_cancel(struct resolve *r)
{
	close_query(r);
	free(r);
}

static void
on_finish(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct resolve *r = w->data;

	(void)loop;
	(void)revents;
	close_query(r);
	r->done(r->user, r->addrs, r->count, &r->why);
	free(r);
}

static void
finish_soon(struct resolve *r)
{
	ev_timer_stop(r->loop, &r->tick);
	ev_timer_stop(r->loop, &r->deadline);
	ev_timer_start(r->loop, &r->finish);
}

static void
on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct resolve *r = w->data;

	(void)loop;
	(void)revents;
	error_set(&r->why, "%s: no answer in %d s", r->host,
	    RESOLVE_TIMEOUT_MS / 1000);
	finish_soon(r);
}

static void
on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct resolve *r = w->data;

	(void)loop;
	(void)revents;
	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void
on_socket(struct ev_loop *loop, ev_io *w, int revents)
{
	struct watch *at = w->data;
	ares_socket_t fd = at->fd;

	(void)loop;
	ares_process_fd(at->owner->channel,
	    (revents & EV_READ) != 0 ? fd : ARES_SOCKET_BAD,
	    (revents & EV_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
}

static struct watch *
find_watch(struct resolve *r, ares_socket_t fd)
{
	for (size_t i = 0; i < SOCKETS_MAX; i++) {
		if (r->sockets[i].fd == fd)
			return &r->sockets[i];
	}
	return NULL;
}

/* c-ares tells what it waits for on each of its sockets, nothing when it
 * closes one. */
static void
on_state(void *user, ares_socket_t fd, int readable, int writable)
{
	struct resolve *r = user;
	struct watch *w = find_watch(r, fd);
	int events = (readable != 0 ? EV_READ : 0) |
	    (writable != 0 ? EV_WRITE : 0);

	if (w == NULL)
		w = find_watch(r, ARES_SOCKET_BAD);
	if (w == NULL)
		return; /* the deadline ends what nobody watches */
	ev_io_stop(r->loop, &w->io);
	w->fd = ARES_SOCKET_BAD;
	if (events == 0)
		return;
	w->fd = fd;
	ev_io_set(&w->io, fd, events);
	ev_io_start(r->loop, &w->io);
}

static void
take_addrs(struct resolve *r, const struct ares_addrinfo_node *n)
{
	for (; n != NULL && r->count < RESOLVE_MAX; n = n->ai_next) {
		struct sock_addr *a = &r->addrs[r->count];

		if (n->ai_addrlen > sizeof a->v6 ||
		    (n->ai_family != AF_INET && n->ai_family != AF_INET6))
			continue;
		memcpy(&a->any, n->ai_addr, n->ai_addrlen);
		a->len = n->ai_addrlen;
		if (n->ai_family == AF_INET)
			a->v4.sin_port = htobe16(r->port);
		else
			a->v6.sin6_port = htobe16(r->port);
		r->count++;
	}
}

static void
on_answer(void *user, int status, int timeouts, struct ares_addrinfo *answer)
{
	struct resolve *r = user;

	(void)timeouts;
	if (!r->ending) {
		if (status == ARES_SUCCESS)
			take_addrs(r, answer->nodes);
		if (status != ARES_SUCCESS)
			error_set(&r->why, "%s: %s", r->host,
			    ares_strerror(status));
		else if (r->count == 0)
			error_set(&r->why, "%s: no address", r->host);
		finish_soon(r);
	}
	ares_freeaddrinfo(answer);
}

/* Takes the dot off the end of a name.  Returns whether there was one. */
static bool
take_last_dot(char *host)
{
	size_t len = strlen(host);

	if (len < 2 || host[len - 1] != '.')
		return false;
	host[len - 1] = '\0';
	return true;
}

static int
open_channel(struct resolve *r, const char *server, struct error *e)
{
	struct ares_options options = {
		.timeout = TRY_TIMEOUT_MS,
		.tries = TRIES,
		.sock_state_cb = on_state,
		.sock_state_cb_data = r,
	};
	/* No domains of our own: an empty search list. */
	int status = ares_init_options(&r->channel, &options,
	    ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB |
	    (take_last_dot(r->host) ? ARES_OPT_DOMAINS : 0));

	if (status != ARES_SUCCESS) {
		r->channel = NULL;
		return error_set(e, "c-ares: %s", ares_strerror(status));
	}
	if (server == NULL)
		return 0;
	status = ares_set_servers_ports_csv(r->channel, server);
	return status == ARES_SUCCESS ? 0
	    : error_set(e, "DNS server %s: %s", server, ares_strerror(status));
}

static void
init_watchers(struct resolve *r)
{
	for (size_t i = 0; i < SOCKETS_MAX; i++) {
		ev_io_init(&r->sockets[i].io, on_socket, 0, 0);
		r->sockets[i].io.data = &r->sockets[i];
		r->sockets[i].fd = ARES_SOCKET_BAD;
		r->sockets[i].owner = r;
	}
	ev_timer_init(&r->tick, on_tick, TICK_MS / 1e3, TICK_MS / 1e3);
	ev_timer_init(&r->deadline, on_deadline, RESOLVE_TIMEOUT_MS / 1e3, 0.);
	ev_timer_init(&r->finish, on_finish, 0., 0.);
	r->tick.data = r->deadline.data = r->finish.data = r;
}

static int
start_query(struct resolve *r, const char *server, struct error *e)
{
	const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC};

	if (open_channel(r, server, e) != 0)
		return -1;
	ev_timer_start(r->loop, &r->tick);
	ev_timer_start(r->loop, &r->deadline);
	ares_getaddrinfo(r->channel, r->host, NULL, &hints, on_answer, r);
	return 0;
}

struct resolve *
resolve_start(struct ev_loop *loop, const char *server, const char *host,
    uint16_t port, resolve_done *done, void *user, struct error *e)
{
	struct resolve *r = calloc(1, sizeof *r);

	if (r == NULL) {
		error_errno(e, "%s", host);
		return NULL;
	}
	r->loop = loop;
	r->done = done;
	r->user = user;
	r->port = port;
	init_watchers(r);
	if (str_from_bytes(r->host, sizeof r->host, bytes_cstr(host)) != 0) {
		error_set(e, "host name: too long");
	} else if (sock_parse_ip(host, port, &r->addrs[0]) == 0) {
		r->count = 1;
		finish_soon(r);
		return r;
	} else if (start_query(r, server, e) == 0) {
		return r;
	}
	resolve_cancel(r);
	return NULL;
}
