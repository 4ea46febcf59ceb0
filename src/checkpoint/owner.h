/* Who keeps the checkpoint: one process at a time, which has the lock of PATH.lock. That file names it, and stays
 * when it ends; the lock does not. */
#ifndef SIDETAIL_CHECKPOINT_OWNER_H
#define SIDETAIL_CHECKPOINT_OWNER_H

#include <stdbool.h>

#include "base/error.h"

struct owner {
    int fd;    /* keeps the lock; -1: there is none */
    bool lost; /* it is to be had: its file was removed, cannot be opened, or has no room */
};

/* Becomes the owner. 0, also where the file system has no locks, or no room for the file, which is logged; -1: where
 * another process is the owner, err names it and has the exit code EXIT_LOCKED. */
int owner_become(struct owner *o, const char *path, struct error *err);

/* Before each save: is it still the owner? Takes the lock again where its file was removed. -1 as owner_become. */
int owner_remain(struct owner *o, const char *path, struct error *err);

void owner_end(struct owner *o);

#endif
