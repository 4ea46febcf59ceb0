#include "kafka.h"

#include <stdlib.h>

#include "base/clock.h"

static void kafka_submit(struct sink *sink, struct batch *batch)
{
    kafka_flow_submit(&((struct kafka *)sink)->flow, batch);
}

static void kafka_drain(struct sink *sink)
{
    kafka_flow_drain(&((struct kafka *)sink)->flow);
}

static void kafka_close(struct sink *sink)
{
    struct kafka *k = (struct kafka *)sink;
    kafka_flow_free(&k->flow);
    kafka_settings_free(k->settings);
    free(k);
}

static struct sink *open_sink(const struct sink_env *env, const struct sink_ops *ops, struct error *err)
{
    struct kafka *k = calloc(1, sizeof(*k));
    if (!k) {
        error_set(err, "out of memory");
        return NULL;
    }
    k->sink.ops = ops;
    k->settings = kafka_settings_new(env->cfg, err);
    if (!k->settings) {
        free(k);
        return NULL;
    }
    if (kafka_flow_init(&k->flow, env, k->settings, err) < 0) {
        kafka_close(&k->sink);
        return NULL;
    }
    return &k->sink;
}

static struct sink *open_exactly_once(const struct sink_env *env, struct error *err)
{
    return open_sink(env, &sink_kafka, err);
}

static struct sink *open_at_least_once(const struct sink_env *env, struct error *err)
{
    return open_sink(env, &sink_kafka_at_least_once, err);
}

const struct sink_ops sink_kafka = {
    .name = "kafka",
    .items = true,
    .least_age = 2 * NS_PER_MS,
    .owns_positions = true,
    .open = open_exactly_once,
    .submit = kafka_submit,
    .drain = kafka_drain,
    .close = kafka_close,
};

const struct sink_ops sink_kafka_at_least_once = {
    .name = "kafka, at least once",
    .items = true,
    .least_age = 2 * NS_PER_MS,
    .open = open_at_least_once,
    .submit = kafka_submit,
    .drain = kafka_drain,
    .close = kafka_close,
};
