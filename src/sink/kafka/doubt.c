#include "doubt.h"

#include <limits.h>
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
#define GRACE_NS    (2 * NS_PER_S) /* for what failed to be told of */
#define HEAR_OUT_NS (2 * NS_PER_S) /* the longest that a producer given up is heard out */

/* Where, as a key of the hash: compared byte by byte. */
struct place {
    int32_t partition;
    char topic[KAFKA_TOPIC_MAX + 1];
};

struct kafka_doubt_partition {
    UT_hash_handle hh;
    struct place place;
    bool gone; /* the topic is, or it has no such partition any more */
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
    struct kafka_doubt *doubt;
    const struct kafka_doubt_calls *calls;
    struct worker *worker;
    struct buf key; /* of its messages */
    struct error *err;
};

static const char of_ending; /* the opaque of its messages */

bool kafka_doubt_is_ending(const rd_kafka_message_t *m)
{
    return m->_private == &of_ending;
}

static int fault(const struct ending *e, const char *why)
{
    return error_set(e->err, "ending what an earlier transaction may have left: %.400s", why);
}

static bool holds_lines(const struct ending *e, const struct kafka_doubt_partition *p)
{
    return strcmp(p->place.topic, e->settings->positions_topic) != 0;
}

static bool reaches_lines(const struct ending *e)
{
    const struct kafka_doubt_partition *p = e->doubt->partitions;
    while (p && !holds_lines(e, p)) {
        p = p->hh.next;
    }
    return p;
}

/* The transaction failed before all of its messages were sent. */
static int purged(const struct ending *e)
{
    const char *why = *e->calls->reason->text ? e->calls->reason->text : "its messages were dropped";
    return reaches_lines(e) ? fault(e, why)
                            : error_set(e->err, "topic %s: %.400s", e->settings->positions_topic, why);
}

/* Later than messages fail, for that tells why. */
static int64_t give_up_at(const struct ending *e)
{
    return clock_monotonic() + (int64_t)e->settings->timeout_ms * NS_PER_MS + GRACE_NS;
}

/* Hears the producer. -1: it has messages still, and it is time to give up. */
static int hear(const struct ending *e, int64_t until_ns)
{
    e->calls->hear(e->calls->arg, HEAR_MS);
    bool late = clock_monotonic() > until_ns || worker_ending(e->worker);
    return late && rd_kafka_outq_len(e->rk) > 0 ? fault(e, "the brokers do not answer") : 0;
}

static int refused(const struct ending *e, const char *topic, rd_kafka_resp_err_t code)
{
    if (code == RD_KAFKA_RESP_ERR__STATE) { /* another message failed: why, is still to be heard */
        e->calls->hear(e->calls->arg, HEAR_MS);
        if (*e->calls->purged) {
            return purged(e);
        }
    }
    return error_set(e->err, "topic %s: %s", topic, rd_kafka_err2str(code));
}

/* A message that nobody sees who reads what is committed. It has a key, without which a compacted topic takes
 * nothing; and were it committed after all, it would be a tombstone of nothing. time_ms: 0 for now. */
static int touch(const struct ending *e, const char *topic, int32_t partition, int64_t time_ms)
{
    int64_t until_ns = give_up_at(e);
    for (;;) {
        rd_kafka_resp_err_t code = rd_kafka_producev(
            e->rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_TIMESTAMP(time_ms),
            RD_KAFKA_V_KEY(e->key.data, e->key.len), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_OPAQUE((void *)&of_ending), RD_KAFKA_V_END);
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            return code ? refused(e, topic, code) : 0;
        }
        if (hear(e, until_ns) < 0) {
            return -1;
        }
    }
}

/* Each partition has to have its message, for only then its leader has taken up the transaction. */
static int await(const struct ending *e)
{
    int64_t until_ns = give_up_at(e);
    while (rd_kafka_outq_len(e->rk) > 0 && !*e->calls->undelivered->text) {
        if (hear(e, until_ns) < 0) {
            return -1;
        }
    }
    if (*e->calls->undelivered->text) {
        return fault(e, e->calls->undelivered->text);
    }
    return *e->calls->purged ? purged(e) : 0;
}

/* In a topic that was deleted nothing is left, nor in a partition that one made anew does not have: *partitions is how many
 * there are (INT_MAX: not known). 0; -1: nobody answers. */
static int look_what_is_there(const struct ending *e, const char *name, int *partitions)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(e->rk, name, NULL);
    int found = 0;
    rd_kafka_resp_err_t code = topic ? kafka_topic_look(e->rk, topic, &found) : RD_KAFKA_RESP_ERR__FAIL;
    if (topic) {
        rd_kafka_topic_destroy(topic);
    }
    bool gone = code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
    *partitions = gone ? 0 : found > 0 ? found : INT_MAX;
    if (code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT) {
        return error_set(e->err, "topic %s: %s", name, rd_kafka_err2str(code));
    }
    return worker_ending(e->worker) ? fault(e, "the process ends") : 0;
}

static int by_topic(const struct kafka_doubt_partition *a, const struct kafka_doubt_partition *b)
{
    return strcmp(a->place.topic, b->place.topic);
}

/* Before anything is sent, for this may take longer than a transaction may. */
static int look_at_all(const struct ending *e)
{
    HASH_SRT(hh, e->doubt->partitions, by_topic); /* so that each topic is looked at once */
    const char *looked_at = e->settings->positions_topic;
    int partitions = INT_MAX;
    for (struct kafka_doubt_partition *p = e->doubt->partitions; p; p = p->hh.next) {
        if (!holds_lines(e, p)) {
            continue;
        }
        if (strcmp(p->place.topic, looked_at) != 0) {
            looked_at = p->place.topic;
            if (look_what_is_there(e, looked_at, &partitions) < 0) {
                return -1;
            }
        }
        p->gone = p->place.partition >= partitions;
    }
    return 0;
}

/* Their time is now by the brokers' clock, for a topic may refuse others. */
static int touch_all(const struct ending *e)
{
    for (const struct kafka_doubt_partition *p = e->doubt->partitions; p; p = p->hh.next) {
        int64_t now_ms = clock_now() / NS_PER_MS - *e->calls->ahead_ms;
        if (!p->gone && holds_lines(e, p) && touch(e, p->place.topic, p->place.partition, now_ms) < 0) {
            return -1;
        }
    }
    return 0;
}

static int end(const struct ending *e, int32_t positions_partition)
{
    const struct kafka_call abort = {.function = rd_kafka_abort_transaction,
                                     .what = "aborting",
                                     .hear = e->calls->hear,
                                     .arg = e->calls->arg};
    if (e->calls->look && look_at_all(e) < 0) {
        return -1;
    }
    if (positions_partition >= 0 && (touch(e, e->settings->positions_topic, positions_partition, 0) < 0 ||
                                     await(e) < 0)) { /* its delivery tells the brokers' time */
        return -1;
    }
    return touch_all(e) < 0 || await(e) < 0
               ? -1
               : kafka_insist(e->rk, &abort, e->settings->timeout_ms, e->worker, e->err);
}

int kafka_doubt_end(struct kafka_doubt *d, rd_kafka_t *rk, const struct kafka_settings *s,
                    int32_t positions_partition, const struct kafka_doubt_calls *calls, struct worker *worker,
                    struct error *err)
{
    struct ending e = {.rk = rk, .settings = s, .doubt = d, .calls = calls, .worker = worker, .err = err};
    int result = kafka_positions_key(&e.key, s->identity, "") < 0 ? error_set(err, "out of memory")
                                                                  : end(&e, positions_partition);
    buf_free(&e.key);
    return result;
}
