/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/sandbox_command.h"

#include <unistd.h>

#include "common/str.h"

const char *
sandbox_command_find(const struct settings *s, char out[static PATH_MAX])
{
	static const char name[] = "sandbox-exec";
	char *slash;
	ssize_t n;

	if (s->sandbox_exec != NULL) {
		str_format(out, PATH_MAX, "%s", s->sandbox_exec);
		return out;
	}
	n = readlink("/proc/self/exe", out, PATH_MAX - 1);
	out[n > 0 ? n : 0] = '\0';
	slash = strrchr(out, '/');
	if (slash == NULL || str_format(slash + 1, PATH_MAX -
	    (size_t)(slash + 1 - out), "%s", name) != 0 ||
	    access(out, X_OK) != 0)
		str_format(out, PATH_MAX, "%s", name);
	return out;
}

void
sandbox_command_fill(struct sandbox_command *c, const struct settings *s,
    const char *audit)
{
	size_t n = 0;

	str_format(c->call_time, sizeof c->call_time, "%lldms",
	    (long long)s->tool_ms);
	c->argv[n++] = sandbox_command_find(s, c->program);
	c->argv[n++] = "--max-call";
	c->argv[n++] = c->call_time;
	if (s->policy != NULL) {
		c->argv[n++] = "--policy";
		c->argv[n++] = s->policy;
	}
	if (audit != NULL) {
		c->argv[n++] = "--audit";
		c->argv[n++] = audit;
	}
	for (size_t k = 0; k < s->require.count; k++) {
		c->argv[n++] = "--require";
		c->argv[n++] = s->require.at[k];
	}
	c->argv[n++] = "--serve";
	c->argv[n] = NULL;
}
