/* Plain and CRI lines, and the guess between the formats: each takes whole lines and loses nothing. */
#include "base/clock.h"
#include "fuzz.h"

static void walk(const struct decoder *decoder, const char *p, const char *end)
{
    static struct buf scratch;
    struct record rec;
    size_t taken;
    while ((taken = decoder->next(p, end, &rec, &scratch)) > 0) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        CHECK(newline && p + taken == newline + 1);
        CHECK(rec.text.ptr >= p && rec.text.ptr + rec.text.len == newline);
        CHECK(!rec.escaped);
        if (decoder == &decoder_plain || rec.malformed) {
            CHECK(rec.text.ptr == p && rec.time.len == 0);
        } else {
            int64_t ns;
            CHECK(clock_parse(rec.time, &ns) == 0 && rec.time.ptr == p);
        }
        p += taken;
    }
    CHECK(!memchr(p, '\n', (size_t)(end - p)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *input = padded(data, size);
    walk(&decoder_plain, input, input + size);
    walk(&decoder_cri, input, input + size);
    const struct decoder *guess = decoder_guess(input, input + size);
    CHECK((guess != NULL) == (memchr(input, '\n', size) != NULL));
    free(input);
    return 0;
}
