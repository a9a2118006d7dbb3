/* SPDX-License-Identifier: ISC */
/* cert_check: one small function per rule. */
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "common/buf.h"
#include "common/cert.h"
#include "common/io.h"
#include "common/str.h"
#include "common/tls.h"

enum {
	RSA_BITS_MIN = 2048,
	EC_BITS_MIN = 256,
	DIGEST_BITS_MIN = 128, /* of security: SHA-256 */
	LINE_LEN = 512,
	HOST_LEN = 320,
};

struct checker {
	void (*found)(void *user, const char *line);
	void *user;
	int count;
	const char *path; /* of the file that is looked at */
};

static void report(struct checker *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
report(struct checker *c, const char *format, ...)
{
	char text[LINE_LEN], line[LINE_LEN];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	str_format(line, sizeof line, "%.256s: %s", c->path, text);
	c->count++;
	c->found(c->user, line);
}

/* Opens the file as a BIO over b, or reports. */
static BIO *
open_file(struct checker *c, struct buf *b)
{
	struct error e;
	struct bytes in;

	buf_init(b, CERT_FILE_MAX);
	if (io_read_file(c->path, b, &e) != 0) {
		/* e begins with the path, as report does. */
		c->count++;
		c->found(c->user, e.text);
		return NULL;
	}
	in = buf_bytes(b);
	return BIO_new_mem_buf(in.len == 0 ? "" : (const char *)in.ptr,
	    (int)in.len);
}

/* Reads the first certificate; *ret_more is how many follow. */
static X509 *
read_cert(struct checker *c, int *ret_more, size_t *ret_len)
{
	struct buf b;
	BIO *bio = open_file(c, &b);
	X509 *first = NULL, *more;

	*ret_more = 0;
	*ret_len = buf_len(&b);
	if (bio != NULL) {
		first = PEM_read_bio_X509(bio, NULL, tls_refuse_password,
		    NULL);
		if (first == NULL)
			report(c, "no certificate in PEM");
		while (first != NULL && (more = PEM_read_bio_X509(bio, NULL,
		    tls_refuse_password, NULL)) != NULL) {
			X509_free(more);
			(*ret_more)++;
		}
	}
	BIO_free(bio);
	buf_reset(&b);
	ERR_clear_error();
	return first;
}

static void
check_dates(struct checker *c, const X509 *cert)
{
	if (X509_cmp_current_time(X509_get0_notBefore(cert)) >= 0)
		report(c, "not valid yet");
	if (X509_cmp_current_time(X509_get0_notAfter(cert)) <= 0)
		report(c, "expired");
}

static void
check_key(struct checker *c, const X509 *cert)
{
	const EVP_PKEY *key = X509_get0_pubkey(cert);
	int bits = key == NULL ? 0 : EVP_PKEY_get_bits(key);

	switch (key == NULL ? EVP_PKEY_NONE : EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
		if (bits < RSA_BITS_MIN)
			report(c, "RSA key of %d bits, must be %d or more",
			    bits, RSA_BITS_MIN);
		break;
	case EVP_PKEY_EC:
		if (bits < EC_BITS_MIN)
			report(c, "ECDSA key of %d bits, must be P-256 or "
			    "more", bits);
		break;
	default:
		report(c, "the key is neither RSA nor ECDSA");
	}
}

static void
check_signature(struct checker *c, X509 *cert)
{
	int digest, bits;

	if (X509_get_signature_info(cert, &digest, NULL, &bits, NULL) != 1)
		report(c, "signed in an unknown way");
	else if (bits < DIGEST_BITS_MIN && digest != NID_sha256)
		report(c, "signed with %s, must be SHA-256 or better",
		    digest == NID_undef ? "an unknown digest"
		    : OBJ_nid2ln(digest));
}

static void
check_common(struct checker *c, X509 *cert)
{
	check_dates(c, cert);
	check_key(c, cert);
	check_signature(c, cert);
}

static void
check_constraints(struct checker *c, const X509 *ca)
{
	int critical;
	BASIC_CONSTRAINTS *bc = X509_get_ext_d2i(ca, NID_basic_constraints,
	    &critical, NULL);

	if (bc == NULL)
		report(c, "no BasicConstraints, must be CA:TRUE, critical");
	else if (bc->ca == 0)
		report(c, "BasicConstraints are CA:FALSE, so it is no CA");
	else if (critical != 1)
		report(c, "BasicConstraints are not critical");
	BASIC_CONSTRAINTS_free(bc);
}

static void
check_ca(struct checker *c, X509 *ca, int more, size_t len)
{
	uint32_t usage = X509_get_key_usage(ca);

	if (len > CERT_CA_FILE_MAX)
		report(c, "%zu bytes, must be at most %d", len,
		    CERT_CA_FILE_MAX);
	if (more != 0)
		report(c, "%d certificates, must be one", more + 1);
	check_constraints(c, ca);
	if (X509_get0_subject_key_id(ca) == NULL)
		report(c, "no SubjectKeyIdentifier");
	if (usage == UINT32_MAX)
		report(c, "no KeyUsage, must have keyCertSign");
	else if ((usage & KU_KEY_CERT_SIGN) == 0)
		report(c, "KeyUsage without keyCertSign");
	check_common(c, ca);
}

static void
check_issuer(struct checker *c, X509 *cert, X509 *ca, const char *ca_path)
{
	const ASN1_OCTET_STRING *subject_id = X509_get0_subject_key_id(ca);
	const ASN1_OCTET_STRING *issuer_id = X509_get0_authority_key_id(cert);

	if (X509_NAME_cmp(X509_get_issuer_name(cert),
	    X509_get_subject_name(ca)) != 0 ||
	    X509_verify(cert, X509_get0_pubkey(ca)) != 1)
		report(c, "not signed directly by the CA of %s", ca_path);
	if (issuer_id == NULL)
		report(c, "no AuthorityKeyIdentifier");
	else if (subject_id != NULL &&
	    ASN1_OCTET_STRING_cmp(subject_id, issuer_id) != 0)
		report(c, "AuthorityKeyIdentifier is not the "
		    "SubjectKeyIdentifier of %s", ca_path);
	ERR_clear_error();
}

/* Whether a name is one label and the domain, "*" among them. */
static bool
is_below(const GENERAL_NAME *g, const char *domain)
{
	char name[HOST_LEN];
	int kind;
	const ASN1_STRING *s = GENERAL_NAME_get0_value(g, &kind);
	const char *dot;

	if (kind != GEN_DNS || str_from_bytes(name, sizeof name,
	    bytes_of(ASN1_STRING_get0_data(s),
	    (size_t)ASN1_STRING_length(s))) != 0)
		return false;
	dot = strchr(name, '.');
	return dot != NULL && dot != name && str_eq_nocase(dot + 1, domain);
}

static void
check_names(struct checker *c, const X509 *cert, const char *domain)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name,
	    NULL, NULL);
	int count = sk_GENERAL_NAME_num(names);
	bool below = false, dns = false;

	for (int i = 0; i < count; i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);

		dns = dns || g->type == GEN_DNS;
		below = below || (domain != NULL && is_below(g, domain));
	}
	if (!dns)
		report(c, "no DNS name among the subject alternative names");
	else if (domain != NULL && !below)
		report(c, "no name covers hosts of %s, such as *.%s", domain,
		    domain);
	GENERAL_NAMES_free(names);
}

static void
check_usage(struct checker *c, X509 *cert)
{
	/* Both are UINT32_MAX where the extension is absent. */
	if ((X509_get_extended_key_usage(cert) & XKU_SSL_SERVER) == 0)
		report(c, "ExtendedKeyUsage without serverAuth");
	if ((X509_get_key_usage(cert) & KU_DIGITAL_SIGNATURE) == 0)
		report(c, "KeyUsage without digitalSignature");
}

static void
check_private_key(struct checker *c, const X509 *cert, const char *cert_path)
{
	struct buf b;
	BIO *bio = open_file(c, &b);
	EVP_PKEY *key = bio == NULL ? NULL
	    : PEM_read_bio_PrivateKey(bio, NULL, tls_refuse_password, NULL);

	if (bio != NULL && key == NULL)
		report(c, "no private key in PEM without a password");
	else if (key != NULL && cert != NULL &&
	    X509_check_private_key(cert, key) != 1)
		report(c, "does not belong to %s", cert_path);
	EVP_PKEY_free(key);
	BIO_free(bio);
	if (b.mem != NULL)
		explicit_bzero(b.mem, b.size);
	buf_reset(&b);
	ERR_clear_error();
}

int
cert_check(const struct cert_check *what,
    void (*found)(void *user, const char *line), void *user)
{
	struct checker c = {.found = found, .user = user, .path = what->ca};
	int more;
	size_t len;
	X509 *ca = read_cert(&c, &more, &len), *cert;

	if (ca != NULL)
		check_ca(&c, ca, more, len);
	c.path = what->cert;
	cert = read_cert(&c, &more, &len);
	if (cert != NULL) {
		check_common(&c, cert);
		check_names(&c, cert, what->domain);
		check_usage(&c, cert);
	}
	if (cert != NULL && ca != NULL)
		check_issuer(&c, cert, ca, what->ca);
	c.path = what->key;
	if (what->key != NULL)
		check_private_key(&c, cert, what->cert);
	X509_free(cert);
	X509_free(ca);
	return c.count;
}
