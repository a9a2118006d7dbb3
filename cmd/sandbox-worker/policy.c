/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/policy.h"

#include "common/jqprogram.h"

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

/* Appends what it gives. */
static int
take_value(jv v, struct buf *out, struct error *e)
{
	jv text;
	int r;

	if (jv_get_kind(v) != JV_KIND_OBJECT) {
		jv_free(v);
		return error_set(e, "it gives no object");
	}
	text = jv_dump_string(v, 0);
	r = buf_add(out, bytes_of(jv_string_value(text),
	    (size_t)jv_string_length_bytes(jv_copy(text))));
	jv_free(text);
	return r == 0 ? 0 : error_set(e, "it gives too much");
}

int
policy_check(const char *program, struct error *e)
{
	jq_state *jq = jqprogram_compile(bytes_cstr(program), e);

	if (jq == NULL)
		return -1;
	jq_teardown(&jq);
	return 0;
}

int
policy_evaluate(const char *program, struct bytes session,
    const struct work *work, struct buf *out, struct error *e)
{
	jq_state *jq = jqprogram_compile(bytes_cstr(program), e);
	jv input, v;
	int r = -1;

	if (jq == NULL)
		return -1;
	if (make_input(session, work, &input, e) == 0 &&
	    jqprogram_run(jq, input, &v, e) == 0)
		r = take_value(v, out, e);
	jq_teardown(&jq);
	return r;
}
