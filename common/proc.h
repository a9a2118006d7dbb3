/* SPDX-License-Identifier: ISC */
/* Child processes: started by name through PATH, without a shell, with
 * nothing inherited but the descriptors given. */
#ifndef ADIT_PROC_H
#define ADIT_PROC_H

#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"

/* Starts argv[0] with stdin and stdout as given (the caller keeps both),
 * stderr shared, every signal at its default and unblocked, and all other
 * descriptors closed.  The environment is the caller's without the names in
 * drop_env, a NULL-terminated list.  The child gets SIGTERM if the caller
 * dies.  Returns its pid, or -1 with a text and e->code EXIT_NOT_FOUND or
 * EXIT_NOT_EXECUTABLE when the command could not be executed. */
pid_t proc_start(char *const argv[], int stdin_fd, int stdout_fd,
    const char *const drop_env[], struct error *e);

/* The same with one end of a new socket pair (unix(7), a stream) as stdin and
 * stdout; *ret_fd is the other end, the caller's. */
pid_t proc_start_pair(char *const argv[], const char *const drop_env[],
    int *ret_fd, struct error *e);

enum { PROC_FDS = 4 };

/* A command that inherits nothing that is not named here. */
struct proc_command {
	const char *path;  /* NULL: argv[0]; without a slash it is found
	                    * through the caller's PATH */
	const char *const *argv;
	char *const *envp; /* all of the environment */
	const char *dir;   /* to start in, NULL: the caller's */
	int fds[PROC_FDS]; /* standard input, output, error, and what becomes
	                    * 3; kept by the caller.  -1: /dev/null, for 3
	                    * none */
	int death_signal;  /* it gets when the caller dies */
};

/* Starts it as the leader of a session and process group of its own, so that
 * kill(-pid) reaches all of it; otherwise like proc_start. */
pid_t proc_spawn(const struct proc_command *c, struct error *e);

/* The same with a socket pair, as proc_start_pair; the first two of c->fds do
 * not count. */
pid_t proc_spawn_pair(const struct proc_command *c, int *ret_fd,
    struct error *e);

/* Whether the command of c is there and executable, where proc_spawn would look
 * for it.  Returns 0, or -1 with a text. */
int proc_find(const struct proc_command *c, struct error *e);

/* A descriptor that can be read once the child pid has ended, and before it
 * is collected (pidfd_open(2)).  Returns it, or -1 with errno. */
int proc_open(pid_t pid);

/* For programs that heed SIGHUP: keeps it back from the first line of main on,
 * and lets it through, also one that came meanwhile, once there is a handler.
 * So who asks for a reload early neither ends the program nor is forgotten. */
void proc_hold_hangup(void);
void proc_take_hangup(void);

/* Lets no core dump of this process or its children show the secrets that it
 * holds (core(5)). */
void proc_forbid_core(void);

/* Raises the limit of open files as far as it goes, and returns it.  What is
 * started has the limit that there was: some look at each descriptor. */
uint64_t proc_raise_files(void);

/* The exit status that says what wait(2)'s status says: the child's own, or
 * EXIT_SIGNAL plus the signal. */
int proc_exit_status(int wait_status);

#endif
