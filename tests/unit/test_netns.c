/* SPDX-License-Identifier: ISC */
/* Network namespaces that are made before they are used: what they hold, and
 * which of them are fit for a sandbox.  Needs namespaces. */
#include "cmd/sandbox-exec/netns.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/unit/test.h"

#define HEAD "Inter-|   Receive\n face |bytes\n"

static void
test_texts(void)
{
	ok(netns_is_lonely(HEAD "    lo: 0 0\n"), "lo alone");
	ok(netns_is_lonely(HEAD "lo:0\n"), "lo, close to its number");
	ok(!netns_is_lonely(HEAD), "no lo is not lo alone");
	ok(!netns_is_lonely(HEAD "    lo: 0\n  eth0: 0\n"), "a second one");
	ok(!netns_is_lonely(HEAD "  eth0: 0\n    lo: 0\n"), "a first one");
	ok(!netns_is_lonely(HEAD "    lo: 0\n    lo: 0\n"), "lo twice");
	ok(!netns_is_lonely(HEAD "   lo0: 0\n"), "another name");
	ok(!netns_is_lonely(HEAD "    lo: 0"), "a line that is cut");
	ok(!netns_is_lonely("one line\n"), "half a heading");
	ok(!netns_is_lonely(""), "nothing");
	ok(netns_is_unused("sockets: used 0\nTCP: inuse 0\n"), "no socket");
	ok(!netns_is_unused("sockets: used 01\n"), "a number that goes on");
	ok(!netns_is_unused("sockets: used 10\n"), "ten sockets");
	ok(!netns_is_unused("sockets: used 0"), "a line that is cut");
	ok(!netns_is_unused(""), "nothing at all");
}

/* In a process of its own: it does not come back.  Returns the text of the
 * refusal, "" for none; valid until the next call. */
static const char *
join(int fd, int (*first)(void))
{
	static struct error e;
	int pair[2];
	ssize_t n;
	pid_t pid;

	if (pipe(pair) != 0 || (pid = fork()) == -1)
		return "no process";
	if (pid == 0) {
		e.text[0] = '\0';
		if ((first == NULL || first() == 0) &&
		    netns_join(fd, &e) == 0)
			e.text[0] = '\0';
		_exit(write(pair[1], e.text, strlen(e.text) + 1) == -1);
	}
	close(pair[1]);
	n = read(pair[0], e.text, sizeof e.text - 1);
	e.text[n > 0 ? n : 0] = '\0';
	close(pair[0]);
	waitpid(pid, NULL, 0);
	return n > 0 ? e.text : "no answer";
}

static int
put_socket(void)
{
	return socket(AF_UNIX, SOCK_DGRAM, 0) == -1;
}

/* A network of our own, with a socket of ours in it. */
static const char *
join_used(void)
{
	static struct error e;
	int pair[2];
	ssize_t n;
	pid_t pid;

	if (pipe(pair) != 0 || (pid = fork()) == -1)
		return "no process";
	if (pid == 0) {
		int fd = netns_make();

		e.text[0] = '\0';
		if (netns_join(fd, &e) == 0 && put_socket() == 0)
			netns_join(fd, &e);
		_exit(write(pair[1], e.text, strlen(e.text) + 1) == -1);
	}
	close(pair[1]);
	n = read(pair[0], e.text, sizeof e.text - 1);
	e.text[n > 0 ? n : 0] = '\0';
	close(pair[0]);
	waitpid(pid, NULL, 0);
	return e.text;
}

static void
test_refusals(int fd)
{
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int own_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int user_fd = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);

	eq_str(join(null_fd, NULL), "no network namespace", "a device");
	eq_str(join(user_fd, NULL), "no network namespace",
	    "a namespace of users");
	ok(join(own_fd, NULL)[0] != '\0', "the network that we are in");
	eq_str(join_used(), "somebody has sockets in it", "one with a socket");
	eq_str(join(fd, NULL), "", "a fresh one is fit");
	close(null_fd);
	close(own_fd);
	close(user_fd);
}

int
main(void)
{
	int fds = test_open_fds();
	int fd;

	test_texts();
	fd = netns_make();
	ok(fd != -1, "a network is made");
	eq_int(fcntl(fd, F_GETFD), FD_CLOEXEC, "it is closed on exec");
	test_refusals(fd);
	eq_str(join(fd, NULL), "", "it serves again");
	close(fd);
	eq_int(test_open_fds(), fds, "no descriptor is left");
	return test_done();
}
