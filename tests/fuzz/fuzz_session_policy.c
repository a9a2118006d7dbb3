/* SPDX-License-Identifier: ISC */
/* What an operator's program gives as the policy of a session: it becomes an
 * object that has the session's directories, or an error. */
#include <assert.h>

#include "cmd/sandbox-worker/judge.h"
#include "cmd/sandbox-worker/place.h"
#include "common/jsonr.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	static const struct settings settings = {.state = "/tmp"};
	static const struct place place = {.host = "/h", .inside = "/w"};
	static const struct content_mount mount = {"/m", "/mnt/m", true};
	struct jsonr v, list;
	struct error e;
	struct buf out;

	/* Whatever it gives, not all that there is. */
	if (judge_policy(&settings, bytes_of(in, len), &e) == 0 &&
	    jsonr_parse_object(bytes_of(in, len), &v, &e) == 0 &&
	    jsonr_get(v, "rw", &list, &e) == 1)
		assert(!jsonr_eq_str(list, "/") && !jsonr_eq_str(list, "/:/x"));
	buf_init(&out, PLACE_POLICY_MAX);
	if (place_write_policy(&place, bytes_of(in, len), &mount, 1, &out,
	    &e) == 0) {
		assert(jsonr_parse_object(buf_bytes(&out), &v, &e) == 0);
		assert(jsonr_get(v, "rw", &list, &e) == 1 &&
		    list.kind == JSONR_ARRAY);
		assert(jsonr_get(v, "ro", &list, &e) == 1 &&
		    list.kind == JSONR_ARRAY);
	}
	buf_reset(&out);
	return 0;
}
