/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/toolserver.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cmd/sandbox-exec/setting.h"
#include "cmd/sandbox-exec/toolset.h"
#include "cmd/sandbox-exec/toolwire.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/str.h"

enum { READ_LEN = 64 << 10, KIND_LEN = 3 };

bool
toolserver_is_meant(char *const argv[])
{
	return argv[0] != NULL && str_eq(argv[0], "sandbox-tools");
}

/* A root that is not there any more is none; but for the first, the working
 * directory. */
static int
open_roots(struct tool_roots *roots, char *const argv[])
{
	struct error e;

	tool_roots_init(roots);
	roots->search = setting_env(environ, "PATH");
	for (size_t i = 1; argv[i] != NULL; i++) {
		bool read_only = str_starts(argv[i], "ro:");

		if ((!read_only && !str_starts(argv[i], "rw:")) ||
		    (tool_roots_add(roots, argv[i] + KIND_LEN, read_only,
		    &e) != 0 && i == 1))
			return -1;
	}
	return roots->count == 0 ? -1 : 0;
}

/* Reads more, at least a byte.  Returns 0, or -1 at the end. */
static int
read_some(struct buf *in)
{
	uint8_t *at = buf_reserve(in, READ_LEN);
	ssize_t n;

	if (at == NULL)
		return -1;
	do {
		n = read(STDIN_FILENO, at, READ_LEN);
	} while (n == -1 && errno == EINTR);
	if (n <= 0)
		return -1;
	buf_commit(in, (size_t)n);
	return 0;
}

static int
answer(const struct tool_roots *roots, const struct toolwire_request *r,
    struct buf *text, struct buf *out)
{
	bool is_error;

	buf_clear(text);
	buf_clear(out);
	is_error = tool_run(roots, r->name, r->input, text);
	if (toolwire_add_answer(out, is_error, buf_bytes(text)) != 0)
		return -1;
	return io_write_all(STDIN_FILENO, buf_bytes(out));
}

int
toolserver_run(char *const argv[])
{
	static struct tool_roots roots;
	struct toolwire_request request;
	struct buf in, text, out;
	ssize_t n;

	/* The payload is to see and to change nothing of this process. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
	    open_roots(&roots, argv) != 0)
		return EXIT_SANDBOX;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	buf_init(&in, TOOLWIRE_REQUEST_MAX + READ_LEN);
	buf_init(&text, TOOL_TEXT_MAX);
	buf_init(&out, TOOLWIRE_ANSWER_MAX);
	for (;;) {
		n = toolwire_get_request(buf_bytes(&in), &request);
		if (n < 0 || (n == 0 && read_some(&in) != 0))
			break;
		if (n == 0)
			continue;
		if (answer(&roots, &request, &text, &out) != 0)
			break;
		buf_drop(&in, (size_t)n);
		if (buf_len(&in) == 0)
			buf_reset(&in);
	}
	buf_reset(&in);
	buf_reset(&text);
	buf_reset(&out);
	tool_roots_done(&roots);
	return EXIT_OK;
}
