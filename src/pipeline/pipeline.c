#include "pipeline/pipeline.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/text.h"
#include "base/utf8.h"
#include "config/config.h"
#include "internal.h"

void pipeline_arm_timer(struct event *timer, int64_t ns)
{
    struct timeval tv = {ns / NS_PER_S, ns % NS_PER_S / NS_PER_US};
    evtimer_add(timer, &tv);
}

/* -- batches ----------------------------------------------------------------------------------- */

bool pipeline_full(const struct pipeline *pl)
{
    const struct batch *b = pl->current;
    return b && (b->out.len >= (size_t)pl->cfg->batch_bytes || b->lines >= (uint32_t)pl->cfg->batch_lines);
}

static bool has_room(const struct pipeline *pl)
{
    if (pl->draining || save_holds_back(pl)) {
        return false;
    }
    return pl->current ? !pipeline_full(pl) : pl->spare || pl->made < pl->limit;
}

bool pipeline_room(struct pipeline *pl)
{
    if (has_room(pl)) {
        return true;
    }
    if (!pl->starved) {
        pl->starved = true;
        metrics.backpressure++;
    }
    return false;
}

void pipeline_wake_source(struct pipeline *pl)
{
    if (pl->starved && has_room(pl)) {
        pl->starved = false;
        event_active(pl->resume_event, EV_TIMEOUT, 0);
    }
}

static void submit(struct pipeline *pl)
{
    struct batch *b = pl->current;
    if (!b) {
        return;
    }
    pl->current = NULL;
    evtimer_del(pl->age_timer);
    if (pl->in_flight++ == 0) {
        standing.sink_since_ns = clock_monotonic();
    }
    metrics.batches++;
    metrics.batch_bytes_held += b->out.len;
    pl->sink->ops->submit(pl->sink, b);
}

static void on_age(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    submit(arg);
}

static void begin_batch(struct pipeline *pl)
{
    if (!pl->current) {
        int64_t age = pl->cfg->batch_age, least = pl->sink->ops->least_age;
        pl->current = pool_take(pl);
        pipeline_arm_timer(pl->age_timer, age > least ? age : least);
    }
}

/* -- acknowledgement --------------------------------------------------------------------------- */

static void drain_step(struct pipeline *pl)
{
    if (!pl->drained || pl->in_flight > 0) {
        return;
    }
    void (*done)(void *) = pl->drained;
    pl->drained = NULL;
    if (pipeline_save(pl) < 0) {
        log_warn("ending without a saved checkpoint: what came after the last one is read again at the next "
                 "start");
    }
    done(pl->drained_arg);
}

static void apply_marks(struct pipeline *pl, const struct batch *b)
{
    for (uint32_t i = 0; i < b->nmarks; i++) {
        const struct mark *mark = &b->marks[i];
        for (int s = 0; s < STREAM_COUNT; s++) {
            mark->tags->stats->lines_out[s] += mark->lines[s];
            mark->tags->stats->bytes_out[s] += mark->bytes[s];
        }
        if (mark->moved && checkpoint_set(pl->checkpoint, mark->key->text, &mark->pos) < 0) {
            die_out_of_memory();
        }
    }
}

static void on_acked(void *arg, struct batch *b)
{
    struct pipeline *pl = arg;
    apply_marks(pl, b);
    pl->in_flight--;
    standing.sink_since_ns = pl->in_flight > 0 ? clock_monotonic() : 0;
    metrics.batches_acked++;
    metrics.batch_bytes_held -= b->out.len;
    pool_put_back(pl, b);
    save_arm(pl);
    pipeline_wake_source(pl);
    drain_step(pl);
}

static void on_shape_due(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    shaping_tick(arg);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct pipeline *pl = arg;
    shaping_tick(pl);
    if (pl->source.resume) {
        pl->source.resume(pl->source.arg);
    }
}

struct sink_events pipeline_sink_events(struct pipeline *pl)
{
    return (struct sink_events){.acked = on_acked, .arg = pl};
}

void pipeline_drain(struct pipeline *pl, void (*done)(void *arg), void *arg)
{
    shaping_drain(pl);
    pl->drained = done;
    pl->drained_arg = arg;
    pl->draining = true;
    submit(pl);
    if (pl->in_flight > 0) {
        pl->sink->ops->drain(pl->sink);
    }
    drain_step(pl);
}

/* -- records ----------------------------------------------------------------------------------- */

/* The feed's mark in the current batch, made when it has none. */
static struct mark *mark_of(struct pipeline *pl, struct feed *feed)
{
    struct batch *b = pl->current;
    if (feed->mark_seq == b->seq) {
        return &b->marks[feed->mark_index];
    }
    struct mark *mark = batch_add_mark(b);
    if (!mark) {
        die_out_of_memory();
    }
    feed->mark_seq = b->seq;
    feed->mark_index = b->nmarks - 1;
    mark->key = feed_key_ref(feed->key);
    mark->tags = tags_ref(feed->tags);
    return mark;
}

static void note_item(struct batch *b, const struct record *rec, size_t offset, uint32_t mark)
{
    struct item *item = batch_add_item(b);
    if (!item) {
        die_out_of_memory();
    }
    *item = (struct item){.offset = (uint32_t)offset,
                          .len = (uint32_t)(b->out.len - offset),
                          .mark = mark,
                          .stream = (uint8_t)rec->stream,
                          .partial = rec->partial};
    if (clock_parse(rec->time, &item->time_ns) < 0) {
        item->time_ns = clock_now();
    }
}

void pipeline_emit(struct pipeline *pl, struct feed *feed, const struct record *rec)
{
    begin_batch(pl);
    struct batch *b = pl->current;
    struct mark *mark = mark_of(pl, feed);
    size_t offset = b->out.len;
    if (pl->encoder->encode(pl->encoder_state, feed->tags, rec, &b->out) < 0) {
        die_out_of_memory();
    }
    b->lines++;
    mark->lines[rec->stream]++;
    mark->bytes[rec->stream] += b->out.len - offset;
    if (pl->sink->ops->items) {
        note_item(b, rec, offset, feed->mark_index);
    }
}

static unsigned deliver(struct pipeline *pl, struct feed *feed, const struct record *rec)
{
    if (pl->shape) {
        return shaping_put(feed, rec);
    }
    pipeline_emit(pl, feed, rec);
    return PUT_DONE;
}

/* A line over line_max: pieces, all but the last marked partial. */
static unsigned deliver_long(struct pipeline *pl, struct feed *feed, const struct record *rec)
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
    size_t max = (size_t)pl->cfg->line_max;
    while (raw.len > max) {
        size_t len = utf8_cut(raw.ptr, max);
        piece.text = slice_of(raw.ptr, len);
        piece.partial = true;
        metrics.cut_lines++;
        deliver(pl, feed, &piece);
        raw = slice_of(raw.ptr + len, raw.len - len);
    }
    piece.text = raw;
    piece.partial = rec->partial;
    unsigned result = deliver(pl, feed, &piece);
    buf_free(&unescaped);
    return result;
}

unsigned pipeline_line(struct pipeline *pl, struct feed *feed, struct record *rec)
{
    if (rec->text.len > (size_t)pl->cfg->line_max) {
        return deliver_long(pl, feed, rec);
    }
    return deliver(pl, feed, rec);
}

unsigned pipeline_put(struct pipeline *pl, struct feed *feed, struct record *rec)
{
    struct stats *stats = feed->tags->stats;
    stats->lines_in[rec->stream]++;
    stats->bytes_in[rec->stream] += rec->text.len;
    metrics.malformed_lines += rec->malformed;
    feed_note_time(feed, rec->time);
    if (rec->more || feed->joins[rec->stream].active) {
        return feed_join(feed, rec);
    }
    return pipeline_line(pl, feed, rec);
}

void pipeline_mark(struct pipeline *pl, struct feed *feed, const struct position *pos)
{
    begin_batch(pl);
    struct mark *mark = mark_of(pl, feed);
    mark->pos = *pos;
    mark->moved = true;
    feed_tell_time(feed);
    if (pipeline_full(pl)) {
        submit(pl);
    }
}

const struct position *pipeline_position(struct pipeline *pl, const char *key)
{
    const struct position *pos = checkpoint_get(pl->checkpoint, key);
    uint64_t newest = 0;
    for (unsigned i = 0; i < pl->made; i++) {
        const struct batch *b = pl->all[i];
        for (uint32_t m = 0; m < b->nmarks && b->seq >= newest; m++) {
            if (b->marks[m].moved && strcmp(b->marks[m].key->text, key) == 0) {
                pos = &b->marks[m].pos;
                newest = b->seq;
            }
        }
    }
    return pos && pos->kind != POSITION_NONE ? pos : NULL;
}

/* -- the end ----------------------------------------------------------------------------------- */

void pipeline_say_lost(struct pipeline *pl)
{
    uint64_t lines = 0, bytes = 0;
    for (unsigned i = 0; i < pl->made; i++) { /* what was acknowledged has no marks any more */
        for (uint32_t m = 0; m < pl->all[i]->nmarks; m++) {
            const struct mark *mark = &pl->all[i]->marks[m];
            mark->key->forgotten |= mark->moved && mark->pos.kind == POSITION_NONE;
        }
    }
    for (unsigned i = 0; i < pl->made; i++) {
        for (uint32_t m = 0; m < pl->all[i]->nmarks; m++) {
            const struct mark *mark = &pl->all[i]->marks[m];
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

static int open_encoder(struct pipeline *pl, const struct config *cfg)
{
    static const struct encoder *const encoders[] = {
        [FORMAT_JSON] = &encoder_json,
        [FORMAT_LOGFMT] = &encoder_logfmt,
        [FORMAT_RAW] = &encoder_raw,
        [FORMAT_PRETTY] = &encoder_pretty,
    };
    const struct encoder *encoder = encoders[cfg->format];
    void *state = NULL;
    if (encoder->open && !(state = encoder->open(cfg, cfg->sink == SINK_STDOUT))) {
        return -1;
    }
    if (pl->encoder && pl->encoder->close) {
        pl->encoder->close(pl->encoder_state);
    }
    pl->encoder = encoder;
    pl->encoder_state = state;
    return 0;
}

/* Half of memory_max goes to batches, an eighth to lines being joined; the rest is for reading, the sink's
 * own memory and the libraries'. */
static int apply_config(struct pipeline *pl, const struct config *cfg, struct error *err)
{
    pl->cfg = cfg;
    pl->limit = (unsigned)(cfg->memory_max / 2 / cfg->batch_bytes);
    pl->limit = pl->limit < 2 ? 2 : pl->limit;
    pl->join_limit = (size_t)cfg->memory_max / 8;
    if (open_encoder(pl, cfg) < 0) {
        return error_set(err, "out of memory");
    }
    return shaping_configure(pl, cfg, err);
}

int pipeline_reconfigure(struct pipeline *pl, const struct config *cfg, struct error *err)
{
    submit(pl);
    while (pl->spare) { /* sized by the old limits; new ones are made as they are wanted */
        struct batch *b = pl->spare;
        pl->spare = b->next;
        pool_drop(pl, b);
    }
    return apply_config(pl, cfg, err);
}

struct pipeline *pipeline_new(struct event_base *base, const struct config *cfg,
                              struct checkpoint *checkpoint, struct error *err)
{
    struct pipeline *pl = calloc(1, sizeof(*pl));
    error_set(err, "out of memory");
    if (pl) {
        TAILQ_INIT(&pl->feeds);
        pl->base = base;
        pl->checkpoint = checkpoint;
        pl->next_seq = 1;
        pl->age_timer = evtimer_new(base, on_age, pl);
        pl->save_timer = evtimer_new(base, save_due, pl);
        pl->shape_timer = evtimer_new(base, on_shape_due, pl);
        pl->resume_event = evtimer_new(base, on_resume, pl);
    }
    if (!pl || !pl->age_timer || !pl->save_timer || !pl->shape_timer || !pl->resume_event ||
        apply_config(pl, cfg, err) < 0) {
        pipeline_free(pl);
        return NULL;
    }
    return pl;
}

static void free_event(struct event *ev)
{
    if (ev) {
        event_free(ev);
    }
}

void pipeline_free(struct pipeline *pl)
{
    if (!pl) {
        return;
    }
    for (unsigned i = 0; i < pl->made; i++) {
        batch_free(pl->all[i]);
    }
    free(pl->all);
    if (pl->encoder && pl->encoder->close) {
        pl->encoder->close(pl->encoder_state);
    }
    free_event(pl->age_timer);
    free_event(pl->save_timer);
    free_event(pl->shape_timer);
    free_event(pl->resume_event);
    shape_unref(pl->shape);
    buf_free(&pl->join_room);
    free(pl);
}

void pipeline_set_sink(struct pipeline *pl, struct sink *sink)
{
    pl->sink = sink;
}

void pipeline_set_source(struct pipeline *pl, struct source_calls calls)
{
    pl->source = calls;
}

size_t pipeline_memory(const struct pipeline *pl)
{
    size_t total = pl->join_bytes + (pl->shape ? shape_memory(pl->shape) : 0);
    for (unsigned i = 0; i < pl->made; i++) {
        total += pl->all[i]->out.cap;
    }
    return total;
}
