/* The containers that the watch of an Engine knows. */
#ifndef SIDETAIL_DISCOVER_ENGINE_TABLE_H
#define SIDETAIL_DISCOVER_ENGINE_TABLE_H

#include <sys/queue.h>
#include <uthash.h>

#include "discover/engine_watch.h"

struct entry {
    struct engine_container c; /* first member */
    struct engine_watch *watch;
    struct engine_call *call; /* inspects it now */
    bool known;               /* it was reported */
    bool alive;               /* it runs, as far as was reported; c.running may know better */
    bool due;                 /* to be inspected, and in the queue for that */
    bool again;               /* once more: something happened while it was inspected */
    bool unusable;            /* what the Engine told of it was too large, or no JSON */
    bool listed;              /* in the list that is being read */
    unsigned round;           /* of lists, in which it came up */
    int64_t listed_ns; /* the Engine's clock when the list that reported it was requested; 0: none did */
    TAILQ_ENTRY(entry) link; /* while it is due */
    UT_hash_handle hh;       /* by c.id */
};

TAILQ_HEAD(entry_queue, entry);

/* Owns its entries. */
struct engine_table {
    struct entry *entries;  /* by id, in the order in which they came up */
    struct entry_queue due; /* to be inspected, the longest waiting first */
};

void engine_table_init(struct engine_table *t);
/* NULL: it is not known. */
struct entry *engine_table_find(const struct engine_table *t, const char *id);
/* Adds one that is not known. NULL: the id is none, there are WATCH_CONTAINERS_MAX, or memory is out. */
struct entry *engine_table_add(struct engine_table *t, const char *id);
/* Puts it into the queue of those that are due, or takes it out. */
void engine_table_set_due(struct engine_table *t, struct entry *e, bool due);
/* Cancels its call, and frees it. */
void engine_table_remove(struct engine_table *t, struct entry *e);

#endif
