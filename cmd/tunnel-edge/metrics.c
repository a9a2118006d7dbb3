/* SPDX-License-Identifier: ISC */
#include "cmd/tunnel-edge/metrics.h"

#include "cmd/tunnel-edge/link.h"
#include "common/clock.h"

static int
format_metrics(const void *user, struct buf *out)
{
	const struct edge *e = user;
	uint64_t up = 0, in = e->counts.bytes_in, sent = e->counts.bytes_out;

	for (const struct link *l = e->links; l != NULL; l = l->next) {
		up += l->state == LINK_UP || l->state == LINK_DRAINING;
		if (l->state == LINK_HANDSHAKE)
			continue; /* it has no hop yet */
		in += l->hop.chan.bytes_in;
		sent += l->hop.chan.bytes_out;
	}
	return promfile_add(out, "tunnel_edge", (struct promfile_metric[]){
		{"links", "Links that are up.", up},
		{"links_total", "Links that came up.", e->counts.links},
		{"links_refused_total", "Links that were refused.",
		    e->counts.links_refused},
		{"streams", "Agents that have a stream.", e->agent_count},
		{"streams_total", "Agents that got a stream.",
		    e->counts.agents},
		{"agents_refused_total", "Agents that were refused.",
		    e->counts.agents_refused},
		{"agent_bytes_total", "Bytes of agents, to connectors.", sent},
		{"connector_bytes_total", "Bytes of connectors, to agents.",
		    in},
		{"start_timestamp_seconds", "When it began.",
		    (uint64_t)e->started_s},
	}, 9);
}

int
metrics_start(struct edge *e, struct error *error)
{
	const struct promfile_settings s = {.path = e->settings->metrics,
		.format = format_metrics, .user = e};

	e->started_s = clock_wall_s();
	return promfile_start(&e->promfile, e->ev, &s, error) == 0 ? 0
	    : error_prefix(error, "--metrics");
}
