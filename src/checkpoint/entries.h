/* The table of entries: the position of each feed, by its key. */
#ifndef SIDETAIL_CHECKPOINT_ENTRIES_H
#define SIDETAIL_CHECKPOINT_ENTRIES_H

#include <uthash.h>

#include "record/position.h"

struct entry {
    struct position pos;
    int64_t seen; /* unix seconds; when last in use; means nothing while in_use */
    bool in_use;  /* somebody asked for it in this process: it was seen just now */
    UT_hash_handle hh;
    char key[]; /* NUL-terminated */
};

/* Zero-initialised is empty. The order is that of insertion: hh.next goes from one entry to the next. */
struct entries {
    struct entry *first; /* NULL: empty */
};

/* The entry of a key of `len` bytes. NULL: there is none. */
struct entry *entries_find(const struct entries *entries, const char *key, size_t len);

/* The same; where there is none, a zeroed one is made. NULL: memory. */
struct entry *entries_add(struct entries *entries, const char *key, size_t len);

/* Takes the entry out and frees it. */
void entries_remove(struct entries *entries, struct entry *e);

/* Removes the entries that are not in use and were last seen before `before` (unix seconds), and calls fn
 * for each; fn may be NULL. */
void entries_expire(struct entries *entries, int64_t before, void (*fn)(void *arg, const char *key),
                    void *arg);

/* Removes all. */
void entries_clear(struct entries *entries);

#endif
