#include "shaper.h"

#include "base/clock.h"
#include "base/loop.h"
#include "base/memory.h"

static void emit(void *arg, const struct record *rec)
{
    struct shaper_feed *f = arg;
    batcher_put(f->next, rec);
}

static struct shape_out out_of(struct shaper_feed *f)
{
    const struct shape_watch *watch = &f->stage->watch;
    return (struct shape_out){emit, f, watch->told ? watch : NULL};
}

/* One timer for all feeds, at the earliest time that one of them is due. */
static void arm(struct shaper *s)
{
    loop_arm_timer(s->timer, s->due_ns - clock_monotonic());
}

static void due_at(struct shaper *s, int64_t due_ns)
{
    if (due_ns < s->due_ns) {
        s->due_ns = due_ns;
        arm(s);
    }
}

enum put_result shaper_put_shaped(struct shaper_feed *f, const struct record *rec)
{
    struct shaper *s = f->stage;
    if (!f->state && !(f->state = shape_open(s->rules))) {
        die_out_of_memory();
    }
    int result = shape_put(f->state, rec, out_of(f));
    if (result < 0) {
        die_out_of_memory();
    }
    due_at(s, shape_due(f->state));
    return (enum put_result)result;
}

static void let_go(struct shaper_feed *f, int64_t now)
{
    int streams = shape_tick(f->state, now, out_of(f));
    if (streams < 0) {
        die_out_of_memory();
    }
    for (int s = 0; s < STREAM_COUNT; s++) {
        if (streams & 1 << s && f->released.call) {
            f->released.call(f->released.arg, (enum stream)s);
        }
    }
}

void shaper_flush(struct shaper_feed *f)
{
    if (f->state) {
        let_go(f, INT64_MAX);
    }
}

void shaper_tick(struct shaper *s)
{
    struct shaper_feed *f;
    int64_t now = clock_monotonic(), next = INT64_MAX;
    if (s->due_ns == INT64_MAX || !batcher_room(s->batcher)) {
        return;
    }
    if (now < s->due_ns) {
        arm(s); /* the loop's clock is coarser than ours */
        return;
    }
    s->due_ns = INT64_MAX;
    TAILQ_FOREACH(f, &s->feeds, link)
    {
        if (f->state && shape_due(f->state) <= now) {
            let_go(f, now);
        }
        if (f->state && shape_due(f->state) < next) {
            next = shape_due(f->state);
        }
    }
    due_at(s, next);
}

void shaper_drain(struct shaper *s)
{
    struct shaper_feed *f;
    TAILQ_FOREACH(f, &s->feeds, link)
    {
        if (f->state && shape_due(f->state) < INT64_MAX && batcher_room(s->batcher)) {
            let_go(f, INT64_MAX);
        }
    }
}

size_t shaper_memory(const struct shaper *s)
{
    return s->rules ? shape_memory(s->rules) : 0;
}

/* -- feeds ------------------------------------------------------------------------------------- */

void shaper_open(struct shaper *s, struct shaper_feed *f, struct shaper_released released,
                 struct batcher_feed *next)
{
    *f = (struct shaper_feed){.stage = s, .released = released, .next = next};
    TAILQ_INSERT_TAIL(&s->feeds, f, link);
}

void shaper_close(struct shaper_feed *f)
{
    shape_close(f->state);
    TAILQ_REMOVE(&f->stage->feeds, f, link);
}

/* -- set-up ------------------------------------------------------------------------------------ */

static void on_due(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    shaper_tick(arg);
}

int shaper_init(struct shaper *s, struct event_base *base, struct batcher *next)
{
    *s = (struct shaper){.batcher = next, .due_ns = INT64_MAX, .timer = evtimer_new(base, on_due, s)};
    TAILQ_INIT(&s->feeds);
    return s->timer ? 0 : -1;
}

int shaper_configure(struct shaper *s, const struct config *cfg, struct error *err)
{
    struct shape *fresh = NULL;
    if (shape_wanted(cfg) && !(fresh = shape_new(cfg, err))) {
        return -1;
    }
    struct shaper_feed *f;
    TAILQ_FOREACH(f, &s->feeds, link)
    {
        shaper_flush(f);
        shape_close(f->state);
        f->state = NULL;
    }
    shape_unref(s->rules);
    s->rules = fresh;
    s->due_ns = INT64_MAX;
    return 0;
}

void shaper_free(struct shaper *s)
{
    if (s->timer) {
        event_free(s->timer);
    }
    shape_unref(s->rules);
}
