/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/secret.h"

#include <string.h>

#include "common/buf.h"
#include "common/jsonr.h"

static int
digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

/* Base64 of either alphabet, with or without padding (RFC 4648). */
static int
decode(const char *text, struct buf *out)
{
	size_t len = strlen(text), n = 0;
	uint32_t bits = 0;

	while (len > 0 && text[len - 1] == '=' && n < 2) {
		len--;
		n++;
	}
	if (len % 4 == 1)
		return -1;
	for (size_t i = 0; i < len; i++) {
		int d = digit_of(text[i]);

		if (d == -1)
			return -1;
		bits = bits << 6 | (uint32_t)d;
		if (i % 4 != 0) {
			uint8_t byte = (uint8_t)(bits >> (6 - i % 4 * 2));

			if (buf_add(out, bytes_of(&byte, 1)) != 0)
				return -1;
		}
	}
	return 0;
}

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
	else if (decode(text, &json) != 0)
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
