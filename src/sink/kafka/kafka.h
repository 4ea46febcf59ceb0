/* The Kafka sinks as the pipeline sees them: sink.h's sink_kafka and sink_kafka_at_least_once. */
#ifndef SIDETAIL_SINK_KAFKA_KAFKA_H
#define SIDETAIL_SINK_KAFKA_KAFKA_H

#include "sink/sink.h"

#include "flow.h"
#include "settings.h"

struct kafka {
    struct sink sink;
    struct kafka_settings *settings;
    struct kafka_flow flow;
};

#endif
