#include "source/log/segment.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/metrics.h"
#include "base/plain_file.h"
#include "outline.h"

#define PIECE 262144 /* bytes that are unpacked between two looks at the clock */

/* Up to `len` bytes at an absolute offset of a plain file; short only at its end. */
static ssize_t read_at(int fd, char *buf, size_t len, uint64_t offset)
{
    size_t got = 0;
    while (got < len) {
        ssize_t n = pread(fd, buf + got, len - got, (off_t)(offset + got));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        if (n == 0) {
            break;
        }
        got += (size_t)n;
    }
    return (ssize_t)got;
}

static size_t unpacked(const struct segment *seg)
{
    return seg->carry.len - seg->carried;
}

/* Unpacks into the carry until it holds `want` unread bytes. 0, also when the end comes first; -1 when
 * damaged. Of what was consumed, so much stays as a tail needs. */
static int unpack(struct segment *seg, size_t want)
{
    if (unpacked(seg) < want && seg->carried > FILE_TAIL_MAX) {
        buf_consume(&seg->carry, seg->carried - FILE_TAIL_MAX);
        seg->carried = FILE_TAIL_MAX;
    }
    while (unpacked(seg) < want) {
        size_t more = want - unpacked(seg);
        if (buf_reserve(&seg->carry, more) < 0) {
            errno = ENOMEM;
            return -1;
        }
        ssize_t n = archive_read(seg->archive, seg->carry.data + seg->carry.len, more);
        if (n < 0) {
            seg->damaged = errno == EBADMSG;
            return -1;
        }
        if (n == 0) {
            break;
        }
        seg->carry.len += (size_t)n;
        seg->size += (uint64_t)n;
    }
    return 0;
}

/* The file's first bytes, as many of FILE_ID_HEAD as there are; -1 when they cannot be read. */
static ssize_t read_head(struct segment *seg, char head[FILE_ID_HEAD])
{
    if (!seg->archive) {
        return read_at(seg->fd, head, FILE_ID_HEAD, 0);
    }
    if (seg->offset > 0) {
        return -1; /* asked for only before reading has begun */
    }
    if (unpack(seg, FILE_ID_HEAD) < 0) {
        return -1;
    }
    size_t len = seg->carry.len < FILE_ID_HEAD ? seg->carry.len : FILE_ID_HEAD;
    memcpy(head, seg->carry.data, len);
    archive_rest(seg->archive); /* it may be held for long before it is read */
    return (ssize_t)len;
}

int segment_refresh(struct segment *seg)
{
    struct stat st;
    if (fstat(seg->fd, &st) < 0) {
        return -1;
    }
    seg->mtime_ns = clock_of_timespec(st.st_mtim);
    seg->id.dev = st.st_dev;
    seg->id.ino = st.st_ino;
    if (seg->archive) {
        if (seg->id.head_len > 0 || seg->offset > 0) {
            return 0;
        }
    } else {
        seg->size = (uint64_t)st.st_size;
        seg->empty_ns = seg->size == 0 && seg->empty_ns == 0 ? seg->mtime_ns : seg->empty_ns;
        if (seg->id.head_len == FILE_ID_HEAD || seg->id.head_len == seg->size) {
            return 0;
        }
    }
    char head[FILE_ID_HEAD];
    ssize_t len = read_head(seg, head);
    if (len < 0) {
        return -1;
    }
    if (seg->id.head_len > 0 &&
        (len < (ssize_t)seg->id.head_len || hash64(head, seg->id.head_len) != seg->id.head_hash)) {
        return 0; /* written anew: the identity stays that of what was read, see segment_intact */
    }
    seg->id.head_len = (uint32_t)len;
    seg->id.head_hash = hash64(head, (size_t)len);
    seg->head_ns = seg->mtime_ns;
    return 0;
}

bool segment_look(struct segment *seg, const struct stat *st)
{
    uint64_t size = (uint64_t)st->st_size;
    bool emptied = size == 0 && clock_of_timespec(st->st_mtim) != seg->mtime_ns;
    bool changed = size != seg->size || emptied;
    if (size > seg->size && (seg->id.head_len == 0 || segment_intact(seg) == 1)) {
        seg->size = size; /* of one that was truncated it would count as unread */
    }
    return changed;
}

struct segment *segment_open(const char *path, struct error *err)
{
    struct segment *seg = calloc(1, sizeof(*seg));
    if (!seg) {
        error_set(err, "out of memory");
        return NULL;
    }
    seg->fd = plain_file_open(path);
    if (seg->fd < 0) {
        goto fail;
    }
    if (archive_suffix(path) > 0) {
        seg->archive = archive_open(seg->fd, path);
        if (!seg->archive) {
            seg->fd = -1;
            goto fail;
        }
    }
    metrics.open_files++;
    if (segment_refresh(seg) < 0) {
        int saved = errno;
        error_set(err, "cannot read %s: %s", path, strerror(saved));
        segment_close(seg);
        errno = saved;
        return NULL;
    }
    return seg;
fail:
    error_set(err, "cannot open %s: %s", path, errno == EINVAL ? "not a regular file" : strerror(errno));
    int saved = errno;
    if (seg->fd >= 0) {
        close(seg->fd);
    }
    free(seg);
    errno = saved;
    return NULL;
}

void segment_close(struct segment *seg)
{
    if (!seg) {
        return;
    }
    if (seg->archive) {
        archive_close(seg->archive);
    } else if (seg->fd >= 0) {
        close(seg->fd);
    }
    metrics.open_files -= seg->fd >= 0;
    buf_free(&seg->carry);
    free(seg->met_at);
    free(seg);
}

void segment_shelve(struct segment *seg)
{
    segment_note(seg); /* by which it is known again */
    seg->birth_ns = fd_birth(seg->fd);
    close(seg->fd);
    seg->fd = -1;
    metrics.open_files--;
}

/* Opens what the path leads to, where that is the closed file by its inode and birth. -1 (errno): ENOENT where it is
 * another file. */
static int open_again(const struct segment *seg, const char *path)
{
    struct stat st;
    int fd = plain_file_open(path);
    if (fd < 0) {
        return -1;
    }
    if (fstat(fd, &st) < 0 || !same_inode(&seg->id, st.st_dev, st.st_ino) || fd_birth(fd) != seg->birth_ns) {
        close(fd);
        errno = ENOENT;
        return -1;
    }
    return fd;
}

int segment_unshelve(struct segment *seg, const char *path)
{
    int fd = open_again(seg, path);
    if (fd < 0) {
        return errno == ENOENT || errno == EINVAL ? 0 : -1;
    }
    free(seg->met_at);
    seg->met_at = NULL;
    seg->fd = fd;
    metrics.open_files++;
    return 1;
}

bool segment_met(struct segment *seg, const char *path)
{
    int fd = open_again(seg, path);
    if (fd < 0) {
        return false;
    }
    seg->fd = fd;
    bool same = segment_is_itself(seg);
    seg->fd = -1;
    close(fd);
    if (same) {
        free(seg->met_at);
        seg->met_at = strdup(path);
    }
    return same;
}

bool segment_is_named(const struct segment *seg, const char *path)
{
    struct stat st;
    return path && plain_file_stat(path, &st) && same_inode(&seg->id, st.st_dev, st.st_ino) &&
           (!segment_shelved(seg) || file_birth(path) == seg->birth_ns);
}

void segment_restart(struct segment *seg)
{
    seg->id = (struct file_id){0};
    seg->offset = seg->size = 0;
    seg->empty_ns = 0;
    seg->tail.len = 0;
    segment_refresh(seg); /* where this fails, so does the look before the next read, which says so */
}

/* Does it begin so? 1 or 0; -1 (errno) when that cannot be read. */
static int head_is(struct segment *seg, const struct file_id *id)
{
    char head[FILE_ID_HEAD];
    if (id->head_len > FILE_ID_HEAD) {
        return 0;
    }
    if (seg->archive && seg->offset > 0) { /* its head is not at hand any more */
        return id->head_len == seg->id.head_len && id->head_hash == seg->id.head_hash ? 1 : -1;
    }
    ssize_t len = seg->archive ? read_head(seg, head) : read_at(seg->fd, head, id->head_len, 0);
    return len < 0 ? -1 : len >= (ssize_t)id->head_len && hash64(head, id->head_len) == id->head_hash;
}

/* The `len` bytes before an offset (of an archive: where it stands), which may be put into `room`. 1; 0 when they are
 * not there; -1 (errno) when they cannot be read. */
static int bytes_before(struct segment *seg, uint64_t offset, uint32_t len, char room[FILE_TAIL_MAX],
                        const char **bytes)
{
    if (seg->archive) {
        bool there = offset == seg->offset && len <= seg->carried;
        *bytes = there ? seg->carry.data + seg->carried - len : NULL;
        return there;
    }
    if (len > offset || len > FILE_TAIL_MAX) {
        return 0;
    }
    const struct segment_window *w = seg->window;
    if (w && offset - len >= w->at && offset <= w->at + w->len) {
        *bytes = w->bytes + (offset - len - w->at);
        return 1;
    }
    *bytes = room;
    ssize_t got = read_at(seg->fd, room, len, offset - len);
    return got == (ssize_t)len ? 1 : got < 0 ? -1 : 0;
}

/* Does that stand before the offset? 1 or 0; -1 (errno) when it cannot be read. */
static int tail_is(struct segment *seg, uint64_t offset, const struct file_tail *tail)
{
    char room[FILE_TAIL_MAX];
    const char *bytes;
    int there = tail->len > 0 ? bytes_before(seg, offset, tail->len, room, &bytes) : 1;
    return there == 1 && tail->len > 0 ? hash64(bytes, tail->len) == tail->hash : there;
}

/* Notes the `len` bytes before its offset. Can they be read? */
static bool note_tail(struct segment *seg, uint32_t len)
{
    char room[FILE_TAIL_MAX];
    const char *bytes;
    if (bytes_before(seg, seg->offset, len, room, &bytes) != 1) {
        return false;
    }
    seg->tail.hash = hash64(bytes, len);
    seg->outline = outline_of(bytes, len);
    return true;
}

struct file_tail segment_tail(struct segment *seg)
{
    char room[FILE_TAIL_MAX];
    const char *bytes;
    uint32_t len = seg->offset < FILE_TAIL_MAX ? (uint32_t)seg->offset : FILE_TAIL_MAX;
    bool there = len > 0 && bytes_before(seg, seg->offset, len, room, &bytes) == 1;
    return there ? (struct file_tail){hash64(bytes, len), len} : (struct file_tail){0};
}

struct file_pos segment_note(struct segment *seg)
{
    if (seg->tail.len == 0 || seg->tail_at != seg->offset) {
        uint32_t len = seg->offset < FILE_TAIL_MAX ? (uint32_t)seg->offset : FILE_TAIL_MAX;
        seg->tail_at = seg->offset;
        seg->tail.len = len > 0 && note_tail(seg, len) ? len : 0;
    }
    return (struct file_pos){
        .file = seg->id, .offset = seg->offset, .mtime_ns = seg->mtime_ns, .tail = seg->tail};
}

int segment_intact(struct segment *seg)
{
    int same = seg->archive ? 1 : head_is(seg, &seg->id);
    return same == 1 && !seg->archive ? tail_is(seg, seg->tail_at, &seg->tail) : same;
}

bool segment_is_itself(struct segment *seg)
{
    return seg->id.head_len == 0 || segment_intact(seg) == 1;
}

bool segment_was_empty(struct segment *seg)
{
    if (seg->offset > 0 || seg->empty_ns <= 0) {
        return false;
    }
    return seg->size > 0 ? seg->id.head_len > 0 && segment_intact(seg) == 1 : seg->mtime_ns != seg->empty_ns;
}

bool segment_is_anew(struct segment *seg)
{
    return seg->offset == 0 && seg->id.head_len > 0 && segment_intact(seg) == 0;
}

void segment_reset_empty(struct segment *seg)
{
    seg->empty_ns = seg->size > 0 ? 0 : seg->mtime_ns;
}

bool segment_matches(struct segment *seg, const struct file_id *id, uint64_t offset)
{
    return id->head_len > 0 && (seg->archive || seg->size >= offset) && head_is(seg, id) == 1;
}

bool segment_is(struct segment *seg, const struct file_id *id)
{
    return same_inode(id, seg->id.dev, seg->id.ino) && segment_matches(seg, id, 0);
}

enum segment_match segment_match_at(struct segment *seg, const struct file_pos *pos)
{
    if (!segment_matches(seg, &pos->file, pos->offset)) {
        return SEGMENT_OTHER;
    }
    if (seg->archive && segment_seek(seg, pos->offset) < 0) {
        enum segment_match match = seg->damaged ? SEGMENT_DAMAGED : SEGMENT_OTHER;
        segment_seek(seg, 0);
        return match;
    }
    if (tail_is(seg, pos->offset, &pos->tail) == 1) {
        return SEGMENT_SAME;
    }
    if (seg->archive) {
        segment_seek(seg, 0);
    }
    return SEGMENT_OTHER;
}

/* An archive: to its beginning. */
static int rewind_archive(struct segment *seg)
{
    if (archive_rewind(seg->archive) < 0) {
        return -1;
    }
    seg->carry.len = seg->carried = 0;
    seg->offset = seg->size = 0;
    seg->damaged = false;
    return 0;
}

bool segment_packs(struct segment *seg, const struct file_pos *end)
{
    char more;
    if (!seg->archive || !archive_may_hold(seg->archive, end->offset) ||
        segment_match_at(seg, end) != SEGMENT_SAME) {
        return false;
    }
    bool whole = segment_read(seg, &more, 1) == 0 && !seg->damaged;
    return rewind_archive(seg) == 0 && whole;
}

bool segment_packs_file(struct segment *seg, const struct segment *plain)
{
    if (!seg->archive || plain->archive || !archive_may_hold(seg->archive, plain->size) ||
        !segment_matches(seg, &plain->id, 0)) {
        return false;
    }
    bool same = archive_same_content(seg->archive, plain->fd);
    return rewind_archive(seg) == 0 && same;
}

/* When it was made. Where the file system does not know: when it was last written to, which was before a file
 * of its own was made that took its name. */
static int64_t made_ns(const struct segment *seg)
{
    int64_t birth = fd_birth(seg->fd);
    return birth > 0 ? birth : seg->mtime_ns;
}

bool segment_copies(struct segment *seg, struct segment *live)
{
    if (seg->archive || live->archive || live->size == 0 || made_ns(seg) <= made_ns(live)) {
        return false;
    }
    uint64_t offset = seg->offset;
    seg->offset = seg->size;
    struct file_pos end = segment_note(seg);
    seg->offset = offset;
    return seg->size == 0 || segment_match_at(live, &end) == SEGMENT_SAME;
}

int segment_seek(struct segment *seg, uint64_t offset)
{
    if (!seg->archive) {
        seg->offset = offset;
        return 0;
    }
    if (offset < seg->offset && rewind_archive(seg) < 0) {
        return -1;
    }
    char drop[16384];
    while (seg->offset < offset) {
        uint64_t left = offset - seg->offset;
        ssize_t n = segment_read(seg, drop, left < sizeof(drop) ? (size_t)left : sizeof(drop));
        if (n <= 0) {
            return -1;
        }
        segment_consume(seg, (size_t)n);
    }
    return seg->offset == offset ? 0 : -1;
}

bool segment_unpack(struct segment *seg, uint64_t offset, int64_t until_ns)
{
    bool more = offset > seg->offset + SEGMENT_LITTLE;
    while (more && clock_monotonic() < until_ns) {
        more = segment_seek(seg, seg->offset + PIECE) == 0 && offset > seg->offset + SEGMENT_LITTLE;
    }
    return more;
}

ssize_t segment_read(struct segment *seg, char *buf, size_t cap)
{
    if (!seg->archive) {
        return read_at(seg->fd, buf, cap, seg->offset);
    }
    if (unpacked(seg) < cap && unpack(seg, cap) < 0 && errno != EBADMSG) {
        return -1; /* of a damaged one, what could be unpacked is handed out */
    }
    size_t len = unpacked(seg) < cap ? unpacked(seg) : cap;
    if (len > 0) {
        memcpy(buf, seg->carry.data + seg->carried, len);
    }
    return (ssize_t)len;
}

void segment_consume(struct segment *seg, size_t len)
{
    seg->offset += len;
    if (seg->archive) {
        seg->carried += len;
    }
}
