#include "past.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "record/tags.h"
#include "tail/say.h"
#include "tail/writer.h"

struct past {
    struct tail_feeds *feeds;
    struct tail_feed *feed;
    struct last_lines **kept; /* of each partition */
    size_t kept_count;
    struct last_line *lines; /* NULL: not chosen yet */
    size_t at, count;        /* those from `at` on are to be put */
};

struct past *past_new(struct tail_feeds *feeds, void (*resume)(void *arg), void *arg)
{
    struct past *p = calloc(1, sizeof(*p));
    if (!p) {
        tail_out_of_memory();
    }
    p->feeds = feeds;
    p->feed = tail_feed_open(feeds, NULL, resume, arg);
    return p;
}

void past_free(struct past *p)
{
    if (!p) {
        return;
    }
    tail_feed_close(p->feed);
    for (size_t i = 0; i < p->kept_count; i++) {
        last_lines_free(p->kept[i]);
    }
    free(p->kept);
    free(p->lines);
    free(p);
}

void past_add(struct past *p, struct last_lines *kept)
{
    struct last_lines **more = realloc(p->kept, (p->kept_count + 1) * sizeof(struct last_lines *));
    if (!more) {
        tail_out_of_memory();
    }
    p->kept = more;
    p->kept[p->kept_count++] = kept;
}

/* -- choosing ---------------------------------------------------------------------------------- */

static int compare(size_t a, size_t b)
{
    return (a > b) - (a < b);
}

static int by_time(const void *left, const void *right)
{
    const struct last_line *a = left, *b = right;
    int order = (a->key_ns > b->key_ns) - (a->key_ns < b->key_ns);
    order = order ? order : compare(a->owner, b->owner);
    order = order ? order : compare(a->begins, b->begins);
    return order ? order : compare(a->place, b->place);
}

/* The first of the last so many lines. *missing: so many more are wanted. */
static size_t first_of_last(const struct last_line *lines, size_t count, int64_t wanted, int64_t *missing)
{
    size_t first = count;
    for (size_t i = count; i > 0 && wanted > 0; i--) {
        bool begins = lines[i - 1].begins == lines[i - 1].place;
        first = begins ? i - 1 : first;
        wanted -= begins;
    }
    *missing = wanted;
    return first;
}

size_t past_first(struct last_line *lines, size_t count, int64_t wanted, bool *is_short, bool *cut)
{
    qsort(lines, count, sizeof(*lines), by_time);
    int64_t missing;
    size_t first = first_of_last(lines, count, wanted, &missing);
    *cut = false;
    for (size_t i = 0; i < count; i++) {
        bool ends_here = is_short[lines[i].owner]; /* there were older ones of this owner */
        is_short[lines[i].owner] = false;
        if (ends_here && (i > first || missing > 0)) {
            first = i;
            *cut = true;
        }
    }
    return first;
}

/* Of which partitions were there more lines, and fewer are kept than are wanted? */
static bool *which_are_short(const struct past *p, int64_t wanted)
{
    bool *is_short = calloc(p->kept_count + 1, sizeof(bool));
    if (!is_short) {
        tail_out_of_memory();
    }
    for (size_t i = 0; i < p->kept_count; i++) {
        is_short[i] = last_lines_cut_short(p->kept[i]) && last_lines_count(p->kept[i]) < wanted;
    }
    return is_short;
}

static void list_all(struct past *p)
{
    size_t entries = 0;
    for (size_t i = 0; i < p->kept_count; i++) {
        entries += last_lines_entries(p->kept[i]);
    }
    p->lines = calloc(entries + 1, sizeof(*p->lines));
    if (!p->lines) {
        tail_out_of_memory();
    }
    for (size_t i = 0; i < p->kept_count; i++) {
        p->count += last_lines_list(p->kept[i], (unsigned)i, p->lines + p->count);
    }
}

static void tell_cut_short(struct past *p, const char *topic)
{
    int64_t count = 0;
    char text[200];
    struct tail_line line = {.text = slice_of(text, 0), .kind = TAIL_NOTICE_BAD};
    for (size_t i = p->at; i < p->count; i++) {
        count += p->lines[i].begins == p->lines[i].place;
    }
    int len = snprintf(text, sizeof(text),
                       "only its last %" PRId64
                       " lines are shown: more would take too much memory; ask for fewer with -n",
                       count);
    struct tags *tags = tags_known(&(struct tags){.service = topic});
    if (!tags) {
        tail_out_of_memory();
    }
    line.text.len = (size_t)len;
    line.writer = tail_feeds_writer(p->feeds, tags);
    line.time_ns = last_lines_at(p->kept[p->lines[p->at].owner], p->lines[p->at].place).time_ns;
    tail_feed_put_line(p->feed, &line);
    tail_writer_unref(line.writer);
    tags_unref(tags);
}

void past_choose(struct past *p, int64_t lines, const char *topic)
{
    bool *is_short = which_are_short(p, lines), cut;
    list_all(p);
    p->at = past_first(p->lines, p->count, lines, is_short, &cut);
    free(is_short);
    if (cut) {
        tell_cut_short(p, topic);
    }
}

bool past_chosen(const struct past *p)
{
    return p->lines;
}

bool past_put(struct past *p, int64_t until_ns)
{
    for (; p->at < p->count; p->at++) {
        const struct last_line *at = &p->lines[p->at];
        struct tail_line line = last_lines_at(p->kept[at->owner], at->place);
        bool is_late = until_ns && line.time_ns > until_ns;
        if (!is_late && !tail_feed_put_line(p->feed, &line)) {
            return false;
        }
    }
    return true;
}
