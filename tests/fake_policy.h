/* SPDX-License-Identifier: ISC */
/* A policy for tests of what asks it: it judges by the first letter of the
 * name, and says so at once or, after 'l', when fake_answer is called.  For
 * programs that do not link the true one. */
#ifndef ADIT_FAKE_POLICY_H
#define ADIT_FAKE_POLICY_H

#include <stdlib.h>

#include "cmd/mcp-proxy/policy.h"

struct policy_asked {
	char letter;
	bool forgotten;
	struct buf message; /* of a rewriting */
	policy_done *done;
	void *user;
};

static struct policy_asked *fake_asked; /* the last, or NULL */
static struct buf fake_message = {.max = 1 << 20}; /* of a rewriting at once */
static size_t fake_count;               /* of questions */

/* Writes the message with "new" for "old". */
static void
fake_rewrite(struct bytes message, struct buf *out)
{
	const uint8_t *at = memmem(message.ptr, message.len, "old", 3);
	size_t n = at == NULL ? message.len : (size_t)(at - message.ptr);

	buf_clear(out);
	buf_add(out, bytes_of(message.ptr, n));
	if (at != NULL)
		buf_add_str(out, "new");
	buf_add(out, bytes_after(message, at == NULL ? n : n + 3));
}

/* 'x': denied; 'w': rewritten. */
static void
fake_verdict(char letter, const struct buf *message, struct policy_verdict *ret)
{
	*ret = (struct policy_verdict){.action = POLICY_ALLOW};
	if (letter == 'x')
		*ret = (struct policy_verdict){POLICY_DENY, bytes_cstr("no"),
		    bytes_cstr("r"), bytes_of(NULL, 0)};
	if (letter == 'w')
		*ret = (struct policy_verdict){.action = POLICY_REWRITE,
		    .message = buf_bytes(message)};
}

static char
fake_letter(const struct policy_question *q, size_t at)
{
	return q->name.len > at ? (char)q->name.ptr[at] : '\0';
}

int
policy_judge(struct proxy *p, const struct policy_question *q,
    struct policy_verdict *ret, policy_done *done, void *user,
    struct policy_asked **ret_asked)
{
	(void)p;
	fake_count++;
	if (fake_letter(q, 0) != 'l') {
		fake_rewrite(q->message, &fake_message);
		fake_verdict(fake_letter(q, 0), &fake_message, ret);
		return 1;
	}
	fake_asked = calloc(1, sizeof *fake_asked);
	if (fake_asked == NULL)
		exit(1);
	fake_asked->letter = fake_letter(q, 1);
	buf_init(&fake_asked->message, 1 << 20);
	fake_rewrite(q->message, &fake_asked->message);
	fake_asked->done = done;
	fake_asked->user = user;
	*ret_asked = fake_asked;
	return 0;
}

void
policy_forget(struct policy_asked *a)
{
	if (a != NULL)
		a->forgotten = true;
}

/* Says what is still to be said.  Returns whether there was something. */
static bool
fake_answer(void)
{
	struct policy_asked *a = fake_asked;
	struct policy_verdict v;

	fake_asked = NULL;
	if (a == NULL)
		return false;
	fake_verdict(a->letter, &a->message, &v);
	if (!a->forgotten)
		a->done(a->user, &v);
	buf_reset(&a->message);
	free(a);
	return true;
}

#endif
