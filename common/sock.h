/* SPDX-License-Identifier: ISC */
/* TCP and Unix sockets: addresses as text, listening, connecting.  All
 * sockets are close-on-exec and non-blocking; TCP ones have TCP_NODELAY. */
#ifndef ADIT_SOCK_H
#define ADIT_SOCK_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "common/error.h"
#include "common/str.h"

enum {
	SOCK_HOST_MAX = 256,
	SOCK_TEXT_MAX = 64,
	SOCK_BACKLOG = 1024,
};

struct sock_addr {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t len;
};

/* Splits "host:port", "[v6]:port" or ":port" (host then ""; port then has
 * default_port, or is required when that is 0).  Returns 0, or -1 with a
 * text. */
int sock_parse_hostport(const char *text, uint16_t default_port,
    char host[static SOCK_HOST_MAX], uint16_t *ret_port, struct error *e);

/* Parses a numeric address, no name.  Returns 0 or -1. */
int sock_parse_ip(const char *host, uint16_t port, struct sock_addr *ret);

/* Writes "127.0.0.1:80", "[::1]:80" or "unix".  Returns out. */
const char *sock_format(const struct sockaddr *a,
    char out[static SOCK_TEXT_MAX]);

/* Listens on "host:port" with a numeric or empty host; empty means every
 * address, IPv4 and IPv6.  Port 0 picks one: *ret_port has it.  Returns the
 * socket, or -1 with a text. */
int sock_listen_tcp(const char *hostport, uint16_t *ret_port,
    struct error *e);

/* Whether hostport is of that form.  Returns 0, or -1 with a text. */
int sock_check_listen(const char *hostport, struct error *e);

/* Listens on a Unix socket with mode 0600, replacing a socket at path that
 * nobody listens on.  Returns the socket, or -1 with a text. */
int sock_listen_unix(const char *path, struct error *e);
int sock_connect_unix(const char *path, struct error *e);

/* Accepts one connection; *ret_peer may be NULL.  Returns it, or -1 with
 * errno (EAGAIN: none). */
int sock_accept(int listener, struct sock_addr *ret_peer);

/* Sets TCP_NODELAY; not an error on other sockets. */
void sock_set_nodelay(int fd);

/* Lets a TCP socket hold at most so many bytes that are not yet sent, so that
 * what is written next does not wait long behind them (TCP_NOTSENT_LOWAT,
 * tcp(7)); not an error on other sockets. */
void sock_set_unsent_max(int fd, uint32_t bytes);

/* Has the kernel probe a peer that has said nothing for idle_s seconds, every
 * every_s seconds, and end the connection if it is gone. */
void sock_set_keepalive(int fd, int idle_s, int every_s);

/* Makes the next close(fd) send a reset instead of a clean end. */
void sock_set_abort(int fd);

#endif
