/* SPDX-License-Identifier: ISC */
#include "common/field.h"

#include "common/str.h"

enum char_class {
	TOKEN = 1,
	TEXT = 2,
	TARGET = 4,
};

#define VISIBLE (TEXT | TARGET)
#define LETTER (TOKEN | TEXT | TARGET)

/* RFC 9110 section 5.6.2 and 5.5. */
static const uint8_t classes[256] = {
	['\t'] = TEXT,
	[' '] = TEXT,
	['!'] = LETTER, ['"'] = VISIBLE, ['#'] = TOKEN | TEXT,
	['$' ... '\''] = LETTER,
	['(' ... ')'] = VISIBLE,
	['*' ... '+'] = LETTER, [','] = VISIBLE,
	['-' ... '.'] = LETTER, ['/'] = VISIBLE,
	['0' ... '9'] = LETTER,
	[':' ... '@'] = VISIBLE,
	['A' ... 'Z'] = LETTER,
	['[' ... ']'] = VISIBLE,
	['^' ... 'z'] = LETTER,
	['{'] = VISIBLE, ['|'] = LETTER, ['}'] = VISIBLE, ['~'] = LETTER,
	[0x80 ... 0xff] = TEXT,
};

static size_t
span(struct bytes in, uint8_t class)
{
	size_t n = 0;

	while (n < in.len && (classes[in.ptr[n]] & class) != 0)
		n++;
	return n;
}

bool
field_is_token(struct bytes in)
{
	return in.len != 0 && span(in, TOKEN) == in.len;
}

bool
field_is_text(struct bytes in)
{
	return span(in, TEXT) == in.len;
}

bool
field_is_target(struct bytes in)
{
	return in.len != 0 && span(in, TARGET) == in.len;
}

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static struct bytes
trim(struct bytes in)
{
	while (in.len != 0 && is_blank(in.ptr[0]))
		in = bytes_after(in, 1);
	while (in.len != 0 && is_blank(in.ptr[in.len - 1]))
		in.len--;
	return in;
}

int
field_parse(struct bytes line, struct bytes *ret_name, struct bytes *ret_value)
{
	size_t n = span(line, TOKEN);
	struct bytes value;

	if (n == 0 || n == line.len || line.ptr[n] != ':')
		return -1;
	value = trim(bytes_after(line, n + 1));
	if (!field_is_text(value))
		return -1;
	*ret_name = bytes_of(line.ptr, n);
	*ret_value = value;
	return 0;
}

bool
field_next_element(struct bytes *list, struct bytes *ret)
{
	while (list->len != 0) {
		const uint8_t *comma = memchr(list->ptr, ',', list->len);
		size_t n = comma == NULL ? list->len
		    : (size_t)(comma - list->ptr);

		*ret = trim(bytes_of(list->ptr, n));
		*list = bytes_after(*list, comma == NULL ? n : n + 1);
		if (ret->len != 0)
			return true;
	}
	return false;
}

bool
field_eq(struct bytes a, struct bytes b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower((char)a.ptr[i]) != ascii_lower((char)b.ptr[i]))
			return false;
	return true;
}

bool
field_eq_str(struct bytes a, const char *b)
{
	return field_eq(a, bytes_cstr(b));
}

int
field_parse_number(struct bytes in, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (in.len == 0)
		return -1;
	for (size_t i = 0; i < in.len; i++) {
		uint64_t digit = (uint64_t)in.ptr[i] - '0';

		if (digit > 9 || v > (max - digit) / 10)
			return -1;
		v = v * 10 + digit;
	}
	*ret = v;
	return 0;
}
