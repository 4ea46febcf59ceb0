/* What the Engine's stream brings: which entries are taken, and where reading stands after them. */
#include "feed.h"

#include <xxhash.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "config/config.h"

/* -- positions --------------------------------------------------------------------------------- */

void api_feed_mark(struct api_feed *f)
{
    struct position pos = cursor_position(&f->cursor);
    feed_mark(f->feed, &pos);
}

bool api_feed_end(struct api_feed *f)
{
    if (!pipeline_room(f->src->pipeline)) {
        f->src->starved = true;
        return false; /* api_feed_resume comes */
    }
    feed_flush(f->feed);
    feed_mark(f->feed, &(struct position){.kind = POSITION_NONE});
    api_feed_free(f);
    return true;
}

void api_feed_released(void *arg, enum stream stream)
{
    struct api_feed *f = arg;
    cursor_released(&f->cursor, stream);
    api_feed_mark(f);
}

/* -- entries ----------------------------------------------------------------------------------- */

static void put(struct api_feed *f, const struct log_entry *e, const union source_offset *place)
{
    struct record rec = {
        .text = e->text, .time = e->time, .stream = e->stream, .more = e->more, .malformed = e->malformed};
    unsigned result = feed_put(f->feed, &rec);
    cursor_put(&f->cursor, e->stream, result, place);
}

/* The line being joined ends here, though its last piece had no newline: an empty piece says so. */
void api_feed_end_line(struct api_feed *f, enum stream stream)
{
    const struct log_entry nothing = {.stream = stream};
    union source_offset place = {.api = f->cursor.stream[stream].last};
    f->more[stream] = false;
    put(f, &nothing, &place);
}

/* Of a time to come: written, and taken, before the clock was set back. */
static bool of_before(const struct api_feed *f, const struct log_entry *e)
{
    return e->time_ns <= f->ahead_ns && e->time_ns > engine_clock(f->src->engine) + CURSOR_BACK_NS;
}

/* Followers of old Engines tell lines a second time when the file rotates. */
static bool repeated(const struct api_feed *f, const struct log_entry *e)
{
    int64_t last = f->cursor.stream[e->stream].last.time_ns;
    if (!f->fragile || e->time_ns > last || cursor_newest(&f->cursor) < f->opened_ns) {
        return false; /* up to the time of opening the Engine reads its files, and makes no such mistake */
    }
    if (e->time_ns == last) {
        return !f->more[e->stream];
    }
    return last <= engine_clock(f->src->engine); /* else the clock was set back, and the line is new */
}

/* Likewise a piece of a line that is still being joined: it may be the same text by chance, so the files are
 * asked. */
static bool repeated_piece(struct api_feed *f, const struct log_entry *e)
{
    if (!f->fragile || !(e->more || f->more[e->stream])) {
        return false;
    }
    struct api_pieces *p = &f->pieces[e->stream];
    uint64_t hash = XXH3_64bits(e->text.ptr, e->text.len);
    bool same_line = f->more[e->stream] && e->time_ns == f->cursor.stream[e->stream].last.time_ns;
    p->count = same_line ? p->count : 0;
    for (unsigned i = 0; i < p->count && i < API_PIECES && cursor_newest(&f->cursor) >= f->opened_ns; i++) {
        if (p->hash[i] == hash) {
            return true;
        }
    }
    p->hash[p->count++ % API_PIECES] = hash;
    return false;
}

/* Followers of old Engines lose lines when the file rotates; they show as a jump in time. */
static bool suspicious(const struct api_feed *f, const struct log_entry *e)
{
    int64_t newest = cursor_newest(&f->cursor);
    return f->fragile && e->time_ns > f->opened_ns && newest > 0 && e->time_ns - newest > f->jump_ns &&
           e->time_ns > f->checked_ns;
}

bool api_feed_skipped(struct api_feed *f)
{
    if (!f->reached && f->since_skips && !f->from_zero) {
        f->want_zero = true;
        return true;
    }
    return false;
}

/* The first new entry, though the last one taken did not come: files were deleted in between. */
static void note_gap(struct api_feed *f)
{
    f->reached = true;
    metrics.gaps++;
    log_warn("lines of a container were rotated away before they could be read",
             KV("container", f->container ? f->container->name : f->id),
             KV("hint", "larger or more log files: max-size, max-file"));
}

bool api_feed_entry(void *arg, const struct log_entry *e)
{
    struct api_feed *f = arg;
    struct pipeline *pl = f->src->pipeline;
    union source_offset place;
    if (!pipeline_room(pl)) {
        f->src->starved = true;
        return false;
    }
    f->idle = f->paused = 0;
    f->patience = api_feed_patience(f);
    f->hanging = false;
    if (e->malformed) {
        place.api = f->cursor.stream[e->stream].last;
        put(f, e, &place);
        return true;
    }
    if (of_before(f, e) || repeated(f, e)) {
        return true;
    }
    if (suspicious(f, e)) {
        api_feed_check(f, e->time_ns);
        return false;
    }
    bool ends = f->more[e->stream] && !f->own_times && e->time_ns != f->cursor.stream[e->stream].last.time_ns;
    if (cursor_passes(&f->cursor, e->stream, e->time_ns)) {
        f->reached = true;
        cursor_take(&f->cursor, e->stream, e->time_ns, &place);
        return true;
    }
    if (api_feed_skipped(f) || repeated_piece(f, e)) {
        api_feed_reopen(f);
        return false;
    }
    if (!f->reached) {
        note_gap(f);
    }
    cursor_take(&f->cursor, e->stream, e->time_ns, &place);
    if (ends) {
        api_feed_end_line(f, e->stream);
    }
    f->fresh = true;
    f->more[e->stream] = e->more;
    put(f, e, &place);
    api_feed_mark(f);
    return true;
}
