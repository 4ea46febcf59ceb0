#include "last_lines.h"

#include <stdlib.h>
#include <uthash.h>

#include "line_queue.h"
#include "writer.h"

#define IDLE_MAX 256 /* writers that are kept though no line of theirs is, as the rest of one may come */

/* What is known of a writer's lines. */
struct written {
    UT_hash_handle hh;
    struct tail_writer *writer; /* a reference; NULL: the feed's own */
    size_t queued;
    bool open[STREAM_COUNT]; /* what was put last of that stream goes on in a next part */
    bool torn[STREAM_COUNT]; /* the same of what was dropped or taken last: its other parts are no line */
    /* While they are listed: of the line before, and of the lines whose parts come. */
    int64_t key_ns, part_ns[STREAM_COUNT];
    size_t begins[STREAM_COUNT];
};

struct last_lines {
    struct line_queue queue;
    struct written *table, *last; /* last: of the line before; NULL: not known */
    size_t queued;                /* lines, parts and notices in the queue */
    size_t idle, writers;         /* writers of whom none is; and those of whom some are */
    int64_t most, count;
    bool dropped; /* a line was */
};

struct last_lines *last_lines_new(int64_t most)
{
    struct last_lines *l = calloc(1, sizeof(*l));
    if (l) {
        l->most = most;
    }
    return l;
}

/* -- writers ----------------------------------------------------------------------------------- */

static void forget(struct last_lines *l, struct written *w)
{
    l->last = l->last == w ? NULL : l->last;
    HASH_DEL(l->table, w);
    tail_writer_unref(w->writer);
    free(w);
}

static void forget_idle(struct last_lines *l)
{
    struct written *w, *next;
    HASH_ITER(hh, l->table, w, next)
    {
        if (w->queued == 0) {
            forget(l, w);
        }
    }
    l->idle = 0;
}

void last_lines_free(struct last_lines *l)
{
    if (l) {
        line_queue_free(&l->queue);
        while (l->table) {
            forget(l, l->table);
        }
        free(l);
    }
}

/* NULL: there is none. */
static struct written *find(struct last_lines *l, struct tail_writer *writer)
{
    struct written *w = l->last;
    if (!w || w->writer != writer) {
        HASH_FIND_PTR(l->table, &writer, w);
        l->last = w;
    }
    return w;
}

/* NULL: memory. */
static struct written *find_or_add(struct last_lines *l, struct tail_writer *writer)
{
    struct written *w = find(l, writer);
    if (!w && (w = calloc(1, sizeof(*w)))) {
        w->writer = tail_writer_ref(writer);
        HASH_ADD_PTR(l->table, writer, w);
        l->last = w;
        l->idle++;
    }
    return w;
}

/* The oldest line that is kept was of this writer, and is no more. */
static void lessen(struct last_lines *l, struct written *w)
{
    if (--w->queued > 0) {
        return;
    }
    l->writers -= w->writer != NULL;
    l->idle++;
    if (!w->torn[STREAM_STDOUT] && !w->torn[STREAM_STDERR]) {
        l->idle--;
        forget(l, w);
    } else if (l->idle > IDLE_MAX) {
        forget_idle(l);
    }
}

/* -- lines ------------------------------------------------------------------------------------- */

static size_t bytes_of(const struct last_lines *l)
{
    return line_queue_bytes(&l->queue) + l->writers * LAST_LINES_WRITER;
}

/* Drops the oldest; of a line its first part, with which it counts no more. */
static void drop(struct last_lines *l)
{
    struct tail_line line = line_queue_first(&l->queue);
    struct written *w = find(l, line.writer);
    line_queue_drop(&l->queue);
    l->queued--;
    if (line.kind == TAIL_LINE) {
        l->dropped |= !w->torn[line.stream];
        l->count -= !w->torn[line.stream];
        w->torn[line.stream] = line.partial;
    }
    lessen(l, w);
    tail_writer_unref(line.writer);
}

int last_lines_put(struct last_lines *l, const struct tail_line *line, size_t bytes_max)
{
    struct written *w = find_or_add(l, line->writer);
    if (!w || line_queue_put(&l->queue, line) < 0) {
        return -1;
    }
    l->queued++;
    if (w->queued++ == 0) {
        l->idle--;
        l->writers += w->writer != NULL;
    }
    if (line->kind == TAIL_LINE) {
        l->count += !w->open[line->stream];
        w->open[line->stream] = line->partial;
    }
    while (l->count > l->most || (bytes_of(l) > bytes_max && l->queued > 1)) {
        drop(l);
    }
    return 0;
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
        struct written *w = find(l, out->writer);
        line_queue_drop(&l->queue);
        bool is_rest = out->kind == TAIL_LINE && w->torn[out->stream];
        if (is_rest) {
            w->torn[out->stream] = out->partial;
        }
        lessen(l, w);
        if (!is_rest) {
            return true;
        }
        tail_writer_unref(out->writer);
    }
    return false;
}

/* -- their order ------------------------------------------------------------------------------- */

size_t last_lines_entries(const struct last_lines *l)
{
    return l->queued;
}

struct tail_line last_lines_at(const struct last_lines *l, size_t place)
{
    return line_queue_at(&l->queue, &place);
}

size_t last_lines_list(struct last_lines *l, unsigned owner, struct last_line *to)
{
    size_t count = 0;
    for (struct written *w = l->table; w; w = w->hh.next) {
        memset(w->open, 0, sizeof(w->open));
        w->key_ns = INT64_MIN;
    }
    for (size_t place = 0, next = 0; place < line_queue_bytes(&l->queue); place = next) {
        struct tail_line line = line_queue_at(&l->queue, &next);
        enum stream s = line.stream;
        struct written *w = find(l, line.writer);
        if (w->torn[s]) {
            w->torn[s] = line.partial;
            continue;
        }
        if (!w->open[s]) {
            w->key_ns = line.time_ns > w->key_ns ? line.time_ns : w->key_ns;
            w->part_ns[s] = w->key_ns;
            w->begins[s] = place;
        }
        w->open[s] = line.partial;
        to[count++] = (struct last_line){w->part_ns[s], w->begins[s], place, owner};
    }
    return count;
}
