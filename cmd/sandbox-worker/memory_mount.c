/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/memory_mount.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "common/str.h"
#include "common/utf8.h"

/* Makes an absolute path plain: no "//", no "/.", no slash at the end.
 * Returns 0, or -1 if it is no path for a store. */
static int
plain_path(const char *in, char out[static MEMORY_MOUNT_CAP])
{
	size_t len = 0;

	/* A policy has "HOST:INSIDE" for a place. */
	if (in[0] != '/' || strchr(in, ':') != NULL ||
	    !utf8_is_valid(bytes_cstr(in)) || strlen(in) >= MEMORY_MOUNT_CAP)
		return -1;
	while (*in != '\0') {
		size_t n;

		in += strspn(in, "/");
		n = strcspn(in, "/");
		if (n == 2 && in[0] == '.' && in[1] == '.')
			return -1;
		if (n > NAME_MAX)
			return -1;
		if (n != 0 && !(n == 1 && in[0] == '.')) {
			out[len++] = '/';
			memcpy(out + len, in, n);
			len += n;
		}
		in += n;
	}
	out[len] = '\0';
	return len == 0 ? -1 : 0;
}

static bool
is_component(const char *s)
{
	return s[0] != '\0' && strpbrk(s, "/:") == NULL && !str_eq(s, ".") &&
	    !str_eq(s, "..") && strlen(s) <= NAME_MAX;
}

/* The place of a store that says none. */
static int
default_path(const struct memory_mount *m, const char *inside,
    char out[static MEMORY_MOUNT_CAP])
{
	const char *name = is_component(m->name) ? m->name : m->id;

	if (!is_component(name))
		return -1;
	return str_format(out, MEMORY_MOUNT_CAP, "%s/memory/%s", inside, name);
}

/* Nothing may be covered: not what the kernel shows, not the host's files
 * that the sandbox sees at the same paths.  The working directory is ours to
 * lay things in. */
static int
judge_path(const struct memory_mount *m, const char *inside, struct error *e)
{
	static const char *const kernel[] = {"/proc", "/sys", "/dev"};
	struct stat st;

	for (size_t i = 0; i < sizeof kernel / sizeof kernel[0]; i++)
		if (str_is_within(m->inside, kernel[i]))
			return error_set(e, "cannot create the memory store's "
			    "folder: %s", m->inside);
	if (str_is_within(inside, m->inside))
		return error_set(e, "something already exists at the memory "
		    "store's path: %s", m->inside);
	if (str_is_within(m->inside, inside))
		return 0;
	if (lstat(m->inside, &st) == 0)
		return error_set(e, "something already exists at the memory "
		    "store's path: %s", m->inside);
	if (errno != ENOENT && errno != EACCES)
		return error_errno(e, "cannot create the memory store's "
		    "folder: %s", m->inside);
	return 0;
}

static int
read_store(struct jsonr v, const char *inside, struct memory_mount *ret,
    struct error *e)
{
	char path[MEMORY_MOUNT_CAP], access[32];

	if (jsonr_get_str(v, "memory_store_id", ret->id, sizeof ret->id,
	    e) != 1)
		return error_set(e, "memory store: no memory_store_id");
	if (jsonr_get_str(v, "name", ret->name, sizeof ret->name, e) < 0)
		ret->name[0] = '\0';
	if (jsonr_get_str(v, "mount_path", path, sizeof path, e) < 0 ||
	    jsonr_get_str(v, "access", access, sizeof access, e) < 0)
		return error_prefix(e, "memory store %s", ret->id);
	/* What is not known is not written to. */
	ret->read_only = access[0] != '\0' && !str_eq(access, "read_write");
	if (path[0] == '\0' ? default_path(ret, inside, ret->inside) != 0
	    : plain_path(path, ret->inside) != 0)
		return error_set(e, "memory store %s: its path is not "
		    "absolute and plain: '%s'", ret->id, path);
	if (ret->name[0] == '\0')
		str_format(ret->name, sizeof ret->name, "%s", ret->id);
	return judge_path(ret, inside, e);
}

static int
judge_others(const struct memory_mount *mounts, int n, struct error *e)
{
	for (int i = 0; i < n; i++)
		if (str_is_within(mounts[i].inside, mounts[n].inside) ||
		    str_is_within(mounts[n].inside, mounts[i].inside))
			return error_set(e, "something already exists at the "
			    "memory store's path: %s", mounts[n].inside);
	return 0;
}

int
memory_mounts_parse(struct jsonr resources, const char *inside,
    struct memory_mount ret[static MEMORY_STORES_MAX], struct error *e)
{
	struct jsonr_iter i;
	struct jsonr v;
	int n = 0;

	if (resources.kind == JSONR_ABSENT)
		return 0;
	if (resources.kind != JSONR_ARRAY)
		return error_set(e, "session: resources: not an array");
	jsonr_iter_init(&i, resources);
	while (jsonr_next(&i, NULL, &v)) {
		char type[64];

		if (v.kind != JSONR_OBJECT ||
		    jsonr_get_str(v, "type", type, sizeof type, e) != 1 ||
		    !str_eq(type, "memory_store"))
			continue;
		if (n == MEMORY_STORES_MAX)
			return error_set(e, "session: more than %d memory "
			    "stores", MEMORY_STORES_MAX);
		memset(&ret[n], 0, sizeof ret[n]);
		if (read_store(v, inside, &ret[n], e) != 0 ||
		    judge_others(ret, n, e) != 0)
			return -1;
		n++;
	}
	return n;
}
