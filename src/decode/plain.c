#include "decode/decode.h"

void decode_as_text(const char *p, size_t len, struct record *out)
{
    *out = (struct record){.text = {p, len}};
}

static size_t next(const char *p, const char *end, struct record *out, struct buf *scratch)
{
    (void)scratch;
    const char *newline = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
    if (!newline) {
        return 0;
    }
    size_t len = (size_t)(newline - p);
    decode_as_text(p, len, out);
    return len + 1;
}

const struct decoder decoder_plain = {.name = "plain", .next = next};
