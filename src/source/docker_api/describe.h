/* What /status tells of one container's feed. */
#ifndef SIDETAIL_SOURCE_DOCKER_API_DESCRIBE_H
#define SIDETAIL_SOURCE_DOCKER_API_DESCRIBE_H

#include "feed.h"

/* For feed_describe_by; `feed` is a struct api_feed. */
bool api_describe(void *feed, struct status_log *log);
/* Its log driver cannot be read: tells of that in place of the feed. */
void api_note_unreadable(const struct api_feed *f);

#endif
