/* SPDX-License-Identifier: ISC */
/* One table of options per program or subcommand: it parses the command line
 * and the environment into the program's settings, and prints --help from the
 * same rows.  -h -V -v -q are built in.
 *
 * Long options take "--name value" or "--name=value" and are never
 * abbreviated; short ones cluster; "--" ends options, and so does the first
 * operand unless the command is intermixed.  A repeated option: the last wins,
 * OPT_LIST appends. */
#ifndef ADIT_OPT_H
#define ADIT_OPT_H

#include "common/diag.h"
#include "common/error.h"

enum { OPT_LIST_MAX = 64 };

/* Kind, and the type of the field it fills. */
enum opt_kind {
	OPT_FLAG,     /* bool */
	OPT_STRING,   /* const char *, not empty */
	OPT_LIST,     /* struct opt_list */
	OPT_NUMBER,   /* int64_t, min to max */
	OPT_SIZE,     /* int64_t bytes, a unit is required */
	OPT_DURATION, /* int64_t milliseconds, a unit is required */
};

struct opt_list {
	size_t count;
	const char *at[OPT_LIST_MAX];
};

struct opt {
	char letter;          /* 0: none */
	const char *name;     /* without "--" */
	const char *argument; /* metavariable, NULL for OPT_FLAG */
	enum opt_kind kind;
	size_t offset;        /* of the field in the settings */
	int64_t min, max;
	const char *environment; /* variable that sets it, or NULL */
	const char *help;        /* one line; the default in [brackets] */
};

/* The last row of a table. */
#define OPT_END {0, NULL, NULL, OPT_FLAG, 0, 0, 0, NULL, NULL}

struct opt_command {
	const char *program;  /* "tunnel-edge" */
	const char *name;     /* subcommand, or NULL */
	const char *operands; /* for the synopsis: "-- COMMAND ...", or "" */
	const char *purpose;  /* one sentence */
	const struct opt *opts;
	bool intermixed; /* options may follow operands: none is a command */
};

enum opt_result {
	OPT_RUN,     /* go on */
	OPT_DONE,    /* --help or --version was printed; exit 0 */
	OPT_INVALID, /* *e says what is wrong; exit EXIT_USAGE */
};

/* Parses the environment, then argv[first] and on.  Sets diag's level for -v
 * and -q.  *ret_operand is the index of the first operand (argc if none); of
 * an intermixed command, operands were moved behind the options.
 * Strings in settings point into argv or the environment. */
enum opt_result opt_parse(const struct opt_command *command, int argc,
    char **argv, int first, void *settings, int *ret_operand,
    struct error *e);

/* The same, and prints what is wrong.  Returns whether to go on; if not,
 * *ret_status is the exit status. */
bool opt_begin(const struct opt_command *command, int argc, char **argv,
    int first, void *settings, int *ret_operand, int *ret_status);

/* Prints *e and "Try 'program --help'." and returns EXIT_USAGE. */
int opt_usage_error(const struct opt_command *command, const struct error *e);

/* The same with another text. */
int opt_usage(const struct opt_command *command, const char *text);

/* A program that is made of subcommands, or a word of it that is: "mcp-proxy
 * cert". */
struct opt_subcommand {
	const struct opt_command *options; /* its name ends with the word */
	int (*run)(int argc, char **argv);
};

/* Runs the subcommand that argv[at] names, or prints help, version or an
 * error.  The last of commands is {NULL, NULL}.  Returns the exit status. */
int opt_run_subcommand(const char *program, const char *purpose,
    const struct opt_subcommand *commands, int argc, char **argv, int at);

/* Flushes stdout.  Returns EXIT_OK, or EXIT_FAILED after printing why the
 * output could not be written.  Every program's last call. */
int opt_close_stdout(void);

/* The same at the end of what has a status: returns that unless it is
 * EXIT_OK. */
int opt_end(int status);

#define ADIT_VERSION_STRING "0.1.0"

#endif
