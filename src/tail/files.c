/* Docker's containers directory as a source of `sidetail tail`. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/watch.h"
#include "decode/decode.h"
#include "discover/metadata.h"
#include "log.h"
#include "tail/tail.h"

#define ID_LEN      64
#define CHUNK       (256u << 10)
#define ROOT_EVENTS (IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF)
#define DIR_EVENTS  (IN_CREATE | IN_MODIFY | IN_MOVED_TO | IN_DELETE_SELF)

struct files;

/* A container's directory. */
struct box {
    struct files *files;
    LIST_ENTRY(box) link;
    TAILQ_ENTRY(box) dirty_link;
    char id[ID_LEN + 1];
    char *dir, *path; /* its log */
    struct watch *watch;
    struct tail_feed *feed; /* NULL: not shown */
    struct tail_log *log;
    bool dirty;   /* in the queue */
    bool past;    /* not all is read that was there as we began */
    bool running; /* as its metadata says */
    bool died;    /* and that is not said yet */
    bool begun;   /* likewise that it was started again after that */
    bool removed, full;
    int exit_code;
    int64_t died_ns;              /* INT64_MAX: unknown */
    char started[CLOCK_TEXT_MAX]; /* as its metadata has it */
};

struct files {
    struct tail *tail;
    const struct tail_options *o;
    struct watcher *watcher;
    struct watch *root;
    LIST_HEAD(boxes, box) boxes;
    TAILQ_HEAD(dirty, box) dirty;
    struct event *run, *tick;
    struct buf scratch, raw;
    char *chunk; /* size and DECODE_PAD bytes */
    size_t size, past;
    bool first, follow;
};

static void wake(struct box *b)
{
    if (b->feed && !b->dirty && !b->full) {
        b->dirty = true;
        TAILQ_INSERT_TAIL(&b->files->dirty, b, dirty_link);
        event_active(b->files->run, EV_TIMEOUT, 0);
    }
}

static void box_free(struct box *b)
{
    struct files *f = b->files;
    LIST_REMOVE(b, link);
    if (b->dirty) {
        TAILQ_REMOVE(&f->dirty, b, dirty_link);
    }
    f->past -= b->past;
    watch_close(b->watch);
    tail_log_close(b->log);
    if (b->feed) {
        tail_feed_close(b->feed);
    }
    free(b->dir);
    free(b->path);
    free(b);
}

/* -- starts and stops -------------------------------------------------------------------------- */

/* That it stopped, and that it was started again since. */
static void say(struct box *b)
{
    if (b->died) {
        tail_feed_stopped(b->feed, b->exit_code, clock_now());
    }
    if (b->begun) {
        tail_feed_notice(b->feed, TAIL_NOTICE_GOOD, clock_now(), "started");
    }
    b->died = b->begun = false;
}

/* Is said once all is read that it had written. */
static void stopped(struct box *b, int exit_code, int64_t died_ns)
{
    if (b->begun) {
        say(b); /* of the run before */
    }
    b->died = true;
    b->exit_code = exit_code;
    b->died_ns = died_ns;
}

static void started(struct box *b)
{
    b->begun = true;
    if (!b->died) {
        say(b);
    }
}

/* -- reading ----------------------------------------------------------------------------------- */

/* False: the feed takes no more now. */
static bool put(struct box *b, const struct record *rec)
{
    struct files *f = b->files;
    struct slice text = rec->text;
    int64_t ns = clock_now();
    if (rec->time.len > 0 && clock_parse(rec->time, &ns) < 0) {
        ns = clock_now();
    }
    if (ns < f->o->since_ns || (f->o->until_ns && ns > f->o->until_ns)) {
        return true;
    }
    if (rec->escaped) {
        f->raw.len = 0;
        if (text_unescape(&f->raw, text) < 0) {
            return true; /* out of memory: tail says so with its next line */
        }
        text = slice_of(f->raw.data, f->raw.len);
    }
    if (b->begun && ns > b->died_ns) {
        say(b); /* this line is of the new run */
    }
    return tail_feed_put(b->feed, rec->stream, ns, text, rec->more);
}

/* A line that is longer than the chunk: more room, up to line_max and its escapes; else it is cut. */
static void too_long(struct box *b, size_t got)
{
    struct files *f = b->files;
    size_t most = (size_t)tail_config(f->tail)->line_max * 6 + CHUNK;
    char *larger = f->size < most ? realloc(f->chunk, f->size * 2 + DECODE_PAD) : NULL;
    if (larger) {
        f->chunk = larger;
        f->size *= 2;
        return;
    }
    struct record rec;
    decode_as_text(f->chunk, got, &rec);
    if (put(b, &rec)) {
        tail_log_consume(b->log, got);
    } else {
        b->full = true;
    }
}

/* Reads a chunk. False: there was nothing to read, or the feed is full. */
static bool read_some(struct box *b)
{
    struct files *f = b->files;
    ssize_t got = tail_log_read(b->log, f->chunk, f->size);
    if (got <= 0) {
        return false;
    }
    memset(f->chunk + got, 0, DECODE_PAD);
    const char *p = f->chunk, *end = p + got;
    struct record rec = {0};
    for (size_t used; (used = decoder_json_file.next(p, end, &rec, &f->scratch)) > 0; p += used) {
        if (!put(b, &rec)) {
            b->full = true;
            break;
        }
    }
    tail_log_consume(b->log, (size_t)(p - f->chunk));
    if (p == f->chunk && !b->full) {
        if ((size_t)got < f->size) {
            return tail_log_torn(b->log);
        }
        too_long(b, (size_t)got);
    }
    return !b->full;
}

static void at_end(struct box *b)
{
    struct files *f = b->files;
    if (b->past) {
        b->past = false;
        f->past--;
        tail_feed_present(b->feed);
        if (!b->running && !b->died && !b->removed) {
            tail_feed_waits(b->feed);
        }
    }
    say(b);
    if (b->removed) {
        box_free(b);
    }
    if (f->past == 0 && !f->first && !f->follow) {
        tail_finish(f->tail);
    }
}

static void on_run(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct files *f = arg;
    struct box *b = TAILQ_FIRST(&f->dirty);
    if (!b) {
        return;
    }
    TAILQ_REMOVE(&f->dirty, b, dirty_link);
    b->dirty = false;
    if (read_some(b)) {
        wake(b);
    } else if (!b->full) {
        at_end(b);
    }
    if (!TAILQ_EMPTY(&f->dirty)) {
        event_active(f->run, EV_TIMEOUT, 0);
    }
}

static void on_resume(void *arg)
{
    struct box *b = arg;
    b->full = false;
    wake(b);
}

/* -- containers -------------------------------------------------------------------------------- */

/* Shows it from now on, or, as we begin, what there is of it. */
static void join(struct box *b, const struct identity *who)
{
    struct files *f = b->files;
    struct tags *tags = tags_new(who, tail_config(f->tail));
    bool running = b->running || !f->o->files; /* with no Engine nothing runs: all are shown */
    if (!tags || !tail_wants(f->tail, tags, who, running)) {
        tags_unref(tags);
        return;
    }
    b->feed = tail_feed_open(f->tail, tags, on_resume, b);
    b->log = tail_log_open(b->path, f->first ? f->o->lines : -1);
    tags_unref(tags);
    if (f->first) {
        b->past = true;
        f->past++;
    } else {
        tail_feed_present(b->feed);
        tail_feed_notice(b->feed, TAIL_NOTICE_GOOD, clock_now(), "started");
    }
    if (b->log) {
        wake(b);
    }
}

/* What its state tells that is new. Of two changes before we look, only the second is there to be seen. */
static void take_state(struct box *b, const json_t *state, bool was)
{
    const char *since = json_string_value(json_object_get(state, "StartedAt"));
    const char *ended = json_string_value(json_object_get(state, "FinishedAt"));
    bool anew = b->running && was && b->started[0] && since && strcmp(b->started, since) != 0;
    bool told = b->feed && b->files->follow && !b->files->first;
    int64_t died_ns = INT64_MAX;
    if (ended && clock_parse(slice_str(ended), &died_ns) < 0) {
        died_ns = INT64_MAX;
    }
    if (told && was && (anew || !b->running)) {
        stopped(b, anew ? -1 : (int)json_integer_value(json_object_get(state, "ExitCode")), died_ns);
    }
    if (told && b->running && (anew || !was)) {
        started(b);
    }
    if (told) {
        wake(b);
    }
    snprintf(b->started, sizeof(b->started), "%s", since ? since : "");
}

/* Its metadata is new: has it started, or stopped? */
static void look(struct box *b)
{
    struct metadata meta;
    if (metadata_load(b->dir, &meta, NULL) < 0) {
        return; /* just being made, or removed */
    }
    const json_t *state = json_object_get(meta.json, "State");
    bool running = json_is_true(json_object_get(state, "Running")), was = b->running;
    b->running = running;
    meta.who.id = b->id;
    bool readable = !meta.driver || strcmp(meta.driver, "json-file") == 0;
    take_state(b, state, was);
    if (!b->feed && readable && (b->files->first || (b->files->follow && running))) {
        join(b, &meta.who);
    }
    metadata_free(&meta);
}

static void on_box_event(void *arg, uint32_t mask, const char *name)
{
    struct box *b = arg;
    if (mask & IN_DELETE_SELF) {
        watch_close(b->watch);
        b->watch = NULL;
        b->removed = true;
        if (b->running) {
            stopped(b, -1, INT64_MAX);
        }
        if (b->feed) {
            wake(b);
        } else {
            box_free(b);
        }
    } else if (strcmp(name, "config.v2.json") == 0) {
        look(b);
    } else {
        wake(b);
    }
}

static struct box *find(const struct files *f, const char *id)
{
    struct box *b;
    LIST_FOREACH(b, &f->boxes, link)
    {
        if (strcmp(b->id, id) == 0) {
            return b;
        }
    }
    return NULL;
}

static bool is_id(const char *name)
{
    size_t len = 0;
    while (isxdigit((unsigned char)name[len])) {
        len++;
    }
    return len == ID_LEN && name[len] == '\0';
}

static void add(struct files *f, const char *id)
{
    struct box *b = is_id(id) && !find(f, id) ? calloc(1, sizeof(*b)) : NULL;
    if (!b) {
        return;
    }
    b->files = f;
    memcpy(b->id, id, ID_LEN);
    if (asprintf(&b->dir, "%s/%s", tail_config(f->tail)->json_file_path, id) < 0 ||
        asprintf(&b->path, "%s/%s-json.log", b->dir, id) < 0) {
        fputs("sidetail tail: out of memory\n", stderr);
        exit(EXIT_FAULT);
    }
    LIST_INSERT_HEAD(&f->boxes, b, link);
    if (f->follow) {
        b->watch = watch_open(f->watcher, b->dir, DIR_EVENTS, on_box_event, b);
    }
    look(b);
}

static void scan(struct files *f)
{
    DIR *dir = opendir(tail_config(f->tail)->json_file_path);
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
        tail_say(f->tail, "the containers directory was removed");
        tail_finish(f->tail);
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
    struct box *b;
    LIST_FOREACH(b, &f->boxes, link)
    {
        if (!b->watch) {
            look(b);
        }
        wake(b);
    }
    if (f->o->until_ns && clock_now() > f->o->until_ns) {
        tail_finish(f->tail);
    }
}

static void on_overflow(void *arg)
{
    struct files *f = arg;
    struct box *b;
    scan(f);
    LIST_FOREACH(b, &f->boxes, link)
    {
        look(b);
        wake(b);
    }
}

/* -- the contract ------------------------------------------------------------------------------ */

static void files_close(void *source)
{
    struct files *f = source;
    for (struct box *b; (b = LIST_FIRST(&f->boxes));) {
        box_free(b);
    }
    watch_close(f->root);
    watcher_free(f->watcher);
    if (f->run) {
        event_free(f->run);
    }
    if (f->tick) {
        event_free(f->tick);
    }
    buf_free(&f->scratch);
    buf_free(&f->raw);
    free(f->chunk);
    free(f);
}

static int prepare(struct files *f, struct error *err)
{
    const char *root = tail_config(f->tail)->json_file_path;
    f->size = CHUNK;
    f->chunk = malloc(f->size + DECODE_PAD);
    f->run = event_new(tail_base(f->tail), -1, 0, on_run, f);
    f->tick = event_new(tail_base(f->tail), -1, EV_PERSIST, on_tick, f);
    if (!f->chunk || !f->run || !f->tick) {
        return error_set(err, "out of memory");
    }
    if (faccessat(AT_FDCWD, root, R_OK | X_OK, AT_EACCESS) < 0) {
        return error_set(err, "cannot read %s: %s (%s)", root, strerror(errno),
                         errno == EACCES ? "run as root or with CAP_DAC_READ_SEARCH"
                                         : "is the Engine's data there? See json_file.path");
    }
    if (!f->follow) {
        return 0;
    }
    f->watcher = watcher_new(tail_base(f->tail), on_overflow, f, err);
    if (!f->watcher) {
        return -1;
    }
    f->root = watch_open(f->watcher, root, ROOT_EVENTS, on_root_event, f);
    event_add(f->tick, &(struct timeval){1, 0});
    return 0;
}

static void *files_open(struct tail *t, struct error *err)
{
    struct files *f = calloc(1, sizeof(*f));
    if (!f) {
        error_set(err, "out of memory");
        return NULL;
    }
    f->tail = t;
    f->o = tail_asked(t);
    f->follow = tail_follows(t);
    f->first = true;
    TAILQ_INIT(&f->dirty);
    if (prepare(f, err) < 0) {
        files_close(f);
        return NULL;
    }
    scan(f);
    f->first = false;
    tail_listed(t);
    if (f->past == 0 && !f->follow) {
        tail_finish(t);
    }
    return f;
}

const struct tail_source tail_files = {files_open, files_close};
