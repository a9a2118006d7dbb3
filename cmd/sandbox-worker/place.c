/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/sandbox-worker/leftover.h"
#include "cmd/sandbox-worker/tree.h"
#include "common/io.h"
#include "common/jsonr.h"
#include "common/jsonw.h"
#include "common/sha256.h"
#include "common/str.h"

enum { NAME_MAX_PLAIN = 64 };

static bool
is_harmless(const char *id)
{
	if (id[0] == '\0' || id[0] == '-' || strlen(id) > NAME_MAX_PLAIN)
		return false;
	for (; *id != '\0'; id++) {
		if (!((*id >= 'a' && *id <= 'z') || (*id >= 'A' && *id <= 'Z')
		    || (*id >= '0' && *id <= '9') || *id == '_' ||
		    *id == '-'))
			return false;
	}
	return true;
}

void
place_name(const char *id, char out[static 80])
{
	uint8_t digest[SHA256_LEN];

	if (is_harmless(id)) {
		str_format(out, 80, "%s", id);
		return;
	}
	sha256(bytes_cstr(id), digest);
	/* No harmless name has a dot, so that the two never meet. */
	str_format(out, 80, "id.");
	str_hex(out + 3, bytes_of(digest, sizeof digest));
}

/* Makes DIR/NAME, which may be there, but only as a directory. */
static int
make_dir(const char *dir, const char *name, char out[static PATH_MAX],
    struct error *e)
{
	struct stat st;
	int fd = open(dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC), r = -1;

	if (fd == -1)
		return error_errno(e, "%s", dir);
	if (mkdirat(fd, name, 0700) != 0 && errno != EEXIST)
		error_errno(e, "%s/%s", dir, name);
	else if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		error_errno(e, "%s/%s", dir, name);
	else if (!S_ISDIR(st.st_mode))
		error_set(e, "%s/%s: not a directory", dir, name);
	else
		r = 0;
	close(fd);
	if (r == 0 && (realpath(dir, out) == NULL || str_format(out +
	    strlen(out), PATH_MAX - strlen(out), "/%s", name) != 0))
		r = error_set(e, "%s/%s: too long", dir, name);
	return r;
}

static int
check_path(const char *path, struct error *e)
{
	if (strchr(path, ':') != NULL)
		return error_set(e, "%s: a colon cannot be in the path of "
		    "a directory to show", path);
	return 0;
}

static int
find_workdir(struct place *p, const struct settings *s, const char *name,
    struct error *e)
{
	struct stat st;

	if (s->workspaces != NULL) {
		str_format(p->inside, sizeof p->inside, "/workspace");
		return make_dir(s->workspaces, name, p->host, e);
	}
	if (realpath(s->workdir, p->host) == NULL ||
	    stat(p->host, &st) != 0)
		return error_errno(e, "%s", s->workdir);
	if (!S_ISDIR(st.st_mode))
		return error_set(e, "%s: not a directory", s->workdir);
	if (str_eq(p->host, "/"))
		return error_set(e, "--workdir: the root directory cannot be "
		    "given to a session");
	str_format(p->inside, sizeof p->inside, "%s", p->host);
	return 0;
}

/* A file with a secret may lie where sandboxes see it, /etc for one, and be of
 * the user whom they run as. */
static void
find_masks(struct place *p)
{
	const struct secret_file *f;

	for (size_t i = 0; (f = secret_file_get(i)) != NULL; i++) {
		if (secret_file_format_mask(f, p->masks[p->mask_count]) == 0)
			p->mask_count++;
	}
}

int
place_open(struct place *p, const struct settings *s,
    const char *session_id, struct error *e)
{
	char name[80];

	*p = (struct place){.lock_fd = -1, .state_fd = -1};
	place_name(session_id, name);
	find_masks(p);
	if (find_workdir(p, s, name, e) != 0 || check_path(p->host, e) != 0)
		return -1;
	if (s->outputs != NULL && (make_dir(s->outputs, name, p->outputs, e)
	    != 0 || check_path(p->outputs, e) != 0))
		return -1;
	return 0;
}

int
place_lock(struct place *p, struct error *e)
{
	int fd = open(p->host, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

	if (fd != -1 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
		p->lock_fd = fd;
		return 1;
	}
	if (fd == -1 || errno != EWOULDBLOCK)
		r = error_errno(e, "%s: lock", p->host);
	io_close(&fd);
	return r;
}

int
place_make_state(struct place *p, const struct settings *s, struct error *e)
{
	if (realpath(s->state, p->state) == NULL) {
		p->state[0] = '\0';
		return error_errno(e, "%s", s->state);
	}
	if (str_format(p->state + strlen(p->state), sizeof p->state -
	    strlen(p->state), "/sandbox-worker.XXXXXX") != 0 ||
	    mkdtemp(p->state) == NULL) {
		error_errno(e, "%s", s->state);
		p->state[0] = '\0';
		return -1;
	}
	p->state_fd = leftover_hold(p->state);
	if (p->state_fd == -1)
		return error_errno(e, "%s", p->state);
	return check_path(p->state, e);
}

/* The part of inside that is below the working directory, or NULL. */
static const char *
below_workdir(const struct place *p, const char *inside)
{
	size_t n = strlen(p->inside);

	return strncmp(inside, p->inside, n) == 0 && inside[n] == '/' ?
	    inside + n + 1 : NULL;
}

/* Steps into dir_fd/name, which is made if it is not there; closes dir_fd.
 * Returns -1 with errno. */
static int
step_into(struct place *p, int dir_fd, const char *path, size_t len)
{
	char name[NAME_MAX + 1];
	const char *slash = memrchr(path, '/', len);
	size_t from = slash == NULL ? 0 : (size_t)(slash - path) + 1;
	int fd = -1;

	errno = ENAMETOOLONG;
	if (str_format(name, sizeof name, "%.*s", (int)(len - from),
	    path + from) == 0 && !str_eq(name, "..")) {
		if (mkdirat(dir_fd, name, 0700) == 0 &&
		    p->made_count < PLACE_MADE_MAX)
			str_format(p->made[p->made_count++], PATH_MAX, "%.*s",
			    (int)len, path);
		fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY |
		    O_NOFOLLOW | O_CLOEXEC);
	}
	close(dir_fd);
	return fd;
}

int
place_make_mount(struct place *p, const char *inside, struct error *e)
{
	const char *path = below_workdir(p, inside);
	size_t n = 0;
	int fd;

	if (path == NULL)
		return 0;
	fd = open(p->host, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (fd != -1 && path[n] != '\0') {
		n += strcspn(path + n, "/");
		fd = step_into(p, fd, path, n);
		n += strspn(path + n, "/");
	}
	if (fd == -1)
		return error_errno(e, "%s", inside);
	close(fd);
	return 0;
}

/* The deepest were made last.  The session may have put links in their
 * way. */
static void
remove_made(struct place *p)
{
	int fd = open(p->host, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	while (fd != -1 && p->made_count > 0) {
		const char *leaf;
		int dir_fd = tree_open_parent(fd, p->made[--p->made_count],
		    NULL, &leaf);

		if (dir_fd != -1)
			unlinkat(dir_fd, leaf, AT_REMOVEDIR);
		io_close(&dir_fd);
	}
	io_close(&fd);
}

void
place_close(struct place *p)
{
	if (p->made_count != 0)
		remove_made(p);
	if (p->state[0] != '\0')
		rmdir(p->state);
	p->state[0] = '\0';
	io_close(&p->state_fd);
	io_close(&p->lock_fd);
}

/* The members of base but those that are added to. */
static void
copy_members(struct jsonr base, struct jsonw *w)
{
	struct jsonr key, value;
	struct jsonr_iter i;
	struct buf name;

	buf_init(&name, PLACE_POLICY_MAX);
	jsonr_iter_init(&i, base);
	while (jsonr_next(&i, &key, &value)) {
		if (jsonr_eq_str(key, "rw") || jsonr_eq_str(key, "ro") ||
		    jsonr_eq_str(key, "mask"))
			continue;
		buf_clear(&name);
		buf_add(&name, key.text);
		if (buf_len(w->out) > 1)
			buf_add_str(w->out, ",");
		buf_add(w->out, buf_bytes(&name));
		buf_add_str(w->out, ":");
		w->failed = w->failed || buf_add(w->out, value.text) != 0;
	}
	buf_reset(&name);
}

/* A list of the base, or its one value, taken over. */
static int
copy_list(struct jsonr base, const char *key, struct jsonw *w,
    struct error *e)
{
	struct jsonr list, v;
	struct jsonr_iter i;

	if (jsonr_get(base, key, &list, e) == -1)
		return -1;
	if (list.kind == JSONR_ABSENT || list.kind == JSONR_NULL)
		return 0;
	if (list.kind == JSONR_STRING) {
		w->failed = w->failed || buf_add(w->out, list.text) != 0;
		return 0;
	}
	if (list.kind != JSONR_ARRAY)
		return error_set(e, "%s: no list", key);
	jsonr_iter_init(&i, list);
	for (bool first = true; jsonr_next(&i, NULL, &v); first = false) {
		if (v.kind != JSONR_STRING)
			return error_set(e, "%s: not a list of strings", key);
		if (!first)
			buf_add_str(w->out, ",");
		w->failed = w->failed || buf_add(w->out, v.text) != 0;
	}
	return 0;
}

static void
add_path(struct jsonw *w, const char *host, const char *inside)
{
	char text[2 * PATH_MAX];

	str_format(text, sizeof text, "%s:%s", host, inside);
	jsonw_bytes(w, bytes_cstr(str_eq(host, inside) ? host : text));
}

static void
add_mounts(struct jsonw *w, const struct content_mount *mounts, size_t count,
    bool read_only)
{
	for (size_t i = 0; i < count; i++) {
		if (mounts[i].read_only == read_only)
			add_path(w, mounts[i].host, mounts[i].inside);
	}
}

static int
add_masks(const struct place *p, struct jsonr base, struct jsonw *w,
    struct error *e)
{
	struct jsonr given;

	if (jsonr_get(base, "mask", &given, e) == -1)
		return -1;
	if (given.kind == JSONR_ABSENT && p->mask_count == 0)
		return 0;
	jsonw_key(w, "mask");
	jsonw_open(w, '[');
	if (copy_list(base, "mask", w, e) != 0)
		return -1;
	for (size_t i = 0; i < p->mask_count; i++)
		jsonw_bytes(w, bytes_cstr(p->masks[i]));
	jsonw_close(w, ']');
	return 0;
}

int
place_write_policy(const struct place *p, struct bytes base,
    const struct content_mount *mounts, size_t count, struct buf *out,
    struct error *e)
{
	struct jsonr v, workdir;
	struct jsonw w;

	if (jsonr_parse_object(base, &v, e) != 0 ||
	    jsonr_get(v, "workdir", &workdir, e) == -1)
		return error_prefix(e, "the policy");
	buf_clear(out);
	jsonw_init(&w, out);
	jsonw_open(&w, '{');
	copy_members(v, &w);
	jsonw_key(&w, "rw");
	jsonw_open(&w, '[');
	if (copy_list(v, "rw", &w, e) != 0)
		return error_prefix(e, "the policy");
	add_path(&w, p->host, p->inside);
	if (p->outputs[0] != '\0')
		add_path(&w, p->outputs, "/mnt/session/outputs");
	add_mounts(&w, mounts, count, false);
	jsonw_close(&w, ']');
	jsonw_key(&w, "ro");
	jsonw_open(&w, '[');
	if (copy_list(v, "ro", &w, e) != 0)
		return error_prefix(e, "the policy");
	add_mounts(&w, mounts, count, true);
	jsonw_close(&w, ']');
	if (add_masks(p, v, &w, e) != 0)
		return error_prefix(e, "the policy");
	if (workdir.kind == JSONR_ABSENT)
		jsonw_key_str(&w, "workdir", p->inside);
	jsonw_close(&w, '}');
	if (!jsonw_ok(&w))
		return error_set(e, "the policy: larger than %d bytes",
		    PLACE_POLICY_MAX);
	return 0;
}
