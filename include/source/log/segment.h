/* A segment: one file of a log, live, rotated or compressed, held open until it is read. While it is open its
 * inode cannot be reused, and what Docker renames or deletes can still be read. */
#ifndef SIDETAIL_SOURCE_LOG_SEGMENT_H
#define SIDETAIL_SOURCE_LOG_SEGMENT_H

#include <stdbool.h>
#include <sys/stat.h>
#include <uthash.h>

#include "base/buf.h"
#include "base/error.h"
#include "record/position.h"
#include "source/log/archive.h"

/* Bytes of a plain file as they were read, which are in memory. */
struct segment_window {
    const char *bytes;
    uint64_t at; /* in the file */
    size_t len;
};

/* segment.c writes all of it but the first four, which are the chain's (chain.h), `inside`, which is the listing's,
 * `offset` where the tail begins in the middle of a plain file, `size` as read_on.h says, and `window`, which is the
 * follow's. */
struct segment {
    struct segment *next;    /* the newer one */
    uint64_t order;          /* grows from older to newer within one log */
    struct chain *chain;     /* NULL: none */
    UT_hash_handle open;     /* see struct open_files */
    struct archive *archive; /* NULL: a plain file. It owns fd then */
    /* Archives only: the bytes unpacked. The last ones consumed, and from `carried` on those not consumed yet. */
    struct buf carry;
    uint32_t carried : 30;
    bool inside : 1;   /* its name has a number or date before its ending */
    bool damaged : 1;  /* archives only: it could not be unpacked to its end */
    int fd;            /* -1: closed for now, see segment_shelve */
    struct file_id id; /* head_len grows with the file, up to FILE_ID_HEAD */
    uint64_t offset;   /* of the next unread byte (of what an archive holds) */
    uint64_t size;     /* as last seen; of an archive: what was unpacked so far */
    int64_t mtime_ns;
    int64_t empty_ns;      /* its mtime when it was first seen to be empty; 0: it never was */
    int64_t head_ns;       /* and when the head of `id` was read */
    struct file_tail tail; /* what stood before tail_at when it was noted */
    uint64_t tail_at;
    struct file_outline outline; /* of that */
    /* NULL, but while what was read is dealt with: what stands before the offset is noted from that. */
    const struct segment_window *window;
    /* While it is closed, see chain_of, shelf.h: */
    int64_t birth_ns; /* when it was made; 0: the file system does not tell */
    char *met_at;     /* another name that it was met under; owned; NULL: none is known */
};

/* Opens a regular file, an archive where its name says so (archive.h); see plain_file_open. NULL: errno and err tell why
 * (ENOENT: it is not there). */
struct segment *segment_open(const char *path, struct error *err);
void segment_close(struct segment *seg); /* NULL is fine */

/* Closes the descriptor of a plain file; all that is known of the file stays. Until it is open again, fd is -1, and its
 * inode may be used again: by a file that was made later, where the file system tells. */
void segment_shelve(struct segment *seg);
/* Opens it again, where `path` leads to that inode, made when that file was. What is in it may be new: see
 * segment_intact. 1; 0: it does not; -1 (errno): it cannot be opened. */
int segment_unshelve(struct segment *seg, const char *path);
/* Is what the path leads to this closed file, by its inode, its birth and what was read of it? Then the path is
 * remembered in `met_at`. */
bool segment_met(struct segment *seg, const char *path);
/* Does the path lead to that inode, which, of a closed file, was made when that was? NULL leads nowhere. */
bool segment_is_named(const struct segment *seg, const char *path);
/* Is it closed for now? */
static inline bool segment_shelved(const struct segment *seg)
{
    return seg->fd < 0;
}
/* Has it no name any more? Not known of a closed one. */
static inline bool segment_unlinked(const struct segment *seg)
{
    struct stat st;
    return fstat(seg->fd, &st) == 0 && st.st_nlink == 0;
}

/* Looks at size and time again, and takes more of the file's head into its identity. 0, or -1 (errno). */
int segment_refresh(struct segment *seg);
/* Its path still names it, and was just looked at: is there something new in it? Takes note of a larger
 * size only, so that what is unread is known. */
bool segment_look(struct segment *seg, const struct stat *st);

/* Does the file still begin as it did, and is what was noted by segment_note still there? 1: yes; 0: no, it
 * was truncated and written anew; -1 (errno): that cannot be read, so nobody knows. */
int segment_intact(struct segment *seg);

/* Is what was read of it still in it, as far as anything was? */
bool segment_is_itself(struct segment *seg);

/* Was it written to since it was found empty, and nothing of it read? It may be empty again. */
bool segment_was_empty(struct segment *seg);
/* Has it something else in it than when it was looked at, and was nothing of it read? */
bool segment_is_anew(struct segment *seg);
/* Forgets when it was found empty, unless it is empty now. */
void segment_reset_empty(struct segment *seg);

/* Notes what stands before its offset, and returns that as a position. What cannot be read is left out. */
struct file_pos segment_note(struct segment *seg);

/* What stands before its offset. It is not noted. */
struct file_tail segment_tail(struct segment *seg);

/* A plain file that was truncated: to its beginning, known by what it holds now. */
void segment_restart(struct segment *seg);

/* Is this the file that `id` was taken from, at least `offset` bytes long? Inodes are not compared. */
bool segment_matches(struct segment *seg, const struct file_id *id, uint64_t offset);
/* Likewise, and by its inode. */
bool segment_is(struct segment *seg, const struct file_id *id);

/* Is this the file in which the position was taken, by its beginning and by what stands before the offset?
 * Inodes are not compared. An archive is unpacked up to there, and stands there when it is. */
enum segment_match {
    SEGMENT_OTHER,
    SEGMENT_SAME,
    SEGMENT_DAMAGED, /* archive: it begins so, but cannot be unpacked up to there */
};
enum segment_match segment_match_at(struct segment *seg, const struct file_pos *pos);

/* Is this an archive of the file that was read to `end`, and no further than that? May unpack it up to there,
 * and goes back to its beginning. */
bool segment_packs(struct segment *seg, const struct file_pos *end);
/* Is this an archive of what the plain file holds now? Reads all of that, where it seems so. To its beginning. */
bool segment_packs_file(struct segment *seg, const struct segment *plain);

/* Is this copied from `live`, which is not truncated yet, or about to be (copytruncate)? Where one is merely
 * the older of two that are alike, it was made before the other. */
bool segment_copies(struct segment *seg, struct segment *live);

/* Goes to an offset; backwards in an archive it unpacks anew. 0; -1 when it cannot (an archive: fewer bytes, or
 * damaged). */
int segment_seek(struct segment *seg, uint64_t offset);

#define SEGMENT_LITTLE 2097152 /* bytes that may be unpacked at once */
/* Unpacks more of an archive, towards the offset, until `until_ns` (monotonic). Is there more to do than little,
 * which segment_seek may do at once? Not where it ends, or is damaged. */
bool segment_unpack(struct segment *seg, uint64_t offset, int64_t until_ns);

/* Reads up to `cap` bytes from the offset on, which does not move. Bytes read, 0 at the end (which is where a
 * archive is damaged), -1 (errno). */
ssize_t segment_read(struct segment *seg, char *buf, size_t cap);

/* The next `len` bytes (no more than segment_read gave) are dealt with: moves the offset. */
void segment_consume(struct segment *seg, size_t len);

/* Who a file is while it is there. */
struct inode {
    dev_t dev;
    ino_t ino;
};

static inline bool same_inode(const struct file_id *id, dev_t dev, ino_t ino)
{
    return id->ino == ino && id->dev == dev;
}

#endif
