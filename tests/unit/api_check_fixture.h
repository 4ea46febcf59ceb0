/* An answer to a check of the log, and what the check makes of it. */
#ifndef API_CHECK_FIXTURE_H
#define API_CHECK_FIXTURE_H

#include "api_reader.h"

static inline void on_checked(void *arg, enum check_result result)
{
    struct reader *r = arg;
    r->result = result;
    r->results++;
    event_base_loopbreak(r->base);
}

/* An entry of the answer: a line, or without a text a piece of one. */
static inline void add_one(struct server *server, enum stream stream, int64_t time_ns, const char *text)
{
    static char line[CLOCK_TEXT_MAX + 16400];
    size_t n = clock_format(time_ns, line);
    line[n++] = ' ';
    memset(line + n, 'x', 16384);
    strcpy(line + n + (text ? 0 : 16384), text ? text : "");
    add_line(server, stream == STREAM_STDERR ? 2 : 1, line);
}

static inline void add_entry(struct server *server, int64_t time_ns)
{
    add_one(server, STREAM_STDOUT, time_ns, "text\n");
}

/* The log's last entries: `count` lines at t, t + 1 ms, and so on. */
static inline void log_has(struct server *server, int64_t t, int count)
{
    begin_answer(server, CHUNKED);
    for (int i = 0; i < count; i++) {
        add_entry(server, t + i * MS);
    }
    add_text(server, "0\r\n\r\n");
}

static inline void log_has_both(struct server *server, int64_t one, int64_t two)
{
    begin_answer(server, CHUNKED);
    add_entry(server, one);
    add_entry(server, two);
    add_text(server, "0\r\n\r\n");
}

/* A line's pieces of the time t, behind `before` other lines. */
static inline void log_has_pieces(struct server *server, int64_t t, int before, int pieces)
{
    begin_answer(server, CHUNKED);
    for (int i = -before; i < pieces; i++) {
        add_one(server, STREAM_STDOUT, i < 0 ? t + i * MS : t,
                i < 0 || i == pieces - 1 ? "xxxxxxxxxx\n" : NULL);
    }
    add_text(server, "0\r\n\r\n");
}

static inline void check_held(struct server *server, struct reader *r, struct held_entry held)
{
    struct log_options options = {0};
    r->check.cursor = &r->cursor;
    r->check.proof = &r->proof;
    r->check.more = r->more;
    r->check.held = held;
    r->check.strict = true;
    r->check.done = on_checked;
    r->check.arg = r;
    r->results = 0;
    assert_int_equal(api_check_start(&r->check, server->engine, "abc", &options), 0);
    run(server);
    assert_int_equal(r->results, 1);
}

static inline void check(struct server *server, struct reader *r, const struct log_entry *held)
{
    check_held(server, r, held ? held_entry(&r->cursor, r->more, held) : (struct held_entry){0});
}

#endif
