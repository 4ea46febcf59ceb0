#include "lifecycle.h"

#include <stdio.h>

#include "base/clock.h"
#include "discover/log_driver.h"

void lifecycle_show(struct lifecycle *l, struct tail_feed *feed)
{
    if (l->stopped) {
        char text[64] = "stopped";
        if (l->exit_code >= 0) {
            snprintf(text, sizeof(text), "stopped (exit %d)", l->exit_code);
        }
        tail_feed_notice(feed, l->exit_code > 0 ? TAIL_NOTICE_BAD : TAIL_NOTICE, clock_now(), text);
    }
    if (l->started) {
        tail_feed_notice(feed, TAIL_NOTICE_GOOD, clock_now(), "started");
    }
    l->stopped = l->started = false;
}

void lifecycle_stopped(struct lifecycle *l, struct tail_feed *feed, int exit_code, int64_t stopped_ns)
{
    if (l->started) {
        lifecycle_show(l, feed); /* of the run before */
    }
    l->stopped = true;
    l->told = false;
    l->exit_code = exit_code;
    l->stopped_ns = stopped_ns;
    l->between_ns = INT64_MAX;
}

void lifecycle_stopped_between(struct lifecycle *l, struct tail_feed *feed, int exit_code, int64_t between_ns)
{
    lifecycle_stopped(l, feed, exit_code, between_ns);
    l->between_ns = between_ns;
}

void lifecycle_started(struct lifecycle *l, struct tail_feed *feed)
{
    if (l->told) {
        l->told = false;
        return;
    }
    l->started = true;
    if (!l->stopped) {
        lifecycle_show(l, feed);
    }
}

bool lifecycle_before_line(struct lifecycle *l, struct tail_feed *feed, int64_t time_ns)
{
    if (l->stopped && !l->started && time_ns > l->between_ns) {
        l->started = l->told = true;
    }
    if (!l->started || time_ns <= l->stopped_ns) {
        return false;
    }
    lifecycle_show(l, feed);
    return true;
}

void lifecycle_not_running(const struct tail_env *env, struct tail_feed *feed)
{
    if (env->follow && env->options->names.count > 0) {
        tail_feed_notice(feed, TAIL_NOTICE, clock_now(), "not running: waiting for it to start");
    }
}

void lifecycle_keeps_nothing(struct tail_feed *feed, const char *driver)
{
    char text[160];
    snprintf(text, sizeof(text),
             "cannot be shown: nobody can read its log, since its driver %s keeps nothing; run it "
             "with " LOG_DRIVERS_READABLE,
             driver);
    tail_feed_notice(feed, TAIL_NOTICE_BAD, clock_now(), text);
}
