#include "request.h"

#include "base/clock.h"

/* Each window is so many times the one before; after the last one all is asked for: seconds, minutes, hours, days. */
#define WINDOW_FACTOR 60
#define WINDOW_MOST   (REQUEST_WINDOW * WINDOW_FACTOR * WINDOW_FACTOR * WINDOW_FACTOR)
/* Lines that may be read in vain: where a window had more, and too few, all is asked for at once. */
#define WINDOW_LINES 10000

bool request_needs_inspection(const struct reader *r)
{
    const struct readers *all = r->all;
    bool terminal = r->stream && log_stream_tty(r->stream);
    bool old_since = all->env->options->since_ns > 0 && engine_api_minor(all->engine) < 42;
    bool old_tail = all->env->options->lines > 0 && engine_tail_harms(all->engine, "local");
    return r->container && r->container->list_only && (r->phase != PAST || terminal || old_since || old_tail);
}

bool request_keeps_last(const struct reader *r)
{
    const struct engine_container *c = r->container;
    return r->phase == PAST && r->all->env->options->lines > 0 && !c->list_only &&
           engine_tail_harms(r->all->engine, c->driver);
}

/* 0: the log's beginning. An old Engine that is asked with `since` may leave out all but the file that is written now. That is
 * the log's end too. */
static int64_t window_begin(const struct reader *r)
{
    const struct engine_container *c = r->container;
    int64_t end = !c->running && c->finished_ns > 0 ? c->finished_ns : r->all->now_ns;
    return r->window_ns < end ? end - r->window_ns : 0;
}

bool request_widens(struct reader *r)
{
    if (!r->keeps || !r->container || !tail_feed_has_room(r->feed)) {
        return false;
    }
    bool skips = engine_container_since_skips(r->all->engine, r->container);
    if (window_begin(r) <= (skips ? 0 : r->all->env->options->since_ns)) {
        return false; /* it had all */
    }
    bool all = tail_feed_kept(r->feed) > WINDOW_LINES || r->window_ns >= WINDOW_MOST;
    r->window_ns = all ? INT64_MAX : r->window_ns * WINDOW_FACTOR;
    return true;
}

struct log_options request_options(struct reader *r)
{
    const struct readers *all = r->all;
    const struct tail_options *o = all->env->options;
    const struct engine_container *c = r->container;
    struct log_options options = {.tail = -1};
    if (!c->list_only) {
        options = log_options_for(all->engine, c->driver, c->tty);
    }
    options.follow = r->phase != PAST && !r->life.stopped;
    options.tty_unknown = c->list_only;
    options.started_ns = c->started_ns;
    options.known_ns = cursor_newest(&r->cursor);
    options.since_ns = cursor_open(&r->cursor, r->more);
    options.until_ns = o->until_ns;
    if (r->phase == PAST) {
        options.tail = r->keeps ? -1 : o->lines;
        /* One that has ended is read to its end: it may have written after that, and is not followed. The last lines are
           those of all that there is; --until chooses among them. */
        options.until_ns = all->env->follow && c->running ? all->now_ns : r->keeps ? 0 : o->until_ns;
        options.since_ns = o->since_ns > options.since_ns ? o->since_ns : options.since_ns;
        if (engine_container_since_skips(all->engine, c)) {
            options.since_ns = 0; /* passed over here */
        }
        if (r->keeps && window_begin(r) > options.since_ns) {
            options.since_ns = window_begin(r);
        }
    }
    return options;
}

int request_check(struct reader *r, struct held_entry held, bool strict,
                  void (*done)(void *arg, enum check_result result))
{
    struct engine_container *c = r->container;
    struct log_options options = log_options_for(r->all->engine, c->driver, c->tty);
    r->check.held = held;
    r->check.strict = strict;
    r->check.done = done;
    return api_check_start(&r->check, r->all->engine, c->id, &options);
}
