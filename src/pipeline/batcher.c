#include "batcher.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/memory.h"
#include "base/metrics.h"

/* -- room -------------------------------------------------------------------------------------- */

static bool has_room(const struct batcher *b)
{
    if (b->draining || b->held_back) {
        return false;
    }
    return b->current ? !batcher_full(b) : pool_has(&b->pool);
}

bool batcher_room(struct batcher *b)
{
    if (has_room(b)) {
        return true;
    }
    if (!b->starved) {
        b->starved = true;
        metrics.backpressure++;
    }
    return false;
}

static void tell_room(struct batcher *b)
{
    if (b->starved && has_room(b)) {
        b->starved = false;
        b->calls.room(b->calls.arg);
    }
}

void batcher_hold_back(struct batcher *b, bool held_back)
{
    b->held_back = held_back;
    tell_room(b);
}

/* -- filling a batch, and submitting it -------------------------------------------------------- */

static void submit(struct batcher *b)
{
    struct batch *batch = b->current;
    if (!batch) {
        return;
    }
    b->current = NULL;
    evtimer_del(b->age_timer);
    if (b->in_flight++ == 0) {
        standing.sink_since_ns = clock_monotonic();
    }
    metrics.batches++;
    metrics.batch_bytes_held += batch->out.len;
    b->sink->ops->submit(b->sink, batch);
}

static void on_age(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    submit(arg);
}

static struct batch *current_batch(struct batcher *b)
{
    if (!b->current) {
        int64_t age = config_batch_age(b->cfg) - config_waited(b->cfg), least = b->sink->ops->least_age;
        b->current = pool_take(&b->pool);
        loop_arm_timer(b->age_timer, age > least ? age : least);
    }
    return b->current;
}

/* The feed's mark in the batch, made when it has none. */
static struct mark *mark_of(struct batch *batch, struct batcher_feed *feed)
{
    if (feed->mark_seq == batch->seq) {
        return &batch->marks[feed->mark];
    }
    struct mark *mark = batch_add_mark(batch);
    if (!mark) {
        die_out_of_memory();
    }
    feed->mark_seq = batch->seq;
    feed->mark = batch->nmarks - 1;
    mark->key = feed_key_ref(feed->key);
    mark->tags = tags_ref(feed->tags);
    return mark;
}

static void note_item(struct batcher *b, const struct record *rec, size_t offset, uint32_t mark)
{
    struct batch *batch = b->current;
    struct item *item = batch_add_item(batch);
    if (!item) {
        die_out_of_memory();
    }
    *item = (struct item){.offset = (uint32_t)offset,
                          .len = (uint32_t)(batch->out.len - offset),
                          .mark = mark,
                          .stream = (uint8_t)rec->stream,
                          .partial = rec->partial};
    if (clock_parse_next(&b->second, rec->time, &item->time_ns) < 0) {
        item->time_ns = clock_now();
    }
}

void batcher_put(struct batcher_feed *feed, const struct record *rec)
{
    struct batcher *b = feed->stage;
    struct batch *batch = current_batch(b);
    struct mark *mark = mark_of(batch, feed);
    size_t offset = batch->out.len;
    const struct batcher_encoder *e = feed->encoder;
    if (e->encoder->encode(e->state, feed->tags, rec, &batch->out) < 0) {
        die_out_of_memory();
    }
    batch->lines++;
    mark->lines[rec->stream]++;
    mark->bytes[rec->stream] += batch->out.len - offset;
    if (b->sink->ops->items) {
        note_item(b, rec, offset, feed->mark);
    }
}

void batcher_mark(struct batcher_feed *feed, const struct position *pos)
{
    struct batcher *b = feed->stage;
    struct mark *mark = mark_of(current_batch(b), feed);
    if (compact_set(&mark->pos, pos) < 0) {
        die_out_of_memory();
    }
    mark->moved = true;
    if (batcher_full(b)) {
        submit(b);
    }
}

void batcher_drain(struct batcher *b)
{
    b->draining = true;
    submit(b);
    if (b->in_flight > 0) {
        b->sink->ops->drain(b->sink);
    }
}

/* -- acknowledgement --------------------------------------------------------------------------- */

static void move_checkpoint(struct batcher *b, const struct batch *batch)
{
    for (uint32_t i = 0; i < batch->nmarks; i++) {
        const struct mark *mark = &batch->marks[i];
        for (int s = 0; s < STREAM_COUNT; s++) {
            mark->tags->stats->lines_out[s] += mark->lines[s];
            mark->tags->stats->bytes_out[s] += mark->bytes[s];
        }
        if (mark->moved && checkpoint_move(b->checkpoint, mark->key, &mark->pos) < 0) {
            die_out_of_memory();
        }
    }
}

void batcher_acked(void *batcher, struct batch *batch)
{
    struct batcher *b = batcher;
    move_checkpoint(b, batch);
    b->in_flight--;
    standing.sink_since_ns = b->in_flight > 0 ? clock_monotonic() : 0;
    metrics.batches_acked++;
    metrics.batch_bytes_held -= batch->out.len;
    pool_give_back(&b->pool, batch);
    tell_room(b);
    b->calls.acked(b->calls.arg);
}

/* -- what is on its way ------------------------------------------------------------------------ */

const struct position *batcher_position(struct batcher *b, const char *key)
{
    const struct compact_position *last = NULL;
    uint64_t newest = 0;
    for (unsigned i = 0; i < b->pool.made; i++) {
        const struct batch *batch = b->pool.all[i];
        for (uint32_t m = 0; m < batch->nmarks && batch->seq >= newest; m++) {
            if (batch->marks[m].moved && strcmp(batch->marks[m].key->text, key) == 0) {
                last = &batch->marks[m].pos;
                newest = batch->seq;
            }
        }
    }
    const struct position *pos = checkpoint_get(b->checkpoint, key);
    if (last) {
        compact_get(last, &b->asked);
        pos = &b->asked;
    }
    return pos && pos->kind != POSITION_NONE ? pos : NULL;
}

/* The feeds that a mark on its way tells to forget are those whose logs are gone. */
static void note_forgotten(const struct batcher *b)
{
    for (unsigned i = 0; i < b->pool.made; i++) { /* what was acknowledged has no marks any more */
        for (uint32_t m = 0; m < b->pool.all[i]->nmarks; m++) {
            const struct mark *mark = &b->pool.all[i]->marks[m];
            mark->key->forgotten |= mark->moved && compact_is_none(&mark->pos);
        }
    }
}

void batcher_say_lost(const struct batcher *b)
{
    uint64_t lines = 0, bytes = 0;
    note_forgotten(b);
    for (unsigned i = 0; i < b->pool.made; i++) {
        for (uint32_t m = 0; m < b->pool.all[i]->nmarks; m++) {
            const struct mark *mark = &b->pool.all[i]->marks[m];
            for (int s = 0; s < STREAM_COUNT && mark->key->forgotten; s++) {
                lines += mark->lines[s];
                bytes += mark->bytes[s];
            }
        }
    }
    if (lines > 0) {
        log_error(
            "logs were deleted before the sink took what was read of them, and sidetail ends: that is lost",
            KN("lost_lines", lines), KN("encoded_bytes", bytes));
    }
}

/* -- set-up ------------------------------------------------------------------------------------ */

int batcher_init(struct batcher *b, struct event_base *base, struct checkpoint *checkpoint,
                 struct batcher_calls calls)
{
    *b = (struct batcher){.checkpoint = checkpoint, .calls = calls};
    b->age_timer = evtimer_new(base, on_age, b);
    return b->age_timer ? 0 : -1;
}

static void close_encoder(struct batcher_encoder *e)
{
    if (e->encoder && e->encoder->close) {
        e->encoder->close(e->state);
    }
    *e = (struct batcher_encoder){0};
}

static int open_encoder(struct batcher_encoder *e, const struct config *cfg, int format)
{
    const struct encoder *encoder = encoder_choose(format);
    void *state = NULL;
    if (encoder->open && !(state = encoder->open(cfg, cfg->sink == SINK_STDOUT))) {
        return -1;
    }
    close_encoder(e);
    *e = (struct batcher_encoder){encoder, state};
    return 0;
}

void batcher_tagged(struct batcher_feed *feed)
{
    struct batcher *b = feed->stage;
    int format = tags_chosen(feed->tags)->format;
    feed->encoder = format < 0 ? &b->encoder : &b->own[format];
    if (!feed->encoder->encoder && open_encoder(&b->own[format], b->cfg, format) < 0) {
        die_out_of_memory();
    }
}

int batcher_configure(struct batcher *b, const struct config *cfg)
{
    submit(b);
    b->cfg = cfg;
    pool_configure(&b->pool, cfg);
    for (int format = 0; format < FORMAT_COUNT; format++) {
        if (b->own[format].encoder && open_encoder(&b->own[format], cfg, format) < 0) {
            return -1;
        }
    }
    return open_encoder(&b->encoder, cfg, (int)cfg->format);
}

void batcher_free(struct batcher *b)
{
    pool_free(&b->pool);
    close_encoder(&b->encoder);
    for (int format = 0; format < FORMAT_COUNT; format++) {
        close_encoder(&b->own[format]);
    }
    loop_free_event(b->age_timer);
}
