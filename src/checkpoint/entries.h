/* The table of entries: the position of each feed, by its key. */
#ifndef SIDETAIL_CHECKPOINT_ENTRIES_H
#define SIDETAIL_CHECKPOINT_ENTRIES_H

#include "record/compact_position.h"

/* There may be 100,000 of them, most of logs that are gone. */
struct entry {
    struct compact_position pos;
    uint32_t seen; /* unix seconds; when last in use; means nothing while in_use */
    bool in_use;   /* somebody asked for it in this process: it was seen just now */
    char key[];    /* NUL-terminated */
};

/* Zero-initialised is empty. Whoever reads it goes through `all`; only entries.c writes it. */
struct entries {
    struct entry **all; /* in the order in which they came, but for the last ones, which fill holes */
    uint32_t count;
    uint32_t *slots; /* by the hash of the key, or in the next free one: index in `all`, plus one; 0: free */
    uint32_t size;   /* of both, as slots: a power of two, half of which may be taken; 0: none */
    struct position asked; /* see entry_position */
};

/* The entry of a key of `len` bytes. NULL: there is none. */
struct entry *entries_find(const struct entries *entries, const char *key, size_t len);

/* The same; where there is none, a zeroed one is made. NULL: memory. */
struct entry *entries_add(struct entries *entries, const char *key, size_t len);

/* The same. *at is where it was last, as far as that is known, and where it is now. */
struct entry *entries_at(struct entries *entries, const char *key, uint32_t *at);

/* Its position, which is valid until the next call or change. */
const struct position *entry_position(struct entries *entries, const struct entry *e);
/* Unix seconds: see `seen`. */
void entry_set_seen(struct entry *e, int64_t seen);

/* Takes the entry out and frees it. */
void entries_remove(struct entries *entries, struct entry *e);

/* Removes the entries that are not in use and were last seen before `before` (unix seconds), and calls fn
 * for each; fn may be NULL. */
void entries_expire(struct entries *entries, int64_t before, void (*fn)(void *arg, const char *key),
                    void *arg);

/* Removes all. */
void entries_clear(struct entries *entries);

#endif
