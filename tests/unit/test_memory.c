/* SPDX-License-Identifier: ISC */
/* The decision between a folder and a memory store: every case of the table,
 * and what must hold whatever the case. */
#include "cmd/sandbox-worker/memory.h"

#include "common/str.h"
#include "tests/unit/test.h"

static struct memory_list list;

static const char *const names[] = {
	"nothing", "adopt", "forget", "keep", "pull", "create", "update",
	"delete-local", "delete-remote", "wait", "report",
};

static void
set(char *hash, char c)
{
	str_format(hash, MEMORY_HASH_CAP, "%s",
	    c == '-' ? "" : (char[]){c, 0});
}

/* base, local and remote as one letter each; '-' absent; a local '!' is
 * something that cannot be a memory. */
static struct memory *
put(const char *path, const char *state)
{
	struct memory *m = memory_add(&list, path);

	set(m->base_local, state[0]);
	set(m->base_remote, state[0]);
	m->blocked = state[1] == '!';
	set(m->local, m->blocked ? '-' : state[1]);
	set(m->remote, state[2]);
	return m;
}

static void
begin(void)
{
	memory_list_done(&list);
}

static const char *
plan_alone(const char *state, struct memory_sync s)
{
	static char text[40];
	struct memory *m;

	begin();
	m = put("/a", state);
	put("/other", "xxx"); /* so that the folder is not empty */
	if (s.now_ms == 0)
		s.now_ms = 1000;
	memory_plan(&list, &s);
	str_format(text, sizeof text, "%s%s", names[m->action],
	    m->conflict ? " conflict" : "");
	return text;
}

struct row {
	const char *state, *write, *read; /* read-write store, read-only one */
};

/* base, local, remote. */
static const struct row rows[] = {
	{"---", "forget", "forget"},
	{"a--", "forget", "forget"},
	{"-a-", "create", "keep"},
	{"--a", "pull", "pull"},
	{"-aa", "adopt", "adopt"},
	{"-ab", "pull conflict", "pull conflict"},
	{"aaa", "adopt", "adopt"},
	{"aab", "pull", "pull"},
	{"aa-", "delete-local", "delete-local"},
	{"aba", "update", "keep"},
	{"abb", "adopt", "adopt"},
	{"abc", "pull conflict", "pull conflict"},
	{"ab-", "create", "keep"},
	{"a-a", "wait", "pull"},
	{"a-b", "pull", "pull"},
	{"-!-", "keep", "keep"},
	{"a!a", "keep", "keep"},
	{"a!b", "pull conflict", "pull conflict"},
	{"a!-", "keep", "keep"},
	{"-!a", "pull conflict", "pull conflict"},
};

static void
test_table(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		eq_str(plan_alone(rows[i].state, (struct memory_sync){0}),
		    rows[i].write, "%s", rows[i].state);
		eq_str(plan_alone(rows[i].state,
		    (struct memory_sync){.read_only = true}), rows[i].read,
		    "%s, read-only", rows[i].state);
		eq_str(plan_alone(rows[i].state, (struct memory_sync){
		    .folder = MEMORY_FOLDER_FOREIGN}), "nothing",
		    "%s in a foreign folder", rows[i].state);
	}
}

static void
test_upload_only(void)
{
	static const struct { const char *state, *want; } cases[] = {
		{"-a-", "create"}, {"aa-", "adopt"}, {"ab-", "update"},
		{"a--", "nothing"}, {"a!-", "keep"}, {"---", "forget"},
		{"-!-", "keep"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		eq_str(plan_alone(cases[i].state, (struct memory_sync){
		    .upload_only = true}), cases[i].want,
		    "%s when nothing was listed", cases[i].state);
}

static void
test_deletes(void)
{
	struct memory_sync s = {.now_ms = 1000};
	struct memory *m;

	eq_str(plan_alone("a-a", (struct memory_sync){.final = true}),
	    "delete-remote", "the last sync does not wait");
	eq_str(plan_alone("a-a", (struct memory_sync){.final = true,
	    .deletes = MEMORY_DELETES_LOG_ONLY}), "report", "only said");
	eq_str(plan_alone("a-a", (struct memory_sync){.final = true,
	    .deletes = MEMORY_DELETES_DISABLED}), "nothing", "disabled");
	eq_str(plan_alone("a-a", (struct memory_sync){.final = true,
	    .cut = true}), "nothing", "what was not looked at is not deleted");
	begin();
	m = put("/a", "a-a");
	put("/b", "bbb");
	memory_plan(&list, &s);
	eq_int(m->action, MEMORY_WAIT, "a deletion waits");
	s.now_ms += MEMORY_ABSENT_MS - 1;
	memory_plan(&list, &s);
	eq_int(m->action, MEMORY_WAIT, "29.999 s are too short");
	s.now_ms++;
	memory_plan(&list, &s);
	eq_int(m->action, MEMORY_DELETE_REMOTE, "30 s are enough");
	set(m->local, 'a');
	memory_plan(&list, &s);
	set(m->local, '-');
	memory_plan(&list, &s);
	eq_int(m->action, MEMORY_WAIT, "a file that came back starts anew");
}

static size_t
count_deletes(unsigned gone, unsigned kept)
{
	struct memory_sync s = {.now_ms = 1, .final = true};
	size_t n = 0;

	begin();
	for (unsigned i = 0; i < gone + kept; i++) {
		char path[16];

		str_format(path, sizeof path, "/%u", i);
		put(path, i < gone ? "a-a" : "aaa");
	}
	memory_plan(&list, &s);
	for (size_t i = 0; i < list.count; i++)
		n += list.at[i]->action == MEMORY_DELETE_REMOTE;
	return n;
}

static void
test_caps(void)
{
	eq_int(count_deletes(8, 1), 8, "8 in one sync");
	eq_int(count_deletes(9, 1), 8, "9 are too many");
	eq_int(count_deletes(20, 20), 10, "a quarter of 40");
	eq_int(count_deletes(300, 100), 50, "at most 50");
	eq_int(count_deletes(1, 0), 1, "the only file may be deleted");
	eq_int(count_deletes(2, 0), 0, "two at once and nothing left is no "
	    "deletion");
	eq_int(list.at[0]->action, MEMORY_PULL, "but downloaded again");
	begin();
	put("/a", "a-a");
	memory_plan(&list, &(struct memory_sync){.now_ms = 1, .final = true,
	    .folder = MEMORY_FOLDER_LOST});
	eq_int(list.at[0]->action, MEMORY_PULL, "a lost folder too");
}

static void
test_sent(void)
{
	struct memory_sync s = {.now_ms = 1};
	struct memory *m;

	begin();
	m = put("/a", "abc");
	set(m->sent, 'c');
	memory_plan(&list, &s);
	eq_int(m->action, MEMORY_UPDATE, "what we sent is ours: the edit "
	    "since then goes up");
	ok(!m->conflict, "and is no conflict");
	begin();
	m = put("/a", "abc");
	set(m->sent, 'b');
	memory_plan(&list, &s);
	ok(m->action == MEMORY_PULL && m->conflict,
	    "what somebody else wrote wins");
	eq_str(m->sent, "", "and the doubt is over");
	begin();
	m = put("/a", "-bb");
	set(m->sent, 'b');
	memory_plan(&list, &s);
	eq_int(m->action, MEMORY_ADOPT, "a lost answer to a create");
	begin();
	m = put("/a", "ab-");
	set(m->sent, 'b');
	s.upload_only = true;
	memory_plan(&list, &s);
	eq_str(m->sent, "b", "without a listing the doubt stays");
}

static void
test_refused(void)
{
	struct memory_sync s = {.now_ms = 1};
	struct memory *m;

	begin();
	m = put("/a", "aba");
	set(m->refused, 'b');
	memory_plan(&list, &s);
	eq_int(m->action, MEMORY_KEEP, "what was refused is not sent again");
	set(m->local, 'c');
	memory_plan(&list, &s);
	eq_int(m->action, MEMORY_UPDATE, "until it changes");
}

/* The store's hash need not be ours. */
static void
test_opaque(void)
{
	struct memory_sync s = {.now_ms = 1};
	struct memory *m;

	begin();
	m = put("/a", "---");
	memory_agree(m, "l", "r");
	set(m->local, 'l');
	set(m->remote, 'r');
	memory_plan(&list, &s);
	eq_int(m->action, MEMORY_NOTHING, "neither changed");
	set(m->local, 'k');
	memory_plan(&list, &s);
	eq_int(m->action, MEMORY_UPDATE, "ours changed");
	set(m->local, 'l');
	set(m->remote, 'q');
	memory_plan(&list, &s);
	ok(m->action == MEMORY_PULL && !m->conflict, "theirs changed");
}

/* ---- properties ---- */

/* Does what was planned for m, as a folder and a store would. */
static void
act(struct memory *m, unsigned *writes)
{
	switch (m->action) {
	case MEMORY_PULL:
		str_format(m->local, sizeof m->local, "%s", m->remote);
		m->blocked = false;
		memory_agree(m, m->local, m->remote);
		break;
	case MEMORY_CREATE:
	case MEMORY_UPDATE:
		str_format(m->remote, sizeof m->remote, "%s", m->local);
		memory_agree(m, m->local, m->remote);
		++*writes;
		break;
	case MEMORY_DELETE_LOCAL:
		m->local[0] = '\0';
		memory_agree(m, "", "");
		break;
	case MEMORY_DELETE_REMOTE:
		m->remote[0] = '\0';
		memory_agree(m, "", "");
		++*writes;
		break;
	case MEMORY_ADOPT:
		memory_agree(m, m->local, m->remote);
		break;
	case MEMORY_FORGET:
		memory_agree(m, "", "");
		break;
	case MEMORY_NOTHING:
	case MEMORY_KEEP:
	case MEMORY_WAIT:
	case MEMORY_REPORT:
		break;
	}
}

static char
any(const char *of)
{
	return of[test_below(strlen(of))];
}

static void
test_properties(void)
{
	unsigned lost = 0, unsettled = 0, wrote = 0, overwrote = 0;

	for (unsigned round = 0; round < 20000; round++) {
		struct memory_sync s = {.now_ms = 1 + round,
		    .read_only = test_below(4) == 0,
		    .final = test_below(2) == 0};
		struct memory *m;
		char state[4] = {any("-ab"), any("-abc!"), any("-abcd"), 0};
		unsigned writes = 0;

		begin();
		put("/keep", "xxx");
		m = put("/a", state);
		memory_plan(&list, &s);
		/* An edit is overwritten only by the store's own change. */
		if (m->action == MEMORY_DELETE_LOCAL && state[1] != state[0])
			lost++;
		if (m->action == MEMORY_PULL && state[1] != '-' &&
		    state[1] != state[0] && state[2] == state[0])
			lost++;
		/* What the store changed is never overwritten. */
		if ((m->action == MEMORY_UPDATE ||
		    m->action == MEMORY_DELETE_REMOTE) && state[2] != state[0])
			overwrote++;
		act(m, &writes);
		if (s.read_only && writes != 0)
			wrote++;
		/* What was done needs not be done again. */
		memory_plan(&list, &s);
		if (m->action != MEMORY_ADOPT && m->action != MEMORY_FORGET &&
		    m->action != MEMORY_KEEP && m->action != MEMORY_WAIT &&
		    m->action != MEMORY_NOTHING)
			unsettled++;
	}
	eq_int(lost, 0, "no local edit is lost but to a change of the store");
	eq_int(overwrote, 0, "no change of the store is overwritten");
	eq_int(wrote, 0, "nothing is written to a read-only store");
	eq_int(unsettled, 0, "one round settles everything");
}

/* ---- the list and paths ---- */

static void
test_list(void)
{
	bool sorted = true;

	begin();
	for (unsigned i = 0; i < 500; i++) {
		char path[16];

		str_format(path, sizeof path, "/%u", test_random() % 1000);
		memory_add(&list, path);
	}
	for (size_t i = 1; i < list.count; i++)
		sorted = sorted && strcmp(list.at[i - 1]->path,
		    list.at[i]->path) < 0;
	ok(sorted, "the list is sorted, no path twice");
	ok(memory_find(&list, list.at[7]->path) == list.at[7], "found");
	ok(memory_find(&list, "/none") == NULL, "not found");
	put("/z", "-a-");
	memory_list_compact(&list);
	eq_int(list.count, 1, "what nobody knows is dropped");
	begin();
	for (unsigned i = 0; i < MEMORY_COUNT_MAX; i++) {
		char path[16];

		str_format(path, sizeof path, "/%u", i);
		if (memory_add(&list, path) == NULL)
			break;
	}
	eq_int(list.count, MEMORY_COUNT_MAX, "up to the limit");
	errno = 0;
	ok(memory_add(&list, "/more") == NULL && errno == ENOBUFS, "no more");
}

static void
test_paths(void)
{
	static const char *const good[] = {
		"/a", "/a/b.md", "/.hidden", "/a b", "/caf\xc3\xa9",
		"/x/.anthropic-memory-store", "/.fs-.tmp", "/...",
		"/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20",
	};
	static const char *const bad[] = {
		"", "/", "a", "//a", "/a/", "/a//b", "/.", "/..", "/a/../b",
		"/a/./b", "/\xff", "/.anthropic-memory-store",
		"/.fs-0011.tmp", "/a/.fs-0011.tmp",
		"/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21",
	};
	char path[MEMORY_PATH_MAX + 2];

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		ok(memory_path_is_good(good[i]), "%s is good", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ok(!memory_path_is_good(bad[i]), "'%s' is not", bad[i]);
	for (size_t i = 0; i < sizeof path; i++)
		path[i] = i % 100 == 0 ? '/' : 'a';
	path[MEMORY_PATH_MAX + 1] = '\0';
	ok(!memory_path_is_good(path), "1025 bytes are not");
	path[MEMORY_PATH_MAX] = '\0';
	ok(memory_path_is_good(path), "1024 bytes are");
	memset(path, 'a', sizeof path);
	path[0] = '/';
	path[257] = '\0';
	ok(!memory_path_is_good(path), "a segment of 256 is not");
	path[256] = '\0';
	ok(memory_path_is_good(path), "one of 255 is");
}

int
main(void)
{
	test_table();
	test_upload_only();
	test_deletes();
	test_caps();
	test_sent();
	test_refused();
	test_opaque();
	test_properties();
	test_list();
	test_paths();
	memory_list_done(&list);
	return test_done();
}
