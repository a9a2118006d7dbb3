/* SPDX-License-Identifier: ISC */
/* What the command line and the environment say, and the variables that
 * carry secrets: they are taken out of both before anything else begins. */
#ifndef ADIT_WORKER_SETTINGS_H
#define ADIT_WORKER_SETTINGS_H

#include "cmd/sandbox-worker/api.h"
#include "common/opt.h"

enum {
	SETTINGS_SESSIONS_MAX = 256,
	SETTINGS_TOOL_MS = 120000,
	SETTINGS_STALL_MS = 1800000,
};

struct settings {
	/* Who and where. */
	const char *environment_id, *key, *key_file;
	int64_t key_fd;
	const char *session_id, *work_id, *secret;
	int64_t item_fd;
	const char *worker_id, *base, *ca, *headers;
	bool allow_http;
	/* Polling. */
	const char *on_work;
	int64_t max_sessions, block_ms, reclaim_ms;
	bool drain;
	int64_t wake_fd;
	/* A session. */
	const char *workdir, *workspaces, *outputs, *state;
	const char *max_idle, *sync, *deletes;
	int64_t tool_ms, stall_ms;
	/* Its sandbox. */
	const char *policy, *policy_jq, *sandbox_exec;
	struct opt_list require;
	/* What is told. */
	const char *log_format, *audit, *metrics;
	bool audit_input;
	int64_t status_fd, ready_fd;
	/* Derived by settings_parse. */
	int64_t max_idle_ms, sync_ms;
	int memory_deletes;
	char key_text[API_SECRET_MAX]; /* of key, key_file or key_fd */
};

/* The defaults. */
void settings_init(struct settings *s);

/* Moves all ANTHROPIC_* variables out of the memory that /proc/PID/environ
 * shows; empty ones count as absent.  First of all. */
int settings_take_environment(struct error *e);

/* The variables that were taken, "NAME=value", ended by NULL. */
char *const *settings_variables(void);

/* Parses the command line of command, and takes what is secret out of it and
 * of the environment.  Returns OPT_RUN, or another result with the exit status
 * in *ret_status. */
enum opt_result settings_parse(const struct opt_command *command, int argc,
    char **argv, struct settings *s, int *ret_status);

/* What of s a call of the API needs; token is that of an item, or NULL. */
struct api_settings settings_api(const struct settings *s,
    const char *token);

extern const struct opt_command settings_poll, settings_run;

#endif
