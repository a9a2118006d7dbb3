/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/tool_rg.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/sandbox-exec/regex.h"
#include "cmd/sandbox-exec/text.h"
#include "common/clock.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/str.h"

enum {
	STDERR_MAX = 4096, /* bytes of rg's errors that are kept */
	NOTHING_FOUND = 1, /* rg's exit status */
};

/* rg while it runs. */
struct run {
	pid_t pid;
	int out, err;     /* -1 when ended */
	struct buf text, errors;
	bool truncated, timed_out;
};

static bool
is_usable(const struct tool_roots *roots, const char *path,
    char real[static PATH_MAX])
{
	const struct tool_root *root;
	struct stat st;

	if (realpath(path, real) == NULL || stat(real, &st) != 0 ||
	    !S_ISREG(st.st_mode) || access(real, X_OK) != 0)
		return false;
	root = tool_path_root(roots, real);
	return root == NULL || root->read_only;
}

static bool
find_program(const struct tool_roots *roots, char real[static PATH_MAX])
{
	const char *at = roots->search;

	while (at != NULL && *at != '\0') {
		size_t len = strcspn(at, ":");
		char path[PATH_MAX];

		if (*at == '/' && str_format(path, sizeof path, "%.*s/rg",
		    (int)len, at) == 0 && is_usable(roots, path, real))
			return true;
		at += len + (at[len] == ':');
	}
	return false;
}

static int
allow_path(struct landlock *l, const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	int r = fd == -1 ? 0 : landlock_allow_read(l, fd);

	io_close(&fd);
	return r;
}

/* The roots, and what a dynamic program needs. */
static int
allow(struct tool_rg *rg, const struct tool_roots *roots)
{
	static const char *const system[] = {
		"/usr", "/bin", "/lib", "/lib32", "/lib64",
		"/etc/ld.so.cache", "/etc/ld.so.preload",
	};
	int r = allow_path(&rg->landlock, rg->path);

	for (size_t i = 0; r == 0 && i < sizeof system / sizeof *system; i++)
		r = allow_path(&rg->landlock, system[i]);
	for (size_t i = 0; r == 0 && i < roots->count; i++)
		r = landlock_allow_read(&rg->landlock, roots->at[i].fd);
	return r;
}

int
tool_rg_open(struct tool_rg *rg, const struct tool_roots *roots)
{
	if (!find_program(roots, rg->path) ||
	    landlock_open(&rg->landlock, false) != 0)
		return -1;
	if (rg->landlock.abi != 0 && allow(rg, roots) == 0)
		return 0;
	tool_rg_close(rg);
	return -1;
}

void
tool_rg_close(struct tool_rg *rg)
{
	landlock_close(&rg->landlock);
}

/* The environment without the variables that hold an agent's credentials. */
static char **
make_environment(void)
{
	size_t n = 0;
	char **e;

	while (environ[n] != NULL)
		n++;
	e = calloc(n + 1, sizeof *e);
	if (e == NULL)
		return NULL;
	n = 0;
	for (char **v = environ; *v != NULL; v++) {
		if (strncasecmp(*v, "ANTHROPIC_", 10) != 0)
			e[n++] = *v;
	}
	return e;
}

/* In the child: never returns.  A directory is searched from inside, and a
 * file through standard input, so that both are what was found and not what
 * has their path now. */
static void
child(struct tool_rg *rg, const char *pattern, const struct tool_path *p,
    const int fds[static 3])
{
	bool directory = S_ISDIR(p->st.st_mode);
	char *const argv[] = {
		strdup("rg"), strdup("--no-config"), strdup("-n"),
		strdup("--no-heading"), strdup("-e"), strdup(pattern),
		strdup("--"), strdup(directory ? "./" : "-"), NULL,
	};
	char **environment = make_environment();

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (environment != NULL && (!directory || fchdir(p->fd) == 0) &&
	    dup2(fds[0], 0) != -1 && dup2(fds[1], 1) != -1 &&
	    dup2(fds[2], 2) != -1 &&
	    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0 &&
	    landlock_restrict(&rg->landlock) == 0)
		execve(rg->path, argv, environment);
	_exit(EXIT_NOT_EXECUTABLE);
}

static int
open_input(const struct tool_path *p)
{
	if (!S_ISDIR(p->st.st_mode))
		return tool_path_open(p, O_RDONLY);
	/* The child could not say why it does not get there. */
	if (faccessat(p->fd, ".", X_OK, 0) != 0)
		return -1;
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Returns 0, or an errno. */
static int
start(struct run *r, struct tool_rg *rg, const char *pattern,
    const struct tool_path *p)
{
	int out[2] = {-1, -1}, err[2] = {-1, -1};
	int in = open_input(p), code = 0;

	if (in == -1 || io_set_nonblock(in, false) != 0 ||
	    pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
		code = errno;
	} else {
		const int fds[] = {in, out[1], err[1]};

		r->pid = fork();
		if (r->pid == 0)
			child(rg, pattern, p, fds);
		code = r->pid == -1 ? errno : 0;
	}
	io_close(&in);
	io_close(&out[1]);
	io_close(&err[1]);
	if (code != 0) {
		io_close(&out[0]);
		io_close(&err[0]);
	}
	r->out = out[0];
	r->err = err[0];
	return code;
}

/* Reads once.  Returns false at the end. */
static bool
drain(int *fd, struct buf *b, bool *full)
{
	uint8_t chunk[16384];
	ssize_t n = read(*fd, chunk, sizeof chunk);
	size_t room = b->max - buf_len(b);

	if (n == -1 && errno == EINTR)
		return true;
	if (n <= 0) {
		io_close(fd);
		return false;
	}
	*full = (size_t)n > room;
	return buf_add(b, bytes_of(chunk, *full ? room : (size_t)n)) == 0;
}

/* Until rg has ended, the output is full, or the time is over. */
static void
collect(struct run *r, int64_t deadline_ms)
{
	while (r->out != -1 || r->err != -1) {
		struct pollfd p[] = {{r->out, POLLIN, 0}, {r->err, POLLIN, 0}};
		int64_t left = deadline_ms - clock_ms();
		bool full = false;

		if (left <= 0) {
			r->timed_out = true;
			return;
		}
		if (poll(p, 2, (int)left) == -1 && errno != EINTR)
			return;
		if (p[1].revents != 0)
			drain(&r->err, &r->errors, &full);
		full = false;
		if (p[0].revents != 0)
			drain(&r->out, &r->text, &full);
		if (full) {
			r->truncated = true;
			return;
		}
	}
}

/* Kills rg if it still runs.  Returns its exit status. */
static int
stop(struct run *r)
{
	int status;

	io_close(&r->out);
	io_close(&r->err);
	if (r->truncated || r->timed_out)
		kill(r->pid, SIGKILL);
	while (waitpid(r->pid, &status, 0) == -1) {
		if (errno != EINTR)
			return EXIT_FAILED;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) :
	    EXIT_SIGNAL + WTERMSIG(status);
}

/* Copies rg's output; lines that begin with "./" get the path that was
 * searched. */
static int
copy_lines(struct buf *out, struct bytes text, const char *base)
{
	while (text.len != 0) {
		const uint8_t *end = memchr(text.ptr, '\n', text.len);
		size_t len = end == NULL ? text.len :
		    (size_t)(end - text.ptr) + 1;
		struct bytes line = bytes_of(text.ptr, len);

		if (base != NULL && len >= 2 && memcmp(line.ptr, "./", 2) ==
		    0) {
			line = bytes_after(line, str_eq(base, "/") ? 2 : 1);
			if (text_add_line(out, bytes_cstr(base)) != 0)
				return -1;
		}
		if (text_add(out, line) != 0)
			return -1;
		text = bytes_after(text, len);
	}
	return 0;
}

/* Cuts out at the limit, between characters. */
static bool
cut(struct buf *out)
{
	struct bytes b = buf_bytes(out);
	size_t len = TOOL_GREP_OUTPUT_MAX;

	if (b.len <= len)
		return false;
	while (len != 0 && (b.ptr[len] & 0xc0) == 0x80)
		len--;
	out->tail -= b.len - len;
	return true;
}

static bool
finish(struct tool_call *c, struct run *r, int status, const char *base)
{
	struct buf *out = c->out;
	int failed = copy_lines(out, buf_bytes(&r->text), base);
	bool truncated = cut(out) || r->truncated, empty = buf_len(out) == 0;

	if (failed == 0 && truncated) {
		failed = buf_format(out, "\n[output truncated at %d bytes]",
		    TOOL_GREP_OUTPUT_MAX);
	} else if (r->timed_out && empty) {
		return tool_fail(c, "grep: timed out after %ds",
		    TOOL_TIME_MS / 1000);
	} else if (r->timed_out) {
		failed = buf_format(out, "%s[the search was cut short after "
		    "%d ms]", buf_bytes(out).ptr[buf_len(out) - 1] == '\n' ?
		    "" : "\n", TOOL_TIME_MS);
	} else if (status == NOTHING_FOUND) {
		failed = buf_add_str(out, "no matches");
	} else if (status != 0 && empty) {
		if (buf_len(&r->errors) == 0)
			return tool_fail(c, "grep: rg failed: exit %d",
			    status);
		return buf_add_str(out, "grep: rg failed: ") != 0 ||
		    text_add(out, buf_bytes(&r->errors)) != 0 || true;
	}
	return failed != 0 && tool_fail_memory(c);
}

bool
tool_rg_run(struct tool_rg *rg, struct tool_call *c, struct bytes pattern,
    const struct tool_path *p)
{
	static char text[REGEX_PATTERN_MAX + 1];
	struct run r = {.pid = -1, .out = -1, .err = -1};
	bool failed;
	int code;

	if (p->fd == -1 || (!S_ISDIR(p->st.st_mode) &&
	    !S_ISREG(p->st.st_mode)))
		return buf_add_str(c->out, "no matches") != 0 &&
		    tool_fail_memory(c);
	if (str_from_bytes(text, sizeof text, pattern) != 0)
		return tool_fail(c, pattern.len > REGEX_PATTERN_MAX ?
		    "grep: invalid regex: longer than %d bytes" :
		    "grep: invalid regex: a NUL inside", REGEX_PATTERN_MAX);
	code = start(&r, rg, text, p);
	if (code != 0)
		return tool_fail(c, "grep: rg failed: %s", strerror(code));
	buf_init(&r.text, TOOL_GREP_OUTPUT_MAX);
	buf_init(&r.errors, STDERR_MAX);
	collect(&r, c->deadline_ms);
	code = stop(&r);
	failed = finish(c, &r, code, S_ISDIR(p->st.st_mode) ? p->path : NULL);
	buf_reset(&r.text);
	buf_reset(&r.errors);
	return failed;
}
