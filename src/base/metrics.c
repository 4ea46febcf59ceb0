#include "base/metrics.h"

#include <stddef.h>
#include <stdlib.h>
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/clock.h"
#include "base/status.h"
#include "base/utf8.h"
#include "process.h"

#define NAME_MAX_LEN 255
#define OTHERS       "_other"

struct metrics metrics;
struct standing standing;
struct loop_turns loop_turns;

struct service {
    struct stats stats;
    UT_hash_handle hh;
    char name[]; /* key; a NUL behind it */
};

static struct service *services;
static struct stats others; /* of "_other", once the table is full or memory is out */
static bool others_used;

/* The name as it is shown: valid UTF-8, of as many whole characters as fit. Two that would look the same are
 * one, for Prometheus refuses a page on which a series stands twice. Returns its length. */
static size_t shown_name(const char *name, char shown[NAME_MAX_LEN])
{
    const char *end = name + strlen(name);
    size_t len = 0;
    while (name < end) {
        size_t taken = utf8_length(name, end), put = taken ? taken : 3;
        if (put > NAME_MAX_LEN - len) {
            break;
        }
        memcpy(shown + len, taken ? name : "\xEF\xBF\xBD", put);
        len += put;
        name += taken ? taken : 1;
    }
    return len;
}

struct stats *metrics_service(const char *name)
{
    char shown[NAME_MAX_LEN];
    size_t len = shown_name(name, shown);
    struct service *s;
    HASH_FIND(hh, services, shown, len, s);
    if (s) {
        return &s->stats;
    }
    bool is_others = len == sizeof(OTHERS) - 1 && !memcmp(shown, OTHERS, len);
    if (!is_others && HASH_COUNT(services) < METRICS_SERVICES_MAX && (s = calloc(1, sizeof(*s) + len + 1))) {
        memcpy(s->name, shown, len);
        HASH_ADD(hh, services, name, len, s);
        if (s->hh.tbl) {
            return &s->stats;
        }
        free(s); /* no memory for the table */
    }
    others_used = true;
    return &others;
}

static const uint16_t turn_bounds[METRICS_TURN_COUNT] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}; /* ms */

void metrics_turn(int64_t ns)
{
    for (int i = METRICS_TURN_COUNT; i-- > 0 && ns <= turn_bounds[i] * NS_PER_MS;) {
        loop_turns.within[i]++;
    }
    loop_turns.all++;
    loop_turns.sum_ns += ns;
}

/* The text being rendered; remembers that memory ran out. */
struct page {
    struct buf *out;
    bool failed;
};

#define put(page, ...) ((page)->failed |= buf_addf((page)->out, __VA_ARGS__) < 0)

static void put_head(struct page *p, const char *name, const char *type, const char *help)
{
    put(p, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value, of valid UTF-8: backslash, quote and newline are escaped. */
static void put_label(struct page *p, const char *value)
{
    for (; *value; value++) {
        if (*value == '\n') {
            put(p, "\\n");
        } else {
            put(p, "%s%c", *value == '"' || *value == '\\' ? "\\" : "", *value);
        }
    }
}

static void put_service(struct page *p, const char *family, const char *service)
{
    put(p, "%s{service=\"", family);
    put_label(p, service);
    put(p, "\"");
}

static void put_streams(struct page *p, const char *family, const char *service,
                        const uint64_t count[STREAM_COUNT])
{
    static const char *const streams[STREAM_COUNT] = {"stdout", "stderr"};
    for (int i = 0; i < STREAM_COUNT; i++) {
        put_service(p, family, service);
        put(p, ",stream=\"%s\"} %llu\n", streams[i], (unsigned long long)count[i]);
    }
}

typedef void put_one(struct page *p, const char *family, const char *service, const struct stats *stats);

static void put_each(struct page *p, const char *family, const char *type, const char *help, put_one *one)
{
    put_head(p, family, type, help);
    for (const struct service *s = services; s; s = s->hh.next) {
        one(p, family, s->name, &s->stats);
    }
    if (others_used) {
        one(p, family, OTHERS, &others);
    }
}

#define STREAMS(field)                                                                                       \
    static void put_##field(struct page *p, const char *family, const char *service,                         \
                            const struct stats *stats)                                                       \
    {                                                                                                        \
        put_streams(p, family, service, stats->field);                                                       \
    }
STREAMS(lines_in)
STREAMS(bytes_in)
STREAMS(lines_out)
STREAMS(bytes_out)

static void put_lag(struct page *p, const char *family, const char *service, const struct stats *stats)
{
    put_service(p, family, service);
    put(p, "} %llu\n", (unsigned long long)stats->lag_bytes);
}

/* A service that has nothing unread is not behind, however long it has been silent. */
static void put_behind(struct page *p, const char *family, const char *service, const struct stats *stats)
{
    int64_t behind = stats->lag_bytes > 0 && stats->newest_ns > 0 ? clock_now() - stats->newest_ns : 0;
    put_service(p, family, service);
    put(p, "} %.3f\n", behind > 0 ? (double)behind / NS_PER_S : 0.0);
}

static void put_services(struct page *p)
{
    put_each(p, "sidetail_lines_in_total", "counter", "Lines taken", put_lines_in);
    put_each(p, "sidetail_bytes_in_total", "counter", "Bytes of the text of lines taken", put_bytes_in);
    put_each(p, "sidetail_lines_out_total", "counter", "Lines that the sink acknowledged", put_lines_out);
    put_each(p, "sidetail_bytes_out_total", "counter", "Bytes that the sink acknowledged, as encoded",
             put_bytes_out);
    put_each(p, "sidetail_service_lag_bytes", "gauge", "Bytes written by the service and not yet read",
             put_lag);
    put_each(p, "sidetail_behind_seconds", "gauge",
             "Age of the newest line taken while more of the service waits to be read, else 0", put_behind);
}

/* The counters of struct metrics. */
static void put_counters(struct page *p)
{
    static const struct {
        const char *name, *type, *help;
        size_t offset;
    } table[] = {
#define SUFFIX_counter      "_total"
#define SUFFIX_gauge        ""
#define X(name, kind, help) {"sidetail_" #name SUFFIX_##kind, #kind, help, offsetof(struct metrics, name)},
        METRICS(X)
#undef X
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        uint64_t value;
        memcpy(&value, (const char *)&metrics + table[i].offset, sizeof(value));
        put_head(p, table[i].name, table[i].type, table[i].help);
        put(p, "%s %llu\n", table[i].name, (unsigned long long)value);
    }
    put_head(p, "sidetail_dropped_lines_total", "counter", "Lines left out on purpose, by reason");
#define X(name, reason)                                                                                      \
    put(p, "sidetail_dropped_lines_total{reason=\"" reason "\"} %llu\n", (unsigned long long)metrics.name);
    METRICS_DROPS(X)
#undef X
}

int64_t standing_sink_waits(void)
{
    return standing.sink_since_ns > 0 ? clock_monotonic() - standing.sink_since_ns : 0;
}

static void put_standing(struct page *p)
{
    int64_t waiting = standing_sink_waits();
    put_head(p, "sidetail_sink_waiting_seconds", "gauge",
             "How long the sink has acknowledged nothing while batches wait for it, else 0");
    put(p, "sidetail_sink_waiting_seconds %.3f\n", (double)waiting / NS_PER_S);
    put_head(p, "sidetail_checkpoint_failing", "gauge", "1 while the checkpoint cannot be saved");
    put(p, "sidetail_checkpoint_failing %d\n", status.checkpoint.failing);
    put_head(p, "sidetail_source_failing", "gauge",
             "1 while a directory to be followed, or the Engine, cannot be read");
    put(p, "sidetail_source_failing %d\n", status.source.failing);
}

static void put_turns(struct page *p)
{
    const char *name = "sidetail_loop_turn_seconds";
    put_head(p, name, "histogram", "Processor time of each turn of the event loop");
    for (int i = 0; i < METRICS_TURN_COUNT; i++) {
        put(p, "%s_bucket{le=\"%g\"} %llu\n", name, turn_bounds[i] / 1e3,
            (unsigned long long)loop_turns.within[i]);
    }
    put(p, "%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)loop_turns.all);
    put(p, "%s_sum %.6f\n%s_count %llu\n", name, (double)loop_turns.sum_ns / NS_PER_S, name,
        (unsigned long long)loop_turns.all);
}

static void put_process(struct page *p)
{
    struct process_usage use;
    process_usage(&use);
    put_head(p, "process_cpu_seconds_total", "counter", "Processor time used, user and system");
    put(p, "process_cpu_seconds_total %.6f\n", use.cpu_seconds);
    put_head(p, "process_resident_memory_bytes", "gauge", "Memory held");
    put(p, "process_resident_memory_bytes %lld\n", use.resident_bytes);
    put_head(p, "process_open_fds", "gauge", "File descriptors open");
    put(p, "process_open_fds %lld\n", use.open_fds);
    put_head(p, "process_max_fds", "gauge", "File descriptors allowed");
    put(p, "process_max_fds %lld\n", use.max_fds);
    put_head(p, "process_start_time_seconds", "gauge", "When the process began, in seconds since 1970");
    put(p, "process_start_time_seconds %.2f\n", use.start_seconds);
}

int metrics_render(struct buf *out)
{
    size_t before = out->len;
    struct page p = {.out = out};
    put_head(&p, "sidetail_build_info", "gauge", "Always 1; says which version runs");
    put(&p, "sidetail_build_info{version=\"" VERSION "\"} 1\n");
    put_services(&p);
    put_counters(&p);
    put_standing(&p);
    put_turns(&p);
    put_process(&p);
    if (p.failed) {
        out->len = before;
        return -1;
    }
    return 0;
}
