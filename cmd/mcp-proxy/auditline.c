/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/auditline.h"

#include "common/jsonr.h"
#include "common/num.h"
#include "common/str.h"

static int
parse_digest(struct bytes hex, uint8_t ret[static SHA256_LEN])
{
	if (hex.len != 2 * SHA256_LEN)
		return -1;
	for (size_t i = 0; i < SHA256_LEN; i++) {
		int high = ascii_hex(hex.ptr[2 * i]);
		int low = ascii_hex(hex.ptr[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

int
auditline_parse(struct bytes line, struct auditline *ret)
{
	struct jsonr object, seq, prev, event;
	struct error e;
	int64_t n;

	if (line.len >= AUDITLINE_MAX ||
	    jsonr_parse_object(line, &object, &e) != 0 ||
	    jsonr_get(object, "seq", &seq, &e) != 1 ||
	    jsonr_int(seq, 1, INT64_MAX, &n) != 0 ||
	    jsonr_get(object, "prev", &prev, &e) != 1 ||
	    prev.kind != JSONR_STRING ||
	    jsonr_get(object, "event", &event, &e) != 1 ||
	    event.kind != JSONR_STRING)
		return -1;
	/* Without its quotes. */
	if (parse_digest(bytes_of(prev.text.ptr + 1, prev.text.len - 2),
	    ret->prev) != 0)
		return -1;
	ret->seq = (uint64_t)n;
	ret->gap = jsonr_eq_str(event, "gap");
	return 0;
}

int
auditline_parse_head(const char *text, uint64_t *ret_seq,
    uint8_t ret_digest[static SHA256_LEN])
{
	const char *colon = strchr(text, ':');
	char number[24];
	int64_t seq;

	if (colon == NULL || str_from_bytes(number, sizeof number,
	    bytes_of(text, (size_t)(colon - text))) != 0 ||
	    num_parse(number, 1, INT64_MAX, &seq) != 0 ||
	    parse_digest(bytes_cstr(colon + 1), ret_digest) != 0)
		return -1;
	*ret_seq = (uint64_t)seq;
	return 0;
}
