#include "decode/decode.h"

static size_t next(const char *p, const char *end, struct record *out, struct buf *scratch)
{
    size_t taken = decode_json_fast(p, end, out);
    if (taken > 0) {
        return taken;
    }
    const char *newline = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
    if (!newline) {
        return 0;
    }
    size_t len = (size_t)(newline - p);
    if (decode_json_any(p, len, out, scratch) < 0) {
        decode_as_text(p, len, out);
        out->malformed = true;
    }
    return len + 1;
}

const struct decoder decoder_json_file = {.name = "json-file", .next = next};
