/* SPDX-License-Identifier: ISC */
#include "common/json.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "common/str.h"

/* What the scan below has just passed. */
enum scan { SCAN_BETWEEN, SCAN_WORD, SCAN_STRING, SCAN_VALUE };

static bool
is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Checks what libjq does badly.  Its parser recurses nowhere, but freeing a
 * value does, so depth is bounded; and version 1.6 loses the memory of a value
 * that follows another without a separator. */
static int
check_shape(struct bytes in, struct error *e)
{
	enum scan at = SCAN_BETWEEN;
	int depth = 0;

	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.ptr[i];
		bool opens = c == '{' || c == '[';

		if (at == SCAN_STRING) {
			if (c == '\\')
				i++;
			else if (c == '"')
				at = SCAN_VALUE;
			continue;
		}
		if (is_space(c)) {
			at = at == SCAN_WORD ? SCAN_VALUE : at;
		} else if (c == ',' || c == ':') {
			at = SCAN_BETWEEN;
		} else if (c == '}' || c == ']') {
			at = SCAN_VALUE;
			depth--;
		} else if (at == SCAN_VALUE || (at == SCAN_WORD &&
		    (opens || c == '"'))) {
			return error_set(e, "JSON: no separator between "
			    "values");
		} else {
			at = opens ? SCAN_BETWEEN : c == '"' ? SCAN_STRING
			    : SCAN_WORD;
			depth += opens ? 1 : 0;
		}
		if (depth > JSON_DEPTH_MAX)
			return error_set(e, "JSON nested deeper than %d",
			    JSON_DEPTH_MAX);
	}
	return 0;
}

static int
invalid(jv v, struct error *e)
{
	jv text = jv_invalid_get_msg(v);

	error_set(e, "JSON: %s", jv_get_kind(text) == JV_KIND_STRING
	    ? jv_string_value(text) : "no value");
	jv_free(text);
	return -1;
}

int
json_parse(struct bytes in, jv *ret, struct error *e)
{
	struct jv_parser *parser;
	jv v, rest;
	int r = -1;

	if (in.len > INT_MAX)
		return error_set(e, "JSON: too long");
	if (check_shape(in, e) != 0)
		return -1;
	parser = jv_parser_new(0);
	jv_parser_set_buf(parser, (const char *)in.ptr, (int)in.len, 0);
	v = jv_parser_next(parser);
	if (!jv_is_valid(v)) {
		r = invalid(v, e);
		goto out;
	}
	rest = jv_parser_next(parser);
	if (jv_is_valid(rest)) {
		error_set(e, "JSON: more than one value");
		jv_free(rest);
	} else if (jv_invalid_has_msg(jv_copy(rest))) {
		invalid(rest, e);
	} else {
		jv_free(rest);
		*ret = v;
		v = jv_invalid();
		r = 0;
	}
	jv_free(v);
out:
	jv_parser_free(parser);
	return r;
}

int
json_parse_object(struct bytes in, jv *ret, struct error *e)
{
	jv v;

	if (json_parse(in, &v, e) != 0)
		return -1;
	if (jv_get_kind(v) != JV_KIND_OBJECT) {
		jv_free(v);
		return error_set(e, "JSON: not an object");
	}
	*ret = v;
	return 0;
}

jv
json_get(jv object, const char *key)
{
	if (jv_get_kind(object) != JV_KIND_OBJECT)
		return jv_invalid();
	return jv_object_get(jv_copy(object), jv_string(key));
}

int
json_get_str(jv object, const char *key, char *out, size_t cap,
    struct error *e)
{
	jv v = json_get(object, key);
	int r = 1;

	out[0] = '\0';
	if (!jv_is_valid(v) || jv_get_kind(v) == JV_KIND_NULL)
		r = 0;
	else if (jv_get_kind(v) != JV_KIND_STRING)
		r = error_set(e, "%s: not a string", key);
	else if (str_from_bytes(out, cap, bytes_of(jv_string_value(v),
	    (size_t)jv_string_length_bytes(jv_copy(v)))) != 0)
		r = error_errno(e, "%s", key);
	jv_free(v);
	return r;
}

int
json_get_int(jv object, const char *key, int64_t min, int64_t max,
    int64_t *ret, struct error *e)
{
	jv v = json_get(object, key);
	jv_kind kind = jv_get_kind(v);
	double d = kind == JV_KIND_NUMBER ? jv_number_value(v) : 0;

	jv_free(v);
	if (kind == JV_KIND_INVALID || kind == JV_KIND_NULL)
		return 0;
	if (kind != JV_KIND_NUMBER || d != floor(d) || d < (double)min ||
	    d > (double)max || d >= 0x1p63)
		return error_set(e, "%s: not a whole number from %" PRId64
		    " to %" PRId64, key, min, max);
	*ret = (int64_t)d;
	return 1;
}
