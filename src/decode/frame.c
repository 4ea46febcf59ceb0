#include "decode/frame.h"

#include "base/clock.h"

#define TIME_MIN 21 /* 2006-01-02T15:04:05Z and a space */
#define TIME_MAX 36 /* nine fraction digits, an offset, and the space */

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

/* Length of the time and the space behind it with which [p, end) begins; 0: it begins with none. */
static size_t time_at(const char *p, const char *end, int64_t *ns)
{
    size_t room = (size_t)(end - p);
    if (room < TIME_MIN || p[4] != '-' || p[10] != 'T') {
        return 0;
    }
    const char *space = memchr(p + TIME_MIN - 1, ' ', (room < TIME_MAX ? room : TIME_MAX) - (TIME_MIN - 1));
    if (!space || clock_parse(slice_of(p, (size_t)(space - p)), ns) < 0) {
        return 0;
    }
    return (size_t)(space - p) + 1;
}

bool message_parse(struct slice payload, struct message *out)
{
    const char *end = payload.ptr + payload.len;
    size_t time_len = time_at(payload.ptr, end, &out->time_ns);
    out->time = slice_of(payload.ptr, time_len ? time_len - 1 : 0);
    out->text = slice_of(payload.ptr + time_len, payload.len - time_len);
    out->newline = out->text.len > 0 && end[-1] == '\n';
    out->text.len -= out->newline;
    if (!time_len) {
        out->time_ns = 0;
    }
    return time_len > 0;
}

/* -- terminals --------------------------------------------------------------------------------- */

/* Where the next piece of a line begins; [text, limit) is what follows the time of its first piece, `time`
 * with its space. The pieces bear that same time again; with times of their own, the next one begins where a
 * piece has its full length and a time follows. NULL: the line has no further piece here. */
static const char *next_piece(const struct tty_cutter *cut, const char *text, const char *limit,
                              struct slice time, int64_t time_ns)
{
    int64_t later;
    if (limit - text <= PIECE_MIN) {
        return NULL;
    }
    const char *from = text + PIECE_MIN;
    if (cut->own_times) {
        return time_at(from, limit, &later) && later >= time_ns ? from : NULL;
    }
    return memmem(from, (size_t)(limit - from), time.ptr, time.len);
}

/* Can `later`, found inside a message of the time `first`, be the Engine's, the message's newline being lost?
 * Only where newlines are known to get lost, for containers write times too. */
static bool may_end_bare(const struct tty_cutter *cut, int64_t first, int64_t later)
{
    if (later <= first) {
        return false;
    }
    return (cut->bare_end && cut->continued) || (cut->known_ns && first == cut->known_ns) ||
           (cut->started_ns && first < cut->started_ns && later >= cut->started_ns);
}

/* Where in [from, end) the next message begins although this one has no newline. NULL: nowhere. */
static const char *bare_end(const struct tty_cutter *cut, const char *from, const char *end, int64_t first)
{
    bool possible = may_end_bare(cut, first, INT64_MAX);
    for (const char *p = from; possible && end - p > TIME_MIN; p++) {
        p = memchr(p, 'T', (size_t)(end - p));
        if (!p) {
            break;
        }
        int64_t later;
        if (p - from >= 10 && time_at(p - 10, end, &later) && may_end_bare(cut, first, later)) {
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
    size_t time_len = time_at(p, limit, &out->time_ns);
    const char *text = p + time_len, *next = NULL;
    bool continues = false;
    out->time = slice_of(p, time_len ? time_len - 1 : 0);
    if (time_len) {
        next = bare_end(cut, text, limit, out->time_ns);
        const char *again = next_piece(cut, text, next ? next : limit, slice_of(p, time_len), out->time_ns);
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
