/* SPDX-License-Identifier: ISC */
/* Work items, their secrets, and how they are handed on. */
#include "cmd/sandbox-worker/claim.h"
#include "cmd/sandbox-worker/event.h"
#include "cmd/sandbox-worker/secret.h"
#include "common/str.h"
#include "tests/unit/test.h"

static struct work work;
static struct secret secret;
static struct claim claim;

static int
parse(const char *json)
{
	struct error e;

	return work_parse(bytes_cstr(json), "env_own", &work, &e);
}

static void
test_work(void)
{
	static const char *const bad[] = {
		"7", "[]", "\"null\"", "{", "{}", "<html>", "nul",
		"{\"id\":7,\"data\":{\"type\":\"session\",\"id\":\"s\"}}",
		"{\"id\":\"\",\"data\":{\"type\":\"session\",\"id\":\"s\"}}",
		"{\"id\":\"a b\",\"data\":{\"type\":\"session\",\"id\":\"s\"}}",
		"{\"id\":\"w\"}", "{\"id\":\"w\",\"data\":null}",
		"{\"id\":\"w\",\"data\":{\"type\":\"session\"}}",
		"{\"id\":\"w\",\"data\":{\"id\":\"s\"}}",
		"{\"id\":\"w\",\"data\":{\"type\":\"session\",\"id\":\"s\"},"
		    "\"secret\":7}",
		"{\"id\":\"w\",\"data\":{\"type\":\"session\",\"id\":\"s\"},"
		    "\"environment_id\":7}",
		"{\"id\":\"w\",\"id\":\"v\",\"data\":{\"type\":\"session\","
		    "\"id\":\"s\"}}",
	};

	eq_int(parse(""), 0, "an empty body");
	eq_int(parse(" \r\n"), 0, "a blank one");
	eq_int(parse("null"), 0, "null");
	eq_int(parse("{\"id\":\"w\",\"data\":{\"type\":\"session\","
	    "\"id\":\"s\"},\"secret\":null,\"other\":1}"), 1, "an item");
	eq_str(work.environment_id, "env_own", "of our environment");
	eq_str(work.secret, "", "without a secret");
	eq_int(parse("{\"id\":\"w\",\"environment_id\":\"env_x\",\"data\":"
	    "{\"type\":\"healthcheck\"},\"secret\":\"c2Vj\"}"), 1,
	    "one that is no session");
	eq_str(work.environment_id, "env_x", "of an environment it names");
	eq_str(work.secret, "c2Vj", "with a secret");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		eq_int(parse(bad[i]), -1, "%s", bad[i]);
}

static void
test_ids(void)
{
	char id[WORK_ID_MAX + 1];

	memset(id, 'a', sizeof id);
	id[WORK_ID_MAX] = '\0';
	ok(!work_is_id(id), "an id that is too long");
	id[WORK_ID_MAX - 1] = '\0';
	ok(work_is_id(id), "the longest one");
	ok(!work_is_id(""), "none");
	ok(!work_is_id("a\nb"), "with an end of line");
	ok(!work_is_id("a\x7f"), "with a control byte");
}

static int
take_secret(const char *text)
{
	struct error e = {.text = ""};
	int r = secret_parse(text, &secret, &e);

	ok((r == 0) == (e.text[0] == '\0'), "an error has a text");
	return r;
}

static void
test_secret(void)
{
	/* {"sessions_token":"sk-ant-req-1?>"}, in four ways */
	static const char *const good[] = {
		"eyJzZXNzaW9uc190b2tlbiI6InNrLWFudC1yZXEtMT8-In0",
		"eyJzZXNzaW9uc190b2tlbiI6InNrLWFudC1yZXEtMT8-In0=",
		"eyJzZXNzaW9uc190b2tlbiI6InNrLWFudC1yZXEtMT8+In0",
		"eyJzZXNzaW9uc190b2tlbiI6InNrLWFudC1yZXEtMT8+In0=",
	};
	/* "", [], {}, {"sessions_token":""}, {"sessions_token":7},
	 * {"sessions_token":"a b"}, {"sessions_token":"a\n"} */
	static const char *const bad[] = {
		"", "W10", "e30", "eyJzZXNzaW9uc190b2tlbiI6IiJ9",
		"eyJzZXNzaW9uc190b2tlbiI6N30", "not base64!", "A", "====",
		"eyJzZXNzaW9uc190b2tlbiI6ImEgYiJ9",
		"eyJzZXNzaW9uc190b2tlbiI6ImFcbiJ9",
		/* a good one, and six bits more */
		("eyJzZXNzaW9uc190b2tlbiI6"
		    "InNrLWFudC1yZXEtMTIzPyJ9A"),
	};
	static char longer[SECRET_MAX + 2];

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		eq_int(take_secret(good[i]), 0, "%s", good[i]);
		eq_str(secret.token, "sk-ant-req-1?>", "its token");
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		eq_int(take_secret(bad[i]), -1, "'%s'", bad[i]);
		eq_str(secret.token, "", "no token");
	}
	/* {"sessions_token":"t","api_base_url":"https://evil.example"} */
	eq_int(take_secret("eyJzZXNzaW9uc190b2tlbiI6InQiLCJhcGlfYmFzZV91cmwi"
	    "OiJodHRwczovL2V2aWwuZXhhbXBsZSJ9"), 0, "with a base URL");
	eq_str(secret.base, "https://evil.example", "which is told apart");
	memset(longer, 'A', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	eq_int(take_secret(longer), -1, "one that is too long");
}

static void
test_handing_on(void)
{
	static const char *const bad[] = {
		"{}", "\"/a\"", "[7]", "[null]", "[\"a\\u0000b\"]",
		"[\"1\",\"2\",\"3\",\"4\",\"5\"]",
	};
	struct error e;
	struct buf out;

	parse("{\"id\":\"w\\u0022\",\"environment_id\":\"e\",\"data\":"
	    "{\"type\":\"session\",\"id\":\"s\"},\"secret\":\"c2Vj\"}");
	buf_init(&out, CLAIM_MAX);
	secret_file_add("--a", "/etc/k", &e);
	secret_file_add("--b", "/etc/\"s", &e);
	eq_int(claim_write(&out, &work, &(struct claim_keys){
	    .key = "key", .headers = "A: b\nC: d"}), 0, "written");
	eq_int(claim_read(buf_bytes(&out), &claim, &e), 0, "read");
	ok(str_eq(claim.work.id, "w\"") &&
	    str_eq(claim.work.environment_id, "e") &&
	    str_eq(claim.work.session_id, "s") &&
	    str_eq(claim.work.secret, "c2Vj") && str_eq(claim.key, "key") &&
	    str_eq(claim.headers, "A: b\nC: d") && claim.file_count == 2 &&
	    str_eq(claim.files[0], "/etc/k") &&
	    str_eq(claim.files[1], "/etc/\"s"), "the same");
	buf_clear(&out);
	claim_write(&out, &work, &(struct claim_keys){.key = NULL});
	claim_read(buf_bytes(&out), &claim, &e);
	ok(claim.key[0] == '\0' && claim.headers[0] == '\0',
	    "without key and headers");
	buf_reset(&out);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char text[256];

		str_format(text, sizeof text, "{\"id\":\"w\","
		    "\"environment_id\":\"e\",\"data\":{\"type\":"
		    "\"session\",\"id\":\"s\"},\"secret_files\":%s}",
		    bad[i]);
		eq_int(claim_read(bytes_cstr(text), &claim, &e), -1, "%s",
		    bad[i]);
	}
	eq_int(claim_read(bytes_cstr("null"), &claim, &e), -1, "nothing");
	eq_int(claim_read(bytes_cstr("{\"id\":\"w\",\"data\":{\"type\":"
	    "\"session\",\"id\":\"s\"}}"), &claim, &e), -1,
	    "without an environment");
}

static void
test_events(void)
{
	static const char *const bad[] = {
		"", "7", "[]", "{}", "{\"type\":7}", "{\"type\":null}",
		"{\"type\":\"agent.tool_use\"}",
		"{\"type\":\"agent.tool_use\",\"id\":7,\"name\":\"bash\"}",
		"{\"type\":\"agent.tool_use\",\"id\":\"\",\"name\":\"bash\"}",
		"{\"type\":\"agent.tool_use\",\"id\":\"a\",\"name\":7}",
		"{\"type\":\"agent.tool_use\",\"id\":\"a\",\"id\":\"b\"}",
		"{\"type\":\"user.tool_result\"}",
		"{\"type\":\"user.custom_tool_result\",\"tool_use_id\":\"a\"}",
		"{\"type\":\"user.tool_confirmation\",\"result\":\"allow\"}",
		"{\"type\":\"session.thread_status_terminated\"}",
	};
	struct event ev;
	struct error e;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		eq_int(event_parse(bytes_cstr(bad[i]), &ev, &e), -1, "%s",
		    bad[i]);
	eq_int(event_parse(bytes_cstr("{\"type\":\"agent.tool_use\",\"id\":"
	    "\"a\",\"name\":\"bash\",\"input\":{\"timeout_ms\": 1e5, \"a\":"
	    "\"\\ud800\"}}"), &ev, &e), 0, "half a surrogate pair");
	eq_bytes(ev.input.text, bytes_cstr("{\"timeout_ms\": 1e5, \"a\":"
	    "\"\\ud800\"}"), "is handed on as it came");
	eq_int(event_parse(bytes_cstr("{\"type\":\"agent.tool_use\",\"id\":"
	    "\"a\",\"name\":\"bash\",\"input\":\"x\"}"), &ev, &e), 0,
	    "an input that is no object is the tool's affair");
	event_parse(bytes_cstr("{\"type\":\"session.status_idle\"}"), &ev,
	    &e);
	eq_int(ev.kind, EVENT_IDLE, "an idle without a reason");
	event_parse(bytes_cstr("{\"type\":\"something.that_nobody_knows_and_"
	    "that_is_longer_than_any_type_there_is_today_by_far\"}"), &ev,
	    &e);
	eq_int(ev.kind, EVENT_OTHER, "a type that nobody knows");
}

int
main(void)
{
	test_work();
	test_ids();
	test_secret();
	test_handing_on();
	test_events();
	return test_done();
}
