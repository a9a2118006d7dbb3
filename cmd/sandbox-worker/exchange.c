/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/exchange.h"

#include <stdlib.h>

#include "cmd/sandbox-worker/secret.h"
#include "common/clock.h"
#include "common/io.h"
#include "common/opt.h"
#include "common/str.h"

enum { HEADER_MAX = API_SECRET_MAX + 64 };

static const char version[] = "2026-10-21";

/* Copies s, which may be NULL.  Returns whether that worked. */
static bool
copy(char **ret, const char *s)
{
	*ret = s == NULL ? NULL : strdup(s);
	return s == NULL || *ret != NULL;
}

int
exchange_init(struct exchange *x, struct api *a, const struct api_request *r,
    struct error *e)
{
	*x = (struct exchange){.api = a, .request = *r};
	buf_init(&x->body, r->body.len);
	buf_init(&x->response.body, r->max > API_ERROR_BODY_MAX ? r->max
	    : API_ERROR_BODY_MAX);
	retry_answer_init(&x->answer);
	if (!copy(&x->method, r->method) || !copy(&x->path, r->path) ||
	    !copy(&x->beta, r->beta) || !copy(&x->helper, r->helper) ||
	    !copy(&x->accept, r->accept) ||
	    !copy(&x->worker_id, r->worker_id) ||
	    asprintf(&x->url, "%s%s", a->base, r->path) == -1 ||
	    (r->body.ptr != NULL && buf_add(&x->body, r->body) != 0)) {
		exchange_done(x);
		return error_set(e, "out of memory");
	}
	return 0;
}

/* The lines may hold a token. */
static void
free_headers(struct exchange *x)
{
	for (struct curl_slist *s = x->headers; s != NULL; s = s->next)
		secret_wipe(s->data, strlen(s->data));
	curl_slist_free_all(x->headers);
	x->headers = NULL;
}

void
exchange_done(struct exchange *x)
{
	free_headers(x);
	buf_reset(&x->body);
	buf_reset(&x->response.body);
	free(x->method);
	free(x->path);
	free(x->beta);
	free(x->helper);
	free(x->accept);
	free(x->worker_id);
	free(x->url);
	x->method = x->path = x->beta = x->helper = x->accept = NULL;
	x->worker_id = x->url = NULL;
}

/* Whether the operator has a header of that name. */
static bool
is_custom(const struct api *a, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < a->headers_count; i++) {
		if (strncasecmp(a->headers[i], name, n) == 0 &&
		    a->headers[i][n] == ':')
			return true;
	}
	return false;
}

static int
add_header(struct exchange *x, const char *name, const char *value)
{
	char line[HEADER_MAX];
	struct curl_slist *more;

	if (value == NULL || is_custom(x->api, name))
		return 0;
	if (str_format(line, sizeof line, "%s: %s", name, value) != 0)
		return -1;
	more = curl_slist_append(x->headers, line);
	secret_wipe(line, sizeof line);
	if (more == NULL)
		return -1;
	x->headers = more;
	return 0;
}

static int
add_custom_headers(struct exchange *x)
{
	for (size_t i = 0; i < x->api->headers_count; i++) {
		struct curl_slist *more = curl_slist_append(x->headers,
		    x->api->headers[i]);

		if (more == NULL)
			return -1;
		x->headers = more;
	}
	return 0;
}

static int
add_authorization(struct exchange *x)
{
	const struct api *a = x->api;
	const char *secret = x->request.environment_key ||
	    a->token[0] == '\0' ? a->environment_key : a->token;
	char value[API_SECRET_MAX + 8];
	int r;

	str_format(value, sizeof value, "Bearer %s", secret);
	r = add_header(x, "authorization", value);
	secret_wipe(value, sizeof value);
	return r;
}

static int
add_headers(struct exchange *x)
{
	bool has_body = x->request.body.ptr != NULL;

	free_headers(x);
	return add_authorization(x) != 0 ||
	    add_header(x, "anthropic-version", version) != 0 ||
	    add_header(x, "anthropic-beta", x->beta) != 0 ||
	    add_header(x, "accept", x->accept == NULL ? "application/json"
	    : x->accept) != 0 ||
	    add_header(x, "x-stainless-helper", x->helper) != 0 ||
	    add_header(x, "Anthropic-Worker-ID", x->worker_id) != 0 ||
	    add_header(x, "content-type", has_body ? "application/json"
	    : "") != 0 || add_header(x, "expect", "") != 0 ||
	    add_custom_headers(x) != 0 ? -1 : 0;
}

static size_t
store_success(struct exchange *x, struct bytes in)
{
	if (in.len > x->request.max - x->received) {
		x->too_large = true;
		return 0;
	}
	x->received += in.len;
	if (x->request.to_fd != -1) {
		x->unwritable = io_write_all(x->request.to_fd, in) != 0;
		return x->unwritable ? 0 : in.len;
	}
	return buf_add(&x->response.body, in) == 0 ? in.len : 0;
}

static size_t
take_body(char *at, size_t one, size_t n, void *user)
{
	struct exchange *x = user;
	struct bytes in = bytes_of(at, n);
	size_t room = API_ERROR_BODY_MAX - buf_len(&x->response.body);

	(void)one;
	if (api_is_success(x->response.status)) {
		if (x->data != NULL)
			return x->data(x->user, in) ? n : 0;
		return store_success(x, in);
	}
	/* What goes wrong is told in few words. */
	buf_add(&x->response.body, bytes_of(at, n < room ? n : room));
	return n;
}

/* A status line: an answer begins, after one of 1xx possibly. */
static void
begin_answer(struct exchange *x)
{
	retry_answer_init(&x->answer);
	x->response.content_type[0] = '\0';
	x->response.request_id[0] = '\0';
	x->received = 0;
	buf_clear(&x->response.body);
}

static void
take_field(struct exchange *x, char *line)
{
	char *value = strchr(line, ':');
	struct api_response *r = &x->response;

	if (value == NULL)
		return;
	*value++ = '\0';
	value += strspn(value, " \t");
	if (str_eq_nocase(line, "content-type"))
		str_format(r->content_type, sizeof r->content_type, "%s",
		    value);
	else if (str_eq_nocase(line, "request-id"))
		str_format(r->request_id, sizeof r->request_id, "%s", value);
	else
		retry_note_header(&x->answer, line, value,
		    clock_wall_s());
}

static void
end_head(struct exchange *x)
{
	long status = 0;

	curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200)
		return;
	x->response.status = x->answer.status = status;
	x->head_done = true;
	if (x->head != NULL)
		x->head(x->user);
}

static size_t
take_header(char *at, size_t one, size_t n, void *user)
{
	struct exchange *x = user;
	char line[1024]; /* none that matters is so long */
	size_t len = n;

	(void)one;
	while (len > 0 && strchr("\r\n \t", at[len - 1]) != NULL)
		len--;
	if (len >= sizeof line)
		len = sizeof line - 1;
	memcpy(line, at, len);
	line[len] = '\0';
	if (x->head_done)
		return n; /* a trailer */
	if (str_starts(line, "HTTP/"))
		begin_answer(x);
	else if (len == 0)
		end_head(x);
	else
		take_field(x, line);
	return n;
}

static int
set_target(struct exchange *x, CURL *easy)
{
	const char *schemes = x->api->plain ? "http,https" : "https";

	/* What is not encrypted goes to the service, not to whoever is named
	 * by http_proxy.  An id may be "..". */
	if ((x->api->plain && curl_easy_setopt(easy, CURLOPT_PROXY, "") !=
	    CURLE_OK) || curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) !=
	    CURLE_OK)
		return -1;
	return curl_easy_setopt(easy, CURLOPT_URL, x->url) != CURLE_OK ||
	    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, schemes) !=
	    CURLE_OK || curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST,
	    x->method) != CURLE_OK || (x->api->ca != NULL &&
	    curl_easy_setopt(easy, CURLOPT_CAINFO, x->api->ca) != CURLE_OK)
	    ? -1 : 0;
}

static int
set_body(struct exchange *x, CURL *easy)
{
	struct bytes body = buf_bytes(&x->body);

	if (str_eq(x->method, "GET"))
		return 0;
	if (str_eq(x->method, "DELETE") && body.len == 0)
		return 0;
	return curl_easy_setopt(easy, CURLOPT_POST, 1L) != CURLE_OK ||
	    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, x->method) !=
	    CURLE_OK || curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
	    (curl_off_t)body.len) != CURLE_OK || curl_easy_setopt(easy,
	    CURLOPT_POSTFIELDS, body.len == 0 ? "" : (const char *)body.ptr)
	    != CURLE_OK ? -1 : 0;
}

static int
set_callbacks(struct exchange *x, CURL *easy)
{
	return curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) !=
	    CURLE_OK || curl_easy_setopt(easy, CURLOPT_WRITEDATA, x) !=
	    CURLE_OK || curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION,
	    take_header) != CURLE_OK || curl_easy_setopt(easy,
	    CURLOPT_HEADERDATA, x) != CURLE_OK || curl_easy_setopt(easy,
	    CURLOPT_ERRORBUFFER, x->curl_error) != CURLE_OK ? -1 : 0;
}

/* HTTP/1.1, so that a call never waits for another on its connection. */
static int
set_transport(CURL *easy)
{
	return curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
	    (long)CURL_HTTP_VERSION_1_1) != CURLE_OK ||
	    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) != CURLE_OK ||
	    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) !=
	    CURLE_OK || curl_easy_setopt(easy, CURLOPT_SSLVERSION,
	    (long)CURL_SSLVERSION_TLSv1_2) != CURLE_OK ||
	    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) != CURLE_OK ||
	    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
	    (long)API_CONNECT_MS) != CURLE_OK || curl_easy_setopt(easy,
	    CURLOPT_TCP_KEEPALIVE, 1L) != CURLE_OK || curl_easy_setopt(easy,
	    CURLOPT_USERAGENT, "sandbox-worker/" ADIT_VERSION_STRING) !=
	    CURLE_OK ? -1 : 0;
}

int
exchange_prepare(struct exchange *x, CURL *easy, struct error *e)
{
	curl_easy_reset(easy);
	x->easy = easy;
	x->head_done = x->too_large = x->unwritable = false;
	x->response.status = 0;
	x->curl_error[0] = '\0';
	begin_answer(x);
	if (add_headers(x) != 0 || set_target(x, easy) != 0 ||
	    set_body(x, easy) != 0 || set_callbacks(x, easy) != 0 ||
	    set_transport(easy) != 0 || curl_easy_setopt(easy,
	    CURLOPT_HTTPHEADER, x->headers) != CURLE_OK)
		return error_set(e, "%s: the call cannot be made", x->path);
	return 0;
}

/* Whether the server cannot have seen the request. */
static bool
is_unsent(CURLcode code)
{
	return code == CURLE_COULDNT_RESOLVE_PROXY ||
	    code == CURLE_COULDNT_RESOLVE_HOST ||
	    code == CURLE_COULDNT_CONNECT || code == CURLE_SSL_CONNECT_ERROR ||
	    code == CURLE_PEER_FAILED_VERIFICATION;
}

static int
set_failure(const struct exchange *x, CURLcode code, struct error *e)
{
	if (x->too_large)
		return error_set(e, "the answer is larger than %zu bytes",
		    x->request.max);
	if (x->unwritable)
		return error_set(e, "the answer could not be stored");
	return error_set(e, "%s", x->curl_error[0] != '\0' ? x->curl_error
	    : curl_easy_strerror(code));
}

int
exchange_finish(struct exchange *x, CURLcode code, int attempt,
    int64_t *ret_delay_ms, struct error *e)
{
	long status = x->response.status;
	uint32_t random;

	x->response.retry_after_ms = x->answer.after_ms;
	if (code != CURLE_OK && api_is_success(status))
		return set_failure(x, code, e);
	if (status == 0)
		set_failure(x, code, e);
	if ((status == 0 && !is_unsent(code)) || status == 408 ||
	    status >= 500)
		x->response.ambiguous = true;
	if (!retry_is_wanted(&x->answer, x->request.final_conflict) ||
	    attempt >= x->request.retries)
		return status == 0 ? -1 : 0;
	random_bytes(&random, sizeof random);
	*ret_delay_ms = retry_delay_ms(&x->answer, attempt, random);
	return 1;
}
