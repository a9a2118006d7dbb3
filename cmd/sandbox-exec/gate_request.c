/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/gate_client.h"

#include "cmd/sandbox-exec/gate_resolver.h"
#include "cmd/sandbox-exec/gate_socks.h"

static void
decide(struct client *c)
{
	gate_target_decide(&c->target, c->gate->policy, &c->verdict);
	if (!c->verdict.allowed)
		gate_refuse(c, GATE_REFUSED, "%s", c->verdict.reason);
	else
		gate_dial_start(c);
}

static void
decide_host(struct client *c, const char *host, uint16_t port)
{
	struct error e;

	if (gate_target_parse(bytes_cstr(host), port, &c->gate->fakes,
	    &c->target, &e) != 0)
		gate_refuse_host(c, &e);
	else
		decide(c);
}

static void
take_socks_greeting(struct client *c)
{
	const uint8_t refusal[] = {SOCKS_VERSION,
		SOCKS_METHOD_NO_ACCEPTABLE};
	const uint8_t accepted[] = {SOCKS_VERSION, SOCKS_METHOD_NONE};
	bool ok = false;
	ssize_t n = gate_socks_greeting(buf_bytes(&c->from_client), &ok);

	c->via = VIA_SOCKS;
	if (n == 0)
		return;
	if (ok) {
		buf_drop(&c->from_client, (size_t)n);
		buf_add(&c->to_client, bytes_of(accepted, sizeof accepted));
		c->state = CLIENT_SOCKS;
		return;
	}
	gate_client_log_bad(c, "SOCKS 5 is spoken without authentication "
	    "only.");
	buf_add(&c->to_client, bytes_of(refusal, sizeof refusal));
	gate_client_close(c);
}

static void
take_greeting(struct client *c)
{
	struct bytes in = buf_bytes(&c->from_client);

	if (in.len == 0)
		return;
	if (in.ptr[0] == SOCKS_VERSION) {
		take_socks_greeting(c);
	} else if (gate_head_begins(in.ptr[0])) {
		c->via = VIA_HTTP;
		c->state = CLIENT_HEAD;
	} else {
		gate_client_log_bad(c, "The sandbox's proxy speaks HTTP and "
		    "SOCKS 5 only.");
		c->state = CLIENT_OVER;
	}
}

static void
refuse_socks(struct client *c, enum socks_reply why)
{
	const char *sentence = why == SOCKS_BAD_COMMAND ?
	    "The sandbox has no UDP and accepts no connections." :
	    "The request is not valid.";
	uint8_t reply[SOCKS_REPLY_MAX];

	gate_client_log_bad(c, sentence);
	buf_add(&c->to_client, bytes_of(reply,
	    gate_socks_reply(why, sentence, reply)));
	gate_client_close(c);
}

static void
take_socks(struct client *c)
{
	struct gate_socks request;
	enum socks_reply why;
	ssize_t n = gate_socks_request(buf_bytes(&c->from_client), &request,
	    &why);

	if (n < 0) {
		refuse_socks(c, why);
	} else if (n > 0) {
		buf_drop(&c->from_client, (size_t)n);
		decide_host(c, request.host, request.port);
	}
}

int
gate_request_forward(struct client *c, struct gate_head *h)
{
	char host[ALLOW_HOST_MAX + 1], authority[ALLOW_HOST_MAX + 16];
	bool v6 = strchr(gate_target_host(&c->target, host), ':') != NULL;
	char port[8] = "";

	if (c->target.port != GATE_HTTP_PORT)
		str_format(port, sizeof port, ":%u", c->target.port);
	str_format(authority, sizeof authority, "%s%s%s%s", v6 ? "[" : "",
	    host, v6 ? "]" : "", port);
	c->http = true;
	c->body = h->body;
	c->to_head = bytes_eq(h->http.method, bytes_cstr("HEAD"));
	return gate_head_write(&c->to_server, h, authority);
}

ssize_t
gate_request_head(struct client *c, struct gate_head *h, struct error *e)
{
	struct bytes in = buf_bytes(&c->from_client);
	ssize_t n = http_scan_head(&c->scan, in, GATE_HEAD_MAX, e);

	if (n > 0 && gate_head_parse(bytes_of(in.ptr, (size_t)n), h, e) != 0)
		return -1;
	return n;
}

static void
take_head(struct client *c)
{
	struct gate_head h;
	struct error e;
	ssize_t n = gate_request_head(c, &h, &e);

	if (n == 0)
		return;
	if (n < 0) {
		gate_refuse_head(c, &e);
		return;
	}
	c->via = h.form == FORM_CONNECT ? VIA_CONNECT : VIA_HTTP;
	if (h.form == FORM_ORIGIN) {
		e.code = GATE_FORBIDDEN;
		error_set(&e, "This is the sandbox's proxy: ask it for an "
		    "absolute URL or CONNECT");
		gate_refuse_head(c, &e);
		return;
	}
	if (gate_target_parse(bytes_cstr(h.host), h.port, &c->gate->fakes,
	    &c->target, &e) != 0) {
		gate_refuse_host(c, &e);
		return;
	}
	if (h.form == FORM_ABSOLUTE && gate_request_forward(c, &h) != 0) {
		c->state = CLIENT_OVER;
		return;
	}
	buf_drop(&c->from_client, (size_t)n);
	decide(c);
}

static void
take_dns(struct client *c)
{
	uint8_t out[2 + GATE_DNS_ANSWER_MAX];

	for (;;) {
		struct bytes in = buf_bytes(&c->from_client);
		size_t len, n;

		if (in.len < 2 || buf_len(&c->to_client) > GATE_BUFFER_HIGH)
			break;
		len = be16_get(in.ptr);
		if (len > GATE_DNS_QUERY_MAX) {
			c->state = CLIENT_OVER;
			return;
		}
		if (in.len < 2 + len)
			break;
		n = gate_resolver_answer(c->gate, bytes_of(in.ptr + 2, len),
		    out + 2);
		be16_put(out, (uint16_t)n);
		buf_drop(&c->from_client, 2 + len);
		if (n != 0)
			buf_add(&c->to_client, bytes_of(out, 2 + n));
	}
	if (c->client.eof)
		gate_client_close(c);
}

void
gate_request_take(struct client *c)
{
	if (c->state == CLIENT_GREETING)
		take_greeting(c);
	else if (c->state == CLIENT_SOCKS)
		take_socks(c);
	else if (c->state == CLIENT_HEAD)
		take_head(c);
	else if (c->state == CLIENT_DNS)
		take_dns(c);
}

void
gate_request_capture(struct client *c)
{
	struct sock_addr a = {.len = sizeof a.v6};

	c->via = VIA_CAPTURE;
	if (getsockname(c->client.fd, &a.any, &a.len) != 0) {
		c->state = CLIENT_OVER;
		return;
	}
	gate_target_from_address(&a.any, &c->gate->fakes, &c->target);
	decide(c);
}
