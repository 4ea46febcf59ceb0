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

/* What ending takes. */
struct ending {
    rd_kafka_t *rk;
    const struct kafka_settings *settings;
    const struct kafka_doubt_calls *calls;
    struct worker *worker;
    struct buf key; /* of its messages */
    int64_t until_ns;
    struct error *err;
};

static int fault(const struct ending *e, const char *why)
{
    return error_set(e->err, "ending what an earlier transaction may have left: %.400s", why);
}

/* Hears the producer, unless it is time to give up. */
static int hear(const struct ending *e)
{
    e->calls->hear(e->calls->arg, HEAR_MS);
    bool late = clock_monotonic() > e->until_ns || worker_ending(e->worker);
    return late ? fault(e, "the brokers do not answer") : 0;
}

/* A message that nobody sees who reads what is committed. It has a key, without which a compacted topic takes
 * nothing; and were it committed after all, it would be a tombstone of nothing. Its time is now by the brokers' clock,
 * for a topic may refuse others. */
static int touch(const struct ending *e, const char *topic, int32_t partition)
{
    for (;;) {
        int64_t now_ms = clock_now() / NS_PER_MS - *e->calls->ahead_ms;
        rd_kafka_resp_err_t code =
            rd_kafka_producev(e->rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                              RD_KAFKA_V_TIMESTAMP(now_ms), RD_KAFKA_V_KEY(e->key.data, e->key.len),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            return code ? error_set(e->err, "topic %s: %s", topic, rd_kafka_err2str(code)) : 0;
        }
        if (hear(e) < 0) {
            return -1;
        }
    }
}

/* Each partition has to have its message, for only then its leader has taken up the transaction. */
static int await(const struct ending *e)
{
    while (rd_kafka_outq_len(e->rk) > 0 && !*e->calls->undelivered->text) {
        if (hear(e) < 0) {
            return -1;
        }
    }
    return *e->calls->undelivered->text ? fault(e, e->calls->undelivered->text) : 0;
}

/* In a topic that was deleted nothing is left; but whether it was, a broker may not know yet. 0; -1: nobody answers, or it
 * is gone and should be there. */
static int look_whether_gone(const struct ending *e, const char *name, bool *gone)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(e->rk, name, NULL);
    int partitions;
    rd_kafka_resp_err_t code = topic ? kafka_topic_look(e->rk, topic, &partitions) : RD_KAFKA_RESP_ERR__FAIL;
    if (topic) {
        rd_kafka_topic_destroy(topic);
    }
    *gone = code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
    bool silent = code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT;
    if (silent || (*gone && e->calls->all_there)) {
        return error_set(e->err, "topic %s: %s", name, rd_kafka_err2str(code));
    }
    return worker_ending(e->worker) ? fault(e, "the process ends") : 0;
}

static int by_topic(const struct kafka_doubt_partition *a, const struct kafka_doubt_partition *b)
{
    return strcmp(a->place.topic, b->place.topic);
}

static int touch_all(const struct ending *e, struct kafka_doubt *d)
{
    HASH_SRT(hh, d->partitions, by_topic); /* so that each is asked for once */
    const char *asked = e->settings->positions_topic;
    bool gone = false;
    for (const struct kafka_doubt_partition *p = d->partitions; p; p = p->hh.next) {
        if (strcmp(p->place.topic, e->settings->positions_topic) == 0) {
            continue;
        }
        if (strcmp(p->place.topic, asked) != 0) {
            asked = p->place.topic;
            if (look_whether_gone(e, asked, &gone) < 0) {
                return -1;
            }
        }
        if (!gone && touch(e, asked, p->place.partition) < 0) {
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
static int purged(const struct ending *e, const struct kafka_doubt *d)
{
    const char *why = *e->calls->reason->text ? e->calls->reason->text : "its messages were dropped";
    return reaches_others(d, e->settings)
               ? fault(e, why)
               : error_set(e->err, "topic %s: %.400s", e->settings->positions_topic, why);
}

/* The positions come first, for their delivery tells the brokers' time. */
static int end(const struct ending *e, struct kafka_doubt *d, int32_t positions_partition)
{
    const struct kafka_call abort = {.function = rd_kafka_abort_transaction,
                                     .what = "aborting",
                                     .hear = e->calls->hear,
                                     .arg = e->calls->arg};
    if (touch(e, e->settings->positions_topic, positions_partition) < 0 ||
        (reaches_others(d, e->settings) && await(e) < 0) || touch_all(e, d) < 0 || await(e) < 0) {
        return -1;
    }
    return *e->calls->purged ? purged(e, d)
                             : kafka_insist(e->rk, &abort, e->settings->timeout_ms, e->worker, e->err);
}

int kafka_doubt_end(struct kafka_doubt *d, rd_kafka_t *rk, const struct kafka_settings *s,
                    int32_t positions_partition, const struct kafka_doubt_calls *calls, struct worker *worker,
                    struct error *err)
{
    struct ending e = {.rk = rk,
                       .settings = s,
                       .calls = calls,
                       .worker = worker,
                       .until_ns = clock_monotonic() + (int64_t)s->timeout_ms * NS_PER_MS,
                       .err = err};
    int result = kafka_positions_key(&e.key, s->identity, "") < 0 ? error_set(err, "out of memory")
                                                                  : end(&e, d, positions_partition);
    buf_free(&e.key);
    return result;
}
