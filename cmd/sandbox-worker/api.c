/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/api.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "cmd/sandbox-worker/exchange.h"
#include "cmd/sandbox-worker/secret.h"
#include "common/jsonr.h"
#include "common/sock.h"
#include "common/str.h"

static const char *const reserved_headers[] = {
	"authorization", "x-api-key", "host", "content-length",
	"transfer-encoding", "connection", "expect", "content-type", "accept",
};

static bool
is_loopback(const char *host)
{
	struct sock_addr a;
	char plain[SOCK_HOST_MAX];
	size_t len = strlen(host);

	if (str_eq_nocase(host, "localhost"))
		return true;
	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	if (len >= sizeof plain)
		return false;
	memcpy(plain, host, len);
	plain[len] = '\0';
	if (sock_parse_ip(plain, 0, &a) != 0)
		return false;
	if (a.any.sa_family == AF_INET)
		return *(const uint8_t *)&a.v4.sin_addr == 127;
	return memcmp(&a.v6.sin6_addr, &in6addr_loopback,
	    sizeof in6addr_loopback) == 0;
}

static int
check_url(struct api *a, const char *scheme, const char *host,
    bool allow_http, struct error *e)
{
	if (str_eq(scheme, "https"))
		return 0;
	if (!str_eq(scheme, "http"))
		return error_set(e, "neither https nor http");
	if (!allow_http && !is_loopback(host))
		return error_set(e, "the token would go there in the clear: "
		    "use https, or --allow-http");
	a->plain = true;
	return 0;
}

static bool
has_part(CURLU *u, CURLUPart part)
{
	char *text = NULL;
	bool r = curl_url_get(u, part, &text, 0) == CURLUE_OK;

	curl_free(text);
	return r;
}

static int
set_base(struct api *a, const struct api_settings *s, struct error *e)
{
	const char *base = s->base == NULL ? API_BASE_DEFAULT : s->base;
	char *scheme = NULL, *host = NULL;
	CURLU *u = curl_url();
	size_t len;
	int r = -1;

	if (u == NULL || curl_url_set(u, CURLUPART_URL, base, 0) !=
	    CURLUE_OK || curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) !=
	    CURLUE_OK || curl_url_get(u, CURLUPART_HOST, &host, 0) !=
	    CURLUE_OK)
		error_set(e, "no URL");
	else if (has_part(u, CURLUPART_USER) ||
	    has_part(u, CURLUPART_PASSWORD) || has_part(u, CURLUPART_QUERY) ||
	    has_part(u, CURLUPART_FRAGMENT))
		error_set(e, "more than scheme, host, port and path");
	else
		r = check_url(a, scheme, host, s->allow_http, e);
	curl_free(scheme);
	curl_free(host);
	curl_url_cleanup(u);
	for (len = strlen(base); len > 0 && base[len - 1] == '/'; len--)
		;
	if (r == 0 && (a->base = strndup(base, len)) == NULL)
		r = error_set(e, "out of memory");
	return r == 0 ? 0 : error_prefix(e, "the base URL");
}

static int
set_secret(char out[static API_SECRET_MAX], const char *text,
    const char *what, struct error *e)
{
	if (text == NULL)
		return 0;
	if (!secret_is_token(text) ||
	    str_format(out, API_SECRET_MAX, "%s", text) != 0)
		return error_set(e, "%s: not usable as a token", what);
	return 0;
}

static bool
is_good_header(const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);

	if (colon == NULL || colon == line)
		return false;
	for (const char *c = line; c < colon; c++) {
		if (*c <= ' ' || *c > '~' || strchr("(),/;<=>?@[]{}\"\\",
		    *c) != NULL)
			return false;
	}
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)line[i] < ' ' && line[i] != '\t')
			return false;
	}
	for (size_t i = 0; i < sizeof reserved_headers /
	    sizeof reserved_headers[0]; i++) {
		size_t n = strlen(reserved_headers[i]);

		if (n == (size_t)(colon - line) &&
		    strncasecmp(line, reserved_headers[i], n) == 0)
			return false;
	}
	return true;
}

static int
add_custom(struct api *a, const char *line, size_t len, struct error *e)
{
	if (len > 0 && line[len - 1] == '\r')
		len--;
	if (len == 0)
		return 0;
	if (!is_good_header(line, len))
		return error_set(e, "ANTHROPIC_CUSTOM_HEADERS: a line that is "
		    "no \"Name: value\", or a header that is ours");
	if (a->headers_count >= API_HEADERS_MAX)
		return error_set(e, "ANTHROPIC_CUSTOM_HEADERS: more than %d",
		    API_HEADERS_MAX);
	a->headers[a->headers_count] = strndup(line, len);
	if (a->headers[a->headers_count] == NULL)
		return error_set(e, "out of memory");
	a->headers_count++;
	return 0;
}

static int
set_headers(struct api *a, const char *lines, struct error *e)
{
	while (lines != NULL && *lines != '\0') {
		size_t n = strcspn(lines, "\n");

		if (add_custom(a, lines, n, e) != 0)
			return -1;
		lines += n + (lines[n] == '\n' ? 1 : 0);
	}
	return 0;
}

struct api *
api_new(const struct api_settings *s, struct error *e)
{
	struct api *a = calloc(1, sizeof(*a));

	if (a == NULL) {
		error_set(e, "out of memory");
		return NULL;
	}
	if (set_base(a, s, e) != 0 ||
	    set_secret(a->environment_key, s->environment_key,
	    "the environment key", e) != 0 ||
	    set_secret(a->token, s->token, "the sessions token", e) != 0 ||
	    set_headers(a, s->headers, e) != 0 ||
	    (s->ca != NULL && (a->ca = strdup(s->ca)) == NULL)) {
		api_free(a);
		return NULL;
	}
	return a;
}

void
api_free(struct api *a)
{
	if (a == NULL)
		return;
	api_detach(a);
	if (a->easy != NULL)
		curl_easy_cleanup(a->easy);
	for (size_t i = 0; i < a->headers_count; i++)
		free(a->headers[i]);
	free(a->base);
	free(a->ca);
	secret_wipe(a, sizeof *a);
	free(a);
}

bool
api_has_token(const struct api *a)
{
	return a->token[0] != '\0';
}

const char *
api_token(const struct api *a)
{
	return a->token[0] == '\0' ? NULL : a->token;
}

bool
api_has_environment_key(const struct api *a)
{
	return a->environment_key[0] != '\0';
}

/* One attempt, then another if the rule wants it. */
static int
perform(struct api *a, struct exchange *x, struct error *e)
{
	int64_t timeout_ms = x->request.timeout_ms == 0 ? API_TIMEOUT_MS
	    : x->request.timeout_ms;
	int64_t delay_ms;
	int r;

	for (int attempt = 0;; attempt++) {
		CURLcode code;

		if (exchange_prepare(x, a->easy, e) != 0 || curl_easy_setopt(
		    a->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms) !=
		    CURLE_OK)
			return -1;
		code = curl_easy_perform(a->easy);
		r = exchange_finish(x, code, attempt, &delay_ms, e);
		/* A server may want a longer pause than the caller has. */
		if (r == 1 && delay_ms > timeout_ms)
			r = x->response.status == 0 ? -1 : 0;
		if (r != 1)
			return r;
		poll(NULL, 0, (int)delay_ms);
	}
}

int
api_call(struct api *a, const struct api_request *r,
    struct api_response *ret, struct error *e)
{
	struct exchange x;
	int result = -1;

	*ret = (struct api_response){.status = 0};
	buf_init(&ret->body, 0);
	if (a->easy == NULL && (a->easy = curl_easy_init()) == NULL)
		return error_set(e, "out of memory");
	if (exchange_init(&x, a, r, e) != 0)
		return -1;
	result = perform(a, &x, e);
	*ret = x.response;
	buf_init(&x.response.body, 0);
	curl_easy_reset(a->easy);
	exchange_done(&x);
	return result;
}

void
api_response_done(struct api_response *r)
{
	buf_reset(&r->body);
}

static bool
is_unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    (c >= '0' && c <= '9') || (c != '\0' &&
	    strchr("-_.!~*'()", c) != NULL);
}

int
api_encode(char *out, size_t cap, const char *text)
{
	out[0] = '\0';
	return api_append(out, cap, text);
}

int
api_append(char *out, size_t cap, const char *text)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t used = strlen(out);

	for (; *text != '\0'; text++) {
		if (used + 4 > cap) {
			errno = ENAMETOOLONG;
			return -1;
		}
		if (is_unreserved(*text)) {
			out[used++] = *text;
		} else {
			out[used++] = '%';
			out[used++] = digits[(uint8_t)*text >> 4];
			out[used++] = digits[(uint8_t)*text & 15];
		}
		out[used] = '\0';
	}
	return 0;
}

void
api_describe(const struct api_response *r, struct error *e)
{
	char type[64] = "", text[2048] = "", where[160] = "";
	struct jsonr v, error = {.kind = JSONR_ABSENT};
	struct error ignored;

	if (jsonr_parse_object(buf_bytes(&r->body), &v, &ignored) == 0 &&
	    jsonr_get(v, "error", &error, &ignored) == 1) {
		if (jsonr_get_str(error, "type", type, sizeof type,
		    &ignored) != 1)
			type[0] = '\0';
		if (jsonr_get_str(error, "message", text, sizeof text,
		    &ignored) != 1)
			text[0] = '\0';
	}
	if (r->request_id[0] != '\0')
		str_format(where, sizeof where, " (request-id %s)",
		    r->request_id);
	if (r->status >= 300 && r->status < 400)
		str_format(type, sizeof type, "a redirect, not followed");
	error_set(e, "%ld%s%s%s%.180s%s", r->status, type[0] == '\0' ? "" : " ",
	    type, text[0] == '\0' ? "" : ": ", text, where);
}
