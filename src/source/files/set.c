#include "set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#define DELETED_FOR (60 * NS_PER_S)   /* a deleted file that is not written to for so long is let go */
#define GRACE       (200 * NS_PER_MS) /* in which the last of a log's writers opens the new file */

static void file_free(struct file *file)
{
    tailer_unfollow(file->set->tailer, file->follow);
    tags_unref(file->tags);
    free(file->path);
    free(file);
}

/* The service of a file whose path names none: as configured, else the container that the path names (by
 * tags.c), else the file's name without its ending. */
static void default_service(struct file *file)
{
    const char *configured = file->set->cfg->service;
    if (!*configured && *file->caps.text[CAPTURE_CONTAINER]) {
        return;
    }
    char *service = file->caps.text[CAPTURE_SERVICE];
    const char *name = *configured ? configured : strrchr(file->path, '/') + 1;
    snprintf(service, sizeof(file->caps.text[0]), "%s", name);
    char *dot = strrchr(service, '.');
    if (!*configured && dot && dot != service) {
        *dot = '\0';
    }
}

static const char *captured(const struct file *file, enum capture which)
{
    return *file->caps.text[which] ? file->caps.text[which] : NULL;
}

static void file_follow(struct file *file)
{
    static const char *const formats[] = {
        [FILE_AUTO] = "", [FILE_JSON_FILE] = "json-file", [FILE_PLAIN] = "plain", [FILE_CRI] = "cri"};
    struct file_set *set = file->set;
    struct follow_options options = {
        .key = file->path,
        .path = file->path,
        .decoder = decoder_find(formats[set->cfg->files_format]),
        .tags = file->tags,
        .from_end = file->first_look && set->cfg->start_at == START_END,
        .from = file->from.file.head_len > 0 ? &file->from : NULL,
        .grace_ns = GRACE,
    };
    char *log = rotation_log(file->path, &options.mark_at_open);
    options.mark_at_open = log && options.mark_at_open;
    free(log);
    file->follow = tailer_follow(set->tailer, &options);
    if (!file->follow) {
        die_out_of_memory();
    }
}

static void file_tag(struct file *file)
{
    struct file_set *set = file->set;
    struct identity who = {
        .service = captured(file, CAPTURE_SERVICE),
        .name = captured(file, CAPTURE_CONTAINER),
        .namespace_ = captured(file, CAPTURE_NAMESPACE),
        .pod = captured(file, CAPTURE_POD),
    };
    struct tags *tags = tags_new(&who, set->cfg);
    if (!tags) {
        die_out_of_memory();
    }
    tags_unref(file->tags);
    file->tags = tags;
    if (!tags_wanted(tags, &who, set->cfg, NULL)) {
        tailer_unfollow(set->tailer, file->follow);
        file->follow = NULL;
    } else if (file->follow) {
        follow_retag(file->follow, tags);
    } else {
        file_follow(file);
    }
}

static bool is_fd_of(int fd, const struct stat *st)
{
    struct stat own;
    return fstat(fd, &own) == 0 && own.st_dev == st->st_dev && own.st_ino == st->st_ino;
}

/* What we write ourselves must not be followed: that would never end. */
static bool is_own_output(const struct file_set *set, const struct stat *st)
{
    const struct file_pos *out = checkpoint_output(set->checkpoint);
    return is_fd_of(STDOUT_FILENO, st) || is_fd_of(STDERR_FILENO, st) ||
           (out && same_inode(&out->file, st->st_dev, st->st_ino));
}

static void on_finished(void *arg)
{
    struct file *file = arg;
    HASH_DEL(file->set->by_path, file);
    file_free(file);
}

/* The log of which this is a rotated file, by its name. NULL: there is none, or it is not in the set. */
static struct file *log_of(const struct file_set *set, const char *path, bool *inside)
{
    struct file *log = NULL;
    char *name = rotation_log(path, inside);
    if (name) {
        HASH_FIND_STR(set->by_path, name, log);
    }
    free(name);
    return log;
}

/* Is it a rotated file of a log that is there or followed, or gzipped? Those are read by the log's own
 * follow. */
static enum owner owner_among_logs(const struct file_set *set, const char *path, struct file_pos *from)
{
    bool inside = false;
    size_t len = strlen(path);
    *from = (struct file_pos){0};
    if (len > 3 && strcmp(path + len - 3, ".gz") == 0) {
        return OWNER_LOG;
    }
    const struct file *log = log_of(set, path, &inside);
    if (inside) {
        bool known = tailer_knows(set->tailer, path);
        return log && log->follow && !known ? follow_owner(log->follow, path, from) : OWNER_ITSELF;
    }
    char *live = log ? NULL : rotation_log(path, &inside);
    bool left = log || (live && access(live, F_OK) == 0);
    free(live);
    return left ? OWNER_LOG : OWNER_ITSELF;
}

/* Keeps a file that was to be let go, and is there again. */
static void keep_what_is_there(struct file *file)
{
    uint64_t size;
    if (file->finishing && !follow_deleted(file->follow, &size)) {
        file->finishing = false;
        follow_keep(file->follow);
    }
}

/* Looks at a log again, unless a rotation gave its name to a file of another log. */
static void look(struct file *file)
{
    struct stat st;
    struct file_pos from;
    bool inside = false;
    const struct file *log = log_of(file->set, file->path, &inside);
    if (log && inside && log->follow && stat(file->path, &st) == 0 &&
        !follow_holds(file->follow, st.st_dev, st.st_ino)) {
        enum owner owner = follow_owner(log->follow, file->path, &from);
        if (owner == OWNER_LOG) {
            follow_finish(file->follow, on_finished, file);
        }
        if (owner != OWNER_ITSELF) {
            return;
        }
    }
    follow_look(file->follow);
    keep_what_is_there(file);
}

static void follow_new(struct file_set *set, const char *path, const struct captures *caps, bool first_look,
                       const struct file_pos *from)
{
    struct file *file = calloc(1, sizeof(*file));
    if (!file || !(file->path = strdup(path))) {
        die_out_of_memory();
    }
    file->set = set;
    file->caps = *caps;
    file->first_look = first_look;
    file->from = *from;
    if (!*file->caps.text[CAPTURE_SERVICE]) {
        default_service(file);
    }
    HASH_ADD_KEYPTR(hh, set->by_path, file->path, strlen(file->path), file);
    file_tag(file);
}

bool file_set_add(struct file_set *set, const char *path, const struct captures *caps, bool first_look)
{
    struct file *file;
    struct stat st;
    struct file_pos from;
    HASH_FIND_STR(set->by_path, path, file);
    if (file) {
        if (file->follow) {
            look(file);
        }
        return true;
    }
    bool there = stat(path, &st) == 0;
    /* A log that was read before and is not there now has left files behind, in the middle of a rotation. */
    if (!(there ? S_ISREG(st.st_mode) : checkpoint_get(set->checkpoint, path) != NULL) ||
        pattern_list_match(&set->exclude, path)) {
        return true;
    }
    enum owner owner = owner_among_logs(set, path, &from);
    if (owner != OWNER_ITSELF) {
        return owner != OWNER_UNKNOWN;
    }
    if (there && is_own_output(set, &st)) {
        log_warn("not following the collector's own output", KV("path", path));
    } else {
        follow_new(set, path, caps, first_look, &from);
    }
    return true;
}

/* A file that is not collected is forgotten when it is gone. */
static void look_at_left_out(struct file *file)
{
    if (access(file->path, F_OK) < 0 && errno == ENOENT) {
        on_finished(file);
    }
}

static void file_look(struct file *file)
{
    uint64_t size;
    if (!file->follow) {
        look_at_left_out(file);
        return;
    }
    look(file);
    if (!follow_deleted(file->follow, &size)) {
        file->missing_ns = 0;
    } else if (file->missing_ns == 0 || size != file->missing_size) {
        file->missing_ns = clock_monotonic();
        file->missing_size = size;
    } else if (clock_monotonic() - file->missing_ns > DELETED_FOR) {
        file->finishing = true;
        follow_finish(file->follow, on_finished, file);
    }
}

void file_set_event(struct file_set *set, const char *path, uint32_t mask)
{
    struct file *file;
    bool inside;
    HASH_FIND_STR(set->by_path, path, file);
    file = file ? file : log_of(set, path, &inside);
    if (!file || !file->follow) {
        return;
    }
    if (mask & IN_MODIFY) {
        follow_wake(file->follow);
    } else {
        look(file);
    }
}

bool file_set_undecided(const struct file_set *set, const char *path)
{
    struct file *file;
    bool inside = false;
    HASH_FIND_STR(set->by_path, path, file);
    return !file && log_of(set, path, &inside) && inside;
}

void file_set_look(struct file_set *set)
{
    struct file *file, *next;
    HASH_ITER(hh, set->by_path, file, next)
    {
        file_look(file);
    }
}

void file_set_reload(struct file_set *set, const struct config *cfg)
{
    struct file *file, *next;
    set->cfg = cfg;
    HASH_ITER(hh, set->by_path, file, next)
    {
        file->first_look = false; /* what is wanted from now on is read from its beginning */
        file_tag(file);
    }
}

void file_set_close(struct file_set *set)
{
    struct file *file, *next;
    HASH_ITER(hh, set->by_path, file, next)
    {
        HASH_DEL(set->by_path, file);
        file_free(file);
    }
}
