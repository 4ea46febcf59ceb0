/* Standard output: at least once. Whatever it is (a pipe, a socket, a terminal, a file), the loop never waits
 * for a reader, and other processes that share it find it unchanged when we are gone.
 *
 * O_NONBLOCK belongs to the open file description, which we share with the shell, or with the other end of
 * `2>&1`. So we open a pipe or terminal anew through /proc, which gives us a description of our own, and
 * write to a socket with MSG_DONTWAIT. Where neither works (a pipe of another user), we set the flag and
 * clear it again at close. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"
#include "retry.h"
#include "send_queue.h"
#include "sink/sink.h"

#define PIPEFS_MAGIC 0x50495045 /* linux/magic.h */
#define WHERE        "stdout"

struct stdout_sink {
    struct sink sink;
    struct sink_env env;
    int fd;
    bool opened;            /* fd is ours to close */
    int flags;              /* to restore at close; -1: none */
    bool is_socket;         /* written with sendmsg */
    bool is_file;           /* fsync makes sense */
    bool reader_may_return; /* a named pipe: the next one who opens it reads on */
    bool ready, flushing;
    bool gone;          /* for ever; fault says why */
    bool sync_failed;   /* an fsync failed: gone, too */
    struct error fault; /* told when `gone` */
    struct send_queue queue;
    struct retry retry;
    struct event *writable; /* NULL: it is always writable */
    struct event *hangup;   /* NULL: not watched */
    struct event *report;   /* tells the owner `ready` and `failed`, which may not come from inside a call */
};

/* -- writing ----------------------------------------------------------------------------------- */

static ssize_t write_some(const struct stdout_sink *s)
{
    struct iovec iov[SEND_QUEUE_IOV];
    int count = send_queue_gather(&s->queue, SIZE_MAX, iov);
    if (count == 0) {
        return 0; /* only batches without bytes */
    }
    ssize_t n;
    if (s->is_socket) {
        struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)count};
        n = sendmsg(s->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else {
        n = writev(s->fd, iov, count);
    }
    if (n == 0) { /* POSIX leaves room for it */
        errno = EIO;
        return -1;
    }
    return n;
}

static void give_up(struct stdout_sink *s, const char *why)
{
    s->gone = true;
    error_set(&s->fault, "%s", why);
    event_active(s->report, EV_TIMEOUT, 0);
}

static const char closed_by_reader[] =
    "stdout was closed by its reader; what it did not get comes first at the next start";

/* A terminal that hung up answers EIO for ever. */
static bool gone_for_good(const struct stdout_sink *s, int why)
{
    return ((why == EPIPE || why == ECONNRESET) && !s->reader_may_return) ||
           (why == EIO && s->writable && !s->is_socket);
}

static void write_failed(struct stdout_sink *s, int why)
{
    if (why == EAGAIN && s->writable) {
        event_add(s->writable, NULL);
    } else if (gone_for_good(s, why)) {
        give_up(s, closed_by_reader);
    } else {
        retry_failed(&s->retry, WHERE, why, why == EPIPE ? "nobody reads the pipe" : NULL);
    }
}

static void flush(struct stdout_sink *s)
{
    if (s->flushing || s->gone) {
        return;
    }
    s->flushing = true;
    while (s->queue.head) {
        ssize_t n = write_some(s);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            write_failed(s, errno);
            break;
        }
        retry_succeeded(&s->retry, WHERE);
        send_queue_sent(&s->queue, (size_t)n);
        for (struct batch *b; (b = send_queue_pop(&s->queue));) {
            s->env.events.acked(s->env.events.arg, b);
        }
    }
    s->flushing = false;
}

static void stdout_submit(struct sink *sink, struct batch *batch)
{
    struct stdout_sink *s = (struct stdout_sink *)sink;
    bool waiting = s->queue.head != NULL;
    send_queue_push(&s->queue, batch);
    if (!waiting) {
        flush(s);
    }
}

static void stdout_drain(struct sink *sink)
{
    retry_now(&((struct stdout_sink *)sink)->retry);
}

/* The kernel tells a failure once only, and then counts the pages that it could not write as clean: to try
 * again would vouch for what is not on the disk. */
static int stdout_sync(struct sink *sink, struct error *err)
{
    struct stdout_sink *s = (struct stdout_sink *)sink;
    int result = 0;
    while (s->is_file && !s->sync_failed && (result = fdatasync(s->fd)) < 0 && errno == EINTR) {
    }
    if (result < 0 && errno != EINVAL) {
        s->sync_failed = true;
        error_set(
            err,
            "cannot fsync stdout: %s; what it got since the last checkpoint comes again at the next start",
            strerror(errno));
        give_up(s, err->text);
        return -1;
    }
    return s->sync_failed ? error_set(err, "%s", s->fault.text) : 0;
}

/* -- events ------------------------------------------------------------------------------------ */

static void again(void *arg)
{
    flush(arg);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    flush(arg);
}

/* The pipe's last reader closed it. The owner hears it now, not when the next line comes. */
static void on_hangup(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct stdout_sink *s = arg;
    struct pollfd p = {.fd = fd};
    if (poll(&p, 1, 0) == 1 && (p.revents & POLLERR)) {
        give_up(s, closed_by_reader);
        event_del(s->hangup);
    }
}

static void on_report(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct stdout_sink *s = arg;
    if (!s->ready) {
        s->ready = true;
        s->env.events.ready(s->env.events.arg);
    }
    if (s->gone) {
        s->env.events.failed(s->env.events.arg, EXIT_FAULT, &s->fault);
    }
}

/* -- opening ----------------------------------------------------------------------------------- */

/* Makes sure that no write blocks; see the top of this file. 0 or -1 (errno). */
static int make_nonblocking(struct stdout_sink *s)
{
    int flags = fcntl(s->fd, F_GETFL);
    if (flags < 0) {
        return -1;
    }
    if ((flags & O_NONBLOCK) || s->is_socket) {
        return 0;
    }
    int fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0) {
        s->fd = fd;
        s->opened = true;
        return 0;
    }
    if (fcntl(s->fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        return -1;
    }
    s->flags = flags;
    return 0;
}

/* Finds out what kind of thing stdout is, and how to wait for it. 0 or -1. */
static int prepare(struct stdout_sink *s, struct error *err)
{
    struct stat st;
    struct statfs fs;
    int flags = fcntl(s->fd, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || fstat(s->fd, &st) < 0) {
        return error_set(err, "stdout is not open for writing: redirect it somewhere, or set sink");
    }
    s->is_file = S_ISREG(st.st_mode);
    s->is_socket = S_ISSOCK(st.st_mode);
    bool anonymous_pipe = S_ISFIFO(st.st_mode) && fstatfs(s->fd, &fs) == 0 && fs.f_type == PIPEFS_MAGIC;
    s->reader_may_return = S_ISFIFO(st.st_mode) && !anonymous_pipe;
    if (!fd_can_wait(s->fd)) {
        return 0;
    }
    if (make_nonblocking(s) < 0) {
        return error_set(err, "cannot make stdout non-blocking: %s", strerror(errno));
    }
    s->writable = event_new(s->env.base, s->fd, EV_WRITE, on_writable, s);
    s->hangup = anonymous_pipe ? event_new(s->env.base, s->fd, EV_READ | EV_PERSIST, on_hangup, s) : NULL;
    if (!s->writable || (anonymous_pipe && (!s->hangup || event_add(s->hangup, NULL) < 0))) {
        return error_set(err, "no memory to watch stdout");
    }
    return 0;
}

static void stdout_close(struct sink *sink)
{
    struct stdout_sink *s = (struct stdout_sink *)sink;
    struct event *events[] = {s->writable, s->hangup, s->report};
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        loop_free_event(events[i]);
    }
    retry_free(&s->retry);
    if (s->flags >= 0) {
        fcntl(s->fd, F_SETFL, s->flags);
    }
    if (s->opened) {
        close(s->fd);
    }
    free(s);
}

static struct sink *stdout_open(const struct sink_env *env, struct error *err)
{
    struct stdout_sink *s = calloc(1, sizeof(*s));
    if (!s) {
        error_set(err, "no memory to open stdout");
        return NULL;
    }
    s->sink.ops = &sink_stdout;
    s->env = *env;
    s->fd = STDOUT_FILENO;
    s->flags = -1;
    signal(SIGPIPE, SIG_IGN); /* a closed pipe, and a file at its limit, are errors to answer: EPIPE, EFBIG */
    signal(SIGXFSZ, SIG_IGN);
    s->report = evtimer_new(env->base, on_report, s);
    if (!s->report || retry_init(&s->retry, env->base, again, s) < 0) {
        error_set(err, "no memory to open stdout");
    } else if (prepare(s, err) == 0) {
        event_active(s->report, EV_TIMEOUT, 0);
        return &s->sink;
    }
    stdout_close(&s->sink);
    return NULL;
}

const struct sink_ops sink_stdout = {
    .name = "stdout",
    .open = stdout_open,
    .submit = stdout_submit,
    .drain = stdout_drain,
    .sync = stdout_sync,
    .close = stdout_close,
};
