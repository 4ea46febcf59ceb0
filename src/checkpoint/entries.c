#include "entries.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define SIZE_FIRST 64

/* -- the table --------------------------------------------------------------------------------- */

static uint32_t next_slot(const struct entries *t, uint32_t slot)
{
    return (slot + 1) & (t->size - 1);
}

/* Where a key belongs. */
static uint32_t home(const struct entries *t, const char *key, size_t len)
{
    return (uint32_t)XXH3_64bits(key, len) & (t->size - 1);
}

/* The slot of the key, or the free one where it would be put. */
static uint32_t slot_of(const struct entries *t, const char *key, size_t len)
{
    uint32_t slot = home(t, key, len);
    for (; t->slots[slot] > 0; slot = next_slot(t, slot)) {
        const char *there = t->all[t->slots[slot] - 1]->key;
        if (strncmp(there, key, len) == 0 && there[len] == '\0') {
            break;
        }
    }
    return slot;
}

struct entry *entries_find(const struct entries *t, const char *key, size_t len)
{
    uint32_t index = t->size > 0 ? t->slots[slot_of(t, key, len)] : 0;
    return index > 0 ? t->all[index - 1] : NULL;
}

/* Makes room for another entry. 0 or -1 (memory). */
static int grow(struct entries *t)
{
    if (t->count < t->size / 2) {
        return 0;
    }
    uint32_t size = t->size > 0 ? 2 * t->size : SIZE_FIRST;
    uint32_t *slots = calloc(size, sizeof(*slots));
    struct entry **all = slots ? realloc(t->all, size / 2 * sizeof(struct entry *)) : NULL;
    if (!all) {
        free(slots);
        return -1;
    }
    free(t->slots);
    t->all = all;
    t->slots = slots;
    t->size = size;
    for (uint32_t i = 0; i < t->count; i++) {
        t->slots[slot_of(t, all[i]->key, strlen(all[i]->key))] = i + 1;
    }
    return 0;
}

struct entry *entries_add(struct entries *t, const char *key, size_t len)
{
    struct entry *e = entries_find(t, key, len);
    if (e) {
        return e;
    }
    if (grow(t) < 0 || !(e = calloc(1, offsetof(struct entry, key) + len + 1))) {
        return NULL;
    }
    memcpy(e->key, key, len);
    t->all[t->count] = e;
    t->slots[slot_of(t, key, len)] = ++t->count;
    return e;
}

struct entry *entries_at(struct entries *t, const char *key, uint32_t *at)
{
    if (*at < t->count && strcmp(t->all[*at]->key, key) == 0) {
        return t->all[*at];
    }
    size_t len = strlen(key);
    struct entry *e = entries_add(t, key, len);
    if (e) {
        *at = t->slots[slot_of(t, key, len)] - 1;
    }
    return e;
}

/* Frees the slot. Those behind it that were put off by others move up, so that none is cut off from its home. */
static void free_slot(struct entries *t, uint32_t slot)
{
    for (uint32_t at = next_slot(t, slot); t->slots[at] > 0; at = next_slot(t, at)) {
        const char *key = t->all[t->slots[at] - 1]->key;
        uint32_t off = (at - home(t, key, strlen(key))) & (t->size - 1);
        if (off >= ((at - slot) & (t->size - 1))) {
            t->slots[slot] = t->slots[at];
            slot = at;
        }
    }
    t->slots[slot] = 0;
}

static void entry_free(struct entry *e)
{
    compact_clear(&e->pos);
    free(e);
}

void entries_remove(struct entries *t, struct entry *e)
{
    uint32_t slot = slot_of(t, e->key, strlen(e->key)), index = t->slots[slot];
    struct entry *last = t->all[t->count - 1];
    t->slots[slot_of(t, last->key, strlen(last->key))] = index;
    t->all[index - 1] = last;
    free_slot(t, slot);
    t->count--;
    entry_free(e);
}

void entries_expire(struct entries *t, int64_t before, void (*fn)(void *arg, const char *key), void *arg)
{
    for (uint32_t i = t->count; i-- > 0;) { /* the last one fills the hole: it was asked before */
        struct entry *e = t->all[i];
        if (e->in_use || e->seen >= before) {
            continue;
        }
        if (fn) {
            fn(arg, e->key);
        }
        entries_remove(t, e);
    }
}

void entries_clear(struct entries *t)
{
    for (uint32_t i = 0; i < t->count; i++) {
        entry_free(t->all[i]);
    }
    free(t->all);
    free(t->slots);
    *t = (struct entries){0};
}

const struct position *entry_position(struct entries *entries, const struct entry *e)
{
    compact_get(&e->pos, &entries->asked);
    return &entries->asked;
}

void entry_set_seen(struct entry *e, int64_t seen)
{
    e->seen = seen < 0 ? 0 : seen > UINT32_MAX ? UINT32_MAX : (uint32_t)seen;
}
