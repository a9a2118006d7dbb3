/* SPDX-License-Identifier: ISC */
/* Stacks for clone(2). */
#ifndef ADIT_SANDBOX_STACK_H
#define ADIT_SANDBOX_STACK_H

/* Returns the upper end of a new stack with a guard below it, or NULL with
 * errno.  Nobody frees it. */
char *stack_make(void);

#endif
