#include "begin.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "cut.h"
#include "tears.h"

/* What a position means in terms of a listing. */
struct start {
    size_t count;               /* so many of the newest files are to be read */
    struct cut found;           /* it was cut */
    struct position cut;        /* then: where to go on in it */
    ssize_t at;                 /* the file that the position was taken in; -1: it is gone */
    ssize_t held[STREAM_COUNT]; /* the files in which unfinished lines began; -1: none, or gone */
};

/* -- finding files again ----------------------------------------------------------------------- */

/* The file of the same inode, where it is the same; -1: there is none. */
static ssize_t find_inode(struct listing *l, const struct file_pos *pos)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct generation *at = &l->files[i].at;
        if (!at->name.packed && same_inode(&pos->file, at->dev, at->ino)) {
            struct segment *seg = listing_open(l, i);
            return seg && segment_match_at(seg, pos) == SEGMENT_SAME ? (ssize_t)i : -1;
        }
    }
    return -1;
}

/* The file in which an unfinished line began: that of the position, or one before it, the nearest. */
static ssize_t find_held(struct listing *l, const struct position *pos, ssize_t at,
                         const struct file_pos *held)
{
    ssize_t best = -1;
    for (size_t i = (size_t)at; i < l->count; i++) {
        struct segment *seg = listing_open(l, i);
        if (seg && seg->archive) {
            segment_seek(seg, 0);
        }
        if (!seg || !segment_matches(seg, &held->file, held->offset)) {
            continue;
        }
        bool here = (ssize_t)i == at && same_inode(&held->file, pos->at.file.file.dev, pos->at.file.file.ino);
        bool inode = !seg->archive && same_inode(&held->file, seg->id.dev, seg->id.ino);
        if (here || inode) {
            return (ssize_t)i;
        }
        if ((ssize_t)i != at && best < 0) {
            best = (ssize_t)i;
        }
    }
    return best;
}

/* Was the position taken in it? Its inode may have been used again. */
static bool is_it(const struct begin *b, const char *path, const struct position *pos,
                  const struct file_pos *at)
{
    struct segment *seg = segment_open(path, NULL);
    bool same = seg && (segment_match_at(seg, at) == SEGMENT_SAME ||
                        (at == &pos->at.file && cut_find(seg, pos, b->decoder).kind != CUT_NOT));
    segment_close(seg);
    return same;
}

/* It has a name that tells nothing: looks for it by its inode. True: it was found, and is to be listed
 * too. */
static bool find_stray(const struct begin *b, struct intake *in, const struct listing *l,
                       const struct position *pos, const struct file_pos *at)
{
    for (size_t i = 0; i < l->count; i++) {
        if (same_inode(&at->file, l->files[i].at.dev, l->files[i].at.ino)) {
            return false; /* listed already, and another file by now */
        }
    }
    char *path = ownership_find(in->ownership, at);
    if (path && !is_it(b, path, pos, at)) {
        free(path);
        path = NULL;
    }
    return path && intake_add_stray(in, path);
}

static void report_cut(const struct intake *in, const struct file_pos *at, const struct cut *cut)
{
    metrics.cut_logs++;
    if (cut->passed > 0) {
        metrics.gaps++;
        log_error("a log was cut off, as after a loss of power, or emptied and written anew, which it does "
                  "not tell: lines "
                  "before where it is gone on with may be lost",
                  KV("path", in->path), KN("offset", at->offset), KN("going_on_at", cut->go_on));
        return;
    }
    log_warn(cut->kind == CUT_SURE
                 ? "a log was cut off before its position, as after a loss of power: going on behind that"
                 : "a log was cut off, as after a loss of power, or emptied and written anew, which it does "
                   "not tell: "
                   "its lines may come again",
             KV("path", in->path), KN("offset", at->offset), KN("going_on_at", cut->go_on));
}

/* Does a line end before the offset? */
static bool is_line_end(struct segment *seg, uint64_t offset)
{
    char before = 0;
    bool read = offset > 0 && segment_seek(seg, offset - 1) == 0 && segment_read(seg, &before, 1) == 1;
    segment_seek(seg, 0);
    return read && before == '\n';
}

static struct file_tail tail_at(struct segment *seg, uint64_t offset)
{
    struct file_tail tail = {0};
    if (segment_seek(seg, offset) == 0) {
        tail = segment_tail(seg);
    }
    segment_seek(seg, 0);
    return tail;
}

/* Where reading goes on in a file that was cut. What is left of an unfinished line is taken up: but not
 * where it would be read together with what was torn. */
static struct position position_in_cut(struct segment *seg, const struct position *pos,
                                       const struct cut *found, bool framed)
{
    uint64_t go_on = found->go_on;
    struct position cut = *pos;
    bool clean = framed || is_line_end(seg, go_on);
    cut.mid_line = false;
    cut.tears.count = (uint8_t)found->tears;
    tears_begin(&cut.tears, go_on, tail_at(seg, go_on));
    cut.at.file.offset = go_on;
    cut.at.file.tail.len = 0;
    for (int s = 0; s < STREAM_COUNT; s++) {
        const struct file_pos *held = &pos->held[s].file;
        bool here = same_inode(&held->file, pos->at.file.file.dev, pos->at.file.file.ino);
        if (pos->held_set[s] && (!clean || (here && held->offset >= go_on))) {
            cut.held[s].file.file.head_len = 0; /* nowhere to be found */
        }
    }
    return cut;
}

/* Is this the file that the position was taken in, and was it cut? */
static bool find_cut_at(const struct begin *b, struct listing *l, size_t i, const struct position *pos,
                        struct start *start)
{
    struct segment *seg = listing_open(l, i);
    struct cut cut = seg ? cut_find(seg, pos, b->decoder) : (struct cut){.kind = CUT_NOT};
    if (cut.kind == CUT_NOT) {
        return false;
    }
    start->found = cut;
    start->cut = position_in_cut(seg, pos, &cut, b->decoder && b->decoder->framing);
    start->at = (ssize_t)i;
    return true;
}

/* That of the same inode first; then it may be copied or packed by now. */
static bool find_cut(const struct begin *b, struct listing *l, const struct position *pos,
                     struct start *start)
{
    const struct file_id *id = &pos->at.file.file;
    int rounds = pos->newest_ns != 0 ? 2 : 1; /* others are known by their times alone */
    for (int other = 0; other < rounds; other++) {
        for (size_t i = 0; i < l->count; i++) {
            const struct generation *at = &l->files[i].at;
            bool same = !at->name.packed && same_inode(id, at->dev, at->ino);
            if (same != other && find_cut_at(b, l, i, pos, start)) {
                return true;
            }
        }
    }
    return false;
}

/* Finds the files in which unfinished lines began. */
static enum intake_result locate_held(const struct begin *b, struct intake *in, struct listing *l,
                                      const struct position *pos, struct start *start)
{
    start->at = (ssize_t)intake_arrange(in, l, (size_t)start->at, &pos->at.file);
    start->count = (size_t)start->at + 1;
    bool missing = false;
    for (int s = 0; s < STREAM_COUNT; s++) {
        start->held[s] = pos->held_set[s] ? find_held(l, pos, start->at, &pos->held[s].file) : -1;
        if (pos->held_set[s] && start->held[s] < 0) {
            if (find_stray(b, in, l, pos, &pos->held[s].file)) {
                return INTAKE_AGAIN;
            }
            missing = true;
        }
        if (start->held[s] >= (ssize_t)start->count) {
            start->count = (size_t)start->held[s] + 1;
        }
    }
    return missing ? intake_check(in, l, (size_t)start->at, l->count) : INTAKE_DONE;
}

/* Finds the position in the listing. A file that cannot be opened may be the one: then it is waited for. */
static enum intake_result locate(struct begin *b, struct intake *in, struct listing *l,
                                 const struct position *pos, struct start *start, bool at_once)
{
    const struct file_pos *at = &pos->at.file;
    start->at = find_inode(l, at);
    b->unpacks = start->at < 0 && !at_once && unpacking_go_on(&b->unpacking, l, at);
    if (b->unpacks) {
        return INTAKE_LATER;
    }
    start->at = start->at >= 0 ? start->at : listing_find_content(l, 0, at);
    if (start->at < 0 && (find_stray(b, in, l, pos, at) || intake_add_copy(in, l, at))) {
        return INTAKE_AGAIN;
    }
    if (start->at < 0 && find_cut(b, l, pos, start)) {
        return locate_held(b, in, l, &start->cut, start);
    }
    if (start->at < 0) {
        size_t newer = listing_newer(l, at->mtime_ns);
        start->count = newer > 0 ? newer : l->count > 0;
        return intake_check(in, l, 0, l->count);
    }
    return locate_held(b, in, l, pos, start);
}

/* -- beginning at a position ------------------------------------------------------------------- */

/* Is the log in the file of the position still? An inode may be used again at once: then the file was made since. */
static bool is_in_place(const struct listing *l, const struct position *pos)
{
    const struct generation *live = &l->files[0].at;
    return l->count > 0 && same_inode(&pos->at.file.file, live->dev, live->ino) &&
           live->birth_ns <= pos->at.file.mtime_ns;
}

static void report_lost(const struct intake *in, bool in_place, const struct position *pos)
{
    if (in_place) {
        metrics.truncations++;
    } else {
        metrics.gaps++;
    }
    log_warn(in_place ? "a log was truncated or replaced while nobody read it: going on with what is there"
                      : "the file that was being read is gone: going on with the newer ones",
             KV("path", in->path), KN("offset", pos->at.file.offset));
}

/* What an unfinished line consists of was read up to the position, and kept nowhere but in its file. */
static void report_held_lost(const struct intake *in, const struct position *pos, const struct start *start)
{
    for (int s = 0; s < STREAM_COUNT; s++) {
        if (pos->held_set[s] && start->held[s] < 0) {
            metrics.gaps++;
            log_error("the file in which an unfinished line began is gone: so is the line's beginning",
                      KV("path", in->path), KN("offset", pos->held[s].file.offset));
        }
    }
}

/* What an offset in a file of the listing will be in the chain: files that cannot be read are not in it. */
static struct chain_offset offset_in_chain(const struct chain *c, const struct listing *l,
                                           const struct start *start, ssize_t file, uint64_t offset)
{
    uint64_t order = c->next_order;
    for (size_t i = start->count - 1; (ssize_t)i > file; i--) {
        order += l->files[i].fault == 0 && !l->files[i].copying;
    }
    return (struct chain_offset){order, offset};
}

/* Sets what is delivered already; where to read from. */
static struct chain_offset set_replay(struct replay *r, const struct chain *c, const struct listing *l,
                                      const struct position *pos, const struct start *start)
{
    r->until = offset_in_chain(c, l, start, start->at, pos->at.file.offset);
    for (int s = 0; s < STREAM_COUNT; s++) {
        r->from_set[s] = start->held[s] >= 0;
        if (r->from_set[s]) {
            r->from[s] = offset_in_chain(c, l, start, start->held[s], pos->held[s].file.offset);
        }
    }
    return replay_start(r);
}

static void begin_at(struct begun *out, struct intake *in, struct listing *l, const struct position *pos,
                     const struct start *start)
{
    struct chain_offset from = set_replay(&out->replay, in->chain, l, pos, start);
    for (size_t i = 0; i + 1 < start->count; i++) {
        if (l->files[i].seg) {
            segment_seek(l->files[i].seg, 0); /* it may have been unpacked for comparison */
        }
    }
    intake_take(in, l, start->count);
    struct segment *head = in->chain->head;
    if (segment_seek(head, from.offset) < 0) {
        metrics.gaps++;
        log_error("cannot go on inside a compressed log", KV("path", in->path),
                  KV("error", archive_fault(head->archive)));
        chain_remember(in->chain, head);
        chain_drop_head(in->chain);
        return;
    }
    segment_note(head);
    out->mid_line = !out->replay.active && pos->mid_line;
    out->tears = pos->tears;
}

static enum intake_result begin_once(struct begin *b, struct intake *in, struct listing *l,
                                     const struct position *pos, bool at_once, struct begun *out)
{
    struct start start = {.count = l->count, .at = -1, .held = {-1, -1}};
    enum intake_result result = pos ? locate(b, in, l, pos, &start, at_once) : INTAKE_DONE;
    if (result == INTAKE_DONE) {
        result = intake_prepare(in, l, start.count);
    }
    if (result != INTAKE_DONE) {
        return result;
    }
    if (start.at >= 0) {
        if (!l->files[start.count - 1].seg) {
            return INTAKE_AGAIN; /* it could be opened just now */
        }
        out->cut = start.found.kind != CUT_NOT;
        if (out->cut) {
            report_cut(in, &pos->at.file, &start.found);
            pos = &start.cut;
        }
        report_held_lost(in, pos, &start);
        begin_at(out, in, l, pos, &start);
        return INTAKE_DONE;
    }
    bool missed = pos && pos->at.file.file.head_len > 0; /* else it was empty, and nothing is missed */
    bool in_place = missed && is_in_place(l, pos);
    if (missed && !(b->complete && start.count <= 1)) {
        report_lost(in, in_place, pos);
    }
    out->gone = missed && !in_place;
    b->complete = false;
    intake_take(in, l, start.count);
    return INTAKE_DONE;
}

/* -- beginning at the end ---------------------------------------------------------------------- */

/* Behind the last newline of a plain file. */
static uint64_t end_of_lines(struct segment *seg)
{
    char buf[4096];
    uint64_t end = seg->size;
    while (end > 0) {
        uint64_t begin = end > sizeof(buf) ? end - sizeof(buf) : 0;
        segment_seek(seg, begin);
        ssize_t n = segment_read(seg, buf, (size_t)(end - begin));
        const char *newline = n > 0 ? memrchr(buf, '\n', (size_t)n) : NULL;
        if (newline) {
            return begin + (uint64_t)(newline - buf) + 1;
        }
        end = begin;
    }
    return 0;
}

/* Behind the last whole record of a plain file, in a format with framing. */
static uint64_t end_of_records(struct segment *seg, const struct decoder *decoder)
{
    size_t longest = decoder->framing->longest;
    size_t len = seg->size < longest ? (size_t)seg->size : longest;
    uint64_t end = seg->size - len;
    int64_t found;
    char *bytes = calloc(1, len + DECODE_PAD);
    if (!bytes) {
        die_out_of_memory();
    }
    segment_seek(seg, end);
    ssize_t n = segment_read(seg, bytes, len);
    end += n > 0 ? decoder_pass(decoder, bytes, bytes + n, INT64_MAX, &found) : len;
    free(bytes);
    return end;
}

static void seek_end(struct segment *seg, const struct decoder *decoder)
{
    if (seg->archive) {
        segment_seek(seg, UINT64_MAX); /* as far as it goes */
    } else {
        segment_seek(seg, decoder && decoder->framing ? end_of_records(seg, decoder) : end_of_lines(seg));
    }
}

/* All files count as read, but for those that are new, or where there are none, for what comes behind the end of the
 * newest. */
static enum intake_result begin_at_end(const struct begin *b, struct intake *in, struct listing *l)
{
    size_t made_since = listing_made_since(l, b->saved_ns), count = made_since > 0 ? made_since : 1;
    for (size_t i = l->count - 1; i >= count; i--) {
        if (i <= CHAIN_ENDS && listing_open(l, i)) {
            chain_remember(in->chain, l->files[i].seg);
        }
    }
    enum intake_result result = intake_prepare(in, l, count);
    if (result != INTAKE_DONE) {
        return result;
    }
    struct segment *newest = l->files[0].seg;
    if (made_since > 0) {
        intake_take(in, l, count);
    } else if (newest && newest->archive) {
        chain_remember(in->chain, newest);
    } else if (newest) {
        seek_end(newest, b->decoder);
        intake_take(in, l, 1);
    }
    return INTAKE_DONE;
}

/* Whose they are is not asked, for which each would have to be opened. */
static bool may_be_opened(void *arg, const struct generation *gen)
{
    const struct ownership *o = arg;
    return !o || ownership_allows(o, gen->path ? gen->path : o->path);
}

/* The newest file may be empty, just after a rotation: then that of before tells. */
bool begin_note_end(const char *path, const struct ownership *o, const struct decoder *decoder,
                    int64_t saved_ns, struct file_pos *end)
{
    struct listing l;
    *end = (struct file_pos){0};
    struct listing_filter filter = {may_be_opened, (void *)o};
    bool listed = listing_read(&l, path, NULL, 1, filter, NULL) == 0;
    size_t from = listed ? listing_made_since(&l, saved_ns) : 0;
    for (size_t i = from; listed && i < l.count && end->file.head_len == 0; i++) {
        struct segment *seg = listing_open(&l, i);
        if (seg) {
            seek_end(seg, decoder);
            *end = segment_note(seg);
        }
    }
    listing_free(&l);
    return end->file.head_len > 0;
}

/* -- the whole --------------------------------------------------------------------------------- */

static enum intake_result try_listing(struct begin *b, struct intake *in, const struct position *pos,
                                      bool at_once, struct begun *out)
{
    struct listing l;
    enum intake_result result = INTAKE_LATER;
    if (intake_list(in, &l) == 0) {
        if (l.count == 0) {
            b->from_end = false; /* what appears from now on is new */
        } else if (b->from_end && !pos) {
            result = begin_at_end(b, in, &l);
        } else {
            result = begin_once(b, in, &l, pos, at_once, out);
        }
    }
    listing_free(&l);
    return result;
}

void begin_try(struct begin *b, struct intake *in, const struct position *known, struct begun *out)
{
    const struct position *pos = known && known->kind == POSITION_FILE ? known : NULL;
    struct position initial = {.kind = POSITION_FILE};
    *out = (struct begun){0};
    b->unpacks = false;
    if (!known && b->initial) {
        initial.at.file = *b->initial;
        pos = &initial;
    }
    enum intake_result result = INTAKE_AGAIN;
    for (int i = 0; i < INTAKE_TRIES && result == INTAKE_AGAIN; i++) {
        result = try_listing(b, in, pos, i > 0, out); /* listed anew, it would be unpacked anew */
    }
    intake_drop_strays(in);
    b->done = result == INTAKE_DONE;
    if (!b->unpacks) { /* what it waits for may take long */
        unpacking_free(&b->unpacking);
    }
    if (b->done && known && !pos) {
        log_warn("the checkpoint knows this log from another source: it says nothing of where to go on",
                 KV("path", in->path));
    }
}

void begin_free(struct begin *b)
{
    unpacking_free(&b->unpacking);
    free(b->initial);
    b->initial = NULL;
}
