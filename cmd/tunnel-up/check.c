/* SPDX-License-Identifier: ISC */
/* tunnel-up --check: each edge is dialed once, greeted and asked for one
 * PONG; nothing local is needed. */
#include <stdio.h>
#include <stdlib.h>

#include "cmd/tunnel-up/connector.h"
#include "common/diag.h"
#include "common/exit.h"
#include "common/jsonw.h"

enum { LINE_CAP = 4096, US_PER_MS = 1000 };

struct result {
	bool ok;
	int64_t rtt_us;
};

struct check {
	const struct settings *settings;
	struct hop_loop loop;
	struct slot_settings slot_settings;
	struct slot *slots;
	struct result *results;
	ev_prepare poll;
};

static void
on_changed(void *user)
{
	struct check *k = user;

	for (size_t i = 0; i < k->settings->edges.count; i++) {
		if (k->slots[i].state != SLOT_STOPPED ||
		    slot_has_links(&k->slots[i]))
			return;
	}
	ev_break(k->loop.ev, EVBREAK_ALL);
}

/* Nothing tells about a PONG, so the round trip is looked for each time
 * before the loop sleeps. */
static void
on_poll(struct ev_loop *ev, ev_prepare *w, int revents)
{
	struct check *k = w->data;

	(void)ev;
	(void)revents;
	for (size_t i = 0; i < k->settings->edges.count; i++) {
		struct slot *s = &k->slots[i];

		if (s->state != SLOT_UP || s->link->hop.chan.rtt_us == 0)
			continue;
		k->results[i].ok = true;
		k->results[i].rtt_us = s->link->hop.chan.rtt_us;
		slot_close(s);
	}
}

static void
put_failure(struct jsonw *w, const struct failure *f)
{
	jsonw_key(w, "permanent");
	jsonw_bool(w, f->permanent);
	jsonw_key_str(w, "code", frame_code_name((uint16_t)f->code));
	jsonw_key_str(w, "blame", frame_blame_name((uint8_t)f->blame));
	jsonw_key_str(w, "text", f->text);
}

static void
put_success(struct jsonw *w, const struct slot *s, const struct result *r)
{
	jsonw_key(w, "rtt_ms");
	buf_format(w->out, "%lld.%03d", (long long)(r->rtt_us / US_PER_MS),
	    (int)(r->rtt_us % US_PER_MS));
	jsonw_key_str(w, "domain", s->domain);
}

static void
print_line(const struct slot *s, const struct result *r)
{
	struct jsonw w;
	struct buf b;

	buf_init(&b, LINE_CAP);
	jsonw_init(&w, &b);
	jsonw_open(&w, '{');
	jsonw_key_str(&w, "edge", s->link_settings.edge);
	jsonw_key(&w, "ok");
	jsonw_bool(&w, r->ok);
	if (r->ok)
		put_success(&w, s, r);
	else
		put_failure(&w, &s->failure);
	jsonw_close(&w, '}');
	printf("%.*s\n", (int)buf_len(&b), (const char *)b.mem + b.head);
	buf_reset(&b);
}

static int
report(const struct check *k)
{
	int status = EXIT_OK;

	for (size_t i = 0; i < k->settings->edges.count; i++) {
		const struct slot *s = &k->slots[i];

		print_line(s, &k->results[i]);
		if (k->results[i].ok)
			continue;
		diag_error("%s: %s", s->link_settings.edge, s->failure.text);
		if (s->failure.permanent)
			status = EXIT_PERMANENT;
		else if (status == EXIT_OK)
			status = EXIT_TEMPORARY;
	}
	return status;
}

static void
run(struct check *k)
{
	ev_prepare_init(&k->poll, on_poll);
	/* Before hop.c's, which writes what this one queues. */
	ev_set_priority(&k->poll, EV_MAXPRI);
	k->poll.data = k;
	ev_prepare_start(k->loop.ev, &k->poll);
	for (size_t i = 0; i < k->settings->edges.count; i++)
		slot_start(&k->slots[i]);
	on_changed(k);
	ev_run(k->loop.ev, 0);
	ev_prepare_stop(k->loop.ev, &k->poll);
}

static void
set_slots(struct check *k, const struct connector_settings *settings,
    struct dialer *dialer)
{
	const struct settings *s = settings->settings;

	k->slot_settings = (struct slot_settings){
		.link = {
			.loop = &k->loop, .dialer = dialer,
			.credentials = settings->credentials,
			.proxy = settings->proxy,
			.server_name = s->server_name,
			.ping_ms = s->ping_ms, .timeout_ms = s->timeout_ms,
		},
		.settings = s, .credentials = settings->credentials,
		.once = true, .changed = on_changed, .user = k,
	};
}

int
connector_check(const struct connector_settings *settings)
{
	struct check k = {.settings = settings->settings};
	size_t count = k.settings->edges.count;
	struct dialer *dialer;
	struct error e;
	int status = EXIT_FAILED;

	hop_loop_init(&k.loop, EV_DEFAULT);
	dialer = dialer_new(k.loop.ev, &e);
	k.results = calloc(count, sizeof *k.results);
	if (dialer == NULL || k.results == NULL) {
		error_set(&e, "out of memory");
		goto out;
	}
	set_slots(&k, settings, dialer);
	k.slots = connector_new_slots(&k.slot_settings, &e);
	if (k.slots == NULL) {
		status = EXIT_USAGE;
		goto out;
	}
	run(&k);
	status = report(&k);
out:
	if (k.slots == NULL)
		diag_error("%s", e.text);
	for (size_t i = 0; k.slots != NULL && i < count; i++)
		slot_done(&k.slots[i]);
	free(k.slots);
	free(k.results);
	dialer_free(dialer);
	return status;
}
