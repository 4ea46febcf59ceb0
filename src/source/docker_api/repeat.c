#include "source/docker_api/repeat.h"

/* Is it no later than the last entry of its stream? The pieces of a line all bear one time. */
static bool is_old(const struct api_pos *last, const bool *more, const struct log_entry *e)
{
    if (e->time_ns == last->time_ns) {
        return last->lines > 0 && !more[e->stream];
    }
    return e->time_ns < last->time_ns;
}

bool repeat_is_settled(const struct repeat *r, const struct log_entry *e)
{
    return r->settled_ns == e->time_ns && r->stream == e->stream;
}

bool repeat_suspects(const struct repeat *r, const struct proof *p, const struct api_cursor *c,
                     const bool *more, const struct log_entry *e)
{
    return !repeat_is_settled(r, e) && proof_reads_live(p, c) && is_old(&c->stream[e->stream].last, more, e);
}

struct held_entry repeat_question(const struct log_entry *e)
{
    return (struct held_entry){
        .returned = true, .again = true, .awaited = e->stream, .stream = e->stream, .time_ns = e->time_ns};
}

void repeat_settled(struct repeat *r, enum stream stream, int64_t time_ns)
{
    r->settled_ns = time_ns;
    r->stream = stream;
}
