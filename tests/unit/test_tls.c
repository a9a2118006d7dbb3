/* SPDX-License-Identifier: ISC */
/* tls over socket pairs with certificates that openssl(1) makes: who is
 * trusted, what a broken connection looks like, bulk in both directions. */
#include <fcntl.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/io.h"
#include "common/proc.h"
#include "common/str.h"
#include "common/tls.h"
#include "tests/unit/test.h"

enum { PATH_CAP = 128, BULK = 4 << 20, FILES = 16 };

static char dir[] = "/tmp/adit-test-XXXXXX";
static char paths[FILES][PATH_CAP];

/* The path of a file in dir; a few are valid at a time. */
static const char *
at(const char *name)
{
	static int next;
	char *path = paths[next++ % FILES];

	snprintf(path, PATH_CAP, "%s/%s", dir, name);
	return path;
}

static int
shell(char *script)
{
	static const char *const drop[] = {NULL};
	char sh[] = "sh", c[] = "-c", name[] = "sh";
	char *argv[] = {sh, c, script, name, dir, NULL};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), status;
	struct error e;
	pid_t pid = proc_start(argv, null, null, drop, &e);

	close(null);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return proc_exit_status(status);
}

/* ca, server (a.example, 127.0.0.1), client, old (expired), other (another
 * CA's); locked.key is server's with a password. */
static int
make_certificates(void)
{
	char script[] = "exec 2>/dev/null; cd \"$1\" || exit 1\n"
	    "ca() { openssl req -x509 -newkey ec -pkeyopt "
	    "ec_paramgen_curve:P-256 -nodes -keyout $1.key -out $1.pem "
	    "-days 2 -subj /CN=$1; }\n"
	    "leaf() { openssl req -new -newkey ec -pkeyopt "
	    "ec_paramgen_curve:P-256 -nodes -keyout $2.key -out $2.csr "
	    "-subj /CN=$2; printf 'subjectAltName=DNS:%s,IP:127.0.0.1\\n' "
	    "a.example >x; openssl x509 -req -in $2.csr -CA $1.pem "
	    "-CAkey $1.key -CAcreateserial -days $3 -extfile x "
	    "-out $2.pem; }\n"
	    "ca ca && ca ca2 && leaf ca server 2 && leaf ca client 2 && "
	    "leaf ca2 other 2 && leaf ca old -1 && openssl ec -aes128 "
	    "-passout pass:secret -in server.key -out locked.key";

	return shell(script);
}

struct ends {
	struct tls_context *server_context, *client_context;
	struct tls *server, *client;
	int server_fd, client_fd; /* owned by server and client */
	struct error error;       /* of the handshake that failed */
};

static struct tls_server_settings server_settings;
static struct tls_client_settings client_settings;

static void
set_defaults(void)
{
	server_settings = (struct tls_server_settings){
		.cert_file = at("server.pem"), .key_file = at("server.key"),
		.alpn = "adit/1",
	};
	client_settings = (struct tls_client_settings){
		.ca_file = at("ca.pem"), .alpn = "adit/1",
	};
}

static bool
open_ends(struct ends *n, const char *name)
{
	int fds[2];

	memset(n, 0, sizeof *n);
	n->server_context = tls_context_server(&server_settings, &n->error);
	if (n->server_context == NULL)
		return ok(false, "server: %s", n->error.text);
	n->client_context = tls_context_client(&client_settings, &n->error);
	if (n->client_context == NULL ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	    fds) != 0)
		return ok(false, "client: %s", n->error.text);
	n->server_fd = fds[0];
	n->client_fd = fds[1];
	n->server = tls_new_fd(n->server_context, fds[0], NULL, &n->error);
	n->client = tls_new_fd(n->client_context, fds[1], name, &n->error);
	return n->server != NULL && n->client != NULL;
}

static void
close_ends(struct ends *n)
{
	tls_free(n->server);
	tls_free(n->client);
	tls_context_free(n->server_context);
	tls_context_free(n->client_context);
}

/* Shakes hands.  Returns 1, or -1 when one end refused. */
static int
shake(struct ends *n)
{
	int s = 0, c = 0;

	for (int i = 0; i < 100 && (s == 0 || c == 0); i++) {
		if (c == 0)
			c = tls_handshake(n->client, &n->error);
		if (c < 0)
			return -1;
		if (s == 0)
			s = tls_handshake(n->server, &n->error);
		if (s < 0)
			return -1;
	}
	return s == 1 && c == 1 ? 1 : 0;
}

static void
test_success(void)
{
	struct ends n;
	char text[64];
	uint8_t in[64], print[TLS_FINGERPRINT_LEN];

	set_defaults();
	open_ends(&n, "a.example");
	eq_int(shake(&n), 1, "a handshake");
	eq_str(tls_server_name(n.server), "a.example", "with a server name");
	ok(str_starts(tls_describe(n.client, text), "TLSv1.3 "), "%s", text);
	ok(!tls_peer_fingerprint(n.server, print), "no client certificate");
	ok(tls_peer_fingerprint(n.client, print), "the server has one");
	errno = 0;
	ok(tls_read(n.server, in, sizeof in) == -1 && errno == EAGAIN,
	    "nothing to read: EAGAIN");
	eq_int(tls_write(n.client, bytes_cstr("hello"), false), 5, "write");
	eq_int(tls_read(n.server, in, 2), 2, "read a part");
	ok(tls_has_pending(n.server), "the rest is pending");
	eq_int(tls_read(n.server, in, sizeof in), 3, "the rest");
	ok(!tls_has_pending(n.server), "and no more");
	tls_shutdown(n.client);
	eq_int(tls_read(n.server, in, sizeof in), 0, "close_notify");
	close_ends(&n);

	open_ends(&n, "127.0.0.1");
	eq_int(shake(&n), 1, "a server by its address");
	eq_str(tls_server_name(n.server), "", "which is no server name");
	close_ends(&n);
}

static void
refused(const char *name, const char *want, const char *title)
{
	struct ends n;

	if (open_ends(&n, name)) {
		eq_int(shake(&n), -1, "%s: refused", title);
		eq_str(n.error.text, want, "%s: says why", title);
	}
	close_ends(&n);
}

static void
test_refusals(void)
{
	set_defaults();
	refused("b.example", "TLS handshake: hostname mismatch",
	    "another name");
	refused("127.0.0.2", "TLS handshake: IP address mismatch",
	    "another address");
	client_settings.ca_file = at("ca2.pem");
	refused("a.example", "TLS handshake: unable to get local issuer "
	    "certificate", "another CA");
	set_defaults();
	client_settings.ca_file = NULL;
	refused("a.example", "TLS handshake: unable to get local issuer "
	    "certificate", "no CA at all");
	set_defaults();
	server_settings.cert_file = at("old.pem");
	server_settings.key_file = at("old.key");
	refused("a.example", "TLS handshake: certificate has expired",
	    "an old certificate");
	set_defaults();
	client_settings.alpn = "other/1";
	refused("a.example", "TLS handshake: no application protocol",
	    "another protocol");
}

static void
test_files(void)
{
	struct error e;

	set_defaults();
	server_settings.key_file = at("client.key");
	ok(tls_context_server(&server_settings, &e) == NULL, "another key");
	ok(strstr(e.text, "client.key: ") != NULL, "%s", e.text + strlen(dir));
	server_settings.key_file = at("none.key");
	ok(tls_context_server(&server_settings, &e) == NULL, "no key");
	ok(strstr(e.text, "none.key: No such file or directory") != NULL, "%s",
	    e.text + strlen(dir));
	set_defaults();
	server_settings.cert_file = at("server.key");
	ok(tls_context_server(&server_settings, &e) == NULL, "no certificate");
	ok(strstr(e.text, "server.key: ") != NULL, "%s", e.text + strlen(dir));
	client_settings.ca_file = at("none.pem");
	ok(tls_context_client(&client_settings, &e) == NULL, "no CA file");
	ok(strstr(e.text, "none.pem: No such file or directory") != NULL, "%s",
	    e.text + strlen(dir));
}

static void
test_certificate(void)
{
	struct tls_context *c;
	struct error e;

	set_defaults();
	c = tls_context_server(&server_settings, &e);
	ok(tls_context_is_valid(c), "it is valid");
	ok(tls_context_is_for(c, "A.example"), "its name");
	ok(!tls_context_is_for(c, "b.a.example"), "another name");
	ok(!tls_context_is_for(c, "server"), "a subject is no name");
	tls_context_free(c);
	server_settings.cert_file = at("old.pem");
	server_settings.key_file = at("old.key");
	c = tls_context_server(&server_settings, &e);
	ok(!tls_context_is_valid(c), "an old one is not valid");
	tls_context_free(c);
}

/* Nobody is asked for the password, neither on a terminal nor, where there is
 * none, on standard input: a program would wait for it for ever. */
static void
test_password(void)
{
	int saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0), fds[2];
	struct tls_context *c;
	struct error e;

	set_defaults();
	server_settings.key_file = at("locked.key");
	if (pipe(fds) != 0 || write(fds[1], "secret\n", 7) != 7)
		ok(false, "pipe");
	dup2(fds[0], STDIN_FILENO);
	close(fds[0]);
	close(fds[1]);
	c = tls_context_server(&server_settings, &e);
	ok(c == NULL, "a key with a password is refused");
	if (c == NULL)
		ok(strstr(e.text, "locked.key: ") != NULL, "%s",
		    e.text + strlen(dir));
	tls_context_free(c);
	dup2(saved, STDIN_FILENO);
	close(saved);
}

static void
test_client_certificate(void)
{
	uint8_t first[TLS_FINGERPRINT_LEN], second[TLS_FINGERPRINT_LEN];
	static const char *const names[] = {"client", "other"};
	struct ends n;

	set_defaults();
	server_settings.ask_client_cert = true;
	for (int i = 0; i < 2; i++) {
		char pem[32], key[32];

		snprintf(pem, sizeof pem, "%s.pem", names[i]);
		snprintf(key, sizeof key, "%s.key", names[i]);
		client_settings.cert_file = at(pem);
		client_settings.key_file = at(key);
		open_ends(&n, "a.example");
		eq_int(shake(&n), 1, "a certificate of any CA passes");
		ok(tls_peer_fingerprint(n.server, i == 0 ? first : second),
		    "and has a fingerprint");
		close_ends(&n);
	}
	ok(memcmp(first, second, sizeof first) != 0, "of its own");
	client_settings.cert_file = at("old.pem");
	client_settings.key_file = at("old.key");
	open_ends(&n, "a.example");
	shake(&n);
	ok(!tls_peer_fingerprint(n.server, first), "an expired one has none");
	close_ends(&n);
	client_settings.cert_file = client_settings.key_file = NULL;
	open_ends(&n, "a.example");
	eq_int(shake(&n), 1, "a client without one passes");
	ok(!tls_peer_fingerprint(n.server, first), "and has no fingerprint");
	close_ends(&n);
}

static void
test_breaks(void)
{
	static uint8_t in[4096];
	struct ends n;
	int i;

	set_defaults();
	open_ends(&n, "a.example");
	shake(&n);
	shutdown(n.client_fd, SHUT_WR);
	errno = 0;
	ok(tls_read(n.server, in, sizeof in) == -1 && errno == ECONNRESET,
	    "an end without close_notify: ECONNRESET");
	close_ends(&n);

	open_ends(&n, "a.example");
	shake(&n);
	tls_write(n.client, bytes_cstr("last"), false);
	shutdown(n.client_fd, SHUT_WR);
	eq_int(tls_read(n.server, in, sizeof in), 4, "bytes before the break");
	ok(tls_has_pending(n.server), "then there is more to hear");
	errno = 0;
	ok(tls_read(n.server, in, sizeof in) == -1 && errno == ECONNRESET,
	    "namely the break");
	close_ends(&n);

	open_ends(&n, "a.example");
	shake(&n);
	if (write(n.client_fd, "\x17\x03\x03\x00\x20garbage, not a record of "
	    "this key..", 37) != 37)
		ok(false, "write");
	errno = 0;
	ok(tls_read(n.server, in, sizeof in) == -1 && errno == EPROTO,
	    "a forged record: EPROTO");
	eq_str(tls_error(n.server), "decryption failed or bad record mac",
	    "with a text");
	close_ends(&n);

	open_ends(&n, "a.example");
	if (write(n.client_fd, "GET / HTTP/1.1\r\n\r\n", 18) != 18)
		ok(false, "write");
	for (i = 0; i < 9 && tls_handshake(n.server, &n.error) == 0; i++)
		;
	eq_str(n.error.text, "TLS handshake: http request", "no TLS at all");
	close_ends(&n);

	open_ends(&n, "a.example");
	shutdown(n.client_fd, SHUT_WR);
	eq_int(tls_handshake(n.server, &n.error), -1, "an end at once");
	eq_str(n.error.text, "TLS handshake: connection closed", "is told");
	close_ends(&n);
}

/* Both directions at once through small sockets. */
static void
test_bulk(bool bulk)
{
	static uint8_t out[65536], in[30000];
	struct tls *end[2];
	uint64_t sent[2] = {0}, got[2] = {0};
	int bad = 0, small = 8192, idle = 0;
	struct ends n;

	set_defaults();
	server_settings.bulk = client_settings.bulk = bulk;
	open_ends(&n, "a.example");
	shake(&n);
	setsockopt(n.client_fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	setsockopt(n.server_fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	end[0] = n.server;
	end[1] = n.client;
	while ((got[0] < BULK || got[1] < BULK) && idle < 10) {
		idle++;
		for (int i = 0; i < 2; i++) {
			size_t len = sizeof out;
			ssize_t k;

			if (len > BULK - sent[i])
				len = (size_t)(BULK - sent[i]);
			for (size_t j = 0; j < len; j++)
				out[j] = (uint8_t)((sent[i] + j) * 7 >> 3);
			k = len == 0 ? 0 : tls_write(end[i], bytes_of(out,
			    len), test_below(2) == 0 && sent[i] + len < BULK);
			sent[i] += k > 0 ? (uint64_t)k : 0;
			bad += k < 0 && errno != EAGAIN;
			idle = k > 0 ? 0 : idle;
			k = tls_read(end[1 - i], in, 1 + test_below(
			    sizeof in));
			bad += k < 0 && errno != EAGAIN;
			for (ssize_t j = 0; j < k; j++)
				bad += in[j] != (uint8_t)((got[i] +
				    (uint64_t)j) * 7 >> 3);
			got[i] += k > 0 ? (uint64_t)k : 0;
			idle = k > 0 ? 0 : idle;
		}
	}
	ok(got[0] == BULK && got[1] == BULK, "4 MiB each way, bulk %d", bulk);
	eq_int(bad, 0, "every byte right");
	close_ends(&n);
}

/* TLS inside of anything that carries bytes: here a buffer each way. */
struct carrier {
	struct buf *from, *to;
};

static ssize_t
carrier_read(void *user, uint8_t *out, size_t cap)
{
	struct buf *b = ((struct carrier *)user)->from;
	size_t len = buf_len(b) < cap ? buf_len(b) : cap;

	if (len == 0) {
		errno = EAGAIN;
		return -1;
	}
	memcpy(out, buf_bytes(b).ptr, len);
	buf_drop(b, len);
	return (ssize_t)len;
}

static ssize_t
carrier_write(void *user, struct bytes in, bool more)
{
	struct buf *b = ((struct carrier *)user)->to;

	(void)more;
	if (b == NULL) {
		errno = EPIPE;
		return -1;
	}
	in.len = in.len < 700 ? in.len : 700; /* takes a part */
	return buf_add(b, in) == 0 ? (ssize_t)in.len : -1;
}

/* A peer that sends its bytes one by one costs as much as it likes; others
 * must have their turn meanwhile. */
static void
test_small_records(void)
{
	enum { RECORDS = 1000, TURN = 300 };
	static uint8_t in[64 << 10];
	struct ends n;
	int left = RECORDS, most = 0;

	set_defaults();
	server_settings.bulk = client_settings.bulk = true;
	open_ends(&n, "a.example");
	eq_int(shake(&n), 1, "a handshake before small records");
	for (int i = 0; i < RECORDS; i++)
		left -= (int)tls_write(n.client, bytes_cstr("x"),
		    i + 1 < RECORDS);
	eq_int(left, 0, "records of a byte are written");
	for (left = RECORDS; left > 0;) {
		int k = (int)tls_read(n.server, in, sizeof in);

		if (k <= 0)
			break;
		most = k > most ? k : most;
		left -= k;
		if (left != 0 && !ok(tls_has_pending(n.server),
		    "%d more are pending", left))
			break;
	}
	eq_int(left, 0, "all come");
	ok(most <= TURN, "at most %d at once", most);
	close_ends(&n);
}

/* A client of its own, for what tls.h does not send. */
struct rough {
	struct ends ends;
	SSL_CTX *context;
	SSL *ssl;
};

/* Its hello offers so many protocols more. */
static void
open_rough(struct rough *r, int protocols)
{
	static uint8_t alpn[8 << 10] = "\6adit/1";
	unsigned len = 7;

	set_defaults();
	open_ends(&r->ends, "a.example");
	for (; protocols > 0; protocols--, len += 8)
		memcpy(alpn + len, "\7padding", 8);
	r->context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_alpn_protos(r->context, alpn, len);
	r->ssl = SSL_new(r->context);
	SSL_set_fd(r->ssl, r->ends.client_fd);
	SSL_set_connect_state(r->ssl);
}

static void
close_rough(struct rough *r)
{
	SSL_free(r->ssl);
	SSL_CTX_free(r->context);
	close_ends(&r->ends);
}

static void
shake_rough(struct rough *r)
{
	int s = 0, c = 0;

	for (int i = 0; i < 10 && (s != 1 || c != 1); i++) {
		c = SSL_do_handshake(r->ssl);
		s = tls_handshake(r->ends.server, &r->ends.error);
	}
	ok(s == 1 && c == 1, "a handshake with a rough client");
}

static void
update_keys(struct rough *r, int count)
{
	int sent = 0;

	while (sent < count &&
	    SSL_key_update(r->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 &&
	    SSL_do_handshake(r->ssl) == 1)
		sent++;
	eq_int(sent, count, "%d updates of keys are sent", count);
}

/* Records without data are read for as long as they come, and others wait. */
static void
test_idle_records(void)
{
	uint8_t in[64];
	struct rough r;

	open_rough(&r, 0);
	shake_rough(&r);
	for (int i = 0; i < 3; i++) {
		update_keys(&r, 31);
		eq_int(SSL_write(r.ssl, "x", 1), 1, "then a byte");
		eq_int(tls_read(r.ends.server, in, sizeof in), 1, "is read");
	}
	update_keys(&r, 40);
	errno = 0;
	ok(tls_read(r.ends.server, in, sizeof in) == -1 && errno == EPROTO,
	    "more in a row are an error");
	eq_str(tls_error(r.ends.server), "too many small records",
	    "that has its text");
	close_rough(&r);
}

/* Sends the bytes of a record in records of one each. */
static void
send_split(int fd, const uint8_t *record, size_t len)
{
	static uint8_t out[6 * (16 << 10)];
	size_t n = 0;

	for (size_t i = 5; i < len; i++) {
		memcpy(out + n, record, 3);
		memcpy(out + n + 3, "\0\1", 2);
		out[n + 5] = record[i];
		n += 6;
	}
	ok(send(fd, out, n, 0) == (ssize_t)n, "a hello in %zu records",
	    len - 5);
}

static void
split_hello(int protocols, int want, const char *title)
{
	static uint8_t hello[16 << 10];
	struct rough r;
	ssize_t n;

	open_rough(&r, protocols);
	SSL_do_handshake(r.ssl);
	n = recv(r.ends.server_fd, hello, sizeof hello, 0);
	send_split(r.ends.client_fd, hello, n > 5 ? (size_t)n : 5);
	eq_int(tls_handshake(r.ends.server, &r.ends.error), want, "%s",
	    title);
	if (want < 0)
		eq_str(r.ends.error.text,
		    "TLS handshake: too many small records", "says why");
	close_rough(&r);
}

static void
test_split_hello(void)
{
	split_hello(0, 0, "a hello in small records is read");
	split_hello(512, -1, "in thousands it is not");
}

static void
test_io(void)
{
	struct buf up, down;
	struct carrier left = {&down, &up}, right = {&up, &down};
	struct tls_io li = {carrier_read, carrier_write, &left};
	struct tls_io ri = {carrier_read, carrier_write, &right};
	struct ends n = {.server = NULL};
	uint8_t in[16];

	buf_init(&up, 65536);
	buf_init(&down, 65536);
	set_defaults();
	n.server_context = tls_context_server(&server_settings, &n.error);
	n.client_context = tls_context_client(&client_settings, &n.error);
	n.server = tls_new_io(n.server_context, &ri, NULL, &n.error);
	n.client = tls_new_io(n.client_context, &li, "a.example", &n.error);
	eq_int(shake(&n), 1, "a handshake over buffers");
	eq_int(tls_write(n.client, bytes_cstr("through"), false), 7, "write");
	eq_int(tls_read(n.server, in, sizeof in), 7, "read");
	eq_bytes(bytes_of(in, 7), bytes_cstr("through"), "the bytes");
	tls_shutdown(n.client);
	eq_int(tls_read(n.server, in, sizeof in), 0, "close_notify");
	right.to = NULL;
	errno = 0;
	ok(tls_write(n.server, bytes_cstr("late"), false) == -1 &&
	    errno == EPIPE, "a write that breaks after it: EPIPE");
	eq_int(tls_read(n.server, in, sizeof in), 0, "the end stays clean");
	close_ends(&n);
	buf_reset(&up);
	buf_reset(&down);
}

int
main(void)
{
	char cleanup[] = "rm -r \"$1\"";
	int before;

	signal(SIGPIPE, SIG_IGN);
	if (mkdtemp(dir) == NULL || make_certificates() != 0) {
		printf("Bail out! no certificates from openssl\n");
		return 1;
	}
	before = test_open_fds();
	test_success();
	test_refusals();
	test_files();
	test_certificate();
	test_password();
	test_client_certificate();
	test_breaks();
	test_bulk(false);
	test_bulk(true);
	test_small_records();
	test_idle_records();
	test_split_hello();
	test_io();
	eq_int(test_open_fds(), before, "no descriptor is left");
	shell(cleanup);
	return test_done();
}
