#include "positions.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"

#include "admin.h"
#include "hold.h"
#include "trouble.h"

#define ESCAPED     "%" /* a key's third part: the second is escaped as by position_key_write */
#define POLL_MS     100
#define PATIENCE_NS (5 * NS_PER_S) /* how long reading may stand still before the log says why */
/* How long others' transactions may keep a head of ours from being read. Those were open before it was written, and
 * committing takes some milliseconds: whoever is not done by then hangs, or waits for a partition whose leader died, which
 * takes the brokers nine seconds to see. */
#define HOLD_NS  (12 * NS_PER_S)
#define AGAIN_NS NS_PER_S /* between two that are ended, or tries */

int32_t kafka_positions_partition(const char *identity, int partitions)
{
    int used = partitions < KAFKA_POSITIONS_PARTITIONS ? partitions : KAFKA_POSITIONS_PARTITIONS;
    return (int32_t)(XXH3_64bits(identity, strlen(identity)) % (uint64_t)(used > 0 ? used : 1));
}

/* Appends and consumes the JSON. */
static int add_json(struct buf *out, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    int result = text ? buf_add(out, text, strlen(text)) : -1;
    free(text);
    json_decref(json);
    return result;
}

static bool is_utf8(const char *text)
{
    const char *end = text + strlen(text);
    size_t len = 1;
    for (; text < end && len > 0; text += len) {
        len = utf8_length(text, end);
    }
    return len > 0;
}

int kafka_positions_key(struct buf *out, const char *identity, const char *feed)
{
    struct buf text = {0};
    int result = -1;
    if (!feed) {
        return add_json(out, json_pack("[s]", identity));
    }
    if (is_utf8(feed)) {
        return add_json(out, json_pack("[ss]", identity, feed));
    }
    if (position_key_write(&text, feed) == 0) {
        result = add_json(out, json_pack("[ss#s]", identity, text.data, (int)text.len, ESCAPED));
    }
    buf_free(&text);
    return result;
}

int kafka_session_key(struct buf *out, const char *identity)
{
    return add_json(out, json_pack("[sn]", identity));
}

int kafka_position_value(struct buf *out, const struct position *pos)
{
    return add_json(out, position_to_json(pos));
}

int kafka_head_value(struct buf *out, const char *session, uint64_t transaction)
{
    return add_json(out, json_pack("{sssI}", "session", session, "transaction", (json_int_t)transaction));
}

static void take_head(struct kafka_past *past, const json_t *head, int64_t offset)
{
    const char *session = json_string_value(json_object_get(head, "session"));
    uint64_t number = (uint64_t)json_integer_value(json_object_get(head, "transaction"));
    past->head_offset = offset;
    past->stranger = !session || strcmp(session, past->session) != 0;
    past->overtaken = past->overtaken || (past->ours && past->stranger);
    if (past->stranger) {
        return;
    }
    past->ours = true;
    past->committed = past->committed || (past->in_doubt > 0 && number == past->in_doubt);
    /* Once the one in doubt is there, compaction may drop the head before it. */
    past->kept = past->kept || past->committed || (past->acked > 0 && number == past->acked);
    past->older = past->older || number < past->acked;
    past->ended = past->ended || (past->until > 0 && number == past->until);
}

/* Notes a feed's position, or that it has none. `key`: its record's. */
static void take_position(struct kafka_past *past, const json_t *key, json_t *position, int64_t written)
{
    const char *feed = json_string_value(json_array_get(key, 1));
    struct buf text = {0};
    int failed =
        json_array_size(key) > 2 ? buf_add(&text, feed, strlen(feed)) : position_key_write(&text, feed);
    if (failed || buf_add(&text, "", 1) < 0) {
        past->failed = true;
    } else if (position) {
        past->failed |= json_object_set_new(past->positions, text.data,
                                            json_pack("[OI]", position, (json_int_t)written)) < 0;
    } else {
        json_object_del(past->positions, text.data);
    }
    buf_free(&text);
}

/* A thousand collectors may have their records in one partition: whose a record is, is seen without reading JSON. False:
 * it is another's. An identity that has escapes in JSON is left to the reading. */
static bool may_be_ours(const struct kafka_past *past, struct slice key)
{
    size_t len = strlen(past->identity);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)past->identity[i];
        if (c < ' ' || c == '"' || c == '\\' || c == '/') {
            return true;
        }
    }
    return key.len > len + 3 && !memcmp(key.ptr, "[\"", 2) && !memcmp(key.ptr + 2, past->identity, len) &&
           key.ptr[len + 2] == '"';
}

void kafka_past_take(struct kafka_past *past, struct slice key, const struct slice *value, int64_t offset,
                     int64_t written)
{
    if (!may_be_ours(past, key)) {
        return;
    }
    json_t *name = json_loadb(key.ptr, key.len, 0, NULL);
    json_t *json = value ? json_loadb(value->ptr, value->len, 0, NULL) : NULL;
    const char *identity = json_string_value(json_array_get(name, 0));
    const char *feed = json_string_value(json_array_get(name, 1));
    if (identity && !strcmp(identity, past->identity)) {
        if (!feed) {
            take_head(past, json, offset);
        } else if (past->positions) { /* else known already */
            take_position(past, name, json, written);
        }
    }
    json_decref(json);
    json_decref(name);
}

/* One message or event. 1: the end is reached; 0: go on; -1: an error. */
static int take_message(struct kafka_past *past, const rd_kafka_message_t *m, struct error *err)
{
    switch (m->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        break;
    case RD_KAFKA_RESP_ERR__PARTITION_EOF: /* the end of what is committed: open transactions may follow */
        return past->until == 0;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART: /* somebody deleted it: nothing is there */
        return past->until == 0 ? 1 : error_set(err, "topic of positions: %s", rd_kafka_err2str(m->err));
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        return error_set(err, "no right to read the positions topic: %s", rd_kafka_err2str(m->err));
    default:
        return 0; /* librdkafka goes on by itself */
    }
    struct slice value = slice_of(m->payload, m->len);
    int64_t written = rd_kafka_message_timestamp(m, NULL) / 1000;
    kafka_past_take(past, slice_of(m->key, m->key_len), m->payload ? &value : NULL, m->offset, written);
    return past->failed ? error_set(err, "no memory for the positions") : past->ended;
}

/* Reading, and where it stands. */
struct reading {
    struct kafka_past *past;
    const struct kafka_settings *settings;
    rd_kafka_t *reader;
    rd_kafka_topic_t *topic;
    int32_t partition;
    struct worker *worker;
    struct error *err;
    int64_t moved_ns;   /* when a record came last */
    int64_t hold_ns;    /* when to end what holds it up, if something does then */
    int64_t end;        /* of what is committed; -1: it was not reached, or there is more */
    bool said, refused; /* that it waits; and why it cannot be helped */
};

/* Our head is behind somebody's open transaction, all of which were open when it was written. */
static void end_hold(struct reading *r)
{
    char identity[KAFKA_IDENTITY_MAX + 1], text[KAFKA_IDENTITY_MAX + 200];
    struct error err = {0};
    if (kafka_hold_end(r->settings, r->reader, r->partition, r->end, identity, r->worker, &err) == 0) {
        snprintf(text, sizeof(text),
                 "ended the transaction by which another collector, %s, held up the positions topic",
                 identity);
        worker_note(r->worker, KAFKA_NOTE_INFO, text);
        r->moved_ns = clock_monotonic();
        r->hold_ns = r->moved_ns + AGAIN_NS; /* each costs its collector a transaction */
        r->end = -1;                         /* it moves now */
        return;
    }
    r->hold_ns = clock_monotonic() + AGAIN_NS;
    if (!r->refused) {
        r->refused = true;
        snprintf(text, sizeof(text),
                 "waiting for the positions topic: the transaction that holds it up cannot be ended: %s",
                 err.text);
        worker_note(r->worker, KAFKA_NOTE_INFO, text);
    }
}

/* Up to 2.1, librdkafka finds out only a second later that what it had fetched ahead, as much as it may, was taken: its thread of
 * that broker sleeps. Any question to the broker wakes it. */
static void wake_fetching(const struct reading *r)
{
    int64_t low, high;
    rd_kafka_query_watermark_offsets(r->reader, r->settings->positions_topic, r->partition, &low, &high,
                                     POLL_MS);
}

/* Nothing comes. 0, or -1: it is time to give up. */
static int stand_still(struct reading *r)
{
    int64_t now_ns = clock_monotonic(), still_ns = now_ns - r->moved_ns;
    if (still_ns > PATIENCE_NS * 3 + (int64_t)r->settings->timeout_ms * NS_PER_MS * 2) {
        return error_set(r->err, "reading positions from topic %s stands still",
                         r->settings->positions_topic);
    }
    if (r->end >= 0 && now_ns > r->hold_ns) {
        end_hold(r);
    } else if (still_ns > PATIENCE_NS && !r->said) {
        r->said = true;
        worker_note(r->worker, KAFKA_NOTE_INFO,
                    r->end < 0 ? "waiting for the positions topic: a broker is slow"
                               : "waiting for the positions topic: another's open transaction holds it up");
    }
    if (r->end < 0) {
        wake_fetching(r);
    }
    return 0;
}

static int read_all(struct reading *r)
{
    r->moved_ns = clock_monotonic();
    r->hold_ns = r->moved_ns + HOLD_NS;
    r->end = -1;
    while (!worker_ending(r->worker)) {
        rd_kafka_message_t *m = rd_kafka_consume(r->topic, r->partition, POLL_MS);
        int result = m ? take_message(r->past, m, r->err) : stand_still(r);
        if (m && m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            r->moved_ns = clock_monotonic();
            r->end = -1;
        } else if (m && m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            r->end = m->offset;
        }
        if (m) {
            rd_kafka_message_destroy(m);
        }
        if (result != 0) {
            return result < 0 ? -1 : 0;
        }
    }
    return error_set(r->err, "ended");
}

int kafka_past_read(struct kafka_past *past, const struct kafka_settings *s, int32_t partition, int64_t from,
                    struct worker *worker, struct error *err)
{
    rd_kafka_t *rk = kafka_client(s, RD_KAFKA_CONSUMER, err);
    if (!rk) {
        return -1;
    }
    rd_kafka_topic_conf_t *conf = rd_kafka_topic_conf_new();
    rd_kafka_topic_conf_set(conf, "auto.offset.reset", "earliest", NULL, 0);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, s->positions_topic, conf);
    /* Without that look, librdkafka waits half a second before it looks for the leader itself. */
    int result = -1, partitions = 0;
    rd_kafka_resp_err_t code = topic ? kafka_topic_look(rk, topic, &partitions) : rd_kafka_last_error();
    if (past->until == 0 &&
        (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || (!code && partition >= partitions))) {
        result = 0; /* somebody deleted it: nothing is there */
    } else if (code || rd_kafka_consume_start(topic, partition, from) < 0) {
        error_set(err, "reading positions: %s", rd_kafka_err2str(code ? code : rd_kafka_last_error()));
    } else {
        struct reading r = {.past = past,
                            .settings = s,
                            .reader = rk,
                            .topic = topic,
                            .partition = partition,
                            .worker = worker,
                            .err = err};
        result = read_all(&r);
        rd_kafka_consume_stop(topic, partition);
    }
    if (topic) {
        rd_kafka_topic_destroy(topic);
    }
    rd_kafka_destroy(rk);
    return result;
}

/* One position that was found. 0 or -1 (memory). */
static int restore(struct checkpoint *checkpoint, const char *text, const json_t *json)
{
    struct position pos;
    char *feed = strdup(text);
    int result = feed ? 0 : -1;
    if (feed && (position_key_read(feed) == 0 || position_from_json(json_array_get(json, 0), &pos) < 0)) {
        log_error("a position in Kafka cannot be read; its container is read as one never seen",
                  KV("feed", text));
    } else if (feed) {
        result = checkpoint_restore(checkpoint, feed, &pos, json_integer_value(json_array_get(json, 1)));
    }
    free(feed);
    return result;
}

int kafka_positions_restore(json_t *positions, struct checkpoint *checkpoint)
{
    const char *text;
    json_t *json;
    json_object_foreach(positions, text, json)
    {
        if (restore(checkpoint, text, json) < 0) {
            return -1;
        }
    }
    return 0;
}
