/* Asks the monitor of a running collector, for `sidetail health` and `sidetail status`. */
#ifndef SIDETAIL_MONITOR_CLIENT_H
#define SIDETAIL_MONITOR_CLIENT_H

#include "base/buf.h"
#include "base/error.h"

/* GET of a path from the collector whose metrics.listen is `listen`; where that is every address, from
 * loopback. Waits two seconds at most, on a loop of its own. 0: it answered 200. -1: it did not, err says
 * why. */
int monitor_get(const char *listen, const char *path, struct error *err);

/* Likewise, and appends what it answered; that may take ten seconds. */
int monitor_fetch(const char *listen, const char *path, struct buf *body, struct error *err);

#endif
