#include "source/docker_api/cursor.h"

void cursor_start(struct api_cursor *c, const struct position *pos)
{
    *c = (struct api_cursor){0};
    if (!pos || pos->kind != POSITION_API) {
        return;
    }
    for (int s = 0; s < STREAM_COUNT; s++) {
        c->stream[s].last = pos->held_set[s] ? pos->held[s].api : pos->at.api;
        if (s == 0 || c->stream[s].last.time_ns < c->seen_ns) {
            c->seen_ns = c->stream[s].last.time_ns;
        }
    }
}

void cursor_start_at(struct api_cursor *c, int64_t time_ns)
{
    *c = (struct api_cursor){.seen_ns = time_ns};
    for (int s = 0; s < STREAM_COUNT; s++) {
        c->stream[s].last.time_ns = time_ns;
    }
}

/* Where the stream goes on: at its last entry, but no earlier than the other stream's progress allows for. */
static struct api_pos tight(const struct api_cursor *c, int s)
{
    struct api_pos at = c->stream[s].last;
    int64_t slack = c->single ? 0 : CURSOR_SLACK_NS;
    if (at.time_ns < c->seen_ns - slack) {
        at = (struct api_pos){.time_ns = c->seen_ns - slack};
    }
    return at;
}

void cursor_set_back(struct api_cursor *c, int64_t now_ns)
{
    int64_t from = now_ns - CURSOR_BACK_NS;
    for (int s = 0; s < STREAM_COUNT; s++) {
        if (c->stream[s].last.time_ns > from) {
            c->stream[s].last = (struct api_pos){.time_ns = from};
        }
    }
    c->seen_ns = c->seen_ns < from ? c->seen_ns : from;
}

int64_t cursor_open(struct api_cursor *c, const bool *more)
{
    int64_t since = INT64_MAX;
    for (int s = 0; s < STREAM_COUNT; s++) {
        int64_t at = more[s] ? c->stream[s].last.time_ns : tight(c, s).time_ns;
        since = at < since ? at : since;
        c->stream[s].skipping = c->stream[s].last.time_ns > 0;
        c->stream[s].skipped = 0;
        c->stream[s].missed = c->stream[s].last.lines > 0 && at == c->stream[s].last.time_ns;
    }
    return since > 0 ? since : 0;
}

bool cursor_passes(const struct api_cursor *c, enum stream stream, int64_t time_ns)
{
    const struct api_pos *last = &c->stream[stream].last;
    if (!c->stream[stream].skipping || time_ns > last->time_ns) {
        return false;
    }
    return time_ns < last->time_ns || c->stream[stream].skipped < last->lines;
}

bool cursor_expects(const struct api_cursor *c)
{
    int64_t newest = cursor_newest(c);
    for (int s = 0; s < STREAM_COUNT; s++) {
        if (c->stream[s].last.lines > 0 && c->stream[s].last.time_ns == newest) {
            return true;
        }
    }
    return false;
}

bool cursor_missed(const struct api_cursor *c, enum stream stream)
{
    return c->stream[stream].missed;
}

/* Once as many of the last time came as were taken, what follows is new, whatever its time. */
static void pass(struct api_cursor *c, enum stream stream, int64_t time_ns)
{
    if (time_ns == c->stream[stream].last.time_ns) {
        c->stream[stream].missed = false;
        c->stream[stream].skipping = ++c->stream[stream].skipped < c->stream[stream].last.lines || c->repeats;
    }
}

bool cursor_take(struct api_cursor *c, enum stream stream, int64_t time_ns, union source_offset *offset)
{
    c->seen_ns = time_ns;
    struct api_pos *last = &c->stream[stream].last;
    if (cursor_passes(c, stream, time_ns)) {
        pass(c, stream, time_ns);
        return false;
    }
    c->stream[stream].skipping = c->stream[stream].missed = false;
    offset->api = (struct api_pos){.time_ns = time_ns, .lines = time_ns == last->time_ns ? last->lines : 0};
    *last = offset->api;
    last->lines++;
    return true;
}

void cursor_put(struct api_cursor *c, enum stream stream, unsigned result, const union source_offset *offset)
{
    pending_update(&c->stream[stream].hold, result, offset);
}

void cursor_restart_line(struct api_cursor *c, enum stream stream)
{
    struct api_pos *last = &c->stream[stream].last;
    struct pending *hold = &c->stream[stream].hold;
    *last = hold->joining ? hold->join.api : (struct api_pos){.time_ns = last->time_ns};
    hold->joining = false;
}

void cursor_released(struct api_cursor *c, enum stream stream)
{
    c->stream[stream].hold.joining = c->stream[stream].hold.grouping = false;
}

struct position cursor_position(const struct api_cursor *c)
{
    struct position pos = {.kind = POSITION_API, .at.api.time_ns = c->seen_ns};
    for (int s = 0; s < STREAM_COUNT; s++) {
        pos.held_set[s] = true;
        pos.held[s].api =
            pending_any(&c->stream[s].hold) ? pending_since(&c->stream[s].hold)->api : tight(c, s);
    }
    return pos;
}

int64_t cursor_newest(const struct api_cursor *c)
{
    int64_t newest = 0;
    for (int s = 0; s < STREAM_COUNT; s++) {
        newest = c->stream[s].last.time_ns > newest ? c->stream[s].last.time_ns : newest;
    }
    return newest;
}
