/* SPDX-License-Identifier: ISC */
/* The sub-commands that change the state directory.  They hold its lock from
 * reading to writing; a running edge picks the change up by itself. */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/tunnel-edge/command.h"
#include "cmd/tunnel-edge/state.h"
#include "common/cert.h"
#include "common/clock.h"
#include "common/exit.h"
#include "common/str.h"

enum {
	DAY_MS = 24 * 3600 * 1000,
	OVERLAP_DEFAULT_MS = DAY_MS,
	CERT_DAYS_DEFAULT = 365,
};

/* Of expiries: a hundred years. */
#define LIFE_MAX_MS (100LL * 365 * DAY_MS)

static enum opt_result
usage(const struct opt_command *c, const char *text, int *ret_status)
{
	struct error e;

	error_set(&e, "%s", text);
	*ret_status = opt_usage_error(c, &e);
	return OPT_INVALID;
}

/* ---- init ---- */

struct init_settings {
	const char *state;
	struct opt_list names;
	int64_t days;
	bool renew;
};

#define FIELD(field) offsetof(struct init_settings, field)
static const struct opt init_rows[] = {
	COMMAND_STATE_ROW("the state directory, made if missing"),
	{0, "name", "HOST", OPT_LIST, FIELD(names), 0, 0, NULL,
	    "a name or address of this edge; repeatable"},
	{0, "days", "N", OPT_NUMBER, FIELD(days), 1, CERT_DAYS_MAX, NULL,
	    "how long the certificate is valid [365]"},
	{0, "renew", NULL, OPT_FLAG, FIELD(renew), 0, 0, NULL,
	    "make another certificate with the same authority"},
	OPT_END,
};
#undef FIELD

const struct opt_command init_options = {
	"tunnel-edge", "init", "",
	"Makes a state directory with a certificate for this edge.",
	init_rows, true,
};

/* The authority of a new directory, or the one that is there. */
static int
take_authority(const struct init_settings *s, struct cert_pem *ret,
    struct error *e)
{
	char cert[PATH_MAX], key[PATH_MAX];

	if (!s->renew) {
		e->code = 0;
		if (cert_make_ca("tunnel-edge", CERT_CA_DAYS, ret, e) != 0)
			return -1;
		if (cert_write(s->state, "ca.crt", "ca.key", ret, false,
		    e) == 0)
			return 0;
		if (e->code == EEXIST)
			error_set(e, "%s: made already; --renew makes "
			    "another certificate", s->state);
		return -1;
	}
	if (str_format(cert, sizeof cert, "%s/ca.crt", s->state) != 0 ||
	    str_format(key, sizeof key, "%s/ca.key", s->state) != 0)
		return error_errno(e, "%s", s->state);
	return cert_read(cert, key, ret, e);
}

static int
write_cert(const struct init_settings *s, const struct cert_pem *ca,
    const char *const *names, size_t name_count, struct error *e)
{
	struct cert_request request = {.names = names,
	    .name_count = name_count, .days = (int)s->days,
	    .key = CERT_KEY_P256};
	struct cert_pem edge = {NULL, NULL};
	int r = -1;

	if (cert_make_server(ca, &request, &edge, e) == 0)
		r = cert_write(s->state, "edge.crt", "edge.key", &edge,
		    s->renew, e);
	cert_pem_done(&edge);
	return r;
}

/* Makes another certificate for the names of the old one. */
static int
rewrite_cert(const struct init_settings *s, const struct cert_pem *ca,
    struct error *e)
{
	char cert[PATH_MAX], key[PATH_MAX];
	struct cert_pem old = {NULL, NULL};
	enum cert_key kind;
	char **names = NULL;
	size_t name_count;
	int r = -1;

	if (str_format(cert, sizeof cert, "%s/edge.crt", s->state) != 0 ||
	    str_format(key, sizeof key, "%s/edge.key", s->state) != 0)
		return error_errno(e, "%s", s->state);
	if (cert_read(cert, key, &old, e) == 0 &&
	    cert_names(old.cert, &names, &name_count, &kind, e) == 0)
		r = write_cert(s, ca, (const char *const *)names, name_count,
		    e);
	free(names);
	cert_pem_done(&old);
	return r;
}

static int
make_state(const struct init_settings *s, struct error *e)
{
	struct cert_pem ca = {NULL, NULL};
	struct state state;
	int r = -1;

	if (state_create(s->state, &state, e) != 0)
		return -1;
	if (state_lock(&state, e) == 0 && take_authority(s, &ca, e) == 0)
		r = s->names.count == 0 ? rewrite_cert(s, &ca, e)
		    : write_cert(s, &ca, s->names.at, s->names.count, e);
	cert_pem_done(&ca);
	state_close(&state);
	return r;
}

int
command_init(int argc, char **argv)
{
	struct init_settings s = {.days = CERT_DAYS_DEFAULT};
	struct error e;
	struct command_operands operands;
	int status = EXIT_OK;

	if (command_parse(&init_options, argc, argv, &s, &s.state, &operands,
	    &status) != OPT_RUN)
		return status;
	if (operands.count != 0)
		usage(&init_options, "no operand is taken", &status);
	else if (s.names.count == 0 && !s.renew)
		usage(&init_options, "--name is required", &status);
	if (status != EXIT_OK)
		return status;
	if (make_state(&s, &e) != 0)
		return command_failed(&e);
	printf("%s/ca.crt\n", s.state);
	return opt_close_stdout();
}

/* ---- add ---- */

struct add_settings {
	const char *state, *name;
	struct opt_list domains, certs;
	int64_t expires_ms, links, streams, rate, burst;
	bool no_token;
};

/* Of add and limit; what limit does not name stays as it was. */
#define LIMIT_ROWS(links_default, streams_default, rate_default) \
	{0, "links", "N", OPT_NUMBER, FIELD(links), 1, STATE_LINKS_MAX, NULL, \
	    "links at once" links_default}, \
	{0, "streams", "N", OPT_NUMBER, FIELD(streams), 1, STATE_STREAMS_MAX, \
	    NULL, "streams at once" streams_default}, \
	{0, "rate", "SIZE", OPT_SIZE, FIELD(rate), 0, STATE_RATE_MAX, NULL, \
	    "bytes per second each way, 0b for no limit" rate_default}, \
	{0, "burst", "SIZE", OPT_SIZE, FIELD(burst), STATE_BURST_MIN, \
	    STATE_RATE_MAX, NULL, "bytes at once [a second's, at least 64k]"}

#define FIELD(field) offsetof(struct add_settings, field)
static const struct opt add_rows[] = {
	COMMAND_STATE_ROW("the state directory"),
	{'d', "domain", "DOMAIN", OPT_LIST, FIELD(domains), 0, 0, NULL,
	    "serve this name and those below it; repeatable"},
	{0, "token-expires", "TIME", OPT_DURATION, FIELD(expires_ms), 1000,
	    LIFE_MAX_MS, NULL, "the token is valid for this long [for ever]"},
	{0, "no-token", NULL, OPT_FLAG, FIELD(no_token), 0, 0, NULL,
	    "make no token"},
	{0, "client-cert", "FILE", OPT_LIST, FIELD(certs), 0, 0, NULL,
	    "let this certificate in; repeatable"},
	LIMIT_ROWS(" [16]", " [4096]", " [0b]"),
	OPT_END,
};
#undef FIELD

const struct opt_command add_options = {
	"tunnel-edge", "add", "NAME", "Adds a tunnel and prints its token.",
	add_rows, true,
};

/* Makes a token that t lets in, and gives it as text. */
static int
new_token(struct state_tunnel *t, int64_t life_ms,
    char text[static CREDENTIAL_TOKEN_LEN + 1], struct error *e)
{
	struct state_token token = {.created = clock_wall_s()};

	credential_new_token(text);
	token.credential = credential_of_token(bytes_cstr(text));
	if (life_ms != 0)
		token.expires = token.created + life_ms / 1000;
	return state_add_token(t, &token, e);
}

static int
add_certs(struct state_tunnel *t, const struct opt_list *files,
    struct error *e)
{
	for (size_t i = 0; i < files->count; i++) {
		struct credential c;

		if (credential_of_cert_file(files->at[i], &c, e) != 0 ||
		    state_add_cert(t, &c, e) != 0)
			return -1;
	}
	return 0;
}

struct overlap_check {
	struct state *state;
	const struct state_tunnel *added;
	struct error *e;
};

static int
check_domains(const struct state_tunnel *t, const struct state_tunnel *added,
    struct error *e)
{
	for (size_t i = 0; i < t->domain_count; i++) {
		for (size_t k = 0; k < added->domain_count; k++) {
			if (str_eq(t->domains[i], added->domains[k]))
				return error_set(e, "domain %s: belongs to "
				    "tunnel %s", t->domains[i], t->name);
		}
	}
	return 0;
}

static int
check_certs(const struct state_tunnel *t, const struct state_tunnel *added,
    struct error *e)
{
	char id[CREDENTIAL_ID_LEN + 1];

	for (size_t i = 0; i < t->cert_count; i++) {
		for (size_t k = 0; k < added->cert_count; k++) {
			if (credential_eq(&t->certs[i], &added->certs[k]))
				return error_set(e, "client certificate %s: "
				    "belongs to tunnel %s",
				    credential_id(&t->certs[i], id), t->name);
		}
	}
	return 0;
}

/* Whether another tunnel has nothing of what the added one has. */
static int
check_overlap(void *user, const char *name)
{
	struct overlap_check *c = user;
	struct state_tunnel *t;
	int r;

	if (str_eq(name, c->added->name))
		return 0;
	t = state_read(c->state, name, c->e);
	if (t == NULL)
		return -1;
	r = check_domains(t, c->added, c->e);
	if (r == 0)
		r = check_certs(t, c->added, c->e);
	state_free(t);
	return r;
}

/* Writes t if what it has is its own. */
static int
write_checked(struct state *state, const struct state_tunnel *t,
    struct error *e)
{
	struct overlap_check check = {state, t, e};

	if (state_each(state, check_overlap, &check, e) != 0)
		return -1;
	return state_write(state, t, e);
}

static int
check_absent(struct state *state, const char *name, struct error *e)
{
	struct state_tunnel *t = state_read(state, name, e);

	if (t == NULL)
		return e->code == ENOENT ? 0 : -1;
	state_free(t);
	return error_set(e, "tunnel %s: there already", name);
}

static int
fill_tunnel(const struct add_settings *s, struct state_tunnel *t,
    char token[static CREDENTIAL_TOKEN_LEN + 1], struct error *e)
{
	t->links_max = s->links;
	t->streams_max = s->streams;
	if (state_set_rate(t, s->rate, s->burst, e) != 0)
		return -1;
	for (size_t i = 0; i < s->domains.count; i++) {
		if (state_add_domain(t, s->domains.at[i], e) != 0)
			return -1;
	}
	if (add_certs(t, &s->certs, e) != 0)
		return -1;
	return s->no_token ? 0 : new_token(t, s->expires_ms, token, e);
}

static int
add_tunnel(const struct add_settings *s,
    char token[static CREDENTIAL_TOKEN_LEN + 1], struct error *e)
{
	struct state_tunnel *t = state_new(s->name);
	struct state state;
	int r = -1;

	if (t == NULL)
		return error_errno(e, "tunnel %s", s->name);
	if (fill_tunnel(s, t, token, e) == 0 &&
	    state_open(s->state, &state, e) == 0) {
		if (state_lock(&state, e) == 0 &&
		    check_absent(&state, s->name, e) == 0)
			r = write_checked(&state, t, e);
		state_close(&state);
	}
	state_free(t);
	return r;
}

/* Prints a secret and wipes it. */
static int
print_token(char token[static CREDENTIAL_TOKEN_LEN + 1])
{
	if (token[0] != '\0')
		printf("%s\n", token);
	explicit_bzero(token, CREDENTIAL_TOKEN_LEN + 1);
	return opt_close_stdout();
}

/* Takes the operand NAME. */
static enum opt_result
take_name(const struct opt_command *c, const struct command_operands *from,
    const char **ret, int *ret_status)
{
	if (from->count != 1)
		return usage(c, from->count == 0 ? "a tunnel's NAME is "
		    "required" : "more than one NAME", ret_status);
	if (!credential_is_name(from->at[0]))
		return usage(c, "NAME: not 1 to 63 of a-z, 0-9, - and _",
		    ret_status);
	*ret = from->at[0];
	return OPT_RUN;
}

int
command_add(int argc, char **argv)
{
	struct add_settings s = {.links = STATE_LINKS_DEFAULT,
	    .streams = STATE_STREAMS_DEFAULT};
	char token[CREDENTIAL_TOKEN_LEN + 1] = "";
	struct error e;
	struct command_operands operands;
	int status = EXIT_OK;

	if (command_parse(&add_options, argc, argv, &s, &s.state, &operands,
	    &status) != OPT_RUN ||
	    take_name(&add_options, &operands, &s.name, &status) !=
	    OPT_RUN)
		return status;
	if (s.domains.count == 0)
		usage(&add_options, "--domain is required", &status);
	else if (s.no_token && (s.certs.count == 0 || s.expires_ms != 0))
		usage(&add_options, "--no-token: goes with --client-cert and "
		    "without --token-expires", &status);
	if (status != EXIT_OK)
		return status;
	if (add_tunnel(&s, token, &e) != 0)
		return command_failed(&e);
	return print_token(token);
}

/* ---- limit, rotate and revoke ---- */

/* Reads a tunnel under the lock, lets change alter it, writes it. */
static int
change_tunnel(const char *path, const char *name,
    int (*change)(void *user, struct state_tunnel *t, struct error *e),
    void *user, struct error *e)
{
	struct state_tunnel *t = NULL;
	struct state state;
	int r = -1;

	if (state_open(path, &state, e) != 0)
		return -1;
	if (state_lock(&state, e) == 0 &&
	    (t = state_read(&state, name, e)) != NULL &&
	    change(user, t, e) == 0)
		r = write_checked(&state, t, e);
	state_free(t);
	state_close(&state);
	return r;
}

struct limit_settings {
	const char *state, *name;
	int64_t links, streams, rate, burst; /* -1: as it was */
};

#define FIELD(field) offsetof(struct limit_settings, field)
static const struct opt limit_rows[] = {
	COMMAND_STATE_ROW("the state directory"),
	LIMIT_ROWS("", "", ""),
	OPT_END,
};
#undef FIELD

const struct opt_command limit_options = {
	"tunnel-edge", "limit", "NAME",
	"Changes the limits of a tunnel, at once.", limit_rows, true,
};

static int
limit(void *user, struct state_tunnel *t, struct error *e)
{
	const struct limit_settings *s = user;

	if (s->links != -1)
		t->links_max = s->links;
	if (s->streams != -1)
		t->streams_max = s->streams;
	if (s->rate == -1 && s->burst == -1)
		return 0;
	return state_set_rate(t, s->rate != -1 ? s->rate : t->rate,
	    s->burst != -1 ? s->burst : 0, e);
}

int
command_limit(int argc, char **argv)
{
	struct limit_settings s = {NULL, NULL, -1, -1, -1, -1};
	struct error e;
	struct command_operands operands;
	int status = EXIT_OK;

	if (command_parse(&limit_options, argc, argv, &s, &s.state,
	    &operands, &status) != OPT_RUN ||
	    take_name(&limit_options, &operands, &s.name, &status) != OPT_RUN)
		return status;
	if (s.links == -1 && s.streams == -1 && s.rate == -1 &&
	    s.burst == -1) {
		usage(&limit_options, "--links, --streams, --rate or --burst "
		    "is required", &status);
		return status;
	}
	return change_tunnel(s.state, s.name, limit, &s, &e) == 0 ? EXIT_OK
	    : command_failed(&e);
}

struct rotate_settings {
	const char *state, *name;
	const char *cert;
	int64_t overlap_ms, expires_ms;
	char token[CREDENTIAL_TOKEN_LEN + 1];
};

#define FIELD(field) offsetof(struct rotate_settings, field)
static const struct opt rotate_rows[] = {
	COMMAND_STATE_ROW("the state directory"),
	{0, "overlap", "TIME", OPT_DURATION, FIELD(overlap_ms), 0,
	    LIFE_MAX_MS, NULL, "older tokens are valid for this long [24h]"},
	{0, "token-expires", "TIME", OPT_DURATION, FIELD(expires_ms), 1000,
	    LIFE_MAX_MS, NULL, "the token is valid for this long [for ever]"},
	{0, "client-cert", "FILE", OPT_STRING, FIELD(cert), 0, 0, NULL,
	    "add this certificate instead, and print its id"},
	OPT_END,
};
#undef FIELD

const struct opt_command rotate_options = {
	"tunnel-edge", "rotate", "NAME",
	"Gives a tunnel another token and prints it.", rotate_rows, true,
};

/* Lets the tokens that t has end with the overlap. */
static void
expire_tokens(struct state_tunnel *t, int64_t overlap_ms)
{
	int64_t now = clock_wall_s(), end = now + overlap_ms / 1000;
	size_t i = 0;

	while (i < t->token_count) {
		struct state_token *token = &t->tokens[i];

		if (token->expires == 0 || token->expires > end)
			token->expires = end;
		if (token->expires <= now)
			state_revoke_token(t, i);
		else
			i++;
	}
}

static int
rotate(void *user, struct state_tunnel *t, struct error *e)
{
	struct rotate_settings *s = user;
	struct credential cert;

	if (s->cert != NULL) {
		if (credential_of_cert_file(s->cert, &cert, e) != 0)
			return -1;
		credential_id(&cert, s->token);
		return state_add_cert(t, &cert, e);
	}
	expire_tokens(t, s->overlap_ms);
	return new_token(t, s->expires_ms, s->token, e);
}

int
command_rotate(int argc, char **argv)
{
	struct rotate_settings s = {.overlap_ms = -1};
	struct error e;
	struct command_operands operands;
	int status = EXIT_OK;

	if (command_parse(&rotate_options, argc, argv, &s, &s.state,
	    &operands, &status) != OPT_RUN ||
	    take_name(&rotate_options, &operands, &s.name, &status) != OPT_RUN)
		return status;
	if (s.cert != NULL && (s.overlap_ms != -1 || s.expires_ms != 0)) {
		usage(&rotate_options, "--client-cert: goes without "
		    "--overlap and --token-expires", &status);
		return status;
	}
	if (s.overlap_ms == -1)
		s.overlap_ms = OVERLAP_DEFAULT_MS;
	if (change_tunnel(s.state, s.name, rotate, &s, &e) != 0)
		return command_failed(&e);
	return print_token(s.token);
}

struct revoke_settings {
	const char *state, *name;
	struct opt_list tokens, certs;
	bool tunnel;
};

#define FIELD(field) offsetof(struct revoke_settings, field)
static const struct opt revoke_rows[] = {
	COMMAND_STATE_ROW("the state directory"),
	{0, "token", "ID", OPT_LIST, FIELD(tokens), 0, 0, NULL,
	    "revoke this token; repeatable"},
	{0, "client-cert", "ID", OPT_LIST, FIELD(certs), 0, 0, NULL,
	    "revoke this certificate; repeatable"},
	{0, "tunnel", NULL, OPT_FLAG, FIELD(tunnel), 0, 0, NULL,
	    "remove the tunnel"},
	OPT_END,
};
#undef FIELD

const struct opt_command revoke_options = {
	"tunnel-edge", "revoke", "NAME",
	"Takes tokens, certificates or a whole tunnel back, at once.",
	revoke_rows, true,
};

static bool
has_id(const struct credential *c, const char *id)
{
	char own[CREDENTIAL_ID_LEN + 1];

	return str_eq(credential_id(c, own), id);
}

static int
revoke_token(struct state_tunnel *t, const char *id, struct error *e)
{
	for (size_t i = 0; i < t->token_count; i++) {
		if (has_id(&t->tokens[i].credential, id)) {
			state_revoke_token(t, i);
			return 0;
		}
	}
	return error_set(e, "tunnel %s: no token %.64s", t->name, id);
}

static int
revoke_cert(struct state_tunnel *t, const char *id, struct error *e)
{
	for (size_t i = 0; i < t->cert_count; i++) {
		if (has_id(&t->certs[i], id)) {
			state_revoke_cert(t, i);
			return 0;
		}
	}
	return error_set(e, "tunnel %s: no client certificate %.64s", t->name,
	    id);
}

static int
revoke(void *user, struct state_tunnel *t, struct error *e)
{
	const struct revoke_settings *s = user;

	for (size_t i = 0; i < s->tokens.count; i++) {
		if (revoke_token(t, s->tokens.at[i], e) != 0)
			return -1;
	}
	for (size_t i = 0; i < s->certs.count; i++) {
		if (revoke_cert(t, s->certs.at[i], e) != 0)
			return -1;
	}
	return 0;
}

static int
remove_tunnel(const struct revoke_settings *s, struct error *e)
{
	struct state state;
	int r = -1;

	if (state_open(s->state, &state, e) != 0)
		return -1;
	if (state_lock(&state, e) == 0)
		r = state_remove(&state, s->name, e);
	state_close(&state);
	return r;
}

int
command_revoke(int argc, char **argv)
{
	struct revoke_settings s = {.tunnel = false};
	struct error e;
	struct command_operands operands;
	int r, status = EXIT_OK;

	if (command_parse(&revoke_options, argc, argv, &s, &s.state,
	    &operands, &status) != OPT_RUN ||
	    take_name(&revoke_options, &operands, &s.name, &status) != OPT_RUN)
		return status;
	if (s.tunnel == (s.tokens.count + s.certs.count != 0)) {
		usage(&revoke_options, "either --tunnel, or --token and "
		    "--client-cert, is required", &status);
		return status;
	}
	r = s.tunnel ? remove_tunnel(&s, &e)
	    : change_tunnel(s.state, s.name, revoke, &s, &e);
	return r == 0 ? EXIT_OK : command_failed(&e);
}
