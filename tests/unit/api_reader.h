/* A reader of the log of one container, as the source and the tail are, against a server that plays the Engine. */
#ifndef API_READER_H
#define API_READER_H

#include "engine_server.h"

#include "base/clock.h"
#include "source/docker_api/check.h"

#define MS NS_PER_MS

struct reader {
    struct engine_container container;
    struct proof proof;
    struct api_cursor cursor;
    bool more[STREAM_COUNT];
    struct api_check check;
    struct event_base *base;
    enum check_result result;
    int results;
};

static inline void begin_reading(struct server *server, struct reader *r, int64_t max_size)
{
    *r = (struct reader){.base = server->base};
    r->container =
        (struct engine_container){.driver = "json-file", .rotates = max_size > 0, .max_size = max_size};
    engine_ping(server->engine, on_answer, server); /* tells the version */
    begin_answer(server, "HTTP/1.1 200 OK\r\nApi-Version: 1.45\r\nContent-Length: 2\r\n\r\nOK");
    run(server);
    assert_int_equal(engine_api_minor(server->engine), 45);
    proof_init(&r->proof, server->engine, &r->container);
    cursor_start(&r->cursor, NULL);
    proof_opening(&r->proof, &r->cursor, 1);
}

static inline struct log_entry entry(enum stream stream, int64_t time_ns, const char *text, bool more)
{
    return (struct log_entry){.stream = stream, .time_ns = time_ns, .text = slice_str(text), .more = more};
}

static inline bool doubts(struct reader *r, const struct log_entry *e)
{
    return proof_doubts(&r->proof, &r->cursor, r->more, e);
}

static inline void take(struct reader *r, const struct log_entry *e)
{
    union source_offset offset;
    assert_true(cursor_take(&r->cursor, e->stream, e->time_ns, &offset));
    proof_taken(&r->proof, e);
    r->more[e->stream] = e->more;
}

static inline void take_line(struct reader *r, int64_t time_ns)
{
    struct log_entry e = entry(STREAM_STDOUT, time_ns, "line", false);
    take(r, &e);
}

static inline bool doubts_line(struct reader *r, int64_t time_ns)
{
    struct log_entry e = entry(STREAM_STDOUT, time_ns, "line", false);
    return doubts(r, &e);
}

#endif
