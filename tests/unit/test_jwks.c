/* SPDX-License-Identifier: ISC */
/* Key sets: which keys are taken, left out and refused; and signatures, by
 * the vectors of the RFCs and by ones made here. */
#include "common/base64.h"
#include "common/jwks.h"
#include "tests/signer.h"
#include "tests/unit/test.h"

#define X256 "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y256 "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define X521                                                                  \
	"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_"            \
	"NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk"
#define Y521                                                                  \
	"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDl"            \
	"y79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"
#define X25519 "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define EC256 "\"kty\":\"EC\",\"crv\":\"P-256\","
#define P256_KEY EC256 "\"x\":\"" X256 "\",\"y\":\"" Y256 "\""
#define P521_KEY                                                              \
	"\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"" X521 "\",\"y\":\"" Y521 "\""
#define OKP "\"kty\":\"OKP\",\"crv\":\"Ed25519\","
#define ED_KEY OKP "\"x\":\"" X25519 "\""
/* RFC 7515, A.2.1. */
#define RSA_KEY                                                               \
	"\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\""                             \
	"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp"    \
	"-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOW"    \
	"vG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUs"    \
	"LA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9k"    \
	"G4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2"    \
	"PAcDTW9gb54h4FRWyuXpoQ\""

/* ---- what a set holds ---- */

static int
parse(const char *text, struct jwks **ret, struct error *e)
{
	e->text[0] = '\0';
	*ret = jwks_parse(bytes_cstr(text), e);
	return *ret == NULL ? -1 : 0;
}

/* A set of one key with these members. */
static int
parse_one(const char *members, struct jwks **ret, struct error *e)
{
	char text[8192];

	str_format(text, sizeof text, "{\"keys\":[{%s}]}", members);
	return parse(text, ret, e);
}

static void
refused(const char *text, const char *want)
{
	struct jwks *keys;
	struct error e;

	eq_int(parse(text, &keys, &e), -1, "refused: %.60s", text);
	eq_str(e.text, want, "it says so");
	jwks_free(keys);
}

static void
key_refused(const char *members, const char *want)
{
	struct jwks *keys;
	struct error e;

	eq_int(parse_one(members, &keys, &e), -1, "refused: {%.60s}",
	    members);
	eq_str(e.text, want, "it says so");
	jwks_free(keys);
}

static void
key_taken(const char *members)
{
	struct jwks *keys;
	struct error e;

	eq_int(parse_one(members, &keys, &e), 0, "taken: {%.60s} %s", members,
	    e.text);
	jwks_free(keys);
}

static void
test_sets(void)
{
	refused("", "JSON ends early");
	refused("[]", "no object");
	refused("{}", "keys: no array");
	refused("{\"keys\":{}}", "keys: no array");
	refused("{\"keys\":[],\"k\\u0065ys\":[]}", "keys: given twice");
	refused("{\"keys\":[]}", "no key for signatures");
	refused("{\"keys\":[1]}", "key 1: no object");
	refused("{\"keys\":[{" P256_KEY "},{" P256_KEY "},{}]}",
	    "key 3: kty: missing");
	refused("{\"keys\":[{" P256_KEY "}]} x",
	    "something after the JSON, at byte 138");
	key_taken(P256_KEY);
	key_taken(P521_KEY);
	key_taken(ED_KEY);
	key_taken(RSA_KEY);
	key_taken(P256_KEY ",\"more\":[{\"d\":1}],\"x5c\":7");
}

static void
test_left_out(void)
{
	static const char *const members[] = {
		P256_KEY ",\"use\":\"enc\"",
		P256_KEY ",\"use\":\"other\"",
		P256_KEY ",\"key_ops\":[]",
		P256_KEY ",\"key_ops\":[\"encrypt\",7]",
		P256_KEY ",\"alg\":\"ECDH-ES\"",
		P256_KEY ",\"alg\":\"HS256\"",
		P256_KEY ",\"alg\":\"none\"",
		RSA_KEY ",\"alg\":\"RSA-OAEP\"",
		"\"kty\":\"AKP\",\"pub\":\"AA\"",
		"\"kty\":\"ec\"",
		"\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":1",
		"\"kty\":\"EC\",\"crv\":\"Ed25519\"",
		"\"kty\":\"OKP\",\"crv\":\"X25519\"",
		"\"kty\":\"OKP\",\"crv\":\"P-256\"",
		/* What is left out is not looked at. */
		EC256 "\"x\":\"?\",\"use\":\"enc\"",
	};

	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		key_refused(members[i], "no key for signatures");
	key_taken(P256_KEY "},{\"kty\":\"AKP\"},{" P256_KEY
	    ",\"use\":\"enc\"");
	key_taken(P256_KEY ",\"use\":\"sig\",\"alg\":\"ES256\"");
	key_taken(P256_KEY ",\"key_ops\":[\"sign\",\"verify\"]");
}

static void
test_secrets(void)
{
	static const char *const names[] = {"d", "p", "q", "dp", "dq", "qi",
	    "oth", "k", "priv"};
	char members[2048], want[128];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		str_format(members, sizeof members, "%s,\"%s\":\"c2VjcmV0\"",
		    i % 2 == 0 ? P256_KEY : RSA_KEY, names[i]);
		str_format(want, sizeof want, "key 1: %s: a secret, where "
		    "only public keys may be", names[i]);
		key_refused(members, want);
	}
	key_refused(P256_KEY ",\"\\u0064\":null",
	    "key 1: d: a secret, where only public keys may be");
	key_refused(P256_KEY ",\"use\":\"enc\",\"d\":1,\"d\":2",
	    "key 1: d: a secret, where only public keys may be");
	key_refused("\"kty\":\"oct\",\"k\":\"c2VjcmV0\"",
	    "key 1: k: a secret, where only public keys may be");
	key_refused("\"kty\":\"oct\"", "key 1: kty: a symmetric key, where "
	    "only public keys may be");
	key_refused(P256_KEY "},{\"kty\":\"OKP\",\"crv\":\"X25519\","
	    "\"d\":\"c2VjcmV0\"", "key 2: d: a secret, where only public "
	    "keys may be");
}

static void
test_malformed(void)
{
	key_refused("\"kty\":7", "key 1: kty: no string");
	key_refused("\"kty\":null", "key 1: kty: no string");
	key_refused(P256_KEY ",\"kty\":\"RSA\"", "key 1: kty: given twice");
	key_refused(P256_KEY ",\"\\u0078\":\"AA\"", "key 1: x: given twice");
	key_refused("\"kty\":\"EC\"", "key 1: crv: missing");
	key_refused("\"kty\":\"OKP\",\"crv\":[]", "key 1: crv: no string");
	key_refused(P256_KEY ",\"use\":[\"sig\"]", "key 1: use: no string");
	key_refused(P256_KEY ",\"key_ops\":\"verify\"",
	    "key 1: key_ops: no array");
	key_refused(P256_KEY ",\"alg\":256", "key 1: alg: no string");
	key_refused(P256_KEY ",\"alg\":\"ES384\"",
	    "key 1: alg: ES384 does not sign with such a key");
	key_refused(RSA_KEY ",\"alg\":\"EdDSA\"",
	    "key 1: alg: EdDSA does not sign with such a key");
	key_refused(P256_KEY ",\"kid\":1", "key 1: kid: no string");
	key_refused(P256_KEY ",\"kid\":\"a\\u0000b\"",
	    "key 1: kid: a NUL inside");
}

static void
test_points(void)
{
	key_refused(EC256 "\"y\":\"" Y256 "\"", "key 1: x: missing");
	key_refused(EC256 "\"x\":\"" X256 "\",\"y\":0",
	    "key 1: y: no string");
	key_refused(EC256 "\"x\":\"" X256 "\",\"y\":\"" X256 "\"",
	    "key 1: x, y: no point of P-256");
	key_refused(EC256 "\"x\":\"__________________________________________8"
	    "\",\"y\":\"" Y256 "\"", "key 1: x, y: no point of P-256");
	key_refused(EC256 "\"x\":\"" X521 "\",\"y\":\"" Y521 "\"",
	    "key 1: x: not base64url of at most 32 bytes");
	key_refused("\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" X256
	    "\",\"y\":\"" Y256 "\"", "key 1: x: not 48 bytes long");
	key_refused(EC256 "\"x\":\"" X256 "=\",\"y\":\"" Y256 "\"",
	    "key 1: x: not base64url of at most 32 bytes");
	key_refused(EC256 "\"x\":\"\",\"y\":\"" Y256 "\"",
	    "key 1: x: not 32 bytes long");
	key_refused(OKP "\"x\":\"AAAA\"", "key 1: x: not 32 bytes long");
	key_refused(OKP "\"x\":\"" X25519 "A\"",
	    "key 1: x: not base64url of at most 32 bytes");
	key_refused(OKP "\"more\":1", "key 1: x: missing");
}

/* A number of len bytes: first, then all ones, then last. */
static int
parse_rsa(size_t len, uint8_t first, uint8_t last, const char *exponent,
    struct error *e)
{
	uint8_t n[2048];
	struct jwks *keys;
	struct buf text;
	int r;

	memset(n, 0xff, sizeof n);
	n[0] = first;
	n[len - 1] = last;
	buf_init(&text, 1 << 16);
	buf_format(&text, "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"%s\"", exponent);
	signer_add_member("n", bytes_of(n, len), &text);
	buf_format(&text, "}]}");
	e->text[0] = '\0';
	keys = jwks_parse(buf_bytes(&text), e);
	r = keys == NULL ? -1 : 0;
	jwks_free(keys);
	buf_reset(&text);
	return r;
}

static void
test_rsa_limits(void)
{
	static const char bad_e[] =
	    "key 1: e: not an odd number of 2 to 32 bits";
	struct error e;

	eq_int(parse_rsa(256, 0x80, 0xff, "AQAB", &e), 0, "2048 bits");
	eq_int(parse_rsa(257, 0, 0xff, "AQAB", &e), 0, "and a zero in front");
	eq_int(parse_rsa(256, 0x7f, 0xff, "AQAB", &e), -1, "2047 bits");
	eq_str(e.text, "key 1: n: 2047 bits, not 2048 to 8192", "are few");
	eq_int(parse_rsa(1024, 0xff, 0xff, "AQAB", &e), 0, "8192 bits");
	eq_int(parse_rsa(1025, 1, 0xff, "AQAB", &e), -1, "8193 bits");
	eq_str(e.text, "key 1: n: 8193 bits, not 2048 to 8192", "are many");
	eq_int(parse_rsa(1026, 1, 0xff, "AQAB", &e), -1, "more of them");
	eq_str(e.text, "key 1: n: not base64url of at most 1025 bytes",
	    "are not read");
	eq_int(parse_rsa(256, 0xff, 0xfe, "AQAB", &e), -1, "an even one");
	eq_str(e.text, "key 1: n: even", "is no product of primes");
	eq_int(parse_rsa(256, 0xff, 0xff, "Aw", &e), 0, "an exponent of 3");
	eq_int(parse_rsa(256, 0xff, 0xff, "AP____8", &e), 0, "of 32 bits");
	eq_int(parse_rsa(256, 0xff, 0xff, "AQ", &e), -1, "of 1");
	eq_str(e.text, bad_e, "is none");
	eq_int(parse_rsa(256, 0xff, 0xff, "Ag", &e), -1, "of 2");
	eq_str(e.text, bad_e, "neither");
	eq_int(parse_rsa(256, 0xff, 0xff, "", &e), -1, "of nothing");
	eq_str(e.text, bad_e, "neither");
	eq_int(parse_rsa(256, 0xff, 0xff, "AQAAAAE", &e), -1, "of 33 bits");
	eq_str(e.text, bad_e, "neither");
}

static void
test_limits(void)
{
	struct buf text;
	struct jwks *keys;
	struct error e;
	char kid[2 * JWKS_KID_MAX];

	buf_init(&text, 2 * JWKS_TEXT_MAX);
	for (int count = JWKS_KEYS_MAX; count <= JWKS_KEYS_MAX + 1; count++) {
		buf_clear(&text);
		buf_add_str(&text, "{\"keys\":[{" ED_KEY "}");
		for (int i = 1; i < count; i++)
			buf_add_str(&text, ",{" ED_KEY "}");
		buf_add_str(&text, "]}");
		keys = jwks_parse(buf_bytes(&text), &e);
		ok((keys != NULL) == (count == JWKS_KEYS_MAX), "%d keys",
		    count);
		jwks_free(keys);
	}
	eq_str(e.text, "more than 256 keys", "are too many");
	buf_clear(&text);
	buf_add_str(&text, "{\"keys\":[{" ED_KEY "}]}");
	while (buf_len(&text) < JWKS_TEXT_MAX)
		buf_add_str(&text, " ");
	keys = jwks_parse(buf_bytes(&text), &e);
	ok(keys != NULL, "a text of the longest");
	jwks_free(keys);
	buf_add_str(&text, " ");
	ok(jwks_parse(buf_bytes(&text), &e) == NULL, "one byte more");
	eq_str(e.text, "more than 1048576 bytes", "is too many");
	for (int len = JWKS_KID_MAX; len <= JWKS_KID_MAX + 1; len++) {
		memset(kid, 'k', sizeof kid);
		kid[len] = '\0';
		buf_clear(&text);
		buf_format(&text, ED_KEY ",\"kid\":\"%s\"%c", kid, '\0');
		eq_int(parse_one((const char *)buf_bytes(&text).ptr, &keys,
		    &e), len == JWKS_KID_MAX ? 0 : -1, "an id of %d bytes",
		    len);
		jwks_free(keys);
	}
	eq_str(e.text, "key 1: kid: too long", "is too long");
	buf_reset(&text);
}

/* ---- signatures ---- */

/* Verifies a compact serialization. */
static int
verify(const struct jwks *keys, const char *alg, const char *kid,
    const char *jws, struct error *e)
{
	const char *dot = strrchr(jws, '.');
	struct jws s = {alg, kid, bytes_of(jws, (size_t)(dot - jws)),
	    {NULL, 0}};
	struct buf signature;
	int r;

	buf_init(&signature, 4096);
	if (base64_decode(bytes_cstr(dot + 1), BASE64_URL, &signature) != 0)
		printf("# no base64url: %s\n", dot + 1);
	s.signature = buf_bytes(&signature);
	e->text[0] = '\0';
	r = jwks_verify(keys, &s, e);
	buf_reset(&signature);
	return r;
}

static void
test_vectors(void)
{
	static const char claims[] = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkz"
	    "ODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
	static const struct {
		const char *what, *key, *alg, *header, *payload, *signature;
	} rows[] = {
		{"RFC 7515, A.2", RSA_KEY, "RS256", "eyJhbGciOiJSUzI1NiJ9",
		    claims,
		    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5R"
		    "Zmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQ"
		    "jbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQB"
		    "MHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqt"
		    "FZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rq"
		    "Vt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
		{"RFC 7515, A.3", P256_KEY, "ES256", "eyJhbGciOiJFUzI1NiJ9",
		    claims, "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw"
		    "5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
		{"RFC 7515, A.4", P521_KEY, "ES512", "eyJhbGciOiJFUzUxMiJ9",
		    "UGF5bG9hZA",
		    "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-"
		    "mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpR"
		    "wcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"},
		{"RFC 8037, A.4", ED_KEY, "EdDSA", "eyJhbGciOiJFZERTQSJ9",
		    "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
		    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylG"
		    "jg5BhVsPt9g7sVvpAr_MuM0KAg"},
	};
	char jws[1024];
	struct jwks *keys;
	struct error e;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		parse_one(rows[i].key, &keys, &e);
		str_format(jws, sizeof jws, "%s.%s.%s", rows[i].header,
		    rows[i].payload, rows[i].signature);
		eq_int(verify(keys, rows[i].alg, "", jws, &e), 0, "%s %s",
		    rows[i].what, e.text);
		jws[4] ^= 1;
		eq_int(verify(keys, rows[i].alg, "", jws, &e), -1,
		    "another text");
		eq_str(e.text, "signature does not verify", "is not signed");
		jwks_free(keys);
	}
}

static const struct {
	const char *alg, *type, *param;
} algs[] = {
	{"RS256", "RSA", NULL}, {"RS384", "RSA", NULL},
	{"RS512", "RSA", NULL}, {"PS256", "RSA", NULL},
	{"PS384", "RSA", NULL}, {"PS512", "RSA", NULL},
	{"ES256", "EC", "P-256"}, {"ES384", "EC", "P-384"},
	{"ES512", "EC", "P-521"}, {"EdDSA", "ED25519", NULL},
};

enum { ALGS = sizeof algs / sizeof *algs };

/* RSA keys take their time: there are two. */
static EVP_PKEY *rsa[2];

static EVP_PKEY *
new_rsa(void)
{
	EVP_PKEY *key = rsa[1] == NULL ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA",
	    (size_t)2048) : rsa[1];

	rsa[1] = rsa[0];
	rsa[0] = key;
	assert(key != NULL && EVP_PKEY_up_ref(key) == 1);
	return key;
}

static EVP_PKEY *
new_key(size_t i)
{
	EVP_PKEY *key = NULL;

	if (str_eq(algs[i].type, "RSA"))
		return new_rsa();
	if (str_eq(algs[i].type, "EC"))
		key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", algs[i].param);
	else
		key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	assert(key != NULL);
	return key;
}

/* A set of the key with more members. */
static struct jwks *
publish(EVP_PKEY *key, const char *more)
{
	struct jwks *keys;
	struct buf text;
	struct error e;

	buf_init(&text, 1 << 16);
	buf_add_str(&text, "{\"keys\":[");
	signer_add_jwk(key, more, &text);
	buf_add_str(&text, "]}");
	keys = jwks_parse(buf_bytes(&text), &e);
	if (!ok(keys != NULL, "the key is taken"))
		printf("# %s\n", e.text);
	buf_reset(&text);
	return keys;
}

/* Whatever alg a token claims, it is only verified as the one that it is
 * signed with. */
static void
test_confusion(const struct jwks *keys, struct jws s, size_t own)
{
	static const char *const never[] = {"none", "None", "", "HS256",
	    "HS384", "HS512", "rs256", "RS256 ", "ES256K", "Ed25519", "EdDsa",
	    "SHA256"};
	struct error e;

	for (size_t i = 0; i < ALGS; i++) {
		s.alg = algs[i].alg;
		eq_int(jwks_verify(keys, &s, &e), i == own ? 0 : -1,
		    "%s as %s", algs[own].alg, s.alg);
		if (i == own)
			continue;
		eq_str(e.text, str_eq(algs[i].type, algs[own].type) &&
		    !str_eq(algs[i].type, "EC") ?
		    "signature does not verify" :
		    "signed with a key that is not known", "is refused");
	}
	for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
		s.alg = never[i];
		eq_int(jwks_verify(keys, &s, &e), -1, "as '%s'", never[i]);
		eq_str(e.text, "signed with an algorithm that is not "
		    "accepted", "is refused");
	}
}

/* Bits all over it, every prefix, and a byte more at either end. */
static void
test_changes(const struct jwks *keys, struct jws s)
{
	uint8_t copy[SIGNER_SIGNATURE_MAX + 1] = {0};
	size_t len = s.signature.len, good = 0;
	struct error e;

	memcpy(copy, s.signature.ptr, len);
	s.signature.ptr = copy;
	for (size_t bit = 0; bit < 8 * len; bit += 11) {
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		good += jwks_verify(keys, &s, &e) == 0;
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t n = 0; n <= len + 1; n++) {
		s.signature.len = n;
		good += n != len && jwks_verify(keys, &s, &e) == 0;
	}
	memmove(copy + 1, copy, len);
	copy[0] = 0;
	good += jwks_verify(keys, &s, &e) == 0;
	memset(copy, 0, sizeof copy);
	s.signature.len = len;
	good += jwks_verify(keys, &s, &e) == 0;
	eq_int(good, 0, "no other signature verifies as %s", s.alg);
}

static void
test_alg(size_t i)
{
	uint8_t signature[SIGNER_SIGNATURE_MAX];
	EVP_PKEY *key = new_key(i), *other = new_key(i);
	struct jwks *keys = publish(key, "");
	struct jws s = {algs[i].alg, "", bytes_cstr("what is signed"),
	    {NULL, 0}};
	struct error e;

	s.signature = bytes_of(signature, signer_sign(key, s.alg,
	    RSA_PSS_SALTLEN_DIGEST, s.text, signature));
	eq_int(jwks_verify(keys, &s, &e), 0, "%s", s.alg);
	test_confusion(keys, s, i);
	test_changes(keys, s);
	s.text.len--;
	eq_int(jwks_verify(keys, &s, &e), -1, "another text");
	s.text.len++;
	jwks_free(keys);
	keys = publish(other, "");
	eq_int(jwks_verify(keys, &s, &e), -1, "another key");
	eq_str(e.text, "signature does not verify", "did not sign it");
	jwks_free(keys);
	EVP_PKEY_free(other);
	EVP_PKEY_free(key);
}

/* RFC 7518 section 3.5. */
static void
test_salt(void)
{
	static const int lens[] = {0, 20, 31, 33};
	uint8_t signature[SIGNER_SIGNATURE_MAX];
	EVP_PKEY *key = new_key(0);
	struct jwks *keys = publish(key, "");
	struct jws s = {"PS256", "", bytes_cstr("x"), {NULL, 0}};
	struct error e;

	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
		s.signature = bytes_of(signature, signer_sign(key, s.alg,
		    lens[i], s.text, signature));
		eq_int(jwks_verify(keys, &s, &e), -1, "a salt of %d bytes",
		    lens[i]);
	}
	jwks_free(keys);
	EVP_PKEY_free(key);
}

/* RFC 8017 section 8.1.2: a signature is as long as the modulus, even where
 * the number is shorter. */
static void
test_short(void)
{
	uint8_t signature[SIGNER_SIGNATURE_MAX];
	EVP_PKEY *key = new_key(0);
	struct jwks *keys = publish(key, "");
	struct jws s = {"PS256", "", bytes_cstr("x"), {NULL, 0}};
	struct error e;
	size_t len;

	do
		len = signer_sign(key, s.alg, RSA_PSS_SALTLEN_DIGEST, s.text,
		    signature);
	while (signature[0] != 0);
	s.signature = bytes_of(signature, len);
	eq_int(jwks_verify(keys, &s, &e), 0, "a zero in front");
	s.signature = bytes_of(signature + 1, len - 1);
	eq_int(jwks_verify(keys, &s, &e), -1, "cannot be left out");
	jwks_free(keys);
	EVP_PKEY_free(key);
}

/* The signature as OpenSSL and X.509 write it. */
static void
test_der(void)
{
	uint8_t der[SIGNER_SIGNATURE_MAX];
	EVP_PKEY *key = new_key(6);
	struct jwks *keys = publish(key, "");
	struct jws s = {"ES256", "", bytes_cstr("x"), {NULL, 0}};
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	size_t len = sizeof der;
	struct error e;

	assert(EVP_DigestSignInit_ex(c, NULL, "SHA256", NULL, NULL, key,
	    NULL) == 1 && EVP_DigestSign(c, der, &len, s.text.ptr,
	    s.text.len) == 1);
	s.signature = bytes_of(der, len);
	eq_int(jwks_verify(keys, &s, &e), -1, "DER of %zu bytes", len);
	s.signature.len = 64;
	eq_int(jwks_verify(keys, &s, &e), -1, "and cut to the right length");
	EVP_MD_CTX_free(c);
	jwks_free(keys);
	EVP_PKEY_free(key);
}

/* ---- which key ---- */

static const char ed_jws[] = "eyJhbGciOiJFZERTQSJ9."
    "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylG"
    "jg5BhVsPt9g7sVvpAr_MuM0KAg";

static void
test_ids(void)
{
	static const char unknown[] = "signed with a key that is not known";
	struct jwks *keys;
	struct error e;

	parse_one(OKP "\"x\":\"" Y256 "\",\"kid\":\"a\"},{" ED_KEY
	    ",\"kid\":\"\\u0062\"},{" P256_KEY ",\"kid\":\"c\"", &keys, &e);
	eq_int(verify(keys, "EdDSA", "b", ed_jws, &e), 0, "its id");
	eq_int(verify(keys, "EdDSA", "", ed_jws, &e), 0, "no id");
	eq_int(verify(keys, "EdDSA", "a", ed_jws, &e), -1, "another's");
	eq_str(e.text, "signature does not verify", "does not verify");
	eq_int(verify(keys, "EdDSA", "c", ed_jws, &e), -1, "another kind's");
	eq_str(e.text, unknown, "is no key for it");
	eq_int(verify(keys, "EdDSA", "B", ed_jws, &e), -1, "nobody's");
	eq_str(e.text, unknown, "is not known");
	jwks_free(keys);
	parse_one(ED_KEY, &keys, &e);
	eq_int(verify(keys, "EdDSA", "b", ed_jws, &e), -1, "an id and a key "
	    "without one");
	eq_str(e.text, unknown, "do not meet");
	jwks_free(keys);
	parse_one(OKP "\"x\":\"" Y256 "\",\"kid\":\"a\"},{" ED_KEY
	    ",\"kid\":\"a\"", &keys, &e);
	eq_int(verify(keys, "EdDSA", "a", ed_jws, &e), 0, "two with one id");
	jwks_free(keys);
	parse_one(RSA_KEY ",\"alg\":\"RS512\"", &keys, &e);
	eq_int(verify(keys, "RS256", "", "a.b.AA", &e), -1, "a key of RS512");
	eq_str(e.text, unknown, "is none of RS256");
	jwks_free(keys);
}

static void
test_tries(void)
{
	struct buf members;
	struct jwks *keys;
	struct error e;

	buf_init(&members, 1 << 16);
	for (int others = JWKS_TRIES_MAX - 1; others <= JWKS_TRIES_MAX;
	    others++) {
		buf_clear(&members);
		for (int i = 0; i < others; i++)
			buf_add_str(&members, OKP "\"x\":\"" Y256 "\"},{");
		buf_add(&members, bytes_of(ED_KEY, sizeof ED_KEY));
		parse_one((const char *)buf_bytes(&members).ptr, &keys, &e);
		eq_int(verify(keys, "EdDSA", "", ed_jws, &e),
		    others < JWKS_TRIES_MAX ? 0 : -1, "after %d others",
		    others);
		jwks_free(keys);
	}
	eq_str(e.text, "more than 16 keys could have signed it", "it ends");
	buf_reset(&members);
}

int
main(void)
{
	test_sets();
	test_left_out();
	test_secrets();
	test_malformed();
	test_points();
	test_rsa_limits();
	test_limits();
	test_vectors();
	for (size_t i = 0; i < ALGS; i++)
		test_alg(i);
	test_salt();
	test_short();
	test_der();
	test_ids();
	test_tries();
	jwks_free(NULL);
	EVP_PKEY_free(rsa[0]);
	EVP_PKEY_free(rsa[1]);
	return test_done();
}
