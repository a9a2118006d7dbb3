/* SPDX-License-Identifier: ISC */
#include "cmd/frame-dump/dump.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "cmd/frame-dump/filter.h"
#include "common/diag.h"

enum {
	DUMP_READ_STEP = 128 << 10,
	DUMP_JSON_MAX = OUTPUT_MAX / 2,
	NOTE_TEXT_MAX = 400,
};

/* What came of one record. */
enum verdict { VERDICT_ERROR = -1, VERDICT_GO_ON, VERDICT_ENOUGH };

static int
full(const struct output *o, struct error *e)
{
	return error_errno(e, "%s: line", o->name);
}

/* Whether the expression is true of r; one that fails on it is false. */
static bool
passes_filter(struct dump *d, const struct record *r)
{
	struct error e;
	int n;

	buf_clear(&d->json);
	if (print_json(&d->json, &d->style, r) != 0)
		return false;
	n = filter_match(d->filter, buf_bytes(&d->json), &e);
	if (n < 0 && !d->filter_failed) {
		d->filter_failed = true;
		diag_warning("--filter: %s (frames it fails on are not "
		    "shown)", e.text);
	}
	return n > 0;
}

static bool
is_wanted(struct dump *d, const struct record *r)
{
	const struct frame *f = &r->frame;

	if (d->stream != DUMP_ANY_STREAM &&
	    (f->stream != d->stream || f->type == FRAME_GOAWAY))
		return false;
	return d->filter == NULL || passes_filter(d, r);
}

static int
add_line(struct dump *d, const struct record *r, struct error *e)
{
	struct buf *out = &d->lines.buf;
	int n = 0;

	if (d->format == DUMP_TEXT)
		n = print_text(out, &d->style, r, d->previous_ns);
	else if (d->format == DUMP_JSON)
		n = print_json(out, &d->style, r) != 0 ? -1
		    : buf_add_str(out, "\n");
	if (n != 0)
		return full(&d->lines, e);
	if (r->marked)
		d->previous_ns = r->mark.time_ns;
	return 0;
}

static int
add_frame(struct buf *out, const struct frame *f)
{
	uint8_t header[FRAME_HEADER_LEN], *at;
	size_t len = f->payload.len;

	frame_put_header(header, f, (uint32_t)len);
	if (buf_add(out, bytes_of(header, sizeof header)) != 0)
		return -1;
	if (!print_is_secret(f))
		return buf_add(out, f->payload);
	at = buf_reserve(out, len);
	if (at == NULL)
		return -1;
	memset(at, '*', len);
	buf_commit(out, len);
	return 0;
}

static int
add_record(struct dump *d, const struct record *r, struct error *e)
{
	uint8_t payload[FRAME_MARK_LEN];
	struct frame mark = {
		.type = FRAME_MARK,
		.payload = bytes_of(payload, sizeof payload),
	};

	if (!r->marked)
		return error_set(e, "%s: the input has no times and "
		    "directions to record", d->capture.name);
	frame_put_mark(payload, &r->mark);
	if (add_frame(&d->capture.buf, &mark) != 0)
		return full(&d->capture, e);
	if (r->frame.type != FRAME_MARK &&
	    add_frame(&d->capture.buf, &r->frame) != 0)
		return full(&d->capture, e);
	return 0;
}

static int
flush_above(struct dump *d, size_t mark, struct error *e)
{
	if (buf_len(&d->capture.buf) > mark &&
	    output_flush(&d->capture, e) != 0)
		return -1;
	if (buf_len(&d->lines.buf) > mark)
		return output_flush(&d->lines, e);
	return 0;
}

static void
show_note(const struct record *r)
{
	int len = r->frame.payload.len < NOTE_TEXT_MAX
	    ? (int)r->frame.payload.len : NOTE_TEXT_MAX;

	diag_warning("%.*s", len, (const char *)r->frame.payload.ptr);
}

static uint32_t
dropped_count(const struct dump *d)
{
	return d->dropped < DUMP_NOTE ? (uint32_t)d->dropped : DUMP_NOTE - 1;
}

static enum verdict
take_record(struct dump *d, struct record *r, struct error *e)
{
	if (d->tap && r->mark.dropped == DUMP_NOTE) {
		show_note(r);
		return VERDICT_GO_ON;
	}
	if (d->statistics)
		d->stats.dropped += r->mark.dropped;
	/* What was dropped before frames that are left out by choice is told
	 * with the next one that is not. */
	d->dropped += r->mark.dropped;
	r->mark.dropped = dropped_count(d);
	d->last_ns = r->mark.time_ns;
	if (!is_wanted(d, r))
		return VERDICT_GO_ON;
	d->dropped = 0;
	if (d->statistics)
		stats_add(&d->stats, r);
	if (add_line(d, r, e) != 0)
		return VERDICT_ERROR;
	if (d->capture.fd != -1 && add_record(d, r, e) != 0)
		return VERDICT_ERROR;
	if (flush_above(d, OUTPUT_HIGH, e) != 0)
		return VERDICT_ERROR;
	return ++d->shown == d->count ? VERDICT_ENOUGH : VERDICT_GO_ON;
}

/* Takes the whole records in b. */
static enum verdict
take_records(struct dump *d, struct reader *reader, const char *name,
    struct buf *b, struct error *e)
{
	struct record r;
	size_t used;
	int n;

	for (;;) {
		enum verdict v;

		n = reader_next(reader, buf_bytes(b), &used, &r, e);
		if (n < 0) {
			error_prefix(e, "%s", name);
			return VERDICT_ERROR;
		}
		v = n == 0 ? VERDICT_GO_ON : take_record(d, &r, e);
		buf_drop(b, used);
		if (n == 0 || v != VERDICT_GO_ON)
			return v;
	}
}

static enum verdict
take_end(struct dump *d, const struct reader *reader, const char *name,
    const struct buf *b, struct error *e)
{
	struct record r;
	int n = reader_end(reader, buf_bytes(b), &r, e);

	if (n < 0) {
		error_prefix(e, "%s", name);
		return VERDICT_ERROR;
	}
	if (n == 1 && take_record(d, &r, e) == VERDICT_ERROR)
		return VERDICT_ERROR;
	if (d->capture.fd == -1 || d->dropped == 0)
		return VERDICT_ENOUGH;
	r = (struct record){
		.marked = true,
		.mark = {.time_ns = d->last_ns, .dropped = dropped_count(d)},
		.frame.type = FRAME_MARK,
	};
	return add_record(d, &r, e) != 0 ? VERDICT_ERROR : VERDICT_ENOUGH;
}

static ssize_t
read_some(int fd, uint8_t *at, size_t cap)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n;

	for (;;) {
		n = read(fd, at, cap);
		if (n == -1 && errno == EAGAIN)
			poll(&p, 1, -1);
		else if (n != -1 || errno != EINTR)
			return n;
	}
}

static enum verdict
read_step(struct dump *d, struct reader *reader, int fd, const char *name,
    struct buf *b, struct error *e)
{
	uint8_t *at = buf_reserve(b, DUMP_READ_STEP);
	enum verdict v;
	ssize_t n = at == NULL ? -1 : read_some(fd, at, DUMP_READ_STEP);

	if (n < 0) {
		error_errno(e, "%s", name);
		return VERDICT_ERROR;
	}
	if (n == 0)
		return take_end(d, reader, name, b, e);
	buf_commit(b, (size_t)n);
	v = take_records(d, reader, name, b, e);
	/* A live reader sees each frame as soon as it has come. */
	if (v == VERDICT_GO_ON && flush_above(d, 0, e) != 0)
		return VERDICT_ERROR;
	return v;
}

static int
add_statistics(struct dump *d, struct error *e)
{
	int n = d->format == DUMP_JSON
	    ? stats_print_json(&d->stats, &d->lines.buf)
	    : stats_print_text(&d->stats, &d->lines.buf);

	return n == 0 ? 0 : full(&d->lines, e);
}

int
dump_run(struct dump *d, int fd, const char *name, struct error *e)
{
	struct reader reader = {.state = READER_NEW};
	enum verdict v = VERDICT_GO_ON;
	struct error last;
	uint8_t preamble[FRAME_PREAMBLE_LEN];
	struct buf b;

	buf_init(&b, READ_RECORD_MAX + 2 * DUMP_READ_STEP);
	buf_init(&d->json, DUMP_JSON_MAX);
	if (d->capture.fd != -1) {
		frame_put_preamble(preamble, FRAME_KIND_CAPTURE);
		buf_add(&d->capture.buf, bytes_of(preamble, sizeof preamble));
	}
	while (v == VERDICT_GO_ON)
		v = read_step(d, &reader, fd, name, &b, e);
	/* Even after an error: what was read is worth having. */
	if (d->statistics && add_statistics(d, &last) != 0 &&
	    v != VERDICT_ERROR) {
		*e = last;
		v = VERDICT_ERROR;
	}
	if (flush_above(d, 0, &last) != 0 && v != VERDICT_ERROR) {
		*e = last;
		v = VERDICT_ERROR;
	}
	buf_reset(&b);
	buf_reset(&d->json);
	stats_done(&d->stats);
	return v == VERDICT_ERROR ? -1 : 0;
}
