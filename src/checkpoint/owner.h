/* Who keeps the checkpoint: one process at a time, which has the lock of PATH.lock. That file names it, and stays
 * when it ends; the lock does not. */
#ifndef SIDETAIL_CHECKPOINT_OWNER_H
#define SIDETAIL_CHECKPOINT_OWNER_H

#include "base/error.h"

/* Becomes the owner. 0, and *fd, which keeps the lock until it is closed (-1: the file system has no locks, which is
 * logged); -1: where another process is, err names it and has the exit code EXIT_LOCKED. */
int owner_become(const char *path, int *fd, struct error *err);

#endif
