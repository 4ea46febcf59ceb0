/* The HTTP server for /metrics, /healthz and /readyz, on libevent's evhttp, and the client that asks it.
 *
 * /healthz tells that the loop turns: that it answers at all is the proof. A sink that is down does not make
 * the process unhealthy, for a restart would not help; it makes it not ready: /readyz is 200 while source and
 * sink are open, all that is to be followed can be read, the sink has acknowledged something within ten
 * seconds or has nothing to, and the checkpoint can be saved; else 503 and why. There is no authentication:
 * it is for loopback, or a network that is trusted. */
#ifndef SIDETAIL_MONITOR_H
#define SIDETAIL_MONITOR_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/error.h"

struct monitor;

/* `listen` is "address:port" ("[::1]:9464" and ":9464", every address, too; port 0 is any free one). NULL on
 * error. */
struct monitor *monitor_open(struct event_base *base, const char *listen, struct error *err);
void monitor_close(struct monitor *m); /* NULL is fine */

/* The port that it listens on. */
unsigned monitor_port(const struct monitor *m);

/* What /readyz answers; not ready until told so. `why` is copied. With m NULL nothing happens. */
void monitor_set_ready(struct monitor *m, bool ready, const char *why);

/* Asks the collector that listens there (an address for all is asked on loopback), waiting two seconds at
 * most. Not from inside a loop. 0: it answered 200; -1 and why not. */
int monitor_ask(const char *listen, const char *path, struct error *err);

#endif
