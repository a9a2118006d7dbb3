/* SPDX-License-Identifier: ISC */
/* JSON Web Tokens (RFC 7519, with the care of RFC 8725) as agents show them
 * for access (RFC 6750, RFC 9068): signed by one of a set of public keys,
 * never with a shared secret, encrypted or not at all. */
#ifndef ADIT_JWT_H
#define ADIT_JWT_H

#include "common/jwks.h"

enum {
	JWT_TOKEN_MAX = 16 << 10,
	JWT_HEADER_MEMBERS_MAX = 32,
	JWT_CLAIMS_MAX = 256,
	JWT_NAME_MAX = 256,  /* of a subject and a client */
	JWT_SCOPE_MAX = 4096, /* of all scopes together */
	JWT_LEEWAY_S = 60,   /* what clocks may differ */
};

/* What a token must say; neither text is empty. */
struct jwt_expect {
	const char *issuer;
	const char *audience; /* one of those the token is for */
	int64_t now_s;        /* since 1970 */
	int64_t leeway_s;
};

struct jwt_claims {
	char subject[JWT_NAME_MAX + 1];   /* never "" */
	char client_id[JWT_NAME_MAX + 1]; /* "" if it is not told */
	char scope[JWT_SCOPE_MAX + 1];    /* words with one space between */
	int64_t expires_s;
};

/* Checks a token whole.  Returns 0; or -1 with a text, one clause that holds
 * nothing of the token. */
int jwt_verify(const struct jwks *keys, struct bytes token,
    const struct jwt_expect *want, struct jwt_claims *ret, struct error *e);

/* Whether scope, one word, is among those of the token. */
bool jwt_has_scope(const struct jwt_claims *c, const char *scope);

#endif
