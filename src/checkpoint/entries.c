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

void entries_remove(struct entries *entries, struct entry *e)
{
    HASH_DEL(entries->first, e);
    free(e);
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
        free(e);
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
