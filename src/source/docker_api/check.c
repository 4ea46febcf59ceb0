#include "source/docker_api/check.h"

#include <string.h>

/* Entries that are asked for at first, and at most; each time it is CHECK_FACTOR times as many. */
#define CHECK_FEW    64
#define CHECK_PIECES 24 /* at first, beside those of the line */
#define CHECK_FACTOR 16
/* Seconds that an answer may take: asked again, an Engine has twice as long. One from 23.0 on that is asked in the moment
 * of a rotation looks for lines behind the end of a file, and never comes back (moby pkg/tailfile, Scan). */
#define CHECK_PATIENCE      2
#define CHECK_PATIENCE_MOST 16
/* The same where the Engine reads the whole file, which may be of a GB and more. */
#define CHECK_PATIENCE_READ 60
#define CHECK_MOST          (CHECK_FEW * CHECK_FACTOR * CHECK_FACTOR)
/* Where they may be pieces, of 16 KiB. */
#define CHECK_MOST_LONG (CHECK_PIECES * CHECK_FACTOR)

struct held_entry held_entry(const struct api_cursor *cursor, const bool *more, const struct log_entry *e)
{
    return (struct held_entry){
        .piece = more[e->stream] && cursor->stream[e->stream].last.time_ns == e->time_ns,
        .whole = !e->more,
        .stream = e->stream,
        .time_ns = e->time_ns,
    };
}

/* -- entries ----------------------------------------------------------------------------------- */

/* Where the comparison begins: at what was taken last, or at the last proof where something was taken on credit. */
static const struct api_pos *base_of(const struct api_check *c, enum stream stream)
{
    return c->owed ? &c->proof->proven[stream] : &c->cursor->stream[stream].last;
}

/* Does what was taken of the stream end inside a line? */
static bool is_unfinished(const struct api_check *c, int s)
{
    return c->more[s] && !c->owed;
}

/* Was this entry, which stands somewhere in the log, taken? */
static bool was_taken(struct api_check *c, const struct log_entry *e)
{
    const struct api_pos *base = base_of(c, e->stream);
    if (e->time_ns == base->time_ns && c->same[e->stream]++ < base->lines) {
        if (is_unfinished(c, e->stream)) {
            c->began = true; /* it may be any piece: what is read may begin inside the line */
            return true;
        }
        c->behind[e->stream] = false; /* a clock that was set back gave later times to what stands before */
        c->behind[!e->stream] &= base_of(c, !e->stream)->time_ns + CURSOR_SLACK_NS > base->time_ns;
        c->reached = true;
        return true;
    }
    if (e->time_ns < base->time_ns) {
        c->reached = true;
        return true;
    }
    return proof_match(c->unmatched, &c->unmatched_count, e);
}

static void compare_line(struct api_check *c, const struct log_entry *e)
{
    bool is_held = e->stream == c->held.stream && e->time_ns == c->held.time_ns;
    if (c->over) {
        c->behind[e->stream] |= is_held && c->held.whole && c->is_piece;
        return;
    }
    bool taken = was_taken(c, e);
    if (taken || c->held.time_ns == 0) {
        c->behind[e->stream] |= !taken;
        return;
    }
    c->over = is_held;
    c->is_piece = e->more;
    c->behind[e->stream] |= e->time_ns < c->held.time_ns;
}

/* The pieces of a line bear one time. The stream brings them in order, so it brought all if it brought as many. */
static void compare_piece(struct api_check *c, const struct log_entry *e)
{
    const struct api_pos *last = &c->cursor->stream[c->held.stream].last;
    uint32_t *same = &c->same[c->held.stream];
    if (e->stream != c->held.stream || e->time_ns != last->time_ns) {
        c->reached |= *same == 0;
        return;
    }
    if (++*same == last->lines + 1) {
        c->over = true;
        c->is_piece = e->more;
    }
    c->behind[c->held.stream] |= *same > last->lines + 1;
}

static void find_last(struct api_check *c, const struct log_entry *e)
{
    const struct api_pos *last = &c->cursor->stream[c->held.awaited].last;
    if (c->held.again && c->held.time_ns == last->time_ns) {
        bool is_one = e->stream == c->held.stream && e->time_ns == last->time_ns;
        c->reached = true;
        c->behind[c->held.stream] |= is_one && ++c->same[e->stream] > last->lines;
        return;
    }
    if (e->stream == c->held.awaited && e->time_ns == last->time_ns) {
        c->reached = true;
        c->behind[e->stream] = false;
    } else if (e->stream == c->held.stream && e->time_ns == c->held.time_ns) {
        c->reached = false;
        c->behind[e->stream] = c->held.again; /* and no need to read further back */
    }
}

/* -- requests ---------------------------------------------------------------------------------- */

static int ask(struct api_check *c);

/* Was nothing taken so far, and the cursor only says from when on entries are? */
static bool is_at_start(const struct api_check *c)
{
    for (int s = 0; s < STREAM_COUNT; s++) {
        if (base_of(c, (enum stream)s)->lines > 0) {
            return false;
        }
    }
    return true;
}

/* Does what was read go back far enough? */
static bool goes_back(const struct api_check *c)
{
    bool whole = c->options.tail < 0 || c->entries < c->options.tail; /* no more, or none of that time */
    if (c->held.piece && c->options.tail < 0 && c->options.since_ns > 0) {
        return c->over; /* nothing of before the line was asked for */
    }
    if (c->held.piece) {
        /* Of a line whose beginning was rotated away, it cannot be told how many pieces there were. */
        return (whole && !c->reached) || (c->over && c->reached);
    }
    if (c->held.returned) {
        return c->reached;
    }
    return c->reached || (whole && (c->began || is_at_start(c)));
}

/* Was nothing taken since it began? */
static bool is_current(const struct api_check *c)
{
    return c->proof->entries == c->entries_before;
}

/* Of fewer entries than were asked for, `since` may have taken some away; else they are all. */
static bool may_ask_for_more(const struct api_check *c)
{
    if (c->options.tail < 0) {
        return c->held.piece && c->options.since_ns > 0;
    }
    bool all = c->options.since_ns == 0 && c->entries < c->options.tail;
    return c->held.time_ns > 0 && !all && c->options.tail < (c->held.piece ? CHECK_MOST_LONG : CHECK_MOST);
}

static int ask_for_more(struct api_check *c)
{
    if (c->options.tail < 0) {
        c->options.since_ns = 0;
    } else {
        c->options.tail *= CHECK_FACTOR;
    }
    return ask(c);
}

static void conclude(struct api_check *c, enum log_end end)
{
    bool behind = c->behind[STREAM_STDOUT] || c->behind[STREAM_STDERR];
    bool unknown = c->strict && !goes_back(c);
    bool inside = c->began && c->held.time_ns == 0; /* a line, whose next pieces bear the time of these */
    c->proves = end == LOG_END_WHOLE && !behind && goes_back(c) && !inside && is_current(c);
    if (end == LOG_END_BROKEN) {
        c->done(c->arg, CHECK_FAILED);
    } else if (end != LOG_END_WHOLE) {
        /* Its container is being removed: there is no more than the stream brings. */
        c->done(c->arg, c->held.returned ? CHECK_BEHIND : CHECK_LEVEL);
    } else if (unknown && !behind && may_ask_for_more(c)) {
        if (ask_for_more(c) < 0) {
            c->done(c->arg, CHECK_FAILED);
        }
    } else {
        c->done(c->arg, behind || unknown ? CHECK_BEHIND : CHECK_LEVEL);
    }
}

/* The answer may go on for long behind the entry that is held. Of a whole line it may be that its end is still to come,
 * for the piece that came is not the one that is held. */
static bool has_enough(const struct api_check *c)
{
    bool whole = c->over && !(c->is_piece && c->held.whole);
    return (c->options.tail < 0 || c->reached) && whole && c->next.count == PROOF_NEXT;
}

/* Does the answer begin behind the entry that is held? So it does where its stream was faster than CHECK_FEW allows for.
 * The times of a stream grow, but where the clock was set back: the last answer is read to its end. */
static bool begins_too_late(const struct api_check *c, const struct log_entry *e)
{
    bool line = !c->held.piece && !c->held.returned && c->held.time_ns > 0;
    bool before = line && !c->over && !c->reached && !c->began;
    return before && c->options.tail > 0 && e->stream == c->held.stream && e->time_ns > c->held.time_ns &&
           may_ask_for_more(c);
}

static bool on_entry(void *arg, const struct log_entry *e)
{
    struct api_check *c = arg;
    c->entries++;
    if (e->malformed) {
        return true;
    }
    if (begins_too_late(c, e)) {
        api_check_stop(c);
        if (ask_for_more(c) < 0) {
            c->done(c->arg, CHECK_FAILED);
        }
        return false;
    }
    if (c->held.returned) {
        find_last(c, e);
        return true;
    }
    if (c->held.piece) {
        compare_piece(c, e);
    } else {
        compare_line(c, e);
    }
    if (c->over) {
        proof_note_next(&c->next, e);
    }
    if (has_enough(c)) {
        api_check_stop(c);
        conclude(c, LOG_END_WHOLE);
        return false;
    }
    return true;
}

static void on_end(void *arg, enum log_end end, const struct error *err)
{
    struct api_check *c = arg;
    (void)err;
    c->stream = NULL;
    conclude(c, end);
}

static int ask(struct api_check *c)
{
    struct log_calls calls = {.entry = on_entry, .end = on_end, .arg = c};
    c->reached = c->began = c->over = false;
    c->behind[STREAM_STDOUT] = c->behind[STREAM_STDERR] = false;
    c->entries = 0;
    c->ticks = 0;
    memset(c->same, 0, sizeof(c->same));
    c->next.count = 0;
    c->unmatched_count = c->owed ? c->proof->count : 0;
    memcpy(c->unmatched, c->proof->taken, c->unmatched_count * sizeof(*c->unmatched));
    c->stream = log_stream_open(c->engine, c->id, &c->options, &calls);
    return c->stream ? 0 : -1;
}

/* From the newest entry on that was taken. Where all is asked for, the other stream's last one is to come as well: it shows
 * that later times before it are of a clock that was set back since. */
static int64_t since_taken(const struct api_check *c)
{
    int64_t newest = 0, oldest = INT64_MAX, line = INT64_MAX;
    for (int s = 0; s < STREAM_COUNT; s++) {
        int64_t at = base_of(c, (enum stream)s)->time_ns;
        newest = at > newest ? at : newest;
        oldest = at > 0 && at < oldest ? at : oldest;
        line = is_unfinished(c, s) && at < line ? at : line; /* its other pieces bear that time too */
    }
    if (c->options.tail < 0 && newest > 0) {
        newest = oldest > newest - CURSOR_SLACK_NS ? oldest : newest - CURSOR_SLACK_NS;
    }
    return line < newest ? line : newest;
}

/* No earlier than needed: an Engine before 23.0 that unpacks rotated files for two readers at once may give one of them
 * what the other asked for. */
static int64_t since(const struct api_check *c)
{
    if (c->held.returned) {
        int64_t last = c->cursor->stream[c->held.awaited].last.time_ns;
        return c->held.again && c->held.time_ns < last ? c->held.time_ns : last;
    }
    if (c->held.piece) {
        /* All pieces of the line bear its time. 0: the last entries are enough. */
        return c->options.tail < 0 ? c->held.time_ns : 0;
    }
    if (c->options.tail < 0 && c->proof->since_skips && is_at_start(c) && c->held.time_ns > 0) {
        /* Else nothing would tell that what is asked for was left out. The very last entry is in the file that is written, and
           never left out. */
        return 0;
    }
    return since_taken(c);
}

/* How many entries to ask for at first. */
static int64_t few(const struct api_check *c)
{
    if (c->held.piece) {
        return c->cursor->stream[c->held.stream].last.lines + CHECK_PIECES;
    }
    if (c->owed) {
        return c->proof->count + CHECK_FEW;
    }
    return c->held.time_ns > 0 ? CHECK_FEW : 1;
}

int api_check_start(struct api_check *c, struct engine *e, const char *id, const struct log_options *options)
{
    api_check_stop(c);
    c->engine = e;
    strcpy(c->id, id);
    c->entries_before = c->proof->entries;
    c->owed = c->proof->owed;
    c->patience = c->proof->tail_harms ? CHECK_PATIENCE_READ : CHECK_PATIENCE;
    c->options = *options;
    c->options.tail = c->proof->tail_harms ? -1 : few(c);
    c->options.since_ns = since(c);
    return ask(c);
}

bool api_check_tick(struct api_check *c)
{
    if (c->stream && ++c->ticks > c->patience) {
        api_check_stop(c);
        c->patience *= 2;
        if (c->patience > CHECK_PATIENCE_MOST || ask(c) < 0) {
            c->done(c->arg, CHECK_FAILED);
        }
    }
    return c->stream != NULL;
}

void api_check_stop(struct api_check *c)
{
    log_stream_close(c->stream);
    c->stream = NULL;
}
