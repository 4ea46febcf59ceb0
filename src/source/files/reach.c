#include "reach.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#define LINKS_MAX 40 /* as Linux has it: more of them are a circle */

/* What a link is held against. */
struct goal {
    const char *real_base, *real;
    bool inside;       /* `real` is below the base */
    bool by_anybody;   /* may everybody read it? */
    uid_t owner;       /* of `real` */
    bool told;         /* which mounts these are in: */
    uint64_t mount;    /* `real` … */
    uint64_t based_in; /* … and the base */
};

/* -- mounts ------------------------------------------------------------------------------------ */

/* Linux before 5.8 tells the mount of what is open alone, since 3.15. O_PATH opens without looking at what is there. */
static bool mount_of_open(const char *path, uint64_t *mount)
{
    char info[40], line[128];
    bool told = false;
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    snprintf(info, sizeof(info), "/proc/self/fdinfo/%d", fd);
    FILE *f = fopen(info, "re");
    while (f && !told && fgets(line, sizeof(line), f)) {
        unsigned long long id;
        told = sscanf(line, "mnt_id: %llu", &id) == 1;
        *mount = told ? id : 0;
    }
    if (f) {
        fclose(f);
    }
    close(fd);
    return told;
}

/* Which mount is it in? False: that cannot be told. */
static bool mount_of(const char *path, uint64_t *mount)
{
    *mount = fd_mount(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
    return *mount > 0 || mount_of_open(path, mount);
}

/* -- rights ------------------------------------------------------------------------------------ */

/* Bytes of the path of the deepest directory above both. */
static size_t common_directory(const char *a, const char *b)
{
    size_t common = 0;
    for (size_t i = 0; a[i] && a[i] == b[i]; i++) {
        common = a[i] == '/' ? i : common;
    }
    return common;
}

/* May anybody pass through the directory of that many bytes' path? */
static bool is_passable(const char *path, size_t len)
{
    char dir[PATH_MAX];
    struct stat st;
    snprintf(dir, sizeof(dir), "%.*s", (int)len, path);
    return lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_mode & S_IXOTH;
}

/* May anybody read the regular file, or list the directory, at `real`? The directories that lie above `from` as well are
 * not asked: whoever made a link below `from` came by them. */
static bool anybody_may_read(const char *from, const char *real, const struct stat *st)
{
    size_t at = common_directory(from, real);
    for (const char *slash = strchr(real + at + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        if (!is_passable(real, (size_t)(slash - real))) {
            return false;
        }
    }
    mode_t needed = S_ISDIR(st->st_mode) ? S_IROTH | S_IXOTH : S_IROTH;
    return (st->st_mode & needed) == needed;
}

/* -- links ------------------------------------------------------------------------------------- */

static bool is_below(const char *dir, const char *path)
{
    size_t len = strcmp(dir, "/") == 0 ? 0 : strlen(dir);
    return strncmp(dir, path, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* False where it is gone. */
static bool aim(struct goal *goal, const char *real_base, const char *real)
{
    struct stat st;
    if (strlen(real) >= PATH_MAX || lstat(real, &st) < 0) {
        return false;
    }
    *goal = (struct goal){.real_base = real_base, .real = real, .owner = st.st_uid};
    goal->inside = is_below(real_base, real);
    goal->by_anybody = anybody_may_read(real_base, real, &st);
    goal->told = mount_of(real, &goal->mount) && mount_of(real_base, &goal->based_in);
    return true;
}

/* One link, which stands in the directory `dir`. */
static enum reach judge_link(const struct goal *goal, const char *dir, uid_t maker)
{
    uint64_t mount;
    if (!goal->told || !mount_of(dir, &mount) ||
        (mount != goal->mount && !(goal->inside && mount == goal->based_in))) {
        return REACH_MOUNT;
    }
    bool theirs = goal->inside && (maker == 0 || maker == goal->owner);
    return goal->by_anybody || theirs ? REACH_GOOD : REACH_PRIVATE;
}

/* A way through the directories, name by name, as the kernel goes. */
struct way {
    char at[PATH_MAX];   /* without links; "" is the root */
    char rest[PATH_MAX]; /* what is to come, with a slash before each name */
    unsigned links;
};

/* Goes up where the name says so. True: it did, or stays. */
static bool is_step_without_name(struct way *way, const char *name, size_t len)
{
    if (len == 2 && memcmp(name, "..", 2) == 0) {
        char *slash = strrchr(way->at, '/');
        *(slash ? slash : way->at) = '\0';
        return true;
    }
    return len == 0 || (len == 1 && *name == '.');
}

/* Puts what the link `path` holds before the rest. */
static bool take_link(struct way *way, const char *path)
{
    char to[PATH_MAX], rest[PATH_MAX];
    ssize_t n = readlink(path, to, sizeof(to) - 1);
    if (n <= 0 || ++way->links > LINKS_MAX) {
        return false;
    }
    to[n] = '\0';
    if (*to == '/') {
        way->at[0] = '\0';
    }
    int len = snprintf(rest, sizeof(rest), "%s%s%s", *to == '/' ? "" : "/", to, way->rest);
    memcpy(way->rest, rest, sizeof(rest));
    return len < (int)sizeof(rest);
}

/* One name further; a link is judged and taken. */
static enum reach step(struct way *way, const struct goal *goal)
{
    const char *name = way->rest + 1;
    size_t len = strcspn(name, "/");
    char path[2 * PATH_MAX];
    struct stat st;
    bool unnamed = is_step_without_name(way, name, len);
    snprintf(path, sizeof(path), "%s/%.*s", way->at, (int)len, name);
    memmove(way->rest, name + len, strlen(name + len) + 1);
    if (unnamed) {
        return REACH_GOOD;
    }
    /* A last name that is not there leads to itself: another file of the log may be meant. */
    bool there = lstat(path, &st) == 0;
    if (!there && (errno != ENOENT || *way->rest)) {
        return REACH_TURNED;
    }
    if (there && S_ISLNK(st.st_mode)) {
        enum reach found = judge_link(goal, *way->at ? way->at : "/", st.st_uid);
        return found != REACH_GOOD || take_link(way, path) ? found : REACH_TURNED;
    }
    return snprintf(way->at, sizeof(way->at), "%s", path) < (int)sizeof(way->at) ? REACH_GOOD : REACH_TURNED;
}

/* Are both in the same directory? */
static bool are_beside(const char *a, const char *b)
{
    size_t len = (size_t)(strrchr(a, '/') - a);
    return strncmp(a, b, len + 1) == 0 && !strchr(b + len + 1, '/');
}

enum reach reach_judge(const char *path, const char *base, const char *real_base, const char *real)
{
    struct goal goal;
    struct way way = {.links = 0};
    const char *rest = path + (strcmp(base, "/") == 0 ? 0 : strlen(base));
    if (!aim(&goal, real_base, real) ||
        snprintf(way.rest, sizeof(way.rest), "%s", rest) >= (int)sizeof(way.rest)) {
        return REACH_TURNED;
    }
    snprintf(way.at, sizeof(way.at), "%s", strcmp(real_base, "/") == 0 ? "" : real_base);
    while (*way.rest) {
        enum reach found = step(&way, &goal);
        if (found != REACH_GOOD) {
            return found;
        }
    }
    /* Without a link the name may have been turned since `real` was found by it. */
    return way.links > 0 || (*way.at && are_beside(way.at, real)) ? REACH_GOOD : REACH_TURNED;
}
