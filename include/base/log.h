/* The collector's own log: one line a fact, logfmt or JSON, to stderr.
 *
 * A line is a level, a fixed message, and fields. The same message is written at most LOG_BURST times in
 * LOG_WINDOW_S seconds; what was held back is counted in the next one that passes (`suppressed=`). Where
 * nobody reads stderr, lines are dropped rather than waited with, and counted as well (`unwritten=`). Secrets
 * must not be passed. Loop thread only. */
#ifndef SIDETAIL_BASE_LOG_H
#define SIDETAIL_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#define LOG_BURST    5
#define LOG_WINDOW_S 10

enum log_level { LEVEL_DEBUG, LEVEL_INFO, LEVEL_WARN, LEVEL_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

struct field {
    const char *key; /* NULL ends a list of fields */
    const char *text;
    int64_t number; /* used where text is NULL */
};

static inline struct field field_text(const char *key, const char *text)
{
    return (struct field){.key = key, .text = text ? text : ""};
}

/* KV(key, text): a text field, empty where it is NULL. KN(key, number): a number. */
#define KV(k, v) field_text((k), (v))
#define KN(k, n) ((struct field){.key = (k), .number = (int64_t)(n)})

void log_setup(enum log_level least, enum log_format format);
void log_write(enum log_level level, const char *message, const struct field *fields);

/* Room for the fields of one line; the zeroed rest ends the list. */
#define LOG_FIELDS 8

#define log_debug(msg, ...) log_write(LEVEL_DEBUG, msg, (const struct field[LOG_FIELDS]){__VA_ARGS__})
#define log_info(msg, ...)  log_write(LEVEL_INFO, msg, (const struct field[LOG_FIELDS]){__VA_ARGS__})
#define log_warn(msg, ...)  log_write(LEVEL_WARN, msg, (const struct field[LOG_FIELDS]){__VA_ARGS__})
#define log_error(msg, ...) log_write(LEVEL_ERROR, msg, (const struct field[LOG_FIELDS]){__VA_ARGS__})

#endif
