#include "lines.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/utf8.h"
#include "hole.h"

#define UTF8_MARK      "\xef\xbb\xbf" /* U+FEFF */
#define UTF8_MARK_LEN  3
#define LOOK_AHEAD     16384  /* for holes: it stays in the fastest cache till its lines are decoded */
#define FIRST_LINE_MAX 131072 /* longer than an entry of json-file or CRI, but for one of escapes only */

/* The format as the first line of the file being read tells it, where reading begins behind that. NULL: it
 * cannot be had: of an archive, or where it is very long. */
static const struct decoder *guess_by_head(const struct segment *seg)
{
    char *head = seg->offset > 0 && !seg->archive ? calloc(1, FIRST_LINE_MAX + DECODE_PAD) : NULL;
    if (!head) {
        return NULL;
    }
    size_t most = seg->offset < FIRST_LINE_MAX ? (size_t)seg->offset : FIRST_LINE_MAX;
    ssize_t got = pread(seg->fd, head, most, 0), begin = 0;
    while (begin < got && head[begin] == '\0') { /* a hole */
        begin++;
    }
    if (got >= UTF8_MARK_LEN && !memcmp(head, UTF8_MARK, UTF8_MARK_LEN)) {
        begin = UTF8_MARK_LEN;
    }
    const struct decoder *found = begin < got ? decoder_guess(head + begin, head + got) : NULL;
    free(head);
    return found;
}

/* What decodes the line at p. NULL: its format is not known, and there is no whole line yet to tell it.
 * `last`: nor will there be. */
static const struct decoder *decoder_at(struct lines *l, const char *p, const char *end, bool last)
{
    if (l->progress->mid_line) {
        return &decoder_plain;
    }
    if (!l->decoder) {
        l->decoder = guess_by_head(l->progress->chain->head);
    }
    if (!l->decoder) {
        l->decoder = decoder_guess(p, end);
    }
    if (!l->decoder && last) {
        l->decoder = &decoder_plain;
    }
    return l->decoder;
}

/* Passes over the bytes at p that belong to no whole record, where the format knows such. Returns how many. */
static size_t pass_over(struct lines *l, const struct decoder *decoder, const char *p, const char *end,
                        bool last)
{
    size_t len = decoder && decoder->framing ? decoder->framing->damaged(p, end, last) : 0;
    const struct segment *head = l->progress->chain->head;
    struct chain_offset here = {head->order, head->offset};
    if (len > 0 && !progress_rereads(l->progress)) { /* else it was told before */
        metrics.lost_bytes += len;
        if (chain_offset_compare(here, l->damage_end) != 0) { /* else it is more of the same */
            metrics.gaps++;
            log_error("a log is damaged: reading goes on at the next whole record", KV("path", l->path),
                      KN("offset", head->offset), KN("lost_bytes", len));
        }
        l->damage_end = (struct chain_offset){here.order, here.offset + len};
    }
    progress_skip(l->progress, len);
    return len;
}

/* The byte order mark that a file begins with is no part of its first line. In UTF-16 there are lines only by
 * chance, which is said once a log. */
static size_t take_mark(struct lines *l, const char *p, size_t len)
{
    struct segment *head = l->progress->chain->head;
    if (head->offset > 0 || l->progress->mid_line) {
        return 0;
    }
    bool utf16 = len >= 2 && (!memcmp(p, "\xff\xfe", 2) || !memcmp(p, "\xfe\xff", 2));
    if (utf16 && !l->utf16_logged) {
        log_warn("a log is in UTF-16: its lines come out broken", KV("path", l->path),
                 KV("hint", "have it written in UTF-8"));
        l->utf16_logged = true;
    }
    size_t mark = len >= UTF8_MARK_LEN && !memcmp(p, UTF8_MARK, UTF8_MARK_LEN) ? UTF8_MARK_LEN : 0;
    segment_consume(head, mark);
    return mark;
}

/* The first hole of the bytes at p, which stand at the head's offset. */
static struct hole find_hole(const struct lines *l, const char *p, size_t len, bool full)
{
    if (l->decoder && l->decoder->framing) {
        return (struct hole){.at = len};
    }
    return hole_find(l->progress->chain->head, p, len, full);
}

/* Is there a hole in the line at p? Looks ahead, at more than a line at a time: none begins before *clean. Text that is
 * escaped as in JSON holds no NUL byte. */
static inline bool has_hole(const struct record *rec, const char *p, size_t len, const char *end,
                            const char **clean)
{
    const char *behind = p + len;
    if (!rec->escaped && behind > *clean) {
        *clean = hole_run(p, end - behind > LOOK_AHEAD ? behind + LOOK_AHEAD : end);
    }
    return !rec->escaped && behind > *clean;
}

/* Puts the whole lines of the first `len` bytes in the buffer up to a hole, while there is *room. Returns the bytes
 * that they took. `full`: the buffer holds no more than those. */
static size_t put_whole(struct lines *l, struct read_buffer *b, size_t len, bool full, bool last, bool *room)
{
    struct progress *progress = l->progress;
    const char *p = b->data + take_mark(l, b->data, len), *end = b->data + len;
    const char *clean = p;
    struct record rec;
    *room = true;
    while (p < end && *room) {
        const struct decoder *decoder = decoder_at(l, p, end, full ? p == b->data : last);
        size_t used = decoder ? decoder->next(p, end, &rec, &b->scratch) : 0;
        if (used == 0) {
            used = pass_over(l, decoder, p, end, last && !full);
            if (used == 0) {
                break;
            }
        } else if (!decoder->framing && has_hole(&rec, p, used, end, &clean)) {
            break;
        } else {
            progress_put(progress, &rec, used, false);
        }
        p += used;
        if (pipeline_full(progress->pipeline)) {
            progress_mark(progress);
            *room = pipeline_room(progress->pipeline);
        }
    }
    return (size_t)(p - b->data);
}

static void pass_hole(struct lines *l, uint64_t len)
{
    struct segment *head = l->progress->chain->head;
    struct chain_offset here = {head->order, head->offset};
    if (len > 0 && !progress_rereads(l->progress)) { /* else it was told before */
        metrics.hole_bytes += len;
        bool more = chain_offset_compare(here, l->hole_end) == 0 && head->offset > 0;
        if (!more) {
            metrics.holes++;
            log_warn("a log has a hole: passing over NUL bytes that nobody wrote", KV("path", l->path),
                     KN("offset", head->offset), KN("bytes", len),
                     KV("hint",
                        "a loss of power leaves such, and truncation in place under a writer that does "
                        "not append (O_APPEND)"));
        }
        l->hole_end = (struct chain_offset){here.order, here.offset + len};
    }
    progress_skip(l->progress, len);
    progress_start_line(l->progress);
}

/* The raw text of a line, or of a piece of one. */
static void put_text(struct lines *l, const char *text, size_t len, bool cut)
{
    struct record rec;
    decode_as_text(text, len, &rec);
    rec.malformed = !l->progress->mid_line && l->decoder && l->decoder != &decoder_plain;
    rec.partial = cut;
    progress_put(l->progress, &rec, len, cut);
}

/* There is no whole line in the full buffer: enlarges that, or cuts off a piece of the line. */
static void put_long(struct lines *l, struct read_buffer *b)
{
    size_t line_max = (size_t)l->cfg->line_max, limit = 2 * line_max;
    if (l->decoder && l->decoder->framing && l->decoder->framing->longest > limit) {
        limit = l->decoder->framing->longest;
    }
    if (b->cap >= limit) {
        metrics.cut_lines++;
        put_text(l, b->data, utf8_cut(b->data, line_max), true);
    } else if (read_buffer_grow(b, b->cap * 2 < limit ? b->cap * 2 : limit) < 0) {
        die_out_of_memory();
    }
}

static void mark(struct progress *progress)
{
    if (progress->moved) {
        progress_mark(progress);
    }
}

bool lines_put(struct lines *l, struct read_buffer *b, size_t len, bool last, struct slice *rest)
{
    const struct segment *head = l->progress->chain->head;
    bool full = len == b->cap, room;
    bool anew = !l->decoder || head->offset == 0; /* what has a hole in it tells no format */
    size_t whole = anew ? find_hole(l, b->data, len, full).at : len;
    memset(b->data + len, 0, DECODE_PAD); /* decoders look ahead: at nothing, not at what was there before */
    size_t used = put_whole(l, b, whole, full && whole == len, last, &room);
    mark(l->progress);
    if (!room) {
        return true;
    }
    struct hole hole = find_hole(l, b->data + used, len - used, full);
    *rest = slice_of(b->data + used, hole.at);
    bool none = used + hole.at == len;
    if (hole.open || (none && !full)) {
        return false;
    }
    if (!none) {
        lines_put_rest(l, *rest);
        pass_hole(l, hole.len);
    } else if (used == 0) {
        put_long(l, b);
    }
    mark(l->progress);
    return true;
}

void lines_put_rest(struct lines *l, struct slice rest)
{
    if (rest.len > 0) {
        put_text(l, rest.ptr, rest.len, false);
    }
}
