/* The HTTP server of a page for people (/), /status, /metrics, /healthz and /readyz, on libevent's evhttp.
 *
 * /healthz answers 200 as long as the loop turns: that it answers is the proof. A sink that is down does not
 * make the process unhealthy, since a restart would not help. It makes it not ready: /readyz is 200 while
 * source and sink are open, everything to be followed can be read, the sink has acknowledged something within
 * ten seconds or has nothing to acknowledge, and the checkpoint can be saved; else it is 503 and says why.
 * /status tells as JSON how source and sink do, each log that is followed, and what is left out and why; it is written in
 * pieces, between which the loop turns. deploy/README.md describes it.
 * / is a page that shows what /status tells, in a browser.
 * There is no authentication: the server is meant for loopback or a trusted network. What a web page of others could have a
 * browser send, under a name of its own, is answered with 421: on loopback all of it, else / and /status. */
#ifndef SIDETAIL_MONITOR_SERVER_H
#define SIDETAIL_MONITOR_SERVER_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/error.h"

struct monitor;

/* `listen` is "address:port", as in "[::1]:9464"; ":9464" is every address, and port 0 any free one. NULL on
 * error. */
struct monitor *monitor_open(struct event_base *base, const char *listen, struct error *err);
void monitor_close(struct monitor *m); /* NULL is fine */

/* The port that it listens on. */
unsigned monitor_port(const struct monitor *m);

/* Sets what /readyz answers; until then it is "not ready". `why` is copied. With m NULL nothing happens. */
void monitor_set_ready(struct monitor *m, bool ready, const char *why);

#endif
