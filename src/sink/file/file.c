/* The file sink: exactly once into a file that rotates.
 *
 * The checkpoint holds one output file (its inode, and what it begins with) and a length; the positions in
 * the checkpoint belong to exactly those bytes. A start cuts off what lies beyond that length, and it is
 * written again from the positions.
 *
 * What makes that hold across rotation, with P the path and a kill -9 at any instant:
 *   - Nothing is written into a file that no saved checkpoint names (settle: save first, then write).
 *   - So the saved checkpoint's file A is either the one at P, or was moved away while nothing newer holds a
 *     byte.
 *   - A start finds A by its inode, under whatever name of the directory, and cuts it there.
 *   - Only a file that the saved checkpoint does not name is compressed or removed.
 *
 * A rotation, and what a start finds after a kill before each step:
 *   1. create P.new, lock it           A at P: cut there
 *   2. P.n → P.n+1 … P.1 → P.2         A at P; an empty P.new (removed); later also a hole in the numbers,
 *                                      which the next rotation fills
 *   3. P → P.1                         as before
 *   4. P.new → P                       A at P.1: cut there; no P: created, empty
 *   5. fsync of A and of the directory A at P.1: cut there; P is empty
 *   6. save: P, length 0               the same
 *   7. write on; remove P.keep+1       P: cut to 0
 *   8. gzip P.k into P.gz.new, fsync   P as saved; P.gz.new is removed, compressing begins anew
 *   9. P.gz.new → P.k.gz               the same
 *  10. remove P.k                      P.k and P.k.gz: P.k is removed when the other holds as much
 * rotator.c does 1 to 4, this file 5 to 7, gzip.c 8 to 10; recover.c is what a start does. A reopen
 * (SIGUSR1) after somebody else moved P away is steps 5 to 7 with another name for P.1. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "gzip.h"
#include "location.h"
#include "output.h"
#include "recover.h"
#include "rotator.h"
#include "sink/retry.h"
#include "sink/send_queue.h"
#include "sink/sink.h"

struct file_sink {
    struct sink sink;
    struct sink_env env;
    struct location at;
    struct output out;
    int previous; /* fd of what was written before `out`, until a saved checkpoint names `out`; -1: none */
    bool settled; /* the saved checkpoint names `out` */
    bool ready, flushing;
    bool sync_failed;   /* for ever; fault says how */
    struct error fault; /* told when sync_failed */
    struct send_queue queue;
    struct rotator rotator;
    struct gzip gzip;
    struct retry retry;
    struct event *next_turn; /* the first turn of the loop, and telling the fault: not from inside a call */
};

/* -- which file is written --------------------------------------------------------------------- */

/* Goes on in another file. The current one is closed when a saved checkpoint names the new one. */
static void switch_to(struct file_sink *s, const struct output *to)
{
    if (s->previous < 0) {
        s->previous = s->out.fd;
    } else {
        output_close(&s->out); /* never settled: it got nothing */
    }
    s->out = *to;
    s->settled = false;
    gzip_hold(&s->gzip);
    rotator_begin_output(&s->rotator, &s->out);
}

/* Bytes of the output without those of batches that are not acknowledged yet. */
static uint64_t delivered(const struct file_sink *s)
{
    uint64_t partial = send_queue_partial(&s->queue);
    return s->out.length > partial ? s->out.length - partial : 0;
}

/* Takes back the part of a batch that was written, so that the batch can begin elsewhere. 0 or -1 (errno). */
static int undo_partial(struct file_sink *s)
{
    if (send_queue_partial(&s->queue) == 0) {
        return 0;
    }
    if (output_truncate(&s->out, delivered(s)) < 0) {
        return -1;
    }
    send_queue_restart(&s->queue);
    return 0;
}

/* Goes on in a file opened at the path, since the current one is not there any more. 0 or -1. */
static int begin_anew(struct file_sink *s, struct error *err)
{
    struct output to;
    if (undo_partial(s) < 0) {
        return error_set(err, "cannot take back half a batch: %s", strerror(errno));
    }
    if (output_open(&s->at, s->at.name, 0, &to, err) < 0) {
        return -1;
    }
    switch_to(s, &to);
    return 0;
}

/* -- what others did to it --------------------------------------------------------------------- */

/* Somebody may have changed its length. Where bytes of a half-written batch were cut off, the batch is
 * written again from its beginning, behind what is whole. 0 or -1 (errno). */
static int notice_length(struct file_sink *s, uint64_t found)
{
    uint64_t expected = s->out.length, whole = delivered(s), keep = found;
    if (found == expected) {
        return 0;
    }
    if (found < expected && send_queue_partial(&s->queue) > 0) {
        if (found > whole) {
            if (output_truncate(&s->out, whole) < 0) {
                return -1;
            }
            keep = whole;
        }
        send_queue_restart(&s->queue);
    }
    metrics.output_shortened += found < expected;
    log_warn(found < expected ? "somebody truncated the output file: what it held is gone"
                              : "somebody else writes into the output file",
             KV("file", s->at.path), KN("length", found), KN("expected_length", expected));
    output_resized(&s->out, keep);
    rotator_watch_age(&s->rotator, &s->out);
    return 0;
}

/* What others did to the file since the last write. 0 or -1 (to be tried again). */
static int notice_changes(struct file_sink *s)
{
    struct stat st;
    struct error err;
    if (fstat(s->out.fd, &st) < 0) {
        retry_failed(&s->retry, s->at.path, errno, NULL);
        return -1;
    }
    if (st.st_nlink == 0) {
        metrics.output_shortened++;
        log_warn("the output file was deleted, with all that was in it; going on in a new one",
                 KV("file", s->at.path), KN("bytes", s->out.length));
        if (begin_anew(s, &err) < 0) {
            retry_failed(&s->retry, s->at.path, 0, err.text);
            return -1;
        }
    } else if (notice_length(s, (uint64_t)st.st_size) < 0) {
        retry_failed(&s->retry, s->at.path, errno, "cannot take back half a batch");
        return -1;
    }
    return 0;
}

/* -- the checkpoint ---------------------------------------------------------------------------- */

/* fdatasync. The kernel tells a failure once only, and then counts the pages that it could not write as
 * clean: to try again would vouch for what is not on the disk. So the process ends; the next start cuts the
 * file back to what was known to be there, and the rest is written again. 0 or -1. */
static int make_durable(struct file_sink *s, int fd)
{
    int result = 0;
    while (!s->sync_failed && (result = fdatasync(fd)) < 0 && errno == EINTR) {
    }
    if (!s->sync_failed && result < 0) {
        s->sync_failed = true;
        error_set(&s->fault,
                  "cannot fsync %s: %s; what it got since the last checkpoint is written again at the "
                  "next start",
                  s->at.path, strerror(errno));
        event_active(s->next_turn, EV_TIMEOUT, 0);
    }
    return s->sync_failed ? -1 : 0;
}

static int file_sync(struct sink *sink, struct error *err)
{
    struct file_sink *s = (struct file_sink *)sink;
    struct stat st;
    /* While no checkpoint can be saved, no write comes to notice it. */
    if (fstat(s->out.fd, &st) < 0 || notice_length(s, (uint64_t)st.st_size) < 0) {
        return error_set(err, "cannot look at %s: %s", s->at.path, strerror(errno));
    }
    uint64_t length = delivered(s);
    if ((s->previous >= 0 && make_durable(s, s->previous) < 0) || make_durable(s, s->out.fd) < 0) {
        return error_set(err, "%s", s->fault.text);
    }
    if (output_identify(&s->out, length) < 0) {
        return error_set(err, "cannot read the beginning of %s: %s", s->at.path, strerror(errno));
    }
    struct file_pos pos = {.file = s->out.id, .offset = length, .mtime_ns = s->out.birth_ns};
    checkpoint_set_output(s->env.checkpoint, &pos);
    return 0;
}

/* Nothing is written into a file that the saved checkpoint does not name: makes it name `out`. 0 or -1 (to
 * be tried again, unless sync_failed). */
static int settle(struct file_sink *s)
{
    struct error err;
    if (s->settled) {
        return 0;
    }
    if (fsync(s->at.dirfd) < 0) {
        retry_failed(&s->retry, s->at.dir, errno, "fsync of the directory");
        return -1;
    }
    if (file_sync(&s->sink, &err) < 0 || checkpoint_save(s->env.checkpoint, &err) < 0) {
        metrics.commit_errors++;
        if (!s->sync_failed) {
            retry_failed(&s->retry, s->at.path, 0, err.text);
        }
        return -1;
    }
    metrics.commits++;
    s->settled = true;
    if (s->previous >= 0) {
        close(s->previous);
        s->previous = -1;
    }
    rotator_prune(&s->rotator);
    gzip_begin(&s->gzip);
    return 0;
}

/* -- writing ----------------------------------------------------------------------------------- */

/* Makes `out` the file that the next batch belongs into. 0 or -1 (to be tried again). */
static int prepare(struct file_sink *s)
{
    struct output to;
    if (notice_changes(s) < 0) {
        return -1;
    }
    if (send_queue_partial(&s->queue) == 0 && rotator_is_due(&s->rotator, &s->out, s->queue.head) &&
        rotator_run(&s->rotator, &s->out, &to) == 0) {
        switch_to(s, &to);
    }
    return settle(s);
}

/* The bytes written, or -1 (errno). */
static ssize_t write_batches(struct file_sink *s)
{
    struct iovec iov[SEND_QUEUE_IOV];
    int count = send_queue_gather(&s->queue, rotator_room(&s->rotator, &s->out), iov);
    if (count == 0) {
        return 0; /* only batches without bytes */
    }
    ssize_t n = output_write(&s->out, iov, count);
    if (n > 0) {
        send_queue_sent(&s->queue, (size_t)n);
    }
    return n;
}

static int write_step(struct file_sink *s)
{
    bool first = s->out.length == 0;
    ssize_t n = s->out.torn ? output_end_line(&s->out) : write_batches(s);
    if (n < 0 && errno == EINTR) {
        return 0;
    }
    if (n < 0) {
        retry_failed(&s->retry, s->at.path, errno, NULL);
        return -1;
    }
    retry_succeeded(&s->retry, s->at.path);
    if (first && n > 0) {
        rotator_watch_age(&s->rotator, &s->out);
    }
    return 0;
}

static void flush(struct file_sink *s)
{
    if (s->flushing || s->sync_failed || retry_waiting(&s->retry)) {
        return;
    }
    s->flushing = true;
    bool more = true;
    while (more && prepare(s) == 0 && s->queue.head && write_step(s) == 0) {
        for (struct batch *b; (b = send_queue_pop(&s->queue));) {
            s->env.events.acked(s->env.events.arg, b);
        }
        more = s->queue.head || s->rotator.due;
    }
    s->flushing = false;
}

static void again(void *arg)
{
    flush(arg);
}

static void file_submit(struct sink *sink, struct batch *batch)
{
    struct file_sink *s = (struct file_sink *)sink;
    send_queue_push(&s->queue, batch);
    flush(s);
}

static void file_drain(struct sink *sink)
{
    retry_now(&((struct file_sink *)sink)->retry);
}

static void file_reopen(struct sink *sink)
{
    struct file_sink *s = (struct file_sink *)sink;
    struct error err;
    if (output_is_at(&s->at, s->at.name, &s->out)) {
        log_info("asked to open the output anew, but it is where it was", KV("file", s->at.path));
    } else if (begin_anew(s, &err) < 0) {
        log_error("cannot open the output anew; going on in the file that was moved away",
                  KV("error", err.text));
    } else {
        log_info("opened the output anew", KV("file", s->at.path));
    }
    flush(s);
}

/* -- events, opening, closing ------------------------------------------------------------------ */

static void on_next_turn(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct file_sink *s = arg;
    if (s->sync_failed) {
        s->env.events.failed(s->env.events.arg, EXIT_FAULT, &s->fault);
        return;
    }
    if (s->settled) {
        rotator_prune(&s->rotator);
        gzip_begin(&s->gzip);
    }
    flush(s); /* settles */
    if (!s->ready && !s->sync_failed) {
        s->ready = true;
        s->env.events.ready(s->env.events.arg);
    }
}

static void file_close(struct sink *sink)
{
    struct file_sink *s = (struct file_sink *)sink;
    gzip_free(&s->gzip);
    rotator_free(&s->rotator);
    retry_free(&s->retry);
    loop_free_event(s->next_turn);
    output_close(&s->out);
    if (s->previous >= 0) {
        close(s->previous);
    }
    location_close(&s->at);
    free(s);
}

static int prepare_events(struct file_sink *s, struct error *err)
{
    struct event_base *base = s->env.base;
    s->next_turn = evtimer_new(base, on_next_turn, s);
    if (!s->next_turn || retry_init(&s->retry, base, again, s) < 0 ||
        gzip_init(&s->gzip, base, &s->at, s->env.cfg) < 0 ||
        rotator_init(&s->rotator, base, &s->at, s->env.cfg, &s->gzip, again, s) < 0) {
        return error_set(err, "no memory to open %s", s->at.path);
    }
    return 0;
}

/* Opens the file as the checkpoint knows it. 0 or -1. */
static int open_output(struct file_sink *s, struct error *err)
{
    if (output_open(&s->at, s->at.name, 0, &s->out, err) < 0) {
        return -1;
    }
    return recover_output(&s->at, checkpoint_output(s->env.checkpoint), &s->out, &s->settled, err);
}

static struct sink *file_open(const struct sink_env *env, struct error *err)
{
    struct file_sink *s = calloc(1, sizeof(*s));
    if (!s) {
        error_set(err, "no memory to open the output file");
        return NULL;
    }
    s->sink.ops = &sink_file;
    s->env = *env;
    s->previous = s->out.fd = -1;
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit is an error to answer: EFBIG */
    if (location_open(&s->at, env->cfg->file_path, err) < 0 || prepare_events(s, err) < 0 ||
        open_output(s, err) < 0) {
        file_close(&s->sink);
        return NULL;
    }
    rotator_clean(&s->rotator);
    gzip_clean(&s->gzip);
    rotator_watch_age(&s->rotator, &s->out);
    event_active(s->next_turn, EV_TIMEOUT, 0);
    return &s->sink;
}

const struct sink_ops sink_file = {
    .name = "file",
    .exact = true,
    .open = file_open,
    .submit = file_submit,
    .drain = file_drain,
    .reopen = file_reopen,
    .sync = file_sync,
    .close = file_close,
};
