/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/questions.h"

#include <stdlib.h>

void
questions_add(struct questions *q, struct evaluator_question *one)
{
	one->next = NULL;
	if (q->last != NULL)
		q->last->next = one;
	else
		q->first = one;
	q->last = one;
	q->count++;
}

struct evaluator_question *
questions_take(struct questions *q)
{
	struct evaluator_question *one = q->first;

	if (one == NULL)
		return NULL;
	q->first = one->next;
	if (q->first == NULL)
		q->last = NULL;
	q->count--;
	return one;
}

void
questions_put_back(struct questions *q, struct questions *front)
{
	if (front->first == NULL)
		return;
	front->last->next = q->first;
	if (q->last == NULL)
		q->last = front->last;
	q->first = front->first;
	q->count += front->count;
	*front = (struct questions){NULL, NULL, 0};
}

void
question_end(struct evaluator_question *q, struct bytes answer,
    const struct error *e)
{
	q->done(q->user, buf_bytes(&q->text), answer, e);
	buf_reset(&q->text);
	free(q);
}

void
question_fail(struct evaluator_question *q, enum evaluator_fault fault,
    const char *text)
{
	struct error e = {.code = (int)fault};

	error_set(&e, "%s", text);
	question_end(q, bytes_of(NULL, 0), &e);
}
