#include "doubt.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/memory.h"

#include "admin.h"
#include "positions.h"
#include "transaction.h"

#define HEAR_MS     100
#define NO_ANSWER   "ending what a failed transaction left: the brokers do not answer"
#define HEAR_OUT_NS (2 * NS_PER_S) /* the longest that a producer given up is heard out */

/* Where, as a key of the hash: compared byte by byte. */
struct place {
    int32_t partition;
    char topic[KAFKA_TOPIC_MAX + 1];
};

struct kafka_doubt_partition {
    UT_hash_handle hh;
    struct place place;
};

void kafka_doubt_add(struct kafka_doubt *d, const char *topic, int32_t partition)
{
    struct place place = {.partition = partition};
    struct kafka_doubt_partition *found;
    snprintf(place.topic, sizeof(place.topic), "%s", topic);
    HASH_FIND(hh, d->partitions, &place, sizeof(place), found);
    if (!found) {
        found = calloc(1, sizeof(*found));
        if (!found) {
            die_out_of_memory();
        }
        found->place = place;
        HASH_ADD(hh, d->partitions, place, sizeof(place), found);
    }
}

void kafka_doubt_note(struct kafka_doubt *d, const rd_kafka_message_t *m)
{
    if ((m->rkt == d->topic && m->partition == d->partition) || !m->rkt || m->partition < 0) {
        return; /* messages are told of in rows of the same partition; a negative one went nowhere */
    }
    kafka_doubt_add(d, rd_kafka_topic_name(m->rkt), m->partition);
    d->topic = m->rkt;
    d->partition = m->partition;
}

void kafka_doubt_detach(struct kafka_doubt *d)
{
    d->topic = NULL;
}

void kafka_doubt_clear(struct kafka_doubt *d)
{
    struct kafka_doubt_partition *p, *next;
    HASH_ITER(hh, d->partitions, p, next)
    {
        HASH_DEL(d->partitions, p);
        free(p);
    }
    kafka_doubt_detach(d);
}

void kafka_doubt_hear_out(rd_kafka_t *rk, const struct kafka_doubt_calls *calls)
{
    int64_t until_ns = clock_monotonic() + HEAR_OUT_NS;
    rd_kafka_purge(rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    calls->hear(calls->arg, 0);
    while (rd_kafka_outq_len(rk) > 0 && clock_monotonic() < until_ns) {
        calls->hear(calls->arg, HEAR_MS);
    }
}

/* A message that nobody sees who reads what is committed. It has a key, without which a compacted topic takes
 * nothing; and were it committed after all, it would be a tombstone of nothing. */
static int touch(rd_kafka_t *rk, const char *topic, int32_t partition, const struct buf *key,
                 struct error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                                                 RD_KAFKA_V_KEY(key->data, key->len),
                                                 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    return code ? error_set(err, "topic %s: %s", topic, rd_kafka_err2str(code)) : 0;
}

/* In a topic that was deleted nothing is left. 0; -1: nobody answers. */
static int look_whether_gone(rd_kafka_t *rk, const char *name, bool *gone, struct error *err)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, name, NULL);
    int partitions;
    rd_kafka_resp_err_t code = topic ? kafka_topic_look(rk, topic, &partitions) : RD_KAFKA_RESP_ERR__FAIL;
    if (topic) {
        rd_kafka_topic_destroy(topic);
    }
    *gone = code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
    bool answered = code != RD_KAFKA_RESP_ERR__TIMED_OUT && code != RD_KAFKA_RESP_ERR__TRANSPORT;
    return answered ? 0 : error_set(err, NO_ANSWER);
}

static int touch_all(const struct kafka_doubt *d, rd_kafka_t *rk, const struct kafka_settings *s,
                     int32_t positions_partition, const struct buf *key, struct error *err)
{
    if (touch(rk, s->positions_topic, positions_partition, key, err) < 0) {
        return -1;
    }
    const struct kafka_doubt_partition *p = d->partitions;
    const char *asked = s->positions_topic;
    bool gone = false;
    for (; p; p = p->hh.next) {
        if (strcmp(p->place.topic, asked) != 0) {
            asked = p->place.topic;
            if (look_whether_gone(rk, asked, &gone, err) < 0) {
                return -1;
            }
        } else if (asked == s->positions_topic) {
            continue;
        }
        if (!gone && touch(rk, asked, p->place.partition, key, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static bool reaches_others(const struct kafka_doubt *d, const struct kafka_settings *s)
{
    for (const struct kafka_doubt_partition *p = d->partitions; p; p = p->hh.next) {
        if (strcmp(p->place.topic, s->positions_topic) != 0) {
            return true;
        }
    }
    return false;
}

/* The transaction failed before all of its messages were sent. */
static int purged(const struct kafka_doubt *d, const struct kafka_settings *s,
                  const struct kafka_doubt_calls *calls, struct error *err)
{
    const char *why = *calls->reason->text ? calls->reason->text : "its messages were dropped";
    if (reaches_others(d, s)) {
        return error_set(err, "ending what a failed transaction left: %.400s", why);
    }
    return error_set(err, "topic %s: %.400s", s->positions_topic, why);
}

/* Each partition has to have the message, for only then its leader has taken up the transaction. */
static int await(const struct kafka_doubt *d, rd_kafka_t *rk, const struct kafka_settings *s,
                 const struct kafka_doubt_calls *calls, struct worker *worker, struct error *err)
{
    int64_t until_ns = clock_monotonic() + (int64_t)s->timeout_ms * NS_PER_MS;
    while (rd_kafka_outq_len(rk) > 0 && !*calls->undelivered->text) {
        calls->hear(calls->arg, HEAR_MS);
        if (clock_monotonic() > until_ns || worker_ending(worker)) {
            return error_set(err, NO_ANSWER);
        }
    }
    if (*calls->undelivered->text) {
        return error_set(err, "ending what a failed transaction left: %.400s", calls->undelivered->text);
    }
    return *calls->purged ? purged(d, s, calls, err) : 0;
}

int kafka_doubt_end(const struct kafka_doubt *d, rd_kafka_t *rk, const struct kafka_settings *s,
                    int32_t positions_partition, const struct kafka_doubt_calls *calls, struct worker *worker,
                    struct error *err)
{
    const struct kafka_call abort = {
        .function = rd_kafka_abort_transaction, .what = "aborting", .hear = calls->hear, .arg = calls->arg};
    struct buf key = {0};
    int result = -1;
    if (kafka_positions_key(&key, s->identity, "") < 0) {
        error_set(err, "out of memory");
    } else if (touch_all(d, rk, s, positions_partition, &key, err) == 0 &&
               await(d, rk, s, calls, worker, err) == 0) {
        result = kafka_insist(rk, &abort, s->timeout_ms, worker, err);
    }
    buf_free(&key);
    return result;
}
