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
    struct source *(*open)(const struct source_env *env,
                           struct error *err); /* begins at once; NULL on error */
    void (*resume)(struct source *s);          /* the pipeline has room again */
    int (*reload)(struct source *s, const struct config *cfg,
                  struct error *err); /* SIGHUP: filters and tags anew */
    void (*stop)(struct source *s);   /* reads nothing more; feeds stay until close. May be called again */
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
