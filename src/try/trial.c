#include "trial.h"

#include <stdlib.h>

#include "base/loop.h"
#include "base/memory.h"
#include "decision.h"
#include "kafka/topic_name.h"
#include "ledger.h"
#include "made.h"
#include "pipeline/pipeline.h"

/* Takes each batch at once. */
struct trial_sink {
    struct sink sink;
    struct trial *trial;
};

struct trial {
    const struct config *cfg;
    struct trial_calls calls;
    struct slice time; /* of lines that bear none; empty: now */
    struct event_base *base;
    struct checkpoint *checkpoint; /* in memory only */
    struct pipeline *pipeline;
    struct trial_sink sink;
    struct tags *tags;
    struct feed *feed;
    bool wanted;
    struct decisions decisions;
    struct ledger ledger;
};

/* -- what comes out ---------------------------------------------------------------------------- */

static void on_told(void *arg, const struct shape_verdict *verdict)
{
    struct trial *t = arg;
    decisions_add(&t->decisions, verdict);
}

static void submit(struct sink *sink, struct batch *batch)
{
    struct trial *t = ((struct trial_sink *)sink)->trial;
    for (uint32_t i = 0; i < batch->nitems; i++) {
        const struct item *item = &batch->items[i];
        struct slice text = slice_of(batch->out.data + item->offset, item->len - 1);
        decisions_encode(&t->decisions, item, text, batch_format(batch, item));
    }
    struct sink_events events = pipeline_sink_events(t->pipeline);
    events.acked(events.arg, batch);
}

static const struct sink_ops sink_ops = {
    .name = "try", .items = true, .owns_positions = true, .submit = submit};

/* Where the sink is Kafka: the topic of a record. */
static void tell_topic(const struct trial *t, const struct decision *d, json_t *outcome)
{
    char name[KAFKA_TOPIC_MAX + 1];
    if (t->cfg->sink == SINK_KAFKA && !json_object_get(outcome, "dropped")) {
        const char *chosen = tags_chosen(t->tags)->topic;
        kafka_topic_name(chosen ? chosen : t->cfg->kafka_topic, t->tags, d->stream, name);
        make_member(outcome, "topic", json_string(name));
    }
}

/* The decision as an outcome: what was decoded comes first. `late` is a line that came while the first piece went out,
 * and is no part of that; 0: none. */
static void tell(struct trial *t, struct decision *d, size_t *late)
{
    json_t *outcome =
        d->notice ? made(json_pack("{s:[]}", "lines")) : ledger_take(&t->ledger, d->stream, d->lines);
    if (*late > 0 && !d->notice && d->lines == 0) {
        ledger_add(&t->ledger, d->stream, *late);
        *late = 0;
    }
    if (json_object_update(outcome, d->told) < 0) {
        die_out_of_memory();
    }
    tell_topic(t, d, outcome);
    t->calls.outcome(t->calls.arg, outcome, slice_of(d->encoded.data, d->encoded.len));
    json_decref(outcome);
}

static void tell_all(struct trial *t, size_t late)
{
    feed_mark(t->feed, &(struct position){0}); /* submits what there is */
    for (struct decision *d; (d = decisions_take(&t->decisions)); decision_free(d)) {
        tell(t, d, &late);
    }
}

/* -- what goes in ------------------------------------------------------------------------------ */

static json_t *decoded(const struct record *rec, const char *format)
{
    json_t *line = made(json_pack("{s:n,s:s,s:s}", "lines", "format", format, "stream",
                                  rec->stream == STREAM_STDERR ? "stderr" : "stdout"));
    if (rec->time.len > 0) {
        make_member(line, "time", json_stringn(rec->time.ptr, rec->time.len));
    }
    if (rec->malformed) {
        make_member(line, "malformed", json_true());
    }
    return line;
}

void trial_put(struct trial *t, struct record *rec, size_t number, const char *format)
{
    struct ledger *ledger = &t->ledger;
    enum stream stream = rec->stream;
    bool goes_on = rec->more || rec->partial;
    bool another = !ledger->open[stream] || rec->begins || rec->malformed;
    json_t *line = another ? decoded(rec, format) : NULL;
    if (rec->time.len == 0) {
        rec->time = t->time;
    }
    bool cut = feed_put(t->feed, rec) & PUT_CUT;
    if (another) {
        ledger_begin(ledger, stream, line);
    }
    bool late = cut && !another;
    if (!late) {
        ledger_add(ledger, stream, number);
    }
    ledger_end(ledger, stream, goes_on);
    tell_all(t, late ? number : 0);
}

void trial_pass_time(struct trial *t)
{
    event_base_loop(t->base, EVLOOP_NONBLOCK);
    tell_all(t, 0);
}

void trial_end(struct trial *t)
{
    feed_flush(t->feed);
    tell_all(t, 0);
}

bool trial_holds(const struct trial *t)
{
    return !ledger_empty(&t->ledger);
}

bool trial_wanted(const struct trial *t)
{
    return t->wanted;
}

/* -- set-up ------------------------------------------------------------------------------------ */

static int open_feed(struct trial *t, const struct try_options *o)
{
    struct identity who = {.service = o->service, .name = o->container, .labels = o->labels};
    if (!(t->tags = tags_new(&who, t->cfg))) {
        return -1;
    }
    t->wanted = tags_wanted(t->tags, &who, t->cfg, NULL);
    t->feed = feed_open(t->pipeline, "try", t->tags, (struct feed_calls){0});
    return 0;
}

static int set_up(struct trial *t, const struct try_options *o, struct error *err)
{
    if (!(t->base = loop_new()) || !(t->checkpoint = checkpoint_new())) {
        return error_set(err, "cannot set up the event loop");
    }
    if (!(t->pipeline = pipeline_new(t->base, t->cfg, t->checkpoint, err))) {
        return -1;
    }
    t->sink = (struct trial_sink){{&sink_ops}, t};
    pipeline_set_sink(t->pipeline, &t->sink.sink);
    pipeline_watch(t->pipeline, (struct shape_watch){on_told, t});
    return open_feed(t, o) < 0 ? error_set(err, "out of memory") : 0;
}

struct trial *trial_new(const struct try_options *o, struct config *cfg, struct trial_calls calls,
                        struct error *err)
{
    struct trial *t = calloc(1, sizeof(*t));
    if (!t) {
        error_set(err, "out of memory");
        return NULL;
    }
    cfg->batch_lines = 1;
    cfg->batch_age = 0;
    /* What lines look like must not depend on where this is shown. */
    cfg->sink = cfg->sink == SINK_STDOUT ? SINK_FILE : cfg->sink;
    *t = (struct trial){.cfg = cfg, .calls = calls, .time = o->time ? slice_str(o->time) : SLICE("")};
    STAILQ_INIT(&t->decisions);
    ledger_init(&t->ledger);
    if (set_up(t, o, err) < 0) {
        trial_free(t);
        return NULL;
    }
    return t;
}

void trial_free(struct trial *t)
{
    if (!t) {
        return;
    }
    if (t->feed) {
        feed_close(t->feed);
    }
    tags_unref(t->tags);
    pipeline_free(t->pipeline);
    checkpoint_free(t->checkpoint);
    if (t->base) {
        event_base_free(t->base);
    }
    ledger_free(&t->ledger);
    free(t);
}
