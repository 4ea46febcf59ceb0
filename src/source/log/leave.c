#include "leave.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/metrics.h"
#include "newer.h"

/* Was any of the newer files written to? Rotated ones may be empty. */
static bool written_to(struct segment *seg)
{
    while (seg && !seg->archive && (segment_refresh(seg) < 0 || seg->size == 0)) {
        seg = seg->next;
    }
    return seg != NULL;
}

bool leave_is_back(const struct follow *f)
{
    const struct segment *head = f->chain.head;
    return head->next && !head->archive && segment_is_named(head, f->path);
}

/* Not all of its writers have gone over to the next file when the first of them has; when they have gone over to the one
 * behind it, they have. Of a log that is deleted nothing more will come. */
bool leave_may(struct follow *f)
{
    const struct segment *head = f->chain.head;
    if (!head->next || (!f->gone && !written_to(head->next) && !newer_crowded(&f->intake))) {
        f->grace_since_ns = 0;
        return false;
    }
    if (f->gone || head->archive || head->next->next || f->grace_ns == 0) {
        return true;
    }
    int64_t now = clock_monotonic();
    f->grace_since_ns = f->grace_since_ns > 0 ? f->grace_since_ns : now;
    int64_t left = f->grace_since_ns + f->grace_ns - now;
    if (left > 0) {
        f->env->ready_later(f->env->arg, left);
    }
    return left <= 0;
}

/* Was it copied, under a name that may be that of another log, while the file that it was copied from goes on? */
static bool is_copy(const struct segment *head)
{
    const struct segment *next = head->next;
    return head->inside && next && !next->archive && fd_birth(head->fd) > fd_birth(next->fd);
}

void leave_head(struct follow *f, bool ended)
{
    struct segment *head = f->chain.head;
    if (head->damaged) {
        metrics.gaps++;
        log_error("a compressed log could not be unpacked: what it held from here on is lost",
                  KV("path", f->path), KN("offset", head->offset), KV("error", archive_fault(head->archive)));
    }
    struct file_pos end = ended ? chain_remember(&f->chain, head) : segment_note(head);
    if (!ended) {
        chain_remember_end(&f->chain, &end);
    }
    if (!head->archive) { /* while the position is still in it */
        f->env->others.left(f->env->others.arg, &end, is_copy(head) ? feed_key(f->progress.feed) : NULL);
    }
    chain_drop_head(&f->chain);
    progress_start_file(&f->progress);
    f->grace_since_ns = 0;
    if (f->chain.head &&
        f->chain.head->offset > 0) { /* read before as another log's: nothing may come to mark */
        progress_mark(&f->progress);
    }
    pipeline_save_soon(f->env->pipeline);
}
