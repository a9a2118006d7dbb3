/* SPDX-License-Identifier: ISC */
/* Files for a test to work on, and what is in them afterwards. */
#ifndef ADIT_TEST_FILES_H
#define ADIT_TEST_FILES_H

#include <fcntl.h>

#include "common/io.h"
#include "common/str.h"
#include "tests/unit/test.h"

enum { FILES_TAR_LEN = 2560 };

/* What a test cannot do without. */
TEST_UNUSED static void
must(bool good, const char *what)
{
	if (!good) {
		perror(what);
		exit(1);
	}
}

/* Makes an empty file. */
TEST_UNUSED static void
make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	must(fd != -1, path);
	close(fd);
}

/* Writes a file in dir_fd. */
TEST_UNUSED static void
put_file(int dir_fd, const char *path, const char *content)
{
	int fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_TRUNC |
	    O_CLOEXEC, 0644);

	io_write_all(fd, bytes_cstr(content));
	io_close(&fd);
}

/* The first 255 bytes of a file in dir_fd, or "absent".  Valid until the next
 * call. */
TEST_UNUSED static const char *
get_file(int dir_fd, const char *path)
{
	static char text[256];
	int fd = openat(dir_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n = fd == -1 ? -1 : read(fd, text, sizeof text - 1);

	io_close(&fd);
	if (n < 0)
		return "absent";
	text[n] = '\0';
	return text;
}

/* A tar with top/SKILL.md, which holds "skill". */
TEST_UNUSED static void
make_skill_tar(uint8_t out[static FILES_TAR_LEN])
{
	unsigned sum = 0;

	memset(out, 0, FILES_TAR_LEN);
	str_format((char *)out, 100, "top/SKILL.md");
	memcpy(out + 100, "0000644\0000000000\0000000000", 24);
	memcpy(out + 124, "00000000005\00000000000000", 24);
	memset(out + 148, ' ', 8);
	out[156] = '0';
	memcpy(out + 257, "ustar\00000", 8);
	for (size_t i = 0; i < 512; i++)
		sum += out[i];
	snprintf((char *)out + 148, 7, "%06o", sum);
	memcpy(out + 512, "skill", 5);
}

#endif
