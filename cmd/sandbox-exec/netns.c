/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/netns.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>

#include "cmd/sandbox-exec/raw.h"
#include "common/io.h"
#include "common/sock.h"

enum { DNS_PORT = 53, LO_INDEX = 1 };

int
netns_up(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	long fd = raw_call(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0,
	    0, 0);
	long r;

	if (fd < 0)
		return (int)-fd;
	r = raw_call(SYS_ioctl, fd, SIOCSIFFLAGS, (long)(uintptr_t)&lo, 0, 0);
	raw_call(SYS_close, fd, 0, 0, 0, 0);
	return r == -EEXIST || r == -EPERM ? 0 : (int)-r;
}

/* RTM_NEWROUTE: local default dev lo table local. */
static int
add_local_route(int fd, uint8_t family)
{
	struct {
		struct nlmsghdr header;
		struct rtmsg route;
		struct rtattr out_attr;
		uint32_t out;
	} request = {
		.header = {
			.nlmsg_len = sizeof request,
			.nlmsg_type = RTM_NEWROUTE,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK |
			    NLM_F_CREATE,
		},
		.route = {
			.rtm_family = family,
			.rtm_table = RT_TABLE_LOCAL,
			.rtm_protocol = RTPROT_BOOT,
			.rtm_scope = family == AF_INET ? RT_SCOPE_HOST :
			    RT_SCOPE_UNIVERSE,
			.rtm_type = RTN_LOCAL,
		},
		.out_attr = {RTA_LENGTH(sizeof(uint32_t)), RTA_OIF},
		.out = LO_INDEX,
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
	} reply;
	ssize_t n;

	if (send(fd, &request, sizeof request, 0) == -1)
		return -1;
	n = recv(fd, &reply, sizeof reply, MSG_TRUNC);
	if (n < (ssize_t)sizeof reply) {
		errno = EBADMSG;
		return -1;
	}
	errno = -reply.error.error;
	return errno == 0 || errno == EEXIST ? 0 : -1;
}

static int
add_local_routes(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int r;

	if (fd == -1)
		return -1;
	r = add_local_route(fd, AF_INET);
	/* A host without IPv6 has nothing to capture there. */
	if (r == 0 && add_local_route(fd, AF_INET6) != 0 &&
	    errno != EAFNOSUPPORT && errno != EOPNOTSUPP)
		r = -1;
	io_close(&fd);
	return r;
}

static int
listen_at(const char *host, uint16_t port, int type)
{
	struct sock_addr a;
	int off = 0;
	int fd;

	if (sock_parse_ip(host, port, &a) != 0)
		return -1;
	fd = socket(a.any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	if (a.any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	if (bind(fd, &a.any, a.len) != 0 || (type == SOCK_STREAM &&
	    listen(fd, SOCK_BACKLOG) != 0))
		io_close(&fd);
	return fd;
}

static int
listen_any(uint16_t port)
{
	int fd = listen_at("::", port, SOCK_STREAM);

	return fd == -1 && errno == EAFNOSUPPORT ?
	    listen_at("0.0.0.0", port, SOCK_STREAM) : fd;
}

static int
open_listener(struct confine_listener *l)
{
	switch (l->kind) {
	case LISTENER_PROXY:
		l->fd = listen_at("127.0.0.1", l->port, SOCK_STREAM);
		break;
	case LISTENER_DNS_UDP:
		l->fd = listen_at(CONFINE_DNS_ADDRESS, l->port, SOCK_DGRAM);
		break;
	case LISTENER_DNS_TCP:
		l->fd = listen_at(CONFINE_DNS_ADDRESS, l->port, SOCK_STREAM);
		break;
	case LISTENER_CAPTURE:
		l->fd = listen_any(l->port);
		break;
	}
	return l->fd == -1 ? -1 : 0;
}

static bool
has_port(const struct confine_listener *at, size_t count, uint16_t port)
{
	for (size_t i = 0; i < count; i++) {
		if (at[i].port == port)
			return true;
	}
	return false;
}

/* The ports of the allow list that are not listened on yet; what does not fit
 * is reachable through the proxy only. */
static size_t
add_captures(const struct policy *p, struct confine_listener *at,
    size_t count)
{
	for (size_t i = 0; i < p->allow_count &&
	    count < CONFINE_LISTENERS_MAX; i++) {
		uint16_t port = p->allow[i].port;

		if (port != 0 && !has_port(at, count, port))
			at[count++] = (struct confine_listener){
			    LISTENER_CAPTURE, port, -1};
	}
	return count;
}

int
netns_listen(const struct policy *p, struct confine_listener *at,
    size_t *ret_count, struct error *e)
{
	static const struct confine_listener always[] = {
		{LISTENER_PROXY, CONFINE_PROXY_PORT, -1},
		{LISTENER_DNS_UDP, DNS_PORT, -1},
		{LISTENER_DNS_TCP, DNS_PORT, -1},
		{LISTENER_CAPTURE, 80, -1},
		{LISTENER_CAPTURE, 443, -1},
	};
	size_t count = sizeof always / sizeof *always;

	memcpy(at, always, sizeof always);
	count = add_captures(p, at, count);
	if (add_local_routes() != 0)
		return error_errno(e, "network: local route");
	for (size_t i = 0; i < count; i++) {
		if (open_listener(&at[i]) != 0)
			return error_errno(e, "network: listen on port %u",
			    at[i].port);
	}
	*ret_count = count;
	return 0;
}
