#include "cut.h"

#include <string.h>
#include <xxhash.h>

#include "base/fd.h"
#include "cut_times.h"
#include "hole.h"
#include "outline.h"
#include "tears.h"

#define BLOCK 16384
#define AGAIN 65536 /* bytes that are read again where it cannot be told which of them are new */

/* Reads as much as there is, up to `cap`. */
static size_t read_from(struct segment *seg, uint64_t offset, char *bytes, size_t cap)
{
    ssize_t n = segment_seek(seg, offset) == 0 ? segment_read(seg, bytes, cap) : 0;
    return n > 0 ? (size_t)n : 0;
}

/* -- what is as it was ------------------------------------------------------------------------- */

/* What of a file is as it was read. */
struct known {
    bool head;  /* its first KiB, or what it had of that */
    bool small; /* the KiB or less before the position, of which the others tell, is all that there was */
    bool half;  /* the first half of that */
    /* Of that: up to here it is, behind a line, and no further than there it may be; 0: nothing of it is. As in struct
     * outline_known. */
    uint64_t sure, surer, maybe;
    unsigned tears; /* up to the last of so many it is */
};

static bool is_known_tear(struct segment *seg, const struct file_tear *tear)
{
    char bytes[FILE_TAIL_MAX];
    uint32_t len = tear->before.len;
    return len > 0 && read_from(seg, tear->offset - len, bytes, len) == len &&
           XXH3_64bits(bytes, len) == tear->before.hash;
}

/* How many there are before the last of which all is as it was. */
static unsigned count_tears(struct segment *seg, const struct file_tears *tears)
{
    unsigned count = 0;
    while (count < tears->count && is_known_tear(seg, &tears->at[count])) {
        count++;
    }
    return count;
}

static struct known find_known(struct segment *seg, const struct position *pos)
{
    char bytes[FILE_TAIL_MAX];
    const struct file_pos *at = &pos->at.file;
    segment_seek(seg, 0);
    bool head = segment_matches(seg, &at->file, 0); /* of an archive it can be asked only there */
    if (seg->archive && !head) {
        return (struct known){0};
    }
    unsigned tears = count_tears(seg, &pos->tears); /* which stand before the rest */
    uint64_t begin = at->offset - at->tail.len;
    size_t n = read_from(seg, begin, bytes, at->tail.len);
    bool whole = n > 0 && n == at->tail.len && XXH3_64bits(bytes, n) == at->tail.hash;
    struct outline_known lines =
        whole ? (struct outline_known){n, n, n} : outline_known(&pos->outline, bytes, n);
    return (struct known){.head = head,
                          .small = begin == 0,
                          .half = outline_half(&pos->outline, at->tail.len, bytes, n),
                          .sure = lines.sure > 0 ? begin + lines.sure : 0,
                          .surer = lines.surer > 0 ? begin + lines.surer : 0,
                          .maybe = lines.sure > 0 ? begin + lines.maybe : 0,
                          .tears = tears};
}

/* Is it the file that the position was taken in, by its times? No two logs that have some begin alike. */
static bool is_it_by_times(const struct position *pos, const struct known *known, bool same_file)
{
    return pos->newest_ns != 0 && (known->head || (same_file && known->small && known->sure > 0));
}

/* Likewise, and is it not emptied since, for all that can be told? Programs often write the same first
 * lines again then. So what is as it was of a small one has to be the better half: a loss of power takes
 * what was written last. */
static bool is_it_by_content(const struct known *known, bool same_file)
{
    return same_file && (known->small ? known->half : known->head);
}

/* Has it the inode, which is not used again? */
static bool is_same_file(const struct segment *seg, const struct file_pos *at)
{
    return !seg->archive && same_inode(&at->file, seg->id.dev, seg->id.ino) &&
           fd_birth(seg->fd) <= at->mtime_ns;
}

/* -- where to go on ---------------------------------------------------------------------------- */

/* Behind what is left of a line that was cut off, where nothing else stands there; else there. */
static uint64_t behind_rest(struct segment *seg, uint64_t offset)
{
    char bytes[BLOCK];
    size_t n = read_from(seg, offset, bytes, sizeof(bytes));
    return n < sizeof(bytes) && !memchr(bytes, '\n', n) ? offset + n : offset;
}

/* Behind the zeros that stand in the line at the offset, however many; else as behind_rest. */
static uint64_t behind_torn(struct segment *seg, uint64_t offset)
{
    char bytes[BLOCK];
    bool zeros = false;
    uint64_t at = offset;
    for (size_t n; (n = read_from(seg, at, bytes, sizeof(bytes))) > 0; at += n) {
        const char *newline = memchr(bytes, '\n', n), *zero = memchr(bytes, '\0', n);
        if (!zeros && (!zero || (newline && newline < zero))) {
            if (newline) {
                break;
            }
            continue;
        }
        const char *p = zeros ? bytes : zero;
        while (p < bytes + n && *p == '\0') {
            p++;
        }
        zeros = true;
        if (p < bytes + n) {
            return at + (uint64_t)(p - bytes);
        }
    }
    return zeros ? at : behind_rest(seg, offset);
}

/* Behind the last hole of a plain file; 0: it has none, or cannot be read. */
static uint64_t behind_hole(struct segment *seg)
{
    char bytes[BLOCK + HOLE_LEAST]; /* blocks overlap by HOLE_LEAST */
    for (uint64_t end = seg->size; end >= HOLE_LEAST;) {
        uint64_t begin = end > sizeof(bytes) ? end - sizeof(bytes) : 0;
        size_t n = read_from(seg, begin, bytes, (size_t)(end - begin));
        for (size_t nuls = 0, i = n; i-- > 0;) {
            nuls = bytes[i] == '\0' ? nuls + 1 : 0;
            if (nuls == HOLE_LEAST) {
                return begin + i + HOLE_LEAST;
            }
        }
        if (n == 0 || begin == 0) {
            break;
        }
        end = begin + HOLE_LEAST;
    }
    return 0;
}

static struct cut sure(uint64_t go_on)
{
    return (struct cut){.kind = CUT_SURE, .go_on = go_on};
}

/* Anything before `limit` may be new. */
static struct cut unsure(struct segment *seg, uint64_t limit)
{
    char bytes[BLOCK];
    if (limit <= AGAIN) {
        return (struct cut){.kind = CUT_UNSURE};
    }
    uint64_t go_on = limit - AGAIN;
    size_t n = read_from(seg, go_on, bytes, sizeof(bytes));
    const char *newline = memchr(bytes, '\n', n);
    go_on += newline ? (uint64_t)(newline - bytes) + 1 : 0;
    return (struct cut){.kind = CUT_UNSURE, .go_on = go_on, .passed = go_on};
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Where it was cut, nothing that was written since is old. */
static uint64_t limit_of(const struct segment *seg, const struct position *pos)
{
    return seg->archive || seg->size > pos->at.file.offset ? pos->at.file.offset : seg->size;
}

/* Of records that are no lines it is not known which stand behind another; nor is it of lines where the position stood
 * behind none. */
static struct cut go_on_by_times(struct segment *seg, const struct position *pos,
                                 const struct decoder *decoder, const struct known *known)
{
    bool framed = decoder && decoder->framing, lines = !framed && (known->sure > 0 || !known->head);
    struct cut_range range = {.from = lines ? known->surer : 0,
                              .sure = known->surer,
                              .limit = lines && !tears_open(&pos->tears) ? known->maybe : limit_of(seg, pos)};
    const struct file_tear *tear = known->tears > 0 ? &pos->tears.at[known->tears - 1] : NULL;
    if (tear && tear->offset >= range.from) {
        range.from = tear->offset;
        range.sure = larger(range.sure, range.from);
        range.limit = larger(range.limit, range.from);
        range.tear = tear;
    }
    uint64_t go_on = 0;
    switch (cut_times_find(seg, decoder, &range, pos->newest_ns, &go_on)) {
    case TIMES_TELL:
        return sure(framed ? go_on : behind_rest(seg, go_on));
    case TIMES_SILENT:
        return known->head ? unsure(seg, framed ? 0 : limit_of(seg, pos)) : (struct cut){.kind = CUT_NOT};
    case TIMES_NONE:
        break;
    }
    return tear ? sure(framed ? range.from : behind_torn(seg, range.from)) : (struct cut){.kind = CUT_NOT};
}

static struct cut go_on_by_content(struct segment *seg, const struct position *pos, const struct known *known)
{
    if (known->sure > 0 || known->small) {
        uint64_t end = behind_torn(seg, known->sure);
        return end > 0 ? sure(end) : (struct cut){.kind = CUT_NOT};
    }
    uint64_t end = behind_hole(seg);
    return end > 0 ? sure(end) : unsure(seg, limit_of(seg, pos));
}

struct cut cut_find(struct segment *seg, const struct position *pos, const struct decoder *decoder)
{
    struct cut cut = {.kind = CUT_NOT};
    if (pos->at.file.file.head_len == 0) {
        return cut;
    }
    uint64_t stood = seg->offset;
    bool same_file = is_same_file(seg, &pos->at.file);
    struct known known = find_known(seg, pos);
    if (is_it_by_times(pos, &known, same_file)) {
        cut = go_on_by_times(seg, pos, decoder, &known);
    }
    if (cut.kind == CUT_NOT && is_it_by_content(&known, same_file)) {
        cut = go_on_by_content(seg, pos, &known);
    }
    segment_seek(seg, seg->archive ? 0 : stood);
    cut.tears = known.tears;
    return cut;
}
