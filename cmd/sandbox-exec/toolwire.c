/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/toolwire.h"

#include "common/str.h"

enum { LEN = 4 };

static int
add_sized(struct buf *out, struct bytes in)
{
	uint8_t head[LEN];

	be32_put(head, (uint32_t)in.len);
	return buf_add(out, bytes_of(head, sizeof head)) != 0 ||
	    buf_add(out, in) != 0 ? -1 : 0;
}

int
toolwire_add_request(struct buf *out, const char *name, struct bytes input)
{
	return add_sized(out, bytes_cstr(name)) != 0 ||
	    add_sized(out, input) != 0 ? -1 : 0;
}

int
toolwire_add_answer(struct buf *out, bool is_error, struct bytes text)
{
	const uint8_t head = is_error;

	return buf_add(out, bytes_of(&head, 1)) != 0 ||
	    add_sized(out, text) != 0 ? -1 : 0;
}

/* Reads a length and so many bytes from the front of in, which it shortens.
 * Returns 1; 0 if more has to come; -1 if it is longer than max. */
static int
get_sized(struct bytes *in, size_t max, struct bytes *ret)
{
	size_t n;

	if (in->len < LEN)
		return 0;
	n = be32_get(in->ptr);
	if (n > max)
		return -1;
	if (in->len - LEN < n)
		return 0;
	*ret = bytes_of(in->ptr + LEN, n);
	*in = bytes_after(*in, LEN + n);
	return 1;
}

ssize_t
toolwire_get_request(struct bytes in, struct toolwire_request *ret)
{
	size_t all = in.len;
	struct bytes name;
	int r = get_sized(&in, TOOLWIRE_NAME_MAX, &name);

	if (r != 1)
		return r;
	if (str_from_bytes(ret->name, sizeof ret->name, name) != 0)
		return -1;
	r = get_sized(&in, TOOLWIRE_INPUT_MAX, &ret->input);
	return r == 1 ? (ssize_t)(all - in.len) : r;
}

ssize_t
toolwire_get_answer(struct bytes in, struct toolwire_answer *ret)
{
	size_t all = in.len;
	struct bytes rest;
	int r;

	if (in.len == 0)
		return 0;
	if (in.ptr[0] > 1)
		return -1;
	ret->is_error = in.ptr[0] == 1;
	rest = bytes_after(in, 1);
	r = get_sized(&rest, TOOLWIRE_TEXT_MAX, &ret->text);
	return r == 1 ? (ssize_t)(all - rest.len) : r;
}
