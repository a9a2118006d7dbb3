/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/skim.h"

#include "common/field.h"

static void
add(struct skim *s, uint8_t c)
{
	if (s->word_len < SKIM_WORD_MAX)
		s->word[s->word_len++] = (char)c;
}

static bool
is_word(const struct skim *s, const char *text)
{
	return bytes_eq(bytes_of(s->word, s->word_len), bytes_cstr(text));
}

/* A member of the message has its name. */
static void
take_name(struct skim *s)
{
	s->is_id = is_word(s, "id");
	s->id_count += s->is_id;
	s->has_method = s->has_method || is_word(s, "method");
	s->word_len = 0;
	s->in_value = true;
}

/* A member of the message is complete. */
static void
take_value(struct skim *s)
{
	uint64_t n;

	if (s->in_value && s->is_id && s->word_len != 0 &&
	    s->word[0] != '0' && field_parse_number(bytes_of(s->word,
	    s->word_len), UINT32_MAX, &n) == 0)
		s->number = (uint32_t)n;
	s->word_len = 0;
	s->in_value = s->is_id = false;
}

static void
take_in_string(struct skim *s, uint8_t c)
{
	if (s->escaped)
		s->escaped = false;
	else if (c == '\\')
		s->escaped = true;
	else if (c == '"')
		s->in_string = false;
	if (s->depth == 1 && s->in_string)
		add(s, c);
}

static void
take(struct skim *s, uint8_t c)
{
	if (c == '"')
		s->in_string = true;
	if (c == '}' || c == ']' || c == ',') {
		if (s->depth == 1)
			take_value(s);
		if (c != ',' && s->depth != 0)
			s->depth--;
	} else if (c == '{' || c == '[') {
		s->depth++;
	} else if (s->depth == 1 && c == ':' && !s->in_value) {
		take_name(s);
	}
	/* An id that is a string is none of ours, so its quotes count. */
	else if (s->depth == 1 && (s->in_value || c != '"') && c != ' ' &&
	    c != '\t' && c != '\r' && c != '\n')
		add(s, c);
}

void
skim_feed(struct skim *s, struct bytes in)
{
	for (size_t i = 0; i < in.len; i++) {
		if (s->in_string)
			take_in_string(s, in.ptr[i]);
		else
			take(s, in.ptr[i]);
	}
}

int
skim_number(const struct skim *s, uint32_t *ret)
{
	if (s->has_method || s->id_count != 1 || s->number == 0)
		return -1;
	*ret = s->number;
	return 0;
}
