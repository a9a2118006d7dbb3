/* SPDX-License-Identifier: ISC */
/* The content process: blocking, straight-line work for one session, with
 * the item's credentials.  It may write below the workspace and the session's
 * own directory, and nowhere else; the FINISH order, or the end of the
 * process that started it, ends it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/sandbox-worker/content.h"
#include "cmd/sandbox-worker/content_wire.h"
#include "cmd/sandbox-worker/leftover.h"
#include "cmd/sandbox-worker/log.h"
#include "cmd/sandbox-worker/memory_mount.h"
#include "cmd/sandbox-worker/skill.h"
#include "cmd/sandbox-worker/tree.h"
#include "common/clock.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/jsonw.h"
#include "common/landlock.h"
#include "common/proc.h"
#include "common/str.h"

enum {
	ORDERS_FD = STDIN_FILENO,
	PATH_CAP = 4096,
	ID_CAP = 512,
	READ_LEN = 64 * 1024,
	IN_MAX = CONTENT_PAYLOAD_MAX + 2 * CONTENT_HEADER_LEN + READ_LEN,
	ANSWER_MAX = 256 * 1024,
	SYNC_LIMIT_MS = 30000,  /* of each: a sync, the last sync, the flush */
	SYNC_MAX_MS = 86400000,
};

struct process {
	struct buf in;
	size_t taken;              /* of in, by the message that is looked at */
	struct api *api;
	char environment_id[ID_CAP], work_id[ID_CAP], session_id[ID_CAP];
	char workdir[PATH_CAP], inside[PATH_CAP], state_dir[PATH_CAP];
	int64_t sync_ms;
	enum memory_deletes deletes;
	int workdir_fd, state_fd, memory_fd;
	struct skills skills;
	struct calls *calls;
	struct memory_stores stores; /* open ones, in store */
	struct memory_store store[MEMORY_STORES_MAX];
	struct memory_mount mounts[MEMORY_STORES_MAX];
	int64_t synced_ms;
};

/* ---- messages ---- */

/* Waits for the next message; the payload is valid until the next call.
 * Returns 1, 0 at the end, or -1 with errno. */
static int
read_message(struct process *p, enum content_kind *ret_kind,
    struct bytes *ret_payload)
{
	buf_drop(&p->in, p->taken);
	p->taken = 0;
	for (;;) {
		ssize_t n = content_take(buf_bytes(&p->in), ret_kind,
		    ret_payload);
		uint8_t *room;

		if (n < 0) {
			errno = EMSGSIZE;
			return -1;
		}
		if (n > 0) {
			p->taken = (size_t)n;
			return 1;
		}
		room = buf_reserve(&p->in, READ_LEN);
		n = room == NULL ? -1 : read(ORDERS_FD, room, READ_LEN);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return (int)n;
		buf_commit(&p->in, (size_t)n);
	}
}

static int
write_message(enum content_kind kind, struct bytes payload)
{
	struct buf out;
	int r;

	buf_init(&out, ANSWER_MAX);
	r = content_put(&out, kind, payload);
	if (r == 0)
		r = io_write_all(ORDERS_FD, buf_bytes(&out));
	buf_reset(&out);
	return r;
}

/* ---- settings ---- */

struct secrets {
	char base[PATH_CAP], ca[PATH_CAP], headers[64 * 1024];
	char key[API_SECRET_MAX], token[API_SECRET_MAX];
};

static const char *
or_null(const char *s)
{
	return s[0] == '\0' ? NULL : s;
}

static int
read_api(struct process *p, struct jsonr v, struct secrets *s,
    struct error *e)
{
	struct api_settings settings = {.allow_http = false};

	if (jsonr_get_str(v, "base", s->base, sizeof s->base, e) < 0 ||
	    jsonr_get_str(v, "ca", s->ca, sizeof s->ca, e) < 0 ||
	    jsonr_get_str(v, "headers", s->headers, sizeof s->headers, e) <
	    0 || jsonr_get_str(v, "environment_key", s->key, sizeof s->key,
	    e) < 0 || jsonr_get_str(v, "token", s->token, sizeof s->token,
	    e) < 0 || jsonr_get_bool(v, "allow_http", &settings.allow_http,
	    e) < 0)
		return -1;
	settings.base = or_null(s->base);
	settings.ca = or_null(s->ca);
	settings.headers = or_null(s->headers);
	settings.environment_key = or_null(s->key);
	settings.token = or_null(s->token);
	p->api = api_new(&settings, e);
	return p->api == NULL ? -1 : 0;
}

static int
read_places(struct process *p, struct jsonr v, struct error *e)
{
	int64_t deletes = 0;

	if (jsonr_get_str(v, "workdir", p->workdir, PATH_CAP, e) != 1 ||
	    jsonr_get_str(v, "inside", p->inside, PATH_CAP, e) != 1 ||
	    jsonr_get_str(v, "state_dir", p->state_dir, PATH_CAP, e) != 1 ||
	    jsonr_get_int(v, "sync_ms", 0, SYNC_MAX_MS, &p->sync_ms, e) < 0 ||
	    jsonr_get_int(v, "deletes", 0, MEMORY_DELETES_DISABLED, &deletes,
	    e) < 0)
		return -1;
	p->deletes = (enum memory_deletes)deletes;
	return 0;
}

/* Whose lines they are, and how they look. */
static int
read_log(struct process *p, struct jsonr v, struct error *e)
{
	bool info = false, json = false;

	if (jsonr_get_bool(v, "info", &info, e) < 0 ||
	    jsonr_get_bool(v, "log_json", &json, e) < 0 ||
	    jsonr_get_str(v, "environment_id", p->environment_id, ID_CAP, e) <
	    0 || jsonr_get_str(v, "work_id", p->work_id, ID_CAP, e) < 0 ||
	    jsonr_get_str(v, "session_id", p->session_id, ID_CAP, e) < 0)
		return -1;
	diag_set_level(info ? DIAG_INFO : DIAG_NOTICE);
	log_init(json);
	log_set_item(or_null(p->environment_id), or_null(p->work_id),
	    or_null(p->session_id));
	return 0;
}

/* Reads the first message, and wipes what it held. */
static int
read_settings(struct process *p, struct error *e)
{
	struct secrets *secrets = calloc(1, sizeof *secrets);
	enum content_kind kind;
	struct bytes payload;
	struct jsonr v;
	int r = -1;

	if (secrets == NULL)
		return error_errno(e, "settings");
	if (read_message(p, &kind, &payload) != 1 || kind != CONTENT_SETTINGS)
		error_set(e, "no settings came");
	else if (jsonr_parse_object(payload, &v, e) == 0 &&
	    read_places(p, v, e) == 0 && read_log(p, v, e) == 0)
		r = read_api(p, v, secrets, e);
	explicit_bzero(secrets, sizeof *secrets);
	free(secrets);
	explicit_bzero(p->in.mem + p->in.head, p->taken);
	return r;
}

/* ---- confinement ---- */

static int
open_directory(const char *path, struct error *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		error_errno(e, "%s", path);
	return fd;
}

static int
open_places(struct process *p, struct error *e)
{
	p->workdir_fd = open_directory(p->workdir, e);
	if (p->workdir_fd == -1)
		return -1;
	p->state_fd = leftover_hold(p->state_dir);
	if (p->state_fd == -1)
		error_errno(e, "%s", p->state_dir);
	return p->state_fd == -1 ? -1 : 0;
}

/* The certificates and the name service are read; nothing else is written.
 * Without Landlock this is a process like others. */
static int
confine(const struct process *p, struct error *e)
{
	int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), r = -1;
	struct landlock l = {.fd = -1};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && root_fd != -1 &&
	    landlock_open(&l, false) == 0 &&
	    landlock_allow_read(&l, root_fd) == 0 &&
	    landlock_allow_write(&l, p->workdir_fd) == 0 &&
	    landlock_allow_write(&l, p->state_fd) == 0 &&
	    landlock_restrict(&l) == 0)
		r = 0;
	if (r != 0)
		error_errno(e, "confine");
	landlock_close(&l);
	io_close(&root_fd);
	return r;
}

/* ---- bringing ---- */

static void
set_store(struct process *p, int n)
{
	const struct memory_mount *m = &p->mounts[n];
	struct memory_store *s = &p->store[n];

	*s = (struct memory_store){
		.read_only = m->read_only, .deletes = p->deletes,
	};
	str_format(s->id, sizeof s->id, "%s", m->id);
	str_format(s->name, sizeof s->name, "%s", m->name);
	str_format(s->folder, sizeof s->folder, "%d", n);
}

static int
open_stores(struct process *p, int n, struct error *e)
{
	p->calls = calls_new(p->api, e);
	if (p->calls == NULL)
		return -1;
	p->stores = (struct memory_stores){
		.at = p->store, .count = (size_t)n, .calls = p->calls,
		.stop_fd = ORDERS_FD,
	};
	for (int i = 0; i < n; i++)
		set_store(p, i);
	return memory_stores_open(&p->stores, p->memory_fd, e);
}

/* What a process that was killed has left in the session's own directory
 * goes first. */
static int
make_memory_dir(struct process *p, struct error *e)
{
	if (tree_remove(p->state_fd, "memory", MEMORY_REMOVE_MS) != 0 ||
	    mkdirat(p->state_fd, "memory", 0700) != 0)
		return error_errno(e, "cannot create the memory store's "
		    "folder: %s/memory", p->state_dir);
	p->memory_fd = tree_open(p->state_fd, "memory",
	    O_RDONLY | O_DIRECTORY, 0);
	return p->memory_fd == -1 ? error_errno(e, "%s/memory",
	    p->state_dir) : 0;
}

static int
bring_stores(struct process *p, struct jsonr session, struct error *e)
{
	struct jsonr resources;
	int n;

	if (p->sync_ms == 0)
		return 0;
	if (jsonr_get(session, "resources", &resources, e) < 0)
		return -1;
	n = memory_mounts_parse(resources, p->inside, p->mounts, e);
	if (n <= 0)
		return n;
	if (!api_has_token(p->api))
		return error_set(e, "memory stores: the work item carried no "
		    "sessions token");
	if (make_memory_dir(p, e) != 0 || open_stores(p, n, e) != 0)
		return -1;
	p->synced_ms = clock_ms();
	return 0;
}

static void
bring_skills(struct process *p, struct jsonr session)
{
	struct jsonr agent, skills;
	struct error e;

	if (jsonr_get(session, "agent", &agent, &e) < 0 ||
	    jsonr_get(agent, "skills", &skills, &e) < 0) {
		log_line(DIAG_WARNING, "session: skills: %s", e.text);
		return;
	}
	if (skills.kind == JSONR_ARRAY)
		skills_install(&p->skills, skills);
}

static int
bring(struct process *p, struct error *e)
{
	enum content_kind kind;
	struct bytes payload;
	struct jsonr session;

	if (read_message(p, &kind, &payload) != 1 || kind != CONTENT_SESSION)
		return error_set(e, "no session came");
	if (jsonr_parse_object(payload, &session, e) != 0)
		return error_prefix(e, "session");
	bring_skills(p, session);
	return bring_stores(p, session, e);
}

/* ---- taking away ---- */

static void
remove_stores(struct process *p)
{
	memory_stores_close(&p->stores);
	if (p->memory_fd != -1)
		unlinkat(p->state_fd, "memory", AT_REMOVEDIR);
	io_close(&p->memory_fd);
}

static void
sync_stores(struct process *p, bool final)
{
	memory_stores_sync(&p->stores, final, clock_ms() + SYNC_LIMIT_MS);
	p->synced_ms = clock_ms();
}

static void
finish(struct process *p, bool clean)
{
	skills_remove(&p->skills);
	if (clean)
		sync_stores(p, true);
	memory_stores_flush(&p->stores, clock_ms() + SYNC_LIMIT_MS);
	remove_stores(p);
}

/* ---- the process ---- */

static int
write_ready(const struct process *p, const struct error *failure)
{
	struct jsonw w;
	struct buf out;
	int r;

	buf_init(&out, ANSWER_MAX);
	jsonw_init(&w, &out);
	jsonw_open(&w, '{');
	if (failure != NULL)
		jsonw_key_str(&w, "error", failure->text);
	jsonw_key(&w, "mounts");
	jsonw_open(&w, '[');
	for (size_t i = 0; i < p->stores.count; i++) {
		char host[PATH_CAP + 32];

		str_format(host, sizeof host, "%s/memory/%s", p->state_dir,
		    p->store[i].folder);
		jsonw_open(&w, '{');
		jsonw_key_str(&w, "host", host);
		jsonw_key_str(&w, "inside", p->mounts[i].inside);
		jsonw_key(&w, "read_only");
		jsonw_bool(&w, p->mounts[i].read_only);
		jsonw_close(&w, '}');
	}
	jsonw_close(&w, ']');
	jsonw_close(&w, '}');
	r = jsonw_ok(&w) ? write_message(CONTENT_READY, buf_bytes(&out)) : -1;
	buf_reset(&out);
	return r;
}

/* Follows orders until there are none. */
static int
serve(struct process *p)
{
	enum content_kind kind;
	struct bytes payload;

	while (read_message(p, &kind, &payload) == 1) {
		if (kind == CONTENT_SYNC && p->stores.count != 0 &&
		    clock_ms() - p->synced_ms >= p->sync_ms)
			sync_stores(p, false);
		if (kind != CONTENT_FINISH)
			continue;
		finish(p, payload.len == 1 && payload.ptr[0] == 1);
		return write_message(CONTENT_FINISHED, bytes_of(NULL, 0));
	}
	/* Whoever started us is gone, and with it perhaps the lease: nothing
	 * is sent anymore. */
	skills_remove(&p->skills);
	remove_stores(p);
	return -1;
}

static int
start(struct process *p, struct error *e)
{
	if (read_settings(p, e) != 0 || open_places(p, e) != 0 ||
	    confine(p, e) != 0)
		return -1;
	skills_init(&p->skills, p->api, p->workdir_fd);
	p->skills.stop_fd = ORDERS_FD;
	return bring(p, e);
}

int
content_main(void)
{
	static struct process p = {.workdir_fd = -1, .state_fd = -1,
	    .memory_fd = -1};
	struct error e;
	int r;

	/* The process that started us is told to end, and tells us.  If it is
	 * killed, so are we. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	proc_forbid_core();
	buf_init(&p.in, IN_MAX);
	p.skills.dir_fd = -1;
	if (start(&p, &e) == 0 && write_ready(&p, NULL) == 0) {
		r = serve(&p);
	} else {
		skills_remove(&p.skills);
		remove_stores(&p);
		r = write_ready(&p, &e);
	}
	calls_free(p.calls);
	api_free(p.api);
	buf_reset(&p.in);
	io_close(&p.workdir_fd);
	io_close(&p.state_fd);
	/* What runs at exit(3), a leak checker's thread for one, finds itself
	 * confined. */
	_exit(r == 0 ? EXIT_OK : EXIT_FAILED);
}
