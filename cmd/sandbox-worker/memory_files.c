/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/memory_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/sandbox-worker/tree.h"
#include "common/clock.h"
#include "common/io.h"
#include "common/sha256.h"
#include "common/str.h"
#include "common/utf8.h"

#define MARKER ".anthropic-memory-store"
#define NS_PER_S INT64_C(1000000000)

enum {
	DIRECTORY = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
	/* A FIFO must not block the open, nor a terminal become ours. */
	READING = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
	MARKER_MAX = 512,
};

/* ---- the folder and its marker ---- */

static int
format_marker(const struct memory_files *f, char out[static MARKER_MAX])
{
	return str_format(out, MARKER_MAX, "version 1\n%s", f->store);
}

static int
write_marker(struct memory_files *f)
{
	char text[MARKER_MAX];
	int fd, r;

	if (format_marker(f, text) != 0)
		return -1;
	fd = openat(f->root_fd, MARKER, O_WRONLY | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	r = io_write_all(fd, bytes_cstr(text));
	io_close(&fd);
	return r;
}

static int
make_folder(struct memory_files *f, struct error *e)
{
	if (mkdirat(f->parent_fd, f->name, 0700) != 0)
		return error_errno(e, "cannot create the memory store's "
		    "folder: %s", f->name);
	f->root_fd = openat(f->parent_fd, f->name, DIRECTORY);
	if (f->root_fd == -1 || write_marker(f) != 0) {
		error_errno(e, "cannot create the memory store's folder: %s",
		    f->name);
		io_close(&f->root_fd);
		unlinkat(f->parent_fd, f->name, AT_REMOVEDIR);
		return -1;
	}
	return 0;
}

int
memory_files_open(struct memory_files *f, int parent_fd, const char *name,
    const char *store, struct error *e)
{
	*f = (struct memory_files){
		.parent_fd = parent_fd, .name = name, .store = store,
		.root_fd = -1,
	};
	return make_folder(f, e);
}

int
memory_files_remove_all(struct memory_files *f, struct error *e)
{
	io_close(&f->root_fd);
	if (tree_remove(f->parent_fd, f->name, MEMORY_REMOVE_MS) != 0)
		return error_errno(e, "memory store's folder: remove");
	return 0;
}

static bool
is_gone(const struct memory_files *f)
{
	struct stat st;

	return fstat(f->root_fd, &st) != 0 || st.st_nlink == 0;
}

int
memory_files_restore(struct memory_files *f, struct error *e)
{
	if (is_gone(f)) {
		io_close(&f->root_fd);
		return make_folder(f, e);
	}
	if (write_marker(f) != 0 && errno != EEXIST)
		return error_errno(e, "memory store's marker");
	return 0;
}

/* ---- reading ---- */

static int
read_whole(int fd, struct buf *content)
{
	for (;;) {
		uint8_t *room = buf_reserve(content, MEMORY_CONTENT_MAX + 1 -
		    buf_len(content));
		ssize_t n;

		if (room == NULL)
			return -1;
		n = read(fd, room, MEMORY_CONTENT_MAX + 1 - buf_len(content));
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return (int)n;
		buf_commit(content, (size_t)n);
		if (buf_len(content) > MEMORY_CONTENT_MAX) {
			errno = EFBIG;
			return -1;
		}
	}
}

/* Reads a file that was opened.  *ret_st is what it was. */
static int
read_file(int fd, struct buf *content, struct stat *ret_st)
{
	if (fstat(fd, ret_st) != 0)
		return -1;
	if (!S_ISREG(ret_st->st_mode)) {
		errno = EINVAL;
		return -1;
	}
	if (ret_st->st_size > MEMORY_CONTENT_MAX) {
		errno = EFBIG;
		return -1;
	}
	if (read_whole(fd, content) != 0)
		return -1;
	if (!utf8_is_valid(buf_bytes(content))) {
		errno = EILSEQ;
		return -1;
	}
	return 0;
}

static int
read_at(int dir_fd, const char *name, struct buf *content,
    struct stat *ret_st)
{
	struct stat st;
	int fd, r;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	fd = openat(dir_fd, name, READING);
	if (fd == -1) {
		errno = errno == ELOOP || errno == ENXIO ? EINVAL : errno;
		return -1;
	}
	r = read_file(fd, content, ret_st);
	io_close(&fd);
	return r;
}

int
memory_files_read(const struct memory_files *f, const char *path,
    struct buf *content, char hash[static MEMORY_HASH_CAP])
{
	const char *leaf;
	struct stat st;
	int dir_fd = tree_open_parent(f->root_fd, path + 1, NULL, &leaf), r;

	hash[0] = '\0';
	if (dir_fd == -1)
		return -1;
	r = read_at(dir_fd, leaf, content, &st);
	if (r == 0)
		sha256_hex(buf_bytes(content), hash);
	io_close(&dir_fd);
	return r;
}

/* ---- the scan ---- */

struct scan {
	struct memory_list *list;
	unsigned seen;          /* names */
	bool cut;
	bool any;               /* there is a file */
	char path[TREE_PATH_MAX + 1];
	struct buf content;
};

static int64_t
ns_of(struct timespec t)
{
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static bool
is_stamped(const struct memory *m, const struct stat *st)
{
	return m->stamp.hash[0] != '\0' && m->stamp.inode == st->st_ino &&
	    m->stamp.size == (uint64_t)st->st_size &&
	    m->stamp.mtime_ns == ns_of(st->st_mtim) &&
	    m->stamp.ctime_ns == ns_of(st->st_ctim);
}

/* A file that changed a moment ago may change again within the same tick of
 * the file system's clock: its hash is not kept. */
static void
stamp(struct memory *m, const struct stat *st)
{
	m->stamp.hash[0] = '\0';
	if (clock_wall_ns() - ns_of(st->st_ctim) < NS_PER_S)
		return;
	str_format(m->stamp.hash, sizeof m->stamp.hash, "%s", m->local);
	m->stamp.inode = st->st_ino;
	m->stamp.size = (uint64_t)st->st_size;
	m->stamp.mtime_ns = ns_of(st->st_mtim);
	m->stamp.ctime_ns = ns_of(st->st_ctim);
}

/* Something at a path that cannot be a memory: it matters only where the
 * store has or had one. */
static void
note_blocked(struct scan *s)
{
	struct memory *m = memory_find(s->list, s->path);

	if (m != NULL)
		m->blocked = true;
}

static void
note_file(struct scan *s, int dir_fd, const char *name, const struct stat *st)
{
	struct memory *m = memory_find(s->list, s->path);
	struct stat now;

	if (m != NULL && is_stamped(m, st)) {
		str_format(m->local, sizeof m->local, "%s", m->stamp.hash);
		return;
	}
	buf_clear(&s->content);
	if (read_at(dir_fd, name, &s->content, &now) != 0) {
		if (errno != ENOENT)
			note_blocked(s);
		return;
	}
	m = memory_add(s->list, s->path);
	if (m == NULL) {
		s->cut = true;
		return;
	}
	sha256_hex(buf_bytes(&s->content), m->local);
	stamp(m, &now);
}

static void scan_directory(struct scan *s, int fd, size_t len, int depth);

static void
scan_below(struct scan *s, int dir_fd, const char *name, size_t len,
    int depth)
{
	int fd;

	if (depth == MEMORY_SEGMENTS_MAX)
		return;
	fd = openat(dir_fd, name, DIRECTORY);
	if (fd == -1) {
		s->cut = s->cut || errno != ENOENT;
		return;
	}
	scan_directory(s, fd, len, depth);
	io_close(&fd);
}

static void
scan_entry(struct scan *s, int dir_fd, const char *name, size_t len,
    int depth)
{
	size_t n = strlen(name);
	struct stat st;

	if (++s->seen > MEMORY_SCAN_MAX) {
		s->cut = true;
		return;
	}
	if (len + 1 + n > TREE_PATH_MAX)
		return;
	s->path[len] = '/';
	memcpy(s->path + len + 1, name, n + 1);
	if (!memory_path_is_good(s->path))
		return;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	if (S_ISDIR(st.st_mode)) {
		note_blocked(s);
		scan_below(s, dir_fd, name, len + 1 + n, depth);
		return;
	}
	s->any = true;
	if (S_ISREG(st.st_mode))
		note_file(s, dir_fd, name, &st);
	else
		note_blocked(s);
}

static void
scan_directory(struct scan *s, int fd, size_t len, int depth)
{
	int own = openat(fd, ".", DIRECTORY);
	DIR *d = own == -1 ? NULL : fdopendir(own);
	struct dirent *entry;

	if (d == NULL) {
		io_close(&own);
		s->cut = true;
		return;
	}
	while (s->seen <= MEMORY_SCAN_MAX && (entry = readdir(d)) != NULL)
		if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
			scan_entry(s, fd, entry->d_name, len, depth + 1);
	closedir(d);
}

static bool
has_marker(const struct memory_files *f, struct buf *content, bool *ret_there)
{
	char text[MARKER_MAX];
	struct stat st;

	buf_clear(content);
	if (read_at(f->root_fd, MARKER, content, &st) != 0) {
		*ret_there = errno != ENOENT;
		return false;
	}
	*ret_there = true;
	return format_marker(f, text) == 0 &&
	    bytes_eq(buf_bytes(content), bytes_cstr(text));
}

enum memory_folder
memory_files_scan(struct memory_files *f, struct memory_list *l,
    bool *ret_cut)
{
	struct scan s = {.list = l};
	bool there, marker;

	for (size_t i = 0; i < l->count; i++) {
		l->at[i]->local[0] = '\0';
		l->at[i]->blocked = false;
	}
	*ret_cut = false;
	if (is_gone(f))
		return MEMORY_FOLDER_LOST;
	buf_init(&s.content, MEMORY_CONTENT_MAX + 1);
	marker = has_marker(f, &s.content, &there);
	scan_directory(&s, f->root_fd, 0, 0);
	buf_reset(&s.content);
	*ret_cut = s.cut;
	if (marker)
		return MEMORY_FOLDER_GOOD;
	return there || s.any || s.cut ? MEMORY_FOLDER_FOREIGN
	    : MEMORY_FOLDER_LOST;
}

/* ---- writing ---- */

/* Whether the file is still what the scan found.  Between this look and the
 * rename the sandbox may write once more; what it writes then, it loses to
 * the store, as in every conflict. */
static bool
is_as_found(int dir_fd, const char *leaf, const struct memory *m)
{
	char hash[MEMORY_HASH_CAP] = "";
	struct buf content;
	struct stat st;
	int code = 0;

	buf_init(&content, MEMORY_CONTENT_MAX + 1);
	if (read_at(dir_fd, leaf, &content, &st) == 0)
		sha256_hex(buf_bytes(&content), hash);
	else
		code = errno;
	buf_reset(&content);
	if (m->blocked)
		return hash[0] == '\0';
	return str_eq(hash, m->local) && (code == 0 || code == ENOENT);
}

static int
write_temporary(int dir_fd, const char *name, struct bytes content)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd == -1)
		return -1;
	r = io_write_all(fd, content);
	if (close(fd) != 0)
		r = -1;
	return r;
}

static int
replace_file(int dir_fd, const char *leaf, const struct memory *m,
    struct bytes content)
{
	char hex[17], name[40];

	random_hex(hex, sizeof hex - 1);
	str_format(name, sizeof name, ".fs-%s.tmp", hex);
	if (write_temporary(dir_fd, name, content) == 0) {
		errno = EBUSY;
		if (is_as_found(dir_fd, leaf, m) &&
		    renameat(dir_fd, name, dir_fd, leaf) == 0)
			return 0;
	}
	{
		int code = errno;

		unlinkat(dir_fd, name, 0);
		errno = code;
	}
	return -1;
}

int
memory_files_write(const struct memory_files *f, const struct memory *m,
    struct bytes content, char hash[static MEMORY_HASH_CAP])
{
	uint64_t made = 0;
	const char *leaf;
	int dir_fd, r;

	dir_fd = tree_open_parent(f->root_fd, m->path + 1, &made, &leaf);
	if (dir_fd == -1)
		return -1;
	sha256_hex(content, hash);
	r = replace_file(dir_fd, leaf, m, content);
	io_close(&dir_fd);
	return r;
}

int
memory_files_delete(const struct memory_files *f, const struct memory *m)
{
	const char *leaf;
	int dir_fd = tree_open_parent(f->root_fd, m->path + 1, NULL, &leaf);
	int r = -1;

	if (dir_fd == -1)
		return -1;
	errno = EBUSY;
	if (is_as_found(dir_fd, leaf, m))
		r = unlinkat(dir_fd, leaf, 0);
	io_close(&dir_fd);
	return r;
}
