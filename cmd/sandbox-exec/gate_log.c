/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/gate_state.h"
#include "common/clock.h"

static const char *const via_words[] = {
	[VIA_CONNECT] = "connect", [VIA_HTTP] = "http",
	[VIA_SOCKS] = "socks", [VIA_CAPTURE] = "capture", [VIA_DNS] = "dns",
};

static const char *const outcome_words[] = {
	[GATE_ALLOWED] = "allow", [GATE_REFUSED] = "deny",
	[GATE_FAILED] = "fail",
};

void
gate_log_skipped(struct gate *g)
{
	if (g->audit_skipped == 0)
		return;
	audit_begin(g->audit, "net-skipped");
	jsonw_key_int(&g->audit->w, "lines", g->audit_skipped);
	if (audit_end(g->audit) == 0)
		g->audit_skipped = 0;
}

/* A client can ask faster than a disk should fill.  Returns whether the line
 * may be written. */
static bool
take_turn(struct gate *g)
{
	int64_t second = clock_ms() / 1000;

	if (second != g->audit_second) {
		g->audit_second = second;
		g->audit_lines = 0;
		gate_log_skipped(g);
	}
	if (g->audit_lines++ < GATE_AUDIT_PER_S)
		return true;
	g->audit_skipped++;
	return false;
}

int
gate_log(struct gate *g, const struct gate_decision *d)
{
	struct jsonw *w = &g->audit->w;

	if (g->audit->fd == -1 || !take_turn(g))
		return 0;
	audit_begin(g->audit, "net");
	jsonw_key_str(w, "verdict", outcome_words[d->outcome]);
	jsonw_key_str(w, "via", via_words[d->via]);
	jsonw_key(w, "host");
	jsonw_bytes(w, bytes_cstr(d->host));
	if (d->port != 0)
		jsonw_key_int(w, "port", d->port);
	if (d->rule[0] != '\0')
		jsonw_key_str(w, "rule", d->rule);
	if (d->address != NULL)
		jsonw_key_str(w, "address", d->address);
	if (d->text != NULL) {
		jsonw_key(w, "text");
		jsonw_bytes(w, bytes_cstr(d->text));
	}
	if (audit_end(g->audit) == 0)
		return 0;
	g->audit_skipped++;
	return -1;
}

void
gate_log_end(struct gate *g, const struct gate_ended *d)
{
	struct jsonw *w = &g->audit->w;

	if (g->audit->fd == -1 || !take_turn(g))
		return;
	audit_begin(g->audit, "net-end");
	jsonw_key(w, "host");
	jsonw_bytes(w, bytes_cstr(d->host));
	jsonw_key_int(w, "port", d->port);
	jsonw_key_int(w, "sent", (int64_t)d->sent);
	jsonw_key_int(w, "received", (int64_t)d->received);
	jsonw_key_int(w, "duration_ms", d->ms);
	if (audit_end(g->audit) != 0)
		g->audit_skipped++;
}
