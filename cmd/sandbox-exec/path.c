/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/path.h"

#include <limits.h>
#include <stdlib.h>

#include "common/str.h"

/* Appends the parts of text to out, which holds len bytes and no slash at
 * its end.  Returns 0, or -1 with a text. */
static int
add_parts(char out[static PATH_LEN], size_t len, const char *text,
    struct error *e)
{
	while (*text != '\0') {
		size_t part = strcspn(text, "/");

		if (part == 2 && text[0] == '.' && text[1] == '.')
			return error_set(e, "'..' is not resolved here");
		if (part != 0 && !(part == 1 && text[0] == '.')) {
			if (part > NAME_MAX || len + part + 2 > PATH_LEN)
				return error_set(e, "too long");
			out[len++] = '/';
			memcpy(out + len, text, part);
			len += part;
		}
		text += part + (text[part] == '/');
	}
	if (len == 0)
		out[len++] = '/';
	out[len] = '\0';
	return 0;
}

/* What text is below: "", home or cwd.  Takes "~/" off *text. */
static const char *
find_base(const char **text, const char *cwd, const char *home,
    struct error *e)
{
	const char *s = *text;

	if (s[0] == '/')
		return "";
	if (s[0] == '~' && (s[1] == '/' || s[1] == '\0')) {
		*text = s + 1;
		if (home == NULL)
			error_set(e, "HOME is no path below '/'");
		return home;
	}
	if (cwd != NULL && cwd[0] == '/')
		return cwd;
	error_set(e, cwd == NULL ? "must begin with '/' or '~/'" :
	    "the current directory is gone");
	return NULL;
}

int
path_absolute(const char *text, const char *cwd, const char *home,
    char out[static PATH_LEN], struct error *e)
{
	const char *base = find_base(&text, cwd, home, e);

	if (base == NULL || add_parts(out, 0, base, e) != 0)
		return -1;
	return add_parts(out, out[1] == '\0' ? 0 : strlen(out), text, e);
}

/* Like path_absolute, for realpath(3), which knows what ".." means. */
static int
make_host(const char *text, const char *cwd, const char *home,
    char out[static PATH_LEN], struct error *e)
{
	const char *base = find_base(&text, cwd, home, e);

	if (base == NULL)
		return -1;
	return str_format(out, PATH_LEN, "%s%s%s", base,
	    base[0] == '\0' ? "" : "/", text) == 0 ? 0 :
	    error_set(e, "too long");
}

/* The directory of path with its links resolved, and path's own name. */
static int
resolve_directory(const char *path, char out[static PATH_LEN],
    struct error *e)
{
	char copy[PATH_LEN], real[PATH_LEN];
	char *slash;

	str_format(copy, sizeof copy, "%s", path);
	slash = strrchr(copy, '/');
	*slash = '\0';
	if (realpath(slash == copy ? "/" : copy, real) == NULL)
		return error_errno(e, "%s", copy);
	if (str_format(out, PATH_LEN, "%s/%s", real[1] == '\0' ? "" : real,
	    slash + 1) != 0)
		return error_set(e, "too long");
	return 0;
}

/* The part of "PATH" or "PATH:INSIDE" that is PATH.  *inside points to the
 * rest, or is NULL. */
static int
split(const char *text, char out[static PATH_LEN], const char **inside,
    struct error *e)
{
	const char *colon = NULL;

	for (const char *c = text; *c != '\0'; c++) {
		if (c != text && c[0] == ':' && c[1] == '/')
			colon = c;
	}
	if (str_format(out, PATH_LEN, "%s", text) != 0)
		return error_set(e, "too long");
	if (colon != NULL)
		out[colon - text] = '\0';
	*inside = colon == NULL ? NULL : colon + 1;
	return 0;
}

int
path_resolve(const char *text, const char *cwd, const char *home,
    char host[static PATH_LEN], char inside[static PATH_LEN], struct error *e)
{
	char copy[PATH_LEN], given[PATH_LEN];
	const char *target;
	struct error ignored;

	if (split(text, copy, &target, e) != 0 ||
	    make_host(copy, cwd, home, given, e) != 0)
		return -1;
	if (realpath(given, host) == NULL)
		return error_errno(e, "on the host");
	if (target != NULL)
		return path_absolute(target, NULL, NULL, inside, e);
	/* "..", and the root itself, have no name to keep. */
	if (path_absolute(copy, cwd, home, inside, &ignored) != 0 ||
	    inside[1] == '\0')
		return str_format(inside, PATH_LEN, "%s", host);
	memcpy(given, inside, PATH_LEN);
	return resolve_directory(given, inside, e);
}

int
path_given(const char *text, const char *cwd, const char *home,
    char out[static PATH_LEN], struct error *e)
{
	char copy[PATH_LEN];
	const char *target;
	struct error ignored;

	if (split(text, copy, &target, e) != 0)
		return -1;
	/* With ".." in it there is no other form. */
	return path_absolute(copy, cwd, home, out, &ignored) == 0 ? 0 :
	    make_host(copy, cwd, home, out, e);
}

void
path_escape(const char *path, char *out)
{
	for (; *path != '\0'; path++) {
		if (strchr("*?[\\", *path) != NULL)
			*out++ = '\\';
		*out++ = *path;
	}
	*out = '\0';
}

int
path_glob(const char *text, const char *home, char out[static PATH_LEN],
    struct error *e)
{
	bool anchored = text[0] == '/' || str_starts(text, "~/");
	char whole[PATH_LEN], base[2 * PATH_LEN];

	path_escape(home == NULL ? "" : home, base);
	if (path_absolute(text, "/", home == NULL ? NULL : base, whole, e) !=
	    0)
		return -1;
	if (whole[1] == '\0')
		return error_set(e, "would hide everything");
	for (const char *c = whole; *c != '\0'; c++) {
		if (str_starts(c, "**") && (c[-1] != '/' ||
		    (c[2] != '/' && c[2] != '\0')))
			return error_set(e, "'**' must stand alone between "
			    "slashes");
		c += str_starts(c, "**");
	}
	str_format(out, PATH_LEN, "%s", whole + (anchored ? 0 : 1));
	return 0;
}

/* Writes the path that the first len bytes of a pattern stand for.  Returns
 * whether they have no wildcard. */
static bool
unescape(const char *glob, size_t len, char out[static PATH_LEN])
{
	for (size_t i = 0; i < len; i++) {
		if (strchr("*?[", glob[i]) != NULL)
			return false;
		i += glob[i] == '\\' && i + 1 < len;
		*out++ = glob[i];
	}
	*out = '\0';
	return true;
}

int
path_glob_host(const char *glob, char out[static PATH_LEN], struct error *e)
{
	char front[PATH_LEN], real[PATH_LEN], escaped[2 * PATH_LEN];
	size_t len = glob[0] == '/' ? strlen(glob) : 0;

	while (len > 1) {
		if (unescape(glob, len, front) && realpath(front, real) != NULL)
			break;
		while (glob[--len] != '/')
			continue;
	}
	if (len <= 1)
		return str_format(out, PATH_LEN, "%s", glob);
	path_escape(real, escaped);
	if (escaped[1] == '\0' && glob[len] == '\0')
		return error_set(e, "would hide everything");
	if (str_format(out, PATH_LEN, "%s%s", escaped[1] == '\0' ? "" :
	    escaped, glob + len) != 0)
		return error_set(e, "too long");
	return 0;
}

bool
path_is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (len == 1)
		return true;
	return strncmp(path, dir, len) == 0 &&
	    (path[len] == '/' || path[len] == '\0');
}

int
path_compare(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	if (*a == *b)
		return 0;
	if (*a == '\0' || *b == '\0')
		return *a == '\0' ? -1 : 1;
	if (*a == '/' || *b == '/')
		return *a == '/' ? -1 : 1;
	return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
}

/* Matches c with the set after '['.  Returns what follows its ']', or NULL
 * if there is none. */
static const char *
match_set(const char *p, const char *end, unsigned char c, bool *ret)
{
	bool negated = p < end && (*p == '!' || *p == '^');
	bool found = false, first = true;

	p += negated;
	for (; p < end && (first || *p != ']'); first = false) {
		unsigned char low = (unsigned char)*p++, high = low;

		if (p + 1 < end && p[0] == '-' && p[1] != ']') {
			high = (unsigned char)p[1];
			p += 2;
		}
		found = found || (c >= low && c <= high);
	}
	if (p >= end)
		return NULL;
	*ret = found != negated;
	return p + 1;
}

/* Matches one character.  Returns the rest of the pattern, or NULL. */
static const char *
match_one(const char *p, const char *end, char c)
{
	const char *rest;
	bool found;

	if (p == end || c == '\0')
		return NULL;
	if (*p == '?')
		return p + 1;
	if (*p == '[') {
		rest = match_set(p + 1, end, (unsigned char)c, &found);
		if (rest != NULL)
			return found ? rest : NULL;
	}
	if (*p == '\\' && p + 1 < end)
		p++;
	return *p == c ? p + 1 : NULL;
}

bool
path_match_part(const char *pattern, size_t pattern_len, const char *name)
{
	const char *end = pattern + pattern_len;
	const char *star = NULL, *resume = NULL;

	/* Only the last star ever has to take more. */
	for (;;) {
		const char *next;

		if (pattern < end && *pattern == '*') {
			star = ++pattern;
			resume = name;
			continue;
		}
		if (pattern == end && *name == '\0')
			return true;
		next = match_one(pattern, end, *name);
		if (next != NULL) {
			pattern = next;
			name++;
		} else if (star != NULL && *resume != '\0') {
			pattern = star;
			name = ++resume;
		} else {
			return false;
		}
	}
}
