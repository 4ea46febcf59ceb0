#include "source/docker_api/proof.h"

#include "base/clock.h"
#include "decode/frame.h"

/* MB a second that an Engine writes to one log at most; measured were 50 to 100, and bursts of long lines at 200. */
#define WRITE_RATE 400

#define FILE_SHARE      256 /* on credit is at most one part in so many of a file */
#define FILE_SHARE_READ 16  /* the same where a check reads the whole file */
#define ENTRY_FRAME     80  /* bytes that an entry takes in the log beside its text, about */
#define LINE_SHARE      16  /* a line that is longer than a file has brought one part in so many of it */
#define PIECES_MAX      128 /* of a line, that a check counts */

/* An entry bears the time at which it was read; a busy Engine writes it as much later at most. */
#define WRITTEN_LATE NS_PER_S

static int64_t time_to_fill(int64_t max_size)
{
    int64_t ns = max_size < WRITE_RATE * INT64_C(1000000) ? max_size * 1000 / WRITE_RATE : NS_PER_S;
    return ns < NS_PER_MS / 10 ? NS_PER_MS / 10 : ns;
}

void proof_init(struct proof *p, const struct engine *e, const struct engine_container *c)
{
    int64_t fill_ns = time_to_fill(c->max_size);
    *p = (struct proof){
        .engine = e,
        .wanted = c->rotates && !engine_is_podman(e), /* conmon's files are none of these */
        .since_skips = engine_container_since_skips(e, c),
        .own_times = engine_own_times(e, c->driver),
        .tail_harms = engine_tail_harms(e, c->driver),
        .max_size = c->max_size,
        .prompt_ns = fill_ns,
        .jump_ns = fill_ns,
    };
}

bool proof_may_gather(const struct proof *p)
{
    return !p->wanted || LOG_GATHER_NS <= p->prompt_ns / 4;
}

/* From now on nothing is taken on credit, until a check gives a proof. */
static void refuse_credit(struct proof *p)
{
    p->count = PROOF_CREDIT;
    p->owed = false;
    p->prompt = false;
}

int64_t proof_clock(const struct engine *e)
{
    return engine_clock(e) - (engine_is_local(e) ? 0 : NS_PER_S);
}

void proof_opening(struct proof *p, struct api_cursor *c, int64_t opened_ns)
{
    p->opened_ns = opened_ns;
    p->live = false;
    p->next.count = 0;
    if (p->owed) {
        p->passing = p->count;
        for (int s = 0; s < STREAM_COUNT; s++) {
            c->stream[s].last = p->proven[s];
        }
        c->seen_ns = cursor_newest(c);
    }
    refuse_credit(p);
}

/* An entry's time and stream in one word. */
static uint64_t key_of(const struct log_entry *e)
{
    return (uint64_t)e->time_ns * STREAM_COUNT + (uint64_t)e->stream;
}

bool proof_reads_live(const struct proof *p, const struct api_cursor *c)
{
    return p->wanted && cursor_newest(c) + WRITTEN_LATE > p->opened_ns;
}

/* -- what is to come next ---------------------------------------------------------------------- */

/* The pieces of a line bear one time: the last one differs. */
static uint64_t next_key(const struct log_entry *e)
{
    return key_of(e) * 2 + e->more;
}

void proof_note_next(struct known_next *next, const struct log_entry *e)
{
    if (next->count < PROOF_NEXT) {
        next->key[next->count++] = next_key(e);
    }
}

static bool is_something_next(const struct proof *p)
{
    return p->next.at < p->next.count;
}

static bool is_next(const struct proof *p, const struct log_entry *e)
{
    return is_something_next(p) && p->next.key[p->next.at] == next_key(e);
}

/* -- doubts ------------------------------------------------------------------------------------ */

/* Did it come at once? Another machine's clock is not known well enough to tell. */
static bool is_prompt(const struct proof *p, const struct log_entry *e)
{
    return engine_is_local(p->engine) && engine_clock(p->engine) - e->time_ns < p->prompt_ns;
}

/* Whole lines alone: the pieces of one cannot be told apart by their times. */
static bool may_be_on_credit(const struct proof *p, const struct log_entry *e)
{
    int64_t share = p->max_size / (p->tail_harms ? FILE_SHARE_READ : FILE_SHARE);
    return !e->more && p->prompt && p->count < PROOF_CREDIT && p->bytes < share;
}

bool proof_is_of_files(const struct proof *p, const struct log_entry *e)
{
    return e->time_ns + WRITTEN_LATE <= p->opened_ns;
}

/* Was it there when the stream was opened? */
static bool was_there(const struct proof *p, const struct log_entry *e)
{
    return !p->live && proof_is_of_files(p, e);
}

/* Does it end a line that may be longer than a file, and comes late? The pieces of a line all bear one time. */
static bool ends_doubtful_line(const struct proof *p, const struct api_pos *last, const struct log_entry *e)
{
    int64_t length = (int64_t)(last->lines + 1) * PIECE_MIN; /* or more, where pieces are missing */
    bool is_long = length >= p->max_size / LINE_SHARE || p->longest >= p->max_size / LINE_SHARE ||
                   p->piece_twice[e->stream];
    return !e->more && is_long && last->lines <= PIECES_MAX && p->bytes > 0 && !was_there(p, e) &&
           !p->since_skips && !is_prompt(p, e);
}

bool proof_doubts(struct proof *p, const struct api_cursor *c, const bool *more, const struct log_entry *e)
{
    const struct api_pos *last = &c->stream[e->stream].last;
    int64_t newest = cursor_newest(c);
    if (!p->wanted || newest == 0 || is_next(p, e)) {
        return false;
    }
    if (more[e->stream] && !p->own_times && e->time_ns == last->time_ns) {
        return ends_doubtful_line(p, last, e);
    }
    if (p->owed && (p->count >= PROOF_CREDIT || e->more)) {
        return true;
    }
    if (was_there(p, e) || e->time_ns <= p->checked_ns) {
        return false;
    }
    if (is_something_next(p) || (more[e->stream] && !p->own_times)) {
        return true;
    }
    if (e->time_ns - newest <= p->jump_ns) {
        return false;
    }
    if (may_be_on_credit(p, e)) {
        p->owed = true;
        return false;
    }
    return true;
}

/* -- what was taken ---------------------------------------------------------------------------- */

bool proof_match(uint64_t *taken, unsigned *count, const struct log_entry *e)
{
    uint64_t key = key_of(e);
    for (unsigned i = 0; i < *count; i++) {
        if (taken[i] == key) {
            taken[i] = taken[--*count];
            return true;
        }
    }
    return false;
}

bool proof_passes(struct proof *p, const struct log_entry *e)
{
    return proof_match(p->taken, &p->passing, e);
}

/* All of a line bears the time of its beginning: so much of what is missing before an entry may be written after the
 * entry's time. */
static void note_length(struct proof *p, const struct log_entry *e)
{
    int64_t *line = &p->line[e->stream];
    *line += (int64_t)e->text.len;
    p->since_longest += (int64_t)e->text.len + ENTRY_FRAME;
    if (*line > p->longest || p->since_longest / 2 > p->max_size) {
        int64_t jump = p->prompt_ns - *line * 1000 / WRITE_RATE;
        p->longest = *line;
        p->since_longest = 0;
        p->jump_ns = jump > 0 ? jump : 0;
    }
    *line = e->more ? *line : 0;
    p->piece_twice[e->stream] &= e->more;
}

void proof_follows(struct proof *p, const struct api_cursor *c, const struct log_entry *e)
{
    if (proof_reads_live(p, c) && e->time_ns < c->stream[e->stream].last.time_ns) {
        p->checked_ns = e->time_ns;
        p->live = true;
    }
}

void proof_taken(struct proof *p, const struct log_entry *e)
{
    p->entries++;
    if (!p->wanted) {
        return;
    }
    p->next.at = is_next(p, e) ? p->next.at + 1 : p->next.count;
    p->live |= e->time_ns > p->opened_ns;
    note_length(p, e);
    if (e->more) {
        refuse_credit(p);
    }
    p->bytes += (int64_t)e->text.len + ENTRY_FRAME;
    if (p->count < PROOF_CREDIT) {
        p->taken[p->count++] = key_of(e);
        p->prompt = is_prompt(p, e);
    }
}

void proof_given(struct proof *p, const struct api_cursor *c, int64_t until_ns, const struct known_next *next)
{
    p->next = next ? *next : (struct known_next){.count = 0};
    for (int s = 0; s < STREAM_COUNT; s++) {
        p->proven[s] = c->stream[s].last;
    }
    p->checked_ns = until_ns;
    p->owed = false;
    p->bytes = 0;
    if (until_ns > p->opened_ns) { /* what is to be passed over is older than that */
        p->passing = 0;
    }
    p->count = p->passing > 0 ? PROOF_CREDIT : 0;
}
