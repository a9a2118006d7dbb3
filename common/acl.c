/* SPDX-License-Identifier: ISC */
#include "common/acl.h"

enum {
	HEADER_LEN = 4,
	ENTRY_LEN = 8,
	VERSION = 2,
	TAG_USER_OBJ = 0x01,
	TAG_USER = 0x02,
	TAG_MASK = 0x10,
};

/* Here the bytes are little-endian, whatever the machine. */
static uint32_t
get(const uint8_t *p, size_t len)
{
	uint32_t value = 0;

	while (len-- > 0)
		value = value << 8 | p[len];
	return value;
}

struct entry {
	uint32_t tag, permissions, id;
};

static struct entry
get_entry(struct bytes value, size_t at)
{
	const uint8_t *p = value.ptr + at;

	return (struct entry){get(p, 2), get(p + 2, 2), get(p + 4, 4)};
}

/* What the list's mask leaves of anybody's permissions. */
static uint32_t
get_mask(struct bytes value)
{
	for (size_t i = HEADER_LEN; i < value.len; i += ENTRY_LEN) {
		struct entry e = get_entry(value, i);

		if (e.tag == TAG_MASK)
			return e.permissions;
	}
	return ~0U;
}

bool
acl_is_private(struct bytes value, uint32_t self)
{
	uint32_t mask;

	if (value.len < HEADER_LEN ||
	    (value.len - HEADER_LEN) % ENTRY_LEN != 0 ||
	    get(value.ptr, HEADER_LEN) != VERSION)
		return false;
	mask = get_mask(value);
	for (size_t i = HEADER_LEN; i < value.len; i += ENTRY_LEN) {
		struct entry e = get_entry(value, i);
		bool is_ours = e.tag == TAG_USER_OBJ || e.tag == TAG_MASK ||
		    (e.tag == TAG_USER && (e.id == self || e.id == 0));

		if (!is_ours && (e.permissions & mask) != 0)
			return false;
	}
	return true;
}
