#include "cut.h"

#include <stdlib.h>
#include <xxhash.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/memory.h"
#include "outline.h"

#define LOOK_AT 1048576 /* bytes at a time */

/* Behind the last zero of the file; 0: it has none, or cannot be read. */
static uint64_t behind_zeros(struct segment *seg)
{
    char block[16384];
    for (uint64_t end = seg->size; end > 0;) {
        uint64_t begin = end > sizeof(block) ? end - sizeof(block) : 0;
        segment_seek(seg, begin);
        ssize_t n = segment_read(seg, block, (size_t)(end - begin));
        const char *zero = n > 0 ? memrchr(block, '\0', (size_t)n) : NULL;
        if (n <= 0 || zero) {
            return zero ? begin + (uint64_t)(zero - block) + 1 : 0;
        }
        end = begin;
    }
    return 0;
}

/* Behind the NUL bytes at p, or at p. */
static const char *skip_nuls(const char *p, const char *end)
{
    while (p < end && *p == '\0') {
        p++;
    }
    return p;
}

enum age { NO_AGE, OLDER, NEWER };

/* Of the line at p, by its time. *used: its bytes; 0: it is not whole. */
static enum age age_of(const struct decoder *d, const char *p, const char *end, int64_t newest_ns,
                       size_t *used)
{
    struct buf scratch = {0};
    struct record rec;
    int64_t ns;
    *used = p < end ? d->next(p, end, &rec, &scratch) : 0;
    bool timed = *used > 0 && clock_parse(rec.time, &ns) == 0;
    buf_free(&scratch);
    return !timed ? NO_AGE : ns > newest_ns ? NEWER : OLDER;
}

/* The newer entry in the line of `len` bytes at p, which began to be written where an older one was torn.
 * NULL: there is none. */
static const char *behind_torn(const struct decoder *d, const char *p, size_t len, int64_t newest_ns)
{
    const char *end = p + len, *at = d->framing ? NULL : memchr(p + 1, '{', len - 1);
    size_t used;
    while (at && age_of(d, at, end, newest_ns, &used) != NEWER) {
        at = memchr(at + 1, '{', (size_t)(end - at - 1));
    }
    return at;
}

/* Looks through the whole lines at p for the first that is newer; *found: it is there. Returns what was
 * passed over. */
static size_t pass_older(const struct decoder *d, const char *p, const char *end, int64_t newest_ns,
                         bool *found)
{
    const char *at = p;
    for (size_t used = 1; used > 0; at += used) {
        at = d->framing ? at : skip_nuls(at, end); /* a hole, which ends in front of a line */
        enum age age = age_of(d, at, end, newest_ns, &used);
        const char *newer = age == NEWER                ? at
                            : used > 0 && age == NO_AGE ? behind_torn(d, at, used, newest_ns)
                                                        : NULL;
        if (newer) {
            *found = true;
            return (size_t)(newer - p);
        }
        used = used > 0 || !d->framing || at == end ? used : d->framing->damaged(at, end, false);
    }
    return (size_t)(at - p);
}

/* Where the first line is that is newer, or behind the last whole one. 0: its lines have no times. */
static uint64_t behind_older(struct segment *seg, const struct decoder *decoder, int64_t newest_ns)
{
    char *bytes = calloc(1, LOOK_AT + DECODE_PAD);
    bool found = false;
    uint64_t at = 0;
    if (!bytes) {
        die_out_of_memory();
    }
    while (!found) {
        segment_seek(seg, at);
        ssize_t n = segment_read(seg, bytes, LOOK_AT);
        if (n <= 0) {
            break;
        }
        memset(bytes + n, 0, DECODE_PAD);
        decoder = decoder ? decoder : decoder_guess(bytes, bytes + n);
        if (!decoder || decoder == &decoder_plain) {
            at = 0;
            break;
        }
        size_t passed = pass_older(decoder, bytes, bytes + n, newest_ns, &found);
        if (passed == 0 && !found) {
            if (n < LOOK_AT) {
                break;
            }
            passed = (size_t)n; /* of a line that is longer than any that is looked at */
        }
        at += passed;
    }
    free(bytes);
    return at;
}

/* Reads as much as there is, up to `cap`. */
static size_t read_from(struct segment *seg, uint64_t offset, char *bytes, size_t cap)
{
    segment_seek(seg, offset);
    ssize_t n = segment_read(seg, bytes, cap);
    return n > 0 ? (size_t)n : 0;
}

/* Behind what is left of a line that was cut off, where nothing else stands there; else there. */
static uint64_t behind_rest(struct segment *seg, uint64_t offset)
{
    char bytes[16384];
    size_t n = read_from(seg, offset, bytes, sizeof(bytes));
    return n < sizeof(bytes) && !memchr(bytes, '\n', n) ? offset + n : offset;
}

/* What of a file is as it was read, as far as the KiB or less before the position tells. */
struct known {
    bool small;   /* that is all of it */
    bool half;    /* its first half is */
    uint64_t end; /* of what is, behind a line; 0: nothing is */
};

static struct known find_known(struct segment *seg, const struct position *pos)
{
    char bytes[FILE_TAIL_MAX];
    const struct file_pos *at = &pos->at.file;
    uint64_t begin = at->offset - at->tail.len;
    size_t n = read_from(seg, begin, bytes, at->tail.len);
    bool whole = n > 0 && n == at->tail.len && XXH3_64bits(bytes, n) == at->tail.hash;
    size_t lines = whole ? n : outline_known(&pos->outline, bytes, n);
    return (struct known){.small = begin == 0,
                          .half = outline_half(&pos->outline, at->tail.len, bytes, n),
                          .end = lines > 0 ? begin + lines : 0};
}

/* Where what was written since begins, by what lines without times are. 0: the file does not tell.
 *
 * Programs often write the same first lines again after they emptied their log. So what is as it was has to
 * be the better half: a loss of power takes what was written last, and what is merely alike at the beginning
 * is read again rather than lost. */
static uint64_t behind_known(struct segment *seg, const struct position *pos, const struct known *known,
                             bool begins_so)
{
    if (known->small ? !known->half : !begins_so) {
        return 0;
    }
    uint64_t zeros = behind_zeros(seg);
    if (zeros > known->end) {
        return zeros;
    }
    if (!known->small && known->end == 0) {
        return seg->size < pos->at.file.offset ? seg->size : 0;
    }
    return behind_rest(seg, known->end);
}

bool cut_find(struct segment *seg, const struct position *pos, const struct decoder *decoder, uint64_t *end)
{
    const struct file_id *id = &pos->at.file.file;
    if (seg->archive || !same_inode(id, seg->id.dev, seg->id.ino) || id->head_len == 0 ||
        fd_birth(seg->fd) > pos->at.file.mtime_ns) { /* made since: its inode is used again */
        return false;
    }
    uint64_t offset = seg->offset;
    bool begins_so = segment_matches(seg, id, 0);
    struct known known = find_known(seg, pos);
    bool timed = pos->newest_ns != 0 && (begins_so || (known.small && known.end > 0));
    *end = timed ? behind_older(seg, decoder, pos->newest_ns) : 0;
    if (*end == 0) {
        *end = behind_known(seg, pos, &known, begins_so);
    } else if (!decoder || !decoder->framing) {
        *end = behind_rest(seg, *end);
    }
    segment_seek(seg, offset);
    return *end > 0;
}
