/* SPDX-License-Identifier: ISC */
/* A memory store and its folder, against a store in this process that fails
 * as told, with a hostile hand in the folder. */
#include "cmd/sandbox-worker/memory_store.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "cmd/sandbox-worker/tree.h"
#include "common/clock.h"
#include "common/jsonr.h"
#include "common/jsonw.h"
#include "common/sha256.h"
#include "tests/unit/fake_api.h"
#include "tests/unit/files.h"

enum {
	KEPT_MAX = 320,
	PAGE = 20,
	MANY = 150,
	SOON_MS = 500,     /* for what comes, where something else does not */
	ENOUGH_MS = 60000, /* where all comes */
};

/* ---- the store ---- */

struct kept {
	char path[MEMORY_PATH_MAX + 1];
	char content[256];
	bool there;
};

static struct kept kept[KEPT_MAX];
static size_t kept_count;
static struct buf body;
static long fail_next;      /* status of the next call that changes */
static bool fail_after;     /* it is done all the same */
static const char *raw;     /* the next answer, as it is */
static const char *never;   /* calls of it get no answer */

static const char *
hash_of(const char *content)
{
	static char hex[SHA256_HEX_CAP];

	sha256_hex(bytes_cstr(content), hex);
	return hex;
}

static struct kept *
keep(const char *path, const char *content)
{
	struct kept *k = &kept[kept_count++];

	str_format(k->path, sizeof k->path, "%s", path);
	str_format(k->content, sizeof k->content, "%s", content);
	k->there = true;
	return k;
}

static void
write_memory(struct jsonw *w, const struct kept *k, bool full)
{
	char id[16];

	str_format(id, sizeof id, "mem_%zu", (size_t)(k - kept));
	jsonw_open(w, '{');
	jsonw_key_str(w, "id", id);
	jsonw_key_str(w, "type", "memory");
	jsonw_key_str(w, "path", k->path);
	jsonw_key_str(w, "content_sha256", hash_of(k->content));
	jsonw_key(w, "content");
	if (full)
		jsonw_str(w, k->content);
	else
		jsonw_null(w);
	jsonw_close(w, '}');
}

static struct fake_answer
answer_list(const struct api_request *r)
{
	bool full = strstr(r->path, "view=full") != NULL;
	const char *at = strstr(r->path, "&page=p");
	size_t from = at == NULL ? 0 : (size_t)(at[7] - '0') * PAGE, i;
	struct jsonw w;
	char next[4] = "p0";

	jsonw_init(&w, &body);
	jsonw_open(&w, '{');
	jsonw_key(&w, "data");
	jsonw_open(&w, '[');
	for (i = from; i < kept_count && i < from + PAGE; i++)
		if (kept[i].there)
			write_memory(&w, &kept[i], full);
	jsonw_close(&w, ']');
	jsonw_key(&w, "next_page");
	next[1] = (char)('0' + i / PAGE); /* up to 16 of them */
	if (i < kept_count)
		jsonw_str(&w, next);
	else
		jsonw_null(&w);
	jsonw_close(&w, '}');
	return (struct fake_answer){.status = 200};
}

static struct kept *
find_id(const char *path)
{
	const char *id = strstr(path, "/mem_");
	size_t i;

	if (id == NULL)
		return NULL;
	for (i = 0, id += 5; *id >= '0' && *id <= '9'; id++)
		i = i * 10 + (size_t)(*id - '0');
	return i < kept_count && kept[i].there ? &kept[i] : NULL;
}

static void
write_one(const struct kept *k)
{
	struct jsonw w;

	jsonw_init(&w, &body);
	write_memory(&w, k, true);
}

static struct fake_answer
answer_post(const struct api_request *r)
{
	bool update = strstr(r->path, "/mem_") != NULL;
	struct kept *k = find_id(r->path);
	char path[MEMORY_PATH_MAX + 1], content[256], seen[80] = "";
	struct jsonr v, precondition;
	struct error e;

	if (jsonr_parse_object(r->body, &v, &e) != 0)
		return (struct fake_answer){.status = 400};
	jsonr_get_str(v, "path", path, sizeof path, &e);
	jsonr_get_str(v, "content", content, sizeof content, &e);
	if (jsonr_get(v, "precondition", &precondition, &e) == 1)
		jsonr_get_str(precondition, "content_sha256", seen,
		    sizeof seen, &e);
	if (update && k == NULL)
		return (struct fake_answer){.status = 404};
	if (update && !str_eq(seen, hash_of(k->content)))
		return (struct fake_answer){.status = 409};
	if (!update)
		k = keep(path, content);
	str_format(k->content, sizeof k->content, "%s", content);
	write_one(k);
	return (struct fake_answer){.status = 200};
}

static struct fake_answer
answer_delete(const struct api_request *r)
{
	struct kept *k = find_id(r->path);

	if (k == NULL)
		return (struct fake_answer){.status = 404};
	if (strstr(r->path, hash_of(k->content)) == NULL)
		return (struct fake_answer){.status = 409};
	k->there = false;
	return (struct fake_answer){.status = 200};
}

static struct fake_answer
answer(const struct api_request *r)
{
	struct kept *k = find_id(r->path);

	if (str_eq(r->method, "POST"))
		return answer_post(r);
	if (str_eq(r->method, "DELETE"))
		return answer_delete(r);
	if (strstr(r->path, "/mem_") == NULL)
		return answer_list(r);
	if (k == NULL)
		return (struct fake_answer){.status = 404};
	write_one(k);
	return (struct fake_answer){.status = 200};
}

static struct fake_answer
serve(const struct api_request *r)
{
	struct fake_answer a = {.status = fail_next};

	buf_clear(&body);
	if (never != NULL && strstr(r->path, never) != NULL)
		return (struct fake_answer){.never = true};
	if (raw != NULL) {
		buf_add_str(&body, raw);
		raw = NULL;
		a.status = 200;
	} else if (fail_next == 0 || str_eq(r->method, "GET")) {
		a = answer(r);
	} else {
		if (fail_after)
			answer(r);
		buf_clear(&body);
		a.ambiguous = fail_after;
		a.status = fail_next == -1 ? 0 : fail_next;
		fail_next = 0;
	}
	a.body = buf_bytes(&body);
	return a;
}

/* ---- the folder ---- */

static char dir[] = "/tmp/adit-memory.XXXXXX";
static int parent_fd, folder_fd = -1;
static struct memory_store store;
static struct memory_stores stores = {.at = &store, .stop_fd = -1};
static struct error why;

static bool
open_store(bool read_only)
{
	memset(&store, 0, sizeof store);
	str_format(store.id, sizeof store.id, "memstore_1");
	str_format(store.name, sizeof store.name, "notes");
	str_format(store.folder, sizeof store.folder, "0");
	store.read_only = read_only;
	stores.count = 1;
	if (memory_stores_open(&stores, parent_fd, &why) != 0)
		return false;
	folder_fd = openat(parent_fd, "0", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return true;
}

static void
close_store(void)
{
	io_close(&folder_fd);
	memory_stores_close(&stores);
	for (size_t i = 0; i < kept_count; i++)
		kept[i].there = false;
	kept_count = 0;
	fake_story();
}

static void
sync_store(bool final)
{
	fake_story();
	memory_stores_sync(&stores, final, clock_ms() + ENOUGH_MS);
}

static const char *
file(const char *path)
{
	return get_file(folder_fd, path);
}

static void
put(const char *path, const char *content)
{
	put_file(folder_fd, path, content);
}

static const char *
remote(const char *path)
{
	for (size_t i = 0; i < kept_count; i++)
		if (kept[i].there && str_eq(kept[i].path, path))
			return kept[i].content;
	return "absent";
}

#define LIST "/v1/memory_stores/memstore_1/memories"

static void
test_download(void)
{
	struct stat st;
	char name[32];

	for (unsigned i = 0; i < 45; i++) {
		str_format(name, sizeof name, "/d%u/f%u.md", i % 3, i);
		keep(name, name);
	}
	keep("/../escaped", "x");
	keep("/.anthropic-memory-store", "x");
	ok(open_store(false), "a store of 47 is opened: %s", why.text);
	eq_str(fake_story(), "GET " LIST "?view=full&limit=20; GET " LIST
	    "?view=full&limit=20&page=p1; GET " LIST
	    "?view=full&limit=20&page=p2; ", "in three pages");
	eq_str(file("d1/f43.md"), "/d1/f43.md", "files are there");
	eq_str(file(".anthropic-memory-store"), "version 1\nmemstore_1",
	    "so is the marker");
	ok(fstatat(folder_fd, "d1/f43.md", &st, 0) == 0 &&
	    (st.st_mode & 0777) == 0600, "a file has mode 0600");
	ok(fstatat(folder_fd, "d1", &st, 0) == 0 &&
	    (st.st_mode & 0777) == 0700, "a directory 0700");
	ok(faccessat(parent_fd, "escaped", F_OK, 0) != 0, "nothing escaped");
	sync_store(false);
	eq_str(fake_story(), "GET " LIST "?view=basic&limit=100; GET " LIST
	    "?view=basic&limit=100&page=p1; GET " LIST
	    "?view=basic&limit=100&page=p2; ", "nothing changed, nothing is "
	    "sent");
	close_store();
	ok(faccessat(parent_fd, "0", F_OK, 0) != 0, "and nothing is left");
}

static void
test_exists(void)
{
	mkdirat(parent_fd, "0", 0700);
	ok(!open_store(false), "a folder that exists is refused");
	ok(strstr(why.text, "cannot create the memory store's folder") != NULL,
	    "it says: %s", why.text);
	unlinkat(parent_fd, "0", AT_REMOVEDIR);
}

static void
test_uploads(void)
{
	char want[1024];

	keep("/a.md", "one");
	keep("/b.md", "two");
	keep("/c.md", "three");
	open_store(false);
	put("a.md", "ONE");
	put("new.md", "n\"\x01\xc3\xa9");
	unlinkat(folder_fd, "b.md", 0);
	sync_store(true);
	eq_int(str_format(want, sizeof want, "GET " LIST
	    "?view=basic&limit=100; POST " LIST "/mem_0 {\"content\":\"ONE\","
	    "\"precondition\":{\"type\":\"content_sha256\",\"content_sha256\":"
	    "\"%s\"}}; POST " LIST " {\"path\":\"/new.md\",\"content\":"
	    "\"n\\\"\\u0001\xc3\xa9\"}; ", hash_of("one")), 0, "format");
	eq_int(str_format(want + strlen(want), sizeof want - strlen(want),
	    "DELETE " LIST "/mem_1?expected_content_sha256=%s; ",
	    hash_of("two")), 0, "format");
	eq_str(fake_story(), want, "the calls of a final sync");
	eq_str(remote("/a.md"), "ONE", "updated");
	eq_str(remote("/b.md"), "absent", "deleted");
	put("a.md", "AGAIN");
	fake_story();
	memory_stores_flush(&stores, clock_ms() + ENOUGH_MS);
	eq_int(str_format(want, sizeof want, "POST " LIST "/mem_0 {\"content\":"
	    "\"AGAIN\",\"precondition\":{\"type\":\"content_sha256\","
	    "\"content_sha256\":\"%s\"}}; ", hash_of("ONE")), 0, "format");
	eq_str(fake_story(), want, "a flush only uploads");
	memory_stores_flush(&stores, clock_ms() + ENOUGH_MS);
	eq_str(fake_story(), "", "and once");
	close_store();
}

static void
test_pulls(void)
{
	struct kept *a = keep("/a.md", "one");

	keep("/b.md", "two");
	keep("/c.md", "three");
	open_store(false);
	str_format(a->content, sizeof a->content, "ONE");
	kept[1].there = false;
	keep("/deep/er/d.md", "four");
	str_format(kept[2].content, sizeof kept[2].content, "THEIRS");
	put("c.md", "OURS");
	sync_store(false);
	eq_str(file("a.md"), "ONE", "a change comes down");
	eq_str(file("b.md"), "absent", "so does a deletion");
	eq_str(file("deep/er/d.md"), "four", "and what is new");
	eq_str(file("c.md"), "THEIRS", "in a conflict the store wins");
	eq_str(remote("/c.md"), "THEIRS", "and keeps its own");
	/* Deleted there, edited here: it goes up again. */
	kept[0].there = false;
	put("a.md", "edited");
	sync_store(false);
	eq_str(remote("/a.md"), "edited", "an edit outlives a deletion");
	close_store();
}

static void
test_read_only(void)
{
	keep("/a.md", "one");
	keep("/b.md", "two");
	open_store(true);
	put("a.md", "edited");
	put("new.md", "new");
	unlinkat(folder_fd, "b.md", 0);
	sync_store(true);
	memory_stores_flush(&stores, clock_ms() + ENOUGH_MS);
	ok(strstr(fake_story(), "POST") == NULL, "nothing is sent");
	eq_str(remote("/a.md"), "one", "the store is as it was");
	eq_str(file("b.md"), "two", "what was deleted comes back");
	close_store();
}

static void
test_refusals(void)
{
	keep("/a.md", "one");
	open_store(false);
	put("a.md", "bad");
	fail_next = 400;
	sync_store(false);
	fake_story();
	sync_store(false);
	ok(strstr(fake_story(), "POST") == NULL,
	    "what was refused is not sent again");
	put("a.md", "better");
	sync_store(false);
	eq_str(remote("/a.md"), "better", "until it changes");
	put("a.md", "lost");
	fail_next = 503;
	fail_after = true;
	sync_store(false);
	fail_after = false;
	put("a.md", "next");
	sync_store(false);
	eq_str(remote("/a.md"), "next", "an upload whose answer was lost is "
	    "known as ours");
	/* The last attempt is refused, an earlier one had arrived. */
	put("a.md", "twice");
	fail_next = 403;
	fail_after = true;
	sync_store(false);
	fail_after = false;
	put("a.md", "once more");
	sync_store(false);
	eq_str(remote("/a.md"), "once more", "nor does a refusal hide that");
	put("a.md", "mine");
	str_format(kept[0].content, sizeof kept[0].content, "theirs");
	fake_story();
	memory_stores_flush(&stores, clock_ms() + ENOUGH_MS);
	eq_str(remote("/a.md"), "theirs", "a precondition that fails stops "
	    "an upload");
	sync_store(false);
	eq_str(file("a.md"), "theirs", "and the next sync brings theirs");
	put("a.md", "after");
	kept[0].there = false;
	memory_stores_flush(&stores, clock_ms() + ENOUGH_MS);
	eq_str(remote("/a.md"), "after", "an update of what is gone creates");
	close_store();
}

/* Answers to an upload that say little. */
static void
test_short_answers(void)
{
	keep("/a.md", "one");
	open_store(false);
	put("b.md", "new");
	raw = "{\"id\":\"mem_0\"}";
	memory_stores_flush(&stores, clock_ms() + ENOUGH_MS);
	put("b.md", "newer");
	fake_story();
	raw = "";
	memory_stores_flush(&stores, clock_ms() + ENOUGH_MS);
	ok(strstr(fake_story(), "POST " LIST "/mem_0 ") != NULL,
	    "an id is enough to go on with");
	memory_stores_flush(&stores, clock_ms() + ENOUGH_MS);
	eq_str(fake_story(), "", "and nothing at all is a success too");
	close_store();
}

/* Answers that are none. */
static void
test_bad_answers(void)
{
	static const char *const bad[] = {
		"", "[]", "null", "{\"data\":{}}", "{}", "{\"data\":[{}",
		"{\"data\":[{\"path\":\"/x\"}]}",
		"{\"data\":[{\"id\":5,\"path\":\"/x\"}]}",
		"{\"data\":[{\"id\":\"m\",\"path\":\"/x\"}]}",
		"{\"data\":[],\"next_page\":7}",
	};

	keep("/a.md", "one");
	open_store(false);
	put("a.md", "edited");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		raw = bad[i];
		sync_store(true);
		raw = NULL;
		ok(strstr(fake_story(), "POST") == NULL, "answer %zu stops a "
		    "sync", i);
		eq_str(file("a.md"), "edited", "and touches nothing");
	}
	close_store();
	for (size_t i = 0; i < sizeof bad / sizeof bad[0] - 2; i++) {
		raw = bad[i];
		ok(!open_store(false), "answer %zu is no store: %s", i,
		    why.text);
		raw = NULL;
		ok(faccessat(parent_fd, "0", F_OK, 0) != 0, "no folder stays");
	}
	raw = "{\"data\":[{\"type\":\"memory_prefix\",\"path\":\"/x/\"},"
	    "{\"id\":\"m\",\"path\":\"/x\",\"content\":\"\\ud800\","
	    "\"content_sha256\":\"whatever\"}]}";
	ok(open_store(false), "odd ones are: %s", why.text);
	eq_str(file("x"), "\xef\xbf\xbd", "half a surrogate is replaced");
	fake_story();
	memory_stores_flush(&stores, clock_ms() + ENOUGH_MS);
	eq_str(fake_story(), "", "and not sent back");
	close_store();
}

/* ---- what the sandbox may do to the folder ---- */

static void
test_hostile_folder(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	for (unsigned i = 0; i < 6; i++)
		keep((char[]){'/', (char)('a' + i), 0}, "x");
	open_store(false);
	for (unsigned i = 0; i < 6; i++)
		unlinkat(folder_fd, (char[]){(char)('a' + i), 0}, 0);
	ok(symlinkat("/etc/passwd", folder_fd, "a") == 0, "a link");
	mkfifoat(folder_fd, "b", 0600);
	mkdirat(folder_fd, "c", 0700);
	put("d", "\xff\xfe");
	str_format(address.sun_path, sizeof address.sun_path,
	    "%s/0/e", dir);
	ok(bind(s, (struct sockaddr *)&address, sizeof address) == 0, "bind");
	put("f", "x");
	ok(symlinkat("..", folder_fd, "up") == 0, "a link");
	ok(symlinkat("/", folder_fd, "root") == 0, "a link");
	put(".fs-1234.tmp", "temporary");
	sync_store(true);
	memory_stores_flush(&stores, clock_ms() + ENOUGH_MS);
	ok(strstr(fake_story(), "POST") == NULL, "nothing of it is uploaded");
	for (unsigned i = 0; i < 6; i++)
		eq_str(remote((char[]){'/', (char)('a' + i), 0}), "x",
		    "%c stays in the store", (int)('a' + i));
	for (unsigned i = 0; i < 6; i++)
		str_format(kept[i].content, sizeof kept[i].content, "y");
	sync_store(false);
	eq_str(file("a"), "y", "a change replaces a link");
	eq_str(file("b"), "y", "a FIFO");
	eq_str(file("e"), "y", "a socket");
	eq_str(file("d"), "y", "and what was no text");
	ok(faccessat(folder_fd, "c", F_OK, 0) == 0, "a directory stays");
	close(s);
	close_store();
}

/* A directory on the way that becomes a link to elsewhere. */
static void
test_swapped_directory(void)
{
	keep("/d/a.md", "one");
	keep("/keep", "k");
	mkdirat(parent_fd, "outside", 0700);
	open_store(false);
	unlinkat(folder_fd, "d/a.md", 0);
	unlinkat(folder_fd, "d", AT_REMOVEDIR);
	ok(symlinkat("../outside", folder_fd, "d") == 0, "a link");
	sync_store(true);
	eq_str(remote("/d/a.md"), "one", "what cannot be looked at is not "
	    "deleted");
	str_format(kept[0].content, sizeof kept[0].content, "two");
	sync_store(true);
	ok(faccessat(parent_fd, "outside/a.md", F_OK, 0) != 0,
	    "nothing is written through it");
	eq_str(remote("/d/a.md"), "two", "the store keeps its memory");
	unlinkat(folder_fd, "d", 0);
	sync_store(false);
	eq_str(file("d/a.md"), "two", "without it the memory comes");
	close_store();
	unlinkat(parent_fd, "outside", AT_REMOVEDIR);
}

static void
test_marker(void)
{
	for (unsigned i = 0; i < 3; i++)
		keep((char[]){'/', (char)('a' + i), 0}, "x");
	open_store(false);
	unlinkat(folder_fd, ".anthropic-memory-store", 0);
	unlinkat(folder_fd, "a", 0);
	put("b", "edited");
	sync_store(true);
	memory_stores_flush(&stores, clock_ms() + ENOUGH_MS);
	eq_str(fake_story(), "GET " LIST "?view=basic&limit=100; ",
	    "without its marker the folder is left alone");
	unlinkat(folder_fd, "b", 0);
	unlinkat(folder_fd, "c", 0);
	sync_store(true);
	eq_str(file("b"), "x", "an empty one is filled again");
	eq_str(file(".anthropic-memory-store"), "version 1\nmemstore_1",
	    "with its marker");
	for (unsigned i = 0; i < 3; i++)
		unlinkat(folder_fd, (char[]){(char)('a' + i), 0}, 0);
	sync_store(true);
	eq_str(file("c"), "x", "emptied at once: filled again");
	ok(strstr(fake_story(), "DELETE") == NULL, "and nothing deleted");
	put(".anthropic-memory-store", "version 1\nanother");
	unlinkat(folder_fd, "a", 0);
	sync_store(true);
	eq_str(remote("/a"), "x", "with another's marker it is left alone");
	close_store();
}

static void
test_sizes(void)
{
	static char big[MEMORY_CONTENT_MAX + 2];

	memset(big, 'a', sizeof big - 1);
	open_store(false);
	put("big", big);
	sync_store(false);
	ok(strstr(fake_story(), "POST") == NULL, "102401 bytes stay here");
	big[MEMORY_CONTENT_MAX] = '\0';
	put("big", big);
	sync_store(false);
	ok(strstr(fake_story(), "POST") != NULL, "102400 go up");
	close_store();
}

/* So deep and so many that a careless walk would end. */
static void
test_large_folder(void)
{
	char name[32];
	int fd, next;

	keep("/a", "x");
	open_store(false);
	unlinkat(folder_fd, "a", 0);
	put("b", "new");
	fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (unsigned i = 0; i < 3000; i++) {
		mkdirat(fd, "d", 0700);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		io_close(&fd);
		fd = next;
	}
	io_close(&fd);
	sync_store(true);
	eq_str(remote("/a"), "absent", "a deep folder can be looked at");
	for (unsigned i = 0; i < MEMORY_COUNT_MAX + 10; i++) {
		str_format(name, sizeof name, "f%u", i);
		put(name, "");
	}
	unlinkat(folder_fd, "b", 0);
	fail_next = 0;
	fake_story();
	{
		struct memory_sync s = {.now_ms = 1, .final = true};

		memory_files_scan(&store.files, &store.list, &s.cut);
		ok(s.cut, "a folder of too many is cut");
		memory_plan(&store.list, &s);
		eq_int(memory_find(&store.list, "/b")->action, MEMORY_FORGET,
		    "what is in neither is forgotten");
	}
	close_store();
	ok(faccessat(parent_fd, "0", F_OK, 0) != 0, "all of it is removed");
}

/* How many calls run at once, in passes that have each of their own. */
static void
test_at_once(void)
{
	char name[16], *story, *last_get, *first_post, *last_post, *deletion;

	for (unsigned i = 0; i < MANY; i++) {
		str_format(name, sizeof name, "/f%u", i);
		keep(name, "there");
	}
	open_store(false);
	fake_running_max = 0;
	for (unsigned i = 0; i < MANY; i++)
		str_format(kept[i].content, sizeof kept[i].content, "new");
	sync_store(false);
	eq_int(fake_running_max, MEMORY_PULLS_AT_ONCE, "pulls at once");
	eq_str(file("f149"), "new", "the last one came");
	for (unsigned i = 0; i < MANY; i++) {
		str_format(name, sizeof name, "g%u", i);
		put(name, "mine");
	}
	str_format(kept[7].content, sizeof kept[7].content, "newer");
	unlinkat(folder_fd, "f3", 0);
	fake_running_max = 0;
	sync_store(true);
	eq_int(fake_running_max, MEMORY_PUSHES_AT_ONCE, "pushes at once");
	eq_str(remote("/g149"), "mine", "the last one went");
	buf_add(&fake_log, bytes_of("", 1));
	story = (char *)fake_log.mem + fake_log.head;
	last_get = strstr(story, "/mem_7?view=full");
	first_post = strstr(story, "POST ");
	deletion = strstr(story, "DELETE ");
	ok(last_get != NULL && first_post != NULL && deletion != NULL,
	    "all kinds of calls");
	last_post = strstr(deletion, "POST ");
	ok(last_get < first_post && last_post == NULL,
	    "first what comes, then what goes, then deletions");
	close_store();
}

/* A memory that was refused for want of time is whole there or not at all,
 * and the others know nothing of it. */
static void
test_cut_off(void)
{
	keep("/a.md", "one");
	keep("/b.md", "two");
	open_store(false);
	put("a.md", "ONE");
	put("b.md", "TWO");
	never = "/mem_0";
	fake_story();
	memory_stores_flush(&stores, clock_ms() + SOON_MS);
	eq_str(remote("/b.md"), "TWO", "one that hangs holds up no other");
	never = NULL;
	/* It had arrived all the same. */
	str_format(kept[0].content, sizeof kept[0].content, "ONE");
	put("a.md", "next");
	sync_store(false);
	eq_str(remote("/a.md"), "next", "and is known as ours afterwards");
	close_store();
}

/* Each has its time: the calls of one do not wait for another's. */
static void
test_several_stores(void)
{
	static struct memory_store all[8];
	struct memory_stores s = {
		.at = all, .count = 8, .calls = stores.calls, .stop_fd = -1};

	memset(all, 0, sizeof all);
	for (int i = 0; i < 8; i++) {
		str_format(all[i].id, sizeof all[i].id, "memstore_%d", i);
		str_format(all[i].folder, sizeof all[i].folder, "%d", i);
	}
	keep("/a", "x");
	fake_running_max = 0;
	eq_int(memory_stores_open(&s, parent_fd, &why), 0, "all are opened");
	eq_int(fake_running_max, MEMORY_PAGES_AT_ONCE, "several at once");
	for (int i = 0; i < 8; i++)
		eq_int(all[i].list.count, 1, "store %d has its memory", i);
	fake_running_max = 0;
	fake_story();
	memory_stores_sync(&s, false, clock_ms() + ENOUGH_MS);
	eq_int(fake_running_max, 8, "and listed at once");
	fake_story();
	raw = "none";
	memory_stores_sync(&s, false, clock_ms() + ENOUGH_MS);
	ok(!all[0].active && all[7].active, "each is synced or not");
	memory_stores_close(&s);
	raw = "none";
	s.count = 8;
	eq_int(memory_stores_open(&s, parent_fd, &why), -1,
	    "one that fails fails all");
	ok(faccessat(parent_fd, "0", F_OK, 0) != 0 &&
	    faccessat(parent_fd, "7", F_OK, 0) != 0, "no folder stays");
	kept[0].there = false;
	kept_count = 0;
	fake_story();
}

static void
test_deadline(void)
{
	keep("/a", "x");
	open_store(false);
	put("a", "y");
	fake_story();
	memory_stores_sync(&stores, true, clock_ms() - 1);
	memory_stores_flush(&stores, clock_ms() - 1);
	eq_str(fake_story(), "", "without time nothing is called");
	close_store();
}

int
main(void)
{
	int fds;

	if (mkdtemp(dir) == NULL)
		return 1;
	umask(0);
	fake_serve = serve;
	buf_init(&body, 1 << 20);
	buf_init(&fake_log, FAKE_LOG_MAX);
	parent_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fds = test_open_fds();
	stores.calls = calls_new(NULL, &why);
	test_download();
	test_exists();
	test_uploads();
	test_pulls();
	test_read_only();
	test_refusals();
	test_short_answers();
	test_bad_answers();
	test_hostile_folder();
	test_swapped_directory();
	test_marker();
	test_sizes();
	test_large_folder();
	test_at_once();
	test_cut_off();
	test_several_stores();
	test_deadline();
	calls_free(stores.calls);
	eq_int(test_open_fds(), fds, "every descriptor is closed");
	eq_int(tree_remove(AT_FDCWD, dir, 10000), 0, "all is removed");
	buf_reset(&body);
	buf_reset(&fake_log);
	return test_done();
}
