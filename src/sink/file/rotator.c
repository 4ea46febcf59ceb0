#include "rotator.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "rotated.h"

#define AGAIN_S 10 /* after a rotation that failed */

static const enum rotated_kind kinds[] = {ROTATED_PLAIN, ROTATED_GZIP};

/* -- when it is due ---------------------------------------------------------------------------- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct rotator *r = arg;
    r->due = true;
    r->wake(r->arg);
}

int rotator_init(struct rotator *r, struct event_base *base, const struct location *at,
                 const struct config *cfg, struct gzip *gzip, void (*wake)(void *arg), void *arg)
{
    *r = (struct rotator){.at = at, .cfg = cfg, .gzip = gzip, .wake = wake, .arg = arg};
    r->timer = evtimer_new(base, on_timer, r);
    return r->timer ? 0 : -1;
}

void rotator_free(struct rotator *r)
{
    loop_free_event(r->timer);
}

void rotator_watch_age(struct rotator *r, const struct output *out)
{
    int64_t age = r->cfg->file_rotate_age;
    if (age <= 0 || out->length == 0) {
        evtimer_del(r->timer);
        return;
    }
    int64_t wait = out->since_ns + age - clock_now();
    loop_arm_timer(r->timer, wait > age ? age : wait); /* somebody may set the clock */
}

void rotator_begin_output(struct rotator *r, const struct output *out)
{
    r->due = false;
    rotator_watch_age(r, out);
}

bool rotator_is_due(const struct rotator *r, const struct output *out, const struct batch *next)
{
    int64_t limit = r->cfg->file_rotate_bytes;
    if (out->length == 0 || clock_monotonic() < r->not_before_ns) {
        return false;
    }
    return r->due || (limit > 0 && next && out->length + next->out.len > (uint64_t)limit);
}

uint64_t rotator_room(const struct rotator *r, const struct output *out)
{
    int64_t limit = r->cfg->file_rotate_bytes;
    if (limit <= 0) {
        return UINT64_MAX;
    }
    return (uint64_t)limit > out->length ? (uint64_t)limit - out->length : 0;
}

/* -- how it is done ---------------------------------------------------------------------------- */

static void prune(const struct rotator *r, int64_t keep)
{
    int found;
    if (!rotated_are_ours(r->cfg)) {
        return;
    }
    for (int64_t number = keep + 1; (found = rotated_exists(r->at, number)); number++) {
        for (int k = 0; k < 2; k++) {
            char name[ROTATED_NAME_MAX];
            rotated_name(r->at, number, kinds[k], name);
            if (kinds[k] == ROTATED_PLAIN && rotated_is_written(r->at, name)) {
                continue;
            }
            if ((found & kinds[k]) && unlinkat(r->at->dirfd, name, 0) < 0) {
                log_warn("cannot remove a rotated file", KV("file", name), KV("error", strerror(errno)));
                return;
            }
        }
    }
}

void rotator_prune(const struct rotator *r)
{
    prune(r, r->cfg->file_keep);
}

/* P.k → P.k+1, from the first number that is free downwards. 0 or -1 (errno). */
static int shift(struct rotator *r)
{
    int64_t number = 1;
    while (rotated_exists(r->at, number)) {
        number++;
    }
    while (--number > 0) {
        int found = rotated_exists(r->at, number);
        for (int k = 0; k < 2; k++) {
            char from[ROTATED_NAME_MAX], to[ROTATED_NAME_MAX];
            rotated_name(r->at, number, kinds[k], from);
            rotated_name(r->at, number + 1, kinds[k], to);
            if ((found & kinds[k]) && renameat(r->at->dirfd, from, r->at->dirfd, to) < 0) {
                return -1;
            }
        }
        gzip_moved(r->gzip, number);
    }
    return 0;
}

static void new_name(const struct rotator *r, char out[ROTATED_NAME_MAX])
{
    snprintf(out, ROTATED_NAME_MAX, "%s.new", r->at->name);
}

void rotator_clean(const struct rotator *r)
{
    char name[ROTATED_NAME_MAX];
    struct stat st;
    new_name(r, name);
    if (rotated_are_ours(r->cfg) && fstatat(r->at->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(st.st_mode) && st.st_size == 0) {
        unlinkat(r->at->dirfd, name, 0);
    }
}

/* Opens P.new as *to, with the owner and mode of P. 0 or -1. */
static int open_new(const struct rotator *r, const char *name, const struct output *out, struct output *to,
                    struct error *err)
{
    struct stat st;
    rotator_clean(r);
    if (output_open(r->at, name, O_EXCL, to, err) < 0) {
        return -1;
    }
    if (fstat(out->fd, &st) == 0 &&
        (fchown(to->fd, st.st_uid, st.st_gid) < 0 || fchmod(to->fd, st.st_mode & 07777) < 0)) {
        log_warn("the new output file has another owner or mode than the old one", KV("file", r->at->path),
                 KV("error", strerror(errno)));
    }
    return 0;
}

static int rotate(struct rotator *r, const struct output *out, struct output *to, struct error *err)
{
    const struct location *at = r->at;
    char new[ROTATED_NAME_MAX], first[ROTATED_NAME_MAX];
    new_name(r, new);
    rotated_name(at, 1, ROTATED_PLAIN, first);
    if (!output_is_at(at, at->name, out)) { /* somebody else was quicker */
        return output_open(at, at->name, 0, to, err);
    }
    if (open_new(r, new, out, to, err) < 0) {
        return -1;
    }
    if (shift(r) < 0 || renameat(at->dirfd, at->name, at->dirfd, first) < 0) {
        error_set(err, "cannot rename: %s", strerror(errno));
    } else if (renameat(at->dirfd, new, at->dirfd, at->name) < 0) {
        error_set(err, "cannot rename %s to %s: %s", new, at->name, strerror(errno));
        renameat(at->dirfd, first, at->dirfd, at->name); /* where this fails too, the next try opens P only */
    } else {
        prune(r, r->cfg->file_keep > 0 ? r->cfg->file_keep : 1); /* P.1 is still needed */
        return 0;
    }
    unlinkat(at->dirfd, new, 0);
    output_close(to);
    return -1;
}

int rotator_run(struct rotator *r, const struct output *out, struct output *to)
{
    struct error err = {0};
    if (rotate(r, out, to, &err) == 0) {
        log_debug("rotated the output", KV("file", r->at->path));
        if (r->failing) {
            log_info("rotates again", KV("file", r->at->path));
        }
        r->failing = false;
        return 0;
    }
    if (!r->failing) {
        log_error("cannot rotate the output; it grows on, and rotating is tried again",
                  KV("file", r->at->path), KV("error", err.text));
    }
    r->failing = true;
    r->not_before_ns = clock_monotonic() + AGAIN_S * NS_PER_S;
    event_add(r->timer, &(struct timeval){AGAIN_S, 1});
    return -1;
}
