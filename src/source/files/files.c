#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/watch.h"
#include "source/log/rotation_name.h"

/* The directories on the way to the files are watched, so that new ones are found at once. */
#define DIR_EVENTS                                                                                           \
    (IN_CREATE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF)

/* Why a directory is watched: the names in it are matched against component `depth` of the pattern. */
struct interest {
    const struct pattern *pattern;
    size_t depth;
    struct captures caps; /* of the components before */
};

struct dir {
    struct files *source;
    char *path;
    struct watch *watch; /* NULL: tried again each second */
    dev_t dev;           /* of the directory that is watched … */
    ino_t ino;           /* … which may have lost its name since */
    /* Looked at again each second: it could not be listed, or a file in it may be a log of its own or a
     * rotated one. */
    bool undecided;
    int unlisted;      /* errno: it could not be listed, which was logged; 0: it was listed */
    bool watch_logged; /* it was logged that it cannot be watched */
    struct interest *interests;
    size_t count;
    UT_hash_handle hh;
};

static char *join_path(const char *dir, const char *name)
{
    size_t room = strlen(dir) + strlen(name) + 2;
    char *path = malloc(room);
    if (!path) {
        die_out_of_memory();
    }
    snprintf(path, room, "%s/%s", strcmp(dir, "/") == 0 ? "" : dir, name);
    return path;
}

/* -- directories ------------------------------------------------------------------------------- */

static void dir_add(struct files *src, const char *path, const struct interest *why, bool first_look);
static void visit(struct dir *dir, const struct interest *why, const char *name, bool first_look);

/* The log that has left this file behind, if one did. It may not be there now, and be known all the same. */
static void visit_log_of(struct dir *dir, const struct interest *why, const char *rotated, bool first_look)
{
    bool inside;
    char *name = rotation_log(rotated, &inside);
    if (name) {
        visit(dir, why, name, first_look);
    }
    free(name);
}

/* What `**` stands for: a directory, but no link to one, which may lead round in a circle. */
static void descend(struct dir *dir, const struct interest *why, const char *name, bool first_look)
{
    struct stat st;
    if (!pattern_passes(why->pattern, why->depth, name)) {
        return;
    }
    char *path = join_path(dir->path, name);
    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        dir_add(dir->source, path, why, first_look);
    }
    free(path);
}

/* A name in a directory, for one interest. */
static void visit(struct dir *dir, const struct interest *why, const char *name, bool first_look)
{
    struct interest next = *why;
    struct stat st;
    if (pattern_any_depth(why->pattern, why->depth)) {
        next.depth++;
        visit(dir, &next, name, first_look);
        descend(dir, why, name, first_look);
        return;
    }
    if (!pattern_match(why->pattern, why->depth, name, &next.caps)) {
        return;
    }
    char *path = join_path(dir->path, name);
    next.depth++;
    if (next.depth == pattern_depth(why->pattern)) {
        visit_log_of(dir, why, name, first_look);
        dir->undecided |= !file_set_add(&dir->source->set, path, &next.caps, first_look);
    } else if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        dir_add(dir->source, path, &next, first_look);
    }
    free(path);
}

static void dir_scan(struct dir *dir, const struct interest *why, bool first_look)
{
    struct dirent *entry = NULL;
    DIR *open = opendir(dir->path);
    while (open && (errno = 0, entry = readdir(open))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            visit(dir, why, entry->d_name, first_look);
        }
    }
    int failed = errno;
    if (open) {
        closedir(open);
    }
    if (failed == 0 || failed == ENOENT) { /* not there any more: then another event tells */
        dir->unlisted = 0;
        return;
    }
    if (!dir->unlisted) {
        log_error("cannot list a directory, trying again each second", KV("path", dir->path),
                  KV("error", strerror(failed)),
                  KV("hint", failed == EACCES ? "run as root or with CAP_DAC_READ_SEARCH" : ""));
    }
    metrics.read_errors++;
    dir->unlisted = failed;
    dir->undecided = true;
}

static void dir_free(struct dir *dir)
{
    HASH_DEL(dir->source->dirs, dir);
    watch_close(dir->watch);
    free(dir->interests);
    free(dir->path);
    free(dir);
}

/* Deleted or moved away: what was in it is found again by its new name, if it has one. */
static void dir_lost(struct files *src, const char *path)
{
    struct dir *dir, *next;
    size_t len = strlen(path);
    HASH_ITER(hh, src->dirs, dir, next)
    {
        if (strncmp(dir->path, path, len) == 0 && (dir->path[len] == '\0' || dir->path[len] == '/')) {
            dir_free(dir);
        }
    }
}

static void on_dir_event(void *arg, uint32_t mask, const char *name)
{
    struct dir *dir = arg;
    struct files *src = dir->source;
    if (mask & (IN_DELETE_SELF | IN_MOVE_SELF)) {
        char *self = strdup(dir->path); /* dir is freed on the way */
        if (self) {
            dir_lost(src, self);
        }
        free(self);
        return;
    }
    char *path = join_path(dir->path, name);
    if (mask & IN_ISDIR && mask & (IN_MOVED_FROM | IN_DELETE)) {
        /* `dir` is its parent, and stays. A deleted one that is still in use has not told of it. */
        dir_lost(src, path);
    } else {
        file_set_event(&src->set, path, mask);
    }
    if (mask & (IN_CREATE | IN_MOVED_TO) || (mask & IN_MODIFY && file_set_undecided(&src->set, path))) {
        for (size_t i = 0; i < dir->count; i++) {
            struct interest why = dir->interests[i]; /* the list may grow meanwhile */
            visit(dir, &why, name, false);
        }
    }
    free(path);
}

static void dir_watch(struct dir *dir)
{
    struct stat st;
    dir->watch = watch_open(dir->source->watcher, dir->path, DIR_EVENTS, on_dir_event, dir);
    if (dir->watch && stat(dir->path, &st) == 0) {
        dir->dev = st.st_dev;
        dir->ino = st.st_ino;
    }
    int why = dir->watch ? 0 : errno;
    bool met_when_listed = why == EACCES || why == ENOENT; /* and logged there */
    if (!dir->watch && !dir->watch_logged && !met_when_listed) {
        log_error("cannot watch a directory: what is new in it is found once a second only",
                  KV("path", dir->path), KV("error", strerror(why)),
                  KV("hint", why == ENOSPC ? "raise fs.inotify.max_user_watches" : ""));
    }
    dir->watch_logged = !dir->watch;
}

static bool has_interest(const struct dir *dir, const struct interest *why)
{
    for (size_t i = 0; i < dir->count; i++) {
        if (dir->interests[i].pattern == why->pattern && dir->interests[i].depth == why->depth) {
            return true;
        }
    }
    return false;
}

static void dir_add(struct files *src, const char *path, const struct interest *why, bool first_look)
{
    struct dir *dir;
    HASH_FIND_STR(src->dirs, path, dir);
    if (!dir) {
        dir = calloc(1, sizeof(*dir));
        if (!dir || !(dir->path = strdup(path))) {
            die_out_of_memory();
        }
        dir->source = src;
        HASH_ADD_KEYPTR(hh, src->dirs, dir->path, strlen(dir->path), dir);
        dir_watch(dir);
    }
    if (!has_interest(dir, why)) {
        struct interest *grown = realloc(dir->interests, (dir->count + 1) * sizeof(*grown));
        if (!grown) {
            die_out_of_memory();
        }
        dir->interests = grown;
        grown[dir->count++] = *why;
        dir_scan(dir, why, first_look);
    }
}

/* -- the whole --------------------------------------------------------------------------------- */

/* A base that was removed while in use sends no event until it is no longer in use. Another one may have its
 * name by now. */
static void drop_replaced_base(struct files *src, const char *base, const struct stat *st)
{
    struct dir *dir;
    HASH_FIND_STR(src->dirs, base, dir);
    if (dir && dir->watch && (dir->ino != st->st_ino || dir->dev != st->st_dev)) {
        dir_lost(src, base);
    }
}

/* Was it said of this base, for another pattern? */
static bool said_missing(const struct files *src, const char *base)
{
    for (size_t i = 0; i < src->patterns.count; i++) {
        if (src->missing_logged[i] && strcmp(pattern_base(src->patterns.items[i]), base) == 0) {
            return true;
        }
    }
    return false;
}

/* Begins at the patterns' bases, where they are not watched yet. */
static void look_for_bases(struct files *src, bool first_look)
{
    for (size_t i = 0; i < src->patterns.count; i++) {
        const char *base = pattern_base(src->patterns.items[i]);
        struct interest why = {.pattern = src->patterns.items[i]};
        struct stat st;
        if (stat(base, &st) == 0) {
            drop_replaced_base(src, base, &st);
            dir_add(src, base, &why, first_look);
            src->missing_logged[i] = false;
        } else if (!src->missing_logged[i]) {
            if (!said_missing(src, base)) {
                log_warn("a directory to be followed is not there, looking again each second",
                         KV("path", base));
            }
            src->missing_logged[i] = true;
        }
    }
}

static bool is_base(const struct dir *dir)
{
    for (size_t i = 0; i < dir->count; i++) {
        if (strcmp(pattern_base(dir->interests[i].pattern), dir->path) == 0) {
            return true;
        }
    }
    return false;
}

/* Reports whether all that is to be followed can be read. A directory that a wildcard met by chance may be
 * for others alone to read. */
static void take_standing(const struct files *src)
{
    bool failing = false;
    for (size_t i = 0; i < src->patterns.count; i++) {
        failing |= src->missing_logged[i];
    }
    for (const struct dir *dir = src->dirs; dir; dir = dir->hh.next) {
        failing |= dir->unlisted && (dir->unlisted != EACCES || is_base(dir));
    }
    standing.source_failing = failing;
}

/* Lists directories without a watch, and watches them, where that is possible by now. Also lists those in
 * which it is not decided yet what a file is. */
static void look_at_unwatched(struct files *src)
{
    struct dir *dir, *next;
    HASH_ITER(hh, src->dirs, dir, next)
    {
        if (dir->watch && !dir->undecided) {
            continue;
        }
        if (access(dir->path, F_OK) < 0 && errno == ENOENT) {
            dir_free(dir);
            continue;
        }
        dir->undecided = false;
        if (!dir->watch) {
            dir_watch(dir);
        }
        for (size_t i = 0; i < dir->count; i++) {
            struct interest why = dir->interests[i];
            dir_scan(dir, &why, false);
        }
    }
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct files *src = arg;
    look_at_unwatched(src);
    look_for_bases(src, false);
    file_set_look(&src->set);
    take_standing(src);
}

static void on_overflow(void *arg)
{
    struct files *src = arg;
    struct dir *dir, *next;
    HASH_ITER(hh, src->dirs, dir, next)
    {
        watch_close(dir->watch); /* of a directory that was deleted, maybe, and made anew */
        dir->watch = NULL;
    }
    on_tick(-1, 0, src);
}

static void files_close(struct source *source)
{
    struct files *src = (struct files *)source;
    struct dir *dir, *next;
    file_set_close(&src->set);
    HASH_ITER(hh, src->dirs, dir, next)
    {
        dir_free(dir);
    }
    pattern_list_free(&src->patterns);
    pattern_list_free(&src->set.exclude);
    free(src->missing_logged);
    watcher_free(src->watcher);
    tailer_free(src->set.tailer);
    if (src->tick) {
        event_free(src->tick);
    }
    free(src);
}

static int parse_patterns(struct files *src, const struct config *cfg, struct error *err)
{
    for (size_t i = 0; i < cfg->files_include.count; i++) {
        if (pattern_list_add(&src->patterns, cfg->files_include.items[i], false, err) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < cfg->files_exclude.count; i++) {
        if (pattern_list_add(&src->set.exclude, cfg->files_exclude.items[i], true, err) < 0) {
            return -1;
        }
    }
    src->missing_logged = calloc(src->patterns.count + 1, sizeof(*src->missing_logged)); /* never of 0 */
    return src->missing_logged ? 0 : error_set(err, "out of memory");
}

static struct source *files_open(const struct source_env *env, struct error *err)
{
    struct files *src = calloc(1, sizeof(*src));
    if (!src) {
        error_set(err, "out of memory");
        return NULL;
    }
    src->source.ops = &source_files;
    src->set = (struct file_set){.cfg = env->cfg, .checkpoint = env->checkpoint};
    if (parse_patterns(src, env->cfg, err) < 0 || !(src->set.tailer = tailer_new(env, err)) ||
        !(src->watcher = watcher_new(env->base, on_overflow, src, err)) ||
        !(src->tick = event_new(env->base, -1, EV_PERSIST, on_tick, src)) ||
        event_add(src->tick, &(struct timeval){1, 0}) < 0) {
        files_close(&src->source);
        return NULL;
    }
    look_for_bases(src, true);
    take_standing(src);
    return &src->source;
}

static void files_resume(struct source *source)
{
    tailer_resume(((struct files *)source)->set.tailer);
}

static int files_reload(struct source *source, const struct config *cfg, struct error *err)
{
    (void)err;
    file_set_reload(&((struct files *)source)->set, cfg);
    return 0;
}

static void files_stop(struct source *source)
{
    struct files *src = (struct files *)source;
    event_del(src->tick);
    tailer_stop(src->set.tailer);
}

const struct source_ops source_files = {
    .name = "files",
    .open = files_open,
    .resume = files_resume,
    .reload = files_reload,
    .stop = files_stop,
    .close = files_close,
};
