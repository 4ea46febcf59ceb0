/* A segment: one file of a log, live, rotated or gzipped, held open until it is read. While it is open its
 * inode cannot be reused, and what Docker renames or deletes can still be read. */
#ifndef SIDETAIL_SOURCE_LOG_SEGMENT_H
#define SIDETAIL_SOURCE_LOG_SEGMENT_H

#include <stdbool.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/error.h"
#include "record/position.h"

struct segment {
    struct segment *next; /* the newer one */
    uint64_t order;       /* grows from older to newer within one log */
    int fd;
    gzFile gz;         /* NULL: a plain file. It owns fd then */
    bool damaged;      /* gzip only: it could not be unpacked to its end */
    struct buf carry;  /* gzip only: bytes unpacked; the last consumed ones, and those not consumed yet … */
    size_t carried;    /* … which begin here */
    struct file_id id; /* head_len grows with the file, up to FILE_ID_HEAD */
    uint64_t offset;   /* of the next unread byte (of what gzip holds, where it is one) */
    uint64_t size;     /* as last seen; of gzip: what was unpacked so far */
    int64_t mtime_ns;
    int64_t empty_ns;      /* its mtime when it was first seen to be empty; 0: it never was */
    struct file_tail tail; /* what stood before tail_at when it was noted */
    uint64_t tail_at;
};

/* Opens a regular file, gzip where its name ends in .gz. NULL: errno and err tell why (ENOENT: it is not
 * there). */
struct segment *segment_open(const char *path, struct error *err);
void segment_close(struct segment *seg); /* NULL is fine */

/* Looks at size and time again, and takes more of the file's head into its identity. 0, or -1 (errno). */
int segment_refresh(struct segment *seg);

/* Does the file still begin as it did, and is what was noted by segment_note still there? 1: yes; 0: no, it
 * was truncated and written anew; -1 (errno): that cannot be read, so nobody knows. */
int segment_intact(struct segment *seg);

/* Where it stands: what is before its offset is noted. Where that cannot be read, it is left out. */
struct file_pos segment_note(struct segment *seg);

/* A plain file that was truncated: to its beginning, known by what it holds now. */
void segment_restart(struct segment *seg);

/* Is this the file that `id` was taken from, at least `offset` bytes long? Inodes are not compared. */
bool segment_matches(struct segment *seg, const struct file_id *id, uint64_t offset);

/* Is this the file in which the position was taken, by its beginning and by what stands before the offset?
 * Inodes are not compared. A gzip file is unpacked up to there, and stands there when it is. */
enum segment_match {
    SEGMENT_OTHER,
    SEGMENT_SAME,
    SEGMENT_DAMAGED, /* gzip: it begins so, but cannot be unpacked up to there */
};
enum segment_match segment_match_at(struct segment *seg, const struct file_pos *pos);

/* Gzip: does it hold `size` bytes, by its own trailer (RFC 1952: ISIZE, modulo 2^32)? */
bool segment_holds(const struct segment *gz, uint64_t size);
/* Is this packed from what the plain file holds (CRC32 of the trailer)? Reads all of that. */
bool segment_same_content(const struct segment *gz, const struct segment *plain);

/* Is this copied from `live`, which is not truncated yet, or about to be? (copytruncate) Where the one is
 * merely the older of two that are alike, it was made before the other. */
bool segment_copies(struct segment *seg, struct segment *live);

/* Goes to an offset; backwards in a gzip file it unpacks anew. 0; -1 when it cannot (gzip: fewer bytes, or
 * damaged). */
int segment_seek(struct segment *seg, uint64_t offset);

/* Reads up to `cap` bytes from the offset on, which does not move. Bytes read, 0 at the end (which is where a
 * gzip file is damaged), -1 (errno). */
ssize_t segment_read(struct segment *seg, char *buf, size_t cap);

/* The next `len` bytes (no more than segment_read gave) are dealt with: moves the offset. */
void segment_consume(struct segment *seg, size_t len);

/* -- the rotated files of a log (rotation.c, rotation_name.c) ----------------------------------- */

/* What a rotated file's name says. Behind the log's name stands a number (PATH.1), or a date (PATH-20261124,
 * PATH.2026-11-24): digits, with a time and a number behind it where there are several a day, as kubelet
 * has it too (kubernetes pkg/kubelet/logs/container_log_manager.go: PATH.20060102-150405 as Go writes it).
 * Or either stands before the log's ending, behind one of `.-_`: app.2026-11-24.1.log is app.log's. Each
 * with .gz. */
#define ROTATED_PARTS 8
struct rotated_name {
    size_t stem; /* bytes of the log's name before the number or date; its ending follows */
    const char *ending;
    size_t ending_len; /* 0: not `inside` */
    bool inside;       /* before the ending. Other logs have such names, too: see claim.c */
    bool dated, gz;
    unsigned parts;
    uint64_t part[ROTATED_PARTS]; /* the number; or date, time and number, the larger the newer */
};

/* Is it a rotated file's name? */
bool rotation_parse(const char *name, struct rotated_name *out);
/* Is it one of the log of that name? */
bool rotation_of(const struct rotated_name *rotated, const char *name, const char *log);
/* The path of the log that this is a rotated file of, by its name; to be freed. NULL: it is none's. */
char *rotation_log(const char *path, bool *inside);

/* One file that a log's path has left behind, by its name: PATH.1, PATH.2.gz, PATH-20261124.gz … */
struct generation {
    char *path;
    dev_t dev;
    ino_t ino;
    int64_t mtime_ns;
    struct rotated_name name;
};

/* Lists them, newest first; a .gz that is still being made from a plain file of the same number is left out.
 * 0; -1 (errno). */
int rotation_list(const char *path, struct generation **out, size_t *count);
void rotation_free(struct generation *list, size_t count);
/* Is it the same file, under the same name? */
bool generation_same(const struct generation *a, const struct generation *b);

#endif
