/* SPDX-License-Identifier: ISC */
/* The file tools: every text, the order of the checks, what is confined, and
 * trees that are there to break them. */
#include "cmd/sandbox-exec/tool.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/io.h"
#include "common/jsonr.h"
#include "common/str.h"
#include "tests/unit/test.h"

enum { TEXT_MAX = 8192, LIMIT = 262144 };

static char dir[] = "/tmp/adit-tools.XXXXXX";
static struct tool_roots roots;
static struct buf out;

static void
must(bool good, const char *what)
{
	if (!good) {
		perror(what);
		exit(1);
	}
}

static void
put_bytes(const char *path, struct bytes in)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	must(fd != -1 && io_write_all(fd, in) == 0, path);
	close(fd);
}

static void
put(const char *path, const char *text)
{
	put_bytes(path, bytes_cstr(text));
}

static void
make_dir(const char *path)
{
	must(mkdir(path, 0755) == 0 || errno == EEXIST, path);
}

static void
make_link(const char *target, const char *path)
{
	unlink(path);
	must(symlink(target, path) == 0, path);
}

static char *
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

static bool
run(const char *tool, const char *input)
{
	bool failed;

	buf_clear(&out);
	failed = tool_run(&roots, tool, bytes_cstr(input), &out);
	buf_add(&out, bytes_of("", 1));
	out.tail--;
	return failed;
}

static const char *
text(void)
{
	return buf_len(&out) == 0 ? "" : (const char *)buf_bytes(&out).ptr;
}

/* '@' stands for the directory of the test. */
static void
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

static void
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

static void
open_roots(bool more)
{
	char path[128];
	struct error e;

	tool_roots_done(&roots);
	tool_roots_init(&roots);
	str_format(path, sizeof path, "%s/work", dir);
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

static void
make_tree(void)
{
	int fd;

	must(mkdtemp(dir) != NULL && chdir(dir) == 0, dir);
	make_dir("work");
	make_dir("work/sub");
	make_dir("extra");
	make_dir("fixed");
	make_dir("fixed/rw");
	make_dir("outside");
	put("outside/secret", "secret\n");
	put("single", "one file\n");
	put("single2", "another\n");
	put("extra/more", "more\n");
	put("fixed/text", "fixed\n");
	put("work/a", "one\ntwo\nthree\n");
	put("work/empty", "");
	put("work/sub/b", "b\n");
	make_link("../outside/secret", "work/out");
	make_link("../outside", "work/outdir");
	make_link("a", "work/in");
	make_link("loop2", "work/loop1");
	make_link("loop1", "work/loop2");
	make_link("../../outside/new", "work/sub/dangling");
	make_link("nowhere/deep", "work/inside-dangling");
	make_link("../extra/more", "work/to-extra");
	make_link("sub", "work/subl");
	must(mkfifo("work/fifo", 0644) == 0, "fifo");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd != -1) {
		struct sockaddr_un a = {.sun_family = AF_UNIX,
			.sun_path = "work/socket"};

		must(bind(fd, (struct sockaddr *)&a, sizeof a) == 0, "bind");
		close(fd);
	}
}

static void
test_input(void)
{
	bad("nothing", "{}", "no such tool: nothing");
	bad("bash", "{}", "no such tool: bash");
	bad("read", "[]", "read: the input: no object");
	bad("read", "{", "read: the input: JSON ends early");
	bad("read", "{\"file_path\":\"a\",\"file_path\":\"b\"}",
	    "read: file_path: given twice");
	bad("read", "{\"file_path\":5}", "read: file_path must be a string");
	bad("read", "{}", "read: file_path is required");
	bad("read", "{\"file_path\":null}", "read: file_path is required");
	bad("read", "{\"file_path\":\"\"}", "read: file_path is required");
	bad("read", "{\"file_path\":\"a\\u0000b\"}",
	    "path \"a\\u0000b\": i/o error (EINVAL)");
}

static void
test_read(void)
{
	good("read", "{\"file_path\":\"a\"}", "one\ntwo\nthree\n");
	good("read", "{\"file_path\":\"./sub/../a\"}", "one\ntwo\nthree\n");
	good("read", "{\"file_path\":\"@/work/a\",\"x\":1}",
	    "one\ntwo\nthree\n");
	good("read", "{\"file_path\":\"in\"}", "one\ntwo\nthree\n");
	good("read", "{\"file_path\":\"subl/b\"}", "b\n");
	good("read", "{\"file_path\":\"a/\"}", "one\ntwo\nthree\n");
	good("read", "{\"file_path\":\"empty\"}", "");
	bad("read", "{\"file_path\":\"none\"}",
	    "read: none: no such file or directory");
	bad("read", "{\"file_path\":\"none/none\"}",
	    "read: none/none: no such file or directory");
	bad("read", "{\"file_path\":\"a/b\"}", "read: a/b: not a directory");
	bad("read", "{\"file_path\":\"sub\"}",
	    "read: sub is not a regular file");
	bad("read", "{\"file_path\":\".\"}", "read: . is not a regular file");
	bad("read", "{\"file_path\":\"fifo\"}",
	    "read: fifo is not a regular file");
	bad("read", "{\"file_path\":\"socket\"}",
	    "read: socket is not a regular file");
}

static void
test_ranges(void)
{
	static const struct {
		const char *range, *want;
	} cases[] = {
		{"[1,1]", "one"}, {"[2,2]", "two"}, {"[1,2]", "one\ntwo"},
		{"[2,3]", "two\nthree"}, {"[3,4]", "three\n"},
		{"[3,-1]", "three\n"}, {"[0,1]", "one"}, {"[-5,1]", "one"},
		{"[2,0]", "two\nthree\n"}, {"[3,2]", ""}, {"[9,12]", ""},
		{"[1,900]", "one\ntwo\nthree\n"}, {"[1e0,2.0]", "one\ntwo"},
		{"[]", "one\ntwo\nthree\n"}, {"null", "one\ntwo\nthree\n"},
	};
	static const char *const wrong[] = {
		"[1]", "[1,2,3]", "[1.5,2]", "[\"1\",2]", "5", "\"1-5\"",
		"[1,null]", "{}",
	};
	char input[256];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		str_format(input, sizeof input, "{\"file_path\":\"a\","
		    "\"view_range\":%s}", cases[i].range);
		good("read", input, cases[i].want);
	}
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		str_format(input, sizeof input, "{\"file_path\":\"a\","
		    "\"view_range\":%s}", wrong[i]);
		bad("read", input,
		    "read: view_range must be [start_line, end_line]");
	}
	/* Confinement is told first, what the file is last. */
	bad("read", "{\"file_path\":\"out\",\"view_range\":[1]}",
	    "path \"out\" is outside the session's working directory");
	bad("read", "{\"file_path\":\"none\",\"view_range\":[1]}",
	    "read: view_range must be [start_line, end_line]");
}

static void
test_decoding(void)
{
	static const char broken[] = "a\xff\xe2\x82z\0\r\n\xf0\x9f\x98\x80";

	put_bytes("work/broken", bytes_of(broken, sizeof broken - 1));
	ok(!run("read", "{\"file_path\":\"broken\"}"), "bad UTF-8 is read");
	eq_bytes(buf_bytes(&out), bytes_of("a\xef\xbf\xbd\xef\xbf\xbdz\0\r\n"
	    "\xf0\x9f\x98\x80", 15), "as U+FFFD, NUL and CR kept");
}

static void
make_large(const char *path, size_t size, bool lines)
{
	char *mem = malloc(size);

	must(mem != NULL, "malloc");
	memset(mem, 'x', size);
	for (size_t i = 99; lines && i < size; i += 100)
		mem[i] = '\n';
	put_bytes(path, bytes_of(mem, size));
	free(mem);
}

static void
test_large(void)
{
	make_large("work/limit", LIMIT, true);
	make_large("work/large", LIMIT + 1, true);
	make_large("work/huge", 8 * LIMIT, true);
	make_large("work/line", 2 * LIMIT, false);
	ok(!run("read", "{\"file_path\":\"limit\"}"),
	    "a file of 262144 bytes is read");
	eq_int(buf_len(&out), LIMIT, "whole");
	bad("read", "{\"file_path\":\"large\"}", "read: large is 262145 "
	    "bytes, exceeds 262144-byte limit. Use the view_range parameter "
	    "to read specific line ranges, e.g. view_range: [1, 500].");
	ok(!run("read", "{\"file_path\":\"huge\",\"view_range\":"
	    "[20000,20001]}"), "a range of a large file is read");
	eq_int(buf_len(&out), 199, "two lines");
	bad("read", "{\"file_path\":\"huge\",\"view_range\":[2,9000]}",
	    "read: view_range [2, 9000] of huge exceeds 262144-byte limit. "
	    "Narrow the view_range to read a smaller portion.");
	bad("read", "{\"file_path\":\"line\",\"view_range\":[1,1]}",
	    "read: line 1 of line alone exceeds 262144-byte limit. The read "
	    "tool cannot return part of a line, so view_range cannot narrow "
	    "this further.");
	bad("edit", "{\"file_path\":\"large\",\"old_string\":\"x\","
	    "\"new_string\":\"\"}", "edit: large is 262145 bytes, exceeds "
	    "262144-byte limit. The edit tool loads the whole file and "
	    "cannot modify a file this large.");
}

static void
test_confinement(void)
{
	open_roots(false);
	bad("read", "{\"file_path\":\"../outside/secret\"}", "path "
	    "\"../outside/secret\" is outside the session's working "
	    "directory");
	bad("read", "{\"file_path\":\"/etc/passwd\"}", "path \"/etc/passwd\" "
	    "is outside the session's working directory");
	bad("read", "{\"file_path\":\"out\"}", "path \"out\" is outside the "
	    "session's working directory");
	bad("read", "{\"file_path\":\"outdir/secret\"}", "path "
	    "\"outdir/secret\" is outside the session's working directory");
	bad("read", "{\"file_path\":\"outdir/none/x\"}", "path "
	    "\"outdir/none/x\" is outside the session's working directory");
	bad("read", "{\"file_path\":\"to-extra\"}", "path \"to-extra\" is "
	    "outside the session's working directory");
	bad("write", "{\"file_path\":\"sub/dangling\",\"content\":\"\"}",
	    "path \"sub/dangling\" is outside the session's working "
	    "directory");
	bad("read", "{\"file_path\":\"a\\\"\\n\"}",
	    "read: a\"\n: no such file or directory");
	bad("read", "{\"file_path\":\"/\\\"\\n\"}", "path \"/\\\"\\n\" is "
	    "outside the session's working directory");
	bad("read", "{\"file_path\":\"loop1\"}", "path \"loop1\": too many "
	    "levels of symbolic links");
	bad("glob", "{\"pattern\":\"*\",\"path\":\"..\"}", "path \"..\" is "
	    "outside the session's working directory");
	bad("grep", "{\"pattern\":\"x\",\"path\":\"outdir\"}", "path "
	    "\"outdir\" is outside the session's working directory");
	bad("edit", "{\"file_path\":\"out\",\"old_string\":\"s\","
	    "\"new_string\":\"t\"}", "path \"out\" is outside the session's "
	    "working directory");
	open_roots(true);
	bad("read", "{\"file_path\":\"out\"}", "path \"out\" is outside the "
	    "session's working directory and its other permitted "
	    "directories");
	good("read", "{\"file_path\":\"to-extra\"}", "more\n");
	good("read", "{\"file_path\":\"@/extra/more\"}", "more\n");
	good("read", "{\"file_path\":\"../fixed/text\"}", "fixed\n");
	good("read", "{\"file_path\":\"@/single\"}", "one file\n");
	bad("read", "{\"file_path\":\"@/single2\"}", "path \"@/single2\" is "
	    "outside the session's working directory and its other permitted "
	    "directories");
	eq_str(get("outside/secret"), "secret\n", "nothing outside changed");
	ok(access("outside/new", F_OK) != 0, "nothing was made outside");
}

/* Links that go far, up, around and into other roots. */
static void
test_links(void)
{
	char target[128], name[32], last[32] = "a", input[64];

	str_format(target, sizeof target, "%s/extra/more", dir);
	make_link(target, "work/absolute");
	good("read", "{\"file_path\":\"absolute\"}", "more\n");
	str_format(target, sizeof target, "%s/work/subl/../a", dir);
	make_link(target, "work/up");
	good("read", "{\"file_path\":\"up\"}", "one\ntwo\nthree\n");
	str_format(target, sizeof target, "%s/outside/../work/a", dir);
	make_link(target, "work/around");
	good("read", "{\"file_path\":\"around\"}", "one\ntwo\nthree\n");
	make_link("../../../../../../../../../../..", "work/root");
	str_format(input, sizeof input, "{\"file_path\":\"root%s/work/a\"}",
	    dir);
	good("read", input, "one\ntwo\nthree\n");
	bad("read", "{\"file_path\":\"root/etc/passwd\"}", "path "
	    "\"root/etc/passwd\" is outside the session's working directory "
	    "and its other permitted directories");
	make_link("/proc/self/root/etc/passwd", "work/magic");
	bad("read", "{\"file_path\":\"magic\"}", "path \"magic\" is outside "
	    "the session's working directory and its other permitted "
	    "directories");
	make_link("nothing/../../outside/secret", "work/odd");
	bad("read", "{\"file_path\":\"odd\"}", "path \"odd\": no such file "
	    "or directory");
	for (int i = 1; i <= 41; i++) {
		str_format(name, sizeof name, "work/hop%d", i);
		make_link(last, name);
		str_format(last, sizeof last, "hop%d", i);
	}
	good("read", "{\"file_path\":\"hop40\"}", "one\ntwo\nthree\n");
	bad("read", "{\"file_path\":\"hop41\"}", "path \"hop41\": too many "
	    "levels of symbolic links");
	for (int i = 1; i <= 41; i++) {
		str_format(name, sizeof name, "work/hop%d", i);
		unlink(name);
	}
}

static void
test_long_names(void)
{
	char name[5000], input[5100], want[5200];

	memset(name, 'n', sizeof name);
	name[256] = '\0';
	str_format(input, sizeof input, "{\"file_path\":\"%s\"}", name);
	str_format(want, sizeof want, "path \"%s\": file name too long",
	    name);
	bad("read", input, want);
	memset(name, 'n', sizeof name);
	for (size_t i = 100; i < sizeof name; i += 100)
		name[i] = '/';
	name[4999] = '\0';
	str_format(input, sizeof input, "{\"file_path\":\"%s\"}", name);
	ok(run("read", input), "a path above PATH_MAX is an error");
	ok(str_ends(text(), "\": file name too long"), "of its length");
}

static mode_t
mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static int
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

static void
test_write(void)
{
	int before;

	bad("write", "{\"content\":\"x\"}", "write: file_path is required");
	good("write", "{\"file_path\":\"new\",\"content\":\"h\xc3\xa9\"}",
	    "wrote 3 bytes to new");
	eq_str(get("work/new"), "h\xc3\xa9", "the text is there");
	eq_int(mode_of("work/new"), 0600, "a new file is the user's");
	good("write", "{\"file_path\":\"new\"}", "wrote 0 bytes to new");
	eq_str(get("work/new"), "", "no content is none");
	good("write", "{\"file_path\":\"x/y/../z/deep\",\"content\":\"d\"}",
	    "wrote 1 bytes to x/y/../z/deep");
	eq_str(get("work/x/z/deep"), "d", "directories are made");
	eq_int(mode_of("work/x/z"), 0700, "for the user alone");
	chmod("work/sub/b", 0754);
	before = count_entries("work/sub");
	good("write", "{\"file_path\":\"sub/b\",\"content\":\"B\\n\"}",
	    "wrote 2 bytes to sub/b");
	eq_int(mode_of("work/sub/b"), 0754, "a file keeps its mode");
	eq_int(count_entries("work/sub"), before, "nothing is left over");
	good("write", "{\"file_path\":\"in\",\"content\":\"through\"}",
	    "wrote 7 bytes to in");
	eq_str(get("work/a"), "through", "a link is written through");
	good("write", "{\"file_path\":\"inside-dangling\",\"content\":\"d\"}",
	    "wrote 1 bytes to inside-dangling");
	eq_str(get("work/nowhere/deep"), "d", "also one that dangles");
	bad("write", "{\"file_path\":\"sub\",\"content\":\"\"}",
	    "write: sub: is a directory");
	bad("write", "{\"file_path\":\".\",\"content\":\"\"}",
	    "write: .: is a directory");
	bad("write", "{\"file_path\":\"a/zz\",\"content\":\"\"}",
	    "write: a/zz: i/o error (EEXIST)");
	bad("write", "{\"file_path\":\"a/zz/y\",\"content\":\"\"}",
	    "write: a/zz/y: not a directory");
	bad("write", "{\"file_path\":\"@/fixed/text\",\"content\":\"\"}",
	    "write: @/fixed/text is inside read-only directory @/fixed");
	bad("write", "{\"file_path\":\"../fixed/new/x\",\"content\":\"\"}",
	    "write: ../fixed/new/x is inside read-only directory @/fixed");
	good("write", "{\"file_path\":\"@/single\",\"content\":\"ONE\"}",
	    "wrote 3 bytes to @/single");
	eq_str(get("single"), "ONE", "a root that is a file is written");
	good("write", "{\"file_path\":\"half\",\"content\":\"\\ud800|\"}",
	    "wrote 4 bytes to half");
	eq_str(get("work/half"), "\xef\xbf\xbd|", "half a pair is U+FFFD");
	good("write", "{\"file_path\":\"fifo2\",\"content\":\"\"}",
	    "wrote 0 bytes to fifo2");
}

static void
test_nested_roots(void)
{
	char path[128];
	struct error e;

	str_format(path, sizeof path, "%s/fixed/rw", dir);
	must(tool_roots_add(&roots, path, false, &e) == 0, e.text);
	good("write", "{\"file_path\":\"@/fixed/rw/x\",\"content\":\"1\"}",
	    "wrote 1 bytes to @/fixed/rw/x");
	str_format(path, sizeof path, "%s/work/sub", dir);
	must(tool_roots_add(&roots, path, true, &e) == 0, e.text);
	bad("write", "{\"file_path\":\"subl/x\",\"content\":\"1\"}",
	    "write: subl/x is inside read-only directory @/work/sub");
	open_roots(true);
}

static void
test_edit(void)
{
	put("work/e", "alpha beta alpha\n");
	bad("edit", "{\"old_string\":\"x\",\"new_string\":\"y\"}",
	    "edit: file_path is required");
	bad("edit", "{\"file_path\":\"e\",\"new_string\":\"y\"}",
	    "edit: old_string is required");
	bad("edit", "{\"file_path\":\"e\",\"old_string\":\"y\"}",
	    "edit: new_string is required");
	bad("edit", "{\"file_path\":\"e\",\"old_string\":\"gamma\","
	    "\"new_string\":\"\"}", "edit: old_string not found in e");
	bad("edit", "{\"file_path\":\"e\",\"old_string\":\"alpha\","
	    "\"new_string\":\"\"}",
	    "edit: old_string appears 2 times in e (must be unique)");
	bad("edit", "{\"file_path\":\"none\",\"old_string\":\"a\","
	    "\"new_string\":\"\"}", "edit: none: no such file or directory");
	bad("edit", "{\"file_path\":\"sub\",\"old_string\":\"a\","
	    "\"new_string\":\"\"}", "edit: sub is not a regular file");
	bad("edit", "{\"file_path\":\"fifo\",\"old_string\":\"a\","
	    "\"new_string\":\"\"}", "edit: fifo is not a regular file");
	bad("edit", "{\"file_path\":\"@/fixed/text\",\"old_string\":\"a\","
	    "\"new_string\":\"\"}",
	    "edit: @/fixed/text is inside read-only directory @/fixed");
	good("edit", "{\"file_path\":\"e\",\"old_string\":\"beta\","
	    "\"new_string\":\"$& \\\\1\"}", "edited e (1 replacement(s))");
	eq_str(get("work/e"), "alpha $& \\1 alpha\n", "it is literal");
	good("edit", "{\"file_path\":\"e\",\"old_string\":\"alpha\","
	    "\"new_string\":\"\",\"replace_all\":true}",
	    "edited e (2 replacement(s))");
	eq_str(get("work/e"), " $& \\1 \n", "all are replaced");
	put("work/e", "aaaa");
	bad("edit", "{\"file_path\":\"e\",\"old_string\":\"aa\","
	    "\"new_string\":\"b\"}",
	    "edit: old_string appears 2 times in e (must be unique)");
	chmod("work/e", 0640);
	good("edit", "{\"file_path\":\"e\",\"old_string\":\"aaa\","
	    "\"new_string\":\"b\"}", "edited e (1 replacement(s))");
	eq_str(get("work/e"), "ba", "counted without overlap");
	eq_int(mode_of("work/e"), 0640, "the mode is kept");
	put_bytes("work/e", bytes_of("\xff old \xfe", 7));
	good("edit", "{\"file_path\":\"e\",\"old_string\":\"old\","
	    "\"new_string\":\"n\"}", "edited e (1 replacement(s))");
	eq_str(get("work/e"), "\xff n \xfe", "other bytes are kept");
}

static void
test_edit_grows(void)
{
	char *input = malloc(40000);
	int n;

	make_large("work/grow", LIMIT, false);
	must(input != NULL, "malloc");
	n = snprintf(input, 40000, "{\"file_path\":\"grow\",\"old_string\":"
	    "\"x\",\"replace_all\":true,\"new_string\":\"");
	memset(input + n, 'y', 100);
	snprintf(input + n + 100, 10, "\"}");
	bad("edit", input, "edit: grow would exceed 16777216 bytes");
	free(input);
}

/* Names that glob gives are put in order by time. */
static void
set_time(const char *path, time_t t)
{
	struct timespec times[] = {{t, 0}, {t, 0}};

	must(utimensat(AT_FDCWD, path, times, 0) == 0, path);
}

static void
make_files(void)
{
	static const char *const dirs[] = {
		"work/g", "work/g/src", "work/g/src/deep", "work/g/.hidden",
		"work/g/.git", "work/g/node_modules", "work/g/src/.git",
	};
	static const char *const files[] = {
		"work/g/1.c", "work/g/2.h", "work/g/src/3.c",
		"work/g/src/deep/4.c", "work/g/.hidden/5.c", "work/g/.6.c",
		"work/g/.git/7.c", "work/g/node_modules/8.c",
		"work/g/src/.git/9.c", "work/g/\xc3\xa9.c", "work/g/a{b",
	};

	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
		make_dir(dirs[i]);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		put(files[i], "x\n");
		set_time(files[i], 1000000 - (time_t)i);
	}
	make_link("src", "work/g/link");
	make_link("../../outside", "work/g/away");
	make_link("1.c", "work/g/link.c");
	must(mkfifo("work/g/fifo.c", 0644) == 0, "fifo");
}

static void
test_glob(void)
{
	static const struct {
		const char *pattern, *want;
	} cases[] = {
		{"*.c", "@/work/g/1.c\n@/work/g/\xc3\xa9.c"},
		{"**/*.c", "@/work/g/1.c\n@/work/g/src/3.c\n"
		    "@/work/g/src/deep/4.c\n@/work/g/\xc3\xa9.c"},
		{"**/*.{c,h}", "@/work/g/1.c\n@/work/g/2.h\n"
		    "@/work/g/src/3.c\n@/work/g/src/deep/4.c\n"
		    "@/work/g/\xc3\xa9.c"},
		{"src/**", "@/work/g/src/3.c\n@/work/g/src/deep/4.c"},
		{"**/deep/**/*", "@/work/g/src/deep/4.c"},
		{"?.c", "@/work/g/1.c\n@/work/g/\xc3\xa9.c"},
		{"[0-9].[ch]", "@/work/g/1.c\n@/work/g/2.h"},
		{"[!0-9].c", "@/work/g/\xc3\xa9.c"},
		{"[^2].[hc]", "@/work/g/1.c\n@/work/g/\xc3\xa9.c"},
		{".6.c", "@/work/g/.6.c"}, {".*.c", "@/work/g/.6.c"},
		{".hidden/*", "@/work/g/.hidden/5.c"},
		{"*/5.c", "no matches"}, {"**/5.c", "no matches"},
		{".git/*", "no matches"}, {"**/8.c", "no matches"},
		{"src", "no matches"}, {"none", "no matches"},
		{"fifo.c", "no matches"}, {"link.c", "no matches"},
		{"link/*.c", "@/work/g/link/3.c"},
		{"l*k/3.c", "@/work/g/link/3.c"},
		{"away/secret", "no matches"}, {"away/*", "no matches"},
		{"{1,1,{1,2}}.{c,h}", "@/work/g/1.c\n@/work/g/2.h"},
		{"a{b", "@/work/g/a{b"}, {"a\\\\{b", "@/work/g/a{b"},
		{"./src/3.c", "@/work/g/src/3.c"},
		{"src//3.c", "@/work/g/src/3.c"},
		{"{src/3,1}.c", "@/work/g/1.c\n@/work/g/src/3.c"},
		{"*a*a*a*a*a*a*a*a*a*a*a*a*a*b", "no matches"},
	};
	char input[512];

	make_files();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		str_format(input, sizeof input, "{\"pattern\":\"%s\","
		    "\"path\":\"g\"}", cases[i].pattern);
		good("glob", input, cases[i].want);
	}
	good("glob", "{\"pattern\":\"sub/b\"}", "@/work/sub/b");
	good("glob", "{\"pattern\":\"*\",\"path\":\"none\"}", "no matches");
	good("glob", "{\"pattern\":\"*\",\"path\":\"a\"}", "no matches");
	good("glob", "{\"pattern\":\"*\",\"path\":\"g/link/deep\"}",
	    "@/work/g/src/deep/4.c");
	good("glob", "{\"pattern\":\"m*\",\"path\":\"../extra\"}",
	    "@/extra/more");
}

static void
test_glob_errors(void)
{
	static const char *const up[] = {
		"..", "../x", "x/..", "a/../b", "{..,a}", "{a,..}/b",
		"x\\\\..",
	};
	char input[6000];
	size_t n;

	bad("glob", "{}", "glob: pattern is required");
	bad("glob", "{\"pattern\":\"/etc/*\"}", "glob: absolute pattern not "
	    "permitted; pass a relative pattern (and optionally path)");
	for (size_t i = 0; i < sizeof up / sizeof *up; i++) {
		str_format(input, sizeof input, "{\"pattern\":\"%s\"}", up[i]);
		bad("glob", input,
		    "glob: \"..\" is not permitted in the pattern");
	}
	n = (size_t)snprintf(input, sizeof input, "{\"pattern\":\"");
	for (int i = 0; i < 40; i++)
		n += (size_t)snprintf(input + n, sizeof input - n, "{a,b}");
	snprintf(input + n, sizeof input - n, "\"}");
	bad("glob", input, "glob: the pattern has too many alternatives");
	n = (size_t)snprintf(input, sizeof input, "{\"pattern\":\"");
	memset(input + n, '*', 4097);
	snprintf(input + n + 4097, 10, "\"}");
	bad("glob", input, "glob: the pattern is longer than 4096 bytes");
}

static void
test_glob_many(void)
{
	char name[64];

	make_dir("work/many");
	for (int i = 0; i < 300; i++) {
		str_format(name, sizeof name, "work/many/f%03d", i);
		put(name, "");
		set_time(name, 2000000 + i);
	}
	ok(!run("glob", "{\"pattern\":\"many/*\"}"), "many files are found");
	str_format(name, sizeof name, "%s/work/many/f299\n", dir);
	ok(str_starts(text(), name), "the newest is first");
	ok(str_ends(text(), "/f100"), "the 200th is the last");
	put("work/many/new\nline", "");
	ok(!run("glob", "{\"pattern\":\"many/new*\"}"),
	    "a name with a newline is found");
	ok(str_ends(text(), "/new\xef\xbf\xbdline"), "and is one line");
}

static void
test_grep(void)
{
	make_dir("work/s");
	make_dir("work/s/.dot");
	make_dir("work/s/.git");
	make_dir("work/s/node_modules");
	put("work/s/a.txt", "first line\nsecond LINE\r\n\nlast");
	put("work/s/.dot/b", "a line here\n");
	put("work/s/.git/c", "a line\n");
	put("work/s/node_modules/d", "a line\n");
	put_bytes("work/s/binary", bytes_of("a line\n\0", 8));
	put_bytes("work/s/bad", bytes_of("\xff line\n", 7));
	make_link("a.txt", "work/s/link");
	must(mkfifo("work/s/fifo", 0644) == 0, "fifo");
	bad("grep", "{}", "grep: pattern is required");
	good("grep", "{\"pattern\":\"line\",\"path\":\"s\"}",
	    "@/work/s/.dot/b:1:a line here\n"
	    "@/work/s/a.txt:1:first line\n@/work/s/bad:1:\xef\xbf\xbd line");
	good("grep", "{\"pattern\":\"LINE$\",\"path\":\"s\"}",
	    "@/work/s/a.txt:2:second LINE");
	good("grep", "{\"pattern\":\"^last$\",\"path\":\"s/a.txt\"}",
	    "@/work/s/a.txt:4:last");
	good("grep", "{\"pattern\":\"^$\",\"path\":\"s/a.txt\"}",
	    "@/work/s/a.txt:3:");
	good("grep", "{\"pattern\":\"line\",\"path\":\"s/link\"}",
	    "@/work/s/a.txt:1:first line");
	good("grep", "{\"pattern\":\"nothing here\"}", "no matches");
	good("grep", "{\"pattern\":\"x\",\"path\":\"none\"}", "no matches");
	good("grep", "{\"pattern\":\"x\",\"path\":\"s/fifo\"}",
	    "no matches");
	bad("grep", "{\"pattern\":\"a(b\"}",
	    "grep: invalid regex: unterminated group");
	bad("grep", "{\"pattern\":\"(a)\\\\1\"}",
	    "grep: invalid regex: back-references are not supported");
	bad("grep", "{\"pattern\":\"((a{255}){255}){255}\"}",
	    "grep: invalid regex: the pattern is too large");
}

static void
test_grep_lines(void)
{
	char *mem = malloc(400000);
	size_t n = 0;

	must(mem != NULL, "malloc");
	memset(mem, 'x', 400000);
	memcpy(mem, "hit", 3);
	mem[2000] = '\n';
	memcpy(mem + 2001, "hit", 3);
	mem[4002] = '\n';
	memcpy(mem + 4003, "hit", 3);
	mem[300000] = '\n';
	memcpy(mem + 300001, "hit\n", 4);
	put_bytes("work/lines", bytes_of(mem, 300005));
	ok(!run("grep", "{\"pattern\":\"^hit\",\"path\":\"lines\"}"),
	    "long lines are looked at");
	eq_int(buf_len(&out), strlen(dir) + sizeof "/work/lines:1:" - 1 +
	    2000 + 1 + strlen(dir) + sizeof "/work/lines:4:hit" - 1,
	    "2000 characters are a line, 2001 too many; lines are counted");
	ok(str_ends(text(), "/work/lines:4:hit"), "behind all of them");
	for (int i = 0; i < 20000; i++)
		n += (size_t)snprintf(mem + n, 20, "some text %d\n", i);
	put_bytes("work/output", bytes_of(mem, n));
	ok(!run("grep", "{\"pattern\":\"text\",\"path\":\"output\"}"),
	    "much output is cut");
	ok(str_ends(text(), "\n[output truncated at 102400 bytes]"),
	    "and says so");
	ok(buf_len(&out) < 102400 + 40, "at the limit");
	free(mem);
}

static void
test_deep(void)
{
	char name[PATH_MAX] = "work/deep";
	int lines = 1;

	make_dir(name);
	for (int i = 0; i < 60; i++) {
		size_t n = strlen(name);

		str_format(name + n, sizeof name - n, "/d");
		make_dir(name);
		str_format(name + n, sizeof name - n, "/f");
		put(name, "deepest\n");
		str_format(name + n, sizeof name - n, "/d");
	}
	ok(!run("grep", "{\"pattern\":\"deepest\",\"path\":\"deep\"}"),
	    "a deep tree is searched");
	for (const char *c = text(); *c != '\0'; c++)
		lines += *c == '\n';
	eq_int(lines, 41, "down to 40 directories");
	ok(!run("glob", "{\"pattern\":\"deep/**/f\"}"),
	    "and found files in");
}

/* Somebody who turns a directory into a link and back, and a file too. */
static void
swap_for_ever(void)
{
	for (bool good = true;; (void)good) {
		rename("work/race/d", "work/race/d2");
		good = symlink("../../outside", "work/race/d") == 0;
		rename("work/race/f", "work/race/f2");
		good = symlink("../../outside/secret", "work/race/f") == 0 &&
		    good;
		unlink("work/race/d");
		rename("work/race/d2", "work/race/d");
		unlink("work/race/f");
		mkfifo("work/race/f", 0600);
		unlink("work/race/f");
		rename("work/race/f2", "work/race/f");
	}
}

static void
make_race(void)
{
	unlink("work/race/d");
	rename("work/race/d2", "work/race/d");
	unlink("work/race/f");
	make_dir("work/race");
	make_dir("work/race/d");
	put("work/race/d/secret", "inside\n");
	put("work/race/f", "inside\n");
}

static void
test_races(void)
{
	static const struct {
		const char *tool, *input;
	} calls[] = {
		{"read", "{\"file_path\":\"race/d/secret\"}"},
		{"read", "{\"file_path\":\"race/f\"}"},
		{"grep", "{\"pattern\":\"[sS]ecret|inside\",\"path\":"
		    "\"race\"}"},
		{"grep", "{\"pattern\":\"secret$\",\"path\":\"race/f\"}"},
		{"glob", "{\"pattern\":\"d/*\",\"path\":\"race\"}"},
		{"write", "{\"file_path\":\"race/d/new\",\"content\":\"w\"}"},
		{"write", "{\"file_path\":\"race/d/secret\",\"content\":"
		    "\"inside\\n\"}"},
		{"edit", "{\"file_path\":\"race/d/secret\",\"old_string\":"
		    "\"inside\",\"new_string\":\"inside\"}"},
		{"edit", "{\"file_path\":\"race/f\",\"old_string\":"
		    "\"inside\",\"new_string\":\"inside\"}"},
	};
	int64_t end = clock_ms() + 2000;
	int leaks = 0, calls_made = 0, worked = 0;
	pid_t child;

	make_race();
	child = fork();
	if (child == 0)
		swap_for_ever();
	while (clock_ms() < end) {
		for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
			bool failed = run(calls[i].tool, calls[i].input);
			const char *line = strstr(text(), ":1:secret");

			worked += !failed;
			calls_made++;
			leaks += line != NULL || str_eq(text(), "secret\n");
		}
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	eq_int(leaks, 0, "nothing outside was shown while links moved");
	ok(worked > calls_made / 20, "%d of %d calls worked", worked,
	    calls_made);
	eq_str(get("outside/secret"), "secret\n", "nothing outside changed");
	ok(access("outside/new", F_OK) != 0, "nothing was made outside");
	eq_int(count_entries("outside"), 3, "no other file is there");
}

/* Files that change while they are read. */
static void
test_changing(void)
{
	pid_t child = fork();
	int64_t end = clock_ms() + 500;
	bool fine = true;

	if (child == 0) {
		for (;;) {
			int fd = open("work/changing", O_WRONLY | O_CREAT |
			    O_CLOEXEC, 0644);

			if (ftruncate(fd, LIMIT + 10) != 0)
				_exit(1);
			if (ftruncate(fd, 10) != 0)
				_exit(1);
			close(fd);
		}
	}
	while (clock_ms() < end) {
		bool failed = run("read", "{\"file_path\":\"changing\"}");

		fine = fine && (failed ? strstr(text(), "exceeds") != NULL ||
		    strstr(text(), "no such file") != NULL :
		    buf_len(&out) <= LIMIT);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	ok(fine, "a file that grows and shrinks is read or refused");
}

static void
remove_tree(const char *path)
{
	pid_t child = fork();

	if (child == 0) {
		execlp("rm", "rm", "-rf", path, (char *)NULL);
		_exit(127);
	}
	waitpid(child, NULL, 0);
}

/* More names than are looked at; in memory, since there are many. */
static void
test_entries(void)
{
	char crowd[] = "/dev/shm/adit-crowd.XXXXXX", name[64], input[128],
	    want[256];
	struct error e;

	must(mkdtemp(crowd) != NULL &&
	    tool_roots_add(&roots, crowd, false, &e) == 0, crowd);
	for (int i = 0; i < 50100; i++) {
		str_format(name, sizeof name, "%s/%03d", crowd, i / 1000);
		if (i % 1000 == 0)
			make_dir(name);
		str_format(name, sizeof name, "%s/%03d/%d", crowd, i / 1000,
		    i);
		must(mknod(name, S_IFREG | 0644, 0) == 0, name);
	}
	str_format(name, sizeof name, "%s/000/0", crowd);
	put(name, "first\n");
	str_format(input, sizeof input, "{\"pattern\":\"first\","
	    "\"path\":\"%s\"}", crowd);
	str_format(want, sizeof want, "%s:1:first\n[the search was cut short "
	    "after 50000 names]", name);
	good("grep", input, want);
	str_format(input, sizeof input, "{\"pattern\":\"none\","
	    "\"path\":\"%s\"}", crowd);
	good("grep", input,
	    "no matches\n[the search was cut short after 50000 names]");
	str_format(input, sizeof input, "{\"pattern\":\"*/*\","
	    "\"path\":\"%s\"}", crowd);
	ok(!run("glob", input), "as many matches are found");
	open_roots(true);
	remove_tree(crowd);
}

/* As tool_run, with a time that is over. */
static void
test_time(void)
{
	struct tool_call c = {.roots = &roots, .out = &out};
	struct error e;

	buf_clear(&out);
	c.tool = "grep";
	must(jsonr_parse_object(bytes_cstr("{\"pattern\":\"[^x]z\"}"),
	    &c.input, &e) == 0, "input");
	ok(tool_grep(&c), "a search that takes too long is an error");
	ok(bytes_eq(buf_bytes(&out), bytes_cstr("grep: timed out after 60s")),
	    "with this text");
	buf_clear(&out);
	c.tool = "glob";
	ok(tool_glob(&c), "so is a list");
	ok(bytes_eq(buf_bytes(&out), bytes_cstr("glob: timed out after 60s")),
	    "with this text");
}

/* rg, found and not. */
static void
test_rg(void)
{
	char path[256];
	bool found = access("/usr/bin/rg", X_OK) == 0;

	if (!ok(found, "rg is there"))
		return;
	roots.search = "/nowhere:/usr/bin:/bin";
	check("grep", "{\"pattern\":\"(?P<x>fir)st\",\"path\":\"s\"}", false,
	    "@/work/s/a.txt:1:first line\n");
	good("grep", "{\"pattern\":\"last\",\"path\":\"s/a.txt\"}",
	    "4:last\n");
	good("grep", "{\"pattern\":\"nowhere at all\",\"path\":\"s\"}",
	    "no matches");
	good("grep", "{\"pattern\":\"x\",\"path\":\"none\"}", "no matches");
	ok(run("grep", "{\"pattern\":\"a(\"}"), "a bad pattern");
	ok(str_starts(text(), "grep: rg failed: regex parse error:"),
	    "is what rg says");
	bad("grep", "{\"pattern\":\"a\\u0000\"}",
	    "grep: invalid regex: a NUL inside");
	good("grep", "{\"pattern\":\"--files\",\"path\":\"s\"}",
	    "no matches");
	ok(!run("grep", "{\"pattern\":\"text\",\"path\":\"output\"}"),
	    "much output is cut");
	ok(str_ends(text(), "\n[output truncated at 102400 bytes]"),
	    "and says so");
	eq_int(buf_len(&out), 102400 + 35, "at the limit");
	make_link("../../outside", "work/s/away");
	good("grep", "{\"pattern\":\"secret\",\"path\":\"s\"}",
	    "no matches");
	/* One that the payload has put there is not run. */
	make_dir("work/bin");
	put("work/bin/rg", "#!/bin/sh\necho owned\n");
	chmod("work/bin/rg", 0755);
	str_format(path, sizeof path, "%s/work/bin", dir);
	roots.search = path;
	good("grep", "{\"pattern\":\"^last$\",\"path\":\"s/a.txt\"}",
	    "@/work/s/a.txt:4:last");
	str_format(path, sizeof path, "%s/rgbin", dir);
	make_dir("rgbin");
	make_link("../work/bin/rg", "rgbin/rg");
	good("grep", "{\"pattern\":\"^last$\",\"path\":\"s/a.txt\"}",
	    "@/work/s/a.txt:4:last");
	roots.search = "usr/bin:.:bin";
	good("grep", "{\"pattern\":\"^last$\",\"path\":\"s/a.txt\"}",
	    "@/work/s/a.txt:4:last");
	/* Landlock holds rg, so a script cannot read what is outside. */
	put("rgbin/real", "#!/bin/sh\ncat ../outside/secret ../../outside/secret; exit 0\n");
	unlink("rgbin/rg");
	must(rename("rgbin/real", "rgbin/rg") == 0, "rename");
	chmod("rgbin/rg", 0755);
	roots.search = path;
	run("grep", "{\"pattern\":\"x\",\"path\":\"s\"}");
	ok(strstr(text(), "secret") == NULL, "nothing outside is read");
	roots.search = NULL;
}

static void
test_table(void)
{
	static const char *const names[] = {
		"bash", "read", "write", "edit", "glob", "grep",
	};
	size_t count;
	const struct tool *t = tool_table(&count);

	eq_int(count, 6, "there are six tools");
	for (size_t i = 0; i < count; i++) {
		struct jsonr schema, type;
		struct error e;

		eq_str(t[i].name, names[i], "tool %zu", i);
		ok(tool_find(names[i]) == &t[i], "%s is found", names[i]);
		ok(jsonr_parse_object(bytes_cstr(t[i].schema), &schema,
		    &e) == 0 && jsonr_get(schema, "type", &type, &e) == 1 &&
		    jsonr_eq_str(type, "object"), "its schema is one");
	}
	ok(tool_find("web_search") == NULL, "others are not");
}

int
main(void)
{
	int fds;

	umask(022);
	make_tree();
	buf_init(&out, TOOL_TEXT_MAX);
	tool_roots_init(&roots);
	open_roots(false);
	fds = test_open_fds();
	test_table();
	test_input();
	test_read();
	test_ranges();
	test_decoding();
	test_large();
	eq_int(test_open_fds(), fds, "no descriptor is left open");
	test_confinement();
	fds = test_open_fds();
	test_links();
	test_long_names();
	test_write();
	test_nested_roots();
	test_edit();
	test_edit_grows();
	test_glob();
	test_glob_errors();
	test_glob_many();
	test_grep();
	test_grep_lines();
	test_deep();
	test_entries();
	test_time();
	test_rg();
	test_races();
	roots.search = "/usr/bin:/bin";
	test_races();
	roots.search = NULL;
	test_changing();
	eq_int(test_open_fds(), fds, "no descriptor is left open");
	tool_roots_done(&roots);
	buf_reset(&out);
	if (chdir("/") == 0)
		remove_tree(dir);
	return test_done();
}
