/* Locks on files (flock): one process at a time has that of a file, and loses it when it ends, however it ends. */
#ifndef SIDETAIL_BASE_LOCK_H
#define SIDETAIL_BASE_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

enum lock {
    LOCK_TAKEN,
    LOCK_HELD, /* another process has it */
    LOCK_NONE, /* the file system has no locks, as some NFS */
    LOCK_FAILED,
};

/* Tries to take the lock of an open file, which holds as long as the descriptor is open. errno tells why it failed. */
enum lock lock_take(int fd);

/* Has another descriptor it, of this process or of another? Where that cannot be told: no. */
bool lock_is_held(int fd);

/* Who has it (proc_locks(5)). 0: that is not told, as of a process in another container. */
pid_t lock_holder(int fd);

#endif
