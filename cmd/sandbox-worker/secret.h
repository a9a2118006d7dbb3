/* SPDX-License-Identifier: ISC */
/* The secret of a work item: base64 of a JSON object with the token that
 * authorizes all calls for this item.  Pure; no text of an error holds any of
 * it. */
#ifndef ADIT_SECRET_H
#define ADIT_SECRET_H

#include "common/bytes.h"
#include "common/error.h"

enum {
	SECRET_MAX = 32768,      /* as it comes, in base64 */
	SECRET_TOKEN_MAX = 8192,
	SECRET_BASE_MAX = 512,
};

struct secret {
	char token[SECRET_TOKEN_MAX];
	char base[SECRET_BASE_MAX]; /* api_base_url, "" if there is none */
};

/* Reads a secret.  Returns 0, or -1 with a text if there is no token in
 * it. */
int secret_parse(const char *text, struct secret *ret, struct error *e);

/* Whether text can stand in a header as a token: printable ASCII without
 * spaces. */
bool secret_is_token(const char *text);

/* Overwrites memory, whatever the compiler thinks of it. */
void secret_wipe(void *at, size_t len);

#endif
