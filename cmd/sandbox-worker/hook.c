/* SPDX-License-Identifier: ISC */
/* "sandbox-worker hook": work is polled for when a webhook says that there
 * may be some.  One delivery from a CGI gateway, or all of them from a
 * listener: then a process of its own polls, which holds the environment key,
 * and this one, which the network reaches, holds the signing key. */
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/sandbox-worker/command.h"
#include "cmd/sandbox-worker/endpoint.h"
#include "cmd/sandbox-worker/hook.h"
#include "cmd/sandbox-worker/log.h"
#include "cmd/sandbox-worker/secret.h"
#include "cmd/sandbox-worker/secret_file.h"
#include "cmd/sandbox-worker/settings.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/num.h"
#include "common/proc.h"
#include "common/sock.h"
#include "common/str.h"

enum {
	FD_MAX = 1 << 20,
	SECRET_CAP = 4096,
	ARGUMENTS_MAX = 256,   /* for poll */
	WAKE_FD_CAP = 32,
};

#define KEY_VARIABLE "ANTHROPIC_WEBHOOK_SIGNING_KEY"

struct hook_settings {
	const char *listen, *key_file;
	int64_t key_fd, ready_fd;
};

#define FIELD(f) offsetof(struct hook_settings, f)

static const struct opt options[] = {
	{0, "listen", "ADDR:PORT", OPT_STRING, FIELD(listen), 0, 0, NULL,
	    "take deliveries here, as HTTP [one, as CGI]"},
	{0, "signing-key-file", "FILE", OPT_STRING, FIELD(key_file), 0, 0,
	    NULL, "file with the signing key"},
	{0, "signing-key-fd", "N", OPT_NUMBER, FIELD(key_fd), 0, FD_MAX, NULL,
	    "descriptor to read the signing key from"},
	{0, "ready-fd", "N", OPT_NUMBER, FIELD(ready_fd), 0, FD_MAX, NULL,
	    "write port=N there when listening"},
	OPT_END,
};

const struct opt_command hook_options = {
	.program = "sandbox-worker", .name = "hook",
	.operands = "[-- OPTIONS OF POLL]",
	.purpose = "Takes work from the queue when a webhook says that there "
	    "is some.",
	.opts = options,
};

/* ---- keys ---- */

static char *
find_variable(const char *name)
{
	size_t n = strlen(name);

	for (char *const *v = settings_variables(); *v != NULL; v++)
		if (strncmp(*v, name, n) == 0 && (*v)[n] == '=')
			return *v + n + 1;
	return NULL;
}

static void
wipe_variable(const char *name)
{
	char *value = find_variable(name);

	if (value != NULL)
		secret_wipe(value, strlen(value));
}

static int
read_key(const struct hook_settings *s, struct webhook_key *ret,
    struct error *e)
{
	char text[SECRET_CAP] = "";
	const char *variable = find_variable(KEY_VARIABLE);
	int r = 0;

	if (s->key_fd != -1)
		r = secret_file_add_fd("--signing-key-fd", (int)s->key_fd, e)
		    == 0 ? io_read_secret_fd((int)s->key_fd, text, e) : -1;
	else if (s->key_file != NULL)
		r = secret_file_add("--signing-key-file", s->key_file, e) == 0
		    ? io_read_secret_file(s->key_file, text, e) : -1;
	else if (variable == NULL || str_format(text, sizeof text, "%s",
	    variable) != 0)
		r = error_set(e, "no signing key: give --signing-key-file or "
		    KEY_VARIABLE);
	if (r == 0)
		r = webhook_key_parse(text, ret, e);
	secret_wipe(text, sizeof text);
	wipe_variable(KEY_VARIABLE);
	return r;
}

/* ---- polling ---- */

/* Calls poll with the options after "--" and these, which come first, so that
 * an operator can have other ones.  Returns its exit status. */
static int
poll_with(const char *const own[], size_t own_count, char *const given[])
{
	static char program[] = "sandbox-worker", name[] = "poll";
	char *argv[ARGUMENTS_MAX + 1] = {program, name};
	int argc = 2, status = EXIT_FAILED;

	for (size_t i = 0; i < own_count; i++)
		if ((argv[argc++] = strdup(own[i])) == NULL)
			return EXIT_TEMPORARY;
	while (*given != NULL && argc < ARGUMENTS_MAX)
		argv[argc++] = *given++;
	if (*given != NULL) {
		log_line(DIAG_ERROR, "too many options for poll");
		status = EXIT_USAGE;
	} else {
		status = command_poll(argc, argv);
	}
	for (size_t i = 0; i < own_count; i++)
		free(argv[2 + i]);
	return status;
}

/* ---- one delivery, from a gateway ---- */

static struct bytes
cgi_field(const char *name)
{
	const char *value = getenv(name);

	return value == NULL ? bytes_of(NULL, 0) : bytes_cstr(value);
}

/* Reads the body: CONTENT_LENGTH bytes, or all there is.  Returns 0, or the
 * status to answer with. */
static int
cgi_read_body(struct buf *body)
{
	const char *length = getenv("CONTENT_LENGTH");
	int64_t left = WEBHOOK_BODY_MAX + 1;

	if (length != NULL && length[0] != '\0' &&
	    num_parse(length, 0, WEBHOOK_BODY_MAX, &left) != 0)
		return WEBHOOK_MALFORMED;
	while (left > 0) {
		uint8_t *room = buf_reserve(body, (size_t)left);
		ssize_t n;

		if (room == NULL)
			return WEBHOOK_MALFORMED;
		n = read(STDIN_FILENO, room, (size_t)left);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		buf_commit(body, (size_t)n);
		left -= n;
	}
	return buf_len(body) > WEBHOOK_BODY_MAX ? WEBHOOK_MALFORMED : 0;
}

static int
cgi_judge(const struct webhook_key *key, bool *ret_work)
{
	const char *method = getenv("REQUEST_METHOD");
	struct webhook_delivery d = {
		.id = cgi_field("HTTP_WEBHOOK_ID"),
		.timestamp = cgi_field("HTTP_WEBHOOK_TIMESTAMP"),
		.signature = cgi_field("HTTP_WEBHOOK_SIGNATURE"),
	};
	struct buf body;
	int status;

	*ret_work = false;
	if (method != NULL && !str_eq(method, "POST")) {
		log_line(DIAG_WARNING, "delivery refused: not a POST");
		return 405;
	}
	buf_init(&body, WEBHOOK_BODY_MAX + 1);
	status = cgi_read_body(&body);
	if (status == 0) {
		d.body = buf_bytes(&body);
		status = endpoint_judge(key, &d, ret_work);
	} else {
		log_line(DIAG_WARNING, "delivery refused: no body of at most "
		    "1 MiB");
	}
	buf_reset(&body);
	return status;
}

/* The gateway answers when standard output ends; polling goes on. */
static int
cgi_answer(int status)
{
	printf("Status: %d\r\nContent-Type: text/plain\r\n\r\n", status);
	if (fflush(stdout) != 0)
		return -1;
	close(STDOUT_FILENO);
	return open("/dev/null", O_WRONLY) == STDOUT_FILENO ? 0 : -1;
}

static int
run_cgi(const struct webhook_key *key, char *const given[])
{
	static const char *const own[] = {
		"--drain", "--block=0ms", "--reclaim-older-than=2s",
	};
	bool work;
	int status = cgi_judge(key, &work);

	if (cgi_answer(status) != 0) {
		log_line(DIAG_ERROR, "standard output: %s", strerror(errno));
		return EXIT_FAILED;
	}
	if (status != WEBHOOK_OK)
		return EXIT_PERMANENT;
	return work ? poll_with(own, sizeof own / sizeof own[0], given)
	    : EXIT_OK;
}

/* ---- a listener ---- */

struct listener {
	struct endpoint *endpoint;
	int wake_fd;    /* of the process that polls */
	pid_t pid;
	ev_signal terminate, interrupt;
	ev_child child;
	int status;
};

/* A byte is enough, and one that waits there too. */
static void
wake(void *user)
{
	struct listener *l = user;

	if (write(l->wake_fd, "\n", 1) == -1 && errno != EAGAIN)
		log_line(DIAG_WARNING, "wake: %s", strerror(errno));
}

static void
on_terminate(struct ev_loop *loop, ev_signal *w, int events)
{
	struct listener *l = w->data;

	(void)loop;
	(void)events;
	endpoint_refuse(l->endpoint);
	kill(l->pid, SIGTERM);
}

static void
on_child(struct ev_loop *loop, ev_child *w, int events)
{
	struct listener *l = w->data;

	(void)events;
	l->status = proc_exit_status(w->rstatus);
	ev_break(loop, EVBREAK_ALL);
}

static void
watch_process(struct listener *l)
{
	ev_signal_init(&l->terminate, on_terminate, SIGTERM);
	ev_signal_init(&l->interrupt, on_terminate, SIGINT);
	ev_child_init(&l->child, on_child, l->pid, 0);
	l->terminate.data = l->interrupt.data = l->child.data = l;
	ev_signal_start(EV_DEFAULT, &l->terminate);
	ev_signal_start(EV_DEFAULT, &l->interrupt);
	ev_child_start(EV_DEFAULT, &l->child);
	/* It may have ended before the loop could hear of it. */
	ev_feed_signal_event(EV_DEFAULT, SIGCHLD);
}

/* Forks the process that polls.  Nothing of libcurl or OpenSSL has run.
 * Returns its pid, 0 in it, or -1. */
static pid_t
fork_poller(int wake[static 2])
{
	pid_t pid = -1;

	if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) != 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		io_close(&wake[1]);
	} else {
		io_close(&wake[0]);
	}
	return pid;
}

static int
poll_when_woken(int wake_fd, char *const given[])
{
	char option[WAKE_FD_CAP];
	const char *const own[] = {
		option, "--block=0ms", "--reclaim-older-than=2s",
	};

	str_format(option, sizeof option, "--wake-fd=%d", wake_fd);
	return poll_with(own, sizeof own / sizeof own[0], given);
}

static int
serve(struct listener *l, const struct hook_settings *s,
    const struct webhook_key *key)
{
	struct endpoint_settings settings = {
		.listen = s->listen, .key = key, .work = wake, .user = l,
	};
	char text[32];
	struct error e;
	uint16_t port;

	l->endpoint = endpoint_start(EV_DEFAULT, &settings, &port, &e);
	if (l->endpoint == NULL) {
		log_line(DIAG_ERROR, "%s", e.text);
		kill(l->pid, SIGTERM);
		waitpid(l->pid, NULL, 0);
		return EXIT_TEMPORARY;
	}
	watch_process(l);
	str_format(text, sizeof text, "port=%u", port);
	log_line(DIAG_NOTICE, "listening for webhooks: %s", text);
	io_announce_ready((int)s->ready_fd, text);
	ev_run(EV_DEFAULT, 0);
	endpoint_free(l->endpoint);
	return l->status;
}

/* Only the process that polls has use for the environment's key. */
static void
forget_environment_key(char *const given[])
{
	static const char option[] = "--environment-key";
	size_t n = strlen(option);

	wipe_variable("ANTHROPIC_ENVIRONMENT_KEY");
	wipe_variable("ANTHROPIC_WORK_SECRET");
	wipe_variable("ANTHROPIC_CUSTOM_HEADERS");
	for (; *given != NULL; given++) {
		if (str_eq(*given, option) && given[1] != NULL)
			secret_wipe(given[1], strlen(given[1]));
		else if (str_starts(*given, option) && (*given)[n] == '=')
			secret_wipe(*given + n, strlen(*given + n));
	}
}

static int
run_listener(const struct hook_settings *s, struct webhook_key *key,
    char *const given[])
{
	struct listener l = {.wake_fd = -1};
	int wake_pipe[2] = {-1, -1}, status;

	l.pid = fork_poller(wake_pipe);
	if (l.pid == -1) {
		log_line(DIAG_ERROR, "fork: %s", strerror(errno));
		return EXIT_TEMPORARY;
	}
	if (l.pid == 0) {
		secret_wipe(key, sizeof *key);
		return poll_when_woken(wake_pipe[0], given);
	}
	forget_environment_key(given);
	l.wake_fd = wake_pipe[1];
	status = serve(&l, s, key);
	io_close(&l.wake_fd);
	ev_loop_destroy(EV_DEFAULT);
	return status;
}

int
command_hook(int argc, char **argv)
{
	struct hook_settings s = {.key_fd = -1, .ready_fd = -1};
	struct webhook_key key;
	struct error e;
	int operand, status;

	if (!opt_begin(&hook_options, argc, argv, 2, &s, &operand, &status))
		return status;
	if (s.listen != NULL && sock_check_listen(s.listen, &e) != 0) {
		error_prefix(&e, "--listen");
		return opt_usage_error(&hook_options, &e);
	}
	if (read_key(&s, &key, &e) != 0)
		return opt_usage_error(&hook_options, &e);
	status = s.listen == NULL ? run_cgi(&key, argv + operand)
	    : run_listener(&s, &key, argv + operand);
	secret_wipe(&key, sizeof key);
	return status;
}
