/* SPDX-License-Identifier: ISC */
/* Makes a certificate authority and the server certificates that it signs
 * directly, and checks existing ones against the rules that tunnel operators
 * ask for (mcp-proxy.yaml(5), CERTIFICATES).  PEM in and out; nothing of
 * OpenSSL is visible outside.  Making an RSA key may take a second. */
#ifndef ADIT_CERT_H
#define ADIT_CERT_H

#include "common/bytes.h"
#include "common/error.h"

enum {
	CERT_CA_DAYS = 1826, /* five years */
	CERT_DAYS = 90,
	CERT_DAYS_MAX = 7305,
	CERT_NAMES_MAX = 64,
	CERT_CA_FILE_MAX = 8 << 10, /* of a CA in PEM */
	CERT_FILE_MAX = 256 << 10,  /* of anything read here */
};

enum cert_key {
	CERT_KEY_P256,
	CERT_KEY_RSA4096,
};

/* A certificate and its private key, each one PEM text. */
struct cert_pem {
	char *cert, *key;
};

/* Wipes and frees both. */
void cert_pem_done(struct cert_pem *p);

struct cert_request {
	const char *const *names; /* DNS names, "*.name" or addresses; the
	                           * first is the subject */
	size_t name_count;        /* 1 to CERT_NAMES_MAX */
	int days;                 /* 1 to CERT_DAYS_MAX */
	enum cert_key key;
};

/* Makes a CA with an ECDSA P-256 key.  Returns 0, or -1 with a text. */
int cert_make_ca(const char *common_name, int days, struct cert_pem *ret,
    struct error *e);

/* Makes a server's key and certificate, signed by ca.  Returns 0, or -1 with
 * a text; EINVAL is in e->code when a name is no DNS name or address. */
int cert_make_server(const struct cert_pem *ca, const struct cert_request *r,
    struct cert_pem *ret, struct error *e);

/* Reads a pair from files.  Returns 0, or -1 with a text. */
int cert_read(const char *cert_path, const char *key_path,
    struct cert_pem *ret, struct error *e);

/* Writes p into the directory: the key with mode 0600, the certificate with
 * 0644, each whole or not at all.  Without replace, neither may exist.
 * Returns 0, or -1 with a text; e->code is EEXIST if one does. */
int cert_write(const char *dir, const char *cert_name, const char *key_name,
    const struct cert_pem *p, bool replace, struct error *e);

/* The names that a certificate in PEM is for, as a new array of
 * *ret_count strings in one allocation, to be freed with free; and what kind
 * of key it has.  Returns 0, or -1 with a text. */
int cert_names(const char *cert, char ***ret_names, size_t *ret_count,
    enum cert_key *ret_key, struct error *e);

/* When the first certificate in a PEM text ends, in seconds since 1970.
 * Returns 0, or -1 with a text. */
int cert_expiry(const char *cert, int64_t *ret, struct error *e);

/* The paths to check.  key and domain may be NULL. */
struct cert_check {
	const char *cert, *key, *ca;
	const char *domain; /* it must cover hosts of this domain */
};

/* Calls found with one line for each rule that does not hold.  Returns how
 * many there were; a file that cannot be read is one. */
int cert_check(const struct cert_check *c,
    void (*found)(void *user, const char *line), void *user);

#endif
