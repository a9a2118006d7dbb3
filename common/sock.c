/* SPDX-License-Identifier: ISC */
#include "common/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/num.h"

enum { PORT_MAX = 65535 };

static int
parse_port(const char *text, const char *port, uint16_t *ret, struct error *e)
{
	int64_t v;

	if (num_parse(port, 0, PORT_MAX, &v) != 0)
		return error_set(e, "%s: port is not 0 to 65535", text);
	*ret = (uint16_t)v;
	return 0;
}

int
sock_parse_hostport(const char *text, uint16_t default_port,
    char host[static SOCK_HOST_MAX], uint16_t *ret_port, struct error *e)
{
	const char *begin = text, *end, *colon;

	if (strstr(text, "://") != NULL)
		return error_set(e, "%s: a URL, not host:port", text);
	if (text[0] == '[') {
		begin = text + 1;
		end = strchr(text, ']');
		if (end == NULL)
			return error_set(e, "%s: '[' without ']'", text);
		if (end == begin)
			return error_set(e, "%s: '[]' without an address", text);
		colon = end + 1;
	} else {
		colon = strchr(text, ':');
		if (colon == NULL)
			colon = text + strlen(text);
		else if (strchr(colon + 1, ':') != NULL)
			return error_set(e, "%s: an IPv6 address goes in "
			    "brackets, as [::1]:443", text);
		end = colon;
	}
	if (str_from_bytes(host, SOCK_HOST_MAX,
	    bytes_of(begin, (size_t)(end - begin))) != 0)
		return error_errno(e, "%s: host", text);
	if (*colon == ':')
		return parse_port(text, colon + 1, ret_port, e);
	if (*colon != '\0' || default_port == 0)
		return error_set(e, "%s: not host:port", text);
	*ret_port = default_port;
	return 0;
}

int
sock_parse_ip(const char *host, uint16_t port, struct sock_addr *ret)
{
	memset(ret, 0, sizeof *ret);
	if (inet_pton(AF_INET, host, &ret->v4.sin_addr) == 1) {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htobe16(port);
		ret->len = sizeof ret->v4;
		return 0;
	}
	if (inet_pton(AF_INET6, host, &ret->v6.sin6_addr) == 1) {
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htobe16(port);
		ret->len = sizeof ret->v6;
		return 0;
	}
	errno = EINVAL;
	return -1;
}

const char *
sock_format(const struct sockaddr *a, char out[static SOCK_TEXT_MAX])
{
	char ip[INET6_ADDRSTRLEN] = "";

	if (a->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)a;

		inet_ntop(AF_INET, &v4->sin_addr, ip, sizeof ip);
		snprintf(out, SOCK_TEXT_MAX, "%s:%u", ip,
		    be16toh(v4->sin_port));
	} else if (a->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)a;
		const struct in6_addr *in = &v6->sin6_addr;

		if (IN6_IS_ADDR_V4MAPPED(in)) {
			inet_ntop(AF_INET, in->s6_addr + 12, ip, sizeof ip);
			snprintf(out, SOCK_TEXT_MAX, "%s:%u", ip,
			    be16toh(v6->sin6_port));
			return out;
		}
		inet_ntop(AF_INET6, in, ip, sizeof ip);
		snprintf(out, SOCK_TEXT_MAX, "[%s]:%u", ip,
		    be16toh(v6->sin6_port));
	} else {
		snprintf(out, SOCK_TEXT_MAX, "unix");
	}
	return out;
}

static uint16_t
local_port(int fd)
{
	struct sock_addr a = {.len = sizeof a.v6};

	if (getsockname(fd, &a.any, &a.len) != 0)
		return 0;
	return be16toh(a.any.sa_family == AF_INET ? a.v4.sin_port
	    : a.v6.sin6_port);
}

/* An empty host is the address of all for IPv6. */
static int
parse_listen(const char *hostport, char host[static SOCK_HOST_MAX],
    struct sock_addr *ret, struct error *e)
{
	uint16_t port;

	if (sock_parse_hostport(hostport, 0, host, &port, e) != 0)
		return -1;
	if (sock_parse_ip(host[0] == '\0' ? "::" : host, port, ret) != 0)
		return error_set(e, "%s: not a numeric address", hostport);
	return 0;
}

int
sock_check_listen(const char *hostport, struct error *e)
{
	char host[SOCK_HOST_MAX];
	struct sock_addr a;

	return parse_listen(hostport, host, &a, e);
}

int
sock_listen_tcp(const char *hostport, uint16_t *ret_port, struct error *e)
{
	char host[SOCK_HOST_MAX];
	struct sock_addr a;
	int fd, on = 1, off = 0;

	if (parse_listen(hostport, host, &a, e) != 0)
		return -1;
	fd = socket(a.any.sa_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1 && host[0] == '\0' && errno == EAFNOSUPPORT) {
		sock_parse_ip("0.0.0.0", be16toh(a.v6.sin6_port), &a);
		fd = socket(AF_INET,
		    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	}
	if (fd == -1)
		return error_errno(e, "%s: socket", hostport);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (host[0] == '\0' && a.any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	if (bind(fd, &a.any, a.len) != 0 || listen(fd, SOCK_BACKLOG) != 0) {
		error_errno(e, "%s: listen", hostport);
		close(fd);
		return -1;
	}
	*ret_port = local_port(fd);
	return fd;
}

static int
unix_address(const char *path, struct sockaddr_un *ret, struct error *e)
{
	memset(ret, 0, sizeof *ret);
	ret->sun_family = AF_UNIX;
	if (str_format(ret->sun_path, sizeof ret->sun_path, "%s", path) != 0)
		return error_set(e, "%s: path longer than %zu bytes", path,
		    sizeof ret->sun_path - 1);
	return 0;
}

int
sock_connect_unix(const char *path, struct error *e)
{
	struct sockaddr_un a;
	int fd;

	if (unix_address(path, &a, e) != 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return error_errno(e, "%s: socket", path);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
		error_errno(e, "%s: connect", path);
		close(fd);
		return -1;
	}
	return fd;
}

/* Removes a socket at path that refuses connections. */
static void
remove_stale(const char *path)
{
	struct error ignored;
	struct stat st;
	int fd;

	if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return;
	fd = sock_connect_unix(path, &ignored);
	if (fd != -1)
		close(fd);
	else if (errno == ECONNREFUSED)
		unlink(path);
}

int
sock_listen_unix(const char *path, struct error *e)
{
	struct sockaddr_un a;
	mode_t old;
	int fd, r;

	if (unix_address(path, &a, e) != 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return error_errno(e, "%s: socket", path);
	remove_stale(path);
	old = umask(0177);
	r = bind(fd, (struct sockaddr *)&a, sizeof a);
	umask(old);
	if (r != 0 || listen(fd, SOCK_BACKLOG) != 0) {
		error_errno(e, "%s: listen", path);
		close(fd);
		return -1;
	}
	return fd;
}

int
sock_accept(int listener, struct sock_addr *ret_peer)
{
	struct sock_addr peer = {.len = sizeof peer.v6};
	int fd = accept4(listener, &peer.any, &peer.len,
	    SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd == -1)
		return -1;
	if (peer.any.sa_family != AF_UNIX)
		sock_set_nodelay(fd);
	if (ret_peer != NULL)
		*ret_peer = peer;
	return fd;
}

void
sock_set_nodelay(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void
sock_set_unsent_max(int fd, uint32_t bytes)
{
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}

void
sock_set_keepalive(int fd, int idle_s, int every_s)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof every_s);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

void
sock_set_abort(int fd)
{
	struct linger l = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
}
