/* The event loop: libevent's, set up so that it stays one. */
#ifndef SIDETAIL_BASE_LOOP_H
#define SIDETAIL_BASE_LOOP_H

#include <event2/event.h>

/* A loop that looks at signals, sockets and timers at least each LOOP_TURN_NS, between two callbacks. libevent's own
 * default runs what is active until nothing is, and that includes what those callbacks make active: with
 * event_active() a long work that is done piece by piece would never let anything else come about. Its timers are
 * precise; by that default, one of 3 ms takes 6 where the kernel's clock ticks each 4. NULL: errno. */
struct event_base *loop_new(void);
#define LOOP_TURN_NS INT64_C(2000000)

/* Has a timer (evtimer_new) fire once, in so many nanoseconds; at once when they are fewer than 0. A time
 * that was set before no longer counts. */
void loop_arm_timer(struct event *timer, int64_t ns);

/* Of event_new; NULL: there is none. */
void loop_free_event(struct event *event);

/* Waits until something happens, and has one turn deal with it: the callbacks that are due, and what they have
 * done again by loop_again, which ends the turn once that went on for LOOP_TURN_NS. How long the turn kept the
 * processor goes into `loop_turns` (base/metrics.h). 0; 1: there is nothing to wait for; -1: libevent's error. */
int loop_turn(struct event_base *base);

/* Has the event's callback called again: in this turn while it is short, else in the next one, when all others had
 * theirs. For work that is done piece by piece. Where the loop does not go by loop_turn, that is event_active. */
void loop_again(struct event *event);

#endif
