/* The chain of a log's files that are held open, the oldest unread first, and the ends of those that were
 * read before them. */
#ifndef SIDETAIL_SOURCE_LOG_CHAIN_H
#define SIDETAIL_SOURCE_LOG_CHAIN_H

#include "source/log/segment.h"

#define CHAIN_ENDS 16 /* files read to their end that are remembered */

/* An offset in one of a log's files, comparable across them. */
struct chain_offset {
    uint64_t order; /* the segment's */
    uint64_t offset;
};

/* The plain files that are open in any chain, or closed for now, by device and inode. Only chain.c writes
 * this, but for `most`. */
struct open_files {
    struct segment *by_inode;
    uint64_t most; /* log files that there are descriptors for; 0: any number */
};

/* Only chain.c writes this, but for `open` and `follow`, which are set up with it. */
struct chain {
    struct open_files *open;     /* of all chains */
    void *follow;                /* that it belongs to */
    struct segment *head, *tail; /* being read … newest; NULL: none */
    uint64_t next_order;
    struct file_pos *ends; /* a ring; NULL: there are none */
    unsigned count;
    uint16_t end_count; /* of the ends, up to CHAIN_ENDS */
    uint16_t next_end;
};

/* The chain that the plain file at `path` is in, which has that inode; NULL: none. Of one that
 * is closed, the path is remembered. */
const struct chain *chain_of(const struct open_files *open, dev_t dev, ino_t ino, const char *path);

/* Takes the segment over. */
void chain_append(struct chain *c, struct segment *seg);
/* Closes the head. The one behind it, if any, is the head then. */
void chain_drop_head(struct chain *c);
/* Closes all behind the head. */
void chain_drop_newer(struct chain *c);
void chain_close(struct chain *c);
void chain_free(struct chain *c); /* closes it, and forgets the ends */

/* Takes the newest file out, or back in with the order that it had. */
struct segment *chain_detach(struct chain *c);
void chain_reattach(struct chain *c, struct segment *seg);
/* Its one file was truncated: goes on at the beginning of that, as if it were a newer file. */
void chain_restart(struct chain *c);

/* Remembers a file as read to its end, however much of it was; returns that. */
struct file_pos chain_remember(struct chain *c, struct segment *seg);
void chain_remember_end(struct chain *c, const struct file_pos *end);

/* Does the chain end with this file, or was it read before? It may be compressed by now, as any of the chain may be. */
bool chain_knows(const struct chain *c, struct segment *seg);
/* Does an archive begin like a file that was read? It may still be packed. */
bool chain_knows_head(const struct chain *c, struct segment *packed);
/* Is this a plain file that was read and left, whatever it is called now? *end: the furthest that it was read to. */
bool chain_has_left(const struct chain *c, struct segment *seg, struct file_pos *end);
/* Did a plain file of the chain, or one that was left, begin as this one, which has FILE_ID_HEAD? *read: up
 * to where that was read, the furthest that this one holds. NULL: did any have so much? */
bool chain_begins_so(const struct chain *c, struct segment *seg, struct file_pos *read);
/* Does a plain file of the chain, or one that was read and left, begin as this one, which has FILE_ID_HEAD, and is as
 * long or longer? */
bool chain_has_had(const struct chain *c, const struct segment *seg);
/* Is this plain file one of the chain? */
bool chain_holds(const struct chain *c, dev_t dev, ino_t ino);
/* Bytes not yet read, by the sizes last seen. */
uint64_t chain_unread(const struct chain *c);

int chain_offset_compare(struct chain_offset a, struct chain_offset b); /* as memcmp */

#endif
