/* The stage between joining and batching: applies the rules of shaping (shape/shape.h) to whole lines, and
 * lets go of what they hold back when it is due. Where no rule is set, lines pass by. */
#ifndef SIDETAIL_PIPELINE_SHAPER_H
#define SIDETAIL_PIPELINE_SHAPER_H

#include <sys/queue.h>

#include "batcher.h"
#include "record/put.h"
#include "shape/shape.h"

struct shaper_feed;

/* The rules of the feeds that the same overrides fit, and whose labels say the same. */
struct shaper_rules {
    LIST_ENTRY(shaper_rules) link;
    uint64_t overrides;  /* as in struct tags */
    char *hints;         /* likewise; owned; NULL: none */
    struct shape *shape; /* NULL: there are none */
    size_t size;         /* bytes that the expressions of its hints take */
    unsigned feeds;      /* none: they go */
};

/* Whoever may start containers can have as many sets of labels as there are containers, and each set is compiled. */
#define SHAPER_HINTED_MAX  256
#define SHAPER_HINTED_SIZE (16 << 20) /* bytes that the expressions of all of them take */

struct shaper {
    const struct config *cfg; /* borrowed */
    LIST_HEAD(shaper_sets, shaper_rules) sets;
    unsigned hinted;          /* sets with hints: SHAPER_HINTED_MAX at most */
    size_t hinted_size;       /* of their expressions: SHAPER_HINTED_SIZE at most */
    bool hinted_said;         /* that there were more */
    struct shaper_rules base; /* of the feeds without either; always there */
    size_t held;              /* bytes held by all */
    struct batcher *batcher;  /* the next stage; borrowed */
    struct event *timer;
    int64_t due_ns; /* monotonic: when the timer fires; INT64_MAX: never */
    TAILQ_HEAD(shaper_feeds, shaper_feed) feeds;
    struct shape_watch watch; /* told: NULL, nobody wants to know */
};

/* The lines that were held for a stream went on without a further put: a timer did it. */
struct shaper_released {
    void (*call)(void *arg, enum stream stream); /* may be NULL */
    void *arg;
};

struct shaper_feed {
    struct shaper *stage;
    TAILQ_ENTRY(shaper_feed) link;
    struct shaper_rules *set;
    struct shape *rules;       /* its set's; NULL: there are none */
    struct shape_state *state; /* NULL: no rules, or nothing put yet */
    struct shaper_released released;
    struct batcher_feed *next;
};

/* 0 or -1 (memory); shaper_free is owed in either case, of a zeroed struct, too. */
int shaper_init(struct shaper *s, struct event_base *base, struct batcher *next);
void shaper_free(struct shaper *s); /* after its feeds are closed */

/* Takes up other rules; what the old ones hold is let go by them. 0, or -1: err names the key, and the old
 * ones stay. */
int shaper_configure(struct shaper *s, const struct config *cfg, struct error *err);

/* `f` is the caller's memory, and so is `next`; both stay until shaper_close. shaper_choose is owed before the first
 * put. */
void shaper_open(struct shaper *s, struct shaper_feed *f, struct shaper_released released,
                 struct batcher_feed *next);
/* Has the feed's records go by the rules for such tags, from now on; what is held by other ones goes on. */
void shaper_choose(struct shaper_feed *f, const struct tags *tags);
/* What is wrong with the rules that labels ask for; NULL: nothing. The tags are those of shaper_choose. */
const char *shaper_problem(const struct shaper_feed *f, const struct tags *tags);
void shaper_close(struct shaper_feed *f); /* what is held is dropped */
void shaper_flush(struct shaper_feed *f); /* what is held goes on */

/* Takes a whole line, or a cut piece of one. */
enum put_result shaper_put_shaped(struct shaper_feed *f, const struct record *rec);
static inline enum put_result shaper_put(struct shaper_feed *f, const struct record *rec)
{
    if (f->rules) {
        return shaper_put_shaped(f, rec);
    }
    batcher_put(f->next, rec);
    return PUT_DONE;
}

/* Lets go of what is due, when there is room: to be called again when there is room again. */
void shaper_tick(struct shaper *s);
/* Lets go of all that is held, while there is room: what is left is read again at the next start. */
void shaper_drain(struct shaper *s);

/* Bytes held. */
size_t shaper_memory(const struct shaper *s);

#endif
