/* SPDX-License-Identifier: ISC */
/* The tree becomes a program of an automaton that is in many places at once
 * (Thompson), and that becomes, as lines are matched, an automaton that is in
 * one: its states are kept up to a size, then forgotten. */
#include "cmd/sandbox-exec/regex.h"

#include <errno.h>
#include <stdlib.h>

#include "cmd/sandbox-exec/regex_parse.h"
#include "common/utf8.h"

enum {
	BUCKETS = 4096,
	UNKNOWN = 0,      /* in a table: not found out yet */
	MATCHED = 1,      /* in a table: the line matches */
	FIRST_STATE = 2,
	COMPILE_MAX = 10 * REGEX_PROGRAM_MAX, /* nodes visited, also empty
					       * ones */
	SETS_MAX = 16 << 20, /* bytes of set_bits */
	LITERAL_MAX = 256,
};

enum op {
	OP_SET,   /* x: set */
	OP_SPLIT, /* go on at x and at y */
	OP_JUMP,  /* go on at x */
	OP_ASSERT, /* x: enum regex_kind */
	OP_MATCH,
};

struct instruction {
	enum op op;
	uint32_t x, y;
};

/* What stands before or after a place in a line. */
enum side {
	SIDE_EDGE, /* nothing */
	SIDE_WORD,
	SIDE_OTHER,
};

struct state {
	enum side before;
	size_t at, count;  /* in pcs */
	uint32_t chain;    /* next of the same bucket, 0: none */
};

/* Places in the program that were reached, each once. */
struct places {
	uint16_t *at;      /* only OP_SET, OP_ASSERT and OP_MATCH count */
	size_t count;
	uint32_t *seen;    /* by place: the round it was last reached in */
	uint32_t round;
};

struct regex {
	struct instruction program[REGEX_PROGRAM_MAX];
	size_t count;
	size_t visits;
	bool asserts;            /* there are any */
	uint32_t *starts;        /* of the classes, ranges of characters */
	size_t class_count;
	uint16_t ascii[128];     /* class of each */
	enum side *sides;        /* of each class, and at the end SIDE_EDGE */
	uint8_t *set_bits;       /* by set, by class */
	size_t set_stride;

	struct state *states;
	uint32_t *tables;        /* by state, by class and one for the end */
	uint16_t *pcs;
	uint32_t buckets[BUCKETS];
	uint32_t first;          /* where a line begins; UNKNOWN: find out */
	size_t state_count, state_max, pc_count, pc_max;
	struct places now, next;
	uint16_t *stack;

	uint8_t literal[LITERAL_MAX];
	size_t literal_len;
};

static size_t
emit(struct regex *r, enum op op, size_t x)
{
	if (r->count == REGEX_PROGRAM_MAX)
		return r->count - 1; /* has_room says it */
	r->program[r->count] = (struct instruction){op, (uint32_t)x, 0};
	return r->count++;
}

static bool
has_room(const struct regex *r)
{
	return r->count < REGEX_PROGRAM_MAX && r->visits < COMPILE_MAX;
}

static void compile(struct regex *r, const struct regex_node *n);

/* Each alternative but the last ends with a jump to the end; these are chained
 * until it is known. */
static void
compile_alternatives(struct regex *r, const struct regex_node *n)
{
	size_t chain = UINT32_MAX;

	for (; n->kind == REGEX_ALT && has_room(r); n = n->right) {
		size_t split = emit(r, OP_SPLIT, r->count + 1), jump;

		compile(r, n->left);
		jump = emit(r, OP_JUMP, 0);
		r->program[jump].y = (uint32_t)chain;
		chain = jump;
		r->program[split].y = (uint32_t)r->count;
	}
	compile(r, n);
	while (has_room(r) && chain != UINT32_MAX) {
		struct instruction *jump = &r->program[chain];

		chain = jump->y;
		jump->x = (uint32_t)r->count;
	}
}

static void
compile_repeat(struct regex *r, const struct regex_node *n)
{
	size_t chain = UINT32_MAX, split;

	for (int i = 0; i < n->min && has_room(r); i++)
		compile(r, n->left);
	if (n->max == REGEX_INFINITE) {
		split = emit(r, OP_SPLIT, r->count + 1);
		compile(r, n->left);
		emit(r, OP_JUMP, split);
		r->program[split].y = (uint32_t)r->count;
		return;
	}
	for (int i = n->min; i < n->max && has_room(r); i++) {
		split = emit(r, OP_SPLIT, r->count + 1);
		r->program[split].y = (uint32_t)chain;
		chain = split;
		compile(r, n->left);
	}
	while (has_room(r) && chain != UINT32_MAX) {
		struct instruction *optional = &r->program[chain];

		chain = optional->y;
		optional->y = (uint32_t)r->count;
	}
}

/* Stops somewhere when there is no room; who asked looks at has_room. */
static void
compile(struct regex *r, const struct regex_node *n)
{
	for (; n->kind == REGEX_CAT && has_room(r); n = n->right)
		compile(r, n->left);
	r->visits++;
	if (!has_room(r))
		return;
	switch (n->kind) {
	case REGEX_SET:
		emit(r, OP_SET, n->set);
		break;
	case REGEX_START:
	case REGEX_END:
	case REGEX_WORD:
	case REGEX_NOT_WORD:
		r->asserts = true;
		emit(r, OP_ASSERT, (size_t)n->kind);
		break;
	case REGEX_ALT:
		compile_alternatives(r, n);
		break;
	case REGEX_REPEAT:
		compile_repeat(r, n);
		break;
	case REGEX_CAT: /* not after the loop */
	case REGEX_EMPTY:
		break;
	}
}

static int
compare_starts(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Where ranges of sets, and of word characters, begin or have ended. */
static size_t
add_bounds(const struct regex_set *s, uint32_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < s->count; i++) {
		out[n++] = s->at[i].low;
		if (s->at[i].high < REGEX_CHAR_MAX)
			out[n++] = s->at[i].high + 1;
	}
	return n;
}

static int
find_starts(struct regex *r, const struct regex_tree *t,
    const struct regex_set *word)
{
	size_t n = 1, room = 1 + 2 * word->count, unique = 0;

	for (size_t i = 0; i < t->set_count; i++)
		room += 2 * t->sets[i].count;
	r->starts = calloc(room, sizeof *r->starts);
	if (r->starts == NULL)
		return -1;
	for (size_t i = 0; i < t->set_count; i++)
		n += add_bounds(&t->sets[i], r->starts + n);
	n += add_bounds(word, r->starts + n);
	qsort(r->starts, n, sizeof *r->starts, compare_starts);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || r->starts[i] != r->starts[unique - 1])
			r->starts[unique++] = r->starts[i];
	}
	r->class_count = unique;
	errno = ENOBUFS;
	return unique > REGEX_RANGES_MAX ? -1 : 0;
}

static size_t
find_class(const struct regex *r, uint32_t c)
{
	size_t low = 0, high = r->class_count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (r->starts[middle] <= c)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* Cuts all characters into ranges that no set tells apart. */
static int
make_classes(struct regex *r, const struct regex_tree *t)
{
	struct regex_set word = {NULL, 0, 0};
	int got = regex_set_add_escape(&word, 'w') == 0 ?
	    find_starts(r, t, &word) : -1;

	regex_set_done(&word);
	if (got != 0)
		return -1;
	r->set_stride = (r->class_count + 7) / 8;
	errno = ENOBUFS;
	if (t->set_count * r->set_stride > SETS_MAX)
		return -1;
	r->sides = calloc(r->class_count + 1, sizeof *r->sides);
	r->set_bits = calloc(t->set_count + 1, r->set_stride);
	if (r->sides == NULL || r->set_bits == NULL)
		return -1;
	for (uint32_t c = 0; c < 128; c++)
		r->ascii[c] = (uint16_t)find_class(r, c);
	for (size_t k = 0; k < r->class_count; k++) {
		r->sides[k] = regex_is_word(r->starts[k]) ? SIDE_WORD :
		    SIDE_OTHER;
		for (size_t s = 0; s < t->set_count; s++) {
			if (regex_set_has(&t->sets[s], r->starts[k]))
				r->set_bits[s * r->set_stride + k / 8] |=
				    (uint8_t)(1 << k % 8);
		}
	}
	r->sides[r->class_count] = SIDE_EDGE;
	return 0;
}

static int
make_cache(struct regex *r)
{
	size_t table = (r->class_count + 1) * sizeof *r->tables;
	size_t per_state = table + sizeof *r->states +
	    r->count * sizeof *r->pcs;

	r->state_max = FIRST_STATE + 2 + REGEX_CACHE_MAX / per_state;
	if (r->state_max > 100000)
		r->state_max = 100000;
	r->pc_max = r->state_max * 8 + 4 * r->count;
	r->states = calloc(r->state_max, sizeof *r->states);
	r->tables = calloc(r->state_max, table);
	r->pcs = calloc(r->pc_max, sizeof *r->pcs);
	r->stack = calloc(2 * r->count + 2, sizeof *r->stack);
	r->now.at = calloc(r->count, sizeof *r->now.at);
	r->now.seen = calloc(r->count, sizeof *r->now.seen);
	r->next.at = calloc(r->count, sizeof *r->next.at);
	r->next.seen = calloc(r->count, sizeof *r->next.seen);
	r->state_count = FIRST_STATE;
	return r->states == NULL || r->tables == NULL || r->pcs == NULL ||
	    r->stack == NULL || r->now.at == NULL || r->now.seen == NULL ||
	    r->next.at == NULL || r->next.seen == NULL ? -1 : 0;
}

/* The longest run of single characters that every match goes through. */
static void
find_literal(struct regex *r, const struct regex_tree *t)
{
	const struct regex_node *n = t->root;
	uint8_t run[LITERAL_MAX];
	size_t len = 0;

	for (bool end = false; !end;) {
		const struct regex_node *item = n;
		const struct regex_set *set;

		end = n->kind != REGEX_CAT;
		if (!end) {
			item = n->left;
			n = n->right;
		}
		set = item->kind == REGEX_SET ? &t->sets[item->set] : NULL;
		if (set != NULL && set->count == 1 &&
		    set->at[0].low == set->at[0].high &&
		    set->at[0].low != 0xfffd && len + 4 <= LITERAL_MAX)
			len += utf8_put(run + len, set->at[0].low);
		else
			len = 0;
		if (len > r->literal_len) {
			memcpy(r->literal, run, len);
			r->literal_len = len;
		}
	}
}

struct regex *
regex_new(struct bytes pattern, struct error *e)
{
	struct regex *r = calloc(1, sizeof *r);
	struct regex_tree t = {.root = NULL};

	if (r == NULL) {
		error_set(e, "out of memory");
		return NULL;
	}
	if (regex_parse(pattern, &t, e) != 0)
		goto fail;
	compile(r, t.root);
	emit(r, OP_MATCH, 0);
	if (!has_room(r)) {
		error_set(e, "the pattern is too large");
		goto fail;
	}
	if (make_classes(r, &t) != 0 || make_cache(r) != 0) {
		error_set(e, errno == ENOBUFS ? "the pattern is too large" :
		    "out of memory");
		goto fail;
	}
	find_literal(r, &t);
	regex_tree_done(&t);
	return r;
fail:
	regex_tree_done(&t);
	regex_free(r);
	return NULL;
}

void
regex_free(struct regex *r)
{
	if (r == NULL)
		return;
	free(r->starts);
	free(r->sides);
	free(r->set_bits);
	free(r->states);
	free(r->tables);
	free(r->pcs);
	free(r->stack);
	free(r->now.at);
	free(r->now.seen);
	free(r->next.at);
	free(r->next.seen);
	free(r);
}

struct bytes
regex_literal(const struct regex *r)
{
	return bytes_of(r->literal, r->literal_len);
}

static void
begin_places(struct places *p)
{
	p->count = 0;
	p->round++;
}

/* Adds where the program gets from pc without a character.  Returns whether it
 * gets to the end. */
static bool
add_place(struct regex *r, struct places *p, size_t pc)
{
	bool matched = false;
	size_t depth = 0;

	r->stack[depth++] = (uint16_t)pc;
	while (depth != 0) {
		const struct instruction *i;

		pc = r->stack[--depth];
		if (p->seen[pc] == p->round)
			continue;
		p->seen[pc] = p->round;
		i = &r->program[pc];
		switch (i->op) {
		case OP_SPLIT:
			r->stack[depth++] = (uint16_t)i->y;
			r->stack[depth++] = (uint16_t)i->x;
			break;
		case OP_JUMP:
			r->stack[depth++] = (uint16_t)i->x;
			break;
		case OP_MATCH:
			matched = true;
			break;
		case OP_SET:
		case OP_ASSERT:
			p->at[p->count++] = (uint16_t)pc;
			break;
		}
	}
	return matched;
}

static bool
is_true(enum regex_kind kind, enum side before, enum side after)
{
	bool boundary = (before == SIDE_WORD) != (after == SIDE_WORD);

	if (kind == REGEX_START)
		return before == SIDE_EDGE;
	if (kind == REGEX_END)
		return after == SIDE_EDGE;
	return boundary == (kind == REGEX_WORD);
}

/* Fills now with a state's places, and with those behind assertions that hold
 * between it and class.  Returns whether that is a match. */
static bool
enter_state(struct regex *r, const struct state *s, size_t class)
{
	bool matched = false;

	begin_places(&r->now);
	for (size_t i = 0; i < s->count; i++)
		matched = add_place(r, &r->now, r->pcs[s->at + i]) || matched;
	for (size_t i = 0; r->asserts && i < r->now.count; i++) {
		const struct instruction *in = &r->program[r->now.at[i]];

		if (in->op == OP_ASSERT && is_true((enum regex_kind)in->x,
		    s->before, r->sides[class]))
			matched = add_place(r, &r->now, (size_t)r->now.at[i] +
			    1) || matched;
	}
	return matched;
}

static int
compare_places(const void *a, const void *b)
{
	const uint16_t *x = a, *y = b;

	return *x - *y;
}

static uint32_t
hash_places(const struct places *p, enum side before)
{
	uint32_t h = 2166136261U ^ (uint32_t)before;

	for (size_t i = 0; i < p->count; i++)
		h = (h ^ p->at[i]) * 16777619U;
	return (h ^ h >> 15) % BUCKETS;
}

static void
forget_states(struct regex *r)
{
	memset(r->buckets, 0, sizeof r->buckets);
	memset(r->tables, 0, r->state_count * (r->class_count + 1) *
	    sizeof *r->tables);
	r->state_count = FIRST_STATE;
	r->pc_count = 0;
	r->first = UNKNOWN;
}

/* The state with the places of next.  May forget all others, *ret_forgot. */
static uint32_t
find_state(struct regex *r, enum side before, bool *ret_forgot)
{
	struct places *p = &r->next;
	uint32_t bucket, s;

	qsort(p->at, p->count, sizeof *p->at, compare_places);
	bucket = hash_places(p, before);
	for (s = r->buckets[bucket]; s != 0; s = r->states[s].chain) {
		const struct state *old = &r->states[s];

		if (old->before == before && old->count == p->count &&
		    memcmp(r->pcs + old->at, p->at, p->count *
		    sizeof *p->at) == 0)
			return s;
	}
	if (r->state_count == r->state_max ||
	    p->count > r->pc_max - r->pc_count) {
		forget_states(r);
		*ret_forgot = true;
	}
	s = (uint32_t)r->state_count++;
	r->states[s] = (struct state){before, r->pc_count, p->count,
		r->buckets[bucket]};
	r->buckets[bucket] = s;
	memcpy(r->pcs + r->pc_count, p->at, p->count * sizeof *p->at);
	r->pc_count += p->count;
	return s;
}

static uint32_t
first_state(struct regex *r)
{
	bool forgot = false;

	if (r->first != UNKNOWN)
		return r->first;
	begin_places(&r->next);
	r->first = add_place(r, &r->next, 0) ? MATCHED :
	    find_state(r, SIDE_EDGE, &forgot);
	return r->first;
}

/* Finds out and notes where class leads from s; class_count is the end.  A
 * match may begin at any character. */
static uint32_t
advance(struct regex *r, uint32_t s, size_t class)
{
	uint32_t *slot = &r->tables[s * (r->class_count + 1) + class];
	bool forgot = false, matched = enter_state(r, &r->states[s], class);
	uint32_t to;

	if (matched || class == r->class_count) {
		*slot = matched ? MATCHED : s;
		return *slot;
	}
	begin_places(&r->next);
	for (size_t i = 0; i < r->now.count; i++) {
		size_t pc = r->now.at[i];
		const struct instruction *in = &r->program[pc];

		if (in->op == OP_SET && (r->set_bits[in->x * r->set_stride +
		    class / 8] >> class % 8 & 1) != 0)
			matched = add_place(r, &r->next, pc + 1) || matched;
	}
	matched = add_place(r, &r->next, 0) || matched;
	to = matched ? MATCHED : find_state(r, r->asserts ? r->sides[class] :
	    SIDE_EDGE, &forgot);
	if (!forgot)
		*slot = to;
	return to;
}

bool
regex_match(struct regex *r, struct bytes line)
{
	size_t width = r->class_count + 1, at = 0;
	uint32_t s = first_state(r), to;

	while (s != MATCHED && at < line.len) {
		size_t class;
		uint32_t c = line.ptr[at];

		if (c < 0x80) {
			at++;
			class = r->ascii[c];
		} else {
			at += utf8_next(bytes_after(line, at), &c);
			class = find_class(r, c == UTF8_INVALID ? 0xfffd : c);
		}
		to = r->tables[s * width + class];
		s = to == UNKNOWN ? advance(r, s, class) : to;
	}
	if (s == MATCHED)
		return true;
	to = r->tables[s * width + r->class_count];
	return (to == UNKNOWN ? advance(r, s, r->class_count) : to) == MATCHED;
}
