#include "phase.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/loop.h"

#define RETRY_MAX (5 * NS_PER_S)

void reader_enqueue(struct reader *r)
{
    if (!r->stream && !r->inspecting) {
        log_queue_add(&r->all->queue, &r->place);
    }
}

void reader_close_stream(struct reader *r)
{
    api_check_stop(&r->check);
    log_stream_close(r->stream);
    r->stream = NULL;
    log_queue_settled(&r->all->queue, &r->place);
}

void reader_retry(struct reader *r)
{
    loop_arm_timer(r->timer, r->backoff);
    r->backoff = r->backoff * 2 < RETRY_MAX ? r->backoff * 2 : RETRY_MAX;
}

void reader_reopen(struct reader *r)
{
    reader_close_stream(r);
    reader_enqueue(r);
    log_queue_open_next(&r->all->queue);
}

void reader_free(struct reader *r)
{
    reader_close_stream(r);
    log_queue_leave(&r->all->queue, &r->place);
    LIST_REMOVE(r, link);
    event_free(r->timer);
    tail_feed_close(r->feed);
    if (r->container) {
        r->container->user = NULL;
    }
    free(r);
}

void reader_keep_last(struct reader *r, int64_t window_ns)
{
    r->keeps = true;
    r->window_ns = window_ns;
    cursor_start(&r->cursor, NULL);
    r->more[STREAM_STDOUT] = r->more[STREAM_STDERR] = false;
    proof_init(&r->proof, r->all->engine, r->container);
    tail_feed_keep_last(r->feed, r->all->env->options->lines);
}

void reader_leave_past(struct reader *r)
{
    struct readers *all = r->all;
    if (r->phase != PAST) {
        return;
    }
    if (engine_is_podman(all->engine)) {
        /* The last lines that were asked for may be some of their second. No line of that second is of the
           past and of the present: the past ends where a second begins. */
        cursor_start_at(&r->cursor, all->now_ns);
    }
    /* A stream that had nothing to say goes on where the other one is, or now. */
    int64_t from = r->cursor.seen_ns > 0 ? r->cursor.seen_ns : all->now_ns;
    for (int s = 0; s < STREAM_COUNT; s++) {
        if (r->cursor.stream[s].last.time_ns == 0) {
            r->cursor.stream[s].last.time_ns = from;
        }
    }
    r->cursor.seen_ns = from;
    r->phase = PRESENT;
    r->keeps = false;
    log_queue_past_read(&all->queue, &r->place);
    tail_feed_present(r->feed);
}

void reader_show_stop(struct reader *r)
{
    event_del(r->timer);
    lifecycle_show(&r->life, r->feed);
}

void reader_go_on(struct reader *r)
{
    bool running = r->container && r->container->running;
    if (r->life.stopped) {
        reader_show_stop(r);
        r->phase = RESTING;
    } else if (r->phase == PRESENT && !running) {
        r->phase = RESTING;
    }
    if (!r->container && r->phase != PAST) {
        reader_free(r);
    } else if (r->phase == PRESENT && r->all->env->follow) {
        reader_retry(r);
    } else if (r->phase == RESTING && running && r->all->env->follow) {
        r->phase = PRESENT; /* it was started again while its last words were read */
        reader_enqueue(r);
    }
}

void reader_past_ended(struct reader *r)
{
    reader_leave_past(r);
    if (r->all->env->follow && r->container && (r->container->running || r->life.stopped)) {
        reader_enqueue(r); /* what it wrote since it was listed */
        return;
    }
    if (r->container) {
        lifecycle_not_running(r->all->env, r->feed);
    }
    reader_go_on(r);
}
