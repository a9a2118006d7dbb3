/* SPDX-License-Identifier: ISC */
/* Stacks for clone(2). */
#ifndef ADIT_SANDBOX_STACK_H
#define ADIT_SANDBOX_STACK_H

/* The caller's own: what a start uses of it is there at once: a page at a time
 * takes the kernel ten times as long. */
void stack_warm(void);

/* Returns the upper end of a new stack with a guard below it, or NULL with
 * errno.  It is warm too.  Nobody frees it. */
char *stack_make(void);

#endif
