/* SPDX-License-Identifier: ISC */
/* Lists of tools and the like without some of their entries. */
#include "cmd/mcp-proxy/listing.h"
#include "cmd/mcp-proxy/message.h"
#include "common/str.h"
#include "tests/unit/test.h"

enum { OUT_MAX = 1 << 20 };

#define ANSWER(result) "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":" result "}"

/* Leaves out what begins with 'x', or has no name.  Returns what listing_init
 * or listing_write did. */
static int
filter(const char *text, const struct policy_list *list, struct buf *out,
    struct buf *removed)
{
	struct listing_entry entry;
	const struct bytes *names;
	struct listing l;
	struct error e;
	struct rpc m;
	size_t count;
	int r;

	if (message_parse(bytes_cstr(text), &m, &e) != 0)
		return -2;
	r = listing_init(&l, &m, list, &e);
	if (r < 0)
		buf_add_str(removed, e.text);
	if (r == 1) {
		while (listing_next(&l, &entry))
			listing_put(&l, entry.name.kind == JSONR_STRING &&
			    entry.name.text.ptr[1] != 'x');
		r = listing_write(&l, out);
		count = listing_removed(&l, &names);
		for (size_t i = 0; i < count; i++)
			buf_format(removed, "%.*s;", (int)names[i].len,
			    (const char *)names[i].ptr);
		if (l.removed_count != count)
			buf_format(removed, "of %zu", l.removed_count);
	}
	listing_done(&l);
	return r;
}

/* want NULL: it stays as it is.  removed: the names. */
static void
check(const char *method, const char *text, const char *want,
    const char *removed)
{
	char got[2048];
	struct buf out, names;

	buf_init(&out, sizeof got - 1);
	buf_init(&names, sizeof got - 1);
	eq_int(filter(text, policy_list(bytes_cstr(method)), &out, &names),
	    want != NULL, "%s", text);
	if (want != NULL) {
		str_from_bytes(got, sizeof got, buf_bytes(&out));
		eq_str(got, want, "becomes %s", want);
	}
	str_from_bytes(got, sizeof got, buf_bytes(&names));
	eq_str(got, removed, "without %s", removed);
	buf_reset(&out);
	buf_reset(&names);
}

static void
test_lists(void)
{
	check("tools/list", ANSWER("{\"tools\":[{\"name\":\"a\"}]}"), NULL, "");
	check("tools/list", ANSWER("{\"tools\":[]}"), NULL, "");
	check("tools/list", ANSWER("{\"tools\": [ { \"name\" : \"a\" ,"
	    " \"k\":1e0 } , {\"name\":\"x\"},{\"name\":\"b\"} ] ,"
	    "\"nextCursor\":\"c\"}"),
	    ANSWER("{\"tools\": [{ \"name\" : \"a\" , \"k\":1e0 },"
	    "{\"name\":\"b\"}] ,\"nextCursor\":\"c\"}"), "x;");
	check("tools/list", ANSWER("{\"tools\":[{\"name\":\"x1\"},"
	    "{\"name\":\"x2\"}]}"), ANSWER("{\"tools\":[]}"), "x1;x2;");
	check("tools/list", ANSWER("{\"to\\u006fls\":[{\"n\\u0061me\":"
	    "\"x\\u0041\"}]}"), ANSWER("{\"to\\u006fls\":[]}"), "xA;");
	check("tools/list", ANSWER("{\"tools\":[1,null,[],{},{\"name\":1},"
	    "{\"name\":\"a\",\"name\":\"b\"},{\"name\":\"a\",\"Name\":\"x\"},"
	    "{\"NAME\":\"a\"},{\"name\":\"a\"}]}"),
	    ANSWER("{\"tools\":[{\"name\":\"a\"}]}"), ";;;;;;;;");
	check("prompts/list", ANSWER("{\"prompts\":[{\"name\":\"x\"}],"
	    "\"tools\":[{\"name\":\"x\"}]}"),
	    ANSWER("{\"prompts\":[],\"tools\":[]}"), "x;x;");
	check("tasks/result", ANSWER("{\"tools\":[{\"name\":\"x\"}]}"),
	    ANSWER("{\"tools\":[]}"), "x;");
	check("x", ANSWER("{\"tools\":5,\"prompts\":{}}"), NULL, "");
	check("tools/list", ANSWER("{\"tools\":[{\"name\":\"a\\u0000\"},"
	    "{\"name\":\"a\\ud800\"},{\"name\":\"a\",\"na_me\":\"x\"},"
	    "{\"name\":\"a\",\"name\\u0000\":\"x\"}]}"),
	    ANSWER("{\"tools\":[]}"), ";;;;");
	check("resources/list", ANSWER("{\"resources\":[{\"uri\":\"x:1\"},"
	    "{\"uri\":\"a:1\"}]}"),
	    ANSWER("{\"resources\":[{\"uri\":\"a:1\"}]}"), "x:1;");
	check("resources/templates/list", ANSWER("{\"resourceTemplates\":["
	    "{\"uriTemplate\":\"x:{a}\"},{\"uriTemplate\":\"a:{a}\"}]}"),
	    ANSWER("{\"resourceTemplates\":[{\"uriTemplate\":\"a:{a}\"}]}"),
	    "x:{a};");
	check("tools/list", ANSWER("{\"content\":[{\"name\":\"x\"}]}"), NULL,
	    "");
	check("tools/list", "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":"
	    "{\"code\":1,\"message\":\"\",\"tools\":[]}}", NULL, "");
	check("tools/list", ANSWER("[1,2]"), NULL, "");
}

/* What was asked is not known: all that could be a list is one. */
static void
test_unknown(void)
{
	check("", ANSWER("{\"prompts\":[{\"name\":\"x\"}],"
	    "\"tools\":[{\"name\":\"x\"},{\"name\":\"a\"}],\"resources\":"
	    "[{\"uri\":\"x\"}],\"resourceTemplates\":[{\"uriTemplate\":\"x\"},"
	    "{\"uriTemplate\":\"b\"}]}"),
	    ANSWER("{\"prompts\":[],\"tools\":[{\"name\":\"a\"}],"
	    "\"resources\":[],\"resourceTemplates\":[{\"uriTemplate\":\"b\"}]"
	    "}"), "x;x;x;x;");
	check("", ANSWER("{\"structuredContent\":{\"tools\":"
	    "[{\"name\":\"x\"}]}}"), NULL, "");
}

static void
test_cache(void)
{
	check("tools/list", ANSWER("{\"tools\":[],\"ttlMs\":60000,"
	    "\"cacheScope\":\"public\"}"), ANSWER("{\"tools\":[],\"ttlMs\":0,"
	    "\"cacheScope\":\"private\"}"), "");
	check("tools/list", ANSWER("{\"cacheScope\":null,\"tools\":"
	    "[{\"name\":\"x\"}],\"ttlMs\":\"9\"}"),
	    ANSWER("{\"cacheScope\":\"private\",\"tools\":[],\"ttlMs\":0}"),
	    "x;");
	check("tools/list", ANSWER("{\"tools\":[],\"ttlMs\":0,"
	    "\"cacheScope\":\"private\"}"), NULL, "");
	check("tools/call", ANSWER("{\"content\":[],\"ttlMs\":5}"), NULL, "");
}

static void
check_bad(const char *text, const char *want)
{
	char got[512];
	struct buf out, why;

	buf_init(&out, OUT_MAX);
	buf_init(&why, sizeof got - 1);
	eq_int(filter(text, policy_list(bytes_cstr("tools/list")), &out, &why),
	    -1, "%s", text);
	str_from_bytes(got, sizeof got, buf_bytes(&why));
	eq_str(got, want, "is refused");
	buf_reset(&out);
	buf_reset(&why);
}

static void
test_bad(void)
{
	check_bad(ANSWER("{\"tools\":{\"0\":{\"name\":\"x\"}}}"),
	    "tools: not an array");
	check_bad(ANSWER("{\"tools\":null}"), "tools: not an array");
	check_bad(ANSWER("{\"resource_templates\":[]}"),
	    "a member that is like resourceTemplates");
	check_bad(ANSWER("{\"tools\":[],\"t\\u006fols\":[]}"),
	    "tools: given twice");
	check_bad(ANSWER("{\"tools\":[],\"Tools\":[]}"),
	    "a member that is like tools");
	check_bad(ANSWER("{\"tool\xc5\xbf\":[]}"),
	    "a member that is like tools");
	check_bad(ANSWER("{\"tools\":[],\"TTLMS\":1}"),
	    "a member that is like ttlMs");
}

/* Names that are kept: the first ones, as many as have room. */
static void
test_names(void)
{
	struct buf text, out, names;
	char got[8192];

	buf_init(&text, OUT_MAX);
	buf_init(&out, OUT_MAX);
	buf_init(&names, OUT_MAX);
	buf_add_str(&text, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":"
	    "{\"tools\":[{\"name\":\"x\"}");
	for (int i = 0; i < LISTING_NAMES_MAX; i++)
		buf_add_str(&text, ",{\"name\":\"x\"}");
	buf_add(&text, bytes_of("]}}", 4));
	eq_int(filter((const char *)text.mem, NULL, &out, &names), 1,
	    "one more than are kept");
	ok(bytes_eq(buf_bytes(&out), bytes_cstr(ANSWER("{\"tools\":[]}"))),
	    "all are left out");
	eq_bytes(bytes_after(buf_bytes(&names), 2 * LISTING_NAMES_MAX),
	    bytes_cstr("of 257"), "the last is counted");
	buf_clear(&text);
	buf_clear(&names);
	buf_format(&text, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":"
	    "{\"tools\":[{\"name\":\"x%0*d\"},{\"name\":\"x\"}]}}",
	    LISTING_NAMES_LEN, 0);
	buf_add(&text, bytes_of("", 1));
	filter((const char *)text.mem, NULL, &out, &names);
	str_from_bytes(got, sizeof got, buf_bytes(&names));
	eq_str(got, "of 2", "a name that is too long is only counted");
	buf_reset(&text);
	buf_reset(&out);
	buf_reset(&names);
}

int
main(void)
{
	test_lists();
	test_unknown();
	test_cache();
	test_bad();
	test_names();
	return test_done();
}
