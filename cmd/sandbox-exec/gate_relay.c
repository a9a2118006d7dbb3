/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/gate_client.h"
#include "common/clock.h"

enum { IDLE_S = 3600 };

static int
move(struct buf *from, struct buf *to)
{
	struct bytes in = buf_bytes(from);

	if (in.len == 0)
		return 0;
	if (buf_add(to, in) != 0)
		return -1;
	buf_drop(from, in.len);
	return 0;
}

/* Passes on what belongs to the request, and nothing after it: who asks again
 * is judged again, on a connection of its own. */
static int
pass_request(struct client *c)
{
	struct error e;

	while (!c->request_done &&
	    buf_len(&c->to_server) < GATE_BUFFER_HIGH) {
		struct bytes run;
		ssize_t n = 0;

		if (c->body.state != BODY_DONE)
			n = body_take(&c->body, buf_bytes(&c->from_client),
			    &run, &e);
		if (n < 0)
			return -1;
		if (n == 0 && c->body.state != BODY_DONE)
			return c->client.eof ? -1 : 0;
		if (n > 0 && body_write(&c->to_server, c->body.framing,
		    run) != 0)
			return -1;
		buf_drop(&c->from_client, (size_t)n);
		c->request_done = c->body.state == BODY_DONE;
		if (c->request_done &&
		    body_write_end(&c->to_server, c->body.framing) != 0)
			return -1;
	}
	if (c->request_done)
		buf_clear(&c->from_client);
	return 0;
}

/* Passes heads on, with what tells the client that this was the only response
 * of its connection.  Returns 0, or -1 with a text. */
static int
pass_heads(struct client *c, struct error *e)
{
	while (!c->response_done) {
		struct bytes in = buf_bytes(&c->from_server);
		struct http_head h;
		struct body body;
		ssize_t n = http_scan_head(&c->scan, in, GATE_HEAD_MAX, e);
		bool last;

		if (n < 0)
			return -1;
		if (n == 0)
			return c->server.eof ? error_set(e, "the server sent "
			    "no response") : 0;
		if (http_parse_response(bytes_of(in.ptr, (size_t)n),
		    c->to_head, &h, &body, e) != 0)
			return -1;
		last = h.status >= 200 || h.status == 101;
		if (http_write_response(&c->to_client, &h, h.framing,
		    last) != 0)
			return error_set(e, "the response is too long");
		buf_drop(&c->from_server, (size_t)n);
		c->scan = (struct http_scan){0};
		c->response_done = last;
	}
	return move(&c->from_server, &c->to_client) != 0 ?
	    error_set(e, "the response is too long") : 0;
}

void
gate_relay_start(struct client *c)
{
	/* Who fills the audit file's disk gets no further. */
	if (gate_client_log(c, GATE_ALLOWED, NULL) != 0) {
		sock_set_abort(c->client.fd);
		c->state = CLIENT_OVER;
		return;
	}
	c->allowed_ms = clock_ms();
	c->state = CLIENT_RELAYING;
	memset(&c->scan, 0, sizeof c->scan);
	gate_client_set_timer(c, IDLE_S);
}

void
gate_relay(struct client *c)
{
	struct error e;

	if (!c->http) {
		if (move(&c->from_client, &c->to_server) != 0)
			c->state = CLIENT_OVER;
		return;
	}
	if (pass_request(c) != 0) {
		c->state = CLIENT_OVER;
		return;
	}
	if (pass_heads(c, &e) != 0)
		gate_refuse(c, GATE_FAILED, "%s", e.text);
}
