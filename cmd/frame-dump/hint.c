/* SPDX-License-Identifier: ISC */
#include "cmd/frame-dump/hint.h"

enum {
	TLS_RECORD_HEADER_LEN = 5,
	TLS_HANDSHAKE_HEADER_LEN = 4,
	TLS_RECORD_MAX = 16384 + 2048, /* RFC 5246 section 6.2.3 */
	TLS_CHANGE_CIPHER_SPEC = 20,
	TLS_ALERT = 21,
	TLS_HANDSHAKE = 22,
	TLS_APPLICATION_DATA = 23,
	TLS_CLIENT_HELLO = 1,
	TLS_SERVER_HELLO = 2,
	HINT_RECORDS_MAX = 4,
};

static const char *
content_name(uint8_t type)
{
	switch (type) {
	case TLS_CHANGE_CIPHER_SPEC:
		return "change_cipher_spec";
	case TLS_ALERT:
		return "alert";
	case TLS_HANDSHAKE:
		return "handshake";
	case TLS_APPLICATION_DATA:
		return "application_data";
	default:
		return NULL;
	}
}

/* Returns the name of a hello, which is always in the clear; the first byte
 * of any other handshake record may be encrypted. */
static const char *
hello_name(struct bytes record)
{
	if (record.len < TLS_RECORD_HEADER_LEN + TLS_HANDSHAKE_HEADER_LEN ||
	    record.ptr[0] != TLS_HANDSHAKE)
		return "";
	if (record.ptr[5] == TLS_CLIENT_HELLO && record.ptr[6] == 0)
		return ":client_hello";
	if (record.ptr[5] == TLS_SERVER_HELLO && record.ptr[6] == 0)
		return ":server_hello";
	return "";
}

static bool
is_record(struct bytes in)
{
	return in.len >= TLS_RECORD_HEADER_LEN &&
	    content_name(in.ptr[0]) != NULL && in.ptr[1] == 3 &&
	    in.ptr[2] <= 4 && be16_get(in.ptr + 3) != 0 &&
	    be16_get(in.ptr + 3) <= TLS_RECORD_MAX;
}

bool
hint_tls(struct buf *out, struct bytes in)
{
	int count = 0;

	while (count < HINT_RECORDS_MAX && is_record(in)) {
		size_t len = be16_get(in.ptr + 3);
		size_t take = TLS_RECORD_HEADER_LEN + len;

		buf_format(out, "%s%s%s/%zu", count == 0 ? "" : ",",
		    content_name(in.ptr[0]), hello_name(in), len);
		in = bytes_after(in, take < in.len ? take : in.len);
		count++;
	}
	if (count != 0 && in.len != 0)
		buf_add_str(out, "+");
	return count != 0;
}
