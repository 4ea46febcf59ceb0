#include "positions.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"

#include "admin.h"
#include "trouble.h"

#define ESCAPED     "%" /* a key's third part: the second is escaped as by position_key_write */
#define POLL_MS     100
#define PATIENCE_NS (5 * NS_PER_S) /* how long reading may stand still before the log says why */

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

void kafka_past_take(struct kafka_past *past, struct slice key, const struct slice *value, int64_t offset,
                     int64_t written)
{
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

static int read_all(struct kafka_past *past, const struct kafka_settings *s, rd_kafka_topic_t *topic,
                    int32_t partition, struct worker *worker, struct error *err)
{
    int64_t moved_ns = clock_monotonic();
    bool said = false;
    while (!worker_ending(worker)) {
        rd_kafka_message_t *m = rd_kafka_consume(topic, partition, POLL_MS);
        if (m) {
            int result = take_message(past, m, err);
            if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
                moved_ns = clock_monotonic();
            }
            rd_kafka_message_destroy(m);
            if (result != 0) {
                return result < 0 ? -1 : 0;
            }
        } else if (clock_monotonic() - moved_ns > PATIENCE_NS * 3 + (int64_t)s->timeout_ms * NS_PER_MS * 2) {
            return error_set(err, "reading positions from topic %s stands still", s->positions_topic);
        } else if (clock_monotonic() - moved_ns > PATIENCE_NS && !said) {
            said = true;
            worker_note(worker, KAFKA_NOTE_INFO,
                        "waiting for the positions topic: a broker is slow, or another collector's "
                        "transaction is open");
        }
    }
    return error_set(err, "ended");
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
        result = read_all(past, s, topic, partition, worker, err);
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
