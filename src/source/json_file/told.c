#include "told.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* So many watches at most beyond those of directories: a user may have no more than 8,192. */
#define FILES_MOST 1024

/* Of the directory that its log lies in. */
static struct watch *watch_of_log(const struct container *c, const char *dir)
{
    return strcmp(dir, c->dir) == 0 ? c->watch : c->log_watch;
}

bool told_all(const struct container *c)
{
    if (!c->follow || !c->settled || !c->watch || c->place.alias) {
        return false;
    }
    char *dir = log_place_directory(&c->place);
    bool told = follow_is_told(c->follow, watch_of_log(c, dir));
    free(dir);
    return told;
}

static void on_file_event(void *arg, uint32_t mask, const char *name)
{
    (void)name;
    struct container *c = arg;
    if ((mask & FILE_EVENTS) && c->follow) {
        c->silent = false;
        follow_wake(c->follow);
    }
}

static void close_file_watch(struct container *c)
{
    c->source->file_watches -= c->file_watch != NULL;
    watch_close(c->file_watch);
    c->file_watch = NULL;
}

/* Only where another file in its place, and any other name of it, would be told. */
static bool open_file_watch(struct container *c, int fd)
{
    struct json_file *src = c->source;
    if (fd < 0 || src->watches_scarce || src->file_watches >= FILES_MOST || !told_all(c)) {
        return false;
    }
    c->file_watch = watch_open_file(src->watcher, fd, FILE_EVENTS, on_file_event, c);
    src->watches_scarce = !c->file_watch && errno == ENOSPC;
    src->file_watches += c->file_watch != NULL;
    return c->file_watch != NULL;
}

/* Nothing but its log is written to in place in that directory. */
static bool set_events(const struct container *c, enum told told)
{
    bool by_directory = told == TOLD_BY_DIRECTORY;
    char *dir = log_place_directory(&c->place);
    struct watch *watch = watch_of_log(c, dir);
    bool set =
        watch ? watch_change(watch, dir, by_directory ? DIR_EVENTS | FILE_EVENTS : DIR_EVENTS) : by_directory;
    free(dir);
    return set;
}

bool told_set(void *container, enum told told, int fd)
{
    struct container *c = container;
    if (told == TOLD_BY_FILE && (c->file_watch || !open_file_watch(c, fd))) {
        return c->file_watch != NULL;
    }
    bool set = set_events(c, told);
    c->told_how = set ? told : c->told_how;
    c->missed |= c->told_how != TOLD_BY_DIRECTORY;
    if (c->told_how != TOLD_BY_FILE) {
        close_file_watch(c);
    }
    c->silent = false;
    return set;
}

void told_watched(const struct container *c)
{
    if (c->told_how == UNTOLD) {
        set_events(c, UNTOLD);
    }
}

void told_by_directory(struct container *c)
{
    if (c->told_how == TOLD_BY_FILE && !told_set(c, TOLD_BY_DIRECTORY, -1)) {
        told_close(c); /* the directory is another one: the next look opens that */
    }
}

bool told_give_back(struct json_file *src)
{
    bool any = src->file_watches > 0;
    struct container *c, *next;
    src->watches_scarce = true;
    for (c = any ? src->containers : NULL; c; c = next) {
        next = c->hh.next;
        if (c->file_watch) {
            told_by_directory(c);
            follow_wake(c->follow); /* what its file has told may not have been heard */
        }
    }
    return any;
}

void told_reset(struct container *c)
{
    watch_close(c->log_watch);
    c->log_watch = NULL;
    close_file_watch(c);
    if (c->told_how != TOLD_BY_DIRECTORY && c->watch &&
        !watch_change(c->watch, c->dir, DIR_EVENTS | FILE_EVENTS)) {
        watch_close(c->watch); /* the next look opens it anew, where the directory is there */
        c->watch = NULL;
    }
    c->told_how = TOLD_BY_DIRECTORY;
}

void told_close(struct container *c)
{
    close_file_watch(c);
    watch_close(c->watch);
    watch_close(c->log_watch);
    c->watch = c->log_watch = NULL;
    c->told_how = c->told_how == UNTOLD ? UNTOLD : TOLD_BY_DIRECTORY;
}
