/* SPDX-License-Identifier: ISC */
/* Any text: a message of a known shape, whose parts lie in it, or none, with
 * the code that says so. */
#include <assert.h>

#include "common/rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check_part(const struct rpc *m, struct jsonr v)
{
	assert(v.kind == JSONR_ABSENT || (v.text.ptr >= m->text.ptr &&
	    v.text.ptr + v.text.len <= m->text.ptr + m->text.len));
}

static void
check_shape(const struct rpc *m)
{
	bool has_id = m->id.kind != JSONR_ABSENT;

	check_part(m, m->id);
	check_part(m, m->token);
	check_part(m, m->version);
	if (m->kind == RPC_RESPONSE) {
		assert(m->method.kind == JSONR_ABSENT && has_id);
		assert(rpc_is_id(m->id) || m->id.kind == JSONR_NULL);
		return;
	}
	assert(m->method.kind == JSONR_STRING);
	assert(has_id == (m->kind == RPC_REQUEST));
	assert(!has_id || (rpc_is_id(m->id) && rpc_id_eq(m->id, m->id)));
	assert(m->token.kind == JSONR_ABSENT || rpc_is_id(m->token));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct error e = {.code = 0};
	struct rpc m;

	if (rpc_parse(bytes_of(data, len), &m, &e) != 0) {
		assert(e.code == RPC_PARSE_ERROR ||
		    e.code == RPC_INVALID_REQUEST);
		assert(m.id.kind == JSONR_ABSENT || rpc_is_id(m.id));
	} else if (m.kind != RPC_BATCH) {
		if (rpc_look(&m, &e) == 0)
			check_shape(&m);
		else
			assert(e.code == RPC_INVALID_REQUEST);
	}
	return 0;
}
