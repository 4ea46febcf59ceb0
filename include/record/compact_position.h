/* A position in as little room as it can have: there is one for each log in the checkpoint, and in each batch. */
#ifndef SIDETAIL_RECORD_COMPACT_POSITION_H
#define SIDETAIL_RECORD_COMPACT_POSITION_H

#include "record/position.h"

enum compact_form {
    COMPACT_NONE, /* zero-initialised */
    COMPACT_FILE, /* a file's, with nothing held, no tear, and not amid a line */
    COMPACT_API,  /* the API's, with nothing held */
    COMPACT_LONG, /* any other */
};

/* To be read and written by the functions below alone. 80 bytes. */
struct compact_position {
    union {
        struct {
            uint64_t dev, ino, head_hash, offset, tail_hash;
            int64_t mtime_ns, newest_ns;
        } file;
        struct api_pos api;
        void *whole; /* of COMPACT_LONG: a struct position up to its last tear; owned */
    };
    struct file_outline outline;
    uint16_t head_len, tail_len;
    uint8_t form; /* enum compact_form */
};

/* 0, or -1 when memory is out (it is as it was). */
int compact_set(struct compact_position *c, const struct position *pos);
void compact_get(const struct compact_position *c, struct position *out);
/* The same. 1: it did not say so yet; 0: it did; -1: memory is out (it is as it was). */
int compact_change(struct compact_position *c, const struct position *pos);
/* The same, of what `from` says. */
int compact_copy(struct compact_position *c, const struct compact_position *from);
/* Is it of the kind POSITION_NONE? */
static inline bool compact_is_none(const struct compact_position *c)
{
    return c->form == COMPACT_NONE;
}
/* Makes it that, and frees what it owns. */
void compact_clear(struct compact_position *c);

#endif
