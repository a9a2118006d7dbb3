/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/gate_resolver.h"


enum { PER_TURN = 64 }; /* messages, before others get theirs */

static void
log_answer(struct gate *g, const struct gate_dns *q, enum dns_rcode code)
{
	char text[DNS_NAME_TEXT_MAX + 128];
	const struct gate_decision d = {
		.via = VIA_DNS,
		.outcome = code == DNS_OK ? GATE_ALLOWED :
		    code == DNS_NO_NAME ? GATE_REFUSED : GATE_FAILED,
		.host = q->shown,
		.rule = "",
		.text = code == DNS_OK ? NULL : text,
	};

	str_format(text, sizeof text, "%s is not resolved by the sandbox: %s",
	    q->shown, code == DNS_NO_NAME ? "not in the allow list; do not "
	    "try other ways to resolve it." : "too many names were asked "
	    "for.");
	gate_log(g, &d);
}

/* Decides about a question that was read. */
static enum dns_rcode
decide(struct gate *g, const struct gate_dns *q, uint8_t v4[static 4],
    uint8_t v6[static 16])
{
	if (q->name[0] == '\0' || !gate_target_is_known(q->name, g->policy))
		return DNS_NO_NAME;
	return gate_fake_assign(&g->fakes, q->name, v4, v6) == 0 ? DNS_OK :
	    DNS_SERVER_FAILURE;
}

size_t
gate_resolver_answer(struct gate *g, struct bytes query,
    uint8_t out[static GATE_DNS_ANSWER_MAX])
{
	uint8_t v4[4], v6[16];
	struct bytes address = {NULL, 0};
	struct gate_dns q;
	int code = gate_dns_parse(query, &q);

	if (code == -1)
		return 0;
	if (code == DNS_OK) {
		code = (int)decide(g, &q, v4, v6);
		log_answer(g, &q, (enum dns_rcode)code);
		if (code == DNS_OK && q.type == DNS_TYPE_A)
			address = bytes_of(v4, sizeof v4);
		else if (code == DNS_OK && q.type == DNS_TYPE_AAAA)
			address = bytes_of(v6, sizeof v6);
	}
	return gate_dns_answer(query, &q, (enum dns_rcode)code, address, out);
}

void
gate_resolver_serve(struct gate *g, int fd)
{
	uint8_t in[GATE_DNS_QUERY_MAX + 1], out[GATE_DNS_ANSWER_MAX];

	for (int i = 0; i < PER_TURN; i++) {
		struct sock_addr from = {.len = sizeof from.v6};
		ssize_t n = recvfrom(fd, in, sizeof in, 0, &from.any,
		    &from.len);
		size_t len;

		if (n < 0)
			return;
		len = gate_resolver_answer(g, bytes_of(in, (size_t)n), out);
		if (len != 0)
			sendto(fd, out, len, MSG_DONTWAIT | MSG_NOSIGNAL,
			    &from.any, from.len);
	}
}
