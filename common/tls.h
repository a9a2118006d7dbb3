/* SPDX-License-Identifier: ISC */
/* TLS through OpenSSL, with one policy for every program: TLS 1.3 (1.2 only
 * where asked), no renegotiation, certificates always verified.  Nothing of
 * OpenSSL is visible outside.  All calls are non-blocking; the bytes go to
 * and come from a struct tls_io, so that TLS runs over sockets and over
 * streams of a hop alike. */
#ifndef ADIT_TLS_H
#define ADIT_TLS_H

#include "common/error.h"
#include "common/transport.h"

enum { TLS_FINGERPRINT_LEN = 32 };

/* Certificates, keys and trust, shared by connections. */
struct tls_context;

struct tls_server_settings {
	const char *cert_file, *key_file; /* PEM; the chain, leaf first */
	const char *alpn;       /* the only protocol, or NULL for none */
	bool allow_tls12;
	bool ask_client_cert;   /* any is let through: see
				 * tls_peer_fingerprint */
	bool bulk;              /* keep buffers between records */
};

struct tls_client_settings {
	const char *ca_file;    /* PEM, or NULL for none of its own */
	bool system_cas;        /* trust the system's too */
	const char *cert_file, *key_file; /* of the client, or NULL */
	const char *alpn;
	bool allow_tls12;
	bool bulk;
};

/* Each returns a context, or NULL with a text that names the file. */
struct tls_context *tls_context_server(const struct tls_server_settings *s,
    struct error *e);
struct tls_context *tls_context_client(const struct tls_client_settings *s,
    struct error *e);

/* Whether the certificate of c is valid at this time, and whether it is for
 * that host. */
bool tls_context_is_valid(const struct tls_context *c);
bool tls_context_is_for(const struct tls_context *c, const char *host);

/* Connections made from it go on. */
void tls_context_free(struct tls_context *c);

/* Where the encrypted bytes go; the functions are those of struct
 * transport. */
struct tls_io {
	ssize_t (*read)(void *user, uint8_t *at, size_t cap);
	ssize_t (*write)(void *user, struct bytes in, bool more);
	void *user;
};

struct tls;

/* A connection over a socket, which it owns on success and closes in
 * tls_free.  server_name: for a client, the name or address to ask for and
 * verify; NULL for a server.  Returns NULL with a text. */
struct tls *tls_new_fd(struct tls_context *c, int fd, const char *server_name,
    struct error *e);

/* The same over any io; it reads no further ahead than one record. */
struct tls *tls_new_io(struct tls_context *c, const struct tls_io *io,
    const char *server_name, struct error *e);

/* Frees it; sends nothing. */
void tls_free(struct tls *t);

/* Goes on with the handshake.  Returns 1 when done, 0 when it must wait for
 * input (or output: tls_wants_write), -1 with a text. */
int tls_handshake(struct tls *t, struct error *e);

/* Reads as much as there is, up to cap; of many small records less, and
 * tls_has_pending tells.  Returns the bytes, 0 after the peer's close_notify,
 * or -1 with errno: EAGAIN, ECONNRESET (cut off without close_notify), EPROTO
 * (anything else, such as many records in a row without data, for which others
 * would have to wait; tls_error has a text), or that of io. */
ssize_t tls_read(struct tls *t, uint8_t *at, size_t cap);

/* Writes a prefix of in.  more: another write follows at once, so the last
 * segment may wait for it.  Returns the bytes, or -1 with errno as above. */
ssize_t tls_write(struct tls *t, struct bytes in, bool more);

/* Whether tls_read may return bytes without new input. */
bool tls_has_pending(const struct tls *t);

/* Whether the last EAGAIN was about output. */
bool tls_wants_write(const struct tls *t);

/* Sends close_notify, once, if the handshake was done. */
void tls_shutdown(struct tls *t);

/* The text of the last EPROTO. */
const char *tls_error(const struct tls *t);

/* SHA-256 of the peer's certificate in DER.  Returns false if it sent none or
 * the certificate is not valid at this time. */
bool tls_peer_fingerprint(const struct tls *t,
    uint8_t out[static TLS_FINGERPRINT_LEN]);

/* The server name that a client sent, "" if none. */
const char *tls_server_name(const struct tls *t);

/* "TLSv1.3 TLS_AES_128_GCM_SHA256" */
const char *tls_describe(const struct tls *t, char out[static 64]);

/* OpenSSL's callback for the password of a key: refuses, where OpenSSL would ask
 * the terminal, or read standard input, and the program would stand still. */
int tls_refuse_password(char *out, int cap, int writing, void *user);

/* t as the transport of a hop, which then owns it. */
void tls_transport(struct tls *t, struct transport *ret);

#endif
