/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/admit.h"

#include "cmd/mcp-proxy/metadata.h"
#include "cmd/mcp-proxy/service.h"
#include "common/clock.h"
#include "common/field.h"
#include "common/io.h"
#include "common/str.h"

/* What there is of Authorization in a request. */
struct shown {
	struct http_field *field; /* NULL: none */
	struct bytes token;       /* len 0: no bearer token */
};

/* RFC 6750 section 2.1: "Bearer", spaces, and no more than the token. */
static struct bytes
bearer_of(struct bytes value)
{
	const struct bytes scheme = bytes_cstr("Bearer"), none = {NULL, 0};
	struct bytes rest;

	if (value.len <= scheme.len || value.ptr[scheme.len] != ' ' ||
	    !field_eq(bytes_of(value.ptr, scheme.len), scheme))
		return none;
	rest = bytes_after(value, scheme.len);
	while (rest.len != 0 && rest.ptr[0] == ' ')
		rest = bytes_after(rest, 1);
	return memchr(rest.ptr, ' ', rest.len) == NULL ? rest : none;
}

/* Of two that differ nobody knows which one counts. */
static struct shown
find_shown(struct http_head *h)
{
	struct shown s = {.field = NULL};
	size_t count = 0;

	for (size_t i = 0; i < h->field_count; i++) {
		if (!field_eq_str(h->fields[i].name, "authorization"))
			continue;
		s.field = &h->fields[i];
		count++;
	}
	if (count == 1)
		s.token = bearer_of(s.field->value);
	return s;
}

static const struct roster_agent *
find_known(const struct config_route *r, enum roster_kind kind,
    const struct credential *c)
{
	return r->service->roster == NULL ? NULL
	    : roster_find(kept_value(r->service->roster), kind, c);
}

static bool
admit_known(const struct config_route *r, enum roster_kind kind,
    const struct credential *c, struct admitted *ret)
{
	const struct roster_agent *a = find_known(r, kind, c);

	if (a == NULL)
		return false;
	*ret = (struct admitted){
		.by = ADMIT_FILE, .kind = kind, .credential = *c,
	};
	str_format(ret->name, sizeof ret->name, "%s", a->name);
	return true;
}

static bool
admit_token(const struct config_route *r, struct bytes token,
    struct admitted *ret)
{
	struct credential c = credential_of_token(token);

	return admit_known(r, ROSTER_TOKEN, &c, ret);
}

/* ---- refusals ---- */

/* RFC 6750 section 3, with what MCP's authorization asks for. */
static void
challenge(const struct config_route *r, const struct http_head *h,
    const char *error, struct failure *why)
{
	char url[REPLY_CHALLENGE_MAX / 2], metadata[sizeof url + 24] = "";
	char scope[REPLY_CHALLENGE_MAX / 4] = "";
	const struct config_agents *a = r->agents;

	if (a->issuer != NULL && metadata_url(url, sizeof url, h) == 0)
		str_format(metadata, sizeof metadata,
		    ", resource_metadata=\"%s\"", url);
	if (a->scope != NULL && str_format(scope, sizeof scope,
	    ", scope=\"%s\"", a->scope) != 0)
		scope[0] = '\0';
	str_format(why->challenge, sizeof why->challenge,
	    "Bearer realm=\"mcp-proxy\"%s%s%s", error, metadata, scope);
}

static int
refuse(const struct config_route *r, const struct http_head *h,
    const struct shown *s, const char *because, struct failure *why)
{
	if (s->token.len != 0)
		failure_set(why, 401, FRAME_UNAUTHORIZED, BLAME_CLIENT,
		    "the bearer token is not good: %s", because);
	else
		failure_set(why, 401, FRAME_UNAUTHORIZED, BLAME_CLIENT, "%s",
		    s->field != NULL ? "an Authorization that is no bearer "
		    "token" : "agents must show a bearer token or a client "
		    "certificate");
	challenge(r, h, s->field == NULL ? "" : ", error=\"invalid_token\"",
	    why);
	return -1;
}

static int
refuse_scope(const struct config_route *r, const struct http_head *h,
    struct failure *why)
{
	failure_set(why, 403, FRAME_UNAUTHORIZED, BLAME_CLIENT,
	    "the bearer token has not the scope %s", r->agents->scope);
	challenge(r, h, ", error=\"insufficient_scope\"", why);
	return -1;
}

/* ---- tokens that an issuer has signed ---- */

static int
admit_signed(const struct config_route *r, const struct http_head *h,
    const struct shown *s, struct admitted *ret, struct failure *why)
{
	const struct config_agents *a = r->agents;
	const struct jwt_expect want = {
		.issuer = a->issuer, .audience = a->audience,
		.now_s = clock_wall_s(), .leeway_s = JWT_LEEWAY_S,
	};
	struct jwt_claims claims;
	struct error e;

	if (jwt_verify(kept_value(r->service->keys), s->token, &want, &claims,
	    &e) != 0)
		return refuse(r, h, s, e.text, why);
	if (a->scope != NULL && !jwt_has_scope(&claims, a->scope))
		return refuse_scope(r, h, why);
	*ret = (struct admitted){
		.by = ADMIT_ISSUER, .expires_s = claims.expires_s,
	};
	memcpy(ret->name, claims.subject, sizeof ret->name);
	return 0;
}

static void *
read_keys(const char *path, struct error *e)
{
	struct jwks *keys = NULL;
	struct buf b;

	buf_init(&b, JWKS_TEXT_MAX);
	if (io_read_file(path, &b, e) == 0) {
		keys = jwks_parse(buf_bytes(&b), e);
		if (keys == NULL)
			error_prefix(e, "%s", path);
	}
	buf_reset(&b);
	return keys;
}

static void
free_keys(void *keys)
{
	jwks_free(keys);
}

const struct kept_kind admit_keys_kept = {"keys", read_keys, free_keys};

/* ---- */

/* By the bearer token alone. */
static int
admit_bearer(const struct config_route *r, const struct http_head *h,
    const struct shown *s, struct admitted *ret, struct failure *why)
{
	if (s->token.len == 0)
		return refuse(r, h, s, "", why);
	if (admit_token(r, s->token, ret))
		return 0;
	return r->agents->issuer != NULL ? admit_signed(r, h, s, ret, why)
	    : refuse(r, h, s, "not known here, or over", why);
}

int
admit(const struct config_route *r, const struct credential *cert,
    struct http_head *h, struct admitted *ret, struct failure *why)
{
	struct shown s;

	*ret = (struct admitted){.by = ADMIT_ANYBODY};
	if (r->agents == NULL ||
	    (cert != NULL && admit_known(r, ROSTER_CERT, cert, ret)))
		return 0;
	s = find_shown(h);
	if (admit_bearer(r, h, &s, ret, why) != 0)
		return -1;
	/* It is for us, and no server's to know. */
	s.field->role = HTTP_HOP;
	return 0;
}

bool
admit_is_same(const struct admitted *a, const struct admitted *b)
{
	return a->by == b->by && str_eq(a->name, b->name);
}

bool
admit_holds(const struct config_route *r, const struct admitted *a)
{
	switch (a->by) {
	case ADMIT_FILE:
		return find_known(r, a->kind, &a->credential) != NULL;
	case ADMIT_ISSUER:
		return clock_wall_s() < a->expires_s + JWT_LEEWAY_S;
	case ADMIT_ANYBODY:
		break;
	}
	return true;
}
