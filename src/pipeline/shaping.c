/* Feeds and the shaper: what it holds back is let go when it is due, or when the feed ends. */
#include "base/memory.h"
#include "config/config.h"
#include "internal.h"

static void emit(void *arg, const struct record *rec)
{
    struct feed *feed = arg;
    pipeline_emit(feed->pl, feed, rec);
}

static struct shape_out out_of(struct feed *feed)
{
    return (struct shape_out){emit, feed};
}

/* One timer for all feeds, at the earliest time that one of them is due. */
static void arm(struct pipeline *pl)
{
    int64_t wait = pl->shape_due - clock_monotonic();
    pipeline_arm_timer(pl->shape_timer, wait > 0 ? wait : 0);
}

static void due_at(struct pipeline *pl, int64_t due)
{
    if (due < pl->shape_due) {
        pl->shape_due = due;
        arm(pl);
    }
}

unsigned shaping_put(struct feed *feed, const struct record *rec)
{
    struct pipeline *pl = feed->pl;
    if (!feed->shape && !(feed->shape = shape_open(pl->shape))) {
        die_out_of_memory();
    }
    int result = shape_put(feed->shape, rec, out_of(feed));
    if (result < 0) {
        die_out_of_memory();
    }
    due_at(pl, shape_due(feed->shape));
    return (unsigned)result;
}

static void let_go(struct feed *feed, int64_t now)
{
    int released = shape_tick(feed->shape, now, out_of(feed));
    if (released < 0) {
        die_out_of_memory();
    }
    for (int s = 0; s < STREAM_COUNT; s++) {
        if (released & 1 << s && feed->calls.released) {
            feed->calls.released(feed->calls.arg, (enum stream)s);
        }
    }
}

void shaping_flush(struct feed *feed)
{
    if (feed->shape) {
        let_go(feed, INT64_MAX);
    }
}

void shaping_tick(struct pipeline *pl)
{
    struct feed *feed;
    int64_t now = clock_monotonic(), next = INT64_MAX;
    if (pl->shape_due == INT64_MAX || !pipeline_room(pl)) {
        return; /* without room: again when there is some */
    }
    if (now < pl->shape_due) {
        arm(pl); /* the loop's clock is coarser than ours */
        return;
    }
    pl->shape_due = INT64_MAX;
    TAILQ_FOREACH(feed, &pl->feeds, link)
    {
        if (feed->shape && shape_due(feed->shape) <= now) {
            let_go(feed, now);
        }
        if (feed->shape && shape_due(feed->shape) < next) {
            next = shape_due(feed->shape);
        }
    }
    due_at(pl, next);
}

void shaping_drain(struct pipeline *pl)
{
    struct feed *feed;
    TAILQ_FOREACH(feed, &pl->feeds, link)
    {
        if (feed->shape && shape_due(feed->shape) < INT64_MAX && pipeline_room(pl)) {
            let_go(feed, INT64_MAX);
        }
    }
}

int shaping_configure(struct pipeline *pl, const struct config *cfg, struct error *err)
{
    struct shape *fresh = NULL;
    if (shape_wanted(cfg) && !(fresh = shape_new(cfg, err))) {
        return -1;
    }
    struct feed *feed;
    TAILQ_FOREACH(feed, &pl->feeds, link)
    {
        shaping_flush(feed); /* what was held by the old rules is let go by them */
        shape_close(feed->shape);
        feed->shape = NULL;
    }
    shape_unref(pl->shape);
    pl->shape = fresh;
    pl->shape_due = INT64_MAX;
    return 0;
}
