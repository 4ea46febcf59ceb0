#include "feeds.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "merge.h"
#include "printer.h"
#include "say.h"

struct tail_feed {
    struct tail_feeds *all;
    LIST_ENTRY(tail_feed) link;
    struct tags *tags;
    struct lane *lane;
    struct buf join[STREAM_COUNT]; /* a line whose rest has not come yet */
    int64_t join_ns[STREAM_COUNT]; /* its time */
    struct tail_filter_state filter[STREAM_COUNT];
    bool waiting; /* the source was told to wait */
    bool closed;  /* by the source: freed once its lane is empty */
    void (*resume)(void *arg);
    void *arg;
};

struct tail_feeds {
    struct tail_filter *filter;
    struct merge *merge;
    struct printer *printer;
    struct feeds_calls calls;
    LIST_HEAD(feed_list, tail_feed) list;
    size_t count; /* opened so far */
    int64_t line_max;
    bool finishing;
};

/* -- printing ---------------------------------------------------------------------------------- */

static void print(struct tail_feed *feed, const struct tail_line *line)
{
    if (printer_line(feed->all->printer, feed->tags, line) < 0) {
        tail_out_of_memory();
    }
}

static void feed_free(struct tail_feed *feed)
{
    LIST_REMOVE(feed, link);
    lane_close(feed->lane);
    tags_unref(feed->tags);
    for (int s = 0; s < STREAM_COUNT; s++) {
        buf_free(&feed->join[s]);
    }
    free(feed);
}

/* Prints what may leave now, as far as the screen takes it. */
static void print_merged(struct tail_feeds *fs)
{
    struct tail_line line;
    struct tail_feed *feed;
    while (!printer_full(fs->printer) && (feed = merge_next(fs->merge, &line))) {
        print(feed, &line);
        if (feed->waiting && lane_low(feed->lane)) {
            feed->waiting = false;
            feed->resume(feed->arg);
        }
        if (feed->closed && lane_empty(feed->lane)) {
            feed_free(feed);
        }
    }
    if (fs->finishing && merge_empty(fs->merge) && printer_empty(fs->printer)) {
        fs->calls.written(fs->calls.arg);
    }
}

static void on_room(void *arg)
{
    print_merged(arg);
}

static void on_closed(void *arg, const struct error *err)
{
    struct tail_feeds *fs = arg;
    fs->calls.closed(fs->calls.arg, err);
}

/* -- all of them ------------------------------------------------------------------------------- */

struct tail_feeds *tail_feeds_new(struct event_base *base, const struct tail_options *o,
                                  const struct config *cfg, struct tail_filter *filter,
                                  const struct feeds_calls *calls, struct error *err)
{
    struct tail_feeds *fs = calloc(1, sizeof(*fs));
    if (!fs || !(fs->merge = merge_new())) {
        tail_out_of_memory();
    }
    merge_hold(fs->merge, true);
    fs->filter = filter;
    fs->calls = *calls;
    fs->line_max = cfg->line_max;
    struct screen_calls screen = {.room = on_room, .drained = on_room, .closed = on_closed, .arg = fs};
    fs->printer = printer_new(base, o, cfg, &screen, err);
    if (!fs->printer) {
        tail_feeds_free(fs);
        return NULL;
    }
    return fs;
}

void tail_feeds_free(struct tail_feeds *fs)
{
    if (!fs) {
        return;
    }
    for (struct tail_feed *feed; (feed = LIST_FIRST(&fs->list));) {
        feed_free(feed);
    }
    printer_free(fs->printer);
    merge_free(fs->merge);
    free(fs);
}

size_t tail_feeds_count(const struct tail_feeds *fs)
{
    return fs->count;
}

void tail_feeds_begin(struct tail_feeds *fs)
{
    merge_hold(fs->merge, false);
    print_merged(fs);
}

void tail_feeds_finish(struct tail_feeds *fs)
{
    fs->finishing = true;
    print_merged(fs);
}

/* -- one of them ------------------------------------------------------------------------------- */

struct tail_feed *tail_feed_open(struct tail_feeds *fs, struct tags *tags, void (*resume)(void *arg),
                                 void *arg)
{
    struct tail_feed *feed = calloc(1, sizeof(*feed));
    if (!feed || !(feed->lane = lane_open(fs->merge, feed)) || printer_expect(fs->printer, tags) < 0) {
        tail_out_of_memory();
    }
    feed->all = fs;
    feed->tags = tags_ref(tags);
    feed->resume = resume;
    feed->arg = arg;
    LIST_INSERT_HEAD(&fs->list, feed, link);
    fs->count++;
    return feed;
}

void tail_feed_retag(struct tail_feed *feed, struct tags *tags)
{
    tags_ref(tags);
    tags_unref(feed->tags);
    feed->tags = tags;
}

void tail_feed_present(struct tail_feed *feed)
{
    lane_present(feed->lane);
    print_merged(feed->all);
}

static void hand_on(struct tail_feed *feed, const struct tail_line *line)
{
    struct tail_feeds *fs = feed->all;
    if (lane_passes(feed->lane) && !printer_full(fs->printer)) {
        print(feed, line);
        return;
    }
    if (lane_put(feed->lane, line) < 0) {
        tail_out_of_memory();
    }
    print_merged(fs);
}

static void hand_on_text(struct tail_feed *feed, enum stream stream, int64_t time_ns, struct slice text,
                         bool partial)
{
    struct tail_feeds *fs = feed->all;
    if (tail_filter_line(fs->filter, &feed->filter[stream], stream, text)) {
        hand_on(
            feed,
            &(struct tail_line){
                .time_ns = time_ns, .stream = stream, .text = text, .partial = partial, .kind = TAIL_LINE});
    }
}

static void end_join(struct tail_feed *feed, enum stream stream, bool partial)
{
    struct buf *join = &feed->join[stream];
    hand_on_text(feed, stream, feed->join_ns[stream], slice_of(join->data, join->len), partial);
    join->len = 0;
}

void tail_feed_drop_part(struct tail_feed *feed, enum stream stream)
{
    feed->join[stream].len = 0;
}

bool tail_feed_put(struct tail_feed *feed, enum stream stream, int64_t time_ns, struct slice text, bool more)
{
    struct buf *join = &feed->join[stream];
    if (lane_full(feed->lane)) {
        feed->waiting = true;
        return false;
    }
    if (!more && join->len == 0) {
        hand_on_text(feed, stream, time_ns, text, false);
        return true;
    }
    if (join->len == 0) {
        feed->join_ns[stream] = time_ns;
    }
    if (buf_add(join, text.ptr, text.len) < 0) {
        tail_out_of_memory();
    }
    if (!more) {
        end_join(feed, stream, false);
    } else if ((int64_t)join->len >= feed->all->line_max) {
        end_join(feed, stream, true);
    }
    return true;
}

void tail_feed_end_parts(struct tail_feed *feed)
{
    for (int s = 0; s < STREAM_COUNT; s++) {
        if (feed->join[s].len > 0) {
            end_join(feed, (enum stream)s, false);
        }
    }
}

void tail_feed_notice(struct tail_feed *feed, enum tail_line_kind kind, int64_t time_ns, const char *text)
{
    tail_feed_end_parts(feed);
    hand_on(feed, &(struct tail_line){.time_ns = time_ns, .text = slice_str(text), .kind = kind});
}

void tail_feed_close(struct tail_feed *feed)
{
    struct tail_feeds *fs = feed->all;
    lane_present(feed->lane);
    feed->closed = true;
    feed->waiting = false;
    if (lane_empty(feed->lane)) {
        feed_free(feed);
    }
    print_merged(fs);
}
