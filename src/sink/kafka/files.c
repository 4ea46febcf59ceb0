#include "files.h"

#include <limits.h>
#include <string.h>

#include "base/clock.h"

#define SETTLE_NS NS_PER_S

static const char *const names[KAFKA_FILES_MAX] = {"ssl.ca.location", "ssl.certificate.location",
                                                   "ssl.key.location", "ssl.keystore.location",
                                                   "ssl.crl.location"};

/* False: there is no such setting. */
static bool path_of(const struct kafka_settings *s, unsigned i, char path[PATH_MAX])
{
    size_t size = PATH_MAX;
    return rd_kafka_conf_get(s->producer, names[i], path, &size) == RD_KAFKA_CONF_OK && *path &&
           strcmp(path, "probe") != 0; /* librdkafka's word for wherever the system has them */
}

bool kafka_files_any(const struct kafka_settings *s)
{
    char path[PATH_MAX];
    unsigned i = 0;
    while (i < KAFKA_FILES_MAX && !path_of(s, i, path)) {
        i++;
    }
    return i < KAFKA_FILES_MAX;
}

/* A file whose time is yet to come was not changed just now: the clock was set. */
static bool is_settled(const struct kafka_file *file, int64_t now_ns)
{
    int64_t age_ns = now_ns - (file->changed.tv_sec * NS_PER_S + file->changed.tv_nsec);
    return age_ns < 0 || age_ns > SETTLE_NS;
}

bool kafka_files_note(struct kafka_files *files, const struct kafka_settings *s)
{
    char path[PATH_MAX];
    int64_t now_ns = clock_now();
    bool settled = true;
    *files = (struct kafka_files){0};
    for (unsigned i = 0; i < KAFKA_FILES_MAX; i++) {
        struct stat st;
        if (!path_of(s, i, path)) {
            continue;
        }
        if (stat(path, &st) < 0) {
            settled = false;
            continue;
        }
        struct kafka_file *file = &files->list[i];
        *file = (struct kafka_file){st.st_dev, st.st_ino, st.st_size, st.st_mtim, st.st_ctim};
        settled = settled && is_settled(file, now_ns);
    }
    return settled;
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool kafka_files_same(const struct kafka_files *a, const struct kafka_files *b)
{
    unsigned i = 0;
    for (; i < KAFKA_FILES_MAX; i++) {
        const struct kafka_file *x = &a->list[i], *y = &b->list[i];
        if (x->dev != y->dev || x->ino != y->ino || x->size != y->size ||
            !same_time(x->written, y->written) || !same_time(x->changed, y->changed)) {
            break;
        }
    }
    return i == KAFKA_FILES_MAX;
}
