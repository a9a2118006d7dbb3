/* SPDX-License-Identifier: ISC */
/* The option parser: words are separated by NUL. */
#include <assert.h>
#include <stdlib.h>

#include "common/opt.h"

enum { WORDS_MAX = 32 };

struct settings {
	bool flag;
	const char *text;
	struct opt_list list;
	int64_t number, size, time;
};

static const struct opt opts[] = {
	{'f', "flag", NULL, OPT_FLAG, offsetof(struct settings, flag), 0, 0,
	    NULL, "a flag"},
	{'t', "text", "TEXT", OPT_STRING, offsetof(struct settings, text), 0,
	    0, NULL, "a text"},
	{'l', "list", "ITEM", OPT_LIST, offsetof(struct settings, list), 0, 0,
	    NULL, "a list"},
	{'n', "number", "N", OPT_NUMBER, offsetof(struct settings, number), 1,
	    99, NULL, "a number"},
	{0, "size", "SIZE", OPT_SIZE, offsetof(struct settings, size), 0,
	    INT64_MAX, NULL, "a size"},
	{0, "time", "TIME", OPT_DURATION, offsetof(struct settings, time), 0,
	    INT64_MAX, NULL, "a time"},
	{0, NULL, NULL, OPT_FLAG, 0, 0, 0, NULL, NULL},
};

static const struct opt_command command = {
	.program = "fuzz", .operands = "", .purpose = "Fuzzes.", .opts = opts,
};

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len);

static bool
asks_for_output(const char *word)
{
	/* --help and --version print, which only slows this down. */
	return word[0] == '-' && (word[1] == '-'
	    ? word[2] == 'h' || word[2] == 'v'
	    : strpbrk(word, "hV") != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	char *copy = malloc(len + 1), *argv[WORDS_MAX + 1];
	struct settings s = {.number = 5};
	struct error e = {.text = ""};
	int argc = 0, operand = -1;
	enum opt_result r;

	assert(copy != NULL);
	if (len != 0)
		memcpy(copy, in, len);
	copy[len] = '\0';
	for (size_t at = 0; at <= len && argc < WORDS_MAX;
	    at += strlen(copy + at) + 1) {
		if (!asks_for_output(copy + at))
			argv[argc++] = copy + at;
	}
	argv[argc] = NULL;
	r = opt_parse(&command, argc, argv, 0, &s, &operand, &e);
	if (r == OPT_RUN) {
		assert(operand >= 0 && operand <= argc);
		assert(s.number >= 1 && s.number <= 99);
		assert(s.size >= 0 && s.time >= 0);
		assert(s.list.count <= OPT_LIST_MAX);
		assert(s.text == NULL || s.text[0] != '\0');
	} else {
		assert(r == OPT_INVALID && e.text[0] != '\0');
	}
	free(copy);
	return 0;
}
