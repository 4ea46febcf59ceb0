#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int buf_reserve(struct buf *b, size_t more)
{
    if (b->cap - b->len >= more) {
        return 0;
    }
    size_t need = b->len + more;
    if (need < more) {
        return -1;
    }
    size_t cap = b->cap ? b->cap : 256;
    while (cap < need) {
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    }
    char *data = realloc(b->data, cap);
    if (!data) {
        return -1;
    }
    b->data = data;
    b->cap = cap;
    return 0;
}

void buf_fit(struct buf *b, size_t spare)
{
    char *data = b->len + spare > 0 && b->cap > b->len + spare ? realloc(b->data, b->len + spare) : NULL;
    if (data) {
        b->data = data;
        b->cap = b->len + spare;
    }
}

int buf_add(struct buf *b, const void *bytes, size_t len)
{
    if (len == 0) {
        return 0;
    }
    if (buf_reserve(b, len) < 0) {
        return -1;
    }
    buf_put(b, bytes, len);
    return 0;
}

int buf_addf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0 || buf_reserve(b, (size_t)len + 1) < 0) {
        return -1;
    }
    va_start(args, format);
    vsnprintf(b->data + b->len, (size_t)len + 1, format, args);
    va_end(args);
    b->len += (size_t)len;
    return 0;
}

void buf_consume(struct buf *b, size_t len)
{
    b->len -= len;
    if (b->len > 0) {
        memmove(b->data, b->data + len, b->len);
    }
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}
