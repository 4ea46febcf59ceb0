#include "read_buffer.h"

#include <stdlib.h>

#include "decode/decode.h"

static char *beginning(const struct read_buffer *b)
{
    return b->data ? b->data - FILE_TAIL_MAX : NULL;
}

int read_buffer_grow(struct read_buffer *b, size_t cap)
{
    if (cap <= b->cap) {
        return 0;
    }
    char *data = realloc(beginning(b), FILE_TAIL_MAX + cap + DECODE_PAD);
    if (!data) {
        return -1;
    }
    b->data = data + FILE_TAIL_MAX;
    b->cap = cap;
    return 0;
}

void read_buffer_free(struct read_buffer *b)
{
    free(beginning(b));
    buf_free(&b->scratch);
}
