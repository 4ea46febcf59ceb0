/* Getting topics ready before anything is produced to them: that they are there, and what they take. */
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "kafka_internal.h"

#define TRY_S 2 /* between tries */

static void run(struct job *job)
{
    struct kafka_topic_job *t = (struct kafka_topic_job *)job;
    t->handle = kafka_topic_ensure(t->rk, t->kafka->settings, t->topic->name, false, &t->facts, &t->err);
}

static void take_facts(struct kafka *k, struct kafka_topic *topic, const struct kafka_topic_facts *facts)
{
    if (facts->created) {
        log_info("made a topic", KV("topic", topic->name), KN("partitions", facts->partitions));
    } else if (k->topic_said) {
        log_info("the topic is there now", KV("topic", topic->name));
    }
    k->topic_said = false;
    const char *fault = kafka_topic_fault(facts, false);
    if (fault && !topic->fault_said) {
        log_warn("a topic is not fit for lines", KV("topic", topic->name), KV("reason", fault));
    }
    topic->fault_said = fault != NULL;
    topic->older_ms = facts->older_ms < topic->older_ms ? facts->older_ms : topic->older_ms;
    topic->newer_ms = facts->newer_ms < topic->newer_ms ? facts->newer_ms : topic->newer_ms;
    if (facts->message_max == 0) {
        return;
    }
    size_t most = k->settings->message_max;
    topic->limit = facts->message_max < most ? facts->message_max : most;
    if (facts->message_max < k->settings->batch_max) {
        k->settings->batch_max = facts->message_max;
        kafka_flow_fail(k, "a topic takes less at once than the producer would send");
    }
}

static void say_missing(struct kafka *k, const struct kafka_topic *topic, const char *why)
{
    if (!k->topic_said) {
        log_error("a topic is not ready; lines wait where they are", KV("topic", topic->name),
                  KV("reason", why));
    }
    k->topic_said = true;
    metrics.sink_errors++;
}

static void done(struct job *job)
{
    struct kafka_topic_job *t = (struct kafka_topic_job *)job;
    struct kafka *k = t->kafka;
    struct kafka_topic *topic = t->topic;
    t->topic = NULL;
    if (k->state == KAFKA_OPENING) { /* the producer was given up meanwhile */
        if (t->handle) {
            rd_kafka_topic_destroy(t->handle);
        }
        kafka_flow_replace(k);
        return;
    }
    if (t->handle) {
        topic->handle = t->handle;
        topic->ready = true;
        take_facts(k, topic, &t->facts);
    } else {
        struct timeval tv = {TRY_S, 0};
        say_missing(k, topic, t->err.text);
        evtimer_add(k->retry_timer, &tv);
    }
    kafka_flow_pump(k);
}

void kafka_topic_job_start(struct kafka *k)
{
    k->topic_job.kafka = k;
    k->topic_job.job = (struct job){.run = run, .done = done};
}

void kafka_topic_get_ready(struct kafka *k, struct kafka_topic *topic)
{
    if (k->topic_job.topic || evtimer_pending(k->retry_timer, NULL)) {
        return;
    }
    k->topic_job.topic = topic;
    k->topic_job.rk = k->out.rk;
    k->topic_job.handle = NULL;
    worker_post(k->worker, &k->topic_job.job);
}
