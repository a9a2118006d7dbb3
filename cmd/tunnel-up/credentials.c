/* SPDX-License-Identifier: ISC */
#include "cmd/tunnel-up/credentials.h"

#include <sys/mman.h>
#include <sys/prctl.h>

#include "common/io.h"
#include "common/proc.h"
#include "common/str.h"

enum { TOKEN_CAP = 4096 };

/* Pages that are neither swapped nor dumped; locking may fail on a tight
 * RLIMIT_MEMLOCK and is worth a try. */
static char *
secret_new(void)
{
	char *at = mmap(NULL, TOKEN_CAP, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return NULL;
	madvise(at, TOKEN_CAP, MADV_DONTDUMP);
	mlock(at, TOKEN_CAP);
	return at;
}

static void
secret_free(char *at)
{
	if (at == NULL)
		return;
	explicit_bzero(at, TOKEN_CAP);
	munmap(at, TOKEN_CAP);
}

/* The first reading, of the one source that was given. */
static int
read_token(struct credentials *c, struct error *e)
{
	const struct settings *s = c->settings;
	int r = 0;

	if (s->token_file != NULL)
		r = io_read_secret_file(s->token_file, c->token, e);
	else if (s->token_fd != -1)
		r = io_read_secret_fd((int)s->token_fd, c->token, e);
	else if (s->token_env != NULL && s->cert == NULL)
		r = str_format(c->token, TOKEN_CAP, "%s", s->token_env);
	if (r != 0 && s->token_file == NULL && s->token_fd == -1)
		error_set(e, "TUNNEL_UP_TOKEN: above %d bytes", TOKEN_CAP - 1);
	if (s->token_env != NULL)
		explicit_bzero(s->token_env, strlen(s->token_env));
	return r;
}

/* Reads the token file again, into another page first: a file that is just
 * being replaced must not cost us the token that we have. */
static int
reread_token(struct credentials *c, struct error *e)
{
	const char *path = c->settings->token_file;
	char *fresh;

	if (path == NULL || io_check_again(path, e) != 0)
		return 0;
	fresh = secret_new();
	if (fresh == NULL)
		return error_errno(e, "%s", path);
	if (io_read_secret_file(path, fresh, e) != 0) {
		secret_free(fresh);
		return -1;
	}
	secret_free(c->token);
	c->token = fresh;
	return 0;
}

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	    a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Notes what the files are at present.  Returns whether any has changed. */
static bool
note_files(struct credentials *c)
{
	const struct settings *s = c->settings;
	const char *const files[CREDENTIALS_FILES] = {s->ca, s->cert, s->key};
	bool changed = false;

	for (int i = 0; i < CREDENTIALS_FILES; i++) {
		struct stat now = {.st_size = -1};

		if (files[i] == NULL)
			continue;
		if (stat(files[i], &now) == 0 &&
		    is_same_file(&now, &c->seen[i]))
			continue;
		c->seen[i] = now;
		changed = true;
	}
	return changed;
}

static int
read_tls(struct credentials *c, struct error *e)
{
	const struct tls_client_settings wanted = {
		.ca_file = c->settings->ca,
		.system_cas = c->settings->ca == NULL,
		.cert_file = c->settings->cert,
		.key_file = c->settings->key,
		.alpn = "adit/1",
		.bulk = true,
	};
	struct tls_context *tls = tls_context_client(&wanted, e);

	if (tls == NULL) {
		/* To be read again, changed or not. */
		memset(c->seen, 0, sizeof c->seen);
		return -1;
	}
	tls_context_free(c->tls);
	c->tls = tls;
	return 0;
}

int
credentials_open(struct credentials *c, const struct settings *s,
    struct error *e)
{
	memset(c, 0, sizeof *c);
	c->settings = s;
	/* The token passes through buffers of frames and TLS too; they are
	 * in no core dump, and no other user's debugger reads them. */
	prctl(PR_SET_DUMPABLE, 0);
	proc_forbid_core();
	c->token = secret_new();
	if (c->token == NULL)
		return error_errno(e, "memory for the token");
	note_files(c);
	if (read_token(c, e) != 0)
		return -1;
	return read_tls(c, e);
}

/* All three belong together: one that was a pipe leaves the others, too. */
static int
reread_tls(struct credentials *c, struct error *e)
{
	const struct settings *s = c->settings;

	if (io_check_again(s->ca, e) != 0 || io_check_again(s->cert, e) != 0 ||
	    io_check_again(s->key, e) != 0)
		return 0;
	return read_tls(c, e);
}

/* Reads again what has changed, or everything. */
static int
read_again(struct credentials *c, bool everything, struct error *e)
{
	/* A token that cannot be read must not keep a renewed CA away. */
	bool tls_failed = (note_files(c) || everything) &&
	    reread_tls(c, e) != 0;

	return reread_token(c, e) != 0 || tls_failed ? -1 : 0;
}

int
credentials_refresh(struct credentials *c, struct error *e)
{
	bool failed = read_again(c, false, e) != 0;
	bool known = failed && str_eq(e->text, c->complaint.text);

	if (!failed)
		c->complaint.text[0] = '\0';
	else if (!known)
		c->complaint = *e;
	return failed && !known ? -1 : 0;
}

int
credentials_reload(struct credentials *c, struct error *e)
{
	c->complaint.text[0] = '\0';
	if (read_again(c, true, e) == 0)
		return 0;
	c->complaint = *e;
	return -1;
}

void
credentials_close(struct credentials *c)
{
	secret_free(c->token);
	tls_context_free(c->tls);
	c->token = NULL;
	c->tls = NULL;
}
