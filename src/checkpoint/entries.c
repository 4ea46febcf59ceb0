#include "entries.h"

#include <stdlib.h>
#include <string.h>

struct entry *entries_find(const struct entries *entries, const char *key, size_t len)
{
    struct entry *e;
    HASH_FIND(hh, entries->first, key, len, e);
    return e;
}

struct entry *entries_add(struct entries *entries, const char *key, size_t len)
{
    struct entry *e = entries_find(entries, key, len);
    if (e) {
        return e;
    }
    e = calloc(1, sizeof(*e) + len + 1);
    if (e) {
        memcpy(e->key, key, len);
        HASH_ADD_KEYPTR(hh, entries->first, e->key, len, e);
    }
    return e;
}

void entry_copy(const struct entry *e, struct position *out)
{
    *out = e->whole ? *e->whole
                    : (struct position){.kind = POSITION_FILE,
                                        .at.file = e->file,
                                        .newest_ns = e->newest_ns,
                                        .outline = e->outline};
}

static bool is_plain(const struct position *pos)
{
    bool held = false;
    for (int s = 0; s < STREAM_COUNT; s++) {
        held |= pos->held_set[s];
    }
    return pos->kind == POSITION_FILE && !held && !pos->mid_line;
}

static int make_whole(struct entry *e, const struct position *pos)
{
    if (!e->whole) {
        e->whole = malloc(sizeof(*e->whole));
    }
    if (!e->whole) {
        return -1;
    }
    *e->whole = *pos;
    return 0;
}

const struct position *entry_position(struct entry *e)
{
    struct position pos;
    if (e->whole) {
        return e->whole;
    }
    entry_copy(e, &pos);
    return make_whole(e, &pos) < 0 ? NULL : e->whole;
}

int entry_set(struct entry *e, const struct position *pos)
{
    if (e->whole || !is_plain(pos)) {
        return make_whole(e, pos);
    }
    e->file = pos->at.file;
    e->newest_ns = pos->newest_ns;
    e->outline = pos->outline;
    return 0;
}

static void entry_free(struct entry *e)
{
    free(e->whole);
    free(e);
}

void entries_remove(struct entries *entries, struct entry *e)
{
    HASH_DEL(entries->first, e);
    entry_free(e);
}

void entries_expire(struct entries *entries, int64_t before, void (*fn)(void *arg, const char *key),
                    void *arg)
{
    struct entry *e, *next;
    HASH_ITER(hh, entries->first, e, next)
    {
        if (e->in_use || e->seen >= before) {
            continue;
        }
        HASH_DEL(entries->first, e);
        if (fn) {
            fn(arg, e->key);
        }
        entry_free(e);
    }
}

void entries_clear(struct entries *entries)
{
    struct entry *e, *next;
    HASH_ITER(hh, entries->first, e, next)
    {
        entries_remove(entries, e);
    }
}
