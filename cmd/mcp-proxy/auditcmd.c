/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/auditcmd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/mcp-proxy/auditcheck.h"
#include "cmd/mcp-proxy/auditfile.h"
#include "common/exit.h"
#include "common/opt.h"
#include "common/str.h"

enum { READ_LEN = 256 << 10 };

struct settings {
	const char *head;
};

static const struct opt verify_opts[] = {
	{0, "head", "SEQ:SHA256", OPT_STRING, offsetof(struct settings, head),
	    0, 0, NULL, "a record, from 'audit head', that must be there"},
	OPT_END,
};

static const struct opt head_opts[] = {OPT_END};

static const struct opt_command verify_command = {
	"mcp-proxy", "audit verify", "FILE ...",
	"Checks the chain of audit files, the oldest first.",
	verify_opts, true,
};

static const struct opt_command head_command = {
	"mcp-proxy", "audit head", "FILE",
	"Prints number and digest of the last record.", head_opts, true,
};

/* ---- verify ---- */

/* Whether an mcp-proxy has the file open, so that its last line may be coming
 * just now. */
static bool
is_written(int fd)
{
	return flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

static int
fail_read(const char *name)
{
	diag_error("%s: %s", name, strerror(errno));
	return EXIT_FAILED;
}

static int
fail_chain(const struct auditcheck *c, char **files, const struct error *e)
{
	diag_error("%s:%" PRIu64 ": %s", files[c->at.file], c->at.line,
	    e->text);
	return EXIT_FAILED;
}

static int
read_file(struct auditcheck *c, int fd, char **files)
{
	static uint8_t in[READ_LEN];
	struct error e;
	ssize_t n;

	while ((n = read(fd, in, sizeof in)) != 0) {
		if (n == -1 && errno != EINTR)
			return fail_read(files[c->at.file]);
		if (n > 0 && auditcheck_feed(c, bytes_of(in, (size_t)n),
		    &e) != 0)
			return fail_chain(c, files, &e);
	}
	return EXIT_OK;
}

static int
verify_file(struct auditcheck *c, char **files, bool last)
{
	const char *name = files[c->at.file];
	int fd = str_eq(name, "-") ? STDIN_FILENO
	    : open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	bool written;
	struct error e;
	int status;

	if (fd == -1)
		return fail_read(name);
	written = is_written(fd);
	status = read_file(c, fd, files);
	if (status == EXIT_OK && (last ? auditcheck_finish(c, written, &e)
	    : auditcheck_end_file(c, &e)) != 0)
		status = fail_chain(c, files, &e);
	if (fd != STDIN_FILENO)
		close(fd);
	return status;
}

static void
print_digest(const uint8_t digest[static SHA256_LEN])
{
	char hex[SHA256_HEX_CAP];

	str_hex(hex, bytes_of(digest, SHA256_LEN));
	printf("%s\n", hex);
}

static int
run_verify(const struct settings *s, char **files)
{
	uint8_t digest[SHA256_LEN] = {0};
	struct auditcheck c;
	uint64_t head = 0;
	int status = EXIT_OK;

	if (files[0] == NULL)
		return opt_usage(&verify_command, "needs a file");
	if (s->head != NULL &&
	    auditline_parse_head(s->head, &head, digest) != 0)
		return opt_usage(&verify_command, "--head: not SEQ:SHA256");
	auditcheck_init(&c, head, digest);
	for (size_t i = 0; files[i] != NULL && status == EXIT_OK; i++)
		status = verify_file(&c, files, files[i + 1] == NULL);
	if (status == EXIT_OK) {
		printf("records %" PRIu64 " to %" PRIu64 " are whole, head %"
		    PRIu64 ":", c.first, c.last, c.last);
		print_digest(c.digest);
	}
	auditcheck_done(&c);
	return status;
}

/* ---- head ---- */

static int
run_head(const struct settings *s, char **files)
{
	uint8_t digest[SHA256_LEN];
	struct error e;
	uint64_t seq;

	(void)s;
	if (files[0] == NULL || files[1] != NULL)
		return opt_usage(&head_command, "needs one file");
	if (auditfile_read_head(files[0], &seq, digest, &e) != 0) {
		diag_error("%s", e.text);
		return EXIT_FAILED;
	}
	printf("%" PRIu64 ":", seq);
	print_digest(digest);
	return EXIT_OK;
}

static int
run(const struct opt_command *command,
    int (*run_with)(const struct settings *, char **files), int argc,
    char **argv)
{
	struct settings s = {.head = NULL};
	int operand, status;

	if (!opt_begin(command, argc, argv, 3, &s, &operand, &status))
		return status;
	return opt_end(run_with(&s, argv + operand));
}

static int
audit_verify(int argc, char **argv)
{
	return run(&verify_command, run_verify, argc, argv);
}

static int
audit_head(int argc, char **argv)
{
	return run(&head_command, run_head, argc, argv);
}

int
auditcmd_run(int argc, char **argv)
{
	static const struct opt_subcommand commands[] = {
		{&verify_command, audit_verify}, {&head_command, audit_head},
		{NULL, NULL},
	};

	return opt_run_subcommand("mcp-proxy audit", "Checks audit files.",
	    commands, argc, argv, 2);
}
