/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/needs.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/sandbox-worker/chooser.h"
#include "cmd/sandbox-worker/policy.h"
#include "common/cert.h"
#include "common/io.h"
#include "common/str.h"

/* Reads path as text into b. */
static int
read_text(const char *path, struct buf *b, struct error *e)
{
	if (io_read_file(path, b, e) != 0)
		return -1;
	if (memchr(buf_bytes(b).ptr, '\0', buf_len(b)) != NULL)
		return error_set(e, "%s: no text", path);
	return buf_add(b, bytes_of("", 1)) == 0 ? 0
	    : error_set(e, "%s: too long", path);
}

static int
check_ca(const char *path, struct error *e)
{
	struct buf text;
	int64_t end;
	int r;

	if (path == NULL)
		return 0;
	buf_init(&text, NEEDS_CA_MAX);
	r = read_text(path, &text, e);
	if (r == 0 && cert_expiry((const char *)buf_bytes(&text).ptr, &end,
	    e) != 0)
		r = error_prefix(e, "%s", path);
	buf_reset(&text);
	return r == 0 ? 0 : error_prefix(e, "--ca");
}

/* A file that is replaced as a whole. */
static int
check_replaceable(const char *option, const char *path, struct error *e)
{
	const char *slash = path == NULL ? NULL : strrchr(path, '/');
	char dir[PATH_MAX] = ".";

	if (path == NULL)
		return 0;
	if (slash != NULL && str_format(dir, sizeof dir, "%.*s",
	    (int)(slash - path) + 1, path) != 0)
		return error_set(e, "%s: %s: too long", option, path);
	return access(dir, W_OK | X_OK) == 0 ? 0
	    : error_errno(e, "%s: %s", option, path);
}

int
needs_check_polling(const struct settings *s, struct error *e)
{
	return check_ca(s->ca, e) != 0 ||
	    check_replaceable("--metrics", s->metrics, e) != 0 ? -1 : 0;
}

/* A directory, unless it is NULL, in which we can make something. */
static int
check_dir(const char *option, const char *path, struct error *e)
{
	struct stat st;

	if (path == NULL)
		return 0;
	if (stat(path, &st) != 0)
		return error_errno(e, "%s: %s", option, path);
	if (!S_ISDIR(st.st_mode))
		return error_set(e, "%s: %s: not a directory", option, path);
	return access(path, W_OK | X_OK) == 0 ? 0
	    : error_errno(e, "%s: %s", option, path);
}

static int
check_program(const char *path, struct error *e)
{
	struct buf text;
	int r;

	if (path == NULL)
		return 0;
	buf_init(&text, CHOOSER_PROGRAM_MAX + 1);
	r = read_text(path, &text, e);
	if (r == 0 && policy_check((const char *)buf_bytes(&text).ptr,
	    e) != 0)
		r = error_prefix(e, "%s", path);
	buf_reset(&text);
	return r == 0 ? 0 : error_prefix(e, "--policy-jq");
}

/* A FIFO may get its reader later. */
static int
check_audit(const char *path, struct error *e)
{
	struct stat st;
	int fd;

	if (path == NULL || (stat(path, &st) == 0 && S_ISFIFO(st.st_mode)))
		return 0;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY |
	    O_NONBLOCK, 0600);
	if (fd == -1)
		return error_errno(e, "--audit: %s", path);
	close(fd);
	return 0;
}

int
needs_check_sessions(const struct settings *s, struct error *e)
{
	return check_dir("--workspaces", s->workspaces, e) != 0 ||
	    (s->workspaces == NULL && check_dir("--workdir", s->workdir, e)
	    != 0) || check_dir("--outputs", s->outputs, e) != 0 ||
	    check_dir("--state", s->state, e) != 0 ||
	    check_program(s->policy_jq, e) != 0 ||
	    check_audit(s->audit, e) != 0 ? -1 : 0;
}
