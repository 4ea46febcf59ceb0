/* Asks the monitor of a running collector, for `sidetail health` and `sidetail status`. */
#ifndef SIDETAIL_MONITOR_CLIENT_H
#define SIDETAIL_MONITOR_CLIENT_H

#include <event2/event.h>

#include "base/buf.h"
#include "base/error.h"

/* GET of a path from the collector whose metrics.listen is `listen`; where that is every address, from
 * loopback. Waits two seconds at most, on a loop of its own. 0: it answered 200. -1: it did not, err says
 * why. */
int monitor_get(const char *listen, const char *path, struct error *err);

/* Likewise, and appends what it answered; that may take ten seconds. */
int monitor_fetch(const char *listen, const char *path, struct buf *body, struct error *err);

/* How a question ends. `body`: what was answered with 200, which the callee may take out of it; NULL: nothing was, and err says
 * why. The question is to be forgotten later. */
struct monitor_calls {
    void (*done)(void *arg, struct buf *body, const struct error *err);
    void *arg;
};

struct monitor_question;
/* Asks from a loop; `done` comes from it, once, within `patience_s` seconds. NULL: err says why. */
struct monitor_question *monitor_ask(struct event_base *base, const char *listen, const char *path,
                                     int patience_s, struct monitor_calls calls, struct error *err);
/* Gives it up, if need be; not from inside `done`. NULL is fine. */
void monitor_forget(struct monitor_question *question);

#endif
