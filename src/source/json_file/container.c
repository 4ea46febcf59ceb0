#include "container.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/real_path.h"
#include "discover/log_driver.h"
#include "say.h"
#include "source/left_out.h"
#include "source/log/begin.h"
#include "told.h"

/* How long a new container's metadata may be late before it is tagged by its id alone. */
#define METADATA_WAIT (2 * NS_PER_S)

static const char *name_of(const char *path)
{
    return strrchr(path, '/') + 1;
}

static void set_log(struct container *c, struct container_log log)
{
    c->log = log;
    c->log_name = name_of(log.path);
}

/* -- watches --------------------------------------------------------------------------------------- */

struct watch *json_file_watch(struct json_file *src, const char *dir, uint32_t mask, watch_fn *fn, void *arg)
{
    struct watch *watch = watch_open(src->watcher, dir, mask, fn, arg);
    if (!watch && errno == ENOSPC && told_give_back(src)) {
        watch = watch_open(src->watcher, dir, mask, fn, arg);
    }
    if (!watch && errno == ENOSPC && !src->watches_logged) {
        log_error("out of inotify watches: new lines are found once a second only; raise "
                  "fs.inotify.max_user_watches",
                  KV("path", dir));
        src->watches_logged = true;
    }
    return watch;
}

/* Finds where its log lies now. */
static void find_log(struct container *c)
{
    enum log_place_fault before = c->place.fault;
    if (log_place_find(&c->place, c->log.path) && c->follow) {
        follow_move(c->follow, c->place.path, c->place.alias);
        told_reset(c);
    }
    container_say_fault(c, before);
}

/* Something has happened to `name`, in a directory where the log, or a link to it, bears the name `log`. */
static void log_event(struct container *c, uint32_t mask, const char *name, const char *log)
{
    size_t len = strlen(log);
    if (!c->follow || strncmp(name, log, len) != 0) {
        return;
    }
    if (!(mask & IN_MODIFY)) {
        told_by_directory(c);
        find_log(c);
        follow_look(c->follow);
    } else if (name[len] == '\0') {
        follow_wake(c->follow);
    }
}

/* What tells of more than writing may be a reason for another look. */
static void note_event(struct container *c, uint32_t mask)
{
    c->silent = false;
    c->told &= !(mask & ~FILE_EVENTS);
}

/* In the directory of the log, where that is another one. */
static void on_log_event(void *arg, uint32_t mask, const char *name)
{
    struct container *c = arg;
    note_event(c, mask);
    if (mask & IN_DELETE_SELF) {
        watch_close(c->log_watch);
        c->log_watch = NULL;
        return; /* the container's directory follows, or the next look finds out */
    }
    log_event(c, mask, name, name_of(c->place.path));
}

/* Watches its log's directory, where that is another one and is there, and it is followed. */
static void watch_log(struct container *c)
{
    if (!c->follow || c->log_watch) {
        return;
    }
    char *dir = log_place_directory(&c->place);
    if (strcmp(dir, c->dir) != 0) {
        c->log_watch = json_file_watch(c->source, dir, DIR_EVENTS | FILE_EVENTS, on_log_event, c);
        if (c->log_watch) {
            told_watched(c);
            follow_look(c->follow); /* what came before the watch */
        }
    }
    free(dir);
}

static void on_container_event(void *arg, uint32_t mask, const char *name)
{
    struct container *c = arg;
    note_event(c, mask);
    if (mask & IN_DELETE_SELF) {
        container_gone(c);
        return;
    }
    if (strcmp(name, "config.v2.json") == 0 || strcmp(name, "hostconfig.json") == 0) {
        if (mask & (IN_CREATE | IN_MOVED_TO | IN_MODIFY)) {
            container_identify(c);
        }
        return;
    }
    if (!c->log.dir) {
        log_event(c, mask, name, c->log_name);
    }
    if (mask & (IN_CREATE | IN_MOVED_TO)) {
        watch_log(c); /* a directory of the log's own, which the Engine makes as the container starts */
    }
}

/* Watches its directory. */
static void watch_directory(struct container *c)
{
    if (!c->watch) {
        c->watch = json_file_watch(c->source, c->dir, DIR_EVENTS | FILE_EVENTS, on_container_event, c);
        told_watched(c);
    }
}

/* -- its log --------------------------------------------------------------------------------------- */

static void forget_from(struct container *c)
{
    free(c->from);
    c->from = NULL;
}

void container_free(struct container *c)
{
    tailer_unfollow(c->source->tailer, c->follow);
    told_close(c);
    tags_unref(c->tags);
    forget_from(c);
    container_say_nothing(c);
    free(c->dir);
    metadata_log_free(&c->log);
    log_place_free(&c->place);
    free(c);
}

static void follow(struct container *c)
{
    struct json_file *src = c->source;
    find_log(c);
    struct follow_options options = {
        .key = c->id,
        .path = c->place.path,
        .alias = c->place.alias,
        .decoder = c->log.decoder,
        .tags = c->tags,
        .from_end = c->first_look && src->cfg->start_at == START_END,
        .from = c->from,
        .tell = told_set,
        .arg = c,
    };
    c->follow = tailer_follow(src->tailer, &options);
    if (!c->follow) {
        die_out_of_memory();
    }
    watch_log(c);
}

static void unfollow(struct container *c)
{
    told_reset(c);
    tailer_unfollow(c->source->tailer, c->follow);
    c->follow = NULL;
    c->told = c->silent = false;
}

/* Its tags as `who`; NULL: the configuration leaves it out, which is noted. */
static struct tags *tags_if_wanted(struct container *c, const struct identity *who)
{
    const struct config *cfg = c->source->cfg;
    struct tags *tags = tags_new(who, cfg);
    if (!tags) {
        die_out_of_memory();
    }
    struct tags_refusal refusal = tags_refused(tags, who, cfg, tags_own_container());
    if (!refusal.by) {
        return tags;
    }
    note_refused(&c->left_out, tags, NULL, refusal);
    tags_unref(tags);
    return NULL;
}

void container_tag(struct container *c, const struct identity *who)
{
    struct tags *tags = tags_if_wanted(c, who);
    if (!tags) {
        unfollow(c);
        return;
    }
    status_note(&c->left_out, NULL);
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
        follow(c);
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
    if (container_say_unread(c, err)) {
        container_tag(c, &(struct identity){.id = c->id});
    }
}

/* Its metadata says which driver it has: the log may be another one than was followed while that was unknown,
 * one that was not there then. Where it says nothing, the log stays: of a container that is being removed,
 * hostconfig.json may be gone already. */
static void container_set_log(struct container *c, const char *driver)
{
    if (!driver) {
        return;
    }
    struct container_log log = metadata_log(c->dir, c->id, driver);
    if (!log.path) {
        die_out_of_memory();
    }
    if (strcmp(log.path, c->log.path) == 0) {
        metadata_log_free(&log);
        return;
    }
    unfollow(c);
    metadata_log_free(&c->log);
    log_place_free(&c->place);
    set_log(c, log);
    forget_from(c);
    c->first_look = false;
}

/* The time of its metadata; 0: that is not there. */
static int64_t metadata_time(const struct container *c)
{
    char path[PATH_MAX];
    struct stat st;
    snprintf(path, sizeof(path), "%s/config.v2.json", c->dir);
    return stat(path, &st) == 0 ? clock_of_timespec(st.st_mtim) : 0;
}

static void read_metadata(struct container *c)
{
    struct metadata meta;
    struct error err = {0};
    c->metadata_ns = metadata_time(c);
    if (metadata_load(c->dir, &meta, &err) < 0) {
        metadata_failed(c, &err, errno);
        return;
    }
    meta.who.id = c->id;
    status_note(&c->unread, NULL);
    if (!log_driver_has_files(meta.driver)) {
        struct tags *tags = tags_if_wanted(c, &meta.who);
        if (tags) {
            container_say_no_files(c, tags, &meta);
            tags_unref(tags);
        }
        unfollow(c);
    } else {
        container_set_log(c, meta.driver);
        container_tag(c, &meta.who);
    }
    if (c->follow) {
        follow_ended(c->follow, meta.ended, meta.run_end_ns);
    }
    c->settled = !meta.driver_unread;
    metadata_free(&meta);
}

void container_identify(struct container *c)
{
    read_metadata(c);
    if (c->settled && !c->follow) {
        watch_close(c->watch); /* its log may be busy: see container_look */
        c->watch = NULL;
    }
}

static void on_finished(void *arg)
{
    struct container *c = arg;
    HASH_DEL(c->source->ending, c);
    container_free(c);
}

void container_gone(struct container *c)
{
    struct json_file *src = c->source;
    HASH_DEL(src->containers, c);
    told_close(c);
    if (!c->follow) {
        container_free(c);
        return;
    }
    container_say_nothing(c);
    HASH_ADD_STR(src->ending, id, c);
    follow_finish(c->follow, on_finished, c);
}

void container_look(struct container *c)
{
    struct stat st;
    if (c->silent) {
        told_by_directory(c);
    }
    bool told =
        c->watch && c->told_how == TOLD_BY_DIRECTORY && !c->missed; /* of each change of its metadata */
    c->missed = c->told_how != TOLD_BY_DIRECTORY;
    if (c->follow || !c->settled) {
        watch_directory(c); /* here as below before the metadata is looked at, so that no change is missed */
    }
    int64_t metadata_ns = told ? c->metadata_ns : metadata_time(c);
    if (metadata_ns == 0 && stat(c->dir, &st) < 0 && errno == ENOENT) {
        container_gone(c);
        return;
    }
    if (!c->settled || metadata_ns != c->metadata_ns) {
        watch_directory(c);
        container_identify(c);
    }
    if (c->follow) {
        find_log(c);
        watch_log(c);
        follow_look(c->follow);
    }
    c->silent = false;
    c->told = told_all(c);
}

/* It is not known yet whether it is wanted: notes where its log ends now, to begin there once it is. */
static void note_end(struct container *c)
{
    bool from_end = c->source->cfg->start_at == START_END;
    int64_t saved_ns = checkpoint_saved_before(c->source->checkpoint);
    find_log(c);
    struct file_pos end;
    if (from_end && begin_note_end(c->place.path, NULL, c->log.decoder, saved_ns, &end)) {
        if (!(c->from = malloc(sizeof(end)))) {
            die_out_of_memory();
        }
        *c->from = end;
    }
    c->first_look = false;
}

void container_add(struct json_file *src, const char *id, bool first_look)
{
    struct container *c;
    HASH_FIND_STR(src->containers, id, c);
    if (c) {
        return;
    }
    c = calloc(1, sizeof(*c));
    char *dir = NULL;
    if (!c || asprintf(&dir, "%s/%s", src->cfg->json_file_path, id) < 0 || !(c->dir = real_path(dir))) {
        die_out_of_memory();
    }
    free(dir);
    c->source = src;
    c->number = src->added++;
    c->first_look = first_look;
    memcpy(c->id, id, ID_LEN);
    struct container_log log = metadata_log(c->dir, c->id, NULL);
    if (!log.path) {
        die_out_of_memory();
    }
    set_log(c, log);
    HASH_ADD_STR(src->containers, id, c);
    watch_directory(c);
    container_identify(c);
    if (c->first_look && !c->settled && !c->follow) {
        note_end(c);
    }
}
