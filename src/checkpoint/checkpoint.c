#include "checkpoint/checkpoint.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own_files.h"
#include "entries.h"
#include "owner.h"
#include "store.h"
#include "text.h"

#define REFRESH_S 3600 /* the file's `seen` are not older than this */

struct checkpoint {
    struct entries entries;
    struct position output; /* kind POSITION_NONE: there is none */
    char *path;             /* NULL: not loaded, or nothing is kept on disk */
    struct owner owner;
    int64_t retention_ns;
    int64_t loaded_ns, saved_ns; /* monotonic */
    int64_t before_ns;           /* see checkpoint_saved_before */
    bool changed;                /* since the last save */
};

/* -- in memory --------------------------------------------------------------------------------- */

struct checkpoint *checkpoint_new(void)
{
    struct checkpoint *c = calloc(1, sizeof(*c));
    if (c) {
        c->owner.fd = -1;
    }
    return c;
}

static void clear(struct checkpoint *c)
{
    entries_clear(&c->entries);
    c->output = (struct position){0};
}

/* Keeps nothing on disk from now on. */
static void close_file(struct checkpoint *c)
{
    if (c->path) {
        own_files_remove(c->path);
    }
    owner_end(&c->owner);
    free(c->path);
    c->path = NULL;
}

void checkpoint_free(struct checkpoint *c)
{
    if (c) {
        clear(c);
        close_file(c);
        free(c);
    }
}

const struct position *checkpoint_get(struct checkpoint *c, const char *key)
{
    struct entry *e = entries_find(&c->entries, key, strlen(key));
    if (!e) {
        return NULL;
    }
    e->in_use = true;
    return entry_position(&c->entries, e);
}

/* `changed`: as compact_change tells. 0 or -1 (memory). */
static int note_set(struct checkpoint *c, struct entry *e, int changed)
{
    e->in_use = true;
    c->changed |= changed != 0;
    return changed < 0 ? -1 : 0;
}

int checkpoint_set(struct checkpoint *c, const char *key, const struct position *pos)
{
    size_t len = strlen(key);
    if (pos->kind == POSITION_NONE) {
        struct entry *e = entries_find(&c->entries, key, len);
        if (e) {
            entries_remove(&c->entries, e);
            c->changed = true;
        }
        return 0;
    }
    struct entry *e = entries_add(&c->entries, key, len);
    return e ? note_set(c, e, compact_change(&e->pos, pos)) : -1;
}

int checkpoint_move(struct checkpoint *c, struct feed_key *key, const struct compact_position *pos)
{
    if (compact_is_none(pos)) {
        return checkpoint_set(c, key->text, &(struct position){.kind = POSITION_NONE});
    }
    struct entry *e = entries_at(&c->entries, key->text, &key->entry);
    return e ? note_set(c, e, compact_copy(&e->pos, pos)) : -1;
}

/* It was saved then. Where the clock was set back since, all may be later. */
static void note_before(struct checkpoint *c, int64_t saved_ns)
{
    saved_ns = saved_ns > clock_now() ? 1 : saved_ns;
    c->before_ns = saved_ns > c->before_ns ? saved_ns : c->before_ns;
}

int64_t checkpoint_saved_before(const struct checkpoint *c)
{
    return c->before_ns;
}

/* Of seconds that somebody else wrote, who may have written any. */
static int64_t ns_of_seconds(int64_t seconds)
{
    int64_t past = seconds > 0 ? seconds : 0;
    return past > INT64_MAX / NS_PER_S ? INT64_MAX : past * NS_PER_S;
}

int checkpoint_restore(struct checkpoint *c, const char *key, const struct position *pos, int64_t seen)
{
    if (checkpoint_set(c, key, pos) < 0) {
        return -1;
    }
    struct entry *e = entries_find(&c->entries, key, strlen(key));
    note_before(c, ns_of_seconds(seen));
    if (e) { /* there is none for a position that forgets */
        e->in_use = false;
        entry_set_seen(e, seen);
    }
    return 0;
}

void checkpoint_expire(struct checkpoint *c, int64_t before, void (*fn)(void *arg, const char *key),
                       void *arg)
{
    entries_expire(&c->entries, before, fn, arg);
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
    for (uint32_t i = 0; i < c->entries.count; i++) {
        struct position pos;
        compact_get(&c->entries.all[i]->pos, &pos);
        fn(arg, c->entries.all[i]->key, &pos);
    }
}

bool checkpoint_dirty(const struct checkpoint *c)
{
    return c->changed ||
           (c->path && c->entries.count > 0 && clock_monotonic() - c->saved_ns > REFRESH_S * NS_PER_S);
}

/* -- saving ------------------------------------------------------------------------------------ */

static void drop_expired(struct checkpoint *c, int64_t now_s)
{
    int64_t grace = CHECKPOINT_GRACE_S * NS_PER_S;
    if (clock_monotonic() - c->loaded_ns < (c->retention_ns < grace ? c->retention_ns : grace)) {
        return;
    }
    entries_expire(&c->entries, now_s - c->retention_ns / NS_PER_S, NULL, NULL);
}

struct content {
    const struct entries *entries;
    const struct position *output;
    int64_t now_s;
};

static int write_content(void *arg, int fd)
{
    const struct content *what = arg;
    return text_write(fd, what->entries, what->output, what->now_s);
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
    struct content what = {&c->entries, &c->output, now_s};
    if (owner_remain(&c->owner, c->path, err) < 0 || store_write(c->path, write_content, &what, err) < 0) {
        return -1;
    }
    c->changed = false;
    c->saved_ns = clock_monotonic();
    return 0;
}

/* -- loading ----------------------------------------------------------------------------------- */

/* A newer file is whole, and of use to whoever wrote it. To begin anew would deliver everything once more. */
static int too_new(const struct checkpoint *c, int version, struct error *err)
{
    error_set(
        err,
        "the checkpoint %s was written by a newer sidetail (version %d of the file, this one knows %d): "
        "run that one; or, to begin anew as start_at says, with lines coming twice, move the file away "
        "or set checkpoint.path",
        c->path, version, TEXT_VERSION);
    return error_exit(err, EXIT_CONFIG);
}

static int load_text(struct checkpoint *c, struct slice text, struct error *err)
{
    struct error why = {0};
    char aside[PATH_MAX];
    int version = 0;
    enum text_result got = text_read(text, &c->entries, &c->output, &version, &why);
    if (got == TEXT_READ) {
        return 0;
    }
    clear(c);
    if (got == TEXT_NEWER) {
        return too_new(c, version, err);
    }
    if (store_set_aside(c->path, aside, err) < 0) {
        return -1;
    }
    log_error("the checkpoint is damaged; set aside, beginning anew as start_at says: lines may come twice",
              KV("checkpoint", c->path), KV("set_aside", aside), KV("error", why.text));
    return 0;
}

static int load(struct checkpoint *c, struct error *err)
{
    struct slice text;
    struct stat st;
    if (store_make_directory(c->path, err) < 0 || owner_become(&c->owner, c->path, err) < 0 ||
        store_check(c->path, err) < 0) {
        return -1;
    }
    int result = store_map(c->path, &text, err);
    if (result == 1) {
        result = load_text(c, text, err);
        store_unmap(text);
    }
    if (result < 0) {
        return -1;
    }
    if (stat(c->path, &st) == 0) {
        note_before(c, clock_of_timespec(st.st_mtim));
    } else {
        c->changed =
            true; /* there is none, or it is set aside: that this was the first start is to be saved */
    }
    return 0;
}

int checkpoint_load(struct checkpoint *c, const char *path, int64_t retention_ns, struct error *err)
{
    c->retention_ns = retention_ns;
    c->loaded_ns = c->saved_ns = clock_monotonic();
    if (!path || !*path) {
        return 0;
    }
    if (strlen(path) > STORE_PATH_MAX) {
        return error_set(err, "checkpoint.path is longer than %d bytes", STORE_PATH_MAX);
    }
    c->path = strdup(path);
    if (!c->path) {
        return error_set(err, "no memory to read the checkpoint %s", path);
    }
    int result =
        own_files_add(path) < 0 ? error_set(err, "no memory to read the checkpoint %s", path) : load(c, err);
    if (result < 0) {
        close_file(c); /* a caller may go on without it */
    }
    return result;
}
