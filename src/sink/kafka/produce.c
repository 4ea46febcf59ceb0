#include "produce.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "record/tags.h"

#define TURN_NS    (2 * NS_PER_MS) /* how long the loop may be held up at once */
#define TURN_ITEMS 128             /* messages between looks at the clock */
#define TURN_MARKS 64              /* containers between looks */
#define HOUR_MS    3600000         /* Kafka's own limit for times to come, from 4.0 on */

/* -- delivery ---------------------------------------------------------------------------------- */

static void count_message(struct batch *batch)
{
    batch->sink_data = (void *)(kafka_undelivered(batch) + 1);
}

void kafka_delivered(struct batch *batch)
{
    batch->sink_data = (void *)(kafka_undelivered(batch) - 1);
}

/* A topic takes less than was thought, and we may not ask what it takes: half of it, next time. */
static void take_less(struct kafka_out *out, struct kafka_topic *topic)
{
    size_t sent = out->settings->batch_max;
    out->settings->batch_max = sent / 2 > 2 * KAFKA_PIECE_MIN ? sent / 2 : 2 * KAFKA_PIECE_MIN;
    if (topic) {
        topic->limit = (topic->limit < sent ? topic->limit : sent) / 2;
    }
}

/* Its limits were not told, or the broker's clock differs from ours. */
void kafka_topic_take_less_time(struct kafka_topic *topic)
{
    topic->older_ms = topic->older_ms > HOUR_MS ? HOUR_MS : topic->older_ms / 2;
    topic->newer_ms = topic->newer_ms > HOUR_MS ? HOUR_MS : topic->newer_ms / 2;
}

void kafka_refused(struct kafka_out *out, const rd_kafka_message_t *m)
{
    if (out->learned) {
        return;
    }
    struct kafka_topic *topic = kafka_topic_known(out->routes, rd_kafka_topic_name(m->rkt));
    if (m->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        take_less(out, topic);
        out->learned = true;
    } else if (m->err == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP && topic) {
        kafka_topic_take_less_time(topic);
        out->learned = true;
    }
}

/* -- messages ---------------------------------------------------------------------------------- */

static struct slice key_of(const struct kafka_out *out, const struct mark *mark)
{
    switch (out->settings->key) {
    case KAFKA_KEY_SERVICE:
        return slice_str(mark->tags->service);
    case KAFKA_KEY_CONTAINER:
        return slice_str(mark->tags->id ? mark->tags->id : mark->key->text);
    default:
        return slice_of(NULL, 0);
    }
}

static struct kafka_topic *dead_letters(const struct kafka_out *out)
{
    return kafka_topic_find(out->routes, out->settings->dead_letter_topic);
}

int64_t kafka_message_time(const struct kafka_topic *topic, int64_t line_ms, int64_t now_ms)
{
    bool far = line_ms > now_ms ? line_ms - now_ms > topic->newer_ms : now_ms - line_ms > topic->older_ms;
    return far ? now_ms : line_ms;
}

static int64_t time_of(const struct kafka_out *out, struct kafka_topic *topic, const struct item *item)
{
    int64_t line_ms = item->time_ns / NS_PER_MS;
    int64_t ms = kafka_message_time(topic, line_ms, out->now_ms);
    if (ms != line_ms && !topic->time_said) {
        topic->time_said = true;
        log_warn("a line's time is too far from now for its topic; such messages carry the time of sending",
                 KV("topic", topic->name), KN("off_by_ms", line_ms - out->now_ms));
    }
    return ms;
}

/* NULL: none, or no memory. A whole record in JSON has a field for each header; a piece of one may have lost its host. */
static rd_kafka_headers_t *headers_of(const struct kafka_out *out, const struct item *item, const char *from)
{
    if (out->plain && out->pieces.count == 0) {
        return NULL;
    }
    rd_kafka_headers_t *headers = rd_kafka_headers_copy(out->route->headers[item->stream]);
    if (item->partial || out->piece + 1 < out->pieces.count) {
        rd_kafka_header_add(headers, "partial", -1, "true", -1);
    }
    if (from) {
        rd_kafka_header_add(headers, "topic", -1, from, -1);
        rd_kafka_header_add(headers, "error", -1, "the line is longer than the topic takes", -1);
    }
    return headers;
}

/* One message. 0, or librdkafka's error. */
static rd_kafka_resp_err_t produce(struct kafka_out *out, struct batch *batch, const struct item *item,
                                   struct slice value, int flags, const char *from)
{
    struct kafka_topic *topic = from ? dead_letters(out) : out->route->topics[item->stream];
    rd_kafka_headers_t *headers = headers_of(out, item, from);
    rd_kafka_resp_err_t code =
        rd_kafka_producev(out->rk, RD_KAFKA_V_RKT(topic->handle), RD_KAFKA_V_KEY(out->key.ptr, out->key.len),
                          RD_KAFKA_V_VALUE((void *)value.ptr, value.len), RD_KAFKA_V_HEADERS(headers),
                          RD_KAFKA_V_TIMESTAMP(time_of(out, topic, item)), RD_KAFKA_V_MSGFLAGS(flags),
                          RD_KAFKA_V_OPAQUE(batch), RD_KAFKA_V_END);
    if (!code) {
        count_message(batch);
    } else if (headers) {
        rd_kafka_headers_destroy(headers);
    }
    return code;
}

static size_t room_in(const struct kafka_topic *topic, size_t overhead)
{
    return topic->limit > overhead + KAFKA_PIECE_MIN ? topic->limit - overhead : KAFKA_PIECE_MIN;
}

/* Counts and logs what became of the item: once, for it is cut again when a transaction fails. */
static void tell_long(const struct kafka_out *out, struct batch *batch, const struct kafka_topic *topic,
                      size_t bytes)
{
    bool dead = out->settings->oversize == KAFKA_DEAD_LETTER;
    if (batch->sent < batch->told) {
        return;
    }
    batch->told = batch->sent + 1;
    metrics.dead_letters += dead;
    metrics.cut_lines += out->pieces.count - 1;
    log_warn(dead ? "a line longer than its topic takes went to the dead-letter topic"
                  : "a line longer than its topic takes was cut",
             KV("topic", topic->name), KN("bytes", bytes), KN("topic_takes", topic->limit),
             KN("pieces", out->pieces.count));
}

/* Sends a record that is too long for its topic in pieces, or to the dead-letter topic (in pieces too, where
 * it must be). */
static rd_kafka_resp_err_t send_long(struct kafka_out *out, struct batch *batch, const struct item *item,
                                     struct slice value, size_t overhead)
{
    struct kafka_topic *topic = out->route->topics[item->stream];
    bool dead = out->settings->oversize == KAFKA_DEAD_LETTER;
    struct kafka_pieces *pieces = &out->pieces;
    if (pieces->count == 0) {
        size_t room = room_in(dead ? dead_letters(out) : topic, overhead + KAFKA_TOPIC_MAX);
        if (kafka_cut(pieces, batch_format(batch, item), value, room) < 0) {
            pieces->count = 0;
            return RD_KAFKA_RESP_ERR__QUEUE_FULL; /* memory is short: later */
        }
        out->piece = 0;
        tell_long(out, batch, topic, value.len);
    }
    for (; out->piece < pieces->count; out->piece++) {
        size_t from = out->piece > 0 ? pieces->ends[out->piece - 1] : 0;
        struct slice piece = slice_of(pieces->out.data + from, pieces->ends[out->piece] - from);
        rd_kafka_resp_err_t code =
            produce(out, batch, item, piece, RD_KAFKA_MSG_F_COPY, dead ? topic->name : NULL);
        if (code) {
            return code;
        }
    }
    kafka_pieces_free(pieces);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Finds what the item's mark goes by. False: no memory. */
static bool take_route(struct kafka_out *out, struct batch *batch, const struct item *item)
{
    if (!out->route || out->mark != item->mark) {
        out->route = kafka_route_find(out->routes, batch->marks[item->mark].tags, batch->seq, out->now_ns);
        out->mark = item->mark;
        out->key = key_of(out, &batch->marks[item->mark]);
        out->plain =
            out->settings->headers == KAFKA_HEADERS_NEEDED && batch_format(batch, item) == FORMAT_JSON;
    }
    return out->route;
}

static rd_kafka_resp_err_t send_item(struct kafka_out *out, struct batch *batch, const struct item *item)
{
    if (!take_route(out, batch, item)) {
        return RD_KAFKA_RESP_ERR__QUEUE_FULL; /* memory is short: later */
    }
    struct slice value = slice_of(batch->out.data + item->offset, item->len - 1);
    size_t overhead = out->route->overhead;
    if (value.len + overhead >
        out->route->topics[item->stream]->limit / 2) { /* keys are long only where paths are */
        overhead += out->key.len;
        if (value.len + overhead > out->route->topics[item->stream]->limit) {
            return send_long(out, batch, item, value, overhead);
        }
    }
    rd_kafka_resp_err_t code = produce(out, batch, item, value, 0, NULL);
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        out->route->topics[item->stream]->limit = value.len + overhead - 1;
        return send_long(out, batch, item, value, overhead);
    }
    return code;
}

/* Are all topics ready, and proven, that the batch's records go to? */
static enum kafka_progress prepare(struct kafka_out *out, struct batch *batch, struct kafka_topic **missing)
{
    for (; out->prepared < batch->nmarks; out->prepared++) {
        const struct mark *mark = &batch->marks[out->prepared];
        struct kafka_route *route = kafka_route_find(out->routes, mark->tags, batch->seq, out->now_ns);
        for (int s = 0; s < STREAM_COUNT; s++) {
            if (mark->lines[s] > 0 && (!route || !route->topics[s]->ready)) {
                *missing = route ? route->topics[s] : NULL;
                return route ? KAFKA_NEEDS_TOPIC : KAFKA_FULL;
            }
            out->unproven |= mark->lines[s] > 0 && !route->topics[s]->proven;
        }
        if (out->prepared % TURN_MARKS == TURN_MARKS - 1 && clock_monotonic() > out->now_ns + TURN_NS) {
            return KAFKA_BUSY;
        }
    }
    if (out->settings->oversize == KAFKA_DEAD_LETTER) {
        *missing = dead_letters(out);
        if (!*missing || !(*missing)->ready) {
            return *missing ? KAFKA_NEEDS_TOPIC : KAFKA_FULL;
        }
        out->unproven |= !(*missing)->proven;
    }
    return out->unproven ? KAFKA_NEEDS_PROOF : KAFKA_ALL;
}

enum kafka_progress kafka_produce(struct kafka_out *out, struct batch *batch, struct kafka_topic **missing,
                                  struct error *err)
{
    out->now_ns = clock_monotonic();
    out->now_ms = clock_now() / NS_PER_MS - out->ahead_ms;
    if (batch->sent == 0 && out->pieces.count == 0) {
        out->route = NULL;
        enum kafka_progress prepared = prepare(out, batch, missing);
        if (prepared != KAFKA_ALL) {
            return prepared;
        }
    }
    while (batch->sent < batch->nitems) {
        rd_kafka_resp_err_t code = send_item(out, batch, &batch->items[batch->sent]);
        if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            return KAFKA_FULL;
        }
        if (code) {
            error_set(err, "%s", rd_kafka_err2str(code));
            return KAFKA_BROKEN;
        }
        batch->sent++;
        if (batch->sent % TURN_ITEMS == 0 && batch->sent < batch->nitems &&
            clock_monotonic() > out->now_ns + TURN_NS) {
            return KAFKA_BUSY;
        }
    }
    out->prepared = 0;
    return KAFKA_ALL;
}

void kafka_out_reset(struct kafka_out *out)
{
    out->route = NULL;
    out->prepared = 0;
    out->unproven = out->learned = false;
    kafka_pieces_free(&out->pieces);
}

void kafka_out_proven(struct kafka_out *out)
{
    out->unproven = false;
}

void kafka_rewind(struct batch *batch)
{
    batch->sent = 0;
    batch->sink_data = NULL;
}
