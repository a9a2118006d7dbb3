/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/delivery.h"

#include "common/field.h"

enum { IN_MAX = DELIVERY_HEAD_MAX + 64 * 1024 };

void
delivery_init(struct delivery *d)
{
	memset(d, 0, sizeof *d);
	buf_init(&d->in, IN_MAX);
	buf_init(&d->head_text, DELIVERY_HEAD_MAX);
	buf_init(&d->body, WEBHOOK_BODY_MAX);
}

void
delivery_done(struct delivery *d)
{
	buf_reset(&d->in);
	buf_reset(&d->head_text);
	buf_reset(&d->body);
}

static int
reject(struct error *e, int code, const char *text)
{
	e->code = code;
	return error_set(e, "webhook: %s", text);
}

/* The only field of a name, empty if there is none. */
static int
find_field(const struct delivery *d, const char *name, struct bytes *ret,
    struct error *e)
{
	*ret = bytes_of(NULL, 0);
	for (size_t i = 0; i < d->head.field_count; i++) {
		if (!field_eq_str(d->head.fields[i].name, name))
			continue;
		if (ret->ptr != NULL)
			return reject(e, WEBHOOK_MALFORMED,
			    "a field is given twice");
		*ret = d->head.fields[i].value;
	}
	return 0;
}

/* Returns 1 once the head was read and judged. */
static int
take_head(struct delivery *d, struct error *e)
{
	ssize_t n = http_scan_head(&d->scan, buf_bytes(&d->in),
	    DELIVERY_HEAD_MAX, e);

	if (n <= 0)
		return (int)n;
	if (buf_add(&d->head_text, bytes_of(buf_bytes(&d->in).ptr,
	    (size_t)n)) != 0)
		return reject(e, WEBHOOK_MALFORMED, "out of memory");
	buf_drop(&d->in, (size_t)n);
	if (http_parse_request(buf_bytes(&d->head_text), &d->head,
	    &d->framing, e) != 0)
		return -1;
	if (!bytes_eq(d->head.method, bytes_cstr("POST")))
		return reject(e, DELIVERY_BAD_METHOD, "not a POST");
	if (d->head.framing == BODY_LENGTH &&
	    d->head.length > WEBHOOK_BODY_MAX)
		return reject(e, DELIVERY_TOO_LARGE, "body: too long");
	return find_field(d, "webhook-id", &d->found.id, e) != 0 ||
	    find_field(d, "webhook-timestamp", &d->found.timestamp, e) != 0 ||
	    find_field(d, "webhook-signature", &d->found.signature, e) != 0
	    ? -1 : 1;
}

static int
take_body(struct delivery *d, struct error *e)
{
	while (d->framing.state != BODY_DONE) {
		struct bytes run;
		ssize_t n = body_take(&d->framing, buf_bytes(&d->in), &run, e);

		if (n < 0) {
			e->code = WEBHOOK_MALFORMED;
			return -1;
		}
		if (n == 0 && d->framing.state != BODY_DONE)
			return 0;
		if (run.len != 0 && buf_add(&d->body, run) != 0)
			return reject(e, DELIVERY_TOO_LARGE, "body: too long");
		buf_drop(&d->in, (size_t)n);
	}
	d->found.body = buf_bytes(&d->body);
	return 1;
}

/* Takes what fits of in, in one of several rounds. */
static int
feed_some(struct delivery *d, struct bytes *in, struct error *e)
{
	size_t room = IN_MAX - buf_len(&d->in);
	size_t n = in->len < room ? in->len : room;
	int r = 1;

	if (buf_add(&d->in, bytes_of(in->ptr, n)) != 0)
		return reject(e, WEBHOOK_MALFORMED, "out of memory");
	*in = bytes_after(*in, n);
	if (buf_len(&d->head_text) == 0)
		r = take_head(d, e);
	return r == 1 ? take_body(d, e) : r;
}

int
delivery_feed(struct delivery *d, struct bytes in, struct error *e)
{
	int r;

	do {
		r = feed_some(d, &in, e);
	} while (r == 0 && in.len != 0);
	return r;
}
