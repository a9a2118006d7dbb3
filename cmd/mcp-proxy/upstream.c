/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/upstream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "cmd/mcp-proxy/service.h"
#include "common/clock.h"
#include "common/io.h"

/* ---- the pool ---- */

static struct idle_pool *
pool_of(const struct upstream *u)
{
	return &u->route->service->pool;
}

static void
pool_add(struct upstream *u)
{
	struct idle_pool *pool = pool_of(u);

	u->state = UPSTREAM_IDLE;
	u->newer = NULL;
	u->older = pool->first;
	if (pool->first != NULL)
		pool->first->newer = u;
	pool->first = u;
	pool->count++;
}

static void
pool_remove(struct upstream *u)
{
	struct idle_pool *pool = pool_of(u);

	if (u->newer != NULL)
		u->newer->older = u->older;
	else
		pool->first = u->older;
	if (u->older != NULL)
		u->older->newer = u->newer;
	u->newer = u->older = NULL;
	pool->count--;
}

/* Whether nothing has come on an idle connection: neither its end nor bytes
 * that nobody asked for. */
static bool
is_quiet(const struct upstream *u)
{
	uint8_t byte;

	return !ev_is_pending(&u->wire.reader) &&
	    !ev_is_pending(&u->wire.turn) &&
	    !wire_has_pending(&u->wire) &&
	    recv(u->wire.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == -1 &&
	    errno == EAGAIN;
}

static struct upstream *
pool_take(struct idle_pool *pool)
{
	struct upstream *u;

	while ((u = pool->first) != NULL) {
		if (is_quiet(u)) {
			pool_remove(u);
			u->reused = true;
			u->state = UPSTREAM_READY;
			watchdog_set(u->proxy->ev, &u->watchdog, 0);
			return u;
		}
		upstream_close(u);
	}
	return NULL;
}

void
upstream_release(struct upstream *u, int64_t keep_alive_ms)
{
	int64_t idle_ms = UPSTREAM_IDLE_MS;

	if (keep_alive_ms >= 0)
		idle_ms = keep_alive_ms - UPSTREAM_IDLE_MARGIN_MS;
	if (idle_ms <= 0 || u->proxy->draining ||
	    !service_is_current(u->route) ||
	    u->era != u->proxy->era ||
	    pool_of(u)->count >= UPSTREAM_IDLE_MAX) {
		upstream_close(u);
		return;
	}
	u->user = NULL;
	wire_resume(&u->wire);
	watchdog_set(u->proxy->ev, &u->watchdog, idle_ms);
	pool_add(u);
}

/* Takes u out of everything but its wire. */
static void
detach(struct upstream *u)
{
	if (u->state == UPSTREAM_IDLE)
		pool_remove(u);
	if (u->query != NULL)
		resolve_cancel(u->query);
	u->query = NULL;
	watchdog_stop(u->proxy->ev, &u->watchdog);
	service_drop(u->route);
	proxy_bury(u->proxy, &u->corpse);
}

void
upstream_close(struct upstream *u)
{
	detach(u);
	wire_close(&u->wire);
}

void
upstream_abort(struct upstream *u)
{
	detach(u);
	wire_abort(&u->wire, FRAME_CANCELLED, BLAME_PROXY, "");
}

void
upstream_close_pool(struct idle_pool *pool)
{
	while (pool->first != NULL)
		upstream_close(pool->first);
}

void
upstream_close_idle(struct proxy *p)
{
	for (size_t i = 0; i < p->config->route_count; i++) {
		if (p->config->routes[i]->service != NULL)
			upstream_close_pool(
			    &p->config->routes[i]->service->pool);
	}
}

/* ---- dialing ---- */

static const struct wire_events wire_events;

static void
fail(struct upstream *u)
{
	struct failure why = u->why;

	upstream_close(u);
	u->events->failed(u->user, &why);
}

static void
ready(struct upstream *u)
{
	u->state = UPSTREAM_READY;
	watchdog_set(u->proxy->ev, &u->watchdog, 0);
	u->events->ready(u->user);
}

static void
set_why_connect(struct upstream *u, int error)
{
	char address[SOCK_TEXT_MAX] = "";
	bool timeout = error == ETIMEDOUT;

	if (u->route->kind == CONFIG_TCP)
		sock_format(&u->addrs[u->addr_next - 1].any, address);
	failure_set(&u->why, timeout ? 504 : 502,
	    timeout ? FRAME_TIMEOUT
	    : error == ECONNREFUSED ? FRAME_REFUSED : FRAME_UNREACHABLE,
	    BLAME_CONNECT, "%s: connect%s%s: %s", u->route->origin,
	    address[0] == '\0' ? "" : " to ", address, strerror(error));
}

static void connect_next(struct upstream *u);

/* Whether the rules in use allow the address; if not, u->why says so. */
static bool
is_allowed(struct upstream *u, const struct sock_addr *a)
{
	struct error e;

	if (guard_check(&u->proxy->config->guard, &a->any, &e) == 0)
		return true;
	failure_set(&u->why, 502, FRAME_DENIED, BLAME_POLICY, "%s: %s",
	    u->route->origin, e.text);
	return false;
}

/* Gives each address its share of what is left of the time. */
static void
set_attempt_deadline(struct upstream *u)
{
	int64_t left_ms = u->deadline_ms - clock_ms();
	int64_t share_ms = left_ms /
	    (int64_t)(u->addr_count - u->addr_next + 1);

	if (share_ms < UPSTREAM_ATTEMPT_MIN_MS)
		share_ms = UPSTREAM_ATTEMPT_MIN_MS;
	if (share_ms > left_ms)
		share_ms = left_ms;
	watchdog_set(u->proxy->ev, &u->watchdog, share_ms > 0 ? share_ms : 1);
}

/* Begins to connect to the next address.  Returns 0, or -1 with errno. */
static int
connect_begin(struct upstream *u, const struct sock_addr *a)
{
	int fd = socket(a->any.sa_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd == -1)
		return -1;
	sock_set_nodelay(fd);
	if (connect(fd, &a->any, a->len) != 0 && errno != EINPROGRESS) {
		io_close(&fd);
		return -1;
	}
	wire_init_fd(&u->wire, u->proxy->ev, fd, false, &wire_events, u);
	wire_watch_connect(&u->wire);
	return 0;
}

static void
connect_next(struct upstream *u)
{
	u->state = UPSTREAM_CONNECTING;
	while (u->addr_next < u->addr_count) {
		const struct sock_addr *a = &u->addrs[u->addr_next++];

		/* The rules may be others than when it was resolved. */
		if (!is_allowed(u, a))
			continue;
		if (connect_begin(u, a) == 0) {
			set_attempt_deadline(u);
			return;
		}
		set_why_connect(u, errno);
	}
	fail(u);
}

/* Connects to a Unix socket, which succeeds or fails at once, unless its
 * backlog is full: then again a moment later.  Returns 0, or -1 with
 * u->why. */
static int
connect_unix(struct upstream *u)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);

	str_format(a.sun_path, sizeof a.sun_path, "%s", u->route->socket);
	u->state = UPSTREAM_CONNECTING;
	if (fd != -1 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0) {
		wire_init_fd(&u->wire, u->proxy->ev, fd, true, &wire_events,
		    u);
		u->state = UPSTREAM_READY;
		watchdog_set(u->proxy->ev, &u->watchdog, 0);
		return 0;
	}
	if (fd != -1 && errno == EAGAIN && clock_ms() < u->deadline_ms) {
		io_close(&fd);
		watchdog_set(u->proxy->ev, &u->watchdog, UPSTREAM_AGAIN_MS);
		return 0;
	}
	set_why_connect(u, errno == EAGAIN ? ETIMEDOUT : errno);
	io_close(&fd);
	return -1;
}

static void
connect_unix_again(struct upstream *u)
{
	if (connect_unix(u) != 0)
		fail(u);
	else if (u->state == UPSTREAM_READY)
		u->events->ready(u->user);
}

static void
shake(struct upstream *u)
{
	struct error e;
	int r = wire_handshake(&u->wire, &e);

	if (r == 0)
		return;
	if (r == 1) {
		ready(u);
		return;
	}
	failure_set(&u->why, 502, FRAME_PROTOCOL, BLAME_TLS, "%s: %s",
	    u->route->origin, e.text);
	fail(u);
}

static void
on_connected(struct upstream *u)
{
	struct error e;
	int error = 0;
	socklen_t len = sizeof error;

	getsockopt(u->wire.fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error != 0) {
		set_why_connect(u, error);
		wire_close(&u->wire);
		connect_next(u);
		return;
	}
	wire_connected(&u->wire);
	if (!u->route->https) {
		ready(u);
		return;
	}
	u->state = UPSTREAM_SHAKING;
	watchdog_set(u->proxy->ev, &u->watchdog,
	    u->deadline_ms > clock_ms() ? u->deadline_ms - clock_ms() : 1);
	if (wire_start_tls(&u->wire, u->proxy->client_tls, u->route->host,
	    &e) != 0) {
		failure_set(&u->why, 502, FRAME_INTERNAL, BLAME_PROXY,
		    "%s: %s", u->route->origin, e.text);
		fail(u);
		return;
	}
	shake(u);
}

/* Keeps the addresses that the guard allows. */
static void
on_resolved(void *user, const struct sock_addr *addrs, size_t count,
    const struct error *why)
{
	struct upstream *u = user;

	u->query = NULL;
	if (count == 0)
		failure_set(&u->why, 502, FRAME_UNREACHABLE, BLAME_DNS,
		    "%s: %s", u->route->origin, why->text);
	for (size_t i = 0; i < count && i < RESOLVE_MAX; i++) {
		if (is_allowed(u, &addrs[i]))
			u->addrs[u->addr_count++] = addrs[i];
	}
	connect_next(u);
}

static void
on_expired(void *user)
{
	struct upstream *u = user;

	switch (u->state) {
	case UPSTREAM_RESOLVING:
		failure_set(&u->why, 504, FRAME_TIMEOUT, BLAME_DNS,
		    "%s: the name was not resolved in time", u->route->origin);
		fail(u);
		break;
	case UPSTREAM_CONNECTING:
		if (u->route->kind == CONFIG_UNIX) {
			connect_unix_again(u);
			break;
		}
		set_why_connect(u, ETIMEDOUT);
		wire_close(&u->wire);
		connect_next(u);
		break;
	case UPSTREAM_SHAKING:
		failure_set(&u->why, 504, FRAME_TIMEOUT, BLAME_TLS,
		    "%s: TLS handshake: timed out", u->route->origin);
		fail(u);
		break;
	case UPSTREAM_READY:
		break;
	case UPSTREAM_IDLE:
		upstream_close(u);
		break;
	}
}

static struct upstream *
upstream_new(struct proxy *p, const struct config_route *r,
    const struct upstream_events *events, void *user)
{
	struct upstream *u = calloc(1, sizeof *u);

	if (u == NULL)
		return NULL;
	u->proxy = p;
	u->route = r;
	service_hold(r);
	u->era = p->era;
	u->events = events;
	u->user = user;
	u->wire.ev = p->ev;
	u->wire.fd = -1;
	watchdog_init(&u->watchdog, on_expired, u);
	u->deadline_ms = clock_ms() + p->config->connect_ms;
	return u;
}

/* Returns 0, or -1 with u->why. */
static int
resolve_begin(struct upstream *u)
{
	struct proxy *p = u->proxy;
	struct error e;

	u->query = resolve_start(p->ev, p->config->resolver, u->route->host,
	    u->route->port, on_resolved, u, &e);
	if (u->query == NULL) {
		failure_set(&u->why, 503, FRAME_INTERNAL, BLAME_PROXY,
		    "%s: %s", u->route->origin, e.text);
		return -1;
	}
	watchdog_set(p->ev, &u->watchdog, p->config->connect_ms);
	return 0;
}

static struct upstream *
dial(struct proxy *p, const struct config_route *r,
    const struct upstream_events *events, void *user, struct failure *ret_why)
{
	struct upstream *u = upstream_new(p, r, events, user);

	if (u == NULL) {
		failure_set(ret_why, 503, FRAME_INTERNAL, BLAME_PROXY,
		    "%s: out of memory", r->origin);
		return NULL;
	}
	if ((r->kind == CONFIG_UNIX ? connect_unix(u)
				    : resolve_begin(u)) == 0)
		return u;
	*ret_why = u->why;
	service_drop(r);
	free(u);
	return NULL;
}

struct upstream *
upstream_open(struct proxy *p, const struct config_route *r, bool fresh,
    const struct upstream_events *events, void *user, struct failure *ret_why)
{
	struct upstream *u = fresh ? NULL
	    : pool_take(&r->service->pool);

	if (u == NULL)
		return dial(p, r, events, user, ret_why);
	u->events = events;
	u->user = user;
	return u;
}

/* ---- events of the wire ---- */

static void
on_input(void *user)
{
	struct upstream *u = user;

	if (u->state == UPSTREAM_SHAKING)
		shake(u);
	else if (u->state == UPSTREAM_IDLE)
		upstream_close(u);
	else if (u->state == UPSTREAM_READY)
		u->events->input(u->user);
}

static void
on_drained(void *user)
{
	struct upstream *u = user;

	if (u->state == UPSTREAM_CONNECTING)
		on_connected(u);
	else if (u->state == UPSTREAM_READY)
		u->events->drained(u->user);
}

static void
on_broken(void *user, int error)
{
	struct upstream *u = user;

	if (u->state == UPSTREAM_READY)
		u->events->broken(u->user, error);
}

static const struct wire_events wire_events = {
	.input = on_input, .drained = on_drained, .broken = on_broken,
};
