/* Driver local's records: any bytes, come at once or up to any point, end in records and damage without a
 * gap, and what was torn is taken as it would have been whole. A record of any text that a container can
 * write waits for its rest, wherever it is torn, and is passed over once another one stands behind it. */
#include "base/clock.h"
#include "fuzz.h"

static struct buf scratch;

/* Returns the bytes that were dealt with. */
static size_t walk(const char *begin, const char *end, bool last)
{
    const char *p = begin;
    for (size_t used = 1; p < end && used > 0; p += used) {
        struct record rec;
        int64_t ns;
        used = decoder_local.next(p, end, &rec, &scratch);
        if (used == 0) {
            used = decoder_local.framing->damaged(p, end, last);
        } else {
            CHECK(!rec.escaped && !rec.malformed && used <= decoder_local.framing->longest);
            CHECK(rec.text.ptr >= p && rec.text.ptr + rec.text.len <= p + used);
            CHECK(rec.time.len > 0 && clock_parse(rec.time, &ns) == 0);
        }
        CHECK(used <= (size_t)(end - p));
    }
    CHECK(!last || p == end);
    return (size_t)(p - begin);
}

/* The Engine's record of the text, which has no newline. */
static void add_record(struct buf *out, struct slice text)
{
    static const char head[] = "\x0a\x06stdout\x10\xb8\x9c\xb4\xec\xd0\xd6\x88\xf6\x18\x1a";
    unsigned char number[2] = {text.len & 0x7f, (unsigned char)(text.len >> 7)};
    size_t digits = text.len < 0x80 ? 1 : 2;
    number[0] |= digits > 1 ? 0x80 : 0;
    uint32_t len = __builtin_bswap32((uint32_t)(sizeof(head) - 1 + digits + text.len));
    CHECK(buf_add(out, &len, sizeof(len)) == 0 && buf_add(out, head, sizeof(head) - 1) == 0);
    CHECK(buf_add(out, number, digits) == 0 && buf_add(out, text.ptr, text.len) == 0);
    CHECK(buf_add(out, &len, sizeof(len)) == 0);
}

/* A record of the text that is torn after `cut` of its bytes, alone and before another one. */
static void tear(struct slice text, size_t cut)
{
    struct buf log = {0};
    add_record(&log, text);
    cut = cut % (log.len - sizeof(uint32_t)); /* torn in the second length, it may be taken for whole */
    log.len = cut;
    char *torn = padded((const uint8_t *)log.data, log.len);
    CHECK(walk(torn, torn + cut, false) == 0);
    free(torn);
    add_record(&log, slice_of("another", cut % 7));
    struct record rec;
    torn = padded((const uint8_t *)log.data, log.len);
    CHECK(cut == 0 || decoder_local.next(torn, torn + log.len, &rec, &scratch) == 0);
    CHECK(cut == 0 || decoder_local.framing->damaged(torn, torn + log.len, false) == cut);
    CHECK(decoder_local.next(torn + cut, torn + log.len, &rec, &scratch) == log.len - cut);
    free(torn);
    buf_free(&log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *input = padded(data, size);
    size_t cut = size > 0 ? data[size - 1] * size / 256 : 0;
    size_t done = walk(input, input + cut, false);
    walk(input + done, input + size, true);
    walk(input, input + size, true);
    for (char *newline = input; (newline = memchr(newline, '\n', (size_t)(input + size - newline)));) {
        *newline = '\r';
    }
    tear(slice_of(input, size), size > 1 ? data[size - 1] << 8 | data[size - 2] : 0);
    free(input);
    return 0;
}
