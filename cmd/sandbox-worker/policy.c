/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/policy.h"

#include "common/json.h"

/* Keeps the first message, which names the cause. */
static void
take_message(void *user, jv message)
{
	struct error *e = user;

	if (e->text[0] == '\0') {
		jv text = jv_get_kind(message) == JV_KIND_STRING ?
		    jv_copy(message) : jv_dump_string(jv_copy(message), 0);

		error_set(e, "%.*s", (int)strcspn(jv_string_value(text),
		    "\n"), jv_string_value(text));
		jv_free(text);
	}
	jv_free(message);
}

static int
make_input(struct bytes session, const struct work *work, jv *ret,
    struct error *e)
{
	jv v, item = jv_object();

	if (json_parse_object(session, &v, e) != 0) {
		jv_free(item);
		return -1;
	}
	item = jv_object_set(item, jv_string("id"), jv_string(work->id));
	item = jv_object_set(item, jv_string("session_id"),
	    jv_string(work->session_id));
	*ret = jv_object_set(jv_object_set(jv_object_set(jv_object(),
	    jv_string("session"), v), jv_string("work"), item),
	    jv_string("environment_id"), jv_string(work->environment_id));
	return 0;
}

/* The one value that a started program gives. */
static int
take_value(jq_state *jq, struct buf *out, struct error *e)
{
	jv v = jq_next(jq), more = jv_invalid(), text;
	int r = -1;

	if (!jv_is_valid(v)) {
		if (jv_invalid_has_msg(jv_copy(v)))
			take_message(e, jv_invalid_get_msg(jv_copy(v)));
		else
			error_set(e, "it gives nothing");
	} else if (jv_get_kind(v) != JV_KIND_OBJECT) {
		error_set(e, "it gives no object");
	} else {
		jv_free(more);
		more = jq_next(jq);
		text = jv_dump_string(jv_copy(v), 0);
		if (jv_is_valid(more) || jv_invalid_has_msg(jv_copy(more)))
			error_set(e, "it gives more than one value");
		else if (buf_add(out, bytes_of(jv_string_value(text),
		    (size_t)jv_string_length_bytes(jv_copy(text)))) != 0)
			error_set(e, "it gives too much");
		else
			r = 0;
		jv_free(text);
	}
	jv_free(more);
	jv_free(v);
	return r;
}

/* Returns NULL with a text. */
static jq_state *
compile(const char *program, struct error *e)
{
	jq_state *jq = jq_init();

	e->text[0] = '\0';
	if (jq == NULL) {
		error_set(e, "out of memory");
		return NULL;
	}
	jq_set_error_cb(jq, take_message, e);
	if (jq_compile(jq, program) != 0)
		return jq;
	if (e->text[0] == '\0')
		error_set(e, "it does not compile");
	jq_teardown(&jq);
	return NULL;
}

int
policy_check(const char *program, struct error *e)
{
	jq_state *jq = compile(program, e);

	if (jq == NULL)
		return -1;
	jq_teardown(&jq);
	return 0;
}

int
policy_evaluate(const char *program, struct bytes session,
    const struct work *work, struct buf *out, struct error *e)
{
	jq_state *jq = compile(program, e);
	jv input;
	int r = -1;

	if (jq == NULL)
		return -1;
	if (make_input(session, work, &input, e) == 0) {
		jq_start(jq, input, 0);
		r = take_value(jq, out, e);
	}
	jq_teardown(&jq);
	return r;
}
