/* SPDX-License-Identifier: ISC */
/* What a shell is told, what it says, what the tool bash is called with and
 * answers. */
#include "cmd/sandbox-exec/bashcall.h"
#include "cmd/sandbox-exec/session.h"
#include "tests/unit/test.h"

#define NONCE "0123456789abcdef0123456789abcdef"
#define OTHER "1123456789abcdef0123456789abcdef"

static void
check_quote(void)
{
	static const struct {
		const char *command;
		bool fallback;
		const char *want;
	} cases[] = {
		{"echo hi", false, "\\eval ' echo hi' </dev/null 2>&1 200>&-\n"
		    "\n((@ " NONCE " $?)) 2>&200 || ((1))\n"},
		{"", false, "\\eval ' ' </dev/null 2>&1 200>&-\n"
		    "\n((@ " NONCE " $?)) 2>&200 || ((1))\n"},
		{"echo 'a' '", true, "\\command eval ' echo '\\''a'\\'' '\\'''"
		    " </dev/null 2>&1 9>&-\n"
		    "\\command printf '" NONCE " %d\\n' \"$?\" >&9\n"},
	};
	struct buf out;

	buf_init(&out, 1024);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		buf_clear(&out);
		ok(shell_quote(&out, bytes_cstr(cases[i].command), NONCE,
		    cases[i].fallback ? 9 : 200, cases[i].fallback) == 0,
		    "command %zu is quoted", i);
		eq_bytes(buf_bytes(&out), bytes_cstr(cases[i].want), "thus");
	}
	buf_reset(&out);
	buf_init(&out, 40);
	eq_int(shell_quote(&out, bytes_cstr("''''''''''"), NONCE, 200, false),
	    -1, "as far as there is room");
	buf_reset(&out);
}

/* What comes of text in pieces of so many bytes: the status, or -1. */
static int
take(const char *text, size_t piece)
{
	struct shell_tail l = {.len = 0};
	int status = -1;
	bool found = false;

	for (size_t at = 0, n = strlen(text); at < n; at += piece) {
		size_t some = piece < n - at ? piece : n - at;

		found = shell_take_status(&l, bytes_of(text + at, some),
		    NONCE, &status) || found;
	}
	return found ? status : -1;
}

static void
check_status(void)
{
	static const struct {
		const char *text;
		int want;
	} cases[] = {
		{NONCE " 0\n", 0},
		{NONCE " 255\n", 255},
		{NONCE " 256\n", -1},
		{NONCE " -1\n", -1},
		{NONCE "-1\n", -1},
		{NONCE " 0", -1},
		{NONCE "  0\n", -1},
		{NONCE " 0 \n", 0},
		{NONCE " 0000 ", -1},
		{NONCE "\n", -1},
		{OTHER " 7\n", -1},
		{OTHER " 7\n" NONCE " 3\n" OTHER " 8\n", 3},
		{"\n\n" NONCE " 3\n", 3},
		{"x" NONCE " 3\n", 3},
		{"bash: line 3: ((: @ " NONCE " 7: syntax", 7},
		{"0123" NONCE " 3\n", 3},
		{NONCE " 00000000000000000000000000000003\n", -1},
		{NONCE NONCE NONCE " 4\n" NONCE " 5\n", 5},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (size_t piece = 1; piece < 80; piece += 13)
			eq_int(take(cases[i].text, piece), cases[i].want,
			    "status text %zu in pieces of %zu", i, piece);
	}
}

static void
check_parse(void)
{
	static const struct {
		const char *input, *error, *command;
		bool restart;
		int64_t ms;
	} cases[] = {
		{"{\"command\":\"ls\"}", NULL, "ls", false, 0},
		{"{\"command\":\"ls\",\"timeout_ms\":1e5}", NULL, "ls", false,
		    100000},
		{"{\"command\":\"ls\",\"timeout_ms\":1500.75}", NULL, "ls",
		    false, 1500},
		{"{\"command\":\"ls\",\"timeout_ms\":0}", NULL, "ls", false,
		    0},
		{"{\"command\":\"ls\",\"timeout_ms\":0.5}", NULL, "ls", false,
		    0},
		{"{\"command\":\"ls\",\"timeout_ms\":-5}", NULL, "ls", false,
		    0},
		{"{\"command\":\"ls\",\"timeout_ms\":\"9\"}", NULL, "ls",
		    false, 0},
		{"{\"command\":\"ls\",\"timeout_ms\":9e18}", NULL, "ls",
		    false, 24 * 3600 * 1000},
		{"{\"command\":\"ls\",\"timeout_ms\":9e99}", NULL, "ls",
		    false, 0},
		{"{\"restart\":true}", NULL, "", true, 0},
		{"{\"restart\":true,\"command\":\"x\"}", NULL, "x", true, 0},
		{"{\"restart\":1,\"command\":\"x\"}", NULL, "x", false, 0},
		{"{\"command\":\"\",\"restart\":true}", NULL, "", true, 0},
		{"{\"command\":\"\\u0065\\n'\"}", NULL, "e\n'", false, 0},
		{"{}", "bash: command is required", "", false, 0},
		{"{\"command\":\"\"}", "bash: command is required", "", false,
		    0},
		{"{\"command\":7}", "bash: command is required", "", false,
		    0},
		{"{\"restart\":false}", "bash: command is required", "",
		    false, 0},
		{"{\"command\":\"a\",\"command\":\"b\"}",
		    "bash: command is required", "", false, 0},
		{"{\"command\":\"a\\u0000b\"}",
		    "bash: command has a NUL in it", "", false, 0},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bashcall c;
		struct error e = {.text = ""};
		int r = bashcall_parse(bytes_cstr(cases[i].input), &c, &e);

		eq_int(r, cases[i].error == NULL ? 0 : -1, "input %zu", i);
		if (r != 0) {
			eq_str(e.text, cases[i].error, "says why");
			continue;
		}
		eq_bytes(buf_bytes(&c.command), bytes_cstr(cases[i].command),
		    "the command");
		eq_int(c.restart, cases[i].restart, "restart");
		eq_int(c.has_command, cases[i].command[0] != '\0', "present");
		eq_int(c.timeout_ms, cases[i].ms, "the time");
		bashcall_done(&c);
	}
}

static void
check_format(void)
{
	static const struct {
		enum shell_how how;
		int status;
		bool truncated;
		const char *output, *want;
		bool is_error, was_short;
	} cases[] = {
		{.how = SHELL_DONE, .output = "a\nb", .want = "a\nb"},
		{.how = SHELL_DONE, .was_short = true, .output = "",
		    .want = "(no output)\n"
		    "[memory limit: a process was killed]"},
		{.how = SHELL_DIED, .was_short = true, .output = "x",
		    .want = "bash: bash session terminated\nx\n"
		    "[memory limit: a process was killed]", .is_error = true},
		{SHELL_DONE, 0, false, "", "(no output)", false, false},
		{SHELL_DONE, 3, false, "", "exit 3", true, false},
		{SHELL_DONE, 3, false, "no", "no", true, false},
		{SHELL_DONE, 0, true, "z", "[output truncated]\nz", false, false},
		{SHELL_TIMED_OUT, 0, false, "",
		    "bash: bash command timed out after 120000ms", true, false},
		{SHELL_TIMED_OUT, 0, true, "z",
		    "bash: bash command timed out after 120000ms\n"
		    "[output truncated]\nz", true, false},
		{SHELL_DIED, 0, false, "", "bash: bash session terminated",
		    true, false},
		{SHELL_DIED, 0, false, "x",
		    "bash: bash session terminated\nx", true, false},
		{SHELL_FAILED, 0, false, "no shell", "bash: no shell", true, false},
	};
	struct buf out;

	buf_init(&out, 1024);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct shell_result r = {
			.how = cases[i].how, .status = cases[i].status,
			.truncated = cases[i].truncated,
			.text = bytes_cstr(cases[i].output),
		};

		buf_clear(&out);
		eq_int(bashcall_format(&r, SESSION_CALL_MS,
		    cases[i].was_short, &out),
		    cases[i].is_error, "result %zu is%s an error", i,
		    cases[i].is_error ? "" : " not");
		eq_bytes(buf_bytes(&out), bytes_cstr(cases[i].want),
		    "its text");
	}
	buf_reset(&out);
}

int
main(void)
{
	struct bashcall c;
	struct error e;

	check_quote();
	check_status();
	check_parse();
	check_format();
	ok(bashcall_parse(bytes_cstr("[1]"), &c, &e) == -1,
	    "an input that is no object");
	ok(strncmp(e.text, "bash: the input: ", 17) == 0, "is told: %s",
	    e.text);
	return test_done();
}
