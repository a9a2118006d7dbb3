/* SPDX-License-Identifier: ISC */
#include "cmd/tunnel-up/relay.h"

#include <errno.h>
#include <stdlib.h>

#include "common/diag.h"
#include "common/json.h"
#include "common/str.h"

enum { TRACE_CAP = 33, SHOWN_MAX = 280 };

struct side {
	struct chan *chan;
	struct chan_stream *stream; /* NULL once it is closed */
};

struct relay {
	struct side link, local;
	uint64_t bytes_in, bytes_out; /* from and to the edge */
	const char *edge;
	uint32_t id;           /* of the link's stream */
	char trace[TRACE_CAP]; /* only filled when it is logged */
};

static struct side *
own_side(struct relay *r, const struct chan_stream *s)
{
	return r->link.stream == s ? &r->link : &r->local;
}

static struct side *
other_side(struct relay *r, const struct chan_stream *s)
{
	return r->link.stream == s ? &r->local : &r->link;
}

/* ---- for the log ---- */

static const char *
get_shown(jv open, const char *key, char out[static SHOWN_MAX])
{
	char text[SHOWN_MAX / 4];
	struct error ignored;

	if (json_get_str(open, key, text, sizeof text, &ignored) != 1)
		return "-";
	diag_quote(out, SHOWN_MAX, bytes_cstr(text));
	/* Plain values go without their quotes. */
	if (strpbrk(out + 1, "\\ ") == NULL) {
		out[strlen(out) - 1] = '\0';
		return out + 1;
	}
	return out;
}

static void
log_open(struct relay *r, struct bytes json)
{
	char trace[SHOWN_MAX], sni[SHOWN_MAX], peer[SHOWN_MAX];
	struct error e;
	jv open;

	if (!diag_shows(DIAG_INFO) || json_parse_object(json, &open, &e) != 0)
		return;
	str_format(r->trace, sizeof r->trace, "%s",
	    get_shown(open, "trace", trace));
	diag_info("stream open: edge=%s stream=%u trace=%s sni=%s peer=%s",
	    r->edge, r->id, r->trace, get_shown(open, "sni", sni),
	    get_shown(open, "peer", peer));
	jv_free(open);
}

static void
log_closed(const struct relay *r, const struct frame_reason *why)
{
	if (!diag_shows(DIAG_INFO))
		return;
	diag_info("stream closed: edge=%s stream=%u trace=%s bytes_in=%llu "
	    "bytes_out=%llu end=%s%s%s", r->edge, r->id,
	    r->trace[0] == '\0' ? "-" : r->trace,
	    (unsigned long long)r->bytes_in,
	    (unsigned long long)r->bytes_out,
	    why == NULL ? "clean" : frame_code_name(why->code),
	    why == NULL ? "" : "/",
	    why == NULL ? "" : frame_blame_name(why->blame));
}

/* ---- the stream ---- */

static void
refuse(struct relay *r, const struct frame_reason *why, const char *text)
{
	log_closed(r, why);
	chan_reset(r->link.chan, r->link.stream, (enum frame_code)why->code,
	    (enum frame_blame)why->blame, text);
	free(r);
}

static void
refuse_errno(struct relay *r, int code)
{
	static const struct {
		int code;
		struct frame_reason why;
		const char *text;
	} known[] = {
		{ENOTCONN, {.code = FRAME_UNREACHABLE, .blame = BLAME_PROXY},
		    "the proxy is not there"},
		{ESHUTDOWN, {.code = FRAME_DRAINING, .blame = BLAME_PROXY},
		    "the proxy is going away"},
		{EDQUOT, {.code = FRAME_LIMIT, .blame = BLAME_CONNECTOR},
		    "the rest is for other edges"},
		{EMFILE, {.code = FRAME_LIMIT, .blame = BLAME_PROXY},
		    "the proxy has too many streams"},
		{ENOBUFS, {.code = FRAME_LIMIT, .blame = BLAME_PROXY},
		    "the proxy does not keep up"},
	};
	static const struct frame_reason internal = {
		.code = FRAME_INTERNAL, .blame = BLAME_CONNECTOR};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (known[i].code == code) {
			refuse(r, &known[i].why, known[i].text);
			return;
		}
	}
	refuse(r, &internal, strerror(code));
}

void
relay_open(struct chan *link, struct chan_stream *s, struct bytes json,
    struct chan *local, const char *edge, bool admitted)
{
	struct relay *r = calloc(1, sizeof *r);

	if (r == NULL) {
		chan_reset(link, s, FRAME_INTERNAL, BLAME_CONNECTOR,
		    "out of memory");
		return;
	}
	r->link = (struct side){link, s};
	r->local.chan = local;
	r->edge = edge;
	r->id = s->id;
	log_open(r, json);
	errno = local == NULL ? ENOTCONN : EDQUOT;
	if (local != NULL && admitted)
		r->local.stream = chan_open(local, json, r);
	if (r->local.stream == NULL)
		refuse_errno(r, errno);
	else
		s->user = r;
}

size_t
relay_data(void *user, struct chan_stream *s, uint16_t channel,
    struct bytes in)
{
	struct relay *r = s->user;
	struct side *to = other_side(r, s);
	size_t n;

	(void)user;
	if (to->stream == NULL)
		return in.len;
	n = chan_send(to->chan, to->stream, channel, in);
	if (to == &r->local)
		r->bytes_in += n;
	else
		r->bytes_out += n;
	return n;
}

/* Ending one side may close both and free the relay. */
void
relay_end(void *user, struct chan_stream *s)
{
	struct side *to = other_side(s->user, s);

	(void)user;
	if (to->stream != NULL)
		chan_end(to->chan, to->stream);
}

/* Ends a stream, and its partner, whose EVENTs nobody takes: an edge may not
 * make the hop end that other links share. */
static void
cut_off(struct chan_stream *s)
{
	static const struct frame_reason why = {.code = FRAME_LIMIT,
	    .blame = BLAME_CONNECTOR,
	    .text = {(const uint8_t *)"too many EVENTs", 15}};
	struct side *own = own_side(s->user, s);

	chan_reset(own->chan, s, FRAME_LIMIT, BLAME_CONNECTOR,
	    "too many EVENTs");
	relay_closed(s, &why);
}

void
relay_event(void *user, struct chan_stream *s, struct bytes json)
{
	struct side *to;

	(void)user;
	if (s == NULL)
		return;
	to = other_side(s->user, s);
	if (to->stream == NULL)
		return;
	if (to->chan->out.len > CHAN_BUSY)
		cut_off(s);
	else if (chan_send_event(to->chan, to->stream, json) != 0)
		diag_debug("stream %u: an EVENT of %zu bytes is above the "
		    "peer's limit and dropped", s->id, json.len);
}

/* Resuming may close both sides and free the relay. */
void
relay_writable(void *user, struct chan_stream *s)
{
	struct side *from = other_side(s->user, s);

	(void)user;
	if (from->stream != NULL)
		chan_resume(from->chan, from->stream);
}

void
relay_closed(struct chan_stream *s, const struct frame_reason *why)
{
	struct relay *r = s->user;
	struct side *other;
	char text[FRAME_TEXT_MAX + 1];

	if (r == NULL)
		return;
	other = other_side(r, s);
	own_side(r, s)->stream = NULL;
	if (other->stream != NULL && why != NULL) {
		str_from_bytes(text, sizeof text, why->text);
		chan_reset(other->chan, other->stream,
		    (enum frame_code)why->code, (enum frame_blame)why->blame,
		    text);
		other->stream = NULL;
	}
	if (other->stream == NULL) {
		log_closed(r, why);
		free(r);
	}
}
