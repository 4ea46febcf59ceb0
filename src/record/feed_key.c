#include "record/feed_key.h"

#include <stdlib.h>
#include <string.h>

struct feed_key *feed_key_new(const char *text)
{
    size_t size = strlen(text) + 1;
    struct feed_key *key = calloc(1, sizeof(*key) + size);
    if (key) {
        key->refs = 1;
        memcpy(key->text, text, size);
    }
    return key;
}

struct feed_key *feed_key_ref(struct feed_key *key)
{
    key->refs++;
    return key;
}

void feed_key_unref(struct feed_key *key)
{
    if (--key->refs == 0) {
        free(key);
    }
}
