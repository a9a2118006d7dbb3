/* SPDX-License-Identifier: ISC */
/* The whole: the links, the local side, readiness, draining, the end. */
#ifndef TUNNEL_UP_CONNECTOR_H
#define TUNNEL_UP_CONNECTOR_H

#include "cmd/tunnel-up/slot.h"

struct connector_settings {
	const struct settings *settings;
	struct credentials *credentials;
	const struct proxy *proxy;
	const char *const *drop_env; /* variables that the child must not see */
};

/* Keeps the tunnel up until a signal, or until nothing is left to be done.
 * Returns the exit status; what went wrong was printed. */
int connector_run(const struct connector_settings *settings);

/* Tries each edge once and prints a line of JSON for each.  Returns the exit
 * status. */
int connector_check(const struct connector_settings *settings);

/* Prepares the slots of all edges.  Returns them, or NULL with a text; the
 * caller calls slot_done for each and free. */
struct slot *connector_new_slots(const struct slot_settings *settings,
    struct error *e);

#endif
