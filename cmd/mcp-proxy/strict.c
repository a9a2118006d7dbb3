/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/strict.h"

#include <errno.h>
#include <stdlib.h>

#include "common/str.h"

enum {
	HASHES_MAX = 64 << 20, /* bytes, of the names of open objects */
	NAME_MAX_LEN = 16 << 20,
	MESSAGE_NAMES = 6, /* those of a message itself come first */
};

/* What is open around the reader. */
struct level {
	bool object;
	size_t first; /* of its hashes */
};

struct walk {
	const uint8_t *s;
	size_t at, len;
	struct level levels[JSONR_DEPTH_MAX + 1];
	size_t depth;
	size_t base;       /* depth of a message: 1, or 2 in an array */
	bool name_next;    /* the next string is a member's name */
	bool in_params;    /* of the message, or deeper */
	struct buf hashes; /* uint64_t of each name in the open objects */
	struct buf name;   /* decoded */
	struct error *e;
};

/* FNV-1a.  Who makes two names collide is refused for it, no more. */
static uint64_t
hash(struct bytes in)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < in.len; i++)
		h = (h ^ in.ptr[i]) * UINT64_C(0x100000001b3);
	return h;
}

static int
compare(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return (x > y) - (x < y);
}

static int
fail_memory(struct walk *w)
{
	error_set(w->e, "memory is short");
	w->e->code = ENOMEM;
	return -1;
}

/* ---- names that matter ---- */

/* Takes a character off the front of *in, as those fold it who compare without
 * case: also those outside of ASCII that fold to letters of it. */
static char
take_folded(struct bytes *in)
{
	static const struct {
		const char *text;
		char letter;
	} foreign[] = {
		{"\xc5\xbf", 's'}, {"\xe2\x84\xaa", 'k'},
		{"\xc4\xb0", 'i'}, {"\xc4\xb1", 'i'},
	};
	char c = (char)in->ptr[0];

	for (size_t i = 0; (c & 0x80) != 0 &&
	    i < sizeof foreign / sizeof *foreign; i++) {
		struct bytes text = bytes_cstr(foreign[i].text);

		if (in->len >= text.len &&
		    memcmp(in->ptr, text.ptr, text.len) == 0) {
			*in = bytes_after(*in, text.len);
			return foreign[i].letter;
		}
	}
	*in = bytes_after(*in, 1);
	return ascii_lower(c);
}

/* The next one that counts, as '_' does in front only; '\0' at the end. */
static char
next_folded(struct bytes *in, bool in_front)
{
	char c = '_';

	while (c == '_') {
		c = in->len == 0 ? '\0' : take_folded(in);
		if (in_front)
			break;
	}
	return c;
}

bool
strict_is_like(struct bytes name, const char *known)
{
	struct bytes left = name, want = bytes_cstr(known);
	bool in_front = true;
	char c;

	do {
		c = next_folded(&left, in_front);
		if (c != next_folded(&want, in_front))
			return false;
		in_front = false;
	} while (c != '\0');
	return !bytes_eq(name, bytes_cstr(known));
}

bool
strict_is_clear(struct bytes text)
{
	static const uint8_t half[] = {0xef, 0xbf, 0xbd};

	return text.len == 0 || (memchr(text.ptr, '\0', text.len) == NULL &&
	    memmem(text.ptr, text.len, half, sizeof half) == NULL);
}

int
strict_get(struct jsonr object, const char *key, struct jsonr *ret,
    struct error *e)
{
	struct jsonr_iter i;
	struct jsonr k, v;
	struct buf name;
	bool like = false;

	buf_init(&name, NAME_MAX_LEN);
	jsonr_iter_init(&i, object);
	while (!like && object.kind == JSONR_OBJECT &&
	    jsonr_next(&i, &k, &v)) {
		buf_clear(&name);
		like = jsonr_add_str(k, &name) != 0 ||
		    !strict_is_clear(buf_bytes(&name)) ||
		    strict_is_like(buf_bytes(&name), key);
	}
	buf_reset(&name);
	*ret = (struct jsonr){JSONR_ABSENT, {NULL, 0}};
	return like ? error_set(e, "a member that is like %s", key)
	    : jsonr_get(object, key, ret, e);
}

/* Whether name could be taken for another one that matters, of a message or,
 * in its params, of these. */
static bool
is_disguised(struct bytes name, bool in_params)
{
	static const char *const names[] = {
		"jsonrpc", "id", "method", "params", "result", "error",
		"name", "uri", "arguments", "ref", "_meta",
		"requestId", "cursor", "taskId", "task", "notifications",
		"inputResponses", "requestState", "resourceSubscriptions",
	};
	struct bytes left = name;
	char first = next_folded(&left, true);

	for (size_t i = in_params ? MESSAGE_NAMES : 0;
	    i < sizeof names / sizeof *names; i++) {
		/* Hostile messages have a million of names. */
		if (names[i][0] == first && strict_is_like(name, names[i]))
			return true;
	}
	return false;
}

/* ---- walking ---- */

/* Puts at behind the string that begins there. */
static struct jsonr
take_string(struct walk *w)
{
	size_t start = w->at++;

	while (w->s[w->at] != '"')
		w->at += w->s[w->at] == '\\' ? 2 : 1;
	w->at++;
	return (struct jsonr){JSONR_STRING,
	    bytes_of(w->s + start, w->at - start)};
}

static int
take_name(struct walk *w)
{
	uint64_t h;

	buf_clear(&w->name);
	if (jsonr_add_str(take_string(w), &w->name) != 0)
		return fail_memory(w);
	/* What is deeper is a tool's own, but for ref and notifications, whose
	 * members strict_get is asked for; and so is a result, but for lists. */
	if (w->depth <= w->base)
		w->in_params = bytes_eq(buf_bytes(&w->name),
		    bytes_cstr("params"));
	if ((w->depth <= w->base || (w->depth == w->base + 1 &&
	    w->in_params)) && (is_disguised(buf_bytes(&w->name),
	    w->depth > w->base) ||
	    !strict_is_clear(buf_bytes(&w->name))))
		return error_set(w->e, "a member's name is like one that "
		    "matters");
	h = hash(buf_bytes(&w->name));
	w->name_next = false;
	return buf_add(&w->hashes, bytes_of(&h, sizeof h)) != 0
	    ? fail_memory(w) : 0;
}

static void
open_level(struct walk *w, bool object)
{
	w->levels[w->depth++] = (struct level){object, buf_len(&w->hashes)};
	w->name_next = object;
}

/* The object that ends has each name once. */
static int
close_level(struct walk *w)
{
	struct level *l = &w->levels[--w->depth];
	struct buf *b = &w->hashes;
	size_t size = sizeof (uint64_t), len = buf_len(b) - l->first;
	uint8_t *at = len == 0 ? NULL : b->mem + b->head + l->first;

	w->name_next = false;
	if (len > size)
		qsort(at, len / size, size, compare);
	for (size_t i = size; i < len; i += size) {
		if (memcmp(at + i - size, at + i, size) == 0)
			return error_set(w->e, "a member is given twice");
	}
	b->tail -= len;
	return 0;
}

static int
walk(struct walk *w)
{
	while (w->at < w->len) {
		uint8_t c = w->s[w->at];

		if (c == '"' && w->name_next) {
			if (take_name(w) != 0)
				return -1;
			continue;
		}
		if (c == '"') {
			take_string(w);
			continue;
		}
		w->at++;
		if (c == '{' || c == '[')
			open_level(w, c == '{');
		else if (c == ',')
			w->name_next = w->levels[w->depth - 1].object;
		else if ((c == '}' || c == ']') && close_level(w) != 0)
			return -1;
	}
	return 0;
}

int
strict_check(struct jsonr v, struct error *e)
{
	struct walk w = {.s = v.text.ptr, .len = v.text.len, .e = e,
	    .base = v.kind == JSONR_ARRAY ? 2 : 1};
	int r;

	e->code = 0;
	buf_init(&w.hashes, HASHES_MAX);
	buf_init(&w.name, NAME_MAX_LEN);
	r = walk(&w);
	buf_reset(&w.hashes);
	buf_reset(&w.name);
	return r;
}
