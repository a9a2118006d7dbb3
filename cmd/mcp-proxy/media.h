/* SPDX-License-Identifier: ISC */
/* The media type of a body, as Content-Type says it.  Pure. */
#ifndef ADIT_MCP_PROXY_MEDIA_H
#define ADIT_MCP_PROXY_MEDIA_H

#include "common/bytes.h"

struct media {
	struct bytes type; /* without parameters */
	bool utf8;         /* no parameter says another charset */
};

struct media media_parse(struct bytes value);

/* Whether it is this type, in any case of letters. */
bool media_is(const struct media *m, const char *type);

/* Whether a field's value has word in it anywhere, in any case of letters. */
bool media_mentions(struct bytes value, const char *word);

#endif
