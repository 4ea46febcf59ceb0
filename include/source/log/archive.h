/* A compressed file of a log: gzip (RFC 1952) or Zstandard (RFC 8878), as its name says. It is unpacked as a stream, and
 * all archives together take bounded memory: no more than ARCHIVE_DECODERS are in the middle of Zstandard data at a time,
 * with windows of 8 MiB at most, which is what zstd -19 needs. Another one goes on by unpacking anew from its beginning. */
#ifndef SIDETAIL_SOURCE_LOG_ARCHIVE_H
#define SIDETAIL_SOURCE_LOG_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ARCHIVE_DECODERS 8

struct archive;

/* Bytes of the .gz or .zst that the name ends in; 0: it is no archive's. */
size_t archive_suffix(const char *name);

/* Takes the fd over, also where it fails. NULL: errno. */
struct archive *archive_open(int fd, const char *name);
void archive_close(struct archive *a);

/* Unpacks the next bytes: as many, up to `len`, as can be had; 0 at its end. -1 (errno): EBADMSG where it is
 * damaged or its end is missing; EINPROGRESS where that is missing and the file was written to within the
 * last 10 s: try again. */
ssize_t archive_read(struct archive *a, char *buf, size_t len);
/* To its beginning. 0, or -1. */
int archive_rewind(struct archive *a);
/* Nothing will be read of it for a while: gives back memory. */
void archive_rest(struct archive *a);
/* Did the last read fail with EINPROGRESS? */
bool archive_growing(const struct archive *a);
/* Why it could not be unpacked, for the log. */
const char *archive_fault(const struct archive *a);

/* May it hold `size` bytes, as far as it tells? gzip does, modulo 2^32 (ISIZE of its trailer); Zstandard not always. */
bool archive_may_hold(const struct archive *a, uint64_t size);
/* The time that a .gz names in its head (MTIME): gzip's is that of the file that was packed, others' may be that of
 * packing. In ns, of whole seconds; 0: none, or it cannot be read. */
int64_t archive_named_time(const char *path);
/* Is this packed from what the plain file holds? Reads all of that, and may read the archive, which is to be rewound. */
bool archive_same_content(struct archive *a, int plain);

#endif
