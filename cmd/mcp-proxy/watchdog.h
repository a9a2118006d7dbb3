/* SPDX-License-Identifier: ISC */
/* A deadline that is moved far more often than it passes: moving it costs no
 * operation on the loop's timers unless it comes nearer. */
#ifndef ADIT_MCP_PROXY_WATCHDOG_H
#define ADIT_MCP_PROXY_WATCHDOG_H

#include <ev.h>
#include <stdint.h>

struct watchdog {
	ev_timer timer;
	int64_t due_ms;   /* of clock_ms, 0: none */
	int64_t fires_ms; /* when timer does, 0: it is not running */
	void (*expired)(void *user);
	void *user;
};

void watchdog_init(struct watchdog *w, void (*expired)(void *user),
    void *user);

/* Calls expired once, in after_ms; 0: never. */
void watchdog_set(struct ev_loop *ev, struct watchdog *w, int64_t after_ms);
void watchdog_stop(struct ev_loop *ev, struct watchdog *w);

#endif
