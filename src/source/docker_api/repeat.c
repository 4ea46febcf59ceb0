#include "source/docker_api/repeat.h"

/* Is it no later than the last entry of its stream? The pieces of a line all bear one time. */
static bool is_old(const struct repeat *r, const struct api_pos *last, const bool *more,
                   const struct log_entry *e)
{
    if (e->time_ns == last->time_ns) {
        return last->lines > 0 && !more[e->stream] && !r->equal_times;
    }
    return e->time_ns < last->time_ns;
}

bool repeat_suspects(struct repeat *r, const struct proof *p, const struct api_cursor *c, const bool *more,
                     const struct log_entry *e)
{
    const struct api_pos *last = &c->stream[e->stream].last;
    if (!proof_reads_live(p, c) || !is_old(r, last, more, e)) {
        return false;
    }
    if (r->time_ns == e->time_ns && r->stream == e->stream) {
        r->equal_times |= e->time_ns == last->time_ns;
        return false;
    }
    r->time_ns = e->time_ns;
    r->stream = e->stream;
    return true;
}

void repeat_taken(struct repeat *r)
{
    r->time_ns = 0;
}
