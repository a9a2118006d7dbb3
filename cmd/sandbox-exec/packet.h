/* SPDX-License-Identifier: ISC */
/* Whole messages with descriptors over a SOCK_SEQPACKET pair: a struct that
 * both ends know, as both are this program, and bytes behind it. */
#ifndef ADIT_SANDBOX_PACKET_H
#define ADIT_SANDBOX_PACKET_H

#include <sys/types.h>

#include "common/bytes.h"

enum { PACKET_FDS_MAX = 4 };

struct packet {
	void *head;
	size_t head_len;
	void *more;      /* behind the head; may be NULL */
	size_t more_len; /* of a packet received: what came, at most that */
	int fds[PACKET_FDS_MAX];
	size_t fd_count;
};

/* Returns 0, or -1 with errno. */
int packet_open(int ret[static 2]);

/* Sends p; its descriptors stay the caller's.  Returns 0, or -1 with
 * errno. */
int packet_send(int fd, const struct packet *p);

/* Takes one: fills head and more, and fds, which are close-on-exec and then
 * the caller's.  Returns 1; 0 at the end, or for what is no such packet; -1
 * if there is none yet (of a descriptor that does not block). */
int packet_receive(int fd, struct packet *p);

#endif
