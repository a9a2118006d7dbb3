/* SPDX-License-Identifier: ISC */
#include "cmd/tunnel-edge/table.h"

#include <assert.h>
#include <stdlib.h>

#include "common/str.h"

enum { DOMAIN_CAP_MIN = 64 };

/* ---- domains ---- */

/* The index of name, or where it belongs; *ret_found says which. */
static size_t
find_domain(const struct table *t, const char *name, bool *ret_found)
{
	size_t low = 0, high = t->domain_count;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, t->domains[middle].name);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static struct tunnel *
domain_owner(const struct table *t, const char *name)
{
	bool found;
	size_t i = find_domain(t, name, &found);

	return found ? t->domains[i].tunnel : NULL;
}

/* Makes room for n more domains. */
static int
reserve_domains(struct table *t, size_t n)
{
	size_t cap = t->domain_cap == 0 ? DOMAIN_CAP_MIN : t->domain_cap;
	struct table_domain *domains;

	while (cap < t->domain_count + n)
		cap *= 2;
	if (cap == t->domain_cap)
		return 0;
	domains = realloc(t->domains, cap * sizeof *domains);
	if (domains == NULL)
		return -1;
	t->domains = domains;
	t->domain_cap = cap;
	return 0;
}

static void
add_domains(struct table *t, struct tunnel *tunnel)
{
	const struct state_tunnel *conf = tunnel->conf;

	for (size_t k = 0; k < conf->domain_count; k++) {
		bool found;
		size_t i = find_domain(t, conf->domains[k], &found);

		memmove(&t->domains[i + 1], &t->domains[i],
		    (t->domain_count - i) * sizeof t->domains[0]);
		t->domains[i].name = conf->domains[k];
		t->domains[i].tunnel = tunnel;
		t->domain_count++;
	}
}

static void
remove_domains(struct table *t, struct tunnel *tunnel)
{
	const struct state_tunnel *conf = tunnel->conf;

	for (size_t k = 0; k < conf->domain_count; k++) {
		bool found;
		size_t i = find_domain(t, conf->domains[k], &found);

		assert(found);
		t->domain_count--;
		memmove(&t->domains[i], &t->domains[i + 1],
		    (t->domain_count - i) * sizeof t->domains[0]);
	}
}

struct tunnel *
table_route(const struct table *t, const char *name)
{
	while (name != NULL) {
		struct tunnel *tunnel = domain_owner(t, name);

		if (tunnel != NULL)
			return tunnel;
		name = strchr(name, '.');
		if (name != NULL)
			name++;
	}
	return NULL;
}

/* ---- tunnels ---- */

void
table_done(struct table *t)
{
	while (t->first != NULL)
		table_remove(t, t->first);
	free(t->domains);
	t->domains = NULL;
}

struct tunnel *
table_find(const struct table *t, const char *name)
{
	struct tunnel *tunnel = t->first;

	while (tunnel != NULL && !str_eq(tunnel->conf->name, name))
		tunnel = tunnel->next;
	return tunnel;
}

struct tunnel *
table_set(struct table *t, struct state_tunnel *conf, struct error *e)
{
	struct tunnel *tunnel = table_find(t, conf->name);

	for (size_t i = 0; i < conf->domain_count; i++) {
		const struct tunnel *owner = domain_owner(t,
		    conf->domains[i]);

		if (owner != NULL && owner != tunnel) {
			error_set(e, "tunnel %s: domain %s: belongs to tunnel "
			    "%s", conf->name, conf->domains[i],
			    owner->conf->name);
			return NULL;
		}
	}
	if (reserve_domains(t, conf->domain_count) != 0 ||
	    (tunnel == NULL &&
	    (tunnel = calloc(1, sizeof *tunnel)) == NULL)) {
		error_errno(e, "tunnel %s", conf->name);
		return NULL;
	}
	if (tunnel->conf == NULL) {
		tunnel->next = t->first;
		t->first = tunnel;
	} else {
		remove_domains(t, tunnel);
		state_free(tunnel->conf);
	}
	tunnel->conf = conf;
	add_domains(t, tunnel);
	return tunnel;
}

void
table_remove(struct table *t, struct tunnel *tunnel)
{
	struct tunnel **link = &t->first;

	assert(tunnel->links == NULL && tunnel->stream_count == 0);
	while (*link != tunnel)
		link = &(*link)->next;
	*link = tunnel->next;
	remove_domains(t, tunnel);
	state_free(tunnel->conf);
	free(tunnel);
}

/* ---- credentials ---- */

/* No early return: every digest is compared whatever came before. */
enum table_verdict
table_check(const struct tunnel *tunnel, const struct credential *c,
    int64_t now, int64_t *ret_expires)
{
	const struct state_tunnel *conf = tunnel->conf;
	enum table_verdict verdict = TABLE_UNKNOWN;

	for (size_t i = 0; i < conf->revoked_count; i++) {
		if (credential_eq(&conf->revoked[i], c))
			verdict = TABLE_REVOKED;
	}
	for (size_t i = 0; i < conf->cert_count; i++) {
		if (credential_eq(&conf->certs[i], c)) {
			verdict = TABLE_VALID;
			*ret_expires = 0;
		}
	}
	for (size_t i = 0; i < conf->token_count; i++) {
		const struct state_token *token = &conf->tokens[i];

		if (credential_eq(&token->credential, c)) {
			verdict = token->expires == 0 || token->expires > now
			    ? TABLE_VALID : TABLE_EXPIRED;
			*ret_expires = token->expires;
		}
	}
	return verdict;
}

enum table_verdict
table_authenticate(const struct table *t, const struct credential *c,
    int64_t now, struct tunnel **ret, int64_t *ret_expires)
{
	enum table_verdict best = TABLE_UNKNOWN;

	for (struct tunnel *tunnel = t->first; tunnel != NULL;
	    tunnel = tunnel->next) {
		int64_t expires = 0;
		enum table_verdict verdict = table_check(tunnel, c, now,
		    &expires);

		/* A certificate may have moved to another tunnel. */
		if (verdict == TABLE_UNKNOWN || best == TABLE_VALID)
			continue;
		best = verdict;
		*ret = tunnel;
		*ret_expires = expires;
	}
	return best;
}
