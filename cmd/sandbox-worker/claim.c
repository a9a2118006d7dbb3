/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/claim.h"

#include <errno.h>

#include "common/jsonr.h"
#include "common/jsonw.h"
#include "common/str.h"

static void
write_files(struct jsonw *w)
{
	const struct secret_file *f;

	jsonw_key(w, "secret_files");
	jsonw_open(w, '[');
	for (size_t i = 0; (f = secret_file_get(i)) != NULL; i++)
		jsonw_str(w, f->path);
	jsonw_close(w, ']');
}

/* Reads a string without NUL. */
static int
read_path(struct jsonr v, char out[static PATH_MAX])
{
	struct buf path;
	int r;

	buf_init(&path, PATH_MAX - 1);
	r = jsonr_add_str(v, &path) == 0 ? str_from_bytes(out, PATH_MAX,
	    buf_bytes(&path)) : -1;
	buf_reset(&path);
	return r;
}

static int
read_files(struct jsonr v, struct claim *ret, struct error *e)
{
	struct jsonr list, path;
	struct jsonr_iter i;

	if (jsonr_get(v, "secret_files", &list, e) == -1)
		return -1;
	if (list.kind != JSONR_ABSENT && list.kind != JSONR_ARRAY)
		return error_set(e, "secret_files: no list");
	jsonr_iter_init(&i, list);
	while (jsonr_next(&i, NULL, &path)) {
		if (ret->file_count == SECRET_FILES_MAX)
			return error_set(e, "secret_files: more than %d",
			    SECRET_FILES_MAX);
		if (path.kind != JSONR_STRING || read_path(path,
		    ret->files[ret->file_count++]) != 0)
			return error_set(e, "secret_files: no path");
	}
	return 0;
}

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
	write_files(&w);
	jsonw_close(&w, '}');
	errno = ENOBUFS;
	return jsonw_ok(&w) ? 0 : -1;
}

int
claim_read(struct bytes in, struct claim *ret, struct error *e)
{
	struct jsonr v;
	int r = work_parse(in, "", &ret->work, e);

	ret->key[0] = ret->headers[0] = '\0';
	ret->file_count = 0;
	if (r == 0)
		return error_set(e, "the work item: there is none");
	if (r == -1)
		return -1;
	if (!work_is_id(ret->work.environment_id))
		return error_set(e, "the work item: environment_id: no id");
	return jsonr_parse_object(in, &v, e) != 0 || jsonr_get_str(v,
	    "environment_key", ret->key, sizeof ret->key, e) == -1 ||
	    jsonr_get_str(v, "headers", ret->headers, sizeof ret->headers,
	    e) == -1 || read_files(v, ret, e) != 0 ? -1 : 0;
}
