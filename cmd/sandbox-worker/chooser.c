/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/chooser.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/sandbox-worker/content.h"
#include "cmd/sandbox-worker/policy.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/jsonr.h"
#include "common/jsonw.h"
#include "common/proc.h"

enum {
	/* A program is escaped, at worst to six times its length. */
	ORDER_MAX = CONTENT_SESSION_MAX + 6 * CHOOSER_PROGRAM_MAX + 4096,
};

/* The sanitizers map the whole address space. */
#if defined(__SANITIZE_ADDRESS__)
#define MEMORY_MAX RLIM_INFINITY
#else
#define MEMORY_MAX CHOOSER_MEMORY_MAX
#endif

struct chooser {
	struct ev_loop *ev;
	ev_child child;
	ev_timer limit;
	pid_t pid;
	int out_fd;
	bool late;
	const char *file;
	chooser_done *done;
	void *user;
};

/* ---- the process ---- */

static int
limit(int resource, rlim_t n)
{
	struct rlimit l = {n, n};

	return setrlimit((unsigned)resource, &l);
}

static int
read_order(struct bytes in, char program[static CHOOSER_PROGRAM_MAX + 1],
    struct bytes *ret_session, struct work *ret_work, struct error *e)
{
	struct jsonr v, session;

	if (jsonr_parse_object(in, &v, e) != 0 ||
	    jsonr_get_str(v, "program", program, CHOOSER_PROGRAM_MAX + 1,
	    e) == -1 || jsonr_get(v, "session", &session, e) == -1 ||
	    jsonr_get_str(v, "work_id", ret_work->id, sizeof ret_work->id,
	    e) == -1 || jsonr_get_str(v, "session_id", ret_work->session_id,
	    sizeof ret_work->session_id, e) == -1 || jsonr_get_str(v,
	    "environment_id", ret_work->environment_id,
	    sizeof ret_work->environment_id, e) == -1)
		return -1;
	*ret_session = session.text;
	return 0;
}

int
chooser_main(void)
{
	static char program[CHOOSER_PROGRAM_MAX + 1];
	static struct work work;
	struct bytes session;
	struct buf order, policy;
	struct error e;
	int r = -1;

	buf_init(&order, ORDER_MAX);
	buf_init(&policy, CHOOSER_POLICY_MAX);
	if (limit(RLIMIT_CPU, CHOOSER_MS / 1000 + 1) != 0 ||
	    limit(RLIMIT_AS, MEMORY_MAX) != 0)
		error_errno(&e, "limits");
	else if (io_read_fd(STDIN_FILENO, "the order", &order, &e) == 0 &&
	    read_order(buf_bytes(&order), program, &session, &work, &e) == 0)
		r = policy_evaluate(program, session, &work, &policy, &e);
	io_write_all(STDOUT_FILENO, r == 0 ? buf_bytes(&policy)
	    : bytes_cstr(e.text));
	buf_reset(&order);
	buf_reset(&policy);
	return r == 0 ? EXIT_OK : EXIT_FAILED;
}

/* ---- the one that starts it ---- */

static int
write_order(struct buf *out, const char *file, struct bytes session,
    const struct work *work, struct error *e)
{
	struct buf program;
	struct jsonw w;
	int r;

	buf_init(&program, CHOOSER_PROGRAM_MAX);
	r = io_read_file(file, &program, e);
	jsonw_init(&w, out);
	jsonw_open(&w, '{');
	jsonw_key(&w, "program");
	jsonw_bytes(&w, buf_bytes(&program));
	jsonw_key_str(&w, "work_id", work->id);
	jsonw_key_str(&w, "session_id", work->session_id);
	jsonw_key_str(&w, "environment_id", work->environment_id);
	jsonw_key(&w, "session");
	w.failed = w.failed || buf_add(out, session) != 0;
	jsonw_close(&w, '}');
	buf_reset(&program);
	if (r == 0 && !jsonw_ok(&w))
		r = error_set(e, "%s: out of memory", file);
	return r;
}

/* The order in a file that is nowhere: nobody has to wait while it is
 * written. */
static int
open_order(const char *file, struct bytes session, const struct work *work,
    struct error *e)
{
	int fd = memfd_create("order", MFD_CLOEXEC);
	struct buf order;
	int r;

	buf_init(&order, ORDER_MAX);
	r = write_order(&order, file, session, work, e);
	if (r == 0 && (fd == -1 || io_write_all(fd, buf_bytes(&order)) != 0 ||
	    lseek(fd, 0, SEEK_SET) != 0))
		r = error_errno(e, "%s", file);
	buf_reset(&order);
	if (r != 0)
		io_close(&fd);
	return fd;
}

/* What it has said: a pipe holds all of it. */
static void
take_output(struct chooser *c, int status)
{
	struct buf out;
	struct error e;
	int r;

	buf_init(&out, CHOOSER_POLICY_MAX);
	r = io_read_fd(c->out_fd, c->file, &out, &e);
	if (c->late)
		r = error_set(&e, "%s: no policy came in %d s", c->file,
		    CHOOSER_MS / 1000);
	else if (r == 0 && status == EXIT_FAILED)
		r = error_set(&e, "%s: %.*s", c->file, (int)buf_len(&out),
		    (const char *)buf_bytes(&out).ptr);
	else if (r == 0 && status != EXIT_OK)
		r = error_set(&e, "%s: its process ended with status %d",
		    c->file, status);
	c->done(c->user, buf_bytes(&out), r == 0 ? NULL : &e);
	buf_reset(&out);
}

static void
child_ended(struct ev_loop *ev, ev_child *w, int revents)
{
	struct chooser *c = w->data;

	(void)revents;
	ev_child_stop(ev, w);
	c->pid = 0;
	take_output(c, proc_exit_status(w->rstatus));
	chooser_free(c);
}

static void
limit_reached(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct chooser *c = w->data;

	(void)ev;
	(void)revents;
	c->late = true;
	kill(c->pid, SIGKILL);
}

static int
start_process(struct chooser *c, int order_fd, struct error *e)
{
	static const char *const argv[] = {"sandbox-worker", "choose", NULL};
	struct proc_command command = {.path = "/proc/self/exe",
		.argv = argv, .envp = environ,
		.fds = {order_fd, -1, STDERR_FILENO, -1},
		.death_signal = SIGKILL};
	int out[2];

	if (pipe2(out, O_CLOEXEC) != 0)
		return error_errno(e, "pipe");
	command.fds[1] = out[1];
	c->pid = proc_spawn(&command, e);
	io_close(&out[1]);
	c->out_fd = out[0];
	return c->pid == -1 ? -1 : 0;
}

struct chooser *
chooser_start(struct ev_loop *ev, const char *file, struct bytes session,
    const struct work *work, chooser_done *done, void *user,
    struct error *e)
{
	struct chooser *c = calloc(1, sizeof *c);
	int order_fd, r;

	if (c == NULL) {
		error_set(e, "out of memory");
		return NULL;
	}
	*c = (struct chooser){.ev = ev, .out_fd = -1, .file = file,
		.done = done, .user = user};
	order_fd = open_order(file, session, work, e);
	r = order_fd == -1 ? -1 : start_process(c, order_fd, e);
	io_close(&order_fd);
	if (r != 0) {
		c->pid = 0;
		chooser_free(c);
		return NULL;
	}
	ev_child_init(&c->child, child_ended, c->pid, 0);
	ev_timer_init(&c->limit, limit_reached, CHOOSER_MS / 1000.0, 0);
	c->child.data = c->limit.data = c;
	ev_child_start(ev, &c->child);
	ev_now_update(ev);
	ev_timer_start(ev, &c->limit);
	return c;
}

void
chooser_free(struct chooser *c)
{
	if (c == NULL)
		return;
	ev_timer_stop(c->ev, &c->limit);
	if (c->pid != 0) {
		ev_child_stop(c->ev, &c->child);
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
	}
	io_close(&c->out_fd);
	free(c);
}
