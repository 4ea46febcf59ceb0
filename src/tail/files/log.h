/* One json-file log with its rotated files, read once from oldest to newest and then as it grows, for
 * somebody who watches: no position is kept, and what is rotated away unread while nobody looks is passed
 * over. */
#ifndef SIDETAIL_TAIL_FILES_LOG_H
#define SIDETAIL_TAIL_FILES_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct tail_log;

/* `path` is the live file's, which need not exist yet. Begins `lines` lines before the end; -1: with the
 * oldest file. NULL: memory. */
struct tail_log *tail_log_open(const char *path, int64_t lines);
void tail_log_close(struct tail_log *log); /* NULL is fine */

/* Reads up to `cap` bytes from where reading stands, which does not move. Bytes of one file, whole lines but
 * for the last; 0: nothing new. What cannot be read is passed over. */
ssize_t tail_log_read(struct tail_log *log, char *buf, size_t cap);
/* The first `len` bytes of those are dealt with. */
void tail_log_consume(struct tail_log *log, size_t len);
/* What was read holds no whole line, and is all there is of this file. True: a newer file exists, so the line
 * will never be finished; it is dropped. */
bool tail_log_torn(struct tail_log *log);

#endif
