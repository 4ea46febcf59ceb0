/* Where reading stands in one feed (a container, or one file of a volume), so that it can go on there. */
#ifndef SIDETAIL_RECORD_POSITION_H
#define SIDETAIL_RECORD_POSITION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "record/record.h"

/* Which file: device and inode, and what it begins with, for inodes are reused and gzip makes a new one. */
struct file_id {
    uint64_t dev, ino;
    uint64_t head_hash; /* XXH3-64 of its first head_len bytes (of what gzip holds, where it is one) */
    uint32_t head_len;  /* 0 to FILE_ID_HEAD; 0: nothing known of its content */
};
#define FILE_ID_HEAD 1024

/* What stands just before an offset: files that begin alike differ here. */
struct file_tail {
    uint64_t hash; /* XXH3-64 of the last len bytes before it */
    uint32_t len;  /* 0 to FILE_TAIL_MAX; 0: not known */
};
#define FILE_TAIL_MAX 1024

/* What the lines were of which a tail consists, roughly: so much of it is found again in a file that was cut off
 * there. */
struct file_outline {
    uint8_t lines; /* newlines in it; 0: not known, or too many */
    /* The lowest byte of the XXH3-64 of the tail up to behind the newline that FILE_OUTLINE_LEFT[i] more follow;
     * the last one: of its first half. Where there is none: 0. */
    uint8_t sums[15];
};
#define FILE_OUTLINE_LEFT                                                                                    \
    {                                                                                                        \
        1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 30, 50                                                       \
    }

/* Where something was lost, and others wrote on: a loss of power leaves a line torn there, or zeros, or nothing that
 * could be seen. What stands behind it was read. By this the file is known again up to there. */
struct file_tear {
    uint64_t offset; /* behind it; not 0 */
    int64_t time_ns; /* of the entry at the offset; 0: up to the next tear, or to `at`, none was read */
    struct file_tail before; /* what stands before the offset */
};

#define FILE_TEARS_MAX 8

/* The oldest first, by their offsets. */
struct file_tears {
    uint8_t count;
    struct file_tear at[FILE_TEARS_MAX];
};

struct file_pos {
    struct file_id file;
    uint64_t offset; /* of the next unread byte */
    /* Of the file when this was noted. It tells newer files from older ones when this one is gone. */
    int64_t mtime_ns;
    struct file_tail tail;
};

/* The Engine API has no offsets: the time of the last line taken, and how many lines with exactly that time
 * were. */
struct api_pos {
    int64_t time_ns;
    uint32_t lines;
};

union source_offset {
    struct file_pos file;
    struct api_pos api;
};

enum position_kind { POSITION_NONE, POSITION_FILE, POSITION_API };

/* Everything before `at` is delivered, but for lines of which only parts were read: those began at `held`,
 * for each stream on its own. To go on, read from the earliest `held`: up to `at` only entries of a stream
 * that has one, from there on, are taken up; all else before `at` is delivered already. */
struct position {
    enum position_kind kind; /* NONE: forget this feed */
    bool held_set[STREAM_COUNT];
    bool mid_line; /* file: `at` lies inside a line that was too long and is being cut */
    /* File: the newest time of the lines before `at`, by clock_newest; 0: not known. It tells where to go
     * on in a file whose end never reached the disk. */
    int64_t newest_ns;
    struct file_outline outline; /* File: of the tail of `at`; likewise */
    union source_offset at, held[STREAM_COUNT];
    struct file_tears tears; /* File: the last ones up to `at`; likewise. At the end, for few have any */
};

/* Do both say the same? */
bool position_same(const struct position *a, const struct position *b);

/* As JSON, the only text form there is:
 *
 *     {"kind":"file","at":OFFSET,"held":{"stdout":OFFSET,"stderr":OFFSET},"mid_line":true,"newest":<ns>,
 *      "outline":"<32 hex digits: its bytes>","tears":[TEAR,…]}
 *
 * A file's OFFSET: {"dev":"fe00","ino":"1a2b","head":"<16 hex digits>","head_len":1024,
 *                   "offset":9,"mtime":<ns>,"tail":"<16 hex digits>","tail_len":9}
 * The API's OFFSET: {"time":<ns>,"lines":1}
 * A TEAR: {"offset":7,"time":<ns>,"tail":"<16 hex digits>","tail_len":7}
 *
 * `held` and what is in it, `mid_line`, `newest`, `outline`, `tears`, and `tail` with its length stand only where
 * they are set; kind "none" has nothing else. Hashes, inodes and devices are hex strings, since JSON readers keep no unsigned 64-bit
 * integers. Offsets and times are integers up to INT64_MAX. */
#define POSITION_TEXT_MAX 2048 /* bytes that one takes at the most */

/* Appends the text. 0, or -1 when memory is out (out is as it was). */
int position_write(struct buf *out, const struct position *pos);
/* The same as an object. New reference, or NULL when memory is out. */
json_t *position_to_json(const struct position *pos);
/* 0, or -1 when it is not a position: a key missing or unknown, a wrong type, a number out of bounds. */
int position_from_json(const json_t *json, struct position *pos);

/* A feed's key as text that any JSON can hold, for paths are bytes: those that are not printable ASCII, and
 * '"', '\\' and '%', become %XX. Appended. 0, or -1 when memory is out (out is as it was). */
int position_key_write(struct buf *out, const char *key);
/* Undoes that in place. The key's length, or 0 when it is not what position_key_write writes. */
size_t position_key_read(char *text);

#endif
