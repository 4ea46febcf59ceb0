#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source/log/rotation.h"
#include "source/log/segment.h"

#define BLOCK (64u << 10) /* bytes looked through at once, backwards */
#define TRIES 5           /* to open the next file amid a rotation, before the next read */

struct tail_log {
    char *path, *alias; /* see tail_log_open */
    const struct decoder *decoder;
    struct segment *seg; /* NULL: none is open */
    bool live;           /* seg is the file at path, as far as is known */
};

/* -- beginning so many lines before the end ---------------------------------------------------- */

/* Looks for the `lines`th newline from the end of a plain file, its last byte not counted. Lines found in
 * all; *offset is behind that newline, or 0. -1: cannot be read. */
static int64_t seek_back(struct segment *seg, int64_t lines, uint64_t *offset)
{
    char block[BLOCK];
    int64_t found = 0;
    uint64_t end = seg->size;
    for (*offset = 0; end > 0;) {
        uint64_t start = end > BLOCK ? end - BLOCK : 0;
        ssize_t got = pread(seg->fd, block, (size_t)(end - start), (off_t)start);
        if (got != (ssize_t)(end - start)) {
            return -1;
        }
        for (size_t i = (size_t)got; i-- > 0;) {
            if (block[i] == '\n' && start + i + 1 < seg->size && ++found == lines) {
                *offset = start + i + 1;
                return found;
            }
        }
        end = start;
    }
    return found + (seg->size > 0);
}

/* Lines of an archive. */
static int64_t count_lines(struct segment *seg)
{
    char block[BLOCK];
    int64_t found = 0;
    for (ssize_t got; (got = segment_read(seg, block, sizeof(block))) > 0;
         segment_consume(seg, (size_t)got)) {
        for (const char *p = block; (p = memchr(p, '\n', (size_t)(block + got - p))); p++) {
            found++;
        }
    }
    return found;
}

/* Passes over that many lines of a file just opened. */
static void skip_lines(struct segment *seg, int64_t lines)
{
    char block[BLOCK];
    ssize_t got;
    while (lines > 0 && (got = segment_read(seg, block, sizeof(block))) > 0) {
        const char *p = block, *end = block + got, *newline;
        while (lines > 0 && (newline = memchr(p, '\n', (size_t)(end - p)))) {
            p = newline + 1;
            lines--;
        }
        segment_consume(seg, lines > 0 ? (size_t)got : (size_t)(p - block));
    }
}

/* Passes over the next `most` records of a file that has no lines; how many there were. */
static int64_t pass_records(struct segment *seg, const struct decoder *decoder, int64_t most)
{
    size_t cap = decoder->framing->longest;
    char *block = malloc(cap + DECODE_PAD);
    int64_t found = 0, more;
    ssize_t got;
    size_t used = 1;
    while (block && found < most && used > 0 && (got = segment_read(seg, block, cap)) > 0) {
        used = decoder_pass(decoder, block, block + got, most - found, &more);
        segment_consume(seg, used);
        found += more;
    }
    free(block);
    return found;
}

/* As begin_in. */
static int64_t begin_in_records(struct segment **seg, const char *path, const struct decoder *decoder,
                                int64_t records)
{
    int64_t found = pass_records(*seg, decoder, INT64_MAX);
    if (segment_seek(*seg, 0) < 0) {
        segment_close(*seg);
        *seg = segment_open(path, NULL);
    }
    if (*seg && found > records) {
        pass_records(*seg, decoder, found - records);
    }
    return found >= records ? 0 : records - found;
}

/* Positions a file so that `lines` of its lines follow; the number of lines that it cannot give. */
static int64_t begin_in(struct segment **seg, const char *path, const struct decoder *decoder, int64_t lines)
{
    if (decoder->framing) {
        return begin_in_records(seg, path, decoder, lines);
    }
    uint64_t offset;
    if (!(*seg)->archive) {
        int64_t found = seek_back(*seg, lines, &offset);
        (*seg)->offset = offset;
        return found < 0 || found >= lines ? 0 : lines - found;
    }
    int64_t found = count_lines(*seg);
    segment_close(*seg);
    *seg = segment_open(path, NULL);
    if (*seg && found > lines) {
        skip_lines(*seg, found - lines);
    }
    return found >= lines ? 0 : lines - found;
}

/* -- from file to file ------------------------------------------------------------------------- */

static void take(struct tail_log *log, struct segment *seg, bool live)
{
    segment_close(log->seg);
    log->seg = seg;
    log->live = live;
}

/* Opens the file in which the last `lines` lines begin. */
static void begin_back(struct tail_log *log, int64_t lines, const struct generation *list, size_t count)
{
    struct segment *live = segment_open(log->path, NULL);
    take(log, live, true);
    if (lines == 0) {
        if (live) {
            live->offset = live->size;
        }
        return;
    }
    if (live) {
        lines = begin_in(&log->seg, log->path, log->decoder, lines);
    }
    for (size_t i = 0; i < count && lines > 0; i++) { /* newest first */
        struct segment *seg = segment_open(list[i].path, NULL);
        if (seg) {
            lines = begin_in(&seg, list[i].path, log->decoder, lines);
            take(log, seg, false);
        }
    }
}

static void begin(struct tail_log *log, int64_t lines)
{
    struct generation *list = NULL;
    size_t count = 0;
    if (rotation_list(log->path, log->alias, &list, &count) < 0) {
        count = 0;
    }
    if (lines >= 0) {
        begin_back(log, lines, list, count);
    } else {
        for (size_t i = count; i-- > 0 && !log->seg;) {
            take(log, segment_open(list[i].path, NULL), false);
        }
    }
    if (!log->seg) {
        take(log, segment_open(log->path, NULL), true);
    }
    rotation_free(list, count);
}

/* The file that follows the one being read, which has a name in the list no more when it was compressed
 * meanwhile: then the oldest that is newer. NULL: the live one. */
static const struct generation *find_next(const struct segment *seg, const struct generation *list,
                                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].dev == seg->id.dev && list[i].ino == seg->id.ino) {
            return i > 0 ? &list[i - 1] : NULL;
        }
    }
    for (size_t i = count; i-- > 0;) {
        if (list[i].mtime_ns > seg->mtime_ns) {
            return &list[i];
        }
    }
    return NULL;
}

static bool is_live(const struct tail_log *log)
{
    struct stat st;
    return log->seg && stat(log->path, &st) == 0 && st.st_dev == log->seg->id.dev &&
           st.st_ino == log->seg->id.ino;
}

/* Do the files have the names in the list still? A rotation may go on while one is opened. */
static bool still_named(const struct tail_log *log, const struct generation *list, size_t count)
{
    struct generation *now = NULL;
    size_t n = 0;
    bool same = rotation_list(log->path, log->alias, &now, &n) == 0 && n == count;
    for (size_t i = 0; same && i < n; i++) {
        same = generation_same(&now[i], &list[i]);
    }
    rotation_free(now, n);
    return same;
}

/* Opens the file that follows, where it is known for sure. False: it is not, or there is none. */
static bool open_next(struct tail_log *log)
{
    struct generation *list = NULL;
    size_t count = 0;
    if (rotation_list(log->path, log->alias, &list, &count) < 0) {
        return false;
    }
    const struct generation *next = find_next(log->seg, list, count);
    struct segment *seg = segment_open(next ? next->path : log->path, NULL);
    bool sure = seg && (!next || (seg->id.ino == next->ino && seg->id.dev == next->dev)) &&
                still_named(log, list, count);
    if (sure) {
        take(log, seg, next == NULL);
    } else {
        segment_close(seg);
    }
    rotation_free(list, count);
    return sure;
}

/* The file is read to its end: opens the one that follows. False: there is none yet. */
static bool move_on(struct tail_log *log)
{
    if (!log->seg) {
        take(log, segment_open(log->path, NULL), true);
        return log->seg != NULL;
    }
    bool moved = false;
    for (int i = 0; i < TRIES && !moved && !is_live(log); i++) {
        moved = open_next(log);
    }
    return moved;
}

/* The live file was truncated in place: it is read anew. */
static void check_truncated(struct tail_log *log)
{
    if (!log->seg->archive && segment_refresh(log->seg) == 0 && log->seg->size < log->seg->offset) {
        log->seg->offset = 0;
    }
}

int tail_log_move(struct tail_log *log, const char *path, const char *alias)
{
    free(log->path);
    free(log->alias);
    log->path = strdup(path);
    log->alias = alias ? strdup(alias) : NULL;
    return log->path && (log->alias || !alias) ? 0 : -1;
}

struct tail_log *tail_log_open(const char *path, const char *alias, const struct decoder *decoder,
                               int64_t lines)
{
    struct tail_log *log = calloc(1, sizeof(*log));
    if (!log || tail_log_move(log, path, alias) < 0) {
        tail_log_close(log);
        return NULL;
    }
    log->decoder = decoder;
    begin(log, lines);
    return log;
}

void tail_log_close(struct tail_log *log)
{
    if (log) {
        segment_close(log->seg);
        free(log->path);
        free(log->alias);
        free(log);
    }
}

ssize_t tail_log_read(struct tail_log *log, char *buf, size_t cap)
{
    for (;;) {
        ssize_t got = log->seg ? segment_read(log->seg, buf, cap) : 0;
        if (got > 0) {
            return got;
        }
        if (log->seg) {
            check_truncated(log);
            got = segment_read(log->seg, buf, cap); /* what came between the end and the rotation */
            if (got > 0) {
                return got;
            }
        }
        if (!move_on(log)) {
            return 0;
        }
    }
}

void tail_log_consume(struct tail_log *log, size_t len)
{
    segment_consume(log->seg, len);
}

bool tail_log_torn(struct tail_log *log)
{
    return !is_live(log) && move_on(log);
}
