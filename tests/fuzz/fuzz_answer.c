/* SPDX-License-Identifier: ISC */
/* Any body of a server before a policy, and any event with that as its data:
 * what goes on is a message, or a batch, of which none is denied or has a list
 * with what is, also for who knows other ends of lines. */
#include <assert.h>

#include "cmd/mcp-proxy/answer.h"
#include "cmd/mcp-proxy/event.h"
#include "cmd/mcp-proxy/media.h"
#include "cmd/mcp-proxy/proxy.h"
#include "cmd/mcp-proxy/response.h"
#include "cmd/mcp-proxy/strict.h"
#include "tests/fake_policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { MESSAGE_MAX = 1 << 20, IN_MAX = 64 << 10 };

static struct proxy proxy;
static char name[] = "docs", origin[] = "http://a:1";
static char *all[] = {name, NULL};
static struct config_policy rules = {.message_max = MESSAGE_MAX, .tools = all};
static struct config_route route = {.name = name, .origin = origin,
	.policy = &rules};

static const struct hearing_call *
find(void *user, struct jsonr id)
{
	static struct hearing_call call = {.kind = POLICY_TOOL};

	(void)user;
	call.method = bytes_cstr("tools/call");
	call.id = bytes_cstr("1");
	call.name = bytes_cstr("w");
	return bytes_eq(id.text, call.id) ? &call : NULL;
}

static void
on_end(void *user)
{
	(void)user;
}

/* Whether the list has a tool that is denied. */
static void
check_tools(struct jsonr tools)
{
	struct jsonr_iter i;
	struct jsonr one, n;
	struct error e;

	if (tools.kind != JSONR_ARRAY)
		return;
	jsonr_iter_init(&i, tools);
	while (jsonr_next(&i, NULL, &one)) {
		assert(jsonr_get(one, "name", &n, &e) == 1);
		assert(n.kind == JSONR_STRING && n.text.ptr[1] != 'x');
	}
}

static void
check_message(struct jsonr v)
{
	struct jsonr tools;
	struct error e;
	struct rpc m;

	assert(message_take(v, &m, &e) == 0);
	assert(jsonr_get(m.result, "tools", &tools, &e) >= 0);
	check_tools(tools);
}

static void
check_pass(struct bytes pass)
{
	struct jsonr_iter i;
	struct jsonr v, one;
	struct error e;

	assert(jsonr_parse(pass, &v, &e) == 0 && strict_check(v, &e) == 0);
	if (v.kind != JSONR_ARRAY) {
		check_message(v);
		return;
	}
	jsonr_iter_init(&i, v);
	while (jsonr_next(&i, NULL, &one))
		check_message(one);
}

/* An event with the message, as bytes that are not plain or as such. */
static void
check_event(const struct answer *a, struct bytes data)
{
	struct buf raw, out, mem;
	enum sse_result r;
	struct sse sse;

	buf_init(&raw, IN_MAX * 2);
	buf_init(&out, IN_MAX * 4);
	buf_init(&mem, IN_MAX * 4);
	sse_init(&sse, IN_MAX * 4);
	buf_add_str(&raw, "data: ");
	buf_add(&raw, data);
	buf_add_str(&raw, "\n\n");
	assert(event_write(&out, buf_bytes(&raw), a->pass, a->changed,
	    &mem) == 0);
	assert(sse_is_plain(buf_bytes(&out)));
	assert(sse_take(&sse, buf_bytes(&out), &r) == buf_len(&out));
	assert(r == SSE_EVENT);
	check_pass(buf_bytes(&sse.data));
	buf_reset(&raw);
	buf_reset(&out);
	buf_reset(&mem);
	sse_done(&sse);
}

static void
check_pure(struct bytes in)
{
	struct media m = media_parse(in);

	assert(m.type.len <= in.len);
	if (response_is_no_message(400, in))
		assert(!response_is_waste(202, in));
	media_mentions(in, "charset");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct answer_context context = {.proxy = &proxy, .route = &route,
	    .session = "", .find = find};
	struct bytes in = bytes_of(data, len);
	struct answer a;

	if (len > IN_MAX)
		return 0;
	check_pure(in);
	answer_init(&a, &context, MESSAGE_MAX);
	answer_run(&a, in, on_end, NULL);
	while (fake_answer())
		;
	assert(a.end != ANSWER_OPEN);
	if (a.end == ANSWER_PASS) {
		check_pass(a.pass);
		/* An event's data has no CR: there it would end a line. */
		if (memchr(data, '\r', len) == NULL &&
		    memchr(data, '\n', len) == NULL)
			check_event(&a, in);
	}
	answer_done(&a);
	return 0;
}
