/* SPDX-License-Identifier: ISC */
#include "common/cert.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/io.h"
#include "common/sock.h"
#include "common/tls.h"

enum {
	SERIAL_BITS = 128,
	SLACK_S = 3600, /* clocks that are late accept a new certificate */
	COMMON_NAME_MAX = 64, /* RFC 5280, ub-common-name */
	RSA_BITS = 4096,
	DAY_S = 86400,
	TEXT_MAX = 256,
};

/* Fills e with what and OpenSSL's reason, and empties its queue. */
static int
fail(struct error *e, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return error_set(e, "%s%s%s", what, reason == NULL ? "" : ": ",
	    reason == NULL ? "" : reason);
}

void
cert_pem_done(struct cert_pem *p)
{
	if (p->key != NULL)
		explicit_bzero(p->key, strlen(p->key));
	free(p->key);
	free(p->cert);
	p->key = p->cert = NULL;
}

/* Copies what a memory BIO holds as a string; wipes the BIO. */
static char *
take_text(BIO *bio)
{
	char *data, *copy;
	long len = BIO_get_mem_data(bio, &data);

	if (len <= 0)
		return NULL;
	copy = strndup(data, (size_t)len);
	explicit_bzero(data, (size_t)len);
	return copy;
}

static int
format_pem(X509 *cert, EVP_PKEY *key, struct cert_pem *ret, struct error *e)
{
	struct cert_pem p = {NULL, NULL};
	BIO *cert_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_mem());

	if (cert_bio != NULL && key_bio != NULL &&
	    PEM_write_bio_X509(cert_bio, cert) == 1 &&
	    PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL,
	    NULL) == 1) {
		p.cert = take_text(cert_bio);
		p.key = take_text(key_bio);
	}
	BIO_free(cert_bio);
	BIO_free(key_bio);
	if (p.cert == NULL || p.key == NULL) {
		cert_pem_done(&p);
		return fail(e, "writing PEM");
	}
	*ret = p;
	return 0;
}

static X509 *
parse_cert(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert = bio == NULL ? NULL
	    : PEM_read_bio_X509(bio, NULL, tls_refuse_password, NULL);

	BIO_free(bio);
	return cert;
}

static EVP_PKEY *
parse_key(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = bio == NULL ? NULL
	    : PEM_read_bio_PrivateKey(bio, NULL, tls_refuse_password, NULL);

	BIO_free(bio);
	return key;
}

static EVP_PKEY *
new_key(enum cert_key kind)
{
	return kind == CERT_KEY_RSA4096
	    ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)RSA_BITS)
	    : EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
}

static int
set_serial(X509 *cert)
{
	uint8_t bytes[SERIAL_BITS / 8];
	BIGNUM *n;
	int r = -1;

	if (RAND_bytes(bytes, sizeof bytes) != 1)
		return -1;
	/* Positive, and never shorter than its 128 bits. */
	bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40);
	n = BN_bin2bn(bytes, sizeof bytes, NULL);
	if (n != NULL &&
	    BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL)
		r = 0;
	BN_free(n);
	return r;
}

static int
set_subject(X509 *cert, const char *common_name)
{
	X509_NAME *name = X509_get_subject_name(cert);
	char cut[COMMON_NAME_MAX + 1];

	str_format(cut, sizeof cut, "%s", common_name);
	return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	    (const unsigned char *)cut, -1, -1, 0) == 1 ? 0 : -1;
}

/* A new certificate without issuer, extensions and signature. */
static X509 *
new_cert(EVP_PKEY *key, const char *common_name, int days)
{
	X509 *cert = X509_new();

	if (cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1 &&
	    set_serial(cert) == 0 && set_subject(cert, common_name) == 0 &&
	    X509_gmtime_adj(X509_getm_notBefore(cert), -SLACK_S) != NULL &&
	    X509_time_adj_ex(X509_getm_notAfter(cert), days, 0,
	    NULL) != NULL &&
	    X509_set_pubkey(cert, key) == 1)
		return cert;
	X509_free(cert);
	return NULL;
}

static int
add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *x;
	int r;

	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
	x = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	if (x == NULL)
		return -1;
	r = X509_add_ext(cert, x, -1) == 1 ? 0 : -1;
	X509_EXTENSION_free(x);
	return r;
}

static int
sign_cert(X509 *cert, X509 *issuer, EVP_PKEY *issuer_key)
{
	return X509_set_issuer_name(cert, X509_get_subject_name(issuer)) == 1 &&
	    X509_sign(cert, issuer_key, EVP_sha256()) > 0 ? 0 : -1;
}

int
cert_make_ca(const char *common_name, int days, struct cert_pem *ret,
    struct error *e)
{
	EVP_PKEY *key = new_key(CERT_KEY_P256);
	X509 *cert = key == NULL ? NULL : new_cert(key, common_name, days);
	int r = -1;

	if (cert == NULL ||
	    add_extension(cert, cert, NID_basic_constraints,
	    "critical,CA:TRUE,pathlen:0") != 0 ||
	    add_extension(cert, cert, NID_key_usage,
	    "critical,keyCertSign,cRLSign") != 0 ||
	    add_extension(cert, cert, NID_subject_key_identifier,
	    "hash") != 0 ||
	    sign_cert(cert, cert, key) != 0)
		fail(e, "making a CA");
	else
		r = format_pem(cert, key, ret, e);
	X509_free(cert);
	EVP_PKEY_free(key);
	return r;
}

/* Whether name is what a server certificate can be for. */
static bool
is_name(const char *name, bool *ret_ip)
{
	struct sock_addr a;

	*ret_ip = sock_parse_ip(name, 0, &a) == 0;
	if (*ret_ip)
		return true;
	return str_is_hostname(str_starts(name, "*.") ? name + 2 : name);
}

static GENERAL_NAME *
new_general_name(const char *name, bool ip)
{
	GENERAL_NAME *g = GENERAL_NAME_new();
	ASN1_STRING *s;

	if (g == NULL)
		return NULL;
	if (ip) {
		s = a2i_IPADDRESS(name);
		if (s != NULL)
			GENERAL_NAME_set0_value(g, GEN_IPADD, s);
	} else {
		s = ASN1_IA5STRING_new();
		if (s != NULL && ASN1_STRING_set(s, name, -1) == 1) {
			GENERAL_NAME_set0_value(g, GEN_DNS, s);
		} else {
			ASN1_STRING_free(s);
			s = NULL;
		}
	}
	if (s != NULL)
		return g;
	GENERAL_NAME_free(g);
	return NULL;
}

static int
add_names(X509 *cert, const struct cert_request *q, struct error *e)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	int r = -1;

	if (names == NULL)
		return fail(e, "subject names");
	for (size_t i = 0; i < q->name_count; i++) {
		GENERAL_NAME *g;
		bool ip;

		is_name(q->names[i], &ip);
		g = new_general_name(q->names[i], ip);
		if (g == NULL || sk_GENERAL_NAME_push(names, g) == 0) {
			GENERAL_NAME_free(g);
			fail(e, "subject names");
			goto out;
		}
	}
	if (X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0,
	    X509V3_ADD_DEFAULT) == 1)
		r = 0;
	else
		fail(e, "subject names");
out:
	GENERAL_NAMES_free(names);
	return r;
}

static int
check_request(const struct cert_request *q, struct error *e)
{
	bool ip;

	e->code = 0;
	for (size_t i = 0; i < q->name_count; i++) {
		if (is_name(q->names[i], &ip))
			continue;
		error_set(e, "'%.80s': no DNS name, *.name or address",
		    q->names[i]);
		e->code = EINVAL;
		return -1;
	}
	return 0;
}

static int
add_server_extensions(X509 *cert, X509 *ca, bool rsa)
{
	return add_extension(cert, ca, NID_basic_constraints,
	    "critical,CA:FALSE") != 0 ||
	    add_extension(cert, ca, NID_key_usage, rsa
	    ? "critical,digitalSignature,keyEncipherment"
	    : "critical,digitalSignature") != 0 ||
	    add_extension(cert, ca, NID_ext_key_usage, "serverAuth") != 0 ||
	    add_extension(cert, ca, NID_subject_key_identifier,
	    "hash") != 0 ||
	    add_extension(cert, ca, NID_authority_key_identifier,
	    "keyid:always") != 0 ? -1 : 0;
}

int
cert_make_server(const struct cert_pem *ca, const struct cert_request *q,
    struct cert_pem *ret, struct error *e)
{
	X509 *ca_cert, *cert = NULL;
	EVP_PKEY *ca_key, *key = NULL;
	int r = -1;

	if (check_request(q, e) != 0)
		return -1;
	ca_cert = parse_cert(ca->cert);
	ca_key = parse_key(ca->key);
	if (ca_cert == NULL || ca_key == NULL) {
		fail(e, "the CA is no certificate and key in PEM");
		goto out;
	}
	if (X509_check_private_key(ca_cert, ca_key) != 1) {
		fail(e, "the CA's key does not belong to its certificate");
		goto out;
	}
	key = new_key(q->key);
	cert = key == NULL ? NULL : new_cert(key, q->names[0], q->days);
	if (cert == NULL) {
		fail(e, "making a certificate");
		goto out;
	}
	if (add_names(cert, q, e) != 0)
		goto out;
	if (add_server_extensions(cert, ca_cert,
	    q->key == CERT_KEY_RSA4096) != 0 ||
	    sign_cert(cert, ca_cert, ca_key) != 0) {
		fail(e, "making a certificate");
		goto out;
	}
	r = format_pem(cert, key, ret, e);
out:
	X509_free(cert);
	X509_free(ca_cert);
	EVP_PKEY_free(key);
	EVP_PKEY_free(ca_key);
	return r;
}

/* Reads a file as a string that holds no NUL, to be freed. */
static char *
read_text(const char *path, struct error *e)
{
	struct buf b;
	char *text = NULL;

	buf_init(&b, CERT_FILE_MAX);
	if (io_read_file(path, &b, e) == 0) {
		struct bytes in = buf_bytes(&b);

		text = calloc(1, in.len + 1);
		if (text == NULL)
			error_errno(e, "%s", path);
		else if (str_from_bytes(text, in.len + 1, in) != 0)
			text[0] = '\0'; /* no PEM: the parser says so */
	}
	if (b.mem != NULL)
		explicit_bzero(b.mem, b.size);
	buf_reset(&b);
	return text;
}

int
cert_read(const char *cert_path, const char *key_path, struct cert_pem *ret,
    struct error *e)
{
	struct cert_pem p = {read_text(cert_path, e), NULL};

	if (p.cert != NULL)
		p.key = read_text(key_path, e);
	if (p.key == NULL) {
		cert_pem_done(&p);
		return -1;
	}
	*ret = p;
	return 0;
}

/* Creates dir/name, or says EEXIST. */
static int
create_file(const char *dir, const char *name, const char *text, mode_t mode,
    struct error *e)
{
	char path[PATH_MAX];

	if (str_format(path, sizeof path, "%s/%s", dir, name) != 0)
		return error_errno(e, "%s", dir);
	if (io_create_file(path, bytes_cstr(text), mode, e) == 0)
		return 0;
	e->code = errno;
	return -1;
}

static int
replace_files(const char *dir, const char *cert_name, const char *key_name,
    const struct cert_pem *p, struct error *e)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = -1;

	if (fd == -1)
		return error_errno(e, "%s", dir);
	if (io_replace_file(fd, key_name, bytes_cstr(p->key), 0600, e) == 0)
		r = io_replace_file(fd, cert_name, bytes_cstr(p->cert), 0644,
		    e);
	if (r != 0)
		error_prefix(e, "%s", dir);
	close(fd);
	return r;
}

int
cert_write(const char *dir, const char *cert_name, const char *key_name,
    const struct cert_pem *p, bool replace, struct error *e)
{
	char key_path[PATH_MAX];

	e->code = 0;
	if (replace)
		return replace_files(dir, cert_name, key_name, p, e);
	if (str_format(key_path, sizeof key_path, "%s/%s", dir, key_name) != 0)
		return error_errno(e, "%s", dir);
	if (create_file(dir, key_name, p->key, 0600, e) != 0)
		return -1;
	if (create_file(dir, cert_name, p->cert, 0644, e) == 0)
		return 0;
	unlink(key_path);
	return -1;
}

static bool
format_general_name(const GENERAL_NAME *g, char out[static TEXT_MAX])
{
	int kind;
	const ASN1_STRING *s = GENERAL_NAME_get0_value(g, &kind);
	struct bytes in;

	if (kind != GEN_DNS && kind != GEN_IPADD)
		return false;
	in = bytes_of(ASN1_STRING_get0_data(s),
	    (size_t)ASN1_STRING_length(s));
	if (kind == GEN_DNS)
		return str_from_bytes(out, TEXT_MAX, in) == 0;
	return (in.len == 4 || in.len == 16) &&
	    inet_ntop(in.len == 4 ? AF_INET : AF_INET6, in.ptr, out,
	    TEXT_MAX) != NULL;
}

static int
copy_names(const GENERAL_NAMES *names, char ***ret, size_t *ret_count)
{
	int count = sk_GENERAL_NAME_num(names);
	char **list;
	char *text;

	if (count <= 0 || count > CERT_NAMES_MAX)
		return -1;
	list = calloc((size_t)count, sizeof *list + TEXT_MAX);
	if (list == NULL)
		return -1;
	text = (char *)(list + count);
	*ret_count = 0;
	for (int i = 0; i < count; i++) {
		if (!format_general_name(sk_GENERAL_NAME_value(names, i),
		    text))
			continue;
		list[(*ret_count)++] = text;
		text += TEXT_MAX;
	}
	if (*ret_count == 0) {
		free(list);
		return -1;
	}
	*ret = list;
	return 0;
}

int
cert_names(const char *pem, char ***ret_names, size_t *ret_count,
    enum cert_key *ret_key, struct error *e)
{
	X509 *cert = parse_cert(pem);
	GENERAL_NAMES *names;
	int r;

	if (cert == NULL)
		return fail(e, "no certificate in PEM");
	names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	r = copy_names(names, ret_names, ret_count);
	if (r != 0)
		fail(e, "no DNS name or address among the subject "
		    "alternative names");
	*ret_key = EVP_PKEY_get_base_id(X509_get0_pubkey(cert)) ==
	    EVP_PKEY_RSA ? CERT_KEY_RSA4096 : CERT_KEY_P256;
	GENERAL_NAMES_free(names);
	X509_free(cert);
	ERR_clear_error();
	return r;
}

int
cert_expiry(const char *pem, int64_t *ret, struct error *e)
{
	X509 *cert = parse_cert(pem);
	struct tm tm;
	int r = -1;

	if (cert == NULL)
		return fail(e, "no certificate in PEM");
	if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1) {
		*ret = timegm(&tm);
		r = 0;
	} else {
		fail(e, "no valid end of validity");
	}
	X509_free(cert);
	return r;
}
