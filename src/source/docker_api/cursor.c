#include "source/docker_api/cursor.h"

/* Does stream s stand before a line that was held back? Else its time is that of no entry: see tight, cursor_start_at. */
static bool is_held_back(const struct position *pos, const struct api_cursor *c, int s)
{
    const struct api_pos *at = &c->stream[s].last, *other = &c->stream[!s].last;
    bool is_begin = at->time_ns == other->time_ns && other->lines == 0;
    return at->lines == 0 && at->time_ns > 0 && !is_begin &&
           at->time_ns != pos->at.api.time_ns - CURSOR_SLACK_NS;
}

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
    for (int s = 0; s < STREAM_COUNT; s++) {
        c->stream[s].held_back = is_held_back(pos, c, s);
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

/* What marks the end of the entries taken: the stream's last one, or the first of those that were held back. */
static bool has_mark(const struct api_cursor *c, int s, int64_t from)
{
    return from == c->stream[s].last.time_ns && (c->stream[s].last.lines > 0 || c->stream[s].held_back);
}

int64_t cursor_open(struct api_cursor *c, const bool *more)
{
    int64_t from[STREAM_COUNT];
    for (int s = 0; s < STREAM_COUNT; s++) {
        from[s] = more[s] ? c->stream[s].last.time_ns : tight(c, s).time_ns;
        c->stream[s].skipping = c->stream[s].last.time_ns > 0;
        c->stream[s].skipped = 0;
    }
    for (int s = 0; s < STREAM_COUNT; s++) {
        bool later = c->stream[!s].last.time_ns - from[s] >= CURSOR_SLACK_NS && c->stream[!s].last.lines > 0;
        c->stream[s].leans = later && has_mark(c, !s, from[!s]) && !has_mark(c, s, from[s]);
        c->stream[s].missed = has_mark(c, s, from[s]) || c->stream[s].leans;
    }
    int64_t since = from[0] < from[1] ? from[0] : from[1];
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

bool cursor_misses(const struct api_cursor *c, enum stream stream, int64_t time_ns)
{
    /* The first line of a group that was held back is where its stream goes on. */
    bool is_held = c->stream[stream].last.lines == 0 && time_ns == c->stream[stream].last.time_ns;
    return c->stream[stream].missed && !is_held;
}

enum stream cursor_awaits(const struct api_cursor *c, enum stream stream)
{
    return c->stream[stream].leans ? !stream : stream;
}

/* Once as many of the last time came as were taken, what follows is new, whatever its time. */
static void pass(struct api_cursor *c, enum stream stream, int64_t time_ns)
{
    const struct api_pos *last = &c->stream[stream].last;
    if (time_ns != last->time_ns) {
        return;
    }
    c->stream[stream].missed = false;
    if (++c->stream[stream].skipped < last->lines) {
        return;
    }
    for (int s = 0; s < STREAM_COUNT; s++) {
        if (s == (int)stream || c->stream[s].leans) {
            c->stream[s].missed = false;
            c->stream[s].skipping = c->repeats;
        }
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
    c->stream[stream].skipping = c->stream[stream].missed = c->stream[stream].held_back = false;
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
