/* The table of entries: the position of each feed, by its key. */
#ifndef SIDETAIL_CHECKPOINT_ENTRIES_H
#define SIDETAIL_CHECKPOINT_ENTRIES_H

#include <uthash.h>

#include "record/position.h"

/* There may be 100,000 of them, most of logs that are gone: a plain position takes as little room as it can. */
struct entry {
    struct position *whole; /* NULL: it is a file's, with nothing held and not amid a line: */
    struct file_pos file;
    int64_t newest_ns;
    struct file_outline outline;
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

/* Its position; entry_position points to it until the entry is set or removed. NULL: memory. */
void entry_copy(const struct entry *e, struct position *out);
const struct position *entry_position(struct entry *e);
/* 0 or -1 (memory). */
int entry_set(struct entry *e, const struct position *pos);

/* Takes the entry out and frees it. */
void entries_remove(struct entries *entries, struct entry *e);

/* Removes the entries that are not in use and were last seen before `before` (unix seconds), and calls fn
 * for each; fn may be NULL. */
void entries_expire(struct entries *entries, int64_t before, void (*fn)(void *arg, const char *key),
                    void *arg);

/* Removes all. */
void entries_clear(struct entries *entries);

#endif
