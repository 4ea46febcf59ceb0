#include "shaper.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/memory.h"
#include "base/metrics.h"

static void emit(void *arg, const struct record *rec)
{
    struct shaper_feed *f = arg;
    batcher_put(f->next, rec);
}

static struct shape_out out_of(struct shaper_feed *f)
{
    return (struct shape_out){emit, f};
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

static void open_state(struct shaper_feed *f)
{
    if (!(f->state = shape_open(f->rules))) {
        die_out_of_memory();
    }
    shape_set_watch(f->state, f->stage->watch.told ? &f->stage->watch : NULL);
}

enum put_result shaper_put_shaped(struct shaper_feed *f, const struct record *rec)
{
    struct shaper *s = f->stage;
    if (!f->state) {
        open_state(f);
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
    return s->held;
}

/* -- rules ------------------------------------------------------------------------------------- */

static bool is_base(const struct shaper_rules *set)
{
    return set->overrides == 0 && !set->hints;
}

/* Makes the set's shape; it is NULL where there are no rules. 0 or -1. */
static int compile(struct shaper *s, const struct config *cfg, struct shaper_rules *set, struct error *err)
{
    struct config *with = is_base(set) ? NULL : config_overridden(cfg, set->overrides, set->hints);
    const struct config *in_force = is_base(set) ? cfg : with;
    struct shape *shape = NULL;
    if (!in_force) {
        return error_set(err, "out of memory");
    }
    bool wanted = shape_wanted(in_force);
    shape = wanted ? shape_new(in_force, err) : NULL;
    config_free(with);
    if (wanted && !shape) {
        return -1;
    }
    if (shape) {
        shape_share(shape, &s->held);
    }
    set->shape = shape;
    return 0;
}

static bool is_for(const struct shaper_rules *set, const struct tags_choice *choice)
{
    bool same =
        set->hints && choice->hints ? strcmp(set->hints, choice->hints) == 0 : set->hints == choice->hints;
    return set->overrides == choice->overrides && same;
}

/* Is there room for one more set of labels? When not, that is said once and counted. */
static bool may_hint(struct shaper *s, size_t size)
{
    if (s->hinted < SHAPER_HINTED_MAX && s->hinted_size + size <= SHAPER_HINTED_SIZE) {
        return true;
    }
    metrics.refused_hints++;
    if (!s->hinted_said) {
        log_warn(
            "too many containers have labels of their own kind: the lines of others go on as without them",
            KN("kinds", s->hinted), KN("most", SHAPER_HINTED_MAX), KN("pattern_bytes", s->hinted_size),
            KN("most_bytes", SHAPER_HINTED_SIZE));
    }
    s->hinted_said = true;
    return false;
}

/* Compiled. All was tried when the configuration and the labels were read: only want of memory can be in the way. */
static struct shaper_rules *new_set(struct shaper *s, const struct tags_choice *choice)
{
    struct shaper_rules *set = calloc(1, sizeof(*set));
    if (!set || (choice->hints && !(set->hints = strdup(choice->hints)))) {
        die_out_of_memory();
    }
    set->overrides = choice->overrides;
    if (compile(s, s->cfg, set, NULL) < 0) {
        die_out_of_memory();
    }
    set->size = set->shape ? shape_hinted_size(set->shape) : 0;
    return set;
}

static void free_set(struct shaper_rules *set)
{
    shape_unref(set->shape);
    free(set->hints);
    free(set);
}

/* The set for that choice, made where there is none. */
static struct shaper_rules *set_for(struct shaper *s, const struct tags_choice *choice)
{
    struct shaper_rules *set;
    LIST_FOREACH(set, &s->sets, link)
    {
        if (is_for(set, choice)) {
            return set;
        }
    }
    set = choice->hints && !may_hint(s, 0) ? NULL : new_set(s, choice);
    if (set && choice->hints && !may_hint(s, set->size)) {
        free_set(set);
        set = NULL;
    }
    if (!set) {
        return set_for(s, &(struct tags_choice){.overrides = choice->overrides});
    }
    LIST_INSERT_HEAD(&s->sets, set, link);
    s->hinted += set->hints != NULL;
    s->hinted_said &= !set->hints;
    s->hinted_size += set->size;
    return set;
}

/* The feed is of no set any more; one without feeds goes, for labels choose how many there may be. */
static void leave_set(struct shaper_feed *f)
{
    struct shaper_rules *set = f->set;
    shape_close(f->state);
    f->state = NULL;
    f->set = NULL;
    if (set && --set->feeds == 0 && !is_base(set)) {
        LIST_REMOVE(set, link);
        f->stage->hinted -= set->hints != NULL;
        f->stage->hinted_size -= set->size;
        free_set(set);
    }
}

void shaper_choose(struct shaper_feed *f, const struct tags *tags)
{
    if (f->set && is_for(f->set, tags_chosen(tags))) {
        return;
    }
    shaper_flush(f);
    leave_set(f);
    f->set = set_for(f->stage, tags_chosen(tags));
    f->set->feeds++;
    f->rules = f->set->shape;
}

const char *shaper_problem(const struct shaper_feed *f, const struct tags *tags)
{
    if (tags_chosen(tags)->hints && !f->set->hints) {
        return "its labels are not heeded: too many containers have labels of their own kind";
    }
    bool slow = f->rules && shape_hints_slow(f->rules);
    return slow ? "a pattern of its labels takes too long: at times it is not looked for" : NULL;
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
    leave_set(f);
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
    LIST_INSERT_HEAD(&s->sets, &s->base, link);
    return s->timer ? 0 : -1;
}

/* Nothing is held by the old rules any more. */
static void let_all_go(struct shaper *s)
{
    struct shaper_feed *f;
    TAILQ_FOREACH(f, &s->feeds, link)
    {
        shaper_flush(f);
        shape_close(f->state);
        f->state = NULL;
    }
    s->due_ns = INT64_MAX;
}

int shaper_configure(struct shaper *s, const struct config *cfg, struct error *err)
{
    struct shaper_rules base = {0};
    if (compile(s, cfg, &base, err) < 0) {
        return -1;
    }
    let_all_go(s);
    s->cfg = cfg;
    struct shaper_rules *set;
    LIST_FOREACH(set, &s->sets, link)
    {
        shape_unref(set->shape);
        if (!is_base(set) && compile(s, cfg, set, NULL) < 0) {
            die_out_of_memory();
        }
    }
    s->base.shape = base.shape;
    struct shaper_feed *f;
    TAILQ_FOREACH(f, &s->feeds, link)
    {
        f->rules = f->set ? f->set->shape : NULL;
    }
    return 0;
}

void shaper_free(struct shaper *s)
{
    loop_free_event(s->timer);
    shape_unref(s->base.shape);
}
