/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/media.h"

#include "common/field.h"

bool
media_mentions(struct bytes value, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= value.len; i++) {
		if (field_eq_str(bytes_of(value.ptr + i, n), word))
			return true;
	}
	return false;
}

/* Takes what is before the next ';' off *in, without white space around. */
static struct bytes
next_parameter(struct bytes *in)
{
	const uint8_t *end = in->len == 0 ? NULL
	    : memchr(in->ptr, ';', in->len);
	size_t n = end == NULL ? in->len : (size_t)(end - in->ptr);
	struct bytes part = bytes_of(in->ptr, n);

	*in = bytes_after(*in, end == NULL ? n : n + 1);
	while (part.len != 0 && (part.ptr[0] == ' ' || part.ptr[0] == '\t'))
		part = bytes_after(part, 1);
	while (part.len != 0 && (part.ptr[part.len - 1] == ' ' ||
	    part.ptr[part.len - 1] == '\t'))
		part.len--;
	return part;
}

/* Whether a parameter lets the body be read as UTF-8. */
static bool
is_utf8_parameter(struct bytes part)
{
	/* Without '-' it is not registered, but meant and understood. */
	static const char *const same[] = {
		"charset=utf-8", "charset=\"utf-8\"",
		"charset=utf8", "charset=\"utf8\"",
	};

	for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
		if (field_eq_str(part, same[i]))
			return true;
	}
	return !media_mentions(part, "charset");
}

static bool
is_utf8_type(struct bytes parameters)
{
	while (parameters.len != 0) {
		if (!is_utf8_parameter(next_parameter(&parameters)))
			return false;
	}
	return true;
}

struct media
media_parse(struct bytes value)
{
	struct bytes type = next_parameter(&value);

	return (struct media){type, is_utf8_type(value)};
}

bool
media_is(const struct media *m, const char *type)
{
	return field_eq_str(m->type, type);
}
