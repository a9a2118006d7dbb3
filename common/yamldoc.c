/* SPDX-License-Identifier: ISC */
#include "common/yamldoc.h"

#include <stdlib.h>
#include <yaml.h>

#include "common/str.h"

enum { PROBLEM_MAX = 256 };

struct reader {
	yaml_parser_t yaml;
	yamldoc_problem *problem;
	void *user;
	size_t nodes;
};

static struct yamldoc_node *read_node(struct reader *r, yaml_event_t *event,
    unsigned depth);

static struct yamldoc_at
position(yaml_mark_t mark)
{
	return (struct yamldoc_at){
		(unsigned)mark.line + 1, (unsigned)mark.column + 1,
	};
}

static struct yamldoc_node *
complain(struct reader *r, struct yamldoc_at at, const char *text)
{
	r->problem(r->user, at, text);
	return NULL;
}

/* Takes the next event; on failure it was told about. */
static bool
next_event(struct reader *r, yaml_event_t *event)
{
	const yaml_parser_t *y = &r->yaml;
	char text[PROBLEM_MAX];

	if (yaml_parser_parse(&r->yaml, event) == 1)
		return true;
	if (y->error == YAML_READER_ERROR)
		str_format(text, sizeof text, "byte %zu: %s",
		    y->problem_offset, y->problem);
	else
		str_format(text, sizeof text, "not YAML: %s%s%s",
		    y->problem == NULL ? "out of memory" : y->problem,
		    y->context == NULL ? "" : " ",
		    y->context == NULL ? "" : y->context);
	complain(r, position(y->error == YAML_READER_ERROR ? y->mark
	    : y->problem_mark), text);
	return false;
}

static struct yamldoc_node *
new_node(struct reader *r, const yaml_event_t *event, enum yamldoc_kind kind)
{
	struct yamldoc_at at = position(event->start_mark);
	struct yamldoc_node *n;

	if (++r->nodes > YAMLDOC_NODES_MAX)
		return complain(r, at, "too many values in this file");
	n = calloc(1, sizeof *n);
	if (n == NULL)
		return complain(r, at, "out of memory");
	n->kind = kind;
	n->at = at;
	return n;
}

static bool
is_null(const yaml_event_t *event)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL"};
	const char *text = (const char *)event->data.scalar.value;

	if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (str_eq(text, words[i]))
			return true;
	}
	return false;
}

static struct yamldoc_node *
read_scalar(struct reader *r, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	struct yamldoc_node *n = new_node(r, event,
	    is_null(event) ? YAMLDOC_NULL : YAMLDOC_SCALAR);

	if (n == NULL)
		return NULL;
	if (strlen(text) != event->data.scalar.length) {
		complain(r, n->at, "a NUL byte in a text");
	} else {
		n->text = strdup(n->kind == YAMLDOC_NULL ? "" : text);
		if (n->text != NULL)
			return n;
		complain(r, n->at, "out of memory");
	}
	yamldoc_free(n);
	return NULL;
}

/* Reads the items of a list whose first event was taken. */
static bool
read_items(struct reader *r, struct yamldoc_node *list, unsigned depth)
{
	struct yamldoc_node **end = &list->first;

	for (;;) {
		yaml_event_t event;
		bool last;

		if (!next_event(r, &event))
			return false;
		last = event.type == YAML_SEQUENCE_END_EVENT;
		if (!last)
			*end = read_node(r, &event, depth + 1);
		yaml_event_delete(&event);
		if (last || *end == NULL)
			return last;
		end = &(*end)->next;
	}
}

static const struct yamldoc_node *
find_key(const struct yamldoc_node *map, const char *key)
{
	for (const struct yamldoc_node *n = map->first; n != NULL;
	    n = n->next) {
		if (str_eq(n->key, key))
			return n;
	}
	return NULL;
}

/* Reads the value that follows key, and takes key's text. */
static struct yamldoc_node *
read_value(struct reader *r, struct yamldoc_node *key, unsigned depth)
{
	struct yamldoc_node *value;
	yaml_event_t event;

	if (key->kind != YAMLDOC_SCALAR)
		return complain(r, key->at, "a key must be a plain text");
	if (!next_event(r, &event))
		return NULL;
	value = read_node(r, &event, depth + 1);
	yaml_event_delete(&event);
	if (value == NULL)
		return NULL;
	value->key = key->text;
	value->key_at = key->at;
	key->text = NULL;
	return value;
}

static bool
read_pairs(struct reader *r, struct yamldoc_node *map, unsigned depth)
{
	struct yamldoc_node **end = &map->first;

	for (;;) {
		struct yamldoc_node *key, *value = NULL;
		const struct yamldoc_node *old;
		char text[PROBLEM_MAX];
		yaml_event_t event;
		bool last;

		if (!next_event(r, &event))
			return false;
		last = event.type == YAML_MAPPING_END_EVENT;
		key = last ? NULL : read_node(r, &event, depth + 1);
		yaml_event_delete(&event);
		if (key != NULL)
			value = read_value(r, key, depth);
		yamldoc_free(key);
		if (last || value == NULL)
			return last;
		old = find_key(map, value->key);
		if (old == NULL) {
			*end = value;
			end = &value->next;
			continue;
		}
		str_format(text, sizeof text, "%.60s: given twice, first in "
		    "line %u", value->key, old->key_at.line);
		complain(r, value->key_at, text);
		yamldoc_free(value);
	}
}

static struct yamldoc_node *
read_collection(struct reader *r, const yaml_event_t *event, unsigned depth)
{
	bool is_list = event->type == YAML_SEQUENCE_START_EVENT;
	struct yamldoc_node *n = new_node(r, event,
	    is_list ? YAMLDOC_LIST : YAMLDOC_MAP);

	if (n == NULL)
		return NULL;
	if (depth == YAMLDOC_DEPTH_MAX)
		complain(r, n->at, "nested too deep");
	else if (is_list ? read_items(r, n, depth) : read_pairs(r, n, depth))
		return n;
	yamldoc_free(n);
	return NULL;
}

/* What makes an event unwelcome, or NULL. */
static const char *
refuse(const yaml_event_t *event)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	if (event->type == YAML_ALIAS_EVENT)
		return "aliases ('*name') are not supported";
	if (event->type == YAML_SCALAR_EVENT) {
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
	}
	if (anchor != NULL)
		return "anchors ('&name') are not supported";
	if (tag != NULL && !str_eq((const char *)tag, YAML_STR_TAG))
		return "tags ('!name') are not supported";
	return NULL;
}

static struct yamldoc_node *
read_node(struct reader *r, yaml_event_t *event, unsigned depth)
{
	const char *why = refuse(event);

	if (why != NULL)
		return complain(r, position(event->start_mark), why);
	if (event->type == YAML_SCALAR_EVENT)
		return read_scalar(r, event);
	return read_collection(r, event, depth);
}

/* Takes what follows the only document. */
static bool
read_end(struct reader *r)
{
	yaml_event_t event;
	bool second;

	if (!next_event(r, &event))
		return false;
	yaml_event_delete(&event); /* the end of the document */
	if (!next_event(r, &event))
		return false;
	second = event.type != YAML_STREAM_END_EVENT;
	if (second)
		complain(r, position(event.start_mark), "a second document");
	yaml_event_delete(&event);
	return !second;
}

static struct yamldoc_node *
read_document(struct reader *r)
{
	struct yamldoc_node *root = NULL;
	yaml_event_t event;

	for (;;) {
		bool begun;

		if (!next_event(r, &event))
			return NULL;
		begun = event.type != YAML_STREAM_START_EVENT &&
		    event.type != YAML_DOCUMENT_START_EVENT;
		if (event.type == YAML_STREAM_END_EVENT)
			complain(r, position(event.start_mark),
			    "the file is empty");
		else if (begun)
			root = read_node(r, &event, 0);
		yaml_event_delete(&event);
		if (begun)
			break;
	}
	if (root != NULL && !read_end(r)) {
		yamldoc_free(root);
		root = NULL;
	}
	return root;
}

struct yamldoc_node *
yamldoc_read(struct bytes in, yamldoc_problem *problem, void *user)
{
	struct reader r = {.problem = problem, .user = user};
	struct yamldoc_node *root;

	if (yaml_parser_initialize(&r.yaml) == 0)
		return complain(&r, (struct yamldoc_at){1, 1},
		    "out of memory");
	yaml_parser_set_input_string(&r.yaml, in.ptr, in.len);
	root = read_document(&r);
	yaml_parser_delete(&r.yaml);
	return root;
}

void
yamldoc_free(struct yamldoc_node *n)
{
	while (n != NULL) {
		struct yamldoc_node *next = n->next;

		yamldoc_free(n->first);
		free(n->text);
		free(n->key);
		free(n);
		n = next;
	}
}

size_t
yamldoc_count(const struct yamldoc_node *n)
{
	size_t count = 0;

	for (n = n->first; n != NULL; n = n->next)
		count++;
	return count;
}
