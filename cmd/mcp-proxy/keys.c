/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/keys.h"

#include "common/diag.h"
#include "common/tls.h"

/* See stamp.h. */
static const double look_s = 0.5;

static void
take_stamps(const struct keys *k, struct stamp ret[static 2])
{
	stamp_take(k->proxy->config->cert_file, &ret[0]);
	stamp_take(k->proxy->config->key_file, &ret[1]);
}

static bool
same(const struct stamp a[static 2], const struct stamp b[static 2])
{
	return stamp_eq(&a[0], &b[0]) && stamp_eq(&a[1], &b[1]);
}

static struct tls_context *
load(const struct config *c, struct error *e)
{
	struct tls_server_settings s = {
		.cert_file = c->cert_file, .key_file = c->key_file,
		.alpn = "http/1.1", .allow_tls12 = c->allow_tls12,
	};

	return tls_context_server(&s, e);
}

void
keys_reload(struct keys *k)
{
	struct tls_context *fresh;
	struct error e;

	take_stamps(k, k->loaded);
	fresh = load(k->proxy->config, &e);
	if (fresh == NULL) {
		diag_warning("%s; keeping the certificate in use", e.text);
		return;
	}
	tls_context_free(k->proxy->server_tls);
	k->proxy->server_tls = fresh;
	diag_notice("certificate loaded: %s", k->proxy->config->cert_file);
	audit_note(&k->proxy->audit, "reload", "certificate",
	    k->proxy->config->cert_file);
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
	take_stamps(k, now);
	settled = same(now, k->seen);
	memcpy(k->seen, now, sizeof now);
	if (settled && !same(now, k->loaded))
		keys_reload(k);
}

int
keys_start(struct keys *k, struct proxy *p, struct error *e)
{
	k->proxy = p;
	take_stamps(k, k->loaded);
	memcpy(k->seen, k->loaded, sizeof k->seen);
	p->server_tls = load(p->config, e);
	if (p->server_tls == NULL)
		return -1;
	ev_timer_init(&k->timer, on_look, look_s, look_s);
	k->timer.data = k;
	ev_timer_start(p->ev, &k->timer);
	return 0;
}

void
keys_stop(struct keys *k)
{
	ev_timer_stop(k->proxy->ev, &k->timer);
	tls_context_free(k->proxy->server_tls);
	k->proxy->server_tls = NULL;
}
