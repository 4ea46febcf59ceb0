#include "checkpoint/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "internal.h"

#define FILE_MAX  (256L << 20) /* what is larger was not written by us */
#define REFRESH_S 3600         /* the file's `seen` are not older than this */

/* -- in memory --------------------------------------------------------------------------------- */

struct checkpoint *checkpoint_new(void)
{
    return calloc(1, sizeof(struct checkpoint));
}

void checkpoint_clear(struct checkpoint *c)
{
    struct entry *e, *next;
    HASH_ITER(hh, c->entries, e, next)
    {
        HASH_DEL(c->entries, e);
        free(e);
    }
    c->output = (struct position){0};
}

void checkpoint_free(struct checkpoint *c)
{
    if (c) {
        checkpoint_clear(c);
        buf_free(&c->text);
        free(c->path);
        free(c);
    }
}

static struct entry *find(struct checkpoint *c, const char *key, size_t len)
{
    struct entry *e;
    HASH_FIND(hh, c->entries, key, len, e);
    return e;
}

struct entry *checkpoint_entry(struct checkpoint *c, const char *key, size_t len)
{
    struct entry *e = find(c, key, len);
    if (e) {
        return e;
    }
    e = calloc(1, sizeof(*e) + len + 1);
    if (e) {
        memcpy(e->key, key, len);
        HASH_ADD_KEYPTR(hh, c->entries, e->key, len, e);
    }
    return e;
}

const struct position *checkpoint_get(struct checkpoint *c, const char *key)
{
    struct entry *e = find(c, key, strlen(key));
    if (!e) {
        return NULL;
    }
    e->in_use = true;
    return &e->pos;
}

int checkpoint_set(struct checkpoint *c, const char *key, const struct position *pos)
{
    size_t len = strlen(key);
    if (pos->kind == POSITION_NONE) {
        struct entry *e = find(c, key, len);
        if (e) {
            HASH_DEL(c->entries, e);
            free(e);
            c->changed = true;
        }
        return 0;
    }
    struct entry *e = checkpoint_entry(c, key, len);
    if (!e) {
        return -1;
    }
    e->in_use = true;
    if (!position_same(&e->pos, pos)) {
        e->pos = *pos;
        c->changed = true;
    }
    return 0;
}

int checkpoint_restore(struct checkpoint *c, const char *key, const struct position *pos, int64_t seen)
{
    if (checkpoint_set(c, key, pos) < 0) {
        return -1;
    }
    struct entry *e = find(c, key, strlen(key));
    if (e) { /* there is none for a position that forgets */
        e->in_use = false;
        e->seen = seen;
    }
    return 0;
}

void checkpoint_expire(struct checkpoint *c, int64_t before, void (*fn)(void *arg, const char *key),
                       void *arg)
{
    struct entry *e, *next;
    HASH_ITER(hh, c->entries, e, next)
    {
        if (!e->in_use && e->seen < before) {
            HASH_DEL(c->entries, e);
            fn(arg, e->key);
            free(e);
        }
    }
}

const struct file_pos *checkpoint_output(const struct checkpoint *c)
{
    return c->output.kind == POSITION_FILE ? &c->output.at.file : NULL;
}

void checkpoint_set_output(struct checkpoint *c, const struct file_pos *output)
{
    struct position pos = {0};
    if (output) {
        pos.kind = POSITION_FILE;
        pos.at.file = *output;
    }
    if (!position_same(&c->output, &pos)) {
        c->output = pos;
        c->changed = true;
    }
}

void checkpoint_each(struct checkpoint *c, void (*fn)(void *arg, const char *key, const struct position *pos),
                     void *arg)
{
    struct entry *e, *next;
    HASH_ITER(hh, c->entries, e, next)
    {
        fn(arg, e->key, &e->pos);
    }
}

bool checkpoint_dirty(const struct checkpoint *c)
{
    return c->changed || (c->path && c->entries && clock_monotonic() - c->saved_ns > REFRESH_S * NS_PER_S);
}

/* -- saving ------------------------------------------------------------------------------------ */

static void drop_expired(struct checkpoint *c, int64_t now_s)
{
    int64_t grace = CHECKPOINT_GRACE_S * NS_PER_S;
    if (clock_monotonic() - c->loaded_ns < (c->retention_ns < grace ? c->retention_ns : grace)) {
        return;
    }
    struct entry *e = NULL, *next = NULL;
    HASH_ITER(hh, c->entries, e, next)
    {
        if (!e->in_use && now_s - e->seen > c->retention_ns / NS_PER_S) {
            HASH_DEL(c->entries, e);
            free(e);
        }
    }
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno != EINTR) {
            return -1;
        }
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

static int sync_directory(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof(copy), "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    int result = fsync(fd);
    close(fd);
    return result;
}

/* Where what is to be the checkpoint is written; length checked by checkpoint_load. */
static void new_path(const struct checkpoint *c, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s.new", c->path);
}

static int write_new(const char *path, const struct buf *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -1;
    }
    if (write_all(fd, text->data, text->len) < 0 || fsync(fd) < 0) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    return close(fd);
}

int checkpoint_save(struct checkpoint *c, struct error *err)
{
    if (!c->path) {
        c->changed = false;
        return 0;
    }
    if (!checkpoint_dirty(c)) {
        return 0;
    }
    int64_t now_s = clock_now() / NS_PER_S;
    drop_expired(c, now_s);
    if (checkpoint_format(c, now_s) < 0) {
        return error_set(err, "no memory to write the checkpoint");
    }
    char path[PATH_MAX];
    new_path(c, path);
    if (write_new(path, &c->text) < 0 || rename(path, c->path) < 0) {
        int why = errno;
        unlink(path); /* half of it is of no use, and takes room on a full disk */
        return error_set(err, "cannot write the checkpoint %s: %s", path, strerror(why));
    }
    if (sync_directory(c->path) < 0) {
        return error_set(err, "cannot fsync the directory of %s: %s", c->path, strerror(errno));
    }
    c->changed = false;
    c->saved_ns = clock_monotonic();
    return 0;
}

/* -- loading ----------------------------------------------------------------------------------- */

/* 1: read; 0: there is none; -1. */
static int read_file(const char *path, struct buf *text, struct error *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return errno == ENOENT ? 0
                               : error_set(err, "cannot open the checkpoint %s: %s", path, strerror(errno));
    }
    int result = -1;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
        error_set(err, "the checkpoint %s is not a file of ours: set checkpoint.path", path);
    } else if (buf_reserve(text, (size_t)st.st_size + 1) < 0) {
        error_set(err, "no memory to read the checkpoint %s", path);
    } else {
        ssize_t n = 1;
        while (text->len < text->cap && (n = read(fd, text->data + text->len, text->cap - text->len)) > 0) {
            text->len += (size_t)n;
        }
        result = n < 0 ? error_set(err, "cannot read the checkpoint %s: %s", path, strerror(errno)) : 1;
    }
    close(fd);
    return result;
}

/* Renames the file to a name that is free: PATH.corrupt-<unix time>. */
static int set_aside(const char *path, char out[PATH_MAX], struct error *err)
{
    long long stamp = (long long)time(NULL);
    do {
        snprintf(out, PATH_MAX, "%s.corrupt-%lld", path, stamp++);
    } while (access(out, F_OK) == 0);
    if (rename(path, out) < 0) {
        return error_set(err, "the checkpoint %s is damaged and cannot be renamed to %s: %s", path, out,
                         strerror(errno));
    }
    return 0;
}

/* What is newer is whole, and of use to who wrote it: to begin anew would give out everything once more. */
static int too_new(const struct checkpoint *c, int version, struct error *err)
{
    error_set(err,
              "the checkpoint %s was written by a newer sidetail (version %d of the file, this one knows "
              "%d): run that "
              "one; or, to begin anew as start_at says, with lines coming twice, move the file away or set "
              "checkpoint.path",
              c->path, version, CHECKPOINT_VERSION);
    return CHECKPOINT_TOO_NEW;
}

static int load_text(struct checkpoint *c, struct slice text, struct error *err)
{
    struct error why = {""};
    char aside[PATH_MAX];
    int version = 0;
    enum checkpoint_read got = checkpoint_parse(c, text, &version, &why);
    if (got == CHECKPOINT_OK) {
        return 0;
    }
    checkpoint_clear(c);
    if (got == CHECKPOINT_NEWER) {
        return too_new(c, version, err);
    }
    if (set_aside(c->path, aside, err) < 0) {
        return -1;
    }
    log_error("the checkpoint is damaged; set aside, beginning anew as start_at says: lines may come twice",
              KV("checkpoint", c->path), KV("set_aside", aside), KV("error", why.text));
    return 0;
}

/* The directory must be there (the last part of its path is made), and take new files: better to hear it now
 * than when positions are lost. */
static int check_directory(const struct checkpoint *c, struct error *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s", c->path);
    const char *dir = dirname(path);
    if (mkdir(dir, 0750) < 0 && errno != EEXIST) {
        return error_set(err, "cannot make the directory %s of checkpoint.path: %s", dir, strerror(errno));
    }
    new_path(c, path);
    if (write_new(path, &(struct buf){0}) < 0 && errno != ENOSPC && errno != EDQUOT) {
        return error_set(err, "cannot write %s: %s; make its directory writable, or set checkpoint.path",
                         path, strerror(errno));
    }
    unlink(path);
    return 0;
}

static int load(struct checkpoint *c, struct error *err)
{
    struct buf text = {0};
    if (check_directory(c, err) < 0) {
        return -1;
    }
    int result = read_file(c->path, &text, err);
    if (result == 1) {
        result = load_text(c, slice_of(text.data, text.len), err);
    }
    buf_free(&text);
    return result;
}

int checkpoint_load(struct checkpoint *c, const char *path, int64_t retention_ns, struct error *err)
{
    c->retention_ns = retention_ns;
    c->loaded_ns = c->saved_ns = clock_monotonic();
    if (!path || !*path) {
        return 0;
    }
    if (strlen(path) > PATH_MAX - 64) {
        return error_set(err, "checkpoint.path is longer than %d bytes", PATH_MAX - 64);
    }
    c->path = strdup(path);
    if (!c->path) {
        return error_set(err, "no memory to read the checkpoint %s", path);
    }
    int result = load(c, err);
    if (result < 0) {
        free(c->path); /* who goes on without it keeps nothing on disk */
        c->path = NULL;
    }
    return result;
}
