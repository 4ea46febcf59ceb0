/* The stages of a pipeline, and the feeds that go through them. */
#ifndef SIDETAIL_PIPELINE_STAGES_H
#define SIDETAIL_PIPELINE_STAGES_H

#include "joiner.h"
#include "pipeline/feed.h"

/* The stages that feeds go through, each of which calls the next one only. */
struct stages {
    struct joiner joiner;
    struct shaper shaper;
    struct batcher batcher;
};

/* See feed_open. */
struct feed *feed_new(struct stages *stages, const char *key, struct tags *tags, struct feed_calls calls);

#endif
