#include <stdlib.h>

#include "base/memory.h"
#include "base/metrics.h"
#include "base/text.h"
#include "config/config.h"
#include "internal.h"

/* Room that a finished join leaves for whichever is begun next; long lines are rare. */
#define JOIN_KEEP 65536

struct feed *feed_open(struct pipeline *pl, const char *key, struct tags *tags, struct feed_calls calls)
{
    struct feed *feed = calloc(1, sizeof(*feed));
    struct feed_key *copy = feed_key_new(key);
    if (!feed || !copy) {
        die_out_of_memory();
    }
    feed->pl = pl;
    feed->key = copy;
    feed->tags = tags_ref(tags);
    feed->calls = calls;
    TAILQ_INSERT_TAIL(&pl->feeds, feed, link);
    metrics.feeds++;
    return feed;
}

void feed_retag(struct feed *feed, struct tags *tags)
{
    struct tags *old = feed->tags;
    feed->tags = tags_ref(tags);
    old->stats->lag_bytes -= feed->lag;
    tags->stats->lag_bytes += feed->lag;
    feed->mark_seq = 0; /* what comes now needs a mark of its own, with the new tags */
    tags_unref(old);
}

const char *feed_key(const struct feed *feed)
{
    return feed->key->text;
}

void feed_set_lag(struct feed *feed, uint64_t bytes)
{
    metrics.lag_bytes += bytes - feed->lag;
    feed->tags->stats->lag_bytes += bytes - feed->lag;
    feed->lag = bytes;
}

void feed_tell_time(struct feed *feed)
{
    int64_t ns;
    if (clock_parse(slice_of(feed->newest, feed->newest_len), &ns) == 0 &&
        ns > feed->tags->stats->newest_ns) {
        feed->tags->stats->newest_ns = ns;
    }
}

static void join_drop(struct feed *feed, struct join *join)
{
    struct pipeline *pl = feed->pl;
    pl->join_bytes -= join->text.len;
    join->active = false;
    join->text.len = 0;
    if (!pl->join_room.cap && join->text.cap <= JOIN_KEEP) {
        pl->join_room = join->text;
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

static void join_begin(struct feed *feed, struct join *join, const struct record *rec)
{
    join->active = true;
    join->length = 0;
    join->text = feed->pl->join_room;
    feed->pl->join_room = (struct buf){0};
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

static void join_append(struct feed *feed, struct join *join, const struct record *rec, size_t length)
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
    feed->pl->join_bytes += join->text.len - before;
}

/* Is there room for it in what all joins may hold? */
static bool may_hold(const struct pipeline *pl, const struct record *rec)
{
    return pl->join_bytes + rec->text.len <= pl->join_limit;
}

/* Can it be added to what came of its line? What is not of the format is no part of that line. */
static bool goes_on(const struct pipeline *pl, const struct join *join, const struct record *rec,
                    size_t length)
{
    return !rec->malformed && join->length + length <= (size_t)pl->cfg->line_max && may_hold(pl, rec);
}

unsigned feed_join(struct feed *feed, struct record *rec)
{
    struct pipeline *pl = feed->pl;
    struct join *join = &feed->joins[rec->stream];
    unsigned cut = 0;
    size_t length = join->active || rec->more ? text_length(rec) : 0; /* of no use for a line that is whole */
    if (join->active && !goes_on(pl, join, rec, length)) {
        struct record piece = joined(join, rec->stream);
        piece.partial = !rec->malformed; /* behind which a line of its own comes */
        metrics.cut_lines += piece.partial;
        pipeline_line(pl, feed, &piece);
        join_drop(feed, join);
        cut = PUT_CUT;
    }
    if (!join->active && (!rec->more || !may_hold(pl, rec))) {
        rec->partial |= rec->more;
        metrics.cut_lines += rec->more;
        return cut | pipeline_line(pl, feed, rec);
    }
    if (!join->active) {
        join_begin(feed, join, rec);
    }
    join_append(feed, join, rec, length);
    if (rec->more) {
        return cut | PUT_JOINING;
    }
    struct record whole = joined(join, rec->stream);
    unsigned result = pipeline_line(pl, feed, &whole);
    join_drop(feed, join);
    return cut | result;
}

void feed_flush(struct feed *feed)
{
    for (int s = 0; s < STREAM_COUNT; s++) {
        struct join *join = &feed->joins[s];
        if (join->active) {
            struct record rest = joined(join, (enum stream)s);
            pipeline_line(feed->pl, feed, &rest);
            join_drop(feed, join);
        }
    }
    shaping_flush(feed);
}

void feed_close(struct feed *feed)
{
    for (int s = 0; s < STREAM_COUNT; s++) {
        join_drop(feed, &feed->joins[s]);
    }
    shape_close(feed->shape);
    feed->shape = NULL;
    TAILQ_REMOVE(&feed->pl->feeds, feed, link);
    feed_set_lag(feed, 0);
    metrics.feeds--;
    tags_unref(feed->tags);
    feed_key_unref(feed->key);
    free(feed);
}
