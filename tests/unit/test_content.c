/* SPDX-License-Identifier: ISC */
/* The content process, for real: started, against a service on loopback,
 * watched from an event loop. */
#include "cmd/sandbox-worker/content.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cmd/sandbox-worker/tree.h"
#include "cmd/sandbox-worker/unpacker.h"
#include "common/clock.h"
#include "common/io.h"
#include "common/sock.h"
#include "common/str.h"
#include "tests/unit/files.h"

enum { DEADLINE_MS = 20000, REQUEST_MAX = 1 << 16 };

static char dir[] = "/tmp/adit-content.XXXXXX";
static char workdir[64], state[64], log_path[64], base[64];
static int dir_fd;
static struct ev_loop *loop;

/* ---- the service: one connection at a time ---- */

struct route {
	const char *start; /* of the request */
	const char *body;
	bool stall;        /* no answer ever comes */
};

#define MEMORY "{\"id\":\"mem_1\",\"type\":\"memory\",\"path\":\"/a.md\"," \
	"\"content\":\"one\",\"content_sha256\":" \
	"\"7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed\"}"

static const struct route routes[] = {
	{"GET /v1/skills/skill_1/versions/latest ",
	    "{\"id\":\"7\",\"name\":\"greeter\"}", false},
	{"GET /v1/memory_stores/slow/", "", true},
	{"GET /v1/memory_stores/", "{\"data\":[" MEMORY "],"
	    "\"next_page\":null}", false},
	{"POST /v1/memory_stores/", MEMORY, false},
	{"DELETE /v1/memory_stores/", "{}", false},
};

static void
answer(int fd, const char *status, struct bytes body)
{
	char head[200];

	snprintf(head, sizeof head, "HTTP/1.1 %s\r\ncontent-type: "
	    "application/json\r\ncontent-length: %zu\r\nconnection: close\r\n"
	    "\r\n", status, body.len);
	io_write_all(fd, bytes_cstr(head));
	io_write_all(fd, body);
}

static void
serve_request(int fd, const char *request)
{
	static uint8_t tar[FILES_TAR_LEN];
	const char *content = "GET /v1/skills/skill_1/versions/7/content ";

	if (strncmp(request, content, strlen(content)) == 0) {
		make_skill_tar(tar);
		answer(fd, "200 OK", bytes_of(tar, sizeof tar));
		return;
	}
	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
		if (strncmp(request, routes[i].start,
		    strlen(routes[i].start)) != 0)
			continue;
		while (routes[i].stall && recv(fd, tar, 1, 0) > 0)
			;
		answer(fd, "200 OK", bytes_cstr(routes[i].body));
		return;
	}
	answer(fd, "404 Not Found", bytes_cstr("{}"));
}

/* Whether a request is whole. */
static bool
is_whole(const char *in)
{
	const char *end = strstr(in, "\r\n\r\n");
	const char *length = strcasestr(in, "\r\ncontent-length:");
	long n = 0;

	if (end == NULL)
		return false;
	if (length != NULL && length < end)
		n = atol(length + strlen("\r\ncontent-length:"));
	return strlen(end + 4) >= (size_t)n;
}

static void
serve_connection(int fd, int log_fd)
{
	static char in[REQUEST_MAX];
	size_t len = 0;
	ssize_t n;

	in[0] = '\0';
	while (!is_whole(in) && (n = recv(fd, in + len, sizeof in - 1 - len,
	    0)) > 0) {
		len += (size_t)n;
		in[len] = '\0';
	}
	io_write_all(log_fd, bytes_of(in, len));
	io_write_all(log_fd, bytes_cstr("\n"));
	if (len != 0)
		serve_request(fd, in);
	close(fd);
}

static pid_t
start_service(void)
{
	struct error e;
	uint16_t port;
	int fd = sock_listen_tcp("127.0.0.1:0", &port, &e), log_fd;
	pid_t pid;

	io_set_nonblock(fd, false);
	str_format(base, sizeof base, "http://127.0.0.1:%u", port);
	log_fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
	    0600);
	pid = fork();
	if (pid == 0) {
		for (;;)
			serve_connection(accept4(fd, NULL, NULL, 0), log_fd);
	}
	close(fd);
	close(log_fd);
	return pid;
}

/* What was asked so far. */
static const char *
requests(void)
{
	static struct buf text;
	static const uint8_t nul;
	struct error e;

	buf_reset(&text);
	buf_init(&text, 1 << 20);
	io_read_file(log_path, &text, &e);
	buf_add(&text, bytes_of(&nul, 1));
	return (const char *)buf_bytes(&text).ptr;
}

/* ---- watching ---- */

static struct {
	int ready, finished;
	size_t mounts;
	struct content_mount at[CONTENT_MOUNTS_MAX];
	char error[ERROR_TEXT_MAX];
} seen;

static void
on_ready(void *user, const struct content_mount *mounts, size_t count,
    const struct error *e)
{
	(void)user;
	seen.ready++;
	seen.mounts = count;
	for (size_t i = 0; i < count; i++)
		seen.at[i] = mounts[i];
	str_format(seen.error, sizeof seen.error, "%s",
	    e == NULL ? "" : e->text);
	ev_break(loop, EVBREAK_ALL);
}

static void
on_finished(void *user)
{
	(void)user;
	seen.finished++;
	ev_break(loop, EVBREAK_ALL);
}

static void
on_tick(struct ev_loop *l, ev_timer *t, int events)
{
	(void)t;
	(void)events;
	ev_break(l, EVBREAK_ALL);
}

/* Runs the loop until *flag or a deadline. */
static bool
wait_for(const int *flag)
{
	int64_t deadline_ms = clock_ms() + DEADLINE_MS;
	ev_timer tick;

	ev_timer_init(&tick, on_tick, 0.05, 0.05);
	ev_timer_start(loop, &tick);
	while (*flag == 0 && clock_ms() < deadline_ms)
		ev_run(loop, 0);
	ev_timer_stop(loop, &tick);
	return *flag != 0;
}

static bool
wait_for_request(const char *text)
{
	int64_t deadline_ms = clock_ms() + DEADLINE_MS;
	ev_timer tick;
	bool found;

	ev_timer_init(&tick, on_tick, 0.05, 0.05);
	ev_timer_start(loop, &tick);
	while (!(found = strstr(requests(), text) != NULL) &&
	    clock_ms() < deadline_ms)
		ev_run(loop, 0);
	ev_timer_stop(loop, &tick);
	return found;
}

static struct content *
start(const char *session, const char *token, int64_t sync_ms)
{
	static const struct content_events events = {on_ready, on_finished};
	struct content_settings s = {
		.api = {.base = base, .token = token,
		    .environment_key = "key-secret"},
		.workdir = workdir, .inside = "/workspace",
		.state_dir = state, .sync_ms = sync_ms,
	};
	struct error e = {.text = ""};
	struct content *c;

	memset(&seen, 0, sizeof seen);
	c = content_start(loop, &s, bytes_cstr(session), &events, NULL, &e);
	ok(c != NULL, "it starts: %s", e.text);
	return c;
}

/* The process id of our one other child. */
static pid_t
find_process(pid_t service)
{
	char path[64], text[256] = "";
	FILE *f;
	long a = 0, b = 0;
	char *end;

	snprintf(path, sizeof path, "/proc/self/task/%d/children",
	    (int)getpid());
	f = fopen(path, "re");
	if (f == NULL || fgets(text, sizeof text, f) == NULL)
		text[0] = '\0';
	if (f != NULL)
		fclose(f);
	a = strtol(text, &end, 10);
	b = strtol(end, NULL, 10);
	return (pid_t)(a == service ? b : a);
}

static bool
file_holds(pid_t pid, const char *name, const char *text)
{
	static char in[1 << 16];
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, in, sizeof in);
	close(fd);
	return n > 0 && memmem(in, (size_t)n, text, strlen(text)) != NULL;
}

/* ---- the tests ---- */

#define SESSION "{\"agent\":{\"skills\":[{\"skill_id\":\"skill_1\"," \
	"\"version\":\"latest\"}]},\"resources\":[{\"type\":\"memory_store\"," \
	"\"memory_store_id\":\"memstore_1\",\"access\":\"read_write\"," \
	"\"mount_path\":\"/mnt/memory/adit-test\",\"name\":\"notes\"}," \
	"{\"type\":\"memory_store\",\"memory_store_id\":\"memstore_2\"," \
	"\"access\":\"read_only\",\"name\":\"facts\"}]}"

static void
test_whole(pid_t service)
{
	struct content *c = start(SESSION, "token-secret", 1);
	pid_t pid;

	ok(wait_for(&seen.ready), "it gets ready");
	eq_str(seen.error, "", "without an error");
	eq_int(seen.mounts, 2, "with two stores");
	eq_str(seen.at[0].inside, "/mnt/memory/adit-test", "where it says");
	eq_str(seen.at[1].inside, "/workspace/memory/facts",
	    "or below the working directory");
	ok(!seen.at[0].read_only && seen.at[1].read_only, "one is read-only");
	ok(str_starts(seen.at[0].host, state), "on the host apart");
	eq_str(get_file(dir_fd, "state/memory/0/a.md"), "one", "memories are there");
	eq_str(get_file(dir_fd, "work/skills/greeter/SKILL.md"), "skill", "a skill too");
	pid = find_process(service);
	ok(file_holds(pid, "cmdline", "content"), "it is the process");
	ok(!file_holds(pid, "cmdline", "secret"), "no secret in arguments");
	ok(!file_holds(pid, "environ", "secret"), "or the environment");
	ok(file_holds(pid, "status", "NoNewPrivs:\t1"), "no new privileges");
	ok(strcasestr(requests(), "\nauthorization: Bearer token-secret") !=
	    NULL, "the token was used");
	ok(strstr(requests(), "key-secret") == NULL, "and not the key");
	put_file(dir_fd, "state/memory/0/new.md", "new");
	/* A sync is due a millisecond after the one that made it ready. */
	for (int64_t from_ms = clock_ms(); clock_ms() - from_ms < 3;)
		;
	content_sync(c);
	ok(wait_for_request("{\"path\":\"/new.md\",\"content\":\"new\"}"),
	    "a sync sends what is new");
	put_file(dir_fd, "state/memory/0/last.md", "last");
	content_finish(c, false);
	ok(wait_for(&seen.finished), "it finishes");
	ok(strstr(requests(), "/last.md") != NULL, "what was new is sent");
	ok(strstr(requests(), "DELETE") == NULL, "nothing is deleted");
	eq_str(get_file(dir_fd, "state/memory/0/a.md"), "absent", "memories are gone");
	ok(faccessat(dir_fd, "work/skills", F_OK, 0) != 0, "skills are gone");
	ok(faccessat(dir_fd, "state/memory", F_OK, 0) != 0, "all is gone");
	content_free(c);
	eq_int(find_process(service), 0, "and so is the process");
}

static void
test_clean(void)
{
	struct content *c = start(SESSION, "t", 15000);

	wait_for(&seen.ready);
	unlinkat(dir_fd, "state/memory/0/a.md", 0);
	content_finish(c, true);
	ok(wait_for(&seen.finished), "it finishes");
	ok(strstr(requests(), "DELETE /v1/memory_stores/memstore_1/memories/"
	    "mem_1?expected_content_sha256=7692c3ad") != NULL,
	    "a clean end brings deletions");
	content_free(c);
}

static void
test_refused(void)
{
	static const struct { const char *session, *want; } cases[] = {
		{"[]", "session: no object"},
		{"{\"resources\":5}", "session: resources: not an array"},
		{"{\"resources\":null}", "session: resources: not an array"},
		{"{\"resources\":[{\"type\":\"memory_store\"}]}",
		    "memory store: no memory_store_id"},
		{"{\"resources\":[{\"type\":\"memory_store\","
		    "\"memory_store_id\":\"m\",\"mount_path\":\"/usr\"}]}",
		    "something already exists at the memory store's path: "
		    "/usr"},
		{"{\"resources\":[{\"type\":\"memory_store\","
		    "\"memory_store_id\":\"m\",\"mount_path\":\"/proc/x\"}]}",
		    "cannot create the memory store's folder: /proc/x"},
		{"{\"resources\":[{\"type\":\"memory_store\","
		    "\"memory_store_id\":\"m\",\"mount_path\":\"/x/../y\"}]}",
		    "memory store m: its path is not absolute and plain: "
		    "'/x/../y'"},
		{"{\"resources\":[{\"type\":\"memory_store\","
		    "\"memory_store_id\":\"m\",\"mount_path\":\"/x:/y\"}]}",
		    "memory store m: its path is not absolute and plain: "
		    "'/x:/y'"},
		{"{\"resources\":[{\"type\":\"memory_store\","
		    "\"memory_store_id\":\"m\",\"mount_path\":\"/workspace\"}"
		    "]}", "something already exists at the memory store's "
		    "path: /workspace"},
		{"{\"resources\":[{\"type\":\"memory_store\","
		    "\"memory_store_id\":\"m\",\"mount_path\":\"/adit/m\"},"
		    "{\"type\":\"memory_store\",\"memory_store_id\":\"n\","
		    "\"mount_path\":\"/adit/m/n\"}]}", "something already "
		    "exists at the memory store's path: /adit/m/n"},
	};
	struct content *c;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		c = start(cases[i].session, "t", 15000);
		ok(wait_for(&seen.ready), "session %zu is judged", i);
		eq_str(seen.error, cases[i].want, "session %zu", i);
		content_free(c);
	}
	c = start(SESSION, NULL, 15000);
	wait_for(&seen.ready);
	eq_str(seen.error, "memory stores: the work item carried no sessions "
	    "token", "without a token there are no stores");
	ok(faccessat(dir_fd, "work/skills", F_OK, 0) != 0,
	    "what came before is gone again");
	content_finish(c, true);
	ok(wait_for(&seen.finished), "finishing what is over is answered");
	content_free(c);
	c = start(SESSION, NULL, 0);
	wait_for(&seen.ready);
	eq_str(seen.error, "", "but without sync none are needed");
	eq_int(seen.mounts, 0, "and none come");
	content_free(c);
	ok(tree_remove(dir_fd, "work/skills", 1000) == 0, "cleaned");
	c = start("{}", "t", 15000);
	wait_for(&seen.ready);
	eq_str(seen.error, "", "a session may have nothing");
	content_free(c);
}

#define SLOW "{\"resources\":[{\"type\":\"memory_store\"," \
	"\"memory_store_id\":\"slow\",\"name\":\"slow\"}]}"

static void
test_ends(pid_t service)
{
	struct content *c = start(SESSION, "t", 15000);
	pid_t pid;

	content_finish(c, true);
	ok(wait_for(&seen.finished), "told to finish at once");
	eq_int(seen.ready, 0, "it does not get ready");
	ok(faccessat(dir_fd, "state/memory", F_OK, 0) != 0, "all is gone");
	content_free(c);

	c = start(SLOW, "t", 15000);
	ok(wait_for_request("GET /v1/memory_stores/slow/"), "it waits");
	pid = find_process(service);
	kill(pid, SIGTERM);
	ok(kill(pid, 0) == 0, "SIGTERM does not end it");
	kill(pid, SIGKILL);
	ok(wait_for(&seen.ready), "a death is noticed");
	eq_str(seen.error, "skills and memory: its process has ended",
	    "and told");
	content_free(c);
	ok(faccessat(dir_fd, "state/memory/0", F_OK, 0) == 0,
	    "what it had begun stays");
	c = start(SESSION, "t", 15000);
	ok(wait_for(&seen.ready) && seen.error[0] == '\0',
	    "the next one clears it: %s", seen.error);
	eq_str(get_file(dir_fd, "state/memory/0/a.md"), "one", "and begins anew");
	kill(find_process(service), SIGKILL);
	content_finish(c, true);
	ok(wait_for(&seen.finished), "a death does not stop a finish");
	content_free(c);
	c = start(SLOW, "t", 15000);
	content_free(c);
	eq_int(find_process(service), 0, "freed at any time, it is gone");
}

int
main(int argc, char **argv)
{
	pid_t service;
	int fds;

	if (argc == 2 && strcmp(argv[1], "content") == 0)
		return content_main();
	if (argc == 2 && strcmp(argv[1], "unpack") == 0)
		return unpacker_main();
	if (mkdtemp(dir) == NULL)
		return 1;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	str_format(workdir, sizeof workdir, "%s/work", dir);
	str_format(state, sizeof state, "%s/state", dir);
	str_format(log_path, sizeof log_path, "%s/log", dir);
	mkdir(workdir, 0700);
	mkdir(state, 0700);
	loop = ev_loop_new(0);
	service = start_service();
	fds = test_open_fds();
	test_whole(service);
	test_clean();
	test_refused();
	test_ends(service);
	eq_int(test_open_fds(), fds, "every descriptor is closed");
	kill(service, SIGKILL);
	waitpid(service, NULL, 0);
	ev_loop_destroy(loop);
	tree_remove(AT_FDCWD, dir, 10000);
	return test_done();
}
