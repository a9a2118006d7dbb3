/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/glob.h"

#include <stdlib.h>

#include "common/str.h"
#include "common/utf8.h"

/* What one part of a path is compared with. */
struct part {
	struct bytes text; /* a part of an alternative */
	bool any;          /* "**" */
	bool dot;          /* it begins with a dot */
	bool wild;         /* it matches more than one name */
	bool last;         /* of its alternative */
};

struct glob {
	char *alternatives[GLOB_ALTERNATIVES_MAX];
	size_t alternative_count;
	struct part parts[GLOB_PARTS_MAX];
	size_t part_count;
	size_t text_len; /* of all alternatives */
};

/* What follows the set or escape or character at p; never beyond end. */
static const char *
skip_one(const char *p, const char *end)
{
	const char *close;

	if (*p == '\\' && p + 1 < end)
		return p + 2;
	if (*p != '[')
		return p + 1;
	close = p + 1;
	close += close < end && (*close == '!' || *close == '^');
	close += close < end && *close == ']';
	while (close < end && *close != ']' && *close != '/')
		close += *close == '\\' && close + 1 < end ? 2 : 1;
	return close < end && *close == ']' ? close + 1 : p + 1;
}

/* Braces with a comma between them. */
struct braces {
	const char *open, *close;
};

/* Looks at what p opens.  Returns its end, or NULL if it is none, or one
 * without a comma. */
static const char *
close_of(const char *p, const char *end)
{
	unsigned depth = 0;
	bool comma = false;

	while (p < end) {
		if (*p == '{')
			depth++;
		else if (*p == ',' && depth == 1)
			comma = true;
		else if (*p == '}' && --depth == 0)
			return comma ? p : NULL;
		p = skip_one(p, end);
	}
	return NULL;
}

static bool
find_braces(const char *pattern, struct braces *ret)
{
	const char *end = pattern + strlen(pattern);

	for (const char *p = pattern; p < end; p = skip_one(p, end)) {
		if (*p != '{')
			continue;
		ret->close = close_of(p, end);
		if (ret->close != NULL) {
			ret->open = p;
			return true;
		}
	}
	return false;
}

/* pattern with one of the texts between the braces in their place. */
static char *
choose(const char *pattern, const struct braces *b, const char *from,
    const char *to)
{
	size_t before = (size_t)(b->open - pattern);
	size_t middle = (size_t)(to - from), after = strlen(b->close + 1);
	char *s = malloc(before + middle + after + 1);

	if (s == NULL)
		return NULL;
	memcpy(s, pattern, before);
	memcpy(s + before, from, middle);
	memcpy(s + before + middle, b->close + 1, after + 1);
	return s;
}

/* Puts what the braces in pattern stand for into g, in place of at.  Returns 0
 * or -1 with a text. */
static int
expand_one(struct glob *g, size_t at, const struct braces *b,
    struct error *e)
{
	char *pattern = g->alternatives[at];
	const char *from = b->open + 1, *p = from;
	unsigned depth = 0;
	bool first = true;
	int r = 0;

	g->alternatives[at] = NULL;
	while (r == 0 && p <= b->close) {
		if (depth == 0 && (*p == ',' || p == b->close)) {
			size_t to = first ? at : g->alternative_count++;

			first = false;
			g->alternatives[to] = choose(pattern, b, from, p);
			if (g->alternatives[to] == NULL)
				r = error_set(e, "out of memory");
			else if (g->alternative_count ==
			    GLOB_ALTERNATIVES_MAX)
				r = error_set(e, "the pattern has too many "
				    "alternatives");
			from = p + 1;
		}
		depth += *p == '{';
		depth -= *p == '}' && depth != 0;
		p = skip_one(p, b->close + 1);
	}
	free(pattern);
	return r;
}

static int
expand(struct glob *g, struct error *e)
{
	struct braces b;

	for (size_t i = 0; i < g->alternative_count; i++) {
		while (find_braces(g->alternatives[i], &b)) {
			if (expand_one(g, i, &b, e) != 0)
				return -1;
		}
	}
	return 0;
}

static bool
has_wild(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (strchr("*?[", text.ptr[i]) != NULL)
			return true;
	}
	return false;
}

/* Cuts an alternative at its slashes. */
static int
add_parts(struct glob *g, const char *s, struct error *e)
{
	size_t first = g->part_count;

	g->text_len += strlen(s);
	if (g->text_len > GLOB_TEXT_MAX)
		return error_set(e, "the pattern has too many alternatives");
	while (*s != '\0') {
		size_t len = strcspn(s, "/");
		struct bytes text = bytes_of(s, len);
		bool escaped = len > 1 && s[0] == '\\';

		s += len + (s[len] == '/');
		if (len == 0 || bytes_eq(text, bytes_cstr(".")))
			continue;
		if (g->part_count == GLOB_PARTS_MAX)
			return error_set(e, "the pattern has too many parts");
		g->parts[g->part_count++] = (struct part){
			.text = text, .any = bytes_eq(text, bytes_cstr("**")),
			.dot = text.ptr[escaped] == '.',
			.wild = has_wild(text),
		};
	}
	if (g->part_count != first)
		g->parts[g->part_count - 1].last = true;
	return 0;
}

struct glob *
glob_new(struct bytes pattern, struct error *e)
{
	struct glob *g = calloc(1, sizeof *g);
	char text[GLOB_PATTERN_MAX + 1];
	int r;

	if (str_from_bytes(text, sizeof text, pattern) != 0) {
		free(g);
		error_set(e, pattern.len > GLOB_PATTERN_MAX ?
		    "the pattern is longer than %d bytes" :
		    "the pattern has a NUL inside", GLOB_PATTERN_MAX);
		return NULL;
	}
	if (g == NULL || (g->alternatives[0] = strdup(text)) == NULL) {
		free(g);
		error_set(e, "out of memory");
		return NULL;
	}
	g->alternative_count = 1;
	r = expand(g, e);
	for (size_t i = 0; r == 0 && i < g->alternative_count; i++)
		r = add_parts(g, g->alternatives[i], e);
	if (r == 0)
		return g;
	glob_free(g);
	return NULL;
}

void
glob_free(struct glob *g)
{
	if (g == NULL)
		return;
	for (size_t i = 0; i < g->alternative_count; i++)
		free(g->alternatives[i]);
	free(g);
}

/* A character of a pattern or a name, broken ones by their byte. */
static uint32_t
take(const char **p, const char *end)
{
	uint32_t c;
	size_t n = utf8_next(bytes_of(*p, (size_t)(end - *p)), &c);

	if (c == UTF8_INVALID) {
		c = 0x110000 + (unsigned char)**p;
		n = 1;
	}
	*p += n;
	return c;
}

/* Whether c is in the set from p, after '[', to end, its ']'. */
static bool
has(const char *p, const char *end, uint32_t c)
{
	bool negated = *p == '!' || *p == '^', found = false;

	p += negated;
	while (p < end) {
		uint32_t low, high;

		p += *p == '\\' && p + 1 < end;
		low = high = take(&p, end);
		if (p + 1 < end && *p == '-') {
			p++;
			p += *p == '\\' && p + 1 < end;
			high = take(&p, end);
		}
		found = found || (c >= low && c <= high);
	}
	return found != negated;
}

/* Compares one character.  Returns what follows in the pattern, or NULL. */
static const char *
match_one(const char *p, const char *end, uint32_t c)
{
	const char *after = skip_one(p, end);

	if (*p == '?')
		return after;
	if (*p == '[' && after > p + 1)
		return has(p + 1, after - 1, c) ? after : NULL;
	p += after == p + 2;
	return take(&p, end) == c ? p : NULL;
}

/* A star that fails later takes one more character; only the last one needs
 * to. */
static bool
match_text(struct bytes text, const char *name)
{
	const char *p = (const char *)text.ptr, *end = p + text.len;
	const char *name_end = name + strlen(name);
	const char *star = NULL, *retry = NULL;

	while (name < name_end) {
		const char *n = name, *next = NULL;

		if (p < end && *p == '*') {
			star = ++p;
			retry = name;
			continue;
		}
		if (p < end)
			next = match_one(p, end, take(&n, name_end));
		if (next != NULL) {
			p = next;
			name = n;
		} else if (star != NULL) {
			take(&retry, name_end);
			p = star;
			name = retry;
		} else {
			return false;
		}
	}
	while (p < end && *p == '*')
		p++;
	return p == end;
}

static void
add(struct glob_set *set, size_t i)
{
	set->bits[i / 64] |= 1ULL << i % 64;
}

/* Adds part i, and what comes after it if it may be nothing. */
static void
add_part(const struct glob *g, struct glob_set *set, size_t i)
{
	add(set, i);
	while (g->parts[i].any && !g->parts[i].last)
		add(set, ++i);
}

void
glob_start(const struct glob *g, struct glob_set *ret)
{
	*ret = (struct glob_set){{0}};
	for (size_t i = 0; i < g->part_count; i++) {
		if (i == 0 || g->parts[i - 1].last)
			add_part(g, ret, i);
	}
}

/* What is large and nobody's own work. */
static bool
is_passed_over(const char *name)
{
	return str_eq(name, ".git") || str_eq(name, "node_modules");
}

static bool
step_part(const struct glob *g, size_t i, const char *name,
    struct glob_set *below, struct glob_set *link)
{
	const struct part *part = &g->parts[i];

	if ((name[0] == '.' && !part->dot) ||
	    (part->wild && is_passed_over(name)))
		return false;
	if (part->any) {
		add_part(g, below, i);
		return part->last;
	}
	if (!match_text(part->text, name))
		return false;
	if (part->last)
		return true;
	add_part(g, below, i + 1);
	add_part(g, link, i + 1);
	return false;
}

bool
glob_step(const struct glob *g, const struct glob_set *set,
    const char *name, struct glob_set *ret_below, struct glob_set *ret_link)
{
	bool matched = false;

	*ret_below = *ret_link = (struct glob_set){{0}};
	for (size_t w = 0; w * 64 < g->part_count; w++) {
		for (uint64_t bits = set->bits[w]; bits != 0;
		    bits &= bits - 1) {
			size_t i = w * 64 + (size_t)__builtin_ctzll(bits);

			matched = step_part(g, i, name, ret_below,
			    ret_link) || matched;
		}
	}
	return matched;
}

bool
glob_is_empty(const struct glob_set *set)
{
	for (size_t w = 0; w < GLOB_SET_WORDS; w++) {
		if (set->bits[w] != 0)
			return false;
	}
	return true;
}
