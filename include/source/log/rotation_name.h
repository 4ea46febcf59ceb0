/* What the name of a rotated file tells: whose it is, and its age among that log's others.
 *
 * Behind the log's name stands a number (PATH.1) or a date (PATH-20261124, PATH.2026-11-24): digits, with a
 * time and a number behind it where there are several a day, as kubelet has it too (kubernetes
 * pkg/kubelet/logs/container_log_manager.go: PATH.20060102-150405 as Go writes it). Or either stands before
 * the log's ending, behind one of `.-_` or two of `_`: app.2026-11-24.1.log is app.log's. Each may have .gz or .zst behind it; with
 * that alone (app.log.gz) it is the newest. A date is 2026-11-24, 20261124, 11-24-2026 or 2026-11, and may have a
 * time behind it, after a T too (lumberjack: 2026-11-24T13-00-00.000). */
#ifndef SIDETAIL_SOURCE_LOG_ROTATION_NAME_H
#define SIDETAIL_SOURCE_LOG_ROTATION_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROTATED_PARTS 8

/* Points into the name that was parsed. */
struct rotated_name {
    size_t stem; /* bytes of the log's name before the number or date; its ending follows */
    const char *ending;
    size_t ending_len; /* bytes; 0: not `inside` */
    bool inside;       /* before the ending. Other logs have such names, too: see ownership.h */
    bool dated, packed;
    unsigned parts;               /* 0: .gz or .zst alone */
    uint64_t part[ROTATED_PARTS]; /* the number; or date, time and number, the larger the newer */
};

/* Is it a rotated file's name? A name, without its directory. */
bool rotation_parse(const char *name, struct rotated_name *out);
/* Is the name that was parsed one of the log of the name `log`? */
bool rotation_belongs(const struct rotated_name *rotated, const char *name, const char *log);
/* Bytes of the log's name with which those of all its rotated files begin. */
size_t rotation_common(const char *log);
/* The path of the log that `path` is a rotated file of, by its name; to be freed. *inside as above. NULL: it
 * is the name of no rotated file. */
char *rotation_log(const char *path, bool *inside);

#endif
