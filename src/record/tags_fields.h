/* The tags of a line behind its text, in the order in which each format writes them. */
#ifndef SIDETAIL_RECORD_TAGS_FIELDS_H
#define SIDETAIL_RECORD_TAGS_FIELDS_H

#include "record/tags.h"

#define TAG_FIELDS 9

struct tag_field {
    const char *key;
    const char *value; /* borrowed from the tags; NULL: this container has none */
};

void tags_fields(const struct tags *tags, struct tag_field fields[TAG_FIELDS]);

/* The pieces of a format as they are to be kept: heads that end there, then the tail. Frees `text`. NULL: no
 * memory. */
struct tags_pieces *tags_keep(struct buf *text, const size_t ends[STREAM_COUNT]);

#endif
