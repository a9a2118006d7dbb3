/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/settings.h"

#include <limits.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "cmd/sandbox-worker/log.h"
#include "cmd/sandbox-worker/secret.h"
#include "cmd/sandbox-worker/secret_file.h"
#include "cmd/sandbox-worker/work.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/num.h"
#include "common/str.h"

enum {
	VARIABLES_MAX = 64,
	BLOCK_MAX_MS = 999, /* what the service takes */
	SYNC_MIN_MS = 5000,
	YEAR_MS_DAYS = 365,
};

#define DAY_MS (24LL * 3600 * 1000)
#define FIELD(f) offsetof(struct settings, f)
#define TEXT(name, argument, f, env, help) \
	{0, name, argument, OPT_STRING, FIELD(f), 0, 0, env, help}
#define LIST(name, argument, f, help) \
	{0, name, argument, OPT_LIST, FIELD(f), 0, 0, NULL, help}
#define FLAG(name, f, help) \
	{0, name, NULL, OPT_FLAG, FIELD(f), 0, 0, NULL, help}
#define NUMBER(name, argument, f, min, max, help) \
	{0, name, argument, OPT_NUMBER, FIELD(f), min, max, NULL, help}
#define TIME(name, f, min, max, help) \
	{0, name, "TIME", OPT_DURATION, FIELD(f), min, max, NULL, help}

#define WHO_ROWS \
	TEXT("environment-id", "ID", environment_id, \
	    "ANTHROPIC_ENVIRONMENT_ID", "the environment"), \
	TEXT("environment-key", "KEY", key, "ANTHROPIC_ENVIRONMENT_KEY", \
	    "its key; better give it by file or variable"), \
	TEXT("environment-key-file", "FILE", key_file, NULL, \
	    "file that holds the key"), \
	NUMBER("environment-key-fd", "N", key_fd, 0, INT_MAX, \
	    "descriptor to read the key from"), \
	TEXT("base-url", "URL", base, "ANTHROPIC_BASE_URL", \
	    "the service [https://api.anthropic.com]"), \
	FLAG("allow-http", allow_http, \
	    "allow a base URL in the clear, not only to here"), \
	TEXT("ca", "FILE", ca, NULL, \
	    "trust these certificates too")

#define SESSION_ROWS \
	TEXT("workdir", "DIR", workdir, NULL, \
	    "directory of the session [.]"), \
	TEXT("workspaces", "DIR", workspaces, NULL, \
	    "or: one for each session, below this one"), \
	TEXT("outputs", "DIR", outputs, NULL, \
	    "show DIR/SESSION as /mnt/session/outputs"), \
	TEXT("state", "DIR", state, NULL, \
	    "where memory stores are kept meanwhile [/tmp]"), \
	TEXT("max-idle", "TIME", max_idle, NULL, \
	    "leave after so long without a turn, 0: never [60s]"), \
	TIME("tool-timeout", tool_ms, 1000, DAY_MS, \
	    "end a tool call after this time [2m]"), \
	TIME("stall-timeout", stall_ms, 1000, 7 * DAY_MS, \
	    "give the item up without progress [30m]"), \
	TEXT("memory-sync", "TIME", sync, NULL, \
	    "between two syncs of memory, or off [15s]"), \
	TEXT("memory-deletions", "WORD", deletes, NULL, \
	    "enabled, log-only or disabled [enabled]"), \
	TEXT("policy", "FILE", policy, NULL, \
	    "policy file for sandbox-exec"), \
	TEXT("policy-jq", "FILE", policy_jq, NULL, \
	    "jq program that gives a session's policy"), \
	LIST("require", "WORD", require, \
	    "what sandbox-exec has to enforce"), \
	TEXT("sandbox-exec", "PATH", sandbox_exec, NULL, \
	    "the program [beside this one]"), \
	TEXT("audit", "FILE", audit, NULL, \
	    "append a line for each tool call"), \
	FLAG("audit-input", audit_input, \
	    "put the input of calls into it as well"), \
	TEXT("log-format", "WORD", log_format, NULL, \
	    "text or json [text]"), \
	NUMBER("status-fd", "N", status_fd, 0, INT_MAX, \
	    "write events there, as JSON lines")

static const struct opt poll_opts[] = {
	WHO_ROWS,
	TEXT("worker-id", "ID", worker_id, "ANTHROPIC_WORKER_ID",
	    "unique name of this poller [host and random]"),
	NUMBER("max-sessions", "N", max_sessions, 1, SETTINGS_SESSIONS_MAX,
	    "sessions at the same time [1]"),
	TEXT("on-work", "SCRIPT", on_work, NULL,
	    "run this for each item instead"),
	FLAG("drain", drain, "exit when there is no more work"),
	NUMBER("wake-fd", "N", wake_fd, 0, INT_MAX,
	    "poll when something comes there, and every 5m"),
	TIME("block", block_ms, 0, BLOCK_MAX_MS,
	    "how long a poll waits [999ms]"),
	TIME("reclaim-older-than", reclaim_ms, 1, DAY_MS,
	    "take what others left unacknowledged"),
	SESSION_ROWS,
	TEXT("metrics", "FILE", metrics, NULL,
	    "write metrics there, as Prometheus text"),
	NUMBER("ready-fd", "N", ready_fd, 0, INT_MAX,
	    "write a newline there when polling begins"),
	OPT_END,
};

static const struct opt run_opts[] = {
	WHO_ROWS,
	TEXT("session-id", "ID", session_id, "ANTHROPIC_SESSION_ID",
	    "the session"),
	TEXT("work-id", "ID", work_id, "ANTHROPIC_WORK_ID",
	    "the work item"),
	NUMBER("item-fd", "N", item_fd, 0, INT_MAX,
	    "descriptor to read the item from, as JSON"),
	SESSION_ROWS,
	OPT_END,
};

const struct opt_command settings_poll = {
	.program = "sandbox-worker", .name = "poll", .operands = "",
	.purpose = "Takes work from the queue of an environment and does it.",
	.opts = poll_opts,
};

const struct opt_command settings_run = {
	.program = "sandbox-worker", .name = "run", .operands = "",
	.purpose = "Does one item of work that was claimed already.",
	.opts = run_opts,
};

static char *variables[VARIABLES_MAX + 1];

void
settings_init(struct settings *s)
{
	*s = (struct settings){
		.key_fd = -1, .item_fd = -1, .status_fd = -1, .ready_fd = -1,
		.wake_fd = -1,
		.state = "/tmp", .max_idle = "60s",
		.sync = "15s", .deletes = "enabled", .log_format = "text",
		.max_sessions = 1, .block_ms = BLOCK_MAX_MS,
		.tool_ms = SETTINGS_TOOL_MS, .stall_ms = SETTINGS_STALL_MS,
	};
}

static bool
is_ours(const char *entry)
{
	return strncasecmp(entry, "ANTHROPIC_", strlen("ANTHROPIC_")) == 0;
}

int
settings_take_environment(struct error *e)
{
	size_t count = 0, kept = 0;

	for (size_t i = 0; environ[i] != NULL; i++) {
		char *entry = environ[i], *value = strchr(entry, '=');

		environ[kept] = entry;
		if (!is_ours(entry) || value == NULL) {
			kept++;
			continue;
		}
		if (value[1] != '\0') {
			if (count == VARIABLES_MAX)
				return error_set(e, "too many variables begin "
				    "with ANTHROPIC_");
			variables[count] = strdup(entry);
			if (variables[count] == NULL)
				return error_set(e, "out of memory");
			/* getenv finds it until settings_parse is done. */
			environ[kept++] = variables[count++];
		}
		secret_wipe(value + 1, strlen(value + 1));
	}
	environ[kept] = NULL;
	return 0;
}

char *const *
settings_variables(void)
{
	return variables;
}

/* The value of a variable that was taken, or NULL. */
static const char *
find_variable(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; variables[i] != NULL; i++) {
		if (strncmp(variables[i], name, n) == 0 &&
		    variables[i][n] == '=')
			return variables[i] + n + 1;
	}
	return NULL;
}

/* From now on no process that is started gets any of them. */
static void
drop_environment(void)
{
	size_t kept = 0;

	for (size_t i = 0; environ[i] != NULL; i++) {
		if (!is_ours(environ[i]))
			environ[kept++] = environ[i];
	}
	environ[kept] = NULL;
}

/* A key on the command line can be seen by everybody until now. */
static int
take_key(struct settings *s, int argc, char **argv, struct error *e)
{
	if (s->key == NULL)
		return 0;
	if (str_format(s->key_text, sizeof s->key_text, "%s", s->key) != 0)
		return error_set(e, "--environment-key: too long");
	for (int i = 1; i < argc; i++) {
		char *end = argv[i] + strlen(argv[i]);

		if (s->key < argv[i] || s->key >= end)
			continue;
		secret_wipe(argv[i] + (s->key - argv[i]), strlen(s->key));
		log_line(DIAG_WARNING, "--environment-key: every process "
		    "could read it; use --environment-key-file");
	}
	s->key = s->key_text;
	return 0;
}

static int
read_key(struct settings *s, struct error *e)
{
	char text[4096];
	int r = 0;

	if (s->key_file != NULL)
		r = secret_file_add("--environment-key-file", s->key_file, e)
		    == 0 ? io_read_secret_file(s->key_file, text, e) : -1;
	else if (s->key_fd != -1)
		r = secret_file_add_fd("--environment-key-fd",
		    (int)s->key_fd, e) == 0
		    ? io_read_secret_fd((int)s->key_fd, text, e) : -1;
	else
		return 0;
	if (r == 0) {
		str_format(s->key_text, sizeof s->key_text, "%s", text);
		s->key = s->key_text;
	}
	secret_wipe(text, sizeof text);
	return r;
}

/* Durations as the vendor's command takes them: also 0 and less. */
static int
parse_time(const char *option, const char *text, int64_t *ret,
    struct error *e)
{
	*ret = 0;
	if (str_eq(text, "0") || text[0] == '-')
		return 0;
	if (num_parse_duration(text, 0, YEAR_MS_DAYS * DAY_MS, ret) != 0)
		return error_set(e, "%s: '%.40s': not a time such as "
		    "60s", option, text);
	return 0;
}

static int
check_words(struct settings *s, struct error *e)
{
	static const char *const words[] = {"enabled", "log-only",
		"disabled"};

	for (s->memory_deletes = 0; s->memory_deletes < 3;
	    s->memory_deletes++) {
		if (str_eq(s->deletes, words[s->memory_deletes]))
			break;
	}
	if (s->memory_deletes == 3)
		return error_set(e, "--memory-deletions: '%.40s': not enabled, "
		    "log-only or disabled", s->deletes);
	if (!str_eq(s->log_format, "text") && !str_eq(s->log_format, "json"))
		return error_set(e, "--log-format: '%.40s': not text or json",
		    s->log_format);
	return 0;
}

static int
check(struct settings *s, struct error *e)
{
	if (check_words(s, e) != 0 ||
	    parse_time("--max-idle", s->max_idle, &s->max_idle_ms, e) != 0)
		return -1;
	if (s->workspaces != NULL && s->workdir != NULL)
		return error_set(e, "--workdir and --workspaces exclude each "
		    "other");
	if (s->workspaces == NULL && s->workdir == NULL)
		s->workdir = ".";
	s->sync_ms = 0;
	if (!str_eq(s->sync, "off") &&
	    (parse_time("--memory-sync", s->sync, &s->sync_ms, e) != 0 ||
	    s->sync_ms < SYNC_MIN_MS))
		return error_set(e, "--memory-sync: '%.40s': not off, or 5s "
		    "and more", s->sync);
	if (s->workspaces == NULL && s->max_sessions > 1 &&
	    (s->on_work == NULL || s->on_work[0] == '\0'))
		return error_set(e, "--max-sessions: --workspaces is required "
		    "for more than one");
	if (s->environment_id != NULL && !work_is_id(s->environment_id))
		return error_set(e, "--environment-id: no id");
	return 0;
}

/* The vendor's command takes an empty --on-work for none; the table of options
 * would refuse it. */
static void
accept_empty(int argc, char **argv)
{
	static char word[] = "in-process";

	for (int i = 2; i + 1 < argc; i++) {
		if (str_eq(argv[i], "--on-work") && argv[i + 1][0] == '\0')
			argv[i + 1] = word;
	}
}

enum opt_result
settings_parse(const struct opt_command *command, int argc, char **argv,
    struct settings *s, int *ret_status)
{
	struct error e;
	int operand;
	enum opt_result r;

	accept_empty(argc, argv);
	r = opt_parse(command, argc, argv, 2, s, &operand, &e);
	if (r == OPT_DONE) {
		*ret_status = opt_close_stdout();
		return r;
	}
	log_init(r == OPT_RUN && str_eq(s->log_format, "json"));
	if (r == OPT_RUN && operand < argc) {
		error_set(&e, "operands are not taken");
		r = OPT_INVALID;
	}
	s->headers = find_variable("ANTHROPIC_CUSTOM_HEADERS");
	s->secret = find_variable("ANTHROPIC_WORK_SECRET");
	if (s->on_work != NULL && str_eq(s->on_work, "in-process"))
		s->on_work = NULL;
	drop_environment();
	if (r == OPT_RUN && (take_key(s, argc, argv, &e) != 0 ||
	    check(s, &e) != 0))
		r = OPT_INVALID;
	if (r == OPT_INVALID) {
		*ret_status = opt_usage_error(command, &e);
		return r;
	}
	if (read_key(s, &e) != 0) {
		log_line(DIAG_ERROR, "%s", e.text);
		*ret_status = EXIT_USAGE;
		return OPT_INVALID;
	}
	return OPT_RUN;
}

struct api_settings
settings_api(const struct settings *s, const char *token)
{
	return (struct api_settings){
		.base = s->base, .allow_http = s->allow_http, .ca = s->ca,
		.headers = s->headers, .environment_key = s->key,
		.token = token,
	};
}
