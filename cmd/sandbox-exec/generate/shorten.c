/* SPDX-License-Identifier: ISC */
#include "shorten.h"

#include <linux/seccomp.h>
#include <stdint.h>
#include <string.h>

enum {
	NODES_MAX = 4096,
	RANGES_MAX = 512,
	JUMP_MAX = 255,
	WORDS = sizeof(struct seccomp_data) / 4,
	VALUES_MAX = 512,
	DRAWS = 1500,
};

#define ALL UINT32_MAX

/* An answer (code BPF_RET), or a test of the word at offset, masked; the
 * program as a graph in which equal parts are one. */
struct node {
	uint16_t code; /* BPF_RET, BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET */
	uint32_t offset, mask, k;
	int yes, no;   /* nodes */
};

static struct node nodes[NODES_MAX];
static int node_count;

/* Which node stands for the instruction at index when the accumulator holds
 * that masked word. */
static struct {
	size_t index;
	uint32_t offset, mask;
	int node;
} known[NODES_MAX];
static int known_count;

static int
add(struct node n)
{
	const struct node *no = n.code == BPF_RET ? NULL : &nodes[n.no];

	if (no != NULL && n.yes == n.no)
		return n.yes;
	/* One test of several bits instead of one for each. */
	if (no != NULL && n.code == BPF_JSET && no->code == BPF_JSET &&
	    n.offset == no->offset && n.yes == no->yes) {
		n.k |= no->k;
		n.no = no->no;
	}
	for (int i = 0; i < node_count; i++) {
		const struct node *o = &nodes[i];

		if (o->code == n.code && o->offset == n.offset &&
		    o->mask == n.mask && o->k == n.k && o->yes == n.yes &&
		    o->no == n.no)
			return i;
	}
	if (node_count == NODES_MAX)
		return -1;
	nodes[node_count] = n;
	return node_count++;
}

static bool
holds(uint16_t code, uint32_t value, uint32_t k)
{
	switch (code) {
	case BPF_JEQ:
		return value == k;
	case BPF_JGT:
		return value > k;
	case BPF_JGE:
		return value >= k;
	default:
		return (value & k) != 0;
	}
}

/* A test in its simplest form. */
static int
add_test(struct node n)
{
	if (n.mask == 0)
		return holds(n.code, 0, n.k) ? n.yes : n.no;
	if (n.code == BPF_JEQ && (n.k & ~n.mask) != 0)
		return n.no;
	if (n.code == BPF_JEQ && n.mask != ALL && (n.k == 0 ||
	    (n.k == n.mask && (n.k & (n.k - 1)) == 0))) {
		if (n.k == 0) {
			int yes = n.yes;

			n.yes = n.no;
			n.no = yes;
		}
		n.code = BPF_JSET;
		n.k = n.mask;
		n.mask = ALL;
	}
	return add(n);
}

static int build(const struct sock_filter *at, size_t count, size_t i,
    uint32_t offset, uint32_t mask);

static int
build_jump(const struct sock_filter *at, size_t count, size_t i,
    uint32_t offset, uint32_t mask)
{
	struct node n = {.code = BPF_OP(at[i].code), .offset = offset,
		.mask = mask, .k = at[i].k};

	if (n.code == BPF_JA)
		return build(at, count, i + 1 + n.k, offset, mask);
	n.yes = build(at, count, i + 1 + at[i].jt, offset, mask);
	n.no = build(at, count, i + 1 + at[i].jf, offset, mask);
	return n.yes == -1 || n.no == -1 ? -1 : add_test(n);
}

/* Returns the node, or -1 for what is no such program. */
static int
build(const struct sock_filter *at, size_t count, size_t i, uint32_t offset,
    uint32_t mask)
{
	int node = -1;

	if (i >= count || known_count == NODES_MAX)
		return -1;
	for (int j = 0; j < known_count; j++) {
		if (known[j].index == i && known[j].offset == offset &&
		    known[j].mask == mask)
			return known[j].node;
	}
	if (at[i].code == (BPF_LD | BPF_W | BPF_ABS))
		node = build(at, count, i + 1, at[i].k, ALL);
	else if (at[i].code == (BPF_ALU | BPF_AND | BPF_K))
		node = build(at, count, i + 1, offset, mask & at[i].k);
	else if (at[i].code == (BPF_RET | BPF_K))
		node = add((struct node){.code = BPF_RET, .k = at[i].k});
	else if (BPF_CLASS(at[i].code) == BPF_JMP &&
	    BPF_SRC(at[i].code) == BPF_K)
		node = build_jump(at, count, i, offset, mask);
	if (known_count < NODES_MAX) {
		known[known_count].index = i;
		known[known_count].offset = offset;
		known[known_count].mask = mask;
		known[known_count++].node = node;
	}
	return node;
}

/* ---- tests of the call's number: neighbours with one answer are one ---- */

struct range {
	uint32_t first;
	int node;
};

static bool
is_of_number(int node)
{
	return nodes[node].code != BPF_RET && nodes[node].mask == ALL &&
	    nodes[node].offset == offsetof(struct seccomp_data, nr) &&
	    nodes[node].code != BPF_JSET;
}

static int
follow(int node, uint32_t number)
{
	while (is_of_number(node))
		node = holds(nodes[node].code, number, nodes[node].k) ?
		    nodes[node].yes : nodes[node].no;
	return node;
}

static void
add_first(struct range *at, size_t *count, uint32_t first)
{
	size_t i = *count;

	for (size_t j = 0; j < *count; j++) {
		if (at[j].first == first)
			return;
	}
	if (*count == RANGES_MAX)
		return;
	for (; i > 0 && at[i - 1].first > first; i--)
		at[i] = at[i - 1];
	at[i].first = first;
	++*count;
}

static void
collect(int node, struct range *at, size_t *count)
{
	if (!is_of_number(node))
		return;
	if (nodes[node].code != BPF_JGT)
		add_first(at, count, nodes[node].k);
	if (nodes[node].code != BPF_JGE && nodes[node].k != UINT32_MAX)
		add_first(at, count, nodes[node].k + 1);
	collect(nodes[node].yes, at, count);
	collect(nodes[node].no, at, count);
}

static int
tree(const struct range *at, size_t count)
{
	struct node n = {.code = BPF_JGE, .mask = ALL,
		.offset = offsetof(struct seccomp_data, nr)};
	size_t half = count / 2;

	if (count == 1)
		return at[0].node;
	if (count == 3 && at[0].node == at[2].node &&
	    at[1].first + 1 == at[2].first) {
		n.code = BPF_JEQ;
		n.k = at[1].first;
		n.yes = at[1].node;
		n.no = at[0].node;
		return add(n);
	}
	n.k = at[half].first;
	n.no = tree(at, half);
	n.yes = tree(at + half, count - half);
	return n.yes == -1 || n.no == -1 ? -1 : add(n);
}

/* Replaces the tests of the number below node.  Returns the node for it. */
static int
replace(int node)
{
	struct range at[RANGES_MAX];
	size_t count = 0, kept = 0;
	struct node n;

	if (nodes[node].code == BPF_RET)
		return node;
	if (!is_of_number(node)) {
		n = nodes[node];
		n.yes = replace(n.yes);
		n.no = replace(n.no);
		return n.yes == -1 || n.no == -1 ? -1 : add(n);
	}
	add_first(at, &count, 0);
	collect(node, at, &count);
	if (count == RANGES_MAX)
		return -1;
	for (size_t i = 0; i < count; i++) {
		int to = replace(follow(node, at[i].first));

		if (to == -1)
			return -1;
		if (kept == 0 || at[kept - 1].node != to)
			at[kept++] = (struct range){at[i].first, to};
	}
	return tree(at, kept);
}

/* ---- back to instructions ---- */

struct writing {
	int order[NODES_MAX];
	int count;
	bool seen[NODES_MAX];
	bool loads[NODES_MAX];
	size_t start[NODES_MAX];
};

static void
visit(struct writing *w, int node)
{
	if (w->seen[node])
		return;
	w->seen[node] = true;
	if (nodes[node].code != BPF_RET) {
		visit(w, nodes[node].yes);
		visit(w, nodes[node].no);
	}
	w->order[w->count++] = node;
}

/* Whether whatever comes to node has its word loaded, and nothing else. */
static bool
has_word(const struct writing *w, int node)
{
	bool any = false;

	for (int i = 0; i < w->count; i++) {
		const struct node *n = &nodes[w->order[i]];

		if (n->code == BPF_RET || (n->yes != node && n->no != node))
			continue;
		any = true;
		if (n->offset != nodes[node].offset || n->mask != ALL)
			return false;
	}
	return any;
}

static void
place(struct writing *w)
{
	size_t at = 0;

	for (int i = w->count - 1; i >= 0; i--) {
		int node = w->order[i];
		bool test = nodes[node].code != BPF_RET;

		w->start[node] = at;
		w->loads[node] = test && !has_word(w, node);
		at += w->loads[node] ? 2 : 1;
		at += test && nodes[node].mask != ALL ? 1 : 0;
	}
}

/* Returns the number of instructions, 0 if a jump is too far. */
static size_t
write_all(const struct writing *w, struct sock_filter *out)
{
	size_t at = 0;

	for (int i = w->count - 1; i >= 0; i--) {
		int node = w->order[i];
		const struct node *n = &nodes[node];
		size_t yes, no;

		if (n->code == BPF_RET) {
			out[at++] = (struct sock_filter)BPF_STMT(BPF_RET |
			    BPF_K, n->k);
			continue;
		}
		if (w->loads[node])
			out[at++] = (struct sock_filter)BPF_STMT(BPF_LD |
			    BPF_W | BPF_ABS, n->offset);
		if (n->mask != ALL)
			out[at++] = (struct sock_filter)BPF_STMT(BPF_ALU |
			    BPF_AND | BPF_K, n->mask);
		yes = w->start[n->yes] - at - 1;
		no = w->start[n->no] - at - 1;
		if (yes > JUMP_MAX || no > JUMP_MAX)
			return 0;
		out[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | n->code |
		    BPF_K, n->k, (uint8_t)yes, (uint8_t)no);
	}
	return at;
}

size_t
shorten(struct sock_filter *at, size_t count)
{
	static struct writing w;
	static struct sock_filter out[2 * NODES_MAX + NODES_MAX];
	size_t length;
	int root;

	node_count = known_count = 0;
	memset(&w, 0, sizeof w);
	root = build(at, count, 0, 0, 0);
	if (root != -1)
		root = replace(root);
	if (root == -1)
		return 0;
	visit(&w, root);
	place(&w);
	length = write_all(&w, out);
	if (length == 0 || length >= count)
		return 0;
	memcpy(at, out, length * sizeof *at);
	return length;
}

/* ---- the proof ---- */

static uint32_t
run(const struct sock_filter *at, size_t count, const uint32_t *words)
{
	uint32_t a = 0;

	for (size_t i = 0; i < count; i++) {
		const struct sock_filter *f = &at[i];

		if (f->code == (BPF_LD | BPF_W | BPF_ABS))
			a = words[f->k / 4];
		else if (f->code == (BPF_ALU | BPF_AND | BPF_K))
			a &= f->k;
		else if (f->code == (BPF_RET | BPF_K))
			return f->k;
		else if (BPF_OP(f->code) == BPF_JA)
			i += f->k;
		else
			i += holds(BPF_OP(f->code), a, f->k) ? f->jt : f->jf;
	}
	return 0;
}

static uint32_t
draw(void)
{
	static uint64_t state = 1;

	state = state * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)(state >> 33);
}

bool
shorten_is_same(const struct sock_filter *a, size_t a_count,
    const struct sock_filter *b, size_t b_count, unsigned arch,
    unsigned last)
{
	uint32_t values[VALUES_MAX] = {0}, words[WORDS];
	size_t n = 0;

	for (size_t i = 0; i < a_count && n + 3 < VALUES_MAX; i++) {
		if (BPF_CLASS(a[i].code) == BPF_RET)
			continue;
		values[n++] = a[i].k;
		values[n++] = a[i].k - 1;
		values[n++] = a[i].k + 1;
	}
	for (unsigned number = 0; number <= last + 64; number++) {
		for (int i = 0; i < DRAWS; i++) {
			for (size_t j = 0; j < WORDS; j++)
				words[j] = draw() % 3 == 0 ? 0 :
				    values[draw() % n];
			words[0] = number > last + 32 ? draw() << 1 : number;
			words[1] = draw() % 16 == 0 ? draw() : arch;
			if (run(a, a_count, words) != run(b, b_count, words))
				return false;
		}
	}
	return true;
}
