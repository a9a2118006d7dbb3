/* SPDX-License-Identifier: ISC */
/* sandbox-worker run: one item that somebody has claimed. */
#include <string.h>

#include "cmd/sandbox-worker/claim.h"
#include "cmd/sandbox-worker/command.h"
#include "cmd/sandbox-worker/item.h"
#include "cmd/sandbox-worker/judge.h"
#include "cmd/sandbox-worker/log.h"
#include "cmd/sandbox-worker/secret.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/str.h"

static int
require(const char *value, const char *option, const char *variable,
    struct error *e)
{
	if (value == NULL)
		return error_set(e, "--%s or $%s is required", option,
		    variable);
	if (!work_is_id(value))
		return error_set(e, "--%s: no id", option);
	return 0;
}

/* The item that options and variables describe. */
static int
take_item(const struct settings *s, struct work *ret, struct error *e)
{
	if (require(s->work_id, "work-id", "ANTHROPIC_WORK_ID", e) != 0 ||
	    require(s->environment_id, "environment-id",
	    "ANTHROPIC_ENVIRONMENT_ID", e) != 0 ||
	    require(s->session_id, "session-id", "ANTHROPIC_SESSION_ID",
	    e) != 0)
		return -1;
	memset(ret, 0, sizeof *ret);
	str_format(ret->type, sizeof ret->type, "session");
	str_format(ret->id, sizeof ret->id, "%s", s->work_id);
	str_format(ret->environment_id, sizeof ret->environment_id, "%s",
	    s->environment_id);
	str_format(ret->session_id, sizeof ret->session_id, "%s",
	    s->session_id);
	if (s->secret != NULL && str_format(ret->secret, sizeof ret->secret,
	    "%s", s->secret) != 0)
		return error_set(e, "ANTHROPIC_WORK_SECRET: too long");
	return 0;
}

/* The item that a descriptor gives. */
static int
read_item(struct settings *s, struct claim *ret, struct error *e)
{
	struct buf in;
	int r = -1;

	buf_init(&in, WORK_ANSWER_MAX);
	if (io_read_fd((int)s->item_fd, "--item-fd", &in, e) == 0 &&
	    claim_read(buf_bytes(&in), ret, e) == 0)
		r = 0;
	if (r == 0 && ret->key[0] != '\0')
		s->key = ret->key;
	if (r == 0 && ret->headers[0] != '\0')
		s->headers = ret->headers;
	for (size_t i = 0; r == 0 && i < ret->file_count; i++)
		r = secret_file_add("--item-fd", ret->files[i], e);
	if (in.mem != NULL)
		secret_wipe(in.mem, in.size);
	buf_reset(&in);
	return r;
}

/* The token in the item's secret, or "" when the environment's key has to
 * do. */
static int
find_token(const struct settings *s, struct work *work,
    struct secret *ret, struct error *e)
{
	struct error why;

	memset(ret, 0, sizeof *ret);
	if (work->secret[0] == '\0') {
		if (s->key == NULL)
			return error_set(e, "an environment key is required "
			    "when there is no work secret");
		return 0;
	}
	if (secret_parse(work->secret, ret, &why) == 0) {
		if (ret->base[0] != '\0' && (s->base == NULL ||
		    !str_eq(ret->base, s->base)))
			log_line(DIAG_INFO, "the work item names another "
			    "base URL, which is not used");
		return 0;
	}
	if (s->key == NULL)
		return error_set(e, "the secret of the work item: %s, and "
		    "there is no environment key", why.text);
	log_line(DIAG_WARNING, "the secret of the work item: %s: the "
	    "environment key is used", why.text);
	return 0;
}

int
command_run(int argc, char **argv)
{
	static struct settings s;
	static struct claim claim;
	struct work *work = &claim.work;
	static struct secret secret;
	int status = EXIT_USAGE;
	struct error e;

	settings_init(&s);
	if (settings_parse(&settings_run, argc, argv, &s, &status) !=
	    OPT_RUN)
		return status;
	if (judge_settings(&s, &e) != 0)
		return opt_usage_error(&settings_run, &e);
	if (s.item_fd == -1 && take_item(&s, work, &e) != 0)
		return opt_usage_error(&settings_run, &e);
	if (s.item_fd != -1 && read_item(&s, &claim, &e) != 0) {
		log_line(DIAG_ERROR, "%s", e.text);
		return EXIT_USAGE;
	}
	log_set_item(work->environment_id, work->id, work->session_id);
	if (find_token(&s, work, &secret, &e) != 0) {
		log_line(DIAG_ERROR, "%s", e.text);
		return EXIT_USAGE;
	}
	secret_wipe(work->secret, sizeof work->secret);
	status = item_run(&s, work, secret.token[0] == '\0' ? NULL
	    : secret.token);
	secret_wipe(&secret, sizeof secret);
	secret_wipe(&claim, sizeof claim);
	secret_wipe(s.key_text, sizeof s.key_text);
	return status;
}
