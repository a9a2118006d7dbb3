/* SPDX-License-Identifier: ISC */
/* c-ares can look up the names of ports, which the gate never asks for.  In
 * a static program the C library's functions for that would load shared
 * objects at run time; these take their place. */
#include <errno.h>
#include <netdb.h>
#include <stddef.h>

struct servent *
getservbyname(const char *name, const char *proto)
{
	(void)name;
	(void)proto;
	return NULL;
}

int
getservbyport_r(int port, const char *proto, struct servent *entry,
    char *buffer, size_t len, struct servent **ret)
{
	(void)port;
	(void)proto;
	(void)entry;
	(void)buffer;
	(void)len;
	*ret = NULL;
	return ENOENT;
}
