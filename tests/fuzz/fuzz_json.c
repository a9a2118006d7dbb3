/* SPDX-License-Identifier: ISC */
/* The JSON reader and writer: a string that was written is read back; what
 * was read can be asked. */
#include <assert.h>

#include "common/json.h"
#include "common/jsonw.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len);

/* Writes in as a string; reading gives the same text with what is no UTF-8
 * replaced, so writing that again changes nothing. */
static void
round_trip(struct bytes in)
{
	struct buf first, second;
	struct jsonw w;
	struct error e;
	jv v;

	buf_init(&first, 1 << 20);
	buf_init(&second, 1 << 20);
	jsonw_init(&w, &first);
	jsonw_bytes(&w, in);
	if (jsonw_ok(&w)) {
		assert(json_parse(buf_bytes(&first), &v, &e) == 0);
		assert(jv_get_kind(v) == JV_KIND_STRING);
		jsonw_init(&w, &second);
		jsonw_bytes(&w, bytes_of(jv_string_value(v),
		    (size_t)jv_string_length_bytes(jv_copy(v))));
		assert(bytes_eq(buf_bytes(&first), buf_bytes(&second)));
		jv_free(v);
	}
	buf_reset(&first);
	buf_reset(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct error e = {.text = ""};
	char text[16];
	int64_t n = 7;
	jv v;

	round_trip(bytes_of(in, len));
	if (json_parse(bytes_of(in, len), &v, &e) != 0) {
		assert(e.text[0] != '\0');
		return 0;
	}
	if (json_get_str(v, "method", text, sizeof text, &e) == 1)
		assert(strlen(text) < sizeof text);
	if (json_get_int(v, "id", INT64_MIN, INT64_MAX, &n, &e) == 0)
		assert(n == 7);
	if (json_get_int(v, "limit", 1, 9, &n, &e) == 1)
		assert(n >= 1 && n <= 9);
	jv_free(json_get(v, "params"));
	jv_free(v);
	return 0;
}
