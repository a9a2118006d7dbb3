/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/reply.h"

#include <http_parser.h>
#include <stdio.h>

#include "common/jsonw.h"

enum { BODY_MAX = 2048 };

void
failure_set(struct failure *ret, int status, enum frame_code code,
    enum frame_blame blame, const char *format, ...)
{
	va_list ap;

	ret->status = status;
	ret->code = (uint16_t)code;
	ret->blame = (uint8_t)blame;
	ret->challenge[0] = '\0';
	va_start(ap, format);
	vsnprintf(ret->text, sizeof ret->text, format, ap);
	va_end(ap);
}

static bool
write_body(struct buf *out, const struct failure *why, const char *trace)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_open(&w, '{');
	jsonw_key(&w, "error");
	jsonw_open(&w, '{');
	jsonw_key_str(&w, "code", frame_code_name(why->code));
	jsonw_key_str(&w, "blame", frame_blame_name(why->blame));
	jsonw_key(&w, "message");
	jsonw_bytes(&w, bytes_cstr(why->text));
	jsonw_key_str(&w, "trace", trace);
	jsonw_close(&w, '}');
	jsonw_close(&w, '}');
	return jsonw_ok(&w) && buf_add_str(out, "\n") == 0;
}

int
reply_write(struct buf *out, const struct failure *why, const char *trace,
    bool to_head, bool close)
{
	struct buf body;
	int r = -1;

	buf_init(&body, BODY_MAX);
	if (!write_body(&body, why, trace))
		goto out;
	if (buf_format(out, "HTTP/1.1 %d %s\r\n"
	    "Content-Type: application/json\r\n"
	    "Content-Length: %zu\r\n"
	    "Cache-Control: no-store\r\n"
	    "Adit-Error: %s; blame=%s\r\n",
	    why->status, http_status_str((enum http_status)why->status),
	    buf_len(&body), frame_code_name(why->code),
	    frame_blame_name(why->blame)) != 0 ||
	    (why->challenge[0] != '\0' && buf_format(out,
	    "WWW-Authenticate: %s\r\n", why->challenge) != 0) ||
	    buf_add_str(out, close ? "Connection: close\r\n\r\n"
	    : "\r\n") != 0)
		goto out;
	r = to_head ? 0 : buf_add(out, buf_bytes(&body));
out:
	buf_reset(&body);
	return r;
}
