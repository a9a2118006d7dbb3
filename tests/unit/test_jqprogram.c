/* SPDX-License-Identifier: ISC */
/* Programs of operators: what compiles, and what gives one value. */
#include "common/jqprogram.h"

#include "common/str.h"
#include "tests/unit/test.h"

static struct error e;

/* The value that a program gives for {"a":1}, in JSON, or why it gives none. */
static const char *
run(struct bytes program)
{
	static char got[256];
	jq_state *jq = jqprogram_compile(program, &e);
	jv v, text;

	if (jq == NULL) {
		str_format(got, sizeof got, "no program: %.40s", e.text);
		return got;
	}
	if (jqprogram_run(jq, jv_parse("{\"a\":1}"), &v, &e) != 0) {
		str_format(got, sizeof got, "none: %s", e.text);
	} else {
		text = jv_dump_string(v, 0);
		str_format(got, sizeof got, "%s", jv_string_value(text));
		jv_free(text);
	}
	jq_teardown(&jq);
	return got;
}

static void
test_values(void)
{
	static const struct {
		const char *program, *want;
	} rows[] = {
		{"true", "true"}, {".a", "1"}, {"", "{\"a\":1}"},
		{"null", "null"}, {"empty", "none: it gives no value"},
		{"(1, 2)", "none: it gives more than one value"},
		{"error(\"x\\ny\")", "none: x"}, {"error({b: 2})", "none: {\"b\":2}"},
		{"(true, error(\"later\"))", "none: later"},
		{"halt", "none: it gives no value"},
		{"(true, halt)", "none: it halts"},
		{"input", "none: break"}, {"[inputs]", "[]"},
		{"debug", "{\"a\":1}"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		eq_str(run(bytes_cstr(rows[i].program)), rows[i].want, "%s",
		    rows[i].program);
}

static void
test_compile(void)
{
	ok(str_starts(run(bytes_cstr("{")), "no program: jq: error: syntax"),
	    "what is wrong is told");
	ok(str_starts(run(bytes_cstr("nothing_like_it")), "no program: "),
	    "a name that is not there");
	eq_str(run(bytes_of("true\0 | false", 13)), "no program: a NUL byte",
	    "a NUL would hide the rest");
	ok(jqprogram_compile(bytes_cstr("import \"x\" as x; true"), &e) == NULL,
	    "a module that is not there");
}

/* The same program, after each kind of failure. */
static void
test_again(void)
{
	jq_state *jq = jqprogram_compile(bytes_cstr("if . == 1 then error(\"x\")"
	    " elif . == 2 then halt elif . == 3 then (1, 2) else . end"), &e);
	jv v;
	int bad = 0;

	for (int i = 0; i < 8; i++) {
		int r = jqprogram_run(jq, jv_number(i), &v, &e);

		bad += (r == 0) != (i < 1 || i > 3);
		bad += r == 0 && jv_get_kind(v) != JV_KIND_NUMBER;
		if (r == 0)
			jv_free(v);
	}
	eq_int(bad, 0, "a failure is over with its input");
	jq_teardown(&jq);
}

int
main(void)
{
	test_values();
	test_compile();
	test_again();
	return test_done();
}
