/* SPDX-License-Identifier: ISC */
/* What becomes of an agent's request before a policy: which bytes go on, and
 * what is answered instead. */
#include "cmd/mcp-proxy/hearing.h"

#include "cmd/mcp-proxy/proxy.h"
#include "common/str.h"
#include "tests/fake_policy.h"
#include "tests/unit/test.h"

enum { MESSAGE_MAX = 4096, TEXT_LEN = 4096 };

#define JSON "Content-Type: application/json\r\n"
#define CALL(id, name) "{\"jsonrpc\":\"2.0\",\"id\":" id \
	",\"method\":\"tools/call\",\"params\":{\"name\":\"" name \
	"\",\"arguments\":{\"a\":\"old\"}}}"
#define NOTE(uri) "{\"jsonrpc\":\"2.0\",\"method\":" \
	"\"notifications/resources/updated\",\"params\":{\"uri\":\"" uri "\"}}"
#define REF(members) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":" \
	"\"completion/complete\",\"params\":{\"ref\":{\"type\":" \
	"\"ref/prompt\"," members "}}}"
#define LISTEN(member) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":" \
	"\"subscriptions/listen\",\"params\":{\"notifications\":{\"" member \
	"\":[\"a:b\"]}}}"
#define META "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":" \
	"\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{}}"
#define DENIED(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":{" \
	"\"content\":[{\"type\":\"text\",\"text\":\"no\"}],\"isError\":true}}"
#define NOT_SENT(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{" \
	"\"code\":403,\"message\":\"Not sent: the policy of this server does " \
	"not allow another message of the batch.\",\"data\":{\"code\":" \
	"\"denied\",\"blame\":\"policy\"}}}"

static struct proxy *proxy;
static struct config_policy rules = {.message_max = MESSAGE_MAX};
static char name[] = "docs";
static struct config_route route = {.name = name, .policy = &rules};
static struct hearing *heard;
static size_t end_count;
static char got[TEXT_LEN];

static void
on_end(void *user)
{
	(void)user;
	end_count++;
}

/* Begins with a request; fields: lines of its head. */
static void
hear(const char *fields, struct bytes body)
{
	struct audit_who who = {.request = 1};
	struct http_head head;
	struct body framing;
	struct error e;
	struct buf text;

	hearing_free(heard);
	while (fake_answer())
		;
	buf_init(&text, TEXT_LEN);
	buf_format(&text, "POST /mcp HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
	if (http_parse_request(buf_bytes(&text), &head, &framing, &e) != 0 ||
	    (heard = hearing_new(proxy, &route, &head, &who)) == NULL)
		exit(1);
	buf_reset(&text);
	end_count = fake_count = 0;
	if (heard->end == HEARING_OPEN)
		hearing_run(heard, body, on_end, NULL);
}

/* What came of it: "pass ..." or "200 ...". */
static const char *
outcome(void)
{
	struct bytes text = heard->end == HEARING_PASS ? heard->pass
	    : buf_bytes(&heard->reply);

	str_format(got, sizeof got, "%.*s", (int)text.len,
	    text.len == 0 ? "" : (const char *)text.ptr);
	if (heard->end == HEARING_OPEN)
		return "open";
	if (heard->end == HEARING_FAIL)
		return "fail";
	if (heard->end == HEARING_REPLY) {
		memmove(got + 4, got, strlen(got) + 1 < sizeof got - 4
		    ? strlen(got) + 1 : sizeof got - 4);
		memcpy(got, "000 ", 4);
		got[0] = (char)('0' + heard->status / 100);
		got[1] = (char)('0' + heard->status / 10 % 10);
		got[2] = (char)('0' + heard->status % 10);
	}
	return got;
}

static void
check(const char *body, const char *want)
{
	hear(JSON, bytes_cstr(body));
	eq_str(outcome(), want, "%s", body);
	eq_int(end_count, 1, "ends once");
}

static void
test_single(void)
{
	const char call[] = " " CALL("1", "a") "\n";

	hear(JSON, bytes_cstr(call));
	ok(heard->end == HEARING_PASS && heard->pass.ptr ==
	    (const uint8_t *)call && heard->pass.len == sizeof call - 1,
	    "the very bytes go on");
	check(CALL("1", "x"), "200 " DENIED("1"));
	check("{\"jsonrpc\":\"2.0\",\"id\":\"s\",\"method\":\"prompts/get\","
	    "\"params\":{\"name\":\"x\"}}",
	    "200 {\"jsonrpc\":\"2.0\",\"id\":\"s\",\"error\":{\"code\":403,"
	    "\"message\":\"no\",\"data\":{\"code\":\"denied\",\"blame\":"
	    "\"policy\"}}}");
	check(CALL("1", "w"), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
	    "\"tools/call\",\"params\":{\"name\":\"w\",\"arguments\":{\"a\":"
	    "\"new\"}}}");
	check(NOTE("x:1"), "202 ");
	check(NOTE("a:1"), NOTE("a:1"));
	check(REF("\"name\":\"a\""), REF("\"name\":\"a\""));
	check(LISTEN("resourceSubscriptions"), LISTEN("resourceSubscriptions"));
	check("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
}

static void
test_later(void)
{
	hear(JSON, bytes_cstr(CALL("1", "la")));
	eq_str(outcome(), "open", "a question is open");
	ok(fake_answer() && end_count == 1, "it is answered");
	eq_str(outcome(), CALL("1", "la"), "and the message goes on");
	hear(JSON, bytes_cstr(CALL("1", "lx")));
	fake_answer();
	eq_str(outcome(), "200 " DENIED("1"), "or does not");
	hear(JSON, bytes_cstr("[" CALL("1", "lw") "," CALL("2", "la") "]"));
	ok(fake_answer() && end_count == 0 && fake_answer(), "a batch");
	eq_str(outcome(), "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
	    "\"tools/call\",\"params\":{\"name\":\"lw\",\"arguments\":{\"a\":"
	    "\"new\"}}}," CALL("2", "la") "]", "of two questions");
	hear(JSON, bytes_cstr(CALL("1", "la")));
	hearing_free(heard);
	heard = NULL;
	ok(fake_asked->forgotten && fake_answer() && end_count == 0,
	    "who is gone is told nothing");
}

static void
test_batch(void)
{
	check("[" CALL("1", "a") "," CALL("2", "x") "," NOTE("a:1") "]",
	    "200 [" NOT_SENT("1") "," DENIED("2") "]");
	check("[" NOTE("x:1") "," NOTE("x:2") "]", "202 ");
	check("[ " NOTE("x:1") ", " CALL("1", "a") "]", "[" CALL("1", "a") "]");
	check("[ " CALL("1", "a") " ]", "[ " CALL("1", "a") " ]");
	check("[" CALL("9007199254740993", "a") ","
	    CALL("9007199254740996", "b") "]", "[" CALL("9007199254740993",
	    "a") "," CALL("9007199254740996", "b") "]");
	eq_str(heard->calls != NULL ? "known" : "", "known",
	    "and is known for its answer");
}

/* The same answers, each with the code of its error. */
static void
check_refused(const char *fields, const char *body, int status, int code)
{
	char want[64];

	hear(fields, bytes_cstr(body));
	eq_int(heard->end, HEARING_REPLY, "%s%s", fields, body);
	eq_int(heard->status, status, "its status");
	str_format(want, sizeof want, "\"error\":{\"code\":%d,", code);
	ok(strstr(outcome(), want) != NULL, "its code: %s", got);
}

static void
test_refused(void)
{
	static const char *const bodies[] = {
		"[]", "[[]]", "[" CALL("1", "a") ",1]", "{\"id\":1}",
		"[" CALL("1", "a") "," CALL("1", "b") "]",
		"[" CALL("1", "a") "," CALL("\"1\"", "b") "]",
		"[" CALL("2", "a") "," CALL("20e-1", "b") "]",
		"[" CALL("1.5", "a") "]", "[" CALL("9223372036854775808", "a")
		"]", "[" CALL("9007199254740992", "a") ","
		CALL("9007199254740993", "b") "]",
		"[" CALL("9007199254740993", "a") ","
		CALL("\"9007199254740993\"", "b") "]",
		"[" CALL("\"9007199254740992\"", "a") ","
		CALL("9007199254740993", "b") "]",
	};
	struct buf many;

	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
		check_refused(JSON, bodies[i], 400, RPC_INVALID_REQUEST);
	check_refused(JSON, "x", 400, RPC_PARSE_ERROR);
	check_refused(JSON, CALL("1", "a\\u0000"), 400, RPC_INVALID_PARAMS);
	check_refused(JSON, CALL("1", "\\udc00"), 400, RPC_INVALID_PARAMS);
	check_refused(JSON, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
	    "\"tools/Call\"}", 400, RPC_INVALID_PARAMS);
	check_refused(JSON, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
	    "\"x\\u0000\"}", 400, RPC_INVALID_PARAMS);
	check_refused(JSON, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
	    "\"x\",\"params\":{\"a\":{\"b\":1,\"b\":2}}}", 400,
	    RPC_INVALID_REQUEST);
	check_refused(JSON, REF("\"name\":\"a\",\"Name\":\"x\""), 400,
	    RPC_INVALID_PARAMS);
	check_refused(JSON, REF("\"name\":\"a\",\"type_\":\"x\""), 400,
	    RPC_INVALID_PARAMS);
	check_refused(JSON, LISTEN("resource_subscriptions"), 400,
	    RPC_INVALID_PARAMS);
	check_refused("Content-Type: text/plain\r\n", CALL("1", "a"), 415,
	    RPC_INVALID_REQUEST);
	check_refused(JSON JSON, CALL("1", "a"), 415, RPC_INVALID_REQUEST);
	check_refused(JSON "Content_Type: x\r\n", CALL("1", "a"), 400,
	    RPC_INVALID_REQUEST);
	check_refused(JSON "Content-Encoding: br\r\n", CALL("1", "a"), 415,
	    RPC_INVALID_REQUEST);
	check_refused(JSON "Mcp-Session-Id: a\r\nmcp-session-id: a\r\n",
	    CALL("1", "a"), 400, RPC_INVALID_REQUEST);
	buf_init(&many, 1 << 20);
	buf_add_str(&many, "[" NOTE("a:1"));
	for (int i = 1; i < MESSAGE_BATCH_MAX; i++)
		buf_add_str(&many, "," NOTE("a:1"));
	buf_add_str(&many, "]");
	hear(JSON, buf_bytes(&many));
	eq_int(heard->end, HEARING_PASS, "as many as may be");
	many.tail--;
	buf_add(&many, bytes_of("," NOTE("a:1") "]\0", sizeof NOTE("a:1") + 2));
	check_refused(JSON, (const char *)buf_bytes(&many).ptr, 400,
	    RPC_INVALID_REQUEST);
	buf_reset(&many);
}

static void
test_versions(void)
{
	const char modern[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
	    "\"tools/call\",\"params\":{\"name\":\"x\"," META "}}";
	const char head[] = JSON "MCP-Protocol-Version: 2026-07-28\r\n"
	    "Mcp-Method: tools/call\r\nMcp-Name: x\r\n";

	check_refused(JSON, modern, 400, RPC_HEADER_MISMATCH);
	hear(head, bytes_cstr(modern));
	ok(heard->modern && strstr(outcome(), "\"resultType\":\"complete\"") !=
	    NULL, "a denial of 2026-07-28");
	hear(JSON "MCP-Protocol-Version: 2025-06-18\r\n",
	    bytes_cstr(CALL("1", "a")));
	ok(heard->end == HEARING_PASS && !heard->modern, "of 2025-06-18");
	check_refused(JSON "MCP-Protocol-Version: 2025-06-18\r\n",
	    "[" CALL("1", "a") "]", 400, RPC_INVALID_REQUEST);
	hear(JSON "MCP-Protocol-Version: 2025-03-26\r\n",
	    bytes_cstr("[" CALL("1", "a") "]"));
	eq_int(heard->end, HEARING_PASS, "a batch of 2025-03-26");
	check_refused(JSON "MCP-Protocol-Version: 2027-01-01\r\n",
	    CALL("1", "a"), 400, RPC_UNSUPPORTED_VERSION);
	check_refused(JSON "Mcp-Name: b\r\n", CALL("1", "a"), 400,
	    RPC_HEADER_MISMATCH);
}

static const struct hearing_call *
find(const char *id)
{
	struct error e;
	struct jsonr v;

	return jsonr_parse(bytes_cstr(id), &v, &e) != 0 ? NULL
	    : hearing_find(heard, v);
}

static void
test_find(void)
{
	struct hearing_call *taken;
	struct error e;
	struct jsonr v;

	hear(JSON, bytes_cstr("[" CALL("1", "a") "," CALL("\"b\"", "b") "]"));
	ok(find("1") != NULL && find("1.0") == find("1") &&
	    find("\"1\"") == find("1"), "a number");
	ok(find("\"b\"") != NULL && find("\"\\u0062\"") == find("\"b\"") &&
	    find("\"b\"") != find("1"), "a string");
	ok(find("2") == NULL && find("null") == NULL && find("\"01\"") == NULL &&
	    find("{}") == NULL, "others are not known");
	ok(bytes_eq(find("1")->method, bytes_cstr("tools/call")) &&
	    bytes_eq(find("1")->name, bytes_cstr("a")) &&
	    find("1")->kind == POLICY_TOOL, "what was asked is");
	jsonr_parse(bytes_cstr("1"), &v, &e);
	taken = hearing_take(heard, v);
	ok(taken != NULL && find("1") == NULL && find("\"b\"") != NULL,
	    "it is taken");
	free(taken);
	ok(hearing_take(heard, v) == NULL, "once");
	hear(JSON, bytes_cstr(CALL("9007199254740993", "a")));
	ok(find("9007199254740992") != NULL && find("7") == NULL,
	    "a number that is rounded");
}

int
main(void)
{
	proxy = calloc(1, sizeof *proxy);
	if (proxy == NULL)
		return 1;
	test_single();
	test_later();
	test_batch();
	test_refused();
	test_versions();
	test_find();
	hearing_free(heard);
	buf_reset(&fake_message);
	free(proxy);
	return test_done();
}
