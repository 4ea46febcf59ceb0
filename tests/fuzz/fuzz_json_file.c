/* The json-file decoder: nothing is lost, nothing read beyond the pad, and the in-place decoder agrees with
 * jansson. */
#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"
#include "decode/decode.h"
#include "fuzz.h"

static void agree(const struct record *fast, const char *line, size_t len)
{
    static struct buf scratch, text;
    struct record any;
    CHECK(decode_json_any(line, len, &any, &scratch) == 0);
    text.len = 0;
    CHECK(text_unescape(&text, fast->text) == 0);
    CHECK(slice_eq(slice_of(text.data, text.len), any.text));
    CHECK(slice_eq(fast->time, any.time));
    CHECK(fast->stream == any.stream && fast->more == any.more && !fast->malformed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct buf scratch;
    char *input = padded(data, size);
    const char *p = input, *end = input + size;
    struct record rec;
    size_t taken;
    while ((taken = decoder_json_file.next(p, end, &rec, &scratch)) > 0) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        CHECK(newline && p + taken == newline + 1);
        if (rec.malformed) {
            CHECK(rec.text.ptr == p && rec.text.len == taken - 1);
        }
        if (rec.escaped) {
            agree(&rec, p, taken - 1);
        }
        p += taken;
    }
    CHECK(!memchr(p, '\n', (size_t)(end - p)));
    free(input);
    return 0;
}
