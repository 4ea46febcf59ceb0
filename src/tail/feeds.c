#include "feeds.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "last_lines.h"
#include "merge.h"
#include "printer.h"
#include "say.h"
#include "writer.h"

struct tail_feed {
    struct tail_feeds *all;
    LIST_ENTRY(tail_feed) link;
    struct tail_writer *writer; /* NULL: each line has its own */
    struct lane *lane;
    struct last_lines *last;       /* NULL: what is put goes on to the lane */
    struct buf join[STREAM_COUNT]; /* a line whose rest has not come yet */
    int64_t join_ns[STREAM_COUNT]; /* its time */
    bool waiting;                  /* the source was told to wait */
    bool closed;                   /* by the source: freed once its lane is empty */
    void (*resume)(void *arg);
    void *arg;
};

struct tail_feeds {
    struct tail_filter *filter;
    struct merge *merge;
    struct printer *printer;
    struct feeds_calls calls;
    LIST_HEAD(feed_list, tail_feed) list;
    size_t count, open; /* opened so far; and that are open */
    int64_t line_max, until_ns;
    bool finishing;
    bool refuses; /* somebody was told to wait while all lanes together are full */
};

/* -- printing ---------------------------------------------------------------------------------- */

static struct tail_writer *writer_of(struct tail_feed *feed, const struct tail_line *line)
{
    return line->writer ? line->writer : feed->writer;
}

static void print(struct tail_feed *feed, const struct tail_line *line)
{
    if (printer_line(feed->all->printer, writer_of(feed, line)->tags, line) < 0) {
        tail_out_of_memory();
    }
}

static void feed_free(struct tail_feed *feed)
{
    LIST_REMOVE(feed, link);
    feed->all->open--;
    lane_close(feed->lane);
    last_lines_free(feed->last);
    tail_writer_unref(feed->writer);
    for (int s = 0; s < STREAM_COUNT; s++) {
        buf_free(&feed->join[s]);
    }
    free(feed);
}

/* All lanes together have room again. */
static void resume_all(struct tail_feeds *fs)
{
    fs->refuses = false;
    for (struct tail_feed *feed = LIST_FIRST(&fs->list), *next; feed; feed = next) {
        next = LIST_NEXT(feed, link);
        if (feed->waiting && lane_low(feed->lane)) {
            feed->waiting = false;
            feed->resume(feed->arg);
        }
    }
}

/* Prints what may leave now, as far as the screen takes it. */
static void print_merged(struct tail_feeds *fs)
{
    struct tail_line line;
    struct tail_feed *feed;
    while (!printer_full(fs->printer) && (feed = merge_next(fs->merge, &line))) {
        print(feed, &line);
        tail_writer_unref(line.writer);
        if (feed->waiting && lane_low(feed->lane)) {
            feed->waiting = false;
            feed->resume(feed->arg);
        }
        if (feed->closed && lane_empty(feed->lane)) {
            feed_free(feed);
        }
    }
    if (fs->refuses && !merge_full(fs->merge, INT64_MAX)) {
        resume_all(fs);
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
    fs->until_ns = o->until_ns;
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

size_t tail_feeds_open(const struct tail_feeds *fs)
{
    return fs->open;
}

bool tail_feeds_full(const struct tail_feeds *fs, int64_t time_ns)
{
    return merge_full(fs->merge, time_ns);
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

void tail_feeds_until(struct tail_feeds *fs, int64_t time_ns, int64_t wanted_ns)
{
    merge_until(fs->merge, time_ns);
    print_merged(fs);
    merge_want(fs->merge, printer_full(fs->printer) ? INT64_MIN : wanted_ns);
}

void tail_feeds_finish(struct tail_feeds *fs)
{
    merge_until(fs->merge, INT64_MAX);
    fs->finishing = true;
    print_merged(fs);
}

struct tail_writer *tail_feeds_writer(struct tail_feeds *fs, struct tags *tags)
{
    if (printer_expect(fs->printer, tags) < 0) {
        tail_out_of_memory();
    }
    return tail_writer_new(tags);
}

/* -- one of them ------------------------------------------------------------------------------- */

struct tail_feed *tail_feed_open(struct tail_feeds *fs, struct tags *tags, void (*resume)(void *arg),
                                 void *arg)
{
    struct tail_feed *feed = calloc(1, sizeof(*feed));
    if (!feed || !(feed->lane = lane_open(fs->merge, feed))) {
        tail_out_of_memory();
    }
    feed->all = fs;
    feed->writer = tags ? tail_feeds_writer(fs, tags) : NULL;
    feed->resume = resume;
    feed->arg = arg;
    LIST_INSERT_HEAD(&fs->list, feed, link);
    fs->count++;
    fs->open++;
    return feed;
}

void tail_feed_retag(struct tail_feed *feed, struct tags *tags)
{
    tail_writer_retag(feed->writer, tags);
}

static void hand_on(struct tail_feed *feed, const struct tail_line *line)
{
    struct tail_feeds *fs = feed->all;
    if (lane_passes(feed->lane, line->time_ns) && !printer_full(fs->printer)) {
        print(feed, line);
        return;
    }
    if (lane_put(feed->lane, line) < 0) {
        tail_out_of_memory();
    }
    print_merged(fs);
}

/* Is it shown at all? Notices always are. */
static bool passes_filter(struct tail_feed *feed, const struct tail_line *line)
{
    return line->kind != TAIL_LINE ||
           tail_filter_line(feed->all->filter, &writer_of(feed, line)->filter[line->stream], line->stream,
                            (enum severity)line->level, line->text);
}

static void keep(struct tail_feed *feed, const struct tail_line *line)
{
    size_t share = FEEDS_KEPT_MAX / feed->all->open;
    if (last_lines_put(feed->last, line, share > FEED_KEPT_MIN ? share : FEED_KEPT_MIN) < 0) {
        tail_out_of_memory();
    }
}

static void take(struct tail_feed *feed, const struct tail_line *line)
{
    if (feed->last) {
        keep(feed, line);
    } else if (passes_filter(feed, line)) {
        hand_on(feed, line);
    }
}

static void take_text(struct tail_feed *feed, enum stream stream, int64_t time_ns, struct slice text,
                      bool partial)
{
    take(feed,
         &(struct tail_line){
             .time_ns = time_ns, .stream = stream, .text = text, .partial = partial, .kind = TAIL_LINE});
}

static void end_join(struct tail_feed *feed, enum stream stream, bool partial)
{
    struct buf *join = &feed->join[stream];
    take_text(feed, stream, feed->join_ns[stream], slice_of(join->data, join->len), partial);
    join->len = 0;
}

/* Is there no room for a line of that time? Then the source is told to wait. */
static bool refuse(struct tail_feed *feed, int64_t time_ns)
{
    bool is_full = lane_full(feed->lane, time_ns);
    feed->waiting |= is_full;
    feed->all->refuses |= is_full;
    return is_full;
}

void tail_feed_drop_part(struct tail_feed *feed, enum stream stream)
{
    feed->join[stream].len = 0;
}

bool tail_feed_put(struct tail_feed *feed, enum stream stream, int64_t time_ns, struct slice text, bool more)
{
    struct buf *join = &feed->join[stream];
    if (refuse(feed, time_ns)) {
        return false;
    }
    if (!more && join->len == 0) {
        take_text(feed, stream, time_ns, text, false);
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

bool tail_feed_put_line(struct tail_feed *feed, const struct tail_line *line)
{
    if (refuse(feed, line->time_ns)) {
        return false;
    }
    take(feed, line);
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
    take(feed, &(struct tail_line){.time_ns = time_ns, .text = slice_str(text), .kind = kind});
}

/* -- the last lines ---------------------------------------------------------------------------- */

void tail_feed_keep_last(struct tail_feed *feed, int64_t lines)
{
    last_lines_free(feed->last);
    feed->last = last_lines_new(lines);
    if (!feed->last) {
        tail_out_of_memory();
    }
    for (int s = 0; s < STREAM_COUNT; s++) {
        tail_feed_drop_part(feed, (enum stream)s);
    }
}

int64_t tail_feed_kept(const struct tail_feed *feed)
{
    return last_lines_count(feed->last);
}

bool tail_feed_has_room(const struct tail_feed *feed)
{
    return last_lines_has_room(feed->last);
}

static void tell_cut_short(struct tail_feed *feed, int64_t count, int64_t before_ns)
{
    char text[200];
    snprintf(text, sizeof(text),
             "only its last %" PRId64 " lines are shown: more would take too much memory, as this Engine "
             "cannot be asked for them alone; ask for fewer with -n, or add --files",
             count);
    hand_on(feed,
            &(struct tail_line){.time_ns = before_ns, .text = slice_str(text), .kind = TAIL_NOTICE_BAD});
}

/* Hands on the lines that were kept. The lane takes all of them: a notice must not come before. */
static void release_last(struct tail_feed *feed)
{
    struct last_lines *last = feed->last;
    int64_t count = last_lines_count(last);
    bool tell = last_lines_cut_short(last);
    struct tail_line line;
    feed->last = NULL;
    while (last_lines_take(last, &line)) {
        if (tell) {
            tell_cut_short(feed, count, line.time_ns);
            tell = false;
        }
        bool is_late = feed->all->until_ns && line.time_ns > feed->all->until_ns && line.kind == TAIL_LINE;
        if (!is_late && passes_filter(feed, &line)) {
            hand_on(feed, &line);
        }
        tail_writer_unref(line.writer);
    }
    last_lines_free(last);
}

void tail_feed_present(struct tail_feed *feed)
{
    if (feed->last) {
        release_last(feed);
    }
    lane_present(feed->lane);
    print_merged(feed->all);
}

bool tail_feed_empty(const struct tail_feed *feed)
{
    return lane_empty(feed->lane);
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
