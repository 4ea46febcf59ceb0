#include "discover/metadata.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

/* For json_load_callback: json_loadfd reads one byte with each call to the kernel. */
static size_t read_some(void *buffer, size_t room, void *fd)
{
    ssize_t n;
    while ((n = read(*(const int *)fd, buffer, room)) < 0 && errno == EINTR) {
    }
    return n < 0 ? (size_t)-1 : (size_t)n;
}

static json_t *load(const char *dir, const char *name, struct error *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        int saved = errno;
        error_set(err, "cannot open %s: %s", path, strerror(saved));
        errno = saved;
        return NULL;
    }
    json_error_t where;
    json_t *json = json_load_callback(read_some, &fd, JSON_ALLOW_NUL, &where);
    close(fd);
    if (!json || !json_is_object(json)) {
        error_set(err, "%s: %s", path, json ? "not a JSON object" : where.text);
        json_decref(json);
        errno = EBADMSG;
        return NULL;
    }
    return json;
}

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* Does it run, and when did it end last? 0001-01-01T00:00:00Z is never. */
static void read_state(struct metadata *m)
{
    const json_t *state = json_object_get(m->json, "State");
    const char *end = text(state, "FinishedAt");
    m->ended = json_is_false(json_object_get(state, "Running"));
    if (!end || clock_parse(slice_str(end), &m->run_end_ns) < 0 || m->run_end_ns < 0) {
        m->run_end_ns = 0;
    }
}

int metadata_load(const char *dir, struct metadata *out, struct error *err)
{
    *out = (struct metadata){0};
    out->json = load(dir, "config.v2.json", err);
    if (!out->json) {
        return -1;
    }
    const json_t *config = json_object_get(out->json, "Config");
    out->who = (struct identity){
        .id = text(out->json, "ID"),
        .name = text(out->json, "Name"),
        .image = text(config, "Image"),
        .labels = json_object_get(config, "Labels"),
    };
    read_state(out);
    out->host_json = load(dir, "hostconfig.json", NULL);
    out->driver_unread = !out->host_json && errno != ENOENT;
    out->driver = text(json_object_get(out->host_json, "LogConfig"), "Type");
    return 0;
}

static bool is_local(const char *driver)
{
    return driver && strcmp(driver, "local") == 0;
}

struct container_log metadata_log(const char *dir, const char *id, const char *driver)
{
    struct container_log log = {.decoder = &decoder_local};
    struct stat st;
    if (asprintf(&log.dir, "%s/local-logs", dir) < 0) {
        return (struct container_log){0};
    }
    bool local = driver ? is_local(driver) : stat(log.dir, &st) == 0;
    if (!local) {
        metadata_log_free(&log);
        log.decoder = &decoder_json_file;
    }
    if ((local ? asprintf(&log.path, "%s/container.log", log.dir)
               : asprintf(&log.path, "%s/%s-json.log", dir, id)) < 0) {
        log.path = NULL;
    }
    return log;
}

void metadata_log_free(struct container_log *log)
{
    free(log->path);
    free(log->dir);
    *log = (struct container_log){0};
}

void metadata_free(struct metadata *m)
{
    json_decref(m->json);
    json_decref(m->host_json);
    *m = (struct metadata){0};
}
