/* SPDX-License-Identifier: ISC */
#include "common/http.h"


#include "common/field.h"
#include "common/str.h"

enum {
	BAD_REQUEST = 400,
	NOT_IMPLEMENTED = 501,
	VERSION_NOT_SUPPORTED = 505,
	KEEP_ALIVE_MAX_S = 86400,
};

static int
reject(struct error *e, int status, const char *text)
{
	e->code = status;
	return error_set(e, "%s", text);
}

static bool
is_str(struct bytes a, const char *b)
{
	return bytes_eq(a, bytes_cstr(b));
}

/* ---- the end of a head ---- */

/* Checks the complete line that ends before lf.  Returns 1 if it is empty. */
static int
scan_line(struct bytes line, struct error *e)
{
	if (line.len == 0 || line.ptr[line.len - 1] != '\r')
		return reject(e, BAD_REQUEST, "head: a line ends without CR");
	line.len--;
	if (line.len == 0)
		return 1;
	if (memchr(line.ptr, '\r', line.len) != NULL)
		return reject(e, BAD_REQUEST, "head: CR inside a line");
	if (memchr(line.ptr, '\0', line.len) != NULL)
		return reject(e, BAD_REQUEST, "head: NUL inside a line");
	return 0;
}

ssize_t
http_scan_head(struct http_scan *s, struct bytes in, size_t max,
    struct error *e)
{
	size_t limit = in.len < max ? in.len : max;

	while (s->seen < limit) {
		const uint8_t *lf = memchr(in.ptr + s->seen, '\n',
		    limit - s->seen);
		size_t end;
		int r;

		if (lf == NULL) {
			s->seen = limit;
			break;
		}
		end = (size_t)(lf - in.ptr);
		r = scan_line(bytes_of(in.ptr + s->line, end - s->line), e);
		if (r < 0)
			return -1;
		s->line = s->seen = end + 1;
		if (r == 1)
			return (ssize_t)s->seen;
	}
	if (limit == max) {
		e->code = BAD_REQUEST;
		return error_set(e, "head: longer than %zu bytes", max);
	}
	return 0;
}

void
http_set_head_max(size_t max)
{
	http_parser_set_max_header_size((uint32_t)max + BODY_TRAILER_MAX);
}

/* ---- fields ---- */

struct known_field {
	const char *name;
	enum http_role role;
};

/* RFC 9110 section 7.6.1.  Trailer goes because trailers are dropped. */
static const struct known_field known_fields[] = {
	{"host", HTTP_HOST},
	{"content-length", HTTP_CONTENT_LENGTH},
	{"transfer-encoding", HTTP_TRANSFER_ENCODING},
	{"connection", HTTP_CONNECTION},
	{"keep-alive", HTTP_KEEP_ALIVE},
	{"proxy-connection", HTTP_HOP},
	{"te", HTTP_HOP},
	{"trailer", HTTP_HOP},
	{"upgrade", HTTP_HOP},
	{"adit-error", HTTP_ADIT_ERROR},
};

static enum http_role
find_role(struct bytes name)
{
	for (size_t i = 0; i < sizeof known_fields / sizeof known_fields[0];
	    i++) {
		const char *known = known_fields[i].name;

		if (ascii_lower((char)name.ptr[0]) == known[0] &&
		    field_eq_str(name, known))
			return known_fields[i].role;
	}
	return HTTP_PLAIN;
}

/* Takes the next line off *in, which has only complete ones. */
static struct bytes
next_line(struct bytes *in)
{
	const uint8_t *lf = memchr(in->ptr, '\n', in->len);
	size_t len = (size_t)(lf - in->ptr);
	struct bytes line = bytes_of(in->ptr, len - 1);

	*in = bytes_after(*in, len + 1);
	return line;
}

static int
parse_fields(struct bytes in, struct http_head *ret, struct error *e)
{
	for (;;) {
		struct bytes line = next_line(&in);
		struct http_field *f = &ret->fields[ret->field_count];

		if (line.len == 0)
			return 0;
		if (ret->field_count == HTTP_FIELDS_MAX)
			return reject(e, BAD_REQUEST,
			    "head: more than 100 fields");
		if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
			return reject(e, BAD_REQUEST,
			    "head: a folded field (obs-fold)");
		if (field_parse(line, &f->name, &f->value) != 0)
			return reject(e, BAD_REQUEST, "head: not a field");
		f->role = find_role(f->name);
		ret->field_count++;
	}
}

/* The only field of a role.  Returns 1, 0 if there is none, -1 if there are
 * several. */
static int
find_only(const struct http_head *h, enum http_role role, struct bytes *ret)
{
	int found = 0;

	for (size_t i = 0; i < h->field_count; i++) {
		if (h->fields[i].role != role)
			continue;
		if (found++ != 0)
			return -1;
		*ret = h->fields[i].value;
	}
	return found;
}

/* Removes the fields that Connection names.  Those that decide where the
 * message goes or ends can not be named: the next hop would see another
 * message than we did. */
static int
drop_named(struct http_head *h, struct bytes option, struct error *e)
{
	enum http_role role = find_role(option);

	if (role == HTTP_HOST || role == HTTP_CONTENT_LENGTH ||
	    role == HTTP_TRANSFER_ENCODING)
		return reject(e, BAD_REQUEST,
		    "Connection: names a field that must pass");
	for (size_t i = 0; i < h->field_count; i++) {
		struct http_field *f = &h->fields[i];

		if (f->role == HTTP_PLAIN && field_eq(f->name, option))
			f->role = HTTP_HOP;
	}
	return 0;
}

static int
read_connection(struct http_head *h, struct error *e)
{
	bool keep = false;

	for (size_t i = 0; i < h->field_count; i++) {
		struct bytes list = h->fields[i].value, option;

		if (h->fields[i].role != HTTP_CONNECTION)
			continue;
		while (field_next_element(&list, &option)) {
			if (field_eq_str(option, "close"))
				h->close = true;
			else if (field_eq_str(option, "keep-alive"))
				keep = true;
			if (drop_named(h, option, e) != 0)
				return -1;
		}
	}
	if (h->minor == 0 && !keep)
		h->close = true;
	return 0;
}

static void
read_keep_alive(struct http_head *h)
{
	static const char timeout[] = "timeout=";
	struct bytes list, element;
	uint64_t s;

	h->keep_alive_ms = -1;
	if (find_only(h, HTTP_KEEP_ALIVE, &list) != 1)
		return;
	while (field_next_element(&list, &element)) {
		size_t n = sizeof timeout - 1;

		if (element.len > n &&
		    field_eq_str(bytes_of(element.ptr, n), timeout) &&
		    field_parse_number(bytes_after(element, n),
		    KEEP_ALIVE_MAX_S, &s) == 0)
			h->keep_alive_ms = (int64_t)s * 1000;
	}
}

/* ---- framing ---- */

static int
read_transfer_encoding(const struct http_head *h, struct bytes value,
    struct error *e)
{
	struct bytes coding = bytes_of(NULL, 0);

	if (field_eq_str(value, "chunked")) {
		if (h->minor == 0)
			return reject(e, BAD_REQUEST,
			    "Transfer-Encoding: in HTTP/1.0");
		return 0;
	}
	while (field_next_element(&value, &coding))
		;
	if (field_eq_str(coding, "chunked"))
		return reject(e, NOT_IMPLEMENTED,
		    "Transfer-Encoding: only chunked is known");
	return reject(e, BAD_REQUEST, "Transfer-Encoding: not chunked");
}

/* Finds where the body ends; without a length it has none (a request) or goes
 * on until the connection ends. */
static int
read_framing(struct http_head *h, bool is_request, struct error *e)
{
	struct bytes length = bytes_of(NULL, 0);
	struct bytes encoding = bytes_of(NULL, 0);
	int lengths = find_only(h, HTTP_CONTENT_LENGTH, &length);
	int encodings = find_only(h, HTTP_TRANSFER_ENCODING, &encoding);

	if (lengths < 0 || encodings < 0)
		return reject(e, BAD_REQUEST, lengths < 0
		    ? "Content-Length: more than one"
		    : "Transfer-Encoding: more than one");
	if (lengths != 0 && encodings != 0)
		return reject(e, BAD_REQUEST,
		    "Content-Length and Transfer-Encoding together");
	if (encodings != 0) {
		h->framing = BODY_CHUNKED;
		return read_transfer_encoding(h, encoding, e);
	}
	if (lengths == 0) {
		h->framing = is_request ? BODY_NONE : BODY_TO_END;
		return 0;
	}
	if (field_parse_number(length, INT64_MAX, &h->length) != 0)
		return reject(e, BAD_REQUEST, "Content-Length: not valid");
	h->framing = h->length == 0 && is_request ? BODY_NONE : BODY_LENGTH;
	return 0;
}

static void
start_body(struct body *b, const struct http_head *h)
{
	static const enum body_state first[] = {
		[BODY_NONE] = BODY_DONE,
		[BODY_LENGTH] = BODY_DATA,
		[BODY_CHUNKED] = BODY_SIZE,
		[BODY_TO_END] = BODY_DATA,
	};

	b->framing = h->framing;
	b->state = first[h->framing];
	b->left = h->length;
	b->trailer_len = 0;
	if (h->framing == BODY_LENGTH && h->length == 0)
		b->state = BODY_DONE;
}

/* ---- the second opinion ---- */

struct second_opinion {
	bool head_done, all_done, no_body;
};

static int
on_headers_complete(http_parser *p)
{
	struct second_opinion *o = p->data;

	o->head_done = true;
	return o->no_body ? 1 : 0;
}

static int
on_message_complete(http_parser *p)
{
	struct second_opinion *o = p->data;

	o->all_done = true;
	return 0;
}

/* Has libhttp-parser read the head, and compares. */
static int
ask_parser(struct bytes head, const struct http_head *h,
    enum http_parser_type type, struct body *b, struct error *e)
{
	static const http_parser_settings settings = {
		.on_headers_complete = on_headers_complete,
		.on_message_complete = on_message_complete,
	};
	struct second_opinion o = {.no_body = type == HTTP_RESPONSE &&
	    h->framing == BODY_NONE};
	http_parser *p = &b->parser;
	enum http_errno why;
	bool chunked;
	size_t n;

	http_parser_init(p, type);
	p->data = &o;
	n = http_parser_execute(p, &settings, (const char *)head.ptr,
	    head.len);
	p->data = NULL;
	why = HTTP_PARSER_ERRNO(p);
	if (why != HPE_OK)
		return reject(e, why == HPE_INVALID_METHOD ? NOT_IMPLEMENTED
		    : BAD_REQUEST, http_errno_description(why));
	chunked = (p->flags & F_CHUNKED) != 0;
	if (n != head.len || !o.head_done ||
	    o.all_done != (b->state == BODY_DONE) ||
	    (!o.no_body && chunked != (h->framing == BODY_CHUNKED)) ||
	    (b->state == BODY_DATA && h->framing == BODY_LENGTH &&
	    p->content_length != h->length))
		return reject(e, BAD_REQUEST, "head: ambiguous");
	return 0;
}

/* ---- requests ---- */

static bool
is_host_char(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_';
}

/* Parses host[:port] and drops one trailing dot. */
static int
parse_host(struct bytes in, struct bytes *ret)
{
	size_t n = 0;
	uint64_t port;
	struct bytes rest;

	if (in.len != 0 && in.ptr[0] == '[') {
		const uint8_t *end = memchr(in.ptr, ']', in.len);

		if (end == NULL)
			return -1;
		n = (size_t)(end - in.ptr) + 1;
		for (size_t i = 1; i + 1 < n; i++)
			if (in.ptr[i] != ':' && !is_host_char(in.ptr[i]))
				return -1;
	} else {
		while (n < in.len && is_host_char(in.ptr[n]))
			n++;
	}
	rest = bytes_after(in, n);
	if (n == 0 || (rest.len != 0 && rest.ptr[0] != ':'))
		return -1;
	if (rest.len > 1 &&
	    field_parse_number(bytes_after(rest, 1), 65535, &port) != 0)
		return -1;
	if (n > 1 && in.ptr[n - 1] == '.')
		n--;
	*ret = bytes_of(in.ptr, n);
	return 0;
}

static size_t
scheme_len(struct bytes target)
{
	if (target.len > 8 &&
	    field_eq_str(bytes_of(target.ptr, 8), "https://"))
		return 8;
	if (target.len > 7 && field_eq_str(bytes_of(target.ptr, 7), "http://"))
		return 7;
	return 0;
}

/* Takes scheme and authority off an absolute target; the authority must be
 * what Host says, so that nobody can be misled by one of them. */
static int
read_target(struct http_head *h, struct bytes host, struct error *e)
{
	size_t n = scheme_len(h->target), end = n;

	if (h->target.ptr[0] == '/')
		return 0;
	if (is_str(h->target, "*") && is_str(h->method, "OPTIONS"))
		return 0;
	if (n == 0)
		return reject(e, BAD_REQUEST, "target: not a path");
	while (end < h->target.len && h->target.ptr[end] != '/' &&
	    h->target.ptr[end] != '?')
		end++;
	if (!field_eq(bytes_of(h->target.ptr + n, end - n), host))
		return reject(e, BAD_REQUEST,
		    "target: names another host than Host");
	h->target = bytes_after(h->target, end);
	return 0;
}

/* Takes what is before the next space off *line. */
static struct bytes
next_word(struct bytes *line)
{
	const uint8_t *space = line->len == 0 ? NULL
	    : memchr(line->ptr, ' ', line->len);
	size_t n = space == NULL ? line->len : (size_t)(space - line->ptr);
	struct bytes word = bytes_of(line->ptr, n);

	*line = bytes_after(*line, space == NULL ? n : n + 1);
	return word;
}

/* Returns 0, or the status to answer with. */
static int
parse_version(struct bytes in, int *ret_minor)
{
	if (in.len != 8 || !is_str(bytes_of(in.ptr, 5), "HTTP/") ||
	    in.ptr[5] < '0' || in.ptr[5] > '9' || in.ptr[6] != '.' ||
	    in.ptr[7] < '0' || in.ptr[7] > '9')
		return BAD_REQUEST;
	if (in.ptr[5] != '1' || in.ptr[7] > '1')
		return VERSION_NOT_SUPPORTED;
	*ret_minor = in.ptr[7] - '0';
	return 0;
}

static int
parse_request_line(struct bytes line, struct http_head *ret, struct error *e)
{
	int r;

	ret->method = next_word(&line);
	ret->target = next_word(&line);
	if (!field_is_token(ret->method) ||
	    ret->method.len > HTTP_METHOD_MAX)
		return reject(e, BAD_REQUEST, "request line: no method");
	if (!field_is_target(ret->target))
		return reject(e, BAD_REQUEST, "request line: no target");
	r = parse_version(line, &ret->minor);
	if (r != 0)
		return reject(e, r, r == BAD_REQUEST
		    ? "request line: no version"
		    : "request line: only HTTP/1.1 and HTTP/1.0 are spoken");
	if (is_str(ret->method, "CONNECT"))
		return reject(e, NOT_IMPLEMENTED, "CONNECT: not a forward "
		    "proxy");
	return 0;
}

static void
head_init(struct http_head *h)
{
	memset(h, 0, offsetof(struct http_head, fields));
}

int
http_parse_request(struct bytes head, struct http_head *ret,
    struct body *ret_body, struct error *e)
{
	struct bytes in = head, host;
	int hosts;

	head_init(ret);
	if (parse_request_line(next_line(&in), ret, e) != 0 ||
	    parse_fields(in, ret, e) != 0)
		return -1;
	hosts = find_only(ret, HTTP_HOST, &host);
	if (hosts != 1)
		return reject(e, BAD_REQUEST, hosts == 0 ? "Host: missing"
		    : "Host: more than one");
	if (parse_host(host, &ret->host) != 0)
		return reject(e, BAD_REQUEST, "Host: not valid");
	if (read_target(ret, host, e) != 0 || read_connection(ret, e) != 0 ||
	    read_framing(ret, true, e) != 0)
		return -1;
	start_body(ret_body, ret);
	return ask_parser(head, ret, HTTP_REQUEST, ret_body, e);
}

/* ---- responses ---- */

static int
parse_status_line(struct bytes line, struct http_head *ret, struct error *e)
{
	struct bytes version = next_word(&line), digits = next_word(&line);
	uint64_t status;

	if (parse_version(version, &ret->minor) != 0)
		return reject(e, BAD_REQUEST,
		    "status line: not HTTP/1.1 or HTTP/1.0");
	if (digits.len != 3 || field_parse_number(digits, 599, &status) != 0 ||
	    status < 100)
		return reject(e, BAD_REQUEST, "status line: no status");
	if (!field_is_text(line))
		return reject(e, BAD_REQUEST, "status line: not text");
	ret->status = (int)status;
	ret->reason = line;
	return 0;
}

static bool
status_has_body(int status)
{
	return status >= 200 && status != 204 && status != 304;
}

int
http_parse_response(struct bytes head, bool to_head, struct http_head *ret,
    struct body *ret_body, struct error *e)
{
	struct bytes in = head;

	head_init(ret);
	if (parse_status_line(next_line(&in), ret, e) != 0 ||
	    parse_fields(in, ret, e) != 0 || read_connection(ret, e) != 0 ||
	    read_framing(ret, false, e) != 0)
		return -1;
	read_keep_alive(ret);
	if (to_head || !status_has_body(ret->status)) {
		/* Some servers send one all the same.  It must not become the
		 * next response. */
		if (to_head || ret->framing == BODY_CHUNKED ||
		    ret->length != 0)
			ret->close = true;
		ret->framing = BODY_NONE;
	}
	if (ret->framing == BODY_TO_END)
		ret->close = true;
	start_body(ret_body, ret);
	return ask_parser(head, ret, HTTP_RESPONSE, ret_body, e);
}

/* ---- heads for the next hop ---- */

static int
write_line(struct buf *out, struct bytes a, struct bytes b)
{
	uint8_t *at = buf_reserve(out, a.len + 2 + b.len + 2);

	if (at == NULL)
		return -1;
	memcpy(at, a.ptr, a.len);
	at += a.len;
	*at++ = ':';
	*at++ = ' ';
	if (b.len != 0)
		memcpy(at, b.ptr, b.len);
	memcpy(at + b.len, "\r\n", 2);
	buf_commit(out, a.len + 2 + b.len + 2);
	return 0;
}

/* RFC 9110 section 8.6. */
static bool
bans_length(int status)
{
	return (status >= 100 && status < 200) || status == 204;
}

static int
write_fields(struct buf *out, const struct http_head *h,
    enum body_framing framing)
{
	int r = 0;

	for (size_t i = 0; i < h->field_count && r == 0; i++) {
		const struct http_field *f = &h->fields[i];

		/* With a body of unknown length a length would lie; without
		 * a body it tells what GET would have got. */
		if (f->role == HTTP_PLAIN || f->role == HTTP_HOST ||
		    (f->role == HTTP_CONTENT_LENGTH &&
		    framing != BODY_CHUNKED && !bans_length(h->status)) ||
		    (f->role == HTTP_ADIT_ERROR && h->status == 0))
			r = write_line(out, f->name, f->value);
	}
	if (r == 0 && framing == BODY_CHUNKED)
		r = buf_add_str(out, "Transfer-Encoding: chunked\r\n");
	return r;
}

int
http_write_request(struct buf *out, const struct http_head *h)
{
	bool bare = h->target.len == 0 || h->target.ptr[0] == '?';

	if (buf_add(out, h->method) != 0 ||
	    buf_add_str(out, bare ? " /" : " ") != 0 ||
	    buf_add(out, h->target) != 0 ||
	    buf_add_str(out, " HTTP/1.1\r\n") != 0 ||
	    write_fields(out, h, h->framing) != 0)
		return -1;
	return buf_add_str(out, "\r\n");
}

int
http_write_response(struct buf *out, const struct http_head *h,
    enum body_framing framing, bool close)
{
	uint8_t line[] = "HTTP/1.1 000 ";

	line[9] = (uint8_t)('0' + h->status / 100);
	line[10] = (uint8_t)('0' + h->status / 10 % 10);
	line[11] = (uint8_t)('0' + h->status % 10);
	if (buf_add(out, bytes_of(line, sizeof line - 1)) != 0 ||
	    buf_add(out, h->reason) != 0 || buf_add_str(out, "\r\n") != 0 ||
	    write_fields(out, h, framing) != 0 ||
	    (close && buf_add_str(out, "Connection: close\r\n") != 0))
		return -1;
	return buf_add_str(out, "\r\n");
}

bool
http_is_plain(struct bytes name)
{
	return find_role(name) == HTTP_PLAIN;
}

bool
http_is_idempotent(struct bytes method)
{
	static const char *const names[] = {
		"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE",
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (is_str(method, names[i]))
			return true;
	return false;
}
