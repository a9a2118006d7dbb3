/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/sandbox-worker/tree.h"
#include "common/io.h"
#include "common/str.h"
#include "common/utf8.h"

enum { BLOCK_LEN = 64 * 1024 };

const struct unpack_limits unpack_limits = {
	.members = 10000,
	.member_bytes = 64 << 20,
	.total_bytes = 256 << 20,
	.ratio = 200,
	.ratio_floor = 16 << 20,
};

enum member_kind { MEMBER_FILE, MEMBER_DIRECTORY, MEMBER_DROPPED };

struct member {
	enum member_kind kind;
	char path[UNPACK_NAME_MAX + 1];
	bool executable;
	uint64_t size; /* as the archive says */
};

/* One pass over an archive. */
struct unpack {
	const struct unpack_limits *limits;
	int archive_fd, dir_fd;
	uint64_t packed;   /* bytes of the archive */
	struct archive *reader;
	uint64_t members;  /* so far */
	uint64_t declared; /* bytes that the members so far say they have */
	uint64_t written;
	uint64_t made;     /* files and directories */
	char top[UNPACK_NAME_MAX + 1]; /* first component of all names */
	bool several;      /* they have none in common */
	bool inside;       /* something lies below top */
};

/* ---- names ---- */

static bool
is_separator(uint8_t c)
{
	return c == '/' || c == '\\';
}

/* "C:" at the start is a drive for some. */
static bool
is_absolute(struct bytes name)
{
	if (is_separator(name.ptr[0]))
		return true;
	return name.len > 2 && name.ptr[1] == ':' &&
	    is_separator(name.ptr[2]) && ((name.ptr[0] | 0x20) >= 'a' &&
	    (name.ptr[0] | 0x20) <= 'z');
}

/* Whether a component is "..", on systems with either separator. */
static bool
climbs(struct bytes name)
{
	size_t from = 0;

	for (size_t i = 0; i <= name.len; i++) {
		if (i != name.len && !is_separator(name.ptr[i]))
			continue;
		if (i - from == 2 && name.ptr[from] == '.' &&
		    name.ptr[from + 1] == '.')
			return true;
		from = i + 1;
	}
	return false;
}

static int
judge_name(struct bytes name, struct error *e)
{
	if (name.len == 0)
		return error_set(e, "no name");
	if (name.len > UNPACK_NAME_MAX)
		return error_set(e, "name longer than %d bytes",
		    UNPACK_NAME_MAX);
	if (!utf8_is_valid(name) || memchr(name.ptr, '\0', name.len) != NULL)
		return error_set(e, "name is not UTF-8");
	if (is_absolute(name))
		return error_set(e, "absolute name");
	if (climbs(name))
		return error_set(e, "name with '..'");
	return 0;
}

int
unpack_name(struct bytes name, char out[static UNPACK_NAME_MAX + 1],
    struct error *e)
{
	size_t from = 0, len = 0;
	int depth = 0;

	out[0] = '\0';
	if (judge_name(name, e) != 0)
		return -1;
	for (size_t i = 0; i <= name.len; i++) {
		size_t n = i - from;

		if (i != name.len && name.ptr[i] != '/')
			continue;
		if (n > NAME_MAX)
			return error_set(e, "component longer than %d bytes",
			    NAME_MAX);
		if (n != 0 && !(n == 1 && name.ptr[from] == '.')) {
			if (++depth > UNPACK_DEPTH_MAX)
				return error_set(e, "deeper than %d "
				    "directories", UNPACK_DEPTH_MAX);
			if (len != 0)
				out[len++] = '/';
			memcpy(out + len, name.ptr + from, n);
			len += n;
		}
		from = i + 1;
	}
	out[len] = '\0';
	return (int)len;
}

/* ---- reading ---- */

static int
reader_error(struct unpack *u, struct error *e)
{
	const char *text = archive_error_string(u->reader);

	return error_set(e, "%s", text != NULL ? text : "not readable");
}

static bool
is_zip(int fd)
{
	uint8_t start[4];

	return pread(fd, start, sizeof start, 0) == (ssize_t)sizeof start &&
	    memcmp(start, "PK\x03\x04", sizeof start) == 0;
}

/* Says what may be read.  Anything but ARCHIVE_OK of a compression would mean
 * that libarchive means to run a program for it. */
static bool
choose_formats(struct archive *reader, bool zip)
{
	if (zip)
		return archive_read_support_format_zip_seekable(reader) ==
		    ARCHIVE_OK;
	return archive_read_support_format_tar(reader) == ARCHIVE_OK &&
	    archive_read_support_filter_gzip(reader) == ARCHIVE_OK &&
	    archive_read_support_filter_bzip2(reader) == ARCHIVE_OK &&
	    archive_read_support_filter_xz(reader) == ARCHIVE_OK &&
	    archive_read_support_filter_zstd(reader) == ARCHIVE_OK;
}

static void
close_reader(struct unpack *u)
{
	if (u->reader != NULL)
		archive_read_free(u->reader);
	u->reader = NULL;
}

static int
open_reader(struct unpack *u, struct error *e)
{
	u->members = u->declared = 0;
	u->reader = archive_read_new();
	if (u->reader == NULL || lseek(u->archive_fd, 0, SEEK_SET) != 0)
		return error_errno(e, "open");
	if (!choose_formats(u->reader, is_zip(u->archive_fd)))
		return error_set(e, "libarchive lacks a format");
	if (archive_read_open_fd(u->reader, u->archive_fd, BLOCK_LEN) !=
	    ARCHIVE_OK)
		return reader_error(u, e);
	return 0;
}

static int
count_declared(struct unpack *u, const struct member *m, struct error *e)
{
	const struct unpack_limits *l = u->limits;

	if (m->size > l->member_bytes)
		return error_set(e, "larger than %llu bytes",
		    (unsigned long long)l->member_bytes);
	u->declared += m->size;
	if (u->declared > l->total_bytes)
		return error_set(e, "more than %llu bytes in all",
		    (unsigned long long)l->total_bytes);
	return 0;
}

static enum member_kind
member_kind(struct archive_entry *entry)
{
	if (archive_entry_hardlink(entry) != NULL ||
	    archive_entry_symlink(entry) != NULL)
		return MEMBER_DROPPED;
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		return MEMBER_FILE;
	case AE_IFDIR:
		return MEMBER_DIRECTORY;
	default:
		return MEMBER_DROPPED;
	}
}

/* Reads the next header.  Returns 1, 0 at the end, or -1 with a text. */
static int
read_member(struct unpack *u, struct member *ret, struct error *e)
{
	struct archive_entry *entry;
	int r = archive_read_next_header(u->reader, &entry);
	const char *name;
	la_int64_t size;

	if (r == ARCHIVE_EOF)
		return 0;
	if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
		return reader_error(u, e);
	/* The last one is "none". */
	if (archive_filter_count(u->reader) > 2)
		return error_set(e, "compressed more than once");
	if (++u->members > u->limits->members)
		return error_set(e, "more than %llu members",
		    (unsigned long long)u->limits->members);
	if (archive_entry_is_encrypted(entry))
		return error_set(e, "encrypted");
	name = archive_entry_pathname(entry);
	if (name == NULL)
		return error_set(e, "name is not UTF-8");
	if (unpack_name(bytes_cstr(name), ret->path, e) < 0)
		return -1;
	ret->kind = member_kind(entry);
	ret->executable = (archive_entry_perm(entry) & 0111) != 0;
	size = archive_entry_size_is_set(entry) ? archive_entry_size(entry) : 0;
	if (size < 0)
		return error_set(e, "negative size");
	ret->size = (uint64_t)size;
	return count_declared(u, ret, e) == 0 ? 1 : -1;
}

typedef int visit_fn(struct unpack *, const struct member *, struct error *);

/* Goes through the members that are kept. */
static int
visit_members(struct unpack *u, visit_fn *visit, struct error *e)
{
	struct member m;
	int r = open_reader(u, e);

	while (r == 0 && (r = read_member(u, &m, e)) == 1)
		r = m.kind == MEMBER_DROPPED || m.path[0] == '\0' ? 0
		    : visit(u, &m, e);
	if (r != 0 && u->members != 0)
		error_prefix(e, "member %llu", (unsigned long long)u->members);
	close_reader(u);
	return r;
}

/* ---- the common directory ---- */

static int
note_top(struct unpack *u, const struct member *m, struct error *e)
{
	size_t n = strcspn(m->path, "/");
	struct bytes first = bytes_of(m->path, n);

	(void)e;
	if (u->top[0] == '\0')
		str_from_bytes(u->top, sizeof u->top, first);
	if (!bytes_eq(first, bytes_cstr(u->top)) ||
	    (m->path[n] == '\0' && m->kind == MEMBER_FILE))
		u->several = true;
	if (m->path[n] == '/')
		u->inside = true;
	return 0;
}

/* The name of m where it goes, "" for the directory that is left out. */
static const char *
member_place(const struct unpack *u, const struct member *m)
{
	size_t n = strlen(u->top);

	if (u->several || !u->inside)
		return m->path;
	return m->path[n] == '/' ? m->path + n + 1 : "";
}

/* ---- writing ---- */

/* Accounts for bytes that a member grew to have. */
static int
count_bytes(struct unpack *u, uint64_t end, uint64_t *at, struct error *e)
{
	const struct unpack_limits *l = u->limits;

	if (end <= *at)
		return 0;
	if (end > l->member_bytes)
		return error_set(e, "larger than %llu bytes",
		    (unsigned long long)l->member_bytes);
	u->written += end - *at;
	*at = end;
	if (u->written > l->total_bytes)
		return error_set(e, "more than %llu bytes in all",
		    (unsigned long long)l->total_bytes);
	if (u->written > l->ratio_floor && u->written / l->ratio > u->packed)
		return error_set(e, "unpacks to more than %llu times its size",
		    (unsigned long long)l->ratio);
	return 0;
}

static int
write_at(int fd, const uint8_t *p, size_t len, off_t at, struct error *e)
{
	while (len != 0) {
		ssize_t n = pwrite(fd, p, len, at);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_errno(e, "write");
		p += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
write_content(struct unpack *u, const struct member *m, int fd,
    struct error *e)
{
	uint64_t at = 0;

	for (;;) {
		const void *block;
		la_int64_t offset;
		size_t len;
		int r = archive_read_data_block(u->reader, &block, &len,
		    &offset);

		if (r == ARCHIVE_EOF)
			break;
		if (r != ARCHIVE_OK)
			return reader_error(u, e);
		if (offset < 0 || len > INT64_MAX - (uint64_t)offset)
			return error_set(e, "impossible offset");
		if (count_bytes(u, (uint64_t)offset + len, &at, e) != 0 ||
		    write_at(fd, block, len, offset, e) != 0)
			return -1;
	}
	/* A sparse member may end in a hole. */
	if (m->size <= at)
		return 0;
	if (count_bytes(u, m->size, &at, e) != 0)
		return -1;
	return ftruncate(fd, (off_t)at) == 0 ? 0 : error_errno(e, "write");
}

static int
make_file(struct unpack *u, const struct member *m, int dir_fd,
    const char *leaf, struct error *e)
{
	int fd = openat(dir_fd, leaf, O_WRONLY | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd == -1)
		return errno == EEXIST ? error_set(e, "name given twice")
		    : error_errno(e, "create");
	u->made++;
	r = write_content(u, m, fd, e);
	if (r == 0 && fchmod(fd, m->executable ? 0755 : 0644) != 0)
		r = error_errno(e, "chmod");
	if (close(fd) != 0 && r == 0)
		r = error_errno(e, "close");
	return r;
}

static int
make_directory(struct unpack *u, int dir_fd, const char *leaf,
    struct error *e)
{
	struct stat st;

	if (mkdirat(dir_fd, leaf, 0700) == 0) {
		u->made++;
		return 0;
	}
	if (errno != EEXIST)
		return error_errno(e, "mkdir");
	if (fstatat(dir_fd, leaf, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    !S_ISDIR(st.st_mode))
		return error_set(e, "name given twice");
	return 0;
}

static int
place_member(struct unpack *u, const struct member *m, struct error *e)
{
	const char *place = member_place(u, m), *leaf;
	int fd, r;

	if (place[0] == '\0')
		return 0;
	fd = tree_open_parent(u->dir_fd, place, &u->made, &leaf);
	if (fd == -1)
		return errno == ENOTDIR ? error_set(e, "name given twice")
		    : error_errno(e, "open");
	r = m->kind == MEMBER_FILE ? make_file(u, m, fd, leaf, e)
	    : make_directory(u, fd, leaf, e);
	io_close(&fd);
	if (r == 0 && u->made > u->limits->members)
		r = error_set(e, "more than %llu files and directories",
		    (unsigned long long)u->limits->members);
	return r;
}

int
unpack_archive(int archive_fd, int dir_fd, const struct unpack_limits *limits,
    struct error *e)
{
	struct unpack u = {
		.limits = limits, .archive_fd = archive_fd, .dir_fd = dir_fd,
	};
	struct stat st;

	if (fstat(archive_fd, &st) != 0)
		return error_errno(e, "stat");
	u.packed = (uint64_t)st.st_size;
	if (visit_members(&u, note_top, e) != 0)
		return -1;
	if (u.top[0] == '\0')
		return error_set(e, "holds no file");
	return visit_members(&u, place_member, e);
}
