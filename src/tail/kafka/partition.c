#include "partition.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "tail/say.h"
#include "tail/writer.h"

/* Transactions' marks, and the messages of those that were aborted, take offsets too. So more are read than
 * lines are wanted, and so many times more where those were too few. */
#define BACK_LEAST 64
#define BACK_MORE  4

static void wake(const struct reading *r)
{
    uint64_t one = 1;
    /* It fails only when the counter is full: then the loop is awake already. */
    if (write(r->wake_fd, &one, sizeof(one)) < 0) {
        return;
    }
}

/* -- reading ----------------------------------------------------------------------------------- */

static void drop_batch(struct partition *p)
{
    while (p->at < p->count) {
        rd_kafka_message_destroy(p->batch[p->at++]);
    }
    p->at = p->count = 0;
}

static void stop(struct partition *p)
{
    if (p->started) {
        rd_kafka_consume_stop(p->topic->handle, p->id);
    }
    p->started = p->full = p->at_end = false;
    drop_batch(p);
}

/* librdkafka refuses for want of memory alone. */
static void start(const struct reading *r, struct partition *p)
{
    if (rd_kafka_consume_start(p->topic->handle, p->id, p->start) < 0) {
        tail_out_of_memory();
    }
    p->started = true;
    wake(r); /* while something is in its queue, that tells of nothing more */
    p->heard_ns = clock_monotonic();
}

/* -- the past ---------------------------------------------------------------------------------- */

/* Keeps so many lines that those which are last by time are among them, though they are not last in the
 * partition. */
static void keep_last(struct partition *p)
{
    last_lines_free(p->kept);
    p->kept = last_lines_new(2 * p->lines + BACK_LEAST);
    if (!p->kept) {
        tail_out_of_memory();
    }
}

static void keep(const struct reading *r, struct partition *p, const struct tail_line *line)
{
    size_t share = FEEDS_KEPT_MAX / r->keep;
    share = share > FEED_KEPT_MIN ? share : FEED_KEPT_MIN;
    size_t sorting = (size_t)last_lines_count(p->kept) * sizeof(struct last_line);
    if (last_lines_put(p->kept, line, share > sorting ? share - sorting : 0) < 0) {
        tail_out_of_memory();
    }
}

/* Where there are too few lines in what was read: reads more. False: there is no more, or there are enough. */
static bool go_further_back(const struct reading *r, struct partition *p)
{
    int64_t back = p->end - p->start;
    if (p->lines <= 0 || p->start <= p->floor || last_lines_count(p->kept) >= p->lines ||
        !last_lines_has_room(p->kept)) {
        return false;
    }
    stop(p);
    p->start = back > (p->end - p->floor) / BACK_MORE ? p->floor : p->end - back * BACK_MORE;
    keep_last(p);
    start(r, p);
    return true;
}

/* The past is put, as far as it is wanted. */
static void conclude(struct reading *r, struct partition *p)
{
    p->state = r->env->follow ? PARTITION_LIVE : PARTITION_DONE;
    if (p->state == PARTITION_DONE) {
        r->ended(r->arg);
    }
}

void topic_settle(struct reading *r, struct topic *t)
{
    struct partition *p;
    if (!t->past || past_chosen(t->past)) {
        return;
    }
    LIST_FOREACH(p, &t->partitions, link)
    {
        if (p->state == PARTITION_PAST && p->kept) {
            return;
        }
    }
    int64_t lines = 0;
    LIST_FOREACH(p, &t->partitions, link)
    {
        if (p->kept) {
            past_add(t->past, p->kept);
            p->kept = NULL;
            lines = p->lines;
            r->keep--;
        }
    }
    past_choose(t->past, lines, t->name);
    wake(r);
}

void topic_go_on(struct reading *r, struct topic *t)
{
    struct partition *p;
    if (!t->past || !past_chosen(t->past) || !past_put(t->past, r->env->options->until_ns)) {
        return;
    }
    past_free(t->past);
    t->past = NULL;
    LIST_FOREACH(p, &t->partitions, link)
    {
        if (p->state == PARTITION_WAITS) {
            conclude(r, p);
        }
    }
    r->ended(r->arg); /* of those that were lost, too */
    wake(r);
}

static void wait_for_others(struct reading *r, struct partition *p)
{
    if (!p->kept) {
        conclude(r, p); /* there is nothing to choose */
    } else {
        p->state = PARTITION_WAITS;
        topic_settle(r, p->topic);
    }
}

/* All of the past is put. */
static void end_past(struct reading *r, struct partition *p)
{
    if (p->state == PARTITION_PAST && !go_further_back(r, p)) {
        wait_for_others(r, p);
    }
}

bool partition_give_up_waiting(struct reading *r, struct partition *p)
{
    bool waited = p->state == PARTITION_PAST;
    if (waited) {
        wait_for_others(r, p);
    }
    return waited;
}

/* -- messages ---------------------------------------------------------------------------------- */

/* False: the value is nothing that was asked for. */
static bool line_of(struct reading *r, const struct partition *p, const rd_kafka_message_t *m,
                    struct tail_line *line)
{
    struct slice bytes = slice_of(m->payload, m->len);
    struct value v;
    *line = (struct tail_line){.kind = TAIL_LINE};
    if (bytes.len == 0) {
        return false;
    }
    if (!value_parse(bytes, &v)) {
        rd_kafka_timestamp_type_t type;
        line->writer = writers_of_message(r->writers, m, p->topic->name, line);
        line->time_ns =
            value_time(rd_kafka_message_timestamp(m, &type), p->newest_ns ? p->newest_ns : r->now_ns);
        line->text = slice_of(bytes.ptr, bytes.len - (bytes.ptr[bytes.len - 1] == '\n'));
        return line->writer;
    }
    line->writer = writers_of_value(r->writers, &v, p->topic->name);
    line->json = r->env->options->json && v.tags[VALUE_SERVICE].len > 0 ? bytes : slice_of(NULL, 0);
    line->time_ns = v.time_ns;
    line->stream = v.stream;
    line->level = v.level;
    line->partial = v.partial;
    line->text = v.text;
    if (line->writer && v.text.len > 0 && memchr(v.text.ptr, '\\', v.text.len)) {
        r->text.len = 0;
        if (text_unescape(&r->text, v.text) < 0) {
            tail_out_of_memory();
        }
        line->text = slice_of(r->text.data, r->text.len);
    }
    return line->writer;
}

/* False: not now. */
static bool put(struct reading *r, struct partition *p, const rd_kafka_message_t *m)
{
    const struct tail_options *o = r->env->options;
    struct tail_line line;
    bool wanted = line_of(r, p, m, &line);
    p->newest_ns = line.time_ns > p->newest_ns ? line.time_ns : p->newest_ns;
    p->full = false;
    if (!wanted || line.time_ns < o->since_ns || (o->until_ns && line.time_ns > o->until_ns && !p->kept)) {
        return true; /* of those that are kept, it chooses later */
    }
    if (p->kept) {
        keep(r, p, &line);
        r->any = true;
        return true;
    }
    if (!lanes_put(p->lanes, &line)) {
        r->full |= p->state == PARTITION_LIVE;
        p->full = true;
        return false;
    }
    r->got_on = r->any = true;
    if (p->state == PARTITION_LIVE) {
        order_see(&r->seen, line.time_ns, r->now_ns);
    }
    return true;
}

static void lose(struct reading *r, struct partition *p, enum partition_state state)
{
    stop(p);
    p->state = state;
    topic_settle(r, p->topic);
    r->ended(r->arg);
}

static void say_of(const struct topic *t, const char *what)
{
    struct error err;
    error_set(&err, "topic %s %s", t->name, what);
    tail_say(err.text);
}

static void say_trouble(struct topic *t, const rd_kafka_message_t *m)
{
    char what[300];
    if (!t->troubled) {
        snprintf(what, sizeof(what), "cannot be read now, which is tried again: %.200s",
                 rd_kafka_message_errstr(m));
        say_of(t, what);
    }
    t->troubled = true;
}

static void take_error(struct reading *r, struct partition *p, const rd_kafka_message_t *m)
{
    switch (m->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        p->heard_ns = clock_monotonic();
        p->at_end = true;
        if (m->offset >= p->end) {
            end_past(r, p);
        }
        break;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        if (!p->topic->refused) {
            say_of(p->topic, "may not be read: grant Read on it to this user");
        }
        p->topic->refused = true;
        lose(r, p, PARTITION_REFUSED);
        break;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        lose(r, p, PARTITION_GONE);
        break;
    default:
        say_trouble(p->topic, m); /* librdkafka tries again */
        break;
    }
}

static bool reads(const struct partition *p)
{
    return p->state == PARTITION_PAST || p->state == PARTITION_LIVE;
}

/* One message. False: not now. It may be gone then, with all of the batch: reading began anew, or ended. */
static bool take(struct reading *r, struct partition *p, const rd_kafka_message_t *m)
{
    bool is_past = m->err == RD_KAFKA_RESP_ERR_NO_ERROR && m->offset < p->end;
    bool is_last = is_past && m->offset == p->end - 1;
    if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR && !is_past && p->state == PARTITION_PAST) {
        end_past(r, p);
        return false; /* if it goes on from here, it is taken again */
    }
    if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR && !put(r, p, m)) {
        return false;
    }
    rd_kafka_message_t *taken = p->batch[p->at++];
    p->taken += taken->len;
    if (m->err) {
        take_error(r, p, m);
    } else {
        p->next = m->offset + 1;
        p->heard_ns = clock_monotonic();
        p->at_end = false;
        p->topic->troubled = p->topic->refused = false;
    }
    if (is_last) {
        end_past(r, p);
    }
    rd_kafka_message_destroy(taken);
    return true;
}

bool partition_read(struct reading *r, struct partition *p)
{
    if (p->state == PARTITION_DONE) {
        stop(p);
    }
    if (!reads(p)) {
        return false;
    }
    bool fetched = p->at == p->count;
    if (fetched) {
        ssize_t count = rd_kafka_consume_batch_queue(p->queue, 0, p->batch, PARTITION_BATCH);
        p->at = 0;
        p->count = count > 0 ? (size_t)count : 0;
    }
    while (p->at < p->count && reads(p) && take(r, p, p->batch[p->at])) {
    }
    /* The queue tells of what comes once it is empty, which it was only if the batch just fetched was not full. */
    bool emptied = fetched && p->at == p->count && p->count < PARTITION_BATCH;
    return reads(p) && !p->full && !emptied;
}

int64_t partition_until(const struct partition *p, int64_t spread_ns)
{
    if (p->state != PARTITION_PAST || p->kept) { /* for its last lines, the topic's feed waits */
        return INT64_MAX;
    }
    return p->full ? p->newest_ns : p->newest_ns - spread_ns;
}

bool partition_has_read(const struct partition *p, int64_t until_ns, int64_t since_ns)
{
    bool may_come = !p->at_end && p->newest_ns <= until_ns && p->heard_ns >= since_ns;
    return p->state > PARTITION_LIVE || (p->state == PARTITION_LIVE && !p->full && !may_come);
}

bool partition_hungers(const struct reading *r, struct partition *p)
{
    bool hungers = reads(p) && p->taken >= r->ahead / 2;
    p->taken = hungers ? 0 : p->taken;
    return hungers;
}

/* -- opening ----------------------------------------------------------------------------------- */

static void on_room(void *arg)
{
    wake(arg);
}

void partition_open(struct reading *r, struct topic *t, int32_t id, int64_t floor, int64_t end, int64_t lines)
{
    struct partition *p = calloc(1, sizeof(*p));
    if (!p) {
        tail_out_of_memory();
    }
    *p = (struct partition){.topic = t, .id = id, .floor = floor, .start = floor, .end = end, .lines = lines};
    p->heard_ns = clock_monotonic();
    p->lanes = lanes_new(r->env->feeds, on_room, r);
    p->queue = rd_kafka_queue_get_partition(r->rk, t->name, id);
    if (!p->queue) {
        tail_out_of_memory();
    }
    uint64_t one = 1;
    rd_kafka_queue_io_event_enable(p->queue, r->wake_fd, &one, sizeof(one));
    LIST_INSERT_HEAD(&t->partitions, p, link);
    if (lines == 0) {
        p->start = end;
    } else if (lines > 0) {
        int64_t back = 2 * lines + BACK_LEAST;
        p->start = end - floor > back ? end - back : floor;
        keep_last(p);
        r->keep++;
        t->past = t->past ? t->past : past_new(r->env->feeds, on_room, r);
    }
    p->next = lines > 0 ? end : p->start;
    if (p->start < end || r->env->follow) {
        start(r, p);
    }
    if (p->start >= end) {
        p->state = PARTITION_WAITS;
        if (lines <= 0) {
            conclude(r, p);
        }
    }
}

void partition_try_refused(const struct reading *r, struct partition *p)
{
    if (p->state == PARTITION_REFUSED && r->env->follow && !p->topic->past) {
        p->state = PARTITION_LIVE;
        p->start = p->next;
        start(r, p);
    }
}

void partition_free(struct partition *p)
{
    LIST_REMOVE(p, link);
    stop(p);
    rd_kafka_queue_io_event_enable(p->queue, -1, NULL, 0);
    rd_kafka_queue_destroy(p->queue);
    lanes_free(p->lanes);
    last_lines_free(p->kept);
    free(p);
}

struct topic *topic_new(struct reading *r, const char *name, struct error *err)
{
    struct topic *t = calloc(1, sizeof(*t) + strlen(name) + 1);
    if (!t) {
        tail_out_of_memory();
    }
    strcpy(t->name, name);
    t->handle = rd_kafka_topic_new(r->rk, name, NULL);
    if (!t->handle) {
        error_set(err, "topic %s: %s", name, rd_kafka_err2str(rd_kafka_last_error()));
        free(t);
        return NULL;
    }
    return t;
}

void topic_free(struct topic *t)
{
    for (struct partition *p; (p = LIST_FIRST(&t->partitions));) {
        partition_free(p);
    }
    past_free(t->past);
    rd_kafka_topic_destroy(t->handle);
    free(t);
}
