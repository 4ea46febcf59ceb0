/* One log of a container, of driver json-file or local, with its rotated files, read once from oldest to newest and then as it grows. It is for a
 * person who watches: no position is kept, and what is rotated away unread is passed over. */
#ifndef SIDETAIL_TAIL_FILES_LOG_H
#define SIDETAIL_TAIL_FILES_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "decode/decode.h"

struct tail_log;

/* `path` is the live file's, without links; it need not exist yet. `alias`: a link to it, whose name rotated files may
 * bear; NULL: there is none. Begins `lines` lines before the end; -1: with the oldest file. NULL: memory. */
struct tail_log *tail_log_open(const char *path, const char *alias, const struct decoder *decoder,
                               int64_t lines);
/* It lies elsewhere now: what is there comes behind what was read. -1: memory. */
int tail_log_move(struct tail_log *log, const char *path, const char *alias);
void tail_log_close(struct tail_log *log); /* NULL is fine */

/* Reads up to `cap` bytes of one file from where reading stands, which does not move; all lines but the last
 * are whole. Returns the bytes read; 0: nothing new. What cannot be read is passed over. */
ssize_t tail_log_read(struct tail_log *log, char *buf, size_t cap);
/* Moves on by the first `len` bytes of those. */
void tail_log_consume(struct tail_log *log, size_t len);
/* To be called when what was read is all there is of this file, and no whole line. True: a newer file exists,
 * so the line will never be finished; it is dropped. */
bool tail_log_torn(struct tail_log *log);

#endif
