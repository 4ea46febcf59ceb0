/* Sources: where lines come from. A source finds its feeds, reads them and puts records into the pipeline. */
#ifndef SIDETAIL_SOURCE_H
#define SIDETAIL_SOURCE_H

#include <event2/event.h>

#include "base/error.h"
#include "pipeline/pipeline.h"

struct config;
struct source;

struct source_env {
    struct event_base *base;
    const struct config *cfg;
    struct pipeline *pipeline;
    struct checkpoint *checkpoint;
};

struct source_ops {
    const char *name;
    /* Begins to read at once. NULL on error. */
    struct source *(*open)(const struct source_env *env, struct error *err);
    /* The pipeline has room again. */
    void (*resume)(struct source *s);
    /* SIGHUP: takes up other filters and tags. 0, or -1: only in part. Not after `stop`. */
    int (*reload)(struct source *s, const struct config *cfg, struct error *err);
    /* Reads nothing more, but for the ends of logs that are gone, where the pipeline has room; feeds stay until
     * `close`. May be called again. */
    void (*stop)(struct source *s);
    void (*close)(struct source *s);
};

struct source {
    const struct source_ops *ops; /* first member of each source's own struct */
};

extern const struct source_ops source_json_file;  /* Docker's containers directory */
extern const struct source_ops source_files;      /* globs in a shared volume */
extern const struct source_ops source_docker_api; /* the Engine's HTTP API */

/* The one that the configuration names. */
const struct source_ops *source_choose(const struct config *cfg);

#endif
