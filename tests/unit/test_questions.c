/* SPDX-License-Identifier: ISC */
/* Questions that wait: in their order, and before others when they are asked
 * again. */
#include "cmd/mcp-proxy/questions.h"

#include "tests/unit/test.h"

static char told[512];

static void
on_done(void *user, struct bytes question, struct bytes answer,
    const struct error *e)
{
	size_t n = strlen(told);

	snprintf(told + n, sizeof told - n, "%s:%.*s%.*s%s ", (char *)user,
	    (int)question.len, (const char *)question.ptr, (int)answer.len,
	    answer.len == 0 ? "" : (const char *)answer.ptr,
	    e == NULL ? "" : e->text);
}

static struct evaluator_question *
question(char *name)
{
	struct evaluator_question *q = calloc(1, sizeof *q);

	if (q == NULL)
		exit(1);
	q->done = on_done;
	q->user = name;
	buf_init(&q->text, 8);
	buf_add_str(&q->text, "q");
	return q;
}

int
main(void)
{
	struct questions all = {NULL, NULL, 0}, front = {NULL, NULL, 0};
	char names[] = "a\0b\0c\0d";

	ok(questions_take(&all) == NULL, "none");
	questions_put_back(&all, &front);
	eq_int(all.count, 0, "none before none");
	questions_add(&all, question(names));
	questions_add(&front, question(names + 2));
	questions_add(&front, question(names + 4));
	questions_put_back(&all, &front);
	ok(all.count == 3 && front.count == 0 && front.first == NULL,
	    "two before one");
	questions_add(&all, question(names + 6));
	question_end(questions_take(&all), bytes_cstr("!"), NULL);
	question_fail(questions_take(&all), EVALUATOR_LATE, "late");
	question_end(questions_take(&all), bytes_cstr(""), NULL);
	questions_add(&front, questions_take(&all));
	ok(all.first == NULL && all.last == NULL, "all are taken");
	questions_put_back(&all, &front);
	questions_add(&all, question(names));
	question_end(questions_take(&all), bytes_cstr(""), NULL);
	question_end(questions_take(&all), bytes_cstr(""), NULL);
	eq_str(told, "b:q! c:qlate a:q d:q a:q ", "in this order");
	return test_done();
}
