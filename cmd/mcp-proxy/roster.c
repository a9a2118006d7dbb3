/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/roster.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/io.h"
#include "common/str.h"

static const char *const kind_names[] = {
	[ROSTER_TOKEN] = "token", [ROSTER_CERT] = "cert",
};

const char *
roster_kind_name(enum roster_kind kind)
{
	return kind_names[kind];
}

/* ---- a line ---- */

/* Takes the next word off *line, "" at its end.  Returns 0, or -1 if it is
 * too long for out. */
static int
take_word(struct bytes *line, char *out, size_t cap)
{
	size_t from = 0, to;

	while (from < line->len && (line->ptr[from] == ' ' ||
	    line->ptr[from] == '\t'))
		from++;
	for (to = from; to < line->len && line->ptr[to] != ' ' &&
	    line->ptr[to] != '\t'; to++)
		continue;
	if (str_from_bytes(out, cap, bytes_of(line->ptr + from, to - from)) !=
	    0)
		return -1;
	*line = bytes_after(*line, to);
	return 0;
}

static int
parse_kind(const char *word, enum roster_kind *ret)
{
	for (int i = 0; i < 2; i++) {
		if (str_eq(word, kind_names[i])) {
			*ret = (enum roster_kind)i;
			return 0;
		}
	}
	return -1;
}

static bool
is_remark(struct bytes line)
{
	size_t n = 0;

	while (n < line.len && (line.ptr[n] == ' ' || line.ptr[n] == '\t'))
		n++;
	return n == line.len || line.ptr[n] == '#';
}

/* Returns 1, 0 for a line without an agent, or -1 with a text. */
static int
parse_line(struct bytes line, struct roster_agent *ret, struct error *e)
{
	char kind[16], digest[2 * CREDENTIAL_DIGEST_LEN + 1];
	char until[CLOCK_TIME_CAP], rest[2];

	if (is_remark(line))
		return 0;
	if (take_word(&line, ret->name, sizeof ret->name) != 0 ||
	    !credential_is_name(ret->name))
		return error_set(e, "the name of an agent is at most 63 of "
		    "a-z, 0-9, '-' and '_'");
	if (take_word(&line, kind, sizeof kind) != 0 ||
	    parse_kind(kind, &ret->kind) != 0)
		return error_set(e, "'%s' must be followed by token or cert",
		    ret->name);
	if (take_word(&line, digest, sizeof digest) != 0 ||
	    credential_parse(digest, &ret->credential) != 0)
		return error_set(e, "no SHA-256 digest of 64 lower-case "
		    "hexadecimal digits");
	ret->expires = 0;
	if (take_word(&line, until, sizeof until) != 0 ||
	    (until[0] != '\0' &&
	    clock_parse_time(until, &ret->expires) != 0))
		return error_set(e, "no time such as 2027-01-31T00:00:00Z");
	if (take_word(&line, rest, sizeof rest) != 0 || rest[0] != '\0')
		return error_set(e, "more than four words");
	return 1;
}

int
roster_format(struct buf *out, const struct roster_agent *a)
{
	char digest[2 * CREDENTIAL_DIGEST_LEN + 1], until[CLOCK_TIME_CAP];

	credential_format(&a->credential, digest);
	return buf_format(out, "%s %s %s%s%s\n", a->name,
	    kind_names[a->kind], digest, a->expires == 0 ? "" : " ",
	    a->expires == 0 ? "" : clock_format_time(a->expires, until));
}

bool
roster_is_valid(const struct roster_agent *a, int64_t now_s)
{
	return a->expires == 0 || now_s < a->expires;
}

/* ---- a file ---- */

static int
compare(const void *a, const void *b)
{
	const struct roster_agent *left = a, *right = b;

	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	return memcmp(left->credential.digest, right->credential.digest,
	    CREDENTIAL_DIGEST_LEN);
}

/* Who has the credential must be clear. */
static int
check_unique(const struct roster_list *l, const char *name, struct error *e)
{
	for (size_t i = 1; i < l->count; i++) {
		if (compare(&l->at[i - 1], &l->at[i]) == 0)
			return error_set(e, "%s: '%s' and '%s' have the same "
			    "%s", name, l->at[i - 1].name, l->at[i].name,
			    kind_names[l->at[i].kind]);
	}
	return 0;
}

static int
parse_lines(const char *name, struct bytes text, struct roster_list *l,
    struct error *e)
{
	for (unsigned number = 1; text.len != 0; number++) {
		const uint8_t *end = memchr(text.ptr, '\n', text.len);
		size_t len = end == NULL ? text.len : (size_t)(end - text.ptr);
		struct roster_agent a;
		int r = len > ROSTER_LINE_MAX
		    ? error_set(e, "above %d bytes", ROSTER_LINE_MAX)
		    : parse_line(bytes_of(text.ptr, len), &a, e);

		if (r == 1 && l->count == ROSTER_AGENTS_MAX)
			r = error_set(e, "more than %d", ROSTER_AGENTS_MAX);
		if (r < 0)
			return error_prefix(e, "%s:%u", name, number);
		if (r == 1)
			l->at[l->count++] = a;
		text = bytes_after(text, len + (end != NULL));
	}
	return 0;
}

int
roster_parse(const char *name, struct bytes text, struct roster_list *ret,
    struct error *e)
{
	*ret = (struct roster_list){
		.at = calloc(ROSTER_AGENTS_MAX, sizeof *ret->at),
	};
	if (ret->at == NULL)
		return error_errno(e, "%s", name);
	if (parse_lines(name, text, ret, e) == 0) {
		qsort(ret->at, ret->count, sizeof *ret->at, compare);
		if (check_unique(ret, name, e) == 0)
			return 0;
	}
	roster_list_done(ret);
	return -1;
}

void
roster_list_done(struct roster_list *l)
{
	free(l->at);
	*l = (struct roster_list){.at = NULL};
}

/* Who can write it can let anybody in. */
static int
check_owned(int fd, const char *path, struct error *e)
{
	struct stat st;

	return fstat(fd, &st) != 0 ? error_errno(e, "%s", path)
	    : io_check_owned(path, &st, e);
}

int
roster_read(const char *path, struct roster_list *ret, struct error *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct buf b;
	int r = -1;

	if (fd == -1)
		return error_errno(e, "%s", path);
	buf_init(&b, ROSTER_FILE_MAX);
	if (check_owned(fd, path, e) == 0 && io_read_fd(fd, path, &b, e) == 0)
		r = roster_parse(path, buf_bytes(&b), ret, e);
	buf_reset(&b);
	io_close(&fd);
	return r;
}

static void *
read_kept(const char *path, struct error *e)
{
	struct roster_list *l = malloc(sizeof *l);

	if (l == NULL)
		error_errno(e, "%s", path);
	else if (roster_read(path, l, e) == 0)
		return l;
	free(l);
	return NULL;
}

static void
done_kept(void *value)
{
	roster_list_done(value);
	free(value);
}

const struct kept_kind roster_kept = {"agents", read_kept, done_kept};

const struct roster_agent *
roster_find(const struct roster_list *l, enum roster_kind kind,
    const struct credential *c)
{
	struct roster_agent key = {.kind = kind, .credential = *c};
	const struct roster_agent *a = l->count == 0 ? NULL
	    : bsearch(&key, l->at, l->count, sizeof key, compare);

	return a != NULL && roster_is_valid(a, clock_wall_s()) ? a : NULL;
}
