#include "lanes.h"

#include <stdlib.h>
#include <uthash.h>

#include "tail/say.h"
#include "tail/writer.h"

#define LANES_MAX 256 /* feeds of a partition that are kept where nothing waits in them: containers come and go */

struct lane_of {
    UT_hash_handle hh;
    struct tail_writer *writer; /* a reference */
    struct tail_feed *feed;
};

struct lanes {
    struct tail_feeds *feeds;
    struct lane_of *table, *last; /* last: of the line before; NULL: none */
    void (*resume)(void *arg);
    void *arg;
};

struct lanes *lanes_new(struct tail_feeds *feeds, void (*resume)(void *arg), void *arg)
{
    struct lanes *l = calloc(1, sizeof(*l));
    if (!l) {
        tail_out_of_memory();
    }
    *l = (struct lanes){.feeds = feeds, .resume = resume, .arg = arg};
    return l;
}

static void close_all(struct lanes *l)
{
    struct lane_of *of, *next;
    HASH_ITER(hh, l->table, of, next)
    {
        HASH_DEL(l->table, of);
        tail_feed_close(of->feed);
        tail_writer_unref(of->writer);
        free(of);
    }
    l->last = NULL;
}

void lanes_free(struct lanes *l)
{
    close_all(l);
    free(l);
}

static struct lane_of *open_lane(struct lanes *l, struct tail_writer *writer)
{
    if (HASH_COUNT(l->table) >= LANES_MAX) {
        close_all(l);
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
        l->last = of = of ? of : open_lane(l, line->writer);
    }
    return tail_feed_put_line(of->feed, line);
}
