/* A file: exactly once. See sink_file.h for why. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "file.h"

#define WRITEBACK_EACH (1 << 20)
#define NAME_MAX_OURS  240 /* of the 255 that file systems take: `.1.gz.new` comes behind it */

/* -- which file is written --------------------------------------------------------------------- */

static void arm_age(struct file_sink *s)
{
    int64_t age = s->env.cfg->file_rotate_age;
    if (age <= 0 || s->out.length == 0) {
        evtimer_del(s->age_timer);
        return;
    }
    int64_t wait = s->out.since_ns + age - clock_now();
    wait = wait < 0 ? 0 : wait > age ? age : wait; /* clocks are set */
    struct timeval tv = {wait / NS_PER_S, wait % NS_PER_S / NS_PER_US};
    evtimer_add(s->age_timer, &tv);
}

void file_switch(struct file_sink *s, const struct output *to)
{
    if (s->previous < 0) {
        s->previous = s->out.fd;
    } else {
        output_close(&s->out); /* never settled: it got nothing */
    }
    s->out = *to;
    s->unflushed = 0;
    s->settled = false;
    s->rotate_due = false;
    s->torn = false;
    arm_age(s);
}

/* Takes back the part of a batch that was written, so that the batch can begin elsewhere. 0 or -1. */
static int undo_partial(struct file_sink *s)
{
    uint64_t partial = send_queue_partial(&s->queue);
    if (partial == 0) {
        return 0;
    }
    uint64_t length = s->out.length > partial ? s->out.length - partial : 0;
    if (ftruncate(s->out.fd, (off_t)length) < 0) {
        return -1;
    }
    s->out.length = length;
    s->queue.head->sent = 0;
    return 0;
}

int file_begin_anew(struct file_sink *s, struct error *err)
{
    struct output to;
    if (undo_partial(s) < 0) {
        return error_set(err, "cannot take back half a batch: %s", strerror(errno));
    }
    if (output_open(s, s->name, 0, &to, err) < 0) {
        return -1;
    }
    file_switch(s, &to);
    return 0;
}

/* Of a batch that is half written, somebody cut something off: it is written again from its beginning, behind
 * what is whole. 0 or -1 (errno). */
static int begin_batch_again(struct file_sink *s, uint64_t *length)
{
    uint64_t partial = send_queue_partial(&s->queue);
    if (partial == 0 || *length >= s->out.length) {
        return 0;
    }
    uint64_t whole = s->out.length > partial ? s->out.length - partial : 0;
    if (*length > whole) {
        if (ftruncate(s->out.fd, (off_t)whole) < 0) {
            return -1;
        }
        *length = whole;
    }
    s->queue.head->sent = 0;
    return 0;
}

/* Somebody may have changed its length. 0 or -1 (errno). */
static int look_at_length(struct file_sink *s, const struct stat *st)
{
    uint64_t length = (uint64_t)st->st_size;
    if (length == s->out.length) {
        return 0;
    }
    if (begin_batch_again(s, &length) < 0) {
        return -1;
    }
    log_warn((uint64_t)st->st_size < s->out.length
                 ? "somebody truncated the output file: what it held is gone"
                 : "somebody else writes into the output file",
             KV("file", s->path), KN("length", st->st_size), KN("expected_length", s->out.length));
    s->out.length = length;
    s->out.id.head_len = 0;
    arm_age(s);
    return 0;
}

/* What others did to the file since the last write. 0 or -1. */
static int look(struct file_sink *s)
{
    struct stat st;
    struct error err;
    if (fstat(s->out.fd, &st) < 0) {
        retry_failed(&s->retry, s->path, errno, NULL);
        return -1;
    }
    if (st.st_nlink == 0) {
        log_warn("the output file was deleted, with all that was in it; going on in a new one",
                 KV("file", s->path), KN("bytes", s->out.length));
        if (file_begin_anew(s, &err) < 0) {
            retry_failed(&s->retry, s->path, 0, err.text);
            return -1;
        }
    } else if (look_at_length(s, &st) < 0) {
        retry_failed(&s->retry, s->path, errno, "cannot take back half a batch");
        return -1;
    }
    return 0;
}

static bool rotation_due(const struct file_sink *s)
{
    const struct batch *b = s->queue.head;
    int64_t limit = s->env.cfg->file_rotate_bytes;
    if (s->out.length == 0 || send_queue_partial(&s->queue) > 0 || clock_monotonic() < s->rotate_not_before_ns) {
        return false;
    }
    return s->rotate_due || (limit > 0 && b && s->out.length + b->out.len > (uint64_t)limit);
}

/* -- the checkpoint ---------------------------------------------------------------------------- */

/* fdatasync. A failure is told once only, the pages that could not be written count as clean from then on: to
 * try again would vouch for what is not on the disk. So the process ends, and the next start cuts the file
 * back to what was known to be there, and writes the rest again. 0 or -1. */
static int make_durable(struct file_sink *s, int fd)
{
    int result = 0;
    while (!s->broken && (result = fdatasync(fd)) < 0 && errno == EINTR) {
    }
    if (!s->broken && result < 0) {
        s->broken = true;
        error_set(&s->fault,
                  "cannot fsync %s: %s; what it got since the last checkpoint is written again at the "
                  "next start",
                  s->path, strerror(errno));
        event_active(s->later, EV_TIMEOUT, 0);
    }
    return s->broken ? -1 : 0;
}

static int file_sync(struct sink *sink, struct error *err)
{
    struct file_sink *s = (struct file_sink *)sink;
    struct stat st;
    if (fstat(s->out.fd, &st) < 0 || look_at_length(s, &st) < 0) { /* while no checkpoint can be saved, no
                                                                      write comes to do it */
        return error_set(err, "cannot look at %s: %s", s->path, strerror(errno));
    }
    uint64_t partial = send_queue_partial(&s->queue);
    uint64_t delivered = s->out.length > partial ? s->out.length - partial : 0;
    if ((s->previous >= 0 && make_durable(s, s->previous) < 0) || make_durable(s, s->out.fd) < 0) {
        return error_set(err, "%s", s->fault.text);
    }
    if (output_identify(&s->out, delivered) < 0) {
        return error_set(err, "cannot read the beginning of %s: %s", s->path, strerror(errno));
    }
    struct file_pos pos = {.file = s->out.id, .offset = delivered, .mtime_ns = s->out.birth_ns};
    checkpoint_set_output(s->env.checkpoint, &pos);
    return 0;
}

/* Into a file that the saved checkpoint does not name nothing is written. 0 or -1. */
static int settle(struct file_sink *s)
{
    struct error err;
    if (s->settled) {
        return 0;
    }
    if (fsync(s->dirfd) < 0) {
        retry_failed(&s->retry, s->dir, errno, "fsync of the directory");
        return -1;
    }
    if (file_sync(&s->sink, &err) < 0 || checkpoint_save(s->env.checkpoint, &err) < 0) {
        metrics.commit_errors++;
        if (!s->broken) {
            retry_failed(&s->retry, s->path, 0, err.text);
        }
        return -1;
    }
    metrics.commits++;
    s->settled = true;
    if (s->previous >= 0) {
        close(s->previous);
        s->previous = -1;
    }
    file_prune(s, s->env.cfg->file_keep);
    gzip_begin(s);
    return 0;
}

/* The disk is set to work as soon as there is something worth it, so that the fsync at the next save is
 * short: the loop waits for that. A hint; the fsync says what went wrong. */
static void begin_writeback(struct file_sink *s, size_t written)
{
    s->unflushed += written;
    if (s->unflushed >= WRITEBACK_EACH) {
        sync_file_range(s->out.fd, (off_t)(s->out.length - s->unflushed), (off_t)s->unflushed,
                        SYNC_FILE_RANGE_WRITE);
        s->unflushed = 0;
    }
}

/* -- writing ----------------------------------------------------------------------------------- */

static int prepare(struct file_sink *s)
{
    if (look(s) < 0) {
        return -1;
    }
    if (rotation_due(s)) {
        file_rotate(s);
    }
    return settle(s);
}

static ssize_t write_some(struct file_sink *s)
{
    if (s->torn) {
        return write(s->out.fd, "\n", 1);
    }
    struct iovec iov[SEND_QUEUE_IOV];
    uint64_t limit = s->env.cfg->file_rotate_bytes > 0 ? (uint64_t)s->env.cfg->file_rotate_bytes : UINT64_MAX;
    int count = send_queue_gather(&s->queue, limit > s->out.length ? limit - s->out.length : 0, iov);
    if (count == 0) {
        return 0; /* only batches without bytes */
    }
    ssize_t n = writev(s->out.fd, iov, count);
    if (n == 0) {
        errno = EIO;
        return -1;
    }
    return n;
}

static int write_step(struct file_sink *s)
{
    ssize_t n = write_some(s);
    if (n < 0 && errno == EINTR) {
        return 0;
    }
    if (n < 0) {
        retry_failed(&s->retry, s->path, errno, NULL);
        return -1;
    }
    retry_succeeded(&s->retry, s->path);
    bool first = s->out.length == 0;
    s->out.length += (uint64_t)n;
    begin_writeback(s, (size_t)n);
    if (first && n > 0) {
        s->out.since_ns = clock_now();
        arm_age(s);
    }
    if (s->torn) {
        s->torn = false;
    } else {
        send_queue_sent(&s->queue, (size_t)n);
    }
    return 0;
}

static void flush(struct file_sink *s)
{
    if (s->flushing || s->broken || retry_waiting(&s->retry)) {
        return;
    }
    s->flushing = true;
    bool more = true;
    while (more && prepare(s) == 0 && s->queue.head && write_step(s) == 0) {
        for (struct batch *b; (b = send_queue_pop(&s->queue));) {
            s->env.events.acked(s->env.events.arg, b);
        }
        more = s->queue.head || s->rotate_due;
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
    if (output_is_at(s, s->name, &s->out)) {
        log_info("asked to open the output anew, but it is where it was", KV("file", s->path));
    } else if (file_begin_anew(s, &err) < 0) {
        log_error("cannot open the output anew; going on in the file that was moved away",
                  KV("error", err.text));
    } else {
        log_info("opened the output anew", KV("file", s->path));
    }
    flush(s);
}

/* -- events, opening, closing ------------------------------------------------------------------ */

static void on_age(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct file_sink *s = arg;
    s->rotate_due = true;
    flush(s);
}

static void on_later(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct file_sink *s = arg;
    if (s->broken) {
        s->env.events.failed(s->env.events.arg, EXIT_FAULT, &s->fault);
        return;
    }
    if (s->settled) {
        file_prune(s, s->env.cfg->file_keep);
        gzip_begin(s);
    }
    flush(s); /* settles */
    if (!s->ready && !s->broken) {
        s->ready = true;
        s->env.events.ready(s->env.events.arg);
    }
}

static void file_close(struct sink *sink)
{
    struct file_sink *s = (struct file_sink *)sink;
    gzip_stop(s);
    struct event *events[] = {s->later, s->age_timer, s->gzip_timer};
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (events[i]) {
            event_free(events[i]);
        }
    }
    retry_free(&s->retry);
    output_close(&s->out);
    if (s->previous >= 0) {
        close(s->previous);
    }
    if (s->dirfd >= 0) {
        close(s->dirfd);
    }
    free(s->path);
    free(s->dir);
    free(s->name);
    free(s);
}

/* Finds directory and name in the path, and opens the directory. 0 or -1. */
static int open_directory(struct file_sink *s, struct error *err)
{
    const char *slash = s->path ? strrchr(s->path, '/') : NULL;
    if (s->path) {
        s->name = strdup(slash ? slash + 1 : s->path);
        s->dir = !slash             ? strdup(".")
                 : slash == s->path ? strdup("/")
                                    : strndup(s->path, (size_t)(slash - s->path));
    }
    if (!s->dir || !s->name) {
        return error_set(err, "no memory to open the output file");
    }
    size_t len = strlen(s->name);
    if (len == 0 || len > NAME_MAX_OURS || !strcmp(s->name, ".") || !strcmp(s->name, "..")) {
        return error_set(err, "file.path '%s' must name a file, in at most %d bytes", s->path, NAME_MAX_OURS);
    }
    s->dirfd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dirfd < 0) {
        return error_set(err, "cannot open %s, the directory of file.path: %s", s->dir, strerror(errno));
    }
    return 0;
}

static int prepare_events(struct file_sink *s, struct error *err)
{
    s->later = evtimer_new(s->env.base, on_later, s);
    s->age_timer = evtimer_new(s->env.base, on_age, s);
    s->gzip_timer = evtimer_new(s->env.base, gzip_step, s);
    if (!s->later || !s->age_timer || !s->gzip_timer || retry_init(&s->retry, s->env.base, again, s) < 0) {
        return error_set(err, "no memory to open %s", s->path);
    }
    return 0;
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
    s->path = strdup(env->cfg->file_path); /* a reload frees the configuration's */
    s->dirfd = s->previous = s->out.fd = -1;
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit is an error to answer: EFBIG */
    if (prepare_events(s, err) < 0 || open_directory(s, err) < 0 ||
        output_open(s, s->name, 0, &s->out, err) < 0 || output_recover(s, err) < 0) {
        file_close(&s->sink);
        return NULL;
    }
    file_clean(s);
    gzip_clean(s);
    arm_age(s);
    event_active(s->later, EV_TIMEOUT, 0);
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
