/* SPDX-License-Identifier: ISC */
#include "common/jqprogram.h"

#include "common/buf.h"

/* Keeps the first message, which names the cause.  Consumes it. */
static void
keep_message(void *user, jv message)
{
	struct error *e = user;

	if (e->text[0] == '\0') {
		jv text = jv_get_kind(message) == JV_KIND_STRING
		    ? jv_copy(message) : jv_dump_string(jv_copy(message), 0);

		error_set(e, "%.*s", (int)strcspn(jv_string_value(text),
		    "\n"), jv_string_value(text));
		jv_free(text);
	}
	jv_free(message);
}

static jv
give_no_input(jq_state *jq, void *user)
{
	(void)jq;
	(void)user;
	return jv_invalid();
}

jq_state *
jqprogram_init(void)
{
	jq_state *jq = jq_init();

	if (jq == NULL)
		return NULL;
	/* jq 1.6 leaves these as they lie in memory, and aborts without a path
	 * for modules. */
	jq_set_input_cb(jq, give_no_input, NULL);
	jq_set_debug_cb(jq, NULL, NULL);
	jq_set_attr(jq, jv_string("JQ_LIBRARY_PATH"), jv_array());
	return jq;
}

jq_state *
jqprogram_compile(struct bytes text, struct error *e)
{
	jq_state *jq = NULL;
	struct buf copy;

	e->text[0] = '\0';
	buf_init(&copy, text.len + 1);
	if (text.len != 0 && memchr(text.ptr, '\0', text.len) != NULL)
		error_set(e, "a NUL byte");
	else if (buf_add(&copy, text) != 0 ||
	    buf_add(&copy, bytes_of("", 1)) != 0 || (jq = jqprogram_init()) == NULL)
		error_set(e, "out of memory");
	if (jq != NULL) {
		jq_set_error_cb(jq, keep_message, e);
		if (jq_compile(jq, (const char *)buf_bytes(&copy).ptr) == 0)
			jq_teardown(&jq);
	}
	if (jq == NULL && e->text[0] == '\0')
		error_set(e, "it does not compile");
	buf_reset(&copy);
	return jq;
}

/* Says why there is no value, which is consumed. */
static int
fail(jv v, const char *otherwise, struct error *e)
{
	e->text[0] = '\0';
	if (!jv_is_valid(v) && jv_invalid_has_msg(jv_copy(v)))
		keep_message(e, jv_invalid_get_msg(jv_copy(v)));
	if (e->text[0] == '\0')
		error_set(e, "%s", otherwise);
	jv_free(v);
	return -1;
}

int
jqprogram_run(jq_state *jq, jv input, jv *ret, struct error *e)
{
	jv v, more;

	jq_start(jq, input, 0);
	v = jq_next(jq);
	if (!jv_is_valid(v))
		return fail(v, "it gives no value", e);
	more = jq_next(jq);
	if (!jv_is_valid(more) && !jv_invalid_has_msg(jv_copy(more)) &&
	    !jq_halted(jq)) {
		jv_free(more);
		*ret = v;
		return 0;
	}
	jv_free(v);
	return fail(more, jq_halted(jq) ? "it halts"
	    : "it gives more than one value", e);
}
