/* Plain and CRI logs of a volume, followed while they are written, renamed, copied and truncated, truncated, deleted and
 * linked, by a collector that is killed in between. The input says what happens and in which order. Each line that was
 * written comes out once, whole, and in its order.
 *
 * What the model lets pass:
 *   - Lines that stood in a file when it was truncated in place or deleted, unless they had been read and a checkpoint
 *     was saved then: they may be missing. (A kill takes back what came after the last checkpoint.)
 *   - Lines in rotated files, that were not in a saved checkpoint when the live file got a second name: a start may find it
 *     by that one, which has no rotated files.
 *   - The order of lines in different files, once one of them got a name of its own (a hard link, another log's name):
 *     each is a log then.
 * And what it leaves out: a line that is unfinished when its writer goes over to another file, or when the log is copied
 * and truncated; a loss of a line's second half alone, to which the first one waits for ever; and a log that is copied and
 * truncated, and whose files get names of their own as well, for a copy of less than 1 KiB is not known as one, or is
 * renamed at once, before it is read or written to: copy and log have the same time then; and a rename that is undone
 * after something was written to the new file, for where the log was left is in no checkpoint then, or before a copy
 * that is made at once; and a start in the middle of a rotation of a log with a hard link: that takes the log's position
 * over, which has no name then.
 *
 * Nothing waits: the monotonic clock, by which all timers go, is set forward instead. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../unit/world.h"
#include "base/clock.h"
#include "base/log.h"
#include "fuzz.h"

#define LOG       "web/app.log"
#define LINES_MAX 1000
#define FILES_MAX 12 /* that the log is rotated to */

struct line {
    unsigned file; /* the writer's first, second, … */
    bool may_lack, seen;
};

struct model {
    struct world w;
    bool cri, down, ordered, copied, deleted, linked;
    bool copied_unseen; /* since the collector settled, nor written to */
    bool undone;        /* a rename, since the collector settled */
    int fd;             /* the writer's */
    unsigned file, rotated, moved;
    struct line lines[LINES_MAX];
    unsigned count, safe;     /* lines before `safe` are in a saved checkpoint */
    unsigned part;            /* bytes of the last line that are written; 0: it is whole */
    unsigned before_rotation; /* lines that were written before the last one */
    bool parted;              /* a line was written in parts that may not all be in a saved checkpoint */
    struct asked *asked;
};

/* -- time -------------------------------------------------------------------------------------- */

static int64_t ahead_ns;

/* In the place of the C library's. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
    int result = (int)syscall(SYS_clock_gettime, id, ts);
    if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE) {
        int64_t ns = ts->tv_sec * NS_PER_S + ts->tv_nsec + ahead_ns;
        *ts = (struct timespec){ns / NS_PER_S, ns % NS_PER_S};
    }
    return result;
}

/* The kernel's timers do not know of that: the watcher does without. */
int timerfd_create(clockid_t id, int flags)
{
    (void)id, (void)flags;
    errno = EMFILE;
    return -1;
}

static void pass(struct model *m, int times, int64_t ns)
{
    for (int i = 0; i < times && !m->down; i++) {
        event_base_loop(m->w.base, EVLOOP_NONBLOCK);
        ahead_ns += ns;
    }
}

/* Until all is read that can be: as long as writers of a rotated file are waited for, and safety looks are apart. */
static void settle(struct model *m)
{
    size_t before;
    do {
        before = m->w.out.len;
        pass(m, 8, NS_PER_MS);
        pass(m, 30, 100 * NS_PER_MS);
    } while (m->w.out.len != before);
    m->copied_unseen &= m->down;
    m->undone &= m->down;
}

/* Two files that are made or written to one after the other have times that tell so. */
static void tick(void)
{
    struct timespec then, now;
    clock_gettime(CLOCK_REALTIME_COARSE, &then);
    do {
        usleep(500);
        clock_gettime(CLOCK_REALTIME_COARSE, &now);
    } while (now.tv_nsec == then.tv_nsec);
}

/* -- the collector ----------------------------------------------------------------------------- */

static bool is_there(struct model *m)
{
    return access(world_path(&m->w, LOG), F_OK) == 0;
}

static void start(struct model *m)
{
    if (m->down && (!m->linked || is_there(m))) {
        m->down = false;
        world_start(&m->w);
    }
}

static void stop(struct model *m)
{
    if (!m->down) {
        m->down = true;
        world_kill(&m->w);
    }
}

static void save(struct model *m)
{
    if (!m->down) {
        world_checkpoint(&m->w);
    }
}

/* -- the writer -------------------------------------------------------------------------------- */

static const char *text_of(unsigned number)
{
    static char text[128];
    int len = snprintf(text, sizeof(text), "%06u ", number);
    memset(text + len, 'a' + number % 26, number * 7 % 60);
    text[(unsigned)len + number * 7 % 60] = '\0';
    return text;
}

static void put(const struct model *m, const char *bytes, size_t len)
{
    CHECK(write(m->fd, bytes, len) == (ssize_t)len);
}

/* A part of the last line as the runtime writes it: `more` of it is to come. */
static void put_part(const struct model *m, const char *text, size_t len, bool more)
{
    char entry[256];
    if (!m->cri) {
        put(m, text, len);
        put(m, "\n", !more);
        return;
    }
    int size = snprintf(entry, sizeof(entry), "2026-11-24T05:00:39.%09uZ stdout %c %.*s\n",
                        m->count * 2 + !more, more ? 'P' : 'F', (int)len, text);
    put(m, entry, (size_t)size);
}

static void finish_line(struct model *m)
{
    if (m->part > 0) {
        const char *text = text_of(m->count - 1) + m->part;
        put_part(m, text, strlen(text), false);
        m->part = 0;
    }
}

static void write_line(struct model *m, bool whole)
{
    finish_line(m);
    if (m->count < LINES_MAX) {
        const char *text = text_of(m->count);
        m->lines[m->count++] = (struct line){.file = m->file};
        m->part = whole ? 0 : 3;
        m->parted |= !whole;
        m->copied_unseen = false;
        put_part(m, text, whole ? strlen(text) : m->part, !whole);
    }
}

static void reopen(struct model *m)
{
    finish_line(m);
    if (m->fd >= 0) {
        close(m->fd);
    }
    m->fd = open(world_path(&m->w, LOG), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    CHECK(m->fd >= 0);
    m->file++;
}

/* What is not in a checkpoint goes with the file. */
static void may_lack(struct model *m)
{
    for (unsigned i = m->safe; i < m->count; i++) {
        m->lines[i].may_lack = true;
    }
}

/* -- what happens to the files ----------------------------------------------------------------- */

static const char *rotated_name(unsigned number)
{
    static char names[2][40];
    static unsigned turn;
    char *name = names[turn++ % 2];
    snprintf(name, sizeof(names[0]), LOG ".%u", number);
    return name;
}

/* PATH.1 → PATH.2 and so on. False: there are too many. */
static bool shift(struct model *m)
{
    if (m->rotated >= FILES_MAX || !is_there(m)) {
        return false;
    }
    tick();
    for (unsigned i = m->rotated++; i > 0; i--) {
        world_rename(&m->w, rotated_name(i), rotated_name(i + 1));
    }
    return true;
}

static void rotate(struct model *m)
{
    if (!m->copied_unseen && shift(m)) {
        m->before_rotation = m->count;
        world_rename(&m->w, LOG, rotated_name(1));
    }
}

/* The last rotation, where nothing was written since: PATH.1 → PATH, PATH.2 → PATH.1 and so on. */
static void undo(struct model *m)
{
    struct stat st;
    bool empty = stat(world_path(&m->w, LOG), &st) < 0 || st.st_size == 0;
    if (m->rotated == 0 || m->copied || !empty || m->part > 0 || m->count > m->before_rotation) {
        return;
    }
    world_rename(&m->w, rotated_name(1), LOG);
    for (unsigned i = 1; i < m->rotated; i++) {
        world_rename(&m->w, rotated_name(i + 1), rotated_name(i));
    }
    m->rotated--;
    m->undone = true;
    reopen(m);
}

/* As cp does, for which it takes no process. */
static void copy(const char *from, const char *to)
{
    static char bytes[1 << 18];
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    ssize_t len = read(in, bytes, sizeof(bytes));
    CHECK(len >= 0 && len < (ssize_t)sizeof(bytes) && out >= 0 && write(out, bytes, (size_t)len) == len);
    close(in);
    close(out);
}

static void copy_and_truncate(struct model *m)
{
    if (m->ordered && !m->deleted && !m->parted && !m->undone && shift(m)) {
        finish_line(m);
        m->copied = m->copied_unseen = true;
        copy(world_path(&m->w, LOG), world_path(&m->w, rotated_name(1)));
        CHECK(truncate(world_path(&m->w, LOG), 0) == 0);
        tick();
    }
}

static void truncate_log(struct model *m)
{
    if (is_there(m) && !m->parted) {
        may_lack(m);
        CHECK(truncate(world_path(&m->w, LOG), 0) == 0);
    }
}

static void delete_log(struct model *m)
{
    if (!m->parted && !m->copied) {
        may_lack(m);
        m->deleted = true;
        unlink(world_path(&m->w, LOG));
        tick();
        reopen(m);
    }
}

static void move(struct model *m)
{
    char to[40];
    snprintf(to, sizeof(to), "web/moved%u.log", m->moved);
    if (m->moved < FILES_MAX && is_there(m) && !m->copied) {
        m->moved++;
        m->ordered = false;
        world_rename(&m->w, LOG, to);
        tick();
        reopen(m);
    }
}

static void link_log(struct model *m, bool hard)
{
    if (hard && m->copied) {
        return;
    }
    const char *alias = world_path(&m->w, hard ? "web/hard.log" : "web/soft.log");
    if (unlink(alias) < 0 && is_there(m)) {
        CHECK(hard ? link(world_path(&m->w, LOG), alias) == 0 : symlink("app.log", alias) == 0);
        for (unsigned i = m->safe; hard && i < m->count; i++) {
            m->lines[i].may_lack |= m->lines[i].file != m->file;
        }
        m->ordered &= !hard;
        m->linked |= hard;
    }
}

static void step(struct model *m)
{
    uint8_t what = asked_byte(m->asked);
    switch (what % 16) {
    case 0:
        pass(m, 4, NS_PER_MS);
        break;
    case 1:
        settle(m);
        break;
    case 2: /* all that was written is in the checkpoint */
        settle(m);
        if (!m->down && m->part == 0) {
            m->safe = m->count;
            m->parted = false;
        }
        save(m);
        break;
    case 3:
        save(m);
        break;
    case 4:
        stop(m);
        break;
    case 5:
        start(m);
        break;
    case 6:
        (what & 16 ? undo : rotate)(m);
        break;
    case 7:
        rotate(m);
        reopen(m);
        break;
    case 8:
        reopen(m);
        break;
    case 9:
        copy_and_truncate(m);
        break;
    case 10:
        truncate_log(m);
        break;
    case 11:
        delete_log(m);
        break;
    case 12:
        move(m);
        break;
    case 13:
        link_log(m, what & 16);
        break;
    case 14:
        write_line(m, false);
        break;
    default:
        for (int i = what >> 4; i >= 0; i--) {
            write_line(m, true);
        }
    }
}

/* -- what came out ----------------------------------------------------------------------------- */

static void take_line(struct model *m, struct slice text, unsigned last[FILES_MAX * 200])
{
    unsigned number = (unsigned)atoi(text.ptr);
    CHECK(text.len >= 7 && number < m->count && slice_eq(text, slice_str(text_of(number))));
    struct line *line = &m->lines[number];
    unsigned file = m->ordered ? 0 : line->file;
    CHECK(!line->seen);
    CHECK(last[file] <= number);
    line->seen = true;
    last[file] = number;
}

static void check(struct model *m)
{
    static unsigned last[FILES_MAX * 200];
    memset(last, 0, sizeof(last));
    const char *at = m->w.out.data, *end = at + m->w.out.len;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        CHECK(newline);
        take_line(m, slice_of(at, (size_t)(newline - at)), last);
        at = newline + 1;
    }
    for (unsigned i = 0; i < m->count; i++) {
        CHECK(m->lines[i].seen || m->lines[i].may_lack);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    world_parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : world_parent;
    log_setup(LEVEL_ERROR + 1, LOG_LOGFMT);
    return setenv("CMOCKA_TEST_ABORT", "1", 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct asked asked = {data, data + (size < 200 ? size : 200)};
    static struct model model;
    struct model *m = &model;
    *m = (struct model){.asked = &asked, .fd = -1, .ordered = true, .down = true};
    world_new_plain(&m->w);
    m->cri = asked_byte(&asked) & 1;
    m->w.cfg->files_format = m->cri ? FILE_CRI : FILE_PLAIN;
    reopen(m);
    start(m);
    while (asked.at < asked.end) {
        step(m);
    }
    reopen(m); /* a log is found by its own name */
    write_line(m, true);
    start(m);
    settle(m);
    check(m);
    close(m->fd);
    world_free(&m->w);
    return 0;
}
