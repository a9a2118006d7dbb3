/* SPDX-License-Identifier: ISC */
/* A file of agents, and the same as one of headers: what is taken comes out
 * the same when it is written and read again. */
#include <assert.h>

#include "cmd/mcp-proxy/headers.h"
#include "cmd/mcp-proxy/roster.h"
#include "common/field.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check_again(const struct roster_list *l)
{
	struct roster_list again;
	struct error e;
	struct buf out;

	buf_init(&out, ROSTER_FILE_MAX);
	for (size_t i = 0; i < l->count; i++) {
		assert(credential_is_name(l->at[i].name));
		if (roster_format(&out, &l->at[i]) != 0)
			goto out;
	}
	assert(roster_parse("again", buf_bytes(&out), &again, &e) == 0);
	assert(again.count == l->count);
	for (size_t i = 0; i < l->count; i++) {
		assert(again.at[i].kind == l->at[i].kind);
		assert(credential_eq(&again.at[i].credential,
		    &l->at[i].credential));
	}
	roster_list_done(&again);
out:
	buf_reset(&out);
}

static void
check_headers(struct bytes in)
{
	struct error e = {.text = ""};
	struct headers h;
	struct buf text;

	buf_init(&text, HEADERS_FILE_MAX);
	if (buf_add(&text, in) != 0)
		return;
	if (headers_parse("f", &text, &h, &e) != 0) {
		assert(e.text[0] != '\0');
		return;
	}
	assert(h.count <= HTTP_ADDED_MAX);
	for (size_t i = 0; i < h.count; i++)
		assert(field_is_token(h.at[i].name) &&
		    field_is_text(h.at[i].value));
	headers_done(&h);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct error e = {.text = ""};
	struct roster_list l;

	if (roster_parse("f", bytes_of(data, len), &l, &e) == 0) {
		check_again(&l);
		roster_list_done(&l);
	} else {
		assert(e.text[0] != '\0');
	}
	check_headers(bytes_of(data, len));
	return 0;
}
