/* SPDX-License-Identifier: ISC */
/* A connection whose peer goes away while bytes for it wait; and one on a
 * stream whose handshake has to wait for others to be sent. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/mcp-proxy/wire.h"
#include "common/cert.h"
#include "tests/unit/files.h"
#include "tests/unit/test.h"

enum { TURNS = 20, LEN = 1 << 20 };

static int inputs, drains, breaks;

static void
on_input(void *user)
{
	(void)user;
	inputs++;
}

static void
on_drained(void *user)
{
	(void)user;
	drains++;
}

static void
on_broken(void *user, int error)
{
	(void)user;
	(void)error;
	breaks++;
}

static const struct wire_events events = {
	.input = on_input, .drained = on_drained, .broken = on_broken,
};

/* The owner may be unable to read, and so to learn of the end and to close it,
 * for as long as the other side of its exchange does not read. */
static void
test_break(struct ev_loop *ev)
{
	static const uint8_t bytes[LEN];
	struct wire w;
	bool none;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	    fds) != 0)
		ok(false, "socketpair");
	wire_init_fd(&w, ev, fds[0], true, &events, &w);
	eq_int(wire_write(&w, bytes_of(bytes, LEN), &none), 0, "write");
	ok(wire_unwritten(&w) > 0, "a part is kept");
	wire_pause(&w);
	close(fds[1]);
	for (int i = 0; i < TURNS; i++)
		ev_run(ev, EVRUN_NOWAIT);
	eq_int(breaks, 1, "a break is told once, not at each turn");
	eq_int(drains, 0, "and nothing is said to be written");
	eq_int(wire_unwritten(&w), 0, "what nobody takes is not kept");
	wire_resume(&w);
	for (int i = 0; i < TURNS && inputs == 0; i++)
		ev_run(ev, EVRUN_NOWAIT);
	ok(inputs > 0, "the end can be read");
	wire_abort(&w, FRAME_ABORTED, BLAME_PROXY, "");
}

/* ---- a stream ---- */

enum { WINDOW = 1 << 20 };

/* An end of a hop; its first stream carries TLS, its second keeps it busy. */
struct end {
	struct chan chan;
	struct buf in;   /* of the hop, no whole frame yet */
	struct chan_stream *streams[2];
	size_t count;
	struct buf tls;  /* what came for the client's TLS */
};

static struct end client, server;
static struct wire wire;
static bool shaken;
static char request[16];

static void
on_hello(void *user, struct bytes json)
{
	(void)user;
	(void)json;
}

static void
on_open(void *user, struct chan_stream *s, struct bytes json)
{
	struct end *e = user;

	(void)json;
	e->streams[e->count++] = s;
}

static size_t
on_data(void *user, struct chan_stream *s, uint16_t channel, struct bytes in)
{
	(void)channel;
	if (user == &server)
		return s == server.streams[0] ? wire_feed(&wire, in) : in.len;
	if (s == client.streams[0])
		buf_add(&client.tls, in);
	return in.len;
}

static void
on_end(void *user, struct chan_stream *s)
{
	(void)user;
	(void)s;
}

static void
on_writable(void *user, struct chan_stream *s)
{
	if (user == &server && s == server.streams[0])
		wire_writable(&wire);
}

static void
on_closed(void *user, struct chan_stream *s, const struct frame_reason *why)
{
	(void)user;
	(void)s;
	(void)why;
}

static const struct chan_events chan_events = {
	.hello = on_hello, .open = on_open, .data = on_data, .end = on_end,
	.writable = on_writable, .closed = on_closed,
};

/* Carries all that one end has to say to the other. */
static void
carry(struct end *from, struct end *to)
{
	struct bytes out;
	struct error e;

	while ((out = chan_output(&from->chan)).len != 0) {
		ssize_t n;

		must(buf_add(&to->in, out) == 0, "memory");
		chan_output_drop(&from->chan, out.len);
		n = chan_input(&to->chan, buf_bytes(&to->in), 1, &e);
		must(n >= 0, "frames");
		buf_drop(&to->in, (size_t)n);
	}
}

static ssize_t
client_read(void *user, uint8_t *at, size_t cap)
{
	size_t n = buf_len(&client.tls) < cap ? buf_len(&client.tls) : cap;

	(void)user;
	if (n == 0) {
		errno = EAGAIN;
		return -1;
	}
	memcpy(at, buf_bytes(&client.tls).ptr, n);
	buf_drop(&client.tls, n);
	return (ssize_t)n;
}

static ssize_t
client_write(void *user, struct bytes in, bool more)
{
	(void)user;
	(void)more;
	return (ssize_t)chan_send(&client.chan, client.streams[0], 0, in);
}

/* As a connection of an agent does it. */
static void
on_stream_input(void *user)
{
	struct error e;

	(void)user;
	if (!shaken && wire_handshake(&wire, &e) == 1)
		shaken = true;
	if (shaken && request[0] == '\0')
		wire_read(&wire, (uint8_t *)request, sizeof request - 1);
}

static const struct wire_events stream_events = {
	.input = on_stream_input, .drained = on_drained, .broken = on_broken,
};

static void
open_ends(void)
{
	const struct chan_limits limits = {.window = WINDOW};
	struct end *const ends[] = {&client, &server};

	for (size_t i = 0; i < 2; i++) {
		chan_init(&ends[i]->chan, i == 0, &limits, &chan_events,
		    ends[i]);
		buf_init(&ends[i]->in, 4 * WINDOW);
		buf_init(&ends[i]->tls, WINDOW);
		chan_send_hello(&ends[i]->chan, bytes_cstr("{}"));
	}
	carry(&client, &server);
	carry(&server, &client);
	chan_set_peer(&client.chan, &server.chan.own);
	chan_set_peer(&server.chan, &client.chan.own);
	for (size_t i = 0; i < 2; i++)
		client.streams[i] = chan_open(&client.chan, bytes_cstr("{}"),
		    NULL);
	carry(&client, &server);
	must(server.count == 2, "streams");
}

static void
make_contexts(struct tls_context **ret_server, struct tls_context **ret_client)
{
	static const char *const names[] = {"a.example"};
	const struct cert_request r = {.names = names, .name_count = 1,
		.days = 1};
	char dir[] = "/tmp/adit-wire.XXXXXX";
	struct cert_pem ca, pair;
	struct error e;

	must(mkdtemp(dir) != NULL && chdir(dir) == 0, dir);
	must(cert_make_ca("ca", 1, &ca, &e) == 0 &&
	    cert_make_server(&ca, &r, &pair, &e) == 0 &&
	    cert_write(".", "ca.crt", "ca.key", &ca, false, &e) == 0 &&
	    cert_write(".", "a.crt", "a.key", &pair, false, &e) == 0, "keys");
	*ret_server = tls_context_server(&(struct tls_server_settings){
		.cert_file = "a.crt", .key_file = "a.key"}, &e);
	*ret_client = tls_context_client(&(struct tls_client_settings){
		.ca_file = "ca.crt"}, &e);
	must(*ret_server != NULL && *ret_client != NULL, "contexts");
	unlink("ca.crt");
	unlink("ca.key");
	unlink("a.crt");
	unlink("a.key");
	must(chdir("/") == 0 && rmdir(dir) == 0, dir);
	cert_pem_done(&ca);
	cert_pem_done(&pair);
}

/* The last of the handshake can not go out, since another stream has filled
 * the hop; what has come behind it by then must not be forgotten. */
static void
test_busy_hop(struct ev_loop *ev)
{
	static const uint8_t bytes[WINDOW];
	const struct tls_io io = {client_read, client_write, NULL};
	struct tls_context *server_tls, *client_tls;
	struct tls *tls;
	struct error e;

	make_contexts(&server_tls, &client_tls);
	open_ends();
	wire_init_stream(&wire, ev, &server.chan, server.streams[0],
	    &stream_events, NULL);
	must(wire_start_tls(&wire, server_tls, NULL, &e) == 0, "server");
	tls = tls_new_io(client_tls, &io, "a.example", &e);
	must(tls != NULL, "client");
	eq_int(tls_handshake(tls, &e), 0, "the client's hello");
	carry(&client, &server);
	carry(&server, &client);
	ok(!shaken, "and the server's");
	ok(chan_send(&server.chan, server.streams[1], 0, bytes_of(bytes,
	    sizeof bytes)) < sizeof bytes, "the hop is busy");
	eq_int(tls_handshake(tls, &e), 1, "the client is done");
	eq_int(tls_write(tls, bytes_cstr("GET"), false), 3, "and asks");
	carry(&client, &server);
	ok(!shaken, "the server is not");
	for (int i = 0; i < TURNS; i++) {
		carry(&server, &client);
		carry(&client, &server);
		ev_run(ev, EVRUN_NOWAIT);
	}
	ok(shaken, "it is when the hop is free");
	eq_str(request, "GET", "and hears the client");
	wire_abort(&wire, FRAME_ABORTED, BLAME_PROXY, "");
	tls_free(tls);
	tls_context_free(server_tls);
	tls_context_free(client_tls);
	chan_done(&client.chan);
	chan_done(&server.chan);
	buf_reset(&client.in);
	buf_reset(&server.in);
	buf_reset(&client.tls);
	buf_reset(&server.tls);
}

int
main(void)
{
	struct ev_loop *ev = EV_DEFAULT;
	int before = test_open_fds();

	test_break(ev);
	test_busy_hop(ev);
	eq_int(test_open_fds(), before, "no descriptor is left");
	ev_loop_destroy(ev);
	return test_done();
}
