/* Which container this process itself runs in. */
#include <ctype.h>
#include <stdio.h>

#include "record/tags.h"

#define ID_LEN 64

/* The last run of exactly 64 hex digits in [p, p+len): the innermost container's in a cgroup's path, whatever
 * surrounds it
 * (`/docker/<id>`, `docker-<id>.scope`). */
static bool last_id(const char *p, size_t len, char id[ID_LEN + 1])
{
    bool found = false;
    for (size_t i = 0, run = 0; i <= len; i++) {
        if (i < len && isxdigit((unsigned char)p[i])) {
            run++;
            continue;
        }
        if (run == ID_LEN) {
            memcpy(id, p + i - ID_LEN, ID_LEN);
            id[ID_LEN] = '\0';
            found = true;
        }
        run = 0;
    }
    return found;
}

/* Fields four and five of a line of mountinfo (proc(5)): the mount's root within its file system, and where
 * it is mounted. */
static bool mount_id(const char *line, size_t len, char id[ID_LEN + 1])
{
    static const char *const files[] = {"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"};
    const char *p = line, *end = line + len;
    struct slice field[5];
    for (int i = 0; i < 5; i++) {
        const char *space = memchr(p, ' ', (size_t)(end - p));
        if (!space) {
            return false;
        }
        field[i] = slice_of(p, (size_t)(space - p));
        p = space + 1;
    }
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (slice_eq(field[4], slice_str(files[i]))) {
            return last_id(field[3].ptr, field[3].len, id);
        }
    }
    return false;
}

static bool any_line(const char *text, char id[ID_LEN + 1],
                     bool (*fn)(const char *, size_t, char[ID_LEN + 1]))
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        if (fn(text, len, id)) {
            return true;
        }
        text += len + (text[len] == '\n');
    }
    return false;
}

bool tags_container_in(const char *cgroup, const char *mountinfo, char id[ID_LEN + 1])
{
    /* With a cgroup namespace of its own a container sees only `0::/`: then the files that the Engine mounts
     * tell. */
    return any_line(cgroup, id, last_id) || any_line(mountinfo, id, mount_id);
}

/* The whole file, NUL-terminated; what could not be read is left out. */
static void read_all(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "re");
    size_t got = 1;
    while (file && got > 0 && buf_reserve(out, 4096) == 0) {
        got = fread(out->data + out->len, 1, 4096, file);
        out->len += got;
    }
    if (file) {
        fclose(file);
    }
    buf_add(out, "", 1);
}

static bool find_own(char id[ID_LEN + 1])
{
    struct buf cgroup = {0}, mountinfo = {0};
    read_all("/proc/self/cgroup", &cgroup);
    read_all("/proc/self/mountinfo", &mountinfo);
    bool found = cgroup.data && mountinfo.data && tags_container_in(cgroup.data, mountinfo.data, id);
    buf_free(&cgroup);
    buf_free(&mountinfo);
    return found;
}

const char *tags_own_container(void)
{
    static char id[ID_LEN + 1];
    static bool asked, found;
    if (!asked) { /* once: on a host with many containers the kernel's list of mounts is long */
        found = find_own(id);
        asked = true;
    }
    return found ? id : NULL;
}
