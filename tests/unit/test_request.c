/* SPDX-License-Identifier: ISC */
/* The OPEN of a stream, the words of a command, the talk with the tools'
 * process. */
#include "cmd/sandbox-exec/commands.h"
#include "cmd/sandbox-exec/request.h"
#include "cmd/sandbox-exec/toolwire.h"
#include "common/frame.h"
#include "tests/unit/test.h"

static void
check_refused(void)
{
	static const struct {
		const char *json, *why;
	} cases[] = {
		{"{}", "kind: not session, tool or exec"},
		{"{\"kind\":\"tls\"}", "kind: not session, tool or exec"},
		{"{\"kind\":\"session\",\"policy\":[]}",
		    "policy: not an object"},
		{"{\"kind\":\"session\",\"policy\":{},\"policy\":{}}",
		    "policy: given twice"},
		{"{\"kind\":\"tool\",\"tool\":\"bash\"}", "session: missing"},
		{"{\"kind\":\"tool\",\"session\":0,\"tool\":\"bash\"}",
		    "session: not a whole number from 1 to 4294967295"},
		{"{\"kind\":\"tool\",\"session\":1}", "tool: missing"},
		{"{\"kind\":\"exec\"}", "argv: not a list of strings"},
		{"{\"kind\":\"exec\",\"argv\":\"ls\"}",
		    "argv: not a list of strings"},
		{"{\"kind\":\"exec\",\"argv\":[]}", "argv: no command"},
		{"{\"kind\":\"exec\",\"argv\":[\"\"]}", "argv: no command"},
		{"{\"kind\":\"exec\",\"argv\":[\"a\",1]}",
		    "argv: not a list of strings"},
		{"{\"kind\":\"exec\",\"argv\":[\"a\\u0000b\"]}",
		    "argv: a NUL in a string"},
		{"{\"kind\":\"exec\",\"argv\":[\"a\"],\"session\":1,"
		    "\"policy\":{}}", "policy: the session has one"},
		{"{\"kind\":\"exec\",\"argv\":[\"a\"],\"time_ms\":0}",
		    "time_ms: not a whole number from 1 to 86400000"},
	};
	static struct request r;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct error e = {.text = ""};

		eq_int(request_parse(bytes_cstr(cases[i].json), &r, &e), -1,
		    "%s is refused", cases[i].json);
		eq_str(e.text, cases[i].why, "and told why");
		eq_int(e.code, FRAME_PROTOCOL, "as a breach of protocol");
	}
}

static void
check_taken(void)
{
	static struct request r;
	struct error e;

	eq_int(request_parse(bytes_cstr("{\"kind\":\"session\",\"x\":1,"
	    "\"policy\": {\"net\":\"none\"} }"), &r, &e), 0, "a session");
	eq_bytes(r.policy, bytes_cstr("{\"net\":\"none\"}"), "its policy");
	request_done(&r);
	eq_int(request_parse(bytes_cstr("{\"kind\":\"tool\",\"session\":7,"
	    "\"tool\":\"bash\",\"live\":true}"), &r, &e), 0, "a tool");
	ok(r.session == 7 && r.live && strcmp(r.tool, "bash") == 0,
	    "which, where, and live");
	request_done(&r);
	eq_int(request_parse(bytes_cstr("{\"kind\":\"exec\",\"argv\":"
	    "[\"echo\",\"\",\"\\u00e9\"],\"stdin\":false,\"time_ms\":5}"), &r,
	    &e), 0, "a command");
	ok(r.kind == REQUEST_EXEC && r.session == 0 && !r.has_stdin &&
	    r.time_ms == 5, "without input, for a time");
	eq_str(r.argv[0], "echo", "its first word");
	eq_str(r.argv[1], "", "an empty one");
	eq_str(r.argv[2], "\303\251", "one that was escaped");
	ok(r.argv[3] == NULL, "and no more");
	request_done(&r);
}

/* A command of so many words. */
static int
parse_words(size_t count)
{
	static struct request r;
	struct error e;
	struct buf b;
	int status;

	buf_init(&b, 1 << 16);
	buf_add_str(&b, "{\"kind\":\"exec\",\"argv\":[\"x\"");
	for (size_t i = 1; i < count; i++)
		buf_add_str(&b, ",\"\"");
	buf_add_str(&b, "]}");
	status = request_parse(buf_bytes(&b), &r, &e);
	request_done(&r);
	buf_reset(&b);
	return status;
}

static void
check_split(void)
{
	static char *words[INIT_WORDS_MAX + 2];
	static const uint8_t empty[INIT_WORDS_MAX + 1];
	const struct bytes in = bytes_of("a\0b\0X=1\0", 8);

	eq_int(commands_split(in, 2, 1, words), 0, "words are split");
	ok(strcmp(words[0], "a") == 0 && strcmp(words[1], "b") == 0 &&
	    words[2] == NULL && strcmp(words[3], "X=1") == 0 &&
	    words[4] == NULL, "into a command and its variables");
	eq_int(commands_split(in, 3, 0, words), 0, "without variables");
	ok(words[3] == NULL && words[4] == NULL, "the list is empty");
	eq_int(commands_split(bytes_of(NULL, 0), 0, 0, words), 0, "no words");
	ok(words[0] == NULL && words[1] == NULL, "both lists are");
	eq_int(commands_split(in, 2, 0, words), -1, "one is left over");
	eq_int(commands_split(in, 2, 2, words), -1, "one is missing");
	eq_int(commands_split(bytes_of("a", 1), 1, 0, words), -1,
	    "the last has no end");
	eq_int(commands_split(in, INIT_WORDS_MAX + 1, 0, words), -1,
	    "too many");
	eq_int(commands_split(bytes_of(empty, sizeof empty), 1,
	    INIT_WORDS_MAX, words), -1, "too many with the variables");
	eq_int(commands_split(bytes_of(empty, INIT_WORDS_MAX), 1,
	    INIT_WORDS_MAX - 1, words), 0, "as many as may be");
	eq_int(commands_split(in, UINT32_MAX, 1, words), -1, "far too many");
	eq_int(commands_split(in, 1, UINT32_MAX, words), -1,
	    "the sum as well");
}

static void
check_prefixes(struct bytes whole, bool answer)
{
	struct toolwire_request q;
	struct toolwire_answer a;

	for (size_t n = 0; n < whole.len; n++) {
		struct bytes part = bytes_of(whole.ptr, n);
		ssize_t r = answer ? toolwire_get_answer(part, &a) :
		    toolwire_get_request(part, &q);

		if (r != 0) {
			ok(false, "%zu bytes of %zu are not enough", n,
			    whole.len);
			return;
		}
	}
	ok(true, "no prefix is taken for the whole");
}

static void
check_toolwire(void)
{
	struct toolwire_request q;
	struct toolwire_answer a;
	uint8_t bad[] = {2, 0, 0, 0, 0};
	struct buf b;

	buf_init(&b, TOOLWIRE_ANSWER_MAX);
	toolwire_add_request(&b, "read", bytes_cstr("{}"));
	check_prefixes(buf_bytes(&b), false);
	eq_int(toolwire_get_request(buf_bytes(&b), &q), buf_len(&b),
	    "a request");
	eq_str(q.name, "read", "its tool");
	eq_bytes(q.input, bytes_cstr("{}"), "its input");
	buf_clear(&b);
	toolwire_add_answer(&b, true, bytes_cstr("no"));
	check_prefixes(buf_bytes(&b), true);
	eq_int(toolwire_get_answer(buf_bytes(&b), &a), buf_len(&b),
	    "an answer");
	ok(a.is_error, "an error");
	eq_bytes(a.text, bytes_cstr("no"), "its text");
	eq_int(toolwire_get_answer(bytes_of(bad, sizeof bad), &a), -1,
	    "neither error nor not");
	be32_put(bad + 1, TOOLWIRE_TEXT_MAX);
	bad[0] = 0;
	eq_int(toolwire_get_answer(bytes_of(bad, sizeof bad), &a), 0,
	    "the longest text has to come");
	be32_put(bad + 1, TOOLWIRE_TEXT_MAX + 1);
	eq_int(toolwire_get_answer(bytes_of(bad, sizeof bad), &a), -1,
	    "a longer one need not");
	buf_clear(&b);
	toolwire_add_request(&b, "a-name-that-is-17", bytes_cstr("{}"));
	eq_int(toolwire_get_request(buf_bytes(&b), &q), -1,
	    "a name that is too long");
	buf_reset(&b);
}

int
main(void)
{
	check_refused();
	check_taken();
	eq_int(parse_words(REQUEST_WORDS_MAX), 0, "as many words as may be");
	eq_int(parse_words(REQUEST_WORDS_MAX + 1), -1, "one more");
	check_split();
	check_toolwire();
	return test_done();
}
