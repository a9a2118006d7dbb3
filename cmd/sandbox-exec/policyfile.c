/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/policyfile.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/io.h"
#include "common/str.h"
#include "common/yamldoc.h"

enum {
	LINE_LEN = 900,
	QUOTED_LEN = 80,
	DISTANCE_MAX = 3, /* letters of a slip of the pen */
};

static const char fixed_key[] = "fixed";

struct reader {
	const char *name;
	struct setting_target *target;
	policyfile_problem *problem;
	void *user;
	size_t count;
	unsigned fixed;
};

/* line 0: no place in the file. */
static void complain(struct reader *r, struct yamldoc_at at,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

static void
complain(struct reader *r, struct yamldoc_at at, const char *format, ...)
{
	char text[ERROR_TEXT_MAX + QUOTED_LEN], line[LINE_LEN];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	if (r->count++ == POLICYFILE_PROBLEMS_MAX)
		str_format(text, sizeof text, "more problems");
	if (r->count > POLICYFILE_PROBLEMS_MAX + 1)
		return;
	if (at.line == 0)
		str_format(line, sizeof line, "%.256s: %s", r->name, text);
	else
		str_format(line, sizeof line, "%.256s:%u:%u: %s", r->name,
		    at.line, at.column, text);
	r->problem(r->user, line);
}

static void
take_problem(void *user, struct yamldoc_at at, const char *text)
{
	complain(user, at, "%s", text);
}

static void
complain_unknown(struct reader *r, const struct yamldoc_node *n)
{
	size_t best = str_distance(n->key, fixed_key);
	const char *nearest = fixed_key, *name;
	char quoted[QUOTED_LEN];

	for (size_t i = 0; (name = setting_name(i)) != NULL; i++) {
		size_t d = str_distance(n->key, name);

		if (d < best) {
			best = d;
			nearest = name;
		}
	}
	diag_quote(quoted, sizeof quoted, bytes_cstr(n->key));
	if (best <= DISTANCE_MAX && best < strlen(nearest))
		complain(r, n->key_at, "%s: unknown key; did you mean '%s'?",
		    quoted, nearest);
	else
		complain(r, n->key_at, "%s: unknown key", quoted);
}

static void
take_scalar(struct reader *r, const char *key, const struct yamldoc_node *n)
{
	struct error e;
	int bad;

	if (n->kind == YAMLDOC_LIST || n->kind == YAMLDOC_MAP) {
		complain(r, n->at, "%s: a %s, must be one value", key,
		    n->kind == YAMLDOC_LIST ? "list" : "map");
		return;
	}
	if (str_eq(key, fixed_key))
		bad = setting_fix(n->text, &r->fixed, &e);
	else
		bad = setting_set(r->target, key, n->text, &e);
	if (bad != 0)
		complain(r, n->at, "%s: %s", key, e.text);
}

static bool
is_known(const char *key)
{
	const char *name;

	for (size_t i = 0; (name = setting_name(i)) != NULL; i++) {
		if (str_eq(name, key))
			return true;
	}
	return str_eq(key, fixed_key);
}

static void
take_pair(struct reader *r, const struct yamldoc_node *n)
{
	bool list = setting_is_list(n->key) || str_eq(n->key, fixed_key);

	if (!is_known(n->key)) {
		complain_unknown(r, n);
		return;
	}
	/* A list without an entry allows nothing. */
	if (str_eq(n->key, "allow"))
		r->target->has_allow = true;
	if (!list || n->kind == YAMLDOC_SCALAR || n->kind == YAMLDOC_MAP) {
		take_scalar(r, n->key, n);
		return;
	}
	for (const struct yamldoc_node *c = n->first; c != NULL; c = c->next)
		take_scalar(r, n->key, c);
}

static void
take_document(struct reader *r, const struct yamldoc_node *root)
{
	const struct yamldoc_at nowhere = {0, 0};
	struct error e;

	if (root->kind != YAMLDOC_MAP) {
		complain(r, root->at, "not a map of keys and values");
		return;
	}
	for (const struct yamldoc_node *n = root->first; n != NULL;
	    n = n->next)
		take_pair(r, n);
	if (setting_end(r->target, &e) != 0)
		complain(r, nowhere, "%s", e.text);
}

int
policyfile_parse(const char *name, struct bytes text,
    struct setting_target *t, policyfile_problem *problem, void *user)
{
	struct reader r = {
		.name = name, .target = t, .problem = problem, .user = user,
	};
	struct yamldoc_node *root = yamldoc_read(text, take_problem, &r);

	if (root != NULL)
		take_document(&r, root);
	yamldoc_free(root);
	t->fixed |= r.fixed;
	return r.count == 0 ? 0 : -1;
}

int
policyfile_load(const char *path, struct setting_target *t,
    policyfile_problem *problem, void *user)
{
	struct error e;
	struct buf b;
	int r = -1;

	buf_init(&b, POLICY_FILE_MAX);
	if (io_read_file(path, &b, &e) == 0)
		r = policyfile_parse(path, buf_bytes(&b), t, problem, user);
	else
		problem(user, e.text);
	buf_reset(&b);
	return r;
}
