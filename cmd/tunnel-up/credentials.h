/* SPDX-License-Identifier: ISC */
/* What the connector shows to an edge, a token or a client certificate, and
 * whom it trusts.  Files are looked at again before each dial, so that
 * a rotated token or a renewed certificate needs no restart.  The token stays
 * in one page that is locked and in no core dump. */
#ifndef TUNNEL_UP_CREDENTIALS_H
#define TUNNEL_UP_CREDENTIALS_H

#include <sys/stat.h>

#include "cmd/tunnel-up/settings.h"
#include "common/tls.h"

enum { CREDENTIALS_FILES = 3 };

struct credentials {
	const struct settings *settings;
	char *token;             /* "" when a certificate is shown */
	struct tls_context *tls;
	struct stat seen[CREDENTIALS_FILES]; /* ca, cert, key when read */
	struct error complaint;  /* of the last reading */
};

/* Reads everything.  The token from the environment is wiped there.  Returns
 * 0, or -1 with a text.  credentials_close in either case. */
int credentials_open(struct credentials *c, const struct settings *s,
    struct error *e);

/* Reads again what may have changed.  Returns 0, or -1 with a text; what was
 * read before then stays in use.  A failure that goes on is told once. */
int credentials_refresh(struct credentials *c, struct error *e);

/* Reads everything again that is in a file, also the CAs of the system.  Like
 * credentials_refresh, but tells every failure. */
int credentials_reload(struct credentials *c, struct error *e);

/* Wipes the token. */
void credentials_close(struct credentials *c);

#endif
