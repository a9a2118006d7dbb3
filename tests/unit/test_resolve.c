/* SPDX-License-Identifier: ISC */
/* The resolver against a DNS server in the same loop, and what the guard says
 * to an upstream whose name changes its mind (DNS rebinding). */
#include <arpa/inet.h>

#include "common/guard.h"
#include "common/resolve.h"
#include "tests/unit/test.h"

enum {
	DNS_HEADER = 12, DNS_MAX = 512, TYPE_A = 1, TYPE_AAAA = 28,
	RCODE_NXDOMAIN = 3, TTL_LEN = 4,
};

/* Answers for A queries, one a query, the last again and again. */
struct server {
	ev_io io;
	int fd;
	char address[SOCK_TEXT_MAX];
	const char *const *answers; /* "10.0.0.1,10.0.0.2", "nxdomain" or
	                             * "drop" */
	size_t at;
	const char *aaaa; /* the only answer for AAAA, or NULL */
	int queries;
};

struct result {
	bool done;
	size_t count;
	struct sock_addr addrs[RESOLVE_MAX];
	struct error why;
};

static struct ev_loop *loop;

static size_t
add_records(uint8_t *out, const char *list, int family)
{
	size_t len = family == AF_INET ? 4 : 16, used = 0;

	while (*list != '\0') {
		size_t n = strcspn(list, ",");
		char ip[INET6_ADDRSTRLEN];
		uint8_t *at = out + used;

		snprintf(ip, sizeof ip, "%.*s", (int)n, list);
		be16_put(at, 0xc000 | DNS_HEADER);
		be16_put(at + 2, family == AF_INET ? TYPE_A : TYPE_AAAA);
		be16_put(at + 4, 1);
		memset(at + 6, 0, TTL_LEN);
		be16_put(at + 10, (uint16_t)len);
		if (inet_pton(family, ip, at + 12) != 1)
			abort();
		used += 12 + len;
		list += list[n] == ',' ? n + 1 : n;
	}
	return used;
}

static uint16_t
count_items(const char *list)
{
	uint16_t n = list[0] != '\0';

	for (; *list != '\0'; list++)
		n = (uint16_t)(n + (*list == ','));
	return n;
}

/* Makes the answer in place.  Returns its length, 0 for none. */
static size_t
answer(struct server *s, uint8_t *m, size_t len)
{
	uint16_t type = be16_get(m + len - 4);
	const char *list = "";

	s->queries++;
	be16_put(m + 10, 0); /* no additional records */
	if (type == TYPE_A) {
		list = s->answers[s->at];
		if (s->answers[s->at + 1] != NULL)
			s->at++;
	} else if (s->aaaa != NULL) {
		list = s->aaaa;
	}
	if (strcmp(list, "drop") == 0)
		return 0;
	be16_put(m + 2, 0x8580);
	if (strcmp(list, "nxdomain") == 0) {
		be16_put(m + 2, 0x8580 | RCODE_NXDOMAIN);
		list = "";
	}
	be16_put(m + 6, count_items(list));
	return len + add_records(m + len, list,
	    type == TYPE_A ? AF_INET : AF_INET6);
}

static void
on_query(struct ev_loop *l, ev_io *w, int revents)
{
	struct server *s = w->data;
	struct sock_addr from = {.len = sizeof from.v6};
	uint8_t m[2 * DNS_MAX];
	ssize_t n = recvfrom(s->fd, m, DNS_MAX, 0, &from.any, &from.len);
	size_t len;

	(void)l;
	(void)revents;
	if (n < DNS_HEADER + 5)
		return;
	len = answer(s, m, (size_t)n);
	if (len != 0)
		sendto(s->fd, m, len, 0, &from.any, from.len);
}

static void
start_server(struct server *s, const char *const *answers)
{
	struct sock_addr a;

	memset(s, 0, sizeof *s);
	s->answers = answers;
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	sock_parse_ip("127.0.0.1", 0, &a);
	if (s->fd == -1 || bind(s->fd, &a.any, a.len) != 0 ||
	    getsockname(s->fd, &a.any, &a.len) != 0) {
		perror("DNS server");
		exit(1);
	}
	sock_format(&a.any, s->address);
	ev_io_init(&s->io, on_query, s->fd, EV_READ);
	s->io.data = s;
	ev_io_start(loop, &s->io);
}

static void
stop_server(struct server *s)
{
	ev_io_stop(loop, &s->io);
	close(s->fd);
}

static void
take_result(void *user, const struct sock_addr *addrs, size_t count,
    const struct error *why)
{
	struct result *r = user;

	r->done = true;
	r->count = count;
	if (count != 0)
		memcpy(r->addrs, addrs, count * sizeof *addrs);
	else
		r->why = *why;
	ev_break(loop, EVBREAK_ONE);
}

/* Resolves and waits. */
static struct result
resolve(const char *server, const char *host)
{
	struct result r = {.done = false};
	struct error e;

	if (resolve_start(loop, server, host, 8080, take_result, &r, &e) ==
	    NULL) {
		r.why = e;
		return r;
	}
	ok(!r.done, "'%.40s' is not answered from inside the call", host);
	ev_run(loop, 0);
	return r;
}

static const char *
text_of(const struct result *r)
{
	static char text[RESOLVE_MAX * SOCK_TEXT_MAX];
	char one[SOCK_TEXT_MAX];

	text[0] = '\0';
	for (size_t i = 0; i < r->count; i++) {
		size_t used = strlen(text);

		snprintf(text + used, sizeof text - used, "%s%s",
		    used == 0 ? "" : " ", sock_format(&r->addrs[i].any, one));
	}
	return r->count == 0 ? r->why.text : text;
}

static void
test_addresses(void)
{
	struct result r = resolve(NULL, "10.1.2.3");

	eq_str(text_of(&r), "10.1.2.3:8080", "an IPv4 address");
	r = resolve(NULL, "fd12::1");
	eq_str(text_of(&r), "[fd12::1]:8080", "an IPv6 address");
	r = resolve("127.0.0.1:1", "localhost");
	ok(r.count >= 1 && r.addrs[0].len != 0,
	    "localhost needs no DNS: %s", text_of(&r));
}

static void
test_answers(void)
{
	static const char *const answers[] = {
		"10.0.0.1,10.0.0.2", "nxdomain", "10.0.0.3", "", NULL,
	};
	static const char *const many[] = {
		"10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4,10.0.0.5,10.0.0.6,"
		"10.0.0.7,10.0.0.8,10.0.0.9,10.0.0.10,10.0.0.11,10.0.0.12,"
		"10.0.0.13,10.0.0.14,10.0.0.15,10.0.0.16,10.0.0.17,10.0.0.18",
		NULL,
	};
	struct server s;
	struct result r;

	start_server(&s, answers);
	r = resolve(s.address, "docs.test");
	eq_int(r.count, 2, "two addresses: %s", text_of(&r));
	s.aaaa = "nxdomain";
	r = resolve(s.address, "docs.test");
	eq_str(text_of(&r), "docs.test: Domain name not found",
	    "a name that does not exist");
	s.aaaa = "fd12::1";
	r = resolve(s.address, "docs.test");
	eq_int(r.count, 2, "an address of each family: %s", text_of(&r));
	s.aaaa = NULL;
	r = resolve(s.address, "docs.test");
	eq_int(r.count, 0, "a name without an address: %s", text_of(&r));
	stop_server(&s);
	start_server(&s, many);
	r = resolve(s.address, "many.test");
	eq_int(r.count, RESOLVE_MAX, "more addresses than are taken");
	eq_int(be16toh(r.addrs[RESOLVE_MAX - 1].v4.sin_port), 8080,
	    "each has the port");
	stop_server(&s);
	r = resolve(s.address, "docs.test");
	ok(r.done && r.count == 0, "nobody listens: %s", text_of(&r));
}

/* What resolv.conf(5) calls a search list is a variable's here. */
static void
test_search(void)
{
	static const char *const answers[] = {
		"nxdomain", "10.0.0.1", "nxdomain", "10.0.0.1", NULL,
	};
	struct server s;
	struct result r;

	setenv("LOCALDOMAIN", "corp.test", 1);
	start_server(&s, answers);
	s.aaaa = "nxdomain";
	r = resolve(s.address, "docs.test");
	eq_str(text_of(&r), "10.0.0.1:8080", "the name in the search list");
	r = resolve(s.address, "docs.test.");
	eq_str(text_of(&r), "docs.test: Domain name not found",
	    "a dot at its end asks for the name alone");
	eq_int(s.queries, 6, "and for nothing else");
	stop_server(&s);
	unsetenv("LOCALDOMAIN");
}

/* The same name, asked twice. */
static void
test_rebinding(void)
{
	static const char *const answers[] = {
		"10.0.0.1", "169.254.169.254", "127.0.0.1,10.0.0.1", NULL,
	};
	struct guard g;
	struct server s;
	struct result r;
	struct error e;

	guard_init(&g);
	start_server(&s, answers);
	r = resolve(s.address, "rebind.test");
	ok(r.count == 1 && guard_check(&g, &r.addrs[0].any, &e) == 0,
	    "the first answer is allowed");
	r = resolve(s.address, "rebind.test");
	ok(r.count == 1 && guard_check(&g, &r.addrs[0].any, &e) != 0,
	    "the second is not");
	eq_str(e.text, "169.254.169.254 is a cloud metadata address, which is "
	    "never allowed", "and says so");
	r = resolve(s.address, "rebind.test");
	ok(r.count == 2 && (guard_check(&g, &r.addrs[0].any, &e) == 0) !=
	    (guard_check(&g, &r.addrs[1].any, &e) == 0),
	    "each of several addresses is judged alone");
	stop_server(&s);
}

static void
test_cancel(void)
{
	static const char *const answers[] = {"drop", "10.0.0.1", NULL};
	struct result first = {.done = false}, second = {.done = false};
	struct resolve *q;
	struct server s;
	struct error e;
	int fds = test_open_fds();

	start_server(&s, answers);
	q = resolve_start(loop, s.address, "a.test", 1, take_result, &first,
	    &e);
	while (s.queries < 2)
		ev_run(loop, EVRUN_ONCE);
	resolve_cancel(q);
	q = resolve_start(loop, NULL, "10.0.0.1", 1, take_result, &first, &e);
	resolve_cancel(q);
	resolve_start(loop, s.address, "b.test", 1, take_result, &second, &e);
	ev_run(loop, 0);
	ok(!first.done, "a cancelled query is not answered");
	eq_str(text_of(&second), "10.0.0.1:1", "the next one is");
	stop_server(&s);
	eq_int(test_open_fds(), fds, "no descriptor is left");
	eq_int(ev_pending_count(loop), 0, "nothing is pending");
}

static void
test_bad_names(void)
{
	char longest[SOCK_HOST_MAX + 1];
	struct result r;

	memset(longest, 'a', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	r = resolve("127.0.0.1:1", longest);
	ok(!r.done, "a host that is too long is not asked for");
	eq_str(r.why.text, "host name: too long", "and the text says so");
	r = resolve("dns.example", "a.test");
	ok(!r.done && r.why.text[0] != '\0', "a DNS server by name: %s",
	    r.why.text);
}

int
main(void)
{
	struct error e;

	loop = ev_default_loop(0);
	if (resolve_init(&e) != 0) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	test_addresses();
	test_answers();
	test_search();
	test_rebinding();
	test_cancel();
	test_bad_names();
	resolve_exit();
	ev_loop_destroy(loop);
	return test_done();
}
