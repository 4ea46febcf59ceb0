#include "last_lines.h"

#include <stdlib.h>

#include "line_queue.h"
#include "writer.h"

struct last_lines {
    struct line_queue queue;
    size_t queued; /* lines, parts and notices in the queue */
    int64_t most, count;
    bool open[STREAM_COUNT]; /* what was put last of that stream goes on in a next part */
    bool torn[STREAM_COUNT]; /* the same of what was dropped or taken last: its other parts are no line */
    bool dropped;            /* a line was */
};

struct last_lines *last_lines_new(int64_t most)
{
    struct last_lines *l = calloc(1, sizeof(*l));
    if (l) {
        l->most = most;
    }
    return l;
}

void last_lines_free(struct last_lines *l)
{
    if (l) {
        line_queue_free(&l->queue);
        free(l);
    }
}

/* Drops the oldest; of a line its first part, with which it counts no more. */
static void drop(struct last_lines *l)
{
    struct tail_line line = line_queue_first(&l->queue);
    line_queue_drop(&l->queue);
    tail_writer_unref(line.writer);
    l->queued--;
    if (line.kind == TAIL_LINE) {
        l->dropped |= !l->torn[line.stream];
        l->count -= !l->torn[line.stream];
        l->torn[line.stream] = line.partial;
    }
}

int last_lines_put(struct last_lines *l, const struct tail_line *line, size_t bytes_max)
{
    if (line_queue_put(&l->queue, line) < 0) {
        return -1;
    }
    l->queued++;
    if (line->kind == TAIL_LINE) {
        l->count += !l->open[line->stream];
        l->open[line->stream] = line->partial;
    }
    while (l->count > l->most || (line_queue_bytes(&l->queue) > bytes_max && l->queued > 1)) {
        drop(l);
    }
    return 0;
}

void last_lines_drop(struct last_lines *l)
{
    bool was_short = last_lines_cut_short(l);
    if (l->queued > 0) {
        drop(l);
        l->most = was_short ? l->most : l->count;
    }
}

bool last_lines_oldest(const struct last_lines *l, int64_t *time_ns)
{
    if (l->queued > 0) {
        *time_ns = line_queue_first(&l->queue).time_ns;
    }
    return l->queued > 0;
}

int64_t last_lines_count(const struct last_lines *l)
{
    return l->count;
}

bool last_lines_has_room(const struct last_lines *l)
{
    return !l->dropped && l->count < l->most;
}

bool last_lines_cut_short(const struct last_lines *l)
{
    return l->dropped && l->count < l->most;
}

bool last_lines_take(struct last_lines *l, struct tail_line *out)
{
    while (line_queue_bytes(&l->queue) > 0) {
        *out = line_queue_first(&l->queue);
        line_queue_drop(&l->queue);
        if (out->kind != TAIL_LINE || !l->torn[out->stream]) {
            return true;
        }
        l->torn[out->stream] = out->partial;
        tail_writer_unref(out->writer);
    }
    return false;
}
