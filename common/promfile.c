/* SPDX-License-Identifier: ISC */
#include "common/promfile.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "common/diag.h"
#include "common/io.h"
#include "common/str.h"

int
promfile_add_head(struct buf *out, const char *program, const char *name,
    const char *help)
{
	return buf_format(out, "# HELP %s_%s %s\n# TYPE %s_%s %s\n", program,
	    name, help, program, name, str_ends(name, "_total") ? "counter"
	    : "gauge");
}

int
promfile_add(struct buf *out, const char *program,
    const struct promfile_metric *all, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (promfile_add_head(out, program, all[i].name,
		    all[i].help) != 0 || buf_format(out, "%s_%s %" PRIu64
		    "\n", program, all[i].name, all[i].value) != 0)
			return -1;
	}
	return 0;
}

static int
replace(const char *path, struct bytes in, struct error *e)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX] = ".";
	int fd, r;

	if (slash != NULL && str_format(dir, sizeof dir, "%.*s",
	    (int)(slash - path) + 1, path) != 0)
		return error_set(e, "%s: too long", path);
	fd = open(dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return error_errno(e, "%s", dir);
	r = io_replace_unsynced(fd, slash == NULL ? path : slash + 1, in,
	    0644, e);
	close(fd);
	return r;
}

/* Returns 0, also if nothing has changed, or -1 with a text. */
static int
write_changes(struct promfile *f, struct error *e)
{
	const struct promfile_settings *s = &f->settings;
	struct buf text;
	int r = 0;

	buf_init(&text, PROMFILE_MAX);
	if (s->format(s->user, &text) != 0)
		r = error_errno(e, "%s", s->path);
	else if (!bytes_eq(buf_bytes(&text), buf_bytes(&f->written)))
		r = replace(s->path, buf_bytes(&text), e);
	if (r == 0) {
		buf_reset(&f->written);
		f->written = text;
	} else {
		buf_reset(&text);
	}
	return r;
}

static void
say(const struct promfile *f, const struct error *e)
{
	if (f->settings.failed != NULL)
		f->settings.failed(e);
	else
		diag_warning("--metrics: %s", e->text);
}

/* A disk that is full for long is told of once. */
static void
write_or_say(struct promfile *f)
{
	struct error e;

	if (write_changes(f, &e) == 0)
		e.text[0] = '\0';
	else if (!str_eq(e.text, f->why.text))
		say(f, &e);
	f->why = e;
}

static void
on_timer(struct ev_loop *ev, ev_timer *w, int revents)
{
	(void)ev;
	(void)revents;
	write_or_say(w->data);
}

int
promfile_start(struct promfile *f, struct ev_loop *ev,
    const struct promfile_settings *s, struct error *e)
{
	if (s->path == NULL)
		return 0;
	*f = (struct promfile){.settings = *s, .ev = ev};
	buf_init(&f->written, PROMFILE_MAX);
	ev_timer_init(&f->timer, on_timer, PROMFILE_EVERY_MS / 1000.0,
	    PROMFILE_EVERY_MS / 1000.0);
	f->timer.data = f;
	if (write_changes(f, e) != 0) {
		f->ev = NULL;
		return -1;
	}
	ev_timer_start(ev, &f->timer);
	return 0;
}

void
promfile_stop(struct promfile *f)
{
	if (f->ev == NULL)
		return;
	ev_timer_stop(f->ev, &f->timer);
	write_or_say(f);
	buf_reset(&f->written);
	f->ev = NULL;
}
