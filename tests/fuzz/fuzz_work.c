/* SPDX-License-Identifier: ISC */
/* What a poll gives: items, secrets, and items that are handed on, which are
 * read as they were written; the answers to heartbeats. */
#include <assert.h>
#include <stdlib.h>

#include "cmd/sandbox-worker/claim.h"
#include "cmd/sandbox-worker/lease.h"
#include "cmd/sandbox-worker/metrics.h"
#include "cmd/sandbox-worker/secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len);

static void
hand_on(const struct work *work)
{
	static struct claim claim;
	struct error e;
	struct buf out;

	buf_init(&out, CLAIM_MAX);
	if (claim_write(&out, work, &(struct claim_keys){.key = "key"}) == 0) {
		assert(claim_read(buf_bytes(&out), &claim, &e) == 0);
		assert(strcmp(claim.work.id, work->id) == 0);
		assert(strcmp(claim.work.secret, work->secret) == 0);
		assert(strcmp(claim.work.session_id, work->session_id) == 0);
	}
	buf_reset(&out);
}

static void
take_claim(struct bytes in)
{
	static struct claim claim;
	struct error e;

	if (claim_read(in, &claim, &e) != 0)
		return;
	assert(claim.file_count <= SECRET_FILES_MAX);
	for (size_t i = 0; i < claim.file_count; i++)
		assert(strlen(claim.files[i]) < PATH_MAX);
}

static void
take_secret(struct bytes in)
{
	static struct secret secret;
	char *text = malloc(in.len + 1);
	struct error e;

	assert(text != NULL);
	memcpy(text, in.ptr, in.len);
	text[in.len] = '\0';
	if (secret_parse(text, &secret, &e) == 0)
		assert(secret_is_token(secret.token));
	else
		assert(secret.token[0] == '\0');
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	static struct work work;
	static struct metrics metrics;
	struct lease lease;
	struct error e;

	if (len == 0)
		return 0;
	if (work_parse(bytes_of(in, len), "env", &work, &e) == 1) {
		assert(work_is_id(work.id));
		if (work.environment_id[0] != '\0')
			hand_on(&work);
	}
	take_claim(bytes_of(in, len));
	take_secret(bytes_of(in, len));
	lease_init(&lease, 0);
	lease_answer(&lease, 200, bytes_of(in, len), 1, &e);
	assert(lease.interval_ms >= LEASE_INTERVAL_MIN_MS &&
	    lease.interval_ms <= LEASE_INTERVAL_MS);
	metrics_take(&metrics, bytes_of(in, len));
	return 0;
}
