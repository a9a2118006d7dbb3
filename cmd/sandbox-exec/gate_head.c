/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/gate_head.h"

#include <errno.h>

#include "common/field.h"

enum { BAD_REQUEST = 400 };

static int
reject(struct error *e, const char *text)
{
	e->code = BAD_REQUEST;
	return error_set(e, "%s", text);
}

bool
gate_head_begins(uint8_t first)
{
	return first >= 'A' && first <= 'Z';
}

/* The words of the request line.  head ends in an empty line. */
static struct bytes
word_at(struct bytes head, size_t at)
{
	size_t end = at;

	while (end < head.len && head.ptr[end] != ' ' &&
	    head.ptr[end] != '\r')
		end++;
	return bytes_of(head.ptr + at, end - at);
}

/* Splits host[:port]; IPv6 has brackets, which go. */
static int
split_authority(struct bytes in, uint16_t default_port, struct gate_head *ret,
    struct error *e)
{
	char text[SOCK_HOST_MAX + 8];
	struct error why;

	if (str_from_bytes(text, sizeof text, in) != 0 ||
	    sock_parse_hostport(text, default_port, ret->host, &ret->port,
	    &why) != 0 || ret->host[0] == '\0')
		return reject(e, "the host and port are not valid");
	return 0;
}

static int
parse_connect(struct bytes head, struct gate_head *ret, struct error *e)
{
	struct bytes target = word_at(head, 8);
	size_t at = 8 + target.len + 1;
	struct bytes version = at < head.len ? word_at(head, at) :
	    bytes_of(NULL, 0);

	if (!field_is_target(target) || (!field_eq_str(version, "HTTP/1.1") &&
	    !field_eq_str(version, "HTTP/1.0")))
		return reject(e, "CONNECT: not valid");
	return split_authority(target, 0, ret, e);
}

/* The authority is what Host says: http_parse_request has compared them. */
static struct http_field *
find_host(struct http_head *h)
{
	for (size_t i = 0; i < h->field_count; i++) {
		if (h->fields[i].role == HTTP_HOST)
			return &h->fields[i];
	}
	return NULL;
}

int
gate_head_parse(struct bytes head, struct gate_head *ret, struct error *e)
{
	struct bytes method = word_at(head, 0), target;
	const struct http_field *host;

	memset(ret, 0, sizeof *ret);
	e->code = BAD_REQUEST;
	if (method.len + 1 >= head.len)
		return reject(e, "request line: not valid");
	if (field_eq_str(method, "CONNECT")) {
		ret->form = FORM_CONNECT;
		return parse_connect(head, ret, e);
	}
	target = word_at(head, method.len + 1);
	ret->form = target.len != 0 && (target.ptr[0] == '/' ||
	    target.ptr[0] == '*') ? FORM_ORIGIN : FORM_ABSOLUTE;
	if (target.len >= 8 && field_eq_str(bytes_of(target.ptr, 8),
	    "https://"))
		return reject(e, "an https URL needs CONNECT");
	if (http_parse_request(head, &ret->http, &ret->body, e) != 0)
		return -1;
	host = find_host(&ret->http);
	if (host == NULL)
		return reject(e, "Host: missing");
	return split_authority(host->value, GATE_HTTP_PORT, ret, e);
}

int
gate_head_write(struct buf *out, struct gate_head *h, const char *authority)
{
	struct http_field *host = find_host(&h->http);
	size_t n = h->http.field_count, start = buf_len(out);
	uint8_t *end;

	if (host == NULL) {
		errno = EINVAL;
		return -1;
	}
	host->value = bytes_cstr(authority);
	for (size_t i = 0; i < n; i++) {
		struct http_field *f = &h->http.fields[i];

		if (field_eq_str(f->name, "proxy-authorization"))
			f->role = HTTP_HOP;
	}
	if (http_write_request(out, &h->http) != 0)
		return -1;
	/* A client of HTTP/1.0 would not understand chunks. */
	end = memchr(out->mem + out->head + start, '\r', buf_len(out) - start);
	if (h->http.minor == 0 && end != NULL)
		end[-1] = '0';
	/* Before the empty line that http_write_request ends with. */
	out->tail -= 2;
	return buf_add_str(out, "Connection: close\r\n\r\n");
}

int
gate_head_refuse(struct buf *out, int status, const char *sentence)
{
	return buf_format(out, "HTTP/1.1 %d %s\r\n"
	    "Content-Type: text/plain\r\n"
	    "Content-Length: %zu\r\n"
	    "Connection: close\r\n\r\n%s\n", status, sentence,
	    strlen(sentence) + 1, sentence);
}
