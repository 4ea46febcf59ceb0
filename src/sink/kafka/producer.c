#include "producer.h"

#include <stdio.h>

static void session_done(struct job *job)
{
    struct kafka_producer *p =
        (struct kafka_producer *)((char *)job - offsetof(struct kafka_producer, session.job));
    p->env.made(p->env.arg, &p->session);
}

/* Gives the producer to the worker, once nothing else uses it. */
static void hand_over(struct kafka_producer *p)
{
    p->session.rk = p->out.rk;
    p->out.rk = NULL;
    worker_post(p->env.worker, &p->session.job);
}

static void topic_done(void *arg, enum kafka_topic_outcome outcome)
{
    struct kafka_producer *p = arg;
    if (outcome == KAFKA_TOPIC_DROPPED) {
        hand_over(p);
    } else {
        p->env.prepared(p->env.arg, outcome);
    }
}

void kafka_producer_prepare(struct kafka_producer *p, struct kafka_topic *topic, const struct batch *batches)
{
    kafka_topic_job_start(&p->topic_job, p->out.rk, topic, p->out.routes, batches);
}

void kafka_producer_committed(struct kafka_producer *p, uint64_t number, int64_t head_offset)
{
    p->session.acked = number;
    p->session.head_offset = head_offset;
    kafka_doubt_clear(&p->session.doubt);
}

void kafka_producer_proven(struct kafka_producer *p)
{
    kafka_doubt_clear(&p->session.doubt);
    kafka_out_proven(&p->out);
}

void kafka_producer_take(struct kafka_producer *p)
{
    struct kafka_session *ses = &p->session;
    json_decref(ses->positions);
    ses->positions = NULL;
    p->out.rk = ses->rk;
    ses->rk = NULL;
    ses->resumed = true;
    p->out.ahead_ms = ses->ahead_ms;
    p->positions->handle = ses->topic;
    ses->topic = NULL;
    kafka_events_watch(&p->events);
}

void kafka_producer_replace(struct kafka_producer *p, uint64_t in_doubt, uint64_t number, int delay_ms)
{
    kafka_events_hear_out(&p->events);
    kafka_routes_detach(p->out.routes);
    p->session.in_doubt = in_doubt;
    p->session.number = number;
    p->session.delay_ms = delay_ms;
    if (!kafka_topic_job_drop(&p->topic_job)) {
        hand_over(p);
    }
}

int kafka_producer_init(struct kafka_producer *p, const struct kafka_producer_env *env)
{
    *p = (struct kafka_producer){.env = *env};
    p->session.job = (struct job){.run = kafka_session_run, .done = session_done};
    p->session.worker = env->worker;
    p->session.settings = env->settings;
    snprintf(p->session.id, sizeof(p->session.id), "%s", env->session);
    p->env.session = p->session.id;
    kafka_topic_job_init(&p->topic_job, env->worker, env->settings, env->trouble, topic_done, p);
    p->out.settings = env->settings;
    p->out.routes = kafka_routes_new(env->settings);
    p->positions = p->out.routes ? kafka_topic_find(p->out.routes, env->settings->positions_topic) : NULL;
    const struct kafka_events_calls calls = {
        .out = &p->out,
        .marks = env->marks,
        .doubt = env->settings->delivery == KAFKA_EXACTLY_ONCE ? &p->session.doubt : NULL,
        .trouble = env->trouble,
        .heard = env->heard,
        .arg = env->arg};
    return p->positions ? kafka_events_init(&p->events, env->base, &calls) : -1;
}

int kafka_producer_begin(struct kafka_producer *p, struct error *err)
{
    kafka_files_note(&p->session.files, p->env.settings);
    p->session.rk = kafka_client(p->env.settings, RD_KAFKA_PRODUCER, err);
    if (!p->session.rk) {
        return -1;
    }
    worker_post(p->env.worker, &p->session.job);
    return 0;
}

static void destroy(rd_kafka_t *rk)
{
    if (rk) {
        rd_kafka_destroy(rk);
    }
}

void kafka_producer_free(struct kafka_producer *p)
{
    kafka_topic_job_free(&p->topic_job);
    kafka_events_free(&p->events);
    kafka_routes_free(p->out.routes);
    kafka_pieces_free(&p->out.pieces);
    destroy(p->out.rk);
    if (p->session.topic) {
        rd_kafka_topic_destroy(p->session.topic);
    }
    destroy(p->session.rk);
    json_decref(p->session.positions);
    kafka_doubt_clear(&p->session.doubt);
}
