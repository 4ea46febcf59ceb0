/* Docker's containers directory: a directory for each container, in it config.v2.json and ID-json.log, or with
 * driver local local-logs/container.log. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/status.h"
#include "container.h"
#include "told.h"

#define ROOT_EVENTS (IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF)

#define RESTING_TURNS 8 /* seconds: see rests */

static bool is_id(const char *name)
{
    size_t len = 0;
    while (len <= ID_LEN && isxdigit((unsigned char)name[len])) {
        len++;
    }
    return len == ID_LEN && name[len] == '\0';
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
    src->root_logged = true;
    status_fails(&status.source, "%s: %s", src->cfg->json_file_path, strerror(why));
}

/* Looks at all that is in the directory. False: it cannot be read, which is logged. */
static bool scan(struct json_file *src, bool first_look)
{
    DIR *dir = opendir(src->cfg->json_file_path);
    if (!dir) {
        root_lost(src, errno);
        return false;
    }
    src->root_logged = false;
    status_works(&status.source);
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
    src->root = json_file_watch(src, src->cfg->json_file_path, ROOT_EVENTS, on_root_event, src);
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

/* Would events have told, if there were a reason to look at it? */
static bool rests(struct container *c)
{
    c->silent = c->silent || (c->told && follow_rests(c->follow));
    return c->silent;
}

/* Those that rest take turns, unless it is to be `all`. */
static void look(struct json_file *src, bool all)
{
    struct container *c, *next;
    root_look(src);
    src->looks++;
    HASH_ITER(hh, src->containers, c, next)
    {
        if (all || (src->looks + c->number) % RESTING_TURNS == 0 || !rests(c)) {
            container_look(c);
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
    look(arg, false);
}

static void on_overflow(void *arg)
{
    struct json_file *src = arg;
    struct container *c, *next;
    HASH_ITER(hh, src->containers, c, next)
    {
        told_close(c); /* a directory was deleted, maybe: look finds out */
    }
    watch_close(src->root);
    src->root = NULL;
    look(src, true);
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
    watcher_set_pace(src->watcher, config_told_wait(src->cfg));
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
    watcher_set_pace(src->watcher, config_told_wait(cfg));
    HASH_ITER(hh, src->containers, c, next)
    {
        c->told = c->silent = false;
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
    loop_free_event(src->tick);
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
