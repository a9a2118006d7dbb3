/* SPDX-License-Identifier: ISC */
/* Lines of a head, an empty line, and a body as a request before a policy: what
 * goes on is a message, or a batch, of which none asks for what is denied. */
#include <assert.h>

#include "cmd/mcp-proxy/hearing.h"
#include "cmd/mcp-proxy/proxy.h"
#include "cmd/mcp-proxy/strict.h"
#include "tests/fake_policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { MESSAGE_MAX = 1 << 20, HEAD_MAX = 64 << 10 };

static struct proxy proxy;
static char name[] = "docs";
static struct config_policy rules = {.message_max = MESSAGE_MAX};
static struct config_route route = {.name = name, .policy = &rules};

static void
on_end(void *user)
{
	++*(int *)user;
}

static void
check_passed(struct jsonr v)
{
	struct policy_question q = {.name = {NULL, 0}};
	struct buf text;
	struct error e;
	struct rpc m;

	buf_init(&text, MESSAGE_MAX * 2);
	assert(message_take(v, &m, &e) == 0);
	assert(policy_look(&m, &text, &q, &e) == 0);
	assert(fake_letter(&q, 0) != 'x' || m.kind == RPC_RESPONSE);
	buf_reset(&text);
}

static void
check_pass(struct bytes pass)
{
	struct jsonr_iter i;
	struct jsonr v, one;
	struct error e;

	assert(jsonr_parse(pass, &v, &e) == 0 && strict_check(v, &e) == 0);
	if (v.kind != JSONR_ARRAY) {
		check_passed(v);
		return;
	}
	jsonr_iter_init(&i, v);
	while (jsonr_next(&i, NULL, &one))
		check_passed(one);
}

static void
check(const struct http_head *head, struct bytes body)
{
	struct audit_who who = {.request = 1};
	struct hearing *h = hearing_new(&proxy, &route, head, &who);
	int ends = 0;

	assert(h != NULL);
	if (h->end == HEARING_OPEN)
		hearing_run(h, body, on_end, &ends);
	while (fake_answer())
		;
	assert(h->end != HEARING_OPEN && ends <= 1);
	if (h->end == HEARING_PASS)
		check_pass(h->pass);
	else if (h->end == HEARING_REPLY)
		assert(h->status >= 200 && h->status < 500);
	hearing_free(h);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *end = len == 0 ? NULL : memmem(data, len, "\r\n\r\n", 4);
	size_t n = end == NULL ? 0 : (size_t)(end - data) + 4;
	struct http_scan scan = {0};
	struct http_head head;
	struct body framing;
	struct error e;
	struct buf text;

	if (len > HEAD_MAX || end == NULL)
		return 0;
	buf_init(&text, HEAD_MAX * 2);
	buf_add_str(&text, "POST / HTTP/1.1\r\nHost: a\r\n");
	buf_add(&text, bytes_of(data, n));
	if (http_scan_head(&scan, buf_bytes(&text), HEAD_MAX * 2, &e) ==
	    (ssize_t)buf_len(&text) &&
	    http_parse_request(buf_bytes(&text), &head, &framing, &e) == 0)
		check(&head, bytes_of(data + n, len - n));
	buf_reset(&text);
	return 0;
}
