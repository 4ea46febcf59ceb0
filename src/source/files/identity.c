#include "identity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/plain_file.h"

/* A position that the checkpoint holds. */
struct place {
    uint64_t dev, ino;
    const char *key; /* the checkpoint's; NULL: forgotten since */
    char *stray;     /* another path at which its file was seen; NULL: none */
};

#define END_KEY_MAX 48

static void end_key(char key[END_KEY_MAX], uint64_t dev, uint64_t ino)
{
    snprintf(key, END_KEY_MAX, "inode:%" PRIx64 ":%" PRIx64, dev, ino);
}

static const struct position *file_position(const struct identities *ids, const char *key)
{
    const struct position *pos = pipeline_position(ids->pipeline, key);
    return pos && pos->kind == POSITION_FILE ? pos : NULL;
}

/* -- the checkpoint's positions by inode ------------------------------------------------------- */

static void add_place(void *arg, const char *key, const struct position *pos)
{
    struct identities *ids = arg;
    const struct file_id *file = &pos->at.file.file;
    if (pos->kind != POSITION_FILE || *key != '/') {
        return;
    }
    if ((ids->count & (ids->count - 1)) == 0) {
        struct place *grown = realloc(ids->places, (ids->count ? 2 * ids->count : 1) * sizeof(*grown));
        if (!grown) {
            die_out_of_memory();
        }
        ids->places = grown;
    }
    ids->places[ids->count++] = (struct place){.dev = file->dev, .ino = file->ino, .key = key};
}

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->ino != y->ino) {
        return x->ino < y->ino ? -1 : 1;
    }
    return (x->dev > y->dev) - (x->dev < y->dev);
}

void identity_end_look(struct identities *ids)
{
    if (--ids->looks > 0) {
        return;
    }
    for (size_t i = 0; i < ids->count; i++) {
        free(ids->places[i].stray);
    }
    free(ids->places);
    ids->places = NULL;
    ids->count = 0;
    ids->loaded = false;
}

void identity_begin_look(struct identities *ids)
{
    ids->looks++;
}

/* Most looks find nothing new, and need none of them. */
static void load(struct identities *ids)
{
    if (ids->looks == 0 || ids->loaded) {
        return;
    }
    ids->loaded = true;
    checkpoint_each(ids->checkpoint, add_place, ids);
    if (ids->count > 1) {
        qsort(ids->places, ids->count, sizeof(*ids->places), compare_places);
    }
}

bool identity_any(struct identities *ids)
{
    load(ids);
    return ids->count > 0;
}

/* Any of those in that file; the others are beside it. NULL: there is none. */
static struct place *any_place(struct identities *ids, uint64_t dev, uint64_t ino)
{
    struct place wanted = {.dev = dev, .ino = ino};
    return identity_any(ids) ? bsearch(&wanted, ids->places, ids->count, sizeof(wanted), compare_places)
                             : NULL;
}

/* The log, other than that of `path`, whose position was taken in this file; the furthest of them. */
static struct place *find_place(struct identities *ids, const char *path, struct segment *seg)
{
    struct place wanted = {.dev = seg->id.dev, .ino = seg->id.ino}, *found = NULL;
    struct place *at = any_place(ids, wanted.dev, wanted.ino);
    uint64_t furthest = 0;
    while (at && at > ids->places && compare_places(at - 1, &wanted) == 0) {
        at--;
    }
    for (; at && at < ids->places + ids->count && compare_places(at, &wanted) == 0; at++) {
        const struct position *pos =
            at->key && strcmp(at->key, path) != 0 ? file_position(ids, at->key) : NULL;
        if (pos && same_inode(&pos->at.file.file, wanted.dev, wanted.ino) &&
            (!found || pos->at.file.offset > furthest) &&
            segment_match_at(seg, &pos->at.file) == SEGMENT_SAME) {
            found = at;
            furthest = pos->at.file.offset;
        }
    }
    return found;
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0 || errno != ENOENT;
}

void identity_note(struct identities *ids, const char *path, const char *real)
{
    struct stat st;
    if (!identity_any(ids) || !plain_file_stat(real, &st)) {
        return;
    }
    if (!any_place(ids, st.st_dev, st.st_ino)) {
        return;
    }
    struct segment *seg = segment_open(real, NULL);
    struct place *place = seg && !seg->archive ? find_place(ids, path, seg) : NULL;
    if (place && !place->stray) {
        place->stray = strdup(real);
    }
    segment_close(seg);
}

char *identity_stray(void *arg, const char *key)
{
    const struct identities *ids = arg;
    for (size_t i = 0; i < ids->count; i++) {
        const struct place *place = &ids->places[i];
        if (place->stray && place->key && strcmp(place->key, key) == 0) {
            return strdup(place->stray);
        }
    }
    return NULL;
}

/* -- marks ------------------------------------------------------------------------------------- */

static void mark(const struct identities *ids, const char *key, const struct position *pos, struct tags *tags)
{
    struct feed *feed = feed_open(ids->pipeline, key, tags, (struct feed_calls){0});
    feed_mark(feed, pos);
    feed_close(feed);
}

static void forget(struct identities *ids, const char *key, struct tags *tags)
{
    char *own = strdup(key); /* the key may be the checkpoint's, which frees it */
    if (!own) {
        die_out_of_memory();
    }
    for (size_t i = 0; i < ids->count; i++) {
        if (ids->places[i].key && strcmp(ids->places[i].key, own) == 0) {
            ids->places[i].key = NULL;
        }
    }
    if (pipeline_position(ids->pipeline, own)) {
        mark(ids, own, &(struct position){.kind = POSITION_NONE}, tags);
    }
    free(own);
}

/* By the inode of its file. */
static void mark_by_inode(struct identities *ids, const struct position *pos, struct tags *tags)
{
    char key[END_KEY_MAX];
    end_key(key, pos->at.file.file.dev, pos->at.file.file.ino);
    mark(ids, key, pos, tags);
}

void identity_mark_end(struct identities *ids, const struct file_pos *end, struct tags *tags)
{
    mark_by_inode(ids, &(struct position){.kind = POSITION_FILE, .at.file = *end}, tags);
}

void identity_forget_end(struct identities *ids, dev_t dev, ino_t ino, struct tags *tags)
{
    char key[END_KEY_MAX];
    end_key(key, dev, ino);
    forget(ids, key, tags);
}

/* The new one first: where only that is delivered before a crash, both say the same. The path may have had
 * another file before, which is under another name now. */
void identity_take_over(struct identities *ids, const char *path, const struct origin *origin,
                        struct tags *tags)
{
    const struct position *own = file_position(ids, path);
    if (own) {
        struct position before = *own; /* a mark may move it */
        mark_by_inode(ids, &before, tags);
    }
    mark(ids, path, &origin->pos, tags);
    if (origin->who == WHO_MOVED) {
        forget(ids, origin->of, tags);
    } else {
        const struct file_id *file = &origin->pos.at.file.file;
        identity_forget_end(ids, file->dev, file->ino, tags);
    }
}

/* -- who a file is ----------------------------------------------------------------------------- */

static void set_of(struct origin *out, const char *path)
{
    out->of = strdup(path);
    if (!out->of) {
        die_out_of_memory();
    }
}

/* The furthest that the file was read to, as far as the checkpoint knows. *place: by the log that goes on from
 * there, other than that of `path`; NULL: by one that has left it. False: nobody has read it. */
static bool find_read(struct identities *ids, const char *path, struct segment *seg, struct position *read,
                      const struct place **place)
{
    char key[END_KEY_MAX];
    end_key(key, seg->id.dev, seg->id.ino);
    const struct position *end = file_position(ids, key);
    bool left = end && segment_match_at(seg, &end->at.file) == SEGMENT_SAME;
    if (left) {
        *read = *end; /* which the next question may move */
    }
    *place = seg->id.head_len > 0 ? find_place(ids, path, seg) : NULL;
    const struct position *there = *place ? file_position(ids, (*place)->key) : NULL;
    if (there && (!left || there->at.file.offset > read->at.file.offset)) {
        *read = *there;
    } else {
        *place = NULL;
    }
    return left || *place;
}

/* A file may be known from several logs that had it in turn: the furthest of their answers counts. */
static void find_out(struct identities *ids, const char *path, struct segment *seg, struct origin *out)
{
    if (seg->archive || seg->id.head_len == 0) {
        return;
    }
    const struct place *place;
    struct file_pos left;
    bool known = find_read(ids, path, seg, &out->pos, &place);
    struct follow *leaver = tailer_leaver(ids->tailer, seg, &left);
    if (leaver && (!known || left.offset >= out->pos.at.file.offset)) {
        out->pos = (struct position){.kind = POSITION_FILE, .at.file = left};
        place = NULL;
    }
    if (place) {
        out->who = is_there(place->key) ? WHO_LATER : WHO_MOVED;
        set_of(out, place->key);
    } else if (known || leaver) {
        out->who = WHO_READ;
        if (leaver) {
            set_of(out, follow_key(leaver));
        }
    }
}

/* Is it worth looking into? */
static bool may_be_known(struct identities *ids, const struct stat *st)
{
    char key[END_KEY_MAX];
    end_key(key, st->st_dev, st->st_ino);
    return ids->tailer->any_left || file_position(ids, key) || any_place(ids, st->st_dev, st->st_ino);
}

void identity_of(struct identities *ids, const char *path, const char *real, const struct stat *st,
                 struct origin *out)
{
    *out = (struct origin){.who = WHO_NEW};
    const struct follow *holder = tailer_holder(ids->tailer, st->st_dev, st->st_ino, real);
    if (holder) {
        out->who = WHO_PART;
        set_of(out, follow_key(holder));
        return;
    }
    const struct position *own = file_position(ids, path);
    if (own && same_inode(&own->at.file.file, st->st_dev, st->st_ino)) {
        out->who = WHO_ITSELF;
        return;
    }
    struct segment *seg = may_be_known(ids, st) ? segment_open(real, NULL) : NULL;
    if (seg) {
        find_out(ids, path, seg, out);
    }
    segment_close(seg);
}

bool identity_known(struct identities *ids, size_t i, const char **key, const struct position **pos)
{
    load(ids);
    if (i >= ids->count) {
        return false;
    }
    *key = ids->places[i].key;
    *pos = *key ? file_position(ids, *key) : NULL;
    return true;
}

void origin_free(struct origin *origin)
{
    free(origin->of);
    origin->of = NULL;
}

bool identity_read_before(void *arg, const char *key, struct segment *seg, struct file_pos *to)
{
    const struct place *place;
    struct position read;
    bool known = find_read(arg, key, seg, &read, &place);
    if (known) {
        *to = read.at.file;
    }
    return known;
}
