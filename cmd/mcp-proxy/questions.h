/* SPDX-License-Identifier: ISC */
/* Questions to a policy's program, in the order that they were asked in. */
#ifndef ADIT_MCP_PROXY_QUESTIONS_H
#define ADIT_MCP_PROXY_QUESTIONS_H

#include "cmd/mcp-proxy/evaluator.h"

struct evaluator_question {
	struct evaluator_question *next;
	evaluator_done *done;
	void *user;
	int64_t due_ms;       /* to be asked */
	uint8_t head[JUDGE_LENGTH_LEN];
	struct buf text;
};

/* A zeroed one is empty. */
struct questions {
	struct evaluator_question *first, *last;
	size_t count;
};

void questions_add(struct questions *q, struct evaluator_question *one);

/* The first, or NULL. */
struct evaluator_question *questions_take(struct questions *q);

/* Puts all of front before what q has. */
void questions_put_back(struct questions *q, struct questions *front);

/* Answers it, or says why not, and frees it. */
void question_end(struct evaluator_question *q, struct bytes answer,
    const struct error *e);
void question_fail(struct evaluator_question *q, enum evaluator_fault fault,
    const char *text);

#endif
