/* SPDX-License-Identifier: ISC */
/* Which proxy a link is dialed through: the one of the option, or of the
 * environment as curl(1) reads it for an https URL.  no_proxy is left to
 * libcurl.  Pure. */
#ifndef TUNNEL_UP_PROXY_H
#define TUNNEL_UP_PROXY_H

#include "common/error.h"
#include "common/str.h"

enum { PROXY_URL_MAX = 1024 };

struct proxy {
	char url[PROXY_URL_MAX];   /* "" for none; may hold a password */
	char shown[PROXY_URL_MAX]; /* without user name and password */
	bool is_http;              /* to be asked with CONNECT */
};

/* option may be NULL; "none" is no proxy, whatever the environment says.
 * lookup is getenv(3).  Returns 0, or -1 with a text that holds no
 * password. */
int proxy_choose(const char *option, char *(*lookup)(const char *name),
    struct proxy *ret, struct error *e);

/* Whether a value of an environment variable holds a user name or password
 * and must not reach a child. */
bool proxy_has_credentials(const char *value);

#endif
