/* Lines of a file descriptor, decoded as the collector decodes those of a file. */
#ifndef SIDETAIL_TRY_INPUT_H
#define SIDETAIL_TRY_INPUT_H

#include "base/buf.h"
#include "decode/decode.h"

struct input {
    int fd;
    const struct decoder *decoder; /* NULL: as the first line looks */
    size_t line_max;               /* bytes after which a line is cut */
    struct buf data, scratch;
    size_t number; /* of the line last put, from 1 */
    bool mid_line; /* a piece of it was cut off */
    void (*put)(void *arg, struct record *rec, size_t number, const char *format);
    void *arg;
};

void input_free(struct input *in);

/* Reads once, and puts the whole lines that there are. 1; 0 when the input has ended, and its last line was put, newline
 * or not; -1: errno. */
int input_read(struct input *in);

#endif
