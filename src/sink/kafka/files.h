/* The files of TLS that clients are made of: kafka.tls_ca, kafka.tls_cert, kafka.tls_key, and those that
 * kafka.properties name. librdkafka reads them when it makes a client, and never again. Any thread. */
#ifndef SIDETAIL_SINK_KAFKA_FILES_H
#define SIDETAIL_SINK_KAFKA_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "settings.h"

#define KAFKA_FILES_MAX 5

/* How they were found: those of a setting that is not made have no inode. */
struct kafka_files {
    struct kafka_file {
        dev_t dev;
        ino_t ino;
        off_t size;
        struct timespec written, changed;
    } list[KAFKA_FILES_MAX];
};

/* Are there any? */
bool kafka_files_any(const struct kafka_settings *s);

/* Notes how they are now. False: one is not there now, or was changed less than a second ago: whoever writes them, one
 * after another, may be at it. */
bool kafka_files_note(struct kafka_files *files, const struct kafka_settings *s);

bool kafka_files_same(const struct kafka_files *a, const struct kafka_files *b);

#endif
