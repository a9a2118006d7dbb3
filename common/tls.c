/* SPDX-License-Identifier: ISC */
#include "common/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/io.h"

enum {
	ALPN_MAX = 32,
	RECORD_MAX = 16384,
	AHEAD_BULK = 128 << 10,         /* read from a socket at once */
	AHEAD_PLAIN = RECORD_MAX + 512, /* one record and its frame */
	GATHER_MAX = 128 << 10,         /* records written at once */
	READS_MAX = 512,                /* of io by one tls_read: small records
					 * cost more than their bytes say */
	IDLE_READS_MAX = 64,            /* of those, in a row, without data: 32
					 * records, such as updates of keys */
	HANDSHAKE_READS_MAX = 2048,     /* of io by one tls_handshake */
};

struct tls_context {
	SSL_CTX *ctx;
	bool bulk;
	uint8_t alpn[ALPN_MAX + 1]; /* length byte and protocol */
};

struct tls {
	SSL *ssl;
	struct tls_io io;
	int fd;          /* -1: over io */
	bool bulk;
	bool more;       /* another tls_write follows */
	bool wants_write;
	bool eof;        /* io ended */
	int reads_left;  /* of io in this call of OpenSSL */
	bool stopped;    /* a read failed after bytes that it had: result */
	int result, result_errno;
	int io_errno;    /* of the last io that failed for good, or 0 */
	uint8_t *ahead;  /* read from fd, not yet taken by OpenSSL */
	size_t ahead_head, ahead_tail;
	uint8_t *gather; /* records not yet written to fd; empty unless the
			  * caller still has bytes to write */
	size_t gather_head, gather_tail;
	char error[160];
};

/* ---- errors ---- */

/* Takes OpenSSL's first reason and empties its queue. */
static const char *
first_reason(char *out, size_t cap)
{
	unsigned long code = ERR_get_error();
	const char *reason = NULL;

	if (ERR_SYSTEM_ERROR(code))
		reason = strerror(ERR_GET_REASON(code));
	else if (code != 0)
		reason = ERR_reason_error_string(code);
	snprintf(out, cap, "%s", reason != NULL ? reason : "TLS failed");
	ERR_clear_error();
	return out;
}

static int
fail_file(struct error *e, const char *file)
{
	char reason[160];

	return error_set(e, "%s: %s", file,
	    first_reason(reason, sizeof reason));
}

/* ---- bytes between OpenSSL and io ---- */

static size_t
ahead_size(const struct tls *t)
{
	return t->bulk ? AHEAD_BULK : AHEAD_PLAIN;
}

/* Fills the empty read-ahead buffer from the socket. */
static ssize_t
fill_ahead(struct tls *t)
{
	ssize_t n;

	if (t->ahead == NULL)
		t->ahead = malloc(ahead_size(t));
	if (t->ahead == NULL)
		return -1;
	do {
		n = recv(t->fd, t->ahead, ahead_size(t), 0);
	} while (n == -1 && errno == EINTR);
	t->ahead_head = 0;
	t->ahead_tail = n > 0 ? (size_t)n : 0;
	return n;
}

static ssize_t
socket_read(void *user, uint8_t *at, size_t cap)
{
	struct tls *t = user;
	size_t n = t->ahead_tail - t->ahead_head;

	if (n == 0) {
		ssize_t got = fill_ahead(t);

		if (got <= 0)
			return got;
		n = (size_t)got;
	}
	if (n > cap)
		n = cap;
	memcpy(at, t->ahead + t->ahead_head, n);
	t->ahead_head += n;
	return (ssize_t)n;
}

/* Keeps a record that others follow at once, for one system call to send
 * many.  Returns false when it has to be sent now. */
static bool
gather(struct tls *t, struct bytes in)
{
	if (t->gather == NULL)
		t->gather = malloc(GATHER_MAX);
	if (t->gather == NULL || in.len > GATHER_MAX - t->gather_tail)
		return false;
	memcpy(t->gather + t->gather_tail, in.ptr, in.len);
	t->gather_tail += in.len;
	return true;
}

/* Sends what was gathered and then in.  Returns the bytes of in sent. */
static ssize_t
send_gathered(struct tls *t, struct bytes in, bool more)
{
	size_t before = t->gather_tail - t->gather_head;
	struct iovec parts[] = {
		{t->gather + t->gather_head, before},
		{(void *)(uintptr_t)in.ptr, in.len},
	};
	struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
	ssize_t n;

	do {
		n = sendmsg(t->fd, &m, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
	} while (n == -1 && errno == EINTR);
	if (n == -1)
		return -1;
	if ((size_t)n <= before) {
		t->gather_head += (size_t)n;
		errno = EAGAIN;
		return -1;
	}
	t->gather_head = t->gather_tail = 0;
	return n - (ssize_t)before;
}

static ssize_t
socket_write(void *user, struct bytes in, bool more)
{
	struct tls *t = user;

	if (t->bulk && more && gather(t, in))
		return (ssize_t)in.len;
	return send_gathered(t, in, more);
}

static int
bio_result(struct tls *t, BIO *b, ssize_t n, int retry)
{
	if (n > 0)
		return (int)n;
	if (n == 0)
		t->eof = true;
	else if (errno == EAGAIN)
		BIO_set_flags(b, retry | BIO_FLAGS_SHOULD_RETRY);
	else
		t->io_errno = errno;
	return n == 0 ? 0 : -1;
}

static int
bio_read(BIO *b, char *at, int cap)
{
	struct tls *t = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	/* OpenSSL would go on for as long as records without data come. */
	if (t->reads_left == 0)
		return -1;
	t->reads_left--;
	return bio_result(t, b, t->io.read(t->io.user, (uint8_t *)at,
	    (size_t)cap), BIO_FLAGS_READ);
}

static int
bio_write(BIO *b, const char *at, int len)
{
	struct tls *t = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	return bio_result(t, b, t->io.write(t->io.user,
	    bytes_of(at, (size_t)len), t->more), BIO_FLAGS_WRITE);
}

static long
bio_ctrl(BIO *b, int command, long number, void *pointer)
{
	const struct tls *t = BIO_get_data(b);

	(void)number;
	(void)pointer;
	if (command == BIO_CTRL_EOF)
		return t->eof;
	return command == BIO_CTRL_FLUSH;
}

/* One method for the life of the process. */
static const BIO_METHOD *
bio_method(void)
{
	static BIO_METHOD *method;

	if (method == NULL) {
		method = BIO_meth_new(BIO_get_new_index() |
		    BIO_TYPE_SOURCE_SINK, "adit");
		if (method == NULL)
			return NULL;
		BIO_meth_set_read(method, bio_read);
		BIO_meth_set_write(method, bio_write);
		BIO_meth_set_ctrl(method, bio_ctrl);
	}
	return method;
}

/* ---- contexts ---- */

static int
select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned int in_len, void *arg)
{
	const struct tls_context *c = arg;
	unsigned char *chosen;

	(void)ssl;
	if (SSL_select_next_proto(&chosen, out_len, c->alpn, c->alpn[0] + 1U,
	    in, in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* Any client certificate may pass: the caller judges its fingerprint. */
static int
accept_any(X509_STORE_CTX *store, void *arg)
{
	(void)store;
	(void)arg;
	return 1;
}

static int
set_policy(struct tls_context *c, const char *alpn, bool allow_tls12,
    struct error *e)
{
	SSL_CTX *ctx = c->ctx;

	SSL_CTX_set_min_proto_version(ctx,
	    allow_tls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (!c->bulk)
		SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	if (SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:"
	    "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") != 1 ||
	    SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1 ||
	    SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") != 1)
		return fail_file(e, "TLS policy");
	if (alpn != NULL) {
		c->alpn[0] = (uint8_t)strlen(alpn);
		memcpy(c->alpn + 1, alpn, strlen(alpn));
	}
	return 0;
}

int
tls_refuse_password(char *out, int cap, int writing, void *user)
{
	(void)out;
	(void)cap;
	(void)writing;
	(void)user;
	return -1;
}

static int
load_pair(SSL_CTX *ctx, const char *cert, const char *key, struct error *e)
{
	SSL_CTX_set_default_passwd_cb(ctx, tls_refuse_password);
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		return fail_file(e, cert);
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		return fail_file(e, key);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return error_set(e, "%s: not the key of %s", key, cert);
	return 0;
}

static struct tls_context *
context_new(const SSL_METHOD *method, const char *alpn, bool allow_tls12,
    bool bulk, struct error *e)
{
	struct tls_context *c = calloc(1, sizeof *c);

	if (c == NULL || (alpn != NULL && strlen(alpn) > ALPN_MAX)) {
		error_set(e, "TLS: %s", c == NULL ? "no memory" : "ALPN");
		free(c);
		return NULL;
	}
	ERR_clear_error();
	c->bulk = bulk;
	c->ctx = SSL_CTX_new(method);
	if (c->ctx == NULL)
		fail_file(e, "TLS");
	if (c->ctx == NULL || set_policy(c, alpn, allow_tls12, e) != 0) {
		tls_context_free(c);
		return NULL;
	}
	return c;
}

struct tls_context *
tls_context_server(const struct tls_server_settings *s, struct error *e)
{
	static const unsigned char id[] = "adit";
	struct tls_context *c = context_new(TLS_server_method(), s->alpn,
	    s->allow_tls12, s->bulk, e);

	if (c == NULL)
		return NULL;
	if (load_pair(c->ctx, s->cert_file, s->key_file, e) != 0) {
		tls_context_free(c);
		return NULL;
	}
	SSL_CTX_set_session_id_context(c->ctx, id, sizeof id - 1);
	if (s->alpn != NULL)
		SSL_CTX_set_alpn_select_cb(c->ctx, select_alpn, c);
	if (s->ask_client_cert) {
		SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
		SSL_CTX_set_cert_verify_callback(c->ctx, accept_any, NULL);
	}
	return c;
}

static int
load_trust(SSL_CTX *ctx, const struct tls_client_settings *s,
    struct error *e)
{
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (s->ca_file != NULL &&
	    SSL_CTX_load_verify_file(ctx, s->ca_file) != 1)
		return fail_file(e, s->ca_file);
	if (s->system_cas && SSL_CTX_set_default_verify_paths(ctx) != 1)
		return fail_file(e, "system CA certificates");
	if (s->cert_file != NULL)
		return load_pair(ctx, s->cert_file, s->key_file, e);
	return 0;
}

struct tls_context *
tls_context_client(const struct tls_client_settings *s, struct error *e)
{
	struct tls_context *c = context_new(TLS_client_method(), s->alpn,
	    s->allow_tls12, s->bulk, e);

	if (c == NULL)
		return NULL;
	if (load_trust(c->ctx, s, e) != 0 ||
	    (s->alpn != NULL && SSL_CTX_set_alpn_protos(c->ctx, c->alpn,
	    c->alpn[0] + 1U) != 0)) {
		tls_context_free(c);
		return NULL;
	}
	return c;
}

void
tls_context_free(struct tls_context *c)
{
	if (c == NULL)
		return;
	/* Connections keep their SSL_CTX, but not c: the callback must not
	 * outlive it. */
	if (c->ctx != NULL)
		SSL_CTX_set_alpn_select_cb(c->ctx, NULL, NULL);
	SSL_CTX_free(c->ctx);
	free(c);
}

/* ---- connections ---- */

static int
set_server_name(SSL *ssl, const char *name)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	uint8_t ip[16];

	if (inet_pton(AF_INET, name, ip) == 1 ||
	    inet_pton(AF_INET6, name, ip) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1
		    ? 0 : -1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (SSL_set1_host(ssl, name) != 1 ||
	    SSL_set_tlsext_host_name(ssl, name) != 1)
		return -1;
	return 0;
}

static struct tls *
tls_new(struct tls_context *c, const char *server_name, struct error *e)
{
	struct tls *t = calloc(1, sizeof *t);
	const BIO_METHOD *method = bio_method();
	BIO *bio = method == NULL ? NULL : BIO_new(method);

	ERR_clear_error();
	if (t != NULL)
		t->ssl = SSL_new(c->ctx);
	if (t == NULL || t->ssl == NULL || bio == NULL ||
	    (server_name != NULL && set_server_name(t->ssl, server_name) != 0)) {
		fail_file(e, server_name == NULL ? "TLS" : server_name);
		if (t != NULL)
			SSL_free(t->ssl);
		BIO_free(bio);
		free(t);
		return NULL;
	}
	t->bulk = c->bulk;
	t->fd = -1;
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(t->ssl, bio, bio);
	if (server_name == NULL)
		SSL_set_accept_state(t->ssl);
	else
		SSL_set_connect_state(t->ssl);
	return t;
}

struct tls *
tls_new_fd(struct tls_context *c, int fd, const char *server_name,
    struct error *e)
{
	struct tls *t = tls_new(c, server_name, e);

	if (t == NULL)
		return NULL;
	t->fd = fd;
	t->io = (struct tls_io){socket_read, socket_write, t};
	return t;
}

struct tls *
tls_new_io(struct tls_context *c, const struct tls_io *io,
    const char *server_name, struct error *e)
{
	struct tls *t = tls_new(c, server_name, e);

	if (t != NULL)
		t->io = *io;
	return t;
}

void
tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	SSL_free(t->ssl);
	io_close(&t->fd);
	free(t->ahead);
	free(t->gather);
	free(t);
}

/* Maps the result of an SSL call that did not succeed to 0 (end) or -1 with
 * errno, and keeps the text of a TLS failure. */
static int
judge(struct tls *t, int result)
{
	int why = SSL_get_error(t->ssl, result);
	long verify = SSL_get_verify_result(t->ssl);

	t->wants_write = why == SSL_ERROR_WANT_WRITE;
	switch (why) {
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = EAGAIN;
		return -1;
	default:
		break;
	}
	if (t->io_errno != 0) {
		snprintf(t->error, sizeof t->error, "%s",
		    strerror(t->io_errno));
		ERR_clear_error();
		errno = t->io_errno;
	} else if (t->eof) {
		snprintf(t->error, sizeof t->error, "connection closed");
		ERR_clear_error();
		errno = ECONNRESET;
	} else if (t->reads_left == 0) {
		snprintf(t->error, sizeof t->error, "too many small records");
		ERR_clear_error();
		errno = EPROTO;
	} else {
		first_reason(t->error, sizeof t->error);
		if (verify != X509_V_OK)
			snprintf(t->error, sizeof t->error, "%s",
			    X509_verify_cert_error_string(verify));
		errno = EPROTO;
	}
	return -1;
}

int
tls_handshake(struct tls *t, struct error *e)
{
	int r;

	ERR_clear_error();
	t->reads_left = HANDSHAKE_READS_MAX;
	r = SSL_do_handshake(t->ssl);
	if (r == 1)
		return 1;
	if (judge(t, r) == -1 && errno == EAGAIN)
		return 0;
	e->code = errno;
	return error_set(e, "TLS handshake: %s", t->error);
}

/* Gives an emptied read-ahead buffer back unless bytes are about to come. */
static void
release_ahead(struct tls *t)
{
	if (t->bulk || t->ahead_head != t->ahead_tail)
		return;
	free(t->ahead);
	t->ahead = NULL;
}

ssize_t
tls_read(struct tls *t, uint8_t *at, size_t cap)
{
	size_t got = 0;

	if (t->stopped) {
		errno = t->result_errno;
		return t->result;
	}
	ERR_clear_error();
	for (int i = 0; got < cap && i < READS_MAX;
	    i += IDLE_READS_MAX - t->reads_left) {
		size_t n;
		int r;

		t->reads_left = IDLE_READS_MAX;
		r = SSL_read_ex(t->ssl, at + got, cap - got, &n);
		if (r == 1) {
			got += n;
			continue;
		}
		r = judge(t, r);
		if (got == 0)
			return r;
		if (r == 0 || errno != EAGAIN) {
			t->stopped = true;
			t->result = r;
			t->result_errno = errno;
		}
		break;
	}
	release_ahead(t);
	return (ssize_t)got;
}

/* After the peer's close_notify, OpenSSL calls a write that failed a clean end
 * as well. */
static int
judge_write(struct tls *t, int result)
{
	if (judge(t, result) == 0)
		errno = t->io_errno != 0 ? t->io_errno : EPIPE;
	return -1;
}

ssize_t
tls_write(struct tls *t, struct bytes in, bool more)
{
	size_t sent = 0;

	ERR_clear_error();
	while (sent < in.len) {
		size_t left = in.len - sent, n;
		int r;

		t->more = more || left > RECORD_MAX;
		r = SSL_write_ex(t->ssl, in.ptr + sent,
		    left < RECORD_MAX ? left : RECORD_MAX, &n);
		if (r == 1)
			sent += n;
		else if (sent != 0)
			break;
		else
			return judge_write(t, r);
	}
	return (ssize_t)sent;
}

bool
tls_has_pending(const struct tls *t)
{
	return t->stopped || t->ahead_head != t->ahead_tail ||
	    SSL_pending(t->ssl) > 0;
}

bool
tls_wants_write(const struct tls *t)
{
	return t->wants_write;
}

void
tls_shutdown(struct tls *t)
{
	ERR_clear_error();
	t->more = false;
	if (SSL_is_init_finished(t->ssl) && t->io_errno == 0)
		SSL_shutdown(t->ssl);
	ERR_clear_error();
}

const char *
tls_error(const struct tls *t)
{
	return t->error;
}

static bool
is_valid_now(const X509 *cert)
{
	return X509_cmp_current_time(X509_get0_notBefore(cert)) < 0 &&
	    X509_cmp_current_time(X509_get0_notAfter(cert)) > 0;
}

bool
tls_context_is_valid(const struct tls_context *c)
{
	return is_valid_now(SSL_CTX_get0_certificate(c->ctx));
}

bool
tls_context_is_for(const struct tls_context *c, const char *host)
{
	return X509_check_host(SSL_CTX_get0_certificate(c->ctx), host, 0,
	    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1;
}

bool
tls_peer_fingerprint(const struct tls *t,
    uint8_t out[static TLS_FINGERPRINT_LEN])
{
	X509 *cert = SSL_get1_peer_certificate(t->ssl);
	unsigned int len = TLS_FINGERPRINT_LEN;
	bool ok;

	if (cert == NULL)
		return false;
	ok = is_valid_now(cert) && X509_digest(cert, EVP_sha256(), out, &len) == 1;
	X509_free(cert);
	return ok;
}

const char *
tls_server_name(const struct tls *t)
{
	const char *name = SSL_get_servername(t->ssl,
	    TLSEXT_NAMETYPE_host_name);

	return name == NULL ? "" : name;
}

const char *
tls_describe(const struct tls *t, char out[static 64])
{
	snprintf(out, 64, "%s %s", SSL_get_version(t->ssl),
	    SSL_get_cipher_name(t->ssl));
	return out;
}

/* ---- as a transport ---- */

static ssize_t
transport_read(void *self, uint8_t *at, size_t cap)
{
	return tls_read(self, at, cap);
}

static ssize_t
transport_write(void *self, struct bytes in, bool more)
{
	return tls_write(self, in, more);
}

static bool
transport_has_pending(const void *self)
{
	return tls_has_pending(self);
}

static const char *
transport_error(const void *self)
{
	return tls_error(self);
}

static void
transport_close(void *self)
{
	tls_shutdown(self);
	tls_free(self);
}

void
tls_transport(struct tls *t, struct transport *ret)
{
	*ret = (struct transport){
		.read = transport_read, .write = transport_write,
		.has_pending = transport_has_pending,
		.error = transport_error,
		.close = transport_close, .self = t,
		.read_fd = t->fd, .write_fd = t->fd,
	};
}
