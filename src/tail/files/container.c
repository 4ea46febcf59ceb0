#include "container.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "base/real_path.h"
#include "base/text.h"
#include "decode/decode.h"
#include "discover/log_driver.h"
#include "discover/metadata.h"
#include "tail/say.h"

#define CHUNK  (256u << 10)
#define EVENTS (IN_CREATE | IN_MODIFY | IN_MOVED_TO | IN_DELETE_SELF)

void container_wake(struct container *c)
{
    if (c->feed && !c->dirty && !c->full) {
        c->dirty = true;
        TAILQ_INSERT_TAIL(&c->all->dirty, c, dirty_link);
        event_active(c->all->run, EV_TIMEOUT, 0);
    }
}

static void container_free(struct container *c)
{
    struct containers *all = c->all;
    LIST_REMOVE(c, link);
    if (c->dirty) {
        TAILQ_REMOVE(&all->dirty, c, dirty_link);
    }
    all->past -= c->past;
    watch_close(c->watch);
    watch_close(c->log_watch);
    tail_log_close(c->log);
    if (c->feed) {
        tail_feed_close(c->feed);
    }
    free(c->dir);
    metadata_log_free(&c->where);
    log_place_free(&c->place);
    free(c);
}

/* -- where its log lies ------------------------------------------------------------------------ */

static void on_log_event(void *arg, uint32_t mask, const char *name)
{
    struct container *c = arg;
    (void)name;
    if (mask & IN_DELETE_SELF) {
        watch_close(c->log_watch);
        c->log_watch = NULL;
    }
    container_wake(c);
}

/* Of one that is shown, where its log is not in the container's directory: watches that, once it is there. */
static void watch_log(struct container *c)
{
    if (!c->all->watcher || !c->feed || c->log_watch) {
        return;
    }
    char *dir = log_place_directory(&c->place);
    if (strcmp(dir, c->dir) != 0) {
        c->log_watch = watch_open(c->all->watcher, dir, EVENTS, on_log_event, c);
    }
    free(dir);
}

/* Says once that nothing can be read there. */
static void say_faulty(struct container *c)
{
    char text[PATH_MAX + 160];
    bool faulty = c->place.fault != LOG_PLACE_GOOD;
    if (faulty && !c->faulty) {
        snprintf(text, sizeof(text), "its log cannot be shown: %s %s",
                 c->place.fault == LOG_PLACE_LOST ? "it is a link, and nothing can be found at"
                                                  : "it is no regular file, but",
                 c->place.target);
        tail_feed_present(c->feed);
        tail_feed_notice(c->feed, TAIL_NOTICE_BAD, clock_now(), text);
    }
    c->faulty = faulty;
}

/* Looks where its log lies now. True: elsewhere than before. */
static bool find_log(struct container *c)
{
    bool moved = log_place_find(&c->place, c->where.path);
    if (moved && c->log) {
        if (tail_log_move(c->log, c->place.path, c->place.alias) < 0) {
            tail_out_of_memory();
        }
        watch_close(c->log_watch);
        c->log_watch = NULL;
        watch_log(c);
    }
    say_faulty(c);
    return moved;
}

/* -- reading ----------------------------------------------------------------------------------- */

/* False: the feed takes no more now. */
static bool put(struct container *c, const struct record *rec)
{
    struct containers *all = c->all;
    const struct tail_options *o = all->env->options;
    struct slice text = rec->text;
    int64_t ns = clock_now();
    if (rec->time.len > 0 && clock_parse(rec->time, &ns) < 0) {
        ns = clock_now();
    }
    if (ns < o->since_ns || (o->until_ns && ns > o->until_ns)) {
        return true;
    }
    if (rec->escaped) {
        all->raw.len = 0;
        if (text_unescape(&all->raw, text) < 0) {
            return true; /* out of memory: the feed ends the process with its next line */
        }
        text = slice_of(all->raw.data, all->raw.len);
    }
    lifecycle_before_line(&c->life, c->feed, ns);
    return tail_feed_put(c->feed, rec->stream, ns, text, rec->more);
}

/* A line that is longer than the chunk: the chunk grows, up to line_max and its escapes; then the line is
 * cut. */
static void read_long(struct container *c, size_t got)
{
    struct containers *all = c->all;
    const struct framing *framing = c->where.decoder->framing;
    size_t most = (size_t)all->env->cfg->line_max * 6 + CHUNK + (framing ? framing->longest : 0);
    char *larger = all->size < most ? realloc(all->chunk, all->size * 2 + DECODE_PAD) : NULL;
    if (larger) {
        all->chunk = larger;
        all->size *= 2;
        return;
    }
    struct record rec;
    decode_as_text(all->chunk, got, &rec);
    if (put(c, &rec)) {
        tail_log_consume(c->log, got);
    } else {
        c->full = true;
    }
}

/* Passes over what is damaged. False: there is no such. */
static bool pass_over(struct container *c, const char *p, const char *end)
{
    const struct framing *framing = c->where.decoder->framing;
    size_t len = framing ? framing->damaged(p, end, false) : 0;
    tail_log_consume(c->log, len);
    return len > 0;
}

/* Reads a chunk. False: there was nothing to read, or the feed is full. */
static bool read_chunk(struct container *c)
{
    struct containers *all = c->all;
    ssize_t got = tail_log_read(c->log, all->chunk, all->size);
    if (got <= 0) {
        return false;
    }
    memset(all->chunk + got, 0, DECODE_PAD);
    const char *p = all->chunk, *end = p + got;
    struct record rec = {0};
    for (size_t used; (used = c->where.decoder->next(p, end, &rec, &all->scratch)) > 0; p += used) {
        if (!put(c, &rec)) {
            c->full = true;
            break;
        }
    }
    tail_log_consume(c->log, (size_t)(p - all->chunk));
    if (p == all->chunk && !c->full) {
        if (pass_over(c, p, end)) {
            return true;
        }
        if ((size_t)got < all->size) {
            return tail_log_torn(c->log);
        }
        read_long(c, (size_t)got);
    }
    return !c->full;
}

/* What a container that has ended left without an end is a line as it is, a torn entry too. False: the feed
 * takes it later. */
static bool end_last_line(struct container *c)
{
    struct containers *all = c->all;
    bool lines = !c->running && !c->where.decoder->framing;
    ssize_t got = lines ? tail_log_read(c->log, all->chunk, all->size) : 0;
    if (got > 0 && memchr(all->chunk, '\n', (size_t)got)) {
        container_wake(c); /* it came just now */
        return true;
    }
    tail_feed_end_parts(c->feed);
    if (got > 0) {
        struct record rec;
        decode_as_text(all->chunk, (size_t)got, &rec);
        c->full = !put(c, &rec);
        tail_log_consume(c->log, c->full ? 0 : (size_t)got);
    }
    return !c->full;
}

static void at_end(struct container *c)
{
    struct containers *all = c->all;
    if (all->env->follow && !c->removed && find_log(c)) {
        container_wake(c);
        return;
    }
    if ((!c->running || !all->env->follow) && !end_last_line(c)) {
        return;
    }
    if (c->past) {
        c->past = false;
        all->past--;
        tail_feed_present(c->feed);
        if (!c->running && !c->life.stopped && !c->removed) {
            lifecycle_not_running(all->env, c->feed);
        }
    }
    lifecycle_show(&c->life, c->feed);
    if (c->removed) {
        container_free(c);
    }
    if (!all->first && containers_done(all)) {
        all->env->finish(all->env->arg);
    }
}

static void on_run(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct containers *all = arg;
    struct container *c = TAILQ_FIRST(&all->dirty);
    if (!c) {
        return;
    }
    TAILQ_REMOVE(&all->dirty, c, dirty_link);
    c->dirty = false;
    if (read_chunk(c)) {
        container_wake(c);
    } else if (!c->full) {
        at_end(c);
    }
    if (!TAILQ_EMPTY(&all->dirty)) {
        event_active(all->run, EV_TIMEOUT, 0);
    }
}

static void on_resume(void *arg)
{
    struct container *c = arg;
    c->full = false;
    container_wake(c);
}

/* -- starts and stops -------------------------------------------------------------------------- */

/* Its tags, where it is one of those that were asked for; else NULL. */
static struct tags *wanted(struct container *c, const struct identity *who)
{
    const struct tail_env *env = c->all->env;
    struct tags *tags = tags_new(who, env->cfg);
    bool running = c->running || !env->options->files; /* with no Engine nothing runs: all are shown */
    if (tags && !tail_filter_container(env->filter, env->cfg, tags, who, running)) {
        tags_unref(tags);
        return NULL;
    }
    return tags;
}

/* Says once why it cannot be shown. */
static void say_unreadable(struct container *c, const struct metadata *meta)
{
    const struct tail_env *env = c->all->env;
    struct tags *tags = c->unreadable ? NULL : wanted(c, &meta->who);
    if (!tags) {
        return;
    }
    struct tail_feed *feed = tail_feed_open(env->feeds, tags, NULL, NULL);
    tags_unref(tags);
    tail_feed_present(feed);
    if (log_driver_keeps_nothing(meta->driver)) {
        lifecycle_keeps_nothing(feed, meta->driver);
    } else {
        char text[160];
        snprintf(text, sizeof(text),
                 "cannot be shown: its driver %s writes no file that can be read here; %s", meta->driver,
                 env->options->files ? "leave out --files to ask the Engine"
                                     : "the Engine must run to be asked for its log");
        tail_feed_notice(feed, TAIL_NOTICE_BAD, clock_now(), text);
    }
    tail_feed_close(feed);
    c->unreadable = true;
}

/* Shows it from now on, or, as we begin, what there is of it. */
static void show(struct container *c, const struct identity *who)
{
    struct containers *all = c->all;
    const struct tail_env *env = all->env;
    struct tags *tags = wanted(c, who);
    if (!tags) {
        return;
    }
    c->feed = tail_feed_open(env->feeds, tags, on_resume, c);
    tags_unref(tags);
    find_log(c);
    c->log =
        tail_log_open(c->place.path, c->place.alias, c->where.decoder, all->first ? env->options->lines : -1);
    if (all->first) {
        c->past = true;
        all->past++;
    } else {
        tail_feed_present(c->feed);
        tail_feed_notice(c->feed, TAIL_NOTICE_GOOD, clock_now(), "started");
    }
    watch_log(c);
    if (c->log) {
        container_wake(c);
    }
}

/* Takes over what is new in its state. Of two changes since the last look, only the second is there to be
 * seen. */
static void take_state(struct container *c, const json_t *state, bool was_running)
{
    const char *since = json_string_value(json_object_get(state, "StartedAt"));
    const char *ended = json_string_value(json_object_get(state, "FinishedAt"));
    bool anew = c->running && was_running && c->started[0] && since && strcmp(c->started, since) != 0;
    bool shown = c->feed && c->all->env->follow && !c->all->first;
    int64_t stopped_ns = INT64_MAX;
    if (ended && clock_parse(slice_str(ended), &stopped_ns) < 0) {
        stopped_ns = INT64_MAX;
    }
    if (shown && was_running && (anew || !c->running)) {
        int exit_code = anew ? -1 : (int)json_integer_value(json_object_get(state, "ExitCode"));
        lifecycle_stopped(&c->life, c->feed, exit_code, stopped_ns);
    }
    if (shown && c->running && (anew || !was_running)) {
        lifecycle_started(&c->life, c->feed);
    }
    if (shown) {
        container_wake(c);
    }
    snprintf(c->started, sizeof(c->started), "%s", since ? since : "");
}

static void set_log(struct container *c, const char *driver)
{
    metadata_log_free(&c->where);
    log_place_free(&c->place);
    c->where = metadata_log(c->dir, c->id, driver);
    if (!c->where.path) {
        tail_out_of_memory();
    }
}

void container_update(struct container *c)
{
    struct metadata meta;
    if (metadata_load(c->dir, &meta, NULL) < 0) {
        return; /* just being made, or removed */
    }
    const json_t *state = json_object_get(meta.json, "State");
    bool was_running = c->running;
    c->running = json_is_true(json_object_get(state, "Running"));
    meta.who.id = c->id;
    if (!c->feed) {
        set_log(c, meta.driver);
    }
    watch_log(c);
    take_state(c, state, was_running);
    bool due = !c->feed && (c->all->first || (c->all->env->follow && c->running));
    if (due && log_driver_has_files(meta.driver)) {
        show(c, &meta.who);
    } else if (due) {
        say_unreadable(c, &meta);
    }
    metadata_free(&meta);
}

static void on_event(void *arg, uint32_t mask, const char *name)
{
    struct container *c = arg;
    if (mask & IN_DELETE_SELF) {
        watch_close(c->watch);
        c->watch = NULL;
        c->removed = true;
        if (c->running) {
            lifecycle_stopped(&c->life, c->feed, -1, INT64_MAX);
        }
        if (c->feed) {
            container_wake(c);
        } else {
            container_free(c);
        }
    } else if (strcmp(name, "config.v2.json") == 0) {
        container_update(c);
    } else {
        watch_log(c); /* the Engine makes its directory as the container starts */
        container_wake(c);
    }
}

void container_new(struct containers *all, const char *id)
{
    struct container *c = calloc(1, sizeof(*c));
    char *dir = NULL;
    if (!c || asprintf(&dir, "%s/%s", all->env->cfg->json_file_path, id) < 0 || !(c->dir = real_path(dir))) {
        tail_out_of_memory();
    }
    free(dir);
    c->all = all;
    memcpy(c->id, id, CONTAINER_ID_LEN);
    LIST_INSERT_HEAD(&all->list, c, link);
    if (all->watcher) {
        c->watch = watch_open(all->watcher, c->dir, EVENTS, on_event, c);
    }
    container_update(c);
}

/* -- all of them ------------------------------------------------------------------------------- */

int containers_init(struct containers *all, const struct tail_env *env)
{
    *all = (struct containers){.env = env, .size = CHUNK};
    TAILQ_INIT(&all->dirty);
    all->chunk = malloc(all->size + DECODE_PAD);
    all->run = event_new(env->base, -1, 0, on_run, all);
    return all->chunk && all->run ? 0 : -1;
}

void containers_free(struct containers *all)
{
    for (struct container *c; (c = LIST_FIRST(&all->list));) {
        container_free(c);
    }
    loop_free_event(all->run);
    buf_free(&all->scratch);
    buf_free(&all->raw);
    free(all->chunk);
}

bool containers_done(const struct containers *all)
{
    return all->past == 0 && !all->env->follow;
}
