/* An output file: open for appending, and locked against other collectors. */
#ifndef SIDETAIL_SINK_FILE_OUTPUT_H
#define SIDETAIL_SINK_FILE_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/error.h"
#include "location.h"
#include "record/position.h"

/* Only output.c changes what is in it. */
struct output {
    int fd;           /* -1: not open */
    uint64_t length;  /* bytes that we know it to hold */
    bool torn;        /* it ends within a line, which is not ours: output_end_line before the first record */
    size_t unflushed; /* bytes written since the disk was last set to work */
    struct file_id id;
    int64_t birth_ns; /* when it was made, in ns since 1970; 0: the file system does not tell */
    int64_t since_ns; /* of its first record (wall clock); counts for rotation by age */
};

/* Opens `name` in the directory of the output, creates it where it is missing, and locks it; fills *out.
 * `flags`: O_EXCL or 0. 0, or -1, as output_lock: *out is as it was, or not open. */
int output_open(const struct location *at, const char *name, int flags, struct output *out,
                struct error *err);
/* Two collectors in one file would each cut off what the other wrote: takes the lock of a file that is open at that name,
 * until fd is closed. 0; -1: where another process has it, err has the exit code EXIT_LOCKED. */
int output_lock(const struct location *at, const char *name, int fd, struct error *err);
/* Also of one that is not open. */
void output_close(struct output *out);

/* Is that name, in the directory of the output, this file? */
bool output_is_at(const struct location *at, const char *name, const struct output *out);

/* -- changing it -- */

/* Appends. The bytes written, or -1 (errno). Where there is something worth it, the disk is set to work, so
 * that the fsync at the next save is short. */
ssize_t output_write(struct output *out, const struct iovec *iov, int count);
/* Ends a torn line. The same results. */
ssize_t output_end_line(struct output *out);
/* Cuts off what lies beyond `length`. 0 or -1 (errno). */
int output_truncate(struct output *out, uint64_t length);
/* Takes over a length that the file was found to have, for somebody else changed it. */
void output_resized(struct output *out, uint64_t length);

/* -- what it holds -- */

/* Finds out whether the file is torn. 0 or -1 (errno). */
int output_check_end(struct output *out);
/* Brings id.head_hash and id.head_len up to what they are when the file has `length` bytes. 0 or -1
 * (errno). */
int output_identify(struct output *out, uint64_t length);
/* The hash of the first `len` bytes of any file, len <= FILE_ID_HEAD. 0 or -1 (errno; ENODATA: the file has
 * not so many). */
int output_hash_head(int fd, uint32_t len, uint64_t *hash);

#endif
