/* SPDX-License-Identifier: ISC */
/* Certificates: what is made passes the checks, and each rule that is broken
 * is found, alone. */
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "common/cert.h"
#include "common/clock.h"
#include "common/io.h"
#include "common/str.h"
#include "tests/unit/test.h"

enum { FINDINGS_LEN = 4096, DAY_S = 86400 };

static struct error why;
static char findings[FINDINGS_LEN];

static void
add_finding(void *user, const char *line)
{
	size_t used = strlen(findings);

	(void)user;
	snprintf(findings + used, sizeof findings - used, "%s\n", line);
}

static int
check(const struct cert_check *what)
{
	findings[0] = '\0';
	return cert_check(what, add_finding, NULL);
}

static void
must(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "%s: %s\n", what, why.text);
		exit(1);
	}
}

static void
put_file(const char *name, const char *text)
{
	unlink(name);
	must(io_create_file(name, bytes_cstr(text), 0600, &why) == 0, name);
}

static int
mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (int)(st.st_mode & 07777) : -1;
}

static void
test_make(enum cert_key kind, const char *kind_name)
{
	static const char *const names[] = {
		"t.example", "*.t.example", "127.0.0.1", "::1",
	};
	const struct cert_request q = {names, 4, CERT_DAYS, kind};
	const struct cert_check what = {
		"tls.crt", "tls.key", "ca.crt", "t.example",
	};
	struct cert_pem ca, p;
	enum cert_key got_kind;
	char **got;
	size_t count;
	int64_t expiry;

	must(cert_make_ca("test CA", CERT_CA_DAYS, &ca, &why) == 0, "CA");
	must(cert_make_server(&ca, &q, &p, &why) == 0, "server");
	must(cert_write(".", "ca.crt", "ca.key", &ca, true, &why) == 0, "ca");
	must(cert_write(".", "tls.crt", "tls.key", &p, true, &why) == 0,
	    "tls");
	eq_int(check(&what), 0, "%s: what is made keeps every rule",
	    kind_name);
	eq_str(findings, "", "and nothing is found");
	must(cert_names(p.cert, &got, &count, &got_kind, &why) == 0, "names");
	eq_int(got_kind, kind, "its key is of the kind asked for");
	eq_int(count, 4, "it has all names");
	for (size_t i = 0; i < count; i++)
		eq_str(got[i], names[i], "name %zu", i);
	free(got);
	must(cert_expiry(p.cert, &expiry, &why) == 0, "expiry");
	expiry -= clock_wall_ns() / 1000000000 + (int64_t)CERT_DAYS * DAY_S;
	ok(expiry > -60 && expiry <= 0, "it is valid for %d days", CERT_DAYS);
	eq_int(mode_of("tls.key"), 0600, "the key is its owner's");
	eq_int(mode_of("tls.crt"), 0644, "the certificate is everybody's");
	cert_pem_done(&p);
	cert_pem_done(&ca);
}

static void
test_files(void)
{
	struct cert_pem ca, again;

	must(cert_make_ca("test CA", 1, &ca, &why) == 0, "CA");
	unlink("x.crt");
	unlink("x.key");
	eq_int(cert_write(".", "x.crt", "x.key", &ca, false, &why), 0,
	    "files that do not exist are made");
	eq_int(cert_write(".", "x.crt", "x.key", &ca, false, &why), -1,
	    "files that exist are kept");
	eq_int(why.code, EEXIST, "with EEXIST");
	unlink("x.key");
	eq_int(cert_write(".", "x.crt", "x.key", &ca, false, &why), -1,
	    "also if there is only one");
	eq_int(mode_of("x.key"), -1, "and no half pair is left");
	put_file("x.key", "old");
	eq_int(cert_write(".", "x.crt", "x.key", &ca, true, &why), 0,
	    "replaced on demand");
	must(cert_read("x.crt", "x.key", &again, &why) == 0, "read");
	ok(str_eq(again.cert, ca.cert) && str_eq(again.key, ca.key),
	    "a pair is read as it was written");
	cert_pem_done(&again);
	eq_int(cert_read("x.crt", "none", &again, &why), -1, "no key file");
	eq_str(why.text, "none: No such file or directory", "and says so");
	eq_int(cert_write("none", "x.crt", "x.key", &ca, true, &why), -1,
	    "no directory");
	cert_pem_done(&ca);
}

static void
test_bad_requests(void)
{
	static const char *const bad[] = {
		"", "a b", "*", "*.", "a.*.example", "*.*.example",
		"x.example,DNS:evil.example", "1.2.3", "a..b", "-a.example",
	};
	struct cert_pem ca, other, p;

	must(cert_make_ca("test CA", 1, &ca, &why) == 0, "CA");
	must(cert_make_ca("other CA", 1, &other, &why) == 0, "CA");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const struct cert_request q = {&bad[i], 1, 1, CERT_KEY_P256};

		ok(cert_make_server(&ca, &q, &p, &why) == -1 &&
		    why.code == EINVAL, "'%s' is no name", bad[i]);
	}
	const char *good = "a.example";
	const struct cert_request q = {&good, 1, 1, CERT_KEY_P256};
	struct cert_pem mixed = {ca.cert, other.key};

	eq_int(cert_make_server(&mixed, &q, &p, &why), -1,
	    "a CA with the key of another");
	mixed.key = ca.cert;
	eq_int(cert_make_server(&mixed, &q, &p, &why), -1,
	    "a CA without a key");
	cert_pem_done(&ca);
	cert_pem_done(&other);
}

/* How to make a certificate that breaks a rule. */
struct flaw {
	const char *title;
	const char *key; /* "P-256", "RSA", ... */
	size_t bits;
	bool sha1;
	int begin_days, end_days; /* from today */
	const char *constraints, *usage, *extended_usage, *names;
	bool no_id; /* no subject or authority key identifier */
	const char *ca_finding, *cert_finding; /* without the file's name */
};

static EVP_PKEY *
make_key(const char *key, size_t bits)
{
	if (str_eq(key, "RSA"))
		return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", bits);
	if (str_eq(key, "ED25519"))
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	return EVP_PKEY_Q_keygen(NULL, NULL, "EC", key);
}

static void
extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *x;

	if (value == NULL)
		return;
	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
	x = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	must(x != NULL && X509_add_ext(cert, x, -1) == 1, value);
	X509_EXTENSION_free(x);
}

/* Makes a certificate with the flaw; issuer NULL: signed by itself. */
static X509 *
make_flawed(const struct flaw *f, EVP_PKEY *key, X509 *issuer,
    EVP_PKEY *issuer_key)
{
	const EVP_MD *digest = f->sha1 ? EVP_sha1() : EVP_sha256();
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);

	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 7);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)(issuer == NULL ? "flawed CA" : "leaf"),
	    -1, -1, 0);
	X509_time_adj_ex(X509_getm_notBefore(cert), f->begin_days, 0, NULL);
	X509_time_adj_ex(X509_getm_notAfter(cert), f->end_days, 0, NULL);
	X509_set_pubkey(cert, key);
	X509_set_issuer_name(cert, issuer == NULL ? name
	    : X509_get_subject_name(issuer));
	extend(cert, issuer, NID_basic_constraints, f->constraints);
	extend(cert, issuer, NID_key_usage, f->usage);
	extend(cert, issuer, NID_ext_key_usage, f->extended_usage);
	extend(cert, issuer, NID_subject_alt_name, f->names);
	if (!f->no_id && issuer == NULL)
		extend(cert, cert, NID_subject_key_identifier, "hash");
	if (!f->no_id && issuer != NULL)
		extend(cert, issuer, NID_authority_key_identifier, "keyid");
	if (EVP_PKEY_get_base_id(issuer_key) == EVP_PKEY_ED25519)
		digest = NULL;
	must(X509_sign(cert, issuer_key, digest) > 0, "sign");
	return cert;
}

static void
write_cert(const char *path, X509 *cert, EVP_PKEY *key)
{
	FILE *f = fopen(path, "we");

	must(f != NULL && (cert == NULL || PEM_write_X509(f, cert) == 1) &&
	    (key == NULL || PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL,
	    NULL) == 1) && fclose(f) == 0, path);
}

static const struct flaw sound_ca = {
	"", "P-256", 0, false, -1, 100, "critical,CA:TRUE",
	"critical,keyCertSign", NULL, NULL, false, "", "",
};

static const struct flaw sound_leaf = {
	"", "P-256", 0, false, -1, 50, NULL, NULL, NULL,
	"DNS:*.t.example", false, "", "",
};

/* Makes a pair, the CA by ca and the server's by leaf, and compares what is
 * found. */
static void
run_pair(const struct flaw *ca, const struct flaw *leaf, const char *title,
    const char *want)
{
	const struct cert_check what = {
		"leaf.crt", "leaf.key", "ca.crt", "t.example",
	};
	EVP_PKEY *ca_key = make_key(ca->key, ca->bits);
	EVP_PKEY *key = make_key(leaf->key, leaf->bits);
	X509 *ca_cert, *cert;

	must(ca_key != NULL && key != NULL, "keys");
	ca_cert = make_flawed(ca, ca_key, NULL, ca_key);
	cert = make_flawed(leaf, key, ca_cert, ca_key);
	write_cert("ca.crt", ca_cert, NULL);
	write_cert("leaf.crt", cert, NULL);
	write_cert("leaf.key", NULL, key);
	check(&what);
	eq_str(findings, want, "%s", title);
	X509_free(cert);
	X509_free(ca_cert);
	EVP_PKEY_free(key);
	EVP_PKEY_free(ca_key);
}

static void
test_no_names(void)
{
	struct flaw f = sound_leaf;
	EVP_PKEY *key = make_key("P-256", 0);
	X509 *cert;
	struct cert_pem p;
	enum cert_key kind;
	char **names = NULL;
	size_t count;

	f.names = "email:a@t.example";
	cert = make_flawed(&f, key, NULL, key);
	write_cert("mail.crt", cert, NULL);
	write_cert("mail.key", NULL, key);
	must(cert_read("mail.crt", "mail.key", &p, &why) == 0, "read");
	eq_int(cert_names(p.cert, &names, &count, &kind, &why), -1,
	    "a certificate for a mail address only has no names");
	free(names);
	cert_pem_done(&p);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void
test_ca_rules(void)
{
	struct flaw f = sound_ca;

	run_pair(&sound_ca, &sound_leaf, "a sound pair", "");
	f.constraints = NULL;
	run_pair(&f, &sound_leaf, "CA without BasicConstraints", "ca.crt: no "
	    "BasicConstraints, must be CA:TRUE, critical\n");
	f.constraints = "CA:TRUE";
	run_pair(&f, &sound_leaf, "CA with BasicConstraints not critical",
	    "ca.crt: BasicConstraints are not critical\n");
	f.constraints = "critical,CA:FALSE";
	run_pair(&f, &sound_leaf, "CA:FALSE", "ca.crt: BasicConstraints are "
	    "CA:FALSE, so it is no CA\n");
	f = sound_ca;
	f.usage = NULL;
	run_pair(&f, &sound_leaf, "CA without KeyUsage", "ca.crt: no "
	    "KeyUsage, must have keyCertSign\n");
	f.usage = "cRLSign";
	run_pair(&f, &sound_leaf, "CA without keyCertSign", "ca.crt: KeyUsage "
	    "without keyCertSign\n");
	f = sound_ca;
	f.key = "RSA";
	f.bits = 2048;
	run_pair(&f, &sound_leaf, "CA with RSA-2048", "");
	f.bits = 1024;
	run_pair(&f, &sound_leaf, "CA with RSA-1024", "ca.crt: RSA key of "
	    "1024 bits, must be 2048 or more\n");
	f = sound_ca;
	f.sha1 = true;
	f.key = "P-256";
	struct flaw sha1_leaf = sound_leaf;
	sha1_leaf.sha1 = true;
	run_pair(&f, &sha1_leaf, "SHA-1",
	    "ca.crt: signed with sha1, must be SHA-256 or better\n"
	    "leaf.crt: signed with sha1, must be SHA-256 or better\n");
	f = sound_ca;
	f.begin_days = 1;
	run_pair(&f, &sound_leaf, "CA of tomorrow", "ca.crt: not valid yet\n");
	f.begin_days = -3;
	f.end_days = -1;
	run_pair(&f, &sound_leaf, "CA of yesterday", "ca.crt: expired\n");
	f = sound_ca;
	f.key = "ED25519";
	run_pair(&f, &sound_leaf, "CA with Ed25519",
	    "ca.crt: the key is neither RSA nor ECDSA\n");
}

static void
test_leaf_rules(void)
{
	struct flaw f = sound_leaf;

	f.names = NULL;
	run_pair(&sound_ca, &f, "no names", "leaf.crt: no DNS name among the "
	    "subject alternative names\n");
	f.names = "DNS:t.example,DNS:*.other.example,DNS:a.b.t.example,"
	    "DNS:xt.example";
	run_pair(&sound_ca, &f, "names of others", "leaf.crt: no name covers "
	    "hosts of t.example, such as *.t.example\n");
	f.names = "DNS:docs.T.example";
	run_pair(&sound_ca, &f, "the name of one route is enough", "");
	f = sound_leaf;
	f.extended_usage = "clientAuth";
	run_pair(&sound_ca, &f, "only for clients", "leaf.crt: "
	    "ExtendedKeyUsage without serverAuth\n");
	f.extended_usage = "serverAuth,clientAuth";
	f.usage = "keyEncipherment";
	run_pair(&sound_ca, &f, "cannot sign", "leaf.crt: KeyUsage without "
	    "digitalSignature\n");
	f = sound_leaf;
	f.no_id = true;
	run_pair(&sound_ca, &f, "no AuthorityKeyIdentifier", "leaf.crt: no "
	    "AuthorityKeyIdentifier\n");
	f = sound_leaf;
	f.end_days = 0;
	f.begin_days = -2;
	run_pair(&sound_ca, &f, "ends today", "leaf.crt: expired\n");
	f.begin_days = 2;
	f.end_days = 3;
	run_pair(&sound_ca, &f, "of the day after tomorrow",
	    "leaf.crt: not valid yet\n");
	f = sound_leaf;
	f.key = "P-224";
	run_pair(&sound_ca, &f, "P-224", "leaf.crt: ECDSA key of 224 bits, "
	    "must be P-256 or more\n");
}

static void
test_file_rules(void)
{
	struct cert_check what = {"leaf.crt", "ca2.key", "ca2.crt", NULL};
	char big[CERT_CA_FILE_MAX + 2048];
	struct cert_pem other;
	size_t len;

	run_pair(&sound_ca, &sound_leaf, "a sound pair again", "");
	must(cert_make_ca("flawed CA", 100, &other, &why) == 0, "CA");
	put_file("ca2.crt", other.cert);
	put_file("ca2.key", other.key);
	check(&what);
	eq_str(findings, "leaf.crt: not signed directly by the CA of ca2.crt\n"
	    "leaf.crt: AuthorityKeyIdentifier is not the SubjectKeyIdentifier "
	    "of ca2.crt\nca2.key: does not belong to leaf.crt\n",
	    "another CA of the same name, and its key");
	str_format(big, sizeof big, "%s%s", other.cert, other.cert);
	len = strlen(big);
	memset(big + len, '#', sizeof big - len);
	big[CERT_CA_FILE_MAX + 1] = '\0';
	put_file("big.crt", big);
	what = (struct cert_check){"big.crt", "big.crt", "big.crt", NULL};
	check(&what);
	ok(strstr(findings, "big.crt: 8193 bytes, must be at most 8192\n"
	    "big.crt: 2 certificates, must be one\n") == findings,
	    "a CA's file that is too large and holds two");
	ok(strstr(findings, "big.crt: no private key in PEM without a "
	    "password\n") != NULL, "a key's file without a key");
	put_file("none.crt", "hello\n");
	what = (struct cert_check){"none.crt", "gone.key", "gone.crt", NULL};
	eq_int(check(&what), 3, "files that are no use");
	eq_str(findings, "gone.crt: No such file or directory\n"
	    "none.crt: no certificate in PEM\n"
	    "gone.key: No such file or directory\n", "are findings");
	cert_pem_done(&other);
}

static void
remove_all(const char *dir)
{
	static const char *const names[] = {
		"ca.crt", "ca.key", "tls.crt", "tls.key", "x.crt", "x.key",
		"leaf.crt", "leaf.key", "ca2.crt", "ca2.key", "big.crt",
		"none.crt",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlink(names[i]);
	if (chdir("/") == 0)
		rmdir(dir);
}

int
main(void)
{
	char dir[] = "/tmp/test_cert.XXXXXX";

	must(mkdtemp(dir) != NULL && chdir(dir) == 0, dir);
	test_make(CERT_KEY_P256, "P-256");
	test_make(CERT_KEY_RSA4096, "RSA-4096");
	test_files();
	test_bad_requests();
	test_no_names();
	test_ca_rules();
	test_leaf_rules();
	test_file_rules();
	remove_all(dir);
	return test_done();
}
