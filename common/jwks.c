/* SPDX-License-Identifier: ISC */
#include "common/jwks.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "common/base64.h"
#include "common/jsonr.h"
#include "common/str.h"

enum {
	EXPONENT_BITS_MAX = 32,
	/* Some write a number with a zero in front. */
	RSA_NUMBER_MAX = JWKS_RSA_BITS_MAX / 8 + 1,
	COORDINATE_MAX = 66, /* of P-521 */
	POINT_MAX = 1 + 2 * COORDINATE_MAX,
	DER_MAX = 160, /* two numbers of P-521 and what is around them */
};

struct kind {
	const char *kty, *crv;
	size_t part_len; /* of a coordinate and of half a signature */
};

enum {
	RSA_KEY,
	P256,
	P384,
	P521,
	ED25519,
	KIND_COUNT,
};

static const struct kind kinds[KIND_COUNT] = {
	[RSA_KEY] = {"RSA", NULL, 0},
	[P256] = {"EC", "P-256", 32},
	[P384] = {"EC", "P-384", 48},
	[P521] = {"EC", "P-521", COORDINATE_MAX},
	[ED25519] = {"OKP", "Ed25519", 32},
};

struct alg {
	const char *name;
	const struct kind *kind;
	const char *digest; /* NULL: part of the algorithm */
	bool pss;
};

static const struct alg algs[] = {
	{"RS256", &kinds[RSA_KEY], "SHA256", false},
	{"RS384", &kinds[RSA_KEY], "SHA384", false},
	{"RS512", &kinds[RSA_KEY], "SHA512", false},
	{"PS256", &kinds[RSA_KEY], "SHA256", true},
	{"PS384", &kinds[RSA_KEY], "SHA384", true},
	{"PS512", &kinds[RSA_KEY], "SHA512", true},
	{"ES256", &kinds[P256], "SHA256", false},
	{"ES384", &kinds[P384], "SHA384", false},
	{"ES512", &kinds[P521], "SHA512", false},
	{"EdDSA", &kinds[ED25519], NULL, false},
};

struct jwk {
	EVP_PKEY *public;
	const struct kind *kind;
	const struct alg *alg; /* the only one it is for; NULL: any */
	char kid[JWKS_KID_MAX + 1];
};

struct jwks {
	size_t count;
	struct jwk keys[JWKS_KEYS_MAX];
};

/* ---- members of a key ---- */

/* Returns 1, 0 if it is absent, -1 if it is no string. */
static int
get_string(struct jsonr jwk, const char *key, struct jsonr *ret,
    struct error *e)
{
	int r = jsonr_get(jwk, key, ret, e);

	return r == 1 && ret->kind != JSONR_STRING ?
	    error_set(e, "%s: no string", key) : r;
}

static int
need_string(struct jsonr jwk, const char *key, struct jsonr *ret,
    struct error *e)
{
	int r = get_string(jwk, key, ret, e);

	return r == 0 ? error_set(e, "%s: missing", key) : r;
}

/* Fills out up to its max with the bytes of a member in base64url. */
static int
get_octets(struct jsonr jwk, const char *key, struct buf *out,
    struct error *e)
{
	struct buf text;
	struct jsonr v;
	int r = -1;

	if (need_string(jwk, key, &v, e) != 1)
		return -1;
	buf_init(&text, v.text.len);
	if (jsonr_add_str(v, &text) == 0)
		r = base64_decode(buf_bytes(&text), BASE64_URL, out);
	buf_reset(&text);
	return r == 0 ? 0 : error_set(e, "%s: not base64url of at most %zu "
	    "bytes", key, out->max);
}

/* What a published set must not hold: the parts of private keys (RFC 7518
 * sections 6.2.2, 6.3.2 and 6.4.1, and those of post-quantum keys). */
static int
refuse_secrets(struct jsonr jwk, struct error *e)
{
	static const char *const names[] = {"d", "p", "q", "dp", "dq", "qi",
	    "oth", "k", "priv"};
	struct jsonr v;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (jsonr_get(jwk, names[i], &v, e) != 0)
			return error_set(e, "%s: a secret, where only public "
			    "keys may be", names[i]);
	}
	if (jsonr_get(jwk, "kty", &v, e) == 1 && jsonr_eq_str(v, "oct"))
		return error_set(e, "kty: a symmetric key, where only public "
		    "keys may be");
	return 0;
}

static bool
has_element(struct jsonr array, const char *s)
{
	struct jsonr_iter i;
	struct jsonr v;

	jsonr_iter_init(&i, array);
	while (jsonr_next(&i, NULL, &v)) {
		if (jsonr_eq_str(v, s))
			return true;
	}
	return false;
}

/* Returns 1, 0 if the key is for something else, -1 with a text. */
static int
is_for_signatures(struct jsonr jwk, struct error *e)
{
	struct jsonr use, ops;
	int r = get_string(jwk, "use", &use, e);

	if (r == -1 || (r == 1 && !jsonr_eq_str(use, "sig")))
		return r == -1 ? -1 : 0;
	r = jsonr_get(jwk, "key_ops", &ops, e);
	if (r != 1)
		return r == -1 ? -1 : 1;
	if (ops.kind != JSONR_ARRAY)
		return error_set(e, "key_ops: no array");
	return has_element(ops, "verify") ? 1 : 0;
}

/* Returns 1, 0 if the kind is not known, -1 with a text. */
static int
get_kind(struct jsonr jwk, const struct kind **ret, struct error *e)
{
	struct jsonr kty, crv;

	if (need_string(jwk, "kty", &kty, e) != 1)
		return -1;
	for (const struct kind *k = kinds; k < kinds + KIND_COUNT; k++) {
		if (!jsonr_eq_str(kty, k->kty))
			continue;
		if (k->crv != NULL && need_string(jwk, "crv", &crv, e) != 1)
			return -1;
		if (k->crv == NULL || jsonr_eq_str(crv, k->crv)) {
			*ret = k;
			return 1;
		}
	}
	return 0;
}

/* Returns 1, also without an alg; 0 if it is not known; -1 with a text. */
static int
get_alg(struct jsonr jwk, const struct kind *kind, const struct alg **ret,
    struct error *e)
{
	struct jsonr v;
	int r = get_string(jwk, "alg", &v, e);

	*ret = NULL;
	if (r != 1)
		return r == -1 ? -1 : 1;
	for (size_t i = 0; i < sizeof algs / sizeof *algs; i++) {
		if (!jsonr_eq_str(v, algs[i].name))
			continue;
		*ret = &algs[i];
		return algs[i].kind == kind ? 1 : error_set(e, "alg: %s "
		    "does not sign with such a key", algs[i].name);
	}
	return 0;
}

/* ---- keys ---- */

static EVP_PKEY *
new_public(const char *type, OSSL_PARAM_BLD *builder)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *public = NULL;

	if (params != NULL && c != NULL && EVP_PKEY_fromdata_init(c) == 1 &&
	    EVP_PKEY_fromdata(c, &public, EVP_PKEY_PUBLIC_KEY, params) != 1) {
		EVP_PKEY_free(public);
		public = NULL;
	}
	EVP_PKEY_CTX_free(c);
	OSSL_PARAM_free(params);
	return public;
}

static BIGNUM *
get_number(struct jsonr jwk, const char *key, struct error *e)
{
	struct buf octets;
	BIGNUM *n = NULL;

	buf_init(&octets, RSA_NUMBER_MAX);
	if (get_octets(jwk, key, &octets, e) == 0) {
		n = BN_bin2bn(buf_bytes(&octets).ptr, (int)buf_len(&octets),
		    NULL);
		if (n == NULL)
			error_set(e, "%s: out of memory", key);
	}
	buf_reset(&octets);
	return n;
}

static int
check_rsa(const BIGNUM *n, const BIGNUM *exponent, struct error *e)
{
	int bits = BN_num_bits(n);

	if (bits < JWKS_RSA_BITS_MIN || bits > JWKS_RSA_BITS_MAX)
		return error_set(e, "n: %d bits, not %d to %d", bits,
		    JWKS_RSA_BITS_MIN, JWKS_RSA_BITS_MAX);
	if (!BN_is_odd(n))
		return error_set(e, "n: even");
	if (!BN_is_odd(exponent) || BN_is_one(exponent) ||
	    BN_num_bits(exponent) > EXPONENT_BITS_MAX)
		return error_set(e, "e: not an odd number of 2 to %d bits",
		    EXPONENT_BITS_MAX);
	return 0;
}

static EVP_PKEY *
get_rsa(struct jsonr jwk, struct error *e)
{
	BIGNUM *n = get_number(jwk, "n", e);
	BIGNUM *exponent = n == NULL ? NULL : get_number(jwk, "e", e);
	OSSL_PARAM_BLD *b = NULL;
	EVP_PKEY *public = NULL;

	if (exponent == NULL || check_rsa(n, exponent, e) != 0)
		goto out;
	b = OSSL_PARAM_BLD_new();
	if (b != NULL &&
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
		public = new_public("RSA", b);
	if (public == NULL)
		error_set(e, "n, e: no public key");
out:
	OSSL_PARAM_BLD_free(b);
	BN_free(exponent);
	BN_free(n);
	return public;
}

/* RFC 7518 section 6.2.1.2, RFC 8037 section 2: always in full length. */
static int
add_coordinate(struct jsonr jwk, const char *key, size_t len,
    struct buf *out, struct error *e)
{
	struct buf octets;
	int r;

	buf_init(&octets, len);
	r = get_octets(jwk, key, &octets, e);
	if (r == 0 && buf_len(&octets) != len)
		r = error_set(e, "%s: not %zu bytes long", key, len);
	if (r == 0 && buf_add(out, buf_bytes(&octets)) != 0)
		r = error_set(e, "%s: out of memory", key);
	buf_reset(&octets);
	return r;
}

static EVP_PKEY *
new_ec(const char *curve, struct bytes point)
{
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	EVP_PKEY *public = NULL;

	/* OpenSSL checks that the point is on the curve. */
	if (b != NULL && OSSL_PARAM_BLD_push_utf8_string(b,
	    OSSL_PKEY_PARAM_GROUP_NAME, curve, 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY,
	    point.ptr, point.len) == 1)
		public = new_public("EC", b);
	OSSL_PARAM_BLD_free(b);
	return public;
}

static EVP_PKEY *
get_ec(struct jsonr jwk, const struct kind *kind, struct error *e)
{
	EVP_PKEY *public = NULL;
	struct buf point;

	buf_init(&point, POINT_MAX);
	if (buf_add_str(&point, "\x04") != 0) /* not compressed */
		error_set(e, "out of memory");
	else if (add_coordinate(jwk, "x", kind->part_len, &point, e) == 0 &&
	    add_coordinate(jwk, "y", kind->part_len, &point, e) == 0) {
		public = new_ec(kind->crv, buf_bytes(&point));
		if (public == NULL)
			error_set(e, "x, y: no point of %s", kind->crv);
	}
	buf_reset(&point);
	return public;
}

static EVP_PKEY *
get_ed25519(struct jsonr jwk, const struct kind *kind, struct error *e)
{
	EVP_PKEY *public = NULL;
	struct buf x;

	buf_init(&x, kind->part_len);
	if (add_coordinate(jwk, "x", kind->part_len, &x, e) == 0) {
		public = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL,
		    buf_bytes(&x).ptr, buf_len(&x));
		if (public == NULL)
			error_set(e, "x: no public key");
	}
	buf_reset(&x);
	return public;
}

/* Returns 1, 0 if the key is left out, -1 with a text. */
static int
parse_key(struct jsonr jwk, struct jwk *ret, struct error *e)
{
	int r;

	if (jwk.kind != JSONR_OBJECT)
		return error_set(e, "no object");
	if (refuse_secrets(jwk, e) != 0)
		return -1;
	r = get_kind(jwk, &ret->kind, e);
	if (r == 1)
		r = is_for_signatures(jwk, e);
	if (r == 1)
		r = get_alg(jwk, ret->kind, &ret->alg, e);
	if (r != 1)
		return r;
	if (jsonr_get_str(jwk, "kid", ret->kid, sizeof ret->kid, e) == -1)
		return -1;
	if (ret->kind == &kinds[RSA_KEY])
		ret->public = get_rsa(jwk, e);
	else if (ret->kind == &kinds[ED25519])
		ret->public = get_ed25519(jwk, ret->kind, e);
	else
		ret->public = get_ec(jwk, ret->kind, e);
	return ret->public == NULL ? -1 : 1;
}

static int
parse_keys(struct jsonr list, struct jwks *keys, struct error *e)
{
	struct jsonr_iter i;
	struct jsonr v;
	size_t n = 0;
	int r;

	jsonr_iter_init(&i, list);
	while (jsonr_next(&i, NULL, &v)) {
		if (n++ == JWKS_KEYS_MAX)
			return error_set(e, "more than %d keys",
			    JWKS_KEYS_MAX);
		r = parse_key(v, &keys->keys[keys->count], e);
		if (r == -1)
			return error_prefix(e, "key %zu", n);
		keys->count += r == 1;
	}
	return keys->count != 0 ? 0 : error_set(e, "no key for signatures");
}

static int
get_list(struct bytes text, struct jsonr *ret, struct error *e)
{
	struct jsonr set;

	if (text.len > JWKS_TEXT_MAX)
		return error_set(e, "more than %d bytes", JWKS_TEXT_MAX);
	if (jsonr_parse_object(text, &set, e) != 0 ||
	    jsonr_get(set, "keys", ret, e) == -1)
		return -1;
	return ret->kind == JSONR_ARRAY ? 0 : error_set(e, "keys: no array");
}

struct jwks *
jwks_parse(struct bytes text, struct error *e)
{
	struct jsonr list;
	struct jwks *keys;

	if (get_list(text, &list, e) != 0)
		return NULL;
	keys = calloc(1, sizeof *keys);
	if (keys == NULL) {
		error_errno(e, "keys");
		return NULL;
	}
	if (parse_keys(list, keys, e) != 0) {
		jwks_free(keys);
		keys = NULL;
	}
	ERR_clear_error();
	return keys;
}

void
jwks_free(struct jwks *keys)
{
	if (keys == NULL)
		return;
	for (size_t i = 0; i < keys->count; i++)
		EVP_PKEY_free(keys->keys[i].public);
	free(keys);
}

/* ---- signatures ---- */

/* RFC 7518 section 3.4: two numbers, one behind the other, where OpenSSL
 * wants DER.  Returns its length, or 0. */
static size_t
format_der(struct bytes pair, uint8_t out[static DER_MAX])
{
	int half = (int)(pair.len / 2), len = 0;
	BIGNUM *r = BN_bin2bn(pair.ptr, half, NULL);
	BIGNUM *s = BN_bin2bn(pair.ptr + half, half, NULL);
	ECDSA_SIG *both = ECDSA_SIG_new();

	if (r != NULL && s != NULL && both != NULL) {
		ECDSA_SIG_set0(both, r, s);
		r = s = NULL;
		if (i2d_ECDSA_SIG(both, NULL) <= DER_MAX)
			len = i2d_ECDSA_SIG(both, &out);
	}
	ECDSA_SIG_free(both);
	BN_free(s);
	BN_free(r);
	return len > 0 ? (size_t)len : 0;
}

static bool
set_padding(EVP_PKEY_CTX *c, const struct alg *a)
{
	return !a->pss ||
	    (EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PSS_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(c, RSA_PSS_SALTLEN_DIGEST) == 1);
}

static bool
is_signed(struct bytes text, struct bytes signature, const struct alg *a,
    EVP_PKEY *public)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_PKEY_CTX *settings;
	bool good = c != NULL && EVP_DigestVerifyInit_ex(c, &settings,
	    a->digest, NULL, NULL, public, NULL) == 1 &&
	    set_padding(settings, a) && EVP_DigestVerify(c, signature.ptr,
	    signature.len, text.ptr, text.len) == 1;

	EVP_MD_CTX_free(c);
	return good;
}

static bool
verify(const struct jwk *k, const struct alg *a, const struct jws *s)
{
	size_t len = k->kind->part_len == 0 ?
	    (size_t)EVP_PKEY_get_size(k->public) : 2 * k->kind->part_len;
	struct bytes signature = s->signature;
	uint8_t der[DER_MAX];

	if (signature.len != len)
		return false;
	if (str_eq(k->kind->kty, "EC"))
		signature = bytes_of(der, format_der(signature, der));
	return is_signed(s->text, signature, a, k->public);
}

static const struct alg *
find_alg(const char *name)
{
	for (size_t i = 0; i < sizeof algs / sizeof *algs; i++) {
		if (str_eq(algs[i].name, name))
			return &algs[i];
	}
	return NULL;
}

static bool
fits(const struct jwk *k, const struct alg *a, const char *kid)
{
	return k->kind == a->kind && (k->alg == NULL || k->alg == a) &&
	    (kid[0] == '\0' || str_eq(k->kid, kid));
}

int
jwks_verify(const struct jwks *keys, const struct jws *s, struct error *e)
{
	const struct alg *a = find_alg(s->alg);
	bool good = false;
	int tries = 0;

	if (a == NULL)
		return error_set(e, "signed with an algorithm that is not "
		    "accepted");
	for (size_t i = 0; i < keys->count && !good; i++) {
		if (!fits(&keys->keys[i], a, s->kid))
			continue;
		if (tries++ == JWKS_TRIES_MAX)
			return error_set(e, "more than %d keys could have "
			    "signed it", JWKS_TRIES_MAX);
		good = verify(&keys->keys[i], a, s);
		ERR_clear_error();
	}
	if (tries == 0)
		return error_set(e, "signed with a key that is not known");
	return good ? 0 : error_set(e, "signature does not verify");
}
