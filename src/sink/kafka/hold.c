#include "hold.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#include "admin.h"
#include "transaction.h"

#define POLL_MS     100
#define LOOK_NS     (2 * NS_PER_S) /* for the record to come */
#define ASK_MS      1000
#define REGISTER_MS 5000

/* The identity that the key of a record of positions begins with. */
static int take_identity(const rd_kafka_message_t *m, char identity[KAFKA_IDENTITY_MAX + 1])
{
    json_t *key = m->key ? json_loadb(m->key, m->key_len, 0, NULL) : NULL;
    const char *name = json_string_value(json_array_get(key, 0));
    int result = name && *name && strlen(name) <= KAFKA_IDENTITY_MAX ? 0 : -1;
    if (result == 0) {
        snprintf(identity, KAFKA_IDENTITY_MAX + 1, "%s", name);
    }
    json_decref(key);
    return result;
}

/* Of a transaction that is open, the first record is there as it was written: nothing compacts it. */
static int take_record(const rd_kafka_message_t *m, int64_t offset, char identity[KAFKA_IDENTITY_MAX + 1],
                       struct error *err)
{
    if (m->offset != offset) {
        return error_set(err, "it has just ended");
    }
    return take_identity(m, identity) < 0 ? error_set(err, "it is no collector's") : 0;
}

static int look(rd_kafka_topic_t *topic, int32_t partition, int64_t offset,
                char identity[KAFKA_IDENTITY_MAX + 1], struct worker *worker, struct error *err)
{
    int64_t until_ns = clock_monotonic() + LOOK_NS;
    while (clock_monotonic() < until_ns && !worker_ending(worker)) {
        rd_kafka_message_t *m = rd_kafka_consume(topic, partition, POLL_MS);
        bool record = m && m->err == RD_KAFKA_RESP_ERR_NO_ERROR;
        int result = record ? take_record(m, offset, identity, err) : 0;
        if (m) {
            rd_kafka_message_destroy(m);
        }
        if (record) {
            return result;
        }
    }
    return error_set(err, "its first record does not come");
}

/* Whose the record at the offset is, committed or not. */
static int find_holder(const struct kafka_settings *s, int32_t partition, int64_t offset,
                       char identity[KAFKA_IDENTITY_MAX + 1], struct worker *worker, struct error *err)
{
    rd_kafka_t *rk = kafka_uncommitted_reader(s, err);
    if (!rk) {
        return -1;
    }
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, s->positions_topic, NULL);
    int result = -1, partitions; /* as in kafka_past_read, the look spares half a second */
    rd_kafka_resp_err_t code = topic ? kafka_topic_look(rk, topic, &partitions) : rd_kafka_last_error();
    if (code || rd_kafka_consume_start(topic, partition, offset) < 0) {
        error_set(err, "%s", rd_kafka_err2str(code ? code : rd_kafka_last_error()));
    } else {
        result = look(topic, partition, offset, identity, worker, err);
        rd_kafka_consume_stop(topic, partition);
    }
    if (topic) {
        rd_kafka_topic_destroy(topic);
    }
    rd_kafka_destroy(rk);
    return result;
}

/* Of several collectors that wait, one is the first to end it; the others need not trouble whoever goes on then. */
static bool is_held(const struct kafka_settings *s, rd_kafka_t *reader, int32_t partition, int64_t offset)
{
    int64_t low, end;
    return rd_kafka_query_watermark_offsets(reader, s->positions_topic, partition, &low, &end, ASK_MS) ==
               RD_KAFKA_RESP_ERR_NO_ERROR &&
           end == offset;
}

static int fence(const struct kafka_settings *s, const char *identity, struct worker *worker,
                 struct error *err)
{
    static const struct kafka_call init = {.function = rd_kafka_init_transactions,
                                           .what = "registering in its place"};
    rd_kafka_t *rk = kafka_producer_of(s, identity, err);
    int result = rk ? kafka_insist(rk, &init, REGISTER_MS, worker, err) : -1;
    if (rk) {
        rd_kafka_destroy(rk);
    }
    return result;
}

int kafka_hold_end(const struct kafka_settings *s, rd_kafka_t *reader, int32_t partition, int64_t offset,
                   char identity[KAFKA_IDENTITY_MAX + 1], struct worker *worker, struct error *err)
{
    if (find_holder(s, partition, offset, identity, worker, err) < 0) {
        return -1;
    }
    if (!strcmp(identity, s->identity)) { /* its end is on its way, and registering would fence us */
        return error_set(err, "it is this collector's own");
    }
    return is_held(s, reader, partition, offset) ? fence(s, identity, worker, err)
                                                 : error_set(err, "it has just ended");
}
