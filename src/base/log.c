#include "base/log.h"

#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/clock.h"
#include "base/utf8.h"

#define LINE_CAP     8192
#define VALUE_MAX    1024 /* bytes of a value that are written; a longer one ends in … */
#define MESSAGES_MAX 256  /* distinct messages that are counted at once */

static enum log_level least = LEVEL_INFO;
static enum log_format format = LOG_LOGFMT;

/* A line in the making. */
struct line {
    char data[LINE_CAP];
    size_t len, room;
    bool full; /* something did not fit and was left out */
};
#define LINE_TAIL 128 /* kept back for the last fields and the closing brace */

/* How often one message was written in the current window. */
struct throttle {
    uint64_t hash; /* of the message; 0: unused */
    int64_t since_ns;
    uint32_t written;
    uint64_t suppressed;
};
static struct throttle throttles[MESSAGES_MAX];

static uint64_t unwritten; /* lines since the last one that could be written: nobody read stderr */
static bool torn;          /* of the last one a part was */

static const char *const level_names[] = {"debug", "info", "warn", "error"};

/* What libevent has to say. */
static void on_libevent(int severity, const char *text)
{
    if (severity >= EVENT_LOG_WARN) {
        log_warn("libevent says", KV("text", text));
    } else {
        log_debug("libevent says", KV("text", text));
    }
}

void log_setup(enum log_level least_, enum log_format format_)
{
    least = least_;
    format = format_;
    event_set_log_callback(on_libevent);
}

/* The entry of a message: its own, else a free one, else the one whose window began first. */
static struct throttle *throttle_find(const char *message)
{
    uint64_t hash = XXH3_64bits(message, strlen(message));
    hash += hash == 0;
    struct throttle *oldest = &throttles[0];
    for (int i = 0; i < MESSAGES_MAX; i++) {
        struct throttle *t = &throttles[(hash + (uint64_t)i) % MESSAGES_MAX];
        if (t->hash == hash) {
            return t;
        }
        if (t->hash == 0) {
            *t = (struct throttle){.hash = hash, .since_ns = clock_monotonic()};
            return t;
        }
        if (t->since_ns < oldest->since_ns) {
            oldest = t;
        }
    }
    *oldest = (struct throttle){.hash = hash, .since_ns = clock_monotonic()};
    return oldest;
}

/* May the message be written now? Then *suppressed says how many like it were not. */
static bool throttle_pass(const char *message, uint64_t *suppressed)
{
    struct throttle *t = throttle_find(message);
    int64_t now = clock_monotonic();
    if (now - t->since_ns >= LOG_WINDOW_S * NS_PER_S) {
        t->since_ns = now;
        t->written = 0;
    }
    if (t->written == LOG_BURST) {
        t->suppressed++;
        return false;
    }
    t->written++;
    *suppressed = t->suppressed;
    t->suppressed = 0;
    return true;
}

static void put(struct line *l, const char *bytes, size_t len)
{
    if (len > l->room - l->len) {
        l->full = true;
        return;
    }
    memcpy(l->data + l->len, bytes, len);
    l->len += len;
}

static void put_str(struct line *l, const char *s)
{
    put(l, s, strlen(s));
}

/* One character inside quotes, in an escaped form that logfmt readers and JSON share. */
static void put_escaped(struct line *l, const char *p, size_t len)
{
    char text[8];
    if (len == 0) {
        put_str(l, "\xEF\xBF\xBD");
    } else if (*p == '"' || *p == '\\') {
        put(l, (const char[]){'\\', *p}, 2);
    } else if (*p == '\n') {
        put_str(l, "\\n");
    } else if (*p == '\t') {
        put_str(l, "\\t");
    } else if (utf8_is_control(p, len)) {
        snprintf(text, sizeof(text), "\\u%04x", (unsigned char)p[len - 1]);
        put_str(l, text);
    } else {
        put(l, p, len);
    }
}

static void put_quoted(struct line *l, const char *s, size_t max)
{
    const char *p = s, *end = s + strlen(s);
    put_str(l, "\"");
    while (p < end) {
        if ((size_t)(p - s) >= max) {
            put_str(l, "…");
            break;
        }
        size_t len = utf8_length(p, end);
        put_escaped(l, p, len);
        p += len ? len : 1;
    }
    put_str(l, "\"");
}

/* Can it stand in logfmt without quotes? */
static bool is_bare(const char *s)
{
    for (const char *p = s; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c <= ' ' || c >= 0x7F || c == '"' || c == '=' || c == '\\') {
            return false;
        }
    }
    return *s && strnlen(s, VALUE_MAX + 1) <= VALUE_MAX;
}

static void put_key(struct line *l, const char *key)
{
    if (format == LOG_JSON) {
        put_str(l, l->len == 0 ? "{" : ",");
        put_quoted(l, key, VALUE_MAX);
        put_str(l, ":");
    } else {
        put_str(l, l->len == 0 ? "" : " ");
        put_str(l, key);
        put_str(l, "=");
    }
}

static void put_text(struct line *l, const char *key, const char *value)
{
    put_key(l, key);
    if (format == LOG_LOGFMT && is_bare(value)) {
        put_str(l, value);
    } else {
        put_quoted(l, value, VALUE_MAX);
    }
}

static void put_number(struct line *l, const char *key, int64_t value)
{
    char digits[24];
    snprintf(digits, sizeof(digits), "%lld", (long long)value);
    put_key(l, key);
    put_str(l, digits);
}

/* The time, always with three fraction digits so that lines stand under one another. */
static void put_time(struct line *l)
{
    char text[CLOCK_TEXT_MAX + 8];
    int64_t now = clock_now();
    size_t len = clock_format(now - now % NS_PER_S, text);
    snprintf(text + len - 1, sizeof(text) - len, ".%03dZ", (int)(now % NS_PER_S / NS_PER_MS));
    put_text(l, "time", text);
}

/* Never waits for a reader, for the loop would wait as well: a pipe that has room takes PIPE_BUF bytes.
 * How many could be written. */
static size_t write_some(const char *text, size_t len)
{
    size_t done = 0;
    while (done < len) {
        struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
        if (poll(&ready, 1, 0) <= 0) {
            break;
        }
        size_t piece = len - done < PIPE_BUF ? len - done : PIPE_BUF;
        ssize_t n = write(STDERR_FILENO, text + done, piece);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            break;
        }
        done += (size_t)n;
    }
    return done;
}

/* A line that could not be written is counted, for who reads the next one. */
static void write_line(const struct line *l)
{
    if (torn && write_some("\n", 1) == 0) {
        unwritten++;
        return;
    }
    size_t done = write_some(l->data, l->len);
    unwritten = done == l->len ? 0 : unwritten + 1;
    torn = done > 0 && done < l->len;
}

/* As many of the fields as there is room for, each whole. */
static void put_fields(struct line *l, const struct field *fields)
{
    for (; fields->key && !l->full; fields++) {
        size_t before = l->len;
        if (fields->text) {
            put_text(l, fields->key, fields->text);
        } else {
            put_number(l, fields->key, fields->number);
        }
        l->len = l->full ? before : l->len;
    }
}

void log_write(enum log_level level, const char *message, const struct field *fields)
{
    uint64_t suppressed = 0;
    int saved = errno;
    if (level < least || !throttle_pass(message, &suppressed)) {
        return;
    }
    struct line l;
    l.len = 0;
    l.room = LINE_CAP - LINE_TAIL;
    l.full = false;
    put_time(&l);
    put_text(&l, "level", level_names[level]);
    put_text(&l, "msg", message);
    put_fields(&l, fields);
    l.room = LINE_CAP;
    if (l.full) {
        put_text(&l, "cut", "true");
    }
    if (suppressed > 0) {
        put_number(&l, "suppressed", (int64_t)suppressed);
    }
    if (unwritten > 0) {
        put_number(&l, "unwritten", (int64_t)unwritten);
    }
    put_str(&l, format == LOG_JSON ? "}\n" : "\n");
    write_line(&l);
    errno = saved;
}
