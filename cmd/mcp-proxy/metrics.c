/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/metrics.h"

#include "common/clock.h"

static int
format_metrics(const void *user, struct buf *out)
{
	const struct server *s = user;
	const struct counts *c = &s->proxy.counts;

	if (promfile_add(out, "mcp_proxy", (struct promfile_metric[]){
		{"connections", "Connections of agents.",
		    s->proxy.downstream_count},
		{"connections_total", "Connections that agents made.",
		    c->connections},
		{"processes", "Processes of stdio upstreams.",
		    s->proxy.process_count},
		{"requests_total", "Requests that have ended.", c->requests},
		{"request_failures_total", "Those that failed, and not because "
		    "of the agent.", c->failures},
		{"denials_total", "Messages that a policy denied.",
		    c->denials},
		{"request_bytes_total", "Bytes of the bodies of requests.",
		    c->bytes_in},
		{"response_bytes_total", "Bytes of the bodies of responses.",
		    c->bytes_out},
		{"start_timestamp_seconds", "When it began.",
		    (uint64_t)s->started_s},
	    }, 9) != 0 || promfile_add_head(out, "mcp_proxy",
	    "request_seconds_total", "Time that requests took.") != 0)
		return -1;
	return buf_format(out, "mcp_proxy_request_seconds_total %lld.%03lld\n",
	    (long long)(c->request_ms / 1000),
	    (long long)(c->request_ms % 1000));
}

int
metrics_start(struct server *s, const char *path, struct error *e)
{
	const struct promfile_settings settings = {.path = path,
		.format = format_metrics, .user = s};

	s->started_s = clock_wall_s();
	return promfile_start(&s->promfile, s->proxy.ev, &settings, e) == 0 ? 0
	    : error_prefix(e, "--metrics");
}
