#include "progress.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "tears.h"

static struct held *held_of(struct progress *p)
{
    if (!p->held && !(p->held = calloc(1, sizeof(*p->held)))) {
        die_out_of_memory();
    }
    return p->held;
}

static bool replays(const struct progress *p)
{
    return p->held && p->held->replay.active;
}

static union source_offset head_offset(const struct chain *c)
{
    const struct segment *head = c->head;
    return (union source_offset){
        .file = {.file = head->id, .offset = head->offset, .mtime_ns = head->mtime_ns}};
}

/* During a replay the position that is known already says more: what is put then is only held again. */
void progress_mark(struct progress *p)
{
    if (replays(p)) {
        return;
    }
    int64_t newest = feed_newest(p->feed);
    p->newest_ns = newest > 0 ? clock_newest(p->newest_ns, newest) : p->newest_ns;
    struct position pos = {.kind = POSITION_FILE, .mid_line = p->mid_line, .newest_ns = p->newest_ns};
    struct segment *head = p->chain->head;
    if (head->id.head_len < FILE_ID_HEAD) {
        segment_refresh(head); /* the file grew: the more of it is known, the surer it is found again */
    }
    pos.at.file = segment_note(head);
    if (p->held) {
        tears_note(&p->held->tears, head->offset, pos.at.file.tail);
        pos.tears = p->held->tears;
    }
    if (pos.at.file.tail.len > 0 && !head->archive) {
        pos.outline = head->outline;
    }
    for (int s = 0; p->held && s < STREAM_COUNT; s++) {
        pos.held_set[s] = pending_any(&p->held->holds[s]);
        if (pos.held_set[s]) {
            pos.held[s] = *pending_since(&p->held->holds[s]);
        }
    }
    p->moved = false;
    p->marked = true;
    feed_mark(p->feed, &pos);
}

void progress_keep(struct progress *p)
{
    if (p->moved || !p->marked) {
        progress_mark(p);
    }
}

static void on_released(void *arg, enum stream stream)
{
    struct progress *p = arg;
    held_of(p)->holds[stream].grouping = false;
    if (p->chain->head) {
        progress_mark(p);
    }
}

void progress_open(struct progress *p, struct pipeline *pipeline, const char *key, struct tags *tags,
                   const struct chain *chain)
{
    *p = (struct progress){.pipeline = pipeline, .chain = chain};
    p->feed = feed_open(pipeline, key, tags, (struct feed_calls){on_released, p});
}

void progress_close(struct progress *p)
{
    feed_close(p->feed);
    free(p->held);
}

void progress_begin(struct progress *p, const struct replay *replay, bool mid_line, int64_t newest_ns)
{
    p->newest_ns = newest_ns;
    if (replay->active || p->held) {
        held_of(p)->replay = *replay;
    }
    p->mid_line = mid_line;
}

void progress_begin_torn(struct progress *p, const struct file_tears *tears)
{
    if (tears->count > 0 || p->held) {
        held_of(p)->tears = *tears;
    }
}

void progress_start_line(struct progress *p)
{
    p->mid_line = false;
}

static struct chain_offset at_head(const struct progress *p)
{
    const struct segment *head = p->chain->head;
    return (struct chain_offset){head->order, head->offset};
}

bool progress_rereads(struct progress *p)
{
    return replays(p) && replay_goes_on(&p->held->replay, at_head(p));
}

void progress_start_file(struct progress *p)
{
    const struct segment *head = p->chain->head;
    bool copy = head && head->offset > 0;
    p->mid_line = false;
    if (p->held && !copy &&
        !(head && progress_rereads(p))) { /* then they are of the file in which that ends */
        p->held->tears.count = 0;
    }
}

/* Docker notes when a container ended before it starts it again. The last pieces may be written a moment later than
 * that; pieces of a line bear one time. */
#define RUN_END_SLACK NS_PER_S

/* Is it of another run of the container than the unfinished line before it? */
static bool is_next_run(const struct progress *p, const struct record *rec)
{
    int64_t held = p->held->since_ns[rec->stream], ns;
    return p->run_end_ns > 0 && held > 0 && held <= p->run_end_ns + RUN_END_SLACK &&
           clock_parse(rec->time, &ns) == 0 && ns > p->run_end_ns && ns != held;
}

/* Before it is put: where does its line begin? */
static void note_run(struct progress *p, struct record *rec)
{
    bool joining = p->held && p->held->holds[rec->stream].joining;
    rec->begins = joining && is_next_run(p, rec);
    if (rec->more && (!joining || rec->begins)) {
        int64_t *since = &held_of(p)->since_ns[rec->stream];
        *since = clock_parse(rec->time, since) < 0 ? 0 : *since;
    }
}

/* What is behind the head's offset stands behind a tear. */
static void tear(struct progress *p)
{
    struct segment *head = p->chain->head;
    if (!progress_rereads(p)) { /* else it is known */
        struct file_tears *tears = &held_of(p)->tears;
        struct file_tail before = {0};
        if (!tears_open(tears)) { /* of many lines on end, progress_mark looks at the last one */
            before = segment_tail(head);
        }
        tears_begin(tears, head->offset, before);
    }
}

/* Before the first record behind a tear is put: by its time that is known. */
static void end_tear(struct progress *p, const struct record *rec)
{
    int64_t ns;
    struct segment *head = p->chain->head;
    if (rec->malformed || p->mid_line || replays(p)) {
        return;
    }
    if (clock_parse(rec->time, &ns) == 0) {
        tears_end(&p->held->tears, head->offset, segment_tail(head), ns);
    } else {
        tears_drop(&p->held->tears, head->offset - 1); /* nothing here has a time */
    }
}

static void put(struct progress *p, struct record *rec)
{
    if (replays(p) && replay_delivered(&p->held->replay, rec->stream, at_head(p))) {
        return;
    }
    if (p->held && tears_open(&p->held->tears)) {
        end_tear(p, rec);
    }
    note_run(p, rec);
    unsigned result = feed_put(p->feed, rec);
    if (result != PUT_DONE || (p->held && pending_any(&p->held->holds[rec->stream]))) {
        union source_offset here = head_offset(p->chain);
        pending_update(&held_of(p)->holds[rec->stream], result, &here);
    }
    p->moved = true;
}

void progress_put(struct progress *p, struct record *rec, size_t len, bool cut)
{
    put(p, rec);
    p->mid_line = cut;
    segment_consume(p->chain->head, len);
    if (rec->malformed) {
        tear(p);
    }
}

bool progress_holds(const struct progress *p)
{
    bool holds = false;
    for (int s = 0; p->held && s < STREAM_COUNT; s++) {
        holds |= p->held->holds[s].joining;
    }
    return holds;
}

bool progress_pending(const struct progress *p)
{
    bool any = replays(p);
    for (int s = 0; p->held && s < STREAM_COUNT; s++) {
        any |= p->held->holds[s].grouping;
    }
    return any;
}

void progress_drop(struct progress *p)
{
    for (int s = 0; s < STREAM_COUNT; s++) {
        feed_drop_part(p->feed, (enum stream)s);
        if (p->held) {
            p->held->holds[s] = (struct pending){0};
        }
    }
}

void progress_flush(struct progress *p)
{
    feed_flush(p->feed);
    if (p->held) {
        memset(p->held->holds, 0, sizeof(p->held->holds));
    }
    p->moved = true;
}

void progress_skip(struct progress *p, size_t len)
{
    if (len > 0) {
        progress_flush(p); /* the rest of an unfinished line may be what is passed over */
    }
    segment_consume(p->chain->head, len);
    if (len > 0) {
        tear(p);
    }
}

void progress_forget(struct progress *p)
{
    feed_flush(p->feed);
    feed_mark(p->feed, &(struct position){.kind = POSITION_NONE});
    pipeline_save_soon(p->pipeline);
}
