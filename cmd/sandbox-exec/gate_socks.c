/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/gate_socks.h"

#include <arpa/inet.h>

#include "common/str.h"

enum {
	COMMAND_CONNECT = 1,
	TYPE_V4 = 1,
	TYPE_NAME = 3,
	TYPE_V6 = 4,
	HEAD_LEN = 4,
	TEXT_IN_REPLY_MAX = 255,
};

ssize_t
gate_socks_greeting(struct bytes in, bool *ret_ok)
{
	size_t count;

	if (in.len >= 1 && in.ptr[0] != SOCKS_VERSION)
		return -1;
	if (in.len < 2)
		return 0;
	count = in.ptr[1];
	if (count == 0)
		return -1;
	if (in.len < 2 + count)
		return 0;
	*ret_ok = memchr(in.ptr + 2, SOCKS_METHOD_NONE, count) != NULL;
	return (ssize_t)(2 + count);
}

/* How long the address is with what says so, 0 if that is not there yet, -1
 * for an unknown type. */
static ssize_t
address_len(struct bytes in)
{
	switch (in.ptr[HEAD_LEN - 1]) {
	case TYPE_V4:
		return 4;
	case TYPE_V6:
		return 16;
	case TYPE_NAME:
		return in.len == HEAD_LEN ? 0 : 1 + in.ptr[HEAD_LEN];
	default:
		return -1;
	}
}

static int
read_host(struct bytes in, uint8_t type, struct gate_socks *ret)
{
	if (type == TYPE_NAME)
		return str_from_bytes(ret->host, sizeof ret->host,
		    bytes_after(in, 1));
	return inet_ntop(type == TYPE_V4 ? AF_INET : AF_INET6, in.ptr,
	    ret->host, sizeof ret->host) == NULL ? -1 : 0;
}

ssize_t
gate_socks_request(struct bytes in, struct gate_socks *ret,
    enum socks_reply *ret_why)
{
	ssize_t len;
	size_t all;

	*ret_why = SOCKS_FAILURE;
	if ((in.len >= 1 && in.ptr[0] != SOCKS_VERSION) ||
	    (in.len >= 3 && in.ptr[2] != 0))
		return -1;
	if (in.len >= 2 && in.ptr[1] != COMMAND_CONNECT) {
		*ret_why = SOCKS_BAD_COMMAND;
		return -1;
	}
	if (in.len < HEAD_LEN)
		return 0;
	*ret_why = SOCKS_BAD_ADDRESS;
	len = address_len(in);
	if (len <= 0)
		return len;
	all = HEAD_LEN + (size_t)len + 2;
	if (in.len < all)
		return 0;
	if (read_host(bytes_of(in.ptr + HEAD_LEN, (size_t)len),
	    in.ptr[HEAD_LEN - 1], ret) != 0)
		return -1;
	ret->port = be16_get(in.ptr + all - 2);
	return (ssize_t)all;
}

size_t
gate_socks_reply(enum socks_reply code, const char *sentence,
    uint8_t out[static SOCKS_REPLY_MAX])
{
	size_t len = strlen(sentence);

	memset(out, 0, SOCKS_REPLY_MAX);
	out[0] = SOCKS_VERSION;
	out[1] = (uint8_t)code;
	if (len == 0) {
		out[3] = TYPE_V4;
		return HEAD_LEN + 4 + 2;
	}
	if (len > TEXT_IN_REPLY_MAX)
		len = TEXT_IN_REPLY_MAX;
	out[3] = TYPE_NAME;
	out[4] = (uint8_t)len;
	memcpy(out + HEAD_LEN + 1, sentence, len);
	return HEAD_LEN + 1 + len + 2;
}
