/* SPDX-License-Identifier: ISC */
/* The option table: what a command line and the environment make of the
 * settings, and what is said about a wrong one. */
#include "common/opt.h"
#include "tests/unit/test.h"

enum { ARGS_MAX = 80 };

struct settings {
	bool flag, other;
	const char *text;
	struct opt_list list;
	int64_t number, size, time;
};

static const struct opt opts[] = {
	{'f', "flag", NULL, OPT_FLAG, offsetof(struct settings, flag), 0, 0,
	    NULL, "a flag"},
	{'o', "other", NULL, OPT_FLAG, offsetof(struct settings, other), 0, 0,
	    NULL, "another"},
	{'t', "text", "TEXT", OPT_STRING, offsetof(struct settings, text), 0,
	    0, "TEST_TEXT", "a text"},
	{'l', "list", "ITEM", OPT_LIST, offsetof(struct settings, list), 0, 0,
	    NULL, "a list"},
	{'n', "number", "N", OPT_NUMBER, offsetof(struct settings, number), 1,
	    99, "TEST_NUMBER", "a number"},
	{0, "size", "SIZE", OPT_SIZE, offsetof(struct settings, size), 1024,
	    4096, NULL, "a size"},
	{0, "time", "TIME", OPT_DURATION, offsetof(struct settings, time), 1,
	    5000, NULL, "a time"},
	{0, NULL, NULL, OPT_FLAG, 0, 0, 0, NULL, NULL},
};

static const struct opt_command command = {
	.program = "test", .operands = "", .purpose = "Tests.", .opts = opts,
};

struct outcome {
	enum opt_result result;
	struct settings settings;
	int operand;
	struct error error;
};

/* Parses words separated by spaces; "_" stands for an empty one. */
static struct outcome
parse(const struct opt_command *c, const char *words)
{
	static char copy[4096], empty[] = "";
	struct outcome o = {.operand = -1};
	char *argv[ARGS_MAX], *at = copy;
	int argc = 0;

	snprintf(copy, sizeof copy, "%s", words);
	while (*at != '\0' && argc < ARGS_MAX - 1) {
		argv[argc] = at;
		at += strcspn(at, " ");
		if (*at != '\0')
			*at++ = '\0';
		if (strcmp(argv[argc], "_") == 0)
			argv[argc] = empty;
		argc++;
	}
	argv[argc] = NULL;
	o.result = opt_parse(c, argc, argv, 0, &o.settings, &o.operand,
	    &o.error);
	return o;
}

static void
test_forms(void)
{
	struct outcome o = parse(&command, "-fo -t x -n7 --size 2k "
	    "--time=1s500ms -la --list b -- -f");

	eq_int(o.result, OPT_RUN, "every form");
	ok(o.settings.flag && o.settings.other, "a cluster of flags");
	eq_str(o.settings.text, "x", "a value in the next word");
	eq_int(o.settings.number, 7, "a value in the same word");
	eq_int(o.settings.size, 2048, "a size");
	eq_int(o.settings.time, 1500, "a duration after =");
	ok(o.settings.list.count == 2 &&
	    strcmp(o.settings.list.at[0], "a") == 0 &&
	    strcmp(o.settings.list.at[1], "b") == 0, "a list appends");
	eq_int(o.operand, 11, "-- ends options");
	o = parse(&command, "-f x -o");
	ok(o.result == OPT_RUN && o.operand == 1 && !o.settings.other,
	    "the first operand ends options");
	o = parse(&command, "-f - -o");
	ok(o.operand == 1 && !o.settings.other, "- is an operand");
	o = parse(&command, "-n 3 --number=4 -n5");
	eq_int(o.settings.number, 5, "the last of a repeated option wins");
	o = parse(&command, "--text --flag");
	eq_str(o.settings.text, "--flag", "a value may look like an option");
	o = parse(&command, "-ftabc");
	eq_str(o.settings.text, "abc", "a cluster ends in a value");
	o = parse(&command, "");
	ok(o.result == OPT_RUN && o.operand == 0, "nothing at all");
}

static void
test_errors(void)
{
	static const struct {
		const char *words, *want;
	} cases[] = {
		{"--nope", "option: '--nope': unknown"},
		{"--fla", "option: '--fla': unknown"},
		{"--flagg", "option: '--flagg': unknown"},
		{"--=x", "option: '--=x': unknown"},
		{"-fx", "option: '-x': unknown"},
		{"--flag=1", "--flag: '1': takes no value"},
		{"--text", "--text: needs a value TEXT"},
		{"-t", "-t: needs a value TEXT"},
		{"--text=", "--text: '': empty"},
		{"-t _", "-t: '': empty"},
		{"--number x", "--number: 'x': not a number"},
		{"-n 100", "-n: '100': not 1 to 99"},
		{"-n -1", "-n: '-1': not a number"},
		{"--size 2048", "--size: '2048': not a size such as 64k"},
		{"--size 1b", "--size: '1b': not 1024 to 4096 bytes"},
		{"--time 5", "--time: '5': not a duration such as 30s"},
		{"--time 6s", "--time: '6s': not 1 to 5000 ms"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct outcome o = parse(&command, cases[i].words);

		eq_int(o.result, OPT_INVALID, "'%s' is refused",
		    cases[i].words);
		eq_str(o.error.text, cases[i].want, "with the reason");
	}
}

static void
test_list_limit(void)
{
	char words[1024] = "";
	struct outcome o;

	for (int i = 0; i < OPT_LIST_MAX; i++)
		snprintf(words + strlen(words), sizeof words - strlen(words),
		    "-lx ");
	o = parse(&command, words);
	ok(o.result == OPT_RUN && o.settings.list.count == OPT_LIST_MAX,
	    "a full list");
	snprintf(words + strlen(words), sizeof words - strlen(words), "-ly");
	o = parse(&command, words);
	eq_int(o.result, OPT_INVALID, "one above it");
	eq_str(o.error.text, "-l: 'y': given too often", "with the reason");
}

static void
test_environment(void)
{
	struct outcome o;

	setenv("TEST_NUMBER", "42", 1);
	o = parse(&command, "");
	eq_int(o.settings.number, 42, "the environment sets a value");
	o = parse(&command, "-n 1");
	eq_int(o.settings.number, 1, "the command line wins");
	setenv("TEST_NUMBER", "1000", 1);
	o = parse(&command, "");
	eq_str(o.error.text, "TEST_NUMBER: '1000': not 1 to 99",
	    "a wrong value names the variable");
	setenv("TEST_NUMBER", "", 1);
	o = parse(&command, "");
	eq_str(o.error.text, "TEST_NUMBER: '': empty", "empty is wrong");
	unsetenv("TEST_NUMBER");
}

static void
test_levels(void)
{
	diag_set_level(DIAG_NOTICE);
	parse(&command, "-v");
	ok(diag_shows(DIAG_INFO) && !diag_shows(DIAG_DEBUG), "-v");
	parse(&command, "-vv");
	ok(diag_shows(DIAG_DEBUG), "-vv");
	parse(&command, "-q");
	ok(!diag_shows(DIAG_WARNING) && diag_shows(DIAG_ERROR), "-q");
	diag_set_level(DIAG_NOTICE);
}

static void
test_intermixed(void)
{
	struct opt_command c = command;
	struct outcome o;

	c.intermixed = true;
	o = parse(&c, "a -f b -o");
	ok(o.result == OPT_RUN && o.settings.flag && o.settings.other,
	    "options after operands, where no operand is a command");
	o = parse(&c, "a -- -f");
	ok(o.result == OPT_RUN && !o.settings.flag, "-- ends them there too");
}

int
main(void)
{
	test_forms();
	test_errors();
	test_list_limit();
	test_environment();
	test_levels();
	test_intermixed();
	return test_done();
}
