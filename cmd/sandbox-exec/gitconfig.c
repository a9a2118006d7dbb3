/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/gitconfig.h"

#include <string.h>

#include "common/str.h"

enum { END = -1 };

/* A text that may be too long for its place: then it is nothing. */
struct text {
	char *out;
	size_t size, len;
};

static void
put(struct text *t, int c)
{
	if (c == '\0' || t->len + 1 >= t->size)
		t->len = t->size;
	else
		t->out[t->len++] = (char)c;
}

/* Returns whether it was all there was room for. */
static bool
end_text(struct text *t)
{
	bool good = t->len < t->size;

	t->out[good ? t->len : 0] = '\0';
	return good;
}

void
gitconfig_init(struct gitconfig *c, struct bytes text)
{
	static const uint8_t mark[] = {0xef, 0xbb, 0xbf};

	if (text.len >= sizeof mark && memcmp(text.ptr, mark,
	    sizeof mark) == 0)
		text = bytes_after(text, sizeof mark);
	c->rest = text;
	c->section[0] = '\0';
}

static int
peek(const struct gitconfig *c)
{
	const struct bytes *r = &c->rest;

	if (r->len >= 2 && r->ptr[0] == '\r' && r->ptr[1] == '\n')
		return '\n';
	return r->len == 0 ? END : r->ptr[0];
}

static int
next(struct gitconfig *c)
{
	int byte = peek(c);

	if (byte != END)
		c->rest = bytes_after(c->rest, byte == '\n' &&
		    c->rest.ptr[0] == '\r' ? 2 : 1);
	return byte;
}

static bool
is_blank(int c)
{
	return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}

static bool
is_key(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '-';
}

static void
skip_line(struct gitconfig *c)
{
	int byte;

	do {
		byte = next(c);
	} while (byte != '\n' && byte != END);
}

/* Behind a section's name: "subsection"]. */
static bool
skip_subsection(struct gitconfig *c)
{
	int byte;

	while (is_blank(peek(c)))
		next(c);
	if (next(c) != '"')
		return false;
	while ((byte = next(c)) != '"') {
		if (byte == '\\')
			byte = next(c);
		if (byte == '\n' || byte == END)
			return false;
	}
	return next(c) == ']';
}

/* Behind '['. */
static bool
take_section(struct gitconfig *c)
{
	struct text t = {c->section, sizeof c->section, 0};
	bool in_name = true;
	bool good = true;

	/* What follows a dot is a subsection, too. */
	while (is_key(peek(c)) || peek(c) == '.') {
		int byte = next(c);

		in_name = in_name && byte != '.';
		if (in_name)
			put(&t, ascii_lower((char)byte));
	}
	if (is_blank(peek(c)))
		good = skip_subsection(c);
	else
		good = next(c) == ']';
	end_text(&t);
	return good;
}

/* What '\' and the next byte stand for; 0 for nothing, END if it is wrong. */
static int
unescape(int byte)
{
	switch (byte) {
	case '\n':
		return 0;
	case 't':
		return '\t';
	case 'b':
		return '\b';
	case 'n':
		return '\n';
	case '\\':
	case '"':
		return byte;
	default:
		return END;
	}
}

/* Blanks at the end do not belong to it: they are put when more comes. */
static bool
take_value(struct gitconfig *c, struct text *t)
{
	size_t blanks = 0;
	bool quoted = false, begun = false, comment = false;
	int byte;

	while ((byte = next(c)) != '\n' && byte != END) {
		if (comment)
			continue;
		if (!quoted && (byte == ';' || byte == '#')) {
			comment = true;
			continue;
		}
		if (!quoted && is_blank(byte)) {
			blanks += begun;
			continue;
		}
		for (; blanks != 0; blanks--)
			put(t, ' ');
		begun = true;
		if (byte == '"') {
			quoted = !quoted;
			continue;
		}
		if (byte == '\\') {
			byte = unescape(next(c));
			if (byte == END)
				return false;
			if (byte == 0)
				continue;
		}
		put(t, byte);
	}
	return !quoted;
}

/* Returns whether what follows is right; *ret_whole, whether it fits. */
static bool
take_entry(struct gitconfig *c, struct gitconfig_entry *e, bool *ret_whole)
{
	struct text key = {e->key, sizeof e->key, 0};
	struct text value = {e->value, sizeof e->value, 0};
	bool good;

	for (const char *s = c->section; *s != '\0'; s++)
		put(&key, *s);
	put(&key, '.');
	while (is_key(peek(c)))
		put(&key, ascii_lower((char)next(c)));
	while (peek(c) == ' ' || peek(c) == '\t')
		next(c);
	if (peek(c) == '=') {
		next(c);
		good = take_value(c, &value);
	} else {
		good = peek(c) == '\n' || peek(c) == END;
	}
	*ret_whole = end_text(&key);
	*ret_whole = end_text(&value) && *ret_whole && c->section[0] != '\0';
	return good;
}

bool
gitconfig_next(struct gitconfig *c, struct gitconfig_entry *ret)
{
	bool good = true, whole;

	while (good && peek(c) != END) {
		int byte = peek(c);

		if (byte == '\n' || is_blank(byte)) {
			next(c);
		} else if (byte == '#' || byte == ';') {
			skip_line(c);
		} else if (byte == '[') {
			next(c);
			good = take_section(c);
		} else if (is_key(byte)) {
			good = take_entry(c, ret, &whole);
			if (good && whole)
				return true;
		} else {
			good = false;
		}
	}
	c->rest = bytes_of(NULL, 0);
	return false;
}
