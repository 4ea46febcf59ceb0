/* A bench for shaping: puts lines in, and keeps what comes out. */
#ifndef SHAPE_FIXTURE_H
#define SHAPE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/regexp.h"
#include "base/text.h"
#include "config/config.h"
#include "pipeline/pipeline.h"
#include "shape/shape.h"
#include "under_valgrind.h"

#define NOON "2026-11-24T12:00:00Z"

/* What came out, newest last. */
static struct {
    char *text, *extra, time[64];
    enum stream stream;
    bool partial, escaped;
    uint8_t level;
} seen[4096];
static size_t nseen;

static struct config *cfg;
static struct shape *shape;
static struct shape_state *st;

static inline char *copy(struct slice s)
{
    char *text = malloc(s.len + 1);
    if (s.len > 0) {
        memcpy(text, s.ptr, s.len);
    }
    text[s.len] = '\0';
    return text;
}

static inline void on_emit(void *arg, const struct record *rec)
{
    (void)arg;
    assert_true(nseen < sizeof(seen) / sizeof(seen[0]));
    struct buf raw = {0};
    assert_int_equal(rec->escaped ? text_unescape(&raw, rec->text) : buf_add_slice(&raw, rec->text), 0);
    seen[nseen].text = copy(slice_of(raw.data, raw.len));
    seen[nseen].extra = copy(rec->extra);
    seen[nseen].stream = rec->stream;
    seen[nseen].partial = rec->partial;
    seen[nseen].escaped = rec->escaped;
    seen[nseen].level = rec->level;
    snprintf(seen[nseen].time, sizeof(seen[nseen].time), "%.*s", (int)rec->time.len, rec->time.ptr);
    nseen++;
    buf_free(&raw);
}

static const struct shape_out out = {.emit = on_emit};

static inline void forget(void)
{
    for (size_t i = 0; i < nseen; i++) {
        free(seen[i].text);
        free(seen[i].extra);
    }
    nseen = 0;
}

static inline int setup(void **state)
{
    (void)state;
    cfg = config_defaults();
    memset(&metrics, 0, sizeof(metrics));
    return cfg ? 0 : -1;
}

static inline int teardown(void **state)
{
    (void)state;
    forget();
    shape_close(st);
    shape_unref(shape);
    config_free(cfg);
    st = NULL;
    shape = NULL;
    return 0;
}

static inline void set(char **field, const char *text)
{
    free(*field);
    *field = strdup(text);
}

static inline void add(struct string_list *list, const char *text)
{
    list->items = realloc(list->items, (list->count + 1) * sizeof(*list->items));
    list->items[list->count++] = strdup(text);
}

/* The configuration is complete. */
static inline void begin(void)
{
    struct error err = {0};
    assert_true(shape_wanted(cfg));
    shape = shape_new(cfg, &err);
    if (!shape) {
        fail_msg("%s", err.text);
    }
    st = shape_open(shape);
    assert_non_null(st);
}

static inline int put_at(const char *text, enum stream stream, const char *time)
{
    struct record rec = {.text = slice_str(text), .stream = stream, .time = slice_str(time)};
    return shape_put(st, &rec, out);
}

static inline int put(const char *text)
{
    return put_at(text, STREAM_STDOUT, NOON);
}

static inline int put_escaped(const char *text)
{
    struct record rec = {.text = slice_str(text), .escaped = true};
    return shape_put(st, &rec, out);
}

static inline int put_piece(const char *text, bool partial)
{
    struct record rec = {.text = slice_str(text), .time = SLICE(NOON), .partial = partial};
    return shape_put(st, &rec, out);
}

static inline const char *last(void)
{
    assert_true(nseen > 0);
    return seen[nseen - 1].text;
}

/* Nowhere in what came out. */
static inline void no_secret(const char *secret)
{
    for (size_t i = 0; i < nseen; i++) {
        if (strstr(seen[i].text, secret) || strstr(seen[i].extra, secret)) {
            fail_msg("'%s' passes in '%s' %s", secret, seen[i].text, seen[i].extra);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
