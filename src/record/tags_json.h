/* Fills in json_head and json_tail of new tags (tags.h). 0 or -1 (memory). */
#ifndef SIDETAIL_RECORD_TAGS_JSON_H
#define SIDETAIL_RECORD_TAGS_JSON_H

#include "record/tags.h"

int tags_render_json(struct tags *tags);

#endif
