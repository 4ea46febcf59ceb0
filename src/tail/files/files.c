#include "files.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "container.h"
#include "tail/say.h"

#define EVENTS (IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF)

struct files {
    const struct tail_env *env;
    struct watcher *watcher;
    struct watch *root;
    struct event *tick;
    struct containers containers;
};

static void finish(const struct files *f)
{
    f->env->finish(f->env->arg);
}

/* -- which containers there are ---------------------------------------------------------------- */

static bool is_known(const struct files *f, const char *id)
{
    const struct container *c;
    LIST_FOREACH(c, &f->containers.list, link)
    {
        if (strcmp(c->id, id) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_id(const char *name)
{
    size_t len = 0;
    while (isxdigit((unsigned char)name[len])) {
        len++;
    }
    return len == CONTAINER_ID_LEN && name[len] == '\0';
}

static void add(struct files *f, const char *name)
{
    if (is_id(name) && !is_known(f, name)) {
        container_new(&f->containers, name);
    }
}

static void scan(struct files *f)
{
    DIR *dir = opendir(f->env->cfg->json_file_path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        add(f, entry->d_name);
    }
    if (dir) {
        closedir(dir);
    }
}

static void on_root_event(void *arg, uint32_t mask, const char *name)
{
    struct files *f = arg;
    if (mask & IN_DELETE_SELF) {
        tail_say("the containers directory was removed");
        finish(f);
    } else {
        add(f, name);
    }
}

/* Once a second: what inotify could not tell (too few watches, a network file system), and the end of
 * --until. */
static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct files *f = arg;
    struct container *c;
    LIST_FOREACH(c, &f->containers.list, link)
    {
        if (!c->watch) {
            container_update(c);
        }
        container_wake(c);
    }
    if (f->env->options->until_ns && clock_now() > f->env->options->until_ns) {
        finish(f);
    }
}

static void on_overflow(void *arg)
{
    struct files *f = arg;
    struct container *c;
    scan(f);
    LIST_FOREACH(c, &f->containers.list, link)
    {
        container_update(c);
        container_wake(c);
    }
}

/* -- the contract ------------------------------------------------------------------------------ */

static void files_close(void *source)
{
    struct files *f = source;
    containers_free(&f->containers);
    watch_close(f->root);
    watcher_free(f->watcher);
    loop_free_event(f->tick);
    free(f);
}

static int check_readable(const char *root, struct error *err)
{
    if (faccessat(AT_FDCWD, root, R_OK | X_OK, AT_EACCESS) == 0) {
        return 0;
    }
    return error_set(err, "cannot read %s: %s (%s)", root, strerror(errno),
                     errno == EACCES ? "run as root or with CAP_DAC_READ_SEARCH"
                                     : "is the Engine's data there? See json_file.path");
}

static int watch(struct files *f, struct error *err)
{
    f->watcher = watcher_new(f->env->base, on_overflow, f, err);
    if (!f->watcher) {
        return -1;
    }
    f->root = watch_open(f->watcher, f->env->cfg->json_file_path, EVENTS, on_root_event, f);
    f->tick = event_new(f->env->base, -1, EV_PERSIST, on_tick, f);
    if (!f->tick || event_add(f->tick, &(struct timeval){1, 0}) < 0) {
        return error_set(err, "out of memory");
    }
    return 0;
}

static int prepare(struct files *f, struct error *err)
{
    if (containers_init(&f->containers, f->env) < 0) {
        return error_set(err, "out of memory");
    }
    if (check_readable(f->env->cfg->json_file_path, err) < 0) {
        return -1;
    }
    return f->env->follow ? watch(f, err) : 0;
}

static void *files_open(const struct tail_env *env, struct error *err)
{
    struct files *f = calloc(1, sizeof(*f));
    if (!f) {
        error_set(err, "out of memory");
        return NULL;
    }
    f->env = env;
    if (prepare(f, err) < 0) {
        files_close(f);
        return NULL;
    }
    f->containers.watcher = f->watcher;
    f->containers.first = true;
    scan(f);
    f->containers.first = false;
    env->listed(env->arg);
    if (containers_done(&f->containers)) {
        finish(f);
    }
    return f;
}

const struct tail_source tail_files = {files_open, files_close};
