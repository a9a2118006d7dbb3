/* SPDX-License-Identifier: ISC */
/* The policy file, YAML or JSON: its keys are the names of options, and
 * "fixed" lists what options may only tighten.  Everything that is wrong is
 * told, at its line and column. */
#ifndef ADIT_SANDBOX_POLICYFILE_H
#define ADIT_SANDBOX_POLICYFILE_H

#include "cmd/sandbox-exec/setting.h"

enum { POLICYFILE_PROBLEMS_MAX = 50 };

/* Told of each problem: "policy.yaml:7:3: text". */
typedef void policyfile_problem(void *user, const char *line);

/* Takes the settings of the file at path.  Returns 0, or -1 after at least
 * one problem; t's policy is then of no use but for policy_done. */
int policyfile_load(const char *path, struct setting_target *t,
    policyfile_problem *problem, void *user);

/* The same for text that was read from name. */
int policyfile_parse(const char *name, struct bytes text,
    struct setting_target *t, policyfile_problem *problem, void *user);

#endif
