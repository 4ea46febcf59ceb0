#include "base/paced.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"

#define QUIET_ROUNDS 4 /* so many turns with nothing, and it is not busy */

/* Sets the timer going at that pace; 0: stops it. */
static bool set_timer(const struct paced *p, int64_t ns)
{
    const struct timespec each = {.tv_nsec = ns};
    return timerfd_settime(p->timer, 0, &(struct itimerspec){each, each}, NULL) == 0;
}

static bool is_busy(struct paced *p)
{
    int64_t now = clock_monotonic(), oldest = p->told_ns[p->told];
    p->told_ns[p->told] = now;
    p->told = (p->told + 1) % PACED_ROUNDS;
    return oldest > 0 && now - oldest < PACED_ROUNDS * p->pace;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct paced *p = arg;
    if (p->take(p->arg) && is_busy(p) && p->turn && set_timer(p, p->pace)) {
        event_del(p->readable);
        p->quiet = 0;
    }
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct paced *p = arg;
    uint64_t turns;
    if (read(fd, &turns, sizeof(turns)) < 0) {
        return;
    }
    p->quiet = p->take(p->arg) ? 0 : p->quiet + 1;
    if (p->quiet >= QUIET_ROUNDS && event_add(p->readable, NULL) == 0) { /* else it goes on by turns */
        set_timer(p, 0);
    }
}

/* Without a timer it does without. */
static void prepare_turns(struct paced *p, struct event_base *base)
{
    p->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (p->timer < 0) {
        return;
    }
    p->turn = event_new(base, p->timer, EV_READ | EV_PERSIST, on_turn, p);
    if (!p->turn || event_add(p->turn, NULL) < 0) {
        loop_free_event(p->turn);
        p->turn = NULL;
        close(p->timer);
    }
}

int paced_start(struct paced *p, struct event_base *base, int fd, int64_t pace, paced_fn *take, void *arg)
{
    *p = (struct paced){.pace = pace, .take = take, .arg = arg};
    p->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, p);
    if (!p->readable || event_add(p->readable, NULL) < 0) {
        loop_free_event(p->readable);
        p->readable = NULL;
        return -1;
    }
    prepare_turns(p, base);
    return 0;
}

void paced_set(struct paced *p, int64_t pace)
{
    p->pace = pace;
}

void paced_stop(struct paced *p)
{
    loop_free_event(p->readable);
    if (p->turn) {
        event_free(p->turn);
        close(p->timer);
    }
    *p = (struct paced){0};
}
