#include "screen.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"

/* Bytes written at once where a write might block: PIPE_BUF, which poll vouches for. */
#define CAREFUL_MAX 4096

#define LEAVE_MS 100 /* that a terminal is waited for at the end */

struct screen {
    struct screen_calls calls;
    struct buf out;
    size_t sent; /* bytes of out already written */
    int fd;
    bool opened;    /* fd is ours to close */
    bool is_socket; /* written with MSG_DONTWAIT */
    bool careful;   /* may block: see CAREFUL_MAX */
    bool owes_room; /* screen_full said yes: `room` is to be called */
    bool pending;   /* a write is already on its way */
    bool closed;
    char last;              /* byte written last */
    struct event *writable; /* NULL: it is not a thing to wait for */
    struct event *soon;
    struct event *gone; /* of a pipe: its reader left; NULL: it is found out by writing */
};

struct buf *screen_out(struct screen *s)
{
    return &s->out;
}

bool screen_full(struct screen *s)
{
    bool full = s->closed || s->out.len - s->sent >= SCREEN_FULL;
    s->owes_room |= full;
    return full;
}

bool screen_empty(const struct screen *s)
{
    return s->out.len == s->sent;
}

void screen_written(struct screen *s)
{
    if (!s->pending && !s->closed) {
        s->pending = true;
        event_active(s->soon, EV_TIMEOUT, 0);
    }
}

static ssize_t write_some(struct screen *s)
{
    const char *p = s->out.data + s->sent;
    size_t len = s->out.len - s->sent;
    if (s->is_socket) {
        return send(s->fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (s->careful) {
        struct pollfd ready = {.fd = s->fd, .events = POLLOUT};
        if (poll(&ready, 1, 0) == 0) {
            errno = EAGAIN;
            return -1;
        }
        len = len < CAREFUL_MAX ? len : CAREFUL_MAX;
    }
    return write(s->fd, p, len);
}

static void fail(struct screen *s, int why)
{
    struct error err;
    bool gone = why == EPIPE || why == ECONNRESET || (why == EIO && s->writable);
    error_set(&err, "cannot write to stdout: %s", strerror(why));
    s->closed = true;
    s->calls.closed(s->calls.arg, gone ? NULL : &err);
}

static void sent(struct screen *s, size_t n)
{
    s->sent += n;
    s->last = s->out.data[s->sent - 1];
    if (s->sent == s->out.len) {
        s->out.len = s->sent = 0;
    } else if (s->sent > s->out.len / 2) {
        buf_consume(&s->out, s->sent);
        s->sent = 0;
    }
}

static void flush(struct screen *s)
{
    s->pending = false;
    while (!screen_empty(s)) {
        ssize_t n = write_some(s);
        if (n > 0) {
            sent(s, (size_t)n);
        } else if (errno == EAGAIN && s->writable) {
            s->pending = true;
            event_add(s->writable, NULL);
            break;
        } else if (n == 0 || errno != EINTR) {
            fail(s, n == 0 ? EIO : errno);
            return;
        }
    }
    if (s->owes_room && s->out.len - s->sent < SCREEN_FULL) {
        s->owes_room = false;
        s->calls.room(s->calls.arg);
    }
    if (screen_empty(s)) {
        s->calls.drained(s->calls.arg);
    }
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    flush(arg);
}

/* A pipe that is written to is never ready for reading: this says that nobody reads it any more. */
static void on_gone(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct screen *s = arg;
    struct pollfd pipe = {.fd = fd};
    if (!s->closed && poll(&pipe, 1, 0) == 1 && (pipe.revents & POLLERR)) {
        fail(s, EPIPE);
    }
}

/* -- opening ----------------------------------------------------------------------------------- */

static void make_nonblocking(struct screen *s)
{
    int flags = fcntl(s->fd, F_GETFL);
    if ((flags >= 0 && (flags & O_NONBLOCK)) || s->is_socket) {
        return;
    }
    int fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0) {
        s->fd = fd;
        s->opened = true;
    } else {
        s->careful = true; /* a terminal of another user, after su */
    }
}

static int prepare(struct screen *s, struct event_base *base, struct error *err)
{
    struct stat st;
    if (fstat(s->fd, &st) < 0) {
        return error_set(err, "stdout is not open (%s)", strerror(errno));
    }
    s->is_socket = S_ISSOCK(st.st_mode);
    s->soon = event_new(base, -1, 0, on_ready, s);
    if (s->soon) {
        event_priority_set(s->soon, SCREEN_PRIORITIES - 1);
    }
    if (fd_can_wait(s->fd)) {
        make_nonblocking(s);
        s->writable = event_new(base, s->fd, EV_WRITE, on_ready, s);
        if (!s->writable) {
            return error_set(err, "out of memory");
        }
    }
    if (S_ISFIFO(st.st_mode)) {
        s->gone = event_new(base, s->fd, EV_READ, on_gone, s);
        if (!s->gone || event_add(s->gone, NULL) < 0) {
            return error_set(err, "out of memory");
        }
    }
    return s->soon ? 0 : error_set(err, "out of memory");
}

struct screen *screen_new(struct event_base *base, const struct screen_calls *calls, struct error *err)
{
    struct screen *s = calloc(1, sizeof(*s));
    if (!s) {
        error_set(err, "out of memory");
        return NULL;
    }
    s->calls = *calls;
    s->fd = STDOUT_FILENO;
    s->last = '\n';
    signal(SIGPIPE, SIG_IGN); /* EPIPE says it */
    if (prepare(s, base, err) < 0) {
        screen_free(s, false);
        return NULL;
    }
    return s;
}

/* With Ctrl-C a terminal drops what it has not shown yet, so colours may be on though all we wrote ended
 * them. */
static void leave_clean(struct screen *s, bool colors)
{
    static const char end[] = "\x1b[0m\n";
    bool in_line = s->last != '\n';
    struct pollfd ready = {.fd = s->fd, .events = POLLOUT};
    if (s->closed || !isatty(s->fd) || s->careful || !(in_line || colors)) {
        return;
    }
    if (poll(&ready, 1, LEAVE_MS) == 1) { /* a stopped terminal takes it not, and needs it not */
        ssize_t ignored = write(s->fd, end, in_line ? sizeof(end) - 1 : sizeof(end) - 2);
        (void)ignored;
    }
}

void screen_free(struct screen *s, bool colors)
{
    if (!s) {
        return;
    }
    leave_clean(s, colors);
    loop_free_event(s->writable);
    loop_free_event(s->soon);
    loop_free_event(s->gone);
    if (s->opened) {
        close(s->fd);
    }
    buf_free(&s->out);
    free(s);
}
