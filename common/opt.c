/* SPDX-License-Identifier: ISC */
#include "common/opt.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/exit.h"
#include "common/num.h"
#include "common/str.h"

enum { HELP_COLUMN = 26, QUOTED_MAX = 80 };

struct parser {
	const struct opt_command *command;
	int argc;
	char **argv;
	int at;       /* the next word */
	int operands; /* that stand directly before it */
	void *settings;
	struct error *e;
	int verbose;
	bool quiet, done;
};

enum builtin_opt { BUILTIN_HELP, BUILTIN_VERSION, BUILTIN_VERBOSE,
	BUILTIN_QUIET };

static const struct opt builtins[] = {
	{'h', "help", NULL, OPT_FLAG, BUILTIN_HELP, 0, 0, NULL,
	    "print this help"},
	{'V', "version", NULL, OPT_FLAG, BUILTIN_VERSION, 0, 0, NULL,
	    "print the version"},
	{'v', "verbose", NULL, OPT_FLAG, BUILTIN_VERBOSE, 0, 0, NULL,
	    "say more; twice for debugging"},
	{'q', "quiet", NULL, OPT_FLAG, BUILTIN_QUIET, 0, 0, NULL,
	    "say only errors"},
	OPT_END,
};

static void
print_row(const struct opt *o)
{
	char left[80];
	int n = 0;

	if (o->letter != 0)
		n = snprintf(left, sizeof left, "-%c, ", o->letter);
	else
		n = snprintf(left, sizeof left, "    ");
	n += snprintf(left + n, sizeof left - (size_t)n, "--%s", o->name);
	if (o->argument != NULL)
		n += snprintf(left + n, sizeof left - (size_t)n, " %s",
		    o->argument);
	if (n < HELP_COLUMN)
		printf("  %-*s%s\n", HELP_COLUMN, left, o->help);
	else
		printf("  %s\n  %*s%s\n", left, HELP_COLUMN, "", o->help);
}

static void
print_help(const struct opt_command *c)
{
	const char *space = c->name == NULL ? "" : " ";
	const char *name = c->name == NULL ? "" : c->name;

	printf("usage: %s%s%s [OPTION]...%s%s\n%s\n\n", c->program, space,
	    name, c->operands[0] == '\0' ? "" : " ", c->operands, c->purpose);
	for (const struct opt *o = c->opts; o->name != NULL; o++)
		print_row(o);
	for (const struct opt *o = builtins; o->name != NULL; o++)
		print_row(o);
	printf("\nThe manual page %s(%c) lists the exit statuses.\n",
	    c->program, str_eq(c->program, "tunnel-edge") ||
	    str_eq(c->program, "sandbox-worker") ? '8' : '1');
}

static int
take_builtin(struct parser *p, const struct opt *o)
{
	switch ((enum builtin_opt)o->offset) {
	case BUILTIN_HELP:
		print_help(p->command);
		p->done = true;
		break;
	case BUILTIN_VERSION:
		printf("%s %s\n", p->command->program, ADIT_VERSION_STRING);
		p->done = true;
		break;
	case BUILTIN_VERBOSE:
		p->verbose++;
		break;
	case BUILTIN_QUIET:
		p->quiet = true;
		break;
	}
	return 0;
}

static bool
is_builtin(const struct opt *o)
{
	return o >= builtins && o < builtins + 4;
}

static int
bad_value(struct parser *p, const char *name, const char *value,
    const char *why)
{
	char quoted[QUOTED_MAX];

	return error_set(p->e, "%s: %s: %s", name,
	    diag_quote(quoted, sizeof quoted, bytes_cstr(value)), why);
}

static int
bad_number(struct parser *p, const struct opt *o, const char *name,
    const char *value)
{
	static const char *const expected[] = {
		[OPT_NUMBER] = "not a number",
		[OPT_SIZE] = "not a size such as 64k",
		[OPT_DURATION] = "not a duration such as 30s",
	};
	char why[80];

	if (errno != ERANGE)
		return bad_value(p, name, value, expected[o->kind]);
	snprintf(why, sizeof why, "not %lld to %lld%s", (long long)o->min,
	    (long long)o->max,
	    o->kind == OPT_SIZE ? " bytes"
	    : o->kind == OPT_DURATION ? " ms" : "");
	return bad_value(p, name, value, why);
}

static int
set_number(struct parser *p, const struct opt *o, const char *name,
    const char *value)
{
	int64_t *field = (void *)((char *)p->settings + o->offset);
	int r;

	if (o->kind == OPT_NUMBER)
		r = num_parse(value, o->min, o->max, field);
	else if (o->kind == OPT_SIZE)
		r = num_parse_size(value, o->min, o->max, field);
	else
		r = num_parse_duration(value, o->min, o->max, field);
	return r == 0 ? 0 : bad_number(p, o, name, value);
}

static int
list_add(struct parser *p, struct opt_list *list, const char *name,
    const char *value)
{
	if (list->count == OPT_LIST_MAX)
		return bad_value(p, name, value, "given too often");
	list->at[list->count++] = value;
	return 0;
}

/* Sets the field of o; name is how the user named it. */
static int
set_field(struct parser *p, const struct opt *o, const char *name,
    const char *value)
{
	void *field = (char *)p->settings + o->offset;

	if (o->kind == OPT_FLAG) {
		*(bool *)field = true;
		return 0;
	}
	assert(value != NULL); /* only a flag has no argument */
	if (value[0] == '\0')
		return bad_value(p, name, value, "empty");
	switch (o->kind) {
	case OPT_STRING:
		*(const char **)field = value;
		return 0;
	case OPT_LIST:
		return list_add(p, field, name, value);
	case OPT_FLAG:
	case OPT_NUMBER:
	case OPT_SIZE:
	case OPT_DURATION:
		break;
	}
	return set_number(p, o, name, value);
}

static int
take_option(struct parser *p, const struct opt *o, const char *name,
    const char *value)
{
	if (is_builtin(o))
		return take_builtin(p, o);
	if (o->argument != NULL && value == NULL) {
		if (p->at == p->argc)
			return error_set(p->e, "%s: needs a value %s", name,
			    o->argument);
		value = p->argv[p->at++];
	}
	return set_field(p, o, name, value);
}

static const struct opt *
find_long(const struct opt *opts, const char *name, size_t len)
{
	for (; opts->name != NULL; opts++) {
		if (strlen(opts->name) == len &&
		    strncmp(opts->name, name, len) == 0)
			return opts;
	}
	return NULL;
}

static const struct opt *
find_letter(const struct opt *opts, char letter)
{
	for (; opts->name != NULL; opts++) {
		if (opts->letter == letter)
			return opts;
	}
	return NULL;
}

static int
take_long(struct parser *p, const char *word)
{
	const char *equals = strchr(word, '=');
	size_t len = equals == NULL ? strlen(word) : (size_t)(equals - word);
	const struct opt *o = find_long(p->command->opts, word + 2, len - 2);
	char name[64];

	if (o == NULL)
		o = find_long(builtins, word + 2, len - 2);
	if (o == NULL)
		return bad_value(p, "option", word, "unknown");
	snprintf(name, sizeof name, "--%s", o->name);
	if (o->argument == NULL && equals != NULL)
		return bad_value(p, name, equals + 1, "takes no value");
	return take_option(p, o, name, equals == NULL ? NULL : equals + 1);
}

static int
take_cluster(struct parser *p, const char *word)
{
	for (const char *c = word + 1; *c != '\0' && !p->done; c++) {
		const struct opt *o = find_letter(p->command->opts, *c);
		char name[3] = {'-', *c, '\0'};

		if (o == NULL)
			o = find_letter(builtins, *c);
		if (o == NULL)
			return bad_value(p, "option", name, "unknown");
		if (o->argument != NULL && c[1] != '\0')
			return take_option(p, o, name, c + 1);
		if (take_option(p, o, name, NULL) != 0)
			return -1;
	}
	return 0;
}

/* Moves the words from begin to p->at before the operands in front of them. */
static void
move_before_operands(struct parser *p, int begin)
{
	for (; p->operands != 0 && begin < p->at; begin++) {
		char *word = p->argv[begin];

		memmove(p->argv + begin - p->operands + 1,
		    p->argv + begin - p->operands,
		    (size_t)p->operands * sizeof *p->argv);
		p->argv[begin - p->operands] = word;
	}
}

/* Takes the words up to the end of options.  Returns 0 or -1. */
static int
take_words(struct parser *p)
{
	while (p->at < p->argc && !p->done) {
		int begin = p->at;
		const char *word = p->argv[p->at];
		bool end = str_eq(word, "--");
		int r = 0;

		if (word[0] != '-' || word[1] == '\0') {
			if (!p->command->intermixed)
				break;
			p->at++;
			p->operands++;
			continue;
		}
		p->at++;
		if (!end)
			r = word[1] == '-' ? take_long(p, word)
					   : take_cluster(p, word);
		if (r != 0)
			return -1;
		move_before_operands(p, begin);
		if (end)
			break;
	}
	return 0;
}

static int
take_environment(struct parser *p)
{
	for (const struct opt *o = p->command->opts; o->name != NULL; o++) {
		const char *value = o->environment == NULL
		    ? NULL : getenv(o->environment);

		if (value != NULL &&
		    set_field(p, o, o->environment, value) != 0)
			return -1;
	}
	return 0;
}

static void
set_level(const struct parser *p)
{
	if (p->quiet)
		diag_set_level(DIAG_ERROR);
	else if (p->verbose == 1)
		diag_set_level(DIAG_INFO);
	else if (p->verbose > 1)
		diag_set_level(DIAG_DEBUG);
}

enum opt_result
opt_parse(const struct opt_command *command, int argc, char **argv, int first,
    void *settings, int *ret_operand, struct error *e)
{
	struct parser p = {
		.command = command, .argc = argc, .argv = argv, .at = first,
		.settings = settings, .e = e,
	};

	if (take_environment(&p) != 0 || take_words(&p) != 0)
		return OPT_INVALID;
	if (p.done)
		return OPT_DONE;
	set_level(&p);
	*ret_operand = p.at - p.operands;
	return OPT_RUN;
}

bool
opt_begin(const struct opt_command *command, int argc, char **argv, int first,
    void *settings, int *ret_operand, int *ret_status)
{
	struct error e;

	switch (opt_parse(command, argc, argv, first, settings, ret_operand,
	    &e)) {
	case OPT_DONE:
		*ret_status = opt_close_stdout();
		return false;
	case OPT_INVALID:
		*ret_status = opt_usage_error(command, &e);
		return false;
	case OPT_RUN:
		break;
	}
	return true;
}

int
opt_usage_error(const struct opt_command *command, const struct error *e)
{
	return opt_usage(command, e->text);
}

int
opt_usage(const struct opt_command *command, const char *text)
{
	diag_error("%s", text);
	fprintf(stderr, "Try '%s%s%s --help'.\n", command->program,
	    command->name == NULL ? "" : " ",
	    command->name == NULL ? "" : command->name);
	return EXIT_USAGE;
}

static const char *
word_of(const struct opt_subcommand *c)
{
	const char *space = strrchr(c->options->name, ' ');

	return space == NULL ? c->options->name : space + 1;
}

static int
subcommand_error(const char *program, const char *word)
{
	char quoted[80] = "";

	if (word != NULL)
		diag_quote(quoted, sizeof quoted, bytes_cstr(word));
	if (word == NULL)
		diag_error("a command is required");
	else if (word[0] == '-')
		diag_error("option: %s: unknown", quoted);
	else
		diag_error("no such command %s", quoted);
	fprintf(stderr, "Try '%s --help'.\n", program);
	return EXIT_USAGE;
}

int
opt_run_subcommand(const char *program, const char *purpose,
    const struct opt_subcommand *commands, int argc, char **argv, int at)
{
	const struct opt_subcommand *c = commands;
	const char *word = at < argc ? argv[at] : NULL;

	if (word == NULL)
		return subcommand_error(program, NULL);
	for (; c->run != NULL; c++) {
		if (str_eq(word, word_of(c)))
			return c->run(argc, argv);
	}
	if (str_eq(word, "-h") || str_eq(word, "--help")) {
		printf("usage: %s COMMAND [OPTION]...\n%s\n\n", program,
		    purpose);
		for (c = commands; c->run != NULL; c++)
			printf("  %-14s%s\n", word_of(c),
			    c->options->purpose);
		printf("\n'%s COMMAND --help' lists the options of a "
		    "command.\n", program);
	} else if (str_eq(word, "-V") || str_eq(word, "--version")) {
		printf("%s %s\n", commands->options->program,
		    ADIT_VERSION_STRING);
	} else {
		return subcommand_error(program, word);
	}
	return opt_close_stdout();
}

int
opt_close_stdout(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_OK;
	diag_error("standard output: %s", strerror(errno));
	return EXIT_FAILED;
}

int
opt_end(int status)
{
	int closed = opt_close_stdout();

	return status != EXIT_OK ? status : closed;
}
