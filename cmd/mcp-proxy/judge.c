/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/judge.h"

#include <errno.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/json.h"
#include "common/str.h"

enum { READ_LEN = 64 << 10 };

ssize_t
judge_take(struct bytes in, enum judge_word *ret_word, struct bytes *ret_text)
{
	uint32_t len;

	if (in.len < JUDGE_LENGTH_LEN)
		return 0;
	len = be32_get(in.ptr);
	if (len == 0 || len > JUDGE_ANSWER_MAX)
		return -1;
	if (in.len > JUDGE_LENGTH_LEN && in.ptr[JUDGE_LENGTH_LEN] !=
	    JUDGE_READY && in.ptr[JUDGE_LENGTH_LEN] != JUDGE_VALUE &&
	    in.ptr[JUDGE_LENGTH_LEN] != JUDGE_FAULT)
		return -1;
	if (in.len - JUDGE_LENGTH_LEN < len)
		return 0;
	*ret_word = (enum judge_word)in.ptr[JUDGE_LENGTH_LEN];
	*ret_text = bytes_of(in.ptr + JUDGE_LENGTH_LEN + 1, len - 1);
	return (ssize_t)(JUDGE_LENGTH_LEN + len);
}

/* ---- the socket ---- */

/* Reads len bytes to the end of b.  Returns false at the end of input. */
static bool
read_bytes(struct buf *b, size_t len)
{
	while (len != 0) {
		size_t want = len < READ_LEN ? len : READ_LEN;
		uint8_t *at = buf_reserve(b, want);
		ssize_t n = at == NULL ? -1 : read(STDIN_FILENO, at, want);

		if (n == -1 && at != NULL && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		buf_commit(b, (size_t)n);
		len -= (size_t)n;
	}
	return true;
}

/* Reads a message.  Returns false when there is no more. */
static bool
read_message(struct buf *b)
{
	uint32_t len;

	buf_clear(b);
	if (!read_bytes(b, JUDGE_LENGTH_LEN))
		return false;
	len = be32_get(buf_bytes(b).ptr);
	buf_clear(b);
	return len <= JUDGE_QUESTION_MAX && read_bytes(b, len);
}

static bool
say(enum judge_word word, struct bytes text)
{
	uint8_t head[JUDGE_LENGTH_LEN + 1];
	static const char too_long[] = "what it gives is too long";

	if (text.len >= JUDGE_ANSWER_MAX) {
		word = JUDGE_FAULT;
		text = bytes_cstr(too_long);
	}
	be32_put(head, (uint32_t)text.len + 1);
	head[JUDGE_LENGTH_LEN] = (uint8_t)word;
	return io_write_all(STDOUT_FILENO, bytes_of(head, sizeof head)) == 0 &&
	    io_write_all(STDOUT_FILENO, text) == 0;
}

/* ---- the program ---- */

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
compile(jq_state *jq, struct buf *program, struct error *e)
{
	jq_set_error_cb(jq, take_message, e);
	e->text[0] = '\0';
	/* jq_compile wants a string, in which a NUL would end the program
	 * before its end. */
	if (memchr(buf_bytes(program).ptr == NULL ? (const uint8_t *)""
	    : buf_bytes(program).ptr, '\0', buf_len(program)) != NULL)
		return error_set(e, "a NUL byte");
	if (buf_add(program, bytes_of("", 1)) != 0)
		return error_set(e, "too long");
	if (jq_compile(jq, (const char *)buf_bytes(program).ptr) != 0)
		return 0;
	return e->text[0] != '\0' ? -1 : error_set(e, "it does not compile");
}

/* The first value that the started program gives, if it is the only one. */
static jv
take_value(jq_state *jq, struct error *e)
{
	jv v = jq_next(jq), more;

	if (!jv_is_valid(v)) {
		if (jv_invalid_has_msg(jv_copy(v)))
			take_message(e, jv_invalid_get_msg(jv_copy(v)));
		else
			error_set(e, "it gives no value");
		return v;
	}
	more = jq_next(jq);
	if (jv_is_valid(more)) {
		error_set(e, "it gives more than one value");
	} else if (jv_invalid_has_msg(jv_copy(more))) {
		take_message(e, jv_invalid_get_msg(jv_copy(more)));
	} else if (jq_halted(jq)) {
		error_set(e, "it halts");
	} else {
		jv_free(more);
		return v;
	}
	jv_free(more);
	jv_free(v);
	return jv_invalid();
}

static bool
answer(jq_state *jq, struct bytes question)
{
	struct error e = {.text = ""};
	jv input, v, text;
	bool said;

	if (json_parse_object(question, &input, &e) != 0)
		return say(JUDGE_FAULT, bytes_cstr(e.text));
	jq_start(jq, input, 0);
	v = take_value(jq, &e);
	if (!jv_is_valid(v)) {
		jv_free(v);
		return say(JUDGE_FAULT, bytes_cstr(e.text));
	}
	text = jv_dump_string(v, 0);
	said = say(JUDGE_VALUE, bytes_of(jv_string_value(text),
	    (size_t)jv_string_length_bytes(jv_copy(text))));
	jv_free(text);
	return said;
}

/* It exists because a program of many lines that sees every message is best run
 * where nothing else is.  It may use its socket, a processor and some memory;
 * it ends with its socket, or is killed when a question takes too long. */
int
judge_main(void)
{
	struct buf in;
	struct error e;
	jq_state *jq = NULL;
	int r = EXIT_FAILED;

	buf_init(&in, JUDGE_QUESTION_MAX);
	if (judge_confine(&e) != 0) {
		say(JUDGE_FAULT, bytes_cstr(e.text));
		goto out;
	}
	jq = jq_init();
	if (jq == NULL || !read_message(&in))
		goto out;
	if (compile(jq, &in, &e) != 0) {
		say(JUDGE_FAULT, bytes_cstr(e.text));
		goto out;
	}
	if (!say(JUDGE_READY, bytes_of(NULL, 0)))
		goto out;
	while (read_message(&in)) {
		if (!answer(jq, buf_bytes(&in)))
			goto out;
	}
	r = EXIT_OK;
out:
	if (jq != NULL)
		jq_teardown(&jq);
	buf_reset(&in);
	return r;
}
