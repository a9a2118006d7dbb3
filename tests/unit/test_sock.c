/* SPDX-License-Identifier: ISC */
/* sock: addresses as text, listeners, Unix sockets. */
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "common/sock.h"
#include "tests/unit/test.h"

static void
test_hostport(void)
{
	static const struct {
		const char *text;
		uint16_t port_default;
		const char *host; /* NULL: refused */
		uint16_t port;
	} cases[] = {
		{"a.b:80", 0, "a.b", 80}, {"[::1]:80", 0, "::1", 80},
		{":443", 0, "", 443}, {"a.b", 7, "a.b", 7},
		{"[::1]", 7, "::1", 7}, {"1.2.3.4:0", 0, "1.2.3.4", 0},
		{"a:65535", 0, "a", 65535}, {"", 7, "", 7},
		{"a.b", 0, NULL, 0}, {"::1", 0, NULL, 0},
		{"::1:80", 0, NULL, 0}, {"[::1", 7, NULL, 0},
		{"[::1]80", 7, NULL, 0}, {"a:65536", 0, NULL, 0},
		{"a:", 0, NULL, 0}, {"a:-1", 0, NULL, 0},
		{"a:80x", 0, NULL, 0}, {"a:+80", 0, NULL, 0},
		{"[]:80", 0, NULL, 0},
	};
	struct error scheme;
	char unused_host[SOCK_HOST_MAX];
	uint16_t unused;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char host[SOCK_HOST_MAX] = "?";
		struct error e = {.text = ""};
		uint16_t port = 9;
		int r = sock_parse_hostport(cases[i].text,
		    cases[i].port_default, host, &port, &e);

		if (cases[i].host == NULL)
			ok(r == -1 && e.text[0] != '\0', "'%s': %s",
			    cases[i].text, e.text);
		else
			ok(r == 0 && strcmp(host, cases[i].host) == 0 &&
			    port == cases[i].port, "'%s' is '%s' and %u",
			    cases[i].text, host, port);
	}
	sock_parse_hostport("https://a.b:80", 0, unused_host, &unused,
	    &scheme);
	eq_str(scheme.text, "https://a.b:80: a URL, not host:port",
	    "a URL is told to be one");
}

static void
test_long_host(void)
{
	char text[SOCK_HOST_MAX + 8], host[SOCK_HOST_MAX];
	struct error e;
	uint16_t port;

	memset(text, 'a', sizeof text);
	memcpy(text + SOCK_HOST_MAX - 1, ":1", 3);
	eq_int(sock_parse_hostport(text, 0, host, &port, &e), 0,
	    "a host of 255 bytes");
	text[SOCK_HOST_MAX - 1] = 'a';
	memcpy(text + SOCK_HOST_MAX, ":1", 3);
	eq_int(sock_parse_hostport(text, 0, host, &port, &e), -1,
	    "a host of 256 bytes");
}

static void
test_format(void)
{
	static const struct {
		const char *host, *want;
	} cases[] = {
		{"1.2.3.4", "1.2.3.4:80"}, {"::1", "[::1]:80"},
		{"::ffff:1.2.3.4", "1.2.3.4:80"}, {"fe80::1", "[fe80::1]:80"},
	};
	struct sock_addr a;
	char out[SOCK_TEXT_MAX];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		eq_int(sock_parse_ip(cases[i].host, 80, &a), 0, "%s",
		    cases[i].host);
		eq_str(sock_format(&a.any, out), cases[i].want, "as text");
	}
	ok(sock_parse_ip("a.b", 80, &a) == -1 &&
	    sock_parse_ip("1.2.3", 80, &a) == -1 &&
	    sock_parse_ip("", 80, &a) == -1 &&
	    sock_parse_ip("::1%lo", 80, &a) == -1, "names are no addresses");
}

static bool
waits(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 5000) == 1;
}

static void
test_tcp(const char *listen_at, const char *connect_to)
{
	struct sock_addr a, peer;
	struct error e;
	char text[SOCK_TEXT_MAX];
	uint16_t port = 0;
	int before = test_open_fds(), fd, c, s;

	fd = sock_listen_tcp(listen_at, &port, &e);
	if (fd == -1 && listen_at[0] == '[') {
		test_skip("no IPv6: %s", e.text);
		return;
	}
	ok(fd != -1 && port != 0, "listens on %s, port %u", listen_at, port);
	errno = 0;
	ok(sock_accept(fd, NULL) == -1 && errno == EAGAIN, "nobody yet");
	sock_parse_ip(connect_to, port, &a);
	c = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	eq_int(connect(c, &a.any, a.len), 0, "somebody");
	ok(waits(fd), "is announced");
	s = sock_accept(fd, &peer);
	ok(s != -1, "accepted");
	ok((fcntl(s, F_GETFD) & FD_CLOEXEC) && (fcntl(s, F_GETFL) &
	    O_NONBLOCK), "close-on-exec and non-blocking");
	sock_format(&peer.any, text);
	ok(strncmp(text + (text[0] == '['), connect_to,
	    strlen(connect_to)) == 0, "from %s", text);
	sock_set_abort(s);
	close(s);
	ok(read(c, text, 1) == -1 && errno == ECONNRESET, "an abort resets");
	close(c);
	close(fd);
	eq_int(test_open_fds(), before, "no descriptor is left");
}

static void
test_listen_errors(void)
{
	struct error e;
	uint16_t port;
	char again[32];
	int fd;

	eq_int(sock_listen_tcp("a.b:0", &port, &e), -1, "a name");
	eq_str(e.text, "a.b:0: not a numeric address", "is refused");
	eq_int(sock_listen_tcp("127.0.0.1", &port, &e), -1, "no port");
	fd = sock_listen_tcp("127.0.0.1:0", &port, &e);
	snprintf(again, sizeof again, "127.0.0.1:%u", port);
	eq_int(sock_listen_tcp(again, &port, &e), -1, "a port in use");
	ok(strstr(e.text, "Address already in use") != NULL, "%s", e.text);
	close(fd);
}

static void
test_unix(void)
{
	char dir[] = "/tmp/adit-test-XXXXXX", path[64], long_path[200];
	struct error e;
	struct stat st;
	int fd, c, s, before = test_open_fds();

	if (mkdtemp(dir) == NULL)
		return;
	snprintf(path, sizeof path, "%s/s", dir);
	eq_int(sock_connect_unix(path, &e), -1, "nobody there");
	ok(strstr(e.text, path) == e.text, "%s", e.text + strlen(path));
	fd = sock_listen_unix(path, &e);
	ok(fd != -1, "listens");
	stat(path, &st);
	eq_int(st.st_mode & 0777, 0600, "for its owner only");
	c = sock_connect_unix(path, &e);
	ok(c != -1 && waits(fd), "connects");
	s = sock_accept(fd, NULL);
	ok(s != -1, "accepted");
	close(s);
	close(c);
	eq_int(sock_listen_unix(path, &e), -1, "a socket in use stays");
	ok(strstr(e.text, "Address already in use") != NULL, "and is named");
	close(fd);
	fd = sock_listen_unix(path, &e);
	ok(fd != -1, "one that nobody listens on is replaced");
	close(fd);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	eq_int(sock_listen_unix(path, &e), -1, "a file is not");
	unlink(path);
	memset(long_path, 'a', sizeof long_path);
	long_path[sizeof long_path - 1] = '\0';
	eq_int(sock_listen_unix(long_path, &e), -1, "too long a path");
	ok(strstr(e.text, "path longer than 107 bytes") != NULL, "says so");
	eq_int(rmdir(dir), 0, "no file is left");
	eq_int(test_open_fds(), before, "no descriptor is left");
}

int
main(void)
{
	test_hostport();
	test_long_host();
	test_format();
	test_tcp("127.0.0.1:0", "127.0.0.1");
	test_tcp("[::1]:0", "::1");
	test_tcp(":0", "127.0.0.1");
	test_listen_errors();
	test_unix();
	return test_done();
}
