#include "request.h"

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
