/* SPDX-License-Identifier: ISC */
/* The tools read, write and edit: every text, the order of the checks, what is
 * confined, and somebody who exchanges files meanwhile. */
#include "cmd/sandbox-exec/toolset.h"
#include "common/jsonr.h"
#include "tests/unit/tools.h"

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
	good("read", "{\"file_path\":\"@/place/a\",\"x\":1}",
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

	put_bytes("place/broken", bytes_of(broken, sizeof broken - 1));
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
	make_large("place/limit", LIMIT, true);
	make_large("place/large", LIMIT + 1, true);
	make_large("place/huge", 8 * LIMIT, true);
	make_large("place/line", 2 * LIMIT, false);
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
	make_link(target, "place/absolute");
	good("read", "{\"file_path\":\"absolute\"}", "more\n");
	str_format(target, sizeof target, "%s/place/subl/../a", dir);
	make_link(target, "place/up");
	good("read", "{\"file_path\":\"up\"}", "one\ntwo\nthree\n");
	str_format(target, sizeof target, "%s/outside/../place/a", dir);
	make_link(target, "place/around");
	good("read", "{\"file_path\":\"around\"}", "one\ntwo\nthree\n");
	make_link("../../../../../../../../../../..", "place/root");
	str_format(input, sizeof input, "{\"file_path\":\"root%s/place/a\"}",
	    dir);
	good("read", input, "one\ntwo\nthree\n");
	bad("read", "{\"file_path\":\"root/etc/passwd\"}", "path "
	    "\"root/etc/passwd\" is outside the session's working directory "
	    "and its other permitted directories");
	make_link("/proc/self/root/etc/passwd", "place/magic");
	bad("read", "{\"file_path\":\"magic\"}", "path \"magic\" is outside "
	    "the session's working directory and its other permitted "
	    "directories");
	make_link("nothing/../../outside/secret", "place/odd");
	bad("read", "{\"file_path\":\"odd\"}", "path \"odd\": no such file "
	    "or directory");
	for (int i = 1; i <= 41; i++) {
		str_format(name, sizeof name, "place/hop%d", i);
		make_link(last, name);
		str_format(last, sizeof last, "hop%d", i);
	}
	good("read", "{\"file_path\":\"hop40\"}", "one\ntwo\nthree\n");
	bad("read", "{\"file_path\":\"hop41\"}", "path \"hop41\": too many "
	    "levels of symbolic links");
	for (int i = 1; i <= 41; i++) {
		str_format(name, sizeof name, "place/hop%d", i);
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

static void
test_write(void)
{
	int before;

	bad("write", "{\"content\":\"x\"}", "write: file_path is required");
	good("write", "{\"file_path\":\"new\",\"content\":\"h\xc3\xa9\"}",
	    "wrote 3 bytes to new");
	eq_str(get("place/new"), "h\xc3\xa9", "the text is there");
	eq_int(mode_of("place/new"), 0600, "a new file is the user's");
	good("write", "{\"file_path\":\"new\"}", "wrote 0 bytes to new");
	eq_str(get("place/new"), "", "no content is none");
	good("write", "{\"file_path\":\"x/y/../z/deep\",\"content\":\"d\"}",
	    "wrote 1 bytes to x/y/../z/deep");
	eq_str(get("place/x/z/deep"), "d", "directories are made");
	eq_int(mode_of("place/x/z"), 0700, "for the user alone");
	chmod("place/sub/b", 0754);
	before = count_entries("place/sub");
	good("write", "{\"file_path\":\"sub/b\",\"content\":\"B\\n\"}",
	    "wrote 2 bytes to sub/b");
	eq_int(mode_of("place/sub/b"), 0754, "a file keeps its mode");
	eq_int(count_entries("place/sub"), before, "nothing is left over");
	good("write", "{\"file_path\":\"in\",\"content\":\"through\"}",
	    "wrote 7 bytes to in");
	eq_str(get("place/a"), "through", "a link is written through");
	good("write", "{\"file_path\":\"inside-dangling\",\"content\":\"d\"}",
	    "wrote 1 bytes to inside-dangling");
	eq_str(get("place/nowhere/deep"), "d", "also one that dangles");
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
	eq_str(get("place/half"), "\xef\xbf\xbd|", "half a pair is U+FFFD");
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
	str_format(path, sizeof path, "%s/place/sub", dir);
	must(tool_roots_add(&roots, path, true, &e) == 0, e.text);
	bad("write", "{\"file_path\":\"subl/x\",\"content\":\"1\"}",
	    "write: subl/x is inside read-only directory @/place/sub");
	open_roots(true);
}

static void
test_edit(void)
{
	put("place/e", "alpha beta alpha\n");
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
	eq_str(get("place/e"), "alpha $& \\1 alpha\n", "it is literal");
	good("edit", "{\"file_path\":\"e\",\"old_string\":\"alpha\","
	    "\"new_string\":\"\",\"replace_all\":true}",
	    "edited e (2 replacement(s))");
	eq_str(get("place/e"), " $& \\1 \n", "all are replaced");
	put("place/e", "aaaa");
	bad("edit", "{\"file_path\":\"e\",\"old_string\":\"aa\","
	    "\"new_string\":\"b\"}",
	    "edit: old_string appears 2 times in e (must be unique)");
	chmod("place/e", 0640);
	good("edit", "{\"file_path\":\"e\",\"old_string\":\"aaa\","
	    "\"new_string\":\"b\"}", "edited e (1 replacement(s))");
	eq_str(get("place/e"), "ba", "counted without overlap");
	eq_int(mode_of("place/e"), 0640, "the mode is kept");
	put_bytes("place/e", bytes_of("\xff old \xfe", 7));
	good("edit", "{\"file_path\":\"e\",\"old_string\":\"old\","
	    "\"new_string\":\"n\"}", "edited e (1 replacement(s))");
	eq_str(get("place/e"), "\xff n \xfe", "other bytes are kept");
}

static void
test_edit_grows(void)
{
	char *input = malloc(40000);
	int n;

	make_large("place/grow", LIMIT, false);
	must(input != NULL, "malloc");
	n = snprintf(input, 40000, "{\"file_path\":\"grow\",\"old_string\":"
	    "\"x\",\"replace_all\":true,\"new_string\":\"");
	memset(input + n, 'y', 100);
	snprintf(input + n + 100, 10, "\"}");
	bad("edit", input, "edit: grow would exceed 16777216 bytes");
	free(input);
}

/* Somebody who turns a directory into a link and back, and a file too. */
static void
swap_for_ever(void)
{
	for (bool good = true;; (void)good) {
		rename("place/race/d", "place/race/d2");
		good = symlink("../../outside", "place/race/d") == 0;
		rename("place/race/f", "place/race/f2");
		good = symlink("../../outside/secret", "place/race/f") == 0 &&
		    good;
		unlink("place/race/d");
		rename("place/race/d2", "place/race/d");
		unlink("place/race/f");
		mkfifo("place/race/f", 0600);
		unlink("place/race/f");
		rename("place/race/f2", "place/race/f");
	}
}

static void
make_race(void)
{
	unlink("place/race/d");
	rename("place/race/d2", "place/race/d");
	unlink("place/race/f");
	make_dir("place/race");
	make_dir("place/race/d");
	put("place/race/d/secret", "inside\n");
	put("place/race/f", "inside\n");
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
			int fd = open("place/changing", O_WRONLY | O_CREAT |
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
	int fds = begin_tools();

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
	test_races();
	roots.search = "/usr/bin:/bin";
	test_races();
	test_changing();
	eq_int(test_open_fds(), fds, "no descriptor is left open");
	return end_tools();
}
