/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/webhook.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/buf.h"
#include "common/field.h"
#include "common/jsonr.h"
#include "common/str.h"

enum {
	KEY_TEXT_MAX = WEBHOOK_KEY_MAX / 3 * 4 + 4,
	MAC_LEN = 32,
	MAC_TEXT_LEN = 44, /* its base64 */
	SIGNED_MAX = 2 * WEBHOOK_FIELD_MAX + 2 + WEBHOOK_BODY_MAX,
	TIMESTAMP_MAX_S = INT32_MAX,
};

static const char work_type[] = "session.status_run_started";

static int
reject(struct error *e, int code, const char *text)
{
	e->code = code;
	return error_set(e, "webhook: %s", text);
}

/* ---- the key ---- */

static bool
is_base64(const char *text, size_t len)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";

	return len != 0 && len % 4 == 0 &&
	    strspn(text, alphabet) + strspn(text + strspn(text, alphabet),
	    "=") == len && (text[len - 1] != '=' || text[len - 3] != '=');
}

int
webhook_key_parse(const char *text, struct webhook_key *ret, struct error *e)
{
	static const char prefix[] = "whsec_";
	size_t len;
	int n;

	if (str_starts(text, prefix))
		text += strlen(prefix);
	len = strlen(text);
	if (len > KEY_TEXT_MAX || !is_base64(text, len))
		return error_set(e, "signing key: not whsec_ and base64");
	n = EVP_DecodeBlock(ret->at, (const unsigned char *)text, (int)len);
	if (n > 0 && text[len - 1] == '=')
		n -= text[len - 2] == '=' ? 2 : 1;
	if (n < WEBHOOK_KEY_MIN || n > WEBHOOK_KEY_MAX)
		return error_set(e, "signing key: not %d to %d bytes",
		    WEBHOOK_KEY_MIN, WEBHOOK_KEY_MAX);
	ret->len = (size_t)n;
	return 0;
}

/* ---- the signature ---- */

static int
compute_mac(const struct webhook_key *key, const struct webhook_delivery *d,
    char out[static MAC_TEXT_LEN + 1])
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	struct buf text;
	int r = -1;

	buf_init(&text, SIGNED_MAX);
	if (buf_add(&text, d->id) == 0 && buf_add_str(&text, ".") == 0 &&
	    buf_add(&text, d->timestamp) == 0 &&
	    buf_add_str(&text, ".") == 0 && buf_add(&text, d->body) == 0 &&
	    HMAC(EVP_sha256(), key->at, (int)key->len, buf_bytes(&text).ptr,
	    buf_len(&text), mac, &len) != NULL && len == MAC_LEN)
		r = EVP_EncodeBlock((unsigned char *)out, mac, MAC_LEN) ==
		    MAC_TEXT_LEN ? 0 : -1;
	buf_reset(&text);
	return r;
}

/* Takes the next word off *list. */
static bool
next_word(struct bytes *list, struct bytes *ret)
{
	size_t n = 0;

	while (list->len != 0 && list->ptr[0] == ' ')
		*list = bytes_after(*list, 1);
	while (n < list->len && list->ptr[n] != ' ')
		n++;
	*ret = bytes_of(list->ptr, n);
	*list = bytes_after(*list, n);
	return n != 0;
}

/* Whether one of the signatures of version 1 is mac.  All are looked at. */
static bool
has_mac(struct bytes list, const char *mac)
{
	struct bytes word;
	bool found = false;

	while (next_word(&list, &word)) {
		bool good = word.len == MAC_TEXT_LEN + 3 &&
		    memcmp(word.ptr, "v1,", 3) == 0 &&
		    CRYPTO_memcmp(word.ptr + 3, mac, MAC_TEXT_LEN) == 0;

		found = found || good;
	}
	return found;
}

static bool
is_field(struct bytes in)
{
	return in.len != 0 && in.len <= WEBHOOK_FIELD_MAX && field_is_text(in);
}

int
webhook_verify(const struct webhook_key *key,
    const struct webhook_delivery *d, int64_t now_s, struct error *e)
{
	char mac[MAC_TEXT_LEN + 1];
	uint64_t at_s;
	int64_t age_s;

	if (!is_field(d->id) || !is_field(d->timestamp) ||
	    !is_field(d->signature))
		return reject(e, WEBHOOK_MALFORMED, "webhook-id, -timestamp "
		    "or -signature missing or malformed");
	if (field_parse_number(d->timestamp, TIMESTAMP_MAX_S, &at_s) != 0)
		return reject(e, WEBHOOK_MALFORMED,
		    "webhook-timestamp: not a time");
	if (d->body.len > WEBHOOK_BODY_MAX || compute_mac(key, d, mac) != 0)
		return reject(e, WEBHOOK_MALFORMED, "body: too long");
	if (!has_mac(d->signature, mac))
		return reject(e, WEBHOOK_UNAUTHORIZED,
		    "no signature is that of the key");
	age_s = now_s - (int64_t)at_s;
	if (age_s > WEBHOOK_AGE_MAX_S || age_s < -WEBHOOK_AGE_MAX_S)
		return reject(e, WEBHOOK_UNAUTHORIZED,
		    "signed more than 300 s from now");
	return 0;
}

/* ---- the body ---- */

int
webhook_is_work(struct bytes body, struct error *e)
{
	char type[128];
	struct jsonr v, event;

	e->code = WEBHOOK_MALFORMED;
	if (jsonr_parse_object(body, &v, e) != 0)
		return error_prefix(e, "webhook");
	if (jsonr_get(v, "data", &event, e) < 0)
		return error_prefix(e, "webhook");
	/* Types of other shapes are news of other kinds. */
	if (event.kind != JSONR_OBJECT ||
	    jsonr_get_str(event, "type", type, sizeof type, e) != 1)
		return 0;
	return str_eq(type, work_type) ? 1 : 0;
}
