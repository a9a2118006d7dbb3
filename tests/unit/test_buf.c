/* SPDX-License-Identifier: ISC */
/* buf, blocks and runs against plain models, at their limits, and for what
 * they cost. */
#include "common/blocks.h"
#include "common/buf.h"
#include "common/runs.h"
#include "tests/unit/test.h"

enum { MODEL_MAX = 4096 };

static void
test_cap(void)
{
	struct buf b;
	uint8_t in[101] = {7};

	buf_init(&b, 100);
	eq_int(buf_add(&b, bytes_of(NULL, 0)), 0, "nothing, into an empty buf");
	eq_int(buf_add(&b, bytes_of(in, 99)), 0, "a byte below max");
	eq_int(buf_add(&b, bytes_of(in, 1)), 0, "max");
	errno = 0;
	eq_int(buf_add(&b, bytes_of(in, 1)), -1, "a byte above max");
	eq_int(errno, ENOBUFS, "ENOBUFS");
	eq_int(buf_len(&b), 100, "and b is unchanged");
	buf_drop(&b, 1);
	eq_int(buf_add(&b, bytes_of(in, 1)), 0, "what left makes room");
	errno = 0;
	ok(buf_reserve(&b, SIZE_MAX) == NULL && errno == ENOBUFS,
	    "a length that would wrap");
	buf_reset(&b);
	ok(b.mem == NULL && buf_len(&b) == 0, "reset frees it");
	eq_int(buf_add(&b, bytes_of(in, 100)), 0, "and it is used again");
	errno = 0;
	eq_int(buf_add(&b, bytes_of(in, 1)), -1, "with the same max");
	buf_reset(&b);
}

static void
test_format(void)
{
	struct buf b;

	buf_init(&b, 10);
	eq_int(buf_format(&b, "%s-%d", "abc", 7), 0, "format");
	eq_int(buf_format(&b, "%s", "12345"), 0, "up to max exactly");
	eq_bytes(buf_bytes(&b), bytes_cstr("abc-712345"), "without a NUL");
	errno = 0;
	eq_int(buf_format(&b, "x"), -1, "no more");
	eq_int(errno, ENOBUFS, "ENOBUFS");
	buf_clear(&b);
	eq_int(buf_format(&b, "%011d", 1), -1, "text above max");
	eq_int(buf_len(&b), 0, "leaves nothing");
	buf_reset(&b);
}

/* Random adds and drops against an array. */
static void
test_model(void)
{
	static uint8_t model[MODEL_MAX];
	struct buf b;
	size_t len = 0;
	int bad = 0;

	buf_init(&b, MODEL_MAX);
	for (int round = 0; round < 100000; round++) {
		size_t n = test_below(round % 7 == 0 ? 3000 : 40);
		uint8_t *at;

		if (test_below(2) == 0) {
			n = n < len ? n : len;
			memmove(model, model + n, len - n);
			len -= n;
			buf_drop(&b, n);
		} else {
			at = buf_reserve(&b, n);
			bad += (at == NULL) != (n > MODEL_MAX - len);
			for (size_t i = 0; at != NULL && i < n; i++)
				at[i] = model[len + i] =
				    (uint8_t)test_random();
			if (at != NULL) {
				buf_commit(&b, n);
				len += n;
			}
		}
		bad += !bytes_eq(buf_bytes(&b), bytes_of(model, len));
	}
	eq_int(bad, 0, "100 000 random steps equal the model");
	ok(b.size <= MODEL_MAX, "within %d bytes of memory", MODEL_MAX);
	buf_reset(&b);
}

/* A queue that stays nearly full moves its bytes rarely: what is copied is
 * in proportion to what passes. */
static void
test_moves(void)
{
	static uint8_t in[1024];
	struct buf b;
	int moves = 0;

	buf_init(&b, 1 << 20);
	for (int i = 0; i < 60; i++)
		buf_add(&b, bytes_of(in, sizeof in));
	for (int i = 0; i < 1000; i++) {
		size_t before = b.tail;

		buf_drop(&b, sizeof in);
		buf_add(&b, bytes_of(in, sizeof in));
		moves += b.tail < before;
	}
	ok(moves < 40, "%d moves in 1000 steps of a queue of 60", moves);
	buf_reset(&b);
}

static void
test_blocks(void)
{
	struct blocks q = {.len = 0};
	uint32_t in = 0, out = 0;
	size_t most = 0;
	int bad = 0;

	for (int round = 0; round < 20000; round++) {
		size_t n = 1 + test_below(round % 50 == 0
		    ? BLOCKS_PIECE_MAX : 3000);

		if (test_below(5) < 3 && q.len < 1 << 21) {
			uint8_t *at = blocks_reserve(&q, n);
			size_t used = test_below(4) == 0 ? test_below(n) : n;

			for (size_t i = 0; i < used; i++)
				at[i] = (uint8_t)(in++ * 31 >> 3);
			blocks_commit(&q, used);
		} else if (q.len != 0) {
			struct bytes b = blocks_bytes(&q);

			n = n < b.len ? n : b.len;
			for (size_t i = 0; i < n; i++)
				bad += b.ptr[i] != (uint8_t)(out++ * 31 >> 3);
			blocks_drop(&q, n);
		}
		bad += q.len != in - out;
		most = q.len > most ? q.len : most;
	}
	eq_int(bad, 0, "bytes leave a queue of blocks as they came");
	ok(most > 1 << 20, "up to %zu at once", most);
	blocks_done(&q);
	ok(q.len == 0 && blocks_bytes(&q).len == 0, "done empties it");
}

/* Runs keep order and channel; neighbours join. */
static void
test_runs(void)
{
	static uint8_t model[1 << 16];
	static uint16_t channels[1 << 16];
	size_t head = 0, tail = 0;
	struct runs r;
	int bad = 0;

	runs_init(&r, 1 << 20);
	while (tail < sizeof model - 100) {
		uint16_t channel = (uint16_t)test_below(2);
		size_t n = 1 + test_below(40);
		uint8_t bytes[40];
		struct bytes run;

		if (test_below(2) == 0) {
			for (size_t i = 0; i < n; i++, tail++) {
				bytes[i] = model[tail] =
				    (uint8_t)test_random();
				channels[tail] = channel;
			}
			bad += runs_add(&r, channel, bytes_of(bytes, n)) != 0;
		} else if (!runs_is_empty(&r)) {
			run = runs_first(&r, &channel);
			n = n < run.len ? n : run.len;
			bad += memcmp(run.ptr, model + head, run.len) != 0;
			bad += head + run.len < tail &&
			    channels[head + run.len] == channel;
			for (size_t i = 0; i < run.len; i++)
				bad += channels[head + i] != channel;
			runs_drop(&r, n);
			head += n;
		}
		bad += runs_is_empty(&r) != (head == tail);
	}
	eq_int(bad, 0, "runs keep bytes, order and channel, and join");
	runs_reset(&r);
	runs_init(&r, 20);
	eq_int(runs_add(&r, 0, bytes_of(model, 12)), 0, "a run of max bytes");
	errno = 0;
	eq_int(runs_add(&r, 0, bytes_of(model, 1)), -1, "above it");
	eq_int(errno, ENOBUFS, "ENOBUFS");
	runs_reset(&r);
}

int
main(void)
{
	test_cap();
	test_format();
	test_model();
	test_moves();
	test_blocks();
	test_runs();
	return test_done();
}
