/* SPDX-License-Identifier: ISC */
/* The JSON cursor against libjq: what it takes libjq takes too, and both see
 * the same strings and whole numbers in it. */
#include <assert.h>

#include "common/json.h"
#include "common/jsonr.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len);

static void
same_string(struct jsonr a, jv b)
{
	struct buf text;

	buf_init(&text, a.text.len);
	assert(jsonr_add_str(a, &text) == 0);
	assert(bytes_eq(buf_bytes(&text), bytes_of(jv_string_value(b),
	    (size_t)jv_string_length_bytes(jv_copy(b)))));
	buf_reset(&text);
}

static void
same_number(struct jsonr a, jv b)
{
	int64_t n;

	if (jsonr_int(a, -(1LL << 53), 1LL << 53, &n) == 0)
		assert((double)n == jv_number_value(b));
}

static void same(struct jsonr a, jv b);

static void
same_members(struct jsonr a, jv b)
{
	struct jsonr key, value;
	struct jsonr_iter i;
	int at = 0;

	jsonr_iter_init(&i, a);
	while (jsonr_next(&i, &key, &value)) {
		if (a.kind == JSONR_ARRAY)
			same(value, jv_array_get(jv_copy(b), at));
		else
			assert(key.kind == JSONR_STRING);
		at++;
	}
	if (a.kind == JSONR_ARRAY)
		assert(at == jv_array_length(jv_copy(b)));
	else
		assert(at >= jv_object_length(jv_copy(b)));
}

/* Consumes b. */
static void
same(struct jsonr a, jv b)
{
	static const enum jsonr_kind kinds[] = {
		[JV_KIND_NULL] = JSONR_NULL, [JV_KIND_FALSE] = JSONR_BOOL,
		[JV_KIND_TRUE] = JSONR_BOOL, [JV_KIND_NUMBER] = JSONR_NUMBER,
		[JV_KIND_STRING] = JSONR_STRING, [JV_KIND_ARRAY] = JSONR_ARRAY,
		[JV_KIND_OBJECT] = JSONR_OBJECT,
	};

	assert(kinds[jv_get_kind(b)] == a.kind);
	if (a.kind == JSONR_STRING)
		same_string(a, b);
	else if (a.kind == JSONR_NUMBER)
		same_number(a, b);
	else if (a.kind == JSONR_ARRAY || a.kind == JSONR_OBJECT)
		same_members(a, b);
	else
		assert(jsonr_is_true(a) == (jv_get_kind(b) == JV_KIND_TRUE));
	jv_free(b);
}

/* libjq 1.6 has a mind of its own about halves of surrogate pairs. */
static bool
has_surrogate(struct bytes in)
{
	for (size_t i = 0; i + 3 < in.len; i++) {
		if (in.ptr[i] == '\\' && in.ptr[i + 1] == 'u' &&
		    (in.ptr[i + 2] | 0x20) == 'd' && in.ptr[i + 3] >= '8')
			return true;
	}
	return false;
}

/* Every value is looked at, every string taken apart. */
static void
walk(struct jsonr v)
{
	struct jsonr key, value;
	struct jsonr_iter i;
	struct buf text;

	if (v.kind == JSONR_STRING) {
		buf_init(&text, v.text.len);
		assert(jsonr_add_str(v, &text) == 0);
		buf_reset(&text);
	}
	jsonr_iter_init(&i, v);
	while (jsonr_next(&i, &key, &value)) {
		if (key.kind != JSONR_ABSENT)
			walk(key);
		walk(value);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct error e = {.text = ""};
	struct jsonr v;
	jv reference;

	if (jsonr_parse(bytes_of(in, len), &v, &e) != 0) {
		assert(e.text[0] != '\0');
		return 0;
	}
	walk(v);
	if (has_surrogate(bytes_of(in, len)))
		return 0;
	assert(json_parse(bytes_of(in, len), &reference, &e) == 0);
	same(v, reference);
	return 0;
}
