/* How much a container may say of itself: it is in each of its lines. */
#ifndef SIDETAIL_RECORD_TAGS_LIMITS_H
#define SIDETAIL_RECORD_TAGS_LIMITS_H

#include <stdbool.h>
#include <stddef.h>

#define TAG_TEXT_MAX   512   /* bytes of a name, an image …: what is longer is cut */
#define TAG_LABELS_MAX 16384 /* bytes of all labels that are chosen, with their keys: others are left out */

struct tags;

/* How many bytes of a text are kept: all, or whole characters of it. */
size_t tags_text_len(const char *text);
/* Counts the texts that are too long, and says so, once for each. */
void tags_say_long(const struct tags *tags);

/* A label that is chosen: does it fit beside the others, which take *used bytes? Then that grows; else it is counted, and
 * said once. */
bool tags_label_fits(const struct tags *tags, const char *key, const char *value, size_t *used);

#endif
