/* SPDX-License-Identifier: ISC */
/* What an initiator says: the OPEN of a stream, the input of the tool bash;
 * and the words of a command as init splits them. */
#include <stdlib.h>

#include "cmd/sandbox-exec/bashcall.h"
#include "cmd/sandbox-exec/commands.h"
#include "cmd/sandbox-exec/request.h"
#include "common/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool good)
{
	if (!good)
		abort();
}

static uint32_t
count(char *const *words)
{
	uint32_t n = 0;

	while (words[n] != NULL)
		n++;
	return n;
}

/* The words of a request that was taken come through whole. */
static void
check_words(const struct request *r)
{
	static char *words[INIT_WORDS_MAX + 2];
	uint32_t n = count(r->argv);

	require(n > 0 && n <= REQUEST_WORDS_MAX);
	require(commands_split(buf_bytes(&r->words), n, 0, words) == 0);
	for (uint32_t i = 0; i < n; i++)
		require(strcmp(words[i], r->argv[i]) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char *words[INIT_WORDS_MAX + 2];
	static struct request r;
	struct bytes in = bytes_of(data, size);
	struct bashcall c;
	struct error e = {.text = ""};

	if (request_parse(in, &r, &e) == 0) {
		if (r.kind == REQUEST_EXEC)
			check_words(&r);
		require(r.kind != REQUEST_TOOL || r.session != 0);
		request_done(&r);
	} else {
		require(e.text[0] != '\0' && e.code == FRAME_PROTOCOL);
	}
	if (bashcall_parse(in, &c, &e) == 0) {
		require(c.timeout_ms >= 0 && (c.restart || c.has_command));
		require(buf_len(&c.command) == 0 ||
		    memchr(buf_bytes(&c.command).ptr, 0,
		    buf_len(&c.command)) == NULL);
		bashcall_done(&c);
	}
	if (size > 2)
		commands_split(bytes_after(in, 2), data[0], data[1], words);
	return 0;
}
