/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/admit.h"

#include "cmd/mcp-proxy/service.h"
#include "common/field.h"
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

static int
refuse(const struct shown *s, struct failure *why)
{
	failure_set(why, 401, FRAME_UNAUTHORIZED, BLAME_CLIENT, "%s",
	    s->token.len != 0 ? "the bearer token is not known or is over"
	    : s->field != NULL ? "an Authorization that is no bearer token"
	    : "agents must show a bearer token or a client certificate");
	str_format(why->challenge, sizeof why->challenge,
	    "Bearer realm=\"mcp-proxy\"%s",
	    s->field == NULL ? "" : ", error=\"invalid_token\"");
	return -1;
}

int
admit(const struct config_route *r, const struct credential *cert,
    struct http_head *h, struct admitted *ret, struct failure *why)
{
	struct credential token;
	struct shown s;

	*ret = (struct admitted){.by = ADMIT_ANYBODY};
	if (r->agents == NULL)
		return 0;
	if (cert != NULL && admit_known(r, ROSTER_CERT, cert, ret))
		return 0;
	s = find_shown(h);
	token = credential_of_token(s.token);
	if (s.token.len == 0 ||
	    !admit_known(r, ROSTER_TOKEN, &token, ret))
		return refuse(&s, why);
	/* It is for us, and no server's to know. */
	s.field->role = HTTP_HOP;
	return 0;
}

bool
admit_holds(const struct config_route *r, const struct admitted *a)
{
	return a->by != ADMIT_FILE ||
	    find_known(r, a->kind, &a->credential) != NULL;
}
