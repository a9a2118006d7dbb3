/* SPDX-License-Identifier: ISC */
/* What comes out of a sandbox: the output of a shell, its status lines, the
 * answers of the tools' process.  Nothing may crash, the text is UTF-8 and
 * bounded, and how bytes are cut changes nothing. */
#include <stdlib.h>

#include "cmd/sandbox-exec/shell.h"
#include "cmd/sandbox-exec/toolwire.h"
#include "common/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool good)
{
	if (!good)
		abort();
}

/* The first byte says where to cut. */
static void
check_text(struct bytes in, size_t piece)
{
	struct tailtext whole, cut;
	struct bytes a, b;
	struct buf repaired;

	tailtext_init(&whole);
	tailtext_init(&cut);
	tailtext_add(&whole, in);
	for (size_t at = 0; at < in.len; at += piece)
		tailtext_add(&cut, bytes_of(in.ptr + at,
		    piece < in.len - at ? piece : in.len - at));
	a = tailtext_finish(&whole);
	b = tailtext_finish(&cut);
	require(utf8_is_valid(a) && bytes_eq(a, b));
	require(whole.units <= TAILTEXT_UNITS);
	buf_init(&repaired, 3 * in.len + 1);
	require(tailtext_repair(in, &repaired) == 0);
	require(utf8_is_valid(buf_bytes(&repaired)));
	buf_reset(&repaired);
	tailtext_done(&whole);
	tailtext_done(&cut);
}

static void
check_status(struct bytes in, size_t piece)
{
	static const char nonce[] = "0123456789abcdef0123456789abcdef";
	struct shell_tail whole = {.len = 0}, cut = {.len = 0};
	int a = -1, b = -1;

	shell_take_status(&whole, in, nonce, &a);
	for (size_t at = 0; at < in.len; at += piece)
		shell_take_status(&cut, bytes_of(in.ptr + at,
		    piece < in.len - at ? piece : in.len - at), nonce, &b);
	require(a == b && a >= -1 && a <= 255 && whole.len == cut.len);
}

static void
check_wire(struct bytes in)
{
	struct toolwire_answer a;
	struct toolwire_request q;
	ssize_t n = toolwire_get_answer(in, &a);

	require(n <= (ssize_t)in.len);
	require(n <= 0 || (a.text.len <= TOOLWIRE_TEXT_MAX &&
	    a.text.ptr + a.text.len == in.ptr + n));
	n = toolwire_get_request(in, &q);
	require(n <= (ssize_t)in.len);
	require(n <= 0 || q.input.ptr + q.input.len == in.ptr + n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	size_t piece;

	if (size == 0)
		return 0;
	piece = (size_t)data[0] % 16 + 1;
	in = bytes_after(in, 1);
	check_text(in, piece);
	check_status(in, piece);
	check_wire(in);
	return 0;
}
