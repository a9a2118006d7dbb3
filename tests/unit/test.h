/* SPDX-License-Identifier: ISC */
/* A TAP harness for unit tests: a test program is a main that calls checks
 * and ends with return test_done().  Each check has a title with printf's
 * arguments, prints what it saw when it fails, and returns whether it passed;
 * the others go on. */
#ifndef ADIT_TEST_H
#define ADIT_TEST_H

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/bytes.h"

static int test_count, test_failures;
static uint64_t test_seed = 0x9e3779b97f4a7c15;

#define ok(good, ...) test_ok((good), __FILE__, __LINE__, __VA_ARGS__)
#define eq_int(got, want, ...)                                                \
	test_int((int64_t)(got), (int64_t)(want), __FILE__, __LINE__,         \
	    __VA_ARGS__)
#define eq_str(got, want, ...)                                                \
	test_str((got), (want), __FILE__, __LINE__, __VA_ARGS__)
#define eq_bytes(got, want, ...)                                              \
	test_bytes((got), (want), __FILE__, __LINE__, __VA_ARGS__)

#define TEST_UNUSED __attribute__((unused))

__attribute__((unused, format(printf, 4, 0))) static bool
test_title(bool good, const char *file, int line, const char *format,
    va_list ap)
{
	char title[200];

	vsnprintf(title, sizeof title, format, ap);
	for (char *c = title; *c != '\0'; c++) {
		if (*c < ' ' || *c == '#')
			*c = '?';
	}
	test_failures += good ? 0 : 1;
	printf("%sok %d - %s\n", good ? "" : "not ", ++test_count, title);
	if (!good)
		printf("# %s:%d\n", file, line);
	fflush(stdout); /* a crash must not take it away */
	return good;
}

#define TEST_TITLE(ret, good)                                                 \
	do {                                                                  \
		va_list ap;                                                   \
		va_start(ap, format);                                         \
		(ret) = test_title((good), file, line, format, ap);           \
		va_end(ap);                                                   \
	} while (0)

__attribute__((unused, format(printf, 4, 5))) static bool
test_ok(bool good, const char *file, int line, const char *format, ...)
{
	bool r;

	TEST_TITLE(r, good);
	return r;
}

__attribute__((unused, format(printf, 5, 6))) static bool
test_int(int64_t got, int64_t want, const char *file, int line,
    const char *format, ...)
{
	bool r;

	TEST_TITLE(r, got == want);
	if (!r)
		printf("# got %" PRId64 ", want %" PRId64 "\n", got, want);
	return r;
}

__attribute__((unused, format(printf, 5, 6))) static bool
test_str(const char *got, const char *want, const char *file, int line,
    const char *format, ...)
{
	bool r;

	TEST_TITLE(r, got != NULL && strcmp(got, want) == 0);
	if (!r)
		printf("# got  '%s'\n# want '%s'\n", got == NULL ? "" : got,
		    want);
	return r;
}

TEST_UNUSED static void
test_print_bytes(const char *label, struct bytes in)
{
	printf("# %s (%zu)", label, in.len);
	for (size_t i = 0; i < in.len && i < 64; i++)
		printf(" %02x", in.ptr[i]);
	printf("\n");
}

__attribute__((unused, format(printf, 5, 6))) static bool
test_bytes(struct bytes got, struct bytes want, const char *file, int line,
    const char *format, ...)
{
	bool r;

	TEST_TITLE(r, bytes_eq(got, want));
	if (!r) {
		test_print_bytes("got", got);
		test_print_bytes("want", want);
	}
	return r;
}

__attribute__((unused, format(printf, 1, 2))) static void
test_skip(const char *format, ...)
{
	va_list ap;

	printf("ok %d # SKIP ", ++test_count);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
}

/* Prints the plan.  Returns the exit status. */
TEST_UNUSED static int
test_done(void)
{
	printf("1..%d\n", test_count);
	return test_failures == 0 ? 0 : 1;
}

/* The next number of a sequence that is the same in every run. */
TEST_UNUSED static uint32_t
test_random(void)
{
	test_seed ^= test_seed << 13;
	test_seed ^= test_seed >> 7;
	test_seed ^= test_seed << 17;
	return (uint32_t)(test_seed >> 32);
}

/* A number below n, which is not 0. */
TEST_UNUSED static size_t
test_below(size_t n)
{
	return test_random() % n;
}

/* A copy of in that ends where a page begins that cannot be touched. */
struct test_guard {
	uint8_t *map;
	size_t len;
};

TEST_UNUSED static struct bytes
test_guard_new(struct test_guard *g, struct bytes in)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t used = (in.len + page - 1) / page * page;
	uint8_t *at;

	g->len = used + page;
	g->map = mmap(NULL, g->len, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (g->map == MAP_FAILED || mprotect(g->map + used, page,
	    PROT_NONE) != 0) {
		perror("mmap");
		exit(1);
	}
	at = g->map + used - in.len;
	if (in.len != 0)
		memcpy(at, in.ptr, in.len);
	return bytes_of(at, in.len);
}

TEST_UNUSED static void
test_guard_free(struct test_guard *g)
{
	munmap(g->map, g->len);
}

/* How many descriptors this process has open. */
TEST_UNUSED static int
test_open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	if (d == NULL)
		return -1;
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 3; /* ".", ".." and d's own */
}

#endif
