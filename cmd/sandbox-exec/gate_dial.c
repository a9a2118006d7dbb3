/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "cmd/sandbox-exec/gate_client.h"
#include "cmd/sandbox-exec/gate_route.h"
#include "common/io.h"

enum { DIAL_S = 10 }; /* for each address */

static const uint8_t v4_prefix[12] = {[10] = 0xff, 0xff};

static void
address_of(const struct sock_addr *a, uint8_t ret[static 16])
{
	if (a->any.sa_family == AF_INET) {
		memcpy(ret, v4_prefix, sizeof v4_prefix);
		memcpy(ret + sizeof v4_prefix, &a->v4.sin_addr, 4);
	} else {
		memcpy(ret, &a->v6.sin6_addr, 16);
	}
}

static bool
is_granted(const struct client *c, const struct sock_addr *a)
{
	uint8_t ip[16];

	address_of(a, ip);
	return allow_find_ip(c->gate->policy, ip, c->target.port) != NULL;
}

/* Whether the server turned out to be this machine. */
static bool
is_ourselves(const struct client *c)
{
	const struct sock_addr *to = &c->addrs[c->addr_next - 1];
	struct sock_addr own = {.len = sizeof own.v6};
	uint8_t a[16], b[16];

	if (getsockname(c->server.fd, &own.any, &own.len) != 0)
		return true;
	address_of(&own, a);
	address_of(to, b);
	return memcmp(a, b, sizeof a) == 0 && !is_granted(c, to);
}

static void
refuse_ourselves(struct client *c)
{
	gate_refuse(c, GATE_REFUSED, "it is the machine that the sandbox "
	    "runs on");
}

static void
reached(struct client *c)
{
	sock_set_nodelay(c->server.fd);
	if (is_ourselves(c))
		refuse_ourselves(c);
	else
		gate_peek_start(c);
}

/* Starts with the next address.  Returns 1 if it is there at once, 0 if that
 * will be seen, -1 with errno. */
static int
dial_one(struct client *c)
{
	const struct sock_addr *a = &c->addrs[c->addr_next++];

	ev_io_stop(c->gate->ev, &c->server.io);
	io_close(&c->server.fd);
	c->server.fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0);
	if (c->server.fd == -1)
		return -1;
	if (connect(c->server.fd, &a->any, a->len) == 0)
		return 1;
	if (errno != EINPROGRESS)
		return -1;
	/* One that is near has answered by then: the kernel says so when it
	 * is asked again (connect(2), EALREADY). */
	if (connect(c->server.fd, &a->any, a->len) == 0)
		return 1;
	return errno == EALREADY ? 0 : -1;
}

static void
dial_next(struct client *c, int number)
{
	while (c->addr_next < c->addr_count) {
		int r = dial_one(c);

		if (r >= 0) {
			c->state = CLIENT_DIALING;
			gate_client_set_timer(c, DIAL_S);
			if (r == 1)
				reached(c);
			return;
		}
		number = errno;
	}
	gate_refuse(c, GATE_FAILED, "%s", strerror(number));
}

void
gate_dial_progress(struct client *c)
{
	int number = 0;
	socklen_t len = sizeof number;

	if (getsockopt(c->server.fd, SOL_SOCKET, SO_ERROR, &number,
	    &len) != 0)
		number = errno;
	if (number == 0)
		reached(c);
	else
		dial_next(c, number);
}

void
gate_dial_timeout(struct client *c)
{
	dial_next(c, ETIMEDOUT);
}

/* Drops what leads to this machine: such an address is no loopback, yet what
 * listens there trusts the machine's own.  Where the kernel does not say that
 * is seen when it is reached. */
static void
drop_ourselves(struct client *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->addr_count; i++) {
		const struct sock_addr *a = &c->addrs[i];

		if (is_granted(c, a) || gate_route_is_local(a) != 1)
			c->addrs[kept++] = *a;
	}
	c->addr_count = kept;
}

static void
judge(struct client *c)
{
	struct error e;

	c->addr_count = gate_target_guard(&c->target, c->gate->policy,
	    c->addrs, c->addr_count, &e);
	if (c->addr_count == 0) {
		gate_refuse(c, GATE_REFUSED, "%s%s",
		    c->target.name[0] != '\0' ? "its address " : "", e.text);
		return;
	}
	drop_ourselves(c);
	if (c->addr_count == 0)
		refuse_ourselves(c);
	else
		dial_next(c, 0);
}

static void
on_resolved(void *user, const struct sock_addr *addrs, size_t count,
    const struct error *why)
{
	struct client *c = user;

	c->query = NULL;
	c->addr_count = count;
	if (count == 0) {
		gate_refuse(c, GATE_FAILED, "%s", why->text);
	} else {
		memcpy(c->addrs, addrs, count * sizeof *addrs);
		judge(c);
	}
	gate_client_continue(c);
}

static void
take_address(struct client *c)
{
	struct sock_addr *a = &c->addrs[0];

	memset(a, 0, sizeof *a);
	if (memcmp(c->target.ip, v4_prefix, sizeof v4_prefix) == 0) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htobe16(c->target.port);
		memcpy(&a->v4.sin_addr, c->target.ip + sizeof v4_prefix, 4);
		a->len = sizeof a->v4;
	} else {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htobe16(c->target.port);
		memcpy(&a->v6.sin6_addr, c->target.ip, 16);
		a->len = sizeof a->v6;
	}
	c->addr_count = 1;
}

/* The name that was allowed is what is resolved: one with a dot in it is no
 * beginning of another, which a search list would make of it. */
static struct resolve *
resolve_target(struct client *c, struct error *e)
{
	const char *name = c->target.name;
	char host[ALLOW_HOST_MAX + 2];

	str_format(host, sizeof host, "%s%s", name,
	    strchr(name, '.') != NULL ? "." : "");
	return resolve_start(c->gate->ev, NULL, host, c->target.port,
	    on_resolved, c, e);
}

void
gate_dial_start(struct client *c)
{
	struct error e;

	if (c->target.name[0] == '\0') {
		take_address(c);
		judge(c);
		return;
	}
	c->state = CLIENT_RESOLVING;
	gate_client_set_timer(c, DIAL_S);
	c->query = resolve_target(c, &e);
	if (c->query == NULL)
		gate_refuse(c, GATE_FAILED, "%s", e.text);
}
