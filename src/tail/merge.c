#include "merge.h"

#include <stdlib.h>

#include "line_queue.h"

struct lane {
    struct merge *merge;
    void *owner;
    struct line_queue lines;
    int64_t time_ns; /* of the first of them */
    uint64_t number; /* in the order of opening: decides between equal times */
    size_t place;    /* in the heap, 1 the first; 0: empty, not in it */
    size_t index;    /* in merge->lanes */
    bool past;
};

struct merge {
    struct lane **lanes; /* all */
    struct lane **heap;  /* those with lines, the earliest first; heap[0] is unused */
    size_t count, cap, queued;
    size_t waiting; /* lanes that are past and empty */
    size_t bytes;   /* queued in all lanes */
    uint64_t next_number;
    int64_t until_ns;  /* no line that is newer leaves */
    int64_t wanted_ns; /* those that are earlier are taken in any case */
    bool held;
    bool full; /* it came to MERGE_QUEUED_MAX, and half of it has not left yet */
};

struct merge *merge_new(void)
{
    struct merge *m = calloc(1, sizeof(*m));
    if (m) {
        m->until_ns = INT64_MAX;
        m->wanted_ns = INT64_MIN;
    }
    return m;
}

void merge_free(struct merge *m)
{
    if (!m) {
        return;
    }
    while (m->count > 0) {
        lane_close(m->lanes[m->count - 1]);
    }
    free(m->lanes);
    free(m->heap);
    free(m);
}

void merge_hold(struct merge *m, bool hold)
{
    m->held = hold;
}

void merge_until(struct merge *m, int64_t time_ns)
{
    m->until_ns = time_ns;
}

void merge_want(struct merge *m, int64_t time_ns)
{
    m->wanted_ns = time_ns;
}

/* -- the heap ---------------------------------------------------------------------------------- */

static bool before(const struct lane *a, const struct lane *b)
{
    return a->time_ns != b->time_ns ? a->time_ns < b->time_ns : a->number < b->number;
}

static void place(struct merge *m, struct lane *lane, size_t at)
{
    m->heap[at] = lane;
    lane->place = at;
}

static void sift_up(struct merge *m, struct lane *lane, size_t at)
{
    for (; at > 1 && before(lane, m->heap[at / 2]); at /= 2) {
        place(m, m->heap[at / 2], at);
    }
    place(m, lane, at);
}

static void sift_down(struct merge *m, struct lane *lane, size_t at)
{
    for (size_t child; (child = 2 * at) <= m->queued; at = child) {
        child += child < m->queued && before(m->heap[child + 1], m->heap[child]);
        if (!before(m->heap[child], lane)) {
            break;
        }
        place(m, m->heap[child], at);
    }
    place(m, lane, at);
}

static void heap_remove(struct merge *m, struct lane *lane)
{
    size_t at = lane->place;
    struct lane *last = m->heap[m->queued--];
    lane->place = 0;
    if (last == lane) {
        return;
    }
    sift_down(m, last, at);
    sift_up(m, last, last->place);
}

/* -- lanes ------------------------------------------------------------------------------------- */

static int make_room(struct merge *m)
{
    if (m->count < m->cap) {
        return 0;
    }
    size_t cap = m->cap ? m->cap * 2 : 16;
    struct lane **lanes = realloc(m->lanes, cap * sizeof(struct lane *));
    if (!lanes) {
        return -1;
    }
    m->lanes = lanes;
    struct lane **heap = realloc(m->heap, (cap + 1) * sizeof(struct lane *));
    if (!heap) {
        return -1;
    }
    m->heap = heap;
    m->cap = cap;
    return 0;
}

/* To be called when a lane or what is queued in one came or went. */
static void weigh(struct merge *m)
{
    size_t weight = m->bytes + m->count * MERGE_LANE_COST;
    m->full = m->queued > 0 && weight > (m->full ? MERGE_QUEUED_MAX / 2 : MERGE_QUEUED_MAX);
}

struct lane *lane_open(struct merge *m, void *owner)
{
    struct lane *lane = make_room(m) == 0 ? calloc(1, sizeof(*lane)) : NULL;
    if (!lane) {
        return NULL;
    }
    *lane = (struct lane){
        .merge = m, .owner = owner, .past = true, .number = m->next_number++, .index = m->count};
    m->lanes[m->count++] = lane;
    m->waiting++;
    weigh(m);
    return lane;
}

void lane_close(struct lane *lane)
{
    struct merge *m = lane->merge;
    if (lane->place) {
        heap_remove(m, lane);
    } else {
        m->waiting -= lane->past;
    }
    m->lanes[lane->index] = m->lanes[--m->count];
    m->lanes[lane->index]->index = lane->index;
    m->bytes -= line_queue_bytes(&lane->lines);
    line_queue_free(&lane->lines);
    free(lane);
    weigh(m);
}

void lane_present(struct lane *lane)
{
    if (lane->past && !lane->place) {
        lane->merge->waiting--;
    }
    lane->past = false;
}

bool lane_empty(const struct lane *lane)
{
    return lane->place == 0;
}

static size_t share_of(const struct merge *m)
{
    size_t share = MERGE_BYTES_MAX / m->count;
    return share > MERGE_LANE_MAX ? MERGE_LANE_MAX : share < MERGE_LANE_MIN ? MERGE_LANE_MIN : share;
}

bool merge_full(const struct merge *m, int64_t time_ns)
{
    return m->full && time_ns >= m->heap[1]->time_ns && time_ns >= m->wanted_ns;
}

bool lane_full(const struct lane *lane, int64_t time_ns)
{
    bool is_waited_for = lane->past && lane_empty(lane);
    return line_queue_bytes(&lane->lines) >= share_of(lane->merge) ||
           (!is_waited_for && merge_full(lane->merge, time_ns));
}

bool lane_low(const struct lane *lane)
{
    return line_queue_bytes(&lane->lines) <= share_of(lane->merge) / 2 && !lane->merge->full;
}

bool merge_empty(const struct merge *m)
{
    return m->queued == 0;
}

int lane_put(struct lane *lane, const struct tail_line *line)
{
    struct merge *m = lane->merge;
    size_t before = line_queue_bytes(&lane->lines);
    if (line_queue_put(&lane->lines, line) < 0) {
        return -1;
    }
    m->bytes += line_queue_bytes(&lane->lines) - before;
    if (lane->place == 0) {
        lane->time_ns = line->time_ns;
        m->waiting -= lane->past;
        sift_up(m, lane, ++m->queued);
    }
    weigh(m);
    return 0;
}

bool lane_passes(const struct lane *lane, int64_t time_ns)
{
    const struct merge *m = lane->merge;
    return !m->held && time_ns <= m->until_ns && m->queued == 0 && m->waiting == lane->past;
}

/* The first line of the lane was taken: puts the lane where its next one belongs. */
static void advance(struct merge *m, struct lane *lane)
{
    if (line_queue_bytes(&lane->lines) > 0) {
        lane->time_ns = line_queue_first(&lane->lines).time_ns;
        sift_down(m, lane, lane->place);
        return;
    }
    heap_remove(m, lane);
    m->waiting += lane->past;
}

void *merge_next(struct merge *m, struct tail_line *out)
{
    if (m->held || m->waiting > 0 || m->queued == 0 || m->heap[1]->time_ns > m->until_ns) {
        return NULL;
    }
    struct lane *lane = m->heap[1];
    size_t before = line_queue_bytes(&lane->lines);
    *out = line_queue_first(&lane->lines);
    line_queue_drop(&lane->lines);
    m->bytes -= before - line_queue_bytes(&lane->lines);
    advance(m, lane);
    weigh(m);
    return lane->owner;
}
