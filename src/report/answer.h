/* The answer to /status (deploy/README.md), taken apart. */
#ifndef SIDETAIL_REPORT_ANSWER_H
#define SIDETAIL_REPORT_ANSWER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

/* A log. Texts are the answer's, as they came: not for a terminal yet. */
struct row {
    const char *service, *what, *driver, *problem; /* `what`: its container, or its file; NULL: unknown */
    bool is_file;                                  /* `what` is */
    int64_t offset, lag_bytes;                     /* -1: unknown */
    double lag_seconds, rate;
    int64_t last_ns; /* wall clock; 0: unknown */
};

struct answer {
    struct buf text; /* as it came */
    json_t *json;
    int64_t now_ns; /* the collector's clock */
    double over;    /* seconds that rates are over; 0: nobody had asked before */
    struct row *rows;
    size_t count;
    unsigned problems; /* what of it is not well: source, sink, checkpoint, logs, what is left out */
};

/* {0} before. 0; -1: the collector cannot be reached, or its answer cannot be read. answer_free is owed. */
int answer_fetch(struct answer *a, const char *listen, struct error *err);
/* Takes apart what came as `text`. Likewise. */
int answer_take(struct answer *a, const char *listen, struct error *err);
void answer_free(struct answer *a);

/* By service, then by container or file. */
int row_compare_names(const struct row *a, const struct row *b);

#endif
