/* SPDX-License-Identifier: ISC */
#include "cmd/frame-dump/stats.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/jsonw.h"
#include "common/str.h"

enum { STREAMS_FIRST = 64, MS_PER_S = 1000, NS_PER_MS = 1000000 };

void
stats_done(struct stats *s)
{
	for (size_t i = 0; i < s->stream_count; i++)
		free(s->streams[i]);
	free(s->streams);
	idmap_done(&s->by_id);
	*s = (struct stats){.frames = 0};
}

static int
grow(struct stats *s)
{
	size_t size = s->stream_size == 0 ? STREAMS_FIRST
	    : 2 * s->stream_size;
	struct stats_row **rows;

	if (s->stream_count < s->stream_size)
		return 0;
	if (s->stream_count == STATS_STREAMS_MAX)
		return -1;
	rows = reallocarray(s->streams, size, sizeof(struct stats_row *));
	if (rows == NULL)
		return -1;
	s->streams = rows;
	s->stream_size = size;
	return 0;
}

/* The row of a stream, made when it is first seen; NULL above the limit. */
static struct stats_row *
stream_row(struct stats *s, uint32_t id)
{
	struct stats_row *row = idmap_get(&s->by_id, id);

	if (row != NULL)
		return row;
	if (grow(s) != 0 || (row = calloc(1, sizeof *row)) == NULL)
		return NULL;
	row->id = id;
	if (idmap_add(&s->by_id, id, row) != 0) {
		free(row);
		return NULL;
	}
	s->streams[s->stream_count++] = row;
	return row;
}

static void
count(struct stats_row *row, const struct record *r)
{
	struct stats_count *c = &row->of[r->mark.direction];

	c->frames++;
	c->bytes += r->frame.payload.len;
}

void
stats_add(struct stats *s, const struct record *r)
{
	const struct frame *f = &r->frame;
	struct stats_row *row;

	if (r->marked) {
		s->marked = true;
		if (s->first_ns == 0)
			s->first_ns = r->mark.time_ns;
		s->last_ns = r->mark.time_ns;
	}
	if (f->type == FRAME_MARK)
		return;
	s->frames++;
	count(&s->types[f->type], r);
	if (f->stream == 0 || f->type == FRAME_GOAWAY)
		return;
	row = stream_row(s, f->stream);
	if (row != NULL)
		count(row, r);
	else
		s->unlisted++;
}

static uint64_t
duration_ms(const struct stats *s)
{
	return s->last_ns > s->first_ns
	    ? (s->last_ns - s->first_ns) / NS_PER_MS : 0;
}

static bool
is_used(const struct stats_row *row)
{
	return row->of[0].frames != 0 || row->of[1].frames != 0;
}

static int
print_row(struct buf *out, const char *name, const struct stats_row *row)
{
	return buf_format(out, "%-10s %10" PRIu64 " %14" PRIu64 " %10" PRIu64
	    " %14" PRIu64 "\n", name, row->of[0].frames, row->of[0].bytes,
	    row->of[1].frames, row->of[1].bytes);
}

int
stats_print_text(const struct stats *s, struct buf *out)
{
	char in = s->marked ? '>' : '?', name[16];
	int r = 0;

	buf_format(out, "frames=%" PRIu64 " dropped=%" PRIu64 " streams=%zu "
	    "seconds=%" PRIu64 ".%03" PRIu64 "\n", s->frames, s->dropped,
	    s->stream_count, duration_ms(s) / MS_PER_S,
	    duration_ms(s) % MS_PER_S);
	buf_format(out, "%-10s %3c frames %8c bytes %3c frames %8c bytes\n",
	    "type", in, in, '<', '<');
	for (unsigned t = 0; t < STATS_TYPES && r == 0; t++) {
		if (is_used(&s->types[t]))
			r = print_row(out, frame_type_name((uint8_t)t),
			    &s->types[t]);
	}
	for (size_t i = 0; i < s->stream_count && r == 0; i++) {
		str_format(name, sizeof name, "stream=%u", s->streams[i]->id);
		r = print_row(out, name, s->streams[i]);
	}
	if (s->unlisted != 0 && r == 0)
		r = buf_format(out, "frames of further streams: %" PRIu64 "\n",
		    s->unlisted);
	return r;
}

static void
put_count(struct jsonw *w, const char *key, const struct stats_count *c)
{
	if (c->frames == 0)
		return;
	jsonw_key(w, key);
	jsonw_open(w, '{');
	jsonw_key_int(w, "frames", (int64_t)c->frames);
	jsonw_key_int(w, "bytes", (int64_t)c->bytes);
	jsonw_close(w, '}');
}

static void
put_row(struct jsonw *w, const struct stats *s, const char *key,
    const struct stats_row *row)
{
	jsonw_key(w, key);
	jsonw_open(w, '{');
	put_count(w, s->marked ? "initiator" : "unknown", &row->of[0]);
	put_count(w, "acceptor", &row->of[1]);
	jsonw_close(w, '}');
}

int
stats_print_json(const struct stats *s, struct buf *out)
{
	struct jsonw w;
	char name[16];

	jsonw_init(&w, out);
	jsonw_open(&w, '{');
	jsonw_key(&w, "statistics");
	jsonw_open(&w, '{');
	jsonw_key_int(&w, "frames", (int64_t)s->frames);
	jsonw_key_int(&w, "dropped", (int64_t)s->dropped);
	jsonw_key_int(&w, "milliseconds", (int64_t)duration_ms(s));
	jsonw_key(&w, "types");
	jsonw_open(&w, '{');
	for (unsigned t = 0; t < STATS_TYPES; t++) {
		if (is_used(&s->types[t]))
			put_row(&w, s, frame_type_name((uint8_t)t),
			    &s->types[t]);
	}
	jsonw_close(&w, '}');
	jsonw_key(&w, "streams");
	jsonw_open(&w, '{');
	for (size_t i = 0; i < s->stream_count; i++) {
		str_format(name, sizeof name, "%u", s->streams[i]->id);
		put_row(&w, s, name, s->streams[i]);
	}
	jsonw_close(&w, '}');
	jsonw_key_int(&w, "unlisted", (int64_t)s->unlisted);
	jsonw_close(&w, '}');
	jsonw_close(&w, '}');
	if (!jsonw_ok(&w))
		return -1;
	return buf_add_str(out, "\n");
}
