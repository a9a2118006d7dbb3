/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/gate_client.h"

#include "cmd/sandbox-exec/gate_socks.h"
#include "common/clienthello.h"

void
gate_peek_start(struct client *c)
{
	static const char established[] =
	    "HTTP/1.1 200 Connection established\r\n\r\n";
	uint8_t reply[SOCKS_REPLY_MAX];

	if (c->via == VIA_CONNECT)
		buf_add_str(&c->to_client, established);
	else if (c->via == VIA_SOCKS)
		buf_add(&c->to_client, bytes_of(reply,
		    gate_socks_reply(SOCKS_OK, "", reply)));
	if (c->via == VIA_HTTP || c->verdict.opaque) {
		gate_relay_start(c);
		return;
	}
	c->state = CLIENT_PEEKING;
	memset(&c->scan, 0, sizeof c->scan);
	gate_client_set_timer(c, GATE_GREETING_S);
}

static void
peek_tls(struct client *c)
{
	struct clienthello hello;
	int r = clienthello_parse(buf_bytes(&c->from_client), &hello);

	if (r < 0)
		gate_refuse(c, GATE_REFUSED, "its TLS hello is not "
		    "accepted: %s", hello.text);
	else if (r > 0 && !str_eq(hello.name, c->target.name))
		gate_refuse(c, GATE_REFUSED, "the TLS server name is "
		    "%s, not %s", hello.name, c->target.name);
	else if (r > 0)
		gate_relay_start(c);
}

/* The request has to be for the name that the connection is for. */
static bool
is_same_host(struct client *c, const struct gate_head *h)
{
	struct gate_target t;
	struct error e;

	if (gate_target_parse(bytes_cstr(h->host), h->port, &c->gate->fakes,
	    &t, &e) == 0 && str_eq(t.name, c->target.name))
		return true;
	gate_refuse(c, GATE_REFUSED, "the request's Host is not %s",
	    c->target.name);
	return false;
}

static void
peek_http(struct client *c)
{
	struct gate_head h;
	struct error e;
	ssize_t n = gate_request_head(c, &h, &e);

	if (n == 0)
		return;
	if (n < 0) {
		gate_refuse(c, GATE_REFUSED, "its request is not "
		    "accepted: %s", e.text);
		return;
	}
	if (h.form == FORM_CONNECT) {
		gate_refuse(c, GATE_REFUSED, "a proxy cannot be asked "
		    "for through the sandbox's own");
		return;
	}
	if (!is_same_host(c, &h))
		return;
	if (gate_request_forward(c, &h) != 0) {
		c->state = CLIENT_OVER;
		return;
	}
	buf_drop(&c->from_client, (size_t)n);
	gate_relay_start(c);
}

void
gate_peek(struct client *c)
{
	enum { HTTPS_PORT = 443 };
	struct bytes in = buf_bytes(&c->from_client);

	if (in.len == 0) {
		if (c->client.eof)
			c->state = CLIENT_OVER;
	} else if (in.ptr[0] == CLIENTHELLO_RECORD) {
		peek_tls(c);
	} else if (gate_head_begins(in.ptr[0]) &&
	    c->target.port != HTTPS_PORT) {
		peek_http(c);
	} else {
		gate_refuse(c, GATE_REFUSED, "what is sent is %s; "
		    "anything else needs an entry tcp:%s:%u",
		    c->target.port == HTTPS_PORT ? "not TLS" :
		    "neither TLS nor HTTP", c->target.name, c->target.port);
	}
	/* What is incomplete at the end never gets complete. */
	if (c->state == CLIENT_PEEKING && c->client.eof)
		c->state = CLIENT_OVER;
}

void
gate_peek_timeout(struct client *c)
{
	gate_refuse(c, GATE_REFUSED, "nothing was sent in %d seconds; where "
	    "the server speaks first an entry tcp:%s:%u is needed",
	    GATE_GREETING_S, c->target.name, c->target.port);
}
