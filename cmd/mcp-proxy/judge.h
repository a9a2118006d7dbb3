/* SPDX-License-Identifier: ISC */
/* The process that runs an operator's jq program ("mcp-proxy judge").  It has
 * no environment, no file, no network and no way to any of them; what it is
 * told and what it says are messages on one socket, each with its length in
 * four bytes before it.  First it gets the program and says whether that
 * compiles; then it gets questions, and answers them in their order. */
#ifndef ADIT_MCP_PROXY_JUDGE_H
#define ADIT_MCP_PROXY_JUDGE_H

#include <sys/types.h>

#include "cmd/mcp-proxy/config.h"
#include "common/bytes.h"
#include "common/error.h"

enum {
	JUDGE_LENGTH_LEN = 4,
	JUDGE_PROGRAM_MAX = 65536,
	/* A message, an entry of a list, and what else is asked. */
	JUDGE_QUESTION_MAX = 2 * CONFIG_JUDGED_MAX + (64 << 10),
	/* A message that is rewritten, and what goes with it. */
	JUDGE_ANSWER_MAX = CONFIG_JUDGED_MAX + (64 << 10),
	JUDGE_MEMORY_MAX = 512 << 20, /* bytes of address space */
};

/* The first byte of what it says. */
enum judge_word {
	JUDGE_READY = 'R', /* the program compiles */
	JUDGE_VALUE = 'V', /* the value, in JSON, follows */
	JUDGE_FAULT = 'F', /* what is wrong follows */
};

/* Takes what it says from the front of in.  Returns how many bytes that took;
 * 0 if more is needed; -1 if no judge says this. */
ssize_t judge_take(struct bytes in, enum judge_word *ret_word,
    struct bytes *ret_text);

/* Gives up all that it does not need.  Returns 0, or -1 with a text. */
int judge_confine(struct error *e);

/* The process.  Returns its exit status. */
int judge_main(void);

#endif
