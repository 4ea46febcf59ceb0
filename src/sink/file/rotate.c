/* Rotation: P → P.1, P.1 → P.2 and so on, and a new P. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "file.h"

#define AGAIN_S 10 /* after a rotation that failed */

static const int kinds[] = {ROTATED_PLAIN, ROTATED_GZIP};

void rotated_name(const struct file_sink *s, int64_t number, int kind, char out[ROTATED_NAME_MAX])
{
    snprintf(out, ROTATED_NAME_MAX, "%s.%lld%s", s->name, (long long)number,
             kind == ROTATED_GZIP ? ".gz" : "");
}

int rotated_exists(const struct file_sink *s, int64_t number)
{
    int found = 0;
    for (int k = 0; k < 2; k++) {
        char name[ROTATED_NAME_MAX];
        rotated_name(s, number, kinds[k], name);
        found |= faccessat(s->dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? kinds[k] : 0;
    }
    return found;
}

static bool rotates(const struct file_sink *s)
{
    return s->env.cfg->file_rotate_bytes > 0 || s->env.cfg->file_rotate_age > 0;
}

void file_prune(const struct file_sink *s, int64_t keep)
{
    int found;
    if (!rotates(s)) {
        return; /* they are somebody else's */
    }
    for (int64_t number = keep + 1; (found = rotated_exists(s, number)); number++) {
        for (int k = 0; k < 2; k++) {
            char name[ROTATED_NAME_MAX];
            rotated_name(s, number, kinds[k], name);
            if ((found & kinds[k]) && unlinkat(s->dirfd, name, 0) < 0) {
                log_warn("cannot remove a rotated file", KV("file", name), KV("error", strerror(errno)));
                return;
            }
        }
    }
}

/* P.k → P.k+1, from the first number that is free downwards. 0 or -1 (errno). */
static int shift(struct file_sink *s)
{
    int64_t number = 1;
    while (rotated_exists(s, number)) {
        number++;
    }
    while (--number > 0) {
        int found = rotated_exists(s, number);
        for (int k = 0; k < 2; k++) {
            char from[ROTATED_NAME_MAX], to[ROTATED_NAME_MAX];
            rotated_name(s, number, kinds[k], from);
            rotated_name(s, number + 1, kinds[k], to);
            if ((found & kinds[k]) && renameat(s->dirfd, from, s->dirfd, to) < 0) {
                return -1;
            }
        }
        gzip_moved(s, number);
    }
    return 0;
}

static void new_name(const struct file_sink *s, char out[ROTATED_NAME_MAX])
{
    snprintf(out, ROTATED_NAME_MAX, "%s.new", s->name);
}

void file_clean(const struct file_sink *s)
{
    char name[ROTATED_NAME_MAX];
    struct stat st;
    new_name(s, name);
    if (rotates(s) && fstatat(s->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
        st.st_size == 0) {
        unlinkat(s->dirfd, name, 0);
    }
}

/* P.new, with P's owner and mode. */
static int open_new(struct file_sink *s, const char *name, struct output *out, struct error *err)
{
    struct stat st;
    file_clean(s);
    if (output_open(s, name, O_EXCL, out, err) < 0) {
        return -1;
    }
    if (fstat(s->out.fd, &st) == 0 &&
        (fchown(out->fd, st.st_uid, st.st_gid) < 0 || fchmod(out->fd, st.st_mode & 07777) < 0)) {
        log_warn("the new output file has another owner or mode than the old one", KV("file", s->path),
                 KV("error", strerror(errno)));
    }
    return 0;
}

static int rotate(struct file_sink *s, struct error *err)
{
    char new[ROTATED_NAME_MAX], first[ROTATED_NAME_MAX];
    struct output to;
    new_name(s, new);
    rotated_name(s, 1, ROTATED_PLAIN, first);
    if (!output_is_at(s, s->name, &s->out)) { /* somebody else was quicker */
        return file_begin_anew(s, err);
    }
    if (open_new(s, new, &to, err) < 0) {
        return -1;
    }
    if (shift(s) < 0 || renameat(s->dirfd, s->name, s->dirfd, first) < 0) {
        error_set(err, "cannot rename: %s", strerror(errno));
    } else if (renameat(s->dirfd, new, s->dirfd, s->name) < 0) {
        error_set(err, "cannot rename %s to %s: %s", new, s->name, strerror(errno));
        renameat(s->dirfd, first, s->dirfd, s->name); /* where this fails too, the next try begins P anew */
    } else {
        file_prune(s, s->env.cfg->file_keep > 0 ? s->env.cfg->file_keep : 1); /* P.1 is still needed */
        file_switch(s, &to);
        return 0;
    }
    unlinkat(s->dirfd, new, 0);
    output_close(&to);
    return -1;
}

void file_rotate(struct file_sink *s)
{
    struct error err = {""};
    if (rotate(s, &err) == 0) {
        log_debug("rotated the output", KV("file", s->path));
        if (s->rotate_failing) {
            log_info("rotates again", KV("file", s->path));
        }
        s->rotate_failing = false;
        return;
    }
    if (!s->rotate_failing) {
        log_error("cannot rotate the output; it grows on, and rotating is tried again", KV("file", s->path),
                  KV("error", err.text));
    }
    s->rotate_failing = true;
    s->rotate_not_before_ns = clock_monotonic() + AGAIN_S * NS_PER_S;
    event_add(s->age_timer, &(struct timeval){AGAIN_S, 1});
}
