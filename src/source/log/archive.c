#include "source/log/archive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/clock.h"
#include "base/plain_file.h"

#define BLOCK          16384
#define WINDOW_LOG_MAX 23              /* 8 MiB */
#define GROWING        (10 * NS_PER_S) /* since its last write, which may not have been the last */

struct archive {
    int fd;
    gzFile gz; /* which owns fd; NULL: it is Zstandard's */
    const char *fault;

    ZSTD_DStream *decoder; /* NULL: none now; then what was given is to be unpacked anew */
    uint64_t used;         /* bytes of the file that the decoder has taken */
    uint64_t given;        /* bytes unpacked */
    bool amid;             /* a frame has begun and is not complete */
    bool broken;           /* nothing more can be unpacked */
    bool growing;          /* its end was missing when it was read last, but may come */
};

static bool ends_with(const char *name, const char *suffix)
{
    size_t len = strlen(name), suffix_len = strlen(suffix);
    return len > suffix_len && strcmp(name + len - suffix_len, suffix) == 0;
}

size_t archive_suffix(const char *name)
{
    return ends_with(name, ".gz") ? 3 : ends_with(name, ".zst") ? 4 : 0;
}

static ssize_t read_at(int fd, char *buf, size_t len, uint64_t offset)
{
    ssize_t n;
    do {
        n = pread(fd, buf, len, (off_t)offset);
    } while (n < 0 && errno == EINTR);
    return n;
}

/* -- decoders of Zstandard --------------------------------------------------------------------- */

/* Those that have one, the last one read first. */
static struct archive *decoding[ARCHIVE_DECODERS];

static void drop_decoder(struct archive *a)
{
    size_t i = 0;
    while (i < ARCHIVE_DECODERS && decoding[i] != a) {
        i++;
    }
    if (i < ARCHIVE_DECODERS) {
        memmove(decoding + i, decoding + i + 1, (ARCHIVE_DECODERS - i - 1) * sizeof(*decoding));
        decoding[ARCHIVE_DECODERS - 1] = NULL;
    }
    ZSTD_freeDStream(a->decoder);
    a->decoder = NULL;
    a->used = 0;
    a->amid = false;
}

/* Puts it before the others. */
static void come_first(struct archive *a)
{
    size_t i = 0;
    while (i < ARCHIVE_DECODERS - 1 && decoding[i] && decoding[i] != a) {
        i++;
    }
    memmove(decoding + 1, decoding, i * sizeof(*decoding));
    decoding[0] = a;
}

static int make_decoder(struct archive *a)
{
    if (decoding[ARCHIVE_DECODERS - 1]) {
        drop_decoder(decoding[ARCHIVE_DECODERS - 1]);
    }
    a->decoder = ZSTD_createDStream();
    if (!a->decoder) {
        errno = ENOMEM;
        return -1;
    }
    ZSTD_DCtx_setParameter(a->decoder, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    return 0;
}

static int break_off(struct archive *a, const char *fault)
{
    a->fault = fault;
    a->broken = true;
    errno = EBADMSG;
    return -1;
}

/* Was it written to just now? */
static bool is_growing(const struct archive *a)
{
    struct stat st;
    int64_t age = fstat(a->fd, &st) == 0 ? clock_now() - clock_of_timespec(st.st_mtim) : GROWING;
    return age < GROWING && age > -GROWING;
}

static int lacks_end(struct archive *a)
{
    if (!is_growing(a)) {
        return break_off(a, "its end is missing");
    }
    a->growing = true;
    errno = EINPROGRESS;
    return -1;
}

/* Nothing is in it: whoever packs has not begun to write. */
static bool is_empty_yet(const struct archive *a)
{
    struct stat st;
    return fstat(a->fd, &st) == 0 && st.st_size == 0 && is_growing(a);
}

/* Some pad with zeros behind what they packed, to whole blocks. */
static size_t padding(const struct archive *a, const char *packed, size_t len)
{
    size_t zeros = 0;
    while (a->used > 0 && !a->amid && zeros < len && packed[zeros] == '\0') {
        zeros++;
    }
    return zeros;
}

/* Errors of memory may go away, others do not. */
static int fail(struct archive *a, size_t code)
{
    switch (ZSTD_getErrorCode(code)) {
    case ZSTD_error_memory_allocation:
        drop_decoder(a);
        errno = ENOMEM;
        return -1;
    case ZSTD_error_frameParameter_windowTooLarge:
        return break_off(
            a, "it needs more than 8 MiB to be unpacked: pack without --long, and with -19 at most");
    default:
        return break_off(a, "it is damaged");
    }
}

/* Lets the decoder take and give what it can at once. 1: go on; 0: its end; -1 (errno). */
static int decode(struct archive *a, ZSTD_outBuffer *out)
{
    static char packed[4 * BLOCK];
    ssize_t n = read_at(a->fd, packed, sizeof(packed), a->used);
    if (n == 0 && a->used == 0 && is_empty_yet(a)) {
        return lacks_end(a);
    }
    if (n < 0 || (n == 0 && !a->amid)) {
        return (int)n;
    }
    size_t zeros = padding(a, packed, (size_t)n);
    if (zeros > 0) {
        a->used += zeros;
        return 1;
    }
    ZSTD_inBuffer in = {packed, (size_t)n, 0};
    size_t before = out->pos, left = ZSTD_decompressStream(a->decoder, out, &in);
    if (ZSTD_isError(left)) {
        return fail(a, left);
    }
    if (n == 0 && out->pos == before) {
        return lacks_end(a);
    }
    a->used += in.pos;
    a->amid = left > 0;
    return 1;
}

/* Bytes; what came before a fault is given first. -1 (errno). */
static ssize_t decode_all(struct archive *a, char *buf, size_t len)
{
    ZSTD_outBuffer out = {buf, len, 0};
    int more = 1;
    while (out.pos < len && more > 0) {
        more = a->broken ? break_off(a, a->fault) : decode(a, &out);
    }
    return more < 0 && out.pos == 0 ? -1 : (ssize_t)out.pos;
}

/* A new decoder, to where the one before it was. 0, or -1 (errno). */
static int catch_up(struct archive *a)
{
    static char drop[BLOCK];
    if (make_decoder(a) < 0) {
        return -1;
    }
    come_first(a);
    for (uint64_t at = 0; at < a->given;) {
        uint64_t left = a->given - at;
        ssize_t n = decode_all(a, drop, left < sizeof(drop) ? (size_t)left : sizeof(drop));
        if (n <= 0) {
            return n == 0 ? break_off(a, "it has changed") : -1;
        }
        at += (uint64_t)n;
    }
    return 0;
}

static ssize_t zstd_read(struct archive *a, char *buf, size_t len)
{
    if (!a->decoder && !a->broken && catch_up(a) < 0) {
        return -1;
    }
    if (a->decoder) {
        come_first(a);
    }
    ssize_t n = decode_all(a, buf, len);
    a->given += n > 0 ? (uint64_t)n : 0;
    return n;
}

/* -- either kind ------------------------------------------------------------------------------- */

static ssize_t gzip_read(struct archive *a, char *buf, size_t len)
{
    int n = gzread(a->gz, buf, (unsigned)len), why = Z_OK;
    if (n == 0) {
        gzerror(a->gz, &why);
    }
    if (n < 0) {
        a->fault = "it is damaged";
        errno = EBADMSG;
        return -1;
    }
    if (why == Z_BUF_ERROR || (n == 0 && is_empty_yet(a))) { /* Z_BUF_ERROR: its end is missing */
        gzclearerr(a->gz);
        return lacks_end(a);
    }
    return n;
}

ssize_t archive_read(struct archive *a, char *buf, size_t len)
{
    a->growing = false;
    return a->gz ? gzip_read(a, buf, len) : zstd_read(a, buf, len);
}

struct archive *archive_open(int fd, const char *name)
{
    struct archive *a = calloc(1, sizeof(*a));
    if (a) {
        *a = (struct archive){.fd = fd, .fault = ""};
    }
    if (!a || (ends_with(name, ".gz") && !(a->gz = gzdopen(fd, "rb")))) {
        free(a);
        close(fd);
        errno = ENOMEM;
        return NULL;
    }
    return a;
}

void archive_close(struct archive *a)
{
    if (a->gz) {
        gzclose(a->gz);
    } else {
        archive_rest(a);
        close(a->fd);
    }
    free(a);
}

int archive_rewind(struct archive *a)
{
    if (a->gz) {
        gzclearerr(a->gz);
        return gzrewind(a->gz);
    }
    archive_rest(a);
    a->given = 0;
    a->broken = false;
    return 0;
}

void archive_rest(struct archive *a)
{
    if (a->decoder) {
        drop_decoder(a);
    }
}

bool archive_growing(const struct archive *a)
{
    return a->growing;
}

const char *archive_fault(const struct archive *a)
{
    return a->fault;
}

/* -- what it tells of its content -------------------------------------------------------------- */

/* The last eight bytes of a gzip file: CRC32 and length of what it holds (RFC 1952). */
static int read_trailer(const struct archive *a, uint32_t *crc, uint32_t *size)
{
    unsigned char t[8];
    struct stat st;
    if (fstat(a->fd, &st) < 0 || st.st_size < (off_t)sizeof(t) ||
        pread(a->fd, t, sizeof(t), st.st_size - (off_t)sizeof(t)) != (ssize_t)sizeof(t)) {
        return -1;
    }
    *crc = t[0] | (uint32_t)t[1] << 8 | (uint32_t)t[2] << 16 | (uint32_t)t[3] << 24;
    *size = t[4] | (uint32_t)t[5] << 8 | (uint32_t)t[6] << 16 | (uint32_t)t[7] << 24;
    return 0;
}

bool archive_may_hold(const struct archive *a, uint64_t size)
{
    if (a->gz) {
        uint32_t crc, held;
        return read_trailer(a, &crc, &held) == 0 && held == (uint32_t)size;
    }
    char head[18]; /* of the first frame; others may follow */
    ssize_t n = read_at(a->fd, head, sizeof(head), 0);
    unsigned long long held = n > 0 ? ZSTD_getFrameContentSize(head, (size_t)n) : ZSTD_CONTENTSIZE_ERROR;
    return held != ZSTD_CONTENTSIZE_ERROR && (held == ZSTD_CONTENTSIZE_UNKNOWN || held <= size);
}

int64_t archive_named_time(const char *path)
{
    unsigned char h[8];
    int fd = ends_with(path, ".gz") ? plain_file_open(path) : -1;
    ssize_t n = fd >= 0 ? read_at(fd, (char *)h, sizeof(h), 0) : -1;
    if (fd >= 0) {
        close(fd);
    }
    if (n != (ssize_t)sizeof(h) || h[0] != 0x1f || h[1] != 0x8b) {
        return 0;
    }
    return (h[4] | (int64_t)h[5] << 8 | (int64_t)h[6] << 16 | (int64_t)h[7] << 24) * NS_PER_S;
}

static bool same_checksum(const struct archive *a, int plain)
{
    static char block[BLOCK];
    uint32_t crc, size;
    uLong sum = crc32(0, NULL, 0);
    ssize_t n;
    for (uint64_t at = 0; (n = read_at(plain, block, sizeof(block), at)) > 0; at += (uint64_t)n) {
        sum = crc32(sum, (const Bytef *)block, (uInt)n);
    }
    return n == 0 && read_trailer(a, &crc, &size) == 0 && crc == (uint32_t)sum;
}

/* As many bytes as there are, up to BLOCK; -1. */
static ssize_t read_block(int fd, char *block, uint64_t offset)
{
    size_t got = 0;
    ssize_t n = 1;
    while (got < BLOCK && n > 0) {
        n = read_at(fd, block + got, BLOCK - got, offset + got);
        got += n > 0 ? (size_t)n : 0;
    }
    return n < 0 ? -1 : (ssize_t)got;
}

static bool same_bytes(struct archive *a, int plain)
{
    static char mine[BLOCK], its[BLOCK];
    ssize_t n;
    archive_rewind(a);
    for (uint64_t at = 0; (n = archive_read(a, mine, sizeof(mine))) > 0; at += (uint64_t)n) {
        if (read_block(plain, its, at) < n || memcmp(mine, its, (size_t)n) != 0) {
            return false;
        }
        if (n < BLOCK) {
            break;
        }
    }
    struct stat st;
    return n >= 0 && archive_read(a, mine, 1) == 0 && fstat(plain, &st) == 0 &&
           (uint64_t)st.st_size == a->given;
}

bool archive_same_content(struct archive *a, int plain)
{
    return a->gz ? same_checksum(a, plain) : same_bytes(a, plain);
}
