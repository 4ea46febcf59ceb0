#include "describe.h"

#include "follow_state.h"

/* What keeps it from being read; NULL: nothing that is known. */
static const char *problem_of(const struct follow *f)
{
    return f->turn.waiting                ? "waits to be opened: there are not enough file descriptors"
           : f->failing                   ? "its file cannot be read"
           : f->intake.unlisted           ? "its directory cannot be listed"
           : f->intake.waiting_since != 0 ? "a file of it cannot be opened"
                                          : NULL;
}

bool follow_describe(void *follow, struct status_log *log)
{
    const struct follow *f = follow;
    const struct segment *head = f->chain.head;
    log->file = f->path;
    log->driver = f->lines.decoder ? f->lines.decoder->name : NULL;
    log->lag_known = true;
    log->lag_bytes = chain_unread(&f->chain);
    const char *problem = problem_of(f);
    log->problem = problem ? problem : log->problem;
    if (head) {
        log->position = STATUS_OFFSET;
        log->offset = head->offset;
        log->unread = f->chain.count - 1;
    }
    if (log->last_ns == 0) { /* nothing came since the start, or lines have no times: then the file has one */
        bool plain = f->progress.newest_ns == 0 && head && head->offset > 0 && log->lag_bytes == 0;
        log->last_ns = plain ? head->mtime_ns : f->progress.newest_ns;
    }
    return true;
}
