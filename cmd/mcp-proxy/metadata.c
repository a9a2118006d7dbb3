/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/metadata.h"

#include "common/jsonw.h"
#include "common/str.h"

/* RFC 9728 section 3.1: the path of a resource comes behind it. */
static const char well_known[] = "/.well-known/oauth-protected-resource";

/* Host, with the port if there is one: letters, digits and -._:[] only. */
static struct bytes
authority_of(const struct http_head *h)
{
	for (size_t i = 0; i < h->field_count; i++) {
		if (h->fields[i].role == HTTP_HOST)
			return h->fields[i].value;
	}
	return h->host;
}

static struct bytes
path_of(const struct http_head *h)
{
	const uint8_t *query = h->target.len == 0 ? NULL
	    : memchr(h->target.ptr, '?', h->target.len);

	return query == NULL ? h->target
	    : bytes_of(h->target.ptr, (size_t)(query - h->target.ptr));
}

/* The path behind the well-known one; ptr NULL if it is another. */
static struct bytes
resource_path(const struct http_head *h)
{
	const struct bytes known = bytes_cstr(well_known);
	struct bytes path = path_of(h);

	if (path.len < known.len || !bytes_eq(bytes_of(path.ptr, known.len),
	    known) || (path.len > known.len && path.ptr[known.len] != '/'))
		return bytes_of(NULL, 0);
	return bytes_after(path, known.len);
}

bool
metadata_is_asked(const struct config_route *r, const struct http_head *h)
{
	return r->agents != NULL && r->agents->issuer != NULL &&
	    (bytes_eq(h->method, bytes_cstr("GET")) ||
	    bytes_eq(h->method, bytes_cstr("HEAD"))) &&
	    resource_path(h).ptr != NULL;
}

static int
write_resource(struct jsonw *w, const struct http_head *h)
{
	struct buf text;
	int r = -1;

	buf_init(&text, METADATA_MAX);
	if (buf_add_str(&text, "https://") == 0 &&
	    buf_add(&text, authority_of(h)) == 0 &&
	    buf_add(&text, resource_path(h)) == 0) {
		jsonw_key(w, "resource");
		jsonw_bytes(w, buf_bytes(&text));
		r = 0;
	}
	buf_reset(&text);
	return r;
}

static void
write_list(struct jsonw *w, const char *key, const char *only)
{
	jsonw_key(w, key);
	jsonw_open(w, '[');
	jsonw_str(w, only);
	jsonw_close(w, ']');
}

int
metadata_write(struct buf *out, const struct config_route *r,
    const struct http_head *h)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_open(&w, '{');
	if (write_resource(&w, h) != 0)
		return -1;
	write_list(&w, "authorization_servers", r->agents->issuer);
	if (r->agents->scope != NULL)
		write_list(&w, "scopes_supported", r->agents->scope);
	write_list(&w, "bearer_methods_supported", "header");
	jsonw_close(&w, '}');
	return jsonw_ok(&w) ? 0 : -1;
}

/* Whether it can stand between quotes. */
static bool
is_quotable(struct bytes path)
{
	for (size_t i = 0; i < path.len; i++) {
		if (path.ptr[i] == '"' || path.ptr[i] == '\\')
			return false;
	}
	return path.len > 1;
}

int
metadata_url(char *out, size_t cap, const struct http_head *h)
{
	struct bytes host = authority_of(h), path = path_of(h);

	if (is_quotable(path) && str_format(out, cap, "https://%.*s%s%.*s",
	    (int)host.len, (const char *)host.ptr, well_known, (int)path.len,
	    (const char *)path.ptr) == 0)
		return 0;
	return str_format(out, cap, "https://%.*s%s", (int)host.len,
	    (const char *)host.ptr, well_known);
}
