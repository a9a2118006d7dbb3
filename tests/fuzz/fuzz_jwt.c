/* SPDX-License-Identifier: ISC */
/* Key sets and tokens: an input is a set; a token, which nobody has signed;
 * and, split at its first line, the header and claims of a token that is
 * signed, and so read to its end. */
#include <assert.h>
#include <string.h>

#include "common/jwt.h"
#include "tests/signer.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len);

static const struct jwt_expect want = {"i", "a", 1700000000, JWT_LEEWAY_S};

/* The same in every run, so that a corpus may hold no token of it. */
static EVP_PKEY *
new_key(void)
{
	static const uint8_t seed[32] = "a key that signs for nobody";

	return EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, seed,
	    sizeof seed);
}

static struct jwks *
publish(EVP_PKEY *key)
{
	struct jwks *keys;
	struct buf text;
	struct error e;

	buf_init(&text, SIGNER_TEXT_MAX);
	buf_add_str(&text, "{\"keys\":[");
	signer_add_jwk(key, "", &text);
	buf_add_str(&text, "]}");
	keys = jwks_parse(buf_bytes(&text), &e);
	assert(keys != NULL);
	buf_reset(&text);
	return keys;
}

static void
check(const struct jwks *keys, struct bytes token, bool is_signed)
{
	struct error e = {.text = ""};
	struct jwt_claims c;

	if (jwt_verify(keys, token, &want, &c, &e) != 0) {
		assert(e.text[0] != '\0');
		return;
	}
	assert(is_signed);
	assert(c.subject[0] != '\0' && c.expires_s > want.now_s -
	    want.leeway_s);
	assert(strspn(c.scope, " ") == 0 && strstr(c.scope, "  ") == NULL);
	assert(!jwt_has_scope(&c, "") && !str_ends(c.scope, " "));
}

static void
check_signed(EVP_PKEY *key, const struct jwks *keys, struct bytes in)
{
	const uint8_t *line = in.len == 0 ? NULL :
	    memchr(in.ptr, '\n', in.len);
	size_t n = line == NULL ? in.len : (size_t)(line - in.ptr);
	struct buf token;

	buf_init(&token, 4 * SIGNER_TEXT_MAX);
	signer_add_token(key, "EdDSA", bytes_of(in.ptr, n), bytes_after(in, n),
	    &token);
	check(keys, buf_bytes(&token), true);
	buf_reset(&token);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	static EVP_PKEY *key;
	static struct jwks *keys;
	struct jwks *other;
	struct error e = {.text = ""};

	if (key == NULL) {
		key = new_key();
		keys = publish(key);
	}
	other = jwks_parse(bytes_of(in, len), &e);
	assert(other != NULL || e.text[0] != '\0');
	if (other != NULL)
		check_signed(key, other, bytes_of(in, len));
	jwks_free(other);
	check(keys, bytes_of(in, len), false);
	check_signed(key, keys, bytes_of(in, len));
	return 0;
}
