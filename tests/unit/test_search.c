/* SPDX-License-Identifier: ISC */
/* The tools glob and grep: what is found, every text, the limits, and rg. */
#include "cmd/sandbox-exec/tool.h"
#include "common/jsonr.h"
#include "tests/unit/tools.h"

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
		"place/g", "place/g/src", "place/g/src/deep", "place/g/.hidden",
		"place/g/.git", "place/g/node_modules", "place/g/src/.git",
	};
	static const char *const files[] = {
		"place/g/1.c", "place/g/2.h", "place/g/src/3.c",
		"place/g/src/deep/4.c", "place/g/.hidden/5.c", "place/g/.6.c",
		"place/g/.git/7.c", "place/g/node_modules/8.c",
		"place/g/src/.git/9.c", "place/g/\xc3\xa9.c", "place/g/a{b",
	};

	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
		make_dir(dirs[i]);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		put(files[i], "x\n");
		set_time(files[i], 1000000 - (time_t)i);
	}
	make_link("src", "place/g/link");
	make_link("../../outside", "place/g/away");
	make_link("1.c", "place/g/link.c");
	must(mkfifo("place/g/fifo.c", 0644) == 0, "fifo");
}

static void
test_glob(void)
{
	static const struct {
		const char *pattern, *want;
	} cases[] = {
		{"*.c", "@/place/g/1.c\n@/place/g/\xc3\xa9.c"},
		{"**/*.c", "@/place/g/1.c\n@/place/g/src/3.c\n"
		    "@/place/g/src/deep/4.c\n@/place/g/\xc3\xa9.c"},
		{"**/*.{c,h}", "@/place/g/1.c\n@/place/g/2.h\n"
		    "@/place/g/src/3.c\n@/place/g/src/deep/4.c\n"
		    "@/place/g/\xc3\xa9.c"},
		{"src/**", "@/place/g/src/3.c\n@/place/g/src/deep/4.c"},
		{"**/deep/**/*", "@/place/g/src/deep/4.c"},
		{"?.c", "@/place/g/1.c\n@/place/g/\xc3\xa9.c"},
		{"[0-9].[ch]", "@/place/g/1.c\n@/place/g/2.h"},
		{"[!0-9].c", "@/place/g/\xc3\xa9.c"},
		{"[^2].[hc]", "@/place/g/1.c\n@/place/g/\xc3\xa9.c"},
		{".6.c", "@/place/g/.6.c"}, {".*.c", "@/place/g/.6.c"},
		{".hidden/*", "@/place/g/.hidden/5.c"},
		{"*/5.c", "no matches"}, {"**/5.c", "no matches"},
		{".git/*", "@/place/g/.git/7.c"},
		{"{node_modules,.git}/*",
		    "@/place/g/.git/7.c\n@/place/g/node_modules/8.c"},
		{"**/.git/*",
		    "@/place/g/.git/7.c\n@/place/g/src/.git/9.c"},
		{"node_module?/*", "no matches"}, {".g*/*", "no matches"},
		{".gi[t]/*", "no matches"}, {"**/8.c", "no matches"},
		{"*/7.c", "no matches"}, {"**/.git/**/9.c",
		    "@/place/g/src/.git/9.c"},
		{"src", "no matches"}, {"none", "no matches"},
		{"fifo.c", "no matches"}, {"link.c", "no matches"},
		{"link/*.c", "@/place/g/link/3.c"},
		{"l*k/3.c", "@/place/g/link/3.c"},
		{"away/secret", "no matches"}, {"away/*", "no matches"},
		{"{1,1,{1,2}}.{c,h}", "@/place/g/1.c\n@/place/g/2.h"},
		{"a{b", "@/place/g/a{b"}, {"a\\\\{b", "@/place/g/a{b"},
		{"./src/3.c", "@/place/g/src/3.c"},
		{"src//3.c", "@/place/g/src/3.c"},
		{"{src/3,1}.c", "@/place/g/1.c\n@/place/g/src/3.c"},
		{"*a*a*a*a*a*a*a*a*a*a*a*a*a*b", "no matches"},
	};
	char input[512];

	make_files();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		str_format(input, sizeof input, "{\"pattern\":\"%s\","
		    "\"path\":\"g\"}", cases[i].pattern);
		good("glob", input, cases[i].want);
	}
	good("glob", "{\"pattern\":\"sub/b\"}", "@/place/sub/b");
	good("glob", "{\"pattern\":\"*\",\"path\":\"none\"}", "no matches");
	good("glob", "{\"pattern\":\"*\",\"path\":\"a\"}", "no matches");
	good("glob", "{\"pattern\":\"*\",\"path\":\"g/link/deep\"}",
	    "@/place/g/src/deep/4.c");
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

	make_dir("place/many");
	for (int i = 0; i < 300; i++) {
		str_format(name, sizeof name, "place/many/f%03d", i);
		put(name, "");
		set_time(name, 2000000 + i);
	}
	ok(!run("glob", "{\"pattern\":\"many/*\"}"), "many files are found");
	str_format(name, sizeof name, "%s/place/many/f299\n", dir);
	ok(str_starts(text(), name), "the newest is first");
	ok(str_ends(text(), "/f100"), "the 200th is the last");
	put("place/many/new\nline", "");
	ok(!run("glob", "{\"pattern\":\"many/new*\"}"),
	    "a name with a newline is found");
	ok(str_ends(text(), "/new\xef\xbf\xbdline"), "and is one line");
}

static void
test_grep(void)
{
	make_dir("place/s");
	make_dir("place/s/.dot");
	make_dir("place/s/.git");
	make_dir("place/s/node_modules");
	put("place/s/a.txt", "first line\nsecond LINE\r\n\nlast");
	put("place/s/.dot/b", "a line here\n");
	put("place/s/.git/c", "a line\n");
	put("place/s/node_modules/d", "a line\n");
	put_bytes("place/s/binary", bytes_of("a line\n\0", 8));
	put_bytes("place/s/bad", bytes_of("\xff line\n", 7));
	make_link("a.txt", "place/s/link");
	must(mkfifo("place/s/fifo", 0644) == 0, "fifo");
	bad("grep", "{}", "grep: pattern is required");
	good("grep", "{\"pattern\":\"line\",\"path\":\"s\"}",
	    "@/place/s/.dot/b:1:a line here\n"
	    "@/place/s/a.txt:1:first line\n@/place/s/bad:1:\xef\xbf\xbd line");
	good("grep", "{\"pattern\":\"LINE$\",\"path\":\"s\"}",
	    "@/place/s/a.txt:2:second LINE");
	good("grep", "{\"pattern\":\"^last$\",\"path\":\"s/a.txt\"}",
	    "@/place/s/a.txt:4:last");
	good("grep", "{\"pattern\":\"^$\",\"path\":\"s/a.txt\"}",
	    "@/place/s/a.txt:3:");
	good("grep", "{\"pattern\":\"line\",\"path\":\"s/link\"}",
	    "@/place/s/a.txt:1:first line");
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
	put_bytes("place/lines", bytes_of(mem, 300005));
	ok(!run("grep", "{\"pattern\":\"^hit\",\"path\":\"lines\"}"),
	    "long lines are looked at");
	eq_int(buf_len(&out), strlen(dir) + sizeof "/place/lines:1:" - 1 +
	    2000 + 1 + strlen(dir) + sizeof "/place/lines:4:hit" - 1,
	    "2000 characters are a line, 2001 too many; lines are counted");
	ok(str_ends(text(), "/place/lines:4:hit"), "behind all of them");
	for (int i = 0; i < 20000; i++)
		n += (size_t)snprintf(mem + n, 20, "some text %d\n", i);
	put_bytes("place/output", bytes_of(mem, n));
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
	char name[PATH_MAX] = "place/deep";
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
	    "@/place/s/a.txt:1:first line\n");
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
	make_link("../../outside", "place/s/away");
	good("grep", "{\"pattern\":\"secret\",\"path\":\"s\"}",
	    "no matches");
	/* One that the payload has put there is not run. */
	make_dir("place/bin");
	put("place/bin/rg", "#!/bin/sh\necho owned\n");
	chmod("place/bin/rg", 0755);
	str_format(path, sizeof path, "%s/place/bin", dir);
	roots.search = path;
	good("grep", "{\"pattern\":\"^last$\",\"path\":\"s/a.txt\"}",
	    "@/place/s/a.txt:4:last");
	str_format(path, sizeof path, "%s/rgbin", dir);
	make_dir("rgbin");
	make_link("../place/bin/rg", "rgbin/rg");
	good("grep", "{\"pattern\":\"^last$\",\"path\":\"s/a.txt\"}",
	    "@/place/s/a.txt:4:last");
	roots.search = "usr/bin:.:bin";
	good("grep", "{\"pattern\":\"^last$\",\"path\":\"s/a.txt\"}",
	    "@/place/s/a.txt:4:last");
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

int
main(void)
{
	int fds;

	begin_tools();
	open_roots(true);
	fds = test_open_fds();
	test_glob();
	test_glob_errors();
	test_glob_many();
	test_grep();
	test_grep_lines();
	test_deep();
	test_entries();
	test_time();
	test_rg();
	eq_int(test_open_fds(), fds, "no descriptor is left open");
	return end_tools();
}
