/* SPDX-License-Identifier: ISC */
/* The digest on the vectors of FIPS 180-4, at every length around a block's
 * end, and against OpenSSL's. */
#include <openssl/sha.h>

#include "common/sha256.h"
#include "tests/unit/test.h"

static const char *
digest(struct bytes in)
{
	static char hex[SHA256_HEX_CAP];

	sha256_hex(in, hex);
	return hex;
}

static void
test_vectors(void)
{
	static uint8_t million[1000000];

	eq_str(digest(bytes_of(NULL, 0)), "e3b0c44298fc1c149afbf4c8996fb924"
	    "27ae41e4649b934ca495991b7852b855", "nothing");
	eq_str(digest(bytes_cstr("abc")), "ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad", "abc");
	eq_str(digest(bytes_cstr("abcdbcdecdefdefgefghfghighijhijkijkljklmklm"
	    "nlmnomnopnopq")), "248d6a61d20638b8e5c026930c3e6039"
	    "a33ce45964ff2167f6ecedd419db06c1", "two blocks");
	memset(million, 'a', sizeof million);
	eq_str(digest(bytes_of(million, sizeof million)),
	    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
	    "a million times a");
}

static void
test_lengths(void)
{
	uint8_t text[300], want[SHA256_LEN], got[SHA256_LEN];
	size_t wrong = 0;

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)test_random();
	for (size_t len = 0; len <= sizeof text; len++) {
		struct test_guard g;

		sha256(test_guard_new(&g, bytes_of(text, len)), got);
		SHA256(text, len, want);
		wrong += memcmp(got, want, sizeof got) != 0;
		test_guard_free(&g);
	}
	eq_int(wrong, 0, "lengths 0 to %zu equal OpenSSL's", sizeof text);
}

int
main(void)
{
	test_vectors();
	test_lengths();
	return test_done();
}
