#include "topic_job.h"

#include "base/clock.h"
#include "base/log.h"

#define TURN_NS    (2 * NS_PER_MS) /* how long looking for topics may hold the loop up */
#define TURN_MARKS 64              /* containers between looks at the clock */

static void run(struct job *job)
{
    struct kafka_topic_job *t = (struct kafka_topic_job *)job;
    kafka_topics_ensure(t->rk, t->settings, &t->wants);
}

/* -- what came of it --------------------------------------------------------------------------- */

static void say_ready(struct kafka_topic *topic, const struct kafka_topic_facts *facts)
{
    if (facts->ours) {
        log_info("made a topic", KV("topic", topic->name), KN("partitions", facts->partitions));
    } else if (topic->awaited) {
        log_info("the topic is there now", KV("topic", topic->name));
    }
    topic->awaited = false;
    const char *fault = kafka_topic_fault(facts, false);
    if (fault && !topic->fault_said) {
        log_warn("a topic is not fit for lines", KV("topic", topic->name), KV("reason", fault));
    }
    topic->fault_said = fault != NULL;
}

static enum kafka_topic_outcome take_facts(struct kafka_topic_job *t, struct kafka_topic *topic,
                                           const struct kafka_topic_facts *facts)
{
    topic->older_ms = facts->older_ms < topic->older_ms ? facts->older_ms : topic->older_ms;
    topic->newer_ms = facts->newer_ms < topic->newer_ms ? facts->newer_ms : topic->newer_ms;
    if (facts->message_max == 0) {
        return KAFKA_TOPIC_READY;
    }
    size_t most = t->settings->message_max;
    topic->limit = facts->message_max < most ? facts->message_max : most;
    if (facts->message_max < t->settings->batch_max) {
        t->settings->batch_max = facts->message_max;
        return KAFKA_TOPIC_TAKES_LESS;
    }
    return KAFKA_TOPIC_READY;
}

static enum kafka_topic_outcome take(struct kafka_topic_job *t, struct kafka_topic *topic,
                                     const struct kafka_want *want)
{
    topic->in_job = false;
    if (t->dropped) {
        if (want->handle) {
            rd_kafka_topic_destroy(want->handle);
        }
        return KAFKA_TOPIC_DROPPED;
    }
    if (!want->handle) { /* of others than the first that is told when lines wait for them */
        topic->awaited = want == t->list;
        return topic->awaited ? KAFKA_TOPIC_NOT_READY : KAFKA_TOPIC_READY;
    }
    topic->handle = want->handle;
    topic->ready = true;
    topic->partitions = want->facts.partitions;
    topic->proven = topic->proven || want->facts.ours || t->settings->delivery == KAFKA_AT_LEAST_ONCE;
    say_ready(topic, &want->facts);
    return take_facts(t, topic, &want->facts);
}

static enum kafka_topic_outcome take_all(struct kafka_topic_job *t)
{
    enum kafka_topic_outcome all = KAFKA_TOPIC_READY;
    for (size_t i = 0; i < t->wants.count; i++) {
        enum kafka_topic_outcome one = take(t, t->topics[i], &t->list[i]);
        all = one > all ? one : all;
    }
    return all;
}

static void done(struct job *job)
{
    struct kafka_topic_job *t = (struct kafka_topic_job *)job;
    enum kafka_topic_outcome outcome = take_all(t);
    t->topics[0] = NULL;
    if (outcome != KAFKA_TOPIC_DROPPED && !t->list[0].handle) {
        kafka_trouble_topic(t->trouble, t->list[0].name, t->wants.err.text);
    } else if (outcome != KAFKA_TOPIC_DROPPED) {
        kafka_trouble_topic_over(t->trouble);
    }
    t->done(t->arg, outcome);
}

/* -- what it is for ---------------------------------------------------------------------------- */

/* False: it is full. */
static bool add(struct kafka_topic_job *t, struct kafka_topic *topic)
{
    if (t->wants.count == KAFKA_WANTS_MAX) {
        return false;
    }
    if (!topic->ready && !topic->in_job) {
        topic->in_job = true;
        t->topics[t->wants.count] = topic;
        t->list[t->wants.count++] = (struct kafka_want){.name = topic->name};
    }
    return true;
}

/* False: it is full, time is up, or memory is short. */
static bool add_those_of(struct kafka_topic_job *t, struct kafka_routes *routes, const struct batch *batch,
                         int64_t now_ns)
{
    for (uint32_t i = 0; i < batch->nmarks; i++) {
        const struct mark *mark = &batch->marks[i];
        struct kafka_route *route = kafka_route_find(routes, mark->tags, batch->seq, now_ns);
        for (int s = 0; s < STREAM_COUNT; s++) {
            if (!route || (mark->lines[s] > 0 && !add(t, route->topics[s]))) {
                return false;
            }
        }
        if (i % TURN_MARKS == TURN_MARKS - 1 && clock_monotonic() > now_ns + TURN_NS) {
            return false;
        }
    }
    return clock_monotonic() <= now_ns + TURN_NS;
}

void kafka_topic_job_init(struct kafka_topic_job *t, struct worker *worker, struct kafka_settings *settings,
                          struct kafka_trouble *trouble,
                          void (*on_done)(void *arg, enum kafka_topic_outcome outcome), void *arg)
{
    *t = (struct kafka_topic_job){.job = {.run = run, .done = done},
                                  .worker = worker,
                                  .settings = settings,
                                  .trouble = trouble,
                                  .done = on_done,
                                  .arg = arg};
}

void kafka_topic_job_start(struct kafka_topic_job *t, rd_kafka_t *rk, struct kafka_topic *topic,
                           struct kafka_routes *routes, const struct batch *batches)
{
    if (t->topics[0]) {
        return;
    }
    t->rk = rk;
    t->dropped = false;
    t->wants = (struct kafka_wants){.list = t->list};
    add(t, topic);
    const int64_t now_ns = clock_monotonic();
    const struct batch *b = batches;
    while (b && add_those_of(t, routes, b, now_ns)) {
        b = b->next;
    }
    worker_post(t->worker, &t->job);
}

bool kafka_topic_job_drop(struct kafka_topic_job *t)
{
    t->dropped = true;
    return t->topics[0] != NULL;
}

void kafka_topic_job_free(struct kafka_topic_job *t)
{
    for (size_t i = 0; t->topics[0] && i < t->wants.count; i++) { /* its `done` was not called any more */
        if (t->list[i].handle) {
            rd_kafka_topic_destroy(t->list[i].handle);
        }
    }
}
