/* SPDX-License-Identifier: ISC */
/* What a service says of a session's memory stores: where they go, and a
 * listing that is written to a folder. */
#include <assert.h>
#include <fcntl.h>

#include "cmd/sandbox-worker/memory_mount.h"
#include "cmd/sandbox-worker/tree.h"
#include "common/clock.h"
#include "common/diag.h"
#include "tests/unit/fake_api.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len);

static struct bytes listing;

/* One page, then empty ones. */
static struct fake_answer
serve(const struct api_request *r)
{
	static const char empty[] = "{\"data\":[]}";
	bool first = str_eq(r->method, "GET") &&
	    strstr(r->path, "page=") == NULL;

	return (struct fake_answer){.status = 200,
	    .body = first ? listing : bytes_cstr(empty)};
}

static void
check_mounts(struct bytes in)
{
	struct memory_mount mounts[MEMORY_STORES_MAX];
	struct jsonr v;
	struct error e;
	int n;

	if (jsonr_parse(in, &v, &e) != 0)
		return;
	n = memory_mounts_parse(v, "/workspace", mounts, &e);
	for (int i = 0; i < n; i++) {
		assert(mounts[i].inside[0] == '/' && mounts[i].id[0] != '\0');
		assert(strstr(mounts[i].inside, "/..") == NULL ||
		    strstr(mounts[i].inside, "/../") == NULL);
		assert(!str_eq(mounts[i].inside, "/workspace"));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	char dir[] = "/tmp/adit-fuzz.XXXXXX";
	struct memory_store store = {.id = "m", .name = "n", .folder = "0"};
	struct memory_stores s = {.at = &store, .count = 1, .stop_fd = -1};
	struct error e;
	int fd;

	diag_set_level(DIAG_ERROR);
	check_mounts(bytes_of(in, len));
	fake_serve = serve;
	listing = bytes_of(in, len);
	assert(mkdtemp(dir) != NULL);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s.calls = calls_new(NULL, &e);
	assert(s.calls != NULL);
	if (memory_stores_open(&s, fd, &e) == 0) {
		memory_stores_sync(&s, true, clock_ms() + 10000);
		memory_stores_flush(&s, clock_ms() + 10000);
		assert(tree_check_plain(fd, &e) == 0);
		memory_stores_close(&s);
	}
	calls_free(s.calls);
	close(fd);
	/* Nothing but the folder was there. */
	assert(rmdir(dir) == 0);
	buf_clear(&fake_log);
	return 0;
}
