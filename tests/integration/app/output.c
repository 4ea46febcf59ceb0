#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

static int open_path(struct output *out)
{
    out->fd = open(out->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    return out->fd < 0 ? -1 : 0;
}

int output_open(struct output *out, const char *path, size_t capacity)
{
    out->path = path;
    out->used = 0;
    out->capacity = capacity;
    out->buffer = malloc(capacity);
    if (!out->buffer)
        return -1;
    return path ? open_path(out) : 0;
}

int output_flush(struct output *out)
{
    size_t used = out->used;
    out->used = 0;
    return write_all(out->fd, out->buffer, used);
}

int output_put(struct output *out, const char *data, size_t size)
{
    if (out->used + size > out->capacity && output_flush(out) < 0)
        return -1;
    if (size > out->capacity)
        return write_all(out->fd, data, size);
    memcpy(out->buffer + out->used, data, size);
    out->used += size;
    return 0;
}

static void rotated_name(char name[static PATH_MAX], const struct output *out, unsigned number)
{
    snprintf(name, PATH_MAX, "%s.%u", out->path, number);
}

/* Makes PATH.1 free. */
static int shift(const struct output *out)
{
    char from[PATH_MAX], to[PATH_MAX];
    for (unsigned i = out->keep; i > 1; i--) {
        rotated_name(from, out, i - 1);
        rotated_name(to, out, i);
        if (rename(from, to) < 0 && errno != ENOENT)
            return -1;
    }
    return 0;
}

static int copy_to(const char *from, const char *to)
{
    char buffer[65536];
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int copy = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    int result = in < 0 || copy < 0 ? -1 : 0;
    ssize_t n = 0;
    while (result == 0 && (n = read(in, buffer, sizeof(buffer))) > 0)
        result = write_all(copy, buffer, (size_t)n);
    if (n < 0)
        result = -1;
    if (in >= 0)
        close(in);
    if (copy >= 0 && close(copy) < 0)
        result = -1;
    return result;
}

static int rotate_file(struct output *out)
{
    char first[PATH_MAX];
    rotated_name(first, out, 1);
    switch (out->rotation) {
    case ROTATE_RENAME:
        return shift(out) < 0 || rename(out->path, first) < 0 || close(out->fd) < 0 ? -1 : open_path(out);
    case ROTATE_COPYTRUNCATE:
        return shift(out) < 0 || copy_to(out->path, first) < 0 ? -1 : ftruncate(out->fd, 0);
    case ROTATE_DELETE:
        return unlink(out->path) < 0 || close(out->fd) < 0 ? -1 : open_path(out);
    case ROTATE_NONE:
        break;
    }
    return 0;
}

int output_rotate(struct output *out)
{
    return output_flush(out) < 0 ? -1 : rotate_file(out);
}

int output_close(struct output *out)
{
    int result = output_flush(out);
    free(out->buffer);
    out->buffer = NULL;
    if (out->path && close(out->fd) < 0)
        result = -1;
    return result;
}
