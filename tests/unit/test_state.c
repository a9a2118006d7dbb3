/* SPDX-License-Identifier: ISC */
/* The files of tunnel-edge's state, every way in which one can be wrong, and
 * the table that a running edge makes of them. */
#include <fcntl.h>
#include <sys/stat.h>

#include "cmd/tunnel-edge/state.h"
#include "cmd/tunnel-edge/table.h"
#include "common/clock.h"
#include "common/io.h"
#include "common/str.h"
#include "tests/unit/test.h"

#define HEX8 "01234567"
#define HEX64 HEX8 HEX8 HEX8 HEX8 HEX8 HEX8 HEX8 HEX8

static struct error why;
static char dir[] = "/tmp/test_state.XXXXXX";

static struct credential
digest_of(const char *text)
{
	return credential_of_token(bytes_cstr(text));
}

static void
test_names(void)
{
	static const char *const good[] = {"a", "0", "docs-2_x",
	    "abcdefghijklmnopqrstuvwxyz0123456789-_abcdefghijklmnopqrstuvwxy"};
	static const char *const bad[] = {"", "-a", "_a", "A", "a.b", "a/b",
	    "..", "a b",
	    "abcdefghijklmnopqrstuvwxyz0123456789-_abcdefghijklmnopqrstuvwxyz"};
	char name[STATE_NAME_MAX];

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		ok(credential_is_name(good[i]), "'%s' is a name", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ok(!credential_is_name(bad[i]), "'%s' is no name", bad[i]);
	ok(state_parse_file_name("docs.json", name) == 0 &&
	    str_eq(name, "docs"), "docs.json is of docs");
	ok(state_parse_file_name(".docs.json.42", name) != 0,
	    "a temporary file is of none");
	ok(state_parse_file_name(".json", name) != 0, ".json is of none");
}

static void
test_time(void)
{
	char text[CLOCK_TIME_CAP];
	int64_t t;

	eq_str(clock_format_time(951782400, text), "2000-02-29T00:00:00Z",
	    "a time as text");
	ok(clock_parse_time("2000-02-29T00:00:00Z", &t) == 0 && t == 951782400,
	    "and back");
	ok(clock_parse_time("2000-02-29", &t) != 0, "a date is no time");
	ok(clock_parse_time("2000-02-29T00:00:00Zx", &t) != 0,
	    "nothing may follow");
	ok(clock_parse_time("2000-2-29T00:00:00Z", &t) != 0,
	    "a digit is missing");
}

static void
test_credential(void)
{
	char token[CREDENTIAL_TOKEN_LEN + 1], other[CREDENTIAL_TOKEN_LEN + 1];
	char hex[2 * CREDENTIAL_DIGEST_LEN + 1], id[CREDENTIAL_ID_LEN + 1];
	struct credential c = digest_of("abc"), back;

	credential_new_token(token);
	credential_new_token(other);
	eq_int(strlen(token), CREDENTIAL_TOKEN_LEN, "length of a token");
	ok(str_starts(token, "adit_"), "prefix of a token");
	eq_int(strspn(token + 5, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
	    "qrstuvwxyz0123456789-_"), 43, "the rest is base64url");
	ok(!str_eq(token, other), "no two are the same");
	credential_format(&c, hex);
	eq_str(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61"
	    "f20015ad", "the digest is SHA-256");
	eq_str(credential_id(&c, id), "ba7816bf", "the id is its start");
	ok(credential_parse(hex, &back) == 0 && credential_eq(&c, &back),
	    "the digest reads back");
	ok(credential_parse("ba78", &back) != 0, "a short digest");
	hex[5] = 'g';
	ok(credential_parse(hex, &back) != 0, "a digest with a g");
}

static void
test_domains(void)
{
	struct state_tunnel *t = state_new("t");
	char name[32];

	ok(state_add_domain(t, "Acme.Example", &why) == 0, "a domain");
	eq_str(t->domains[0], "acme.example", "in lower case");
	ok(state_add_domain(t, "acme.EXAMPLE", &why) != 0, "once only");
	ok(state_add_domain(t, "*.acme.example", &why) != 0, "no wildcard");
	eq_str(why.text, "domain *.acme.example: give acme.example, which "
	    "covers the names below it", "and why");
	ok(state_add_domain(t, "10.0.0.1", &why) != 0, "no address");
	ok(state_add_domain(t, "a..b", &why) != 0, "no empty label");
	for (int i = 1; i < STATE_DOMAINS_MAX; i++) {
		str_format(name, sizeof name, "d%d.example", i);
		if (state_add_domain(t, name, &why) != 0)
			ok(false, "domain %d of %d", i, STATE_DOMAINS_MAX);
	}
	ok(state_add_domain(t, "one.more", &why) != 0, "not one above %d",
	    STATE_DOMAINS_MAX);
	state_free(t);
}

static void
test_credentials(void)
{
	struct state_tunnel *t = state_new("t");
	struct state_token token = {.created = 1};
	struct credential first = digest_of("0");
	char text[16];

	for (int i = 0; i < STATE_TOKENS_MAX + 1; i++) {
		str_format(text, sizeof text, "%d", i);
		token.credential = digest_of(text);
		eq_int(state_add_token(t, &token, &why),
		    i < STATE_TOKENS_MAX ? 0 : -1, "token %d", i + 1);
	}
	state_revoke_token(t, 0);
	eq_int(t->token_count, STATE_TOKENS_MAX - 1, "a token less");
	ok(credential_eq(&t->revoked[0], &first), "and it is remembered");
	ok(state_add_cert(t, &first, &why) == 0, "a certificate");
	ok(state_add_cert(t, &first, &why) != 0, "once only");
	state_revoke_cert(t, 0);
	for (int i = 0; i < STATE_REVOKED_MAX; i++) {
		str_format(text, sizeof text, "x%d", i);
		token.credential = digest_of(text);
		state_add_token(t, &token, &why);
		state_revoke_token(t, t->token_count - 1);
	}
	eq_int(t->revoked_count, STATE_REVOKED_MAX,
	    "as many revoked as are remembered");
	ok(credential_eq(&t->revoked[STATE_REVOKED_MAX - 1],
	    &token.credential), "the newest of them");
	state_free(t);
}

static void
test_rates(void)
{
	static const struct {
		int64_t rate, burst, want; /* burst of the result, -1: error */
	} cases[] = {
		{0, 0, 0}, {0, 65536, -1}, {1023, 0, -1}, {1024, 0, 65536},
		{1024, 65535, -1}, {1024, 65536, 65536}, {-1, 0, -1},
		{65536, 0, 65536}, {65537, 0, 65537},
		{STATE_RATE_MAX, 0, STATE_RATE_MAX},
		{STATE_RATE_MAX + 1, 0, -1},
		{1024, STATE_RATE_MAX, STATE_RATE_MAX},
		{1024, STATE_RATE_MAX + 1, -1},
		{100 << 20, (1 << 20) - 1, -1}, {100 << 20, 1 << 20, 1 << 20},
	};
	struct state_tunnel *t = state_new("t");

	eq_int(t->rate, 0, "a tunnel has no rate");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		t->rate = t->burst = 7;
		eq_int(state_set_rate(t, cases[i].rate, cases[i].burst, &why),
		    cases[i].want < 0 ? -1 : 0, "rate %lld, burst %lld",
		    (long long)cases[i].rate, (long long)cases[i].burst);
		eq_int(t->rate, cases[i].want < 0 ? 7 : cases[i].rate,
		    "the rate");
		eq_int(t->burst, cases[i].want < 0 ? 7 : cases[i].want,
		    "the burst");
	}
	state_free(t);
}

static struct state
open_state(void)
{
	struct state s;

	if (state_create(dir, &s, &why) != 0) {
		fprintf(stderr, "%s\n", why.text);
		exit(1);
	}
	return s;
}

static void
test_round_trip(struct state *s)
{
	struct state_tunnel *t = state_new("docs"), *back;
	struct state_token token = {digest_of("a"), 1000, 2000};
	struct credential cert = digest_of("cert");
	struct stat st;

	state_add_domain(t, "docs.example", &why);
	state_add_token(t, &token, &why);
	token = (struct state_token){digest_of("b"), 1000, 0};
	state_add_token(t, &token, &why);
	state_add_token(t, &token, &why);
	state_revoke_token(t, 2);
	state_add_cert(t, &cert, &why);
	t->links_max = 3;
	t->streams_max = 4;
	state_set_rate(t, 5000, 70000, &why);
	ok(state_write(s, t, &why) == 0, "a tunnel is written");
	ok(fstatat(s->tunnels_fd, "docs.json", &st, 0) == 0 &&
	    (st.st_mode & 0777) == 0600, "for its owner only");
	back = state_read(s, "docs", &why);
	if (!ok(back != NULL, "and read"))
		return;
	eq_str(back->domains[0], "docs.example", "its domain");
	eq_int(back->token_count, 2, "its tokens");
	eq_int(back->tokens[0].expires, 2000, "when one expires");
	eq_int(back->tokens[1].expires, 0, "that one does not");
	ok(credential_eq(&back->certs[0], &cert), "its certificate");
	eq_int(back->revoked_count, 1, "what was revoked");
	eq_int(back->links_max * 10 + back->streams_max, 34, "its limits");
	eq_int(back->rate * 100000 + back->burst, 500070000, "its rate");
	state_free(back);
	state_free(t);
	ok(state_remove(s, "docs", &why) == 0, "it is removed");
	ok(state_read(s, "docs", &why) == NULL && why.code == ENOENT,
	    "and is not there");
}

static void
write_file(struct state *s, const char *text)
{
	if (io_replace_file(s->tunnels_fd, "t.json", bytes_cstr(text), 0600,
	    &why) != 0) {
		fprintf(stderr, "%s\n", why.text);
		exit(1);
	}
}

static void
test_bad_files(struct state *s)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{"", "JSON: no value"},
		{"[]", "JSON: not an object"},
		{"{\"name\":\"u\"}", "name: not that of the file"},
		{"{}", "name: not that of the file"},
		{"{\"name\":\"t\",\"domain\":[]}", "unknown member domain"},
		{"{\"name\":\"t\",\"domains\":{}}", "domains: not an array"},
		{"{\"name\":\"t\",\"domains\":[1]}",
		    "domains: 0: not a string"},
		{"{\"name\":\"t\",\"domains\":[\"a\",\"b/c\"]}",
		    "domains: 1: domain b/c: not a host name"},
		{"{\"name\":\"t\",\"tokens\":[{}]}",
		    "tokens: 0: sha256: not 64 hexadecimal digits"},
		{"{\"name\":\"t\",\"tokens\":[{\"sha256\":\"" HEX64 "\","
		    "\"expires\":\"soon\"}]}", "tokens: 0: expires: not a "
		    "time such as 2026-11-23T15:00:00Z"},
		{"{\"name\":\"t\",\"tokens\":[{\"token\":1}]}",
		    "tokens: 0: unknown member token"},
		{"{\"name\":\"t\",\"client_certs\":[{\"sha256\":\"" HEX64
		    "\"},{\"sha256\":\"" HEX64 "\"}]}",
		    "client_certs: 1: client certificate 01234567: there "
		    "already"},
		{"{\"name\":\"t\",\"revoked\":[\"x\"]}",
		    "revoked: 0: not 64 hexadecimal digits"},
		{"{\"name\":\"t\",\"limits\":{\"links\":0}}", "limits: links: "
		    "not a whole number from 1 to 1024"},
		{"{\"name\":\"t\",\"limits\":{\"rate\":1}}",
		    "limits: rate: not 0 or from 1024 to 68719476736"},
		{"{\"name\":\"t\",\"limits\":{\"rate\":-1}}", "limits: "
		    "rate: not a whole number from 0 to 68719476736"},
		{"{\"name\":\"t\",\"limits\":{\"rate\":1024,"
		    "\"burst\":1024}}",
		    "limits: burst: not from 65536 to 68719476736"},
		{"{\"name\":\"t\",\"limits\":{\"burst\":65536}}",
		    "limits: burst: goes with a rate"},
		{"{\"name\":\"t\",\"limits\":{\"bytes\":1}}",
		    "limits: unknown member bytes"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char want[ERROR_TEXT_MAX];
		struct state_tunnel *t;

		write_file(s, cases[i].text);
		t = state_read(s, "t", &why);
		str_format(want, sizeof want, "%s/tunnels/t.json: %s", dir,
		    cases[i].reason);
		ok(t == NULL, "a file with %s", cases[i].text);
		eq_str(why.text, want, "and why");
		state_free(t);
	}
}

static void
test_big_file(struct state *s)
{
	size_t limit = 128 << 10;
	char *text = malloc(limit + 1);

	memset(text, ' ', limit + 1);
	memcpy(text, "{\"name\":\"t\"}", 12);
	for (int more = -1; more <= 1; more++) {
		struct state_tunnel *t;

		io_replace_file(s->tunnels_fd, "t.json",
		    bytes_of(text, limit + (size_t)more), 0600, &why);
		t = state_read(s, "t", &why);
		ok((t != NULL) == (more <= 0), "a file of the limit %+d",
		    more);
		state_free(t);
	}
	ok(str_ends(why.text, "t.json: above 131072 bytes"), "and why");
	free(text);
}

static int
count(void *user, const char *name)
{
	(void)name;
	++*(int *)user;
	return 0;
}

static void
test_each(struct state *s)
{
	int n = 0;

	io_replace_file(s->tunnels_fd, "u.json", bytes_cstr("{}"), 0600, &why);
	io_replace_file(s->tunnels_fd, "README", bytes_cstr("x"), 0600, &why);
	ok(state_each(s, count, &n, &why) == 0 && n == 2,
	    "only files of tunnels are looked at");
}

/* A tunnel of one or two domains. */
static struct state_tunnel *
tunnel_of(const char *name, const char *domain, const char *other)
{
	struct state_tunnel *t = state_new(name);

	state_add_domain(t, domain, &why);
	if (other != NULL)
		state_add_domain(t, other, &why);
	return t;
}

static const char *
route(const struct table *t, const char *name)
{
	const struct tunnel *found = table_route(t, name);

	return found == NULL ? "none" : found->conf->name;
}

static void
test_routes(void)
{
	struct table t = {.first = NULL};
	struct state_tunnel *taken = tunnel_of("c", "b.a.example", NULL);

	ok(table_set(&t, tunnel_of("a", "a.example", "z.example"), &why) !=
	    NULL, "a tunnel");
	ok(table_set(&t, tunnel_of("b", "b.a.example", NULL), &why) != NULL,
	    "one below it");
	eq_str(route(&t, "a.example"), "a", "its own name");
	eq_str(route(&t, "x.a.example"), "a", "a name below it");
	eq_str(route(&t, "y.x.a.example"), "a", "and further below");
	eq_str(route(&t, "b.a.example"), "b", "the longer domain");
	eq_str(route(&t, "x.b.a.example"), "b", "and below that");
	eq_str(route(&t, "ba.example"), "none", "only whole labels count");
	eq_str(route(&t, "example"), "none", "not the parent");
	ok(table_set(&t, taken, &why) == NULL, "a domain that is taken");
	eq_str(why.text, "tunnel c: domain b.a.example: belongs to tunnel b",
	    "and why");
	ok(table_set(&t, tunnel_of("a", "n.example", NULL), &why) != NULL,
	    "a tunnel gets another domain");
	eq_str(route(&t, "n.example"), "a", "the new one");
	eq_str(route(&t, "z.example"), "none", "the old one");
	table_remove(&t, table_find(&t, "b"));
	ok(table_set(&t, taken, &why) != NULL, "a domain that became free");
	eq_str(route(&t, "b.a.example"), "c", "and its tunnel");
	table_done(&t);
}

static void
test_authenticate(void)
{
	struct table t = {.first = NULL};
	struct state_tunnel *a = tunnel_of("a", "a.example", NULL);
	struct state_tunnel *b = tunnel_of("b", "b.example", NULL);
	struct state_token forever = {digest_of("forever"), 1, 0};
	struct state_token short_lived = {digest_of("short"), 1, 100};
	struct credential c = digest_of("cert");
	struct tunnel *found = NULL;
	int64_t expires = -1;

	state_add_token(a, &forever, &why);
	state_add_token(b, &short_lived, &why);
	state_add_cert(a, &c, &why);
	state_revoke_cert(a, 0);
	state_add_cert(b, &c, &why);
	table_set(&t, a, &why);
	table_set(&t, b, &why);
	eq_int(table_authenticate(&t, &forever.credential, 50, &found,
	    &expires), TABLE_VALID, "a token without end");
	ok(found == table_find(&t, "a") && expires == 0, "its tunnel");
	eq_int(table_authenticate(&t, &short_lived.credential, 99, &found,
	    &expires), TABLE_VALID, "a token before its end");
	eq_int(expires, 100, "its end");
	eq_int(table_authenticate(&t, &short_lived.credential, 100, &found,
	    &expires), TABLE_EXPIRED, "a token at its end");
	eq_int(table_authenticate(&t, &c, 50, &found, &expires), TABLE_VALID,
	    "a certificate that moved to another tunnel");
	ok(found == table_find(&t, "b"), "that tunnel");
	state_revoke_cert(table_find(&t, "b")->conf, 0);
	eq_int(table_authenticate(&t, &c, 50, &found, &expires),
	    TABLE_REVOKED, "a revoked certificate");
	c = digest_of("other");
	eq_int(table_authenticate(&t, &c, 50, &found, &expires),
	    TABLE_UNKNOWN, "something else");
	table_done(&t);
}

static void
clean_up(struct state *s)
{
	unlinkat(s->tunnels_fd, "t.json", 0);
	unlinkat(s->tunnels_fd, "u.json", 0);
	unlinkat(s->tunnels_fd, "README", 0);
	unlinkat(s->dir_fd, "lock", 0);
	unlinkat(s->dir_fd, "tunnels", AT_REMOVEDIR);
	state_close(s);
	rmdir(dir);
}

int
main(void)
{
	struct state s;
	int fds = test_open_fds();

	if (mkdtemp(dir) == NULL) {
		perror(dir);
		return 1;
	}
	test_names();
	test_time();
	test_credential();
	test_domains();
	test_credentials();
	test_rates();
	s = open_state();
	ok(state_lock(&s, &why) == 0, "the lock");
	test_round_trip(&s);
	test_bad_files(&s);
	test_big_file(&s);
	test_each(&s);
	test_routes();
	test_authenticate();
	clean_up(&s);
	eq_int(test_open_fds(), fds, "no descriptor is left");
	return test_done();
}
