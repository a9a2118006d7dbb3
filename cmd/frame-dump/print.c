/* SPDX-License-Identifier: ISC */
#include "cmd/frame-dump/print.h"

#include <inttypes.h>
#include <time.h>

#include "cmd/frame-dump/hint.h"

#include "common/diag.h"
#include "common/json.h"
#include "common/jsonw.h"
#include "common/str.h"

enum {
	TIME_TEXT_MAX = 40,
	DATE_LEN = 11,         /* "2026-11-23T" */
	VALUE_MAX = 256,       /* of one quoted text in a line */
	HEX_PER_LINE = 16,
	BASE64_IN = 3,
	NS_PER_US = 1000,
	NS_PER_S = 1000000000,
};

/* The members of HELLO and OPEN that a line shows, in this order. */
static const char *const hello_members[] = {
	"name", "version", "instance", "generation", "domain", NULL,
};
static const char *const open_members[] = {
	"kind", "sni", "peer", "trace", NULL,
};

static const char *
direction_name(const struct record *r)
{
	return !r->marked ? "unknown"
	    : r->mark.direction == 0 ? "initiator" : "acceptor";
}

bool
print_is_secret(const struct frame *f)
{
	return f->type == FRAME_AUTH;
}

/* RFC 3339 without fraction and zone; its last eight characters are the time
 * of day. */
static void
format_date(char out[static TIME_TEXT_MAX], uint64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / NS_PER_S);
	struct tm tm;

	out[0] = '\0';
	if (gmtime_r(&seconds, &tm) != NULL)
		strftime(out, TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
}

static void
add_delta(struct buf *out, uint64_t now_ns, uint64_t previous_ns)
{
	bool back = previous_ns > now_ns;
	uint64_t d = previous_ns == 0 ? 0
	    : back ? previous_ns - now_ns : now_ns - previous_ns;

	buf_format(out, "%c%" PRIu64 ".%06" PRIu64 " ", back ? '-' : '+',
	    d / NS_PER_S, d % NS_PER_S / NS_PER_US);
}

static void
add_time(struct buf *out, enum print_time style, const struct record *r,
    uint64_t previous_ns)
{
	uint64_t us = r->mark.time_ns % NS_PER_S / NS_PER_US;
	char text[TIME_TEXT_MAX];

	if (style == PRINT_TIME_NONE)
		return;
	if (!r->marked) {
		buf_add_str(out, "- ");
	} else if (style == PRINT_TIME_DELTA) {
		add_delta(out, r->mark.time_ns, previous_ns);
	} else {
		format_date(text, r->mark.time_ns);
		if (style == PRINT_TIME_ISO)
			buf_format(out, "%s.%06" PRIu64 "Z ", text, us);
		else
			buf_format(out, "%s.%06" PRIu64 " ",
			    text + DATE_LEN, us);
	}
}

static bool
is_bare(struct bytes in)
{
	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.ptr[i];

		if (c <= ' ' || c >= 0x7f || c == '\'' || c == '\\' ||
		    c == '=')
			return false;
	}
	return in.len != 0 && in.len < VALUE_MAX;
}

/* A foreign text: as it is when nothing in it can mislead, else quoted. */
static void
add_value(struct buf *out, struct bytes in)
{
	char quoted[VALUE_MAX];

	if (is_bare(in))
		buf_add(out, in);
	else
		buf_add_str(out, diag_quote(quoted, sizeof quoted, in));
}

static struct bytes
string_bytes(jv text)
{
	return bytes_of(jv_string_value(text),
	    (size_t)jv_string_length_bytes(jv_copy(text)));
}

/* Appends " key=value"; a value that is no string is shown as JSON. */
static void
add_member(struct buf *out, jv object, const char *key)
{
	jv v = json_get(object, key);

	if (!jv_is_valid(v)) {
		jv_free(v);
		return;
	}
	if (jv_get_kind(v) != JV_KIND_STRING)
		v = jv_dump_string(v, 0);
	buf_format(out, " %s=", key);
	add_value(out, string_bytes(v));
	jv_free(v);
}

static void
add_members(struct buf *out, struct bytes json, const char *const *members)
{
	struct error e;
	jv object;

	if (json_parse_object(json, &object, &e) != 0) {
		buf_add_str(out, " bad=");
		add_value(out, json);
		return;
	}
	for (; *members != NULL; members++)
		add_member(out, object, *members);
	jv_free(object);
}

static void
add_reason(struct buf *out, struct bytes payload)
{
	struct frame_reason why = frame_get_reason(payload);

	buf_format(out, " code=%s", frame_code_name(why.code));
	buf_format(out, " blame=%s", frame_blame_name(why.blame));
	if (why.text.len == 0)
		return;
	buf_add_str(out, " text=");
	add_value(out, why.text);
}

static void
add_data(struct buf *out, const struct frame *f)
{
	struct buf hint;

	buf_init(&hint, VALUE_MAX);
	if (f->channel != 0)
		buf_format(out, " channel=%u", f->channel);
	if (hint_tls(&hint, f->payload)) {
		buf_add_str(out, " tls=");
		buf_add(out, buf_bytes(&hint));
	}
	buf_reset(&hint);
}

static void
add_details(struct buf *out, const struct frame *f)
{
	switch (f->type) {
	case FRAME_HELLO:
		add_members(out, f->payload, hello_members);
		break;
	case FRAME_OPEN:
		add_members(out, f->payload, open_members);
		break;
	case FRAME_EVENT:
		buf_add_str(out, " json=");
		add_value(out, f->payload);
		break;
	case FRAME_GOAWAY:
	case FRAME_RESET:
		add_reason(out, f->payload);
		break;
	case FRAME_WINDOW:
		buf_format(out, " increment=%u", be32_get(f->payload.ptr));
		break;
	case FRAME_PING:
	case FRAME_PONG:
		buf_format(out, " id=%016" PRIx64, be64_get(f->payload.ptr));
		break;
	case FRAME_DATA:
		add_data(out, f);
		break;
	default:
		break;
	}
}

static void
add_hex_line(struct buf *out, size_t offset, struct bytes in)
{
	char ascii[HEX_PER_LINE + 1] = "";

	buf_format(out, "\t%04zx:", offset);
	for (size_t i = 0; i < HEX_PER_LINE; i++) {
		if (i < in.len) {
			uint8_t c = in.ptr[i];

			buf_format(out, " %02x", c);
			ascii[i] = c >= ' ' && c < 0x7f ? (char)c : '.';
		} else {
			buf_add_str(out, "   ");
		}
	}
	buf_format(out, "  %s\n", ascii);
}

static void
add_hex(struct buf *out, struct bytes in)
{
	size_t shown = in.len < PRINT_HEX_MAX ? in.len : PRINT_HEX_MAX;

	for (size_t at = 0; at < shown; at += HEX_PER_LINE) {
		size_t n = shown - at < HEX_PER_LINE ? shown - at
		    : HEX_PER_LINE;

		add_hex_line(out, at, bytes_of(in.ptr + at, n));
	}
	if (shown < in.len)
		buf_format(out, "\t... %zu more bytes\n", in.len - shown);
}

int
print_text(struct buf *out, const struct print_style *style,
    const struct record *r, uint64_t previous_ns)
{
	const struct frame *f = &r->frame;

	add_time(out, style->time, r, previous_ns);
	buf_format(out, "%c %s stream=%u len=%zu",
	    !r->marked ? '?' : r->mark.direction == 0 ? '>' : '<',
	    frame_type_name(f->type), f->stream, f->payload.len);
	add_details(out, f);
	if (r->marked && r->mark.dropped != 0)
		buf_format(out, " dropped=%u", r->mark.dropped);
	if (style->hex && !print_is_secret(f)) {
		buf_add_str(out, "\n");
		add_hex(out, f->payload);
		return 0;
	}
	return buf_add_str(out, "\n");
}

static void
put_time(struct jsonw *w, uint64_t time_ns)
{
	char date[TIME_TEXT_MAX], text[TIME_TEXT_MAX];

	format_date(date, time_ns);
	str_format(text, sizeof text, "%s.%09" PRIu64 "Z", date,
	    time_ns % NS_PER_S);
	jsonw_key_str(w, "time", text);
}

/* A JSON payload becomes part of the line; what is no object, a string. */
static void
put_json(struct jsonw *w, const char *key, struct bytes json)
{
	struct error e;
	jv object;

	jsonw_key(w, key);
	if (json_parse_object(json, &object, &e) != 0) {
		jsonw_bytes(w, json);
		return;
	}
	/* Terminals obey U+0080 to U+009F, which jq lets stand. */
	object = jv_dump_string(object, JV_PRINT_ASCII);
	if (buf_add(w->out, string_bytes(object)) != 0)
		w->failed = true;
	jv_free(object);
}

static void
put_reason(struct jsonw *w, struct bytes payload)
{
	struct frame_reason why = frame_get_reason(payload);

	jsonw_key_str(w, "code", frame_code_name(why.code));
	jsonw_key_str(w, "blame", frame_blame_name(why.blame));
	jsonw_key(w, "text");
	jsonw_bytes(w, why.text);
}

static void
put_ping(struct jsonw *w, struct bytes payload)
{
	char hex[2 * FRAME_PING_LEN + 1];

	str_hex(hex, payload);
	jsonw_key_str(w, "id", hex);
}

/* RFC 4648 section 4. */
static void
put_base64(struct jsonw *w, const char *key, struct bytes in)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";

	jsonw_key(w, key);
	buf_add_str(w->out, "\"");
	while (in.len != 0 && !w->failed) {
		size_t n = in.len < BASE64_IN ? in.len : BASE64_IN;
		uint32_t v = (uint32_t)in.ptr[0] << 16 |
		    (n > 1 ? (uint32_t)in.ptr[1] << 8 : 0) |
		    (n > 2 ? in.ptr[2] : 0U);
		char quad[4] = {
			digits[v >> 18], digits[v >> 12 & 63],
			n > 1 ? digits[v >> 6 & 63] : '=',
			n > 2 ? digits[v & 63] : '=',
		};

		w->failed = buf_add(w->out, bytes_of(quad, 4)) != 0;
		in = bytes_after(in, n);
	}
	buf_add_str(w->out, "\"");
}

static void
put_data(struct jsonw *w, const struct frame *f, bool payload)
{
	struct buf hint;

	buf_init(&hint, VALUE_MAX);
	if (hint_tls(&hint, f->payload)) {
		jsonw_key(w, "tls");
		jsonw_bytes(w, buf_bytes(&hint));
	}
	buf_reset(&hint);
	if (payload)
		put_base64(w, "data", f->payload);
}

static void
put_details(struct jsonw *w, const struct frame *f, bool payload)
{
	switch (f->type) {
	case FRAME_HELLO:
		put_json(w, "hello", f->payload);
		break;
	case FRAME_OPEN:
		put_json(w, "open", f->payload);
		break;
	case FRAME_EVENT:
		put_json(w, "event", f->payload);
		break;
	case FRAME_GOAWAY:
	case FRAME_RESET:
		put_reason(w, f->payload);
		break;
	case FRAME_WINDOW:
		jsonw_key_int(w, "increment", be32_get(f->payload.ptr));
		break;
	case FRAME_PING:
	case FRAME_PONG:
		put_ping(w, f->payload);
		break;
	case FRAME_DATA:
		put_data(w, f, payload);
		break;
	default:
		break;
	}
}

int
print_json(struct buf *out, const struct print_style *style,
    const struct record *r)
{
	const struct frame *f = &r->frame;
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_open(&w, '{');
	if (r->marked)
		put_time(&w, r->mark.time_ns);
	jsonw_key_str(&w, "from", direction_name(r));
	jsonw_key_str(&w, "type", frame_type_name(f->type));
	jsonw_key_int(&w, "stream", f->stream);
	if (f->type == FRAME_DATA)
		jsonw_key_int(&w, "channel", f->channel);
	jsonw_key_int(&w, "length", (int64_t)f->payload.len);
	put_details(&w, f, style->payload);
	if (r->marked && r->mark.dropped != 0)
		jsonw_key_int(&w, "dropped", r->mark.dropped);
	jsonw_close(&w, '}');
	return jsonw_ok(&w) ? 0 : -1;
}
