#include "rotation_order.h"

#include <stdlib.h>

#include "base/clock.h"
#include "source/log/archive.h"

#define COPYING_FOR (5 * NS_PER_S) /* a copy is made within that */

/* Numbers from the lowest, then dates from the last; of the same age the plain file before its archive. */
static int compare(const void *a, const void *b)
{
    const struct generation *ga = a, *gb = b;
    const struct rotated_name *x = &ga->name, *y = &gb->name;
    if (x->dated != y->dated) {
        return x->dated ? 1 : -1;
    }
    for (unsigned i = 0; i < x->parts || i < y->parts; i++) {
        uint64_t px = i < x->parts ? x->part[i] : 0, py = i < y->parts ? y->part[i] : 0;
        if (px != py) {
            return (px < py) == x->dated ? 1 : -1;
        }
    }
    return (int)x->packed - (int)y->packed;
}

/* -- what times tell --------------------------------------------------------------------------- */

/* Has it the time of what it was made from? Then that is before its making. */
static bool keeps_time(const struct generation *gen)
{
    return gen->birth_ns > 0 && gen->mtime_ns < gen->birth_ns;
}

/* Does its making tell of its age? That of a file that was renamed, or copied from the log, does. */
static bool has_made_time(const struct generation *gen)
{
    return !gen->name.packed && gen->birth_ns > 0 && !keeps_time(gen);
}

/* When what it holds was last written to. */
struct last {
    int64_t ns;       /* 0: not known, but before the file was made */
    int64_t grain_ns; /* it may be later by less than that */
    bool named;       /* the archive names a time, be it that of its packing */
};

static struct last last_written(const struct generation *gen)
{
    if (!gen->name.packed || gen->birth_ns == 0 || keeps_time(gen)) {
        return (struct last){.ns = gen->mtime_ns, .grain_ns = 1};
    }
    int64_t named = archive_named_time(gen->path);
    bool before = named > 0 && named + NS_PER_S <= gen->birth_ns;
    return (struct last){.ns = before ? named : 0, .grain_ns = NS_PER_S, .named = named > 0};
}

static int sign(int64_t n, int64_t grain)
{
    return n >= grain ? 1 : n <= -grain ? -1 : 0;
}

/* Neither archive tells of what it holds. They are packed in the order of their age, mostly; but where a time is
 * named that is no use, as of a file packed at once, anybody may have packed them. */
static int compare_packing(const struct generation *high, const struct generation *low, bool named)
{
    int later = sign(high->birth_ns - low->birth_ns, 1);
    return later > 0 && named ? 0 : later;
}

/* May the file, which was made later, be a copy of what the other one held before that was truncated in place, and written
 * to since? Then it is the older one, and was renamed before the other was. Where numbers count up, the newer is renamed
 * last, but for one that lived no longer than a copy takes, while the older was open yet to a writer. */
static bool may_be_copied(const struct generation *made_later, const struct generation *other)
{
    return made_later->mtime_ns < other->mtime_ns && made_later->ctime_ns <= other->ctime_ns &&
           made_later->mtime_ns - made_later->birth_ns < COPYING_FOR;
}

/* Is the file of the higher number newer than that of the lower? 1, -1; 0: it cannot be told. *by_packing: by the
 * order of packing alone. */
static int is_newer(const struct generation *high, const struct generation *low, bool *by_packing)
{
    if (has_made_time(high) && has_made_time(low) && high->birth_ns != low->birth_ns) {
        bool later = high->birth_ns > low->birth_ns;
        return !later ? -1 : may_be_copied(high, low) ? 0 : 1;
    }
    struct last h = last_written(high), l = last_written(low);
    if (h.ns > 0 && l.ns > 0) {
        return sign(h.ns - l.ns, h.grain_ns > l.grain_ns ? h.grain_ns : l.grain_ns);
    }
    if (h.ns > 0) {
        return low->birth_ns < h.ns ? 1 : 0;
    }
    if (l.ns > 0) { /* what is packed is older than what is not packed yet */
        return high->birth_ns < l.ns || !low->name.packed ? -1 : 0;
    }
    *by_packing = true;
    return compare_packing(high, low, h.named || l.named);
}

/* -- the direction of the numbers -------------------------------------------------------------- */

/* What pairs of files tell of the numbers: they count up, or down. */
struct votes {
    unsigned up, down;
    unsigned packed_up, packed_down; /* by the order of packing alone */
};

static void vote(struct votes *votes, const struct generation *high, const struct generation *low)
{
    bool by_packing = false;
    int newer = is_newer(high, low, &by_packing);
    votes->up += newer > 0 && !by_packing;
    votes->down += newer < 0 && !by_packing;
    votes->packed_up += newer > 0 && by_packing;
    votes->packed_down += newer < 0 && by_packing;
}

static bool has_number(const struct generation *gen, bool inside)
{
    return !gen->name.dated && gen->name.inside == inside && gen->name.parts > 0;
}

/* The votes of the numbers behind the log's name, or inside it. False: there are no two. The list is in the order of
 * the numbers. */
static bool count_votes(const struct generation *list, size_t count, bool inside, struct votes *votes)
{
    const struct generation *lowest = NULL, *highest = NULL;
    *votes = (struct votes){0};
    for (size_t i = 0; i < count; i++) {
        if (!has_number(&list[i], inside)) {
            continue;
        }
        if (highest && highest->name.part[0] != list[i].name.part[0]) {
            vote(votes, &list[i], highest);
        }
        lowest = lowest ? lowest : &list[i];
        highest = &list[i];
    }
    if (!lowest || lowest->name.part[0] == highest->name.part[0]) {
        return false;
    }
    vote(votes, highest, lowest);
    return true;
}

static bool counts_up(const struct votes *v)
{
    return v->up + v->down > 0 ? v->up > v->down : v->packed_up > 0 && v->packed_down == 0;
}

static bool is_unsure(const struct votes *v)
{
    return v->up + v->down > 0 ? v->up > 0 && v->down > 0 : v->packed_up > 0 || v->packed_down == 0;
}

/* The list is in the order of the numbers. */
static void tell_direction(struct generation *list, size_t count, bool inside)
{
    struct votes votes;
    if (!count_votes(list, count, inside, &votes)) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (has_number(&list[i], inside)) {
            list[i].unsure = is_unsure(&votes);
        }
    }
    for (size_t i = 0; i < count && counts_up(&votes); i++) {
        list[i].name.dated |= list[i].name.inside == inside; /* the larger the newer */
    }
}

void rotation_sort(struct generation *list, size_t count)
{
    qsort(list, count, sizeof(*list), compare);
    tell_direction(list, count, false);
    tell_direction(list, count, true);
    qsort(list, count, sizeof(*list), compare);
}

/* A file of the same tick of the clock is newer; an archive of that is of something that was complete. */
bool rotation_made_since(const struct generation *gen, int64_t mtime_ns)
{
    if (gen->birth_ns == 0 || keeps_time(gen)) {
        return gen->mtime_ns > mtime_ns;
    }
    return gen->birth_ns > mtime_ns || (gen->birth_ns == mtime_ns && !gen->name.packed);
}
