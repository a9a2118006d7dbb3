/* SPDX-License-Identifier: ISC */
#include "common/sha256.h"

#include "common/str.h"

enum { BLOCK_LEN = 64, ROUNDS = 64, LENGTH_LEN = 8 };

static const uint32_t constants[ROUNDS] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
	0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
	0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
	0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
	0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
	0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t
rotate(uint32_t v, unsigned n)
{
	return v >> n | v << (32 - n);
}

static void
expand(uint32_t w[static ROUNDS], const uint8_t block[static BLOCK_LEN])
{
	for (size_t i = 0; i < 16; i++)
		w[i] = be32_get(block + 4 * i);
	for (size_t i = 16; i < ROUNDS; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];

		w[i] = w[i - 16] + w[i - 7] +
		    (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) +
		    (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
	}
}

/* The words of s change their names at each round instead of their places; the
 * eight of a turn are unrolled, so that they stay in registers. */
static void
add_block(uint32_t state[static 8], const uint8_t block[static BLOCK_LEN])
{
	uint32_t w[ROUNDS], s[8];

	expand(w, block);
	memcpy(s, state, sizeof s);
	for (size_t turn = 0; turn < ROUNDS; turn += 8) {
#pragma GCC unroll 8
		for (size_t i = 0; i < 8; i++) {
			uint32_t a = s[-i & 7], b = s[(1 - i) & 7];
			uint32_t c = s[(2 - i) & 7], e = s[(4 - i) & 7];
			uint32_t f = s[(5 - i) & 7], g = s[(6 - i) & 7];
			uint32_t t = s[(7 - i) & 7] + constants[turn + i] +
			    w[turn + i] +
			    (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
			    ((e & f) ^ (~e & g));

			s[(3 - i) & 7] += t;
			s[(7 - i) & 7] = t + ((a & b) ^ (a & c) ^ (b & c)) +
			    (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22));
		}
	}
	for (size_t i = 0; i < 8; i++)
		state[i] += s[i];
}

void
sha256(struct bytes in, uint8_t out[static SHA256_LEN])
{
	uint32_t state[8] = {
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
		0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	};
	uint8_t last[2 * BLOCK_LEN] = {0};
	uint64_t bits = (uint64_t)in.len * 8;
	size_t tail;

	for (; in.len >= BLOCK_LEN; in = bytes_after(in, BLOCK_LEN))
		add_block(state, in.ptr);
	if (in.len != 0)
		memcpy(last, in.ptr, in.len);
	last[in.len] = 0x80;
	tail = in.len + 1 + LENGTH_LEN <= BLOCK_LEN ? BLOCK_LEN :
	    2 * BLOCK_LEN;
	be64_put(last + tail - LENGTH_LEN, bits);
	for (size_t at = 0; at < tail; at += BLOCK_LEN)
		add_block(state, last + at);
	for (size_t i = 0; i < 8; i++)
		be32_put(out + 4 * i, state[i]);
}

void
sha256_hex(struct bytes in, char out[static SHA256_HEX_CAP])
{
	uint8_t digest[SHA256_LEN];

	sha256(in, digest);
	str_hex(out, bytes_of(digest, sizeof digest));
}
