#include "gzip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/lock.h"
#include "base/log.h"
#include "base/loop.h"
#include "rotated.h"

#define STEP       (32 * 1024) /* bytes read in one */
#define PAUSE_US   1000        /* between steps, for everything else */
#define FLUSH_EACH (1 << 20)   /* bytes after which the disk is set to work: makes the last fsync short */
#define AGAIN_S    60          /* after a failure */

struct gzip_job {
    int64_t number; /* of P.<number>, as rotations move it */
    int in, out;    /* -1: not open */
    struct stat st; /* of the file read */
    z_stream z;
    ssize_t got; /* bytes read in the last step */
    size_t unflushed;
    unsigned char from[STEP], to[STEP];
};

static void temp_name(const struct gzip *g, char out[ROTATED_NAME_MAX])
{
    snprintf(out, ROTATED_NAME_MAX, "%s.gz.new", g->at->name);
}

static bool compresses(const struct gzip *g)
{
    return g->cfg->file_compress && rotated_are_ours(g->cfg);
}

/* -- what a kill left behind ------------------------------------------------------------------- */

/* Does P.k.gz hold as much as P.k? gzip's last four bytes are the length modulo 2^32 (RFC 1952). */
static bool holds_as_much(const struct gzip *g, const char *plain, const char *packed)
{
    struct stat st;
    unsigned char tail[4];
    bool same = false;
    int fd = openat(g->at->dirfd, packed, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    if (fstat(fd, &st) == 0 && st.st_size >= 20 && pread(fd, tail, 4, st.st_size - 4) == 4 &&
        fstatat(g->at->dirfd, plain, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        uint32_t length =
            tail[0] | (uint32_t)tail[1] << 8 | (uint32_t)tail[2] << 16 | (uint32_t)tail[3] << 24;
        same = length == (uint32_t)st.st_size;
    }
    close(fd);
    return same;
}

void gzip_clean(const struct gzip *g)
{
    char plain[ROTATED_NAME_MAX], packed[ROTATED_NAME_MAX];
    int found;
    if (!compresses(g)) {
        return;
    }
    temp_name(g, packed);
    if (!rotated_is_written(g->at, packed)) {
        unlinkat(g->at->dirfd, packed, 0);
    }
    for (int64_t number = 1; (found = rotated_exists(g->at, number)); number++) {
        if (found != (ROTATED_PLAIN | ROTATED_GZIP)) {
            continue;
        }
        rotated_name(g->at, number, ROTATED_PLAIN, plain);
        rotated_name(g->at, number, ROTATED_GZIP, packed);
        /* Its rename may not have reached the disk: a kill can have come between the two. */
        if (holds_as_much(g, plain, packed) && fsync(g->at->dirfd) == 0) {
            unlinkat(g->at->dirfd, plain, 0);
        } else {
            log_warn(
                "of this rotated file there is a compressed one that is not the same; both are left alone",
                KV("file", plain));
        }
    }
}

/* -- one file ---------------------------------------------------------------------------------- */

/* Ends the job, done or not. */
static void end_job(struct gzip *g)
{
    struct gzip_job *job = g->job;
    if (!job) {
        return;
    }
    char temp[ROTATED_NAME_MAX];
    temp_name(g, temp);
    if (job->out >= 0) {
        unlinkat(g->at->dirfd, temp, 0); /* gone already when it succeeded */
        close(job->out);
    }
    if (job->in >= 0) {
        close(job->in);
    }
    deflateEnd(&job->z);
    free(job);
    g->job = NULL;
}

static void job_failed(struct gzip *g, const char *step)
{
    log_warn("cannot compress a rotated file; it stays as it is, and is tried again", KV("file", g->at->path),
             KV("step", step), KV("error", strerror(errno)));
    end_job(g);
    event_add(g->timer, &(struct timeval){AGAIN_S, 0});
}

/* Opens the file to write into, alone: another collector, which was left with an output that was moved away, may be
 * compressing beside us, and would put our half in the place of its whole. 0 or -1 (errno). */
static int open_out(const struct gzip *g, struct gzip_job *job)
{
    char name[ROTATED_NAME_MAX];
    struct stat mine, there;
    temp_name(g, name);
    int fd = openat(g->at->dirfd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -1;
    }
    /* Before the lock was had, the other one may have renamed it: then it is no longer there, and not ours. */
    if (lock_take(fd) == LOCK_HELD || fstat(fd, &mine) < 0 ||
        fstatat(g->at->dirfd, name, &there, AT_SYMLINK_NOFOLLOW) < 0 || mine.st_ino != there.st_ino) {
        close(fd);
        errno = EBUSY;
        return -1;
    }
    job->out = fd;
    return ftruncate(fd, 0);
}

/* 0, or -1 (errno): end_job cleans up. */
static int start_job(struct gzip *g, int64_t number)
{
    char name[ROTATED_NAME_MAX];
    struct gzip_job *job = g->job = calloc(1, sizeof(*job));
    if (!job) {
        return -1;
    }
    job->number = number;
    job->in = job->out = -1;
    if (deflateInit2(&job->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        errno = ENOMEM;
        return -1;
    }
    rotated_name(g->at, number, ROTATED_PLAIN, name);
    job->in = openat(g->at->dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (job->in < 0 || fstat(job->in, &job->st) < 0) {
        return -1;
    }
    return open_out(g, job);
}

static int write_out(struct gzip_job *job)
{
    size_t len = sizeof(job->to) - job->z.avail_out;
    for (size_t at = 0; at < len;) {
        ssize_t n = write(job->out, job->to + at, len - at);
        if (n < 0 && errno != EINTR) {
            return -1;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    job->unflushed += len;
    if (job->unflushed >= FLUSH_EACH) { /* a hint: the fsync at the end says whether it failed */
        sync_file_range(job->out, 0, 0, SYNC_FILE_RANGE_WRITE);
        job->unflushed = 0;
    }
    return 0;
}

/* Reads and compresses one step. 1: that was the end; 0; -1 (errno). */
static int compress_step(struct gzip_job *job)
{
    ssize_t n = job->got = read(job->in, job->from, sizeof(job->from));
    if (n < 0) {
        return errno == EINTR ? 0 : -1;
    }
    job->z.next_in = job->from;
    job->z.avail_in = (uInt)n;
    do {
        job->z.next_out = job->to;
        job->z.avail_out = sizeof(job->to);
        deflate(&job->z, n == 0 ? Z_FINISH : Z_NO_FLUSH);
        if (write_out(job) < 0) {
            return -1;
        }
    } while (job->z.avail_out == 0);
    return n == 0;
}

/* Puts the compressed file in the place of the other. 0 or -1 (errno). */
static int finish_job(struct gzip *g)
{
    struct gzip_job *job = g->job;
    char temp[ROTATED_NAME_MAX], plain[ROTATED_NAME_MAX], packed[ROTATED_NAME_MAX];
    struct stat st;
    temp_name(g, temp);
    rotated_name(g->at, job->number, ROTATED_PLAIN, plain);
    rotated_name(g->at, job->number, ROTATED_GZIP, packed);
    if (fstatat(g->at->dirfd, plain, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_ino != job->st.st_ino) {
        return 0; /* removed or moved meanwhile: nothing to put in its place */
    }
    const struct timespec times[2] = {job->st.st_atim, job->st.st_mtim};
    if (fchown(job->out, job->st.st_uid, job->st.st_gid) < 0) {
        log_debug("a compressed file has another owner than the plain one had", KV("file", packed));
    }
    if (fchmod(job->out, job->st.st_mode & 07777) < 0 || futimens(job->out, times) < 0 ||
        fsync(job->out) < 0) {
        return -1;
    }
    if (renameat(g->at->dirfd, temp, g->at->dirfd, packed) < 0 || fsync(g->at->dirfd) < 0) {
        return -1;
    }
    return unlinkat(g->at->dirfd, plain, 0);
}

/* -- one after the other ----------------------------------------------------------------------- */

/* The oldest file that is neither compressed nor written; 0: none. */
static int64_t next_number(const struct gzip *g)
{
    char name[ROTATED_NAME_MAX];
    int64_t oldest = 0;
    int found;
    for (int64_t number = 1; number <= g->cfg->file_keep && (found = rotated_exists(g->at, number));
         number++) {
        rotated_name(g->at, number, ROTATED_PLAIN, name);
        oldest = found == ROTATED_PLAIN && !rotated_is_written(g->at, name) ? number : oldest;
    }
    return oldest;
}

static void start_next(struct gzip *g)
{
    if (!compresses(g) || g->job || g->held) {
        return;
    }
    int64_t number = next_number(g);
    if (number == 0) {
        return;
    }
    if (start_job(g, number) < 0) {
        job_failed(g, errno == EBUSY ? "another process compresses here" : "open");
        return;
    }
    event_add(g->timer, &(struct timeval){0, 0});
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct gzip *g = arg;
    if (!g->job) {
        start_next(g); /* after a failure */
        return;
    }
    int result = compress_step(g->job);
    if (result == 0) {
        event_add(g->timer, &(struct timeval){0, g->job->got == STEP ? PAUSE_US : 0});
        return;
    }
    if (result < 0 || finish_job(g) < 0) {
        job_failed(g, result < 0 ? "write" : "rename");
        return;
    }
    end_job(g);
    start_next(g);
}

void gzip_begin(struct gzip *g)
{
    g->held = false;
    start_next(g);
}

void gzip_hold(struct gzip *g)
{
    g->held = true;
}

void gzip_moved(struct gzip *g, int64_t number)
{
    if (g->job && g->job->number == number) {
        g->job->number++;
    }
}

int gzip_init(struct gzip *g, struct event_base *base, const struct location *at, const struct config *cfg)
{
    *g = (struct gzip){.at = at, .cfg = cfg, .held = true};
    g->timer = evtimer_new(base, on_timer, g);
    return g->timer ? 0 : -1;
}

void gzip_free(struct gzip *g)
{
    end_job(g);
    loop_free_event(g->timer);
}
