/* SPDX-License-Identifier: ISC */
/* The channel between supervisor and init: the last word of an end that closes
 * is heard, even if that end left something unread. */
#include <fcntl.h>
#include <unistd.h>

#include "cmd/sandbox-exec/channel.h"
#include "tests/unit/test.h"

static void
check_packets(void)
{
	char head[4] = "abc", more[8] = "1234567", got[4], rest[8];
	struct packet out = {.head = head, .head_len = 4, .more = more,
		.more_len = 8, .fds = {0, 1, 2, 0}, .fd_count = 4};
	struct packet in = {.head = got, .head_len = 4, .more = rest,
		.more_len = 8};
	int ends[2];

	ok(packet_open(ends) == 0, "a pair opens");
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	eq_int(packet_receive(ends[1], &in), -1, "nothing has come yet");
	ok(packet_send(ends[0], &out) == 0, "four descriptors are sent");
	eq_int(packet_receive(ends[1], &in), 1, "and come");
	ok(in.fd_count == 4 && in.more_len == 8 && memcmp(rest, more, 8) == 0,
	    "with what is behind the head");
	for (size_t i = 0; i < in.fd_count; i++) {
		eq_int(fcntl(in.fds[i], F_GETFD), FD_CLOEXEC, "for us alone");
		close(in.fds[i]);
	}
	in.more_len = 7;
	packet_send(ends[0], &out);
	eq_int(packet_receive(ends[1], &in), 0, "one that is longer is none");
	ok(in.fd_count == 0, "and leaves no descriptor");
	out.head_len = 3;
	out.more_len = out.fd_count = 0;
	in.more_len = 8;
	packet_send(ends[0], &out);
	eq_int(packet_receive(ends[1], &in), 0, "nor is one without a head");
	close(ends[0]);
	eq_int(packet_receive(ends[1], &in), 0, "then it has ended");
	close(ends[1]);
}

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
	check_packets();
	return test_done();
}
