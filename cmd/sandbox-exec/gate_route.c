/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/gate_route.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "common/io.h"

enum { ANSWER_MAX = 1024 }; /* a route takes about 150 bytes */

struct question {
	struct nlmsghdr h;
	struct rtmsg route;
	struct rtattr attribute;
	uint8_t address[16];
};

static void
format_question(const struct sock_addr *a, struct question *ret)
{
	bool v4 = a->any.sa_family == AF_INET;
	size_t len = v4 ? 4 : sizeof ret->address;

	*ret = (struct question){
		.h.nlmsg_len = (uint32_t)(offsetof(struct question, address) +
		    len),
		.h.nlmsg_type = RTM_GETROUTE,
		.h.nlmsg_flags = NLM_F_REQUEST,
		.route.rtm_family = (uint8_t)a->any.sa_family,
		.route.rtm_dst_len = (uint8_t)(8 * len),
		.attribute.rta_len = (uint16_t)RTA_LENGTH(len),
		.attribute.rta_type = RTA_DST,
	};
	memcpy(ret->address, v4 ? (const void *)&a->v4.sin_addr :
	    &a->v6.sin6_addr, len);
}

/* The answer is there when send(2) returns. */
static ssize_t
ask(const struct question *q, void *answer, size_t size)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	ssize_t n = -1;

	if (fd != -1 && send(fd, q, q->h.nlmsg_len, 0) != -1)
		n = recv(fd, answer, size, MSG_DONTWAIT);
	io_close(&fd);
	return n;
}

int
gate_route_is_local(const struct sock_addr *a)
{
	struct {
		struct nlmsghdr h;
		struct rtmsg route;
		uint8_t rest[ANSWER_MAX];
	} answer;
	struct question q;

	format_question(a, &q);
	if (ask(&q, &answer, sizeof answer) <
	    (ssize_t)offsetof(__typeof__(answer), rest) ||
	    answer.h.nlmsg_type != RTM_NEWROUTE)
		return -1;
	return answer.route.rtm_type == RTN_LOCAL;
}
