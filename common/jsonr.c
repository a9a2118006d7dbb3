/* SPDX-License-Identifier: ISC */
#include "common/jsonr.h"


#include "common/str.h"
#include "common/utf8.h"

enum {
	ESCAPED_LEN = 6, /* of \uXXXX */
	REPLACEMENT = 0xfffd,
	DIGITS_MAX = 400, /* of a number that jsonr_int looks at */
};

/* Where the reader is: s[at] is the next byte. */
struct cursor {
	const uint8_t *s;
	size_t at, len;
};

/* The next byte; at the end 0, which is no byte of any token. */
static uint8_t
peek(const struct cursor *c)
{
	return c->at < c->len ? c->s[c->at] : 0;
}

static void
skip_space(struct cursor *c)
{
	for (uint8_t b; (b = peek(c)) == ' ' || b == '\t' || b == '\n' ||
	    b == '\r';)
		c->at++;
}

static bool
is_digit(uint8_t b)
{
	return b >= '0' && b <= '9';
}

/* The four digits after \u, or -1. */
static int32_t
get_hex4(const struct cursor *c, size_t at)
{
	int32_t v = 0;

	if (c->len < 4 || at > c->len - 4)
		return -1;
	for (size_t i = 0; i < 4; i++) {
		int digit = ascii_hex(c->s[at + i]);

		if (digit == -1)
			return -1;
		v = v << 4 | digit;
	}
	return v;
}

static bool
take_escape(struct cursor *c)
{
	uint8_t b = c->at + 1 < c->len ? c->s[c->at + 1] : 0;

	if (b == 'u') {
		if (get_hex4(c, c->at + 2) == -1)
			return false;
		c->at += ESCAPED_LEN;
		return true;
	}
	if (b == 0 || strchr("\"\\/bfnrt", b) == NULL)
		return false;
	c->at += 2;
	return true;
}

/* A string from its quote to behind the other. */
static bool
take_string(struct cursor *c)
{
	for (c->at++; c->at < c->len;) {
		uint8_t b = c->s[c->at];
		size_t n;

		if (b == '"') {
			c->at++;
			return true;
		}
		if (b == '\\') {
			if (!take_escape(c))
				return false;
		} else if (b < 0x20) {
			return false;
		} else if (b < 0x80) {
			c->at++;
		} else {
			n = utf8_len(c->s + c->at, c->len - c->at);
			if (n == 0)
				return false;
			c->at += n;
		}
	}
	return false;
}

static bool
take_digits(struct cursor *c)
{
	size_t start = c->at;

	while (is_digit(peek(c)))
		c->at++;
	return c->at != start;
}

static bool
take_number(struct cursor *c)
{
	if (peek(c) == '-')
		c->at++;
	if (peek(c) == '0')
		c->at++;
	else if (!take_digits(c))
		return false;
	if (peek(c) == '.') {
		c->at++;
		if (!take_digits(c))
			return false;
	}
	if (peek(c) == 'e' || peek(c) == 'E') {
		c->at++;
		if (peek(c) == '+' || peek(c) == '-')
			c->at++;
		if (!take_digits(c))
			return false;
	}
	return true;
}

static bool
take_word(struct cursor *c, const char *word)
{
	size_t n = strlen(word);

	if (c->len - c->at < n || memcmp(c->s + c->at, word, n) != 0)
		return false;
	c->at += n;
	return true;
}

static enum jsonr_kind
kind_at(uint8_t b)
{
	switch (b) {
	case '{':
		return JSONR_OBJECT;
	case '[':
		return JSONR_ARRAY;
	case '"':
		return JSONR_STRING;
	case 't':
	case 'f':
		return JSONR_BOOL;
	case 'n':
		return JSONR_NULL;
	default:
		return b == '-' || is_digit(b) ? JSONR_NUMBER : JSONR_ABSENT;
	}
}

/* A value that holds no others. */
static bool
take_leaf(struct cursor *c)
{
	switch (kind_at(peek(c))) {
	case JSONR_STRING:
		return take_string(c);
	case JSONR_NUMBER:
		return take_number(c);
	case JSONR_BOOL:
		return take_word(c, "true") || take_word(c, "false");
	case JSONR_NULL:
		return take_word(c, "null");
	case JSONR_ABSENT:
	case JSONR_ARRAY:
	case JSONR_OBJECT:
		break;
	}
	return false;
}

/* A key and its colon. */
static bool
take_key(struct cursor *c)
{
	skip_space(c);
	if (peek(c) != '"' || !take_string(c))
		return false;
	skip_space(c);
	if (peek(c) != ':')
		return false;
	c->at++;
	return true;
}

/* Which brackets are open: one bit for each, 1 for an object. */
struct nesting {
	uint64_t objects;
	unsigned depth;
};

/* Begins the value at c: steps into brackets until there is a leaf or an empty
 * pair.  Returns whether it could. */
static bool
enter(struct cursor *c, struct nesting *n)
{
	for (;;) {
		enum jsonr_kind kind;

		skip_space(c);
		kind = kind_at(peek(c));
		if (kind != JSONR_OBJECT && kind != JSONR_ARRAY)
			return take_leaf(c);
		if (n->depth == JSONR_DEPTH_MAX)
			return false;
		n->objects = n->objects << 1 | (kind == JSONR_OBJECT);
		n->depth++;
		c->at++;
		skip_space(c);
		if (peek(c) == (kind == JSONR_OBJECT ? '}' : ']'))
			return true;
		if (kind == JSONR_OBJECT && !take_key(c))
			return false;
	}
}

/* After a value: steps out of what ends here.  Returns 1 if another value
 * follows, 0 if the outermost has ended, -1 if neither. */
static int
leave(struct cursor *c, struct nesting *n)
{
	while (n->depth != 0) {
		bool object = (n->objects & 1) != 0;

		skip_space(c);
		if (peek(c) == ',') {
			c->at++;
			return !object || take_key(c) ? 1 : -1;
		}
		if (peek(c) != (object ? '}' : ']'))
			return -1;
		c->at++;
		n->objects >>= 1;
		n->depth--;
	}
	return 0;
}

static bool
take_value(struct cursor *c)
{
	struct nesting n = {0, 0};
	int r;

	do {
		if (!enter(c, &n))
			return false;
		r = leave(c, &n);
	} while (r == 1);
	return r == 0;
}

int
jsonr_parse(struct bytes in, struct jsonr *ret, struct error *e)
{
	struct cursor c = {in.ptr, 0, in.len};
	size_t start;

	skip_space(&c);
	start = c.at;
	if (!take_value(&c))
		return error_set(e, c.at >= c.len ? "JSON ends early" :
		    "no JSON, or too deep, at byte %zu", c.at);
	ret->kind = kind_at(in.ptr[start]);
	ret->text = bytes_of(in.ptr + start, c.at - start);
	skip_space(&c);
	if (c.at != c.len)
		return error_set(e, "something after the JSON, at byte %zu",
		    c.at);
	return 0;
}

int
jsonr_parse_object(struct bytes in, struct jsonr *ret, struct error *e)
{
	if (jsonr_parse(in, ret, e) != 0)
		return -1;
	return ret->kind == JSONR_OBJECT ? 0 : error_set(e, "no object");
}

void
jsonr_iter_init(struct jsonr_iter *i, struct jsonr v)
{
	bool inside = v.kind == JSONR_OBJECT || v.kind == JSONR_ARRAY;

	i->object = v.kind == JSONR_OBJECT;
	i->left = inside ? bytes_of(v.text.ptr + 1, v.text.len - 2) :
	    bytes_of(NULL, 0);
}

static struct jsonr
cut(const struct cursor *c, size_t start)
{
	return (struct jsonr){kind_at(c->s[start]),
		bytes_of(c->s + start, c->at - start)};
}

bool
jsonr_next(struct jsonr_iter *i, struct jsonr *ret_key,
    struct jsonr *ret_value)
{
	struct cursor c = {i->left.ptr, 0, i->left.len};
	struct jsonr key = {JSONR_ABSENT, {NULL, 0}};
	size_t start;

	skip_space(&c);
	if (peek(&c) == ',') {
		c.at++;
		skip_space(&c);
	}
	start = c.at;
	if (c.at == c.len)
		return false;
	if (i->object) {
		take_string(&c);
		key = cut(&c, start);
		skip_space(&c);
		c.at++;
		skip_space(&c);
		start = c.at;
	}
	take_value(&c);
	if (ret_key != NULL)
		*ret_key = key;
	*ret_value = cut(&c, start);
	i->left = bytes_after(i->left, c.at);
	return true;
}

int
jsonr_get(struct jsonr object, const char *key, struct jsonr *ret,
    struct error *e)
{
	struct jsonr_iter i;
	struct jsonr k, v;

	*ret = (struct jsonr){JSONR_ABSENT, {NULL, 0}};
	if (object.kind != JSONR_OBJECT)
		return 0;
	jsonr_iter_init(&i, object);
	while (jsonr_next(&i, &k, &v)) {
		if (!jsonr_eq_str(k, key))
			continue;
		if (ret->kind != JSONR_ABSENT)
			return error_set(e, "%s: given twice", key);
		*ret = v;
	}
	return ret->kind != JSONR_ABSENT;
}

static bool
is_low_surrogate(int32_t v)
{
	return v >= 0xdc00 && v < 0xe000;
}

/* Takes \uXXXX, or two that make a pair. */
static uint32_t
take_code_point(struct cursor *c)
{
	int32_t v = get_hex4(c, c->at + 2), low;

	c->at += ESCAPED_LEN;
	if (v < 0xd800 || v >= 0xe000)
		return (uint32_t)v;
	low = peek(c) == '\\' && c->at + 1 < c->len &&
	    c->s[c->at + 1] == 'u' ? get_hex4(c, c->at + 2) : -1;
	if (is_low_surrogate(v) || !is_low_surrogate(low))
		return REPLACEMENT;
	c->at += ESCAPED_LEN;
	return 0x10000 + ((uint32_t)(v - 0xd800) << 10 |
	    (uint32_t)(low - 0xdc00));
}

/* Takes the next run of a checked string's inside: unescaped bytes as they
 * lie, or one escape, written to scratch.  Empty at the end. */
static struct bytes
take_run(struct cursor *c, uint8_t scratch[static 4])
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	size_t start = c->at;

	while (c->at < c->len && c->s[c->at] != '\\')
		c->at++;
	if (c->at != start || c->at == c->len)
		return bytes_of(c->s + start, c->at - start);
	if (c->s[c->at + 1] == 'u')
		return bytes_of(scratch, utf8_put(scratch,
		    take_code_point(c)));
	scratch[0] = (uint8_t)to[strchr(from, c->s[c->at + 1]) - from];
	c->at += 2;
	return bytes_of(scratch, 1);
}

static struct cursor
inside(struct jsonr string)
{
	return (struct cursor){string.text.ptr + 1, 0, string.text.len - 2};
}

bool
jsonr_eq_str(struct jsonr v, const char *s)
{
	struct bytes want = bytes_cstr(s), run;
	uint8_t scratch[4];
	struct cursor c;

	if (v.kind != JSONR_STRING)
		return false;
	c = inside(v);
	while ((run = take_run(&c, scratch)).len != 0) {
		if (run.len > want.len ||
		    memcmp(run.ptr, want.ptr, run.len) != 0)
			return false;
		want = bytes_after(want, run.len);
	}
	return want.len == 0;
}

bool
jsonr_is_true(struct jsonr v)
{
	return v.kind == JSONR_BOOL && v.text.len == 4;
}

int
jsonr_add_str(struct jsonr v, struct buf *out)
{
	struct cursor c = inside(v);
	uint8_t scratch[4];
	struct bytes run;

	while ((run = take_run(&c, scratch)).len != 0) {
		if (buf_add(out, run) != 0)
			return -1;
	}
	return 0;
}

/* Digits of a number without its point, and the power of ten they are to be
 * multiplied by. */
static int
split_number(struct cursor *c, uint8_t digits[static DIGITS_MAX],
    size_t *ret_count, int64_t *ret_power)
{
	bool point = false;
	int64_t power = 0, sign = 1, exponent = 0;
	size_t n = 0;

	for (; is_digit(peek(c)) || peek(c) == '.'; c->at++) {
		if (peek(c) == '.') {
			point = true;
			continue;
		}
		if (n == DIGITS_MAX)
			return -1;
		digits[n++] = (uint8_t)(peek(c) - '0');
		power -= point;
	}
	if (c->at < c->len) {
		c->at++;
		if (peek(c) == '+' || peek(c) == '-')
			sign = c->s[c->at++] == '-' ? -1 : 1;
		for (; is_digit(peek(c)); c->at++) {
			exponent = exponent * 10 + (peek(c) - '0');
			if (exponent > 2 * DIGITS_MAX)
				exponent = 2 * DIGITS_MAX;
		}
	}
	*ret_count = n;
	*ret_power = power + sign * exponent;
	return 0;
}

/* The whole part of a number. */
static int
get_whole(struct jsonr v, bool *ret_exact, int64_t *ret)
{
	struct cursor c = {v.text.ptr, 0, v.text.len};
	uint8_t digits[DIGITS_MAX];
	bool negative, exact = true;
	size_t count;
	int64_t power, n = 0;

	if (v.kind != JSONR_NUMBER)
		return -1;
	negative = peek(&c) == '-';
	c.at += negative;
	if (split_number(&c, digits, &count, &power) != 0)
		return -1;
	for (; power < 0 && count != 0; power++)
		exact = digits[--count] == 0 && exact;
	for (size_t i = 0; i < count; i++) {
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_sub_overflow(n, digits[i], &n))
			return -1;
	}
	for (; power > 0 && n != 0; power--) {
		if (__builtin_mul_overflow(n, 10, &n))
			return -1;
	}
	if (!negative && __builtin_sub_overflow(0, n, &n))
		return -1;
	*ret_exact = exact;
	*ret = n;
	return 0;
}

int
jsonr_int(struct jsonr v, int64_t min, int64_t max, int64_t *ret)
{
	bool exact;
	int64_t n;

	if (get_whole(v, &exact, &n) != 0 || !exact || n < min || n > max)
		return -1;
	*ret = n;
	return 0;
}

int
jsonr_trunc(struct jsonr v, int64_t min, int64_t max, int64_t *ret)
{
	bool exact;
	int64_t n;

	if (get_whole(v, &exact, &n) != 0 || n < min || n > max)
		return -1;
	*ret = n;
	return 0;
}

/* Null stands for a member that is not there. */
static int
get_known(struct jsonr object, const char *key, struct jsonr *ret,
    struct error *e)
{
	int r = jsonr_get(object, key, ret, e);

	return r == 1 && ret->kind == JSONR_NULL ? 0 : r;
}

int
jsonr_get_str(struct jsonr object, const char *key, char *out, size_t cap,
    struct error *e)
{
	struct jsonr v;
	struct cursor c;
	struct bytes run;
	uint8_t scratch[4];
	size_t used = 0;
	int r = get_known(object, key, &v, e);

	out[0] = '\0';
	if (r != 1)
		return r;
	if (v.kind != JSONR_STRING)
		return error_set(e, "%s: no string", key);
	c = inside(v);
	while ((run = take_run(&c, scratch)).len != 0) {
		if (run.len >= cap - used ||
		    memchr(run.ptr, '\0', run.len) != NULL) {
			out[0] = '\0';
			return error_set(e, run.len >= cap - used ?
			    "%s: too long" : "%s: a NUL inside", key);
		}
		memcpy(out + used, run.ptr, run.len);
		used += run.len;
	}
	out[used] = '\0';
	return 1;
}

int
jsonr_get_int(struct jsonr object, const char *key, int64_t min, int64_t max,
    int64_t *ret, struct error *e)
{
	struct jsonr v;
	int r = get_known(object, key, &v, e);

	if (r != 1)
		return r;
	if (jsonr_int(v, min, max, ret) != 0)
		return error_set(e, "%s: not a whole number from %lld to %lld",
		    key, (long long)min, (long long)max);
	return 1;
}

int
jsonr_get_bool(struct jsonr object, const char *key, bool *ret,
    struct error *e)
{
	struct jsonr v;
	int r = get_known(object, key, &v, e);

	if (r != 1)
		return r;
	if (v.kind != JSONR_BOOL)
		return error_set(e, "%s: neither true nor false", key);
	*ret = jsonr_is_true(v);
	return 1;
}
