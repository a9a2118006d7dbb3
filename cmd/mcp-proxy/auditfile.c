/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/auditfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/exit.h"
#include "common/io.h"
#include "common/str.h"

enum { FLAGS = O_CLOEXEC | O_NOCTTY | O_NONBLOCK };

/* ---- the end of the chain ---- */

/* What auditfile keeps of the end of a file. */
struct tail {
	uint64_t seq;
	size_t record_len;  /* 0: there is none */
	struct bytes since; /* begins with that record */
	bool ended;
};

/* Whether in is the beginning of a line of ours, or that of in. */
static bool
begins_as_ours(struct bytes in)
{
	struct bytes start = bytes_cstr("{\"seq\":");

	if (in.len < start.len)
		start.len = in.len;
	return bytes_eq(bytes_of(in.ptr, start.len), start);
}

/* Finds it in the last bytes of a file; whole: in all of them.  Returns 0, or
 * -1: it is no file of ours. */
static int
find_tail(struct bytes in, bool whole, struct tail *ret)
{
	bool ours = whole && begins_as_ours(in);
	struct auditline record;
	size_t end;

	*ret = (struct tail){.ended = in.len == 0 ||
	    in.ptr[in.len - 1] == '\n'};
	if (in.len != 0 && ret->ended)
		in.len--;
	for (end = in.len; end != 0;) {
		const uint8_t *before = memrchr(in.ptr, '\n', end);
		size_t begin = before == NULL ? 0
		    : (size_t)(before - in.ptr) + 1;

		if (auditline_parse(bytes_of(in.ptr + begin, end - begin),
		    &record) == 0) {
			ret->seq = record.seq;
			ret->record_len = end - begin;
			ret->since = bytes_after(in, begin);
			return 0;
		}
		if (begin == 0)
			break;
		end = begin - 1;
	}
	/* The first line of all may have been cut short. */
	ret->since = in;
	return ours ? 0 : -1;
}

/* Reads at most the last max bytes of a file. */
static int
read_end(int fd, off_t size, struct buf *b)
{
	off_t from = size > AUDITLINE_SINCE_MAX ? size - AUDITLINE_SINCE_MAX
	    : 0;

	while (from < size) {
		uint8_t *at = buf_reserve(b, (size_t)(size - from));
		ssize_t n = at == NULL ? -1
		    : pread(fd, at, (size_t)(size - from), from);

		if (n == -1 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break; /* it was made shorter just now */
		buf_commit(b, (size_t)n);
		from += n;
	}
	return 0;
}

static int
read_tail(int fd, const char *path, off_t size, struct buf *b,
    struct tail *ret, struct error *e)
{
	if (read_end(fd, size, b) != 0)
		return error_errno(e, "%s", path);
	if (find_tail(buf_bytes(b), size <= AUDITLINE_SINCE_MAX, ret) != 0)
		return error_set(e, "%s: does not end as a file of "
		    "mcp-proxy's audit does", path);
	return 0;
}

int
auditfile_read_head(const char *path, uint64_t *ret_seq,
    uint8_t ret_digest[static SHA256_LEN], struct error *e)
{
	int fd = open(path, O_RDONLY | FLAGS), r = -1;
	struct tail tail;
	struct stat st;
	struct buf b;

	buf_init(&b, AUDITLINE_SINCE_MAX);
	if (fd == -1 || fstat(fd, &st) != 0) {
		error_errno(e, "%s", path);
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		error_set(e, "%s: not a regular file", path);
		goto out;
	}
	if (read_tail(fd, path, st.st_size, &b, &tail, e) != 0)
		goto out;
	if (tail.record_len == 0) {
		error_set(e, "%s: holds no record", path);
		goto out;
	}
	*ret_seq = tail.seq;
	sha256(bytes_of(tail.since.ptr, tail.record_len), ret_digest);
	r = 0;
out:
	io_close(&fd);
	buf_reset(&b);
	return r;
}

/* ---- opening ---- */

/* Opens and locks it.  Returns the descriptor, or -1 with a text. */
static int
open_locked(const char *path, struct stat *ret, struct error *e)
{
	int fd = open(path, O_RDWR | O_APPEND | O_CREAT | FLAGS, 0600);

	e->code = EXIT_USAGE;
	if (fd == -1 || fstat(fd, ret) != 0) {
		error_errno(e, "%s", path);
	} else if (io_check_owned(path, ret, e) != 0) {
		;
	} else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		e->code = EXIT_FAILED;
		if (errno == EWOULDBLOCK)
			error_set(e, "%s: another process writes it", path);
		else
			error_errno(e, "%s: lock", path);
	} else if (fstat(fd, ret) != 0) {
		error_errno(e, "%s", path);
	} else {
		return fd;
	}
	io_close(&fd);
	return -1;
}

static int
take_tail(struct auditfile *f, const struct tail *tail)
{
	f->seq = tail->seq;
	f->ended = tail->ended;
	f->torn = tail->since.len != tail->record_len;
	return buf_add(&f->since, tail->since);
}

int
auditfile_open(struct auditfile *f, const char *path, struct error *e)
{
	struct tail tail;
	struct stat st;
	struct buf b;
	int r = -1, fd = open_locked(path, &st, e);

	*f = (struct auditfile){.fd = fd};
	if (fd == -1)
		return -1;
	buf_init(&f->since, AUDITLINE_SINCE_MAX);
	buf_init(&b, AUDITLINE_SINCE_MAX);
	if (read_tail(fd, path, st.st_size, &b, &tail, e) != 0)
		goto out;
	if (take_tail(f, &tail) != 0) {
		error_errno(e, "%s", path);
		goto out;
	}
	f->path = path;
	r = 0;
out:
	if (r != 0)
		io_close(&f->fd);
	buf_reset(&b);
	return r;
}

void
auditfile_close(struct auditfile *f)
{
	if (f->path == NULL)
		return;
	io_close(&f->fd);
	buf_reset(&f->since);
	f->path = NULL;
}

int
auditfile_check(const char *path, struct error *e)
{
	char dir[4096];
	struct stat st;
	const char *slash = strrchr(path, '/');

	if (stat(path, &st) == 0) {
		if (io_check_owned(path, &st, e) != 0)
			return -1;
		return access(path, R_OK | W_OK) == 0 ? 0
		    : error_errno(e, "%s", path);
	}
	if (errno != ENOENT)
		return error_errno(e, "%s", path);
	if (str_from_bytes(dir, sizeof dir, slash == NULL ? bytes_cstr(".")
	    : bytes_of(path, (size_t)(slash - path) + 1)) != 0 ||
	    access(dir, W_OK | X_OK) != 0)
		return error_errno(e, "%s", path);
	return 0;
}

/* ---- moving on ---- */

bool
auditfile_is_moved(const struct auditfile *f)
{
	struct stat ours, there;

	return fstat(f->fd, &ours) != 0 || stat(f->path, &there) != 0 ||
	    ours.st_dev != there.st_dev || ours.st_ino != there.st_ino;
}

int
auditfile_open_next(const struct auditfile *f, struct error *e)
{
	struct stat st;
	int fd = open_locked(f->path, &st, e);

	if (fd == -1 || st.st_size == 0)
		return fd;
	io_close(&fd);
	return error_set(e, "%s: is not empty", f->path);
}

void
auditfile_move(struct auditfile *f, int fd)
{
	io_close(&f->fd);
	f->fd = fd;
	f->ended = true;
}

/* ---- lines ---- */

void
auditfile_prev(const struct auditfile *f, char out[static SHA256_HEX_CAP])
{
	uint8_t digest[SHA256_LEN] = {0};

	if (f->seq != 0 || f->torn)
		sha256(buf_bytes(&f->since), digest);
	str_hex(out, bytes_of(digest, sizeof digest));
}

/* Writes what the kernel takes of it.  Returns how much that was, with errno
 * when it is not all. */
static size_t
write_most(int fd, struct bytes in)
{
	size_t done = 0;

	while (done < in.len) {
		ssize_t n = write(fd, in.ptr + done, in.len - done);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			break;
	}
	return done;
}

/* Remembers a record of which all but perhaps its line end is in the file.
 * There is room for it, and for a part. */
static void
take_record(struct auditfile *f, struct bytes record)
{
	buf_clear(&f->since);
	buf_add(&f->since, record);
	f->seq++;
	f->torn = false;
}

static void
take_part(struct auditfile *f, struct bytes part)
{
	if (part.len == 0)
		return;
	if (f->ended && buf_len(&f->since) != 0)
		buf_add_str(&f->since, "\n");
	f->torn = true;
	f->ended = part.ptr[part.len - 1] == '\n';
	buf_add(&f->since, f->ended ? bytes_of(part.ptr, part.len - 1)
	    : part);
}

static int
append(struct auditfile *f, struct bytes lead, struct bytes line)
{
	size_t done;

	if (buf_reserve(&f->since, line.len + 2) == NULL)
		return -1; /* also after much was cut short */
	done = write_most(f->fd, line);
	if (done + 1 < line.len) {
		take_part(f, bytes_of(line.ptr, done));
		return -1;
	}
	line.len--;
	take_record(f, bytes_after(line, lead.len));
	f->ended = done > line.len;
	return f->ended ? 0 : -1;
}

int
auditfile_append(struct auditfile *f, struct bytes line)
{
	struct buf all;
	int r = -1;

	if (f->ended)
		return append(f, bytes_cstr(""), line);
	buf_init(&all, AUDITLINE_MAX + 1);
	if (buf_add_str(&all, "\n") == 0 && buf_add(&all, line) == 0)
		r = append(f, bytes_cstr("\n"), buf_bytes(&all));
	buf_reset(&all);
	return r;
}
