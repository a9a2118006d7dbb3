/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/tailtext.h"

#include "common/utf8.h"

enum {
	ESC = 0x1b,
	UNIT_LEN_MAX = 3, /* bytes of UTF-8 that one unit can have */
	SLACK = 65536,    /* beyond the units kept, so that it is rarely
			   * moved */
	TEXT_MAX = UNIT_LEN_MAX * TAILTEXT_UNITS + SLACK,
};

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

void
tailtext_init(struct tailtext *t)
{
	memset(t, 0, sizeof *t);
	buf_init(&t->text, TEXT_MAX);
}

void
tailtext_done(struct tailtext *t)
{
	buf_reset(&t->text);
}

void
tailtext_clear(struct tailtext *t)
{
	buf_clear(&t->text);
	t->units = t->csi_len = t->part_len = 0;
	t->truncated = false;
}

static size_t
units_of(size_t utf8_len)
{
	return utf8_len == 4 ? 2 : 1;
}

/* Drops whole characters from the front. */
static void
cut(struct tailtext *t)
{
	struct bytes text = buf_bytes(&t->text);
	size_t at = 0;

	while (t->units > TAILTEXT_UNITS) {
		size_t n = utf8_len(text.ptr + at, text.len - at);

		t->units -= units_of(n);
		at += n;
	}
	t->truncated = t->truncated || at != 0;
	buf_drop(&t->text, at);
}

static void
put(struct tailtext *t, const uint8_t *s, size_t n)
{
	if (buf_len(&t->text) + n > TEXT_MAX)
		cut(t);
	if (buf_add(&t->text, bytes_of(s, n)) != 0)
		t->truncated = true;
	else
		t->units += units_of(n);
}

static void
put_replacement(struct tailtext *t)
{
	put(t, (const uint8_t *)replacement, sizeof replacement - 1);
}

/* What comes next is no part of the character that has begun. */
static void
end_part(struct tailtext *t)
{
	if (t->part_len != 0)
		put_replacement(t);
	t->part_len = 0;
}

/* A run of ASCII at once. */
static void
put_ascii(struct tailtext *t, const uint8_t *s, size_t n)
{
	while (n != 0) {
		size_t some = n < SLACK ? n : SLACK;

		if (buf_len(&t->text) + some > TEXT_MAX)
			cut(t);
		if (buf_add(&t->text, bytes_of(s, some)) != 0)
			t->truncated = true;
		else
			t->units += some;
		s += some;
		n -= some;
	}
}

/* Whether more bytes can make a character of part. */
static bool
is_beginning(const struct tailtext *t)
{
	uint8_t whole[4] = {0x80, 0x80, 0x80, 0x80};

	if (t->part_len == 1)
		return t->part[0] >= 0xc2 && t->part[0] <= 0xf4;
	memcpy(whole, t->part, t->part_len);
	return utf8_len(whole, sizeof whole) > t->part_len;
}

/* One byte of text that is no part of a control sequence. */
static void
take_char(struct tailtext *t, uint8_t b)
{
	for (;;) {
		size_t n;

		t->part[t->part_len++] = b;
		n = utf8_len(t->part, t->part_len);
		if (n != 0) {
			put(t, t->part, n);
			t->part_len = 0;
			return;
		}
		if (is_beginning(t))
			return;
		/* What came before b is bad; b may begin anew. */
		put_replacement(t);
		if (t->part_len == 1) {
			t->part_len = 0;
			return;
		}
		t->part_len = 0;
	}
}

static void
give_back_csi(struct tailtext *t)
{
	for (size_t i = 0; i < t->csi_len; i++)
		take_char(t, t->csi[i]);
	t->csi_len = 0;
}

/* ECMA-48: ESC [ parameters 0x30-0x3f, intermediates 0x20-0x2f, one final
 * byte 0x40-0x7e. */
static void
take_csi(struct tailtext *t, uint8_t b)
{
	if (t->csi_len == 1 ? b == '[' : b >= 0x20 && b <= 0x3f) {
		if (t->csi_len < TAILTEXT_CSI_MAX) {
			t->csi[t->csi_len++] = b;
			return;
		}
	} else if (t->csi_len > 1 && b >= 0x40 && b <= 0x7e) {
		t->csi_len = 0;
		return;
	}
	give_back_csi(t);
	if (b == ESC)
		t->csi[t->csi_len++] = b;
	else
		take_char(t, b);
}

void
tailtext_add(struct tailtext *t, struct bytes in)
{
	for (size_t i = 0; i < in.len; i++) {
		size_t from = i;

		if (t->csi_len != 0) {
			take_csi(t, in.ptr[i]);
			continue;
		}
		while (t->part_len == 0 && i < in.len && in.ptr[i] < 0x80 &&
		    in.ptr[i] != ESC)
			i++;
		put_ascii(t, in.ptr + from, i - from);
		if (i == in.len)
			return;
		if (in.ptr[i] == ESC) {
			end_part(t);
			t->csi[t->csi_len++] = ESC;
		} else {
			take_char(t, in.ptr[i]);
		}
	}
}

struct bytes
tailtext_finish(struct tailtext *t)
{
	struct bytes text;

	give_back_csi(t);
	end_part(t);
	cut(t);
	text = buf_bytes(&t->text);
	while (text.len != 0 && text.ptr[text.len - 1] == '\n')
		text.len--;
	return text;
}

int
tailtext_repair(struct bytes in, struct buf *out)
{
	while (in.len != 0) {
		size_t n = 0, bad;

		while (n < in.len && (bad = utf8_len(in.ptr + n,
		    in.len - n)) != 0)
			n += bad;
		if (buf_add(out, bytes_of(in.ptr, n)) != 0)
			return -1;
		in = bytes_after(in, n);
		if (in.len == 0)
			break;
		if (buf_add_str(out, replacement) != 0)
			return -1;
		in = bytes_after(in, 1);
	}
	return 0;
}
