#include <xxhash.h>

/* For uthash, whose own one looks to clang-tidy as if it read bytes that nobody has set. */
#define HASH_FUNCTION(key, len, hash) ((hash) = (unsigned)XXH3_64bits(key, len))

#include "chain.h"

#include <stdlib.h>

#include "base/memory.h"

#define INODE_LEN (offsetof(struct file_id, ino) + sizeof(((struct file_id *)0)->ino)) /* dev and ino */

static void enter(struct chain *c, struct segment *seg)
{
    seg->chain = c;
    if (!seg->archive) {
        HASH_ADD(open, c->open->by_inode, id, INODE_LEN, seg);
    }
}

static void leave(struct segment *seg)
{
    if (!seg->archive) {
        HASH_DELETE(open, seg->chain->open->by_inode, seg);
    }
    seg->chain = NULL;
}

const struct chain *chain_of(const struct open_files *open, dev_t dev, ino_t ino, const char *path)
{
    struct segment *seg;
    struct file_id id = {.dev = dev, .ino = ino};
    HASH_FIND(open, open->by_inode, &id, INODE_LEN, seg);
    /* one that is closed may be gone, and its inode used again */
    return seg && (!segment_shelved(seg) || segment_met(seg, path)) ? seg->chain : NULL;
}

static void append(struct chain *c, struct segment *seg)
{
    enter(c, seg);
    seg->next = NULL;
    if (c->tail) {
        c->tail->next = seg;
    } else {
        c->head = seg;
    }
    c->tail = seg;
    c->count++;
}

void chain_append(struct chain *c, struct segment *seg)
{
    seg->order = c->next_order++;
    append(c, seg);
}

void chain_drop_head(struct chain *c)
{
    struct segment *seg = c->head;
    c->head = seg->next;
    if (!c->head) {
        c->tail = NULL;
    }
    c->count--;
    leave(seg);
    segment_close(seg);
}

void chain_drop_newer(struct chain *c)
{
    struct segment *seg = c->head->next;
    c->head->next = NULL;
    c->tail = c->head;
    c->count = 1;
    for (struct segment *next; seg; seg = next) {
        next = seg->next;
        leave(seg);
        segment_close(seg);
    }
}

void chain_close(struct chain *c)
{
    while (c->head) {
        chain_drop_head(c);
    }
}

void chain_free(struct chain *c)
{
    chain_close(c);
    free(c->ends);
    c->ends = NULL;
    c->end_count = c->next_end = 0;
}

struct segment *chain_detach(struct chain *c)
{
    struct segment *seg = c->tail, *before = NULL;
    for (struct segment *it = c->head; it != seg; it = it->next) {
        before = it;
    }
    leave(seg);
    *(before ? &before->next : &c->head) = NULL;
    c->tail = before;
    c->count--;
    return seg;
}

void chain_reattach(struct chain *c, struct segment *seg)
{
    append(c, seg);
}

void chain_restart(struct chain *c)
{
    segment_restart(c->head);
    c->head->order = c->next_order++;
}

void chain_remember_end(struct chain *c, const struct file_pos *end)
{
    if (c->end_count < CHAIN_ENDS) {
        struct file_pos *grown = realloc(c->ends, (c->end_count + 1) * sizeof(*grown));
        if (!grown) {
            die_out_of_memory();
        }
        c->ends = grown;
        c->end_count++;
    }
    c->ends[c->next_end] = *end;
    c->next_end = (c->next_end + 1) % CHAIN_ENDS;
}

struct file_pos chain_remember(struct chain *c, struct segment *seg)
{
    struct file_pos end = segment_note(seg);
    if (seg->size > seg->offset) { /* not read to there, so what stands there is not known */
        end.offset = seg->size;
        end.tail.len = 0;
    }
    chain_remember_end(c, &end);
    return end;
}

/* Is this the file that was read to `end`, or was it packed from that? Files may begin alike, and inodes are
 * used again. */
static bool ended_at(struct segment *seg, const struct file_pos *end)
{
    if (end->file.head_len == 0) {
        return false;
    }
    if (same_inode(&end->file, seg->id.dev, seg->id.ino)) {
        return segment_match_at(seg, end) == SEGMENT_SAME;
    }
    return segment_packs(seg, end);
}

bool chain_knows(const struct chain *c, struct segment *seg)
{
    bool open = c->tail && segment_is(seg, &c->tail->id);
    for (const struct segment *it = c->head; it && !open; it = it->next) {
        bool may_be = it == c->tail || segment_unlinked(it); /* others may hold the same */
        open = may_be && segment_packs_file(seg, it);
    }
    if (open) {
        return true;
    }
    for (unsigned i = 0; i < c->end_count; i++) {
        if (ended_at(seg, &c->ends[i])) {
            return true;
        }
    }
    return false;
}

bool chain_knows_head(const struct chain *c, struct segment *packed)
{
    for (unsigned i = 0; i < c->end_count; i++) {
        if (segment_matches(packed, &c->ends[i].file, 0)) {
            return true;
        }
    }
    return false;
}

bool chain_has_left(const struct chain *c, struct segment *seg, struct file_pos *end)
{
    bool left = false;
    for (unsigned i = 0; i < c->end_count && !seg->archive; i++) {
        if ((!left || c->ends[i].offset > end->offset) && ended_at(seg, &c->ends[i])) {
            *end = c->ends[i];
            left = true;
        }
    }
    return left;
}

static bool begins_so(const struct file_id *id, const struct segment *seg)
{
    return id->head_len == FILE_ID_HEAD && (!seg || id->head_hash == seg->id.head_hash);
}

bool chain_begins_so(const struct chain *c, struct segment *seg, struct file_pos *read)
{
    struct segment *head = c->head;
    bool any = head && !head->archive && head->offset > 0 && begins_so(&head->id, seg);
    if (any) {
        *read = segment_note(head);
    }
    for (unsigned i = 0; i < c->end_count && seg; i++) {
        const struct file_pos *end = &c->ends[i];
        bool nearer = !any || segment_match_at(seg, read) != SEGMENT_SAME || end->offset > read->offset;
        if (begins_so(&end->file, seg) && nearer && segment_match_at(seg, end) == SEGMENT_SAME) {
            *read = *end;
            any = true;
        }
    }
    return any;
}

bool chain_has_had(const struct chain *c, const struct segment *seg)
{
    for (const struct segment *it = c->head; it; it = it->next) {
        if (!it->archive && it->size >= seg->size && begins_so(&it->id, seg)) {
            return true;
        }
    }
    for (unsigned i = 0; i < c->end_count; i++) {
        const struct file_pos *end = &c->ends[i];
        if (end->tail.len > 0 && end->offset >= seg->size && begins_so(&end->file, seg)) {
            return true;
        }
    }
    return false;
}

bool chain_holds(const struct chain *c, dev_t dev, ino_t ino)
{
    for (const struct segment *seg = c->head; seg; seg = seg->next) {
        if (!seg->archive && same_inode(&seg->id, dev, ino)) {
            return true;
        }
    }
    return false;
}

uint64_t chain_unread(const struct chain *c)
{
    uint64_t unread = 0;
    for (const struct segment *seg = c->head; seg; seg = seg->next) {
        unread += seg->size > seg->offset ? seg->size - seg->offset : 0;
    }
    return unread;
}

int chain_offset_compare(struct chain_offset a, struct chain_offset b)
{
    if (a.order != b.order) {
        return a.order < b.order ? -1 : 1;
    }
    return (a.offset > b.offset) - (a.offset < b.offset);
}
