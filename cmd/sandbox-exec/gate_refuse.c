/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/gate_client.h"

#include <stdio.h>

#include "cmd/sandbox-exec/gate_socks.h"
#include "common/clienthello.h"

enum { BAD_GATEWAY = 502 };

/* Answers in what the client has begun to speak; a reset is all that others
 * understand. */
static void
answer_in_kind(struct client *c, int status, const char *sentence)
{
	struct bytes in = buf_bytes(&c->from_client);
	uint8_t alert[CLIENTHELLO_ALERT_LEN];

	if (in.len != 0 && in.ptr[0] == CLIENTHELLO_RECORD) {
		clienthello_put_alert(alert, ALERT_UNRECOGNIZED_NAME);
		buf_add(&c->to_client, bytes_of(alert, sizeof alert));
	} else if (in.len != 0 && gate_head_begins(in.ptr[0])) {
		gate_head_refuse(&c->to_client, status, sentence);
	} else {
		sock_set_abort(c->client.fd);
		c->state = CLIENT_OVER;
		return;
	}
	gate_client_close(c);
}

static void
answer(struct client *c, enum gate_outcome outcome, const char *sentence)
{
	int status = outcome == GATE_REFUSED ? GATE_FORBIDDEN : BAD_GATEWAY;
	bool reached = c->state == CLIENT_PEEKING ||
	    c->state == CLIENT_RELAYING;
	uint8_t reply[SOCKS_REPLY_MAX];
	size_t len;

	if ((c->via == VIA_HTTP || (c->via == VIA_CONNECT && !reached))) {
		gate_head_refuse(&c->to_client, status, sentence);
		gate_client_close(c);
	} else if (c->via == VIA_SOCKS && !reached) {
		len = gate_socks_reply(outcome == GATE_REFUSED ?
		    SOCKS_NOT_ALLOWED : SOCKS_UNREACHABLE, sentence, reply);
		buf_add(&c->to_client, bytes_of(reply, len));
		gate_client_close(c);
	} else if (c->via == VIA_CAPTURE && !reached &&
	    buf_len(&c->from_client) == 0 && !c->client.eof) {
		c->state = CLIENT_REFUSING;
		c->captured_refused = outcome == GATE_REFUSED;
		gate_client_set_timer(c, GATE_LINGER_S);
	} else {
		answer_in_kind(c, status, sentence);
	}
}

static void
make_sentence(const struct client *c, enum gate_outcome outcome,
    char out[static GATE_SENTENCE_MAX])
{
	char host[ALLOW_HOST_MAX + 1];

	if (outcome == GATE_REFUSED)
		gate_target_sentence(&c->target, &c->verdict, out);
	else
		str_format(out, GATE_SENTENCE_MAX, "%s port %u is allowed "
		    "but could not be reached: %s.",
		    gate_target_host(&c->target, host), c->target.port,
		    c->verdict.reason);
}

void
gate_refuse(struct client *c, enum gate_outcome outcome,
    const char *format, ...)
{
	char sentence[GATE_SENTENCE_MAX];
	struct error why;
	va_list ap;

	va_start(ap, format);
	vsnprintf(why.text, sizeof why.text, format, ap);
	va_end(ap);
	str_format(c->verdict.reason, sizeof c->verdict.reason, "%s",
	    why.text);
	make_sentence(c, outcome, sentence);
	gate_client_log(c, outcome, sentence);
	answer(c, outcome, sentence);
}

void
gate_refuse_tell(struct client *c)
{
	char sentence[GATE_SENTENCE_MAX];
	bool refused = c->captured_refused;

	if (buf_len(&c->from_client) == 0) {
		if (c->client.eof)
			c->state = CLIENT_OVER;
		return;
	}
	make_sentence(c, refused ? GATE_REFUSED : GATE_FAILED, sentence);
	answer_in_kind(c, refused ? GATE_FORBIDDEN : BAD_GATEWAY, sentence);
}

void
gate_refuse_host(struct client *c, const struct error *why)
{
	char sentence[GATE_SENTENCE_MAX];

	str_format(sentence, sizeof sentence, "The request is refused by the "
	    "sandbox: its host is not valid: %s.", why->text);
	gate_client_log_bad(c, sentence);
	answer(c, GATE_REFUSED, sentence);
}

void
gate_refuse_head(struct client *c, const struct error *why)
{
	gate_client_log_bad(c, why->text);
	gate_head_refuse(&c->to_client, why->code, why->text);
	gate_client_close(c);
}
