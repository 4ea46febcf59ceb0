/* What the sources note for /status of what they leave out; see status_note for `note`. */
#ifndef SIDETAIL_SOURCE_LEFT_OUT_H
#define SIDETAIL_SOURCE_LEFT_OUT_H

#include "base/status.h"
#include "record/tags.h"

/* The configuration, or a label, leaves it out. `file`: its path, where it is a file; else NULL. */
void note_refused(struct status_note **note, const struct tags *tags, const char *file,
                  struct tags_refusal refusal);
/* Its log driver keeps nothing that anybody can read; or, not `nothing`, that this source can. */
void note_driver(struct status_note **note, const struct tags *tags, const char *driver, bool nothing);

#endif
