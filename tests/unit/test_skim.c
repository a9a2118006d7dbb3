/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/skim.h"
#include "tests/unit/test.h"

/* The number of text, which comes in pieces of len bytes; 0: none. */
static uint32_t
number_of(const char *text, size_t len)
{
	struct bytes in = bytes_cstr(text);
	struct skim s = {0};
	uint32_t number;

	while (in.len != 0) {
		size_t n = in.len < len ? in.len : len;

		skim_feed(&s, bytes_of(in.ptr, n));
		in = bytes_after(in, n);
	}
	return skim_number(&s, &number) == 0 ? number : 0;
}

static const struct {
	const char *text;
	uint32_t number;
} rows[] = {
	{"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}", 7},
	{"{\"result\":{\"id\":1},\"id\" : 4294967295 }", 4294967295U},
	{"{\"result\":[\"\\\"}],\\\\\",{\"id\":2}],\"id\":9}", 9},
	{"{\"error\":{\"method\":1},\"id\":9,\"x\":\"method\"}", 9},
	/* cut before its end */
	{"{\"id\":5,\"result\":\"xxxx", 5},
	{"{\"result\":\"id\",\"id\":", 0},
	/* requests, and what is not one number */
	{"{\"id\":5,\"method\":\"ping\"}", 0},
	{"{\"method\":\"ping\",\"id\":5}", 0},
	{"{\"id\":\"5\",\"result\":1}", 0},
	{"{\"id\":5,\"id\":6,\"result\":1}", 0},
	{"{\"id\":5,\"id\":5,\"result\":1}", 0},
	{"{\"id\":05,\"result\":1}", 0},
	{"{\"id\":0,\"result\":1}", 0},
	{"{\"id\":-5,\"result\":1}", 0},
	{"{\"id\":5.0,\"result\":1}", 0},
	{"{\"id\":4294967296,\"result\":1}", 0},
	{"{\"id\":11111111111111111111,\"result\":1}", 0},
	{"{\"id\":{\"a\":5},\"result\":1}", 0},
	{"{\"result\":1}", 0},
	{"[{\"id\":5,\"result\":1}]", 0},
	{"\"id\":5", 0},
	{"}}}},{\"i\":5]", 0},
	{"", 0},
};

static void
test_numbers(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (size_t len = 1; len < 8; len++)
			eq_int(number_of(rows[i].text, len), rows[i].number,
			    "%s by %zu", rows[i].text, len);
	}
}

int
main(void)
{
	test_numbers();
	return test_done();
}
