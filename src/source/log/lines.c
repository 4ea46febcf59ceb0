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
    ssize_t got = pread(seg->fd, head, most, 0);
    size_t mark = got >= UTF8_MARK_LEN && !memcmp(head, UTF8_MARK, UTF8_MARK_LEN) ? UTF8_MARK_LEN : 0;
    const struct decoder *found = got > 0 ? decoder_guess(head + mark, head + got) : NULL;
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

size_t lines_put(struct lines *l, struct read_buffer *b, size_t len, bool last)
{
    struct progress *progress = l->progress;
    bool full = len == b->cap;
    const char *p = b->data + take_mark(l, b->data, len), *end = b->data + len;
    struct record rec;
    memset(b->data + len, 0, DECODE_PAD); /* decoders look ahead: at nothing, not at what was there before */
    while (p < end && !hole_begins(p, end)) {
        const struct decoder *decoder = decoder_at(l, p, end, full ? p == b->data : last);
        size_t used = decoder ? decoder->next(p, end, &rec, &b->scratch) : 0;
        if (used == 0) {
            used = pass_over(l, decoder, p, end, last && !full);
            if (used == 0) {
                break;
            }
        } else {
            progress_put(progress, &rec, used, false);
        }
        p += used;
        if (pipeline_full(progress->pipeline)) {
            progress_mark(progress);
            if (!pipeline_room(progress->pipeline)) {
                break;
            }
        }
    }
    return (size_t)(p - b->data);
}

uint64_t lines_pass_hole(struct lines *l, const struct read_buffer *b, size_t len)
{
    struct segment *head = l->progress->chain->head;
    struct chain_offset here = {head->order, head->offset};
    if (len == 0 || *b->data || l->progress->mid_line || (l->decoder && l->decoder->framing)) {
        return 0;
    }
    uint64_t hole = hole_length(head, b->data, len, len == b->cap);
    if (hole == 0 || hole == HOLE_OPEN) {
        return hole;
    }
    if (!progress_rereads(l->progress)) {
        bool more = chain_offset_compare(here, l->hole_end) == 0 && head->offset > 0;
        metrics.hole_bytes += hole;
        if (!more) {
            metrics.holes++;
            log_warn("a log has a hole: passing over NUL bytes that nobody wrote", KV("path", l->path),
                     KN("offset", head->offset), KN("bytes", hole),
                     KV("hint", "its writer has to append (O_APPEND) where it is truncated in place"));
        }
        l->hole_end = (struct chain_offset){here.order, here.offset + hole};
    }
    progress_skip(l->progress, hole);
    return hole;
}

/* The raw text of a line, or of a piece of one. */
static void put_text(struct lines *l, const char *text, size_t len, bool cut)
{
    struct record rec;
    decode_as_text(text, len, &rec);
    rec.malformed = !l->progress->mid_line && l->decoder != &decoder_plain;
    rec.partial = cut;
    progress_put(l->progress, &rec, len, cut);
}

void lines_put_long(struct lines *l, struct read_buffer *b)
{
    size_t line_max = (size_t)l->cfg->line_max;
    bool framed = l->decoder && l->decoder->framing;
    size_t limit = framed ? l->decoder->framing->longest : 2 * line_max;
    if (b->cap >= limit) {
        metrics.cut_lines++;
        put_text(l, b->data, utf8_cut(b->data, line_max), true);
        progress_mark(l->progress);
    } else if (read_buffer_grow(b, b->cap * 2 < limit ? b->cap * 2 : limit) < 0) {
        die_out_of_memory();
    }
}

void lines_put_rest(struct lines *l, const char *rest, size_t len)
{
    put_text(l, rest, len, false);
}
