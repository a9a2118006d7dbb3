/* SPDX-License-Identifier: ISC */
#include "cmd/frame-dump/filter.h"

#include <stdlib.h>

#include "common/jqprogram.h"
#include "common/str.h"

struct filter {
	jq_state *jq;
	struct error first; /* what jq complained of first; "" if nothing */
};

/* Keeps the first line of the first message: the rest repeats the program
 * and counts errors. */
static void
keep_message(void *user, jv message)
{
	static const char prefix[] = "jq: error: ";
	struct filter *f = user;
	const char *text = jv_get_kind(message) == JV_KIND_STRING
	    ? jv_string_value(message) : "error";
	size_t len;

	if (str_starts(text, prefix))
		text += sizeof prefix - 1;
	len = strcspn(text, "\n");
	if (len != 0 && text[len - 1] == ':')
		len--;
	if (f->first.text[0] == '\0')
		error_set(&f->first, "%.*s", (int)len, text);
	jv_free(message);
}

struct filter *
filter_new(const char *expression, struct error *e)
{
	struct filter *f = calloc(1, sizeof *f);

	if (f == NULL || (f->jq = jqprogram_init()) == NULL) {
		free(f);
		error_set(e, "no memory");
		return NULL;
	}
	jq_set_error_cb(f->jq, keep_message, f);
	if (jq_compile(f->jq, expression) != 0)
		return f;
	*e = f->first;
	filter_free(f);
	return NULL;
}

void
filter_free(struct filter *f)
{
	if (f == NULL)
		return;
	jq_teardown(&f->jq);
	free(f);
}

/* jq's message for a value that is not valid; consumes it. */
static int
failed(jv result, struct error *e)
{
	jv message = jv_invalid_get_msg(result);

	error_set(e, "%s", jv_get_kind(message) == JV_KIND_STRING
	    ? jv_string_value(message) : "not a text");
	jv_free(message);
	return -1;
}

int
filter_match(struct filter *f, struct bytes json, struct error *e)
{
	jv input, result;
	int r = 0;

	if (json_parse(json, &input, e) != 0)
		return -1;
	jq_start(f->jq, input, 0);
	result = jq_next(f->jq);
	if (jv_is_valid(result))
		r = jv_get_kind(result) != JV_KIND_FALSE &&
		    jv_get_kind(result) != JV_KIND_NULL;
	else if (jv_invalid_has_msg(jv_copy(result)))
		return failed(result, e);
	jv_free(result);
	return r;
}
