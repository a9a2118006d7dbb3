/* SPDX-License-Identifier: ISC */
#include "common/jwt.h"

#include "common/base64.h"
#include "common/field.h"
#include "common/jsonr.h"
#include "common/str.h"

enum {
	ALG_MAX = 16,
	TYPE_MAX = 32,
};

/* The end of the year 9999: no time in milliseconds is before it. */
#define TIME_MAX_S 253402300799

/* ---- objects ---- */

/* An object whose members have different names, however they are spelt, and
 * are not too many to look for that. */
static int
check_members(struct jsonr object, size_t max, struct error *e)
{
	struct jsonr_iter i;
	struct jsonr key, v;
	struct buf name;
	size_t count = 0;
	int r = 0;

	buf_init(&name, object.text.len);
	jsonr_iter_init(&i, object);
	while (r == 0 && jsonr_next(&i, &key, &v)) {
		buf_clear(&name);
		if (++count > max)
			r = error_set(e, "more than %zu members", max);
		else if (jsonr_add_str(key, &name) != 0 ||
		    buf_add(&name, bytes_of("", 1)) != 0)
			r = error_set(e, "out of memory");
		else if (strlen((const char *)buf_bytes(&name).ptr) + 1 !=
		    buf_len(&name))
			r = error_set(e, "a NUL in a name");
		else if (jsonr_get(object, (const char *)buf_bytes(&name).ptr,
		    &v, e) != 1)
			r = error_set(e, "a member that is given twice");
	}
	buf_reset(&name);
	return r;
}

/* Decodes a part of a token into out, where *ret then lies. */
static int
open_object(struct bytes part, size_t max, struct buf *out,
    struct jsonr *ret, struct error *e)
{
	if (base64_decode(part, BASE64_URL, out) != 0)
		return error_set(e, "not base64url");
	return jsonr_parse_object(buf_bytes(out), ret, e) != 0 ? -1 :
	    check_members(*ret, max, e);
}

/* ---- the header ---- */

struct header {
	char alg[ALG_MAX];
	char kid[JWKS_KID_MAX + 1];
};

/* RFC 9068 section 2.1, and what is older than it.  A token that says that it
 * is of another type is not for access (RFC 8725 section 3.11). */
static bool
is_access_token(struct jsonr header)
{
	static const char *const types[] = {"JWT", "at+jwt",
	    "application/at+jwt"};
	char type[TYPE_MAX];
	struct error e;
	int r = jsonr_get_str(header, "typ", type, sizeof type, &e);

	if (r != 1)
		return r == 0;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		if (str_eq_nocase(type, types[i]))
			return true;
	}
	return false;
}

static int
read_header(struct jsonr v, struct header *ret, struct error *e)
{
	struct jsonr crit;

	if (jsonr_get(v, "crit", &crit, e) != 0)
		return error_set(e, "critical extensions are not known");
	if (!is_access_token(v))
		return error_set(e, "another type of token");
	/* What is no name is "", which no algorithm has. */
	if (jsonr_get_str(v, "alg", ret->alg, sizeof ret->alg, e) != 1)
		ret->alg[0] = '\0';
	return jsonr_get_str(v, "kid", ret->kid, sizeof ret->kid, e) == -1 ?
	    -1 : 0;
}

/* ---- claims ---- */

static bool
is_for(struct jsonr claims, const char *audience)
{
	struct jsonr_iter i;
	struct jsonr aud, v;
	struct error e;

	if (jsonr_get(claims, "aud", &aud, &e) != 1)
		return false;
	if (aud.kind != JSONR_ARRAY)
		return jsonr_eq_str(aud, audience);
	jsonr_iter_init(&i, aud);
	while (jsonr_next(&i, NULL, &v)) {
		if (jsonr_eq_str(v, audience))
			return true;
	}
	return false;
}

/* Returns 1, 0 if it is absent, -1 with a text. */
static int
get_time(struct jsonr claims, const char *key, int64_t *ret, struct error *e)
{
	struct jsonr v;

	if (jsonr_get(claims, key, &v, e) != 1)
		return 0;
	return jsonr_trunc(v, 0, TIME_MAX_S, ret) == 0 ? 1 :
	    error_set(e, "%s: not a time", key);
}

static int
check_times(struct jsonr claims, const struct jwt_expect *want,
    int64_t *ret_expires_s, struct error *e)
{
	int64_t exp = 0, nbf = 0, iat = 0;
	int r = get_time(claims, "exp", &exp, e);

	if (r != 1)
		return r == -1 ? -1 : error_set(e, "exp: missing");
	if (get_time(claims, "nbf", &nbf, e) == -1 ||
	    get_time(claims, "iat", &iat, e) == -1)
		return -1;
	if (want->now_s - want->leeway_s >= exp)
		return error_set(e, "expired");
	if (want->now_s + want->leeway_s < nbf)
		return error_set(e, "not valid yet");
	if (want->now_s + want->leeway_s < iat)
		return error_set(e, "issued in the future");
	*ret_expires_s = exp;
	return 0;
}

/* A name that can stand in a line of a log.  Returns 1, 0 if it is absent or
 * "", -1 with a text. */
static int
get_name(struct jsonr claims, const char *key,
    char out[static JWT_NAME_MAX + 1], struct error *e)
{
	if (jsonr_get_str(claims, key, out, JWT_NAME_MAX + 1, e) == -1)
		return -1;
	if (!field_is_text(bytes_cstr(out)))
		return error_set(e, "%s: control characters", key);
	return out[0] != '\0';
}

/* RFC 6749 section 3.3. */
static bool
is_scope_byte(uint8_t b)
{
	return b > ' ' && b < 0x7f && b != '"' && b != '\\';
}

/* Appends the words of a string to out, each with a space in front. */
static int
add_words(struct jsonr v, struct buf *out, struct error *e)
{
	struct buf text;
	bool in_word = false, good;

	buf_init(&text, JWT_SCOPE_MAX);
	good = v.kind == JSONR_STRING && jsonr_add_str(v, &text) == 0;
	for (size_t i = 0; good && i < buf_len(&text); i++) {
		uint8_t b = buf_bytes(&text).ptr[i];

		if (b != ' ' && !in_word)
			good = buf_add_str(out, " ") == 0;
		in_word = b != ' ';
		if (in_word)
			good = good && is_scope_byte(b) &&
			    buf_add(out, bytes_of(&b, 1)) == 0;
	}
	buf_reset(&text);
	return good ? 0 : error_set(e, "scope: no words of at most %d bytes",
	    JWT_SCOPE_MAX);
}

/* Some authorization servers say scp, and write a list as an array. */
static int
read_scope(struct jsonr claims, char out[static JWT_SCOPE_MAX + 1],
    struct error *e)
{
	struct jsonr scope, word;
	struct jsonr_iter i;
	struct buf words;
	int r = 0;

	out[0] = '\0';
	if (jsonr_get(claims, "scope", &scope, e) != 1 &&
	    jsonr_get(claims, "scp", &scope, e) != 1)
		return 0;
	buf_init(&words, JWT_SCOPE_MAX + 1);
	jsonr_iter_init(&i, scope);
	if (scope.kind != JSONR_ARRAY)
		r = add_words(scope, &words, e);
	while (r == 0 && jsonr_next(&i, NULL, &word))
		r = add_words(word, &words, e);
	if (r == 0 && buf_len(&words) != 0)
		r = str_from_bytes(out, JWT_SCOPE_MAX + 1,
		    bytes_after(buf_bytes(&words), 1));
	buf_reset(&words);
	return r;
}

static int
read_claims(struct jsonr v, const struct jwt_expect *want,
    struct jwt_claims *ret, struct error *e)
{
	struct jsonr issuer;
	int r;

	if (jsonr_get(v, "iss", &issuer, e) != 1 ||
	    !jsonr_eq_str(issuer, want->issuer))
		return error_set(e, "another issuer");
	if (!is_for(v, want->audience))
		return error_set(e, "another audience");
	if (check_times(v, want, &ret->expires_s, e) != 0)
		return -1;
	r = get_name(v, "sub", ret->subject, e);
	if (r != 1)
		return r == -1 ? -1 : error_set(e, "sub: missing");
	/* What authorization servers of OpenID Connect call it. */
	r = get_name(v, "client_id", ret->client_id, e);
	if (r == 0)
		r = get_name(v, "azp", ret->client_id, e);
	return r == -1 ? -1 : read_scope(v, ret->scope, e);
}

/* ---- tokens ---- */

struct token {
	struct bytes header, claims, signature; /* in base64url */
	struct bytes text;                      /* that was signed */
};

static bool
take_part(struct bytes *in, struct bytes *ret)
{
	const uint8_t *dot = in->len == 0 ? NULL :
	    memchr(in->ptr, '.', in->len);

	if (dot == NULL)
		return false;
	*ret = bytes_of(in->ptr, (size_t)(dot - in->ptr));
	*in = bytes_after(*in, ret->len + 1);
	return true;
}

static int
split(struct bytes in, struct token *ret, struct error *e)
{
	struct bytes rest = in, more;

	if (in.len > JWT_TOKEN_MAX)
		return error_set(e, "longer than %d bytes", JWT_TOKEN_MAX);
	if (!take_part(&rest, &ret->header) ||
	    !take_part(&rest, &ret->claims))
		return error_set(e, "not three parts");
	ret->signature = rest;
	if (take_part(&rest, &more))
		return error_set(e, "not three parts");
	ret->text = bytes_of(in.ptr,
	    ret->header.len + 1 + ret->claims.len);
	return 0;
}

static int
verify_signature(const struct jwks *keys, const struct token *t,
    const struct header *h, struct error *e)
{
	struct jws s = {.alg = h->alg, .kid = h->kid, .text = t->text};
	struct buf signature;
	int r;

	buf_init(&signature, JWT_TOKEN_MAX);
	if (base64_decode(t->signature, BASE64_URL, &signature) != 0) {
		r = error_set(e, "signature: not base64url");
	} else {
		s.signature = buf_bytes(&signature);
		r = jwks_verify(keys, &s, e);
	}
	buf_reset(&signature);
	return r;
}

static int
parse_header(struct bytes part, struct header *ret, struct error *e)
{
	struct buf text;
	struct jsonr v;
	int r = -1;

	buf_init(&text, JWT_TOKEN_MAX);
	if (open_object(part, JWT_HEADER_MEMBERS_MAX, &text, &v, e) == 0)
		r = read_header(v, ret, e);
	buf_reset(&text);
	return r == 0 ? 0 : error_prefix(e, "header");
}

static int
parse_claims(struct bytes part, const struct jwt_expect *want,
    struct jwt_claims *ret, struct error *e)
{
	struct buf text;
	struct jsonr v;
	int r;

	buf_init(&text, JWT_TOKEN_MAX);
	if (open_object(part, JWT_CLAIMS_MAX, &text, &v, e) != 0)
		r = error_prefix(e, "claims");
	else
		r = read_claims(v, want, ret, e);
	buf_reset(&text);
	return r;
}

int
jwt_verify(const struct jwks *keys, struct bytes token,
    const struct jwt_expect *want, struct jwt_claims *ret, struct error *e)
{
	struct jwt_claims claims;
	struct header header;
	struct token t;

	if (split(token, &t, e) != 0 ||
	    parse_header(t.header, &header, e) != 0 ||
	    verify_signature(keys, &t, &header, e) != 0 ||
	    parse_claims(t.claims, want, &claims, e) != 0)
		return -1;
	*ret = claims;
	return 0;
}

bool
jwt_has_scope(const struct jwt_claims *c, const char *scope)
{
	size_t len = strlen(scope);

	for (const char *word = c->scope; *word != '\0';) {
		size_t n = strcspn(word, " ");

		if (n == len && memcmp(word, scope, n) == 0)
			return true;
		word += n;
		word += strspn(word, " ");
	}
	return false;
}
