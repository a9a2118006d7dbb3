/* SPDX-License-Identifier: ISC */
/* num: what it takes, what it refuses, and with which errno. */
#include "common/num.h"
#include "tests/unit/test.h"

typedef int parser(const char *s, int64_t min, int64_t max, int64_t *ret);

struct num_case {
	const char *text;
	int64_t want;
	int code; /* errno, 0: good */
};

static void
check(const char *what, parser *parse, const struct num_case *c, int64_t min,
    int64_t max)
{
	for (; c->text != NULL; c++) {
		int64_t v = -7;
		int r;

		errno = 0;
		r = parse(c->text, min, max, &v);
		if (c->code != 0)
			ok(r == -1 && errno == c->code && v == -7,
			    "%s '%s': refused with errno %d (%d)", what,
			    c->text, c->code, errno);
		else
			ok(r == 0 && v == c->want, "%s '%s': %" PRId64, what,
			    c->text, v);
	}
}

int
main(void)
{
	static const struct num_case numbers[] = {
		{"10", 10, 0}, {"99", 99, 0}, {"0010", 10, 0},
		{"9", 0, ERANGE}, {"100", 0, ERANGE},
		{"9223372036854775808", 0, ERANGE},
		{"99999999999999999999999", 0, ERANGE},
		{"", 0, EINVAL}, {" 50", 0, EINVAL}, {"50 ", 0, EINVAL},
		{"+50", 0, EINVAL}, {"-50", 0, EINVAL}, {"0x32", 0, EINVAL},
		{"5e1", 0, EINVAL}, {"50\n", 0, EINVAL}, {NULL, 0, 0},
	};
	static const struct num_case sizes[] = {
		{"1b", 1, 0}, {"64k", 65536, 0}, {"1m", 1 << 20, 0},
		{"2g", 2LL << 30, 0}, {"0b", 0, ERANGE}, {"3g", 0, ERANGE},
		{"9007199254740992g", 0, ERANGE},
		{"64", 0, EINVAL}, {"64K", 0, EINVAL}, {"64kb", 0, EINVAL},
		{"1k1k", 0, EINVAL}, {"k", 0, EINVAL}, {"1.5k", 0, EINVAL},
		{"64 k", 0, EINVAL}, {NULL, 0, 0},
	};
	static const struct num_case durations[] = {
		{"1ms", 1, 0}, {"30s", 30000, 0}, {"1m30s", 90000, 0},
		{"1h", 3600000, 0}, {"1d", 86400000, 0},
		{"1h1m1s1ms", 3661001, 0}, {"0s", 0, ERANGE},
		{"2d", 0, ERANGE}, {"9223372036854775807d", 0, ERANGE},
		{"106751991167d106751991167d", 0, ERANGE},
		{"30", 0, EINVAL}, {"1m30", 0, EINVAL}, {"s", 0, EINVAL},
		{"", 0, EINVAL}, {"1s ", 0, EINVAL}, {"1us", 0, EINVAL},
		{"1sm", 0, EINVAL}, {NULL, 0, 0},
	};
	int64_t v;

	check("number", num_parse, numbers, 10, 99);
	check("size", num_parse_size, sizes, 1, 2LL << 30);
	check("duration", num_parse_duration, durations, 1, 86400000);
	ok(num_parse("9223372036854775807", 0, INT64_MAX, &v) == 0 &&
	    v == INT64_MAX, "the largest number");
	return test_done();
}
