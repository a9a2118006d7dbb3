/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/gate_target.h"

#include <arpa/inet.h>

enum { SHOWN_MAX = 4, IP_LEN = 16 };

static const uint8_t v4_prefix[12] = {[10] = 0xff, 0xff};

/* A made-up address stands for the name that it was given to. */
static void
map_back(struct gate_target *t, const struct gate_fakes *fakes)
{
	const char *name = gate_fake_name(fakes, t->ip);

	if (name != NULL)
		str_format(t->name, sizeof t->name, "%s", name);
}

int
gate_target_parse(struct bytes host, uint16_t port,
    const struct gate_fakes *fakes, struct gate_target *ret, struct error *e)
{
	char text[ALLOW_HOST_MAX + 2];

	memset(ret, 0, sizeof *ret);
	ret->port = port;
	if (str_from_bytes(text, sizeof text, host) == 0 &&
	    allow_parse_ip(text, ret->ip) == 0) {
		map_back(ret, fakes);
		return 0;
	}
	return allow_canonical(host, ret->name, e);
}

void
gate_target_from_address(const struct sockaddr *a,
    const struct gate_fakes *fakes, struct gate_target *ret)
{
	memset(ret, 0, sizeof *ret);
	if (a->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)a;

		memcpy(ret->ip, v4_prefix, sizeof v4_prefix);
		memcpy(ret->ip + sizeof v4_prefix, &v4->sin_addr, 4);
		ret->port = be16toh(v4->sin_port);
	} else if (a->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)a;

		memcpy(ret->ip, &v6->sin6_addr, IP_LEN);
		ret->port = be16toh(v6->sin6_port);
	}
	map_back(ret, fakes);
}

const char *
gate_target_host(const struct gate_target *t,
    char out[static ALLOW_HOST_MAX + 1])
{
	bool v4 = memcmp(t->ip, v4_prefix, sizeof v4_prefix) == 0;

	if (t->name[0] != '\0')
		str_format(out, ALLOW_HOST_MAX + 1, "%s", t->name);
	else
		inet_ntop(v4 ? AF_INET : AF_INET6, v4 ?
		    t->ip + sizeof v4_prefix : t->ip, out, ALLOW_HOST_MAX);
	return out;
}

/* Whether an entry has the host and only the port is another. */
static bool
has_other_port(const struct gate_target *t, const struct policy *p)
{
	if (t->name[0] != '\0')
		return gate_target_is_known(t->name, p);
	for (size_t i = 0; i < p->allow_count; i++) {
		uint16_t port = p->allow[i].port;

		if (port != 0 && allow_find_ip(p, t->ip, port) != NULL)
			return true;
	}
	return false;
}

/* Says why not, and what would be allowed. */
static void
refuse(const struct gate_target *t, const struct policy *p,
    struct gate_verdict *ret)
{
	char list[GATE_REASON_MAX] = "", entry[ALLOW_TEXT_MAX];
	size_t len = 0;

	for (size_t i = 0; i < p->allow_count && i < SHOWN_MAX; i++) {
		allow_format(&p->allow[i], entry);
		if (len + strlen(entry) + 80 > sizeof list)
			break;
		str_format(list + len, sizeof list - len, "%s%s",
		    i == 0 ? "" : ", ", entry);
		len += strlen(list + len);
	}
	if (p->allow_count > SHOWN_MAX)
		str_format(list + len, sizeof list - len, ", ...");
	if (p->allow_count == 0)
		str_format(ret->reason, sizeof ret->reason,
		    "the allow list is empty");
	else
		str_format(ret->reason, sizeof ret->reason,
		    "%s the allow list (%s)", has_other_port(t, p) ?
		    "the port is not in" : "not in", list);
}

void
gate_target_decide(const struct gate_target *t, const struct policy *p,
    struct gate_verdict *ret)
{
	const struct policy_allow *a = t->name[0] != '\0' ?
	    allow_find_name(p, t->name, t->port) :
	    allow_find_ip(p, t->ip, t->port);

	memset(ret, 0, sizeof *ret);
	if (a == NULL) {
		refuse(t, p, ret);
		return;
	}
	ret->allowed = true;
	/* An address has no name that a certificate or Host could be held
	 * against: the range is what was granted. */
	ret->opaque = a->opaque || t->name[0] == '\0';
	allow_format(a, ret->rule);
}

bool
gate_target_is_known(const char *name, const struct policy *p)
{
	enum { ANY_NAME_PORT = 443 };

	for (size_t i = 0; i < p->allow_count; i++) {
		uint16_t port = p->allow[i].port;

		if (allow_find_name(p, name, port != 0 ? port :
		    ANY_NAME_PORT) != NULL)
			return true;
	}
	return false;
}

/* The ranges of the list that have the port. */
static void
grant(struct guard *g, const struct policy *p, uint16_t port)
{
	guard_init(g);
	g->mode = GUARD_PUBLIC;
	for (size_t i = 0; i < p->allow_count; i++) {
		const struct policy_allow *a = &p->allow[i];
		struct guard_range *r = &g->ranges[g->count];

		if (a->kind != ALLOW_RANGE || g->count == GUARD_RANGES_MAX ||
		    (a->port != 0 && a->port != port))
			continue;
		memcpy(r->ip, a->ip, IP_LEN);
		r->bits = a->bits;
		g->count++;
	}
}

size_t
gate_target_guard(const struct gate_target *t, const struct policy *p,
    struct sock_addr *addrs, size_t count, struct error *e)
{
	struct guard g;
	size_t kept = 0;

	grant(&g, p, t->port);
	error_set(e, "no address");
	for (size_t i = 0; i < count; i++) {
		if (guard_check(&g, &addrs[i].any, e) == 0)
			addrs[kept++] = addrs[i];
	}
	return kept;
}

const char *
gate_target_sentence(const struct gate_target *t,
    const struct gate_verdict *v, char out[static GATE_SENTENCE_MAX])
{
	char host[ALLOW_HOST_MAX + 1];
	bool v6;

	gate_target_host(t, host);
	v6 = strchr(host, ':') != NULL;
	str_format(out, GATE_SENTENCE_MAX, "%s%s%s:%u is refused by the "
	    "sandbox: %s; do not try other ways to reach it.", v6 ? "[" : "",
	    host, v6 ? "]" : "", t->port, v->reason);
	return out;
}
