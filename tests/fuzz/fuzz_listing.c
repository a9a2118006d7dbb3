/* SPDX-License-Identifier: ISC */
/* Any answer: what stays of its lists is the same bytes, and a second look
 * finds nothing to change. */
#include <assert.h>

#include "cmd/mcp-proxy/listing.h"
#include "cmd/mcp-proxy/message.h"
#include "cmd/mcp-proxy/strict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { OUT_MAX = 1 << 20 };

static bool
is_allowed(const struct listing_entry *entry)
{
	return entry->name.kind == JSONR_STRING &&
	    (entry->name.text.len < 3 || entry->name.text.ptr[1] != 'x');
}

/* Appends what stays, each between lines' ends, and the answer to out.  Returns
 * what listing_init or listing_write did. */
static int
filter(struct bytes in, struct buf *stays, struct buf *out)
{
	struct listing_entry entry;
	const struct bytes *names;
	struct listing l;
	struct error e;
	struct rpc m;
	int r;

	if (message_parse(in, &m, &e) != 0 || m.kind != RPC_RESPONSE ||
	    strict_check((struct jsonr){JSONR_OBJECT, m.text}, &e) != 0)
		return -1;
	r = listing_init(&l, &m, NULL, &e);
	if (r == 1) {
		while (listing_next(&l, &entry)) {
			bool allowed = is_allowed(&entry);

			if (allowed && (buf_add(stays, entry.value.text) != 0 ||
			    buf_add_str(stays, "\n") != 0))
				assert(false);
			assert(listing_put(&l, allowed) == 0);
		}
		r = listing_write(&l, out);
		assert(listing_removed(&l, &names) <= l.removed_count);
	}
	listing_done(&l);
	return r;
}

static void
make_lines_spaces(struct buf *b)
{
	for (size_t i = b->head; i < b->tail; i++) {
		if (b->mem[i] == '\n' || b->mem[i] == '\r')
			b->mem[i] = ' ';
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf stays, again, out, out2;

	buf_init(&stays, OUT_MAX);
	buf_init(&again, OUT_MAX);
	buf_init(&out, OUT_MAX);
	buf_init(&out2, OUT_MAX);
	if (filter(bytes_of(data, len), &stays, &out) == 1) {
		assert(filter(buf_bytes(&out), &again, &out2) == 0);
		make_lines_spaces(&stays);
		make_lines_spaces(&again);
		assert(bytes_eq(buf_bytes(&stays), buf_bytes(&again)));
	}
	buf_reset(&stays);
	buf_reset(&again);
	buf_reset(&out);
	buf_reset(&out2);
	return 0;
}
