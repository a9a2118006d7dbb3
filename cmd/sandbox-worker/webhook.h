/* SPDX-License-Identifier: ISC */
/* Webhook deliveries: signed as Standard Webhooks says, judged by what is in
 * them.  Pure. */
#ifndef ADIT_WORKER_WEBHOOK_H
#define ADIT_WORKER_WEBHOOK_H

#include "common/bytes.h"
#include "common/error.h"

enum {
	WEBHOOK_KEY_MIN = 16,      /* bytes; they are 32 */
	WEBHOOK_KEY_MAX = 64,
	WEBHOOK_FIELD_MAX = 1024,  /* bytes of one of the three fields */
	WEBHOOK_BODY_MAX = 1 << 20,
	WEBHOOK_AGE_MAX_S = 300,
	/* What a delivery is answered with. */
	WEBHOOK_OK = 200,
	WEBHOOK_MALFORMED = 400,
	WEBHOOK_UNAUTHORIZED = 401,
};

struct webhook_key {
	uint8_t at[WEBHOOK_KEY_MAX + 2]; /* decoding writes whole groups */
	size_t len;
};

/* The fields "webhook-id" and so on, empty if absent, and the body. */
struct webhook_delivery {
	struct bytes id, timestamp, signature, body;
};

/* Reads "whsec_" and base64.  Returns 0, or -1 with a text that holds none
 * of it. */
int webhook_key_parse(const char *text, struct webhook_key *ret,
    struct error *e);

/* Checks that the delivery was signed with the key, less than
 * WEBHOOK_AGE_MAX_S from now_s.  Returns 0, or -1 with a text and e->code
 * WEBHOOK_MALFORMED or WEBHOOK_UNAUTHORIZED.  What is compared takes the same
 * time whatever was sent. */
int webhook_verify(const struct webhook_key *key,
    const struct webhook_delivery *d, int64_t now_s, struct error *e);

/* Whether a body says that there may be work.  Returns 1, 0 for other news,
 * or -1 with a text and e->code WEBHOOK_MALFORMED. */
int webhook_is_work(struct bytes body, struct error *e);

#endif
