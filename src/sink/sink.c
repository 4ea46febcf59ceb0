#include "sink/sink.h"

#include "config/config.h"

const struct sink_ops *sink_choose(const struct config *cfg)
{
    switch (cfg->sink) {
    case SINK_STDOUT:
        return &sink_stdout;
    case SINK_FILE:
        return &sink_file;
    case SINK_KAFKA:
        return cfg->kafka_delivery == KAFKA_EXACTLY_ONCE ? &sink_kafka : &sink_kafka_at_least_once;
    }
    return NULL;
}
