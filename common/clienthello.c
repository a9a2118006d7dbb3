/* SPDX-License-Identifier: ISC */
#include "common/clienthello.h"

#include "common/str.h"

enum {
	RECORD_HEADER_LEN = 5,
	RECORD_MAX = 16384,      /* RFC 8446 section 5.1 */
	MESSAGE_HEADER_LEN = 4,
	TYPE_CLIENT_HELLO = 1,
	VERSION_TLS12 = 0x0303,
	RANDOM_LEN = 32,
	SESSION_ID_MAX = 32,
	EXTENSION_SERVER_NAME = 0,
	EXTENSION_SUPPORTED_VERSIONS = 43,
	NAME_TYPE_HOST = 0,
};

/* Bytes not yet read.  A read beyond the end fails, and all after it. */
struct cursor {
	struct bytes in;
	bool failed;
};

static struct bytes
take(struct cursor *c, size_t n)
{
	struct bytes out;

	if (c->failed || n > c->in.len) {
		c->failed = true;
		return bytes_of(NULL, 0);
	}
	out = bytes_of(c->in.ptr, n);
	c->in = bytes_after(c->in, n);
	return out;
}

static size_t
take_u8(struct cursor *c)
{
	struct bytes b = take(c, 1);

	return b.len == 0 ? 0 : b.ptr[0];
}

static uint16_t
take_u16(struct cursor *c)
{
	struct bytes b = take(c, 2);

	return b.len == 0 ? 0 : be16_get(b.ptr);
}

static struct bytes
take_vector8(struct cursor *c)
{
	return take(c, take_u8(c));
}

static struct bytes
take_vector16(struct cursor *c)
{
	return take(c, take_u16(c));
}

/* Whether c was read to its end, and not beyond. */
static bool
is_done(const struct cursor *c)
{
	return !c->failed && c->in.len == 0;
}

static int
refuse(struct clienthello *ret, enum tls_alert alert, const char *text)
{
	ret->alert = alert;
	ret->text = text;
	return -1;
}

static int
malformed(struct clienthello *ret, const char *text)
{
	return refuse(ret, ALERT_DECODE_ERROR, text);
}

/* ---- records ---- */

/* The payload of the record at the start of in, as much of it as is there;
 * *ret_len is its announced length.  Returns 1, 0 for a part of a header, -1
 * when it is no record of a handshake. */
static int
read_record(struct bytes in, struct bytes *ret, size_t *ret_len,
    struct clienthello *why)
{
	if (in.len == 0)
		return 0;
	/* SSL 2.0 framed its hello, and those for SSL 3.0, like this. */
	if ((in.ptr[0] & 0x80) != 0 && in.len > 2 && in.ptr[2] == 1)
		return refuse(why, ALERT_PROTOCOL_VERSION, "an SSL 2.0 hello");
	if ((in.ptr[0] & 0x80) != 0 && in.len <= 2)
		return 0;
	if (in.ptr[0] != CLIENTHELLO_RECORD)
		return refuse(why, ALERT_UNEXPECTED_MESSAGE, "not TLS");
	if (in.len > 1 && in.ptr[1] != 3)
		return refuse(why, ALERT_PROTOCOL_VERSION, "not TLS 1");
	if (in.len < RECORD_HEADER_LEN)
		return 0;
	*ret_len = be16_get(in.ptr + 3);
	if (*ret_len == 0)
		return malformed(why, "an empty record");
	if (*ret_len > RECORD_MAX)
		return refuse(why, ALERT_RECORD_OVERFLOW,
		    "a record above 16384 bytes");
	*ret = bytes_after(in, RECORD_HEADER_LEN);
	if (ret->len > *ret_len)
		ret->len = *ret_len;
	return 1;
}

/* Checks the message's header.  Returns 1 and the length of the message with
 * its header, 0 for a part of it, or -1. */
static int
read_message_header(struct bytes in, size_t *ret_len, struct clienthello *why)
{
	if (in.len != 0 && in.ptr[0] != TYPE_CLIENT_HELLO)
		return refuse(why, ALERT_UNEXPECTED_MESSAGE,
		    "a handshake that begins with no ClientHello");
	if (in.len < MESSAGE_HEADER_LEN)
		return 0;
	*ret_len = MESSAGE_HEADER_LEN + be24_get(in.ptr + 1);
	if (*ret_len > CLIENTHELLO_MAX)
		return malformed(why, "a ClientHello above 16384 bytes");
	return 1;
}

/* Puts the message together in store from the records in which it comes. */
static int
gather(struct bytes in, uint8_t store[static CLIENTHELLO_MAX],
    struct bytes *ret, struct clienthello *why)
{
	size_t have = 0, message_len = 0, record_len;
	struct bytes part;
	int r;

	for (;;) {
		r = read_record(in, &part, &record_len, why);
		if (r <= 0)
			return r;
		if (have + part.len > CLIENTHELLO_MAX)
			return malformed(why,
			    "a ClientHello above 16384 bytes");
		if (part.len != 0)
			memcpy(store + have, part.ptr, part.len);
		have += part.len;
		r = read_message_header(bytes_of(store, have), &message_len,
		    why);
		if (r < 0)
			return r;
		/* A ClientHello ends with its record: RFC 8446, 5.1. */
		if (r > 0 && have + (record_len - part.len) > message_len)
			return refuse(why, ALERT_UNEXPECTED_MESSAGE,
			    "bytes after the ClientHello in its record");
		if (part.len < record_len)
			return 0;
		if (r > 0 && have == message_len)
			break;
		in = bytes_after(in, RECORD_HEADER_LEN + record_len);
	}
	*ret = bytes_of(store + MESSAGE_HEADER_LEN,
	    message_len - MESSAGE_HEADER_LEN);
	return 1;
}

/* ---- the message ---- */

struct hello {
	uint16_t version;             /* the highest that the agent speaks */
	bool has_name;
	uint8_t seen[UINT16_MAX / 8 + 1]; /* extensions, a bit for each */
};

static int
take_name(struct hello *h, struct bytes name, struct clienthello *ret)
{
	if (h->has_name)
		return refuse(ret, ALERT_ILLEGAL_PARAMETER,
		    "more than one host name");
	if (name.len == 0)
		return malformed(ret, "an empty host name");
	h->has_name = true;
	if (str_from_bytes(ret->name, sizeof ret->name, name) != 0 ||
	    !str_is_hostname(ret->name))
		return refuse(ret, ALERT_UNRECOGNIZED_NAME,
		    "the server name is no host name");
	for (char *c = ret->name; *c != '\0'; c++)
		*c = ascii_lower(*c);
	return 0;
}

static int
take_server_name(struct hello *h, struct bytes in, struct clienthello *ret)
{
	struct cursor c = {.in = in};
	struct cursor list = {.in = take_vector16(&c)};

	if (!is_done(&c) || list.in.len == 0)
		return malformed(ret, "server_name");
	while (list.in.len != 0) {
		size_t type = take_u8(&list);
		/* RFC 6066: other types have a length of 16 bits too. */
		struct bytes name = take_vector16(&list);

		if (list.failed)
			return malformed(ret, "server_name");
		if (type == NAME_TYPE_HOST && take_name(h, name, ret) != 0)
			return -1;
	}
	return 0;
}

/* GREASE of RFC 8701: 0x0a0a, 0x1a1a and so on to 0xfafa. */
static bool
is_grease(uint16_t v)
{
	return (v & 0x0f0f) == 0x0a0a && v >> 8 == (v & 0xff);
}

static int
take_versions(struct hello *h, struct bytes in, struct clienthello *ret)
{
	struct cursor c = {.in = in};
	struct cursor list = {.in = take_vector8(&c)};

	if (!is_done(&c) || list.in.len == 0 || list.in.len % 2 != 0)
		return malformed(ret, "supported_versions");
	h->version = 0;
	while (list.in.len != 0) {
		uint16_t v = take_u16(&list);

		if (!is_grease(v) && v > h->version)
			h->version = v;
	}
	return 0;
}

static int
take_extension(struct hello *h, uint16_t type, struct bytes in,
    struct clienthello *ret)
{
	uint8_t bit = (uint8_t)(1U << type % 8);

	if ((h->seen[type / 8] & bit) != 0)
		return refuse(ret, ALERT_ILLEGAL_PARAMETER,
		    "an extension twice");
	h->seen[type / 8] |= bit;
	if (type == EXTENSION_SERVER_NAME)
		return take_server_name(h, in, ret);
	if (type == EXTENSION_SUPPORTED_VERSIONS)
		return take_versions(h, in, ret);
	return 0;
}

static int
take_extensions(struct hello *h, struct bytes in, struct clienthello *ret)
{
	struct cursor c = {.in = in};

	while (c.in.len != 0) {
		uint16_t type = take_u16(&c);
		struct bytes body = take_vector16(&c);

		if (c.failed)
			return malformed(ret, "extensions");
		if (take_extension(h, type, body, ret) != 0)
			return -1;
	}
	return 0;
}

/* Reads what stands before the extensions. */
static int
take_fixed(struct hello *h, struct cursor *c, struct clienthello *ret)
{
	struct bytes ciphers, compressions;

	h->version = take_u16(c);
	take(c, RANDOM_LEN);
	if (take_vector8(c).len > SESSION_ID_MAX)
		return malformed(ret, "session id");
	ciphers = take_vector16(c);
	if (c->failed || ciphers.len == 0 || ciphers.len % 2 != 0)
		return malformed(ret, "cipher suites");
	compressions = take_vector8(c);
	if (c->failed || compressions.len == 0)
		return malformed(ret, "compression methods");
	return 0;
}

static int
take_message(struct bytes in, struct clienthello *ret)
{
	struct hello h = {.version = 0};
	struct cursor c = {.in = in};
	struct bytes extensions = {NULL, 0};

	if (take_fixed(&h, &c, ret) != 0)
		return -1;
	if (c.in.len != 0) {
		extensions = take_vector16(&c);
		if (!is_done(&c))
			return malformed(ret, "length of the extensions");
	}
	if (take_extensions(&h, extensions, ret) != 0)
		return -1;
	if (h.version < VERSION_TLS12)
		return refuse(ret, ALERT_PROTOCOL_VERSION,
		    "nothing newer than TLS 1.1 offered");
	if (!h.has_name)
		return refuse(ret, ALERT_MISSING_EXTENSION, "no server name");
	return 1;
}

int
clienthello_parse(struct bytes in, struct clienthello *ret)
{
	uint8_t store[CLIENTHELLO_MAX];
	struct bytes message;
	int r;

	ret->name[0] = '\0';
	if (in.len > CLIENTHELLO_RECORDS_MAX)
		in.len = CLIENTHELLO_RECORDS_MAX;
	r = gather(in, store, &message, ret);
	if (r > 0)
		return take_message(message, ret);
	if (r == 0 && in.len == CLIENTHELLO_RECORDS_MAX)
		return malformed(ret, "a ClientHello in too many records");
	return r;
}

void
clienthello_put_alert(uint8_t out[static CLIENTHELLO_ALERT_LEN],
    enum tls_alert alert)
{
	static const uint8_t head[] = {21, 3, 3, 0, 2, 2};

	memcpy(out, head, sizeof head);
	out[sizeof head] = (uint8_t)alert;
}

const char *
clienthello_alert_name(enum tls_alert alert)
{
	switch (alert) {
	case ALERT_UNEXPECTED_MESSAGE:
		return "unexpected_message";
	case ALERT_RECORD_OVERFLOW:
		return "record_overflow";
	case ALERT_ILLEGAL_PARAMETER:
		return "illegal_parameter";
	case ALERT_DECODE_ERROR:
		return "decode_error";
	case ALERT_PROTOCOL_VERSION:
		return "protocol_version";
	case ALERT_INTERNAL_ERROR:
		return "internal_error";
	case ALERT_MISSING_EXTENSION:
		return "missing_extension";
	case ALERT_UNRECOGNIZED_NAME:
		return "unrecognized_name";
	}
	return "alert";
}
