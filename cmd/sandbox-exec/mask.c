/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/mask.h"

int
mask_all(struct tree *t, const struct policy *p, struct error *e)
{
	(void)t;
	(void)p;
	(void)e;
	return 0;
}
