/* SPDX-License-Identifier: ISC */
/* What becomes of a server's messages before a policy, in whatever body they
 * come. */
#include "cmd/mcp-proxy/answer.h"

#include "cmd/mcp-proxy/event.h"
#include "cmd/mcp-proxy/media.h"
#include "cmd/mcp-proxy/proxy.h"
#include "cmd/mcp-proxy/response.h"
#include "common/str.h"
#include "tests/fake_policy.h"
#include "tests/unit/test.h"

enum { MESSAGE_MAX = 4096, TEXT_LEN = 4096 };

#define RESULT(id, result) \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" result "}"
#define LIST "{\"tools\":[{\"name\":\"a\"},{\"name\":\"x\"}]}"
#define SHORT "{\"tools\":[{\"name\":\"a\"}]}"
#define NOTE(uri) "{\"jsonrpc\":\"2.0\",\"method\":" \
	"\"notifications/resources/updated\",\"params\":{\"uri\":\"" uri "\"}}"
#define DENIED(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":{" \
	"\"content\":[{\"type\":\"text\",\"text\":\"no\"}],\"isError\":true}}"

static struct proxy *proxy;
static char name[] = "docs", origin[] = "http://a:1";
static char *all[] = {name, NULL};
static struct config_policy rules = {.message_max = MESSAGE_MAX, .tools = all};
static struct config_route route = {.name = name, .origin = origin,
	.policy = &rules};
static struct hearing_call calls[4];
static size_t refused_count, end_count;
static struct answer_context context;
static struct answer answer;
static char got[TEXT_LEN];

static const struct hearing_call *
find(void *user, struct jsonr id)
{
	(void)user;
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		if (bytes_eq(calls[i].id, id.text))
			return &calls[i];
	}
	return NULL;
}

static void
set_call(size_t i, const char *id, const char *method, const char *of)
{
	calls[i].id = bytes_cstr(id);
	calls[i].method = bytes_cstr(method);
	calls[i].kind = POLICY_TOOL;
	calls[i].name = of == NULL ? bytes_of(NULL, 0) : bytes_cstr(of);
}

static void
on_refused(void *user, const struct rpc *m)
{
	(void)user;
	(void)m;
	refused_count++;
}

static void
on_end(void *user)
{
	(void)user;
	end_count++;
}

static const char *
outcome(void)
{
	static const char *const ends[] = {
		[ANSWER_OPEN] = "open", [ANSWER_DROP] = "drop",
		[ANSWER_FAIL] = "fail",
	};

	if (answer.end != ANSWER_PASS)
		return ends[answer.end];
	str_format(got, sizeof got, "%.*s", (int)answer.pass.len,
	    (const char *)answer.pass.ptr);
	return got;
}

static void
check(const char *text, const char *want)
{
	bool same = str_eq(text, want);

	answer_run(&answer, bytes_cstr(text), on_end, NULL);
	eq_str(outcome(), want, "%s", text);
	if (same)
		ok(answer.pass.ptr == (const uint8_t *)text && !answer.changed,
		    "the very bytes go on");
	else if (answer.end == ANSWER_PASS)
		ok(answer.changed, "is changed");
}

static void
test_judged(void)
{
	check(" " RESULT("1", "{\"a\": 1e0}") "\n",
	    " " RESULT("1", "{\"a\": 1e0}") "\n");
	check(RESULT("2", "{}"), DENIED("2"));
	check(RESULT("3", "{\"a\":\"old\"}"), RESULT("3", "{\"a\":\"new\"}"));
	check(RESULT("4", LIST), RESULT("4", SHORT));
	check(RESULT("1", LIST), RESULT("1", SHORT));
	check(RESULT("1", SHORT), RESULT("1", SHORT));
	check(NOTE("a:1"), NOTE("a:1"));
	check(NOTE("x:1"), "drop");
	check(RESULT("9", LIST), RESULT("9", SHORT));
	context.only_asked = true;
	check(RESULT("9", "{}"), "fail");
	check("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1}}",
	    "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1}}");
	context.only_asked = false;
	check(RESULT("3", "{\"tools\":[{\"name\":\"x\"}],\"a\":\"old\"}"),
	    RESULT("3", "{\"tools\":[],\"a\":\"new\"}"));
	check(RESULT("4", "{\"tools\":[{},{\"name\":\"a\\u0000\"}]}"),
	    RESULT("4", "{\"tools\":[]}"));
	rules.tools = NULL;
	check(RESULT("4", LIST), RESULT("4", LIST));
	rules.methods = all;
	check(RESULT("4", LIST), RESULT("4", SHORT));
	rules.methods = NULL;
	rules.tools = all;
}

static void
test_refused(void)
{
	static const char *const bad[] = {
		"", "{", "1", "{}", "{\"jsonrpc\":\"2.0\",\"id\":1}",
		RESULT("1", "{\"a\":1,\"a\":2}"), RESULT("4", "{\"tools\":1}"),
		RESULT("1", "{\"Tools\":[]}"), "[" RESULT("1", "{}") ",1]",
		"\xef\xbb\xbf" RESULT("1", "{}"),
		"{\"jsonrpc\":\"2.0\",\"method\":\"x\\u0000\"}",
		RESULT("1", "{}") RESULT("1", "{}"),
	};
	struct buf b;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		check(bad[i], "fail");
	eq_int(answer.why.status, 502, "and is blamed on the upstream");
	refused_count = 0;
	check("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"resources/read\","
	    "\"params\":{\"uri\":\"x\"}}", "drop");
	eq_int(refused_count, 1, "a server that asked is told");
	buf_init(&b, 1 << 20);
	buf_add_str(&b, "[" NOTE("a:1"));
	for (int i = 0; i < MESSAGE_BATCH_MAX; i++)
		buf_add_str(&b, "," NOTE("a:1"));
	buf_add(&b, bytes_of("]", 2));
	check((const char *)b.mem, "fail");
	buf_clear(&b);
	buf_add_str(&b, "{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":"
	    "{\"tools\":[0");
	for (int i = 1; i < LISTING_ENTRIES_MAX; i++)
		buf_add_str(&b, ",0");
	buf_add(&b, bytes_of("]}}", 4));
	check((const char *)b.mem, RESULT("4", "{\"tools\":[]}"));
	b.tail -= 4;
	buf_add(&b, bytes_of(",0]}}", 6));
	check((const char *)b.mem, "fail");
	buf_reset(&b);
}

static void
test_batch(void)
{
	check("[ " RESULT("1", "{}") " ]", "[ " RESULT("1", "{}") " ]");
	check("[]", "[]");
	check("[" RESULT("1", "{}") " , " NOTE("x:1") "," RESULT("2", "{}")
	    "]", "[" RESULT("1", "{}") "," DENIED("2") "]");
	check("[" NOTE("x:1") "]", "drop");
	check("[" NOTE("x:1") "," RESULT("4", LIST) "]",
	    "[" RESULT("4", SHORT) "]");
}

static void
test_later(void)
{
	set_call(0, "1", "tools/call", "la");
	set_call(1, "2", "tools/call", "lx");
	end_count = 0;
	ok(!answer_run(&answer, bytes_cstr("[" RESULT("1", "{}") ","
	    RESULT("2", "{}") "]"), on_end, NULL), "a question is open");
	ok(fake_answer() && end_count == 0 && fake_answer() && end_count == 1,
	    "two are answered");
	eq_str(outcome(), "[" RESULT("1", "{}") "," DENIED("2") "]",
	    "in their order");
	answer_run(&answer, bytes_cstr(RESULT("9",
	    "{\"tools\":[{\"name\":\"lx\"},{\"name\":\"la\"}]}")), on_end, NULL);
	ok(fake_answer() && fake_answer() && !fake_answer(),
	    "entries are asked about one by one");
	eq_str(outcome(), RESULT("9", "{\"tools\":[{\"name\":\"la\"}]}"),
	    "and left out");
}

/* ---- bodies ---- */

/* What the head of a response with these lines says, asked by POST ('p'),
 * by GET for events ('e') or by another ('g'). */
static int
choose(char how, int status, const char *lines)
{
	struct http_head h;
	struct body body;
	struct error e;
	struct buf text;
	int r = -2;

	buf_init(&text, TEXT_LEN);
	buf_format(&text, "HTTP/1.1 %d x\r\n%sContent-Length: 9\r\n\r\n",
	    status, lines);
	if (http_parse_response(buf_bytes(&text), false, &h, &body, &e) == 0)
		r = response_choose(&h, how == 'p', how != 'g', &e);
	buf_reset(&text);
	return r;
}

#define TYPE "Content-Type: "

static void
test_bodies(void)
{
	static const struct {
		char how;
		int status;
		const char *lines;
		int want;
	} rows[] = {
		{'p', 200, TYPE "application/json\r\n", RESPONSE_JSON},
		{'p', 200, TYPE "Application/JSON ;charset=UTF-8\r\n",
		    RESPONSE_JSON},
		{'p', 200, TYPE "text/event-stream\r\n", RESPONSE_EVENTS},
		{'g', 404, TYPE "text/event-stream\r\n", RESPONSE_EVENTS},
		{'e', 200, TYPE "text/event-stream;x\r\n", RESPONSE_EVENTS},
		{'e', 200, TYPE "application/json\r\n", -1},
		{'e', 404, TYPE "application/json\r\n", RESPONSE_JSON},
		{'g', 200, TYPE "application/json\r\n", RESPONSE_OTHER},
		{'g', 404, TYPE "application/json\r\n", RESPONSE_OTHER},
		{'p', 202, TYPE "application/json\r\n", RESPONSE_JSON},
		{'p', 202, TYPE "text/plain\r\n", RESPONSE_OTHER},
		{'p', 299, TYPE "text/plain\r\n", -1},
		{'p', 300, TYPE "text/plain\r\n", RESPONSE_OTHER},
		{'p', 200, "", -1}, {'p', 500, "", RESPONSE_OTHER},
		{'p', 500, TYPE "a/b\r\n" TYPE "a/b\r\n", -1},
		{'p', 200, TYPE "application/json\r\nContent-Encoding: br\r\n",
		    -1},
		{'p', 200, TYPE "application/json\r\n"
		    "Content-Encoding: identity\r\n", RESPONSE_JSON},
		{'p', 200, TYPE "application/json;charset=utf-7\r\n", -1},
		{'p', 500, TYPE "a/b;charset=utf-7\r\n", RESPONSE_OTHER},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		eq_int(choose(rows[i].how, rows[i].status, rows[i].lines),
		    rows[i].want, "%c %d %s", rows[i].how, rows[i].status,
		    rows[i].lines);
}

static void
test_media(void)
{
	static const char *const good[] = {
		"a/b", " a/b\t; x=y", "a/b;charset=\"UTF-8\";", "a/b;;x",
		"a/b ; Charset=utf-8 ;charset=utf-8",
	};
	static const char *const bad[] = {
		"a/b;charset=utf-16", "a/b;charset=utf-8;charset=x",
		"a/b; charset = utf-8", "a/b;charset", "a/b;charset*=x''y",
		"a/b;x=\";charset=utf-7\"",
	};

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct media m = media_parse(bytes_cstr(good[i]));

		ok(media_is(&m, "A/B") && m.utf8, "%s", good[i]);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ok(!media_parse(bytes_cstr(bad[i])).utf8, "not %s", bad[i]);
	ok(media_parse(bytes_cstr("")).type.len == 0 &&
	    media_parse(bytes_cstr(";")).type.len == 0, "none");
	ok(media_mentions(bytes_cstr("a, B"), "b") &&
	    !media_mentions(bytes_cstr("a"), "ab"), "a word in a value");
}

static void
test_no_message(void)
{
	static const char *const none[] = {
		"{}", "{\"error\":\"invalid_token\"}", "{\"id\":1,\"error\":1}",
		"{\"jsonrpc\":\"2.0\",\"error\":{}}", "{\"a\":{\"result\":1}}",
	};
	static const char *const maybe[] = {
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{}}", "{\"result\":1}",
		"{\"RESULT\":1}", "{\"method\":1}", "{\"par_ams\":1}",
		"{\"Id\":1,\"JsonRpc\":2}", "{\"re\\udc00sult\":1}", "{\"result\\u0000\":1}", "[]", "x",
	};

	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		struct bytes text = bytes_cstr(none[i]);

		ok(response_is_no_message(400, text) &&
		    response_is_no_message(202, text), "none: %s", none[i]);
		ok(!response_is_no_message(299, text), "but with 299");
	}
	for (size_t i = 0; i < sizeof maybe / sizeof *maybe; i++)
		ok(!response_is_no_message(300, bytes_cstr(maybe[i])) &&
		    !response_is_no_message(202, bytes_cstr(maybe[i])),
		    "perhaps one: %s", maybe[i]);
	ok(response_is_no_message(202, bytes_cstr("null")) &&
	    !response_is_no_message(400, bytes_cstr("null")), "null");
	ok(response_is_waste(202, bytes_cstr("{\"a\":NaN}")) &&
	    !response_is_waste(200, bytes_cstr("x")) &&
	    !response_is_waste(202, bytes_cstr("[]")), "what nobody can read");
}

static void
check_event(const char *raw, const char *message, bool changed,
    const char *want)
{
	struct buf out, mem;

	buf_init(&out, TEXT_LEN - 1);
	buf_init(&mem, TEXT_LEN);
	eq_int(event_write(&out, bytes_cstr(raw), bytes_cstr(message), changed,
	    &mem), 0, "%s", raw);
	str_from_bytes(got, sizeof got, buf_bytes(&out));
	eq_str(got, want, "goes on");
	buf_reset(&out);
	buf_reset(&mem);
}

static bool
is_endpoint(const char *raw)
{
	enum sse_result r;
	struct sse sse;
	bool is;

	sse_init(&sse, TEXT_LEN);
	sse_take(&sse, bytes_cstr(raw), &r);
	is = r == SSE_EVENT && event_is_endpoint(&sse, bytes_cstr(raw));
	sse_done(&sse);
	return is;
}

static void
test_events(void)
{
	check_event("id: 1\r\ndata:x\r\n: c\r\n\r\n", "x", false,
	    "id: 1\r\ndata:x\r\n: c\r\n\r\n");
	check_event("data: x\n\n", "y", true, "data: y\n\n");
	check_event("data: [1,\ndata: 2]\n\n", "[1,\n2]", false,
	    "data: [1, 2]\n\n");
	check_event("data: x\nData: y\n\n", "x", false, "data: x\n\n");
	check_event("data: \"\xe2\x80\xa8\xe2\x80\xa9\xc2\x85\"\n\n",
	    "\"\xe2\x80\xa8\xe2\x80\xa9\xc2\x85\"", false,
	    "data: \"\\u2028\\u2029\\u0085\"\n\n");
	ok(is_endpoint("event: endpoint\ndata: /m?s=1\n\n"), "an endpoint");
	ok(!is_endpoint("event: Endpoint\ndata: /m\n\n") &&
	    !is_endpoint("event: endpoint\ndata: {}\n\n") &&
	    !is_endpoint("event: endpoint\ndata: []\n\n") &&
	    !is_endpoint("event: endpoint\ndata:  /m\n\n") &&
	    !is_endpoint("event: endpoint\ndata: /m\ndata: {}\n\n") &&
	    !is_endpoint("event: endpoint\ndata: \xef\xbb\xbf{}\n\n") &&
	    !is_endpoint("event: endpoint\ndata:\n\n") &&
	    !is_endpoint("event: endpoint\ndata: /m\x7f\n\n") &&
	    !is_endpoint("event: endpoint\nData: {}\ndata: /m\n\n"),
	    "others are none");
}

int
main(void)
{
	proxy = calloc(1, sizeof *proxy);
	if (proxy == NULL)
		return 1;
	context = (struct answer_context){.proxy = proxy, .route = &route,
	    .session = "", .find = find, .refused = on_refused};
	answer_init(&answer, &context, MESSAGE_MAX);
	set_call(0, "1", "tools/call", "a");
	set_call(1, "2", "tools/call", "x");
	set_call(2, "3", "tools/call", "w");
	set_call(3, "4", "tools/list", NULL);
	test_judged();
	test_refused();
	test_batch();
	test_later();
	test_bodies();
	test_media();
	test_no_message();
	test_events();
	answer_done(&answer);
	buf_reset(&fake_message);
	free(proxy);
	return test_done();
}
