/* How it is told that a container's log is written to: see enum told. */
#ifndef SIDETAIL_SOURCE_JSON_FILE_TOLD_H
#define SIDETAIL_SOURCE_JSON_FILE_TOLD_H

#include "container.h"

/* What its directories are watched for. */
#define DIR_EVENTS  (IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF)
#define FILE_EVENTS IN_MODIFY

/* Would all that may happen to it be told, its metadata, its log and where that lies? Or, but for what is read anyway. */
bool told_all(const struct container *c);
/* As struct follow_options says; the argument is the container. */
bool told_set(void *container, enum told told, int fd);
/* A directory of it is watched anew, for all that happens there: not of what is read anyway. */
void told_watched(const struct container *c);
/* Its directory tells of it, not the file itself, before it is looked at next: something happened to its log's name, or to
 * one that begins so, and it may be another file from now on; or it rests, and the watch is for those that do not. */
void told_by_directory(struct container *c);
/* There are not enough watches: as told_by_directory for all that tell of themselves, and none does any more; each is read
 * once more. False: none did. */
bool told_give_back(struct json_file *src);
/* Its log lies elsewhere from now on: all that happens in its directory is told, which that may lie in. */
void told_reset(struct container *c);
/* Nothing is told of it any more. */
void told_close(struct container *c);

#endif
