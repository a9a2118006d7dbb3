/* SPDX-License-Identifier: ISC */
/* Ways to the network and to sockets outside. */
#include "attack.h"

#include <arpa/inet.h>
#include <linux/if_alg.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { PROTOCOL_MPTCP = 262, FAMILY_VSOCK = 40, FAMILY_TOP = 64 };

static struct sockaddr_in
address(char **a)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((in_port_t)atoi(a[1]))};

	inet_pton(AF_INET, a[0], &to.sin_addr);
	return to;
}

/* FAMILY TYPE PROTOCOL */
static long
make_socket(char **a)
{
	return socket(atoi(a[0]), atoi(a[1]), atoi(a[2]));
}

static long
tcp(char **a)
{
	struct sockaddr_in to = address(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return connect(fd, (struct sockaddr *)&to, sizeof to);
}

static long
tcp6(char **a)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6,
		.sin6_port = htons((in_port_t)atoi(a[1]))};
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	inet_pton(AF_INET6, a[0], &to.sin6_addr);
	return connect(fd, (struct sockaddr *)&to, sizeof to);
}

static long
udp(char **a)
{
	struct sockaddr_in to = address(a);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	return sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to);
}

static long
fast_open(char **a)
{
	struct sockaddr_in to = address(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&to,
	    sizeof to);
}

static long
fast_open_message(char **a)
{
	struct sockaddr_in to = address(a);
	struct iovec data = {(void *)"x", 1};
	struct msghdr m = {.msg_name = &to, .msg_namelen = sizeof to,
		.msg_iov = &data, .msg_iovlen = 1};
	struct mmsghdr many = {.msg_hdr = m};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return a[2] == NULL ? sendmsg(fd, &m, MSG_FASTOPEN) :
	    sendmmsg(fd, &many, 1, MSG_FASTOPEN);
}

static long
fast_open_option(char **a)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	return setsockopt(fd, IPPROTO_TCP, atoi(a[0]), &one, sizeof one);
}

/* "families": how many there are but Unix, Internet and netlink. */
static long
families(char **a)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW,
		SOCK_SEQPACKET, SOCK_RDM};

	(void)a;
	for (int f = 0; f < FAMILY_TOP; f++) {
		if (f == AF_UNIX || f == AF_INET || f == AF_INET6 ||
		    f == AF_NETLINK)
			continue;
		for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
			if (socket(f, types[t], 0) != -1)
				return f;
		}
	}
	errno = EAFNOSUPPORT;
	return -1;
}

/* Every netlink protocol but routing. */
static long
netlinks(char **a)
{
	(void)a;
	for (int p = 1; p < 32; p++) {
		if (socket(AF_NETLINK, SOCK_RAW, p) != -1)
			return p;
	}
	return -1;
}

static long
pair(char **a)
{
	int fds[2];

	return socketpair(atoi(a[0]), SOCK_STREAM, 0, fds);
}

/* A name that begins with '@' is abstract. */
static socklen_t
unix_address(const char *name, struct sockaddr_un *ret)
{
	size_t n = strlen(name);

	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (n >= sizeof ret->sun_path)
		return 0;
	memcpy(ret->sun_path, name, n);
	if (ret->sun_path[0] == '@')
		ret->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
}

static long
local(char **a)
{
	struct sockaddr_un to;
	socklen_t len = unix_address(a[0], &to);

	return connect(socket(AF_UNIX, SOCK_STREAM, 0),
	    (struct sockaddr *)&to, len);
}

/* One of a pair is connected, and can yet send to others; a type of 3 is what
 * the kernel takes for 2. */
static long
pair_elsewhere(char **a)
{
	struct sockaddr_un to;
	socklen_t len = unix_address(a[1], &to);
	int fds[2];

	if (socketpair(AF_UNIX, atoi(a[0]), 0, fds) == -1)
		return -1;
	return sendto(fds[0], "x", 1, 0, (struct sockaddr *)&to, len);
}

/* FD ADDRESS: by a socket that was passed. */
static long
elsewhere(char **a)
{
	struct sockaddr_un to;
	socklen_t len = unix_address(a[1], &to);

	return sendto(atoi(a[0]), "x", 1, 0, (struct sockaddr *)&to, len);
}

static long
interface_down(char **a)
{
	struct ifreq r = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)a;
	return ioctl(fd, SIOCSIFFLAGS, &r);
}

/* Adds a dummy interface. */
static long
interface_add(char **a)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} m = {.h = {.nlmsg_len = sizeof m, .nlmsg_type = RTM_NEWLINK,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE}};
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char rest[256];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	(void)a;
	if (fd == -1 || send(fd, &m, sizeof m, 0) == -1 ||
	    recv(fd, &answer, sizeof answer, 0) == -1)
		return -1;
	errno = -answer.e.error;
	return answer.e.error == 0 ? 0 : -1;
}

static long
transparent(char **a)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	(void)a;
	return setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &one, sizeof one);
}

/* The kernel's TLS and other upper layers. */
static long
upper_layer(char **a)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return setsockopt(fd, IPPROTO_TCP, TCP_ULP, a[0],
	    (socklen_t)strlen(a[0]));
}

/* Sets an option of a socket of this family and type to 1. */
static long
option(char **a)
{
	int one[16] = {1};

	return setsockopt(socket(atoi(a[0]), atoi(a[1]), 0), atoi(a[2]),
	    atoi(a[3]), one, (socklen_t)atoi(a[4]));
}

/* As much as the kernel holds between two ends: -1 for no more. */
static long
fill_pair(int listener, const struct sockaddr_in *to)
{
	static const char page[65536];
	int size = 4 << 20, in, out = socket(AF_INET, SOCK_STREAM, 0);
	long all = 0;
	ssize_t n;

	if (connect(out, (const void *)to, sizeof *to) != 0)
		return -1;
	in = accept(listener, NULL, NULL);
	setsockopt(out, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	setsockopt(in, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	while ((n = send(out, page, sizeof page, MSG_DONTWAIT)) > 0)
		all += n;
	return in == -1 || n == 0 ? -1 : all;
}

/* So many MiB in connections to itself. */
static long
hold_in_sockets(char **a)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof to;
	long want = atol(a[0]) << 20;

	if (bind(listener, (void *)&to, len) != 0 ||
	    listen(listener, 1) != 0 ||
	    getsockname(listener, (void *)&to, &len) != 0)
		return -1;
	for (int i = 0; i < 400 && want > 0; i++) {
		long n = fill_pair(listener, &to);

		if (n == -1)
			return -1;
		want -= n;
	}
	errno = ENOBUFS;
	return want > 0 ? -1 : 0;
}

const struct attack network_attacks[] = {
	{"socket", make_socket}, {"tcp", tcp}, {"tcp6", tcp6}, {"udp", udp},
	{"fast-open", fast_open}, {"fast-open-message", fast_open_message},
	{"fast-open-option", fast_open_option}, {"families", families},
	{"netlinks", netlinks}, {"socketpair", pair}, {"unix", local},
	{"pair-elsewhere", pair_elsewhere}, {"elsewhere", elsewhere},
	{"lo-down", interface_down}, {"interface-add", interface_add},
	{"transparent", transparent}, {"ulp", upper_layer}, {"option", option},
	{"hold-in-sockets", hold_in_sockets}, {NULL, NULL},
};
