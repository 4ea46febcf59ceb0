#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#include "base/clock.h"
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
    char *path;           /* by which a pattern found it */
    enum verdict verdict; /* on where that led when it was looked at last */
    char *real;           /* what is watched and listed; NULL: nothing that may be */
    dev_t dev;            /* of that directory, which may have lost its name since */
    ino_t ino;
    bool linked;         /* the path leads there by a link, which is looked at each second */
    struct watch *watch; /* NULL: tried again each second */
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
    if (next.depth == pattern_depth(why->pattern) && dir->source->look != LOOK_ALL) {
        if (dir->source->look == LOOK_NOTE) {
            file_set_note(&dir->source->set, path, pattern_base(why->pattern));
        }
    } else if (next.depth == pattern_depth(why->pattern)) {
        visit_log_of(dir, why, name, first_look);
        dir->undecided |=
            !file_set_add(&dir->source->set, path, pattern_base(why->pattern), &next.caps, first_look);
    } else if (stat(path, &st) == 0 ? S_ISDIR(st.st_mode) : lstat(path, &st) == 0 && S_ISLNK(st.st_mode)) {
        dir_add(dir->source, path, &next, first_look);
    }
    free(path);
}

static void dir_scan(struct dir *dir, const struct interest *why, bool first_look)
{
    struct dirent *entry = NULL;
    DIR *open = opendir(dir->real);
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
    free(dir->real);
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

static void dir_unwatch(struct dir *dir)
{
    watch_close(dir->watch);
    dir->watch = NULL;
}

/* What is watched was deleted or moved away. A link to it may be turned to another directory. */
static void dir_self_lost(struct dir *dir)
{
    if (dir->linked) {
        dir_unwatch(dir);
        return;
    }
    char *self = strdup(dir->path); /* dir is freed on the way */
    if (self) {
        dir_lost(dir->source, self);
    }
    free(self);
}

static void on_dir_event(void *arg, uint32_t mask, const char *name)
{
    struct dir *dir = arg;
    struct files *src = dir->source;
    if (mask & (IN_DELETE_SELF | IN_MOVE_SELF)) {
        dir_self_lost(dir);
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
    dir->watch = watch_open(dir->source->watcher, dir->real, DIR_EVENTS, on_dir_event, dir);
    int why = dir->watch ? 0 : errno;
    /* Said when it is listed; by the watcher; EEXIST: it is watched by another name. */
    bool said = why == EACCES || why == ENOENT || why == EMFILE || why == EEXIST;
    if (!dir->watch && !dir->watch_logged && !said) {
        log_error("cannot watch a directory: what is new in it is found once a second only",
                  KV("path", dir->path), KV("error", strerror(why)),
                  KV("hint", why == ENOSPC ? "raise fs.inotify.max_user_watches" : ""));
    }
    dir->watch_logged = !dir->watch;
}

/* Where the path leads, by the first of its patterns that may go there. */
static struct target dir_target(const struct dir *dir)
{
    struct target at = {.verdict = TARGET_GONE};
    for (size_t i = 0; i == 0 || (i < dir->count && at.verdict != TARGET_GOOD); i++) {
        target_free(&at);
        at = target_find(dir->path, pattern_base(dir->interests[i].pattern),
                         dir->source->set.cfg->files_follow_links);
    }
    if (at.verdict == TARGET_GOOD && !S_ISDIR(at.st.st_mode)) {
        at.verdict = TARGET_GONE;
    }
    return at;
}

/* Looks where the path leads. True: to another directory than before, or to none any more. */
static bool dir_find(struct dir *dir)
{
    struct target at = dir_target(dir);
    bool good = at.verdict == TARGET_GOOD;
    bool same = good && dir->real && strcmp(dir->real, at.real) == 0 && dir->ino == at.st.st_ino &&
                dir->dev == at.st.st_dev;
    bool moved = good ? !same : dir->real != NULL;
    if (at.verdict != dir->verdict) {
        target_say(&at, dir->path);
    }
    dir->verdict = at.verdict;
    dir->linked = at.linked;
    if (moved) {
        dir_unwatch(dir);
        free(dir->real);
        dir->real = good ? at.real : NULL;
        dir->dev = at.st.st_dev;
        dir->ino = at.st.st_ino;
        at.real = good ? NULL : at.real;
    }
    target_free(&at);
    return moved;
}

/* Watches it, and looks at all that is in it. */
static void dir_look(struct dir *dir, bool first_look)
{
    if (!dir->real) {
        return;
    }
    dir->undecided = false;
    if (!dir->watch) {
        dir_watch(dir);
    }
    for (size_t i = 0; i < dir->count; i++) {
        struct interest why = dir->interests[i]; /* the list may grow meanwhile */
        dir_scan(dir, &why, first_look);
    }
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
    }
    bool known = has_interest(dir, why);
    if (!known) {
        struct interest *grown = realloc(dir->interests, (dir->count + 1) * sizeof(*grown));
        if (!grown) {
            die_out_of_memory();
        }
        dir->interests = grown;
        grown[dir->count++] = *why;
    }
    if (dir_find(dir)) {
        dir_look(dir, first_look);
    } else if (!known && dir->real) {
        dir_scan(dir, why, first_look);
    }
}

/* -- the whole --------------------------------------------------------------------------------- */

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

static void scan_all(struct files *src, enum files_look look)
{
    struct dir *dir, *next;
    src->look = look;
    HASH_ITER(hh, src->dirs, dir, next)
    {
        for (size_t i = 0; i < dir->count && dir->real; i++) {
            struct interest why = dir->interests[i];
            dir_scan(dir, &why, true);
        }
    }
}

static void look_first(struct files *src)
{
    src->look = LOOK_FOR_DIRS;
    look_for_bases(src, true);
    identity_begin_look(&src->set.identities);
    if (src->set.identities.count > 0) {
        scan_all(src, LOOK_NOTE);
    }
    scan_all(src, LOOK_ALL);
    identity_end_look(&src->set.identities);
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

/* Looks at directories again: at all of them, or those that do not tell what is new in them, or in which it is not
 * decided yet what a file is. */
static void look_at_dirs(struct files *src, bool all)
{
    struct dir *dir, *next;
    HASH_ITER(hh, src->dirs, dir, next)
    {
        bool moved = (all || dir->linked || !dir->watch) && dir_find(dir);
        if (dir->verdict == TARGET_GONE) {
            dir_free(dir);
        } else if (all || moved || !dir->watch || dir->undecided) {
            dir_look(dir, false);
        }
    }
}

/* May files be found that were there before we were? */
static bool is_unsettled(const struct files *src)
{
    bool unsettled = false;
    for (size_t i = 0; i < src->patterns.count; i++) {
        unsettled |= src->missing_logged[i];
    }
    for (const struct dir *dir = src->dirs; dir && !unsettled; dir = dir->hh.next) {
        unsettled = dir->undecided || !dir->watch;
    }
    return unsettled;
}

static void look(struct files *src, bool all)
{
    bool unsettled = all || is_unsettled(src);
    if (unsettled) {
        identity_begin_look(&src->set.identities);
    }
    if (all) {
        src->looked_ns = clock_monotonic();
    }
    look_at_dirs(src, all);
    look_for_bases(src, false);
    if (unsettled) {
        identity_end_look(&src->set.identities);
    }
    file_set_look(&src->set);
    take_standing(src);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct files *src = arg;
    look(src, clock_monotonic() - src->looked_ns >= src->set.cfg->rescan);
}

static void on_overflow(void *arg)
{
    struct files *src = arg;
    struct dir *dir, *next;
    HASH_ITER(hh, src->dirs, dir, next)
    {
        dir_unwatch(dir); /* of a directory that was deleted, maybe, and made anew */
    }
    look(src, true);
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
    src->looked_ns = clock_monotonic();
    file_set_open(&src->set, env->pipeline);
    look_first(src);
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
