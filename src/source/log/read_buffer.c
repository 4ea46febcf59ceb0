#include "read_buffer.h"

#include <stdlib.h>

#include "decode/decode.h"

int read_buffer_grow(struct read_buffer *b, size_t cap)
{
    if (cap <= b->cap) {
        return 0;
    }
    char *block = realloc(b->block, FILE_TAIL_MAX + cap + DECODE_PAD);
    if (!block) {
        return -1;
    }
    b->block = block;
    b->data = block + FILE_TAIL_MAX;
    b->cap = cap;
    b->window = (struct segment_window){0};
    return 0;
}

void read_buffer_free(struct read_buffer *b)
{
    free(b->block);
    buf_free(&b->scratch);
}
