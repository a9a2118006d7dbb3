/* SPDX-License-Identifier: ISC */
/* Archives: what is unpacked and how, and each thing that a hostile one can
 * try. */
#include "cmd/sandbox-worker/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <locale.h>
#include <sys/stat.h>

#include "cmd/sandbox-worker/tree.h"
#include "common/io.h"
#include "common/str.h"
#include "tests/unit/test.h"

enum { ARCHIVE_MAX = 1 << 22 };

static char dir[] = "/tmp/adit-unpack.XXXXXX";
static int outer_fd, out_fd = -1;
static struct error why;
static uint8_t archive[ARCHIVE_MAX];
static size_t archive_len;
static struct archive *writer;
static struct unpack_limits limits;

/* ---- making archives ---- */

enum format { ZIP, TAR, TAR_GZIP, TAR_XZ, TAR_ZSTD, TAR_BZIP2, TAR_TWICE,
	ZIP64 };

static void
begin(enum format format)
{
	static int (*const filters[])(struct archive *) = {
		[TAR_GZIP] = archive_write_add_filter_gzip,
		[TAR_XZ] = archive_write_add_filter_xz,
		[TAR_ZSTD] = archive_write_add_filter_zstd,
		[TAR_BZIP2] = archive_write_add_filter_bzip2,
		[TAR_TWICE] = archive_write_add_filter_gzip,
	};

	limits = unpack_limits;
	writer = archive_write_new();
	if (format == ZIP || format == ZIP64)
		archive_write_set_format_zip(writer);
	else
		archive_write_set_format_pax_restricted(writer);
	if (format == ZIP64)
		archive_write_set_options(writer, "zip:zip64");
	else if (format > TAR)
		filters[format](writer);
	if (format == TAR_TWICE)
		archive_write_add_filter_gzip(writer);
	archive_write_set_bytes_in_last_block(writer, 1);
	archive_write_open_memory(writer, archive, sizeof archive,
	    &archive_len);
}

static void
add(const char *name, unsigned type, mode_t mode, const char *target,
    struct bytes content)
{
	struct archive_entry *entry = archive_entry_new();

	archive_entry_set_pathname(entry, name);
	archive_entry_set_filetype(entry, type);
	archive_entry_set_perm(entry, mode);
	archive_entry_set_size(entry, (la_int64_t)content.len);
	if (target != NULL && type == AE_IFLNK)
		archive_entry_set_symlink(entry, target);
	else if (target != NULL)
		archive_entry_set_hardlink(entry, target);
	if (archive_write_header(writer, entry) != ARCHIVE_OK)
		printf("# %s: %s\n", name, archive_error_string(writer));
	if (content.len != 0)
		archive_write_data(writer, content.ptr, content.len);
	archive_entry_free(entry);
}

static void
add_file(const char *name, const char *content)
{
	add(name, AE_IFREG, 0640, NULL, bytes_cstr(content));
}

static void
add_zeros(const char *name, size_t len)
{
	uint8_t *zeros = calloc(1, len);

	add(name, AE_IFREG, 0600, NULL, bytes_of(zeros, len));
	free(zeros);
}

static void
end(void)
{
	archive_write_close(writer);
	archive_write_free(writer);
	writer = NULL;
}

/* ---- unpacking ---- */

static void
clear(void)
{
	io_close(&out_fd);
	tree_remove(outer_fd, "out", 10000);
	mkdirat(outer_fd, "out", 0700);
	out_fd = openat(outer_fd, "out", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int
unpack_bytes(struct bytes in)
{
	int fd = memfd_create("archive", MFD_CLOEXEC), r;

	clear();
	why.text[0] = '\0';
	io_write_all(fd, in);
	r = unpack_archive(fd, out_fd, &limits, &why);
	close(fd);
	return r;
}

static int
unpack(void)
{
	if (writer != NULL)
		end();
	return unpack_bytes(bytes_of(archive, archive_len));
}

static const char *
content(const char *path)
{
	static char text[256];
	int fd = tree_open(out_fd, path, O_RDONLY, 0);
	ssize_t n = fd == -1 ? -1 : read(fd, text, sizeof text - 1);

	io_close(&fd);
	if (n < 0)
		return "absent";
	text[n] = '\0';
	return text;
}

static int
mode_of(const char *path)
{
	struct stat st;

	if (fstatat(out_fd, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return -1;
	return (int)(st.st_mode & 07777);
}

/* ---- good archives ---- */

static void
test_formats(void)
{
	static const char *const names[] = {
		"zip", "tar", "tar.gz", "tar.xz", "tar.zst", "tar.bz2",
	};

	for (int f = ZIP; f <= TAR_BZIP2; f++) {
		begin((enum format)f);
		add_file("top/SKILL.md", "# skill\n");
		add("top/run.sh", AE_IFREG, 0711, NULL, bytes_cstr("x"));
		add("top/sub/", AE_IFDIR, 0777, NULL, bytes_of(NULL, 0));
		add_file("top/sub/deep/a", "a");
		eq_int(unpack(), 0, "%s is unpacked: %s", names[f], why.text);
		eq_str(content("SKILL.md"), "# skill\n", "%s: the one "
		    "directory is left out", names[f]);
		eq_str(content("sub/deep/a"), "a", "%s: directories that "
		    "names imply are made", names[f]);
		eq_int(mode_of("SKILL.md"), 0644, "%s: a file", names[f]);
		eq_int(mode_of("run.sh"), 0755, "%s: a program", names[f]);
		eq_int(mode_of("sub"), 0700, "%s: a directory", names[f]);
		eq_int(mode_of("sub/deep"), 0700, "%s: an implied directory",
		    names[f]);
		eq_int(tree_check_plain(out_fd, &why), 0, "%s: plain",
		    names[f]);
	}
}

static void
test_top(void)
{
	begin(ZIP);
	add_file("a/x", "x");
	add_file("b/y", "y");
	ok(unpack() == 0 && strcmp(content("a/x"), "x") == 0,
	    "two directories both stay");
	begin(ZIP);
	add_file("SKILL.md", "s");
	add_file("a/x", "x");
	ok(unpack() == 0 && strcmp(content("a/x"), "x") == 0 &&
	    strcmp(content("SKILL.md"), "s") == 0,
	    "a file beside it keeps a directory");
	begin(ZIP);
	add_file("only", "o");
	ok(unpack() == 0 && strcmp(content("only"), "o") == 0,
	    "a lone file keeps its name");
	begin(TAR);
	add("./", AE_IFDIR, 0755, NULL, bytes_of(NULL, 0));
	add_file("./top/./x//y", "y");
	ok(unpack() == 0 && strcmp(content("x/y"), "y") == 0,
	    "'.' and empty components say nothing");
	begin(TAR);
	add("d/", AE_IFDIR, 0755, NULL, bytes_of(NULL, 0));
	ok(unpack() == 0 && mode_of("d") == 0700,
	    "a lone directory stays");
	begin(ZIP);
	add_file("caf\xc3\xa9/\xe6\x97\xa5.md", "u");
	ok(unpack() == 0 && strcmp(content("\xe6\x97\xa5.md"), "u") == 0,
	    "names are UTF-8");
}

/* ---- names ---- */

static void
test_names(void)
{
	static const struct { const char *name, *want; } good[] = {
		{"a", "a"}, {"./a", "a"}, {"a/", "a"}, {"a//b/./c", "a/b/c"},
		{".", ""}, {"./", ""}, {"...", "..."}, {"..a/b..", "..a/b.."},
		{"a\\b", "a\\b"}, {"c:", "c:"}, {"a b\n", "a b\n"},
	};
	static const struct { const char *name, *want; } bad[] = {
		{"/a", "absolute name"}, {"\\a", "absolute name"},
		{"C:\\a", "absolute name"}, {"c:/a", "absolute name"},
		{"..", "name with '..'"}, {"../a", "name with '..'"},
		{"a/..", "name with '..'"}, {"a/../b", "name with '..'"},
		{"a\\..\\b", "name with '..'"}, {"..\\a", "name with '..'"},
		{"a/..\\b", "name with '..'"}, {"", "no name"},
		{"\xff", "name is not UTF-8"},
	};
	char out[UNPACK_NAME_MAX + 1], name[2000];

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		eq_int(unpack_name(bytes_cstr(good[i].name), out, &why),
		    (int64_t)strlen(good[i].want), "'%s'", good[i].name);
		eq_str(out, good[i].want, "'%s' becomes", good[i].name);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		eq_int(unpack_name(bytes_cstr(bad[i].name), out, &why), -1,
		    "bad name %zu is refused", i);
		eq_str(why.text, bad[i].want, "bad name %zu", i);
	}
	eq_int(unpack_name(bytes_of("a\0b", 3), out, &why), -1, "NUL");
	memset(name, 'a', sizeof name);
	eq_int(unpack_name(bytes_of(name, 255), out, &why), 255,
	    "255 bytes are a component");
	eq_int(unpack_name(bytes_of(name, 256), out, &why), -1,
	    "256 are none");
	for (size_t i = 1; i < sizeof name; i += 2)
		name[i] = '/';
	eq_int(unpack_name(bytes_of(name, 2 * UNPACK_DEPTH_MAX), out, &why),
	    2 * UNPACK_DEPTH_MAX - 1, "as deep as can be");
	eq_int(unpack_name(bytes_of(name, 2 * UNPACK_DEPTH_MAX + 1), out,
	    &why), -1, "deeper is refused");
	for (size_t i = 0; i < sizeof name; i++)
		name[i] = i % 200 == 199 ? '/' : 'a';
	eq_int(unpack_name(bytes_of(name, 1024), out, &why), 1024,
	    "1024 bytes are a name");
	eq_int(unpack_name(bytes_of(name, 1025), out, &why), -1,
	    "1025 are none");
}

/* Every bad name stops the archive before anything is written. */
static void
test_bad_names(void)
{
	static const char *const names[] = {
		"/etc/adit-x", "../adit-x", "a/../../adit-x", "a\\..\\x",
		"\\x", "C:\\x",
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		for (int f = ZIP; f <= TAR; f++) {
			begin((enum format)f);
			add_file("good", "g");
			add_file(names[i], "x");
			eq_int(unpack(), -1, "%s is refused", names[i]);
			eq_str(content("good"), "absent", "and nothing is "
			    "written");
			ok(strncmp(why.text, "member 2: ", 10) == 0,
			    "the text says where: %s", why.text);
		}
	}
	ok(faccessat(outer_fd, "adit-x", F_OK, 0) != 0, "nothing escaped");
}

/* A ustar header by hand, as no library writes it. */
static void
raw_tar(const char *name, char type, const char *link, const char *body)
{
	uint8_t *h = archive + archive_len;
	size_t len = strlen(body) % 512, name_len = strlen(name);
	unsigned sum = 0;

	memset(h, 0, 512);
	memcpy(h, name, name_len < 100 ? name_len : 100);
	memcpy(h + 100, "0000644", 8);
	memcpy(h + 108, "0000000", 8);
	memcpy(h + 116, "0000000", 8);
	snprintf((char *)h + 124, 12, "%011o", (unsigned)len & 0777);
	memcpy(h + 136, "00000000000", 12);
	memset(h + 148, ' ', 8);
	h[156] = (uint8_t)type;
	memcpy(h + 157, link, strlen(link));
	memcpy(h + 257, "ustar\00000", 8);
	for (size_t i = 0; i < 512; i++)
		sum += h[i];
	snprintf((char *)h + 148, 7, "%06o", sum);
	archive_len += 512;
	memset(archive + archive_len, 0, 512);
	memcpy(archive + archive_len, body, len);
	archive_len += len == 0 ? 0 : 512;
}

static void
raw_begin(void)
{
	limits = unpack_limits;
	archive_len = 0;
}

static void
raw_end(void)
{
	memset(archive + archive_len, 0, 1024);
	archive_len += 1024;
}

static void
test_not_utf8(void)
{
	raw_begin();
	raw_tar("caf\xe9", '0', "", "x");
	raw_end();
	eq_int(unpack(), -1, "a name in Latin-1 is refused");
	eq_str(why.text, "member 1: name is not UTF-8", "the reason");
}

/* ---- links and devices ---- */

static void
test_links(void)
{
	begin(TAR);
	add("dir", AE_IFLNK, 0777, "..", bytes_of(NULL, 0));
	add_file("dir/adit-x", "escaped");
	add("passwd", AE_IFLNK, 0777, "/etc/passwd", bytes_of(NULL, 0));
	add_file("file", "f");
	add("hard", AE_IFREG, 0644, "file", bytes_of(NULL, 0));
	add("fifo", AE_IFIFO, 0644, NULL, bytes_of(NULL, 0));
	add("device", AE_IFCHR, 0644, NULL, bytes_of(NULL, 0));
	eq_int(unpack(), 0, "links and devices do not stop it: %s", why.text);
	eq_str(content("dir/adit-x"), "escaped",
	    "a file through a link lies where its name says");
	ok(faccessat(outer_fd, "adit-x", F_OK, 0) != 0, "and nowhere else");
	eq_str(content("file"), "f", "files stay");
	eq_int(mode_of("hard"), -1, "no hard link");
	eq_int(mode_of("passwd"), -1, "no symbolic link");
	eq_int(mode_of("fifo"), -1, "no FIFO");
	eq_int(mode_of("device"), -1, "no device");
	eq_int(tree_check_plain(out_fd, &why), 0, "plain");

	begin(ZIP);
	add("dir", AE_IFLNK, 0777, "..", bytes_of(NULL, 0));
	add_file("dir/adit-x", "escaped");
	add_file("y", "");
	eq_int(unpack(), 0, "the same in a zip: %s", why.text);
	eq_str(content("dir/adit-x"), "escaped", "inside");

	raw_begin();
	raw_tar("f", '0', "", "f");
	raw_tar("h", '1', "../../etc/passwd", "");
	raw_tar("s", '2', "/etc/passwd", "");
	raw_tar("c", '3', "", "");
	raw_tar("b", '4', "", "");
	raw_tar("p", '6', "", "");
	raw_end();
	eq_int(unpack(), 0, "all kinds by hand: %s", why.text);
	eq_str(content("f"), "f", "the file is there");
	ok(mode_of("h") == -1 && mode_of("s") == -1 && mode_of("c") == -1 &&
	    mode_of("b") == -1 && mode_of("p") == -1, "and nothing else");
	begin(TAR);
	add("l", AE_IFLNK, 0777, "x", bytes_of(NULL, 0));
	eq_int(unpack(), -1, "nothing but links is no archive");
	eq_str(why.text, "holds no file", "it says");
}

static void
test_twice(void)
{
	begin(TAR);
	add_file("a", "first");
	add_file("b", "b");
	add_file("a", "second");
	eq_int(unpack(), -1, "a file given twice");
	eq_str(why.text, "member 3: name given twice", "the reason");
	begin(TAR);
	add_file("x/a", "first");
	add_file("x/a/b", "b");
	add_file("y", "");
	eq_int(unpack(), -1, "a file as a directory");
	begin(TAR);
	add_file("x/a/b", "b");
	add_file("x/a", "first");
	add_file("y", "");
	eq_int(unpack(), -1, "a directory as a file");
	begin(TAR);
	add("x/", AE_IFDIR, 0755, NULL, bytes_of(NULL, 0));
	add("x/", AE_IFDIR, 0700, NULL, bytes_of(NULL, 0));
	add_file("x/./a", "a");
	add_file("y", "");
	eq_int(unpack(), 0, "a directory twice is one directory");
}

/* ---- limits ---- */

static void
test_limits(void)
{
	for (unsigned n = 3; n <= 5; n++) {
		begin(ZIP);
		limits.members = 4;
		for (unsigned i = 0; i < n; i++)
			add_file((char[]){(char)('a' + i), 0}, "x");
		eq_int(unpack(), n <= 4 ? 0 : -1, "%u members of 4", n);
	}
	begin(TAR);
	limits.members = 6;
	add_file("a/b/c/d/e", "x");
	add_file("f", "x");
	eq_int(unpack(), 0, "implied directories up to the limit: %s",
	    why.text);
	begin(TAR);
	limits.members = 5;
	add_file("a/b/c/d/e", "x");
	add_file("f", "x");
	eq_int(unpack(), -1, "are counted");
	for (size_t n = 999; n <= 1001; n++) {
		begin(TAR_GZIP);
		limits.member_bytes = 1000;
		add_zeros("z", n);
		eq_int(unpack(), n <= 1000 ? 0 : -1, "%zu bytes of 1000", n);
		begin(ZIP);
		limits.total_bytes = 2000;
		add_zeros("z", 1000);
		add_zeros("y", n);
		eq_int(unpack(), n <= 1000 ? 0 : -1, "%zu more of 1000", n);
	}
	begin(TAR);
	limits.member_bytes = 100;
	add_file("good", "x");
	add("dropped", AE_IFIFO, 0600, NULL, bytes_of(NULL, 0));
	eq_int(unpack(), 0, "what is dropped counts too");
}

static void
test_ratio(void)
{
	begin(TAR_XZ);
	limits.ratio_floor = 1 << 20;
	add_zeros("z", 1 << 20);
	eq_int(unpack(), 0, "up to the floor any ratio will do");
	begin(TAR_XZ);
	limits.ratio_floor = (1 << 20) - 1;
	add_zeros("z", 1 << 20);
	eq_int(unpack(), -1, "a bomb by ratio");
	eq_str(why.text, "member 1: unpacks to more than 200 times its size",
	    "the reason");
	begin(TAR_XZ);
	add_zeros("z", 63 << 20);
	eq_int(unpack(), -1, "with the usual limits too");
	begin(TAR_TWICE);
	add_file("a", "a");
	eq_int(unpack(), -1, "a bomb in layers");
	eq_str(why.text, "compressed more than once",
	    "the reason");
}

/* A tar entry that says it has 8 EiB, and a sparse one. */
static void
test_sizes(void)
{
	raw_begin();
	raw_tar("huge", '0', "", "x");
	memcpy(archive + 124, "77777777777", 12);
	memset(archive + 148, ' ', 8);
	{
		unsigned sum = 0;

		for (size_t i = 0; i < 512; i++)
			sum += archive[i];
		snprintf((char *)archive + 148, 7, "%06o", sum);
	}
	raw_end();
	eq_int(unpack(), -1, "8 GiB that are not there");
	eq_str(why.text, "member 1: larger than 67108864 bytes",
	    "it is not even tried");
}

/* ---- damage ---- */

static void
test_damage(void)
{
	static uint8_t whole[ARCHIVE_MAX];
	int good = 0;

	for (int f = ZIP; f <= TAR_ZSTD; f++) {
		size_t len;

		begin((enum format)f);
		add_file("top/a", "some text that is compressed, compressed");
		add_file("top/b", "more");
		end();
		memcpy(whole, archive, archive_len);
		len = archive_len;
		good = 0;
		for (size_t n = 0; n < len; n += f == TAR ? 97 : 1)
			if (unpack_bytes(bytes_of(whole, n)) == 0 &&
			    strcmp(content("a"), "some text that is "
			    "compressed, compressed") != 0)
				good++;
		eq_int(good, 0, "format %d cut anywhere is no success with "
		    "less", f);
	}
	eq_int(unpack_bytes(bytes_cstr("")), -1, "nothing is no archive");
	eq_int(unpack_bytes(bytes_cstr("PK\x03\x04")), -1, "nor is a start");
	eq_int(unpack_bytes(bytes_cstr("hello, world")), -1, "nor is text");
}

/* Each byte of a zip changed: unpacked or refused, never outside. */
static void
test_changed(void)
{
	static uint8_t whole[4096];
	size_t len;
	bool plain = true;

	begin(ZIP);
	add_file("top/a", "some text");
	add("top/l", AE_IFLNK, 0777, "..", bytes_of(NULL, 0));
	end();
	len = archive_len;
	memcpy(whole, archive, len);
	for (size_t i = 0; i < len; i++) {
		for (unsigned bit = 0; bit < 8; bit += 3) {
			whole[i] = (uint8_t)(archive[i] ^ (1U << bit));
			unpack_bytes(bytes_of(whole, len));
			plain = plain && tree_check_plain(out_fd, &why) == 0;
			whole[i] = archive[i];
		}
	}
	ok(plain, "no change of a bit makes more than files of it");
	ok(faccessat(outer_fd, "l", F_OK, 0) != 0, "or leaves the directory");
}

/* A zip64 directory that promises more than there is. */
static void
test_zip64(void)
{
	static const uint8_t end64[] = {
		'P', 'K', 6, 6, 44, 0, 0, 0, 0, 0, 0, 0, 45, 0, 45, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 127,
		255, 255, 255, 255, 255, 255, 255, 127, 255, 255, 255, 255,
		255, 255, 255, 127, 0, 0, 0, 0, 0, 0, 0, 0,
		'P', 'K', 6, 7, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
		'P', 'K', 5, 6, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255,
		255, 255, 255, 255, 255, 0, 0,
	};

	memcpy(archive, "PK\x03\x04", 4);
	memcpy(archive + 4, end64, sizeof end64);
	archive_len = 4 + sizeof end64;
	limits = unpack_limits;
	eq_int(unpack(), -1, "a zip64 end that points nowhere");
	begin(ZIP64);
	add_file("top/a", "a");
	add_file("top/b", "b");
	eq_int(unpack(), 0, "an honest zip64: %s", why.text);
	eq_str(content("b"), "b", "its file");
}

int
main(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	if (mkdtemp(dir) == NULL)
		return 1;
	outer_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	test_names();
	test_formats();
	test_top();
	test_bad_names();
	test_not_utf8();
	test_links();
	test_twice();
	test_limits();
	test_ratio();
	test_sizes();
	test_damage();
	test_changed();
	test_zip64();
	io_close(&out_fd);
	eq_int(tree_remove(AT_FDCWD, dir, 10000), 0, "all is removed");
	return test_done();
}
