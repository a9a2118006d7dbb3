/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/certcmd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cert.h"
#include "common/clock.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/opt.h"
#include "common/str.h"

enum { DAY_S = 86400, WILDCARD_LEN = 260 };

#define DAY_MS (DAY_S * INT64_C(1000))

struct settings {
	const char *dir, *domain, *key_kind;
	struct opt_list names;
	int64_t days, ca_days, before_ms;
	bool force;
	const char *cert, *key, *ca;
};

#define FIELD(name) offsetof(struct settings, name)

static const struct opt make_opts[] = {
	{0, "dir", "DIR", OPT_STRING, FIELD(dir), 0, 0, NULL,
	    "where the files are or go; made if missing"},
	{0, "domain", "DOMAIN", OPT_STRING, FIELD(domain), 0, 0, NULL,
	    "make it for DOMAIN and *.DOMAIN"},
	{0, "name", "NAME", OPT_LIST, FIELD(names), 0, 0, NULL,
	    "one more name or address; repeatable"},
	{0, "days", "N", OPT_NUMBER, FIELD(days), 1, CERT_DAYS_MAX, NULL,
	    "validity of tls.crt [90]"},
	{0, "ca-days", "N", OPT_NUMBER, FIELD(ca_days), 1, CERT_DAYS_MAX, NULL,
	    "validity of a new ca.crt [1826]"},
	{0, "key", "KIND", OPT_STRING, FIELD(key_kind), 0, 0, NULL,
	    "p256 or rsa4096 [p256]"},
	{0, "force", NULL, OPT_FLAG, FIELD(force), 0, 0, NULL,
	    "replace tls.crt and tls.key"},
	OPT_END,
};

static const struct opt renew_opts[] = {
	{0, "dir", "DIR", OPT_STRING, FIELD(dir), 0, 0, NULL,
	    "where the files are"},
	{0, "before", "DURATION", OPT_DURATION, FIELD(before_ms), 0,
	    CERT_DAYS_MAX * DAY_MS, NULL, "only if tls.crt ends within it [30d]"},
	{0, "days", "N", OPT_NUMBER, FIELD(days), 1, CERT_DAYS_MAX, NULL,
	    "validity of the new tls.crt [90]"},
	OPT_END,
};

static const struct opt check_opts[] = {
	{0, "cert", "FILE", OPT_STRING, FIELD(cert), 0, 0, NULL,
	    "the server's certificate"},
	{0, "key", "FILE", OPT_STRING, FIELD(key), 0, 0, NULL,
	    "its private key"},
	{0, "ca", "FILE", OPT_STRING, FIELD(ca), 0, 0, NULL,
	    "the certificate of the CA"},
	{0, "domain", "DOMAIN", OPT_STRING, FIELD(domain), 0, 0, NULL,
	    "it must cover hosts of DOMAIN"},
	OPT_END,
};

static const struct opt_command make_command = {
	"mcp-proxy", "cert make", "",
	"Makes a CA, or uses the one there is, and a server certificate.",
	make_opts, true,
};

static const struct opt_command renew_command = {
	"mcp-proxy", "cert renew", "",
	"Makes tls.crt and tls.key anew if they end soon.", renew_opts, true,
};

static const struct opt_command check_command = {
	"mcp-proxy", "cert check", "",
	"Checks a certificate against the rules of tunnels.", check_opts, true,
};

static int
fail(const struct error *e)
{
	diag_error("%s", e->text);
	return EXIT_FAILED;
}

static void
print_written(const char *dir, const char *name)
{
	printf("%s/%s\n", dir, name);
}

static int
path_in(char out[static PATH_MAX], const char *dir, const char *name,
    struct error *e)
{
	return str_format(out, PATH_MAX, "%s/%s", dir, name) == 0 ? 0
	    : error_errno(e, "%s", dir);
}

static int
read_pair(const char *dir, const char *name, struct cert_pem *ret,
    struct error *e)
{
	char cert[PATH_MAX], key[PATH_MAX];

	if (path_in(cert, dir, name, e) != 0 ||
	    path_in(key, dir, name, e) != 0)
		return -1;
	/* ".crt" and ".key" are equally long. */
	memcpy(key + strlen(key) - 3, "key", 3);
	return cert_read(cert, key, ret, e);
}

/* Whether dir has the file, of any kind. */
static bool
has_file(const char *dir, const char *name)
{
	char path[PATH_MAX];
	struct error e;

	return path_in(path, dir, name, &e) == 0 &&
	    faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Reads the CA, or makes and writes one if neither of its files exists. */
static int
get_ca(const struct settings *s, struct cert_pem *ret, struct error *e)
{
	char name[WILDCARD_LEN];

	if (has_file(s->dir, "ca.crt") || has_file(s->dir, "ca.key"))
		return read_pair(s->dir, "ca.crt", ret, e);
	str_format(name, sizeof name, "%s CA", s->domain);
	if (cert_make_ca(name, (int)s->ca_days, ret, e) != 0)
		return -1;
	if (cert_write(s->dir, "ca.crt", "ca.key", ret, false, e) != 0) {
		cert_pem_done(ret);
		return -1;
	}
	print_written(s->dir, "ca.crt");
	print_written(s->dir, "ca.key");
	return 0;
}

static int
write_server(const struct settings *s, const struct cert_pem *ca,
    const struct cert_request *q, bool replace, struct error *e)
{
	struct cert_pem p = {NULL, NULL};
	int r;

	if (cert_make_server(ca, q, &p, e) != 0)
		return -1;
	r = cert_write(s->dir, "tls.crt", "tls.key", &p, replace, e);
	cert_pem_done(&p);
	if (r != 0)
		return -1;
	print_written(s->dir, "tls.crt");
	print_written(s->dir, "tls.key");
	return 0;
}

static int
make_files(const struct settings *s, const struct cert_request *q)
{
	struct cert_pem ca = {NULL, NULL};
	struct error e;
	int r;

	if (!s->force && (has_file(s->dir, "tls.crt") ||
	    has_file(s->dir, "tls.key"))) {
		diag_error("%s: tls.crt or tls.key exists: --force replaces "
		    "them, 'cert renew' keeps their names", s->dir);
		return EXIT_FAILED;
	}
	if (mkdir(s->dir, 0700) != 0 && errno != EEXIST) {
		error_errno(&e, "%s", s->dir);
		return fail(&e);
	}
	if (get_ca(s, &ca, &e) != 0)
		return fail(&e);
	r = write_server(s, &ca, q, s->force, &e);
	cert_pem_done(&ca);
	return r == 0 ? EXIT_OK : fail(&e);
}

static int
run_make(const struct settings *s)
{
	const char *names[CERT_NAMES_MAX] = {s->domain};
	char wildcard[WILDCARD_LEN];
	struct cert_request q = {
		.names = names, .name_count = 2, .days = (int)s->days,
	};

	if (s->dir == NULL || s->domain == NULL)
		return opt_usage(&make_command, "--dir and --domain are needed");
	if (!str_is_hostname(s->domain))
		return opt_usage(&make_command, "--domain: no domain name");
	if (s->names.count > CERT_NAMES_MAX - 2)
		return opt_usage(&make_command, "--name: given too often");
	if (str_eq(s->key_kind, "rsa4096"))
		q.key = CERT_KEY_RSA4096;
	else if (!str_eq(s->key_kind, "p256"))
		return opt_usage(&make_command, "--key: not p256 or rsa4096");
	str_format(wildcard, sizeof wildcard, "*.%s", s->domain);
	names[1] = wildcard;
	for (size_t i = 0; i < s->names.count; i++)
		names[q.name_count++] = s->names.at[i];
	return make_files(s, &q);
}

static int64_t
seconds_left(int64_t expiry)
{
	return expiry - clock_wall_s();
}

static int
renew(const struct settings *s, const struct cert_pem *old, struct error *e)
{
	struct cert_pem ca = {NULL, NULL};
	struct cert_request q = {.days = (int)s->days};
	char **names;
	int64_t expiry;
	int r = -1;

	if (cert_expiry(old->cert, &expiry, e) != 0)
		return error_prefix(e, "%s/tls.crt", s->dir);
	if (seconds_left(expiry) > s->before_ms / 1000)
		return 0;
	if (cert_names(old->cert, &names, &q.name_count, &q.key, e) != 0)
		return error_prefix(e, "%s/tls.crt", s->dir);
	q.names = (const char *const *)names;
	if (read_pair(s->dir, "ca.crt", &ca, e) == 0)
		r = write_server(s, &ca, &q, true, e);
	cert_pem_done(&ca);
	free(names);
	return r;
}

static int
run_renew(const struct settings *s)
{
	struct cert_pem old = {NULL, NULL};
	struct error e;
	int r;

	if (s->dir == NULL)
		return opt_usage(&renew_command, "--dir is needed");
	if (read_pair(s->dir, "tls.crt", &old, &e) != 0)
		return fail(&e);
	r = renew(s, &old, &e);
	cert_pem_done(&old);
	return r == 0 ? EXIT_OK : fail(&e);
}

static void
print_finding(void *user, const char *line)
{
	(void)user;
	printf("%s\n", line);
}

/* Says nothing of a file that is no certificate: cert_check has. */
static void
print_days(const char *path)
{
	struct error e;
	struct buf b;
	int64_t expiry, left;

	buf_init(&b, CERT_FILE_MAX);
	if (io_read_file(path, &b, &e) == 0 && buf_add(&b, bytes_of("", 1))
	    == 0 && cert_expiry((const char *)buf_bytes(&b).ptr, &expiry,
	    &e) == 0) {
		left = seconds_left(expiry);
		printf("%s: %lld days left\n", path,
		    (long long)(left < 0 ? 0 : left / DAY_S));
	}
	buf_reset(&b);
}

static int
run_check(const struct settings *s)
{
	const struct cert_check what = {
		.cert = s->cert, .key = s->key, .ca = s->ca,
		.domain = s->domain,
	};
	int count;

	if (s->cert == NULL || s->ca == NULL)
		return opt_usage(&check_command, "--cert and --ca are needed");
	count = cert_check(&what, print_finding, NULL);
	print_days(s->ca);
	print_days(s->cert);
	return count == 0 ? EXIT_OK : EXIT_FAILED;
}

static int
run(const struct opt_command *command, int (*run_with)(const struct settings *),
    int argc, char **argv)
{
	struct settings s = {
		.key_kind = "p256", .days = CERT_DAYS,
		.ca_days = CERT_CA_DAYS, .before_ms = 30 * DAY_MS,
	};
	int operand, status;

	if (!opt_begin(command, argc, argv, 3, &s, &operand, &status))
		return status;
	if (operand != argc)
		return opt_usage(command, "takes no operands");
	return opt_end(run_with(&s));
}

static int
cert_make(int argc, char **argv)
{
	return run(&make_command, run_make, argc, argv);
}

static int
cert_renew(int argc, char **argv)
{
	return run(&renew_command, run_renew, argc, argv);
}

static int
cert_check_files(int argc, char **argv)
{
	return run(&check_command, run_check, argc, argv);
}

int
certcmd_run(int argc, char **argv)
{
	static const struct opt_subcommand commands[] = {
		{&make_command, cert_make}, {&renew_command, cert_renew},
		{&check_command, cert_check_files}, {NULL, NULL},
	};

	return opt_run_subcommand("mcp-proxy cert",
	    "Makes, renews and checks certificates.", commands, argc, argv, 2);
}
