#include "last_line.h"

#include <sys/stat.h>

#include "base/clock.h"

/* A torn record of a format with framing is no line. */
static bool is_unfinished(const struct lines *lines, uint64_t size)
{
    const struct segment *head = lines->progress->chain->head;
    bool framed = lines->decoder && lines->decoder->framing;
    return (size > head->offset && !framed) || progress_holds(lines->progress);
}

bool last_line_owed(const struct last_line *l, const struct lines *lines)
{
    const struct segment *head = lines->progress->chain->head;
    struct stat st;
    return head && !head->next && !head->gz && fstat(head->fd, &st) == 0 && (l->ended || st.st_nlink == 0) &&
           is_unfinished(lines, (uint64_t)st.st_size);
}

bool last_line_look(struct last_line *l, const struct lines *lines)
{
    const struct segment *head = lines->progress->chain->head;
    struct stat st;
    l->due = false;
    if (!last_line_owed(l, lines) || fstat(head->fd, &st) < 0) {
        l->since_ns = 0;
    } else if (l->since_ns == 0 || (uint64_t)st.st_size != l->size) {
        l->since_ns = clock_monotonic();
        l->size = (uint64_t)st.st_size;
    } else {
        l->due = clock_monotonic() - l->since_ns >= lines->cfg->partial_wait;
    }
    return l->due;
}
