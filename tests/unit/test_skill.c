/* SPDX-License-Identifier: ISC */
/* Skills: where they go, which credential is used, and what one that fails
 * leaves behind. */
#include "cmd/sandbox-worker/skill.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "cmd/sandbox-worker/tree.h"
#include "cmd/sandbox-worker/unpack.h"
#include "tests/unit/fake_api.h"
#include "tests/unit/files.h"

static uint8_t archive[FILES_TAR_LEN];
static char dir[] = "/tmp/adit-skill.XXXXXX";
static int workdir_fd;
static struct skills skills;

static long version_status, content_status;
static bool only_key; /* the service wants the environment key */
static const char *version_body;
static struct bytes content;

static struct fake_answer
serve(const struct api_request *r)
{
	if (only_key && !r->environment_key)
		return (struct fake_answer){.status = 403};
	if (str_ends(r->path, "/content"))
		return (struct fake_answer){.status = content_status,
		    .body = content};
	return (struct fake_answer){.status = version_status,
	    .body = bytes_cstr(version_body)};
}

/* unpack_archive, without the process. */
static int
unpack_here(int archive_fd, int dir_fd, struct error *e)
{
	return unpack_archive(archive_fd, dir_fd, &unpack_limits, e);
}

static void
begin(void)
{
	version_status = content_status = 200;
	version_body = "{\"id\":\"1759\",\"name\":\"greeter\"}";
	only_key = false;
	fake_has_token = true;
	fake_has_key = false;
	content = bytes_of(archive, sizeof archive);
	skills_init(&skills, NULL, workdir_fd);
	skills.unpack = unpack_here;
	fake_story();
}

static void
install(const char *list)
{
	struct jsonr v;
	struct error e;

	if (jsonr_parse(bytes_cstr(list), &v, &e) == 0)
		skills_install(&skills, v);
}

static bool
is_empty(const char *path)
{
	DIR *d;
	int n = 0, fd = openat(workdir_fd, path, O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC);

	if (fd == -1)
		return true;
	d = fdopendir(fd);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n == 2;
}

#define ONE "[{\"type\":\"custom\",\"skill_id\":\"skill_1\"," \
	"\"version\":\"latest\"}]"

static void
test_install(void)
{
	begin();
	install(ONE);
	eq_str(fake_story(), "GET /v1/skills/skill_1/versions/latest; "
	    "GET /v1/skills/skill_1/versions/1759/content; ",
	    "the version is resolved once");
	eq_str(get_file(workdir_fd, "skills/greeter/SKILL.md"), "skill", "it is there");
	skills_remove(&skills);
	ok(faccessat(workdir_fd, "skills", F_OK, 0) != 0, "nothing is left");
	begin();
	mkdirat(workdir_fd, "skills", 0755);
	mkdirat(workdir_fd, "skills/greeter", 0700);
	mkdirat(workdir_fd, "skills/other", 0700);
	close(openat(workdir_fd, "skills/greeter/old", O_CREAT | O_WRONLY |
	    O_CLOEXEC, 0600));
	install(ONE);
	eq_str(get_file(workdir_fd, "skills/greeter/SKILL.md"), "skill", "again");
	eq_str(get_file(workdir_fd, "skills/greeter/old"), "absent", "what was there is gone");
	skills_remove(&skills);
	ok(faccessat(workdir_fd, "skills/other", F_OK, 0) == 0,
	    "what is not ours stays");
	unlinkat(workdir_fd, "skills/other", AT_REMOVEDIR);
	unlinkat(workdir_fd, "skills", AT_REMOVEDIR);
}

static void
test_credentials(void)
{
	begin();
	only_key = true;
	install(ONE);
	eq_str(fake_story(), "GET /v1/skills/skill_1/versions/latest; ",
	    "refused without a key to fall back on");
	skills_remove(&skills);
	begin();
	only_key = fake_has_key = true;
	install(ONE);
	eq_str(fake_story(), "GET /v1/skills/skill_1/versions/latest; "
	    "GET /v1/skills/skill_1/versions/latest with the key; "
	    "GET /v1/skills/skill_1/versions/1759/content; "
	    "GET /v1/skills/skill_1/versions/1759/content with the key; ",
	    "the key is tried after the token");
	eq_str(get_file(workdir_fd, "skills/greeter/SKILL.md"), "skill", "it is there");
	skills_remove(&skills);
}

static void
test_one_fails(void)
{
	static const char *const lists[] = {
		"[{}]", "[5,null]", "[{\"skill_id\":7}]", "{}", "[]",
	};
	static const char *const versions[] = {
		"", "[]", "{}", "{\"id\":5}", "{\"name\":\"x\"}",
	};

	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		begin();
		install(lists[i]);
		eq_str(fake_story(), "", "list %zu calls nothing", i);
		skills_remove(&skills);
	}
	for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
		begin();
		version_body = versions[i];
		install(ONE);
		ok(strstr(fake_story(), "content") == NULL,
		    "version %zu is none", i);
		skills_remove(&skills);
	}
	begin();
	content_status = 0;
	install(ONE);
	ok(is_empty("skills"), "a lost connection leaves nothing");
	skills_remove(&skills);
	begin();
	content = bytes_cstr("no archive");
	install(ONE);
	ok(is_empty("skills"), "nor does what is no archive");
	skills_remove(&skills);
	begin();
	install("[{\"skill_id\":\"a/b c\",\"version\":\"1\"},{},"
	    "{\"skill_id\":\"skill_2\"}]");
	eq_str(fake_story(), "GET /v1/skills/a%2Fb%20c/versions/1; "
	    "GET /v1/skills/a%2Fb%20c/versions/1759/content; "
	    "GET /v1/skills/skill_2/versions/latest; "
	    "GET /v1/skills/skill_2/versions/1759/content; ",
	    "one that fails does not stop the next");
	skills_remove(&skills);
}

/* What an earlier command may have left in the workspace. */
static void
test_planted(void)
{
	mkdirat(workdir_fd, "elsewhere", 0700);
	ok(symlinkat("elsewhere", workdir_fd, "skills") == 0, "a link");
	begin();
	install(ONE);
	ok(is_empty("elsewhere"), "a link in place of skills is not followed");
	skills_remove(&skills);
	unlinkat(workdir_fd, "skills", 0);
	mkdirat(workdir_fd, "skills", 0700);
	ok(symlinkat("../elsewhere", workdir_fd, "skills/greeter") == 0,
	    "a link");
	begin();
	install(ONE);
	eq_str(get_file(workdir_fd, "skills/greeter/SKILL.md"), "skill", "one in place of "
	    "the skill is replaced");
	ok(is_empty("elsewhere"), "and not followed");
	unlinkat(workdir_fd, "skills/greeter/SKILL.md", 0);
	unlinkat(workdir_fd, "skills/greeter", AT_REMOVEDIR);
	ok(symlinkat("../elsewhere", workdir_fd, "skills/greeter") == 0,
	    "a link");
	close(openat(workdir_fd, "elsewhere/kept", O_CREAT | O_WRONLY |
	    O_CLOEXEC, 0600));
	skills_remove(&skills);
	ok(faccessat(workdir_fd, "elsewhere/kept", F_OK, 0) == 0,
	    "nothing behind a link is removed");
}

static void
test_names(void)
{
	static const struct { const char *name, *id, *want; } cases[] = {
		{"greeter", "s", "greeter"}, {"  greeter\n", "s", "greeter"},
		{"a/b", "s", "b"}, {"../../etc", "s", "etc"}, {"a/", "s", "a"},
		{"", "s", "s"}, {".", "s", "s"}, {"..", "s", "s"},
		{"a/..", "s", "s"}, {"/", "s", "s"}, {"a b", "s", "a b"},
		{"..", "..", NULL}, {"", "a/b", NULL}, {"", "", NULL},
	};
	char out[SKILL_NAME_CAP], name[300];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int r = skill_directory(cases[i].name, cases[i].id, out);

		eq_int(r, cases[i].want == NULL ? -1 : 0, "name %zu", i);
		if (r == 0)
			eq_str(out, cases[i].want, "'%s'", cases[i].name);
	}
	memset(name, 'a', sizeof name);
	name[256] = '\0';
	eq_int(skill_directory(name, "s", out), 0, "too long a name");
	eq_str(out, "s", "gives way to the id");
	name[255] = '\0';
	skill_directory(name, "s", out);
	eq_int(strlen(out), 255, "the longest name");
}

static void
test_many(void)
{
	struct buf list;
	unsigned calls = 0;

	begin();
	version_status = 404;
	buf_init(&list, 1 << 20);
	buf_add_str(&list, "[");
	for (int i = 0; i < SKILL_COUNT_MAX + 1; i++)
		buf_format(&list, "%s{\"skill_id\":\"s\"}", i == 0 ? "" : ",");
	buf_add(&list, bytes_of("]", 2));
	install((const char *)list.mem);
	for (const char *at = fake_story(); (at = strstr(at, "GET")) != NULL;
	    at++)
		calls++;
	eq_int(calls, SKILL_COUNT_MAX, "no more than 500");
	skills_remove(&skills);
	buf_reset(&list);
}

int
main(void)
{
	int fds;

	if (mkdtemp(dir) == NULL)
		return 1;
	buf_init(&fake_log, FAKE_LOG_MAX);
	fake_serve = serve;
	make_skill_tar(archive);
	content = bytes_of(archive, sizeof archive);
	workdir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fds = test_open_fds();
	test_names();
	test_install();
	test_credentials();
	test_one_fails();
	test_planted();
	test_many();
	eq_int(test_open_fds(), fds, "every descriptor is closed");
	tree_remove(AT_FDCWD, dir, 10000);
	buf_reset(&fake_log);
	return test_done();
}
