/* Where the log writer's lines go: a descriptor, or a file that it rotates itself. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stddef.h>
#include <stdint.h>

enum rotation {
    ROTATE_NONE,
    ROTATE_RENAME,       /* PATH to PATH.1, older ones shift, a new PATH */
    ROTATE_COPYTRUNCATE, /* PATH copied to PATH.1, then cut to nothing */
    ROTATE_DELETE,       /* PATH removed and made anew */
};

struct output {
    int fd;
    char *buffer; /* owned; holds what is not yet written */
    size_t used;
    size_t capacity;  /* flushed when full; a single line may be longer */
    const char *path; /* NULL for a descriptor given from outside */
    enum rotation rotation;
    unsigned keep; /* rotated files kept */
};

/* All return 0, or -1 with errno set. */
int output_open(struct output *out, const char *path, size_t capacity);
int output_put(struct output *out, const char *data, size_t size);
int output_flush(struct output *out);
int output_rotate(struct output *out);
int output_close(struct output *out);

#endif
