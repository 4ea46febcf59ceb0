/* How much a container may say of itself: it is in each of its lines. */
#ifndef SIDETAIL_RECORD_TAGS_LIMITS_H
#define SIDETAIL_RECORD_TAGS_LIMITS_H

#include <stdbool.h>
#include <stddef.h>

#define TAG_TEXT_MAX   512   /* bytes of a name, an image …: what is longer is cut */
#define TAG_LABELS_MAX 16384 /* bytes of all labels that are chosen, with their keys: others are left out */

#define TAG_LABEL_SHOWN 100 /* bytes of a label's key in a message: there is to be room for what is wrong */

struct tags;

/* How many bytes of a text are kept: all, or whole characters of it. */
size_t tags_text_len(const char *text);
/* Counts the texts that are too long, and says so, once for each. */
void tags_say_long(const struct tags *tags);

/* Zeroed before the first label that is chosen. */
struct labels_room {
    size_t used;       /* bytes */
    size_t left_out;   /* labels that did not fit */
    const char *first; /* the key of the first of them, borrowed */
};
/* Does a label fit beside the others? Then its bytes are used. */
bool tags_label_fits(struct labels_room *room, const char *key, size_t value_len);
/* Counts those that did not fit, and says so, once for a container. */
void tags_say_labels(const struct tags *tags, const struct labels_room *room);

#endif
