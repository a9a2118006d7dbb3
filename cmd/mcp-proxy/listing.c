/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/listing.h"

#include "cmd/mcp-proxy/message.h"
#include "cmd/mcp-proxy/strict.h"

enum { KEY_MAX = 64 }; /* more than a member that matters has */

/* Which of the strings that matter a member's name is, or is taken for by those
 * who do not mind the case of letters; -1: none. */
static int
find_key(struct jsonr key, const char *const *known, size_t count,
    bool *ret_exact)
{
	struct buf name;
	int found = -1;

	buf_init(&name, KEY_MAX);
	for (size_t i = 0; i < count && found < 0; i++) {
		*ret_exact = jsonr_eq_str(key, known[i]);
		if (*ret_exact)
			found = (int)i;
	}
	if (found < 0 && jsonr_add_str(key, &name) == 0) {
		for (size_t i = 0; i < count && found < 0; i++) {
			if (strict_is_like(buf_bytes(&name), known[i]))
				found = (int)i;
		}
	}
	buf_reset(&name);
	return found;
}

/* asked: it is the list that the answer should have.  Returns 1; 0 if it is
 * none, and nobody takes it for one; -1 with a text. */
static int
take_array(struct listing *l, size_t i, struct jsonr value, bool asked,
    struct error *e)
{
	if (value.kind != JSONR_ARRAY)
		return !asked ? 0 : error_set(e, "%s: not an array",
		    policy_lists[i].member);
	if (l->arrays[i].value.kind != JSONR_ABSENT)
		return error_set(e, "%s: given twice", policy_lists[i].member);
	l->arrays[i].value = value;
	return 1;
}

int
listing_init(struct listing *l, const struct rpc *m,
    const struct policy_list *list, struct error *e)
{
	const char *known[POLICY_LISTS + 2];
	struct jsonr_iter i;
	struct jsonr key, value;
	bool any = false;
	int r = 0;

	*l = (struct listing){.text = m->text};
	buf_init(&l->kept, m->text.len + POLICY_LISTS * 2);
	buf_init(&l->names, LISTING_NAMES_LEN);
	for (size_t n = 0; n < POLICY_LISTS; n++)
		known[n] = policy_lists[n].member;
	known[POLICY_LISTS] = "ttlMs";
	known[POLICY_LISTS + 1] = "cacheScope";
	jsonr_iter_init(&i, m->result);
	while (r >= 0 && m->result.kind == JSONR_OBJECT &&
	    jsonr_next(&i, &key, &value)) {
		bool exact = false;
		int n = find_key(key, known, POLICY_LISTS + 2, &exact);

		if (n >= 0 && !exact)
			r = error_set(e, "a member that is like %s", known[n]);
		else if (n == POLICY_LISTS)
			l->ttl = value;
		else if (n == POLICY_LISTS + 1)
			l->scope = value;
		else if (n >= 0)
			r = take_array(l, (size_t)n, value,
			    list == &policy_lists[n], e);
		any = any || r == 1;
	}
	return r < 0 ? -1 : any;
}

void
listing_done(struct listing *l)
{
	buf_reset(&l->kept);
	buf_reset(&l->names);
}

/* ---- entries ---- */

static bool
is_clear(struct jsonr string)
{
	struct buf text;
	bool clear;

	buf_init(&text, string.text.len);
	clear = jsonr_add_str(string, &text) == 0 &&
	    strict_is_clear(buf_bytes(&text));
	buf_reset(&text);
	return clear;
}

/* The string that names it, given once, and nothing that could be taken for
 * it. */
static struct jsonr
name_of(const struct policy_list *list, struct jsonr entry)
{
	struct jsonr name;
	struct error e;

	if (strict_get(entry, list->key, &name, &e) != 1 ||
	    name.kind != JSONR_STRING || !is_clear(name))
		return (struct jsonr){JSONR_ABSENT, {NULL, 0}};
	return name;
}

/* Begins the next array.  Returns false if there is none. */
static bool
begin_array(struct listing *l)
{
	while (l->at < POLICY_LISTS &&
	    l->arrays[l->at].value.kind == JSONR_ABSENT)
		l->at++;
	if (l->at == POLICY_LISTS)
		return false;
	jsonr_iter_init(&l->left, l->arrays[l->at].value);
	l->arrays[l->at].start = buf_len(&l->kept);
	l->inside = true;
	return true;
}

static void
end_array(struct listing *l)
{
	struct listing_array *a = &l->arrays[l->at++];

	a->len = buf_len(&l->kept) - a->start;
	l->inside = false;
}

bool
listing_next(struct listing *l, struct listing_entry *ret)
{
	while (l->inside || begin_array(l)) {
		struct listing_entry *entry = &l->entry;

		if (!jsonr_next(&l->left, NULL, &entry->value)) {
			end_array(l);
			continue;
		}
		l->entry_count++;
		entry->list = &policy_lists[l->at];
		entry->name = name_of(entry->list, entry->value);
		*ret = *entry;
		return true;
	}
	return false;
}

/* Keeps the name of an entry that is left out, for the audit. */
static void
keep_name(struct listing *l)
{
	size_t start = buf_len(&l->names);

	if (l->name_count == LISTING_NAMES_MAX ||
	    l->name_count != l->removed_count - 1)
		return;
	if (l->entry.name.kind == JSONR_STRING &&
	    jsonr_add_str(l->entry.name, &l->names) != 0)
		return;
	l->removed[l->name_count++] = bytes_of(NULL,
	    buf_len(&l->names) - start);
}

int
listing_put(struct listing *l, bool stays)
{
	struct listing_array *a = &l->arrays[l->at];

	if (!stays) {
		a->changed = true;
		l->removed_count++;
		keep_name(l);
		return 0;
	}
	if (buf_len(&l->kept) != a->start && buf_add_str(&l->kept, ",") != 0)
		return -1;
	return buf_add(&l->kept, l->entry.value.text);
}

/* ---- the answer ---- */

int
listing_write(struct listing *l, struct buf *out)
{
	struct message_edit edits[POLICY_LISTS + 2];
	struct bytes kept = buf_bytes(&l->kept);
	size_t count = 0;

	for (size_t i = 0; i < POLICY_LISTS; i++) {
		struct listing_array *a = &l->arrays[i];
		struct bytes old = a->value.text;

		if (!a->changed)
			continue;
		edits[count++] = (struct message_edit){
		    bytes_of(old.ptr + 1, old.len - 2),
		    a->len == 0 ? bytes_of(NULL, 0)
		    : bytes_of(kept.ptr + a->start, a->len)};
	}
	if (l->ttl.kind != JSONR_ABSENT &&
	    !bytes_eq(l->ttl.text, bytes_cstr("0")))
		edits[count++] = (struct message_edit){l->ttl.text,
		    bytes_cstr("0")};
	if (l->scope.kind != JSONR_ABSENT && !jsonr_eq_str(l->scope, "private"))
		edits[count++] = (struct message_edit){l->scope.text,
		    bytes_cstr("\"private\"")};
	if (count == 0)
		return 0;
	return message_write(out, l->text, edits, count) == 0 ? 1 : -1;
}

size_t
listing_removed(struct listing *l, const struct bytes **ret)
{
	struct bytes names = buf_bytes(&l->names);

	for (size_t i = 0; i < l->name_count; i++) {
		l->removed[i].ptr = names.ptr;
		names = bytes_after(names, l->removed[i].len);
	}
	*ret = l->removed;
	return l->name_count;
}

bool
listing_has_uris(const struct listing *l)
{
	for (size_t i = 0; i < POLICY_LISTS; i++) {
		if (policy_lists[i].kind == POLICY_RESOURCE &&
		    l->arrays[i].value.kind != JSONR_ABSENT)
			return true;
	}
	return false;
}
