#include "base/text.h"
#include "encode/encode.h"

static int encode(void *state, const struct tags *tags, const struct record *rec, struct buf *out)
{
    (void)state;
    (void)tags;
    const size_t before = out->len;
    int result = rec->escaped ? text_unescape(out, rec->text) : buf_add_slice(out, rec->text);
    if (result < 0 || buf_add(out, "\n", 1) < 0) {
        out->len = before;
        return -1;
    }
    return 0;
}

const struct encoder encoder_raw = {"raw", encode, NULL, NULL};
