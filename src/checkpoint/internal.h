/* What the files of the checkpoint share; nobody else includes this. */
#ifndef SIDETAIL_CHECKPOINT_INTERNAL_H
#define SIDETAIL_CHECKPOINT_INTERNAL_H

#include <uthash.h>

#include "base/buf.h"
#include "checkpoint/checkpoint.h"

#define CHECKPOINT_VERSION 1

struct entry {
    struct position pos;
    int64_t seen; /* unix seconds: when last in use; of entries in use it is now */
    bool in_use;  /* somebody asked for it in this process */
    UT_hash_handle hh;
    char key[];
};

struct checkpoint {
    struct entry *entries;
    struct position output; /* kind POSITION_NONE: there is none */
    char *path;             /* NULL: not loaded, or nothing is kept */
    int64_t retention_ns;
    int64_t loaded_ns, saved_ns; /* monotonic */
    bool changed;
    struct buf text; /* of the last save; its room is used again */
};

/* checkpoint.c. The entry of that key (len bytes of it), made when there is none. NULL: memory. */
struct entry *checkpoint_entry(struct checkpoint *c, const char *key, size_t len);
void checkpoint_clear(struct checkpoint *c);

/* checkpoint_text.c: the whole file's text into c->text. 0 or -1 (memory). */
int checkpoint_format(struct checkpoint *c, int64_t now_s);

enum checkpoint_read {
    CHECKPOINT_OK,
    CHECKPOINT_DAMAGED, /* why: err */
    CHECKPOINT_NEWER,   /* *version: which */
};
/* Fills an empty checkpoint from the file's text; what it got is undefined unless OK. */
enum checkpoint_read checkpoint_parse(struct checkpoint *c, struct slice text, int *version,
                                      struct error *err);

#endif
