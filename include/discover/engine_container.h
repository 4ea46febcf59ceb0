/* A container as the Engine describes it, and what follows from that for reading its log. */
#ifndef SIDETAIL_DISCOVER_ENGINE_CONTAINER_H
#define SIDETAIL_DISCOVER_ENGINE_CONTAINER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "engine/engine.h"
#include "record/tags.h"

/* Times are those of the Engine's clock, in ns since 1970. Strings are the container's. */
struct engine_container {
    char id[65];
    char *name; /* without slash */
    char *image;
    char *driver; /* of its log: json-file, local, … */
    json_t *labels;
    bool tty;
    bool running;        /* and not between two restarts */
    int exit_code;       /* of the last run; -1: unknown */
    int64_t started_ns;  /* the last run's start; 0: there was none, or unknown */
    int64_t finished_ns; /* the end of the run before, or of the last one; 0: there was none, or unknown */
    bool rotates;        /* its log is kept in files that are rotated */
    bool compressed;     /* the rotated ones are compressed */
    int64_t max_size;    /* of one such file, in bytes */
    /* Known from the list of containers alone: only id, name, image, labels and running are set. */
    bool list_only;
    void *user; /* the owner of the watch sets and uses both */
    struct status_note *left_out;
};

/* Two faults that Engines before 23 (API 1.42) have with logs that are rotated. The stream that follows such
 * a log tells lines twice when the file is rotated; that it skips lines as well is a fault of the newer ones too. */
bool engine_container_follow_repeats(const struct engine *e, const struct engine_container *c);
/* Asked with `since`, the Engine leaves out all rotated files when the oldest, compressed one is older than
 * that. */
bool engine_container_since_skips(const struct engine *e, const struct engine_container *c);

/* A time between the lines of its last run and those of earlier ones; 0: there are no earlier ones. */
int64_t engine_container_run_ns(const struct engine_container *c);

/* What tags are made of. Borrowed from the container. */
struct identity engine_container_identity(const struct engine_container *c);

#endif
