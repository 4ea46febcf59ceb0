/* Docker's containers directory: a directory for each container, in it config.v2.json and ID-json.log, or with
 * driver local local-logs/container.log. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <uthash.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/watch.h"
#include "config/config.h"
#include "discover/metadata.h"
#include "source/log/tailer.h"

#define ID_LEN 64
/* How long a new container's metadata may be late before it is tagged by its id alone. */
#define METADATA_WAIT (2 * NS_PER_S)

#define ROOT_EVENTS (IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF)
#define DIR_EVENTS  (IN_CREATE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF)

struct json_file;

struct container {
    struct json_file *source;
    char id[ID_LEN + 1];
    char *dir; /* path */
    struct container_log log;
    struct watch *watch, *log_watch; /* of dir, and of the log's directory where that is another */
    struct follow *follow;           /* NULL: not collected */
    struct tags *tags;               /* NULL: not known yet */
    bool first_look;                 /* was there before we were */
    bool metadata_logged;            /* it was logged that its metadata cannot be read */
    bool settled;                    /* its metadata was read */
    UT_hash_handle hh;
};

struct json_file {
    struct source source;
    const struct config *cfg;
    struct checkpoint *checkpoint;
    struct tailer *tailer;
    struct watcher *watcher;
    struct watch *root;
    bool root_logged;    /* it was logged that the directory cannot be read */
    bool watches_logged; /* it was logged that there are not enough for all directories */
    int64_t root_mtime;
    struct container *containers; /* by id */
    struct container *ending;     /* deleted, being read to their ends */
    struct event *tick;
};

static bool is_id(const char *name)
{
    size_t len = 0;
    while (len <= ID_LEN && isxdigit((unsigned char)name[len])) {
        len++;
    }
    return len == ID_LEN && name[len] == '\0';
}

/* -- one container ----------------------------------------------------------------------------- */

static void container_free(struct container *c)
{
    tailer_unfollow(c->source->tailer, c->follow);
    watch_close(c->watch);
    watch_close(c->log_watch);
    tags_unref(c->tags);
    free(c->dir);
    free(c->log.path);
    free(c);
}

static void container_follow(struct container *c)
{
    struct json_file *src = c->source;
    struct follow_options options = {
        .key = c->id,
        .path = c->log.path,
        .decoder = c->log.decoder,
        .tags = c->tags,
        .from_end = c->first_look && src->cfg->start_at == START_END,
    };
    c->follow = tailer_follow(src->tailer, &options);
    if (!c->follow) {
        die_out_of_memory();
    }
}

/* Tags the container as `who`, and follows it or stops to. */
static void container_tag(struct container *c, const struct identity *who)
{
    struct json_file *src = c->source;
    struct tags *tags = tags_new(who, src->cfg);
    if (!tags) {
        die_out_of_memory();
    }
    if (!tags_wanted(tags, who, src->cfg, tags_own_container())) {
        tags_unref(tags);
        tailer_unfollow(c->source->tailer, c->follow);
        c->follow = NULL;
        return;
    }
    if (c->tags && tags_same(c->tags, tags)) {
        tags_unref(tags);
    } else {
        tags_unref(c->tags);
        c->tags = tags;
        if (c->follow) {
            follow_retag(c->follow, tags);
        }
    }
    if (!c->follow) {
        container_follow(c);
    }
}

/* The Engine makes the directory first, then what is in it. */
static bool is_new(const struct container *c)
{
    struct statx st;
    return statx(AT_FDCWD, c->dir, 0, STATX_BTIME, &st) == 0 && st.stx_mask & STATX_BTIME &&
           clock_now() - (st.stx_btime.tv_sec * NS_PER_S + st.stx_btime.tv_nsec) < METADATA_WAIT;
}

static void metadata_failed(struct container *c, const struct error *err, int why)
{
    bool late = why == ENOENT && is_new(c);
    if (late || c->settled) {
        return;
    }
    if (!c->metadata_logged) {
        metrics.metadata_errors++;
        log_warn("a container's metadata cannot be read: its lines carry only its id until it can",
                 KV("container", c->id), KV("error", err->text));
        c->metadata_logged = true;
        container_tag(c, &(struct identity){.id = c->id});
    }
}

static void container_watch_log(struct container *c);

/* Its metadata says which driver it has: the log may be another one than was followed while that was unknown. */
static void container_set_log(struct container *c, const char *driver)
{
    struct container_log log = metadata_log(c->dir, c->id, driver);
    if (!log.path) {
        die_out_of_memory();
    }
    if (c->log.path && strcmp(log.path, c->log.path) == 0) {
        free(log.path);
        return;
    }
    tailer_unfollow(c->source->tailer, c->follow);
    c->follow = NULL;
    free(c->log.path);
    c->log = log;
    container_watch_log(c);
}

static void container_identify(struct container *c)
{
    struct metadata meta;
    struct error err = {""};
    if (metadata_load(c->dir, &meta, &err) < 0) {
        metadata_failed(c, &err, errno);
        return;
    }
    meta.who.id = c->id;
    if (!metadata_driver_readable(meta.driver)) {
        if (!c->settled) {
            log_info("a container logs neither to json-file nor to local: collect it with source docker-api",
                     KV("container", meta.who.name), KV("driver", meta.driver));
        }
    } else {
        container_set_log(c, meta.driver);
        container_tag(c, &meta.who);
    }
    c->settled = true;
    metadata_free(&meta);
}

static void on_finished(void *arg)
{
    struct container *c = arg;
    HASH_DEL(c->source->ending, c);
    container_free(c);
}

static void container_gone(struct container *c)
{
    struct json_file *src = c->source;
    HASH_DEL(src->containers, c);
    watch_close(c->watch);
    watch_close(c->log_watch);
    c->watch = c->log_watch = NULL;
    if (!c->follow) {
        container_free(c);
        return;
    }
    HASH_ADD_STR(src->ending, id, c);
    follow_finish(c->follow, on_finished, c);
}

/* Does the log lie in a directory of its own, not in the container's? */
static bool has_log_directory(const struct container *c)
{
    return strncmp(c->log.path + strlen(c->dir) + 1, "local-logs/", strlen("local-logs/")) == 0;
}

/* In the directory of the log. */
static void on_log_event(void *arg, uint32_t mask, const char *name)
{
    struct container *c = arg;
    if (mask & IN_DELETE_SELF) {
        watch_close(c->log_watch);
        c->log_watch = NULL;
        return; /* the container's directory follows */
    }
    const char *log = strrchr(c->log.path, '/') + 1;
    size_t len = strlen(log);
    if (!c->follow || strncmp(name, log, len) != 0) {
        return;
    }
    if (mask & IN_MODIFY) {
        if (name[len] == '\0') {
            follow_wake(c->follow);
        }
    } else {
        follow_look(c->follow);
    }
}

static void on_container_event(void *arg, uint32_t mask, const char *name)
{
    struct container *c = arg;
    if (mask & IN_DELETE_SELF) {
        container_gone(c);
        return;
    }
    if (strcmp(name, "config.v2.json") == 0) {
        if (mask & (IN_CREATE | IN_MOVED_TO | IN_MODIFY)) {
            container_identify(c);
        }
        return;
    }
    if (!has_log_directory(c)) {
        on_log_event(c, mask, name);
    } else if (!c->log_watch && mask & (IN_CREATE | IN_MOVED_TO)) {
        container_watch_log(c); /* the Engine makes it as the container starts */
    }
}

static void unwatched(struct json_file *src, const char *path, int why)
{
    if (why == ENOSPC && !src->watches_logged) {
        log_error("out of inotify watches: new lines are found once a second only; raise "
                  "fs.inotify.max_user_watches",
                  KV("path", path));
        src->watches_logged = true;
    }
}

/* Tried again each second: one container less, or a higher limit, makes room. */
static void container_watch(struct container *c)
{
    struct json_file *src = c->source;
    c->watch = watch_open(src->watcher, c->dir, DIR_EVENTS, on_container_event, c);
    if (!c->watch) {
        unwatched(src, c->dir, errno);
    }
}

/* As container_watch, once the directory is there. */
static void container_watch_log(struct container *c)
{
    if (c->log_watch || !has_log_directory(c)) {
        return;
    }
    char *end = strrchr(c->log.path, '/');
    *end = '\0';
    c->log_watch = watch_open(c->source->watcher, c->log.path, DIR_EVENTS, on_log_event, c);
    if (!c->log_watch) {
        unwatched(c->source, c->log.path, errno);
    }
    *end = '/';
    if (c->log_watch && c->follow) {
        follow_look(c->follow); /* what came before the watch */
    }
}

static void container_add(struct json_file *src, const char *id, bool first_look)
{
    struct container *c;
    HASH_FIND_STR(src->containers, id, c);
    if (c) {
        return;
    }
    c = calloc(1, sizeof(*c));
    if (!c || asprintf(&c->dir, "%s/%s", src->cfg->json_file_path, id) < 0) {
        die_out_of_memory();
    }
    c->source = src;
    c->first_look = first_look;
    memcpy(c->id, id, ID_LEN);
    c->log = metadata_log(c->dir, c->id, NULL);
    if (!c->log.path) {
        die_out_of_memory();
    }
    HASH_ADD_STR(src->containers, id, c);
    container_watch(c);
    container_identify(c);
}

/* -- the directory of containers --------------------------------------------------------------- */

static void root_lost(struct json_file *src, int why)
{
    if (!src->root_logged) {
        log_error("cannot follow the containers directory, trying again each second",
                  KV("path", src->cfg->json_file_path), KV("error", strerror(why)),
                  KV("hint", why == EACCES || why == EPERM ? "run as root or with CAP_DAC_READ_SEARCH"
                             : why == ENOENT               ? "is the Engine's data there?"
                                                           : ""));
    }
    src->root_logged = standing.source_failing = true;
}

/* Looks at all that is in the directory. False: it cannot be read, which is logged. */
static bool scan(struct json_file *src, bool first_look)
{
    DIR *dir = opendir(src->cfg->json_file_path);
    if (!dir) {
        root_lost(src, errno);
        return false;
    }
    src->root_logged = standing.source_failing = false;
    struct dirent *entry;
    while ((errno = 0, entry = readdir(dir))) {
        if (is_id(entry->d_name)) {
            container_add(src, entry->d_name, first_look);
        }
    }
    int why = errno;
    closedir(dir);
    return why == 0;
}

static void on_root_event(void *arg, uint32_t mask, const char *name)
{
    struct json_file *src = arg;
    if (mask & (IN_DELETE_SELF | IN_MOVE_SELF)) {
        watch_close(src->root);
        src->root = NULL;
        root_lost(src, ENOENT);
        return;
    }
    if (!is_id(name)) {
        return;
    }
    if (mask & (IN_CREATE | IN_MOVED_TO)) {
        container_add(src, name, false);
        return;
    }
    struct container *c;
    HASH_FIND_STR(src->containers, name, c);
    if (c) {
        container_gone(c);
    }
}

/* Without a watch, new containers are found once a second. */
static void root_watch(struct json_file *src, bool first_look)
{
    src->root = watch_open(src->watcher, src->cfg->json_file_path, ROOT_EVENTS, on_root_event, src);
    if (!src->root) {
        unwatched(src, src->cfg->json_file_path, errno);
    }
    scan(src, first_look);
}

/* The directory may have changed without an event (a network file system): its mtime tells. */
static void root_look(struct json_file *src)
{
    struct stat st;
    if (!src->root) {
        root_watch(src, false);
    } else if (stat(src->cfg->json_file_path, &st) == 0) {
        int64_t mtime = clock_of_timespec(st.st_mtim);
        if (mtime != src->root_mtime && scan(src, false)) {
            src->root_mtime = mtime;
        }
    }
}

static void look(struct json_file *src)
{
    struct container *c, *next;
    root_look(src);
    HASH_ITER(hh, src->containers, c, next)
    {
        struct stat st;
        if (!c->watch && stat(c->dir, &st) < 0 && errno == ENOENT) {
            container_gone(c);
            continue;
        }
        if (!c->watch) {
            container_watch(c);
        }
        container_watch_log(c);
        if (!c->settled) {
            container_identify(c);
        }
        if (c->follow) {
            follow_look(c->follow);
        }
    }
    HASH_ITER(hh, src->ending, c, next)
    {
        follow_look(c->follow); /* something may have kept it from being read to its end */
    }
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    look(arg);
}

static void on_overflow(void *arg)
{
    struct json_file *src = arg;
    struct container *c, *next;
    HASH_ITER(hh, src->containers, c, next)
    {
        watch_close(c->watch); /* of a directory that was deleted, maybe: look finds out */
        watch_close(c->log_watch);
        c->watch = c->log_watch = NULL;
    }
    watch_close(src->root);
    src->root = NULL;
    look(src);
}

/* -- the contract ------------------------------------------------------------------------------ */

static void json_file_close(struct source *source);

static struct source *json_file_open(const struct source_env *env, struct error *err)
{
    struct json_file *src = calloc(1, sizeof(*src));
    if (!src) {
        error_set(err, "out of memory");
        return NULL;
    }
    src->source.ops = &source_json_file;
    src->cfg = env->cfg;
    src->checkpoint = env->checkpoint;
    src->tailer = tailer_new(env, err);
    src->watcher = src->tailer ? watcher_new(env->base, on_overflow, src, err) : NULL;
    src->tick = src->watcher ? event_new(env->base, -1, EV_PERSIST, on_tick, src) : NULL;
    if (!src->tick || event_add(src->tick, &(struct timeval){1, 0}) < 0) {
        json_file_close(&src->source);
        return NULL;
    }
    root_watch(src, true);
    return &src->source;
}

static void json_file_resume(struct source *source)
{
    tailer_resume(((struct json_file *)source)->tailer);
}

static int json_file_reload(struct source *source, const struct config *cfg, struct error *err)
{
    (void)err;
    struct json_file *src = (struct json_file *)source;
    struct container *c, *next;
    src->cfg = cfg;
    HASH_ITER(hh, src->containers, c, next)
    {
        c->first_look = false; /* what is wanted from now on is read from its beginning */
        container_identify(c);
        if (c->metadata_logged && !c->settled) {
            container_tag(c, &(struct identity){.id = c->id}); /* still known by that alone */
        }
    }
    return 0;
}

static void json_file_stop(struct source *source)
{
    struct json_file *src = (struct json_file *)source;
    event_del(src->tick);
    tailer_stop(src->tailer);
}

static void free_all(struct container **list)
{
    struct container *c, *next;
    HASH_ITER(hh, *list, c, next)
    {
        HASH_DEL(*list, c);
        container_free(c);
    }
}

static void json_file_close(struct source *source)
{
    struct json_file *src = (struct json_file *)source;
    free_all(&src->containers);
    free_all(&src->ending);
    watch_close(src->root);
    watcher_free(src->watcher);
    tailer_free(src->tailer);
    if (src->tick) {
        event_free(src->tick);
    }
    free(src);
}

const struct source_ops source_json_file = {
    .name = "json-file",
    .open = json_file_open,
    .resume = json_file_resume,
    .reload = json_file_reload,
    .stop = json_file_stop,
    .close = json_file_close,
};
