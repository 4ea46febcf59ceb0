#include "cut_times.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "tears.h"

#define LOOK_AT 1048576 /* bytes at a time */

struct scan {
    const struct decoder *decoder;
    struct buf scratch;
    const struct cut_range *range;
    int64_t newest_ns;

    uint64_t limit;    /* as of the range, or before it */
    bool any, any_old; /* lines with times; old ones */
    uint64_t old_end;  /* behind the last old line */
    int64_t high;      /* the newest time of the old ones; INT64_MIN: not known */

    /* Since `break_at` lines may be new by a clock that was behind. */
    bool broken, torn;
    uint64_t break_at;
    bool tear; /* zeros, or what is damaged, stand before the next line */

    /* The last line behind a tear, or where times fell, whether it is old or not. */
    bool fell;
    uint64_t fell_at;
    int64_t last;
};

/* -- one line ---------------------------------------------------------------------------------- */

static bool is_old(struct scan *s, int64_t ns, uint64_t at, uint64_t end)
{
    if (end <= s->range->sure) {
        return true;
    }
    if (at >= s->limit || ns > s->newest_ns) {
        return false;
    }
    return !s->broken || (ns > s->high && (!s->torn || ns < s->newest_ns - UNWRITTEN));
}

/* An entry from `at` to `end`. `torn`: it does not begin where the line does, or zeros stand before it. */
static void see(struct scan *s, int64_t ns, uint64_t at, uint64_t end, bool torn)
{
    if (!s->any && s->range->tear && ns != s->range->tear->time_ns) {
        torn = true;
        s->limit = at;
    }
    if (!s->broken && (torn || clock_fell_back(s->high, ns))) {
        s->broken = true;
        s->break_at = at;
    }
    s->torn = s->broken && (s->torn || torn);
    if (torn || (s->any && clock_fell_back(s->last, ns))) {
        s->fell = true;
        s->fell_at = at;
    }
    if (is_old(s, ns, at, end)) {
        s->any_old = true;
        s->old_end = end;
        s->high = ns > s->high ? ns : s->high;
        s->broken = s->torn = false;
    }
    s->any = true;
    s->last = ns;
}

/* Decodes what is at p. *used: its bytes; 0: it is not whole. Has it a time? */
static bool timed(struct scan *s, const char *p, const char *end, size_t *used, int64_t *ns)
{
    struct record rec;
    *used = p < end ? s->decoder->next(p, end, &rec, &s->scratch) : 0;
    return *used > 0 && clock_parse(rec.time, ns) == 0;
}

#define ENTRY "{\"log\":" /* as Docker begins each; in a text its quotes are escaped */

static const char *json_within(struct scan *s, const char *p, const char *end, int64_t *ns)
{
    const char *at = p;
    size_t used;
    do {
        at = memmem(at, (size_t)(end - at), ENTRY, strlen(ENTRY));
    } while (at && !timed(s, at++, end, &used, ns));
    return at ? at - 1 : NULL;
}

/* The time stands before the stream, and is not of one length. */
static const char *cri_within(struct scan *s, const char *p, const char *end, int64_t *ns)
{
    static const char *const streams[] = {" stdout ", " stderr "};
    size_t used;
    for (int i = 0; i < 2; i++) {
        const char *at = p;
        while ((at = memmem(at, (size_t)(end - at), streams[i], strlen(streams[i])))) {
            for (const char *begin = at; begin > p && at - begin < CLOCK_TEXT_MAX; begin--) {
                if (timed(s, begin, end, &used, ns)) {
                    return begin;
                }
            }
            at++;
        }
    }
    return NULL;
}

/* The entry in the line of `len` bytes at p, which began to be written where an older one was torn. NULL:
 * there is none. `whole`: the line is an entry as it is, whose text may hold others: then a newer one
 * only. */
static const char *behind_torn(struct scan *s, const char *p, size_t len, bool whole, int64_t *ns)
{
    const char *entry = NULL;
    int64_t inner = 0;
    if (s->decoder == &decoder_json_file && !whole) {
        entry = json_within(s, p + 1, p + len, &inner);
    } else if (s->decoder == &decoder_cri) {
        entry = cri_within(s, p + 1, p + len, &inner);
    }
    if (!entry || (whole && inner <= s->newest_ns)) {
        return NULL;
    }
    *ns = inner;
    return entry;
}

/* Behind the NUL bytes at p, or at p. */
static const char *skip_nuls(const char *p, const char *end)
{
    while (p < end && *p == '\0') {
        p++;
    }
    return p;
}

/* -- all lines --------------------------------------------------------------------------------- */

/* Sees the whole lines at p, which stands at `offset`, up to the first that begins behind the limit.
 * Returns what was passed over. *done: that was seen. */
static size_t see_lines(struct scan *s, const char *p, const char *end, uint64_t offset, bool *done)
{
    const char *at = p;
    bool framed = s->decoder->framing;
    for (size_t used = 1; used > 0 && !*done;) {
        const char *begin = framed ? at : skip_nuls(at, end);
        uint64_t here = offset + (uint64_t)(begin - p);
        s->tear |= begin > at;
        int64_t ns;
        bool whole = timed(s, begin, end, &used, &ns);
        const char *entry = used > 0 ? behind_torn(s, begin, used, whole, &ns) : NULL;
        if (entry) {
            see(s, ns, offset + (uint64_t)(entry - p), here + used, true);
        } else if (whole) {
            see(s, ns, here, here + used, s->tear);
        } else if (framed && used == 0 && begin < end) {
            used = s->decoder->framing->damaged(begin, end, false);
            s->tear |= used > 0;
        }
        s->tear &= !entry && !whole;
        *done = used > 0 && here >= s->limit;
        at = used > 0 ? begin + used : at;
    }
    return (size_t)(at - p);
}

static void scan(struct scan *s, struct segment *seg, char *bytes)
{
    uint64_t at = s->range->from;
    bool done = false;
    while (!done && segment_seek(seg, at) == 0) {
        ssize_t n = segment_read(seg, bytes, LOOK_AT);
        if (n <= 0) {
            break;
        }
        memset(bytes + n, 0, DECODE_PAD);
        size_t passed = see_lines(s, bytes, bytes + n, at, &done);
        if (passed == 0 && n < LOOK_AT) {
            break;
        }
        s->tear |= passed == 0 && bytes[0] == '\0';
        at += passed > 0 ? passed : (size_t)n; /* a line that is longer than any, or zeros */
    }
}

/* The format, by the first line. NULL: it has none. */
static const struct decoder *find_decoder(struct segment *seg, char *bytes)
{
    segment_seek(seg, 0);
    ssize_t n = segment_read(seg, bytes, LOOK_AT);
    if (n <= 0) {
        return NULL;
    }
    memset(bytes + n, 0, DECODE_PAD);
    return decoder_guess(bytes, bytes + n);
}

enum cut_times cut_times_find(struct segment *seg, const struct decoder *decoder,
                              const struct cut_range *range, int64_t newest_ns, uint64_t *go_on)
{
    char *bytes = calloc(1, LOOK_AT + DECODE_PAD);
    if (!bytes) {
        die_out_of_memory();
    }
    struct scan s = {.decoder = decoder ? decoder : find_decoder(seg, bytes),
                     .range = range,
                     .limit = range->limit,
                     .newest_ns = newest_ns,
                     .any_old = range->from > 0,
                     .old_end = range->from,
                     .high = INT64_MIN};
    if (s.decoder && s.decoder != &decoder_plain) {
        scan(&s, seg, bytes);
    }
    buf_free(&s.scratch);
    free(bytes);
    if (!s.any) {
        return TIMES_NONE;
    }
    *go_on = s.any_old && s.broken ? s.break_at : s.any_old ? s.old_end : s.fell_at;
    return s.any_old || s.fell ? TIMES_TELL : TIMES_SILENT;
}
