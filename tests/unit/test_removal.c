/* SPDX-License-Identifier: ISC */
/* What a payload can leave: too deep for one path, without rights, with links
 * to what is not its own. */
#include "cmd/sandbox-exec/removal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/files.h"

static char dir[] = "/tmp/adit-removal.XXXXXX";

/* So many directories below each other, each with a file. */
static void
make_chain(const char *name, int depth)
{
	must(mkdir(name, 0700) == 0 && chdir(name) == 0, name);
	for (int i = 0; i < depth; i++) {
		make_file("file");
		make_file(".1");
		must(mkdir("d", 0700) == 0 && chdir("d") == 0, "d");
	}
	must(chdir(dir) == 0, dir);
}

static bool
is_gone(const char *name)
{
	struct stat st;

	return removal_remove(AT_FDCWD, name) == 0 &&
	    lstat(name, &st) == -1 && errno == ENOENT;
}

static void
test_depths(void)
{
	static const int depths[] = {
		0, 1, REMOVAL_DEPTH - 2, REMOVAL_DEPTH - 1, REMOVAL_DEPTH,
		REMOVAL_DEPTH + 1, 3000,
	};
	int fds = test_open_fds();

	for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
		make_chain("chain", depths[i]);
		ok(is_gone("chain"), "%d deep", depths[i]);
	}
	eq_int(test_open_fds(), fds, "no descriptor is left");
}

static void
test_kinds(void)
{
	must(mkdir("kept", 0700) == 0, "kept");
	make_file("kept/file");
	must(mkdir("made", 0700) == 0, "made");
	must(symlink("../kept", "made/link") == 0, "link");
	must(mkfifo("made/fifo", 0600) == 0, "fifo");
	must(mkdir("made/closed", 0700) == 0, "closed");
	make_file("made/closed/file");
	must(chmod("made/closed", 0) == 0, "closed");
	must(chmod("made", 0500) == 0, "made");
	ok(is_gone("made"), "links, pipes, and what has no rights");
	ok(access("kept/file", F_OK) == 0, "not what a link leads to");
	must(symlink("kept", "link") == 0, "link");
	ok(is_gone("link"), "a link");
	ok(is_gone("kept/file"), "a file");
	eq_int(removal_remove(AT_FDCWD, "none"), -1, "nothing is there");
	eq_int(errno, ENOENT, "ENOENT");
	ok(is_gone("kept"), "an empty directory");
}

int
main(void)
{
	must(mkdtemp(dir) != NULL && chdir(dir) == 0, dir);
	test_depths();
	test_kinds();
	must(chdir("/") == 0 && rmdir(dir) == 0, dir);
	return test_done();
}
