/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/explain.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/sandbox-exec/confine.h"
#include "cmd/sandbox-exec/probe.h"
#include "cmd/sandbox-exec/remedy.h"
#include "cmd/sandbox-exec/status.h"
#include "common/diag.h"
#include "common/exit.h"
#include "common/io.h"

enum { PROBES_MAX = 64, TEXT_MAX = 1 << 20 };

struct probing {
	const struct policy *policy;
	int fd;
};

/* In the payload's place: one byte for each probe. */
static int
run_probes(void *arg)
{
	const struct probing *g = arg;
	uint8_t refused[PROBES_MAX];

	for (size_t i = 0; i < probe_count; i++)
		refused[i] = probes[i].refused(g->policy);
	return io_write_all(g->fd, bytes_of(refused, probe_count)) == 0 ?
	    EXIT_OK : EXIT_FAILED;
}

/* Builds a sandbox and lets it try.  Returns 0, or -1 with a text. */
static int
probe(const struct policy *p, struct confine *c,
    uint8_t refused[static PROBES_MAX], struct error *e)
{
	struct probing g = {.policy = p};
	struct confine_io io = {.in = 0, .out = 1, .err = 2,
		.probe = run_probes, .probe_arg = &g};
	struct confine_end end;
	ssize_t n = 0;
	int pair[2];
	int state = 0;

	if (pipe2(pair, O_CLOEXEC) != 0)
		return error_errno(e, "pipe");
	g.fd = pair[1];
	if (confine_start(p, &io, c, e) == 0) {
		close(pair[1]);
		while (state == 0)
			state = confine_receive(c, &end);
		n = read(pair[0], refused, probe_count);
		confine_stop(c);
	} else {
		close(pair[1]);
		n = -1;
	}
	close(pair[0]);
	if (n == -1)
		return -1;
	return n == (ssize_t)probe_count ? 0 :
	    error_set(e, "the probes ended early");
}

static bool
is_promised(const struct policy *p, const struct confine *c, size_t i)
{
	return probes[i].promised == NULL ||
	    probes[i].promised(p, c->tier == CONFINE_FULL);
}

static const char *
word_of(bool refused, bool promised)
{
	if (refused)
		return "refused";
	return promised ? "NOT REFUSED" : "allowed";
}

static void
print_remedies(const struct confine *c)
{
	int proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < c->degraded_count; i++) {
		const char *text = remedy_find(&c->degraded[i], proc_fd);

		if (text != NULL)
			printf("remedy: %s: %s\n", c->degraded[i].feature,
			    text);
	}
	io_close(&proc_fd);
}

static void
add_remedies(struct jsonw *w, const struct confine *c)
{
	int proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	jsonw_key(w, "remedies");
	jsonw_open(w, '{');
	for (size_t i = 0; i < c->degraded_count; i++) {
		const char *text = remedy_find(&c->degraded[i], proc_fd);

		if (text != NULL)
			jsonw_key_str(w, c->degraded[i].feature, text);
	}
	jsonw_close(w, '}');
	io_close(&proc_fd);
}

static void
print_tier(const struct confine *c)
{
	bool landlock = (c->layers & LAYER_LANDLOCK) != 0;

	if (c->layers == 0)
		printf("isolation: none: nothing would be run\n");
	else if (c->tier == CONFINE_FULL)
		printf("isolation: full: namespaces, %sseccomp%s\n",
		    landlock ? "Landlock, " : "",
		    landlock ? "" : ", no Landlock");
	else
		printf("isolation: lsm: Landlock and seccomp, no "
		    "namespaces\n");
}

/* refused: NULL if there was no sandbox to try it in. */
static void
print_text(const struct policy *p, const struct confine *c,
    const uint8_t *refused)
{
	print_tier(c);
	printf("layers:");
	for (unsigned bit = LAYER_USER; bit <= LAYER_SECCOMP; bit <<= 1)
		printf(" %s%s", (c->layers & bit) != 0 ? "" : "no-",
		    status_layer_name((enum confine_layer)bit));
	printf("\nlandlock ABI: %d\n", c->landlock_abi);
	for (int i = 0; i < LIMIT_COUNT; i++) {
		if (c->layers != 0 && c->limits.state[i] != LIMIT_UNSET)
			printf("limit %s: %s\n",
			    limits_name((enum limit_kind)i),
			    c->limits.state[i] == LIMIT_ENFORCED ?
			    "enforced" : "advisory");
	}
	for (size_t i = 0; refused != NULL && i < probe_count; i++)
		printf("%s: %s: %s\n", probes[i].layer, probes[i].attempt,
		    word_of(refused[i], is_promised(p, c, i)));
	for (size_t i = 0; i < c->degraded_count; i++)
		printf("degraded: %s: %s: %s\n", c->degraded[i].feature,
		    c->degraded[i].reason, c->degraded[i].consequence);
	print_remedies(c);
	printf("policy: %s\n", p->digest);
}

static void
add_probes(struct jsonw *w, const struct policy *p, const struct confine *c,
    const uint8_t *refused)
{
	jsonw_key(w, "probes");
	jsonw_open(w, '[');
	for (size_t i = 0; refused != NULL && i < probe_count; i++) {
		jsonw_open(w, '{');
		jsonw_key_str(w, "layer", probes[i].layer);
		jsonw_key_str(w, "attempt", probes[i].attempt);
		jsonw_key(w, "refused");
		jsonw_bool(w, refused[i]);
		jsonw_key(w, "promised");
		jsonw_bool(w, is_promised(p, c, i));
		jsonw_close(w, '}');
	}
	jsonw_close(w, ']');
}

static int
print_json(const struct policy *p, const struct confine *c,
    const uint8_t *refused)
{
	struct buf b, policy;
	struct jsonw w;
	int r = -1;

	buf_init(&b, TEXT_MAX);
	buf_init(&policy, TEXT_MAX);
	jsonw_init(&w, &b);
	jsonw_open(&w, '{');
	status_add_isolation(&w, c);
	add_remedies(&w, c);
	add_probes(&w, p, c, refused);
	jsonw_key_str(&w, "digest", p->digest);
	jsonw_key(&w, "policy");
	if (jsonw_ok(&w) && policy_format(p, &policy) == 0 &&
	    buf_add(&b, buf_bytes(&policy)) == 0 &&
	    buf_add_str(&b, "}\n") == 0) {
		struct bytes out = buf_bytes(&b);

		r = fwrite(out.ptr, 1, out.len, stdout) == out.len ? 0 : -1;
	}
	buf_reset(&b);
	buf_reset(&policy);
	return r;
}

/* Whether nothing that is promised got through. */
static bool
is_kept(const struct policy *p, const struct confine *c,
    const uint8_t *refused)
{
	for (size_t i = 0; i < probe_count; i++) {
		if (!refused[i] && is_promised(p, c, i))
			return false;
	}
	return true;
}

int
explain_run(const struct policy *p, bool json)
{
	static struct confine c;
	uint8_t all[PROBES_MAX], *refused = all;
	struct error e = {.code = EXIT_SANDBOX};
	struct policy lax = *p;
	bool kept = probe(p, &c, all, &e) == 0;

	if (!kept)
		diag_error("%s", e.text);
	/* What there is instead of what is required. */
	lax.require = 0;
	if (!kept && (p->require == 0 || probe(&lax, &c, all, &e) != 0))
		refused = NULL;
	if (refused == NULL && c.degraded_count == 0)
		return EXIT_SANDBOX;
	if (json && print_json(p, &c, refused) != 0) {
		diag_error("the policy is too long to be shown");
		return EXIT_SANDBOX;
	}
	if (!json)
		print_text(p, &c, refused);
	if (opt_close_stdout() != EXIT_OK)
		return EXIT_SANDBOX;
	return !kept || (p->require != 0 && !is_kept(p, &c, refused)) ?
	    EXIT_SANDBOX : EXIT_OK;
}
