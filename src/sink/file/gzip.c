/* Compresses rotated files, one after the other, in steps of the loop that take about a millisecond each. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/log.h"
#include "file.h"

#define STEP     (32 * 1024) /* bytes read in one */
#define PAUSE_US 1000        /* between steps, for everything else */
#define FLUSH_EACH                                                                                           \
    (1 << 20)      /* bytes after which the disk is set to work, so that the last fsync is short             \
                    */
#define AGAIN_S 60 /* after a failure */

struct gzip {
    int64_t number; /* of P.<number>, as rotations move it */
    int in, out;
    struct stat st; /* of the file read */
    z_stream z;
    ssize_t got; /* in the last step */
    size_t unflushed;
    unsigned char from[STEP], to[STEP];
};

static void temp_name(const struct file_sink *s, char out[ROTATED_NAME_MAX])
{
    snprintf(out, ROTATED_NAME_MAX, "%s.gz.new", s->name);
}

static bool compresses(const struct file_sink *s)
{
    const struct config *cfg = s->env.cfg;
    return cfg->file_compress && (cfg->file_rotate_bytes > 0 || cfg->file_rotate_age > 0);
}

/* -- what a kill left behind ------------------------------------------------------------------- */

/* Does P.k.gz hold as much as P.k? gzip's last four bytes are the length modulo 2^32 (RFC 1952). */
static bool holds_as_much(const struct file_sink *s, const char *plain, const char *packed)
{
    struct stat st;
    unsigned char tail[4];
    bool same = false;
    int fd = openat(s->dirfd, packed, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    if (fstat(fd, &st) == 0 && st.st_size >= 20 && pread(fd, tail, 4, st.st_size - 4) == 4 &&
        fstatat(s->dirfd, plain, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        uint32_t length =
            tail[0] | (uint32_t)tail[1] << 8 | (uint32_t)tail[2] << 16 | (uint32_t)tail[3] << 24;
        same = length == (uint32_t)st.st_size;
    }
    close(fd);
    return same;
}

void gzip_clean(const struct file_sink *s)
{
    char plain[ROTATED_NAME_MAX], packed[ROTATED_NAME_MAX];
    int found;
    if (!compresses(s)) {
        return;
    }
    temp_name(s, packed);
    unlinkat(s->dirfd, packed, 0);
    for (int64_t number = 1; (found = rotated_exists(s, number)); number++) {
        if (found != (ROTATED_PLAIN | ROTATED_GZIP)) {
            continue;
        }
        rotated_name(s, number, ROTATED_PLAIN, plain);
        rotated_name(s, number, ROTATED_GZIP, packed);
        if (holds_as_much(s, plain, packed)) {
            unlinkat(s->dirfd, plain, 0);
        } else {
            log_warn(
                "of this rotated file there is a compressed one that is not the same; both are left alone",
                KV("file", plain));
        }
    }
}

/* -- one file ---------------------------------------------------------------------------------- */

void gzip_stop(struct file_sink *s)
{
    struct gzip *g = s->gzip;
    if (!g) {
        return;
    }
    char temp[ROTATED_NAME_MAX];
    temp_name(s, temp);
    if (g->out >= 0) {
        unlinkat(s->dirfd, temp, 0); /* gone already when it succeeded */
        close(g->out);
    }
    if (g->in >= 0) {
        close(g->in);
    }
    deflateEnd(&g->z);
    free(g);
    s->gzip = NULL;
}

static void failed(struct file_sink *s, const char *what)
{
    log_warn("cannot compress a rotated file; it stays as it is, and is tried again", KV("file", s->path),
             KV("step", what), KV("error", strerror(errno)));
    gzip_stop(s);
    event_add(s->gzip_timer, &(struct timeval){AGAIN_S, 0});
}

static int start(struct file_sink *s, int64_t number)
{
    char name[ROTATED_NAME_MAX];
    struct gzip *g = s->gzip = calloc(1, sizeof(*g));
    if (!g) {
        return -1;
    }
    g->number = number;
    g->in = g->out = -1;
    if (deflateInit2(&g->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        errno = ENOMEM;
        return -1;
    }
    rotated_name(s, number, ROTATED_PLAIN, name);
    g->in = openat(s->dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (g->in < 0 || fstat(g->in, &g->st) < 0) {
        return -1;
    }
    temp_name(s, name);
    g->out = openat(s->dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    return g->out < 0 ? -1 : 0;
}

/* The oldest file that is not compressed; 0: none. */
static int64_t next_number(const struct file_sink *s)
{
    int64_t oldest = 0;
    int found;
    for (int64_t number = 1; number <= s->env.cfg->file_keep && (found = rotated_exists(s, number));
         number++) {
        oldest = found == ROTATED_PLAIN ? number : oldest;
    }
    return oldest;
}

void gzip_begin(struct file_sink *s)
{
    if (!compresses(s) || s->gzip || !s->settled) {
        return;
    }
    int64_t number = next_number(s);
    if (number == 0) {
        return;
    }
    if (start(s, number) < 0) {
        failed(s, "open");
        return;
    }
    event_add(s->gzip_timer, &(struct timeval){0, 0});
}

void gzip_moved(struct file_sink *s, int64_t number)
{
    if (s->gzip && s->gzip->number == number) {
        s->gzip->number++;
    }
}

static int write_out(struct gzip *g)
{
    size_t len = sizeof(g->to) - g->z.avail_out;
    for (size_t at = 0; at < len;) {
        ssize_t n = write(g->out, g->to + at, len - at);
        if (n < 0 && errno != EINTR) {
            return -1;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    g->unflushed += len;
    if (g->unflushed >= FLUSH_EACH) {
        sync_file_range(g->out, 0, 0,
                        SYNC_FILE_RANGE_WRITE); /* a hint: fsync at the end says whether it failed */
        g->unflushed = 0;
    }
    return 0;
}

/* Reads and compresses one step. 1: that was the end; 0; -1. */
static int compress_step(struct gzip *g)
{
    ssize_t n = g->got = read(g->in, g->from, sizeof(g->from));
    if (n < 0) {
        return errno == EINTR ? 0 : -1;
    }
    g->z.next_in = g->from;
    g->z.avail_in = (uInt)n;
    do {
        g->z.next_out = g->to;
        g->z.avail_out = sizeof(g->to);
        deflate(&g->z, n == 0 ? Z_FINISH : Z_NO_FLUSH);
        if (write_out(g) < 0) {
            return -1;
        }
    } while (g->z.avail_out == 0);
    return n == 0;
}

/* Puts the compressed file in the place of the other. 0 or -1. */
static int finish(struct file_sink *s)
{
    struct gzip *g = s->gzip;
    char temp[ROTATED_NAME_MAX], plain[ROTATED_NAME_MAX], packed[ROTATED_NAME_MAX];
    struct stat st;
    temp_name(s, temp);
    rotated_name(s, g->number, ROTATED_PLAIN, plain);
    rotated_name(s, g->number, ROTATED_GZIP, packed);
    if (fstatat(s->dirfd, plain, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_ino != g->st.st_ino) {
        return 0; /* removed or moved meanwhile: nothing to put in its place */
    }
    const struct timespec times[2] = {g->st.st_atim, g->st.st_mtim};
    if (fchmod(g->out, g->st.st_mode & 07777) < 0 || futimens(g->out, times) < 0 || fsync(g->out) < 0) {
        return -1;
    }
    if (fchown(g->out, g->st.st_uid, g->st.st_gid) < 0) {
        log_debug("a compressed file has another owner than the plain one had", KV("file", packed));
    }
    if (renameat(s->dirfd, temp, s->dirfd, packed) < 0 || fsync(s->dirfd) < 0) {
        return -1;
    }
    return unlinkat(s->dirfd, plain, 0);
}

void gzip_step(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct file_sink *s = arg;
    if (!s->gzip) {
        gzip_begin(s); /* after a failure */
        return;
    }
    int result = compress_step(s->gzip);
    if (result == 0) {
        event_add(s->gzip_timer, &(struct timeval){0, s->gzip->got == STEP ? PAUSE_US : 0});
        return;
    }
    if (result < 0 || finish(s) < 0) {
        failed(s, result < 0 ? "write" : "rename");
        return;
    }
    gzip_stop(s);
    gzip_begin(s);
}
