/* SPDX-License-Identifier: ISC */
/* What a connector or an agent shows to be let in: a token or a client
 * certificate.  Who lets it in knows either by its SHA-256 digest only. */
#ifndef ADIT_CREDENTIAL_H
#define ADIT_CREDENTIAL_H

#include "common/bytes.h"
#include "common/error.h"

enum {
	CREDENTIAL_DIGEST_LEN = 32,
	CREDENTIAL_ID_LEN = 8,  /* the digest's first four bytes */
	CREDENTIAL_TOKEN_LEN = 48, /* "adit_" and 32 bytes in base64url */
	CREDENTIAL_NAME_CAP = 64,
};

struct credential {
	uint8_t digest[CREDENTIAL_DIGEST_LEN];
};

/* Makes a random token. */
void credential_new_token(char out[static CREDENTIAL_TOKEN_LEN + 1]);

struct credential credential_of_token(struct bytes token);

/* Reads the first certificate in a PEM file.  Returns 0, or -1 with a text
 * that names the file. */
int credential_of_cert_file(const char *path, struct credential *ret,
    struct error *e);

/* Compares in constant time. */
bool credential_eq(const struct credential *a, const struct credential *b);

/* The id that people and logs know it by.  Returns out. */
const char *credential_id(const struct credential *c,
    char out[static CREDENTIAL_ID_LEN + 1]);

/* To and from 64 hexadecimal digits.  parse returns 0, or -1. */
void credential_format(const struct credential *c,
    char out[static 2 * CREDENTIAL_DIGEST_LEN + 1]);
int credential_parse(const char *text, struct credential *ret);

/* Whether name can name who has credentials, a tunnel or an agent: 1 to 63 of
 * a-z, 0-9, "-" and "_", the first of them a letter or digit. */
bool credential_is_name(const char *name);

#endif
