/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/keys.h"

#include "common/diag.h"
#include "common/io.h"
#include "common/sock.h"
#include "common/str.h"
#include "common/tls.h"

/* See stamp.h. */
static const double look_s = 0.5;

static void
take_stamps(const struct config *c, struct stamp ret[static 2])
{
	stamp_take(c->cert_file, &ret[0]);
	stamp_take(c->key_file, &ret[1]);
}

static bool
same(const struct stamp a[static 2], const struct stamp b[static 2])
{
	return stamp_eq(&a[0], &b[0]) && stamp_eq(&a[1], &b[1]);
}

/* Whether agents that verify the certificate find the host of r in it. */
static bool
is_covered(const struct tls_context *tls, const struct config *c,
    const struct config_route *r)
{
	char host[2 * SOCK_HOST_MAX];
	bool whole = c->tunnel_domain == NULL || strchr(r->name, '.') != NULL;

	str_format(host, sizeof host, "%s%s%s", r->name, whole ? "" : ".",
	    whole ? "" : c->tunnel_domain);
	return tls_context_is_for(tls, host);
}

/* Tells what is served with all the same. */
static void
warn(const struct tls_context *tls, const struct config *c)
{
	const char *first = NULL;
	struct stat st;
	size_t count = 0;

	for (size_t i = 0; i < c->route_count; i++) {
		if (is_covered(tls, c, c->routes[i]))
			continue;
		if (count++ == 0)
			first = c->routes[i]->name;
	}
	if (count == 1)
		diag_warning("%s: not for the host of the route %s",
		    c->cert_file, first);
	else if (count > 1)
		diag_warning("%s: not for the hosts of the route %s and %zu "
		    "more", c->cert_file, first, count - 1);
	if (!tls_context_is_valid(tls))
		diag_warning("%s: not valid at this time", c->cert_file);
	if (stat(c->key_file, &st) == 0 &&
	    (st.st_mode & (S_IROTH | S_IWOTH)) != 0)
		diag_warning("%s: others than its owner and group can read "
		    "or write it", c->key_file);
}

int
keys_load(struct keys_pair *pair, const struct config *c, struct error *e)
{
	struct tls_server_settings s = {
		.cert_file = c->cert_file, .key_file = c->key_file,
		.alpn = "http/1.1", .allow_tls12 = c->allow_tls12,
		.ask_client_cert = c->asks_certs,
	};

	take_stamps(c, pair->stamps);
	pair->tls = tls_context_server(&s, e);
	if (pair->tls == NULL)
		return -1;
	warn(pair->tls, c);
	return 0;
}

void
keys_pair_done(struct keys_pair *pair)
{
	tls_context_free(pair->tls);
	pair->tls = NULL;
}

void
keys_take(struct keys *k, struct keys_pair *pair, const struct config *c)
{
	memcpy(k->loaded, pair->stamps, sizeof k->loaded);
	tls_context_free(k->proxy->server_tls);
	k->proxy->server_tls = pair->tls;
	pair->tls = NULL;
	diag_notice("certificate loaded: %s", c->cert_file);
	audit_note(&k->proxy->audit, "reload", "certificate", c->cert_file);
}

/* Loads them again; on failure those in use stay. */
static void
load_again(struct keys *k)
{
	const struct config *c = k->proxy->config;
	struct keys_pair pair;
	struct error e;

	if (io_check_again(c->cert_file, &e) == 0 &&
	    io_check_again(c->key_file, &e) == 0 &&
	    keys_load(&pair, c, &e) == 0) {
		keys_take(k, &pair, c);
		return;
	}
	memcpy(k->loaded, k->seen, sizeof k->loaded);
	diag_warning("%s; keeping the certificate in use", e.text);
}

/* A change counts when it has been there for one look, so that a pair of
 * files is not read between the writing of the two. */
static void
on_look(struct ev_loop *ev, ev_timer *t, int revents)
{
	struct keys *k = t->data;
	struct stamp now[2];
	bool settled;

	(void)ev;
	(void)revents;
	take_stamps(k->proxy->config, now);
	settled = same(now, k->seen);
	memcpy(k->seen, now, sizeof now);
	if (settled && !same(now, k->loaded))
		load_again(k);
}

void
keys_start(struct keys *k, struct proxy *p, struct keys_pair *pair)
{
	k->proxy = p;
	memcpy(k->loaded, pair->stamps, sizeof k->loaded);
	memcpy(k->seen, k->loaded, sizeof k->seen);
	p->server_tls = pair->tls;
	pair->tls = NULL;
	ev_timer_init(&k->timer, on_look, look_s, look_s);
	k->timer.data = k;
	ev_timer_start(p->ev, &k->timer);
}

void
keys_stop(struct keys *k)
{
	ev_timer_stop(k->proxy->ev, &k->timer);
	tls_context_free(k->proxy->server_tls);
	k->proxy->server_tls = NULL;
}
