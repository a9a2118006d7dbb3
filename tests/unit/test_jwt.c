/* SPDX-License-Identifier: ISC */
/* Tokens: everything that one may be refused for, each by a token that is
 * signed and right but for that. */
#include "common/jwt.h"
#include "tests/signer.h"
#include "tests/unit/test.h"

#define ISSUER "https://id.example"
#define AUDIENCE "https://docs.example/mcp"
#define NOW_S 1700000000
#define HEADER "{\"alg\":\"EdDSA\"}"
#define HERE "\"iss\":\"" ISSUER "\",\"aud\":\"" AUDIENCE "\""
#define LASTS "\"exp\":1700000100"
#define CLAIMS HERE "," LASTS ",\"sub\":\"alice\""

static EVP_PKEY *key;
static struct jwks *keys;
static const struct jwt_expect want = {ISSUER, AUDIENCE, NOW_S, JWT_LEEWAY_S};
static const struct jwt_claims unset = {.subject = "unset"};

static int
verify(struct bytes token, struct jwt_claims *ret, struct error *e)
{
	struct test_guard g;
	int r;

	*ret = unset;
	e->text[0] = '\0';
	r = jwt_verify(keys, test_guard_new(&g, token), &want, ret, e);
	test_guard_free(&g);
	return r;
}

static int
verify_signed(struct bytes header, struct bytes claims,
    struct jwt_claims *ret, struct error *e)
{
	struct buf token;
	int r;

	buf_init(&token, 1 << 17);
	signer_add_token(key, "EdDSA", header, claims, &token);
	r = verify(buf_bytes(&token), ret, e);
	buf_reset(&token);
	return r;
}

static void
token_refused(const char *token, const char *text)
{
	struct jwt_claims c;
	struct error e;

	eq_int(verify(bytes_cstr(token), &c, &e), -1, "'%.60s'", token);
	eq_str(e.text, text, "is refused");
	ok(memcmp(&c, &unset, sizeof c) == 0, "and nothing is written");
}

static void
refused(const char *header, const char *claims, const char *text)
{
	struct jwt_claims c;
	struct error e;

	eq_int(verify_signed(bytes_cstr(header), bytes_cstr(claims), &c, &e),
	    -1, "%.60s %.100s", header, claims);
	eq_str(e.text, text, "is refused");
	ok(memcmp(&c, &unset, sizeof c) == 0, "and nothing is written");
}

static void
taken(const char *header, const char *claims, struct jwt_claims *ret)
{
	struct error e;

	eq_int(verify_signed(bytes_cstr(header), bytes_cstr(claims), ret, &e),
	    0, "%.60s %.100s is taken %s", header, claims, e.text);
}

/* ---- the parts ---- */

static void
test_taken(void)
{
	struct jwt_claims c;

	taken(HEADER, "{" CLAIMS "}", &c);
	eq_str(c.subject, "alice", "its subject");
	eq_str(c.client_id, "", "no client");
	eq_str(c.scope, "", "no scope");
	eq_int(c.expires_s, 1700000100, "its end");
	taken(" { \"typ\" : \"at+jwt\" , \"alg\" : \"EdDSA\" , \"kid\" : \"one\", "
	    "\"x\":[{}] }\n", " {" CLAIMS ",\"client_id\":\"app\",\"azp\":\"b\","
	    "\"scope\":\"read write\",\"nbf\":1700000000,\"iat\":1700000000,"
	    "\"jti\":\"1\",\"more\":{\"sub\":\"bob\"}} ", &c);
	eq_str(c.subject, "alice", "its subject");
	eq_str(c.client_id, "app", "its client");
	eq_str(c.scope, "read write", "its scope");
}

/* The same characters in all other ways that a base64url decoder could be
 * lenient about. */
static void
test_shape(void)
{
	static const char shape[] = "not three parts";
	static const char *const none[] = {"", ".", "a", "a.b", "a.b.c.d",
	    "....", "...", "a.b.c.d.e", "Bearer"};

	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		token_refused(none[i], shape);
	token_refused("..", "header: JSON ends early");
	token_refused("e30=.e30.AA", "header: not base64url");
	token_refused("e31.e30.AA", "header: not base64url");
	token_refused("e3.e30.AA", "header: not base64url");
	token_refused(" e30.e30.AA", "header: not base64url");
	token_refused("e30.e30.AA", "signed with an algorithm that is not "
	    "accepted");
	/* {"alg":"none"}, with and without a signature. */
	token_refused("eyJhbGciOiJub25lIn0.e30.", "signed with an algorithm "
	    "that is not accepted");
	token_refused("eyJhbGciOiJub25lIn0.e30.AA", "signed with an "
	    "algorithm that is not accepted");
	token_refused("eyJhbGciOiJFZERTQSJ9.e30.", "signature does not "
	    "verify");
	token_refused("eyJhbGciOiJFZERTQSJ9.e30.AB", "signature: not "
	    "base64url");
	token_refused("eyJhbGciOiJFZERTQSJ9.e30.AA==", "signature: not "
	    "base64url");
	token_refused("eyJhbGciOiJFZERTQSJ9.e30.+/8", "signature: not "
	    "base64url");
}

/* Each byte of a token changed, and each prefix of it. */
static void
test_changes(void)
{
	struct jwt_claims c;
	struct error e;
	struct buf token;
	size_t len, good = 0;
	uint8_t *copy;

	buf_init(&token, 4096);
	signer_add_token(key, "EdDSA", bytes_cstr(HEADER),
	    bytes_cstr("{" CLAIMS "}"), &token);
	len = buf_len(&token);
	eq_int(verify(buf_bytes(&token), &c, &e), 0, "a token is taken");
	copy = buf_reserve(&token, 1) - len;
	for (size_t i = 0; i < len; i++) {
		for (unsigned bit = 1; bit < 256; bit <<= 1) {
			copy[i] ^= (uint8_t)bit;
			good += verify(bytes_of(copy, len), &c, &e) == 0;
			copy[i] ^= (uint8_t)bit;
		}
		good += verify(bytes_of(copy, i), &c, &e) == 0;
	}
	eq_int(good, 0, "with any bit changed, or cut, it is not");
	copy[len] = '=';
	eq_int(verify(bytes_of(copy, len + 1), &c, &e), -1, "padded");
	eq_str(e.text, "signature: not base64url", "neither");
	copy[len] = 'A';
	eq_int(verify(bytes_of(copy, len + 1), &c, &e), -1, "with more");
	buf_reset(&token);
}

/* The bytes of the public key as a shared secret, the old trick. */
static void
test_hmac(void)
{
	struct jwt_claims c;
	struct error e;
	struct buf token;
	uint8_t secret[32], mac[EVP_MAX_MD_SIZE];
	size_t secret_len = sizeof secret, len;

	buf_init(&token, 4096);
	signer_encode(bytes_cstr("{\"alg\":\"HS256\"}"), &token);
	buf_add_str(&token, ".");
	signer_encode(bytes_cstr("{" CLAIMS "}"), &token);
	assert(EVP_PKEY_get_raw_public_key(key, secret, &secret_len) == 1 &&
	    EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, secret, secret_len,
	    buf_bytes(&token).ptr, buf_len(&token), mac, sizeof mac,
	    &len) != NULL);
	buf_add_str(&token, ".");
	signer_encode(bytes_of(mac, len), &token);
	eq_int(verify(buf_bytes(&token), &c, &e), -1, "HS256");
	eq_str(e.text, "signed with an algorithm that is not accepted",
	    "is no signature");
	buf_reset(&token);
}

static void
test_length(void)
{
	struct jwt_claims c;
	struct error e;
	struct buf claims, token;

	buf_init(&claims, 1 << 16);
	buf_init(&token, 1 << 16);
	buf_add_str(&claims, "{" CLAIMS "}");
	while (buf_len(&token) < JWT_TOKEN_MAX) {
		buf_add_str(&claims, buf_len(&token) < JWT_TOKEN_MAX - 400 ?
		    "                                                  " : " ");
		buf_clear(&token);
		signer_add_token(key, "EdDSA", bytes_cstr(HEADER),
		    buf_bytes(&claims), &token);
	}
	eq_int(buf_len(&token), JWT_TOKEN_MAX, "a token of the longest");
	eq_int(verify(buf_bytes(&token), &c, &e), 0, "is taken %s", e.text);
	buf_add_str(&token, "A");
	eq_int(verify(buf_bytes(&token), &c, &e), -1, "a longer one");
	eq_str(e.text, "longer than 16384 bytes", "is not");
	buf_reset(&token);
	buf_reset(&claims);
}

/* ---- the header ---- */

static void
test_headers(void)
{
	static const char alg[] = "signed with an algorithm that is not "
	    "accepted";
	static const char twice[] = "header: a member that is given twice";
	static const char crit[] = "header: critical extensions are not known";

	refused("[]", "{" CLAIMS "}", "header: no object");
	refused("{}x", "{" CLAIMS "}",
	    "header: something after the JSON, at byte 2");
	refused("{}", "{" CLAIMS "}", alg);
	refused("{\"alg\":null}", "{" CLAIMS "}", alg);
	refused("{\"alg\":[\"EdDSA\"]}", "{" CLAIMS "}", alg);
	refused("{\"alg\":\"EdDSA\\u0000\"}", "{" CLAIMS "}", alg);
	refused("{\"alg\":\"EdDSAEdDSAEdDSAEdDSA\"}", "{" CLAIMS "}", alg);
	refused("{\"alg\":\"eddsa\"}", "{" CLAIMS "}", alg);
	refused("{\"alg\":\"EdDSA\",\"alg\":\"EdDSA\"}", "{" CLAIMS "}", twice);
	refused("{\"alg\":\"none\",\"al\\u0067\":\"EdDSA\"}", "{" CLAIMS "}",
	    twice);
	refused("{\"alg\":\"EdDSA\",\"x\":1,\"\\u0078\":1}", "{" CLAIMS "}",
	    twice);
	refused("{\"alg\":\"EdDSA\",\"\":1,\"\":1}", "{" CLAIMS "}", twice);
	refused("{\"alg\":\"EdDSA\",\"a\\u0000b\":1}", "{" CLAIMS "}",
	    "header: a NUL in a name");
	refused("{\"alg\":\"EdDSA\",\"crit\":[\"exp\"]}", "{" CLAIMS "}", crit);
	refused("{\"alg\":\"EdDSA\",\"crit\":null}", "{" CLAIMS "}", crit);
	refused("{\"alg\":\"EdDSA\",\"crit\":[\"b64\"],\"b64\":false}",
	    "{" CLAIMS "}", crit);
	refused("{\"alg\":\"EdDSA\",\"kid\":1}", "{" CLAIMS "}",
	    "header: kid: no string");
	refused("{\"alg\":\"EdDSA\",\"kid\":\"two\"}", "{" CLAIMS "}",
	    "signed with a key that is not known");
	refused("{\"alg\":\"ES256\"}", "{" CLAIMS "}",
	    "signed with a key that is not known");
}

static void
test_types(void)
{
	static const char *const good[] = {"JWT", "jwt", "at+jwt", "AT+JWT",
	    "application/at+jwt", "Application/At+Jwt", "at\\u002bjwt"};
	static const char *const bad[] = {"", "JOSE", "id_token", "dpop+jwt",
	    "logout+jwt", "application/jwt", "application/", "at+jwt ",
	    "application/at+jwt;x=1", "JWT\\u0000",
	    "application/application/at+jwt"};
	struct jwt_claims c;
	char header[128];

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		str_format(header, sizeof header, "{\"typ\":\"%s\","
		    "\"alg\":\"EdDSA\"}", good[i]);
		taken(header, "{" CLAIMS "}", &c);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		str_format(header, sizeof header, "{\"typ\":\"%s\","
		    "\"alg\":\"EdDSA\"}", bad[i]);
		refused(header, "{" CLAIMS "}",
		    "header: another type of token");
	}
	refused("{\"typ\":1,\"alg\":\"EdDSA\"}", "{" CLAIMS "}",
	    "header: another type of token");
}

/* An object of count members, the first of which are given. */
static void
format_members(const char *first, int first_count, int count, struct buf *out)
{
	buf_format(out, "{%s", first);
	for (int i = first_count; i < count; i++)
		buf_format(out, ",\"m%d\":0", i);
	buf_add_str(out, "}");
}

static void
test_members(void)
{
	struct jwt_claims c;
	struct error e;
	struct buf many;

	buf_init(&many, 1 << 16);
	for (int over = 0; over <= 1; over++) {
		buf_clear(&many);
		format_members("\"alg\":\"EdDSA\"", 1,
		    JWT_HEADER_MEMBERS_MAX + over, &many);
		eq_int(verify_signed(buf_bytes(&many), bytes_cstr("{" CLAIMS
		    "}"), &c, &e), -over, "%d over in the header", over);
	}
	eq_str(e.text, "header: more than 32 members", "is too many");
	for (int over = 0; over <= 1; over++) {
		buf_clear(&many);
		format_members(CLAIMS, 4, JWT_CLAIMS_MAX + over, &many);
		eq_int(verify_signed(bytes_cstr(HEADER), buf_bytes(&many), &c,
		    &e), -over, "%d over in the claims", over);
	}
	eq_str(e.text, "claims: more than 256 members", "is too many");
	buf_reset(&many);
}

static void
test_kid(void)
{
	struct jwt_claims c;
	char kid[JWKS_KID_MAX + 2], header[512];

	taken("{\"alg\":\"EdDSA\",\"kid\":\"o\\u006ee\"}", "{" CLAIMS "}", &c);
	memset(kid, 'k', sizeof kid);
	kid[JWKS_KID_MAX] = '\0';
	str_format(header, sizeof header, "{\"alg\":\"EdDSA\",\"kid\":\"%s\"}",
	    kid);
	refused(header, "{" CLAIMS "}", "signed with a key that is not known");
	kid[JWKS_KID_MAX] = 'k';
	kid[JWKS_KID_MAX + 1] = '\0';
	str_format(header, sizeof header, "{\"alg\":\"EdDSA\",\"kid\":\"%s\"}",
	    kid);
	refused(header, "{" CLAIMS "}", "header: kid: too long");
}

/* ---- claims ---- */

static void
test_claims(void)
{
	static const char twice[] = "claims: a member that is given twice";
	struct jwt_claims c;

	refused(HEADER, "", "claims: JSON ends early");
	refused(HEADER, "[]", "claims: no object");
	refused(HEADER, "\"e30\"", "claims: no object");
	refused(HEADER, "{" CLAIMS "}{}",
	    "claims: something after the JSON, at byte 92");
	refused(HEADER, "{" CLAIMS ",\"sub\":\"bob\"}", twice);
	refused(HEADER, "{" CLAIMS ",\"s\\u0075b\":\"bob\"}", twice);
	refused(HEADER, "{" CLAIMS ",\"x\":1,\"x\":1}", twice);
	refused(HEADER, "{" CLAIMS ",\"x\\u0000\":1}",
	    "claims: a NUL in a name");
	refused(HEADER, "{" CLAIMS ",\"x\":\"\xff\"}",
	    "claims: no JSON, or too deep, at byte 97");
	taken(HEADER, "{" CLAIMS ",\"x\":[[[{\"sub\":1,\"exp\":[]}]]]}", &c);
	taken(HEADER, "{" HERE "," LASTS ",\"s\\u0075b\":\"\\u0061lice\"}", &c);
	eq_str(c.subject, "alice", "escapes are read");
}

/* Brackets as many as a token has room for. */
static void
test_nesting(void)
{
	struct jwt_claims c;
	struct error e;
	struct buf claims;

	buf_init(&claims, 1 << 16);
	buf_add_str(&claims, "{" CLAIMS ",\"x\":");
	for (int i = 0; i < 10000; i++)
		buf_add_str(&claims, "[");
	eq_int(verify_signed(bytes_cstr(HEADER), buf_bytes(&claims), &c, &e),
	    -1, "a nest of brackets");
	ok(str_starts(e.text, "claims: no JSON, or too deep"), "is too deep");
	eq_int(verify_signed(buf_bytes(&claims), bytes_cstr("{}"), &c, &e),
	    -1, "in the header");
	ok(str_starts(e.text, "header: no JSON, or too deep"), "as well");
	buf_reset(&claims);
}

static void
test_issuer_and_audience(void)
{
	static const char *const issuers[] = {"\"\"", "\"" ISSUER "/\"",
	    "\"https://ID.example\"", "\"https://id.exampl\"", "null", "1",
	    "[\"" ISSUER "\"]", "\"" ISSUER "\\u0000\""};
	static const char *const bad[] = {"\"\"", "\"" AUDIENCE "/\"", "null",
	    "[]", "[\"a\",\"b\"]", "[[\"" AUDIENCE "\"]]", "1",
	    "{\"" AUDIENCE "\":1}", "{\"a\":\"" AUDIENCE "\"}",
	    "\"a " AUDIENCE "\"", "\"" ISSUER "\""};
	static const char *const good[] = {"\"" AUDIENCE "\"",
	    "[\"" AUDIENCE "\"]", "[\"a\",1,\"" AUDIENCE "\"]",
	    "\"https:\\/\\/docs.example\\/mcp\""};
	struct jwt_claims c;
	char claims[512];

	refused(HEADER, "{\"aud\":\"" AUDIENCE "\"," LASTS ",\"sub\":\"a\"}",
	    "another issuer");
	refused(HEADER, "{\"iss\":\"" ISSUER "\"," LASTS ",\"sub\":\"a\"}",
	    "another audience");
	for (size_t i = 0; i < sizeof issuers / sizeof *issuers; i++) {
		str_format(claims, sizeof claims, "{\"iss\":%s,\"aud\":\""
		    AUDIENCE "\"," LASTS ",\"sub\":\"a\"}", issuers[i]);
		refused(HEADER, claims, "another issuer");
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		str_format(claims, sizeof claims, "{\"iss\":\"" ISSUER "\","
		    "\"aud\":%s," LASTS ",\"sub\":\"a\"}", bad[i]);
		refused(HEADER, claims, "another audience");
	}
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		str_format(claims, sizeof claims, "{\"iss\":\"" ISSUER "\","
		    "\"aud\":%s," LASTS ",\"sub\":\"a\"}", good[i]);
		taken(HEADER, claims, &c);
	}
}

static void
test_times(void)
{
	static const struct {
		const char *times, *text; /* NULL: taken */
	} rows[] = {
		{"\"exp\":1699999941", NULL},
		{"\"exp\":1699999941.99", NULL},
		{"\"exp\":1.699999941e9", NULL},
		{"\"exp\":1699999940", "expired"},
		{"\"exp\":1699999940.99", "expired"},
		{"\"exp\":0", "expired"},
		{"\"exp\":253402300799", NULL},
		{"\"exp\":253402300800", "exp: not a time"},
		{"\"exp\":1700000100000", "exp: not a time"},
		{"\"exp\":1e400", "exp: not a time"},
		{"\"exp\":1e99999999999999999999", "exp: not a time"},
		{"\"exp\":9223372036854775808", "exp: not a time"},
		{"\"exp\":-1", "exp: not a time"},
		{"\"exp\":\"1700000100\"", "exp: not a time"},
		{"\"exp\":null", "exp: not a time"},
		{"\"exp\":true", "exp: not a time"},
		{"\"exp\":[1700000100]", "exp: not a time"},
		{"\"exp\":Infinity",
		    "claims: no JSON, or too deep, at byte 67"},
		{"\"Exp\":1700000100", "exp: missing"},
		{LASTS ",\"nbf\":1700000060", NULL},
		{LASTS ",\"nbf\":1700000060.5", NULL},
		{LASTS ",\"nbf\":1700000061", "not valid yet"},
		{LASTS ",\"nbf\":\"0\"", "nbf: not a time"},
		{LASTS ",\"nbf\":1e20", "nbf: not a time"},
		{LASTS ",\"iat\":1700000060", NULL},
		{LASTS ",\"iat\":1700000061", "issued in the future"},
		{LASTS ",\"iat\":{}", "iat: not a time"},
		{LASTS ",\"iat\":0", NULL},
	};
	struct jwt_claims c;
	char claims[512];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		str_format(claims, sizeof claims, "{" HERE ",%s,\"sub\":"
		    "\"a\"}", rows[i].times);
		if (rows[i].text == NULL)
			taken(HEADER, claims, &c);
		else
			refused(HEADER, claims, rows[i].text);
	}
	taken(HEADER, "{" HERE ",\"exp\":1700000100.75,\"sub\":\"a\"}", &c);
	eq_int(c.expires_s, 1700000100, "a fraction is cut off");
}

static void
test_no_leeway(void)
{
	struct jwt_expect now = want;
	struct jwt_claims c;
	struct buf token;
	struct error e;

	buf_init(&token, 4096);
	signer_add_token(key, "EdDSA", bytes_cstr(HEADER),
	    bytes_cstr("{" CLAIMS "}"), &token);
	now.leeway_s = 0;
	now.now_s = 1700000099;
	eq_int(jwt_verify(keys, buf_bytes(&token), &now, &c, &e), 0,
	    "the last second");
	now.now_s++;
	eq_int(jwt_verify(keys, buf_bytes(&token), &now, &c, &e), -1,
	    "the end");
	eq_str(e.text, "expired", "is no part of it");
	buf_reset(&token);
}

static void
test_names(void)
{
	static const char *const none[] = {"\"\"", "null"};
	struct jwt_claims c;
	char name[JWT_NAME_MAX + 2], claims[1024];

	refused(HEADER, "{" HERE "," LASTS "}", "sub: missing");
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		str_format(claims, sizeof claims, "{" HERE "," LASTS
		    ",\"sub\":%s}", none[i]);
		refused(HEADER, claims, "sub: missing");
	}
	refused(HEADER, "{" HERE "," LASTS ",\"sub\":7}", "sub: no string");
	refused(HEADER, "{" HERE "," LASTS ",\"sub\":\"a\\u0000\"}",
	    "sub: a NUL inside");
	refused(HEADER, "{" HERE "," LASTS ",\"sub\":\"a\\r\\nb: c\"}",
	    "sub: control characters");
	refused(HEADER, "{" HERE "," LASTS ",\"sub\":\"\\u007f\"}",
	    "sub: control characters");
	refused(HEADER, "{" CLAIMS ",\"client_id\":\"\\u001b[2J\"}",
	    "client_id: control characters");
	refused(HEADER, "{" CLAIMS ",\"client_id\":{}}",
	    "client_id: no string");
	refused(HEADER, "{" CLAIMS ",\"azp\":1}", "azp: no string");
	taken(HEADER, "{" CLAIMS ",\"azp\":\"b\"}", &c);
	eq_str(c.client_id, "b", "azp is the client");
	taken(HEADER, "{" CLAIMS ",\"client_id\":\"caf\\u00e9 \xe2\x82\xac\"}",
	    &c);
	eq_str(c.client_id, "caf\xc3\xa9 \xe2\x82\xac", "any letters");
	memset(name, 'n', sizeof name);
	for (size_t len = JWT_NAME_MAX; len <= JWT_NAME_MAX + 1; len++) {
		name[len] = '\0';
		str_format(claims, sizeof claims, "{" HERE "," LASTS
		    ",\"sub\":\"%s\"}", name);
		if (len == JWT_NAME_MAX) {
			taken(HEADER, claims, &c);
			eq_str(c.subject, name, "the longest");
		} else {
			refused(HEADER, claims, "sub: too long");
		}
		name[len] = 'n';
	}
}

/* ---- scopes ---- */

static void
scope_of(const char *members, const char *scope)
{
	struct jwt_claims c;
	char claims[512];

	str_format(claims, sizeof claims, "{" CLAIMS ",%s}", members);
	taken(HEADER, claims, &c);
	eq_str(c.scope, scope, "its scope");
}

static void
test_scope(void)
{
	static const char *const bad[] = {"1", "\"a\\nb\"", "\"a\\tb\"",
	    "\"a\\u0000\"", "\"a\\\"b\"", "\"a\\\\b\"", "\"caf\xc3\xa9\"",
	    "[1]", "[\"a\",null]", "[[\"a\"]]", "null", "{}", "true"};
	char claims[512];

	scope_of("\"scope\":\"\"", "");
	scope_of("\"scope\":\"  a   b  \"", "a b");
	scope_of("\"scope\":\"a:b/c.d~!\"", "a:b/c.d~!");
	scope_of("\"scope\":[\"a\",\"b c\",\"\"]", "a b c");
	scope_of("\"scope\":[]", "");
	scope_of("\"scp\":\"a b\"", "a b");
	scope_of("\"scp\":[\"a\",\"b\"]", "a b");
	scope_of("\"scp\":\"a\",\"scope\":\"b\"", "b");
	scope_of("\"scp\":1,\"scope\":\"b\"", "b");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		str_format(claims, sizeof claims, "{" CLAIMS ",\"scope\":%s}",
		    bad[i]);
		refused(HEADER, claims,
		    "scope: no words of at most 4096 bytes");
	}
}

static void
test_scope_length(void)
{
	struct jwt_claims c;
	struct error e;
	struct buf claims;

	buf_init(&claims, 1 << 16);
	for (int len = JWT_SCOPE_MAX; len <= JWT_SCOPE_MAX + 1; len++) {
		for (int array = 0; array <= 1; array++) {
			buf_clear(&claims);
			buf_format(&claims, "{" CLAIMS ",\"scope\":%s\"a%s%0*d\"%s}",
			    array ? "[" : "", array ? "\",\"" : " ", len - 2, 0,
			    array ? "]" : "");
			eq_int(verify_signed(bytes_cstr(HEADER),
			    buf_bytes(&claims), &c, &e),
			    len == JWT_SCOPE_MAX ? 0 : -1,
			    "%d bytes of scope", len);
		}
	}
	eq_str(e.text, "scope: no words of at most 4096 bytes",
	    "are too many");
	buf_reset(&claims);
}

static void
test_has_scope(void)
{
	struct jwt_claims c = {.scope = "read write:all x"};

	ok(jwt_has_scope(&c, "read"), "the first word");
	ok(jwt_has_scope(&c, "write:all"), "another");
	ok(jwt_has_scope(&c, "x"), "the last");
	ok(!jwt_has_scope(&c, "rea"), "not a part");
	ok(!jwt_has_scope(&c, "write"), "nor a beginning");
	ok(!jwt_has_scope(&c, "all"), "nor an end");
	ok(!jwt_has_scope(&c, "READ"), "case counts");
	ok(!jwt_has_scope(&c, ""), "nothing is none");
	ok(!jwt_has_scope(&c, "read write:all"), "nor are two");
	c.scope[0] = '\0';
	ok(!jwt_has_scope(&c, "read"), "no scope has none");
	ok(!jwt_has_scope(&c, ""), "not even nothing");
}

static void
set_up(void)
{
	struct buf text;
	struct error e;

	key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	assert(key != NULL);
	buf_init(&text, 4096);
	buf_add_str(&text, "{\"keys\":[");
	signer_add_jwk(key, ",\"kid\":\"one\"", &text);
	buf_add_str(&text, "]}");
	keys = jwks_parse(buf_bytes(&text), &e);
	assert(keys != NULL);
	buf_reset(&text);
}

int
main(void)
{
	set_up();
	test_taken();
	test_shape();
	test_changes();
	test_hmac();
	test_length();
	test_headers();
	test_types();
	test_members();
	test_kid();
	test_claims();
	test_nesting();
	test_issuer_and_audience();
	test_times();
	test_no_leeway();
	test_names();
	test_scope();
	test_scope_length();
	test_has_scope();
	jwks_free(keys);
	EVP_PKEY_free(key);
	return test_done();
}
