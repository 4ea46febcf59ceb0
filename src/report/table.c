#include "table.h"

#include <string.h>

#include "base/clock.h"
#include "text.h"

/* Widths of the columns of numbers, with the space before each: LAG, BEHIND, LINES/S, LAST. */
#define NUMBERS (6 + 8 + 9 + 6)
#define DRIVER  10
#define OFFSET  8
/* Narrower than that they tell nothing. */
#define SERVICE_MIN 12
#define WHAT_MIN    20
#define INDENT      4

/* -- the table --------------------------------------------------------------------------------- */

static unsigned widest(unsigned width, unsigned columns)
{
    return columns > width ? columns : width;
}

struct table table_fit(const struct answer *a, unsigned width)
{
    struct table t = {strlen("SERVICE"), strlen("CONTAINER OR FILE"), true, true};
    for (size_t i = 0; i < a->count; i++) {
        t.service = widest(t.service, safe_columns(a->rows[i].service));
        t.what = widest(t.what, safe_columns(a->rows[i].what));
    }
    if (width == 0) {
        return t;
    }
    unsigned fixed = NUMBERS + 1, texts = SERVICE_MIN + WHAT_MIN;
    t.driver = width >= fixed + texts + DRIVER + OFFSET + 10;
    t.offset = t.driver;
    fixed += t.driver ? DRIVER + OFFSET : 0;
    unsigned room = width > fixed + texts ? width - fixed : texts;
    if (t.service + t.what > room) {
        unsigned half = room * 2 / 5;
        t.service = t.service < half ? t.service : t.what < room - half ? room - t.what : half;
        t.what = room - t.service;
    }
    return t;
}

void table_put_head(struct buf *out, const struct table *t)
{
    put_column(out, "SERVICE", t->service, LEFT, LEFT);
    put(out, " ");
    put_column(out, "CONTAINER OR FILE", t->what, LEFT, LEFT);
    if (t->driver) {
        put(out, " %-9s", "DRIVER");
    }
    if (t->offset) {
        put(out, " %7s", "OFFSET");
    }
    put(out, " %5s %7s %8s %5s", "LAG", "BEHIND", "LINES/S", "LAST");
}

static void put_number(struct buf *out, int64_t value, int width)
{
    char text[SHORT_MAX] = "-";
    if (value >= 0) {
        short_number((double)value, text);
    }
    put(out, " %*s", width, text);
}

static double age(int64_t now_ns, int64_t ns)
{
    return (double)(now_ns - ns) / NS_PER_S;
}

void table_put_row(struct buf *out, const struct table *t, const struct row *row, int64_t now_ns)
{
    char behind[SHORT_MAX] = "-", rate[SHORT_MAX], last[SHORT_MAX] = "-";
    put_column(out, row->service, t->service, LEFT, LEFT);
    put(out, " ");
    put_column(out, row->what, t->what, row->is_file ? RIGHT : LEFT, LEFT);
    if (t->driver) {
        put(out, " ");
        put_column(out, row->driver, DRIVER - 1, LEFT, LEFT);
    }
    if (t->offset) {
        put_number(out, row->offset, OFFSET - 1);
    }
    put_number(out, row->lag_bytes, 5);
    if (row->lag_bytes >= 0) {
        short_span(row->lag_seconds, behind);
    }
    short_number(row->rate > 0 ? row->rate : 0, rate);
    if (row->last_ns > 0) {
        short_span(age(now_ns, row->last_ns), last);
    }
    put(out, " %7s %8s %5s", behind, rate, last);
}

/* -- above it ---------------------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* "sink        kafka      failing: …" */
static void put_part(struct buf *out, const struct answer *a, const char *key, unsigned width)
{
    const json_t *part = json_object_get(a->json, key);
    const char *error = text_of(part, "error"), *state = text_of(part, "state");
    struct buf line = {0};
    int64_t ns;
    put(&line, "%s", state);
    if (*error && clock_parse(slice_str(text_of(part, "error_time")), &ns) == 0) {
        char span[SHORT_MAX];
        short_span(age(a->now_ns, ns), span);
        put(&line, strcmp(state, "failing") == 0 ? " (%s ago): " : " (%s ago it failed: ", span);
        put_safe(&line, error);
        put(&line, strcmp(state, "failing") == 0 ? "" : ")");
    }
    put(&line, "%c", '\0');
    put(out, "%-10s  ", key);
    put_column(out, text_of(part, "name"), 12, LEFT, LEFT);
    put(out, " ");
    put_wrapped(out, line.data, width, 25, 25);
    buf_free(&line);
}

void table_put_title(struct buf *out, const struct answer *a, const char *listen)
{
    put(out, "sidetail ");
    put_safe(out, text_of(a->json, "sidetail"));
    put(out, " at %s: ", listen);
    if (json_is_true(json_object_get(a->json, "ready"))) {
        put(out, "ready");
    } else {
        put(out, "not ready: ");
        put_safe(out, text_of(a->json, "fault"));
    }
}

void table_put_states(struct buf *out, const struct answer *a)
{
    static const char *const keys[] = {"source", "sink", "checkpoint"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const json_t *part = json_object_get(a->json, keys[i]);
        const char *state = text_of(part, "state");
        put(out, "%s%s ", i > 0 ? "  " : "", keys[i]);
        put_safe(out, text_of(part, "name"));
        put(out, ": ");
        put_safe(out, state);
        if (strcmp(state, "failing") == 0) {
            put(out, ": ");
            put_safe(out, text_of(part, "error"));
        }
    }
}

void table_put_parts(struct buf *out, const struct answer *a, const char *listen, unsigned width)
{
    struct buf line = {0};
    table_put_title(&line, a, listen);
    put(&line, "%c", '\0');
    put_wrapped(out, line.data, width, 0, INDENT);
    buf_free(&line);
    put_part(out, a, "source", width);
    put_part(out, a, "sink", width);
    put_part(out, a, "checkpoint", width);
}

/* -- below it ---------------------------------------------------------------------------------- */

void table_put_sums(struct buf *out, const struct answer *a)
{
    double rate = 0, lag = 0;
    char rates[SHORT_MAX], lags[SHORT_MAX];
    for (size_t i = 0; i < a->count; i++) {
        rate += a->rows[i].rate;
        lag += a->rows[i].lag_bytes > 0 ? (double)a->rows[i].lag_bytes : 0;
    }
    short_number(rate, rates);
    short_number(lag, lags);
    put(out, "%zu log%s, %s lines/s, %s bytes unread, %u problem%s, %zu left out\n", a->count,
        a->count == 1 ? "" : "s", rates, lags, a->problems, a->problems == 1 ? "" : "s",
        json_array_size(json_object_get(a->json, "left_out")));
}

/* "  web  shop_web_1: why" */
static void put_reason(struct buf *out, const char *service, const char *what, const char *reason,
                       const char *detail, unsigned width)
{
    struct buf line = {0};
    put_safe(&line, service);
    if (*service && *what) {
        put(&line, "  ");
    }
    put_safe(&line, what);
    put(&line, *reason ? ": %s: " : "%s: ", reason);
    put_safe(&line, detail);
    put(&line, "%c", '\0');
    put(out, "  ");
    put_wrapped(out, line.data, width, 2, INDENT);
    buf_free(&line);
}

static void put_left(struct buf *out, const json_t *left, unsigned width)
{
    const char *what = text_of(left, "container");
    what = *what ? what : *text_of(left, "id") ? text_of(left, "id") : text_of(left, "file");
    put_reason(out, text_of(left, "service"), what, text_of(left, "reason"), text_of(left, "detail"), width);
}

/* Those that are a problem, or those that are somebody's choice. */
static void put_all_left(struct buf *out, const struct answer *a, bool problems, const char *title,
                         unsigned width)
{
    size_t i;
    json_t *left;
    bool any = false;
    json_array_foreach(json_object_get(a->json, "left_out"), i, left)
    {
        if (json_is_true(json_object_get(left, "problem")) == problems) {
            put(out, "%s", any ? "" : title);
            any = true;
            put_left(out, left, width);
        }
    }
}

static void put_problems(struct buf *out, const struct answer *a, unsigned width)
{
    long long many = json_integer_value(json_object_get(a->json, "containers_too_many"));
    bool any = many > 0;
    if (any) {
        put(out, "\nProblems:\n  ");
        put(out, "%lld containers are too many, or described at too great length: not followed\n", many);
    }
    for (size_t i = 0; i < a->count; i++) {
        const struct row *row = &a->rows[i];
        if (row->problem) {
            put(out, "%s", any ? "" : "\nProblems:\n");
            any = true;
            put_reason(out, row->service, row->what ? row->what : "", "", row->problem, width);
        }
    }
    put_all_left(out, a, true, any ? "" : "\nProblems:\n", width);
}

void table_put_reasons(struct buf *out, const struct answer *a, unsigned width)
{
    put_problems(out, a, width);
    put_all_left(out, a, false, "\nLeft out:\n", width);
}
