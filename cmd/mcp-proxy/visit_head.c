/* SPDX-License-Identifier: ISC */
/* What the head of a request says of it. */
#include "cmd/mcp-proxy/visit.h"
#include "common/field.h"

void
visit_refuse_head(struct visit *v, int status, const char *text)
{
	if (v->refusal == 0) {
		v->refusal = status;
		v->refusal_text = text;
	}
}

/* A media type without its parameters. */
static struct bytes
media_type(struct bytes in)
{
	const uint8_t *end = in.len == 0 ? NULL
	    : memchr(in.ptr, ';', in.len);

	if (end != NULL)
		in.len = (size_t)(end - in.ptr);
	while (in.len != 0 && (in.ptr[in.len - 1] == ' ' ||
	    in.ptr[in.len - 1] == '\t'))
		in.len--;
	return in;
}

static void
take_accept(struct visit *v, struct bytes list)
{
	struct bytes one;

	while (field_next_element(&list, &one)) {
		one = media_type(one);
		if (field_eq_str(one, "*/*")) {
			v->takes_json = v->takes_sse = true;
		} else if (field_eq_str(one, "application/json") ||
		    field_eq_str(one, "application/*")) {
			v->takes_json = true;
		} else if (field_eq_str(one, "text/event-stream") ||
		    field_eq_str(one, "text/*")) {
			v->takes_sse = true;
		}
	}
}

/* An agent's page must be of the host that it asks. */
static bool
is_own_origin(struct bytes origin, struct bytes host)
{
	struct bytes secure = bytes_cstr("https://");
	struct bytes plain = bytes_cstr("http://");

	if (origin.len > secure.len &&
	    field_eq(bytes_of(origin.ptr, secure.len), secure))
		origin = bytes_after(origin, secure.len);
	else if (origin.len > plain.len &&
	    field_eq(bytes_of(origin.ptr, plain.len), plain))
		origin = bytes_after(origin, plain.len);
	else
		return false;
	if (origin.len < host.len ||
	    !field_eq(bytes_of(origin.ptr, host.len), host))
		return false;
	origin = bytes_after(origin, host.len);
	return origin.len == 0 || origin.ptr[0] == ':';
}

static void
take_session_id(struct visit *v, struct bytes value)
{
	if (v->session_id[0] != '\0')
		visit_refuse_head(v, 400, "Mcp-Session-Id: more than one");
	if (str_from_bytes(v->session_id, sizeof v->session_id, value) != 0 ||
	    value.len == 0)
		str_format(v->session_id, sizeof v->session_id, "?");
}

/* Takes a header that the body must agree with.  Returns false if it is none. */
static bool
take_mirror(struct visit *v, const struct http_field *f)
{
	struct error e;
	int r = mirror_take(&v->mirror, f->name, f->value, &e);

	if (r < 0)
		visit_refuse_head(v, 400, "a header is given twice or too long");
	return r != 0;
}

struct seen {
	bool accept, type;
};

static void
take_field(struct visit *v, const struct http_field *f, struct bytes host,
    struct seen *seen)
{
	if (field_eq_str(f->name, "accept")) {
		seen->accept = true;
		take_accept(v, f->value);
	} else if (field_eq_str(f->name, "content-type")) {
		seen->type = !seen->type && field_eq_str(media_type(f->value),
		    "application/json");
	} else if (field_eq_str(f->name, "mcp-session-id")) {
		take_session_id(v, f->value);
	} else if (take_mirror(v, f)) {
		return;
	} else if (field_eq_str(f->name, "last-event-id")) {
		message_parse_event_id(f->value, &v->resume);
	} else if (field_eq_str(f->name, "origin") &&
	    !is_own_origin(f->value, host)) {
		visit_refuse_head(v, 403, "Origin: of another host");
	}
}

static bool
is_endpoint(const struct visit *v, struct bytes target)
{
	const uint8_t *query = target.len == 0 ? NULL
	    : memchr(target.ptr, '?', target.len);

	if (query != NULL)
		target.len = (size_t)(query - target.ptr);
	return bytes_eq(target, bytes_cstr(v->bridge->route->stdio->path));
}

void
visit_take_head(struct visit *v, const struct http_head *h)
{
	struct seen seen = {false, false};

	if (!is_endpoint(v, h->target))
		visit_refuse_head(v, 404, "no such path");
	if (bytes_eq(h->method, bytes_cstr("POST")))
		v->method = VISIT_POST;
	else if (bytes_eq(h->method, bytes_cstr("GET")))
		v->method = VISIT_GET;
	else if (bytes_eq(h->method, bytes_cstr("DELETE")))
		v->method = VISIT_DELETE;
	else
		visit_refuse_head(v, 405, "no such method");
	for (size_t i = 0; i < h->field_count; i++)
		take_field(v, &h->fields[i], h->host, &seen);
	if (!seen.accept)
		v->takes_json = v->takes_sse = true;
	if (v->method == VISIT_POST && !seen.type)
		visit_refuse_head(v, 415, "Content-Type: not application/json");
	if (v->method == VISIT_GET && !v->takes_sse)
		visit_refuse_head(v, 406, "Accept: not text/event-stream");
	if (v->method == VISIT_POST && !v->takes_json && !v->takes_sse)
		visit_refuse_head(v, 406, "Accept: neither application/json nor "
		    "text/event-stream");
}
