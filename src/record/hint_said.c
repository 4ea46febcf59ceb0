#include "hint_said.h"

#include <stddef.h>
#include <string.h>
#include <xxhash.h>

#define KEPT 4096 /* faults remembered, the newest */

bool hint_is_new(const struct tags *container, const char *label, const char *value)
{
    const char *id = container->full_id ? container->full_id : container->service;
    static XXH64_hash_t said[KEPT];
    static size_t next;
    XXH64_hash_t hash = XXH3_64bits(id, strlen(id));
    hash = XXH3_64bits_withSeed(label, strlen(label), hash);
    hash = XXH3_64bits_withSeed(value, strlen(value), hash);
    for (size_t i = 0; i < KEPT; i++) {
        if (said[i] == hash) {
            return false;
        }
    }
    said[next] = hash;
    next = (next + 1) % KEPT;
    return true;
}
