/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/status.h"

#include <stddef.h>
#include <sys/wait.h>

#include "common/offer.h"

enum { STATUS_MAX = 65536 };

static const struct {
	enum confine_layer layer;
	const char *name;
} layers[] = {
	{LAYER_USER, "user"}, {LAYER_MOUNT, "mount"}, {LAYER_PID, "pid"},
	{LAYER_NET, "net"}, {LAYER_IPC, "ipc"}, {LAYER_UTS, "uts"},
	{LAYER_CGROUP, "cgroup"}, {LAYER_LANDLOCK, "landlock"},
	{LAYER_SECCOMP, "seccomp"},
};

const char *
status_layer_name(enum confine_layer layer)
{
	for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
		if (layers[i].layer == layer)
			return layers[i].name;
	}
	return "unknown";
}

static void
add_degraded(struct jsonw *w, const struct confine *c)
{
	jsonw_key(w, "degraded");
	jsonw_open(w, '[');
	for (size_t i = 0; i < c->degraded_count; i++) {
		jsonw_open(w, '{');
		jsonw_key_str(w, "feature", c->degraded[i].feature);
		jsonw_key_str(w, "reason", c->degraded[i].reason);
		jsonw_key_str(w, "consequence", c->degraded[i].consequence);
		jsonw_close(w, '}');
	}
	jsonw_close(w, ']');
}

void
status_add_isolation(struct jsonw *w, const struct confine *c)
{
	static const char *const states[] = {
		[LIMIT_UNSET] = NULL,
		[LIMIT_ADVISORY] = "advisory",
		[LIMIT_ENFORCED] = "enforced",
	};

	jsonw_key_str(w, "tier", c->layers == 0 ? "none" :
	    c->tier == CONFINE_FULL ? "full" : "lsm");
	jsonw_key(w, "layers");
	jsonw_open(w, '{');
	for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
		jsonw_key(w, layers[i].name);
		jsonw_bool(w, (c->layers & layers[i].layer) != 0);
	}
	jsonw_key_int(w, "landlock_abi", c->landlock_abi);
	jsonw_close(w, '}');
	jsonw_key(w, "limits");
	jsonw_open(w, '{');
	for (int i = 0; i < LIMIT_COUNT; i++) {
		if (c->layers != 0 && c->limits.state[i] != LIMIT_UNSET)
			jsonw_key_str(w, limits_name((enum limit_kind)i),
			    states[c->limits.state[i]]);
	}
	jsonw_close(w, '}');
	add_degraded(w, c);
}

static void
add_rusage(struct jsonw *w, const struct rusage *u)
{
	jsonw_key(w, "rusage");
	jsonw_open(w, '{');
	jsonw_key_int(w, "user_us", u->ru_utime.tv_sec * 1000000LL +
	    u->ru_utime.tv_usec);
	jsonw_key_int(w, "system_us", u->ru_stime.tv_sec * 1000000LL +
	    u->ru_stime.tv_usec);
	jsonw_key_int(w, "max_rss_bytes", u->ru_maxrss * 1024);
	jsonw_key_int(w, "minor_faults", u->ru_minflt);
	jsonw_key_int(w, "major_faults", u->ru_majflt);
	jsonw_key_int(w, "read_blocks", u->ru_inblock);
	jsonw_key_int(w, "written_blocks", u->ru_oublock);
	jsonw_close(w, '}');
}

void
status_add_hit(struct jsonw *w, unsigned hit)
{
	jsonw_key(w, "limits_hit");
	jsonw_open(w, '[');
	for (int i = 0; i < LIMIT_COUNT; i++) {
		if ((hit & 1U << i) != 0)
			jsonw_str(w, limits_name((enum limit_kind)i));
	}
	jsonw_close(w, ']');
}

static void
add_number_or_null(struct jsonw *w, const char *key, bool is, int value)
{
	jsonw_key(w, key);
	if (is)
		jsonw_int(w, value);
	else
		jsonw_null(w);
}

/* What the end of a run is, in the status and in the audit file. */
static void
add_end(struct jsonw *w, const struct result *r)
{
	bool exited = r->ran && WIFEXITED(r->wait_status);
	bool killed = r->ran && WIFSIGNALED(r->wait_status);

	jsonw_key_int(w, "status", r->status);
	add_number_or_null(w, "exit", exited, WEXITSTATUS(r->wait_status));
	add_number_or_null(w, "signal", killed, WTERMSIG(r->wait_status));
	jsonw_key(w, "timed_out");
	jsonw_bool(w, r->timed_out);
	status_add_hit(w, r->hit);
	if (r->error.text[0] != '\0')
		jsonw_key_str(w, "error", r->error.text);
	jsonw_key_int(w, "wall_ms", r->wall_ms);
	add_rusage(w, &r->rusage);
	jsonw_key(w, "dropped_bytes");
	jsonw_open(w, '{');
	jsonw_key_int(w, "stdout", (int64_t)r->dropped[STREAM_OUT]);
	jsonw_key_int(w, "stderr", (int64_t)r->dropped[STREAM_ERR]);
	jsonw_close(w, '}');
}

int
status_write(int fd, const struct policy *p, const struct result *r)
{
	struct buf b;
	struct jsonw w;
	int status = -1;

	buf_init(&b, STATUS_MAX);
	jsonw_init(&w, &b);
	jsonw_open(&w, '{');
	add_end(&w, r);
	jsonw_key(&w, "isolation");
	jsonw_open(&w, '{');
	status_add_isolation(&w, &r->confine);
	jsonw_close(&w, '}');
	jsonw_key_str(&w, "policy", p->digest);
	jsonw_close(&w, '}');
	if (jsonw_ok(&w) && buf_add_str(&b, "\n") == 0)
		status = offer_all(fd, buf_bytes(&b));
	buf_reset(&b);
	return status;
}

void
status_audit_start(struct audit *a, const struct policy *p,
    const struct confine *c)
{
	if (a->fd == -1)
		return;
	audit_begin(a, "start");
	jsonw_key_str(&a->w, "policy", p->digest);
	status_add_isolation(&a->w, c);
	audit_end(a);
}

void
status_audit_end(struct audit *a, const struct policy *p,
    const struct result *r)
{
	if (a->fd == -1)
		return;
	audit_begin(a, "end");
	jsonw_key_str(&a->w, "policy", p->digest);
	add_end(&a->w, r);
	audit_end(a);
}

void
status_audit_kill(struct audit *a, const char *signal_name,
    const char *reason)
{
	if (a->fd == -1)
		return;
	audit_begin(a, "kill");
	jsonw_key_str(&a->w, "signal", signal_name);
	jsonw_key_str(&a->w, "reason", reason);
	audit_end(a);
}

void
status_audit_stop(struct audit *a, unsigned hit)
{
	if (a->fd == -1)
		return;
	audit_begin(a, "end");
	status_add_hit(&a->w, hit);
	audit_end(a);
}
