/* SPDX-License-Identifier: ISC */
/* Calls at the same time: how many, how they slow down, what ends them. */
#include "cmd/sandbox-worker/calls.h"

#include <fcntl.h>

#include "common/clock.h"
#include "tests/unit/fake_api.h"

enum {
	COUNT = 100,
	SOON_MS = 500, /* for what comes, where something else does not */
};

static struct calls *calls;
static struct error why;
static int begun, ended, succeeded, ambiguous, follow_ups;
static int wanted = COUNT;      /* calls to begin */
static char last_text[ERROR_TEXT_MAX];
static int busy;                /* so many attempts are refused ... */
static int64_t busy_ms;         /* ... until so much later */
static int never_from = -1;     /* no answer to this one and later ones */
static bool hangs;              /* what was refused gets no other answer */
static int64_t refused_ms, after_ms; /* when, and the next beginning */
static int break_fd = -1;       /* written to at the third end */

static struct fake_answer
serve(const struct api_request *r)
{
	int n = atoi(r->path + 1);

	if ((never_from != -1 && n >= never_from) ||
	    (hangs && refused_ms != 0))
		return (struct fake_answer){.never = true};
	if (busy > 0) {
		busy--;
		refused_ms = clock_ms();
		return (struct fake_answer){.status = 429,
		    .retry_ms = busy_ms};
	}
	return (struct fake_answer){.status = n == 7 ? 404 : 200};
}

static bool
next(struct calls *c, void *user)
{
	static int about[COUNT + 1];
	struct calls_subject subject = {user, &about[begun]};
	struct api_request r = {.method = "GET", .max = 10};
	char path[16];

	if (begun == wanted)
		return false;
	about[begun] = begun;
	if (refused_ms != 0 && after_ms == 0)
		after_ms = clock_ms();
	str_format(path, sizeof path, "/%d", begun++);
	r.path = path;
	if (calls_start(c, &r, &subject, &why) != 0)
		ended++;
	return true;
}

static void
done(struct calls *c, void *user, const struct calls_subject *about,
    struct api_response *r, const struct error *e)
{
	struct api_request again = {.method = "PUT", .path = "/x", .max = 10};
	struct error ignored;

	if (about->group != user)
		succeeded = -1000;
	if (++ended == 3 && break_fd != -1)
		io_write_all(break_fd, bytes_cstr("x"));
	succeeded += e == NULL && r->status == 200;
	ambiguous += e != NULL && r->ambiguous;
	if (e != NULL)
		str_format(last_text, sizeof last_text, "%s", e->text);
	/* What takes another call ends with that. */
	if (e == NULL && r->status == 404) {
		follow_ups++;
		ended--;
		calls_start(c, &again, about, &ignored);
	}
}

static int
run(size_t at_once, int64_t deadline_ms, int stop_fd)
{
	struct calls_work w = {
		.user = &why, .at_once = at_once, .deadline_ms = deadline_ms,
		.stop_fd = stop_fd, .next = next, .done = done,
	};

	begun = ended = succeeded = ambiguous = follow_ups = 0;
	refused_ms = after_ms = 0;
	fake_running_max = 0;
	fake_story();
	return calls_run(calls, &w);
}

static void
test_all(void)
{
	eq_int(run(32, CALLS_NO_DEADLINE, -1), 0, "all are made");
	eq_int(ended, COUNT, "and have ended");
	eq_int(succeeded, COUNT, "each, one with a second call");
	eq_int(follow_ups, 1, "that was a part of it");
	eq_int(fake_running_max, 32, "so many at once");
	eq_int(run(1, CALLS_NO_DEADLINE, -1), 0, "one after the other");
	eq_int(fake_running_max, 1, "if that is wanted");
	eq_int(run(CALLS_MAX, CALLS_NO_DEADLINE, -1), 0, "or all");
	eq_int(fake_running_max, CALLS_MAX, "at once");
	wanted = 0;
	eq_int(run(4, CALLS_NO_DEADLINE, -1), 0, "none is done at once");
	wanted = COUNT;
}

/* A fresh one begins with few. */
static void
test_window(void)
{
	calls_free(calls);
	calls = calls_new(NULL, &why);
	wanted = CALLS_FIRST;
	never_from = 0;
	eq_int(run(32, clock_ms() + SOON_MS, -1), -1, "without an answer");
	eq_int(fake_running_max, CALLS_FIRST, "no more than the first few");
	wanted = COUNT;
	eq_int(run(32, clock_ms() + SOON_MS, -1), -1, "nor later");
	eq_int(fake_running_max, CALLS_FIRST, "are begun");
	eq_int(begun, CALLS_FIRST, "and the others are left");
	never_from = -1;
	eq_int(run(32, CALLS_NO_DEADLINE, -1), 0, "more");
	eq_int(fake_running_max, 32, "for each that succeeds");
}

static void
test_pace(void)
{
	busy = 20;
	busy_ms = 300;
	eq_int(run(32, CALLS_NO_DEADLINE, -1), 0, "refused ones come later");
	eq_int(succeeded, COUNT, "all of them");
	ok(after_ms - refused_ms >= busy_ms - 1,
	    "none begins before the time: %d ms",
	    (int)(after_ms - refused_ms));
	never_from = 0;
	eq_int(run(CALLS_MAX, clock_ms() + SOON_MS, -1), -1,
	    "look at the window");
	eq_int(fake_running_max, CALLS_MAX, "it has grown again");
	never_from = -1;
	busy = 1;
	busy_ms = 1;
	never_from = 1;
	wanted = 1;
	run(CALLS_MAX, CALLS_NO_DEADLINE, -1);
	never_from = 0;
	wanted = COUNT;
	run(CALLS_MAX, clock_ms() + SOON_MS, -1);
	eq_int(fake_running_max, CALLS_MAX / 2 + 1, "half as many, and one");
	never_from = -1;
}

static void
test_ends(void)
{
	int ends[2];

	eq_int(run(32, clock_ms() - 1, -1), -1, "without time");
	eq_int(begun, 0, "nothing is begun");
	never_from = 40;
	eq_int(run(32, clock_ms() + SOON_MS, -1), -1, "the time is up");
	eq_int(ended, begun, "each has ended");
	eq_int(succeeded, 40, "those that were answered");
	eq_int(ambiguous, begun - 40, "nobody knows of the others");
	eq_str(last_text, "out of time", "that is why");
	busy = 1;
	busy_ms = 10000;
	never_from = -1;
	hangs = true;
	wanted = 1;
	eq_int(run(1, clock_ms() + SOON_MS, -1), -1, "a refusal to the end");
	eq_str(last_text, "out of time; the last answer was 429", "is told");
	wanted = COUNT;
	hangs = false;
	calls_free(calls);
	calls = calls_new(NULL, &why);
	eq_int(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0, "pipe");
	break_fd = ends[1];
	eq_int(run(2, CALLS_NO_DEADLINE, ends[0]), -1, "told to stop");
	eq_str(last_text, "told to stop", "it says so");
	ok(begun < COUNT && ended == begun, "in the middle");
	break_fd = -1;
	io_close(&ends[0]);
	io_close(&ends[1]);
}

int
main(void)
{
	int fds;

	fake_serve = serve;
	buf_init(&fake_log, FAKE_LOG_MAX);
	fds = test_open_fds();
	calls = calls_new(NULL, &why);
	test_all();
	test_window();
	test_pace();
	test_ends();
	calls_free(calls);
	eq_int(test_open_fds(), fds, "every descriptor is closed");
	buf_reset(&fake_log);
	return test_done();
}
