/* What Docker notes about a container beside its log: config.v2.json.
 * Source of the format: moby container/container.go, type Container (ID, Name, Config.Image, Config.Labels,
 * …), and container/state.go, type State (Running, FinishedAt). */
#ifndef SIDETAIL_DISCOVER_METADATA_H
#define SIDETAIL_DISCOVER_METADATA_H

#include "base/error.h"
#include "decode/decode.h"
#include "record/tags.h"

struct metadata {
    json_t *json; /* owned; `who` points into it */
    struct identity who;
    bool ended;         /* it does not run */
    int64_t run_end_ns; /* when it ended last; 0: never, or unknown */
    const char *driver; /* log driver, from hostconfig.json; NULL: unknown */
    json_t *host_json;  /* owned */
    bool driver_unread; /* hostconfig.json cannot be read just now: to be tried again */
};

/* Reads DIR/config.v2.json, and the log driver from hostconfig.json beside it. 0, on which metadata_free is
 * owed. -1: it is not there (errno ENOENT), cannot be read, or is no such file; err says why. */
int metadata_load(const char *dir, struct metadata *out, struct error *err);
void metadata_free(struct metadata *m);

/* A container's log, as its driver writes it. */
struct container_log {
    char *path; /* the live file; its rotated ones lie beside it */
    char *dir;  /* of those, where it is one of their own; NULL: it is the container's */
    const struct decoder *decoder;
};

/* The log of the container whose directory is `dir`. Driver NULL, unknown: what is there tells. Freed by the
 * caller; its path is NULL where memory ran out. */
struct container_log metadata_log(const char *dir, const char *id, const char *driver);
void metadata_log_free(struct container_log *log);

#endif
