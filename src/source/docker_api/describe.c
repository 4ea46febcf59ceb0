#include "describe.h"

#include "base/clock.h"
#include "source/left_out.h"

/* A stream may have to be opened again without anything being wrong; not several times in a row. */
#define BROKEN_BACKOFF (500 * NS_PER_MS)

static const char *problem_of(const struct api_feed *f)
{
    bool broken = f->state == API_WAITING && f->backoff > BROKEN_BACKOFF;
    return queue_held(&f->env->queue, HOLD_NO_ENGINE) ? "the Engine does not answer"
           : broken                                   ? "its stream broke, and is to be opened again"
           : f->silence.hanging                       ? "its stream hangs"
                                                      : NULL;
}

bool api_describe(void *feed, struct status_log *log)
{
    const struct api_feed *f = feed;
    int64_t newest = cursor_newest(&f->intake.cursor);
    log->driver = f->container ? f->container->driver : NULL;
    const char *problem = problem_of(f);
    log->problem = problem ? problem : log->problem;
    log->last_ns = newest;
    if (newest > 0) {
        log->position = STATUS_TIME;
        log->time_ns = newest;
    }
    return f->state != API_UNREADABLE;
}

void api_note_unreadable(const struct api_feed *f)
{
    if (f->container) {
        note_driver(&f->container->left_out, f->intake.tags, f->container->driver, true);
    }
}
