#include "record/compact_position.h"

#include <stdlib.h>
#include <string.h>

static bool holds_any(const struct position *pos)
{
    bool any = false;
    for (int s = 0; s < STREAM_COUNT; s++) {
        any |= pos->held_set[s];
    }
    return any;
}

static enum compact_form form_of(const struct position *pos)
{
    if (pos->kind == POSITION_NONE) {
        return COMPACT_NONE;
    }
    if (holds_any(pos) || pos->mid_line || pos->tears.count > 0) {
        return COMPACT_LONG;
    }
    if (pos->kind == POSITION_FILE) {
        return COMPACT_FILE;
    }
    return pos->newest_ns == 0 && pos->outline.lines == 0 ? COMPACT_API : COMPACT_LONG;
}

/* Up to its last tear. */
static size_t size_of(const struct position *pos)
{
    return offsetof(struct position, tears.at) + pos->tears.count * sizeof(pos->tears.at[0]);
}

static void set_file(struct compact_position *c, const struct position *pos)
{
    const struct file_pos *file = &pos->at.file;
    _Static_assert(FILE_ID_HEAD <= UINT16_MAX && FILE_TAIL_MAX <= UINT16_MAX, "both lengths have room");
    *c = (struct compact_position){
        .form = COMPACT_FILE,
        .file = {.dev = file->file.dev,
                 .ino = file->file.ino,
                 .head_hash = file->file.head_hash,
                 .offset = file->offset,
                 .tail_hash = file->tail.hash,
                 .mtime_ns = file->mtime_ns,
                 .newest_ns = pos->newest_ns},
        .outline = pos->outline,
        .head_len = (uint16_t)file->file.head_len,
        .tail_len = (uint16_t)file->tail.len,
    };
}

static int set_long(struct compact_position *c, const struct position *pos)
{
    size_t size = size_of(pos);
    void *whole = malloc(size);
    if (!whole) {
        return -1;
    }
    memcpy(whole, pos, size);
    compact_clear(c);
    c->form = COMPACT_LONG;
    c->whole = whole;
    return 0;
}

int compact_set(struct compact_position *c, const struct position *pos)
{
    enum compact_form form = form_of(pos);
    if (form == COMPACT_LONG) {
        return set_long(c, pos);
    }
    compact_clear(c);
    if (form == COMPACT_FILE) {
        set_file(c, pos);
    } else if (form == COMPACT_API) {
        *c = (struct compact_position){.form = COMPACT_API, .api = pos->at.api};
    }
    return 0;
}

static void get_file(const struct compact_position *c, struct position *out)
{
    *out = (struct position){
        .kind = POSITION_FILE,
        .newest_ns = c->file.newest_ns,
        .outline = c->outline,
        .at.file = {.file = {c->file.dev, c->file.ino, c->file.head_hash, c->head_len},
                    .offset = c->file.offset,
                    .mtime_ns = c->file.mtime_ns,
                    .tail = {c->file.tail_hash, c->tail_len}},
    };
}

static void get_long(const struct compact_position *c, struct position *out)
{
    memset(out, 0, sizeof(*out));
    memcpy(out, c->whole, offsetof(struct position, tears.at)); /* how many tears there are, too */
    memcpy(out, c->whole, size_of(out));
}

void compact_get(const struct compact_position *c, struct position *out)
{
    switch ((enum compact_form)c->form) {
    case COMPACT_NONE:
        *out = (struct position){.kind = POSITION_NONE};
        break;
    case COMPACT_FILE:
        get_file(c, out);
        break;
    case COMPACT_API:
        *out = (struct position){.kind = POSITION_API, .at.api = c->api};
        break;
    case COMPACT_LONG:
        get_long(c, out);
        break;
    }
}

static bool same_file(const struct compact_position *a, const struct compact_position *b)
{
    return memcmp(&a->file, &b->file, sizeof(a->file)) == 0 &&
           memcmp(&a->outline, &b->outline, sizeof(a->outline)) == 0 && a->head_len == b->head_len &&
           a->tail_len == b->tail_len;
}

int compact_change(struct compact_position *c, const struct position *pos)
{
    struct position was;
    compact_get(c, &was);
    if (position_same(&was, pos)) {
        return 0;
    }
    return compact_set(c, pos) < 0 ? -1 : 1;
}

int compact_copy(struct compact_position *c, const struct compact_position *from)
{
    struct position pos;
    if (c->form == COMPACT_FILE && from->form == COMPACT_FILE) { /* as most are */
        bool same = same_file(c, from);
        *c = *from;
        return !same;
    }
    compact_get(from, &pos);
    return compact_change(c, &pos);
}

void compact_clear(struct compact_position *c)
{
    if (c->form == COMPACT_LONG) {
        free(c->whole);
    }
    *c = (struct compact_position){0};
}
