/* SPDX-License-Identifier: ISC */
/* The control channel between supervisor and init: whole messages over
 * a SOCK_SEQPACKET pair, with at most one descriptor each. */
#ifndef ADIT_SANDBOX_CHANNEL_H
#define ADIT_SANDBOX_CHANNEL_H

#include "cmd/sandbox-exec/init.h"
#include "cmd/sandbox-exec/packet.h"

/* Returns 0, or -1 with errno. */
int channel_open(int ret[static 2]);

/* Sends m, with fd unless that is -1.  Returns 0, or -1 with errno. */
int channel_send(int fd, const struct init_message *m, int pass_fd);

/* Waits for a message.  Returns 1, or 0 at the end of the channel or with
 * anything that is no message; *ret_fd is -1 or the caller's to close. */
int channel_receive(int fd, struct init_message *ret, int *ret_fd);

#endif
