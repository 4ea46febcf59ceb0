#include "follow.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/utf8.h"
#include "follow_internal.h"

#define FIRST_LINE_MAX 131072 /* longer than an entry of json-file or CRI, but for one of escapes only */

/* -- positions --------------------------------------------------------------------------------- */

static union source_offset place_at(const struct segment *seg, uint64_t offset)
{
    return (union source_offset){.file = {.file = seg->id, .offset = offset, .mtime_ns = seg->mtime_ns}};
}

/* All that was put is covered by where the head stands now, but for what is held. During a replay the
 * position that is known already says more: what is put then is only held again. */
static void mark(struct follow *f)
{
    if (f->replay.active) {
        return;
    }
    struct position pos = {.kind = POSITION_FILE, .mid_line = f->mid_line};
    if (f->head->id.head_len < FILE_ID_HEAD) {
        segment_refresh(f->head); /* the file grew: the more of it is known, the surer it is found again */
    }
    pos.at.file = segment_note(f->head);
    for (int s = 0; s < STREAM_COUNT; s++) {
        pos.held_set[s] = pending_any(&f->holds[s]);
        if (pos.held_set[s]) {
            pos.held[s] = *pending_since(&f->holds[s]);
        }
    }
    f->moved = false;
    feed_mark(f->feed, &pos);
}

static void on_released(void *arg, enum stream stream)
{
    struct follow *f = arg;
    f->holds[stream].grouping = false;
    if (f->head) {
        mark(f);
    }
}

static int spot_compare(struct spot a, struct spot b)
{
    if (a.order != b.order) {
        return a.order < b.order ? -1 : 1;
    }
    return (a.offset > b.offset) - (a.offset < b.offset);
}

/* Was the entry that begins at the head's offset delivered before the last stop? */
static bool delivered_before(struct follow *f, enum stream stream)
{
    struct spot here = {f->head->order, f->head->offset};
    if (spot_compare(here, f->replay.until) >= 0) {
        f->replay.active = false;
        return false;
    }
    return !f->replay.from_set[stream] || spot_compare(here, f->replay.from[stream]) < 0;
}

static void put(struct follow *f, struct record *rec)
{
    if (f->replay.active && delivered_before(f, rec->stream)) {
        return;
    }
    unsigned result = feed_put(f->feed, rec);
    struct pending *hold = &f->holds[rec->stream];
    if (result != PUT_DONE || pending_any(hold)) {
        union source_offset here = place_at(f->head, f->head->offset);
        pending_update(hold, result, &here);
    }
    f->moved = true;
}

/* -- bytes to records -------------------------------------------------------------------------- */

static size_t line_limit(const struct follow *f)
{
    return 2 * (size_t)f->tailer->cfg->line_max;
}

/* The format as the first line of the file being read tells it, where reading begins behind that. NULL: it
 * cannot be had: of an archive, or where it is very long. */
static const struct decoder *guess_by_head(struct follow *f)
{
    struct segment *seg = f->head;
    char *head = seg->offset > 0 && !seg->gz ? calloc(1, FIRST_LINE_MAX + DECODE_PAD) : NULL;
    if (!head) {
        return NULL;
    }
    size_t most = seg->offset < FIRST_LINE_MAX ? (size_t)seg->offset : FIRST_LINE_MAX;
    ssize_t got = pread(seg->fd, head, most, 0);
    const struct decoder *found = got > 0 ? decoder_guess(head, head + got) : NULL;
    free(head);
    return found;
}

/* What decodes the line at p. NULL: its format is not known, and there is no whole line yet to tell it.
 * `last`: nor will there be. */
static const struct decoder *decoder_at(struct follow *f, const char *p, const char *end, bool last)
{
    if (f->mid_line) {
        return &decoder_plain;
    }
    if (!f->decoder) {
        f->decoder = guess_by_head(f);
    }
    if (!f->decoder) {
        f->decoder = decoder_guess(p, end);
    }
    if (!f->decoder && last) {
        f->decoder = &decoder_plain;
    }
    return f->decoder;
}

/* Puts the whole lines of buf[0, len); stops when the pipeline has no more room. `full`: more follows than
 * fits into it. `last`: nothing will come behind it. */
static void consume(struct follow *f, const char *buf, size_t len, bool full, bool last)
{
    struct tailer *t = f->tailer;
    struct segment *seg = f->head;
    const char *p = buf, *end = buf + len;
    struct record rec;
    while (p < end) {
        const struct decoder *decoder = decoder_at(f, p, end, full ? p == buf : last);
        size_t used = decoder ? decoder->next(p, end, &rec, &t->scratch) : 0;
        if (used == 0) {
            break;
        }
        put(f, &rec);
        f->mid_line = false;
        segment_consume(seg, used);
        p += used;
        if (pipeline_full(t->pl)) {
            mark(f);
            if (!pipeline_room(t->pl)) {
                break;
            }
        }
    }
}

/* A line that does not fit into the largest buffer: a piece of it, as text. */
static void cut_piece(struct follow *f, const char *buf)
{
    struct record rec;
    size_t len = utf8_cut(buf, (size_t)f->tailer->cfg->line_max);
    decode_as_text(buf, len, &rec);
    rec.malformed = !f->mid_line && f->decoder != &decoder_plain;
    rec.partial = true;
    metrics.cut_lines++;
    put(f, &rec);
    f->mid_line = true;
    segment_consume(f->head, len);
}

/* What stands at the end of a file that nobody will write to again, without a newline: a line all the same.
 */
static void put_rest(struct follow *f, const char *buf, size_t len)
{
    struct record rec;
    decode_as_text(buf, len, &rec);
    rec.malformed = !f->mid_line && f->decoder != &decoder_plain;
    put(f, &rec);
    f->mid_line = false;
    segment_consume(f->head, len);
}

/* -- reading ----------------------------------------------------------------------------------- */

/* Says a fault of reading once, until it has gone. */
static void fault(struct follow *f, const char *what)
{
    metrics.read_errors++;
    if (!f->failing) {
        log_error(what, KV("path", f->path), KV("error", strerror(errno)));
    }
    f->failing = true;
}

/* The one file of the chain that may still be truncated in place. */
static bool is_live(const struct follow *f)
{
    return f->head == f->tail && !f->head->gz;
}

/* Was it written to since it was found empty? It may be empty again. */
static bool was_empty(struct segment *seg)
{
    return seg->offset == 0 && seg->empty_ns > 0 &&
           (seg->size > 0 ? seg->id.head_len > 0 && segment_intact(seg) == 1
                          : seg->mtime_ns != seg->empty_ns);
}

/* Looks at the live file before it is read. False: at another time. */
static bool look_at_live(struct follow *f)
{
    struct segment *seg = f->head;
    if (!f->unsettled && !f->failing) {
        f->seen = (struct file_seen){.unread = seg->size > seg->offset ? seg->size - seg->offset : 0,
                                     .mtime_ns = seg->mtime_ns};
    }
    if (segment_refresh(seg) < 0) {
        fault(f, "cannot look at a log file");
        return false;
    }
    return !was_empty(seg) || chain_was_empty(f) == TAKE_NOW;
}

/* Asked after the read: what stands before our offset is still what we have read, so what was read came
 * behind it. 1 or 0; -1 (errno) when that cannot be read. */
static int was_truncated(struct segment *seg)
{
    int intact = seg->size < seg->offset ? 0 : seg->id.head_len > 0 ? segment_intact(seg) : 1;
    return intact < 0 ? -1 : !intact;
}

static enum follow_state finish(struct follow *f)
{
    struct position forget = {.kind = POSITION_NONE};
    if (f->behind) {
        metrics.gaps++;
        log_error("a log was deleted before all of its files could be read", KV("path", f->path));
    }
    feed_flush(f->feed);
    feed_mark(f->feed, &forget);
    pipeline_save_soon(f->tailer->pl);
    f->finished(f->finished_arg);
    return FOLLOW_IDLE;
}

/* The head is read to its end as of now, `len` bytes without a newline remain in `rest`. `leave`: the next
 * file was seen to be written to before. */
static enum follow_state at_end(struct follow *f, const char *rest, size_t len, bool leave)
{
    bool last = !f->head->next;
    if (last && f->behind) {
        chain_take_newer(f);
        if (f->head->next) {
            return FOLLOW_MORE;
        }
    }
    if (last ? !f->gone : !leave) {
        return FOLLOW_IDLE;
    }
    if (len > 0) {
        put_rest(f, rest, len);
    }
    if (f->moved) {
        mark(f);
    }
    if (f->head->damaged) {
        metrics.gaps++;
        log_error("a gzipped log is damaged: what it held from here on is lost", KV("path", f->path),
                  KN("offset", f->head->offset));
    }
    chain_drop_head(f, true);
    f->leaving_ns = 0;
    pipeline_save_soon(f->tailer->pl);
    return last ? finish(f) : FOLLOW_MORE;
}

/* Was any of the newer files written to? Rotated ones may be empty. */
static bool written_to(struct segment *seg)
{
    while (seg && !seg->gz && (segment_refresh(seg) < 0 || seg->size == 0)) {
        seg = seg->next;
    }
    return seg != NULL;
}

/* May the head be left, once it is read to its end? Not all of its writers have gone over to the next file
 * when the first of them has; when they have gone over to the one behind it, they have. */
static bool may_leave(struct follow *f)
{
    if (!written_to(f->head->next)) {
        f->leaving_ns = 0;
        return false;
    }
    if (f->head->gz || f->head->next->next || f->grace_ns == 0) {
        return true;
    }
    int64_t now = clock_monotonic();
    f->leaving_ns = f->leaving_ns > 0 ? f->leaving_ns : now;
    int64_t left = f->leaving_ns + f->grace_ns - now;
    if (left > 0) {
        tailer_look_again(f->tailer, left);
    }
    return left <= 0;
}

/* No whole line in a full buffer: a larger one, or a cut. */
static enum follow_state too_long(struct follow *f, size_t got)
{
    struct tailer *t = f->tailer;
    size_t limit = line_limit(f);
    if (got < limit) {
        if (tailer_grow(t, t->cap * 2 < limit ? t->cap * 2 : limit) < 0) {
            die_out_of_memory();
        }
        return FOLLOW_MORE;
    }
    cut_piece(f, t->buf);
    mark(f);
    return FOLLOW_MORE;
}

enum follow_state follow_read(struct follow *f)
{
    struct tailer *t = f->tailer;
    if (!f->head) {
        return f->gone ? finish(f) : FOLLOW_IDLE;
    }
    if (is_live(f) && !look_at_live(f)) {
        return FOLLOW_IDLE;
    }
    struct segment *seg = f->head;
    bool leave = may_leave(f);
    uint64_t begin = seg->offset;
    ssize_t got = segment_read(seg, t->buf, t->cap);
    if (got < 0) {
        fault(f, "cannot read a log file");
        return FOLLOW_IDLE; /* tried again at the next look */
    }
    int truncated = is_live(f) ? was_truncated(seg) : 0;
    if (truncated < 0) {
        fault(f, "cannot read a log file");
        return FOLLOW_IDLE;
    }
    if (truncated) {
        return chain_truncated(f, &f->seen) == TAKE_NOW ? FOLLOW_MORE : FOLLOW_IDLE;
    }
    f->unsettled = false;
    memset(t->buf + got, 0, DECODE_PAD); /* decoders look ahead: at nothing, not at what was there before */
    f->failing = false;
    bool whole = (size_t)got == t->cap;
    consume(f, t->buf, (size_t)got, whole, leave || f->gone);
    size_t used = (size_t)(seg->offset - begin);
    if (f->moved) {
        mark(f);
    }
    if (!pipeline_room(t->pl)) {
        return FOLLOW_MORE;
    }
    if (whole) {
        return used > 0 ? FOLLOW_MORE : too_long(f, (size_t)got);
    }
    return at_end(f, t->buf + used, (size_t)got - used, leave);
}

/* -- the contract ------------------------------------------------------------------------------ */

struct follow *follow_open(struct tailer *t, const struct follow_options *options)
{
    struct follow *f = calloc(1, sizeof(*f));
    if (!f || !(f->path = strdup(options->path))) {
        free(f);
        return NULL;
    }
    f->tailer = t;
    f->decoder = options->decoder;
    f->feed = feed_open(t->pl, options->key, options->tags, (struct feed_calls){on_released, f});
    f->from_end = options->from_end;
    f->grace_ns = options->grace_ns;
    if (options->from) {
        f->initial = (struct position){.kind = POSITION_FILE, .at.file = *options->from};
    }
    TAILQ_INSERT_TAIL(&t->all, f, all_link);
    chain_begin(f);
    if (options->claim && f->head && f->head->id.head_len > 0 && !pipeline_position(t->pl, options->key)) {
        mark(f);
    }
    return f;
}

/* The process ends: what is open and has no name any more goes with it. What of that was not delivered is
 * lost. */
static void say_lost(const struct follow *f)
{
    const struct position *pos = checkpoint_get(f->tailer->checkpoint, feed_key(f->feed));
    const struct file_id *at = pos && pos->kind == POSITION_FILE ? &pos->at.file.file : NULL;
    uint64_t lost = 0;
    for (const struct segment *seg = f->head; seg; seg = seg->next) {
        struct stat st;
        if (fstat(seg->fd, &st) < 0) {
            continue;
        }
        bool here = at && at->ino == st.st_ino && at->dev == st.st_dev;
        uint64_t delivered = here ? pos->at.file.offset : 0;
        uint64_t size = seg->gz ? seg->size : (uint64_t)st.st_size;
        if (here) {
            lost = 0; /* all before it is delivered */
        }
        if (st.st_nlink == 0 && size > delivered) {
            lost += size - delivered;
        }
    }
    if (lost > 0) {
        metrics.lost_bytes += lost;
        log_error("a log was deleted before all of it was delivered, and sidetail ends: the rest is lost",
                  KV("path", f->path), KN("lost_bytes", lost));
    }
}

void follow_close(struct follow *f)
{
    if (!f) {
        return;
    }
    if (f->tailer->stopped) {
        say_lost(f);
    }
    if (f->dirty) {
        TAILQ_REMOVE(&f->tailer->dirty, f, dirty_link);
    }
    TAILQ_REMOVE(&f->tailer->all, f, all_link);
    chain_close(f);
    feed_close(f->feed);
    free(f->path);
    free(f);
}

void follow_wake(struct follow *f)
{
    tailer_queue(f);
}

void follow_look(struct follow *f)
{
    chain_look(f);
    uint64_t lag = 0;
    for (struct segment *seg = f->head; seg; seg = seg->next) {
        lag += seg->size > seg->offset ? seg->size - seg->offset : 0;
    }
    feed_set_lag(f->feed, lag);
    if (lag > 0 || f->segments > 1 || f->unsettled || f->gone || (f->head && was_empty(f->head))) {
        tailer_queue(f);
    }
}

void follow_finish(struct follow *f, void (*done)(void *arg), void *arg)
{
    f->gone = true;
    f->finished = done;
    f->finished_arg = arg;
    tailer_queue(f);
}

void follow_keep(struct follow *f)
{
    f->gone = false;
}

void follow_retag(struct follow *f, struct tags *tags)
{
    feed_retag(f->feed, tags);
}

bool follow_deleted(const struct follow *f, uint64_t *size)
{
    struct stat path;
    *size = 0;
    if (f->behind || stat(f->path, &path) == 0 || errno != ENOENT) {
        return false; /* it is there, but could not be opened yet */
    }
    for (const struct segment *seg = f->head; seg; seg = seg->next) {
        struct stat st;
        if (fstat(seg->fd, &st) < 0 || st.st_nlink > 0) {
            return false;
        }
        *size += (uint64_t)st.st_size;
    }
    return true;
}
