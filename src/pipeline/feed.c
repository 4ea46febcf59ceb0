/* A feed holds what each stage keeps of one sequence of lines. Each part knows its stage and the part behind
 * it. */
#include "pipeline/feed.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/fetch.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "stages.h"

#define NOT_PARSED INT64_MIN

struct feed {
    struct joiner_feed joiner;
    struct shaper_feed shaper;
    struct batcher_feed batcher; /* key and tags are in it */
    uint64_t lag;
    uint64_t lines; /* put */
    uint32_t newest_len;
    char newest[CLOCK_TEXT_MAX]; /* see feed_newest */
    int64_t newest_ns;           /* that, parsed; NOT_PARSED: not yet */
    struct status_entry status;
    struct status_rate rate;
    bool (*describe)(void *arg, struct status_log *log); /* NULL: nobody adds to it */
    void *describe_arg;
};

/* For /status. */
static bool describe(void *owner, struct status_log *log)
{
    struct feed *feed = owner;
    const struct tags *tags = feed->batcher.tags;
    const char *fault = tags_chosen(tags)->hint_fault;
    *log = (struct status_log){.service = tags->service,
                               .project = tags->project,
                               .container = tags->container,
                               .id = tags->id,
                               .last_ns = feed_newest(feed),
                               .lines = feed->lines,
                               .rate = status_rate(&feed->rate, feed->lines),
                               .problem = fault ? fault : shaper_problem(&feed->shaper, tags)};
    bool told = !feed->describe || feed->describe(feed->describe_arg, log);
    int64_t behind = log->lag_bytes > 0 && log->last_ns > 0 ? clock_now() - log->last_ns : 0;
    log->lag_ns = behind > 0 ? behind : 0;
    return told;
}

struct feed *feed_new(struct stages *stages, const char *key, struct tags *tags, struct feed_calls calls)
{
    struct feed *feed = calloc(1, sizeof(*feed));
    struct feed_key *copy = feed_key_new(key);
    if (!feed || !copy) {
        die_out_of_memory();
    }
    feed->batcher = (struct batcher_feed){.stage = &stages->batcher, .key = copy, .tags = tags_ref(tags)};
    batcher_tagged(&feed->batcher);
    shaper_open(&stages->shaper, &feed->shaper, (struct shaper_released){calls.released, calls.arg},
                &feed->batcher);
    shaper_choose(&feed->shaper, tags);
    joiner_open(&stages->joiner, &feed->joiner, &feed->shaper);
    feed->status = (struct status_entry){.describe = describe, .owner = feed};
    feed->rate.since_ns = clock_monotonic();
    status_enter(&feed->status);
    metrics.feeds++;
    return feed;
}

void feed_retag(struct feed *feed, struct tags *tags)
{
    struct tags *old = feed->batcher.tags;
    shaper_choose(&feed->shaper, tags); /* what it holds goes on under the old tags */
    feed->batcher.tags = tags_ref(tags);
    batcher_tagged(&feed->batcher);
    old->stats->lag_bytes -= feed->lag;
    tags->stats->lag_bytes += feed->lag;
    feed->batcher.mark_seq = 0; /* what comes now needs a mark of its own, with the new tags */
    tags_unref(old);
}

void feed_describe_by(struct feed *feed, bool (*describe)(void *arg, struct status_log *log), void *arg)
{
    feed->describe = describe;
    feed->describe_arg = arg;
}

const char *feed_key(const struct feed *feed)
{
    return feed->batcher.key->text;
}

void feed_set_lag(struct feed *feed, uint64_t bytes)
{
    metrics.lag_bytes += bytes - feed->lag;
    feed->batcher.tags->stats->lag_bytes += bytes - feed->lag;
    feed->lag = bytes;
}

#define TO_SECONDS 19 /* bytes of RFC 3339 */

/* Both in UTC: > 0 when `a` is later than `b`, or the same; < 0 when it is earlier within a second; 0: parse
 * them. A fraction that goes on where the other one ends is later. */
static int order_of(struct slice a, struct slice b)
{
    size_t shorter = (a.len < b.len ? a.len : b.len) - 1;
    if (a.ptr[a.len - 1] != 'Z' || b.ptr[b.len - 1] != 'Z') {
        return 0;
    }
    int order = memcmp(a.ptr, b.ptr, shorter);
    if (order > 0 || (order == 0 && a.len >= b.len)) {
        return 1;
    }
    return memcmp(a.ptr, b.ptr, TO_SECONDS) == 0 ? -1 : 0;
}

/* See clock_newest. Mostly it shows without parsing. */
static bool is_newest(struct feed *feed, struct slice time)
{
    struct slice before = slice_of(feed->newest, feed->newest_len);
    int order = before.len > 0 ? order_of(time, before) : 1;
    if (order != 0) {
        return order > 0;
    }
    int64_t ns, newest = feed_newest(feed);
    return newest == 0 || (clock_parse(time, &ns) == 0 && clock_newest(newest, ns) == ns);
}

/* Keeps the time of a line just put. That is cheap; parsing it waits for tell_time, which tells the
 * metrics. */
static void note_time(struct feed *feed, struct slice time)
{
    if (time.len >= TO_SECONDS && time.len < sizeof(feed->newest) && is_newest(feed, time)) {
        feed->newest_len = (uint32_t)time.len;
        memcpy(feed->newest, time.ptr, time.len);
        feed->newest_ns = NOT_PARSED;
    }
}

int64_t feed_newest(struct feed *feed)
{
    if (feed->newest_ns == NOT_PARSED &&
        clock_parse(slice_of(feed->newest, feed->newest_len), &feed->newest_ns) < 0) {
        feed->newest_ns = 0;
    }
    return feed->newest_ns;
}

void feed_fetch_soon(const struct feed *feed)
{
    fetch_soon(feed, sizeof(*feed));
}

static void tell_time(struct feed *feed)
{
    int64_t ns = feed_newest(feed);
    struct stats *stats = feed->batcher.tags->stats;
    stats->newest_ns = ns > stats->newest_ns ? ns : stats->newest_ns;
}

unsigned feed_put(struct feed *feed, struct record *rec)
{
    struct stats *stats = feed->batcher.tags->stats;
    stats->lines_in[rec->stream]++;
    feed->lines++;
    stats->bytes_in[rec->stream] += rec->text.len;
    metrics.malformed_lines += rec->malformed;
    note_time(feed, rec->time);
    return joiner_put(&feed->joiner, rec);
}

void feed_drop_part(struct feed *feed, enum stream stream)
{
    joiner_drop(&feed->joiner, stream);
}

void feed_mark(struct feed *feed, const struct position *pos)
{
    tell_time(feed);
    batcher_mark(&feed->batcher, pos);
}

void feed_flush(struct feed *feed)
{
    joiner_flush(&feed->joiner);
    shaper_flush(&feed->shaper);
}

void feed_close(struct feed *feed)
{
    joiner_close(&feed->joiner);
    shaper_close(&feed->shaper);
    feed_set_lag(feed, 0);
    metrics.feeds--;
    status_leave(&feed->status);
    tags_unref(feed->batcher.tags);
    feed_key_unref(feed->batcher.key);
    free(feed);
}
