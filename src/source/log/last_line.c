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

/* The one file that is read, where it ends with something unfinished. False: there is no such. As of the last look
 * first: most have nothing, and are asked each second. */
static bool find_unfinished(const struct lines *lines, struct stat *st)
{
    const struct segment *head = lines->progress->chain->head;
    return head && !head->next && !head->archive && is_unfinished(lines, head->size) &&
           fstat(head->fd, st) == 0 && is_unfinished(lines, (uint64_t)st->st_size);
}

bool last_line_owed(const struct last_line *l, const struct lines *lines)
{
    struct stat st;
    return find_unfinished(lines, &st) && (l->ended || st.st_nlink == 0);
}

bool last_line_owed_closed(const struct last_line *l, const struct lines *lines)
{
    return l->ended && is_unfinished(lines, lines->progress->chain->head->size);
}

bool last_line_look(struct last_line *l, const struct lines *lines)
{
    struct stat st;
    int64_t now = clock_monotonic();
    if (!find_unfinished(lines, &st)) {
        *l = (struct last_line){.ended = l->ended};
        return false;
    }
    if (l->since_ns == 0 || (uint64_t)st.st_size != l->size) {
        l->since_ns = now;
        l->size = (uint64_t)st.st_size;
    }
    l->due = (l->ended || st.st_nlink == 0) && now - l->since_ns >= lines->cfg->partial_wait;
    return l->due;
}
