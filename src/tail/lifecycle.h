/* Shows when a container stops and is started again. Both are noticed while lines of before are still being
 * read, so they are kept until those are shown. */
#ifndef SIDETAIL_TAIL_LIFECYCLE_H
#define SIDETAIL_TAIL_LIFECYCLE_H

#include "source.h"

/* What is not shown yet. Zero-initialised: nothing. */
struct lifecycle {
    bool stopped;
    bool started;       /* again, after that */
    bool told;          /* the start that is noticed next is shown already */
    int exit_code;      /* of the run that ended; -1: unknown */
    int64_t stopped_ns; /* when it ended; INT64_MAX: unknown */
    int64_t between_ns; /* no line of that run is newer, none of the next one older; INT64_MAX: unknown */
};

/* The container stopped: shown by lifecycle_show, once all that it had written is put. */
void lifecycle_stopped(struct lifecycle *l, struct tail_feed *feed, int exit_code, int64_t stopped_ns);
/* The same, where that time is known to lie between the lines of both runs: then a line of the next run tells
 * of its start, even before that is noticed. */
void lifecycle_stopped_between(struct lifecycle *l, struct tail_feed *feed, int exit_code,
                               int64_t between_ns);
/* It was started: shown at once, or after its stop. */
void lifecycle_started(struct lifecycle *l, struct tail_feed *feed);
/* A line of that time is about to be put: where it is of the new run, that run's start is shown first. Was
 * it? */
bool lifecycle_before_line(struct lifecycle *l, struct tail_feed *feed, int64_t time_ns);
/* Shows what is not shown yet. */
void lifecycle_show(struct lifecycle *l, struct tail_feed *feed);

/* A container does not run, and all that it wrote is put. Shown where it was asked for by name, as nothing
 * else may come of it. */
void lifecycle_not_running(const struct tail_env *env, struct tail_feed *feed);

/* Nobody can read what it writes: its driver keeps nothing. */
void lifecycle_keeps_nothing(struct tail_feed *feed, const char *driver);

#endif
