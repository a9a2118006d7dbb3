/* SPDX-License-Identifier: ISC */
/* frame-dump shows and records the frames of a hop.  See frame-dump(1). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "cmd/frame-dump/dump.h"
#include "cmd/frame-dump/filter.h"
#include "cmd/frame-dump/tap.h"

#include "common/diag.h"
#include "common/exit.h"
#include "common/opt.h"
#include "common/str.h"

struct settings {
	const char *filter, *format, *output, *time, *write;
	int64_t count, stream;
	bool hex, payload, statistics;
};

#define FIELD(name) offsetof(struct settings, name)

static const struct opt options[] = {
	{'c', "count", "N", OPT_NUMBER, FIELD(count), 1, INT64_MAX, NULL,
	    "end after N frames"},
	{'f', "filter", "EXPR", OPT_STRING, FIELD(filter), 0, 0, NULL,
	    "only frames for which this jq expression is true"},
	{'o', "format", "FORMAT", OPT_STRING, FIELD(format), 0, 0, NULL,
	    "text, json or none [text; none with -w]"},
	{0, "output", "FILE", OPT_STRING, FIELD(output), 0, 0, NULL,
	    "lines go there [stdout; stderr for a tap]"},
	{0, "payload", NULL, OPT_FLAG, FIELD(payload), 0, 0, NULL,
	    "JSON has the bytes of DATA, in base64"},
	{'s', "statistics", NULL, OPT_FLAG, FIELD(statistics), 0, 0, NULL,
	    "counts by type and stream at the end"},
	{0, "stream", "N", OPT_NUMBER, FIELD(stream), 0, UINT32_MAX, NULL,
	    "only frames of this stream"},
	{0, "time", "STYLE", OPT_STRING, FIELD(time), 0, 0, NULL,
	    "utc, iso, delta or none [utc]"},
	{'w', "write", "FILE", OPT_STRING, FIELD(write), 0, 0, NULL,
	    "record a capture; - is stdout"},
	{'x', "hex", NULL, OPT_FLAG, FIELD(hex), 0, 0, NULL,
	    "text has the first bytes of each payload"},
	OPT_END,
};

static const struct opt_command command = {
	.program = "frame-dump",
	.operands = "[FILE | -- COMMAND [ARGUMENT]...]",
	.purpose = "Shows and records the frames of a hop.",
	.opts = options,
};

/* The index of value in names, which end with NULL.  Returns it, or -1 with
 * a text. */
static int
find_word(const char *option, const char *value, const char *const *names,
    const char *all, struct error *e)
{
	char quoted[80];

	for (int i = 0; names[i] != NULL; i++) {
		if (str_eq(names[i], value))
			return i;
	}
	return error_set(e, "%s: %s: not %s", option,
	    diag_quote(quoted, sizeof quoted, bytes_cstr(value)), all);
}

static int
set_format(const struct settings *s, struct dump *d, struct error *e)
{
	static const char *const formats[] = {"text", "json", "none", NULL};
	static const char *const times[] = {
		"utc", "iso", "delta", "none", NULL,
	};
	const char *fallback = s->write == NULL ? "text" : "none";
	int format = find_word("--format",
	    s->format == NULL ? fallback : s->format, formats,
	    "text, json or none", e);
	int time = find_word("--time", s->time == NULL ? "utc" : s->time,
	    times, "utc, iso, delta or none", e);

	if (format < 0 || time < 0)
		return -1;
	d->format = (enum dump_format)format;
	d->style.time = (enum print_time)time;
	return 0;
}

/* Whether a file option was given as this word. */
static bool
is_word(const char *value, const char *word)
{
	return value != NULL && str_eq(value, word);
}

/* Two kinds of data can not share standard output.  A file named "--" is
 * refused, for its "--" looks like the one before a command. */
static int
check_outputs(const struct settings *s, const struct dump *d, struct error *e)
{
	bool lines = d->format != DUMP_NONE || d->statistics;
	bool write_stdout = is_word(s->write, "-");
	bool lines_stdout = is_word(s->output, "-");

	if (is_word(s->write, "--") || is_word(s->output, "--"))
		return error_set(e, "'--': not a file name, write ./--");
	if (d->tap && (write_stdout || lines_stdout))
		return error_set(e, "%s: '-': standard output is the hop",
		    write_stdout ? "--write" : "--output");
	if (write_stdout && lines && (s->output == NULL || lines_stdout))
		return error_set(e, "--write: '-': lines need an --output "
		    "of their own");
	return 0;
}

static int
set_dump(const struct settings *s, struct dump *d, struct error *e)
{
	d->statistics = s->statistics;
	d->style.hex = s->hex;
	d->style.payload = s->payload;
	d->stream = s->stream;
	d->count = s->count;
	if (set_format(s, d, e) != 0 || check_outputs(s, d, e) != 0)
		return -1;
	if (s->filter == NULL)
		return 0;
	d->filter = filter_new(s->filter, e);
	return d->filter == NULL ? error_prefix(e, "--filter") : 0;
}

static int
open_outputs(const struct settings *s, struct dump *d, int input_fd,
    struct error *e)
{
	if (s->output != NULL && !is_word(s->output, "-")) {
		if (output_open(&d->lines, s->output, input_fd, e) != 0)
			return -1;
	} else if (d->tap) {
		output_init(&d->lines, STDERR_FILENO, "standard error");
	} else {
		output_init(&d->lines, STDOUT_FILENO, "standard output");
	}
	if (s->write == NULL)
		return 0;
	if (!str_eq(s->write, "-"))
		return output_open(&d->capture, s->write, input_fd, e);
	output_init(&d->capture, STDOUT_FILENO, "standard output");
	return 0;
}

static int
close_outputs(struct dump *d, struct error *e)
{
	int r = output_done(&d->lines, e);

	return output_done(&d->capture, e) != 0 ? -1 : r;
}

static int
dump_and_report(struct dump *d, int fd, const char *name)
{
	struct error e;
	int r = dump_run(d, fd, name, &e);

	if (r == 0)
		r = close_outputs(d, &e);
	if (r == 0)
		return EXIT_OK;
	diag_error("%s", e.text);
	return EXIT_FAILED;
}

static bool
is_standard(const char *path)
{
	return path == NULL || str_eq(path, "-");
}

static int
open_input(const char *path, struct error *e)
{
	int fd = is_standard(path) ? STDIN_FILENO
	    : open(path, O_RDONLY | O_CLOEXEC);

	return fd == -1 ? error_errno(e, "%s", path) : fd;
}

static int
dump_file(struct dump *d, int fd, const char *path)
{
	int status = dump_and_report(d, fd, is_standard(path)
	    ? "standard input" : path);

	if (fd != STDIN_FILENO)
		close(fd);
	return status;
}

/* The process that prints what the tap copies.  It may block on its output,
 * and it ends when the pipe does, whatever signals the terminal sends; it
 * keeps no end of the hop open. */
static int
run_printer(struct dump *d, int pipe_fd)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	if (null_fd == -1 || dup2(null_fd, STDIN_FILENO) == -1 ||
	    dup2(null_fd, STDOUT_FILENO) == -1) {
		diag_error("/dev/null: %s", strerror(errno));
		return EXIT_FAILED;
	}
	return dump_and_report(d, pipe_fd, "tap");
}

static int
dump_tap(struct dump *d, char **argv)
{
	struct error e;
	int ends[2], status;
	pid_t printer;

	if (pipe2(ends, O_CLOEXEC) != 0) {
		diag_error("pipe: %s", strerror(errno));
		return EXIT_TEMPORARY;
	}
	printer = fork();
	if (printer == -1) {
		diag_error("fork: %s", strerror(errno));
		return EXIT_TEMPORARY;
	}
	if (printer == 0) {
		close(ends[1]);
		_exit(run_printer(d, ends[0]));
	}
	close(ends[0]);
	close_outputs(d, &e); /* they are the printer's */
	if (tap_run(argv, ends[1], printer, &status, &e) == 0)
		return status;
	diag_error("%s", e.text);
	return e.code;
}

/* What the operands say: a file, a command after "--", or neither. */
static int
check_operands(int argc, int operand, bool tap, struct error *e)
{
	if (tap && operand == argc)
		return error_set(e, "--: no command");
	if (!tap && argc - operand > 1)
		return error_set(e, "more than one file (a command needs -- "
		    "before it)");
	if (!tap && operand == argc && isatty(STDIN_FILENO))
		return error_set(e, "standard input is a terminal: name a "
		    "file or a command");
	return 0;
}

int
main(int argc, char **argv)
{
	static struct dump dump = {.lines.fd = -1, .capture.fd = -1};
	struct settings settings = {.stream = DUMP_ANY_STREAM};
	struct error e;
	int operand, status, input_fd = -1;

	diag_init(command.program);
	if (!opt_begin(&command, argc, argv, 1, &settings, &operand, &status))
		return status;
	dump.tap = str_eq(argv[operand - 1], "--");
	if (check_operands(argc, operand, dump.tap, &e) != 0 ||
	    set_dump(&settings, &dump, &e) != 0)
		return opt_usage_error(&command, &e);
	if ((!dump.tap &&
	    (input_fd = open_input(argv[operand], &e)) == -1) ||
	    open_outputs(&settings, &dump, input_fd, &e) != 0) {
		diag_error("%s", e.text);
		return EXIT_FAILED;
	}
	status = dump.tap ? dump_tap(&dump, argv + operand)
	    : dump_file(&dump, input_fd, argv[operand]);
	filter_free(dump.filter);
	return status;
}
