/* SPDX-License-Identifier: ISC */
/* Metrics in a file, in the text format of Prometheus, replaced as a whole: what
 * the textfile collector of its node exporter reads.  So no program has a
 * listener for them that had to be guarded. */
#ifndef ADIT_PROMFILE_H
#define ADIT_PROMFILE_H

#include <ev.h>

#include "common/buf.h"
#include "common/error.h"

enum { PROMFILE_MAX = 64 << 10, PROMFILE_EVERY_MS = 1000 };

/* Program and name make "program_name"; one that ends in _total counts, any
 * other may also fall. */
struct promfile_metric {
	const char *name, *help;
	uint64_t value;
};

/* Append the lines of metrics, or those before the samples of one that has
 * several.  Return 0, or -1 with errno. */
int promfile_add(struct buf *out, const char *program,
    const struct promfile_metric *all, size_t count);
int promfile_add_head(struct buf *out, const char *program, const char *name,
    const char *help);

struct promfile_settings {
	const char *path;     /* NULL: there is no file, and nothing happens */
	/* Appends all that is to be in the file. */
	int (*format)(const void *user, struct buf *out);
	/* It could not be written, and not for the reason said last.  NULL:
	 * that is a warning. */
	void (*failed)(const struct error *e);
	const void *user;
};

/* zeroed: not started */
struct promfile {
	struct promfile_settings settings;
	struct ev_loop *ev;
	ev_timer timer;
	struct buf written;
	struct error why;     /* what was said last, or "" */
};

/* Writes the file, and from then on each second in which something has
 * changed.  Returns 0, or -1 with a text. */
int promfile_start(struct promfile *f, struct ev_loop *ev,
    const struct promfile_settings *s, struct error *e);

/* Writes it a last time. */
void promfile_stop(struct promfile *f);

#endif
