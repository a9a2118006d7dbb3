/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/agentcmd.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/mcp-proxy/roster.h"
#include "common/clock.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/opt.h"
#include "common/str.h"

enum { MODE = 0600 };

/* Of expiries: a hundred years. */
#define LIFE_MAX_MS (100LL * 365 * 24 * 3600 * 1000)

struct settings {
	const char *file, *cert;
	struct opt_list ids;
	int64_t life_ms;
};

#define FIELD(name) offsetof(struct settings, name)
#define FILE_ROW(help) \
	{'f', "file", "FILE", OPT_STRING, FIELD(file), 0, 0, NULL, help}

static const struct opt add_opts[] = {
	FILE_ROW("the file of agents, made if missing"),
	{0, "client-cert", "FILE", OPT_STRING, FIELD(cert), 0, 0, NULL,
	    "know it by this certificate instead of a token"},
	{0, "expires", "TIME", OPT_DURATION, FIELD(life_ms), 1000,
	    LIFE_MAX_MS, NULL, "how long it is valid [for ever]"},
	OPT_END,
};

static const struct opt list_opts[] = {
	FILE_ROW("the file of agents"),
	OPT_END,
};

static const struct opt remove_opts[] = {
	FILE_ROW("the file of agents"),
	{0, "id", "ID", OPT_LIST, FIELD(ids), 0, 0, NULL,
	    "only this credential of it; repeatable"},
	OPT_END,
};

static const struct opt_command add_command = {
	"mcp-proxy", "agent add", "NAME",
	"Gives an agent one more token, and prints it.", add_opts, true,
};

static const struct opt_command list_command = {
	"mcp-proxy", "agent list", "", "Lists agents and their credentials.",
	list_opts, true,
};

static const struct opt_command remove_command = {
	"mcp-proxy", "agent remove", "NAME",
	"Takes credentials of an agent away.", remove_opts, true,
};

/* ---- the file, held ---- */

/* A file that is changed: nobody else changes it meanwhile. */
struct held {
	const char *path;
	int fd;
	struct roster_list list;
};

/* Whether fd is still what path leads to: who held it before may have put
 * another file in its place. */
static bool
is_current(int fd, const char *path)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && stat(path, &there) == 0 &&
	    ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

static int
open_locked(const char *path, int flags, struct error *e)
{
	int fd;

	for (;;) {
		fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | flags, MODE);
		if (fd == -1)
			return error_errno(e, "%s", path);
		if (flock(fd, LOCK_EX) != 0) {
			error_errno(e, "%s", path);
			io_close(&fd);
			return -1;
		}
		if (is_current(fd, path))
			return fd;
		io_close(&fd);
	}
}

static int
hold(struct held *h, const char *path, int flags, struct error *e)
{
	h->path = path;
	h->fd = open_locked(path, flags, e);
	if (h->fd == -1)
		return -1;
	if (roster_read(path, &h->list, e) == 0)
		return 0;
	io_close(&h->fd);
	return -1;
}

static void
let_go(struct held *h)
{
	roster_list_done(&h->list);
	io_close(&h->fd);
}

/* ---- add ---- */

static int
make_agent(const struct settings *s, const char *name,
    struct roster_agent *ret, char token[static CREDENTIAL_TOKEN_LEN + 1],
    struct error *e)
{
	*ret = (struct roster_agent){.kind = ROSTER_TOKEN};
	str_format(ret->name, sizeof ret->name, "%s", name);
	if (s->life_ms != 0)
		ret->expires = clock_wall_s() + s->life_ms / 1000;
	if (s->cert != NULL) {
		ret->kind = ROSTER_CERT;
		return credential_of_cert_file(s->cert, &ret->credential, e);
	}
	credential_new_token(token);
	ret->credential = credential_of_token(bytes_cstr(token));
	return 0;
}

/* One write at the end: who reads meanwhile sees all of the line or none. */
static int
append(struct held *h, const struct roster_agent *a, struct error *e)
{
	bool torn = io_is_torn(h->fd);
	struct buf b;
	int r = -1;

	buf_init(&b, ROSTER_LINE_MAX);
	if (roster_format(&b, a) != 0)
		error_set(e, "out of memory");
	else if (lseek(h->fd, 0, SEEK_END) == -1)
		error_errno(e, "%s", h->path);
	else
		r = 0;
	if (r == 0 && (io_append_line(h->fd, &torn, buf_bytes(&b)) != 0 ||
	    fsync(h->fd) != 0))
		r = error_errno(e, "%s", h->path);
	buf_reset(&b);
	return r;
}

static bool
has(const struct roster_list *l, const struct roster_agent *a)
{
	for (size_t i = 0; i < l->count; i++) {
		if (l->at[i].kind == a->kind && credential_eq(
		    &l->at[i].credential, &a->credential))
			return true;
	}
	return false;
}

static int
add(const struct settings *s, const char *name, struct error *e)
{
	char token[CREDENTIAL_TOKEN_LEN + 1] = "";
	char id[CREDENTIAL_ID_LEN + 1];
	struct roster_agent a;
	struct held h;
	int r = -1;

	if (make_agent(s, name, &a, token, e) != 0 ||
	    hold(&h, s->file, O_CREAT, e) != 0)
		return -1;
	if (has(&h.list, &a))
		error_set(e, "%s: has this %s already", s->file,
		    roster_kind_name(a.kind));
	else if (h.list.count == ROSTER_AGENTS_MAX)
		error_set(e, "%s: more than %d", s->file, ROSTER_AGENTS_MAX);
	else
		r = append(&h, &a, e);
	let_go(&h);
	if (r == 0)
		printf("%s\n", a.kind == ROSTER_TOKEN ? token
		    : credential_id(&a.credential, id));
	explicit_bzero(token, sizeof token);
	return r;
}

/* ---- list ---- */

static int
compare_names(const void *a, const void *b)
{
	const struct roster_agent *left = a, *right = b;
	int r = strcmp(left->name, right->name);

	if (r != 0 || left->expires == right->expires)
		return r;
	return left->expires < right->expires ? -1 : 1;
}

static int
list(const struct settings *s, const char *name, struct error *e)
{
	struct roster_list l;
	int64_t now = clock_wall_s();

	(void)name;
	if (roster_read(s->file, &l, e) != 0)
		return -1;
	qsort(l.at, l.count, sizeof *l.at, compare_names);
	printf("%-20s %-5s %-8s %s\n", "NAME", "KIND", "ID", "EXPIRES");
	for (size_t i = 0; i < l.count; i++) {
		const struct roster_agent *a = &l.at[i];
		char id[CREDENTIAL_ID_LEN + 1], until[CLOCK_TIME_CAP];

		printf("%-20s %-5s %-8s %s\n", a->name,
		    roster_kind_name(a->kind),
		    credential_id(&a->credential, id), a->expires == 0
		    ? "never" : !roster_is_valid(a, now) ? "expired"
		    : clock_format_time(a->expires, until));
	}
	roster_list_done(&l);
	return 0;
}

/* ---- remove ---- */

/* Whether a is meant: by its name, and by its id if ids are given. */
static bool
is_meant(const struct settings *s, const char *name,
    const struct roster_agent *a)
{
	char id[CREDENTIAL_ID_LEN + 1];

	if (!str_eq(a->name, name))
		return false;
	for (size_t i = 0; i < s->ids.count; i++) {
		if (str_eq(credential_id(&a->credential, id), s->ids.at[i]))
			return true;
	}
	return s->ids.count == 0;
}

static int
check_ids(const struct settings *s, const char *name,
    const struct roster_list *l, struct error *e)
{
	for (size_t i = 0; i < s->ids.count; i++) {
		const struct settings one = {
			.ids = {.count = 1, .at = {s->ids.at[i]}},
		};
		size_t at = 0;

		while (at < l->count && !is_meant(&one, name, &l->at[at]))
			at++;
		if (at == l->count)
			return error_set(e, "%s: '%s' has no credential '%s'",
			    s->file, name, s->ids.at[i]);
	}
	return 0;
}

/* Whether the line, without its end, is of a that goes; remarks stay. */
static bool
goes(const struct settings *s, const char *name, struct bytes line)
{
	struct roster_list l;
	struct error e;
	bool r;

	if (roster_parse("", line, &l, &e) != 0)
		return false;
	r = l.count == 1 && is_meant(s, name, &l.at[0]);
	roster_list_done(&l);
	return r;
}

static int
copy_others(const struct settings *s, const char *name, struct bytes in,
    struct buf *out)
{
	while (in.len != 0) {
		const uint8_t *end = memchr(in.ptr, '\n', in.len);
		size_t len = end == NULL ? in.len
		    : (size_t)(end - in.ptr) + 1;
		struct bytes line = bytes_of(in.ptr, len);

		if (!goes(s, name, line) && buf_add(out, line) != 0)
			return -1;
		in = bytes_after(in, len);
	}
	return 0;
}

/* The new file is whose the old one was, so that mcp-proxy can still read
 * it. */
static int
replace(const struct held *h, struct bytes in, struct error *e)
{
	char dir[PATH_MAX], base[PATH_MAX];
	const char *name;
	struct stat st;
	int fd, r;

	if (str_format(dir, sizeof dir, "%s", h->path) != 0 ||
	    str_format(base, sizeof base, "%s", h->path) != 0 ||
	    fstat(h->fd, &st) != 0)
		return error_errno(e, "%s", h->path);
	fd = open(dirname(dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return error_errno(e, "%s", h->path);
	name = basename(base);
	r = io_replace_file(fd, name, in, st.st_mode & 07777, e);
	if (r == 0 && (st.st_uid != geteuid() || st.st_gid != getegid()) &&
	    fchownat(fd, name, st.st_uid, st.st_gid, 0) != 0)
		r = error_errno(e, "%s: its owner", h->path);
	io_close(&fd);
	return r;
}

static int
remove_from(const struct settings *s, const char *name,
    const struct held *h, struct error *e)
{
	struct buf in, out;
	size_t count = 0;
	int r = -1;

	for (size_t i = 0; i < h->list.count; i++)
		count += is_meant(s, name, &h->list.at[i]);
	if (count == 0 && s->ids.count == 0)
		return error_set(e, "%s: no agent '%s'", s->file, name);
	if (check_ids(s, name, &h->list, e) != 0)
		return -1;
	buf_init(&in, ROSTER_FILE_MAX);
	buf_init(&out, ROSTER_FILE_MAX);
	if (io_read_file(s->file, &in, e) == 0) {
		if (copy_others(s, name, buf_bytes(&in), &out) == 0)
			r = replace(h, buf_bytes(&out), e);
		else
			error_set(e, "out of memory");
	}
	buf_reset(&in);
	buf_reset(&out);
	return r;
}

static int
remove_agent(const struct settings *s, const char *name, struct error *e)
{
	struct held h;
	int r;

	if (hold(&h, s->file, 0, e) != 0)
		return -1;
	r = remove_from(s, name, &h, e);
	let_go(&h);
	return r;
}

/* ---- */

static int
run(const struct opt_command *command, int (*run_with)(
    const struct settings *, const char *name, struct error *), int argc,
    char **argv)
{
	bool named = command->operands[0] != '\0';
	struct settings s = {.file = NULL};
	struct error e;
	int operand, status;

	if (!opt_begin(command, argc, argv, 3, &s, &operand, &status))
		return status;
	if (s.file == NULL)
		return opt_usage(command, "--file is needed");
	if (argc - operand != named)
		return opt_usage(command, named ? "needs the name of one agent"
		    : "takes no operands");
	if (named && !credential_is_name(argv[operand]))
		return opt_usage(command, "a name is at most 63 of a-z, 0-9, "
		    "'-' and '_'");
	if (run_with(&s, argv[operand], &e) == 0)
		return opt_end(EXIT_OK);
	diag_error("%s", e.text);
	return opt_end(EXIT_FAILED);
}

static int
agent_add(int argc, char **argv)
{
	return run(&add_command, add, argc, argv);
}

static int
agent_list(int argc, char **argv)
{
	return run(&list_command, list, argc, argv);
}

static int
agent_remove(int argc, char **argv)
{
	return run(&remove_command, remove_agent, argc, argv);
}

int
agentcmd_run(int argc, char **argv)
{
	static const struct opt_subcommand commands[] = {
		{&add_command, agent_add}, {&list_command, agent_list},
		{&remove_command, agent_remove}, {NULL, NULL},
	};

	return opt_run_subcommand("mcp-proxy agent",
	    "Says which agents may call.", commands, argc, argv, 2);
}
