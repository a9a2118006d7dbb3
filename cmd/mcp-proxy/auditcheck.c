/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/auditcheck.h"

#include <inttypes.h>

void
auditcheck_init(struct auditcheck *c, uint64_t head,
    const uint8_t head_digest[static SHA256_LEN])
{
	*c = (struct auditcheck){.at.line = 1, .head = head};
	memcpy(c->head_digest, head_digest, sizeof c->head_digest);
	buf_init(&c->part, AUDITLINE_MAX);
	buf_init(&c->since, AUDITLINE_SINCE_MAX);
}

void
auditcheck_done(struct auditcheck *c)
{
	buf_reset(&c->part);
	buf_reset(&c->since);
}

static bool
is_digest(struct bytes in, const uint8_t digest[static SHA256_LEN])
{
	uint8_t is[SHA256_LEN];

	sha256(in, is);
	return memcmp(is, digest, sizeof is) == 0;
}

static bool
is_beginning(const struct auditline *l)
{
	static const uint8_t zeros[SHA256_LEN];

	return l->seq == 1 && memcmp(l->prev, zeros, sizeof zeros) == 0;
}

static int
fail_torn(struct auditcheck *c, struct error *e)
{
	c->at = c->torn_at;
	return error_set(e, "no record, and the next does not say so");
}

/* Whether the first record of all may be one; what came before it is in files
 * that are not here, unless it is record 1. */
static int
check_first(struct auditcheck *c, const struct auditline *l, struct error *e)
{
	if (c->torn && !l->gap)
		return fail_torn(c, e);
	if (l->seq == 1 && !(c->torn ? is_digest(buf_bytes(&c->since), l->prev)
	    : is_beginning(l)))
		return error_set(e, "record 1 names one before it");
	return 0;
}

static int
check_next(struct auditcheck *c, const struct auditline *l, struct error *e)
{
	if (is_beginning(l))
		return error_set(e, "a new chain begins");
	if (c->torn && !l->gap)
		return fail_torn(c, e);
	if (l->seq != c->last + 1)
		return error_set(e, "record %" PRIu64 " follows %" PRIu64,
		    l->seq, c->last);
	if (!is_digest(buf_bytes(&c->since), l->prev))
		return error_set(e, "record %" PRIu64 " was chained to "
		    "another than the one before it", l->seq);
	return 0;
}

static int
check_head(const struct auditcheck *c, const struct auditline *l,
    struct bytes line, struct error *e)
{
	if (l->seq != c->head || is_digest(line, c->head_digest))
		return 0;
	return error_set(e, "record %" PRIu64 " is not the one of --head",
	    l->seq);
}

static int
take_record(struct auditcheck *c, const struct auditline *l,
    struct bytes line, struct error *e)
{
	if ((c->last == 0 ? check_first(c, l, e) : check_next(c, l, e)) != 0 ||
	    check_head(c, l, line, e) != 0)
		return -1;
	if (c->last == 0)
		c->first = l->seq;
	c->last = l->seq;
	c->torn = false;
	buf_clear(&c->since);
	return buf_add(&c->since, line) == 0 ? 0 : error_errno(e, "record");
}

/* What a crash or a full disk left of a line. */
static int
take_torn(struct auditcheck *c, struct bytes line, struct error *e)
{
	bool first = buf_len(&c->since) == 0 && !c->torn;

	if (!c->torn)
		c->torn_at = c->at;
	c->torn = true;
	if ((first || buf_add_str(&c->since, "\n") == 0) &&
	    buf_add(&c->since, line) == 0)
		return 0;
	return fail_torn(c, e);
}

static int
take_line(struct auditcheck *c, struct bytes line, struct error *e)
{
	struct auditline l;
	int r = auditline_parse(line, &l) == 0 ? take_record(c, &l, line, e)
	    : take_torn(c, line, e);

	if (r == 0)
		c->at.line++;
	return r;
}

/* Takes a line, or with end == NULL a part of one, from the beginning of in. */
static int
take(struct auditcheck *c, struct bytes in, const uint8_t *end,
    struct error *e)
{
	struct bytes line = end == NULL ? in
	    : bytes_of(in.ptr, (size_t)(end - in.ptr));
	int r;

	if (end != NULL && buf_len(&c->part) == 0)
		return take_line(c, line, e);
	if (buf_add(&c->part, line) != 0)
		return error_set(e, "line too long");
	if (end == NULL)
		return 0;
	r = take_line(c, buf_bytes(&c->part), e);
	buf_clear(&c->part);
	return r;
}

int
auditcheck_feed(struct auditcheck *c, struct bytes in, struct error *e)
{
	while (in.len != 0) {
		const uint8_t *end = memchr(in.ptr, '\n', in.len);

		if (take(c, in, end, e) != 0)
			return -1;
		if (end == NULL)
			break;
		in = bytes_after(in, (size_t)(end - in.ptr) + 1);
	}
	return 0;
}

int
auditcheck_end_file(struct auditcheck *c, struct error *e)
{
	if (buf_len(&c->part) != 0) {
		if (take_line(c, buf_bytes(&c->part), e) != 0)
			return -1;
		buf_clear(&c->part);
	}
	c->at.file++;
	c->at.line = 1;
	return 0;
}

int
auditcheck_finish(struct auditcheck *c, bool written, struct error *e)
{
	if (buf_len(&c->part) != 0 && !written)
		return error_set(e, "the last line is not complete");
	if (c->torn)
		return fail_torn(c, e);
	if (c->last == 0)
		return error_set(e, "no record");
	if (c->head > c->last)
		return error_set(e, "record %" PRIu64 " is the last, but "
		    "--head has %" PRIu64, c->last, c->head);
	if (c->head != 0 && c->head < c->first)
		return error_set(e, "--head has record %" PRIu64 ", but the "
		    "first is %" PRIu64, c->head, c->first);
	sha256(buf_bytes(&c->since), c->digest);
	return 0;
}
