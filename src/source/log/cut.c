#include "cut.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"

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

/* Looks through the whole lines at p for the first that is newer; *found: it is there. Returns what was passed over. */
static size_t pass_older(const struct decoder *d, const char *p, const char *end, int64_t newest_ns,
                         bool *found)
{
    struct buf scratch = {0};
    struct record rec;
    const char *at = p;
    for (size_t used = 1; used > 0; at += *found ? 0 : used) {
        int64_t ns;
        at = d->framing ? at : skip_nuls(at, end); /* a hole, which ends in front of a line */
        used = at < end ? d->next(at, end, &rec, &scratch) : 0;
        *found = used > 0 && clock_parse(rec.time, &ns) == 0 && ns > newest_ns;
        if (*found) {
            break;
        }
        used = used > 0 || !d->framing || at == end ? used : d->framing->damaged(at, end, false);
    }
    buf_free(&scratch);
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

bool cut_find(struct segment *seg, const struct position *pos, const struct decoder *decoder, uint64_t *end)
{
    const struct file_pos *at = &pos->at.file;
    if (seg->archive || !same_inode(&at->file, seg->id.dev, seg->id.ino) ||
        !segment_matches(seg, &at->file, 0)) {
        return false;
    }
    uint64_t offset = seg->offset;
    *end = pos->newest_ns != 0 ? behind_older(seg, decoder, pos->newest_ns) : 0;
    if (*end == 0) {
        *end = seg->size < at->offset ? seg->size : behind_zeros(seg);
    }
    segment_seek(seg, offset);
    return *end > 0;
}
