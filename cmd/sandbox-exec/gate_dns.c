/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/gate_dns.h"

#include <stdio.h>


enum {
	HEADER_LEN = 12,
	FLAG_RESPONSE = 0x80,
	FLAG_RECURSION_WANTED = 0x01,
	OPCODE_BITS = 0x78,
	FLAG_AUTHORITATIVE = 0x04,
	FLAG_RECURSION_AVAILABLE = 0x80, /* of the second byte */
	LABEL_MAX = 63,
	NAME_MAX_LEN = 255,              /* with lengths */
	CLASS_IN = 1,
	TTL_S = 300,
	POINTER_TO_QUESTION = 0xc000 | HEADER_LEN,
	ESCAPE_LEN = 5, /* "\xNN" and the NUL that snprintf adds */
};

static bool
is_plain(uint8_t c)
{
	return c > ' ' && c < 0x7f && c != '.' && c != '\\';
}

static size_t
show_label(struct bytes label, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < label.len; i++) {
		if (is_plain(label.ptr[i]))
			out[n++] = (char)label.ptr[i];
		else
			n += (size_t)snprintf(out + n, ESCAPE_LEN, "\\x%02x",
			    label.ptr[i]);
	}
	return n;
}

/* Reads an uncompressed name.  Returns its length, 0 if it is none. */
static size_t
read_name(struct bytes in, struct gate_dns *ret)
{
	size_t at = 0, n = 0;

	for (;;) {
		size_t len;

		if (at >= in.len || at >= NAME_MAX_LEN)
			return 0;
		len = in.ptr[at++];
		if (len == 0)
			break;
		if (len > LABEL_MAX || at + len > in.len ||
		    at + len >= NAME_MAX_LEN)
			return 0;
		if (n != 0)
			ret->shown[n++] = '.';
		n += show_label(bytes_of(in.ptr + at, len), ret->shown + n);
		at += len;
	}
	ret->shown[n] = '\0';
	return at;
}

int
gate_dns_parse(struct bytes in, struct gate_dns *ret)
{
	struct error ignored;
	size_t n;

	memset(ret, 0, sizeof *ret);
	if (in.len < HEADER_LEN || (in.ptr[2] & FLAG_RESPONSE) != 0)
		return -1;
	ret->id = be16_get(in.ptr);
	ret->flags = in.ptr[2];
	if ((ret->flags & OPCODE_BITS) != 0)
		return DNS_NOT_IMPLEMENTED;
	if (in.len > GATE_DNS_QUERY_MAX || be16_get(in.ptr + 4) != 1 ||
	    be16_get(in.ptr + 6) != 0)
		return DNS_FORMAT_ERROR;
	in = bytes_after(in, HEADER_LEN);
	n = read_name(in, ret);
	if (n == 0 || n + 4 > in.len)
		return DNS_FORMAT_ERROR;
	ret->type = be16_get(in.ptr + n);
	if (be16_get(in.ptr + n + 2) != CLASS_IN)
		return DNS_NOT_IMPLEMENTED;
	ret->question_len = n + 4;
	if (allow_canonical(bytes_cstr(ret->shown), ret->name, &ignored) != 0)
		ret->name[0] = '\0';
	return DNS_OK;
}

static size_t
put_address(uint8_t *out, uint16_t type, struct bytes address)
{
	be16_put(out, POINTER_TO_QUESTION);
	be16_put(out + 2, type);
	be16_put(out + 4, CLASS_IN);
	be32_put(out + 6, TTL_S);
	be16_put(out + 10, (uint16_t)address.len);
	memcpy(out + 12, address.ptr, address.len);
	return 12 + address.len;
}

size_t
gate_dns_answer(struct bytes query, const struct gate_dns *q,
    enum dns_rcode code, struct bytes address,
    uint8_t out[static GATE_DNS_ANSWER_MAX])
{
	size_t n = HEADER_LEN;

	memset(out, 0, HEADER_LEN);
	be16_put(out, q->id);
	out[2] = (uint8_t)(FLAG_RESPONSE | FLAG_AUTHORITATIVE |
	    (q->flags & (OPCODE_BITS | FLAG_RECURSION_WANTED)));
	out[3] = (uint8_t)(FLAG_RECURSION_AVAILABLE | code);
	if (q->question_len != 0) {
		be16_put(out + 4, 1);
		memcpy(out + n, query.ptr + HEADER_LEN, q->question_len);
		n += q->question_len;
	}
	if (address.len != 0) {
		be16_put(out + 6, 1);
		n += put_address(out + n, q->type, address);
	}
	return n;
}
