/* SPDX-License-Identifier: ISC */
/* What the tests of the file tools share: a tree of files with roots in it,
 * and calls whose text is checked. */
#ifndef ADIT_TEST_TOOLS_H
#define ADIT_TEST_TOOLS_H

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "cmd/sandbox-exec/tool.h"
#include "common/clock.h"
#include "common/io.h"
#include "common/str.h"
#include "tests/unit/files.h"

enum { TEXT_MAX = 8192, LIMIT = 262144 };

static char dir[] = "/tmp/adit-tools.XXXXXX";
static struct tool_roots roots;
static struct buf out;

TEST_UNUSED static void
put_bytes(const char *path, struct bytes in)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	must(fd != -1 && io_write_all(fd, in) == 0, path);
	close(fd);
}

TEST_UNUSED static void
put(const char *path, const char *text)
{
	put_bytes(path, bytes_cstr(text));
}

TEST_UNUSED static void
make_dir(const char *path)
{
	must(mkdir(path, 0755) == 0 || errno == EEXIST, path);
}

TEST_UNUSED static void
make_link(const char *target, const char *path)
{
	unlink(path);
	must(symlink(target, path) == 0, path);
}

TEST_UNUSED static char *
get(const char *path)
{
	static char text[TEXT_MAX];
	struct buf b;
	struct error e;

	buf_init(&b, sizeof text - 1);
	text[0] = '\0';
	if (io_read_file(path, &b, &e) == 0)
		str_from_bytes(text, sizeof text, buf_bytes(&b));
	buf_reset(&b);
	return text;
}

TEST_UNUSED static bool
run(const char *tool, const char *input)
{
	bool failed;

	buf_clear(&out);
	failed = tool_run(&roots, tool, bytes_cstr(input), &out);
	buf_add(&out, bytes_of("", 1));
	out.tail--;
	return failed;
}

TEST_UNUSED static const char *
text(void)
{
	return buf_len(&out) == 0 ? "" : (const char *)buf_bytes(&out).ptr;
}

/* '@' stands for the directory of the test. */
TEST_UNUSED static void
fill(char ret[static TEXT_MAX], const char *in)
{
	size_t n = 0;

	for (; *in != '\0' && n < TEXT_MAX - sizeof dir; in++) {
		if (*in == '@') {
			memcpy(ret + n, dir, sizeof dir - 1);
			n += sizeof dir - 1;
		} else {
			ret[n++] = *in;
		}
	}
	ret[n] = '\0';
}

TEST_UNUSED static void
check(const char *tool, const char *input, bool want_error, const char *want)
{
	char given[TEXT_MAX], expected[TEXT_MAX];
	bool failed;

	fill(given, input);
	fill(expected, want);
	failed = run(tool, given);
	eq_str(text(), expected, "%s %.120s", tool, input);
	if (failed != want_error)
		eq_int(failed, want_error, "%s %.120s is %san error", tool,
		    input, want_error ? "" : "no ");
}

#define good(tool, input, want) check(tool, input, false, want)
#define bad(tool, input, want) check(tool, input, true, want)

TEST_UNUSED static void
open_roots(bool more)
{
	char path[128];
	struct error e;

	tool_roots_done(&roots);
	tool_roots_init(&roots);
	str_format(path, sizeof path, "%s/place", dir);
	must(tool_roots_add(&roots, path, false, &e) == 0, e.text);
	must(tool_roots_add(&roots, path, false, &e) == 0, e.text);
	if (!more)
		return;
	str_format(path, sizeof path, "%s/extra", dir);
	must(tool_roots_add(&roots, path, false, &e) == 0, e.text);
	str_format(path, sizeof path, "%s/fixed", dir);
	must(tool_roots_add(&roots, path, true, &e) == 0, e.text);
	str_format(path, sizeof path, "%s/single", dir);
	must(tool_roots_add(&roots, path, false, &e) == 0, e.text);
}

TEST_UNUSED static void
make_tree(void)
{
	int fd;

	must(mkdtemp(dir) != NULL && chdir(dir) == 0, dir);
	make_dir("place");
	make_dir("place/sub");
	make_dir("extra");
	make_dir("fixed");
	make_dir("fixed/rw");
	make_dir("outside");
	put("outside/secret", "secret\n");
	put("single", "one file\n");
	put("single2", "another\n");
	put("extra/more", "more\n");
	put("fixed/text", "fixed\n");
	put("place/a", "one\ntwo\nthree\n");
	put("place/empty", "");
	put("place/sub/b", "b\n");
	make_link("../outside/secret", "place/out");
	make_link("../outside", "place/outdir");
	make_link("a", "place/in");
	make_link("loop2", "place/loop1");
	make_link("loop1", "place/loop2");
	make_link("../../outside/new", "place/sub/dangling");
	make_link("nowhere/deep", "place/inside-dangling");
	make_link("../extra/more", "place/to-extra");
	make_link("sub", "place/subl");
	must(mkfifo("place/fifo", 0644) == 0, "fifo");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd != -1) {
		struct sockaddr_un a = {.sun_family = AF_UNIX,
			.sun_path = "place/socket"};

		must(bind(fd, (struct sockaddr *)&a, sizeof a) == 0, "bind");
		close(fd);
	}
}

TEST_UNUSED static mode_t
mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

TEST_UNUSED static int
count_entries(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;

	while (d != NULL && readdir(d) != NULL)
		n++;
	if (d != NULL)
		closedir(d);
	return n;
}

TEST_UNUSED static void
remove_tree(const char *path)
{
	pid_t child = fork();

	if (child == 0) {
		execlp("rm", "rm", "-rf", path, (char *)NULL);
		_exit(127);
	}
	waitpid(child, NULL, 0);
}

/* Makes the tree.  Returns how many descriptors are open. */
TEST_UNUSED static int
begin_tools(void)
{
	umask(022);
	make_tree();
	buf_init(&out, TOOL_TEXT_MAX);
	tool_roots_init(&roots);
	open_roots(false);
	return test_open_fds();
}

TEST_UNUSED static int
end_tools(void)
{
	tool_roots_done(&roots);
	buf_reset(&out);
	if (chdir("/") == 0)
		remove_tree(dir);
	return test_done();
}

#endif
