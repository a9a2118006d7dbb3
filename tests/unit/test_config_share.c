/* SPDX-License-Identifier: ISC */
/* What two configurations have in common: which routes of the one in use are
 * those of the next, and which processes go on. */
#include "cmd/mcp-proxy/config.h"
#include "common/str.h"
#include "tests/unit/config.h"

/* A file with these routes. */
#define SHARED(routes, rest) TLS "routes:\n" routes rest

/* Whether the only route of text is shared with that of old, and whether its
 * processes could be kept: "shared", "kept" or "new". */
static const char *
compare(const char *old, const char *text)
{
	struct config a, b;
	const char *how = "invalid";

	if (!parse(old, &a))
		return how;
	if (parse(text, &b)) {
		how = config_keeps_processes(a.routes[0], b.routes[0]) ? "kept"
		    : "new";
		config_share(&b, &a);
		if (a.routes[0] == b.routes[0] && a.routes[0]->refs == 2)
			how = "shared";
		config_done(&b);
	}
	if (a.routes[0]->refs != 1)
		how = "leaked";
	config_done(&a);
	return how;
}

static void
test_share_http(void)
{
	static const char *const same[][2] = {
		{"  a.b: http://10.0.0.1:80\n", ""},
		{"  A.B: {upstream: http://10.0.0.1:80}\n", "audit: f\n"},
		{"  a.b: http://10.0.0.1:80\n  c.d: unix:/s\n", ""},
		{"  a.b: http://10.0.0.1:80\n", "log_level: info\n"},
	}, *const other[][2] = {
		{"  a.b: http://10.0.0.1:81\n", ""},
		{"  a.c: http://10.0.0.1:80\n", ""},
		{"  a.b: unix:/s\n", ""},
		{"  a.b: {upstream: http://10.0.0.1:80, host: c}\n", ""},
		{"  a.b: {upstream: http://10.0.0.1:80, prefix: /p}\n", ""},
		{"  a.b: {upstream: http://10.0.0.1:80, policy: {}}\n", ""},
		{"  a.b: http://10.0.0.1:80\n", "policy: {tools: []}\n"},
		{"  a.b: {upstream: http://10.0.0.1:80, headers_file: h}\n", ""},
		{"  a.b: http://10.0.0.1:80\n", "agents: {file: f}\n"},
		{"  a.b: {command: [x]}\n", ""},
	};
	char text[512];

	for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
		str_format(text, sizeof text, TLS "routes:\n%s%s", same[i][0],
		    same[i][1]);
		eq_str(compare(SHARED("  a.b: http://10.0.0.1:80\n", ""), text),
		    "shared", "shared %zu", i);
	}
	for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
		str_format(text, sizeof text, TLS "routes:\n%s%s", other[i][0],
		    other[i][1]);
		eq_str(compare(SHARED("  a.b: http://10.0.0.1:80\n", ""), text),
		    "new", "another %zu", i);
	}
}

static void
test_share_policy(void)
{
	static const char *const others[] = {
		"{}", "{tools: []}", "{tools: [a]}", "{tools: [a, b, c]}",
		"{tools: [a, c]}", "{prompts: [a, b]}",
		"{tools: [a, b], prompts: []}",
		"{tools: [a, b], resources: []}",
		"{tools: [a, b], methods: []}",
		"{tools: [a, b], program: p}",
		"{tools: [a, b], message_size: 8k}",
	};
	char old[512], text[512];

	str_format(old, sizeof old, SHARED("  a.b: unix:/s\n",
	    "policy: {tools: [a, b]}\n"));
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		str_format(text, sizeof text, SHARED("  a.b: unix:/s\n",
		    "policy: %s\n"), others[i]);
		eq_str(compare(old, text), "new", "policy %s", others[i]);
		eq_str(compare(text, text), "shared", "with itself");
	}
	eq_str(compare(old, SHARED("  a.b: {upstream: 'unix:/s', policy: "
	    "{tools: [a, b]}}\n", "")), "shared", "a policy of its own that "
	    "says the same");
}

static void
test_share_agents(void)
{
	static const char *const others[] = {
		"{anybody: true}", "{file: g}",
		"{file: f, issuer: 'https://i', audience: a, keys_file: k}",
		"{issuer: 'https://i', audience: a, keys_file: k}",
	};
	char text[512];

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		str_format(text, sizeof text, SHARED("  a.b: unix:/s\n",
		    "agents: %s\n"), others[i]);
		eq_str(compare(SHARED("  a.b: unix:/s\n",
		    "agents: {file: f}\n"), text), "new", "agents %s",
		    others[i]);
		eq_str(compare(text, text), "shared", "with themselves");
	}
	eq_str(compare(SHARED("  a.b: {command: [x]}\n", ""), SHARED(
	    "  a.b: {command: [x]}\n", "agents: {file: f}\n")), "kept",
	    "processes do not mind");
}

static void
test_share_command(void)
{
	static const char *const kept[] = {
		"idle_timeout: 1m", "request_timeout: 1m", "restarts: 9",
		"sessions: 9", "path: /x",
	}, *const others[] = {
		"env: {A: b}", "directory: /", "sandbox: [-v]", "mode: shared",
		"pool: 2", "message_size: 8k", "policy: {}",
	};
	char old[512], text[512];

	str_format(old, sizeof old, SHARED("  a.b: {command: [x, y]}\n", ""));
	for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
		str_format(text, sizeof text, SHARED("  a.b: {command: [x, y],"
		    " %s}\n", ""), kept[i]);
		eq_str(compare(old, text), "kept", "%s", kept[i]);
		eq_str(compare(text, text), "shared", "with itself");
	}
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		str_format(text, sizeof text, SHARED("  a.b: {command: [x, y],"
		    " %s}\n", ""), others[i]);
		eq_str(compare(old, text), "new", "%s", others[i]);
		eq_str(compare(text, old), "new", "and back");
		eq_str(compare(text, text), "shared", "with itself");
	}
	eq_str(compare(old, SHARED("  a.b: {command: [x]}\n", "")), "new",
	    "a word less");
	eq_str(compare(old, SHARED("  a.b: {command: [x, '']}\n", "")), "new",
	    "another word");
	eq_str(compare(old, SHARED("  a.c: {command: [x, y]}\n", "")), "new",
	    "another name");
	eq_str(compare(SHARED("  a.b: {command: [x], pool: 2}\n", ""),
	    SHARED("  a.b: {command: [x], pool: 3}\n", "")), "new",
	    "another number of processes");
	eq_str(compare(SHARED("  a.b: {command: [x], policy: {tools: []}}\n",
	    ""), SHARED("  a.b: {command: [x], policy: {}}\n", "")), "kept",
	    "another policy");
	eq_str(compare(SHARED("  a.b: {command: [x], policy: "
	    "{message_size: 8k}}\n", ""), SHARED("  a.b: {command: [x], "
	    "policy: {}}\n", "")), "new", "of another size");
}

int
main(void)
{
	test_share_http();
	test_share_policy();
	test_share_agents();
	test_share_command();
	return test_done();
}
