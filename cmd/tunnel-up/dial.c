/* SPDX-License-Identifier: ISC */
#include "cmd/tunnel-up/dial.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/sock.h"

enum { URL_MAX = SOCK_HOST_MAX + 32, HTTP_OK = 200, HTTP_AUTH = 407 };

struct dialer {
	struct ev_loop *ev;
	CURLM *multi;
	ev_timer timer;
	curl_socket_t taken; /* ours now, not to be closed by libcurl; or -1 */
};

struct dial {
	struct dialer *dialer;
	CURL *easy;
	struct dial_request request;
	struct sock_addr tried; /* the last address, for messages */
	char error[CURL_ERROR_SIZE];
};

/* ---- what went wrong ---- */

static const char *
proxy_reason(CURLproxycode code)
{
	static const struct {
		CURLproxycode code;
		const char *text;
	} known[] = {
		{CURLPX_NO_AUTH, "it wants a user name and password"},
		{CURLPX_USER_REJECTED, "user name or password refused"},
		{CURLPX_REPLY_GENERAL_SERVER_FAILURE, "general failure"},
		{CURLPX_REPLY_NOT_ALLOWED, "connection not allowed"},
		{CURLPX_REPLY_NETWORK_UNREACHABLE, "network unreachable"},
		{CURLPX_REPLY_HOST_UNREACHABLE, "host unreachable"},
		{CURLPX_REPLY_CONNECTION_REFUSED, "connection refused"},
		{CURLPX_REPLY_TTL_EXPIRED, "TTL expired"},
		{CURLPX_REQUEST_FAILED, "request rejected or failed"},
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (known[i].code == code)
			return known[i].text;
	}
	return NULL;
}

/* A proxy was reached and did not connect us. */
static void
judge_proxy(const struct dial *d, CURLcode result, struct failure *why)
{
	const char *proxy = d->request.proxy->shown;
	const char *reason;
	long status = 0, code = CURLPX_OK;

	curl_easy_getinfo(d->easy, CURLINFO_HTTP_CONNECTCODE, &status);
	curl_easy_getinfo(d->easy, CURLINFO_PROXY_ERROR, &code);
	reason = proxy_reason((CURLproxycode)code);
	if (status == HTTP_AUTH)
		failure_set(why, FRAME_REFUSED, BLAME_CONNECT, "proxy %s: "
		    "CONNECT: status 407, user name or password missing or "
		    "wrong", proxy);
	else if (status != 0 && status != HTTP_OK)
		failure_set(why, FRAME_REFUSED, BLAME_CONNECT,
		    "proxy %s: CONNECT: status %ld", proxy, status);
	else if (reason != NULL)
		failure_set(why, FRAME_REFUSED, BLAME_CONNECT,
		    "proxy %s: %s", proxy, reason);
	else
		failure_set(why, FRAME_REFUSED, BLAME_CONNECT,
		    "proxy %s: %s", proxy, d->error[0] != '\0' ? d->error
		    : curl_easy_strerror(result));
}

static void
judge_connect(const struct dial *d, struct failure *why)
{
	char address[SOCK_TEXT_MAX] = "";
	long code = 0;

	curl_easy_getinfo(d->easy, CURLINFO_OS_ERRNO, &code);
	if (d->tried.len != 0)
		sock_format(&d->tried.any, address);
	failure_set(why, code == ECONNREFUSED ? FRAME_REFUSED
	    : FRAME_UNREACHABLE, BLAME_CONNECT, "connect: %s%s%s", address,
	    address[0] == '\0' ? "" : ": ",
	    code == 0 ? "failed" : strerror((int)code));
}

static void
judge(const struct dial *d, CURLcode result, struct failure *why)
{
	switch ((int)result) {
	case CURLE_COULDNT_RESOLVE_HOST:
		failure_set(why, FRAME_UNREACHABLE, BLAME_DNS,
		    "name lookup: cannot resolve it");
		break;
	case CURLE_COULDNT_RESOLVE_PROXY:
		failure_set(why, FRAME_UNREACHABLE, BLAME_DNS,
		    "name lookup: cannot resolve the proxy of %s",
		    d->request.proxy->shown);
		break;
	case CURLE_COULDNT_CONNECT:
		judge_connect(d, why);
		break;
	case CURLE_OPERATION_TIMEDOUT:
		failure_set(why, FRAME_TIMEOUT, BLAME_CONNECT,
		    "connect: no answer in %g s",
		    (double)d->request.timeout_ms / 1000);
		break;
	default:
		if (d->request.proxy->url[0] != '\0')
			judge_proxy(d, result, why);
		else
			failure_set(why, FRAME_UNREACHABLE, BLAME_CONNECT,
			    "connect: %s", curl_easy_strerror(result));
		break;
	}
}

/* ---- libcurl in the loop ---- */

static void
dial_free(struct dial *d)
{
	/* Closes a connect-only connection, see close_socket. */
	curl_multi_remove_handle(d->dialer->multi, d->easy);
	curl_easy_cleanup(d->easy);
	free(d);
}

static void
finish(struct dial *d, CURLcode result)
{
	struct dial_request request = d->request;
	struct dialer *dialer = d->dialer;
	struct failure why;
	curl_socket_t fd = -1;

	if (result == CURLE_OK)
		result = curl_easy_getinfo(d->easy, CURLINFO_ACTIVESOCKET,
		    &fd);
	if (result == CURLE_OK && fd == CURL_SOCKET_BAD)
		result = CURLE_GOT_NOTHING;
	if (result != CURLE_OK)
		judge(d, result, &why);
	dialer->taken = fd;
	dial_free(d);
	dialer->taken = -1;
	if (fd != -1)
		sock_set_nodelay(fd);
	request.done(request.user, fd, fd == -1 ? &why : NULL);
}

static void
advance(struct dialer *d, curl_socket_t fd, int events)
{
	CURLMsg *message;
	int left;

	curl_multi_socket_action(d->multi, fd, events, &left);
	while ((message = curl_multi_info_read(d->multi, &left)) != NULL) {
		CURLcode result = message->data.result;
		char *dial = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
		    &dial);
		finish((struct dial *)(void *)dial, result);
	}
}

static void
on_timer(struct ev_loop *ev, ev_timer *w, int revents)
{
	(void)ev;
	(void)revents;
	advance(w->data, CURL_SOCKET_TIMEOUT, 0);
}

static void
on_io(struct ev_loop *ev, ev_io *w, int revents)
{
	int events = 0;

	(void)ev;
	if ((revents & EV_READ) != 0)
		events |= CURL_CSELECT_IN;
	if ((revents & EV_WRITE) != 0)
		events |= CURL_CSELECT_OUT;
	advance(w->data, w->fd, events);
}

static int
set_timer(CURLM *multi, long timeout_ms, void *user)
{
	struct dialer *d = user;

	(void)multi;
	ev_timer_stop(d->ev, &d->timer);
	if (timeout_ms < 0)
		return 0;
	ev_timer_set(&d->timer, (double)timeout_ms / 1000, 0);
	ev_timer_start(d->ev, &d->timer);
	return 0;
}

static int
set_interest(CURL *easy, curl_socket_t fd, int what, void *user, void *socket)
{
	struct dialer *d = user;
	ev_io *w = socket;
	int events = 0;

	(void)easy;
	if (w != NULL)
		ev_io_stop(d->ev, w);
	if (what == CURL_POLL_REMOVE) {
		curl_multi_assign(d->multi, fd, NULL);
		free(w);
		return 0;
	}
	if (w == NULL) {
		w = calloc(1, sizeof *w);
		if (w == NULL)
			return -1;
		ev_init(w, on_io);
		w->data = d;
		curl_multi_assign(d->multi, fd, w);
	}
	if ((what & CURL_POLL_IN) != 0)
		events |= EV_READ;
	if ((what & CURL_POLL_OUT) != 0)
		events |= EV_WRITE;
	ev_io_set(w, fd, events);
	ev_io_start(d->ev, w);
	return 0;
}

/* libcurl 7.88 itself does not make sockets close-on-exec. */
static curl_socket_t
open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct dial *d = user;

	(void)purpose;
	if (a->addrlen <= sizeof d->tried.v6) {
		memcpy(&d->tried.v6, &a->addr, a->addrlen);
		d->tried.len = a->addrlen;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static int
close_socket(void *user, curl_socket_t fd)
{
	const struct dialer *d = user;

	return fd == d->taken ? 0 : close(fd);
}

/* ---- what the owner asks for ---- */

struct dialer *
dialer_new(struct ev_loop *ev, struct error *e)
{
	struct dialer *d = calloc(1, sizeof *d);

	if (d == NULL || curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK ||
	    (d->multi = curl_multi_init()) == NULL) {
		error_set(e, "libcurl: out of memory");
		free(d);
		return NULL;
	}
	d->ev = ev;
	d->taken = -1;
	ev_init(&d->timer, on_timer);
	d->timer.data = d;
	curl_multi_setopt(d->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(d->multi, CURLMOPT_TIMERDATA, d);
	curl_multi_setopt(d->multi, CURLMOPT_SOCKETFUNCTION, set_interest);
	curl_multi_setopt(d->multi, CURLMOPT_SOCKETDATA, d);
	return d;
}

void
dialer_free(struct dialer *d)
{
	if (d == NULL)
		return;
	curl_multi_cleanup(d->multi);
	ev_timer_stop(d->ev, &d->timer);
	free(d);
	curl_global_cleanup();
}

static bool
set_target(struct dial *d)
{
	const struct dial_request *r = &d->request;
	bool v6 = strchr(r->host, ':') != NULL;
	char url[URL_MAX];

	/* The URL only says where to connect: nothing of HTTP is sent there,
	 * and an http URL keeps libcurl from a TLS of its own. */
	return str_format(url, sizeof url, "http://%s%s%s:%u", v6 ? "[" : "",
	    r->host, v6 ? "]" : "", r->port) == 0 &&
	    curl_easy_setopt(d->easy, CURLOPT_URL, url) == CURLE_OK &&
	    curl_easy_setopt(d->easy, CURLOPT_PROXY, r->proxy->url) ==
	    CURLE_OK;
}

static bool
set_options(struct dial *d)
{
	CURL *c = d->easy;

	curl_easy_setopt(c, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(c, CURLOPT_HTTPPROXYTUNNEL,
	    d->request.proxy->is_http ? 1L : 0L);
	curl_easy_setopt(c, CURLOPT_PROXYAUTH, CURLAUTH_ANY);
	curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(c, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	/* Without it a time-out waits for the resolver's thread. */
	curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
	    (long)d->request.timeout_ms);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, d->error);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, d);
	curl_easy_setopt(c, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	curl_easy_setopt(c, CURLOPT_CLOSESOCKETDATA, d->dialer);
	curl_easy_setopt(c, CURLOPT_PRIVATE, d);
	return set_target(d);
}

struct dial *
dial_start(struct dialer *dialer, const struct dial_request *request,
    struct error *e)
{
	struct dial *d = calloc(1, sizeof *d);

	if (d != NULL)
		d->easy = curl_easy_init();
	if (d == NULL || d->easy == NULL) {
		error_set(e, "connect: out of memory");
		free(d);
		return NULL;
	}
	d->dialer = dialer;
	d->request = *request;
	if (!set_options(d) ||
	    curl_multi_add_handle(dialer->multi, d->easy) != CURLM_OK) {
		error_set(e, "connect: libcurl refuses the address");
		curl_easy_cleanup(d->easy);
		free(d);
		return NULL;
	}
	d->request.host = NULL;
	return d;
}

void
dial_cancel(struct dial *dial)
{
	if (dial != NULL)
		dial_free(dial);
}
