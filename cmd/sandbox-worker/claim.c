/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/claim.h"

#include <errno.h>

#include "common/jsonr.h"
#include "common/jsonw.h"

int
claim_write(struct buf *out, const struct work *work,
    const struct claim_keys *keys)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_open(&w, '{');
	jsonw_key_str(&w, "id", work->id);
	jsonw_key_str(&w, "environment_id", work->environment_id);
	jsonw_key(&w, "data");
	jsonw_open(&w, '{');
	jsonw_key_str(&w, "type", work->type);
	jsonw_key_str(&w, "id", work->session_id);
	jsonw_close(&w, '}');
	if (work->secret[0] != '\0')
		jsonw_key_str(&w, "secret", work->secret);
	if (keys->key != NULL)
		jsonw_key_str(&w, "environment_key", keys->key);
	if (keys->headers != NULL)
		jsonw_key_str(&w, "headers", keys->headers);
	if (keys->key_file != NULL)
		jsonw_key_str(&w, "key_file", keys->key_file);
	jsonw_close(&w, '}');
	errno = ENOBUFS;
	return jsonw_ok(&w) ? 0 : -1;
}

int
claim_read(struct bytes in, struct claim *ret, struct error *e)
{
	struct jsonr v;
	int r = work_parse(in, "", &ret->work, e);

	ret->key[0] = ret->headers[0] = ret->key_file[0] = '\0';
	if (r == 0)
		return error_set(e, "the work item: there is none");
	if (r == -1)
		return -1;
	if (!work_is_id(ret->work.environment_id))
		return error_set(e, "the work item: environment_id: no id");
	return jsonr_parse_object(in, &v, e) != 0 || jsonr_get_str(v,
	    "environment_key", ret->key, sizeof ret->key, e) == -1 ||
	    jsonr_get_str(v, "headers", ret->headers, sizeof ret->headers,
	    e) == -1 || jsonr_get_str(v, "key_file", ret->key_file,
	    sizeof ret->key_file, e) == -1 ? -1 : 0;
}
