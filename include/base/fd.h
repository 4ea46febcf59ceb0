/* What is asked of file descriptors. */
#ifndef SIDETAIL_BASE_FD_H
#define SIDETAIL_BASE_FD_H

#include <stdbool.h>
#include <stdint.h>

/* Can one wait until it takes bytes? Not for files and /dev/null: they are always ready, and epoll refuses
 * them. */
bool fd_can_wait(int fd);

/* Lets this process have as many open as its hard limit grants: a file or connection of each container is
 * held open. */
void fd_raise_limit(void);

/* For how many logs there are descriptors now, with some left for connections and for looking around. 0: for any
 * number. */
uint64_t fd_room(void);

/* When the file was made, in ns since 1970. 0: its file system does not know. */
int64_t fd_birth(int fd);
int64_t file_birth(const char *path);

/* Which mount it is in, of what openat(2) would name so; `flags` as statx(2) has them. 0: that is not told, as before
 * Linux 5.8; an emulator may tell 0 of all. */
uint64_t fd_mount(int dir, const char *path, int flags);

#endif
