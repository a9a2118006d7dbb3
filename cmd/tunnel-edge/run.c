/* SPDX-License-Identifier: ISC */
/* tunnel-edge run: sets everything up that can fail, says that it is ready,
 * and serves until it is told to go away. */
#include <assert.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>

#include "cmd/tunnel-edge/agent.h"
#include "cmd/tunnel-edge/command.h"
#include "cmd/tunnel-edge/link.h"
#include "cmd/tunnel-edge/metrics.h"
#include "cmd/tunnel-edge/status.h"
#include "cmd/tunnel-edge/watch.h"
#include "common/cert.h"
#include "common/clock.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/proc.h"
#include "common/sock.h"
#include "common/str.h"
#include "common/tls.h"

enum {
	AGENTS_DEFAULT = 16384,
	AGENTS_MAX = 1000000,
	OTHER_FDS = 2048,       /* links, agents without a stream, files */
	HELLO_TIMEOUT_MS = 10000,
	DRAIN_MS = 30000,
	WARN_DAYS = 14,         /* before the certificate ends */
	DAY_S = 24 * 3600,
	LOGINS_BURST = 32,
	LOGINS_EVERY_MS = 2000,
};

/* Of one source: as many connectors as a site may have, all at once, and then
 * those that are wrong every two seconds.  Valid ones do not count. */
static const struct pacer_shape login_shape = {LOGINS_BURST, LOGINS_EVERY_MS};

#define FIELD(field) offsetof(struct edge_settings, field)
static const struct opt run_rows[] = {
	COMMAND_STATE_ROW("the state directory"),
	{0, "agents", "ADDR", OPT_STRING, FIELD(agents), 0, 0, NULL,
	    "listen for agents on host:port, such as :443"},
	{0, "connectors", "ADDR", OPT_STRING, FIELD(connectors), 0, 0, NULL,
	    "listen for connectors on host:port, such as :7844"},
	{0, "cert", "FILE", OPT_STRING, FIELD(cert), 0, 0, NULL,
	    "certificate for connectors [DIR/edge.crt]"},
	{0, "key", "FILE", OPT_STRING, FIELD(key), 0, 0, NULL,
	    "its private key [DIR/edge.key]"},
	{0, "metrics", "FILE", OPT_STRING, FIELD(metrics), 0, 0, NULL,
	    "keep metrics there, as Prometheus text"},
	{0, "ready-fd", "N", OPT_NUMBER, FIELD(ready_fd), 0, INT_MAX, NULL,
	    "write the ports there once both listen"},
	{0, "ping", "TIME", OPT_DURATION, FIELD(ping_ms), 100, 3600 * 1000,
	    NULL, "ping links this often; dead after three [4s]"},
	{0, "hello-timeout", "TIME", OPT_DURATION, FIELD(hello_timeout_ms), 100,
	    3600 * 1000, NULL, "for a ClientHello or HELLO to come [10s]"},
	{0, "drain", "TIME", OPT_DURATION, FIELD(drain_ms), 0, 24 * 3600 * 1000,
	    NULL, "wait for streams on SIGTERM [30s]"},
	{0, "max-agents", "N", OPT_NUMBER, FIELD(agents_max), 1, AGENTS_MAX,
	    NULL, "agents with a stream at once [16384]"},
	OPT_END,
};
#undef FIELD

const struct opt_command run_options = {
	"tunnel-edge", "run", "",
	"Serves agents and connectors until SIGTERM.", run_rows, true,
};

/* ---- the certificate ---- */

/* The path of a file that an option names or the state directory has. */
static int
find_file(const struct edge_settings *s, const char *given, const char *name,
    char out[static PATH_MAX], struct error *e)
{
	int r = given != NULL ? str_format(out, PATH_MAX, "%s", given)
	    : str_format(out, PATH_MAX, "%s/%s", s->state, name);

	return r == 0 ? 0 : error_errno(e, "%s", name);
}

static void
warn_expiry(const char *path)
{
	int64_t end, now = clock_wall_s();
	char text[CLOCK_TIME_CAP];
	struct error ignored;
	struct buf b;

	buf_init(&b, CERT_FILE_MAX);
	if (io_check_again(path, &ignored) == 0 &&
	    io_read_file(path, &b, &ignored) == 0 &&
	    buf_add(&b, bytes_of("", 1)) == 0 &&
	    cert_expiry((const char *)buf_bytes(&b).ptr, &end,
	    &ignored) == 0 && end < now + (int64_t)WARN_DAYS * DAY_S)
		diag_warning("%s: the certificate ends at %s", path,
		    clock_format_time(end, text));
	buf_reset(&b);
}

static int
load_cert(struct edge *e, struct error *error)
{
	char cert[PATH_MAX], key[PATH_MAX];
	struct tls_server_settings settings = {.cert_file = cert,
	    .key_file = key, .alpn = "adit/1", .ask_client_cert = true,
	    .bulk = true};
	struct tls_context *tls;

	if (find_file(e->settings, e->settings->cert, "edge.crt", cert,
	    error) != 0 ||
	    find_file(e->settings, e->settings->key, "edge.key", key,
	    error) != 0)
		return -1;
	if (e->tls != NULL && (io_check_again(cert, error) != 0 ||
	    io_check_again(key, error) != 0))
		return -1;
	tls = tls_context_server(&settings, error);
	if (tls == NULL)
		return -1;
	warn_expiry(cert);
	if (e->tls != NULL)
		tls_context_free(e->tls);
	e->tls = tls;
	return 0;
}

static void
on_sighup(struct ev_loop *ev, ev_signal *w, int revents)
{
	struct edge *e = w->data;
	struct error error;

	(void)ev;
	(void)revents;
	io_notify_reload();
	if (load_cert(e, &error) != 0)
		diag_warning("%s, the old certificate stays", error.text);
	else
		diag_notice("certificate loaded");
	watch_reload(e);
	io_notify("READY=1");
}

/* ---- what is said of others ---- */

bool
edge_says(struct edge *e, unsigned line, uint64_t source)
{
	return quiet_allows(&e->quiet, line, source, clock_ms());
}

unsigned
edge_line_of(enum edge_line base, unsigned code)
{
	return (unsigned)base + (code <= FRAME_DENIED ? code : 0);
}

static void
say_left_out(unsigned line, uint64_t n)
{
	static const char *const what[] = {
		[LINE_AGENT_LEFT] = "agent left",
		[LINE_STRANGER] = "link refused: too many failed logins",
		[LINE_ACCEPT_AGENTS] = "agents: accept",
		[LINE_ACCEPT_CONNECTORS] = "connectors: accept",
		[LINE_ACCEPT_STATUS] = "status: accept",
		[LINE_NO_MEMORY] = "connectors: accept: no memory",
	};
	unsigned code = line % LINE_LINK_REFUSED;

	static_assert((int)LINE_COUNT <= (int)QUIET_KINDS_MAX, "kinds of lines");
	if (line >= LINE_AGENT_LEFT)
		diag_notice("%s: left_out=%llu", what[line],
		    (unsigned long long)n);
	else
		diag_notice("%s refused: code=%s left_out=%llu",
		    line < LINE_LINK_REFUSED ? "agent" : "link",
		    code == 0 ? "other" : frame_code_name((uint16_t)code),
		    (unsigned long long)n);
}

/* ---- the end ---- */

void
edge_review(struct edge *e)
{
	if (e->phase != EDGE_SERVING)
		ev_timer_start(e->ev, &e->review);
}

static void
end(struct edge *e)
{
	struct link *next;

	e->phase = EDGE_ENDING;
	ev_timer_stop(e->ev, &e->drain);
	for (struct link *l = e->links; l != NULL; l = next) {
		next = l->next;
		link_close(l, FRAME_DRAINING, BLAME_EDGE,
		    "the edge goes away");
	}
	edge_review(e);
}

static void
on_review(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct edge *e = w->data;

	(void)revents;
	if (e->phase == EDGE_DRAINING && e->agent_count == 0)
		end(e);
	else if (e->phase == EDGE_ENDING && e->links == NULL &&
	    e->waiting_count == 0)
		ev_break(ev, EVBREAK_ALL);
}

static void
on_drain_end(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct edge *e = w->data;

	(void)ev;
	(void)revents;
	diag_warning("draining: %zu streams did not end in time",
	    e->agent_count);
	end(e);
}

/* The first signal drains, the second ends. */
static void
on_terminate(struct ev_loop *ev, ev_signal *w, int revents)
{
	struct edge *e = w->data;
	struct link *next;

	(void)revents;
	if (e->phase != EDGE_SERVING) {
		if (e->phase == EDGE_DRAINING)
			end(e);
		return;
	}
	io_notify("STOPPING=1");
	diag_notice("draining: streams=%zu", e->agent_count);
	e->phase = EDGE_DRAINING;
	listener_close(&e->agents);
	listener_close(&e->connectors);
	ev_timer_set(&e->drain, (double)e->settings->drain_ms / 1000, 0);
	ev_timer_start(ev, &e->drain);
	agent_refuse_waiting(e);
	for (struct link *l = e->links; l != NULL; l = next) {
		next = l->next;
		link_drain(l);
	}
	edge_review(e);
}

/* ---- the start ---- */

static void
raise_files(const struct edge_settings *s)
{
	uint64_t limit = proc_raise_files();
	uint64_t need = (uint64_t)s->agents_max + OTHER_FDS;

	if (limit < need)
		diag_warning("open files: the limit is %llu, %llu agents may "
		    "need %llu", (unsigned long long)limit,
		    (unsigned long long)s->agents_max,
		    (unsigned long long)need);
}

static void
start_signals(struct edge *e)
{
	ev_signal_init(&e->sigterm, on_terminate, SIGTERM);
	ev_signal_init(&e->sigint, on_terminate, SIGINT);
	ev_signal_init(&e->sighup, on_sighup, SIGHUP);
	ev_timer_init(&e->drain, on_drain_end, 0, 0);
	ev_timer_init(&e->review, on_review, 0, 0);
	e->sigterm.data = e->sigint.data = e->sighup.data = e->drain.data =
	    e->review.data = e;
	ev_signal_start(e->ev, &e->sigterm);
	ev_signal_start(e->ev, &e->sigint);
	ev_signal_start(e->ev, &e->sighup);
	proc_take_hangup();
}

/* Returns EXIT_OK, or another exit status with a text. */
static int
set_up(struct edge *e, struct error *error)
{
	const struct edge_settings *s = e->settings;

	if (state_open(s->state, &e->state, error) != 0 ||
	    load_cert(e, error) != 0 || metrics_start(e, error) != 0)
		return EXIT_USAGE;
	if (status_start(e, error) != 0 || watch_start(e, error) != 0 ||
	    listener_open(&e->agents, e->ev, s->agents, error) != 0 ||
	    listener_open(&e->connectors, e->ev, s->connectors, error) != 0)
		return EXIT_FAILED;
	return EXIT_OK;
}

static void
announce(struct edge *e)
{
	char text[64];

	str_format(text, sizeof text, "agents=%u connectors=%u",
	    e->agents.port, e->connectors.port);
	diag_notice("serving: %s", text);
	io_announce_ready((int)e->settings->ready_fd, text);
}

static void
tear_down(struct edge *e)
{
	listener_close(&e->agents);
	listener_close(&e->connectors);
	promfile_stop(&e->promfile);
	status_stop(e);
	watch_stop(e);
	table_done(&e->table);
	quiet_done(&e->quiet);
	buf_reset(&e->open_json);
	tls_context_free(e->tls);
	state_close(&e->state);
	ev_loop_destroy(e->ev);
}

static int
serve(const struct edge_settings *s)
{
	struct edge *e = calloc(1, sizeof *e);
	struct error error;
	int status;

	if (e == NULL) {
		error_errno(&error, "memory");
		return command_failed(&error);
	}
	e->settings = s;
	e->ev = EV_DEFAULT;
	e->state = (struct state){s->state, -1, -1, -1};
	e->agents = (struct listener){.fd = -1, .who = "agents",
	    .quiet = &e->quiet, .line = LINE_ACCEPT_AGENTS,
	    .accepted = agent_accept, .user = e};
	e->connectors = (struct listener){.fd = -1, .who = "connectors",
	    .quiet = &e->quiet, .line = LINE_ACCEPT_CONNECTORS,
	    .accepted = link_accept, .user = e};
	e->status = (struct listener){.fd = -1, .who = "status",
	    .quiet = &e->quiet, .line = LINE_ACCEPT_STATUS,
	    .accepted = status_accept, .user = e};
	quiet_init(&e->quiet, e->ev, say_left_out);
	pacer_init(&e->logins, &login_shape);
	pacer_init(&e->known, &login_shape);
	buf_init(&e->open_json, FRAME_HELLO_MAX);
	hop_loop_init(&e->hops, e->ev);
	raise_files(s);
	status = set_up(e, &error);
	if (status == EXIT_OK) {
		start_signals(e);
		listener_start(&e->agents);
		listener_start(&e->connectors);
		announce(e);
		ev_run(e->ev, 0);
		diag_notice("ended");
	} else {
		command_failed(&error);
	}
	tear_down(e);
	free(e);
	return status;
}

int
command_run(int argc, char **argv)
{
	struct edge_settings s = {.ready_fd = -1,
	    .ping_ms = HOP_PING_DEFAULT_MS,
	    .hello_timeout_ms = HELLO_TIMEOUT_MS, .drain_ms = DRAIN_MS,
	    .agents_max = AGENTS_DEFAULT};
	struct error e = {.text = ""};
	struct command_operands operands;
	int status = EXIT_OK;

	proc_hold_hangup();
	if (command_parse(&run_options, argc, argv, &s, &s.state, &operands,
	    &status) != OPT_RUN)
		return status;
	if (operands.count != 0)
		error_set(&e, "no operand is taken");
	else if (s.agents == NULL || s.connectors == NULL)
		error_set(&e, "--agents and --connectors are required");
	else if ((s.cert == NULL) != (s.key == NULL))
		error_set(&e, "--cert and --key go together");
	else if (sock_check_listen(s.agents, &e) != 0)
		error_prefix(&e, "--agents");
	else if (sock_check_listen(s.connectors, &e) != 0)
		error_prefix(&e, "--connectors");
	if (e.text[0] != '\0')
		return opt_usage_error(&run_options, &e);
	proc_forbid_core();
	return serve(&s);
}
