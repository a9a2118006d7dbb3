/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/response.h"

#include "cmd/mcp-proxy/media.h"
#include "cmd/mcp-proxy/strict.h"
#include "common/field.h"

enum {
	OK_END = 299,   /* the last status of success */
	ACCEPTED = 202, /* whose body nobody reads */
};

/* Finds the one Content-Type.  Returns 0, or -1 with a text if there are
 * two. */
static int
find_type(const struct http_head *h, struct media *ret, struct error *e)
{
	bool found = false;

	for (size_t i = 0; i < h->field_count; i++) {
		if (!field_eq_str(h->fields[i].name, "content-type"))
			continue;
		if (found)
			return error_set(e, "two Content-Types");
		*ret = media_parse(h->fields[i].value);
		found = true;
	}
	return 0;
}

bool
response_has_events(const struct http_head *h)
{
	struct media media = {.utf8 = true};
	struct error e;

	return find_type(h, &media, &e) == 0 &&
	    media_is(&media, "text/event-stream");
}

static bool
is_encoded(const struct http_head *h)
{
	for (size_t i = 0; i < h->field_count; i++) {
		if (field_eq_str(h->fields[i].name, "content-encoding") &&
		    !field_eq_str(h->fields[i].value, "identity"))
			return true;
	}
	return false;
}

int
response_choose(const struct http_head *h, bool asks_message, bool asks_events,
    struct error *e)
{
	struct media media = {.utf8 = true};
	bool success = h->status <= OK_END;
	int how = RESPONSE_OTHER;

	if (find_type(h, &media, e) != 0)
		return -1;
	if (media_is(&media, "text/event-stream"))
		how = RESPONSE_EVENTS;
	else if (media_is(&media, "application/json") && (asks_message ||
	    (asks_events && (!success || h->status == ACCEPTED))))
		how = RESPONSE_JSON;
	/* Some clients take what they get for a stream, whatever its type. */
	else if (success && h->status != ACCEPTED &&
	    (asks_message || asks_events))
		return error_set(e, "a body that can not be judged: neither "
		    "application/json nor text/event-stream");
	if (how != RESPONSE_OTHER && is_encoded(h))
		return error_set(e, "a body that can not be judged: it has "
		    "a Content-Encoding");
	if (how != RESPONSE_OTHER && !media.utf8)
		return error_set(e, "a body that can not be judged: its "
		    "charset is not UTF-8");
	return how;
}

void
response_drop_digests(struct http_head *h)
{
	static const char *const names[] = {
		"content-md5", "digest", "content-digest", "repr-digest",
		"etag",
	};

	for (size_t i = 0; i < h->field_count; i++) {
		for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
			if (field_eq_str(h->fields[i].name, names[n]))
				h->fields[i].role = HTTP_HOP;
		}
	}
}

static bool
could_be(struct bytes name, const char *known)
{
	return bytes_eq(name, bytes_cstr(known)) ||
	    strict_is_like(name, known);
}

/* Whether no object with these members is a message.  Some servers leave the id
 * of an error out, which is then no answer to anything. */
static bool
has_no_message(struct jsonr object)
{
	bool other = true, has_id = false, has_revision = false;
	struct jsonr_iter i;
	struct jsonr key, value;
	struct buf name;

	buf_init(&name, object.text.len);
	jsonr_iter_init(&i, object);
	while (other && jsonr_next(&i, &key, &value)) {
		struct bytes n;

		buf_clear(&name);
		other = jsonr_add_str(key, &name) == 0;
		n = buf_bytes(&name);
		has_id = has_id || could_be(n, "id");
		has_revision = has_revision || could_be(n, "jsonrpc");
		other = other && strict_is_clear(n) && !could_be(n, "method") &&
		    !could_be(n, "result") && !could_be(n, "params");
	}
	buf_reset(&name);
	return other && !(has_id && has_revision);
}

bool
response_is_no_message(int status, struct bytes body)
{
	struct jsonr v;
	struct error e;

	if ((status != ACCEPTED && status <= OK_END) ||
	    jsonr_parse(body, &v, &e) != 0)
		return false;
	if (v.kind == JSONR_OBJECT)
		return has_no_message(v);
	return status == ACCEPTED && v.kind != JSONR_ARRAY;
}

bool
response_is_waste(int status, struct bytes body)
{
	struct jsonr v;
	struct error e;

	return status == ACCEPTED && jsonr_parse(body, &v, &e) != 0;
}
