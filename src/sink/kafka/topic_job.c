#include "topic_job.h"

#include "base/log.h"

static void run(struct job *job)
{
    struct kafka_topic_job *t = (struct kafka_topic_job *)job;
    t->handle = kafka_topic_ensure(t->rk, t->settings, t->topic->name, false, &t->facts, &t->err);
}

static void say_ready(struct kafka_topic_job *t, struct kafka_topic *topic)
{
    bool awaited = kafka_trouble_topic_over(t->trouble);
    if (t->facts.ours) {
        log_info("made a topic", KV("topic", topic->name), KN("partitions", t->facts.partitions));
    } else if (awaited) {
        log_info("the topic is there now", KV("topic", topic->name));
    }
    const char *fault = kafka_topic_fault(&t->facts, false);
    if (fault && !topic->fault_said) {
        log_warn("a topic is not fit for lines", KV("topic", topic->name), KV("reason", fault));
    }
    topic->fault_said = fault != NULL;
}

static enum kafka_topic_outcome take_facts(struct kafka_topic_job *t, struct kafka_topic *topic)
{
    const struct kafka_topic_facts *facts = &t->facts;
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

static enum kafka_topic_outcome conclude(struct kafka_topic_job *t, struct kafka_topic *topic)
{
    if (t->dropped) {
        if (t->handle) {
            rd_kafka_topic_destroy(t->handle);
        }
        return KAFKA_TOPIC_DROPPED;
    }
    if (!t->handle) {
        kafka_trouble_topic(t->trouble, topic->name, t->err.text);
        return KAFKA_TOPIC_NOT_READY;
    }
    topic->handle = t->handle;
    topic->ready = true;
    topic->partitions = t->facts.partitions;
    topic->proven = topic->proven || t->facts.ours || t->settings->delivery == KAFKA_AT_LEAST_ONCE;
    say_ready(t, topic);
    return take_facts(t, topic);
}

static void done(struct job *job)
{
    struct kafka_topic_job *t = (struct kafka_topic_job *)job;
    struct kafka_topic *topic = t->topic;
    t->topic = NULL;
    t->done(t->arg, conclude(t, topic));
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

void kafka_topic_job_start(struct kafka_topic_job *t, rd_kafka_t *rk, struct kafka_topic *topic)
{
    if (t->topic) {
        return;
    }
    t->topic = topic;
    t->rk = rk;
    t->handle = NULL;
    t->dropped = false;
    worker_post(t->worker, &t->job);
}

bool kafka_topic_job_drop(struct kafka_topic_job *t)
{
    t->dropped = true;
    return t->topic != NULL;
}

void kafka_topic_job_free(struct kafka_topic_job *t)
{
    if (t->handle && t->topic) { /* its `done` was not called any more */
        rd_kafka_topic_destroy(t->handle);
    }
}
