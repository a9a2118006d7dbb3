/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/judge.h"

#include <errno.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/jqprogram.h"

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

static bool
answer(jq_state *jq, struct bytes question)
{
	struct error e = {.text = ""};
	jv input, v, text;
	bool said;

	if (json_parse_object(question, &input, &e) != 0)
		return say(JUDGE_FAULT, bytes_cstr(e.text));
	if (jqprogram_run(jq, input, &v, &e) != 0)
		return say(JUDGE_FAULT, bytes_cstr(e.text));
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
	if (!read_message(&in))
		goto out;
	jq = jqprogram_compile(buf_bytes(&in), &e);
	if (jq == NULL) {
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
