/* SPDX-License-Identifier: ISC */
#include "common/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* error.h has macros of these names for an analyzer. */
#undef error_set
#undef error_errno
#undef error_prefix

int
error_set(struct error *e, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(e->text, sizeof e->text, format, ap);
	va_end(ap);
	return -1;
}

static void
error_append(struct error *e, const char *more)
{
	size_t used = strlen(e->text);

	snprintf(e->text + used, sizeof e->text - used, ": %s", more);
}

int
error_errno(struct error *e, const char *format, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, format);
	vsnprintf(e->text, sizeof e->text, format, ap);
	va_end(ap);
	error_append(e, strerror(saved));
	errno = saved;
	return -1;
}

int
error_prefix(struct error *e, const char *format, ...)
{
	char old[ERROR_TEXT_MAX];
	va_list ap;

	memcpy(old, e->text, sizeof old);
	va_start(ap, format);
	vsnprintf(e->text, sizeof e->text, format, ap);
	va_end(ap);
	error_append(e, old);
	return -1;
}
