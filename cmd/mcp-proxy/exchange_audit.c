/* SPDX-License-Identifier: ISC */
/* What the audit is told of an exchange. */
#include "cmd/mcp-proxy/downstream.h"
#include "cmd/mcp-proxy/message.h"
#include "common/clock.h"
#include "common/field.h"

enum { NAME_MAX_BYTES = 8192 };

struct audit_who
exchange_who(const struct exchange *x)
{
	const struct downstream *d = x->downstream;

	return (struct audit_who){
		.trace = d->trace, .peer = d->peer,
		.request = d->request_count,
		.route = x->route == NULL ? NULL : x->route->name,
		.agent = x->agent.name[0] == '\0' ? NULL : x->agent.name,
	};
}

/* What the agent says that it asks for (2026-07-28). */
static void
take_name(struct audit_decision *d, struct bytes value, struct buf *name)
{
	buf_clear(name);
	if (message_decode_header(value, name) == 0)
		d->name = buf_bytes(name);
}

static void
take_fields(struct audit_decision *d, const struct http_head *h,
    struct buf *name, char session[static AUDIT_DIGEST_CAP])
{
	struct bytes resources = bytes_cstr("resources/");

	for (size_t i = 0; i < h->field_count; i++) {
		const struct http_field *f = &h->fields[i];

		if (field_eq_str(f->name, "mcp-method")) {
			d->method = f->value;
		} else if (field_eq_str(f->name, "mcp-name")) {
			take_name(d, f->value, name);
		} else if (field_eq_str(f->name, "mcp-session-id")) {
			audit_digest(f->value, session);
			d->session = session;
		}
	}
	if (d->method.len > resources.len && bytes_eq(bytes_of(d->method.ptr,
	    resources.len), resources)) {
		d->uri = d->name;
		d->name = bytes_of(NULL, 0);
	}
}

/* Writes a decision about the request that is parsed in the proxy's head. */
static int
decide(const struct exchange *x, const char *rule, const struct failure *why)
{
	struct proxy *p = exchange_proxy(x);
	const struct http_head *h = &p->head;
	char session[AUDIT_DIGEST_CAP];
	struct audit_decision d = {
		.who = exchange_who(x), .host = h->host,
		.http_method = h->method, .path = h->target, .rule = rule,
		.verdict = why == NULL ? AUDIT_ALLOW : AUDIT_DENY, .why = why,
	};
	struct buf name;
	int r;

	if (!audit_is_on(&p->audit))
		return 0;
	buf_init(&name, NAME_MAX_BYTES);
	take_fields(&d, h, &name, session);
	r = audit_decide(&p->audit, &d);
	buf_reset(&name);
	return r;
}

int
exchange_allow(const struct exchange *x, const char *rule)
{
	return decide(x, rule, NULL);
}

void
exchange_deny(const struct exchange *x, struct failure *why)
{
	if (decide(x, why->code == FRAME_DRAINING ? "shutdown"
	    : why->code == FRAME_UNAUTHORIZED ? "agents" : "route", why) != 0)
		audit_refusal(why);
}

void
exchange_deny_address(const struct exchange *x, struct failure *why)
{
	struct audit_decision d = {
		.who = exchange_who(x), .verdict = AUDIT_DENY,
		.rule = "address", .why = why,
	};

	if (audit_decide(&exchange_proxy(x)->audit, &d) != 0)
		audit_refusal(why);
}

void
exchange_audit_end(const struct exchange *x, const struct failure *why)
{
	struct audit_end end = {
		.who = exchange_who(x), .status = x->status,
		.bytes_in = x->bytes_in, .bytes_out = x->bytes_out,
		.ms = clock_ms() - x->started_ms, .why = why,
	};

	audit_end(&exchange_proxy(x)->audit, &end);
}
