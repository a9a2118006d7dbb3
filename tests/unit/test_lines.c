/* SPDX-License-Identifier: ISC */
/* How a stream is cut into lines. */
#include "cmd/sandbox-exec/lines.h"

#include "tests/unit/test.h"

static void
test_cutting(void)
{
	static const char in[] = "one\ntwo\r\n\n\r\nlast";
	static const char *const want[] = {"one", "two", "", ""};

	for (size_t step = 1; step <= sizeof in; step++) {
		struct lines l;
		struct bytes line;
		size_t n = 0;
		bool right = true;

		lines_init(&l);
		for (size_t at = 0; at < sizeof in - 1; at += step) {
			size_t len = sizeof in - 1 - at;

			lines_add(&l, bytes_of(in + at, len < step ?
			    len : step));
			while (lines_next(&l, &line) == 1) {
				right = right && n < 4 && bytes_eq(line,
				    bytes_cstr(want[n]));
				n++;
			}
		}
		ok(right && n == 4, "lines are cut from %zu bytes each",
		    step);
		lines_done(&l);
	}
}

/* A line of len bytes, then one of two, added at once or in parts. */
static void
check_length(const uint8_t *mem, size_t len, size_t step, bool fits)
{
	struct lines l;
	struct bytes line;
	int first = 0;

	lines_init(&l);
	for (size_t at = 0; at < len && first == 0; at += step) {
		lines_add(&l, bytes_of(mem, len - at < step ? len - at :
		    step));
		first = lines_next(&l, &line);
	}
	lines_add(&l, bytes_cstr("\nok\n"));
	if (first == 0)
		first = lines_next(&l, &line);
	eq_int(first, fits ? 1 : -1, "a line of %zu bytes", len);
	eq_int(lines_next(&l, &line), 1, "the next one comes");
	ok(bytes_eq(line, bytes_cstr("ok")), "whole");
	eq_int(lines_next(&l, &line), 0, "and no other");
	lines_done(&l);
}

static void
test_limit(void)
{
	uint8_t *mem = calloc(1, LINES_LEN_MAX + 2);

	for (size_t step = 1 << 20; step <= LINES_LEN_MAX + 2; step *= 17) {
		check_length(mem, LINES_LEN_MAX - 1, step, true);
		check_length(mem, LINES_LEN_MAX, step, true);
		check_length(mem, LINES_LEN_MAX + 1, step, false);
	}
	free(mem);
}

int
main(void)
{
	test_cutting();
	test_limit();
	return test_done();
}
