/* SPDX-License-Identifier: ISC */
/* Descriptors and small files.  Every descriptor made here is
 * close-on-exec. */
#ifndef ADIT_IO_H
#define ADIT_IO_H

#include <sys/stat.h>
#include <sys/types.h>

#include "common/buf.h"
#include "common/error.h"

/* Returns 0, or -1 with errno. */
int io_set_nonblock(int fd, bool on);

/* Closes *fd unless it is -1, and sets it to -1; errno is kept. */
void io_close(int *fd);

/* Closes what a connection is read from and written to, which may be the
 * same; errno is kept. */
void io_close_pair(int read_fd, int write_fd);

/* Moves standard input and output to descriptors of the caller's, where nobody
 * else reads or writes by mistake; 0 and 1 are /dev/null from then on.  Returns
 * 0, or -1 with a text; they then stay where they are. */
int io_take_stdio(int *ret_in, int *ret_out, struct error *e);

/* Writes all of in to a blocking descriptor.  Returns 0 or -1 with errno. */
int io_write_all(int fd, struct bytes in);

/* Whether the last line of a regular file, open for writing, has no end. */
bool io_is_torn(int fd);

/* Appends a line with its end.  *torn, at first io_is_torn, says that a full
 * disk or a crash cut one short before, which then gets an end of its own.
 * Returns 0 or -1 with errno. */
int io_append_line(int fd, bool *torn, struct bytes line);

/* Reads a whole file of at most b's max bytes into b (appending).  Returns 0,
 * or -1 with a text that names path. */
int io_read_file(const char *path, struct buf *b, struct error *e);
int io_read_fd(int fd, const char *name, struct buf *b, struct error *e);

/* Whether a file that was read before, NULL for none, can be read again: a pipe
 * gave its bytes once, and to open it would wait for somebody to write.
 * Returns 0, or -1 with a text. */
int io_check_again(const char *path, struct error *e);

/* Replaces dir_fd/name by the bytes in: written to a temporary file in the
 * same directory, synced, renamed, directory synced.  Returns 0, or -1 with a
 * text. */
int io_replace_file(int dir_fd, const char *name, struct bytes in, mode_t mode,
    struct error *e);

/* The same without waiting for a disk: for what a crash may take. */
int io_replace_unsynced(int dir_fd, const char *name, struct bytes in,
    mode_t mode, struct error *e);

/* Creates the file path, which may not exist, with these bytes. */
int io_create_file(const char *path, struct bytes in, mode_t mode,
    struct error *e);

/* Whether a file, of which this is the status, is a regular one that only its
 * owner can write.  Returns 0, or -1 with a text. */
int io_check_owned(const char *path, const struct stat *st, struct error *e);

/* Opens a file that nobody but its owner, root and the caller's user can use,
 * for reading.  Returns the descriptor, or -1 with a text. */
int io_open_private(const char *path, struct error *e);

/* Reads a secret, one line without white space and at most 4095 bytes, from
 * a file that nobody but its owner, root and the caller's user can use, or from
 * a descriptor.
 * Returns 0, or -1 with a text that does not hold the secret. */
int io_read_secret_file(const char *path, char out[static 4096],
    struct error *e);
int io_read_secret_fd(int fd, char out[static 4096], struct error *e);

/* Tells a supervisor that the program serves: writes text and a newline to
 * ready_fd and closes it (nothing if -1), and READY=1 to $NOTIFY_SOCKET
 * (sd_notify(3)) if that is set. */
void io_announce_ready(int ready_fd, const char *text);

/* Tells a supervisor that a reload begins.  When it is over, READY=1 says so. */
void io_notify_reload(void);

/* Sends "STOPPING=1" or another state line to $NOTIFY_SOCKET. */
void io_notify(const char *state);

#endif
