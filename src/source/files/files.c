#include "files.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/status.h"
#include "base/watch.h"
#include "dir.h"

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
        const struct captures none = {0};
        struct stat st;
        if (stat(base, &st) == 0) {
            dir_add(src, base, &why, &none, first_look);
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
    target_begin_look();
    look_for_bases(src, true);
    identity_begin_look(&src->set.identities);
    if (identity_any(&src->set.identities)) {
        scan_all(src, LOOK_NOTE);
    }
    scan_all(src, LOOK_ALL);
    file_set_look(&src->set);
    identity_end_look(&src->set.identities);
    target_end_look();
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
    const char *failing = NULL;
    int why = ENOENT;
    for (size_t i = 0; i < src->patterns.count && !failing; i++) {
        failing = src->missing_logged[i] ? pattern_base(src->patterns.items[i]) : NULL;
    }
    for (const struct dir *dir = src->dirs; dir && !failing; dir = dir->hh.next) {
        bool failed = dir->unlisted && (dir->unlisted != EACCES || is_base(dir));
        failing = failed ? dir->path : NULL;
        why = failed ? dir->unlisted : why;
    }
    if (failing) {
        status_fails(&status.source, "%s: %s", failing, strerror(why));
    } else {
        status_works(&status.source);
    }
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
    target_begin_look();
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
    target_end_look();
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

static const struct watch *watch_of(void *arg, const char *path)
{
    return dir_watch_of(arg, path);
}

static void files_close(struct source *source)
{
    struct files *src = (struct files *)source;
    struct dir *dir, *next;
    file_set_close(&src->set);
    target_end_look();
    HASH_ITER(hh, src->dirs, dir, next)
    {
        dir_free(dir);
    }
    pattern_list_free(&src->patterns);
    pattern_list_free(&src->set.exclude);
    free(src->missing_logged);
    watcher_free(src->watcher);
    tailer_free(src->set.tailer);
    loop_free_event(src->tick);
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
    src->set =
        (struct file_set){.cfg = env->cfg, .checkpoint = env->checkpoint, .watch_of = watch_of, .arg = src};
    if (parse_patterns(src, env->cfg, err) < 0 || !(src->set.tailer = tailer_new(env, err)) ||
        !(src->watcher = watcher_new(env->base, on_overflow, src, err)) ||
        !(src->tick = event_new(env->base, -1, EV_PERSIST, on_tick, src)) ||
        event_add(src->tick, &(struct timeval){1, 0}) < 0) {
        files_close(&src->source);
        return NULL;
    }
    src->looked_ns = clock_monotonic();
    watcher_set_pace(src->watcher, config_told_wait(env->cfg));
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
    struct files *src = (struct files *)source;
    watcher_set_pace(src->watcher, config_told_wait(cfg));
    file_set_reload(&src->set, cfg);
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
