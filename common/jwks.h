/* SPDX-License-Identifier: ISC */
/* A JSON Web Key Set (RFC 7517): the public keys that an authorization server
 * signs with, and the check of a signature against them (RFC 7515, 7518,
 * 8037).  No file, no network: bytes in.  Nothing of OpenSSL is visible
 * outside. */
#ifndef ADIT_JWKS_H
#define ADIT_JWKS_H

#include "common/bytes.h"
#include "common/error.h"

enum {
	JWKS_TEXT_MAX = 1 << 20,
	JWKS_KEYS_MAX = 256,
	JWKS_KID_MAX = 256, /* of the id of a key, in bytes */
	JWKS_RSA_BITS_MIN = 2048,
	JWKS_RSA_BITS_MAX = 8192,
	JWKS_TRIES_MAX = 16, /* keys that one signature is checked with */
};

struct jwks;

/* Takes the RSA, P-256, P-384, P-521 and Ed25519 keys of a set and leaves out
 * what is not for signatures or not known; there must be one.  A private or
 * symmetric key is an error, because the set is meant to be published.
 * Returns a new set; or NULL with a text, which holds nothing of a key. */
struct jwks *jwks_parse(struct bytes text, struct error *e);

/* keys may be NULL. */
void jwks_free(struct jwks *keys);

struct jws {
	const char *alg;        /* one of RFC 7518 section 3.1 or 8037 */
	const char *kid;        /* the id of its key; "" if it names none */
	struct bytes text;      /* that was signed */
	struct bytes signature; /* as it is, not in base64 */
};

/* Checks s with each key that has its id and takes its alg; without an id,
 * with each that takes its alg.  Returns 0; or -1 with a text, which holds
 * nothing of s. */
int jwks_verify(const struct jwks *keys, const struct jws *s,
    struct error *e);

#endif
