/* SPDX-License-Identifier: ISC */
/* What an item needs before its calls can run: the session, its skills and
 * memory stores, its policy, and its sandbox. */
#include "cmd/sandbox-worker/audit_relay.h"
#include "cmd/sandbox-worker/chooser.h"
#include "cmd/sandbox-worker/item.h"

#include "cmd/sandbox-worker/judge.h"
#include "cmd/sandbox-worker/log.h"
#include "common/str.h"

enum { FETCH_MS = 120000 };

/* ---- the session ---- */

struct session_facts {
	bool terminated, has_skills, has_memory;
};

/* A list that is there has to be one: what cannot be read may matter. */
static int
get_list(struct jsonr object, const char *key, struct jsonr_iter *ret,
    struct error *e)
{
	struct jsonr list;

	if (jsonr_get(object, key, &list, e) == -1)
		return -1;
	if (list.kind != JSONR_ABSENT && list.kind != JSONR_ARRAY)
		return error_set(e, "%s: no list", key);
	jsonr_iter_init(ret, list);
	return 0;
}

static int
read_session(struct item *i, struct session_facts *ret, struct error *e)
{
	struct jsonr v, status, agent, type, r;
	struct jsonr_iter iter;

	*ret = (struct session_facts){.terminated = false};
	if (jsonr_parse_object(buf_bytes(&i->session), &v, e) != 0 ||
	    jsonr_get(v, "status", &status, e) == -1 ||
	    jsonr_get(v, "agent", &agent, e) == -1)
		return -1;
	ret->terminated = jsonr_eq_str(status, "terminated");
	if (ret->terminated)
		return 0;
	if (agent.kind != JSONR_ABSENT && agent.kind != JSONR_OBJECT)
		return error_set(e, "agent: no object");
	if (get_list(agent, "skills", &iter, e) != 0)
		return -1;
	ret->has_skills = jsonr_next(&iter, NULL, &r);
	if (get_list(v, "resources", &iter, e) != 0)
		return -1;
	while (jsonr_next(&iter, NULL, &r)) {
		if (jsonr_get(r, "type", &type, e) == -1)
			return -1;
		ret->has_memory = ret->has_memory ||
		    jsonr_eq_str(type, "memory_store");
	}
	return 0;
}

static void
content_is_ready(void *user, const struct content_mount *mounts,
    size_t count, const struct error *e)
{
	struct item *i = user;

	if (e != NULL) {
		i->content_state = ITEM_CONTENT_OVER;
		item_fail(i, "%s", e->text);
		return;
	}
	i->content_state = ITEM_CONTENT_READY;
	for (size_t n = 0; n < count && n < CONTENT_MOUNTS_MAX; n++)
		i->mounts[i->mount_count++] = mounts[n];
	item_progress(i);
	item_kick(i);
}

static void
content_is_finished(void *user)
{
	struct item *i = user;

	i->content_state = ITEM_CONTENT_OVER;
	item_kick(i);
}

static const struct content_events content_events = {
	.ready = content_is_ready, .finished = content_is_finished,
};

static void
start_content(struct item *i, const char *token)
{
	struct content_settings s = {
		.api = settings_api(i->settings, token),
		.workdir = i->place.host, .inside = i->place.inside,
		.sync_ms = i->settings->sync_ms,
		.deletes = (enum memory_deletes)i->settings->memory_deletes,
		.log_json = str_eq(i->settings->log_format, "json"),
		.environment_id = i->work.environment_id,
		.work_id = i->work.id, .session_id = i->work.session_id,
	};
	struct error e;

	if (place_make_state(&i->place, i->settings, &e) != 0) {
		item_fail(i, "%s", e.text);
		return;
	}
	s.state_dir = i->place.state;
	i->content = content_start(i->ev, &s, buf_bytes(&i->session),
	    &content_events, i, &e);
	if (i->content == NULL) {
		item_fail(i, "%s", e.text);
		return;
	}
	i->content_state = ITEM_CONTENT_COMING;
	item_set_phase(i, ITEM_PREPARING);
}

static void
take_session(struct item *i)
{
	struct session_facts facts;
	struct error e;

	if (read_session(i, &facts, &e) != 0) {
		item_fail(i, "the session: %s", e.text);
	} else if (facts.terminated) {
		log_line(DIAG_INFO, "the session has terminated");
		item_leave(i, REASON_NOTHING);
	} else if (facts.has_memory && !api_has_token(i->api) &&
	    i->settings->sync_ms != 0) {
		item_fail(i, "cannot mount the session's memories: the work "
		    "item carried no sessions token");
	} else if (place_open(&i->place, i->settings, i->work.session_id,
	    &e) != 0 || audit_open(&i->audit, i->settings->audit,
	    i->place.host, i->place.outputs, &e) != 0) {
		item_fail(i, "%s", e.text);
	} else {
		i->content_state = facts.has_skills || facts.has_memory ?
		    ITEM_CONTENT_WANTED : ITEM_CONTENT_NONE;
		item_set_phase(i, ITEM_LOCKING);
	}
}

/* Two that serve one session, or share a directory, would spoil each other's
 * files.  One whose lease was lost may need a moment to end. */
void
item_lock_place(struct item *i)
{
	struct error e;
	int r = place_lock(&i->place, &e);

	if (r == -1) {
		item_fail(i, "%s", e.text);
	} else if (r == 0) {
		if (item_is_late(i, ITEM_LOCK_MS))
			item_fail(i, "%s: another worker has had it for %d s",
			    i->place.host, ITEM_LOCK_MS / 1000);
	} else if (i->content_state == ITEM_CONTENT_WANTED) {
		start_content(i, api_token(i->api));
	} else {
		item_set_phase(i, ITEM_PREPARING);
	}
}

static void
session_done(void *user, struct api_response *r, const struct error *e)
{
	struct item *i = user;
	struct error why;

	i->fetch = NULL;
	item_kick(i);
	if (i->reason != REASON_NONE)
		return;
	if (e != NULL) {
		item_fail(i, "the session: %s", e->text);
	} else if (!api_is_success(r->status)) {
		api_describe(r, &why);
		item_fail(i, "the session: %s", why.text);
	} else {
		i->session = r->body;
		buf_init(&r->body, 0);
		item_progress(i);
		take_session(i);
	}
}

static const struct api_events session_events = {.done = session_done};

void
item_fetch_session(struct item *i)
{
	char path[ITEM_PATH_MAX];
	struct api_request r = {
		.method = "GET", .path = path, .beta = API_BETA_AGENTS,
		.helper = API_HELPER_WORKER, .max = CONTENT_SESSION_MAX,
		.to_fd = -1, .retries = API_RETRIES, .timeout_ms = FETCH_MS,
	};

	item_session_path(i, "", path);
	i->fetch = item_request(i, &r, &session_events);
}

/* ---- the sandbox ---- */

static int
write_policy(struct item *i, struct bytes chosen, struct error *e)
{
	/* The file may be another one than when polling began. */
	if (judge_policy_file(i->settings, e) != 0 ||
	    judge_policy(i->settings, chosen, e) != 0)
		return -1;
	for (size_t n = 0; n < i->mount_count; n++) {
		if (place_make_mount(&i->place, i->mounts[n].inside, e) != 0)
			return -1;
	}
	return place_write_policy(&i->place, chosen, i->mounts,
	    i->mount_count, &i->policy, e);
}

static int
open_relay(struct item *i, struct error *e)
{
	if (i->audit.fd == -1)
		return 0;
	i->relay = audit_relay_new(i->ev, i->settings->state, &i->audit, e);
	return i->relay == NULL ? -1 : 0;
}

static void
build_sandbox(struct item *i, struct bytes chosen)
{
	struct sandbox_settings s = {.ev = i->ev, .argv = i->command.argv};
	struct error e;

	item_set_phase(i, ITEM_BUILDING);
	if (open_relay(i, &e) != 0 || write_policy(i, chosen, &e) != 0) {
		item_fail(i, "%s", e.text);
		return;
	}
	sandbox_command_fill(&i->command, i->settings, i->relay == NULL ? NULL
	    : audit_relay_path(i->relay));
	s.policy = buf_bytes(&i->policy);
	i->sandbox = sandbox_new(&s, &item_sandbox_events, i, &e);
	if (i->sandbox == NULL)
		item_fail(i, "the sandbox: %s", e.text);
}

static void
policy_chosen(void *user, struct bytes policy, const struct error *e)
{
	struct item *i = user;

	i->chooser = NULL;
	if (e != NULL)
		item_fail(i, "%s", e->text);
	else
		build_sandbox(i, policy);
}

void
item_choose_policy(struct item *i)
{
	struct error e;

	if (i->settings->policy_jq == NULL) {
		build_sandbox(i, bytes_cstr("{}"));
		return;
	}
	item_set_phase(i, ITEM_CHOOSING);
	i->chooser = chooser_start(i->ev, i->settings->policy_jq,
	    buf_bytes(&i->session), &i->work, policy_chosen, i, &e);
	if (i->chooser == NULL)
		item_fail(i, "%s", e.text);
}
