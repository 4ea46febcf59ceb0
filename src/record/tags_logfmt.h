/* Fills in logfmt_head and logfmt_tail of new tags (tags.h). 0 or -1 (memory). */
#ifndef SIDETAIL_RECORD_TAGS_LOGFMT_H
#define SIDETAIL_RECORD_TAGS_LOGFMT_H

#include "record/tags.h"

int tags_render_logfmt(struct tags *tags);

#endif
