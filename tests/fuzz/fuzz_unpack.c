/* SPDX-License-Identifier: ISC */
/* Archives: whatever it is, what is unpacked is plain files in bounds. */
#include <assert.h>
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cmd/sandbox-worker/tree.h"
#include "cmd/sandbox-worker/unpack.h"
#include "common/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len);

static const struct unpack_limits limits = {
	.members = 64, .member_bytes = 1 << 16, .total_bytes = 1 << 18,
	.ratio = 200, .ratio_floor = 1 << 12,
};

static void
check_name(struct bytes name)
{
	char out[UNPACK_NAME_MAX + 1], again[UNPACK_NAME_MAX + 1];
	struct error e;
	int n = unpack_name(name, out, &e);

	if (n <= 0)
		return;
	assert(out[0] != '/' && strlen(out) == (size_t)n);
	assert(strstr(out, "//") == NULL && strstr(out, "/../") == NULL);
	/* "./\\a" is plain here, and absolute somewhere else. */
	if (out[0] == '\\' || out[1] == ':')
		return;
	assert(unpack_name(bytes_of(out, (size_t)n), again, &e) == n);
	assert(strcmp(out, again) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	char dir[] = "/tmp/adit-fuzz.XXXXXX";
	int fd = memfd_create("archive", MFD_CLOEXEC), dir_fd;
	struct error e = {.text = ""};

	check_name(bytes_of(in, len));
	setlocale(LC_CTYPE, "C.UTF-8");
	assert(mkdtemp(dir) != NULL);
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert(io_write_all(fd, bytes_of(in, len)) == 0);
	if (unpack_archive(fd, dir_fd, &limits, &e) != 0)
		assert(e.text[0] != '\0');
	assert(tree_check_plain(dir_fd, &e) == 0);
	close(fd);
	close(dir_fd);
	assert(tree_remove(AT_FDCWD, dir, 10000) == 0);
	return 0;
}
