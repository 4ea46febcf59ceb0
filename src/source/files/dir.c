#include "dir.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "source/log/rotation_name.h"

/* The directories on the way to the files are watched, so that new ones are found at once. */
#define DIR_EVENTS                                                                                           \
    (IN_CREATE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF)

/* `**` goes down so many levels below the pattern's base. Whoever may make directories could have us look through
 * thousands, one below the other, whose paths alone take ever longer to look up. Its number is in a message, too. */
#define DEEPEST 64

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

/* Of a directory below the base. */
static size_t level_of(const char *path, const char *base)
{
    size_t level = 0;
    for (const char *p = path + (strcmp(base, "/") == 0 ? 0 : strlen(base)); *p; p++) {
        level += p[0] == '/' && p[1] != '/' && p[1] != '\0';
    }
    return level;
}

/* Counted once for each directory whose own are passed over, and said once. */
static void say_too_deep(struct dir *dir, const char *path)
{
    metrics.read_errors += !dir->too_deep;
    dir->too_deep = true;
    if (!dir->source->too_deep_logged) {
        log_error("not looking into a directory, nor into others that lie as deep: ** goes down 64 levels",
                  KV("path", path), KV("hint", "name more of the path before the pattern's first wildcard"));
        dir->source->too_deep_logged = true;
    }
}

/* What `**` stands for: a directory, but no link to one, which may lead round in a circle. */
static void descend(struct dir *dir, const struct interest *why, const char *name, bool first_look)
{
    struct stat st;
    if (!pattern_passes(why->pattern, why->depth, name)) {
        return;
    }
    char *path = join_path(dir->path, name);
    bool found = lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
    if (found && level_of(path, pattern_base(why->pattern)) > DEEPEST) {
        say_too_deep(dir, path);
    } else if (found) {
        struct captures caps;
        captures_unpack(&caps, why->caps);
        dir_add(dir->source, path, why, &caps, first_look);
    }
    free(path);
}

/* A name in a directory, for one interest. */
static void visit(struct dir *dir, const struct interest *why, const char *name, bool first_look)
{
    struct interest next = *why;
    struct captures caps;
    struct stat st;
    if (pattern_any_depth(why->pattern, why->depth)) {
        next.depth++;
        visit(dir, &next, name, first_look);
        descend(dir, why, name, first_look);
        return;
    }
    captures_unpack(&caps, why->caps);
    if (!pattern_match(why->pattern, why->depth, name, &caps)) {
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
            !file_set_add(&dir->source->set, path, pattern_base(why->pattern), &caps, first_look);
    } else if (stat(path, &st) == 0 ? S_ISDIR(st.st_mode) : lstat(path, &st) == 0 && S_ISLNK(st.st_mode)) {
        dir_add(dir->source, path, &next, &caps, first_look);
    }
    free(path);
}

void dir_scan(struct dir *dir, const struct interest *why, bool first_look)
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
        if (dir->unlisted) {
            status_note(&dir->left_out, NULL);
        }
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
    status_note(&dir->left_out,
                &(struct status_left){
                    .file = dir->path, .reason = "directory", .detail = strerror(failed), .problem = true});
}

static void free_real(struct dir *dir)
{
    if (dir->real != dir->path) {
        free(dir->real);
    }
}

void dir_unwatch(struct dir *dir)
{
    if (dir->watch) {
        file_set_missed(&dir->source->set);
    }
    watch_close(dir->watch);
    dir->watch = NULL;
}

void dir_free(struct dir *dir)
{
    HASH_DEL(dir->source->dirs, dir);
    dir_unwatch(dir);
    status_note(&dir->left_out, NULL);
    for (size_t i = 0; i < dir->count; i++) {
        free(dir->interests[i].caps);
    }
    free(dir->interests);
    free_real(dir);
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

/* `moved`: it was something before it had this name. No log may hold it, though one was read in it: it was moved while the
 * first look went on, or away and back. */
static void visit_all(struct dir *dir, const char *name, bool moved)
{
    struct identities *ids = &dir->source->set.identities;
    if (moved) {
        identity_begin_look(ids);
    }
    for (size_t i = 0; i < dir->count; i++) {
        struct interest why = dir->interests[i]; /* the list may grow meanwhile */
        visit(dir, &why, name, false);
    }
    if (moved) {
        identity_end_look(ids);
    }
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
        visit_all(dir, name, mask & IN_MOVED_TO);
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

/* The directory in which the name stands. NULL: not known by that name. */
static const struct dir *find_parent(const struct files *src, const char *path)
{
    struct dir *parent;
    size_t len = (size_t)(strrchr(path, '/') - path);
    HASH_FIND(hh, src->dirs, path, len > 0 ? len : 1, parent);
    return parent;
}

static const struct dir *parent_of(const struct dir *dir)
{
    const struct dir *parent = find_parent(dir->source, dir->path);
    return parent != dir ? parent : NULL;
}

const struct watch *dir_watch_of(const struct files *src, const char *path)
{
    const struct dir *dir = find_parent(src, path);
    return dir && !dir->linked ? dir->watch : NULL;
}

/* Where the path leads if no link is on the way: then all but the name is known of the parent. That costs the same
 * however deep it lies, while the kernel is asked for each name on the way otherwise. */
static bool find_in_parent(const struct dir *dir, const char *base, struct target *at)
{
    struct stat real;
    const struct dir *parent = parent_of(dir);
    if (!parent || !parent->real || parent->linked || strcmp(parent->base, base) != 0 ||
        lstat(dir->path, &at->st) < 0 || !S_ISDIR(at->st.st_mode) || at->st.st_dev != parent->dev) {
        return false; /* of another device: maybe the kernel's */
    }
    char *path = join_path(parent->real, strrchr(dir->path, '/') + 1);
    if (lstat(path, &real) < 0 || real.st_ino != at->st.st_ino || real.st_dev != at->st.st_dev) {
        free(path); /* the parent has become another one just now */
        return false;
    }
    *at = (struct target){.verdict = TARGET_GOOD, .real = path, .st = real};
    return true;
}

/* Where the path leads, by the first of its patterns that may go there. */
static struct target dir_target(struct dir *dir)
{
    struct target at = {.verdict = TARGET_GONE};
    for (size_t i = 0; i < dir->count && at.verdict != TARGET_GOOD; i++) {
        dir->base = pattern_base(dir->interests[i].pattern);
        target_free(&at);
        if (!find_in_parent(dir, dir->base, &at)) {
            at = target_find(dir->path, dir->base, dir->source->set.cfg->files_follow_links);
        }
    }
    if (at.verdict == TARGET_GOOD && !S_ISDIR(at.st.st_mode)) {
        at.verdict = TARGET_GONE;
    }
    return at;
}

/* Looks where the path leads. True: to another directory than before, or to none any more. */
bool dir_find(struct dir *dir)
{
    struct target at = dir_target(dir);
    bool good = at.verdict == TARGET_GOOD;
    bool same = good && dir->real && strcmp(dir->real, at.real) == 0 && dir->ino == at.st.st_ino &&
                dir->dev == at.st.st_dev;
    bool moved = good ? !same : dir->real != NULL;
    if (at.verdict != dir->verdict) {
        target_say(&at, dir->path, &dir->left_out);
    }
    dir->verdict = at.verdict;
    dir->linked = at.linked;
    if (moved) {
        dir_unwatch(dir);
        free_real(dir);
        bool named = good && strcmp(at.real, dir->path) == 0;
        dir->real = named ? dir->path : good ? at.real : NULL;
        dir->dev = at.st.st_dev;
        dir->ino = at.st.st_ino;
        at.real = good && !named ? NULL : at.real;
    }
    target_free(&at);
    return moved;
}

/* Watches it, and looks at all that is in it. */
void dir_look(struct dir *dir, bool first_look)
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

void dir_add(struct files *src, const char *path, const struct interest *why, const struct captures *caps,
             bool first_look)
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
    if (known && first_look) {
        return; /* it was found a moment ago; if it has changed since, its watch tells */
    }
    if (!known) {
        struct interest *grown = realloc(dir->interests, (dir->count + 1) * sizeof(*grown));
        if (!grown) {
            die_out_of_memory();
        }
        dir->interests = grown;
        grown[dir->count++] =
            (struct interest){.pattern = why->pattern, .depth = why->depth, .caps = captures_pack(caps)};
    }
    if (dir_find(dir)) {
        dir_look(dir, first_look);
    } else if (!known && dir->real) {
        struct interest new = dir->interests[dir->count - 1];
        dir_scan(dir, &new, first_look);
    }
}
