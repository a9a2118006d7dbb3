/* SPDX-License-Identifier: ISC */
/* The channel between supervisor and init: the last word of an end that closes
 * is heard, even if that end left something unread. */
#include <unistd.h>

#include "cmd/sandbox-exec/channel.h"
#include "tests/unit/test.h"

int
main(void)
{
	struct init_message m = {.type = INIT_SIGNAL}, got;
	int ends[2], fd;

	ok(channel_open(ends) == 0, "a channel opens");
	ok(channel_send(ends[0], &m, -1) == 0, "one end sends");
	m.type = INIT_END;
	m.end.wait_status = 15;
	ok(channel_send(ends[1], &m, -1) == 0, "the other answers");
	close(ends[1]);
	ok(channel_receive(ends[0], &got, &fd) == 1, "the answer is heard");
	ok(got.type == INIT_END && got.end.wait_status == 15, "and whole");
	ok(fd == -1, "without a descriptor");
	ok(channel_receive(ends[0], &got, &fd) == 0, "then it has ended");
	close(ends[0]);
	return test_done();
}
