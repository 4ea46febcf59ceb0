#include "decode/frame.h"

#include "base/clock.h"

#define STAMP_MIN 21 /* 2006-01-02T15:04:05Z and a space */
#define STAMP_MAX 36 /* nine fraction digits, an offset, and the space */

ssize_t frame_next(const char *p, const char *end, struct frame *out, size_t *need, struct error *err)
{
    size_t have = (size_t)(end - p);
    if (have < FRAME_HEADER) {
        *need = FRAME_HEADER - have;
        return 0;
    }
    const unsigned char *head = (const unsigned char *)p;
    size_t len = (size_t)head[4] << 24 | (size_t)head[5] << 16 | (size_t)head[6] << 8 | head[7];
    if (head[0] > FRAME_ENGINE_ERROR || head[1] || head[2] || head[3] || len > FRAME_MAX) {
        return error_set(
            err, "the Engine's log stream is damaged: %02x%02x%02x%02x%02x%02x%02x%02x is no frame header",
            head[0], head[1], head[2], head[3], head[4], head[5], head[6], head[7]);
    }
    if (have - FRAME_HEADER < len) {
        *need = len - (have - FRAME_HEADER);
        return 0;
    }
    out->stream = head[0];
    out->payload = slice_of(p + FRAME_HEADER, len);
    return (ssize_t)(FRAME_HEADER + len);
}

/* The time and the space behind it that [p, end) begins with: bytes of both, or 0. */
static size_t stamp_at(const char *p, const char *end, int64_t *ns)
{
    size_t room = (size_t)(end - p);
    if (room < STAMP_MIN || p[4] != '-' || p[10] != 'T') {
        return 0;
    }
    const char *space =
        memchr(p + STAMP_MIN - 1, ' ', (room < STAMP_MAX ? room : STAMP_MAX) - (STAMP_MIN - 1));
    if (!space || clock_parse(slice_of(p, (size_t)(space - p)), ns) < 0) {
        return 0;
    }
    return (size_t)(space - p) + 1;
}

bool message_parse(struct slice payload, struct message *out)
{
    const char *end = payload.ptr + payload.len;
    size_t stamp = stamp_at(payload.ptr, end, &out->time_ns);
    out->stamp = slice_of(payload.ptr, stamp ? stamp - 1 : 0);
    out->text = slice_of(payload.ptr + stamp, payload.len - stamp);
    out->newline = out->text.len > 0 && end[-1] == '\n';
    out->text.len -= out->newline;
    if (!stamp) {
        out->time_ns = 0;
    }
    return stamp > 0;
}

/* -- terminals --------------------------------------------------------------------------------- */

/* Where the next piece of the line begins, whose text is [text, limit): where the time of its first piece
 * stands again, or with times of their own, where a piece has its full length and a time follows. */
static const char *next_piece(const struct tty_cutter *cut, const char *text, const char *limit,
                              struct slice stamp, int64_t time_ns)
{
    int64_t later;
    if (limit - text <= PIECE_MIN) {
        return NULL;
    }
    const char *from = text + PIECE_MIN;
    if (cut->own_times) {
        return stamp_at(from, limit, &later) && later >= time_ns ? from : NULL;
    }
    return memmem(from, (size_t)(limit - from), stamp.ptr, stamp.len);
}

/* May a later time inside a message that began at `first` be the Engine's own, the message's newline being
 * missing? Only where newlines are known to miss, for containers may write times too. */
static bool may_end_bare(const struct tty_cutter *cut, int64_t first, int64_t later)
{
    if (later <= first) {
        return false;
    }
    return (cut->bare_end && cut->continued) || (cut->known_ns && first == cut->known_ns) ||
           (cut->started_ns && first < cut->started_ns && later >= cut->started_ns);
}

/* Where in [from, end) the next message begins though this one has no newline. */
static const char *bare_end(const struct tty_cutter *cut, const char *from, const char *end, int64_t first)
{
    bool possible = may_end_bare(cut, first, INT64_MAX);
    for (const char *p = from; possible && end - p > STAMP_MIN; p++) {
        p = memchr(p, 'T', (size_t)(end - p));
        if (!p) {
            break;
        }
        int64_t later;
        if (p - from >= 10 && stamp_at(p - 10, end, &later) && may_end_bare(cut, first, later)) {
            return p - 10;
        }
    }
    return NULL;
}

ssize_t tty_next(struct tty_cutter *cut, const char *p, const char *end, bool last, struct message *out,
                 struct error *err)
{
    const char *newline = memchr(p, '\n', (size_t)(end - p));
    const char *limit = newline ? newline : end;
    size_t stamp = stamp_at(p, limit, &out->time_ns);
    const char *text = p + stamp, *next = NULL;
    bool continues = false;
    out->stamp = slice_of(p, stamp ? stamp - 1 : 0);
    if (stamp) {
        next = bare_end(cut, text, limit, out->time_ns);
        const char *again = next_piece(cut, text, next ? next : limit, slice_of(p, stamp), out->time_ns);
        continues = again != NULL;
        next = again ? again : next;
    } else {
        out->time_ns = 0;
    }
    if (!next && !newline && !last) {
        if ((size_t)(end - p) > FRAME_MAX) {
            return error_set(err, "the Engine's log stream is damaged: no end of a line within %u bytes",
                             FRAME_MAX);
        }
        return 0;
    }
    cut->continued = continues;
    out->newline = !next && newline;
    const char *stop = next ? next : limit;
    out->text = slice_of(text, (size_t)(stop - text));
    return stop - p + out->newline;
}
