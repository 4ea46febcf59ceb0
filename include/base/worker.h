/* One helper thread for calls that block, so that the event loop never does. Jobs run one after the other, in
 * the order they were posted; what they found is taken up on the loop. */
#ifndef SIDETAIL_BASE_WORKER_H
#define SIDETAIL_BASE_WORKER_H

#include <event2/event.h>
#include <stdbool.h>

struct worker;

/* Embedded in what a job works on. Between worker_post and `done` it belongs to the thread. */
struct job {
    void (*run)(struct job *job);  /* on the thread */
    void (*done)(struct job *job); /* on the loop, once `run` has returned; the job may be posted again */
    struct job *next;
};

/* NULL when there is no thread or memory to be had. */
struct worker *worker_new(struct event_base *base);
void worker_post(struct worker *w, struct job *job);

/* From within a job: hands a text to the loop, while the job goes on; `noted` is called there with it and
 * `kind`. */
void worker_on_note(struct worker *w, void (*noted)(void *arg, int kind, const char *text), void *arg);
void worker_note(struct worker *w, int kind, const char *text);

/* From within a job: waits. False at once when the worker is about to end: then a job gives
 * up and returns. */
bool worker_wait(struct worker *w, int ms);
bool worker_ending(struct worker *w);

/* Tells a running job to end, and waits for it. Jobs not yet begun are dropped; `done` is not called any
 * more. */
void worker_free(struct worker *w);

#endif
