/* SPDX-License-Identifier: ISC */
#include "cmd/tunnel-up/failure.h"

#include <stdarg.h>
#include <stdio.h>

void
failure_set(struct failure *f, enum frame_code code, enum frame_blame blame,
    const char *format, ...)
{
	va_list ap;

	f->code = code;
	f->blame = blame;
	f->permanent = false;
	va_start(ap, format);
	vsnprintf(f->text, sizeof f->text, format, ap);
	va_end(ap);
}

bool
failure_is_permanent(enum frame_code code)
{
	return code == FRAME_UNAUTHORIZED || code == FRAME_REVOKED ||
	    code == FRAME_PROTOCOL;
}
