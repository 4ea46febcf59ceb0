#include "status_answer.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/status.h"
#include "base/text.h"

/* A piece is made of so many logs at the most, of so many bytes, and for so long. */
#define PIECE_LOGS  500
#define PIECE_BYTES 65536
#define PIECE_NS    (LOOP_TURN_NS / 2)
#define PIECE_LOOK  16 /* the clock is asked after so many */
/* Each holds a piece for as long as its client takes. */
#define ANSWERS_MAX 32

enum phase { AT_LOGS, AT_LEFT, AT_END };

struct answer {
    struct evhttp_request *req;
    struct status_walk walk; /* none at the end */
    enum phase phase;
    bool first; /* nothing of the list was written yet */
    struct buf piece;
    bool failed; /* memory is out */
};

static unsigned under_way; /* answers */

/* -- JSON -------------------------------------------------------------------------------------- */

#define put(a, ...) ((a)->failed |= buf_addf(&(a)->piece, __VA_ARGS__) < 0)

/* `key` is a literal with what stands before it: `{"service"`. */
static void put_text(struct answer *a, const char *key, const char *text)
{
    put(a, "%s:\"", key);
    a->failed |= text_escape(&a->piece, slice_of(text, strlen(text))) < 0;
    put(a, "\"");
}

static void put_known(struct answer *a, const char *key, const char *text)
{
    if (text) {
        put_text(a, key, text);
    }
}

static void put_time(struct answer *a, const char *key, int64_t ns)
{
    char text[CLOCK_TEXT_MAX];
    if (ns > 0) {
        clock_format(ns, text);
        put(a, "%s:\"%s\"", key, text);
    }
}

static void put_part(struct answer *a, const char *key, const struct status_part *part)
{
    const char *state = part->failing ? "failing" : part->open ? "ok" : "starting";
    put(a, ",\"%s\":{\"state\":\"%s\"", key, state);
    put_known(a, ",\"name\"", part->name);
    if (part->error_ns > 0) {
        put_text(a, ",\"error\"", part->last.text);
        put_time(a, ",\"error_time\"", part->error_ns);
    }
    put(a, "}");
}

static void put_head(struct answer *a, const char *fault)
{
    double over = status_ask();
    int64_t waiting = standing_sink_waits();
    put(a, "{\"version\":%d,\"sidetail\":\"" VERSION "\"", STATUS_VERSION);
    put_time(a, ",\"time\"", clock_now());
    put(a, ",\"ready\":%s", *fault ? "false" : "true");
    put_known(a, ",\"fault\"", *fault ? fault : NULL);
    put_part(a, "source", &status.source);
    put_part(a, "sink", &status.sink);
    put_part(a, "checkpoint", &status.checkpoint);
    put(a, ",\"sink_waiting_seconds\":%.3f,\"rates_over_seconds\":%.3f", (double)waiting / NS_PER_S, over);
    put(a, ",\"containers_too_many\":%llu,\"logs\":[", (unsigned long long)metrics.containers_left_out);
}

static void put_position(struct answer *a, const struct status_log *log)
{
    if (log->position == STATUS_OFFSET) {
        put(a, ",\"offset\":%llu,\"unread_files\":%u", (unsigned long long)log->offset, log->unread);
    } else if (log->position == STATUS_TIME) {
        put_time(a, ",\"read_to\"", log->time_ns);
    }
}

static void put_log(struct answer *a, const struct status_log *log)
{
    put_text(a, a->first ? "{\"service\"" : ",\n{\"service\"", log->service);
    put_known(a, ",\"project\"", log->project);
    put_known(a, ",\"container\"", log->container);
    put_known(a, ",\"id\"", log->id);
    put_known(a, ",\"file\"", log->file);
    put_known(a, ",\"driver\"", log->driver);
    put_position(a, log);
    if (log->lag_known) {
        put(a, ",\"lag_bytes\":%llu,\"lag_seconds\":%.3f", (unsigned long long)log->lag_bytes,
            (double)log->lag_ns / NS_PER_S);
    }
    put(a, ",\"lines\":%llu,\"lines_per_second\":%.1f", (unsigned long long)log->lines, log->rate);
    put_time(a, ",\"last_line\"", log->last_ns);
    put_known(a, ",\"problem\"", log->problem);
    put(a, "}");
}

static void put_left(struct answer *a, const struct status_left *left)
{
    put_text(a, a->first ? "{\"reason\"" : ",\n{\"reason\"", left->reason);
    put_known(a, ",\"service\"", left->service);
    put_known(a, ",\"container\"", left->container);
    put_known(a, ",\"id\"", left->id);
    put_known(a, ",\"file\"", left->file);
    put_known(a, ",\"detail\"", left->detail);
    put(a, ",\"problem\":%s}", left->problem ? "true" : "false");
}

/* -- pieces ------------------------------------------------------------------------------------ */

/* Puts the next one of the list. False: it is at its end. */
static bool put_next(struct answer *a)
{
    struct status_log log;
    const struct status_left *left = NULL;
    if (a->phase == AT_LOGS && status_next_log(&a->walk, &log)) {
        put_log(a, &log);
    } else if (a->phase == AT_LEFT && (left = status_next_left(&a->walk))) {
        put_left(a, left);
    } else {
        return false;
    }
    a->first = false;
    return true;
}

static void next_list(struct answer *a)
{
    status_walk_end(&a->walk);
    a->first = true;
    if (a->phase == AT_LOGS) {
        put(a, "],\"left_out\":[");
        status_walk_left(&a->walk);
        a->phase = AT_LEFT;
    } else {
        put(a, "]}\n");
        a->phase = AT_END;
    }
}

static void make_piece(struct answer *a)
{
    int64_t until = clock_monotonic() + PIECE_NS;
    for (int i = 1; i <= PIECE_LOGS && a->phase != AT_END && !a->failed; i++) {
        if (!put_next(a)) {
            next_list(a);
        }
        if (a->piece.len >= PIECE_BYTES || (i % PIECE_LOOK == 0 && clock_monotonic() >= until)) {
            return;
        }
    }
}

static void answer_free(struct answer *a)
{
    if (a->phase != AT_END) {
        status_walk_end(&a->walk);
    }
    buf_free(&a->piece);
    free(a);
    under_way--;
}

/* The client left, or the server is being closed, which takes the request along. */
static void on_closed(struct evhttp_connection *con, void *arg)
{
    (void)con;
    struct answer *a = arg;
    if (!evhttp_request_get_connection(a->req)) {
        evhttp_send_reply_end(a->req); /* frees it: nobody else knows it any more */
    }
    answer_free(a);
}

static void on_taken(struct evhttp_connection *con, void *arg);

static void send_piece(struct answer *a)
{
    struct evbuffer *out = evbuffer_new();
    make_piece(a);
    a->failed |= !out || evbuffer_add(out, a->piece.data, a->piece.len) < 0;
    buf_free(&a->piece);
    struct evhttp_connection *con = evhttp_request_get_connection(a->req);
    if (a->failed || a->phase == AT_END) {
        struct evhttp_request *req = a->req;
        evhttp_connection_set_closecb(con, NULL, NULL);
        if (!a->failed) { /* else it ends in the middle, which is no JSON */
            evhttp_send_reply_chunk(req, out);
        }
        answer_free(a);
        evhttp_send_reply_end(req);
    } else {
        evhttp_send_reply_chunk_with_cb(a->req, out, on_taken, a);
    }
    if (out) {
        evbuffer_free(out);
    }
}

static void on_taken(struct evhttp_connection *con, void *arg)
{
    (void)con;
    send_piece(arg);
}

bool status_answer_room(void)
{
    return under_way < ANSWERS_MAX;
}

void status_answer(struct evhttp_request *req, const char *fault)
{
    struct answer *a = calloc(1, sizeof(*a));
    if (!a) {
        evhttp_send_error(req, HTTP_INTERNAL, NULL);
        return;
    }
    under_way++;
    *a = (struct answer){.req = req, .first = true};
    put_head(a, fault);
    status_walk_logs(&a->walk);
    evhttp_connection_set_closecb(evhttp_request_get_connection(req), on_closed, a);
    evhttp_send_reply_start(req, HTTP_OK, NULL);
    send_piece(a);
}
