/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/regex_parse.h"

#include <errno.h>
#include <stdlib.h>

#include "cmd/sandbox-exec/regex.h"
#include "common/str.h"
#include "common/utf8.h"

enum {
	NONE = 0x110000, /* no character: the end */
	BACKSPACE = 8,
	REPLACEMENT = 0xfffd,
};

struct parser {
	struct bytes in;
	size_t at;
	bool fold, dot_all; /* (?i), (?s) */
	unsigned depth;
	struct regex_tree *tree;
	struct error *e;
};

/* What an escape stands for. */
enum meaning {
	MEANS_ERROR,
	MEANS_CHAR,
	MEANS_SET, /* it was added to the set */
};

static struct regex_node *parse_alternatives(struct parser *p);

static uint32_t
peek_at(const struct parser *p, size_t at, size_t *ret_len)
{
	uint32_t c = NONE;

	*ret_len = 0;
	if (at < p->in.len)
		*ret_len = utf8_next(bytes_after(p->in, at), &c);
	return c == UTF8_INVALID ? REPLACEMENT : c;
}

static uint32_t
peek(const struct parser *p)
{
	size_t len;

	return peek_at(p, p->at, &len);
}

static uint32_t
take(struct parser *p)
{
	size_t len;
	uint32_t c = peek_at(p, p->at, &len);

	p->at += len;
	return c;
}

static bool
take_text(struct parser *p, const char *text)
{
	size_t len = strlen(text);

	if (p->in.len - p->at < len ||
	    memcmp(p->in.ptr + p->at, text, len) != 0)
		return false;
	p->at += len;
	return true;
}

static struct regex_node *
fail(struct parser *p, const char *text)
{
	error_set(p->e, "%s", text);
	return NULL;
}

static struct regex_node *
fail_memory(struct parser *p)
{
	return fail(p, errno == ENOBUFS ? "too many ranges in a character "
	    "class" : "out of memory");
}

static struct regex_node *
new_node(struct parser *p, enum regex_kind kind, struct regex_node *left,
    struct regex_node *right)
{
	struct regex_node *n = calloc(1, sizeof *n);

	if (n == NULL)
		return fail_memory(p);
	n->kind = kind;
	n->left = left;
	n->right = right;
	n->next = p->tree->all;
	p->tree->all = n;
	return n;
}

/* Takes set over. */
static struct regex_node *
new_set(struct parser *p, struct regex_set *set)
{
	struct regex_tree *t = p->tree;
	struct regex_node *n;

	if (t->set_count == t->set_size) {
		size_t size = t->set_size == 0 ? 16 : 2 * t->set_size;
		struct regex_set *sets = reallocarray(t->sets, size,
		    sizeof *sets);

		if (sets == NULL) {
			regex_set_done(set);
			return fail_memory(p);
		}
		t->sets = sets;
		t->set_size = size;
	}
	t->sets[t->set_count++] = *set;
	n = new_node(p, REGEX_SET, NULL, NULL);
	if (n != NULL)
		n->set = t->set_count - 1;
	return n;
}

static struct regex_node *
new_char(struct parser *p, uint32_t c)
{
	struct regex_set set = {NULL, 0, 0};

	if (regex_set_add(&set, c, c) != 0 ||
	    (p->fold && regex_set_fold(&set) != 0)) {
		regex_set_done(&set);
		return fail_memory(p);
	}
	return new_set(p, &set);
}

/* Takes count hexadecimal digits, or with count 0 some in braces.  Returns
 * NONE and takes nothing if they are not there. */
static uint32_t
take_hex(struct parser *p, unsigned count)
{
	size_t start = p->at;
	bool braces = count == 0 && take_text(p, "{");
	uint32_t c = 0;
	unsigned n = 0;

	for (; (braces || n < count) && ascii_hex(peek(p)) != -1 &&
	    c <= REGEX_CHAR_MAX; n++)
		c = c << 4 | (uint32_t)ascii_hex(take(p));
	if (n != 0 && c <= REGEX_CHAR_MAX &&
	    (braces ? take_text(p, "}") : n == count))
		return c;
	p->at = start;
	return NONE;
}

/* \u: one unit, two that are a pair, or any in braces. */
static uint32_t
take_unicode(struct parser *p)
{
	uint32_t c = take_hex(p, 4), low = NONE;
	size_t start = p->at;

	if (c == NONE)
		c = take_hex(p, 0);
	else if (c >= 0xd800 && c < 0xdc00 && take_text(p, "\\u"))
		low = take_hex(p, 4);
	if (low >= 0xdc00 && low < 0xe000)
		return 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
	if (c >= 0xd800 && c < 0xe000) {
		p->at = start;
		return REPLACEMENT;
	}
	return c;
}

/* The control characters that have letters. */
static uint32_t
control(uint32_t c)
{
	static const char letters[] = "tnrfv", values[] = "\t\n\r\f\v";
	const char *at = c < 0x80 && c != 0 ? strchr(letters, (int)c) : NULL;

	return at == NULL ? NONE : (uint32_t)values[at - letters];
}

static enum meaning
fail_escape(struct parser *p, const char *text)
{
	fail(p, text);
	return MEANS_ERROR;
}

/* After the backslash. */
static enum meaning
take_escape(struct parser *p, struct regex_set *set, uint32_t *ret)
{
	uint32_t c = take(p), code = control(c), next = peek(p);

	*ret = c;
	if (c == NONE)
		return fail_escape(p, "\\ at the end of the pattern");
	if (c < 0x80 && c != 0 && strchr("dDwWsS", (int)c) != NULL) {
		if (regex_set_add_escape(set, (char)c) == 0)
			return MEANS_SET;
		fail_memory(p);
		return MEANS_ERROR;
	}
	if ((c >= '1' && c <= '9') || (c == 'k' && next == '<'))
		return fail_escape(p, "back-references are not supported");
	if ((c == 'p' || c == 'P') && next == '{')
		return fail_escape(p, "\\p{...} is not supported");
	if (c == '0')
		code = 0;
	else if (c == 'x' && (code = take_hex(p, 2)) == NONE)
		code = take_hex(p, 0);
	else if (c == 'u')
		code = take_unicode(p);
	else if (c == 'c' && (next | 0x20) >= 'a' && (next | 0x20) <= 'z')
		code = take(p) & 0x1f;
	if (code != NONE)
		*ret = code;
	return MEANS_CHAR;
}

/* One character or escape of a class. */
static enum meaning
take_member(struct parser *p, struct regex_set *set, uint32_t *ret)
{
	*ret = take(p);
	if (*ret == NONE)
		return fail_escape(p, "unterminated character class");
	if (*ret != '\\')
		return MEANS_CHAR;
	if (peek(p) == 'b') {
		take(p);
		*ret = BACKSPACE;
		return MEANS_CHAR;
	}
	return take_escape(p, set, ret);
}

/* [:alpha:] and the like.  Returns 1, 0 if there is none here, or -1. */
static int
take_posix(struct parser *p, struct regex_set *set)
{
	struct bytes left = bytes_after(p->in, p->at);
	const uint8_t *end;
	size_t len;
	int r;

	if (left.len < 2 || left.ptr[0] != '[' || left.ptr[1] != ':')
		return 0;
	end = memmem(left.ptr + 2, left.len - 2, ":]", 2);
	if (end == NULL)
		return 0;
	len = (size_t)(end - left.ptr);
	r = regex_set_add_posix(set, bytes_of(left.ptr + 2, len - 2));
	if (r == 1)
		p->at += len + 2;
	return r;
}

static bool
add_range(struct parser *p, struct regex_set *set, uint32_t low,
    uint32_t high)
{
	if (high < low)
		fail(p, "range out of order in a character class");
	else if (regex_set_add(set, low, high) == 0)
		return true;
	else
		fail_memory(p);
	return false;
}

/* A member, or two with '-' between. */
static bool
take_range(struct parser *p, struct regex_set *set)
{
	uint32_t low, high;
	enum meaning m = take_member(p, set, &low);
	size_t len;

	if (m != MEANS_CHAR)
		return m == MEANS_SET;
	if (peek(p) != '-' || peek_at(p, p->at + 1, &len) == ']')
		return add_range(p, set, low, low);
	take(p);
	m = take_member(p, set, &high);
	if (m == MEANS_SET) /* [a-\d]: the '-' is one */
		return add_range(p, set, low, low) &&
		    add_range(p, set, '-', '-');
	return m == MEANS_CHAR && add_range(p, set, low, high);
}

/* After '['. */
static struct regex_node *
parse_class(struct parser *p)
{
	struct regex_set set = {NULL, 0, 0};
	bool negated = take_text(p, "^");
	int posix;

	while (peek(p) != ']') {
		posix = take_posix(p, &set);
		if (posix == 1)
			continue;
		if (posix == -1)
			fail_memory(p);
		if (posix == -1 || !take_range(p, &set)) {
			regex_set_done(&set);
			return NULL;
		}
	}
	take(p);
	if ((p->fold && regex_set_fold(&set) != 0) ||
	    (negated && regex_set_invert(&set) != 0)) {
		regex_set_done(&set);
		return fail_memory(p);
	}
	return new_set(p, &set);
}

/* '.': everything but the ends of lines. */
static struct regex_node *
parse_dot(struct parser *p)
{
	struct regex_set set = {NULL, 0, 0};
	bool good = p->dot_all ||
	    (regex_set_add(&set, '\n', '\n') == 0 &&
	    regex_set_add(&set, '\r', '\r') == 0 &&
	    regex_set_add(&set, 0x2028, 0x2029) == 0);

	if (!good || regex_set_invert(&set) != 0) {
		regex_set_done(&set);
		return fail_memory(p);
	}
	return new_set(p, &set);
}

static struct regex_node *
parse_escape(struct parser *p)
{
	static const struct {
		char letter;
		enum regex_kind kind;
	} asserts[] = {
		{'b', REGEX_WORD}, {'B', REGEX_NOT_WORD}, {'A', REGEX_START},
		{'z', REGEX_END}, {'Z', REGEX_END},
	};
	struct regex_set set = {NULL, 0, 0};
	uint32_t c = peek(p);
	enum meaning m;

	for (size_t i = 0; i < sizeof asserts / sizeof *asserts; i++) {
		if (c == (uint32_t)asserts[i].letter) {
			take(p);
			return new_node(p, asserts[i].kind, NULL, NULL);
		}
	}
	m = take_escape(p, &set, &c);
	if (m == MEANS_SET)
		return new_set(p, &set);
	regex_set_done(&set);
	return m == MEANS_CHAR ? new_char(p, c) : NULL;
}

/* The letters of (?i) and (?i:, from the first on.  Returns whether a group
 * follows, or -1. */
static int
take_flags(struct parser *p)
{
	bool on = true;

	for (;;) {
		uint32_t c = take(p);

		switch (c) {
		case '-':
			on = false;
			break;
		case 'i':
			p->fold = on;
			break;
		case 's':
			p->dot_all = on;
			break;
		case 'm': /* there is one line */
		case 'u':
			break;
		case ':':
			return 1;
		case ')':
			return 0;
		default:
			fail(p, "invalid group");
			return -1;
		}
	}
}

/* After "(?".  Returns whether a group follows, or -1. */
static int
take_group_head(struct parser *p)
{
	size_t len;

	if (take_text(p, ":"))
		return 1;
	if (peek(p) == '=' || peek(p) == '!' || take_text(p, "<=") ||
	    take_text(p, "<!")) {
		fail(p, "look-around is not supported");
		return -1;
	}
	if (take_text(p, "<") || take_text(p, "P<")) {
		const uint8_t *end = memchr(p->in.ptr + p->at, '>',
		    p->in.len - p->at);

		len = end == NULL ? 0 : (size_t)(end - p->in.ptr) - p->at;
		if (len != 0) {
			p->at += len + 1;
			return 1;
		}
		fail(p, "invalid group name");
		return -1;
	}
	return take_flags(p);
}

/* After '('. */
static struct regex_node *
parse_group(struct parser *p)
{
	bool fold = p->fold, dot_all = p->dot_all;
	struct regex_node *n;
	int r = take_text(p, "?") ? take_group_head(p) : 1;

	if (r == -1)
		return NULL;
	if (r == 0) /* the flags hold to the end of the group around */
		return new_node(p, REGEX_EMPTY, NULL, NULL);
	if (p->depth == REGEX_NEST_MAX)
		return fail(p, "too many groups in each other");
	p->depth++;
	n = parse_alternatives(p);
	p->depth--;
	p->fold = fold;
	p->dot_all = dot_all;
	if (n == NULL)
		return NULL;
	return take_text(p, ")") ? n : fail(p, "unterminated group");
}

static bool
take_number(struct parser *p, int *ret)
{
	int64_t n = 0;
	size_t start = p->at;

	while (peek(p) >= '0' && peek(p) <= '9') {
		n = n * 10 + (int64_t)(take(p) - '0');
		if (n > REGEX_REPEAT_MAX)
			n = REGEX_REPEAT_MAX + 1;
	}
	*ret = (int)n;
	return p->at != start;
}

/* {n}, {n,} or {n,m}.  Takes nothing if there is none. */
static bool
take_counts(struct parser *p, int *min, int *max)
{
	size_t start = p->at;

	if (take_text(p, "{") && take_number(p, min)) {
		*max = *min;
		if (take_text(p, ",") && !take_number(p, max))
			*max = REGEX_INFINITE;
		if (take_text(p, "}"))
			return true;
	}
	p->at = start;
	return false;
}

/* Any quantifier. */
static bool
take_quantifier(struct parser *p, int *min, int *max)
{
	*min = 0;
	*max = REGEX_INFINITE;
	if (take_text(p, "*"))
		return true;
	if (take_text(p, "+")) {
		*min = 1;
		return true;
	}
	if (take_text(p, "?")) {
		*max = 1;
		return true;
	}
	return take_counts(p, min, max);
}

static struct regex_node *
parse_atom(struct parser *p)
{
	int min, max;
	uint32_t c;

	if (take_quantifier(p, &min, &max))
		return fail(p, "nothing to repeat");
	c = take(p);
	switch (c) {
	case '(':
		return parse_group(p);
	case '[':
		return parse_class(p);
	case '.':
		return parse_dot(p);
	case '\\':
		return parse_escape(p);
	case '^':
		return new_node(p, REGEX_START, NULL, NULL);
	case '$':
		return new_node(p, REGEX_END, NULL, NULL);
	default:
		return new_char(p, c);
	}
}

static struct regex_node *
parse_term(struct parser *p)
{
	struct regex_node *n = parse_atom(p);
	int min, max;

	if (n == NULL || !take_quantifier(p, &min, &max))
		return n;
	take_text(p, "?"); /* lazy: the same lines match */
	if (n->kind == REGEX_START || n->kind == REGEX_END ||
	    n->kind == REGEX_WORD || n->kind == REGEX_NOT_WORD)
		return fail(p, "nothing to repeat");
	if (min > REGEX_REPEAT_MAX || max > REGEX_REPEAT_MAX)
		return fail(p, "repeated too often");
	if (max != REGEX_INFINITE && max < min)
		return fail(p, "numbers out of order in a quantifier");
	n = new_node(p, REGEX_REPEAT, n, NULL);
	if (n != NULL) {
		n->min = min;
		n->max = max;
	}
	return n;
}

/* The terms up to '|', ')' or the end, as a list that leans to the right: what
 * walks the tree needs no depth for it. */
static struct regex_node *
parse_terms(struct parser *p)
{
	struct regex_node *first = NULL, *term;
	struct regex_node **last = &first;

	for (;;) {
		uint32_t c = peek(p);

		if (c == '|' || c == NONE || (c == ')' && p->depth != 0))
			break;
		if (c == ')')
			return fail(p, "unmatched ')'");
		term = parse_term(p);
		if (term == NULL)
			return NULL;
		if (*last == NULL) {
			*last = term;
			continue;
		}
		*last = new_node(p, REGEX_CAT, *last, term);
		if (*last == NULL)
			return NULL;
		last = &(*last)->right;
	}
	return first != NULL ? first :
	    new_node(p, REGEX_EMPTY, NULL, NULL);
}

static struct regex_node *
parse_alternatives(struct parser *p)
{
	struct regex_node *first = parse_terms(p), *next;
	struct regex_node **last = &first;

	while (first != NULL && take_text(p, "|")) {
		next = parse_terms(p);
		if (next == NULL)
			return NULL;
		*last = new_node(p, REGEX_ALT, *last, next);
		if (*last == NULL)
			return NULL;
		last = &(*last)->right;
	}
	return first;
}

int
regex_parse(struct bytes pattern, struct regex_tree *ret, struct error *e)
{
	struct parser p = {.in = pattern, .tree = ret, .e = e};

	*ret = (struct regex_tree){.root = NULL};
	if (pattern.len > REGEX_PATTERN_MAX)
		return error_set(e, "longer than %d bytes",
		    REGEX_PATTERN_MAX);
	ret->root = parse_alternatives(&p);
	return ret->root == NULL ? -1 : 0;
}

void
regex_tree_done(struct regex_tree *t)
{
	while (t->all != NULL) {
		struct regex_node *next = t->all->next;

		free(t->all);
		t->all = next;
	}
	for (size_t i = 0; i < t->set_count; i++)
		regex_set_done(&t->sets[i]);
	free(t->sets);
	*t = (struct regex_tree){.root = NULL};
}
