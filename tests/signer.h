/* SPDX-License-Identifier: ISC */
/* Signs tokens and shows its public keys as an authorization server does. */
#ifndef ADIT_SIGNER_H
#define ADIT_SIGNER_H

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/str.h"

enum { SIGNER_TEXT_MAX = 1 << 20, SIGNER_SIGNATURE_MAX = 1024 };

/* Appends in as base64url. */
static inline void
signer_encode(struct bytes in, struct buf *out)
{
	char *text = malloc(in.len / 3 * 4 + 5);
	size_t len;

	assert(text != NULL);
	EVP_EncodeBlock((unsigned char *)text, in.ptr, (int)in.len);
	len = strcspn(text, "=");
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '+')
			text[i] = '-';
		else if (text[i] == '/')
			text[i] = '_';
	}
	assert(buf_add(out, bytes_of(text, len)) == 0);
	free(text);
}

static inline void
signer_add_member(const char *name, struct bytes value, struct buf *out)
{
	assert(buf_format(out, ",\"%s\":\"", name) == 0);
	signer_encode(value, out);
	assert(buf_add_str(out, "\"") == 0);
}

static inline void
signer_add_number(EVP_PKEY *key, const char *param, const char *name,
    struct buf *out)
{
	uint8_t octets[SIGNER_SIGNATURE_MAX];
	BIGNUM *n = NULL;

	assert(EVP_PKEY_get_bn_param(key, param, &n) == 1);
	signer_add_member(name, bytes_of(octets, (size_t)BN_bn2bin(n, octets)),
	    out);
	BN_free(n);
}

static inline void
signer_add_point(EVP_PKEY *key, struct buf *out)
{
	uint8_t point[SIGNER_SIGNATURE_MAX];
	size_t len, half;

	assert(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY,
	    point, sizeof point, &len) == 1);
	if (EVP_PKEY_is_a(key, "ED25519")) {
		signer_add_member("x", bytes_of(point, len), out);
		return;
	}
	half = len / 2;
	signer_add_member("x", bytes_of(point + 1, half), out);
	signer_add_member("y", bytes_of(point + 1 + half, half), out);
}

/* Appends the key as an object with more members, which begin with a comma if
 * there are any. */
static inline void
signer_add_jwk(EVP_PKEY *key, const char *more, struct buf *out)
{
	int bits = EVP_PKEY_get_bits(key);

	if (EVP_PKEY_is_a(key, "RSA")) {
		assert(buf_add_str(out, "{\"kty\":\"RSA\"") == 0);
		signer_add_number(key, OSSL_PKEY_PARAM_RSA_N, "n", out);
		signer_add_number(key, OSSL_PKEY_PARAM_RSA_E, "e", out);
	} else if (EVP_PKEY_is_a(key, "ED25519")) {
		assert(buf_add_str(out, "{\"kty\":\"OKP\",\"crv\":"
		    "\"Ed25519\"") == 0);
		signer_add_point(key, out);
	} else {
		assert(buf_format(out, "{\"kty\":\"EC\",\"crv\":\"P-%d\"",
		    bits) == 0);
		signer_add_point(key, out);
	}
	assert(buf_format(out, "%s}", more) == 0);
}

/* Two numbers where OpenSSL has DER. */
static inline size_t
signer_split_der(EVP_PKEY *key, uint8_t *at, size_t len)
{
	int half = (EVP_PKEY_get_bits(key) + 7) / 8;
	const uint8_t *der = at;
	ECDSA_SIG *both = d2i_ECDSA_SIG(NULL, &der, (long)len);

	assert(both != NULL);
	BN_bn2binpad(ECDSA_SIG_get0_r(both), at, half);
	BN_bn2binpad(ECDSA_SIG_get0_s(both), at + half, half);
	ECDSA_SIG_free(both);
	return 2 * (size_t)half;
}

/* Signs text as alg says, with a salt of so many bytes where there is one.
 * Returns the length of the signature. */
static inline size_t
signer_sign(EVP_PKEY *key, const char *alg, int salt_len, struct bytes text,
    uint8_t out[static SIGNER_SIGNATURE_MAX])
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_PKEY_CTX *settings;
	size_t len = SIGNER_SIGNATURE_MAX;
	char digest[8];

	str_format(digest, sizeof digest, "SHA%s", alg + 2);
	assert(EVP_DigestSignInit_ex(c, &settings, str_eq(alg, "EdDSA") ?
	    NULL : digest, NULL, NULL, key, NULL) == 1);
	if (str_starts(alg, "PS"))
		assert(EVP_PKEY_CTX_set_rsa_padding(settings,
		    RSA_PKCS1_PSS_PADDING) == 1 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(settings,
		    salt_len) == 1);
	assert(EVP_DigestSign(c, out, &len, text.ptr, text.len) == 1);
	EVP_MD_CTX_free(c);
	return EVP_PKEY_is_a(key, "EC") ? signer_split_der(key, out, len) :
	    len;
}

/* Appends a token whose header and claims are as they are given. */
static inline void
signer_add_token(EVP_PKEY *key, const char *alg, struct bytes header,
    struct bytes claims, struct buf *out)
{
	uint8_t signature[SIGNER_SIGNATURE_MAX];
	size_t start = buf_len(out), len;

	signer_encode(header, out);
	assert(buf_add_str(out, ".") == 0);
	signer_encode(claims, out);
	len = signer_sign(key, alg, RSA_PSS_SALTLEN_DIGEST,
	    bytes_after(buf_bytes(out), start), signature);
	assert(buf_add_str(out, ".") == 0);
	signer_encode(bytes_of(signature, len), out);
}

#endif
