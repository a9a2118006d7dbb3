/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/secret.h"

#include <string.h>

#include "common/base64.h"
#include "common/jsonr.h"

bool
secret_is_token(const char *text)
{
	if (text[0] == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (*text <= ' ' || *text > '~')
			return false;
	}
	return true;
}

int
secret_parse(const char *text, struct secret *ret, struct error *e)
{
	struct error why;
	struct buf json;
	struct jsonr v = {.kind = JSONR_ABSENT};
	int r = -1;

	*ret = (struct secret){.token = ""};
	buf_init(&json, SECRET_MAX);
	if (strlen(text) > SECRET_MAX)
		error_set(e, "longer than %d bytes", SECRET_MAX);
	else if (base64_decode(bytes_cstr(text), BASE64_ANY, &json) != 0)
		error_set(e, "no base64");
	else if (jsonr_parse_object(buf_bytes(&json), &v, &why) != 0)
		error_set(e, "no JSON object in it");
	else if (jsonr_get_str(v, "sessions_token", ret->token,
	    sizeof ret->token, &why) != 1 || !secret_is_token(ret->token))
		error_set(e, "no sessions_token in it");
	else
		r = 0;
	if (r == 0 && jsonr_get_str(v, "api_base_url", ret->base,
	    sizeof ret->base, &why) == -1)
		ret->base[0] = '\0';
	if (r != 0)
		secret_wipe(ret, sizeof *ret);
	if (json.mem != NULL)
		secret_wipe(json.mem, json.size);
	buf_reset(&json);
	return r;
}

void
secret_wipe(void *at, size_t len)
{
	explicit_bzero(at, len);
}
