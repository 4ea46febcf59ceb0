#include "lanes.h"

#include <stdlib.h>
#include <uthash.h>

#include "tail/say.h"
#include "tail/writer.h"

/* Feeds of a partition, of which those that are empty may stay; and where there are many in all. */
#define LANES_MAX 256
#define LANES_FEW 16

struct lane_of {
    UT_hash_handle hh;
    struct tail_writer *writer; /* a reference */
    struct tail_feed *feed;
};

struct lanes {
    struct tail_feeds *feeds;
    struct lane_of *table, *last; /* last: of the line before; NULL: none */
    size_t tidy_at;               /* so many feeds are open: those that are empty are closed */
    void (*resume)(void *arg);
    void *arg;
};

struct lanes *lanes_new(struct tail_feeds *feeds, void (*resume)(void *arg), void *arg)
{
    struct lanes *l = calloc(1, sizeof(*l));
    if (!l) {
        tail_out_of_memory();
    }
    *l = (struct lanes){.feeds = feeds, .tidy_at = LANES_MAX, .resume = resume, .arg = arg};
    return l;
}

static void close_lane(struct lanes *l, struct lane_of *of)
{
    HASH_DEL(l->table, of);
    tail_feed_close(of->feed);
    tail_writer_unref(of->writer);
    free(of);
}

void lanes_free(struct lanes *l)
{
    while (l->table) {
        close_lane(l, l->table);
    }
    free(l);
}

/* A feed that holds lines stays: in a second one of the same writer, lines could overtake those. */
void lanes_tidy(struct lanes *l)
{
    size_t least = tail_feeds_open(l->feeds) < LANES_MANY ? LANES_MAX : LANES_FEW;
    struct lane_of *of, *next;
    HASH_ITER(hh, l->table, of, next)
    {
        if (tail_feed_empty(of->feed)) {
            close_lane(l, of);
        }
    }
    l->last = NULL;
    l->tidy_at = 2 * HASH_COUNT(l->table) > least ? 2 * HASH_COUNT(l->table) : least;
}

static struct lane_of *open_lane(struct lanes *l, struct tail_writer *writer)
{
    if (HASH_COUNT(l->table) >= l->tidy_at) {
        lanes_tidy(l);
    }
    struct lane_of *of = calloc(1, sizeof(*of));
    if (!of) {
        tail_out_of_memory();
    }
    of->writer = tail_writer_ref(writer);
    of->feed = tail_feed_open(l->feeds, NULL, l->resume, l->arg);
    tail_feed_present(of->feed);
    HASH_ADD_PTR(l->table, writer, of);
    return of;
}

bool lanes_put(struct lanes *l, const struct tail_line *line)
{
    struct lane_of *of = l->last;
    if (!of || of->writer != line->writer) {
        HASH_FIND_PTR(l->table, &line->writer, of);
        if (!of && tail_feeds_full(l->feeds, line->time_ns)) {
            return false;
        }
        l->last = of = of ? of : open_lane(l, line->writer);
    }
    return tail_feed_put_line(of->feed, line);
}
