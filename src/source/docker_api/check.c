#include "source/docker_api/check.h"

/* Was this entry, which stands somewhere in the log, taken? Not if it may be any piece of an unfinished
 * line. */
static bool was_taken(const struct api_check *c, const struct log_entry *e)
{
    const struct api_pos *last = &c->cursor->stream[e->stream].last;
    return e->time_ns < last->time_ns ||
           (e->time_ns == last->time_ns && last->lines > 0 && !c->more[e->stream]);
}

static bool on_entry(void *arg, const struct log_entry *e)
{
    struct api_check *c = arg;
    if (e->malformed) {
        return true;
    }
    if (was_taken(c, e)) {
        c->reached = true;
    } else if (c->until_ns == 0 || e->time_ns < c->until_ns) {
        c->behind = true;
    }
    return true;
}

static void on_end(void *arg, enum log_end end, const struct error *err)
{
    struct api_check *c = arg;
    (void)err;
    c->stream = NULL;
    bool behind = c->behind || (c->strict && !c->reached);
    c->done(c->arg, end == LOG_END_BROKEN ? CHECK_FAILED : behind ? CHECK_BEHIND : CHECK_LEVEL);
}

int api_check_start(struct api_check *c, struct engine *e, const char *id, const struct log_options *options)
{
    struct log_options mine = {
        /* No earlier: an Engine that unpacks rotated files for two readers at once may give one of them what
           the other asked for. */
        .since_ns = cursor_newest(c->cursor), .tail = c->until_ns ? CHECK_LINES : 1, .tty = options->tty,
        .bare_end = options->bare_end,        .own_times = options->own_times,
    };
    struct log_calls calls = {.entry = on_entry, .end = on_end, .arg = c};
    api_check_stop(c);
    c->behind = c->reached = false;
    c->stream = log_stream_open(e, id, &mine, &calls);
    return c->stream ? 0 : -1;
}

void api_check_stop(struct api_check *c)
{
    log_stream_close(c->stream);
    c->stream = NULL;
}
