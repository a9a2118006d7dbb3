/* SPDX-License-Identifier: ISC */
/* The subcommands of sandbox-worker.  Each takes main's arguments, its own
 * options beginning at argv[2], reports its errors, and returns the exit
 * status. */
#ifndef ADIT_WORKER_COMMAND_H
#define ADIT_WORKER_COMMAND_H

int command_poll(int argc, char **argv);
int command_run(int argc, char **argv);

#endif
