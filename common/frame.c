/* SPDX-License-Identifier: ISC */
#include "common/frame.h"

#include <stdio.h>

static const uint8_t magic[6] = {'a', 'd', 'i', 't', '\r', '\n'};

enum { FRAME_VERSION = 1 };

enum stream_rule { STREAM_NONE, STREAM_SOME, STREAM_ANY };

/* A max of 0 stands for the limit given by the caller. */
struct type_rule {
	const char *name;
	uint32_t min, max;
	enum stream_rule stream;
};

static const struct type_rule rules[] = {
	[FRAME_HELLO] = {"HELLO", 2, FRAME_HELLO_MAX, STREAM_NONE},
	[FRAME_AUTH] = {"AUTH", 1, FRAME_AUTH_MAX, STREAM_NONE},
	[FRAME_PING] = {"PING", FRAME_PING_LEN, FRAME_PING_LEN, STREAM_NONE},
	[FRAME_PONG] = {"PONG", FRAME_PING_LEN, FRAME_PING_LEN, STREAM_NONE},
	[FRAME_GOAWAY] = {"GOAWAY", FRAME_REASON_LEN,
	    FRAME_REASON_LEN + FRAME_TEXT_MAX, STREAM_ANY},
	[FRAME_WINDOW] = {"WINDOW", FRAME_WINDOW_LEN, FRAME_WINDOW_LEN,
	    STREAM_ANY},
	[FRAME_OPEN] = {"OPEN", 2, FRAME_HELLO_MAX, STREAM_SOME},
	[FRAME_DATA] = {"DATA", 1, 0, STREAM_SOME},
	[FRAME_END] = {"END", 0, 0, STREAM_SOME},
	[FRAME_RESET] = {"RESET", FRAME_REASON_LEN,
	    FRAME_REASON_LEN + FRAME_TEXT_MAX, STREAM_SOME},
	[FRAME_EVENT] = {"EVENT", 2, 0, STREAM_ANY},
	[FRAME_MARK] = {"MARK", FRAME_MARK_LEN, FRAME_MARK_LEN, STREAM_NONE},
};

static const struct type_rule optional_rule = {NULL, 0, 0, STREAM_ANY};

static const struct type_rule *
rule_of(uint8_t type)
{
	if ((type & FRAME_OPTIONAL) != 0)
		return &optional_rule;
	if (type < sizeof rules / sizeof rules[0] && rules[type].name != NULL)
		return &rules[type];
	return NULL;
}

static int
check_length(uint8_t type, const struct type_rule *r, uint32_t len,
    uint32_t limit, struct error *e)
{
	uint32_t max = r->max != 0 ? r->max : limit;

	if (type == FRAME_END)
		max = 0;
	if (len >= r->min && len <= max)
		return 0;
	return error_set(e, "%s of %u bytes: not %u to %u",
	    frame_type_name(type), len, r->min, max);
}

static int
check_stream(uint8_t type, const struct type_rule *r, uint32_t stream,
    struct error *e)
{
	if (r->stream == STREAM_NONE && stream != 0)
		return error_set(e, "%s: stream %u: not 0",
		    frame_type_name(type), stream);
	if (r->stream == STREAM_SOME && stream == 0)
		return error_set(e, "%s: stream 0", frame_type_name(type));
	return 0;
}

/* Refuses a header as soon as the bytes that are there show it wrong. */
static int
check_header(struct bytes in, uint32_t limit, struct error *e)
{
	const struct type_rule *r;
	uint8_t type;

	if (in.len < 1)
		return 0;
	type = in.ptr[0];
	r = rule_of(type);
	if (r == NULL)
		return error_set(e, "type %s: unknown", frame_type_name(type));
	if (in.len >= 2 && in.ptr[1] != 0)
		return error_set(e, "%s: flags 0x%02x: not 0",
		    frame_type_name(type), in.ptr[1]);
	if (in.len < FRAME_HEADER_LEN)
		return 0;
	if (type != FRAME_DATA && be16_get(in.ptr + 2) != 0)
		return error_set(e, "%s: channel %u: not 0",
		    frame_type_name(type), be16_get(in.ptr + 2));
	if (check_stream(type, r, be32_get(in.ptr + 4), e) != 0)
		return -1;
	return check_length(type, r, be32_get(in.ptr + 8), limit, e);
}

static int
check_payload(const struct frame *f, struct error *e)
{
	const uint8_t *p = f->payload.ptr;
	const char *name = frame_type_name(f->type);
	uint32_t v;

	switch (f->type) {
	case FRAME_GOAWAY:
	case FRAME_RESET:
		return p[3] == 0 ? 0 : error_set(e, "%s: byte 3: not 0", name);
	case FRAME_WINDOW:
		v = be32_get(p);
		return v != 0 && v <= INT32_MAX
		    ? 0 : error_set(e, "WINDOW: increment %u", v);
	case FRAME_MARK:
		return p[12] <= 1 && p[13] == 0 && p[14] == 0 && p[15] == 0
		    ? 0 : error_set(e, "MARK: bytes 12 to 15");
	default:
		return 0;
	}
}

ssize_t
frame_decode(struct bytes in, uint32_t limit, struct frame *ret,
    struct error *e)
{
	struct frame f;
	uint32_t len;

	if (check_header(in, limit, e) != 0)
		return -1;
	if (in.len < FRAME_HEADER_LEN)
		return 0;
	len = be32_get(in.ptr + 8);
	if (in.len - FRAME_HEADER_LEN < len)
		return 0;
	f.type = in.ptr[0];
	f.channel = be16_get(in.ptr + 2);
	f.stream = be32_get(in.ptr + 4);
	f.payload = bytes_of(in.ptr + FRAME_HEADER_LEN, len);
	if (check_payload(&f, e) != 0)
		return -1;
	*ret = f;
	return (ssize_t)(FRAME_HEADER_LEN + len);
}

void
frame_put_header(uint8_t out[static FRAME_HEADER_LEN], const struct frame *f,
    uint32_t len)
{
	out[0] = f->type;
	out[1] = 0;
	be16_put(out + 2, f->channel);
	be32_put(out + 4, f->stream);
	be32_put(out + 8, len);
}

void
frame_put_preamble(uint8_t out[static FRAME_PREAMBLE_LEN],
    enum frame_kind kind)
{
	memcpy(out, magic, sizeof magic);
	out[6] = (uint8_t)kind;
	out[7] = FRAME_VERSION;
}

int
frame_get_preamble(struct bytes in, enum frame_kind *ret, struct error *e)
{
	size_t n = in.len < sizeof magic ? in.len : sizeof magic;

	if (n != 0 && memcmp(in.ptr, magic, n) != 0)
		return error_set(e, "not adit frames");
	if (in.len > 6 && in.ptr[6] != FRAME_KIND_HOP &&
	    in.ptr[6] != FRAME_KIND_CAPTURE)
		return error_set(e, "frames of kind %u: unknown", in.ptr[6]);
	if (in.len < FRAME_PREAMBLE_LEN)
		return 0;
	if (in.ptr[7] != FRAME_VERSION)
		return error_set(e, "frame version %u: not %d", in.ptr[7],
		    FRAME_VERSION);
	*ret = (enum frame_kind)in.ptr[6];
	return 1;
}

struct frame_reason
frame_get_reason(struct bytes payload)
{
	return (struct frame_reason){
		.code = be16_get(payload.ptr),
		.blame = payload.ptr[2],
		.text = bytes_after(payload, FRAME_REASON_LEN),
	};
}

size_t
frame_put_reason(uint8_t out[static FRAME_REASON_LEN + FRAME_TEXT_MAX],
    const struct frame_reason *r)
{
	size_t n = r->text.len < FRAME_TEXT_MAX ? r->text.len : FRAME_TEXT_MAX;

	be16_put(out, r->code);
	out[2] = r->blame;
	out[3] = 0;
	if (n != 0)
		memcpy(out + FRAME_REASON_LEN, r->text.ptr, n);
	return FRAME_REASON_LEN + n;
}

struct frame_mark
frame_get_mark(struct bytes payload)
{
	return (struct frame_mark){
		.time_ns = be64_get(payload.ptr),
		.dropped = be32_get(payload.ptr + 8),
		.direction = payload.ptr[12],
	};
}

void
frame_put_mark(uint8_t out[static FRAME_MARK_LEN], const struct frame_mark *m)
{
	memset(out, 0, FRAME_MARK_LEN);
	be64_put(out, m->time_ns);
	be32_put(out + 8, m->dropped);
	out[12] = m->direction;
}

const char *
frame_type_name(uint8_t type)
{
	static char text[8];

	if (type < sizeof rules / sizeof rules[0] && rules[type].name != NULL)
		return rules[type].name;
	snprintf(text, sizeof text, "0x%02x", type);
	return text;
}

const char *
frame_code_name(uint16_t code)
{
	static const char *const names[] = {
		NULL, "cancelled", "aborted", "refused", "unreachable",
		"timeout", "limit", "protocol", "internal", "draining",
		"unauthorized", "revoked", "replaced", "no-route", "no-link",
		"denied",
	};
	static char text[16];

	if (code != 0 && code < sizeof names / sizeof names[0])
		return names[code];
	snprintf(text, sizeof text, "code-%u", code);
	return text;
}

const char *
frame_blame_name(uint8_t blame)
{
	static const char *const names[] = {
		NULL, "client", "edge", "link", "connector", "proxy", "policy",
		"dns", "connect", "tls", "upstream", "sandbox",
	};
	static char text[16];

	if (blame != 0 && blame < sizeof names / sizeof names[0])
		return names[blame];
	snprintf(text, sizeof text, "blame-%u", blame);
	return text;
}
