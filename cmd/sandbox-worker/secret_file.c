/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/secret_file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/str.h"
#include "common/utf8.h"

static struct secret_file files[SECRET_FILES_MAX];
static size_t count;

int
secret_file_add(const char *option, const char *path, struct error *e)
{
	for (size_t i = 0; i < count; i++)
		if (str_eq(files[i].path, path))
			return 0;
	if (!utf8_is_valid(bytes_cstr(path)))
		return error_set(e, "%s: a path that is not UTF-8 cannot be "
		    "hidden from sessions", option);
	if (count == SECRET_FILES_MAX)
		return error_set(e, "%s: more than %d files with secrets",
		    option, SECRET_FILES_MAX);
	if (str_format(files[count].path, PATH_MAX, "%s", path) != 0)
		return error_set(e, "%s: too long", option);
	files[count++].option = option;
	return 0;
}

int
secret_file_add_fd(const char *option, int fd, struct error *e)
{
	char link[32], path[PATH_MAX];
	struct stat given, named;
	ssize_t n;

	str_format(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path - 1);
	if (n <= 0)
		return 0;
	path[n] = '\0';
	if (fstat(fd, &given) != 0 || !S_ISREG(given.st_mode) ||
	    stat(path, &named) != 0 || named.st_dev != given.st_dev ||
	    named.st_ino != given.st_ino)
		return 0;
	return secret_file_add(option, path, e);
}

const struct secret_file *
secret_file_get(size_t i)
{
	return i < count ? &files[i] : NULL;
}

int
secret_file_format_mask(const struct secret_file *f, char out[static PATH_MAX])
{
	if (realpath(f->path, out) == NULL)
		return -1;
	for (char *c = out; *c != '\0'; c++)
		if (strchr("*?[]{}!\\", *c) != NULL)
			*c = '?';
	return 0;
}
