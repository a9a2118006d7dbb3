/* SPDX-License-Identifier: ISC */
/* The variables that carry credentials, for those who start processes. */
#ifndef ADIT_WORKER_SECRETS_H
#define ADIT_WORKER_SECRETS_H

/* Ends with NULL: proc_start's drop_env. */
extern const char *const secrets_variables[];

#endif
