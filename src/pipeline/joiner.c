#include "joiner.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/metrics.h"
#include "base/text.h"
#include "base/utf8.h"

/* Room that a finished line leaves for whichever is begun next; long lines are rare. */
#define ROOM_KEEP 65536

/* -- lines that are too long ------------------------------------------------------------------- */

/* Pieces, all but the last marked partial. */
unsigned joiner_put_long(struct joiner_feed *f, const struct record *rec)
{
    struct slice raw = rec->text;
    struct buf unescaped = {0};
    if (rec->escaped) {
        if (text_unescape(&unescaped, rec->text) < 0) {
            die_out_of_memory();
        }
        raw = slice_of(unescaped.data, unescaped.len);
    }
    struct record piece = *rec;
    piece.escaped = false;
    size_t max = (size_t)f->stage->cfg->line_max;
    while (raw.len > max) {
        size_t len = utf8_cut(raw.ptr, max);
        piece.text = slice_of(raw.ptr, len);
        piece.partial = true;
        metrics.cut_lines++;
        shaper_put(f->next, &piece);
        raw = slice_of(raw.ptr + len, raw.len - len);
    }
    piece.text = raw;
    piece.partial = rec->partial;
    unsigned result = shaper_put(f->next, &piece);
    buf_free(&unescaped);
    return result;
}

/* A whole line, or the end of one. */
static unsigned put_line(struct joiner_feed *f, const struct record *rec)
{
    return rec->text.len > (size_t)f->stage->cfg->line_max ? joiner_put_long(f, rec)
                                                           : shaper_put(f->next, rec);
}

/* -- unfinished lines -------------------------------------------------------------------------- */

static void join_end(struct joiner *j, struct join *join)
{
    j->held -= join->text.len;
    join->active = false;
    join->text.len = 0;
    if (!j->room.cap && join->text.cap <= ROOM_KEEP) {
        j->room = join->text;
        join->text = (struct buf){0};
    }
    buf_free(&join->text);
}

/* The joined text as a record; it stays valid until the join is touched again. */
static struct record joined(struct join *join, enum stream stream)
{
    return (struct record){
        .text = slice_of(join->text.data, join->text.len),
        .time = slice_of(join->time, join->time_len),
        .stream = stream,
        .escaped = join->escaped,
    };
}

static void join_begin(struct joiner *j, struct join *join, const struct record *rec)
{
    join->active = true;
    join->length = 0;
    join->text = j->room;
    j->room = (struct buf){0};
    join->escaped = rec->escaped;
    join->time_len = rec->time.len < sizeof(join->time) ? rec->time.len : 0;
    if (join->time_len > 0) {
        memcpy(join->time, rec->time.ptr, join->time_len);
    }
}

static size_t text_length(const struct record *rec)
{
    return rec->escaped ? text_unescaped_length(rec->text) : rec->text.len;
}

static void join_append(struct joiner *j, struct join *join, const struct record *rec, size_t length)
{
    size_t before = join->text.len;
    int failed;
    if (join->escaped == rec->escaped) {
        failed = buf_add_slice(&join->text, rec->text);
    } else if (join->escaped) {
        failed = text_escape(&join->text, rec->text);
    } else {
        failed = text_unescape(&join->text, rec->text);
    }
    if (failed) {
        die_out_of_memory();
    }
    join->length += length;
    j->held += join->text.len - before;
}

/* Is there room for it in what all unfinished lines may hold? */
static bool may_hold(const struct joiner *j, const struct record *rec)
{
    return j->held + rec->text.len <= j->held_max;
}

/* What is not of the format is no part of the line before it, either. */
static bool is_another(const struct record *rec)
{
    return rec->begins || rec->malformed;
}

/* Can it be added to what came of its line? */
static bool goes_on(const struct joiner *j, const struct join *join, const struct record *rec, size_t length)
{
    return !is_another(rec) && join->length + length <= (size_t)j->cfg->line_max && may_hold(j, rec);
}

static struct join *joins_of(struct joiner_feed *f)
{
    if (!f->joins && !(f->joins = calloc(STREAM_COUNT, sizeof(*f->joins)))) {
        die_out_of_memory();
    }
    return f->joins;
}

unsigned joiner_put_part(struct joiner_feed *f, struct record *rec)
{
    struct joiner *j = f->stage;
    struct join *join = joins_of(f) + rec->stream;
    unsigned cut = 0;
    size_t length = text_length(rec);
    if (join->active && !goes_on(j, join, rec, length)) {
        struct record piece = joined(join, rec->stream);
        piece.partial = !is_another(rec);
        metrics.cut_lines += piece.partial;
        put_line(f, &piece);
        join_end(j, join);
        cut = PUT_CUT;
    }
    if (!join->active && (!rec->more || !may_hold(j, rec))) {
        rec->partial |= rec->more;
        metrics.cut_lines += rec->more;
        return cut | put_line(f, rec);
    }
    if (!join->active) {
        join_begin(j, join, rec);
    }
    join_append(j, join, rec, length);
    if (rec->more) {
        return cut | PUT_JOINING;
    }
    struct record whole = joined(join, rec->stream);
    unsigned result = put_line(f, &whole);
    join_end(j, join);
    return cut | result;
}

/* -- feeds ------------------------------------------------------------------------------------- */

void joiner_open(struct joiner *j, struct joiner_feed *f, struct shaper_feed *next)
{
    *f = (struct joiner_feed){.stage = j, .next = next};
}

void joiner_flush(struct joiner_feed *f)
{
    for (int s = 0; f->joins && s < STREAM_COUNT; s++) {
        struct join *join = &f->joins[s];
        if (join->active) {
            struct record rest = joined(join, (enum stream)s);
            put_line(f, &rest);
            join_end(f->stage, join);
        }
    }
}

void joiner_drop(struct joiner_feed *f, enum stream stream)
{
    if (f->joins) {
        join_end(f->stage, &f->joins[stream]);
    }
}

void joiner_close(struct joiner_feed *f)
{
    for (int s = 0; s < STREAM_COUNT; s++) {
        joiner_drop(f, (enum stream)s);
    }
    free(f->joins);
    f->joins = NULL;
}

/* -- set-up ------------------------------------------------------------------------------------ */

void joiner_configure(struct joiner *j, const struct config *cfg)
{
    j->cfg = cfg;
    j->held_max = (size_t)cfg->memory_max / 8;
}

void joiner_free(struct joiner *j)
{
    buf_free(&j->room);
}
