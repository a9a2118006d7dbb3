/* SPDX-License-Identifier: ISC */
#include "cmd/tunnel-edge/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/io.h"
#include "common/str.h"

static const char file_suffix[] = ".json";

/* ---- the directory ---- */

static int
open_dir(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int
state_open(const char *path, struct state *ret, struct error *e)
{
	struct state s = {path, -1, -1, -1};

	s.dir_fd = open_dir(AT_FDCWD, path);
	if (s.dir_fd == -1)
		return error_errno(e, "%s", path);
	s.tunnels_fd = open_dir(s.dir_fd, "tunnels");
	if (s.tunnels_fd == -1) {
		error_errno(e, "%s/tunnels", path);
		state_close(&s);
		return -1;
	}
	*ret = s;
	return 0;
}

int
state_create(const char *path, struct state *ret, struct error *e)
{
	int fd;

	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return error_errno(e, "%s", path);
	fd = open_dir(AT_FDCWD, path);
	if (fd == -1)
		return error_errno(e, "%s", path);
	if (mkdirat(fd, "tunnels", 0700) != 0 && errno != EEXIST) {
		error_errno(e, "%s/tunnels", path);
		close(fd);
		return -1;
	}
	close(fd);
	return state_open(path, ret, e);
}

void
state_close(struct state *s)
{
	io_close(&s->lock_fd);
	io_close(&s->tunnels_fd);
	io_close(&s->dir_fd);
}

int
state_lock(struct state *s, struct error *e)
{
	int r;

	s->lock_fd = openat(s->dir_fd, "lock",
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd == -1)
		return error_errno(e, "%s/lock", s->path);
	do {
		r = flock(s->lock_fd, LOCK_EX);
	} while (r != 0 && errno == EINTR);
	return r == 0 ? 0 : error_errno(e, "%s/lock", s->path);
}

/* ---- names of tunnels and of their files ---- */

int
state_parse_file_name(const char *file, char ret[static STATE_NAME_MAX])
{
	size_t len = strlen(file);

	if (!str_ends(file, file_suffix))
		return -1;
	if (str_from_bytes(ret, STATE_NAME_MAX,
	    bytes_of(file, len - (sizeof file_suffix - 1))) != 0)
		return -1;
	return credential_is_name(ret) ? 0 : -1;
}

static int
is_tunnel_file(const struct dirent *d)
{
	char name[STATE_NAME_MAX];

	return state_parse_file_name(d->d_name, name) == 0;
}

int
state_each(struct state *s, int (*each)(void *user, const char *name),
    void *user, struct error *e)
{
	struct dirent **found;
	int n, r = 0;

	n = scandirat(s->tunnels_fd, ".", &found, is_tunnel_file, alphasort);
	if (n == -1)
		return error_errno(e, "%s/tunnels", s->path);
	if (n > STATE_TUNNELS_MAX)
		r = error_set(e, "%s/tunnels: above %d tunnels", s->path,
		    STATE_TUNNELS_MAX);
	for (int i = 0; i < n; i++) {
		char name[STATE_NAME_MAX];

		if (r == 0 &&
		    state_parse_file_name(found[i]->d_name, name) == 0)
			r = each(user, name);
		free(found[i]);
	}
	free(found);
	return r;
}

/* ---- what a tunnel has ---- */

struct state_tunnel *
state_new(const char *name)
{
	struct state_tunnel *t = calloc(1, sizeof *t);

	if (t == NULL)
		return NULL;
	str_format(t->name, sizeof t->name, "%s", name);
	t->links_max = STATE_LINKS_DEFAULT;
	t->streams_max = STATE_STREAMS_DEFAULT;
	return t;
}

void
state_free(struct state_tunnel *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->domain_count; i++)
		free(t->domains[i]);
	free(t);
}

int
state_add_domain(struct state_tunnel *t, const char *domain, struct error *e)
{
	char *copy;

	if (t->domain_count == STATE_DOMAINS_MAX)
		return error_set(e, "above %d domains", STATE_DOMAINS_MAX);
	if (str_starts(domain, "*.") && str_is_hostname(domain + 2))
		return error_set(e, "domain %s: give %s, which covers the "
		    "names below it", domain, domain + 2);
	if (!str_is_hostname(domain))
		return error_set(e, "domain %s: not a host name", domain);
	for (size_t i = 0; i < t->domain_count; i++) {
		if (str_eq_nocase(t->domains[i], domain))
			return error_set(e, "domain %s: given twice", domain);
	}
	copy = strdup(domain);
	if (copy == NULL)
		return error_errno(e, "domain %s", domain);
	for (char *c = copy; *c != '\0'; c++)
		*c = ascii_lower(*c);
	t->domains[t->domain_count++] = copy;
	return 0;
}

int
state_add_token(struct state_tunnel *t, const struct state_token *token,
    struct error *e)
{
	if (t->token_count == STATE_TOKENS_MAX)
		return error_set(e, "above %d tokens", STATE_TOKENS_MAX);
	t->tokens[t->token_count++] = *token;
	return 0;
}

int
state_add_cert(struct state_tunnel *t, const struct credential *cert,
    struct error *e)
{
	char id[CREDENTIAL_ID_LEN + 1];

	if (t->cert_count == STATE_CERTS_MAX)
		return error_set(e, "above %d client certificates",
		    STATE_CERTS_MAX);
	for (size_t i = 0; i < t->cert_count; i++) {
		if (credential_eq(&t->certs[i], cert))
			return error_set(e, "client certificate %s: there "
			    "already", credential_id(cert, id));
	}
	t->certs[t->cert_count++] = *cert;
	return 0;
}

int
state_set_rate(struct state_tunnel *t, int64_t rate, int64_t burst,
    struct error *e)
{
	if (rate == 0 && burst != 0)
		return error_set(e, "burst: goes with a rate");
	if (rate != 0 && (rate < STATE_RATE_MIN || rate > STATE_RATE_MAX))
		return error_set(e, "rate: not 0 or from %d to %lld",
		    STATE_RATE_MIN, STATE_RATE_MAX);
	if (rate != 0 && burst == 0)
		burst = rate < STATE_BURST_MIN ? STATE_BURST_MIN : rate;
	if (rate != 0 && (burst < STATE_BURST_MIN || burst > STATE_RATE_MAX))
		return error_set(e, "burst: not from %d to %lld",
		    STATE_BURST_MIN, STATE_RATE_MAX);
	if (burst < rate / STATE_BURST_PER_S)
		return error_set(e, "burst: below what the rate gives in "
		    "10 ms");
	t->rate = rate;
	t->burst = burst;
	return 0;
}

static void
remember_revoked(struct state_tunnel *t, const struct credential *c)
{
	if (t->revoked_count == STATE_REVOKED_MAX)
		memmove(t->revoked, t->revoked + 1,
		    --t->revoked_count * sizeof t->revoked[0]);
	t->revoked[t->revoked_count++] = *c;
}

void
state_revoke_token(struct state_tunnel *t, size_t i)
{
	remember_revoked(t, &t->tokens[i].credential);
	t->token_count--;
	memmove(&t->tokens[i], &t->tokens[i + 1],
	    (t->token_count - i) * sizeof t->tokens[0]);
}

void
state_revoke_cert(struct state_tunnel *t, size_t i)
{
	remember_revoked(t, &t->certs[i]);
	t->cert_count--;
	memmove(&t->certs[i], &t->certs[i + 1],
	    (t->cert_count - i) * sizeof t->certs[0]);
}
