#include "pace.h"

#include "base/loop.h"

int kafka_pace_init(struct kafka_pace *p, const struct kafka_settings *settings, struct event_base *base,
                    event_callback_fn due, void *arg)
{
    *p = (struct kafka_pace){
        .age = settings->commit_age, .pause = settings->commit_pause, .timer = evtimer_new(base, due, arg)};
    return p->timer ? 0 : -1;
}

void kafka_pace_free(struct kafka_pace *p)
{
    loop_free_event(p->timer);
}

int64_t kafka_pace_longest(const struct kafka_pace *p)
{
    return p->pause > p->age ? p->pause : p->age;
}

int64_t kafka_pace_due(const struct kafka_pace *p, size_t bytes)
{
    int64_t due = p->written_ns + p->age, earliest = p->committed_ns + p->pause;
    return bytes < KAFKA_LITTLE && p->committed_ns > 0 && earliest > due ? earliest : due;
}

int64_t kafka_pace_marking(const struct kafka_pace *p)
{
    return p->committed_ns > 0 ? p->committed_ns + KAFKA_MARKING_NS - clock_monotonic() : 0;
}

/* What was there before the last commit would have been in it. */
void kafka_pace_begin(struct kafka_pace *p, int64_t written_ns)
{
    p->written_ns = written_ns > p->committed_ns ? written_ns : p->committed_ns;
}

void kafka_pace_wait(struct kafka_pace *p, size_t bytes)
{
    loop_arm_timer(p->timer, kafka_pace_due(p, bytes) - clock_monotonic());
}

void kafka_pace_stop(struct kafka_pace *p)
{
    evtimer_del(p->timer);
}
