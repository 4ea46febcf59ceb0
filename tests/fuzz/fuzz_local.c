/* Driver local's records: any bytes, come at once or up to any point, end in records and damage without a gap,
 * and what was torn is taken as it would have been whole. */
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *input = padded(data, size);
    size_t cut = size > 0 ? data[size - 1] * size / 256 : 0;
    size_t done = walk(input, input + cut, false);
    walk(input + done, input + size, true);
    walk(input, input + size, true);
    free(input);
    return 0;
}
