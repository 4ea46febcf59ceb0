/* The Engine's log drivers: who can read what they keep. */
#ifndef SIDETAIL_DISCOVER_LOG_DRIVER_H
#define SIDETAIL_DISCOVER_LOG_DRIVER_H

#include <stdbool.h>

/* Does it write files that can be read here? NULL: unknown, so it may. */
bool log_driver_has_files(const char *driver);
/* Does it keep nothing, so that nobody can read it, the Engine neither? Not NULL. */
bool log_driver_keeps_nothing(const char *driver);

/* For a message: those whose logs can be read, here or from the Engine. */
#define LOG_DRIVERS_READABLE "json-file, local or journald"

#endif
