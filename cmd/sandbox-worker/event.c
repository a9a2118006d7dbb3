/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/event.h"

#include "common/str.h"

enum { TYPE_MAX = 64 };

struct kind {
	const char *type;
	enum event_kind kind;
};

static const struct kind kinds[] = {
	{"agent.tool_use", EVENT_TOOL_USE},
	{"agent.custom_tool_use", EVENT_CUSTOM_USE},
	{"user.tool_result", EVENT_RESULT},
	{"user.custom_tool_result", EVENT_RESULT},
	{"user.tool_confirmation", EVENT_CONFIRMATION},
	{"user.interrupt", EVENT_INTERRUPT},
	{"user.message", EVENT_ACTIVE},
	{"agent.message", EVENT_ACTIVE},
	{"session.status_running", EVENT_ACTIVE},
	{"session.status_rescheduled", EVENT_ACTIVE},
	{"session.status_idle", EVENT_IDLE},
	{"session.thread_status_terminated", EVENT_THREAD_ENDED},
	{"session.status_terminated", EVENT_SESSION_ENDED},
	{"session.deleted", EVENT_SESSION_ENDED},
	{"ping", EVENT_PING},
	{"error", EVENT_ERROR},
};

static enum event_kind
kind_of(const char *type)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (str_eq(kinds[i].type, type))
			return kinds[i].kind;
	}
	return EVENT_OTHER;
}

/* Absence is permission, as it is to the vendor's worker; null is not. */
static int
get_permission(struct jsonr v, enum event_permission *ret, struct error *e)
{
	struct jsonr p;

	if (jsonr_get(v, "evaluated_permission", &p, e) == -1)
		return -1;
	if (p.kind == JSONR_ABSENT || jsonr_eq_str(p, "allow"))
		*ret = PERMISSION_ALLOW;
	else
		*ret = jsonr_eq_str(p, "deny") ? PERMISSION_DENY
		    : PERMISSION_ASK;
	return 0;
}

static int
get_id(struct jsonr v, const char *key, char out[static WORK_ID_MAX],
    struct error *e)
{
	int r = jsonr_get_str(v, key, out, WORK_ID_MAX, e);

	if (r == 0 || (r == 1 && !work_is_id(out)))
		return error_set(e, "%s: no id", key);
	return r == 1 ? 0 : -1;
}

static int
parse_call(struct jsonr v, struct event *ret, struct error *e)
{
	if (get_id(v, "id", ret->id, e) != 0 ||
	    jsonr_get_str(v, "name", ret->name, sizeof ret->name, e) == -1 ||
	    jsonr_get_str(v, "session_thread_id", ret->thread,
	    sizeof ret->thread, e) == -1 ||
	    get_permission(v, &ret->permission, e) != 0)
		return -1;
	return jsonr_get(v, "input", &ret->input, e) == -1 ? -1 : 0;
}

static int
parse_confirmation(struct jsonr v, struct event *ret, struct error *e)
{
	struct jsonr result;

	if (get_id(v, "tool_use_id", ret->ref, e) != 0 ||
	    jsonr_get(v, "result", &result, e) == -1)
		return -1;
	ret->verdict = jsonr_eq_str(result, "allow") ? VERDICT_ALLOW
	    : VERDICT_DENY;
	return 0;
}

static int
parse_idle(struct jsonr v, struct event *ret, struct error *e)
{
	struct jsonr reason, type;

	if (jsonr_get(v, "stop_reason", &reason, e) == -1 ||
	    jsonr_get(reason, "type", &type, e) == -1)
		return -1;
	ret->kind = jsonr_eq_str(type, "requires_action") ? EVENT_WAITING
	    : EVENT_IDLE;
	return 0;
}

static int
parse_members(struct jsonr v, const char *type, struct event *ret,
    struct error *e)
{
	switch (ret->kind) {
	case EVENT_TOOL_USE:
	case EVENT_CUSTOM_USE:
		return parse_call(v, ret, e);
	case EVENT_RESULT:
		return get_id(v, str_starts(type, "user.custom") ?
		    "custom_tool_use_id" : "tool_use_id", ret->ref, e);
	case EVENT_CONFIRMATION:
		return parse_confirmation(v, ret, e);
	case EVENT_IDLE:
	case EVENT_WAITING:
		return parse_idle(v, ret, e);
	case EVENT_INTERRUPT:
		return jsonr_get_str(v, "session_thread_id", ret->thread,
		    sizeof ret->thread, e) == -1 ? -1 : 0;
	case EVENT_THREAD_ENDED:
		return get_id(v, "session_thread_id", ret->thread, e);
	case EVENT_OTHER:
	case EVENT_ACTIVE:
	case EVENT_SESSION_ENDED:
	case EVENT_PING:
	case EVENT_ERROR:
		break;
	}
	return 0;
}

int
event_from(struct jsonr v, struct event *ret, struct error *e)
{
	char type[TYPE_MAX] = "";
	struct jsonr t;

	*ret = (struct event){.kind = EVENT_OTHER};
	if (v.kind != JSONR_OBJECT)
		return error_set(e, "no object");
	if (jsonr_get(v, "type", &t, e) == -1)
		return -1;
	if (t.kind != JSONR_STRING)
		return error_set(e, "type: no string");
	if (t.text.len < sizeof type &&
	    jsonr_get_str(v, "type", type, sizeof type, e) == -1)
		return -1;
	ret->kind = kind_of(type);
	if (parse_members(v, type, ret, e) != 0)
		return error_prefix(e, "%s", type);
	return 0;
}

int
event_parse(struct bytes json, struct event *ret, struct error *e)
{
	struct jsonr v;

	if (jsonr_parse_object(json, &v, e) != 0)
		return -1;
	return event_from(v, ret, e);
}

/* Closes what a cut off object has: everything up to its last whole member
 * before "input" is kept. */
static size_t
end_of_members(struct bytes in)
{
	size_t depth = 0, end = 0;
	bool quoted = false;

	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.ptr[i];

		if (quoted) {
			i += c == '\\' ? 1 : 0;
			quoted = c != '"';
		} else if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		} else if (c == ',' && depth == 1) {
			end = i;
		}
	}
	return end;
}

bool
event_guess(struct bytes beginning, struct event *ret)
{
	char text[EVENT_BEGINNING_MAX + 2];
	size_t n = beginning.len < EVENT_BEGINNING_MAX ? beginning.len
	    : EVENT_BEGINNING_MAX;
	struct error ignored;

	n = end_of_members(bytes_of(beginning.ptr, n));
	if (n == 0)
		return false;
	memcpy(text, beginning.ptr, n);
	text[n] = '}';
	if (event_parse(bytes_of(text, n + 1), ret, &ignored) != 0)
		return false;
	ret->input = (struct jsonr){.kind = JSONR_ABSENT};
	return ret->kind == EVENT_TOOL_USE || ret->kind == EVENT_CUSTOM_USE;
}
