/* SPDX-License-Identifier: ISC */
/* Any text as a policy file, and a second one after it as options: what is
 * accepted holds together, is formatted as one JSON text, and what a file
 * fixes is not loosened. */
#include <assert.h>
#include <stdlib.h>

#include "cmd/sandbox-exec/policyfile.h"
#include "common/json.h"
#include "common/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
take_problem(void *user, const char *line)
{
	size_t *count = user;

	assert(str_starts(line, "f:"));
	++*count;
}

static void
check_json(const struct policy *p)
{
	struct buf b;
	struct error e;
	jv v;

	buf_init(&b, 8 << 20);
	assert(policy_format(p, &b) == 0);
	assert(json_parse_object(buf_bytes(&b), &v, &e) == 0);
	jv_free(v);
	buf_reset(&b);
}

static void
check_policy(const struct policy *p)
{
	assert(p->path_count <= POLICY_PATHS_MAX);
	for (size_t i = 0; i < p->path_count; i++) {
		const struct policy_path *path = &p->paths[i];

		if (path->access == POLICY_MASK && path->inside[0] != '/')
			assert(str_eq(path->host, path->inside));
		else
			assert(path->host[0] == '/' && path->inside[0] == '/');
	}
	for (size_t i = 0; i < p->env_count; i++)
		assert(strchr(p->env[i], '=') != NULL);
	assert(p->env[p->env_count] == NULL);
	assert(p->net == POLICY_NET_ALLOW || p->allow_count == 0);
	assert(strlen(p->digest) == SHA256_HEX_CAP - 1);
	check_json(p);
}

/* Whether the options of text were taken, one "name=value" a line. */
static void
take_options(struct setting_target *t, char *text)
{
	struct error e;

	while (*text != '\0') {
		size_t line = strcspn(text, "\n"), name = strcspn(text, "=\n");
		char *next = text + line + (text[line] == '\n');

		text[line] = '\0';
		if (name < line) {
			text[name] = '\0';
			(void)setting_set(t, text, text + name + 1, &e);
		}
		text = next;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct policy p;
	struct setting_target t = {.policy = &p, .home = "/tmp"};
	const uint8_t *nul = len == 0 ? NULL : memchr(data, '\0', len);
	size_t first = nul == NULL ? len : (size_t)(nul - data);
	size_t problems = 0;
	enum policy_net net;
	struct error e;
	char *options;

	policy_init(&p);
	if (policyfile_parse("f", bytes_of(data, first), &t, take_problem,
	    &problems) != 0) {
		assert(problems != 0);
		policy_done(&p);
		return 0;
	}
	assert(problems == 0);
	net = p.net;
	options = calloc(1, len - first + 1);
	assert(options != NULL);
	if (first < len)
		memcpy(options, nul + 1, len - first - 1);
	take_options(&t, options);
	free(options);
	if (setting_end(&t, &e) == 0 && setting_finish(&t, &e) == 0) {
		assert((t.fixed & FIXED_NET) == 0 || p.net <= net);
		check_policy(&p);
	}
	policy_done(&p);
	return 0;
}
