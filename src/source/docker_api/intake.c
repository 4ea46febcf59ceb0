#include "intake.h"

#include <string.h>

#include <xxhash.h>

#include "base/clock.h"

/* -- positions --------------------------------------------------------------------------------- */

/* Tells the pipeline the position at once: what was put goes out with it. */
static void mark(struct api_intake *in)
{
    struct position pos = cursor_position(&in->cursor);
    feed_mark(in->feed, &pos);
}

static void on_released(void *arg, enum stream stream)
{
    struct api_intake *in = arg;
    cursor_released(&in->cursor, stream);
    mark(in);
}

void intake_init(struct api_intake *in, struct engine *engine, struct pipeline *pipeline,
                 const struct engine_container *c, struct tags *tags, bool at_end)
{
    *in = (struct api_intake){
        .engine = engine,
        .pipeline = pipeline,
        .tags = tags_ref(tags),
        .own_times = engine_own_times(engine, c->driver),
        .follow_repeats = engine_container_follow_repeats(engine, c),
        .since_skips = engine_container_since_skips(engine, c),
    };
    proof_init(&in->proof, engine, c);
    in->feed = feed_open(pipeline, c->id, tags, (struct feed_calls){on_released, in});
    const struct position *pos = pipeline_position(pipeline, c->id);
    if (!pos && at_end) {
        cursor_start_at(&in->cursor, engine_entry_clock(engine));
        mark(in); /* so that a stop before the next line does not lose that line */
    } else {
        cursor_start(&in->cursor, pos);
    }
    in->cursor.single = c->tty;
    in->cursor.repeats = in->follow_repeats;
}

void intake_close(struct api_intake *in)
{
    feed_close(in->feed);
    tags_unref(in->tags);
}

void intake_retag(struct api_intake *in, struct tags *tags)
{
    if (!tags_same(in->tags, tags)) {
        tags_unref(in->tags);
        in->tags = tags_ref(tags);
        feed_retag(in->feed, tags);
    }
}

/* -- opening ----------------------------------------------------------------------------------- */

/* Is it set back to before that time? Only where the Engine's clock is ours: another's is not known so well,
 * and not all the time. */
static bool clock_set_back(const struct api_intake *in, int64_t expected_ns)
{
    return engine_is_local(in->engine) && expected_ns > engine_clock(in->engine) + CURSOR_BACK_NS;
}

bool intake_catch_clock(struct api_intake *in)
{
    int64_t newest = cursor_newest(&in->cursor);
    if (!clock_set_back(in, newest)) {
        return false;
    }
    in->ahead_ns = newest;
    cursor_set_back(&in->cursor, engine_clock(in->engine));
    return true;
}

int64_t intake_open(struct api_intake *in)
{
    proof_opening(&in->proof, &in->cursor, proof_clock(in->engine));
    int64_t since = cursor_open(&in->cursor, in->more);
    in->from_zero = in->want_zero;
    in->want_zero = false;
    in->since_ns = in->from_zero ? 0 : since; /* what was taken is passed over here */
    in->reached = !cursor_expects(&in->cursor);
    in->fresh = false;
    memset(in->last, 0, sizeof(in->last));
    return in->since_ns;
}

bool intake_is_behind_clock(const struct api_intake *in)
{
    return clock_set_back(in, in->since_ns);
}

void intake_checked(struct api_intake *in, int64_t until_ns, const struct known_next *next)
{
    proof_given(&in->proof, &in->cursor, until_ns > 0 ? until_ns : cursor_newest(&in->cursor), next);
}

void intake_missed(struct api_intake *in, const struct held_entry *held)
{
    if (held->piece && in->cursor.stream[held->stream].hold.joining) { /* else its pieces went out already */
        feed_drop_part(in->feed, held->stream);
        cursor_restart_line(&in->cursor, held->stream);
        in->more[held->stream] = false;
    }
    in->want_zero = in->since_skips;
}

bool intake_sought(struct api_intake *in, const struct held_entry *held, bool to_come)
{
    if (held->again) {
        repeat_settled(&in->repeat, held->stream, held->time_ns);
        return !to_come;
    }
    in->last[held->stream] = to_come ? LAST_AHEAD : LAST_GONE;
    return true;
}

bool intake_was_misled(struct api_intake *in)
{
    if (!in->reached && in->since_skips && !in->from_zero) {
        in->want_zero = true;
        return true;
    }
    return false;
}

/* -- entries ----------------------------------------------------------------------------------- */

static int64_t last_time(const struct api_intake *in, enum stream stream)
{
    return in->cursor.stream[stream].last.time_ns;
}

static void put(struct api_intake *in, const struct log_entry *e, const union source_offset *offset)
{
    struct record rec = {
        .text = e->text, .time = e->time, .stream = e->stream, .more = e->more, .malformed = e->malformed};
    unsigned result = feed_put(in->feed, &rec);
    cursor_put(&in->cursor, e->stream, result, offset);
}

/* The line being joined ends here although its last piece had no newline: an empty piece ends it. */
static void end_line(struct api_intake *in, enum stream stream)
{
    const struct log_entry nothing = {.stream = stream};
    union source_offset offset = {.api = in->cursor.stream[stream].last};
    in->more[stream] = false;
    put(in, &nothing, &offset);
}

/* Of a time to come: written, and taken, before the clock was set back. */
static bool is_of_before(const struct api_intake *in, const struct log_entry *e)
{
    return e->time_ns <= in->ahead_ns && e->time_ns > engine_clock(in->engine) + CURSOR_BACK_NS;
}

/* follow_repeats: streams of old Engines bring entries a second time when the file rotates. */
static bool is_repeated(const struct api_intake *in, const struct log_entry *e)
{
    int64_t last = last_time(in, e->stream);
    if (!in->follow_repeats || e->time_ns > last || cursor_newest(&in->cursor) < in->proof.opened_ns) {
        return false; /* up to the time of opening the Engine reads its files, and makes no such mistake */
    }
    if (e->time_ns == last) {
        return !in->more[e->stream];
    }
    return last <= engine_clock(in->engine); /* else the clock was set back, and the entry is new */
}

/* Up to the time of opening the Engine reads its files, and makes no such mistake; but a busy one writes an entry later
 * than the entry's time. A new stream settles it. */
static bool is_early_repeat(struct api_intake *in, const struct log_entry *e)
{
    if (!in->follow_repeats || repeat_is_settled(&in->repeat, e) ||
        !proof_reads_live(&in->proof, &in->cursor)) {
        return false;
    }
    repeat_settled(&in->repeat, e->stream, e->time_ns);
    return true;
}

/* Likewise a piece of a line that is still being joined. Its text may be the same by chance, so it is not
 * passed over: a new stream reads the files, and another one where the first came before all of the line was surely in
 * them, for that may repeat pieces, too. Newer Engines repeat pieces in rare moments only, and a check at the line's end
 * counts them. */
static bool is_repeated_piece(struct api_intake *in, const struct log_entry *e)
{
    if (!(in->follow_repeats || in->proof.wanted) || !(e->more || in->more[e->stream])) {
        return false;
    }
    struct line_pieces *p = &in->pieces[e->stream];
    uint64_t hash = XXH3_64bits(e->text.ptr, e->text.len);
    bool same_line = in->more[e->stream] && e->time_ns == last_time(in, e->stream);
    bool read_live = cursor_newest(&in->cursor) >= in->proof.opened_ns;
    p->count = same_line ? p->count : 0;
    bool twice = false;
    for (unsigned i = 0; i < p->count && i < INTAKE_PIECES; i++) {
        twice |= p->hash[i] == hash;
    }
    in->proof.piece_twice[e->stream] |= twice;
    bool of_files = !read_live && proof_is_of_files(&in->proof, e);
    if (twice && in->follow_repeats && !of_files && e->time_ns <= engine_clock(in->engine)) {
        return true; /* of a time to come, it was written before the clock was set back */
    }
    p->hash[p->count++ % INTAKE_PIECES] = hash;
    return false;
}

/* The last entry taken did not come: files were deleted in between. A line that is taken anew is older than that one. */
static bool is_gap(const struct api_intake *in, const struct log_entry *e)
{
    int64_t newest = cursor_newest(&in->cursor);
    return (!in->reached && e->time_ns > newest) ||
           (cursor_misses(&in->cursor, e->stream, e->time_ns) && last_time(in, e->stream) == newest);
}

static enum intake_result take(struct api_intake *in, const struct log_entry *e)
{
    union source_offset offset;
    bool gap = is_gap(in, e);
    bool ends = in->more[e->stream] && !in->own_times && e->time_ns != last_time(in, e->stream);
    in->reached = true;
    proof_follows(&in->proof, &in->cursor, e);
    cursor_take(&in->cursor, e->stream, e->time_ns, &offset);
    if (ends) {
        end_line(in, e->stream);
    }
    proof_taken(&in->proof, e);
    in->fresh = true;
    in->more[e->stream] = e->more;
    put(in, e, &offset);
    mark(in);
    return gap ? INTAKE_TAKEN_AFTER_GAP : INTAKE_TAKEN;
}

enum intake_result intake_entry(struct api_intake *in, const struct log_entry *e)
{
    union source_offset offset = {.api = in->cursor.stream[e->stream].last};
    if (!pipeline_room(in->pipeline)) {
        return INTAKE_NO_ROOM;
    }
    if (e->malformed) {
        put(in, e, &offset);
        return INTAKE_TAKEN;
    }
    if (is_of_before(in, e) || is_repeated(in, e)) {
        return INTAKE_PASSED;
    }
    bool passes = cursor_passes(&in->cursor, e->stream, e->time_ns);
    in->reached |= passes;
    /* Before what was taken on credit: that it comes does not tell that nothing before it was left out. */
    if (intake_was_misled(in)) {
        return INTAKE_REOPEN;
    }
    if (passes || proof_passes(&in->proof, e)) {
        in->reached = true;
        cursor_take(&in->cursor, e->stream, e->time_ns, &offset);
        return INTAKE_PASSED;
    }
    const struct api_pos *last = &in->cursor.stream[e->stream].last;
    bool old = e->time_ns <= last->time_ns && last->lines > 0 && !in->more[e->stream];
    bool early = cursor_misses(&in->cursor, e->stream, e->time_ns);
    if (early && in->last[e->stream] == LAST_AHEAD) {
        return INTAKE_PASSED;
    }
    if (old && !early && is_early_repeat(in, e)) {
        return INTAKE_REOPEN;
    }
    if (!in->follow_repeats && !early && repeat_suspects(&in->repeat, &in->proof, &in->cursor, in->more, e)) {
        in->doubted = repeat_question(e);
        return INTAKE_DOUBT;
    }
    if (proof_doubts(&in->proof, &in->cursor, in->more, e)) {
        in->doubted = held_entry(&in->cursor, in->more, e);
        return INTAKE_DOUBT;
    }
    if (is_repeated_piece(in, e)) {
        return INTAKE_REOPEN;
    }
    if (early && in->last[e->stream] == LAST_UNKNOWN) {
        in->doubted = (struct held_entry){.returned = true,
                                          .awaited = cursor_awaits(&in->cursor, e->stream),
                                          .stream = e->stream,
                                          .time_ns = e->time_ns};
        return INTAKE_DOUBT;
    }
    return take(in, e);
}

/* -- ends -------------------------------------------------------------------------------------- */

bool intake_is_unfinished(const struct api_intake *in)
{
    return in->more[STREAM_STDOUT] || in->more[STREAM_STDERR];
}

bool intake_end_lines(struct api_intake *in)
{
    for (int s = 0; s < STREAM_COUNT; s++) {
        if (!in->more[s]) {
            continue;
        }
        if (!pipeline_room(in->pipeline)) {
            return false;
        }
        end_line(in, (enum stream)s);
        mark(in);
    }
    return true;
}

bool intake_forget(struct api_intake *in)
{
    if (!pipeline_room(in->pipeline)) {
        return false;
    }
    feed_flush(in->feed);
    feed_mark(in->feed, &(struct position){.kind = POSITION_NONE});
    return true;
}
