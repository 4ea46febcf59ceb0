/* What /status tells of a log that is followed. */
#ifndef SIDETAIL_SOURCE_LOG_DESCRIBE_H
#define SIDETAIL_SOURCE_LOG_DESCRIBE_H

#include "base/status.h"

/* Fills in where its reading stands, and what keeps it from being read. `follow` is a struct follow. True: it is shown. */
bool follow_describe(void *follow, struct status_log *log);

#endif
