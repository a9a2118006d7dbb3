/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/work.h"

#include "common/jsonr.h"
#include "common/str.h"

bool
work_is_id(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len >= WORK_ID_MAX)
		return false;
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text <= ' ' || *text == 0x7f)
			return false;
	}
	return true;
}

static int
get_id(struct jsonr object, const char *key, char out[static WORK_ID_MAX],
    struct error *e)
{
	if (jsonr_get_str(object, key, out, WORK_ID_MAX, e) == -1)
		return -1;
	if (!work_is_id(out))
		return error_set(e, "%s: no id", key);
	return 0;
}

static bool
is_blank(struct bytes in)
{
	for (size_t i = 0; i < in.len; i++) {
		if (strchr(" \t\r\n", in.ptr[i]) == NULL || in.ptr[i] == '\0')
			return false;
	}
	return true;
}

static int
parse_item(struct jsonr v, const char *environment_id, struct work *ret,
    struct error *e)
{
	struct jsonr given, data;

	if (get_id(v, "id", ret->id, e) != 0 ||
	    jsonr_get(v, "environment_id", &given, e) == -1 ||
	    jsonr_get(v, "data", &data, e) == -1)
		return -1;
	if (given.kind == JSONR_ABSENT || given.kind == JSONR_NULL)
		str_from_bytes(ret->environment_id,
		    sizeof ret->environment_id, bytes_cstr(environment_id));
	else if (get_id(v, "environment_id", ret->environment_id, e) != 0)
		return -1;
	if (data.kind != JSONR_OBJECT)
		return error_set(e, "data: no object");
	if (get_id(data, "type", ret->type, e) != 0)
		return -1;
	if (str_eq(ret->type, "session") &&
	    get_id(data, "id", ret->session_id, e) != 0)
		return -1;
	return jsonr_get_str(v, "secret", ret->secret, sizeof ret->secret,
	    e) == -1 ? -1 : 1;
}

int
work_parse(struct bytes body, const char *environment_id, struct work *ret,
    struct error *e)
{
	struct jsonr v;

	memset(ret, 0, sizeof *ret);
	if (is_blank(body))
		return 0;
	if (jsonr_parse(body, &v, e) != 0)
		return error_prefix(e, "the work item");
	if (v.kind == JSONR_NULL)
		return 0;
	if (v.kind != JSONR_OBJECT)
		return error_set(e, "the work item: no object");
	if (parse_item(v, environment_id, ret, e) != 1)
		return error_prefix(e, "the work item");
	return 1;
}
