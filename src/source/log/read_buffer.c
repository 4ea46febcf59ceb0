#include "read_buffer.h"

#include <stdlib.h>

#include "decode/decode.h"

int read_buffer_grow(struct read_buffer *b, size_t cap)
{
    if (cap <= b->cap) {
        return 0;
    }
    char *data = realloc(b->data, cap + DECODE_PAD);
    if (!data) {
        return -1;
    }
    b->data = data;
    b->cap = cap;
    return 0;
}

void read_buffer_free(struct read_buffer *b)
{
    free(b->data);
    buf_free(&b->scratch);
}
