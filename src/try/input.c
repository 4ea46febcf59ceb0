#include "input.h"

#include <errno.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/utf8.h"

#define READ_SIZE 65536
#define UTF8_MARK "\xef\xbb\xbf" /* U+FEFF */

static const struct decoder *decoder_at(struct input *in, const char *p, const char *end)
{
    if (in->mid_line) {
        return &decoder_plain;
    }
    if (!in->decoder) {
        in->decoder = decoder_guess(p, end);
    }
    return in->decoder;
}

static void put(struct input *in, struct record *rec)
{
    in->number += !in->mid_line;
    in->put(in->arg, rec, in->number, in->decoder ? in->decoder->name : decoder_plain.name);
}

/* Cuts a piece off a line that is too long to be held. */
static void put_piece(struct input *in)
{
    struct record rec;
    size_t len = utf8_cut(in->data.data, in->line_max);
    decode_as_text(in->data.data, len, &rec);
    rec.partial = true;
    put(in, &rec);
    in->mid_line = true;
    buf_consume(&in->data, len);
}

static void put_whole(struct input *in)
{
    const char *p = in->data.data, *end = p + in->data.len;
    struct record rec;
    for (size_t used = 1; p < end && used > 0; p += used) {
        const struct decoder *decoder = decoder_at(in, p, end);
        used = decoder ? decoder->next(p, end, &rec, &in->scratch) : 0;
        if (used > 0) {
            put(in, &rec);
            in->mid_line = false;
        }
    }
    buf_consume(&in->data, (size_t)(p - in->data.data));
}

static void reserve(struct input *in)
{
    if (buf_reserve(&in->data, READ_SIZE + DECODE_PAD) < 0) {
        die_out_of_memory();
    }
}

static void pad(struct input *in)
{
    memset(in->data.data + in->data.len, 0, DECODE_PAD); /* decoders look ahead */
}

/* The last line, as though it had its newline. */
static void put_last(struct input *in)
{
    if (in->data.len > 0) {
        in->data.data[in->data.len++] = '\n';
        pad(in);
        put_whole(in);
    }
}

static void skip_mark(struct input *in)
{
    size_t len = sizeof(UTF8_MARK) - 1;
    if (in->number == 0 && in->data.len >= len && memcmp(in->data.data, UTF8_MARK, len) == 0) {
        buf_consume(&in->data, len);
    }
}

int input_read(struct input *in)
{
    reserve(in);
    ssize_t n = read(in->fd, in->data.data + in->data.len, READ_SIZE - 1);
    if (n < 0) {
        return errno == EINTR || errno == EAGAIN ? 1 : -1;
    }
    in->data.len += (size_t)n;
    skip_mark(in);
    if (n == 0) {
        put_last(in);
        return 0;
    }
    pad(in);
    put_whole(in);
    while (in->data.len >= 2 * in->line_max) {
        put_piece(in);
    }
    return 1;
}

void input_free(struct input *in)
{
    buf_free(&in->data);
    buf_free(&in->scratch);
}
