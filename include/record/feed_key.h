/* A feed's name in the checkpoint: a container's id, or a file's path. Counted references, for the marks of
 * batches on their way outlive the feed. */
#ifndef SIDETAIL_RECORD_FEED_KEY_H
#define SIDETAIL_RECORD_FEED_KEY_H

#include <stdbool.h>
#include <stdint.h>

struct feed_key {
    unsigned refs;
    bool forgotten; /* used where lost lines are counted, at the end of the process */
    uint32_t entry; /* for the checkpoint's use: where it has found the key's entry last */
    char text[];
};

/* With one reference; NULL when memory is out. */
struct feed_key *feed_key_new(const char *text);
struct feed_key *feed_key_ref(struct feed_key *key);
void feed_key_unref(struct feed_key *key);

#endif
