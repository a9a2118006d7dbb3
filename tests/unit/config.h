/* SPDX-License-Identifier: ISC */
/* Configurations of mcp-proxy for a test. */
#ifndef ADIT_TEST_CONFIG_H
#define ADIT_TEST_CONFIG_H

#include "cmd/mcp-proxy/config.h"
#include "tests/unit/test.h"

#define TLS "tls: {cert_file: c, key_file: k}\n"

static void
print_problems(const struct config_problems *p)
{
	for (size_t i = 0; i < p->count; i++)
		printf("# %s\n", p->text[i]);
}

/* Parses what must be right; the caller frees *ret. */
TEST_UNUSED static bool
parse(const char *text, struct config *ret)
{
	struct config_problems problems;
	int r = config_parse("f", bytes_cstr(text), ret, &problems);

	print_problems(&problems);
	config_problems_done(&problems);
	return r == 0;
}

#endif
