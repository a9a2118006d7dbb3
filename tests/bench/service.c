/* SPDX-License-Identifier: ISC */

/* The far end of a measured stream; see service.h. */

#include <string.h>

#include "service.h"

static const uint8_t ack[1] = { SERVICE_UP };

void
service_init(struct service *s, uint64_t skip)
{
	*s = (struct service){ .skip = skip };
}

void
service_encode(uint8_t mode, uint64_t bytes, uint8_t head[SERVICE_HEAD_LEN])
{
	head[0] = mode;
	for (int i = 1; i < SERVICE_HEAD_LEN; i++)
		head[i] = (uint8_t)(bytes >> (8 * (SERVICE_HEAD_LEN - 1 - i)));
}

/* Gathers the request head; returns how many bytes of in belonged to it. */
static size_t
head_take(struct service *s, const uint8_t *in, size_t in_len)
{
	size_t n = SERVICE_HEAD_LEN - s->head_len;

	if (n > in_len)
		n = in_len;
	memcpy(s->head + s->head_len, in, n);
	s->head_len += n;
	if (s->head_len == SERVICE_HEAD_LEN) {
		for (int i = 1; i < SERVICE_HEAD_LEN; i++)
			s->left = s->left << 8 | s->head[i];
	}
	return n;
}

static void
swallow(struct service *s, size_t in_len, struct reply *ret_reply)
{
	if (s->left == 0)
		return;
	s->left -= in_len < s->left ? in_len : s->left;
	if (s->left == 0)
		*ret_reply = (struct reply){ ack, sizeof(ack) };
}

int
service_take(struct service *s, const uint8_t *in, size_t in_len,
    struct reply *ret_reply)
{
	*ret_reply = (struct reply){ NULL, 0 };
	if (s->skip > 0) {
		size_t n = in_len < s->skip ? in_len : (size_t)s->skip;
		s->skip -= n;
		in += n;
		in_len -= n;
	}
	if (in_len == 0)
		return 0;
	uint8_t mode = s->head_len > 0 ? s->head[0] : in[0];
	if (mode == SERVICE_ECHO) {
		s->head[0] = mode;
		s->head_len = 1;
		*ret_reply = (struct reply){ in, in_len };
		return 0;
	}
	if (mode != SERVICE_UP && mode != SERVICE_DOWN)
		return -1;
	if (s->head_len < SERVICE_HEAD_LEN) {
		in_len -= head_take(s, in, in_len);
		if (mode == SERVICE_DOWN && s->head_len == SERVICE_HEAD_LEN)
			*ret_reply = (struct reply){ NULL, s->left };
	}
	if (mode == SERVICE_UP && s->head_len == SERVICE_HEAD_LEN)
		swallow(s, in_len, ret_reply);
	return 0;
}
