/* SPDX-License-Identifier: ISC */
/* Lines of JSON-RPC: the same messages however they are cut, and answers to
 * them that are JSON of one line. */
#include <assert.h>

#include "cmd/sandbox-exec/lines.h"
#include "cmd/sandbox-exec/mcp_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len);

enum { COUNT_MAX = 64 };

static void
is_line(struct buf *out)
{
	struct bytes b = buf_bytes(out);
	struct jsonr v;
	struct error e;

	assert(b.len > 1 && memchr(b.ptr, '\n', b.len) == b.ptr + b.len - 1);
	assert(jsonr_parse_object(bytes_of(b.ptr, b.len - 1), &v, &e) == 0);
	buf_clear(out);
}

static void
answer(struct bytes line)
{
	struct jsonr version = {JSONR_ABSENT, {NULL, 0}};
	struct call_result r = {.text = line};
	struct rpc m;
	struct error e = {.text = ""};
	struct buf out;

	buf_init(&out, 1 << 20);
	if (rpc_parse(line, &m, &e) != 0) {
		assert(e.text[0] != '\0' && e.code < 0);
		assert(mcp_add_error(&out, m.id.text, (enum rpc_code)e.code,
		    e.text, version) == 0);
		is_line(&out);
	} else if (m.kind == RPC_REQUEST) {
		assert(rpc_is_id(m.id) && rpc_id_eq(m.id, m.id));
		assert(mcp_add_result(&out, m.id.text, MCP_MODERN, &r) == 0);
		is_line(&out);
		assert(mcp_add_progress(&out, m.id.text, 1, line) == 0);
		is_line(&out);
	}
	buf_reset(&out);
}

/* Reads all lines, step bytes at a time.  Returns how many there are, and
 * their lengths. */
static size_t
read_lines(struct bytes in, size_t step, size_t lens[static COUNT_MAX])
{
	struct lines l;
	struct bytes line;
	size_t n = 0;

	lines_init(&l);
	while (in.len != 0 && n < COUNT_MAX) {
		size_t take = in.len < step ? in.len : step;

		assert(lines_add(&l, bytes_of(in.ptr, take)) == 0);
		in = bytes_after(in, take);
		while (n < COUNT_MAX && lines_next(&l, &line) == 1) {
			if (step == 1)
				answer(line);
			lens[n++] = line.len;
		}
	}
	lines_done(&l);
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	size_t one[COUNT_MAX], all[COUNT_MAX];
	size_t n = read_lines(bytes_of(in, len), 1, one);

	assert(n == read_lines(bytes_of(in, len), len, all));
	assert(n == 0 || memcmp(one, all, n * sizeof *one) == 0);
	return 0;
}
