/* SPDX-License-Identifier: ISC */
/* The file of metrics: what is in it, when it is written, and what is said if it
 * cannot be. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/io.h"
#include "common/promfile.h"
#include "common/str.h"
#include "tests/unit/test.h"

enum { PATH_CAP = 256, TEXT_CAP = 1024 };

static char dir[] = "/tmp/adit-promfile.XXXXXX";
static char path[PATH_CAP], got[TEXT_CAP];
static struct promfile_metric metrics[] = {
	{"calls_total", "Calls.", 1}, {"open", "Now.", UINT64_MAX},
};
static int said;

static int
format(const void *user, struct buf *out)
{
	return promfile_add(out, user, metrics, 2);
}

static void
failed(const struct error *e)
{
	str_format(got, sizeof got, "%s", e->text);
	said++;
}

static const char *
content(void)
{
	struct error e;
	struct buf b;

	buf_init(&b, sizeof got - 1);
	if (io_read_file(path, &b, &e) != 0)
		str_format(got, sizeof got, "none");
	else
		str_from_bytes(got, sizeof got, buf_bytes(&b));
	buf_reset(&b);
	return got;
}

/* A second passes. */
static void
turn(struct promfile *f)
{
	ev_feed_event(f->ev, &f->timer, EV_TIMER);
	ev_run(f->ev, EVRUN_NOWAIT);
}

static void
test_file(struct promfile *f, struct ev_loop *ev,
    const struct promfile_settings *s)
{
	struct error e;
	struct stat a, b;

	eq_int(promfile_start(f, ev, s, &e), 0, "it starts");
	eq_str(content(), "# HELP x_calls_total Calls.\n"
	    "# TYPE x_calls_total counter\nx_calls_total 1\n"
	    "# HELP x_open Now.\n# TYPE x_open gauge\n"
	    "x_open 18446744073709551615\n", "and is written");
	stat(path, &a);
	turn(f);
	stat(path, &b);
	ok(a.st_ino == b.st_ino, "not again without a change");
	metrics[0].value = 2;
	turn(f);
	ok(strstr(content(), "x_calls_total 2\n") != NULL, "a change is");
}

static void
test_trouble(struct promfile *f)
{
	unlink(path);
	mkdir(path, 0700);
	metrics[0].value = 3;
	turn(f);
	turn(f);
	eq_int(said, 1, "a failure is said once");
	ok(strstr(got, "Is a directory") != NULL, "%s", got + strlen(dir));
	rmdir(path);
	turn(f);
	ok(strstr(content(), "x_calls_total 3\n") != NULL, "until it is over");
	metrics[0].value = 4;
	promfile_stop(f);
	ok(strstr(content(), "x_calls_total 4\n") != NULL, "the last values");
	promfile_stop(f);
	eq_int(said, 1, "no more is said");
}

int
main(void)
{
	struct promfile_settings s = {.format = format, .failed = failed,
		.user = "x"};
	struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
	struct promfile f = {.ev = NULL};
	struct error e;

	if (mkdtemp(dir) == NULL)
		return 1;
	eq_int(promfile_start(&f, ev, &s, &e), 0, "no file is no error");
	promfile_stop(&f);
	str_format(path, sizeof path, "%s/none/m", dir);
	s.path = path;
	eq_int(promfile_start(&f, ev, &s, &e), -1, "where none can be made");
	ok(strstr(e.text, "none/: No such file") != NULL, "%s",
	    e.text + strlen(dir));
	str_format(path, sizeof path, "%s/m", dir);
	test_file(&f, ev, &s);
	test_trouble(&f);
	ev_loop_destroy(ev);
	unlink(path);
	rmdir(dir);
	return test_done();
}
